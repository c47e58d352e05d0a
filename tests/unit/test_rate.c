/*
 * Tests of src/store/rate.h: how many within a minute, that each is counted by itself, what a refusal costs, that old rows go; and of its use by message.c.
 */
#include "store.h"

#include <pthread.h>

#include "../../src/base/clock.h"
#include "../../src/store/rate.h"

enum { MINUTE_MS = 60000 };

/* A test whose minute ended in between would count anew: with little of it left, the next is waited for. */
static int early_in_a_minute(void **state)
{
    enum { ENOUGH_MS = 4000 };
    int64_t left_ms = MINUTE_MS - clock_unix_ms() % MINUTE_MS;
    if (left_ms < ENOUGH_MS)
        clock_sleep_ms(left_ms + 1);
    return store_begin(state);
}

#define rate_test(test) cmocka_unit_test_setup_teardown(test, early_in_a_minute, store_end)

/* A name that no other test has: what was refused is kept in mind for the life of the process. */
static const char *new_who(void)
{
    static char names[64][32];
    static int number;
    (void)snprintf(names[number], sizeof names[0], "user %d", 1000 + number);
    return names[number++];
}

static enum outcome count(const char *who, int64_t most)
{
    struct failure failure = {0};
    struct rate rate = {.who = who, .most = most};
    enum outcome outcome = rate_count(&rate, &failure);
    if (outcome != OUTCOME_OK) {
        assert_int_equal(failure.outcome, outcome);
        assert_contains(failure.message, "questions a minute");
        assert_true(failure.retry_after_s >= 1 && failure.retry_after_s <= 60);
        assert_in_range(failure.retry_after_s, (MINUTE_MS - clock_unix_ms() % MINUTE_MS) / 1000, (MINUTE_MS - clock_unix_ms() % MINUTE_MS) / 1000 + 2);
    }
    return outcome;
}

static void so_many_within_a_minute_and_no_more(void **state)
{
    (void)state;
    const char *who = new_who();
    for (int i = 0; i < 5; i++)
        assert_int_equal(count(who, 3), i < 3 ? OUTCOME_OK : OUTCOME_RATE_LIMITED);
    assert_int_equal(sql("SELECT requests FROM rates"), 3);
    assert_int_equal(sql("SELECT minute FROM rates"), clock_unix_ms() / MINUTE_MS);
}

static void each_is_counted_by_itself(void **state)
{
    (void)state;
    const char *one = new_who(), *other = new_who();
    assert_int_equal(count(one, 1), OUTCOME_OK);
    assert_int_equal(count(other, 1), OUTCOME_OK);
    assert_int_equal(count("address 192.0.2.1", 1), OUTCOME_OK);
    assert_int_equal(count(one, 1), OUTCOME_RATE_LIMITED);
    assert_int_equal(count("address 192.0.2.2", 1), OUTCOME_OK);
    assert_int_equal(count(other, 1), OUTCOME_RATE_LIMITED);
    assert_int_equal(sql("SELECT count(*) FROM rates"), 4);
}

static void no_limit_counts_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(count("", 0), OUTCOME_OK);
    (void)new_user(); /* so that there is a database */
    assert_int_equal(sql("SELECT count(*) FROM rates"), 0);
}

static void the_next_minute_counts_anew(void **state)
{
    (void)state;
    const char *who = new_who();
    assert_int_equal(count(who, 2), OUTCOME_OK);
    assert_int_equal(count(who, 2), OUTCOME_OK);
    (void)sql("UPDATE rates SET minute = minute - 1"); /* a minute later */
    assert_int_equal(count(who, 2), OUTCOME_OK);
    assert_int_equal(sql("SELECT requests FROM rates"), 1);
    assert_int_equal(count(who, 2), OUTCOME_OK);
    assert_int_equal(count(who, 2), OUTCOME_RATE_LIMITED);
}

static void a_refused_one_is_refused_without_the_database(void **state)
{
    (void)state;
    const char *who = new_who();
    assert_int_equal(count(who, 1), OUTCOME_OK);
    assert_int_equal(count(who, 1), OUTCOME_RATE_LIMITED);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(store_path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(count(who, 1), OUTCOME_RATE_LIMITED);
    struct failure failure = {0};
    struct rate rate = {.who = new_who(), .most = 1};
    assert_int_equal(rate_count(&rate, &failure), OUTCOME_STORE); /* another has to be counted first */
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(rate_count(&rate, &failure), OUTCOME_OK);
}

static void a_refusal_is_forgotten_with_its_minute(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct rate rate = {.who = new_who(), .most = 1, .over_in = clock_unix_ms() / MINUTE_MS - 1};
    rate_end(&rate, OUTCOME_RATE_LIMITED);
    assert_false(rate_is_over(&rate, &failure));
    rate.over_in++;
    rate_end(&rate, OUTCOME_OK); /* another try went well */
    assert_false(rate_is_over(&rate, &failure));
    rate_end(&rate, OUTCOME_RATE_LIMITED);
    assert_true(rate_is_over(&rate, &failure));
    assert_int_equal(failure.outcome, OUTCOME_RATE_LIMITED);
    rate.who = new_who();
    assert_false(rate_is_over(&rate, &failure));
}

/* What another process has counted counts here too. */
static void all_processes_count_together(void **state)
{
    (void)state;
    const char *who = new_who();
    char text[200];
    assert_int_equal(count(who, 3), OUTCOME_OK);
    (void)snprintf(text, sizeof text, "UPDATE rates SET requests = 3 WHERE who = '%s'", who);
    (void)sql(text);
    assert_int_equal(count(who, 3), OUTCOME_RATE_LIMITED);
}

static void rows_of_earlier_minutes_go(void **state)
{
    (void)state;
    (void)new_user();
    (void)sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO rates SELECT 'address ' || i, 5, 7 FROM n");
    const char *who = new_who();
    assert_int_equal(count(who, 9), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM rates"), 151);
    assert_int_equal(count(who, 9), OUTCOME_OK);
    assert_int_equal(count(who, 9), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM rates"), 1);
    assert_int_equal(sql("SELECT requests FROM rates"), 3);
}

/* --- many at the same moment ------------------------------------------------------------------------------------------- */

enum { THREADS = 8, TURNS = 10, MOST = 37 };

static struct {
    const char *who;
    int taken;
    pthread_mutex_t lock;
} crowd = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *ask_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < TURNS; i++) {
        struct failure failure;
        struct rate rate = {.who = crowd.who, .most = MOST};
        if (rate_count(&rate, &failure) == OUTCOME_OK) {
            pthread_mutex_lock(&crowd.lock);
            crowd.taken++;
            pthread_mutex_unlock(&crowd.lock);
        }
    }
    return NULL;
}

static void many_threads_take_exactly_as_many_as_there_are(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    crowd.who = new_who();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(crowd.taken, MOST);
    assert_int_equal(sql("SELECT requests FROM rates"), MOST);
}

/* --- with a question ------------------------------------------------------------------------------------------------------ */

static void a_question_is_counted_with_what_it_stores(void **state)
{
    (void)state;
    int64_t user = new_user();
    const char *who = new_who();
    for (int i = 0; i < 4; i++) {
        struct failure failure = {0};
        struct message_begin turn = turn_of(user, NULL, NULL, "q");
        turn.rate = (struct rate){.who = who, .most = 2};
        assert_int_equal(message_begin_turn(&turn, &failure), i < 2 ? OUTCOME_OK : OUTCOME_RATE_LIMITED);
        if (i >= 2)
            assert_true(failure.retry_after_s >= 1 && failure.retry_after_s <= 60);
    }
    assert_int_equal(sql("SELECT count(*) FROM messages"), 4);
    assert_int_equal(sql("SELECT count(*) FROM conversations"), 2);
    assert_int_equal(sql("SELECT requests FROM rates"), 2);
}

static void a_question_that_is_refused_otherwise_is_not_counted(void **state)
{
    (void)state;
    int64_t user = new_user();
    const char *who = new_who();
    struct failure failure = {0};
    struct message_begin turn = turn_of(user, NULL, NULL, "q");
    turn.rate = (struct rate){.who = who, .most = 2};
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
    struct message_begin second = turn_of(user, turn.conversation, NULL, "q");
    second.rate = turn.rate;
    assert_int_equal(message_begin_turn(&second, &failure), OUTCOME_BUSY);
    second.conversation_id = "nowhere";
    assert_int_equal(message_begin_turn(&second, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(sql("SELECT requests FROM rates"), 1);
}

static const struct CMUnitTest tests[] = {
    rate_test(so_many_within_a_minute_and_no_more),
    rate_test(each_is_counted_by_itself),
    rate_test(no_limit_counts_nothing),
    rate_test(the_next_minute_counts_anew),
    rate_test(a_refused_one_is_refused_without_the_database),
    rate_test(a_refusal_is_forgotten_with_its_minute),
    rate_test(all_processes_count_together),
    rate_test(rows_of_earlier_minutes_go),
    rate_test(many_threads_take_exactly_as_many_as_there_are),
    rate_test(a_question_is_counted_with_what_it_stores),
    rate_test(a_question_that_is_refused_otherwise_is_not_counted),
};

UNIT_MAIN(tests)
