/*
 * Tests of src/llm/rest.h: when a provider rests, what wakes it, that each rests by itself. Every test has providers of its own: the list lives as long as the process.
 */
#include "unit.h"

#include "../../src/base/clock.h"
#include "../../src/base/settings.h"
#include "../../src/llm/rest.h"

static int rules(void **state)
{
    (void)state;
    settings.provider_failures = 3;
    settings.provider_rest_ms = 60000;
    return 0;
}

static void fail_times(const char *id, int times)
{
    for (int i = 0; i < times; i++)
        rest_note(id, false);
}

static void a_provider_that_nobody_complained_about_does_not_rest(void **state)
{
    (void)state;
    assert_false(rest_is_resting("fresh"));
    rest_note("fresh", true);
    assert_false(rest_is_resting("fresh"));
}

static void failures_in_a_row_make_it_rest(void **state)
{
    (void)state;
    fail_times("weak", 2);
    assert_false(rest_is_resting("weak"));
    rest_note("weak", false);
    assert_true(rest_is_resting("weak"));
    assert_false(rest_is_resting("wea"));
    assert_false(rest_is_resting("weaker"));
}

static void a_success_between_begins_the_count_anew(void **state)
{
    (void)state;
    fail_times("unsteady", 2);
    rest_note("unsteady", true);
    fail_times("unsteady", 2);
    assert_false(rest_is_resting("unsteady"));
    rest_note("unsteady", false);
    assert_true(rest_is_resting("unsteady"));
}

static void a_success_ends_the_rest(void **state)
{
    (void)state;
    fail_times("healed", 5);
    assert_true(rest_is_resting("healed"));
    rest_note("healed", true);
    assert_false(rest_is_resting("healed"));
    rest_note("healed", false);
    assert_false(rest_is_resting("healed"));
}

static void the_rest_ends_by_itself_and_the_next_failure_begins_another(void **state)
{
    (void)state;
    settings.provider_rest_ms = 100;
    fail_times("tired", 3);
    assert_true(rest_is_resting("tired"));
    clock_sleep_ms(150);
    assert_false(rest_is_resting("tired"));
    settings.provider_rest_ms = 60000;
    rest_note("tired", false);
    assert_true(rest_is_resting("tired"));
}

static void ids_are_compared_as_texts(void **state)
{
    (void)state;
    static const char one[] = "same", other[] = {'s', 'a', 'm', 'e', '\0'};
    fail_times(one, 2);
    rest_note(other, false);
    assert_true(rest_is_resting(one));
    assert_true(rest_is_resting(other));
}

static void without_a_time_nobody_rests(void **state)
{
    (void)state;
    settings.provider_rest_ms = 0;
    fail_times("never", 10);
    assert_false(rest_is_resting("never"));
}

static void one_failure_can_be_enough(void **state)
{
    (void)state;
    settings.provider_failures = 1;
    rest_note("strict", false);
    assert_true(rest_is_resting("strict"));
}

/* Runs last: the list is full afterwards. */
static void more_providers_than_the_list_holds_do_no_harm(void **state)
{
    (void)state;
    static char ids[200][16];
    for (int i = 0; i < 200; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "id%d", i);
        fail_times(ids[i], 3);
    }
    assert_true(rest_is_resting("id0"));
    rest_note("id199", true);
    assert_false(rest_is_resting("id199"));
}

#define rest_test(test) cmocka_unit_test_setup(test, rules)

static const struct CMUnitTest tests[] = {
    rest_test(a_provider_that_nobody_complained_about_does_not_rest),
    rest_test(failures_in_a_row_make_it_rest),
    rest_test(a_success_between_begins_the_count_anew),
    rest_test(a_success_ends_the_rest),
    rest_test(the_rest_ends_by_itself_and_the_next_failure_begins_another),
    rest_test(ids_are_compared_as_texts),
    rest_test(without_a_time_nobody_rests),
    rest_test(one_failure_can_be_enough),
    rest_test(more_providers_than_the_list_holds_do_no_harm),
};

UNIT_MAIN(tests)
