/*
 * Tests of src/llm/chunk_scanner.h: what is ordinary, what is left to json-c, and that the two never read a different text.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/base/utf8.h"
#include "../../src/llm/chunk_scanner.h"

#define HEAD "{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":"
#define TAIL ",\"finish_reason\":null}]}"
#define CHUNK(delta) HEAD delta TAIL

/* The text that the scanner takes from a chunk, or NULL when it leaves the chunk to json-c. */
static const char *scanned(const char *json, size_t len)
{
    static char text[4096];
    struct buf buf;
    buf_init(&buf, sizeof text - 1);
    buf_add_text(&buf, "before:");
    bool taken = chunk_scan(guard(json, len), len, &buf);
    assert_false(buf_failed(&buf));
    assert_memory_equal(buf.data, "before:", 7);
    if (!taken)
        assert_string_equal(buf.data, "before:");
    memcpy(text, buf.data + 7, buf.len - 6);
    buf_free(&buf);
    return taken ? text : NULL;
}

#define SCAN(json) scanned(json, sizeof(json) - 1)
#define ASSERT_REFUSED(json) assert_null(SCAN(json))

static void an_ordinary_chunk_is_taken(void **state)
{
    (void)state;
    assert_string_equal(SCAN(CHUNK("{\"content\":\"Hello\"}")), "Hello");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"\"}")), "");
    assert_string_equal(SCAN(CHUNK("{}")), "");
    assert_string_equal(SCAN(CHUNK("{\"role\":\"assistant\",\"content\":\"x\"}")), "x");
    assert_string_equal(SCAN(CHUNK("{\"content\":null,\"role\":\"assistant\"}")), "");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"x\",\"tool_calls\":null,\"refusal\":null,\"reasoning_content\":null}")), "x");
    assert_string_equal(SCAN("{\"choices\":[{\"delta\":{\"content\":\"bare\"}}]}"), "bare");
}

static void white_space_and_fields_of_no_interest_do_not_matter(void **state)
{
    (void)state;
    assert_string_equal(SCAN(" { \"choices\" : [ { \"delta\" : { \"content\" : \"x\" } , \"index\" : 0 } ] } \r\n"), "x");
    assert_string_equal(SCAN("{\"a\":[1,-2.5e+3,true,false,null,{\"b\":{}},[]],\"choices\":[{\"delta\":{\"content\":\"x\"},\"logprobs\":{\"content\":[{\"token\":\"y\"}]}}],"
                             "\"usage\":null,\"error\":null,\"obfuscation\":\"abc\",\"citations\":[\"u\"]}"), "x");
}

static void everything_special_is_refused(void **state)
{
    (void)state;
    ASSERT_REFUSED("{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}");
    ASSERT_REFUSED("{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":1}}");
    ASSERT_REFUSED("{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"x_groq\":{\"usage\":{}}}");
    ASSERT_REFUSED("{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"error\":{\"message\":\"m\"}}");
    ASSERT_REFUSED("{\"error\":\"text\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}");
    ASSERT_REFUSED("{\"choices\":[{\"delta\":{\"content\":\"x\"},\"error\":{}}]}");
    ASSERT_REFUSED("{\"object\":\"error\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}");
    ASSERT_REFUSED("{\"detail\":\"d\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}");
    ASSERT_REFUSED("{\"choices\":[]}");
    ASSERT_REFUSED("{\"choices\":null}");
    ASSERT_REFUSED("{\"choices\":[{\"delta\":{\"content\":\"x\"}},{\"delta\":{\"content\":\"y\"}}]}");
    ASSERT_REFUSED("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}");
    ASSERT_REFUSED("{\"choices\":[{\"index\":0.5,\"delta\":{\"content\":\"x\"}}]}");
    ASSERT_REFUSED("{\"choices\":[{\"delta\":null}]}");
    ASSERT_REFUSED("{\"choices\":[{\"message\":{\"content\":\"x\"}}]}");
    ASSERT_REFUSED("{\"choices\":[{\"index\":0}]}");
    ASSERT_REFUSED("{\"id\":\"x\"}");
    ASSERT_REFUSED("{}");
}

static void a_delta_with_more_than_text_is_refused(void **state)
{
    (void)state;
    ASSERT_REFUSED(CHUNK("{\"content\":\"x\",\"reasoning_content\":\"r\"}"));
    ASSERT_REFUSED(CHUNK("{\"reasoning\":\"r\"}"));
    ASSERT_REFUSED(CHUNK("{\"refusal\":\"no\"}"));
    ASSERT_REFUSED(CHUNK("{\"tool_calls\":[{\"id\":\"1\"}]}"));
    ASSERT_REFUSED(CHUNK("{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}"));
    ASSERT_REFUSED(CHUNK("{\"content\":7}"));
    ASSERT_REFUSED(CHUNK("{\"role\":{},\"content\":\"x\"}"));
    ASSERT_REFUSED(CHUNK("{\"con\\u0074ent\":\"x\"}"));
}

static void a_key_that_comes_twice_is_refused(void **state)
{
    (void)state;
    ASSERT_REFUSED(CHUNK("{\"content\":\"x\",\"content\":\"y\"}"));
    ASSERT_REFUSED("{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"choices\":[{\"delta\":{\"content\":\"y\"}}]}");
    ASSERT_REFUSED("{\"choices\":[{\"delta\":{\"content\":\"x\"},\"delta\":{}}]}");
    ASSERT_REFUSED(CHUNK("{\"content\":\"x\",\"content\":null}"));
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char good[] = CHUNK("{\"content\":\"Hello \\n \\uD83D\\uDE00\"}");
    for (size_t len = 0; len < sizeof good - 1; len++)
        assert_null(scanned(good, len)); /* cut anywhere */
    assert_non_null(SCAN(good));
    ASSERT_REFUSED(CHUNK("{\"content\":\"raw\ncontrol\"}"));
    ASSERT_REFUSED(CHUNK("{\"content\":\"a\\x41\"}"));
    ASSERT_REFUSED(CHUNK("{\"content\":\"good \\n then bad \\u12G4\"}"));
    ASSERT_REFUSED(CHUNK("{\"content\":\"x\",}"));
    ASSERT_REFUSED("[]");
    ASSERT_REFUSED("null");
    ASSERT_REFUSED(CHUNK("{\"content\":\"x\"}") "x");
    ASSERT_REFUSED(CHUNK("{'content':'x'}"));
}

static void very_deep_nesting_is_refused(void **state)
{
    (void)state;
    static char text[200100] = "{\"a\":";
    memset(text + 5, '[', 200000);
    assert_null(scanned(text, 200005));
}

static void escapes_are_resolved(void **state)
{
    (void)state;
    assert_string_equal(SCAN(CHUNK("{\"content\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}")), "\"\\/\b\f\n\r\t");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"\\u0041\\u00e4\\u00E4\\u20ac\\u6f22\"}")), "Aää€漢");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"a\\uD83D\\uDE00b\\ud83d\\ude00\"}")), "a😀b😀");
}

static void lone_surrogates_and_nul_become_marks(void **state)
{
    (void)state;
    assert_string_equal(SCAN(CHUNK("{\"content\":\"a\\uD83Db\"}")), "a\uFFFDb");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"a\\uDE00b\"}")), "a\uFFFDb");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"\\uD83D\"}")), "\uFFFD");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"\\uD83D\\u0041\"}")), "\uFFFDA");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"\\uD83D\\uD83D\\uDE00\"}")), "\uFFFD😀");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"\\uD83D\\n\"}")), "\uFFFD\n");
    assert_string_equal(SCAN(CHUNK("{\"content\":\"a\\u0000b\"}")), "a\uFFFDb");
}

static void bytes_that_are_not_utf8_are_repaired(void **state)
{
    (void)state;
    assert_string_equal(SCAN(CHUNK("{\"content\":\"a\xFFz\"}")), "a\uFFFDz");
    ASSERT_REFUSED(CHUNK("{\"content\":\"a\xE2\x82\\n\"}")); /* beside an escape json-c decides */
    assert_string_equal(SCAN(CHUNK("{\"content\":\"ä漢😀\"}")), "ä漢😀");
}

/* --- the property ---------------------------------------------------------------------------------------------------------- */

static const char *const corpus[] = {
    CHUNK("{\"content\":\"Hello\"}"),
    CHUNK("{\"role\":\"assistant\",\"content\":\"a\\nb\\u00e4\\uD83D\\uDE00\"}"),
    CHUNK("{\"content\":null,\"refusal\":null}"),
    CHUNK("{\"content\":\"ä漢😀\xFF\",\"tool_calls\":null}"),
    "{\"choices\":[{\"delta\":{\"content\":\"x\"},\"index\":0,\"logprobs\":null}],\"usage\":null}",
    "{\"id\":1,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"tail\"},\"content_filter_results\":{\"hate\":{\"filtered\":false}}}],\"a\":[1,2.5]}",
};

static const char *const splinters[] = {"\\uD83D", "\\uDE00", "\\u0000", "\\n", "\\", "\"", "content", "\"content\":", "null", ",", "{", "}", "[", "]", ":", "\xE2\x82",
                                        "\x82", "\xF0\x9F", " ", "0", "\\u00", "\"content\":null,", "\"content\":\"z\",", "\"delta\":", "\"choices\":", "'", "/*"};

static size_t mutate(uint64_t *seed, const char *from, char *to, size_t room)
{
    size_t len = strlen(from);
    memcpy(to, from, len + 1);
    for (uint32_t i = unit_random(seed) % 3 + 1; i > 0; i--) {
        size_t at = unit_random(seed) % len;
        const char *piece = splinters[unit_random(seed) % (sizeof splinters / sizeof *splinters)];
        size_t cut = unit_random(seed) % 2 == 0 ? 0 : unit_random(seed) % 3, n = strlen(piece);
        if (at + cut > len)
            cut = len - at;
        if (unit_random(seed) % 6 == 0) {
            to[at] = (char)unit_random(seed);
        } else if (len + n < room) {
            memmove(to + at + n, to + at + cut, len - at - cut);
            memcpy(to + at, piece, n);
            len += n - cut;
        }
    }
    return len;
}

/* What json-c reads at choices.0.delta.content, repaired; "" when there is no text. False when it cannot parse. */
static bool read_by_json_c(const char *json, size_t len, struct buf *text)
{
    json_object *object = json_read_loose(json, len);
    size_t text_len = 0;
    const char *content = json_text(object, "choices.0.delta.content", &text_len);
    if (content != NULL)
        utf8_add_repaired(text, content, text_len);
    bool parsed = object != NULL;
    json_object_put(object);
    return parsed;
}

static void scanner_and_json_c_never_read_a_different_text(void **state)
{
    (void)state;
    uint64_t seed = 42;
    int taken = 0;
    for (int round = 0; round < 200000; round++) {
        char json[600];
        size_t len = mutate(&seed, corpus[unit_random(&seed) % (sizeof corpus / sizeof *corpus)], json, sizeof json);
        struct buf by_scanner, by_json_c;
        buf_init(&by_scanner, 4096);
        buf_init(&by_json_c, 4096);
        if (chunk_scan(guard(json, len), len, &by_scanner)) {
            bool parsed = read_by_json_c(json, len, &by_json_c);
            if (parsed && strcmp(by_scanner.data, by_json_c.data) != 0)
                print_error("%.*s\n", (int)len, json);
            if (parsed)
                assert_string_equal(by_scanner.data, by_json_c.data);
            assert_true(utf8_valid(by_scanner.data, by_scanner.len));
            taken++;
        } else {
            assert_int_equal(by_scanner.len, 0);
        }
        buf_free(&by_scanner);
        buf_free(&by_json_c);
    }
    assert_true(taken > 10000);
}

static void without_memory_the_text_fails_and_nothing_else(void **state)
{
    (void)state;
    static const char json[] = CHUNK("{\"content\":\"a text with an escape \\n and more\"}");
    struct buf text;
    buf_init(&text, 1000);
    mem_fail_after(0);
    (void)chunk_scan(json, sizeof json - 1, &text);
    mem_fail_after(-1);
    assert_true(buf_failed(&text));
    buf_free(&text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_ordinary_chunk_is_taken),
    cmocka_unit_test(white_space_and_fields_of_no_interest_do_not_matter),
    cmocka_unit_test(everything_special_is_refused),
    cmocka_unit_test(a_delta_with_more_than_text_is_refused),
    cmocka_unit_test(a_key_that_comes_twice_is_refused),
    cmocka_unit_test(what_is_not_json_is_refused),
    cmocka_unit_test(very_deep_nesting_is_refused),
    cmocka_unit_test(escapes_are_resolved),
    cmocka_unit_test(lone_surrogates_and_nul_become_marks),
    cmocka_unit_test(bytes_that_are_not_utf8_are_repaired),
    cmocka_unit_test(scanner_and_json_c_never_read_a_different_text),
    cmocka_unit_test(without_memory_the_text_fails_and_nothing_else),
};

UNIT_MAIN(tests)
