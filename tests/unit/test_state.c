/*
 * Tests of src/chat/state.h: one canonical form for a state however it was written, and signatures that hold for one user and one conversation only.
 */
#include "store.h"

#include "../../src/base/json.h"
#include "../../src/chat/state.h"

/* The canonical form, or "refused". Good until the next call. */
static const char *canonical(const char *json)
{
    static char text[4096];
    struct buf out;
    buf_init(&out, sizeof text - 1);
    const char *why;
    json_object *state = json_read(json, strlen(json), &why);
    bool good = state_write(&out, state);
    (void)snprintf(text, sizeof text, "%s", good ? out.data : "refused");
    json_object_put(state);
    buf_free(&out);
    return text;
}

static void members_are_sorted_by_their_bytes(void **state)
{
    (void)state;
    assert_string_equal(canonical("{\"b\":1,\"a\":2,\"B\":3,\"\":4,\"ä\":5,\"aa\":6}"), "{\"\":4,\"B\":3,\"a\":2,\"aa\":6,\"b\":1,\"ä\":5}");
    assert_string_equal(canonical(" { \"z\" : { \"b\" : [ ] , \"a\" : { } } , \"y\" : [ 2 , 1 ] } "), "{\"y\":[2,1],\"z\":{\"a\":{},\"b\":[]}}");
    assert_string_equal(canonical("{}"), "{}");
}

static void other_values_are_written_as_json(void **state)
{
    (void)state;
    assert_string_equal(canonical("[null,true,false,\"\",\"x\"]"), "[null,true,false,\"\",\"x\"]");
    assert_string_equal(canonical("null"), "null");
}

static void a_number_has_one_form(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"1.0", "1"}, {"1e0", "1"}, {"1E+2", "100"}, {"10000000000000000", "1e16"}, {"1e16", "1e+16"}, {"-0", "0"}, {"-0.0", "0"}, {"0.10", "0.1"}, {"1e-1", "0.1"},
        {"9007199254740993", "9007199254740992"}, {"1e21", "1000e18"}, {"5e-324", "4.9406564584124654e-324"}, {"1.7976931348623157e308", "17976931348623157e292"},
        {"18446744073709549568", "18446744073709550000"}, {"-9223372036854775808", "-9223372036854776000"},
        {"1e20", "100000000000000000000"}, {"-9.9e20", "-990000000000000000000"}, /* JavaScript writes their digits; base/json.c reads them as what they are */
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        char first[64];
        (void)snprintf(first, sizeof first, "%s", canonical(same[i][0]));
        assert_string_equal(first, canonical(same[i][1]));
        assert_string_not_equal(first, "refused");
    }
    assert_string_equal(canonical("0.1"), "0.10000000000000001");
    assert_string_equal(canonical("-0.0"), "0");
    char third[64];
    (void)snprintf(third, sizeof third, "%s", canonical("0.30000000000000004"));
    assert_string_not_equal(third, canonical("0.3")); /* two doubles, two forms */
}

static void a_number_that_json_does_not_have_is_refused(void **state)
{
    (void)state;
    assert_string_equal(canonical("1e999"), "refused");
    assert_string_equal(canonical("{\"a\":[1,{\"b\":-1e999}]}"), "refused");
    struct buf out;
    buf_init(&out, 100);
    json_object *nan = json_object_new_double(0.0 / 0.0);
    assert_false(state_write(&out, nan));
    json_object_put(nan);
    buf_free(&out);
}

static void texts_have_one_form_whatever_their_escapes(void **state)
{
    (void)state;
    char first[100];
    (void)snprintf(first, sizeof first, "%s", canonical("{\"\\u00e4\\/\":\"\\ud83d\\ude00 \\u0009\\u0001\\u2028/\"}"));
    assert_string_equal(first, canonical("{\"ä/\":\"😀 \\t\\u0001\u2028\\/\"}"));
    assert_string_not_equal(canonical("\"1\""), "1"); /* a text is no number */
    assert_string_equal(canonical("\"a\\\"b\\\\\""), "\"a\\\"b\\\\\"");
}

static void without_memory_or_room_there_is_no_form(void **state)
{
    (void)state;
    static const char json[] = "{\"b\":{\"c\":[1,2]},\"a\":1}";
    json_object *object = json_read_loose(json, sizeof json - 1);
    long calls = 0;
    for (bool good = false; !good && calls < 50; calls++) {
        struct buf out;
        buf_init(&out, 1000);
        mem_fail_after(calls);
        good = state_write(&out, object);
        mem_fail_after(-1);
        assert_true(!good || strcmp(out.data, "{\"a\":1,\"b\":{\"c\":[1,2]}}") == 0);
        buf_free(&out);
    }
    assert_true(calls > 3 && calls < 50);
    struct buf small;
    buf_init(&small, 10);
    assert_false(state_write(&small, object));
    buf_free(&small);
    json_object_put(object);
}

/* --- signatures ---------------------------------------------------------------------------------------------------------------- */

static int with_key(void **state)
{
    (void)state;
    settings.secret_key = "the key of these tests";
    return 0;
}

static int without_key(void **state)
{
    (void)state;
    settings.secret_key = "";
    return 0;
}

#define key_test(test) cmocka_unit_test_setup_teardown(test, with_key, without_key)

static enum outcome sign(const char *user, const char *conversation, const char *json, char signature[SIGN_BYTES])
{
    struct failure failure = {0};
    json_object *state = json_read_loose(json, strlen(json));
    enum outcome outcome = state_sign(user, conversation, state, signature, &failure);
    assert_true(outcome == OUTCOME_OK || failure.message[0] != '\0');
    json_object_put(state);
    return outcome;
}

static enum outcome check(const char *user, const char *conversation, const char *json, const char *signature)
{
    struct failure failure = {0};
    json_object *state = json_read_loose(json, strlen(json));
    enum outcome outcome = state_check(user, conversation, state, signature, &failure);
    assert_true(outcome == OUTCOME_OK || failure.message[0] != '\0');
    assert_lacks(failure.message, "the key of these tests");
    json_object_put(state);
    return outcome;
}

static void a_signature_holds_for_its_user_conversation_and_state(void **state)
{
    (void)state;
    static const char json[] = "{\"step\":2,\"name\":\"Zażółć\"}";
    char signature[SIGN_BYTES], again[SIGN_BYTES];
    assert_int_equal(sign("alice", "c1", json, signature), OUTCOME_OK);
    assert_int_equal(sign("alice", "c1", json, again), OUTCOME_OK);
    assert_string_equal(signature, again);
    assert_int_equal(check("alice", "c1", json, signature), OUTCOME_OK);
    assert_int_equal(check("bob", "c1", json, signature), OUTCOME_BAD_REQUEST);
    assert_int_equal(check("", "c1", json, signature), OUTCOME_BAD_REQUEST);
    assert_int_equal(check("alice", "c2", json, signature), OUTCOME_BAD_REQUEST);
    assert_int_equal(check("alice", "", json, signature), OUTCOME_BAD_REQUEST);
    assert_int_equal(check("alice", "c1", "{\"step\":3,\"name\":\"Zażółć\"}", signature), OUTCOME_BAD_REQUEST);
    assert_int_equal(check("alice", "c1", "{\"step\":\"2\",\"name\":\"Zażółć\"}", signature), OUTCOME_BAD_REQUEST);
    assert_int_equal(check("alice", "c1", "{}", signature), OUTCOME_BAD_REQUEST);
}

static void user_and_conversation_cannot_be_shifted(void **state)
{
    (void)state;
    char signature[SIGN_BYTES];
    assert_int_equal(sign("a b", "c", "{}", signature), OUTCOME_OK);
    assert_int_equal(check("a", "b c", "{}", signature), OUTCOME_BAD_REQUEST);
    assert_int_equal(sign("a", "c", "{}", signature), OUTCOME_OK);
    assert_int_equal(check("a c", "", "{}", signature), OUTCOME_BAD_REQUEST);
}

static void a_bad_signature_is_refused(void **state)
{
    (void)state;
    char signature[SIGN_BYTES];
    static const char *const bad[] = {"", "x", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", "ä"};
    assert_int_equal(sign("u", "c", "{}", signature), OUTCOME_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check("u", "c", "{}", bad[i]), OUTCOME_BAD_REQUEST);
    settings.secret_key = "another key";
    assert_int_equal(check("u", "c", "{}", signature), OUTCOME_BAD_REQUEST);
}

/* What JSON.stringify(JSON.parse(…)) makes of the first is the second. */
static void a_state_that_went_through_javascript_is_the_same(void **state)
{
    (void)state;
    static const char *const both[][2] = {
        {"{\"n\":1.0,\"big\":1e16,\"tiny\":1e-7,\"zero\":-0.0,\"tenth\":0.1}", "{\"n\":1,\"big\":10000000000000000,\"tiny\":1e-7,\"zero\":0,\"tenth\":0.1}"},
        {"{\"b\":1,\"1\":2,\"a\":3,\"0\":4}", "{\"0\":4,\"1\":2,\"b\":1,\"a\":3}"}, /* whole numbers come first */
        {"{\"x\":9007199254740993}", "{\"x\":9007199254740992}"},
        {"{\"x\":1.2345678901234567890e29,\"y\":-1e21}", "{\"x\":1.2345678901234568e+29,\"y\":-1e+21}"},
        {"{\"x\":\"\\u00e4\\/\\u001f\\u007f\\ud83d\\ude00\"}", "{\"x\":\"ä/\\u001f\x7f😀\"}"},
        {"{\"x\":[null,true,{\"b\":[],\"a\":{}}]}", "{\"x\":[null,true,{\"b\":[],\"a\":{}}]}"},
    };
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        char signature[SIGN_BYTES];
        assert_int_equal(sign("u", "c", both[i][0], signature), OUTCOME_OK);
        assert_int_equal(check("u", "c", both[i][1], signature), OUTCOME_OK);
    }
}

static json_object *state_of_bytes(size_t bytes)
{
    struct buf text;
    buf_init(&text, bytes + 10);
    while (text.len < bytes)
        buf_add_char(&text, 'x');
    json_object *state = json_object_new_object();
    json_object_object_add(state, "x", json_object_new_string_len(text.data, (int)text.len));
    buf_free(&text);
    return state;
}

/* What is larger would be signed, and refused when the client brings it back. */
static void a_state_has_a_largest_size(void **state)
{
    (void)state;
    struct failure failure = {0};
    char signature[SIGN_BYTES];
    json_object *fits = state_of_bytes(LIMIT_APP_STATE_BYTES - 8), *large = state_of_bytes(LIMIT_APP_STATE_BYTES - 7);
    assert_int_equal(strlen(json_write(fits)), LIMIT_APP_STATE_BYTES);
    assert_int_equal(state_sign("u", "c", fits, signature, &failure), OUTCOME_OK);
    assert_int_equal(state_check("u", "c", fits, signature, &failure), OUTCOME_OK);
    assert_int_equal(state_sign("u", "c", large, signature, &failure), OUTCOME_BAD_FIELD);
    assert_contains(failure.message, "\"state\" is larger than 65536 bytes");
    assert_int_equal(state_check("u", "c", large, signature, &failure), OUTCOME_BAD_REQUEST);
    json_object_put(fits);
    json_object_put(large);
}

/* Its canonical form is five times as long. */
static void a_state_of_many_fractions_fits(void **state)
{
    (void)state;
    struct failure failure = {0};
    char signature[SIGN_BYTES];
    struct buf text;
    buf_init(&text, LIMIT_APP_STATE_BYTES);
    buf_add_text(&text, "{\"x\":[0.1");
    while (text.len < LIMIT_APP_STATE_BYTES - 10)
        buf_add_text(&text, ",0.1");
    buf_add_text(&text, "]}");
    json_object *fractions = json_read_loose(text.data, text.len);
    assert_non_null(fractions);
    assert_int_equal(state_sign("u", "c", fractions, signature, &failure), OUTCOME_OK);
    assert_int_equal(state_check("u", "c", fractions, signature, &failure), OUTCOME_OK);
    json_object_put(fractions);
    buf_free(&text);
}

static void a_state_that_no_body_could_bring_back_is_refused(void **state)
{
    (void)state;
    struct failure failure = {0};
    char signature[SIGN_BYTES];
    for (int depth = 2; depth < 200; depth += depth < 40 ? 1 : 50) {
        json_object *deep = json_object_new_object();
        for (int i = 1; i < depth; i++) {
            json_object *outer = json_object_new_object();
            json_object_object_add(outer, "a", deep);
            deep = outer;
        }
        enum outcome outcome = state_sign("u", "c", deep, signature, &failure);
        assert_int_equal(outcome, depth < LIMIT_JSON_DEPTH - 4 ? OUTCOME_OK : OUTCOME_BAD_FIELD);
        json_object_put(deep);
    }
}

static void what_cannot_be_signed_is_said(void **state)
{
    (void)state;
    char signature[SIGN_BYTES];
    assert_int_equal(sign("u", "c", "{\"x\":1e999}", signature), OUTCOME_BAD_FIELD);
    assert_int_equal(check("u", "c", "{\"x\":1e999}", "x"), OUTCOME_BAD_REQUEST);
    assert_int_equal(sign("u", "c", "{\"x\":\"\xF3\"}", signature), OUTCOME_BAD_FIELD); /* it would come back as U+FFFD */
    json_object *object = state_of_bytes(1000);
    for (long calls = 0; calls < 4; calls++) {
        struct failure failure = {0};
        mem_fail_after(calls);
        enum outcome outcome = state_sign("u", "c", object, signature, &failure);
        mem_fail_after(-1);
        assert_true(outcome == OUTCOME_OK || outcome == OUTCOME_BAD_FIELD);
    }
    json_object_put(object);
}

/* Without SECRET_KEY the key is made in the database, once. (The process keeps it, so this is its only test.) */
static void without_a_key_in_the_settings_the_database_has_one(void **state)
{
    (void)state;
    char signature[SIGN_BYTES], other[SIGN_BYTES];
    assert_int_equal(sign("u", "c", "{}", signature), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM keys WHERE name = 'state'"), 1);
    assert_int_equal(check("u", "c", "{}", signature), OUTCOME_OK);
    settings.secret_key = "mine";
    assert_int_equal(sign("u", "c", "{}", other), OUTCOME_OK);
    settings.secret_key = "";
    assert_string_not_equal(signature, other);
}

/* States at random: those of one form have one signature, and a changed byte is noticed. */
static void a_changed_state_is_noticed(void **state)
{
    (void)state;
    static const char json[] = "{\"a\":[1,2.5,\"x\"],\"b\":{\"c\":null,\"d\":true},\"e\":\"text\"}";
    static const char letters[] = "0123456789abcdetx{}[]\",:. ";
    uint64_t seed = 3;
    char signature[SIGN_BYTES], form[200], text[200];
    assert_int_equal(sign("u", "c", json, signature), OUTCOME_OK);
    (void)snprintf(form, sizeof form, "%s", canonical(json));
    for (int round = 0; round < 5000; round++) {
        (void)snprintf(text, sizeof text, "%s", json);
        text[unit_random(&seed) % strlen(text)] = letters[unit_random(&seed) % (sizeof letters - 1)];
        bool same = strcmp(canonical(text), form) == 0;
        assert_int_equal(check("u", "c", text, signature), same ? OUTCOME_OK : OUTCOME_BAD_REQUEST);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(members_are_sorted_by_their_bytes),
    cmocka_unit_test(other_values_are_written_as_json),
    cmocka_unit_test(a_number_has_one_form),
    cmocka_unit_test(a_number_that_json_does_not_have_is_refused),
    cmocka_unit_test(texts_have_one_form_whatever_their_escapes),
    cmocka_unit_test(without_memory_or_room_there_is_no_form),
    key_test(a_signature_holds_for_its_user_conversation_and_state),
    key_test(user_and_conversation_cannot_be_shifted),
    key_test(a_bad_signature_is_refused),
    key_test(a_state_that_went_through_javascript_is_the_same),
    key_test(a_state_has_a_largest_size),
    key_test(a_state_of_many_fractions_fits),
    key_test(a_state_that_no_body_could_bring_back_is_refused),
    key_test(what_cannot_be_signed_is_said),
    key_test(a_changed_state_is_noticed),
    store_test(without_a_key_in_the_settings_the_database_has_one),
};

UNIT_MAIN(tests)
