/*
 * Tests of src/store/upgrade.h with steps of their own: an old file is copied and brought up, a failure leaves the old version, others' files are refused.
 */
#include "store.h"

#include "../../src/store/upgrade.h"

static sqlite3 *open_file(void)
{
    sqlite3 *connection;
    (void)snprintf(store_path, sizeof store_path, "%s/x.db", store_folder);
    assert_int_equal(sqlite3_open(store_path, &connection), SQLITE_OK);
    sqlite3_busy_timeout(connection, 300);
    sqlite3_extended_result_codes(connection, 1);
    return connection;
}

/* A file of version 1 as this program makes it, with a user in it. */
static sqlite3 *old_file(void)
{
    struct failure failure = {0};
    sqlite3 *connection = open_file();
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK);
    (void)sql("INSERT INTO users (name, created_at) VALUES ('old', 1)");
    assert_int_equal(sqlite3_exec(connection, "DROP TABLE counters; DROP TABLE usage_days; ALTER TABLE messages DROP COLUMN attachments; ALTER TABLE messages DROP COLUMN provider; ALTER TABLE messages DROP COLUMN usage_estimated; "
                     "ALTER TABLE messages DROP COLUMN cost; ALTER TABLE messages DROP COLUMN calls; ALTER TABLE messages DROP COLUMN state; "
                     "ALTER TABLE messages DROP COLUMN state_wire; PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK); /* what later versions added */
    return connection;
}

static bool copy_exists(int version)
{
    char path[140];
    (void)snprintf(path, sizeof path, "%s.version-%d.bak", store_path, version);
    return access(path, F_OK) == 0;
}

static void a_new_file_gets_the_schema(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = open_file();
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK);
    assert_int_equal(sql("PRAGMA user_version"), 3);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_master WHERE name IN ('users', 'conversations', 'messages', 'search_index', 'counters', 'usage_days')"), 6);
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK); /* again: nothing to do */
    assert_false(copy_exists(0));
    assert_false(copy_exists(1));
    sqlite3_close(connection);
}

static void version_1_is_upgraded_to_what_the_program_needs(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = old_file();
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK);
    sqlite3_close(connection);
    assert_int_equal(sql("PRAGMA user_version"), 3);
    assert_int_equal(sql("SELECT count(*) FROM counters"), 0);
    assert_int_equal(sql("SELECT count(*) FROM usage_days"), 0);
    assert_int_equal(sql("SELECT count(cost) + count(calls) + count(state) + count(provider) FROM messages"), 0);
    assert_int_equal(sql("SELECT count(*) FROM users WHERE name = 'old'"), 1);
    assert_true(copy_exists(1));
}

static const struct upgrade_step good_steps[] = {
    {1, "ALTER TABLE users ADD COLUMN colour TEXT; UPDATE users SET colour = 'red'"},
    {2, "CREATE TABLE extra (id INTEGER PRIMARY KEY)"},
};

static void an_old_file_is_copied_and_then_brought_up_step_by_step(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = old_file();
    assert_int_equal(schema_upgrade_with(connection, store_path, good_steps, 2, 3, &failure), OUTCOME_OK);
    sqlite3_close(connection);
    assert_int_equal(sql("PRAGMA user_version"), 3);
    assert_int_equal(sql("SELECT count(*) FROM users WHERE colour = 'red' AND name = 'old'"), 1);
    assert_int_equal(sql("SELECT count(*) FROM extra"), 0);
    assert_true(copy_exists(1));
    strcat(store_path, ".version-1.bak");
    assert_int_equal(sql("PRAGMA user_version"), 1);
    assert_int_equal(sql("SELECT count(*) FROM users WHERE name = 'old'"), 1);
    assert_int_equal(sql("SELECT count(*) FROM pragma_table_info('users') WHERE name = 'colour'"), 0);
}

static void a_failing_step_leaves_the_old_version_whole(void **state)
{
    (void)state;
    static const struct upgrade_step steps[] = {{1, "UPDATE users SET name = 'changed'; CREATE TABLE extra (id)"}, {2, "UPDATE no_such_table SET x = 1"}};
    struct failure failure = {0};
    sqlite3 *connection = old_file();
    assert_int_equal(schema_upgrade_with(connection, store_path, steps, 2, 3, &failure), OUTCOME_STORE);
    assert_true(strlen(failure.message) > 10);
    assert_int_not_equal(sqlite3_get_autocommit(connection), 0);
    sqlite3_close(connection);
    assert_int_equal(sql("PRAGMA user_version"), 1);
    assert_int_equal(sql("SELECT count(*) FROM users WHERE name = 'old'"), 1);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_master WHERE name = 'extra'"), 0);
    assert_true(copy_exists(1));
}

static void a_missing_step_is_named(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = old_file();
    assert_int_equal(schema_upgrade_with(connection, store_path, good_steps, 1, 3, &failure), OUTCOME_STORE);
    assert_contains(failure.message, "version 2");
    sqlite3_close(connection);
    assert_int_equal(sql("PRAGMA user_version"), 1);
}

static void a_copy_that_exists_is_kept(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = old_file();
    char path[140];
    (void)snprintf(path, sizeof path, "%s.version-1.bak", store_path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("mine", file);
    (void)fclose(file);
    assert_int_equal(schema_upgrade_with(connection, store_path, good_steps, 2, 3, &failure), OUTCOME_OK);
    sqlite3_close(connection);
    char text[8] = "";
    file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    (void)fclose(file);
    assert_string_equal(text, "mine");
}

static void without_a_copy_there_is_no_upgrade(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = old_file();
    assert_int_equal(schema_upgrade_with(connection, "/nowhere/x.db", good_steps, 2, 3, &failure), OUTCOME_STORE);
    sqlite3_close(connection);
    assert_int_equal(sql("PRAGMA user_version"), 1);
}

static void a_newer_file_is_refused_untouched(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = old_file();
    (void)sql("PRAGMA user_version = 9");
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_STORE);
    assert_contains(failure.message, "newer program");
    assert_contains(failure.message, "9");
    sqlite3_close(connection);
    assert_int_equal(sql("PRAGMA user_version"), 9);
}

static void the_file_of_another_program_is_refused_untouched(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = open_file();
    (void)sql("CREATE TABLE bookmarks (url)");
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_STORE);
    assert_contains(failure.message, "another program");
    sqlite3_close(connection);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_master"), 1);
    assert_int_equal(sql("PRAGMA user_version"), 0);
}

static void the_file_of_another_program_with_our_version_number_is_refused(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = open_file();
    (void)sql("CREATE TABLE bookmarks (url)");
    (void)sql("PRAGMA user_version = 1");
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_STORE);
    sqlite3_close(connection);
}

static void what_is_no_database_is_refused(void **state)
{
    (void)state;
    struct failure failure = {0};
    (void)snprintf(store_path, sizeof store_path, "%s/x.db", store_folder);
    FILE *file = fopen(store_path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        (void)fputs("this is no database ", file);
    (void)fclose(file);
    sqlite3 *connection = open_file();
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_STORE);
    assert_contains(failure.message, "not a database");
    sqlite3_close(connection);
}

static void a_locked_file_is_busy(void **state)
{
    (void)state;
    struct failure failure = {0};
    sqlite3 *connection = open_file(), *other = open_file();
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_STORE);
    assert_contains(failure.message, "busy");
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK);
    sqlite3_close(connection);
    sqlite3_close(other);
}

static void make_schema(FILE *out, void *arg)
{
    (void)arg;
    struct failure failure = {0};
    sqlite3 *connection;
    (void)sqlite3_open(store_path, &connection);
    sqlite3_busy_timeout(connection, 10000);
    (void)fprintf(out, "%d", schema_upgrade(connection, store_path, &failure));
    sqlite3_close(connection);
}

static void processes_that_start_at_once_make_one_schema(void **state)
{
    (void)state;
    (void)snprintf(store_path, sizeof store_path, "%s/x.db", store_folder);
    pid_t children[6];
    for (int i = 0; i < 6; i++)
        if ((children[i] = fork()) == 0) {
            FILE *out = fopen("/dev/null", "w");
            make_schema(out, NULL);
            _exit(0);
        }
    for (int i = 0; i < 6; i++)
        (void)waitpid(children[i], NULL, 0);
    assert_string_equal(in_child(make_schema, NULL), "0");
    assert_int_equal(sql("PRAGMA user_version"), 3);
    assert_int_equal(sql("SELECT count(*) FROM users"), 0);
}

static const struct CMUnitTest tests[] = {
    store_test(a_new_file_gets_the_schema),
    store_test(version_1_is_upgraded_to_what_the_program_needs),
    store_test(an_old_file_is_copied_and_then_brought_up_step_by_step),
    store_test(a_failing_step_leaves_the_old_version_whole),
    store_test(a_missing_step_is_named),
    store_test(a_copy_that_exists_is_kept),
    store_test(without_a_copy_there_is_no_upgrade),
    store_test(a_newer_file_is_refused_untouched),
    store_test(the_file_of_another_program_is_refused_untouched),
    store_test(the_file_of_another_program_with_our_version_number_is_refused),
    store_test(what_is_no_database_is_refused),
    store_test(a_locked_file_is_busy),
    store_test(processes_that_start_at_once_make_one_schema),
};

UNIT_MAIN(tests)
