/*
 * Tests of src/store/upgrade.h with steps of their own: an old file is copied and brought up, a failure leaves the old version, others' files are refused.
 */
#include "store.h"

#include "../../src/store/feedback.h"
#include "../../src/store/upgrade.h"
#include "versions.h"

static sqlite3 *open_file(void)
{
    sqlite3 *connection;
    (void)snprintf(store_path, sizeof store_path, "%s/x.db", store_folder);
    assert_int_equal(sqlite3_open(store_path, &connection), SQLITE_OK);
    sqlite3_busy_timeout(connection, 300);
    sqlite3_extended_result_codes(connection, 1);
    return connection;
}

/* A file of an old version, with a user, a conversation, a question and an answer in it. */
static sqlite3 *file_of_version(int version)
{
    struct failure failure = {0};
    sqlite3 *connection = open_file();
    char mark[64];
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK);
    for (int at = NEWEST - 1; at >= version; at--)
        assert_int_equal(sqlite3_exec(connection, steps_back[at], NULL, NULL, NULL), SQLITE_OK);
    (void)snprintf(mark, sizeof mark, "PRAGMA user_version = %d", version);
    assert_int_equal(sqlite3_exec(connection, mark, NULL, NULL, NULL), SQLITE_OK);
    (void)sql("INSERT INTO users (id, name, created_at) VALUES (7, 'old', 1)");
    (void)sql("INSERT INTO conversations (id, public_id, user_id, title, created_at, updated_at) VALUES (1, 'c1', 7, 'Old title', 1, 2)");
    (void)sql("INSERT INTO messages (id, public_id, conversation_id, user_id, seq, role, content, created_at) VALUES (1, 'q1', 1, 7, 1, 'user', 'old question', 1)");
    (void)sql("INSERT INTO messages (id, public_id, conversation_id, user_id, seq, parent_id, role, content, prompt_tokens, created_at) "
              "VALUES (2, 'a1', 1, 7, 2, 1, 'assistant', 'old answer', 5, 2)");
    (void)sql("UPDATE conversations SET leaf_id = 2");
    return connection;
}

static sqlite3 *old_file(void)
{
    return file_of_version(1);
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
    assert_int_equal(sql("PRAGMA user_version"), NEWEST);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_master WHERE name IN ('users', 'conversations', 'messages', 'search_index', 'counters', 'usage_days', 'feedback', 'keys', 'journal', 'repeats', 'rates')"), 11);
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK); /* again: nothing to do */
    assert_false(copy_exists(0));
    assert_false(copy_exists(1));
    sqlite3_close(connection);
}

/* Columns, indexes and references of a file, each on a line of its own, whatever their order. */
static const char *schema_text(const char *path, char *text, size_t room)
{
    static const char query[] =
        "SELECT 'column ' || m.name || '.' || x.name || ' ' || x.type || ' ' || x.\"notnull\" || ' ' || coalesce(x.dflt_value, '-') || ' ' || x.pk || ' ' || x.hidden AS line "
        "  FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x WHERE m.type = 'table' "
        "UNION ALL SELECT 'reference ' || m.name || '.' || f.\"from\" || ' ' || f.\"table\" || '.' || f.\"to\" || ' ' || f.on_delete "
        "  FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' "
        "UNION ALL SELECT type || ' ' || name || ' ' || coalesce(sql, 'of itself') FROM sqlite_master WHERE type <> 'table' ORDER BY line";
    sqlite3 *connection;
    sqlite3_stmt *statement = NULL;
    size_t len = 0;
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection, query, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        len += (size_t)snprintf(text + len, room - len, "%s\n", (const char *)sqlite3_column_text(statement, 0));
        assert_true(len < room);
    }
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return text;
}

static void every_old_version_becomes_what_a_new_file_is(void **state)
{
    (void)state;
    static char made[32 * 1024], upgraded[32 * 1024];
    struct failure failure = {0};
    sqlite3 *connection = open_file();
    assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK);
    sqlite3_close(connection);
    assert_contains(schema_text(store_path, made, sizeof made), "column messages.events TEXT");
    for (int version = 1; version < NEWEST; version++) {
        assert_int_equal(remove(store_path), 0);
        sqlite3_close(file_of_version(version));
        assert_string_not_equal(schema_text(store_path, upgraded, sizeof upgraded), made);
        connection = open_file();
        assert_int_equal(schema_upgrade(connection, store_path, &failure), OUTCOME_OK);
        sqlite3_close(connection);
        assert_int_equal(sql("PRAGMA user_version"), NEWEST);
        assert_string_equal(schema_text(store_path, upgraded, sizeof upgraded), made);
        assert_true(copy_exists(version));
    }
}

static void keep_all(void *arg, const struct message *row)
{
    size_t len = strlen(arg);
    (void)snprintf((char *)arg + len, 500 - len, "[%s %s %d%d%d%d %d]", row->role, row->content, row->events != NULL, row->steps != NULL, row->app_state != NULL,
                   row->feedback != NULL, (int)row->usage.prompt_tokens);
}

static void the_messages_of_every_old_version_are_kept_and_can_be_gone_on_with(void **state)
{
    (void)state;
    for (int version = 1; version < NEWEST; version++) {
        struct failure failure = {0};
        char rows[500] = "", conversation[ID_BYTES];
        sqlite3_close(file_of_version(version));
        if (version == 3)
            (void)sql("UPDATE messages SET calls = '[]', cost = 0.5, attachments = '[1]' WHERE id = 2");
        assert_int_equal(message_list(7, "c1", keep_all, rows, &failure), OUTCOME_OK);
        assert_int_equal(sql("SELECT count(*) FROM conversations WHERE unread = 0"), 1); /* what is old counts as seen */
        assert_string_equal(rows, "[user old question 0000 -1][assistant old answer 0000 5]");
        assert_int_equal(sql("SELECT count(calls) + count(cost) + count(attachments) FROM messages"), version == 3 ? 3 : 0);
        assert_int_equal(sql("SELECT count(events) + count(steps) + count(app_state) + count(client_id) FROM messages"), 0);
        assert_int_equal(feedback_set(7, "a1", "like", NULL, conversation, &failure), OUTCOME_OK);
        assert_string_equal(conversation, "c1");
        struct message_begin next = whole_turn(7, "c1", NULL, "new question", "new answer");
        assert_false(next.is_new);
        rows[0] = '\0';
        assert_int_equal(message_history(7, next.question, 10, keep_all, rows, &failure), OUTCOME_OK);
        assert_string_equal(rows, "[user new question 0000 -1][assistant old answer 0001 5][user old question 0000 -1]");
        assert_string_equal(titles_of(7, "old answer"), "[Old title]");
        assert_int_equal(sql("SELECT unread FROM conversations"), 1); /* of the new answer */
        assert_int_equal(conversation_delete(7, "c1", &failure), OUTCOME_OK);
        assert_int_equal(sql("SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM feedback)"), 0);
        assert_index_is_whole();
        db_close();
        assert_int_equal(remove(store_path), 0);
    }
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
    assert_int_equal(sql("PRAGMA user_version"), NEWEST);
    assert_int_equal(sql("SELECT count(*) FROM users"), 0);
}

static const struct CMUnitTest tests[] = {
    store_test(a_new_file_gets_the_schema),
    store_test(every_old_version_becomes_what_a_new_file_is),
    store_test(the_messages_of_every_old_version_are_kept_and_can_be_gone_on_with),
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
