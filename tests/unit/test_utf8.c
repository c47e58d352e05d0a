/*
 * Tests of src/base/utf8.h: the boundaries of Unicode's table 3-7, cutting, counting, repair. Every input ends before a page that must not be read.
 */
#include "unit.h"

#include "../../src/base/utf8.h"

/* What the table says, written down the other way round: from code point to bytes. */
static size_t encode(uint32_t code, char bytes[4])
{
    struct buf buf;
    buf_init(&buf, 4);
    utf8_add(&buf, code);
    size_t len = buf.len;
    memcpy(bytes, buf.data, len);
    buf_free(&buf);
    return len;
}

static int read_bytes(const char *bytes, size_t len)
{
    uint32_t code = 0;
    return utf8_read(guard(bytes, len), len, &code);
}

static bool is_valid(const char *bytes, size_t len)
{
    return utf8_valid(guard(bytes, len), len);
}

static void assert_repair(const char *bytes, size_t len, const char *wanted)
{
    struct buf buf;
    buf_init(&buf, 1000);
    utf8_add_repaired(&buf, guard(bytes, len), len);
    assert_string_equal(buf.data, wanted);
    buf_free(&buf);
}

#define ASSERT_REPAIR(bytes, wanted) assert_repair(bytes, sizeof(bytes) - 1, wanted)

static void every_scalar_value_is_written_and_read_back(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code += code < 0x900 || code > 0x10FFF0 || (code >= 0xD7F0 && code < 0xE010) ? 1 : 37) {
        if (code >= 0xD800 && code < 0xE000)
            continue;
        char bytes[4];
        uint32_t got = 1;
        size_t len = encode(code, bytes);
        assert_int_equal(utf8_read(bytes, len, &got), len);
        assert_int_equal(got, code);
    }
}

static void the_encodings_at_the_borders_are_those_of_the_standard(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        const char *bytes;
    } rows[] = {{0x7F, "\x7F"}, {0x80, "\xC2\x80"}, {0x7FF, "\xDF\xBF"}, {0x800, "\xE0\xA0\x80"}, {0xD7FF, "\xED\x9F\xBF"}, {0xE000, "\xEE\x80\x80"},
                {0xFFFF, "\xEF\xBF\xBF"}, {0x10000, "\xF0\x90\x80\x80"}, {0x10FFFF, "\xF4\x8F\xBF\xBF"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char bytes[4];
        assert_int_equal(encode(rows[i].code, bytes), strlen(rows[i].bytes));
        assert_memory_equal(bytes, rows[i].bytes, strlen(rows[i].bytes));
    }
}

/* Table 3-7 as ranges of the second byte by the first. */
static bool second_fits(int first, int second)
{
    int low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    int high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return second >= low && second <= high;
}

static int length_by_first(int first)
{
    return first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
}

static void every_pair_of_first_bytes_follows_table_3_7(void **state)
{
    (void)state;
    for (int first = 0; first < 256; first++)
        for (int second = 0; second < 256; second++) {
            const char bytes[4] = {(char)first, (char)second, '\xBF', '\x80'};
            int n = length_by_first(first);
            int wanted = n > 1 && !second_fits(first, second) ? 0 : n;
            assert_int_equal(read_bytes(bytes, 4), wanted);
            assert_int_equal(is_valid(bytes, wanted > 0 ? (size_t)wanted : 4), wanted > 0);
        }
}

static void a_later_byte_outside_its_range_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_bytes("\xE2\x82\x7F", 3), 0);
    assert_int_equal(read_bytes("\xE2\x82\xC0", 3), 0);
    assert_int_equal(read_bytes("\xF0\x9F\x98\x7F", 4), 0);
    assert_int_equal(read_bytes("\xF0\x9F\x7F\x80", 4), 0);
    assert_int_equal(read_bytes("\xF0\x9F\xC0\x80", 4), 0);
}

static void a_good_beginning_that_is_cut_asks_for_more(void **state)
{
    (void)state;
    static const char *const texts[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t len = 1; len < strlen(texts[i]); len++) {
            assert_int_equal(read_bytes(texts[i], len), -1);
            assert_false(is_valid(texts[i], len));
        }
        assert_int_equal(read_bytes(texts[i], strlen(texts[i])), strlen(texts[i]));
    }
    assert_int_equal(read_bytes("\xE0\x80", 2), 0); /* bad already, not cut */
}

static void a_bad_byte_is_found_at_every_place_of_a_long_text(void **state)
{
    (void)state;
    for (size_t len = 1; len < 40; len++)
        for (size_t at = 0; at < len; at++) {
            char text[40];
            memset(text, 'x', len);
            assert_true(is_valid(text, len));
            text[at] = '\xFF';
            assert_false(is_valid(text, len));
        }
    assert_true(is_valid("", 0));
    assert_true(is_valid("a\0b", 3)); /* NUL is a character */
}

static void characters_are_counted_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(utf8_count("", 0), 0);
    assert_int_equal(utf8_count("aä€😀", strlen("aä€😀")), 4);
}

static void a_text_is_cut_between_characters_wherever_one_cuts(void **state)
{
    (void)state;
    const char *text = "aä€😀x😀";
    size_t good = 0;
    for (size_t len = 0; len <= strlen(text); len++) {
        if (is_valid(text, len))
            good = len;
        assert_int_equal(utf8_fit(guard(text, len), len), good);
    }
}

static void good_text_is_left_alone_by_repair(void **state)
{
    (void)state;
    ASSERT_REPAIR("", "");
    ASSERT_REPAIR("plain text, longer than eight bytes\n", "plain text, longer than eight bytes\n");
    ASSERT_REPAIR("aä€😀 ÿ 漢字", "aä€😀 ÿ 漢字");
}

static void each_bad_sequence_becomes_one_mark(void **state)
{
    (void)state;
    ASSERT_REPAIR("\xFF", "\uFFFD");
    ASSERT_REPAIR("a\xFFz", "a\uFFFDz");
    ASSERT_REPAIR("a\xE2\x82z", "a\uFFFDz");       /* cut */
    ASSERT_REPAIR("a\xED\xA0\x80z", "a\uFFFDz");   /* surrogate */
    ASSERT_REPAIR("a\xC0\x80z", "a\uFFFDz");       /* overlong */
    ASSERT_REPAIR("\xF4\x90\x80\x80", "\uFFFD");   /* above U+10FFFF */
    ASSERT_REPAIR("\xC3\xC3\xA4", "\uFFFDä");      /* the bad one does not swallow the good one */
    ASSERT_REPAIR("12345678\xFF""12345678\xE2\x82\xAC", "12345678\uFFFD12345678€");
    ASSERT_REPAIR("end \xF0\x9F\x98", "end \uFFFD");
}

static void a_nul_becomes_a_mark_of_its_own(void **state)
{
    (void)state;
    ASSERT_REPAIR("a\0b", "a\uFFFDb");
    ASSERT_REPAIR("\0\0", "\uFFFD\uFFFD");
    ASSERT_REPAIR("1234567\0" "89", "1234567\uFFFD89");
}

static void a_nul_takes_no_bad_byte_behind_it_along(void **state)
{
    (void)state;
    ASSERT_REPAIR("\0\x82", "\uFFFD\uFFFD"); /* utf8.h: each NUL and each bad sequence */
}

static void repaired_text_is_valid_and_repairing_it_again_changes_nothing(void **state)
{
    (void)state;
    uint64_t seed = 20261121;
    for (int round = 0; round < 20000; round++) {
        char bytes[40];
        size_t len = unit_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(unit_random(&seed) % 3 == 0 ? 0x80 + unit_random(&seed) % 128 : unit_random(&seed) % 256);
        struct buf once, twice;
        buf_init(&once, 1000);
        buf_init(&twice, 1000);
        utf8_add_repaired(&once, guard(bytes, len), len);
        assert_true(utf8_valid(once.data, once.len));
        assert_int_equal(strlen(once.data), once.len);
        utf8_add_repaired(&twice, once.data, once.len);
        assert_string_equal(twice.data, once.data);
        if (utf8_valid(bytes, len) && memchr(bytes, 0, len) == NULL)
            assert_true(once.len == len && memcmp(once.data, bytes, len) == 0);
        buf_free(&once);
        buf_free(&twice);
    }
}

static void repair_without_memory_fails_the_buffer(void **state)
{
    (void)state;
    static const char text[] = "a text \xFF that grows \xFF over several allocations, \xFF so that each of them can be the one that fails \xFF"
                               "a text \xFF that grows \xFF over several allocations, \xFF so that each of them can be the one that fails \xFF";
    bool ended_well = false;
    for (long calls = 0; !ended_well && calls < 50; calls++) {
        struct buf buf;
        buf_init(&buf, 10000);
        mem_fail_after(calls);
        utf8_add_repaired(&buf, text, sizeof text - 1);
        mem_fail_after(-1);
        ended_well = !buf_failed(&buf);
        assert_true(ended_well || (buf.len == 0 && calls < 5));
        assert_true(calls > 0 || !ended_well);
        buf_free(&buf);
    }
    assert_true(ended_well);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_scalar_value_is_written_and_read_back),
    cmocka_unit_test(the_encodings_at_the_borders_are_those_of_the_standard),
    cmocka_unit_test(every_pair_of_first_bytes_follows_table_3_7),
    cmocka_unit_test(a_later_byte_outside_its_range_is_refused),
    cmocka_unit_test(a_good_beginning_that_is_cut_asks_for_more),
    cmocka_unit_test(a_bad_byte_is_found_at_every_place_of_a_long_text),
    cmocka_unit_test(characters_are_counted_not_bytes),
    cmocka_unit_test(a_text_is_cut_between_characters_wherever_one_cuts),
    cmocka_unit_test(good_text_is_left_alone_by_repair),
    cmocka_unit_test(each_bad_sequence_becomes_one_mark),
    cmocka_unit_test(a_nul_becomes_a_mark_of_its_own),
    cmocka_unit_test(a_nul_takes_no_bad_byte_behind_it_along),
    cmocka_unit_test(repaired_text_is_valid_and_repairing_it_again_changes_nothing),
    cmocka_unit_test(repair_without_memory_fails_the_buffer),
};

UNIT_MAIN(tests)
