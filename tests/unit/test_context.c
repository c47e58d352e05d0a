/*
 * Tests of src/api/context.h: what a client sends along is checked member by member, each mistake with one sentence that begins with the member's name. (Its state: test_state.c.)
 */
#include "unit.h"

#include "../../src/api/context.h"
#include "../../src/base/json.h"

static struct failure wrong;

static enum outcome check(const char *json)
{
    const char *why;
    json_object *context = json_read(json, strlen(json), &why);
    assert_true(json_object_is_type(context, json_type_object));
    wrong = (struct failure){0};
    enum outcome outcome = context_check(context, &wrong);
    json_object_put(context);
    return outcome;
}

static void assert_refused(const char *json, const char *begins)
{
    assert_int_equal(check(json), OUTCOME_BAD_FIELD);
    if (strncmp(wrong.message, begins, strlen(begins)) != 0)
        print_error("%s: %s\n", json, wrong.message);
    assert_memory_equal(wrong.message, begins, strlen(begins));
    size_t len = strlen(wrong.message);
    assert_true(wrong.message[len - 1] == '.' && strstr(wrong.message, ". ") == NULL);
}

static void members_that_mean_nothing_may_be_anything(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}", "{\"anything\":[1,{\"x\":null}],\"timezone\":null,\"user_settings\":null,\"state\":null,\"signature\":null,\"tool_confirmations\":null}",
        "{\"timezone\":\"Europe/Warsaw\",\"user_settings\":{\"language\":\"pl\"},\"state\":{},\"signature\":\"x\",\"tool_confirmations\":[]}",
    };
    assert_int_equal(context_check(NULL, &wrong), OUTCOME_OK);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(check(good[i]), OUTCOME_OK);
}

static void a_time_zone_has_the_form_of_one(void **state)
{
    (void)state;
    static const char *const good[] = {"UTC", "Europe/Warsaw", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "America/Port-au-Prince", "GB", "NZ-CHAT"};
    static const char *const bad[] = {"", "/etc/passwd", "a//b", "Europe/../x", "Europe Warsaw", "Zażółć", "a\\nb", "UTC;x", "x x"};
    char json[400];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        (void)snprintf(json, sizeof json, "{\"timezone\":\"%s\"}", good[i]);
        assert_int_equal(check(json), OUTCOME_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(json, sizeof json, "{\"timezone\":\"%s\"}", bad[i]);
        assert_refused(json, "\"timezone\" must be a name such as Europe/Warsaw.");
    }
    assert_refused("{\"timezone\":7}", "\"timezone\" must be a string.");
    (void)snprintf(json, sizeof json, "{\"timezone\":\"%065d\"}", 0);
    assert_refused(json, "\"timezone\" is longer than 64 bytes.");
}

static void other_members_have_their_types(void **state)
{
    (void)state;
    assert_refused("{\"user_settings\":[]}", "\"user_settings\" must be an object.");
    assert_refused("{\"state\":\"x\"}", "\"state\" must be an object.");
    assert_refused("{\"state\":[]}", "\"state\" must be an object.");
    assert_refused("{\"signature\":{}}", "\"signature\" must be a string.");
    assert_refused("{\"tool_confirmations\":{}}", "\"tool_confirmations\" must be an array.");
}

static void what_is_large_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        size_t most;
        const char *sentence;
    } members[] = {
        {"{\"user_settings\":{\"x\":\"%s\"}}", LIMIT_METADATA_BYTES, "\"user_settings\" is larger than 16384 bytes."},
        {"{\"state\":{\"x\":\"%s\"}}", LIMIT_APP_STATE_BYTES, "\"state\" is larger than 65536 bytes."},
        {"{\"signature\":\"%s\"}", LIMIT_METADATA_BYTES, "\"signature\" is longer than 16384 bytes."},
    };
    static char filler[LIMIT_APP_STATE_BYTES + 10], json[LIMIT_APP_STATE_BYTES + 100];
    memset(filler, 'x', sizeof filler - 1);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        filler[members[i].most - 8] = '\0';
        (void)snprintf(json, sizeof json, members[i].format, filler);
        assert_int_equal(check(json), OUTCOME_OK);
        filler[members[i].most - 8] = 'x';
        filler[members[i].most + 1] = '\0';
        (void)snprintf(json, sizeof json, members[i].format, filler);
        assert_refused(json, members[i].sentence);
        filler[members[i].most + 1] = 'x';
    }
}

static void a_confirmation_names_a_call_and_says_yes_or_no(void **state)
{
    (void)state;
    static const char *const bad[] = {"1", "null", "[]", "{}", "{\"confirmation_id\":\"x\"}", "{\"confirmed\":true}", "{\"confirmation_id\":7,\"confirmed\":true}",
                                      "{\"confirmation_id\":\"x\",\"confirmed\":\"true\"}", "{\"confirmation_id\":\"x\",\"confirmed\":1}", "{\"confirmation_id\":\"x\",\"confirmed\":null}"};
    assert_int_equal(check("{\"tool_confirmations\":[{\"confirmation_id\":\"x\",\"confirmed\":true},{\"confirmation_id\":\"y\",\"confirmed\":false,\"more\":1}]}"), OUTCOME_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char json[200];
        (void)snprintf(json, sizeof json, "{\"tool_confirmations\":[{\"confirmation_id\":\"x\",\"confirmed\":true},%s]}", bad[i]);
        assert_refused(json, "\"tool_confirmations\" must hold objects");
    }
}

/* Whether a message without words goes with it, in a conversation that goes on. */
static bool confirms(const char *json)
{
    json_object *context = json_read_loose(json, strlen(json));
    bool does = context_check_message(context, " \n", false, true, NULL) == OUTCOME_OK;
    assert_int_equal(context_check_message(context, " \n", false, false, NULL), OUTCOME_BAD_FIELD); /* never where one begins */
    assert_int_equal(context_check_message(context, "words", false, true, NULL) == OUTCOME_OK, !does); /* and words only without decisions */
    assert_int_equal(context_check_message(context, "", true, false, NULL) == OUTCOME_OK, !does); /* images are words */
    json_object_put(context);
    return does;
}

static void a_context_confirms_when_it_holds_a_decision(void **state)
{
    (void)state;
    assert_int_equal(context_check_message(NULL, "", false, true, NULL), OUTCOME_BAD_FIELD);
    assert_int_equal(context_check_message(NULL, "words", false, false, NULL), OUTCOME_OK);
    assert_false(confirms("{}"));
    assert_false(confirms("{\"tool_confirmations\":null}"));
    assert_false(confirms("{\"tool_confirmations\":[]}"));
    assert_false(confirms("{\"tool_confirmations\":{\"x\":1}}"));
    assert_true(confirms("{\"tool_confirmations\":[{\"confirmation_id\":\"x\",\"confirmed\":true}]}"));
}

static void garbage_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char good[] = "{\"timezone\":\"Europe/Warsaw\",\"user_settings\":{\"a\":1},\"state\":{\"b\":[2]},"
                               "\"signature\":\"x\",\"tool_confirmations\":[{\"confirmation_id\":\"x\",\"confirmed\":true}]}";
    static const char letters[] = "{}[]\",:12tax/";
    uint64_t seed = 9;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof good];
        const char *why;
        memcpy(text, good, sizeof good);
        for (uint32_t n = unit_random(&seed) % 3 + 1; n > 0; n--)
            text[unit_random(&seed) % (sizeof good - 1)] = letters[unit_random(&seed) % (sizeof letters - 1)];
        json_object *context = json_read(text, strlen(text), &why);
        wrong = (struct failure){0};
        if (json_object_is_type(context, json_type_object)) {
            enum outcome outcome = context_check(context, &wrong);
            assert_true(outcome == OUTCOME_OK || (outcome == OUTCOME_BAD_FIELD && wrong.message[0] == '"'));
            (void)context_check_message(context, "", false, true, NULL); /* takes what has passed the check */
        }
        json_object_put(context);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(members_that_mean_nothing_may_be_anything),
    cmocka_unit_test(a_time_zone_has_the_form_of_one),
    cmocka_unit_test(other_members_have_their_types),
    cmocka_unit_test(what_is_large_is_refused),
    cmocka_unit_test(a_confirmation_names_a_call_and_says_yes_or_no),
    cmocka_unit_test(a_context_confirms_when_it_holds_a_decision),
    cmocka_unit_test(garbage_is_refused_with_a_sentence),
};

UNIT_MAIN(tests)
