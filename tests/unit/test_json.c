/*
 * Tests of src/base/json.h: what json_read() takes and refuses, with its reason, and the selectors.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/base/limits.h"
#include "../../src/base/utf8.h"

/* What json_read() makes of `len` bytes: the value written out again, or "! " and the reason. */
static const char *reading_of(const char *text, size_t len)
{
    static char result[4096];
    const char *why = "not set";
    json_object *object = json_read(guard(text, len), len, &why);
    if (why != NULL)
        assert_null(object);
    (void)snprintf(result, sizeof result, "%s%s", why != NULL ? "! " : "", why != NULL ? why : object != NULL ? json_write(object) : "null");
    json_object_put(object);
    return result;
}

#define READ(text) reading_of(text, sizeof(text) - 1)

#define NOT_JSON "! it is cut short or not well-formed"

static void good_json_is_read(void **state)
{
    (void)state;
    assert_string_equal(READ("{\"a\":[1,-2.5,true,false,null,\"x\"],\"b\":{}}"), "{\"a\":[1,-2.5,true,false,null,\"x\"],\"b\":{}}");
    assert_string_equal(READ(" \t\r\n[ 1 , 2 ]\n\r\t "), "[1,2]");
    assert_string_equal(READ("\"a\\/b\\\\c\\\"\\b\\f\\n\\r\\t\""), "\"a/b\\\\c\\\"\\b\\f\\n\\r\\t\"");
    assert_string_equal(READ("\"\\u00e4 \\uD83D\\uDE00 ä 😀\""), "\"ä 😀 ä 😀\"");
}

static void bare_numbers_and_literals_are_values(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"0", "0"}, {"-0", "0"}, {"17", "17"}, {"1 ", "1"}, {"2.5\n", "2.5"}, {"1e5", "1e5"}, {"true", "true"},
                                          {"false ", "false"}, {"null", "null"}, {"\"x\"", "\"x\""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = reading_of(rows[i][0], strlen(rows[i][0]));
        assert_string_equal(strcmp(got, "-0") == 0 ? "0" : got, rows[i][1]);
    }
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    (void)state;
    assert_string_equal(READ("\"\xFF\""), "! it is not UTF-8");
    assert_string_equal(READ("\"\xED\xA0\x80\""), "! it is not UTF-8");
    assert_string_equal(READ("\"\xE2\x82"), "! it is not UTF-8");
}

static void nul_and_control_characters_are_refused(void **state)
{
    (void)state;
    assert_string_equal(READ("\"a\0b\""), "! it holds a NUL byte");
    assert_string_equal(READ("{}\0"), "! it holds a NUL byte");
    for (char c = 1; c < 0x20; c++) {
        const char text[] = {'"', 'a', c, '"'};
        assert_string_equal(reading_of(text, sizeof text), NOT_JSON);
    }
    assert_string_equal(READ("{\"a\tb\":1}"), NOT_JSON);
    assert_string_equal(READ("\"\x7F\""), "\"\x7F\"");
}

static void an_escaped_nul_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    assert_string_equal(READ("\"\\u0000\""), "! a string holds U+0000");
    assert_string_equal(READ("[{\"a\\u0000b\":1}]"), "! a string holds U+0000");
    assert_string_equal(READ("\"\\\\u0000\""), "\"\\\\u0000\""); /* a backslash and five characters */
    assert_string_equal(READ("\"\\\\\\u0000\""), "! a string holds U+0000");
}

static void nan_and_infinity_are_refused(void **state)
{
    (void)state;
    assert_string_equal(READ("NaN"), NOT_JSON);
    assert_string_equal(READ("[1,Infinity]"), NOT_JSON);
    assert_string_equal(READ("{\"t\":-Infinity}"), NOT_JSON);
    assert_string_equal(READ("nan"), NOT_JSON);
    assert_string_equal(READ("-infinity"), NOT_JSON);
    assert_string_equal(READ("{\"Name\":\"Infinity NaN\"}"), "{\"Name\":\"Infinity NaN\"}");
}

static void what_json_c_takes_beyond_the_standard_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "   ", "[", "]", "{\"a\":", "\"abc", "[1", "nul", "tru", "True", "nullx", "[1,]", "{\"a\":1,}", "[,1]", "{,}", ",", "'a'", "{a:1}", "/* c */1",
        "1//c", "[1 2]", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "\"\\x41\"", "\"\\'\"", "\"\\v\"", "\"\\u12G4\"", "\"\\U0041\"", "\f1", "1\v",
        "\"a\\\n\"", "[0x10]", "\xEF\xBB\xBF{}", "[]]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *got = reading_of(texts[i], strlen(texts[i]));
        if (got[0] != '!')
            print_error("taken: %s\n", texts[i]);
        assert_int_equal(got[0], '!');
    }
}

static void strings_in_single_quotes_are_refused_as_keys_too(void **state)
{
    (void)state;
    assert_string_equal(READ("{'a':1}"), NOT_JSON);
    assert_string_equal(READ("{\"b\":{'a':1}}"), NOT_JSON);
    assert_string_equal(READ("{\"it's\":\"'fine'\"}"), "{\"it's\":\"'fine'\"}");
}

static void numbers_follow_the_grammar(void **state)
{
    (void)state;
    static const char *const bad[] = {"01", "-01", "00", "[00]", "1.", "[1.]", "1.e3", ".5", "+1", "-", "1e", "1e+", "[1-2]", "[--1]", "[1.5.2]", "[1e1.5]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *got = reading_of(bad[i], strlen(bad[i]));
        if (got[0] != '!')
            print_error("taken as a number: %s\n", bad[i]);
        assert_int_equal(got[0], '!');
    }
    assert_string_equal(READ("[0.5,-0.25,10,1E2,1e-2,100]"), "[0.5,-0.25,10,1E2,1e-2,100]");
}

static void text_after_the_value_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"{} x", "{}{}", "1 2", "1,", "null x", "\"a\"b", "true false", "[1] ]", "12 \"a\"", "{}}", "1//c", "{}\f"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(reading_of(texts[i], strlen(texts[i])), "! there is something after the value");
}

static const char *reading_of_nested(size_t depth, const char *inside)
{
    char text[400] = "";
    for (size_t i = 0; i < depth; i++)
        strcat(text, i % 2 == 0 ? "[" : "{\"a\":");
    strcat(text, inside);
    for (size_t i = depth; i-- > 0;)
        strcat(text, i % 2 == 0 ? "]" : "}");
    return reading_of(text, strlen(text));
}

static void nesting_ends_at_the_limit(void **state)
{
    (void)state;
    for (size_t depth = 1; depth <= LIMIT_JSON_DEPTH; depth++)
        assert_int_not_equal(reading_of_nested(depth, "1")[0], '!');
    for (size_t depth = LIMIT_JSON_DEPTH + 1; depth < LIMIT_JSON_DEPTH + 10; depth++)
        assert_string_equal(reading_of_nested(depth, "1"), "! it is nested too deeply");
}

static void a_very_deep_text_is_refused_quickly(void **state)
{
    (void)state;
    enum { DEPTH = 500000 };
    char *text = malloc(DEPTH);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    assert_string_equal(reading_of(text, DEPTH), "! it is nested too deeply");
    free(text);
}

/* `count` numbers in an array: one value more. */
static const char *reading_of_many(size_t count, bool (*is_good)(const char *text, size_t len))
{
    static char text[LIMIT_JSON_CONTAINERS * 3 + 100];
    size_t len = 0;
    text[len++] = '[';
    for (size_t i = 0; i < count; i++) {
        text[len++] = is_good != NULL ? '{' : '1';
        if (is_good != NULL)
            text[len++] = '}';
        text[len++] = i + 1 < count ? ',' : ']';
    }
    if (is_good != NULL)
        return is_good(text, len) ? "good" : "refused";
    const char *why;
    json_object *object = json_read(text, len, &why);
    json_object_put(object);
    return why != NULL ? why : "good";
}

static bool is_read_loosely(const char *text, size_t len)
{
    json_object *object = json_read_loose(text, len);
    json_object_put(object);
    return object != NULL;
}

static void more_values_than_memory_is_worth_are_refused(void **state)
{
    (void)state;
    assert_string_equal(reading_of_many(LIMIT_JSON_VALUES - 1, NULL), "good");
    assert_string_equal(reading_of_many(LIMIT_JSON_VALUES, NULL), "it holds too many values");
    assert_string_equal(reading_of_many(LIMIT_JSON_CONTAINERS - 1, is_read_loosely), "good");
    assert_string_equal(reading_of_many(LIMIT_JSON_CONTAINERS, is_read_loosely), "refused");
}

static void lone_surrogates_become_replacement_characters(void **state)
{
    (void)state;
    assert_string_equal(READ("\"a\\uD800z\""), "\"a\uFFFDz\"");
    assert_string_equal(READ("\"\\uDC00\""), "\"\uFFFD\"");
    assert_string_equal(READ("\"\\uD83D\\n\""), "\"\uFFFD\\n\"");
    assert_string_equal(READ("\"\\uD83D\\u0041\""), "\"\uFFFDA\"");
}

static void of_two_equal_keys_the_last_counts(void **state)
{
    (void)state;
    assert_string_equal(READ("{\"a\":1,\"a\":2}"), "{\"a\":2}");
    assert_string_equal(READ("{\"a\":1,\"a\":null}"), "{\"a\":null}");
}

static void random_mutations_give_a_valid_value_or_a_reason(void **state)
{
    (void)state;
    static const char start[] = "{\"message\":\"h\\u00e4llo 😀\",\"n\":[1,2.5e3,{\"x\":null}],\"t\":true}";
    uint64_t seed = 7;
    int good = 0;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof start];
        memcpy(text, start, sizeof start);
        size_t len = sizeof start - 1;
        for (uint32_t i = unit_random(&seed) % 3 + 1; i > 0; i--)
            text[unit_random(&seed) % len] = (char)unit_random(&seed);
        len -= unit_random(&seed) % 8 == 0 ? unit_random(&seed) % len : 0;
        const char *got = reading_of(text, len);
        assert_true(got[0] == '!' ? strlen(got) > 4 : utf8_valid(got, strlen(got)));
        good += got[0] != '!';
    }
    assert_true(good > 100);
}

/* --- selectors ----------------------------------------------------------------------------------------------------------- */

static const char sample[] = "{\"choices\":[{\"delta\":{\"content\":\"hi\\u0000there\",\"none\":null}},{\"n\":7}],\"usage\":{\"a\":3,\"b\":4.0,\"c\":4.5,\"d\":-1,"
                             "\"e\":\"5\",\"f\":9007199254740992,\"g\":9007199254740993,\"h\":1e300,\"i\":-0.0,\"j\":true},\"0\":\"zero\"}";

static void a_path_leads_through_objects_and_arrays(void **state)
{
    (void)state;
    json_object *object = json_read_loose(sample, sizeof sample - 1);
    assert_non_null(object);
    assert_ptr_equal(json_at(object, ""), object);
    assert_int_equal(json_count(object, "choices.1.n", -5), 7);
    assert_string_equal(json_text(object, "0", NULL), "zero");
    assert_null(json_at(object, "choices.2.n"));
    assert_null(json_at(object, "choices.n"));
    assert_null(json_at(object, "choices.-1"));
    assert_null(json_at(object, "usage.a.b"));
    assert_null(json_at(object, "choices.0.delta.none"));
    assert_null(json_at(object, "choices.0.delta.none.deeper"));
    assert_null(json_at(object, "missing.0.x"));
    assert_null(json_at(NULL, "a"));
    assert_null(json_at(object, "a_key_of_more_than_sixty_three_characters_that_nobody_would_ever_ask_for.x"));
    json_object_put(object);
}

static void only_strings_are_texts(void **state)
{
    (void)state;
    json_object *object = json_read_loose(sample, sizeof sample - 1);
    size_t len = 0;
    assert_memory_equal(json_text(object, "choices.0.delta.content", &len), "hi\0there", 8);
    assert_int_equal(len, 8);
    assert_null(json_text(object, "usage.a", &len));
    assert_null(json_text(object, "usage", NULL));
    assert_null(json_text(object, "choices.0.delta.none", NULL));
    assert_null(json_text(NULL, "x", NULL));
    json_object_put(object);
}

static void only_whole_numbers_up_to_2_53_are_counts(void **state)
{
    (void)state;
    json_object *object = json_read_loose(sample, sizeof sample - 1);
    assert_int_equal(json_count(object, "usage.a", -5), 3);
    assert_int_equal(json_count(object, "usage.b", -5), 4);
    assert_int_equal(json_count(object, "usage.d", -5), -5);
    assert_int_equal(json_count(object, "usage.e", -5), -5);
    assert_true(json_count(object, "usage.f", -5) == 9007199254740992);
    assert_int_equal(json_count(object, "usage.h", -5), -5);
    assert_int_equal(json_count(object, "usage.i", -5), 0);
    assert_int_equal(json_count(object, "usage.j", -5), -5);
    assert_int_equal(json_count(object, "missing", -5), -5);
    json_object_put(object);
}

static void a_number_with_a_fraction_or_over_2_53_is_no_count(void **state)
{
    (void)state;
    json_object *object = json_read_loose(sample, sizeof sample - 1);
    assert_int_equal(json_count(object, "usage.c", -5), -5);
    assert_int_equal(json_count(object, "usage.g", -5), -5);
    json_object_put(object);
}

static void loose_reading_takes_what_providers_send(void **state)
{
    (void)state;
    static const char *const good[] = {"{\"a\":1}trailing", "{\"a\":1}\n\n", "\n\n {\"a\":1}", "{\"a\":1,}", "{\"a\":NaN}"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        json_object *object = json_read_loose(guard(good[i], strlen(good[i])), strlen(good[i]));
        assert_non_null(json_at(object, "a"));
        json_object_put(object);
    }
    assert_null(json_read_loose("", 0));
    assert_null(json_read_loose("{\"a\":", 5));
    assert_null(json_read_loose("<html>", 6));
}

static int depth_of(const char *text, int most)
{
    json_object *value = json_read_loose(text, strlen(text));
    int depth = json_depth(value, most);
    json_object_put(value);
    return depth;
}

static void depth_counts_lists_and_objects(void **state)
{
    (void)state;
    assert_int_equal(depth_of("null", 9), 0);
    assert_int_equal(depth_of("\"[[]]\"", 9), 0);
    assert_int_equal(depth_of("[]", 9), 1);
    assert_int_equal(depth_of("{\"a\":1,\"b\":null}", 9), 1);
    assert_int_equal(depth_of("{\"a\":[],\"b\":[{}],\"c\":[1]}", 9), 3);
    assert_int_equal(depth_of("[[[[]]]]", 4), 4);
    assert_int_equal(depth_of("[[[[]]]]", 3), 4);
    assert_int_equal(depth_of("[[[[]]]]", 2), 3);
    assert_int_equal(depth_of("[]", 0), 1);
    assert_int_equal(depth_of("1", 0), 0);
}

/* JavaScript writes 1e20 as an integer. What fits into 64 bits stays one, to the last digit. */
static void whole_numbers_beyond_64_bits_are_doubles(void **state)
{
    (void)state;
    static const struct { const char *text; bool is_int; double value; } rows[] = {
        {"100000000000000000000", false, 1e20}, {"-100000000000000000000", false, -1e20}, {"18446744073709551616", false, 18446744073709551616.0}, {"-9223372036854775809", false, -9223372036854775808.0},
        {"18446744073709551615", true, 18446744073709551615.0}, {"9223372036854775807", true, 9223372036854775807.0}, {"-9223372036854775808", true, -9223372036854775808.0},
        {"100000000000000000000.5", false, 1e20}, {"1000000000000000000000e-1", false, 1e20}, {"0", true, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why, *text = guard(rows[i].text, strlen(rows[i].text));
        json_object *object = json_read(text, strlen(rows[i].text), &why);
        assert_null(why);
        assert_int_equal(json_object_get_type(object), rows[i].is_int ? json_type_int : json_type_double);
        assert_true(json_object_get_double(object) == rows[i].value);
        json_object_put(object);
    }
    assert_string_equal(READ("{\"a\":[1,-200000000000000000000,\"300000000000000000000 \\\" 4\"],\"500000000000000000000\":18446744073709551615}"),
                        "{\"a\":[1,-200000000000000000000.0,\"300000000000000000000 \\\" 4\"],\"500000000000000000000\":18446744073709551615}");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(good_json_is_read),
    cmocka_unit_test(bare_numbers_and_literals_are_values),
    cmocka_unit_test(text_that_is_not_utf8_is_refused),
    cmocka_unit_test(nul_and_control_characters_are_refused),
    cmocka_unit_test(an_escaped_nul_is_refused_wherever_it_stands),
    cmocka_unit_test(nan_and_infinity_are_refused),
    cmocka_unit_test(what_json_c_takes_beyond_the_standard_is_refused),
    cmocka_unit_test(strings_in_single_quotes_are_refused_as_keys_too),
    cmocka_unit_test(numbers_follow_the_grammar),
    cmocka_unit_test(text_after_the_value_is_refused),
    cmocka_unit_test(nesting_ends_at_the_limit),
    cmocka_unit_test(a_very_deep_text_is_refused_quickly),
    cmocka_unit_test(more_values_than_memory_is_worth_are_refused),
    cmocka_unit_test(lone_surrogates_become_replacement_characters),
    cmocka_unit_test(of_two_equal_keys_the_last_counts),
    cmocka_unit_test(random_mutations_give_a_valid_value_or_a_reason),
    cmocka_unit_test(whole_numbers_beyond_64_bits_are_doubles),
    cmocka_unit_test(a_path_leads_through_objects_and_arrays),
    cmocka_unit_test(only_strings_are_texts),
    cmocka_unit_test(only_whole_numbers_up_to_2_53_are_counts),
    cmocka_unit_test(a_number_with_a_fraction_or_over_2_53_is_no_count),
    cmocka_unit_test(loose_reading_takes_what_providers_send),
    cmocka_unit_test(depth_counts_lists_and_objects),
};

UNIT_MAIN(tests)
