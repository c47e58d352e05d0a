/*
 * Tests of src/store/conversation.h: list, pages, search, change, clear, delete, the index after each of them, and the plans of all statements.
 */
#include "store.h"

#include "../../src/base/limits.h"
#include "../../src/store/branch.h"
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
    struct conversation_change change = {.title = "x", .pinned = -1, .archived = -1, .unread = -1};
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
    assert_int_equal(conversation_change(user, id, &(struct conversation_change){.pinned = 1, .archived = -1, .unread = -1}, &failure), OUTCOME_OK);
    assert_string_equal(row_of(user, id), "before|{\"a\":1}|10|1");
    assert_int_equal(conversation_change(user, id, &(struct conversation_change){.title = "after 世界", .pinned = -1, .archived = 1, .unread = -1}, &failure), OUTCOME_OK);
    assert_string_equal(row_of(user, id), "after 世界|{\"a\":1}|11|1");
    assert_int_equal(conversation_change(user, id, &(struct conversation_change){.metadata = "{}", .pinned = 0, .archived = 0, .unread = -1}, &failure), OUTCOME_OK);
    assert_string_equal(row_of(user, id), "after 世界|{}|00|1");
    assert_int_equal(conversation_change(user, id, &(struct conversation_change){.pinned = -1, .archived = -1, .unread = -1}, &failure), OUTCOME_OK);
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
    struct conversation_change change = {.title = "a better title", .title_was = "first words", .pinned = -1, .archived = -1, .unread = -1};
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
            assert_int_equal(conversation_list(user, &(struct conversation_page){before == NULL ? NULL : &from, size, NULL, -1, -1}, list_and_keep_place, NULL, &failure), OUTCOME_OK);
        }
        assert_string_equal(listed, whole);
    }
}

static const char *page_of(int64_t user, struct conversation_page page)
{
    struct failure failure = {0};
    listed[0] = '\0';
    assert_int_equal(conversation_list(user, &page, list_and_keep_place, NULL, &failure), OUTCOME_OK);
    return listed;
}

static void the_list_can_be_filtered(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    static const char *const titles[] = {"plain", "pinned", "archived", "both"};
    for (int i = 0; i < 4; i++) {
        struct conversation_change change = {.pinned = i & 1, .archived = i >> 1, .unread = -1};
        assert_int_equal(conversation_change(user, add(user, titles[i]), &change, &failure), OUTCOME_OK);
        set_time(made, 4000 - i);
    }
    static const struct {
        int pinned, archived;
        const char *rows;
    } wanted[] = {{-1, -1, "[plain][pinned][archived][both]"}, {0, -1, "[plain][archived]"}, {1, -1, "[pinned][both]"}, {-1, 0, "[plain][pinned]"},
                  {-1, 1, "[archived][both]"}, {0, 0, "[plain]"}, {1, 0, "[pinned]"}, {0, 1, "[archived]"}, {1, 1, "[both]"}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_string_equal(page_of(user, (struct conversation_page){NULL, 9, NULL, wanted[i].pinned, wanted[i].archived}), wanted[i].rows);
    assert_string_equal(page_of(user, (struct conversation_page){NULL, 9, "both", 1, -1}), "[both]");
    assert_string_equal(page_of(user, (struct conversation_page){NULL, 9, "both", 0, -1}), "");
}

static void pages_of_a_filtered_list_and_search_follow_each_other_too(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    char whole[1000], title[16];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(title, sizeof title, "page%d", i);
        set_time(add(user, title), 1000 + i / 4);
        assert_int_equal(conversation_change(user, made, &(struct conversation_change){.pinned = i % 3 == 0, .archived = -1, .unread = -1}, &failure), OUTCOME_OK);
    }
    for (int searching = 0; searching < 2; searching++) {
        struct conversation_page page = {NULL, 100, searching ? "page" : NULL, 1, -1};
        strcpy(whole, page_of(user, page));
        assert_string_equal(whole, "[page27][page24][page21][page18][page15][page12][page9][page6][page3][page0]");
        for (page.limit = 1; page.limit < 5; page.limit++) {
            char all[1000] = "";
            page.before = NULL;
            for (int i = 0; i < 11; i++) {
                strcat(all, page_of(user, page));
                struct conversation_cursor *from = malloc(sizeof *from);
                *from = last;
                free((void *)page.before);
                page.before = from;
            }
            free((void *)page.before);
            assert_string_equal(all, whole);
        }
    }
}

static void write_news(void *arg, const struct conversation *row)
{
    (void)snprintf(arg, 300, "%s %d %s", row->status != NULL ? row->status : "-", row->unread, row->leaf_id != NULL ? row->leaf_id : "-");
}

static const char *news_of(int64_t user, const char *id)
{
    static char text[300];
    struct failure failure = {0};
    assert_int_equal(conversation_get(user, id, write_news, text, &failure), OUTCOME_OK);
    *strrchr(text, ' ') = '\0';
    return text;
}

static void an_answer_that_ends_is_unread_until_somebody_looks(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    static const char *const endings[] = {"done", "stopped", "error", "interrupted"};
    struct conversation_change seen = {.pinned = -1, .archived = -1, .unread = 0}, unseen = {.pinned = -1, .archived = -1, .unread = 1}, nothing = {.pinned = -1, .archived = -1, .unread = -1};
    char id[ID_BYTES];
    strcpy(id, add(user, "t"));
    assert_string_equal(news_of(user, id), "- 0");
    for (int i = 0; i < 4; i++) {
        struct message_begin turn = turn_of(user, id, NULL, "q");
        assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
        assert_string_equal(news_of(user, id), "streaming 0"); /* who asks has seen what was there */
        assert_int_equal(end_turn_as(turn.answer, endings[i], "a"), OUTCOME_OK);
        char news[40];
        (void)snprintf(news, sizeof news, "%s 1", endings[i]);
        assert_string_equal(news_of(user, id), news);
    }
    assert_int_equal(conversation_change(user, id, &nothing, &failure), OUTCOME_OK);
    assert_string_equal(news_of(user, id), "interrupted 1");
    assert_int_equal(conversation_change(user, id, &seen, &failure), OUTCOME_OK);
    assert_string_equal(news_of(user, id), "interrupted 0");
    assert_int_equal(conversation_change(user, id, &unseen, &failure), OUTCOME_OK);
    assert_string_equal(news_of(user, id), "interrupted 1");
    assert_int_equal(conversation_clear(user, id, &failure), OUTCOME_OK);
    assert_string_equal(news_of(user, id), "- 0");
}

static void an_answer_that_is_given_up_or_lost_or_goes_on_is_told_too(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0}, why = {.outcome = OUTCOME_NO_MEMORY};
    struct message_begin turn = turn_of(user, NULL, NULL, "q");
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
    (void)sql("UPDATE messages SET seen_at = 5 WHERE status = 'streaming'");
    struct message_lost lost = {.user = user, .id = turn.answer, .process = PROCESS, .seen_at = 5, .content = "half", .content_len = 4};
    int64_t before = sql("SELECT updated_at FROM conversations");
    assert_int_equal(message_mark_lost(&lost, &failure), OUTCOME_OK);
    assert_string_equal(news_of(user, turn.conversation), "interrupted 1");
    assert_int_equal(sql("SELECT updated_at FROM conversations"), before); /* finding it is no reason to come to the top */
    turn.conversation_id = turn.conversation;
    assert_int_equal(message_continue_turn(&turn, &failure), OUTCOME_OK);
    assert_string_equal(news_of(user, turn.conversation), "streaming 0");
    assert_int_equal(message_give_up(turn.answer, PROCESS, &why, &failure), OUTCOME_OK);
    assert_string_equal(news_of(user, turn.conversation), "error 1");
    assert_int_equal(conversation_change(user, turn.conversation, &(struct conversation_change){.pinned = -1, .archived = -1, .unread = 0}, &failure), OUTCOME_OK);
    assert_int_equal(message_mark_lost(&lost, &failure), OUTCOME_OK); /* neither happens twice */
    assert_int_equal(message_give_up(turn.answer, PROCESS, &why, &failure), OUTCOME_OK);
    assert_string_equal(news_of(user, turn.conversation), "error 0");
}

static const char *leaf_of(int64_t user, const char *id)
{
    static char text[300];
    struct failure failure = {0};
    assert_int_equal(conversation_get(user, id, write_news, text, &failure), OUTCOME_OK);
    return strrchr(text, ' ') + 1;
}

static void another_branch_can_be_opened(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin one = whole_turn(user, NULL, NULL, "q", "one"), two = whole_turn(user, one.conversation, "root", "q", "two"), other = whole_turn(user, NULL, NULL, "q", "other");
    struct conversation_change change = {.pinned = 1, .archived = -1, .unread = -1, .leaf_id = one.answer};
    assert_string_equal(leaf_of(user, one.conversation), two.answer);
    assert_int_equal(conversation_change(user, one.conversation, &change, &failure), OUTCOME_OK);
    assert_string_equal(leaf_of(user, one.conversation), one.answer);
    (void)whole_turn(user, one.conversation, NULL, "after one", "a");
    listed[0] = '\0';
    change.leaf_id = two.question;
    assert_int_equal(conversation_change(user, one.conversation, &change, &failure), OUTCOME_OK);
    assert_string_equal(leaf_of(user, one.conversation), two.question);
    const char *const wrong[] = {other.answer, "0123456789abcdefghjkmnpqrs", ""};
    change.pinned = 0;
    for (int i = 0; i < 3; i++) {
        change.leaf_id = wrong[i];
        assert_int_equal(conversation_change(user, one.conversation, &change, &failure), OUTCOME_BAD_FIELD);
        assert_contains(failure.message, "leaf_id");
    }
    assert_string_equal(leaf_of(user, one.conversation), two.question);
    assert_int_equal(sql("SELECT sum(pinned) FROM conversations"), 1); /* nothing of a change that is refused */
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
    assert_int_equal(conversation_list(user, &(struct conversation_page){NULL, 3, "same", -1, -1}, list_and_keep_place, NULL, &failure), OUTCOME_OK);
    assert_string_equal(listed, "[same][same][same]");
    struct conversation_cursor from = last;
    assert_int_equal(conversation_list(user, &(struct conversation_page){&from, 3, "same", -1, -1}, list_and_keep_place, NULL, &failure), OUTCOME_OK);
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
    assert_int_equal(conversation_list(user, &(struct conversation_page){NULL, 3, search, -1, -1}, list_title, NULL, &failure), OUTCOME_OK);
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
    (void)conversation_change(user, a.conversation, &(struct conversation_change){.title = "x", .pinned = 1, .archived = 1, .unread = 0, .leaf_id = a.question}, &failure);
    struct branch_fork fork = {.message = a.answer};
    char copy[ID_BYTES];
    (void)branch_fork(user, &fork, copy, &failure);
    (void)branch_delete(user, a.conversation, a.answer, &failure);
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
    assert_true(checked >= 33);
    assert_int_equal(bad, 0);
}

static const struct CMUnitTest tests[] = {
    store_test(a_conversation_is_made_and_read),
    store_test(what_does_not_exist_is_not_found),
    store_test(a_change_touches_only_what_it_names),
    store_test(a_title_can_be_changed_only_if_it_is_still_the_old_one),
    store_test(the_list_is_newest_first_with_ties_in_order),
    store_test(pages_follow_each_other_without_gap_or_repetition),
    store_test(the_list_can_be_filtered),
    store_test(pages_of_a_filtered_list_and_search_follow_each_other_too),
    store_test(an_answer_that_ends_is_unread_until_somebody_looks),
    store_test(an_answer_that_is_given_up_or_lost_or_goes_on_is_told_too),
    store_test(another_branch_can_be_opened),
    store_test(search_finds_titles_and_messages),
    store_test(a_search_has_pages_too),
    store_test(a_search_of_only_long_phrases_is_no_error),
    store_test(deleting_takes_messages_and_index_along),
    store_test(clearing_keeps_the_conversation_and_lets_it_go_on),
    store_test(a_user_is_found_again_by_name),
    store_test(no_statement_reads_a_whole_table),
};

UNIT_MAIN(tests)
