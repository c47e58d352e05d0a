/*
 * Tests of src/store/db.h: what a failed unit of work leaves (nothing), many writers at once, trouble with the file and recovery from it.
 */
#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

#include "../../src/base/clock.h"

struct work {
    const char *sql;
    enum outcome outcome;
    int64_t number;
    const char *text;
};

static enum outcome do_sql(struct db *db, void *arg, struct failure *failure)
{
    struct work *work = arg;
    struct query *query = db_query(db, work->sql);
    if (work->text != NULL)
        query_text(query, 1, work->text);
    if (query_next(query))
        work->number = query_get_int(query, 0);
    query_end(query);
    return work->outcome != OUTCOME_OK ? fail(failure, work->outcome, "as asked") : OUTCOME_OK;
}

static int64_t read_number(const char *sql_text)
{
    struct failure failure = {0};
    struct work work = {.sql = sql_text};
    assert_int_equal(db_read(do_sql, &work, &failure), OUTCOME_OK);
    return work.number;
}

static enum outcome write_sql(const char *sql_text, enum outcome outcome, struct failure *failure)
{
    struct work work = {.sql = sql_text, .outcome = outcome};
    return db_write(do_sql, &work, failure);
}

static const char add_a[] = "INSERT INTO users (name, created_at) VALUES ('a', 1)";
static const char count_users[] = "SELECT count(*) FROM users";

static void the_first_access_makes_folder_and_file(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(access(store_path, F_OK), -1);
    assert_int_equal(db_check(&failure), OUTCOME_OK);
    assert_int_equal(access(store_path, F_OK), 0);
    assert_int_equal(read_number(count_users), 0);
}

static void what_was_written_is_read_and_outlives_closing(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(write_sql(add_a, OUTCOME_OK, &failure), OUTCOME_OK);
    assert_int_equal(read_number(count_users), 1);
    db_close();
    assert_int_equal(read_number(count_users), 1);
    assert_int_equal(sql(count_users), 1);
}

static void a_unit_of_work_that_fails_leaves_nothing(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(write_sql(add_a, OUTCOME_BAD_FIELD, &failure), OUTCOME_BAD_FIELD);
    assert_string_equal(failure.message, "as asked");
    assert_int_equal(read_number(count_users), 0);
}

static void a_statement_that_fails_undoes_the_whole_unit(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(write_sql(add_a, OUTCOME_OK, &failure), OUTCOME_OK);
    assert_int_equal(write_sql(add_a, OUTCOME_OK, &failure), OUTCOME_STORE); /* UNIQUE */
    assert_int_equal(failure.outcome, OUTCOME_STORE);
    assert_int_equal(write_sql("SELECT no_such_column", OUTCOME_OK, &failure), OUTCOME_STORE);
    assert_int_equal(read_number(count_users), 1);
    assert_int_equal(write_sql("DELETE FROM users", OUTCOME_OK, &failure), OUTCOME_OK); /* the connection still works */
}

static void a_reader_cannot_write(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct work work = {.sql = add_a};
    assert_int_equal(db_check(&failure), OUTCOME_OK);
    assert_int_equal(db_read(do_sql, &work, &failure), OUTCOME_STORE);
    assert_int_equal(read_number(count_users), 0);
}

static enum outcome read_twice(struct db *db, void *arg, struct failure *failure)
{
    struct work *work = arg;
    (void)do_sql(db, work, failure);
    int64_t before = work->number;
    (void)sql("INSERT INTO users (name, created_at) VALUES ('between', 1)");
    (void)do_sql(db, work, failure);
    work->number -= before;
    return OUTCOME_OK;
}

static void all_statements_of_a_reader_see_one_moment(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct work work = {.sql = count_users};
    assert_int_equal(db_check(&failure), OUTCOME_OK);
    assert_int_equal(db_read(read_twice, &work, &failure), OUTCOME_OK);
    assert_int_equal(work.number, 0);
    assert_int_equal(read_number(count_users), 1);
}

static void a_database_held_by_another_process_is_waited_for_and_then_busy(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *other;
    assert_int_equal(write_sql(add_a, OUTCOME_OK, &failure), OUTCOME_OK);
    assert_int_equal(sqlite3_open(store_path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t begin = clock_mono_ms();
    assert_int_equal(write_sql("DELETE FROM users", OUTCOME_OK, &failure), OUTCOME_STORE);
    assert_true(clock_mono_ms() - begin >= 250);
    assert_contains(failure.message, "busy");
    assert_int_equal(read_number(count_users), 1); /* reading goes on */
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(write_sql("DELETE FROM users", OUTCOME_OK, &failure), OUTCOME_OK);
    assert_int_equal(read_number(count_users), 0);
}

static void a_file_that_is_no_database_is_refused_until_it_is_gone(void **state)
{
    (void)state;
    struct failure failure = {0};
    static char bad_path[128];
    (void)snprintf(bad_path, sizeof bad_path, "%s/bad.db", store_folder);
    FILE *file = fopen(bad_path, "w");
    for (int i = 0; i < 500; i++)
        (void)fputs("no database at all ", file);
    (void)fclose(file);
    settings.db_path = bad_path;
    assert_int_equal(db_check(&failure), OUTCOME_STORE);
    assert_contains(failure.message, "not a database");
    assert_int_equal(write_sql(add_a, OUTCOME_OK, &failure), OUTCOME_STORE);
    unlink(bad_path);
    assert_int_equal(db_check(&failure), OUTCOME_OK);
}

static void a_place_that_cannot_be_written_is_a_store_failure(void **state)
{
    (void)state;
    struct failure failure = {0};
    settings.db_path = "/proc/nothing/parley.db";
    assert_int_equal(db_check(&failure), OUTCOME_STORE);
    assert_true(strlen(failure.message) > 10);
    settings.db_path = store_path;
    assert_int_equal(db_check(&failure), OUTCOME_OK);
}

/* --- many at once -------------------------------------------------------------------------------------------------------------- */

enum { THREADS = 8, TURNS = 200 };

struct writer {
    pthread_t thread;
    int64_t user;
    char conversation[ID_BYTES];
    int done, refused;
};

static void *write_turns(void *arg)
{
    struct writer *writer = arg;
    struct failure failure = {0};
    for (int i = 0; i < TURNS; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "turn %d 世界", i);
        struct message_begin begin = turn_of(writer->user, i == 0 ? NULL : writer->conversation, NULL, text);
        if (message_begin_turn(&begin, &failure) != OUTCOME_OK)
            break;
        strcpy(writer->conversation, begin.conversation);
        struct message_begin second = turn_of(writer->user, writer->conversation, NULL, "too early"); /* fails beside the good ones */
        writer->refused += i % 10 == 0 && message_begin_turn(&second, &failure) == OUTCOME_BUSY;
        if (end_turn_as(begin.answer, "done", text) != OUTCOME_OK)
            break;
        writer->done++;
    }
    return NULL;
}

static void eight_threads_of_two_hundred_turns_lose_nothing(void **state)
{
    (void)state;
    struct writer writers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        writers[i].user = new_user();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_turns, &writers[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].done, TURNS);
        assert_int_equal(writers[i].refused, TURNS / 10);
    }
    assert_int_equal(sql("SELECT count(*) FROM messages"), THREADS * TURNS * 2);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status <> 'done' OR content NOT LIKE 'turn %'"), 0);
    assert_int_equal(sql("SELECT count(*) FROM (SELECT max(seq) AS top, count(*) AS all_of_them FROM messages GROUP BY conversation_id) WHERE top <> all_of_them"), 0);
    assert_int_equal(sql("SELECT count(*) FROM messages AS m JOIN messages AS p ON p.id = m.parent_id WHERE m.content <> p.content AND m.role = 'assistant'"), 0);
    assert_int_equal(sql("SELECT count(*) FROM conversations"), THREADS);
    assert_index_is_whole();
}

static void *read_often(void *arg)
{
    atomic_int *failures = arg;
    for (int i = 0; i < 100; i++) {
        struct failure failure = {0};
        struct work work = {.sql = count_users};
        if (db_read(do_sql, &work, &failure) != OUTCOME_OK)
            atomic_fetch_add(failures, 1);
        struct work write = {.sql = "UPDATE users SET created_at = created_at + 1"};
        if (i % 10 == 0 && db_write(do_sql, &write, &failure) != OUTCOME_OK)
            atomic_fetch_add(failures, 1);
    }
    return NULL;
}

static void *check_once(void *arg)
{
    struct failure failure = {0};
    if (db_check(&failure) != OUTCOME_OK)
        atomic_fetch_add((atomic_int *)arg, 1);
    return NULL;
}

static void many_threads_may_be_the_first_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        pthread_t threads[12];
        atomic_int failures = 0;
        for (int i = 0; i < 12; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, check_once, &failures), 0);
        for (int i = 0; i < 12; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(failures, 0);
        db_close();
    }
}

static void more_readers_than_connections_take_turns(void **state)
{
    (void)state;
    enum { READERS = 20 };
    pthread_t threads[READERS];
    atomic_int failures = 0;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &failures), 0);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
}

static void without_memory_for_a_connection_the_request_fails_and_the_next_works(void **state)
{
    (void)state;
    struct failure failure = {0};
    for (long calls = 0; calls < 3; calls++) {
        mem_fail_after(calls);
        enum outcome outcome = db_check(&failure);
        mem_fail_after(-1);
        assert_true(outcome == OUTCOME_NO_MEMORY || outcome == OUTCOME_OK);
        assert_true(calls > 0 || outcome == OUTCOME_NO_MEMORY);
        assert_int_equal(db_check(&failure), OUTCOME_OK);
        db_close();
    }
}

static const struct CMUnitTest tests[] = {
    store_test(the_first_access_makes_folder_and_file),
    store_test(what_was_written_is_read_and_outlives_closing),
    store_test(a_unit_of_work_that_fails_leaves_nothing),
    store_test(a_statement_that_fails_undoes_the_whole_unit),
    store_test(a_reader_cannot_write),
    store_test(all_statements_of_a_reader_see_one_moment),
    store_test(a_database_held_by_another_process_is_waited_for_and_then_busy),
    store_test(a_file_that_is_no_database_is_refused_until_it_is_gone),
    store_test(a_place_that_cannot_be_written_is_a_store_failure),
    store_test(eight_threads_of_two_hundred_turns_lose_nothing),
    store_test(many_threads_may_be_the_first_at_once),
    store_test(more_readers_than_connections_take_turns),
    store_test(without_memory_for_a_connection_the_request_fails_and_the_next_works),
};

UNIT_MAIN(tests)
