/*
 * Tests of src/base/outcome.h and usage.h: each outcome has its status and code, sentences are cut between characters, usage is written as OpenAI does.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/base/outcome.h"
#include "../../src/base/secrets.h"
#include "../../src/base/usage.h"
#include "../../src/base/utf8.h"

static void every_outcome_has_a_status_and_a_code(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        assert_in_range(outcome_status((enum outcome)i), 200, 599);
        assert_non_null(outcome_code((enum outcome)i));
        assert_true(strlen(outcome_code((enum outcome)i)) > 1);
    }
    assert_int_equal(outcome_status(OUTCOME_BAD_FIELD), 422);
    assert_int_equal(outcome_status(OUTCOME_PROVIDER_TIMEOUT), 504);
    assert_string_equal(outcome_code(OUTCOME_STORE), "store_unavailable");
    assert_int_equal(outcome_status(OUTCOME_HOOK), 502);
    assert_string_equal(outcome_code(OUTCOME_HOOK), "hook_failed");
}

static void a_failure_is_filled_and_its_outcome_returned(void **state)
{
    (void)state;
    struct failure failure = {.retry_after_s = 9};
    assert_int_equal(fail(&failure, OUTCOME_BUSY, "wait %d s", 3), OUTCOME_BUSY);
    assert_int_equal(failure.outcome, OUTCOME_BUSY);
    assert_int_equal(failure.retry_after_s, 0);
    assert_string_equal(failure.message, "wait 3 s");
    assert_int_equal(fail(NULL, OUTCOME_BUSY, "nobody listens"), OUTCOME_BUSY);
}

static void a_long_sentence_is_cut_between_characters(void **state)
{
    (void)state;
    char text[1200] = "";
    for (int i = 0; i < 300; i++)
        strcat(text, "€");
    for (int shift = 0; shift < 3; shift++) {
        struct failure failure;
        (void)fail(&failure, OUTCOME_STORE, "%.*s%s", shift, "xx", text);
        assert_true(strlen(failure.message) >= LIMIT_ERROR_BYTES - 4);
        assert_true(utf8_valid(failure.message, strlen(failure.message)));
    }
}

static void a_sentence_is_utf8_whatever_it_quotes(void **state)
{
    (void)state;
    struct failure failure;
    (void)fail(&failure, OUTCOME_BAD_FIELD, "There is no provider called \"%s\".", "a\x92\xE2\x82");
    assert_string_equal(failure.message, "There is no provider called \"a???\".");
    (void)fail(&failure, OUTCOME_BAD_FIELD, "\"%.*s\" is unknown, é is fine.", 4, "ab€");
    assert_string_equal(failure.message, "\"ab??\" is unknown, é is fine.");
}

static void secrets_do_not_show_in_sentences_not_even_cut(void **state)
{
    (void)state;
    secrets_add("sk-outcome-0123456789");
    struct failure failure;
    (void)fail(&failure, OUTCOME_PROVIDER_AUTH, "key %s", "sk-outcome-0123456789");
    assert_string_equal(failure.message, "key *********************");
    char filler[LIMIT_ERROR_BYTES];
    memset(filler, '.', sizeof filler);
    (void)fail(&failure, OUTCOME_PROVIDER_AUTH, "%.*s%s", LIMIT_ERROR_BYTES - 12, filler, "sk-outcome-0123456789");
    assert_lacks(failure.message, "sk-outcome");
}

static const char *written(struct usage usage)
{
    static char text[400];
    json_object *object = usage_object(&usage);
    (void)snprintf(text, sizeof text, "%s", object != NULL ? json_write(object) : "null");
    json_object_put(object);
    return text;
}

static void usage_is_written_as_far_as_it_is_known(void **state)
{
    (void)state;
    assert_string_equal(written(usage_none()), "null");
    assert_string_equal(written((struct usage){5, 7, -1, -1, false, -1}), "{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}");
    assert_string_equal(written((struct usage){5, -1, -1, -1, false, -1}), "{\"prompt_tokens\":5,\"completion_tokens\":null,\"total_tokens\":null}");
    assert_string_equal(written((struct usage){0, 0, 0, 3, false, -1}),
                        "{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0,\"prompt_tokens_details\":{\"cached_tokens\":0},"
                        "\"completion_tokens_details\":{\"reasoning_tokens\":3}}");
}

static void a_code_names_the_first_outcome_that_has_it(void **state)
{
    (void)state;
    static const char *const unknown[] = {"", "ok", "no_such_code", "BUSY", "busy ", "stoppe"};
    for (int i = OUTCOME_OK + 1; i < OUTCOME_COUNT; i++) {
        enum outcome found = outcome_find(outcome_code((enum outcome)i));
        if (i == OUTCOME_DETACHED)
            continue;
        assert_string_equal(outcome_code(found), outcome_code((enum outcome)i));
        assert_true((int)found <= i);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(outcome_find(unknown[i]), OUTCOME_INTERNAL);
    assert_int_equal(outcome_find("interrupted"), OUTCOME_LOST);
    assert_int_equal(outcome_find("provider_timeout"), OUTCOME_PROVIDER_TIMEOUT);
}

static void usage_adds_up_as_far_as_it_is_known(void **state)
{
    (void)state;
    struct usage sum = usage_none(), none = usage_none(), one = {5, -1, 0, -1, false, -1}, two = {1, 7, -1, 2, true, 0.25};
    usage_add_up(&sum, &none);
    assert_string_equal(written(sum), "null");
    usage_add_up(&sum, &one);
    assert_true(sum.prompt_tokens == 5 && sum.completion_tokens == USAGE_UNKNOWN && sum.cached_tokens == 0 && sum.reasoning_tokens == USAGE_UNKNOWN);
    assert_true(!sum.estimated && sum.cost < 0);
    usage_add_up(&sum, &two);
    assert_true(sum.prompt_tokens == 6 && sum.completion_tokens == 7 && sum.cached_tokens == 0 && sum.reasoning_tokens == 2 && sum.estimated && sum.cost == 0.25);
    usage_add_up(&sum, &two);
    usage_add_up(&sum, &none);
    assert_true(sum.prompt_tokens == 7 && sum.completion_tokens == 14 && sum.cached_tokens == 0 && sum.reasoning_tokens == 4 && sum.estimated && sum.cost == 0.5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_outcome_has_a_status_and_a_code),
    cmocka_unit_test(a_failure_is_filled_and_its_outcome_returned),
    cmocka_unit_test(a_long_sentence_is_cut_between_characters),
    cmocka_unit_test(a_sentence_is_utf8_whatever_it_quotes),
    cmocka_unit_test(secrets_do_not_show_in_sentences_not_even_cut),
    cmocka_unit_test(usage_is_written_as_far_as_it_is_known),
    cmocka_unit_test(a_code_names_the_first_outcome_that_has_it),
    cmocka_unit_test(usage_adds_up_as_far_as_it_is_known),
};

UNIT_MAIN(tests)
