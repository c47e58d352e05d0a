/*
 * Tests of src/llm/ndjson.h: each stream is read whole, byte by byte and at every split, always before a page that must not be read.
 */
#include "unit.h"

#include "../../src/llm/ndjson.h"

struct hearing {
    struct ndjson reader;
    struct buf heard; /* each line as [text] */
    enum ndjson_result result;
    int stop_after;   /* 0: never */
};

static bool hear(void *arg, const char *text, size_t len)
{
    struct hearing *hearing = arg;
    assert_int_equal(text[len], 0);
    assert_true(len > 0);
    buf_add_char(&hearing->heard, '[');
    buf_add(&hearing->heard, text, len);
    buf_add_char(&hearing->heard, ']');
    return --hearing->stop_after != 0;
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct hearing *hearing = arg;
    hearing->result = ndjson_feed(&hearing->reader, bytes, len, hear, hearing);
    return hearing->result == NDJSON_MORE;
}

static void listen_to(struct hearing *hearing, const struct cut *cut, const char *bytes, size_t len, size_t max)
{
    ndjson_init(&hearing->reader, max);
    buf_init(&hearing->heard, 1 << 20);
    hearing->result = NDJSON_MORE;
    cut_feed(cut, bytes, len, feed, hearing);
    if (hearing->result == NDJSON_MORE)
        hearing->result = ndjson_end(&hearing->reader, hear, hearing);
}

static void forget(struct hearing *hearing)
{
    ndjson_free(&hearing->reader);
    buf_free(&hearing->heard);
}

static void assert_lines(const char *bytes, size_t len, const char *wanted, size_t max, int stop_after, enum ndjson_result result)
{
    EACH_CUT(cut, len) {
        struct hearing hearing = {.stop_after = stop_after};
        listen_to(&hearing, &cut, bytes, len, max);
        if (strcmp(hearing.heard.data, wanted) != 0)
            print_error("cut number %zu\n", cut.number);
        assert_string_equal(hearing.heard.data, wanted);
        assert_int_equal(hearing.result, result);
        forget(&hearing);
    }
}

#define ASSERT_LINES(bytes, wanted) assert_lines(bytes, sizeof(bytes) - 1, wanted, 1000, 0, NDJSON_MORE)

static void lines_end_in_lf_or_crlf(void **state)
{
    (void)state;
    ASSERT_LINES("{\"a\":1}\n{\"b\":2}\r\n{}\n", "[{\"a\":1}][{\"b\":2}][{}]");
    ASSERT_LINES("a\rb\n", "[a\rb]");
}

static void white_space_around_and_empty_lines_are_dropped(void **state)
{
    (void)state;
    ASSERT_LINES("\n\r\n  \n\t{} \r\n\n \t\r\n{ }\n\n", "[{}][{ }]");
    ASSERT_LINES("", "");
    ASSERT_LINES("\n", "");
    ASSERT_LINES("   ", "");
}

static void a_last_line_without_its_end_is_given_out(void **state)
{
    (void)state;
    ASSERT_LINES("{}\n{\"a\":", "[{}][{\"a\":]");
    ASSERT_LINES("x", "[x]");
}

static void a_byte_order_mark_is_dropped_at_the_start_only(void **state)
{
    (void)state;
    ASSERT_LINES("\xEF\xBB\xBF{}\n\xEF\xBB\xBF{}\n", "[{}][\xEF\xBB\xBF{}]");
    ASSERT_LINES("\xEF\xBB\xBF\n{}\n", "[{}]");
    ASSERT_LINES("\n\xEF\xBB\xBF{}\n", "[\xEF\xBB\xBF{}]");
}

static void a_nul_is_a_byte_like_others(void **state)
{
    (void)state;
    struct hearing hearing = {0};
    struct cut whole = {0, 100, 1};
    listen_to(&hearing, &whole, "a\0b\n", 4, 100);
    assert_int_equal(hearing.heard.len, 5);
    assert_memory_equal(hearing.heard.data, "[a\0b]", 5);
    forget(&hearing);
}

static void a_line_over_the_limit_ends_the_reading(void **state)
{
    (void)state;
    assert_lines("12345678\n{}\n", 12, "[12345678][{}]", 8, 0, NDJSON_MORE);
    assert_lines("{}\n123456789\n{}\n", 16, "[{}]", 8, 0, NDJSON_TOO_BIG);
    assert_lines("123456789", 9, "", 8, 0, NDJSON_TOO_BIG);
}

static void the_callback_stops_the_reading(void **state)
{
    (void)state;
    assert_lines("1\n2\n3\n", 6, "[1][2]", 8, 2, NDJSON_STOPPED);
    assert_lines("1\n2", 3, "[1][2]", 8, 2, NDJSON_STOPPED);
}

static void lack_of_memory_ends_the_reading(void **state)
{
    (void)state;
    struct hearing hearing = {0};
    ndjson_init(&hearing.reader, 100);
    buf_init(&hearing.heard, 100);
    mem_fail_after(0);
    assert_int_equal(ndjson_feed(&hearing.reader, "{}\n", 3, hear, &hearing), NDJSON_TOO_BIG);
    mem_fail_after(-1);
    forget(&hearing);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines_end_in_lf_or_crlf),
    cmocka_unit_test(white_space_around_and_empty_lines_are_dropped),
    cmocka_unit_test(a_last_line_without_its_end_is_given_out),
    cmocka_unit_test(a_byte_order_mark_is_dropped_at_the_start_only),
    cmocka_unit_test(a_nul_is_a_byte_like_others),
    cmocka_unit_test(a_line_over_the_limit_ends_the_reading),
    cmocka_unit_test(the_callback_stops_the_reading),
    cmocka_unit_test(lack_of_memory_ends_the_reading),
};

UNIT_MAIN(tests)
