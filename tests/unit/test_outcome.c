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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_outcome_has_a_status_and_a_code),
    cmocka_unit_test(a_failure_is_filled_and_its_outcome_returned),
    cmocka_unit_test(a_long_sentence_is_cut_between_characters),
    cmocka_unit_test(secrets_do_not_show_in_sentences_not_even_cut),
    cmocka_unit_test(usage_is_written_as_far_as_it_is_known),
};

UNIT_MAIN(tests)
