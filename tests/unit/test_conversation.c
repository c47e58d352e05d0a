/*
 * Tests of src/store/conversation.h: list, pages, search, change, clear, delete, the index after each of them, and the plans of all statements.
 */
#include "store.h"

#include "../../src/base/limits.h"
#include "../../src/store/feedback.h"
#include "../../src/store/key.h"

static char made[ID_BYTES];

static const char *add(int64_t user, const char *title)
{
    struct failure failure = {0};
    assert_int_equal(conversation_add(user, title, "{\"a\":1}", made, &failure), OUTCOME_OK);
    return made;
}

static void set_time(const char *id, int64_t ms)
{
    char text[160];
    (void)snprintf(text, sizeof text, "UPDATE conversations SET updated_at = %lld WHERE public_id = '%s'", (long long)ms, id);
    (void)sql(text);
}

static void write_row(void *arg, const struct conversation *row)
{
    (void)snprintf(arg, 300, "%s|%s|%d%d|%d", row->title, row->metadata, row->pinned, row->archived, row->created_at <= row->updated_at);
}

static const char *row_of(int64_t user, const char *id)
{
    static char text[300];
    struct failure failure = {0};
    assert_int_equal(conversation_get(user, id, write_row, text, &failure), OUTCOME_OK);
    return text;
}

static void a_conversation_is_made_and_read(void **state)
{
    (void)state;
    int64_t user = new_user();
    assert_string_equal(row_of(user, add(user, "Title ä")), "Title ä|{\"a\":1}|00|1");
    assert_true(id_valid(made));
}

static void what_does_not_exist_is_not_found(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct conversation_change change = {.title = "x", .pinned = -1, .archived = -1};
    static const char *const ids[] = {"0123456789abcdefghjkmnpqrs", "", "' OR 1=1 --"};
    (void)add(user, "t");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(conversation_get(user, ids[i], list_title, NULL, &failure), OUTCOME_NOT_FOUND);
        assert_int_equal(conversation_change(user, ids[i], &change, &failure), OUTCOME_NOT_FOUND);
        assert_int_equal(conversation_delete(user, ids[i], &failure), OUTCOME_NOT_FOUND);
        assert_int_equal(conversation_clear(user, ids[i], &failure), OUTCOME_NOT_FOUND);
    }
    assert_string_equal(titles_of(user, NULL), "[t]");
}

static void a_change_touches_only_what_it_names(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    char id[ID_BYTES];
    strcpy(id, add(user, "before"));
    assert_int_equal(conversation_change(user, id, &(struct conversation_change){.pinned = 1, .archived = -1}, &failure), OUTCOME_OK);
    assert_string_equal(row_of(user, id), "before|{\"a\":1}|10|1");
    assert_int_equal(conversation_change(user, id, &(struct conversation_change){.title = "after 世界", .pinned = -1, .archived = 1}, &failure), OUTCOME_OK);
    assert_string_equal(row_of(user, id), "after 世界|{\"a\":1}|11|1");
    assert_int_equal(conversation_change(user, id, &(struct conversation_change){.metadata = "{}", .pinned = 0, .archived = 0}, &failure), OUTCOME_OK);
    assert_string_equal(row_of(user, id), "after 世界|{}|00|1");
    assert_int_equal(conversation_change(user, id, &(struct conversation_change){.pinned = -1, .archived = -1}, &failure), OUTCOME_OK);
    assert_string_equal(titles_of(user, "世界"), "[after 世界]");
    assert_string_equal(titles_of(user, "before"), "");
    assert_index_is_whole();
}

static void a_title_can_be_changed_only_if_it_is_still_the_old_one(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct failure failure = {0};
    char id[ID_BYTES];
    strcpy(id, add(user, "first words"));
    struct conversation_change change = {.title = "a better title", .title_was = "first words", .pinned = -1, .archived = -1};
    assert_int_equal(conversation_change(other, id, &change, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(conversation_change(user, id, &change, &failure), OUTCOME_OK);
    assert_string_equal(titles_of(user, "better"), "[a better title]");
    change.title = "too late";
    change.pinned = 1;
    change.metadata = "{\"b\":2}";
    assert_int_equal(conversation_change(user, id, &change, &failure), OUTCOME_BUSY);
    assert_contains(failure.message, "another title");
    assert_string_equal(row_of(user, id), "a better title|{\"a\":1}|00|1"); /* nothing of it */
    change.title_was = NULL;
    assert_int_equal(conversation_change(user, id, &change, &failure), OUTCOME_OK);
    assert_string_equal(row_of(user, id), "too late|{\"b\":2}|10|1");
    assert_index_is_whole();
}

static void the_list_is_newest_first_with_ties_in_order(void **state)
{
    (void)state;
    int64_t user = new_user();
    static const char *const titles[] = {"a", "b", "c", "d"};
    static const int64_t times[] = {1000, 3000, 3000, 2000};
    for (int i = 0; i < 4; i++)
        set_time(add(user, titles[i]), times[i]);
    assert_string_equal(titles_of(user, NULL), "[c][b][d][a]");
}

static struct conversation_cursor last;

static void list_and_keep_place(void *arg, const struct conversation *row)
{
    list_title(arg, row);
    last = (struct conversation_cursor){row->updated_at, row->row};
}

static void pages_follow_each_other_without_gap_or_repetition(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct failure failure = {0};
    char whole[1000], title[16];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(title, sizeof title, "p%d", i);
        set_time(add(user, title), 1000 + i / 4); /* ties across page borders */
        (void)add(other, "not mine");
    }
    strcpy(whole, titles_of(user, NULL));
    for (int size = 1; size < 12; size++) {
        listed[0] = '\0';
        const struct conversation_cursor *before = NULL;
        for (int page = 0; page < 31; page++, before = &last) {
            struct conversation_cursor from = last;
            assert_int_equal(conversation_list(user, before == NULL ? NULL : &from, size, NULL, list_and_keep_place, NULL, &failure), OUTCOME_OK);
        }
        assert_string_equal(listed, whole);
    }
}

static void search_finds_titles_and_messages(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin a = whole_turn(user, NULL, NULL, "About elephants", "They are große Tiere");
    (void)whole_turn(user, a.conversation, NULL, "and 大象?", "大象很大");
    (void)whole_turn(user, NULL, NULL, "Something else", "unrelated");
    static const char *const finding[] = {"elephants", "ELEPH", "grosse", "große tiere", "\"große Tiere\"", "大象", "象很"};
    for (size_t i = 0; i < sizeof finding / sizeof *finding; i++)
        assert_string_equal(titles_of(user, finding[i]), "[About elephants]");
    static const char *const missing[] = {"tiger", "\"Tiere große\"", "很象", "", "  ", "\"", "!!"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        assert_string_equal(titles_of(user, missing[i]), "");
}

static void a_search_has_pages_too(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    for (int i = 0; i < 5; i++)
        (void)add(user, "same");
    listed[0] = '\0';
    assert_int_equal(conversation_list(user, NULL, 3, "same", list_and_keep_place, NULL, &failure), OUTCOME_OK);
    assert_string_equal(listed, "[same][same][same]");
    struct conversation_cursor from = last;
    assert_int_equal(conversation_list(user, &from, 3, "same", list_and_keep_place, NULL, &failure), OUTCOME_OK);
    assert_string_equal(listed, "[same][same][same][same][same]");
}

static void a_search_of_only_long_phrases_is_no_error(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    char search[LIMIT_QUERY_VALUE_BYTES + 1] = "";
    for (int i = 0; i < 250; i++)
        strcat(search, i % 2 == 0 ? "ss" : "界");
    assert_int_equal(conversation_list(user, NULL, 3, search, list_title, NULL, &failure), OUTCOME_OK);
}

static void deleting_takes_messages_and_index_along(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin a = whole_turn(user, NULL, NULL, "zebra", "世界"), b = whole_turn(user, NULL, NULL, "zebra too", "stays");
    assert_int_equal(conversation_delete(user, a.conversation, &failure), OUTCOME_OK);
    assert_string_equal(titles_of(user, "zebra"), "[zebra too]");
    assert_string_equal(titles_of(user, "世界"), "");
    assert_int_equal(sql("SELECT count(*) FROM messages"), 2);
    assert_string_equal(messages_of(user, b.conversation), "[user done zebra too][assistant done stays]");
    assert_index_is_whole();
}

static void clearing_keeps_the_conversation_and_lets_it_go_on(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin a = whole_turn(user, NULL, NULL, "first", "gone words");
    assert_int_equal(conversation_clear(user, a.conversation, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, a.conversation), "");
    assert_string_equal(titles_of(user, NULL), "[first]");
    assert_string_equal(titles_of(user, "gone"), "");
    (void)whole_turn(user, a.conversation, NULL, "again", "new");
    assert_string_equal(messages_of(user, a.conversation), "[user done again][assistant done new]");
    assert_index_is_whole();
}

static void a_user_is_found_again_by_name(void **state)
{
    (void)state;
    struct failure failure = {0};
    int64_t one = 0, two = 0, again = 0;
    assert_int_equal(user_find("same-name", &one, &failure), OUTCOME_OK);
    assert_int_equal(user_find("other-name", &two, &failure), OUTCOME_OK);
    assert_int_equal(user_find("same-name", &again, &failure), OUTCOME_OK);
    assert_true(one == again && one != two && one > 0);
    assert_int_equal(sql("SELECT count(*) FROM users WHERE name IN ('same-name', 'other-name')"), 2);
}

/* --- plans ---------------------------------------------------------------------------------------------------------------------- */

static char *statements[200];
static int statement_count;

static int note_statement(unsigned kind, void *arg, void *statement, void *text)
{
    (void)kind;
    (void)arg;
    (void)text;
    const char *said = sqlite3_sql(statement);
    for (int i = 0; i < statement_count; i++)
        if (said == NULL || strcmp(statements[i], said) == 0)
            return 0;
    if (statement_count < 200)
        statements[statement_count++] = strdup(said);
    return 0;
}

static int note_all(sqlite3 *connection, char **message, const void *routines)
{
    (void)message;
    (void)routines;
    return sqlite3_trace_v2(connection, SQLITE_TRACE_STMT, note_statement, NULL);
}

static void count_stop(void *arg, const char *id)
{
    *(size_t *)arg += strlen(id);
}

/* Everything that src/store does, so that each of its statements runs once. */
static void use_everything(void)
{
    int64_t user = new_user();
    struct failure failure = {0};
    int running;
    struct message_begin a = whole_turn(user, NULL, NULL, "q", "a"), open = turn_of(user, a.conversation, a.answer, "q"), roll = turn_of(user, NULL, NULL, "r");
    roll.rolling_for = "r";
    (void)message_begin_turn(&roll, &failure);
    (void)message_begin_turn(&open, &failure);
    static const struct message_past past = {"user", "before", 6};
    struct message_begin brought = turn_of(user, NULL, NULL, "q");
    brought.history = &past;
    brought.history_count = 1;
    brought.client_id = "mine";
    (void)message_begin_turn(&brought, &failure);
    char conversation[ID_BYTES], key[KEY_BYTES];
    (void)feedback_set(user, "mine", "like", NULL, conversation, &failure);
    (void)key_get("plans", key, &failure);
    open = turn_of(user, a.conversation, "no", "q");
    (void)message_begin_turn(&open, &failure);
    (void)titles_of(user, NULL);
    (void)titles_of(user, "q");
    (void)sql("UPDATE messages SET seen_at = 5 WHERE status = 'streaming'");
    (void)messages_of(user, a.conversation);
    (void)message_history(user, a.question, 20, list_message, NULL, &failure);
    (void)message_ask_stop(user, a.conversation, &running, &failure);
    (void)message_heartbeat((const char (*)[ID_BYTES])&open.answer, 1, &failure);
    size_t letters = 0;
    (void)message_stops(PROCESS, count_stop, &letters, &running, &failure);
    (void)conversation_get(user, a.conversation, list_title, NULL, &failure);
    (void)conversation_change(user, a.conversation, &(struct conversation_change){.title = "x", .pinned = 1, .archived = 1}, &failure);
    (void)conversation_clear(user, a.conversation, &failure);
    (void)conversation_delete(user, a.conversation, &failure);
}

/* Whether the plan of a statement reads a whole table of ours. */
static bool scans_a_table(sqlite3 *connection, const char *text)
{
    char explain[4096];
    sqlite3_stmt *statement = NULL;
    bool scans = false;
    (void)snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", text);
    if (sqlite3_prepare_v2(connection, explain, -1, &statement, NULL) != SQLITE_OK)
        return false;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(statement, 3);
        bool scan = strncmp(detail, "SCAN ", 5) == 0 && strcmp(detail, "SCAN path") != 0 && strstr(detail, "search_index VIRTUAL") == NULL &&
                    strstr(detail, "CONSTANT ROW") == NULL;
        if (scan)
            print_error("%s\n  in %s\n", detail, text);
        scans |= scan;
    }
    sqlite3_finalize(statement);
    return scans;
}

static bool is_query_of_store(const char *text)
{
    return strstr(text, "sqlite_") == NULL && strstr(text, "search_index_") == NULL /* FTS5's own */ && strstr(text, "integrity") == NULL && strstr(text, "SET seen_at = 5") == NULL && strstr(text, "pragma") == NULL &&
           (strncmp(text, "SELECT", 6) == 0 || strncmp(text, "WITH", 4) == 0 || strncmp(text, "UPDATE", 6) == 0 || strncmp(text, "DELETE", 6) == 0 ||
            strncmp(text, "INSERT INTO messages", 20) == 0 || strncmp(text, "INSERT INTO feedback", 20) == 0);
}

static void no_statement_reads_a_whole_table(void **state)
{
    (void)state;
    db_close();
    assert_int_equal(sqlite3_auto_extension((void (*)(void))note_all), SQLITE_OK);
    use_everything();
    sqlite3_reset_auto_extension();
    sqlite3 *connection;
    assert_int_equal(sqlite3_open(store_path, &connection), SQLITE_OK);
    int checked = 0, bad = 0;
    for (int i = 0; i < statement_count; i++) {
        if (is_query_of_store(statements[i])) {
            bad += scans_a_table(connection, statements[i]);
            checked++;
        }
        free(statements[i]);
    }
    sqlite3_close(connection);
    assert_true(checked >= 26);
    assert_int_equal(bad, 0);
}

static const struct CMUnitTest tests[] = {
    store_test(a_conversation_is_made_and_read),
    store_test(what_does_not_exist_is_not_found),
    store_test(a_change_touches_only_what_it_names),
    store_test(a_title_can_be_changed_only_if_it_is_still_the_old_one),
    store_test(the_list_is_newest_first_with_ties_in_order),
    store_test(pages_follow_each_other_without_gap_or_repetition),
    store_test(search_finds_titles_and_messages),
    store_test(a_search_has_pages_too),
    store_test(a_search_of_only_long_phrases_is_no_error),
    store_test(deleting_takes_messages_and_index_along),
    store_test(clearing_keeps_the_conversation_and_lets_it_go_on),
    store_test(a_user_is_found_again_by_name),
    store_test(no_statement_reads_a_whole_table),
};

UNIT_MAIN(tests)
