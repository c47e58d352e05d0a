/*
 * Tests of src/llm/sse_parser.h: each stream is read whole, byte by byte and at every split, always before a page that must not be read.
 */
#include "unit.h"

#include "../../src/llm/sse_parser.h"

struct hearing {
    struct sse_parser parser;
    struct buf heard; /* each event as [name|data] */
    enum sse_result result;
    int stop_after;   /* 0: never */
};

static bool hear(void *arg, const char *name, const char *data, size_t len)
{
    struct hearing *hearing = arg;
    assert_int_equal(data[len], 0);
    buf_addf(&hearing->heard, "[%s|", name);
    buf_add(&hearing->heard, data, len);
    buf_add_char(&hearing->heard, ']');
    return --hearing->stop_after != 0;
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct hearing *hearing = arg;
    hearing->result = sse_parser_feed(&hearing->parser, bytes, len, hear, hearing);
    return hearing->result == SSE_MORE;
}

static void listen_to(struct hearing *hearing, const struct cut *cut, const char *bytes, size_t len, size_t max)
{
    sse_parser_init(&hearing->parser, max);
    buf_init(&hearing->heard, 1 << 20);
    hearing->result = SSE_MORE;
    cut_feed(cut, bytes, len, feed, hearing);
    if (hearing->result == SSE_MORE)
        hearing->result = sse_parser_end(&hearing->parser, hear, hearing);
}

static void forget(struct hearing *hearing)
{
    sse_parser_free(&hearing->parser);
    buf_free(&hearing->heard);
}

static void assert_events(const char *bytes, size_t len, const char *wanted)
{
    EACH_CUT(cut, len) {
        struct hearing hearing = {0};
        listen_to(&hearing, &cut, bytes, len, 100000);
        if (strcmp(hearing.heard.data, wanted) != 0)
            print_error("cut number %zu\n", cut.number);
        assert_string_equal(hearing.heard.data, wanted);
        assert_int_equal(hearing.result, SSE_MORE);
        forget(&hearing);
    }
}

#define ASSERT_EVENTS(bytes, wanted) assert_events(bytes, sizeof(bytes) - 1, wanted)

static void an_event_has_a_name_and_data(void **state)
{
    (void)state;
    ASSERT_EVENTS("data: one\n\ndata: two\n\n", "[|one][|two]");
    ASSERT_EVENTS("event: token\ndata: x\n\ndata: y\n\n", "[token|x][|y]");
    ASSERT_EVENTS("data: x\nevent: late\n\n", "[late|x]");
}

static void all_line_ends_are_understood_and_mixed(void **state)
{
    (void)state;
    ASSERT_EVENTS("data: a\r\n\r\ndata: b\r\rdata: c\n\n", "[|a][|b][|c]");
    ASSERT_EVENTS("data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\r", "[|a\nb\nc][|d]");
    ASSERT_EVENTS("data: a\r\n\ndata: b\r\n\r", "[|a][|b]");
    ASSERT_EVENTS("data: a\n\r\n\r\r\n\n\ndata: b\r\n\r\n", "[|a][|b]");
}

static void a_byte_order_mark_is_dropped_at_the_start_only(void **state)
{
    (void)state;
    ASSERT_EVENTS("\xEF\xBB\xBF" "data: a\n\n", "[|a]");
    ASSERT_EVENTS("data: a\n\n\xEF\xBB\xBF" "data: b\n\n", "[|a]");
    ASSERT_EVENTS("\xEF\xBB\xBF\xEF\xBB\xBF" "data: a\n\ndata: b\n\n", "[|b]");
    ASSERT_EVENTS("data: \xEF\xBB\xBFx\n\n", "[|\xEF\xBB\xBFx]");
}

static void comments_and_unknown_fields_are_skipped(void **state)
{
    (void)state;
    ASSERT_EVENTS(": keep-alive\n\n:\n\ndata: a\n: in between\nid: 7\nretry: 3000\ncolour: red\ndatax: no\n data: no\ndata: b\n\n", "[|a\nb]");
    ASSERT_EVENTS(": only a comment", "");
}

static void several_data_lines_are_joined(void **state)
{
    (void)state;
    ASSERT_EVENTS("data: {\ndata: \"a\": 1\ndata: }\n\n", "[|{\n\"a\": 1\n}]");
    ASSERT_EVENTS("data: a\ndata:\ndata\ndata: b\n\n", "[|a\n\n\nb]");
}

static void one_space_after_the_colon_is_dropped_and_none_is_needed(void **state)
{
    (void)state;
    ASSERT_EVENTS("data:tight\n\ndata: one\n\ndata:  two\n\ndata:\ttab\n\nevent:x\ndata:y\n\n", "[|tight][|one][| two][|\ttab][x|y]");
    ASSERT_EVENTS("data: a: b\n\n", "[|a: b]");
}

static void an_event_without_data_is_none_and_its_name_is_forgotten(void **state)
{
    (void)state;
    ASSERT_EVENTS("event: lost\n\ndata: x\n\n\n\n", "[|x]");
    ASSERT_EVENTS("data:\n\n", "[|]");
    ASSERT_EVENTS("data\n\n", "[|]");
    ASSERT_EVENTS("", "");
    ASSERT_EVENTS("\n\n\n", "");
}

static void a_last_event_without_its_blank_line_is_given_out(void **state)
{
    (void)state;
    ASSERT_EVENTS("data: a\n\ndata: b", "[|a][|b]");
    ASSERT_EVENTS("data: a\n", "[|a]");
    ASSERT_EVENTS("data: a\r", "[|a]");
    ASSERT_EVENTS("event: e\ndata: a\r\n", "[e|a]");
}

static void bytes_of_all_kinds_pass(void **state)
{
    (void)state;
    static const char bytes[] = "data: a\0b\xFF\xC3\x28\x01z\n\n";
    EACH_CUT(cut, sizeof bytes - 1) {
        struct hearing hearing = {0};
        listen_to(&hearing, &cut, bytes, sizeof bytes - 1, 1000);
        assert_memory_equal(hearing.heard.data, "[|a\0b\xFF\xC3\x28\x01z]", 12);
        forget(&hearing);
    }
}

static void a_very_long_name_is_cut(void **state)
{
    (void)state;
    char text[300] = "event: ", wanted[300] = "[";
    memset(text + 7, 'n', 200);
    memset(wanted + 1, 'n', SSE_NAME_BYTES - 1);
    strcat(text, "\ndata: x\n\n");
    strcat(wanted, "|x]");
    assert_events(text, strlen(text), wanted);
}

static void the_callback_can_stop_the_parser(void **state)
{
    (void)state;
    static const char bytes[] = "data: a\n\ndata: b\n\ndata: c\n\n";
    EACH_CUT(cut, sizeof bytes - 1) {
        struct hearing hearing = {.stop_after = 2};
        listen_to(&hearing, &cut, bytes, sizeof bytes - 1, 1000);
        assert_string_equal(hearing.heard.data, "[|a][|b]");
        assert_int_equal(hearing.result, SSE_STOPPED);
        forget(&hearing);
    }
}

static void data_over_the_limit_is_too_big_in_one_line_or_many(void **state)
{
    (void)state;
    enum { MAX = 64 };
    char one[200] = "data: ", many[400] = "";
    memset(one + 6, 'x', MAX + 1);
    strcat(one, "\n\n");
    for (int i = 0; i < 10; i++)
        strcat(many, "data: 1234567890\n");
    const char *const texts[] = {one, many};
    for (int i = 0; i < 2; i++)
        EACH_CUT(cut, strlen(texts[i])) {
            struct hearing hearing = {0};
            listen_to(&hearing, &cut, texts[i], strlen(texts[i]), MAX);
            assert_int_equal(hearing.result, SSE_TOO_BIG);
            assert_string_equal(hearing.heard.data, "");
            forget(&hearing);
        }
}

static void an_event_well_under_the_limit_fits(void **state)
{
    (void)state;
    char text[200] = "data: ", wanted[200] = "[|";
    memset(text + 6, 'x', 58);
    memset(wanted + 2, 'x', 58);
    strcat(text, "\n\n");
    strcat(wanted, "]");
    EACH_CUT(cut, strlen(text)) {
        struct hearing hearing = {0};
        listen_to(&hearing, &cut, text, strlen(text), 64);
        assert_string_equal(hearing.heard.data, wanted);
        forget(&hearing);
    }
}

static void a_line_over_the_limit_is_too_big_however_it_is_cut(void **state)
{
    (void)state;
    char text[200] = ":";
    memset(text + 1, 'x', 100);
    strcat(text, "\ndata: a\n\n");
    EACH_CUT(cut, strlen(text)) {
        struct hearing hearing = {0};
        listen_to(&hearing, &cut, text, strlen(text), 64);
        if (hearing.result != SSE_TOO_BIG)
            print_error("cut number %zu\n", cut.number);
        assert_int_equal(hearing.result, SSE_TOO_BIG);
        forget(&hearing);
    }
}

static void a_megabyte_in_one_line_passes(void **state)
{
    (void)state;
    enum { BYTES = 1000000 };
    struct hearing hearing = {0};
    char *text = malloc(BYTES);
    assert_non_null(text);
    memset(text, 'x', BYTES);
    memcpy(text, "data: ", 6);
    memcpy(text + BYTES - 2, "\n\n", 2);
    struct cut cut = {0, 17, 1400};
    listen_to(&hearing, &cut, text, BYTES, BYTES);
    assert_int_equal(hearing.heard.len, BYTES - 8 + 3);
    forget(&hearing);
    free(text);
}

static void whichever_allocation_fails_the_parser_says_too_big(void **state)
{
    (void)state;
    static const char bytes[] = "data: some text that is put together\ndata: from two lines, cut in the middle of one of them, so that both buffers are used\n\n";
    bool ended_well = false;
    for (long calls = 0; !ended_well && calls < 50; calls++) {
        struct hearing hearing = {0};
        sse_parser_init(&hearing.parser, 1000);
        buf_init(&hearing.heard, 1000);
        assert_true(buf_reserve(&hearing.heard, 900));
        mem_fail_after(calls);
        for (size_t i = 0; i < sizeof bytes - 1 && feed(&hearing, bytes + i, 1); i++)
            continue;
        mem_fail_after(-1);
        ended_well = hearing.result == SSE_MORE;
        assert_true(ended_well || hearing.result == SSE_TOO_BIG);
        assert_true((hearing.heard.len > 0) == ended_well);
        assert_true(calls > 0 || !ended_well);
        forget(&hearing);
    }
    assert_true(ended_well);
}

static void random_bytes_give_the_same_events_however_they_are_cut(void **state)
{
    (void)state;
    static const char *const pieces[] = {"data", "event", ":", ": ", "\n", "\r", "\r\n", "\n\n", "x", "data: y", "\xEF\xBB\xBF", "\xFF", "[DONE]", " ", "id: 1\n"};
    uint64_t seed = 1;
    size_t events = 0;
    for (int round = 0; round < 20000; round++) {
        char bytes[256] = "";
        size_t len = 0;
        for (uint32_t i = unit_random(&seed) % 24; i > 0; i--) {
            const char *piece = pieces[unit_random(&seed) % 15];
            len += (size_t)sprintf(bytes + len, "%s", piece);
        }
        if (len > 0 && unit_random(&seed) % 4 == 0)
            bytes[unit_random(&seed) % len] = (char)unit_random(&seed);
        struct cut whole = {0, len, 1}, bytewise = {1, 1, 1}, random = {2, unit_random(&seed) % 9 + 1, unit_random(&seed) % 9 + 1};
        struct hearing a = {0}, b = {0}, c = {0};
        listen_to(&a, &whole, bytes, len, 300);
        listen_to(&b, &bytewise, bytes, len, 300);
        listen_to(&c, &random, bytes, len, 300);
        assert_true(a.heard.len == b.heard.len && memcmp(a.heard.data, b.heard.data, a.heard.len) == 0);
        assert_true(a.heard.len == c.heard.len && memcmp(a.heard.data, c.heard.data, a.heard.len) == 0);
        events += a.heard.len > 0;
        forget(&a);
        forget(&b);
        forget(&c);
    }
    assert_true(events > 1000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_event_has_a_name_and_data),
    cmocka_unit_test(all_line_ends_are_understood_and_mixed),
    cmocka_unit_test(a_byte_order_mark_is_dropped_at_the_start_only),
    cmocka_unit_test(comments_and_unknown_fields_are_skipped),
    cmocka_unit_test(several_data_lines_are_joined),
    cmocka_unit_test(one_space_after_the_colon_is_dropped_and_none_is_needed),
    cmocka_unit_test(an_event_without_data_is_none_and_its_name_is_forgotten),
    cmocka_unit_test(a_last_event_without_its_blank_line_is_given_out),
    cmocka_unit_test(bytes_of_all_kinds_pass),
    cmocka_unit_test(a_very_long_name_is_cut),
    cmocka_unit_test(the_callback_can_stop_the_parser),
    cmocka_unit_test(data_over_the_limit_is_too_big_in_one_line_or_many),
    cmocka_unit_test(an_event_well_under_the_limit_fits),
    cmocka_unit_test(a_line_over_the_limit_is_too_big_however_it_is_cut),
    cmocka_unit_test(a_megabyte_in_one_line_passes),
    cmocka_unit_test(whichever_allocation_fails_the_parser_says_too_big),
    cmocka_unit_test(random_bytes_give_the_same_events_however_they_are_cut),
};

UNIT_MAIN(tests)
