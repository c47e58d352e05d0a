/*
 * A database of its own for each test of src/store, in a temporary folder; a look into it past the program; turns in one call.
 */
#ifndef PARLEY_UNIT_STORE_H
#define PARLEY_UNIT_STORE_H

#include "unit.h"

#include <ftw.h>
#include <sqlite3.h>

#include "../../src/base/settings.h"
#include "../../src/store/conversation.h"
#include "../../src/store/db.h"
#include "../../src/store/message.h"
#include "../../src/store/user.h"

static char store_folder[64], store_path[96];

static inline int store_begin(void **state)
{
    (void)state;
    strcpy(store_folder, "/tmp/parley-unit-XXXXXX");
    if (mkdtemp(store_folder) == NULL)
        return -1;
    (void)snprintf(store_path, sizeof store_path, "%s/var/parley.db", store_folder);
    settings.db_path = store_path;
    settings.db_sync = "normal";
    settings.db_busy_ms = 300;
    return 0;
}

static inline int store_remove(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline int store_end(void **state)
{
    (void)state;
    db_close();
    return nftw(store_folder, store_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#define store_test(test) cmocka_unit_test_setup_teardown(test, store_begin, store_end)

/* A user that no other test has: the program remembers users for the life of the process. */
static inline int64_t new_user(void)
{
    static int number;
    char name[32];
    int64_t user = 0;
    struct failure failure = {0};
    (void)snprintf(name, sizeof name, "user-%d-%d", (int)getpid(), ++number);
    assert_int_equal(user_find(name, &user, &failure), OUTCOME_OK);
    assert_true(user > 0);
    return user;
}

/* --- past the program -------------------------------------------------------------------------------------------------------- */

/* Runs SQL on a connection of its own; the first column of the first row as a number. */
static inline int64_t sql(const char *text)
{
    sqlite3 *connection;
    sqlite3_stmt *statement = NULL;
    int64_t number = 0;
    assert_int_equal(sqlite3_open(store_path, &connection), SQLITE_OK);
    sqlite3_busy_timeout(connection, 5000);
    int code = sqlite3_prepare_v2(connection, text, -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        print_error("%s: %s\n", text, sqlite3_errmsg(connection));
    assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return number;
}

/* The index agrees with the texts. */
static inline void assert_index_is_whole(void)
{
    (void)sql("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)");
}

/* --- turns ---------------------------------------------------------------------------------------------------------------------- */

#define PROCESS "unit-process"

static inline struct message_begin turn_of(int64_t user, const char *conversation, const char *parent, const char *text)
{
    return (struct message_begin){.user = user, .conversation_id = conversation, .parent_id = parent, .content = text, .content_len = strlen(text),
                                  .title = text, .metadata = "{}", .process = PROCESS};
}

static inline enum outcome end_turn_as(const char *id, const char *status, const char *text)
{
    struct failure failure = {0};
    struct message_end end = {.id = id, .process = PROCESS, .status = status, .content = text, .content_len = strlen(text), .model = "m",
                              .finish_reason = "stop", .usage = {3, 4, -1, -1, false, -1}};
    return message_end_turn(&end, &failure);
}

/* A whole turn in `conversation` (NULL: a new one) after `parent`; what it began with. */
static inline struct message_begin whole_turn(int64_t user, const char *conversation, const char *parent, const char *question, const char *answer)
{
    struct failure failure = {0};
    struct message_begin begin = turn_of(user, conversation, parent, question);
    enum outcome outcome = message_begin_turn(&begin, &failure);
    if (outcome != OUTCOME_OK)
        print_error("%s\n", failure.message);
    assert_int_equal(outcome, OUTCOME_OK);
    assert_int_equal(end_turn_as(begin.answer, "done", answer), OUTCOME_OK);
    return begin;
}

/* --- what is there, as text ---------------------------------------------------------------------------------------------------- */

static char listed[64 * 1024];

static inline void list_message(void *arg, const struct message *row)
{
    (void)arg;
    size_t len = strlen(listed);
    (void)snprintf(listed + len, sizeof listed - len, "[%s %s %.*s]", row->role, row->status, (int)row->content_len, row->content);
}

static inline const char *messages_of(int64_t user, const char *conversation)
{
    struct failure failure = {0};
    listed[0] = '\0';
    assert_int_equal(message_list(user, conversation, list_message, NULL, &failure), OUTCOME_OK);
    return listed;
}

static inline void list_title(void *arg, const struct conversation *row)
{
    (void)arg;
    size_t len = strlen(listed);
    (void)snprintf(listed + len, sizeof listed - len, "[%s]", row->title);
}

static inline const char *titles_of(int64_t user, const char *search)
{
    struct failure failure = {0};
    listed[0] = '\0';
    assert_int_equal(conversation_list(user, &(struct conversation_page){NULL, 100, search, -1, -1}, list_title, NULL, &failure), OUTCOME_OK);
    return listed;
}

#endif
