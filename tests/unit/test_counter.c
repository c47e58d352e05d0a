/*
 * Tests of src/base/counter.h and src/store/counter.h: every series has a name of its own, what is counted is stored once and summed.
 */
#include "store.h"

#include "../../src/store/counter.h"

static int64_t stored(const char *wanted)
{
    int64_t values[COUNTER_MOST], running;
    struct failure failure = {0};
    assert_int_equal(counter_read(values, &running, &failure), OUTCOME_OK);
    for (size_t i = 0; i < counter_count(); i++) {
        char name[COUNTER_NAME_BYTES];
        (void)counter_series(i, name);
        if (strcmp(name, wanted) == 0)
            return values[i];
    }
    print_error("no series %s\n", wanted);
    assert_true(false);
    return 0;
}

static void forget(void)
{
    int64_t values[COUNTER_MOST];
    (void)counter_take(values);
}

static void every_series_has_a_name_of_its_own(void **state)
{
    (void)state;
    char names[COUNTER_MOST][COUNTER_NAME_BYTES];
    for (size_t i = 0; i < counter_count(); i++) {
        enum counter_family family = counter_series(i, names[i]);
        if (names[i][0] != '\0')
            assert_int_equal(strncmp(names[i], counter_family_name(family), strlen(counter_family_name(family))), 0);
        for (size_t j = 0; j < i; j++)
            if (names[i][0] != '\0')
                assert_string_not_equal(names[i], names[j]);
    }
}

static void what_is_counted_is_stored_once_and_summed(void **state)
{
    (void)state;
    struct failure failure = {0};
    forget();
    counter_answer("done");
    counter_answer("no such status");
    assert_int_equal(counter_save(&failure), OUTCOME_OK);
    assert_int_equal(counter_save(&failure), OUTCOME_OK); /* nothing new */
    counter_answer("done");
    counter_answer("error");
    assert_int_equal(counter_save(&failure), OUTCOME_OK);
    assert_int_equal(stored("parley_answers_total{status=\"done\"}"), 2);
    assert_int_equal(stored("parley_answers_total{status=\"error\"}"), 1);
    assert_int_equal(stored("parley_answers_total{status=\"stopped\"}"), 0);
}

static void outcomes_with_one_code_are_one_series(void **state)
{
    (void)state;
    struct failure failure = {0};
    forget();
    counter_answer_failure(OUTCOME_PROVIDER_ERROR);
    counter_answer_failure(OUTCOME_PROVIDER_QUOTA);
    counter_error_response(OUTCOME_NO_MEMORY);
    counter_error_response(OUTCOME_OVERLOADED);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++)
        counter_error_response((enum outcome)outcome);
    assert_int_equal(counter_save(&failure), OUTCOME_OK);
    assert_int_equal(stored("parley_answer_failures_total{code=\"provider_error\"}"), 2);
    assert_int_equal(stored("parley_error_responses_total{code=\"overloaded\"}"), 4);
    assert_int_equal(stored("parley_error_responses_total{code=\"not_found\"}"), 1);
}

static void unknown_token_counts_count_nothing(void **state)
{
    (void)state;
    struct failure failure = {0};
    forget();
    struct usage usage = usage_none();
    usage.completion_tokens = 7;
    counter_tokens(&usage);
    assert_int_equal(counter_save(&failure), OUTCOME_OK);
    assert_int_equal(stored("parley_tokens_total{kind=\"completion\"}"), 7);
    assert_int_equal(stored("parley_tokens_total{kind=\"prompt\"}"), 0);
}

static void times_fall_into_their_buckets(void **state)
{
    (void)state;
    struct failure failure = {0};
    forget();
    const int64_t times[] = {0, 50, 51, 599999, 600000, 600001, 86400000};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        counter_time(COUNTER_ANSWER_TIME, times[i]);
    assert_int_equal(counter_save(&failure), OUTCOME_OK);
    assert_int_equal(stored("parley_answer_seconds_bucket{le=\"0.05\"}"), 2);
    assert_int_equal(stored("parley_answer_seconds_bucket{le=\"0.1\"}"), 1);
    assert_int_equal(stored("parley_answer_seconds_bucket{le=\"600\"}"), 2);
    assert_int_equal(stored("parley_answer_seconds_bucket{le=\"+Inf\"}"), 2);
    assert_int_equal(stored("parley_answer_seconds_sum"), 50 + 51 + 599999 + 600000 + 600001 + 86400000);
    assert_int_equal(stored("parley_first_token_seconds_sum"), 0);
}

static void what_cannot_be_stored_is_kept(void **state)
{
    (void)state;
    struct failure failure = {0};
    forget();
    counter_client_left();
    settings.db_path = "/proc/no/such/place.db";
    assert_int_equal(counter_save(&failure), OUTCOME_STORE);
    settings.db_path = store_path;
    assert_int_equal(counter_save(&failure), OUTCOME_OK);
    assert_int_equal(stored("parley_clients_left_total"), 1);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_series_has_a_name_of_its_own),
        store_test(what_is_counted_is_stored_once_and_summed),
        store_test(outcomes_with_one_code_are_one_series),
        store_test(unknown_token_counts_count_nothing),
        store_test(times_fall_into_their_buckets),
        store_test(what_cannot_be_stored_is_kept),
    };
    unit_silence();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name(argv[0], tests, NULL, NULL);
}
