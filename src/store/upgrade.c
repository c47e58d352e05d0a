/*
 * Making and upgrading the schema: see upgrade.h. The schema itself is schema.sql, embedded at build time.
 *
 * Before the first step an old file is copied to `<file>.version-N.bak`; steps run in one transaction with the version number, so that a
 * crash leaves the old version or the new one.
 */
#include "upgrade.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/buf.h"
#include "../base/log.h"
#include "store_error.h"

static const char schema[] =
#include "schema.inc"
    ;

static const struct upgrade_step steps_of_program[] = {
    {1, "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID"},
    {2, "ALTER TABLE messages ADD COLUMN attachments TEXT; ALTER TABLE messages ADD COLUMN provider TEXT; ALTER TABLE messages ADD COLUMN usage_estimated INTEGER NOT NULL DEFAULT 0; "
        "ALTER TABLE messages ADD COLUMN cost REAL; ALTER TABLE messages ADD COLUMN calls TEXT; ALTER TABLE messages ADD COLUMN state TEXT; "
        "ALTER TABLE messages ADD COLUMN state_wire TEXT; "
        "CREATE TABLE usage_days (user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, day INTEGER NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, "
        "answers INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0, cost REAL NOT NULL DEFAULT 0, "
        "PRIMARY KEY (user_id, day, provider, model)) WITHOUT ROWID"},
    {3, "ALTER TABLE messages ADD COLUMN events TEXT; ALTER TABLE messages ADD COLUMN steps TEXT; ALTER TABLE messages ADD COLUMN app_state TEXT; "
        "ALTER TABLE messages ADD COLUMN client_id TEXT; "
        "CREATE INDEX messages_by_client_id ON messages (user_id, client_id) WHERE client_id IS NOT NULL; "
        "CREATE TABLE feedback (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, "
        "conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE, message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE, "
        "kind TEXT NOT NULL CHECK (kind IN ('like', 'dislike')), payload TEXT NOT NULL DEFAULT '{}', created_at INTEGER NOT NULL, UNIQUE (message_id, user_id)); "
        "CREATE INDEX feedback_by_conversation ON feedback (conversation_id); "
        "CREATE TABLE keys (name TEXT PRIMARY KEY, value TEXT NOT NULL CHECK (length(value) = 64), created_at INTEGER NOT NULL) WITHOUT ROWID"},
    {4, "ALTER TABLE messages ADD COLUMN address TEXT; ALTER TABLE messages ADD COLUMN detached INTEGER NOT NULL DEFAULT 0; ALTER TABLE messages ADD COLUMN layout TEXT; "
        "CREATE TABLE journal (message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE, pos INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, "
        "PRIMARY KEY (message_id, pos)) WITHOUT ROWID; "
        "CREATE TABLE repeats (user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, key TEXT NOT NULL, body_hash TEXT NOT NULL, "
        "message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE, created_at INTEGER NOT NULL, PRIMARY KEY (user_id, key)) WITHOUT ROWID; "
        "CREATE INDEX repeats_by_message ON repeats (message_id); CREATE INDEX repeats_by_age ON repeats (created_at); "
        "CREATE TABLE rates (who TEXT PRIMARY KEY, minute INTEGER NOT NULL, requests INTEGER NOT NULL) WITHOUT ROWID; "
        "CREATE INDEX rates_by_minute ON rates (minute)"},
    {5, "ALTER TABLE conversations ADD COLUMN unread INTEGER NOT NULL DEFAULT 0; DROP INDEX conversations_by_user; "
        "CREATE INDEX conversations_by_user ON conversations (user_id, updated_at DESC, id DESC, archived, pinned); "
        "CREATE INDEX messages_answers ON messages (conversation_id, seq, status) WHERE role = 'assistant'"},
};

static const char our_tables[] = "SELECT count(*) FROM sqlite_master WHERE name IN ('users', 'conversations', 'messages')";

/* The number that a statement gives; -1: it failed. */
static int read_number(sqlite3 *connection, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int number = -1;
    if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    return number;
}

static enum outcome refuse(sqlite3 *connection, struct failure *failure, const char *doing)
{
    int code = sqlite3_errcode(connection);
    log_error("the database failed (%d, %s) while %s", sqlite3_extended_errcode(connection), sqlite3_errmsg(connection), doing);
    (void)sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL); /* fails when nothing is open: that is fine */
    return store_error(code, failure);
}

/* Not every version of SQLite syncs what VACUUM INTO makes. */
static bool sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd); /* nothing is written through it */
    return good;
}

/* Copies the file before it is changed. A copy that exists already is one of the same version: it stays. */
static enum outcome keep_copy(sqlite3 *connection, const char *path, int version, struct failure *failure)
{
    struct buf copy, part; /* written under a name of its own first: a copy that was cut short must not count */
    buf_init(&copy, 8192);
    buf_init(&part, 8192);
    buf_addf(&copy, "%s.version-%d.bak", path, version);
    buf_addf(&part, "%s.%d.part", path, (int)getpid());
    enum outcome outcome = OUTCOME_OK;
    if (buf_failed(&copy) || buf_failed(&part)) {
        outcome = fail_no_memory(failure);
    } else if (access(copy.data, F_OK) != 0) {
        sqlite3_stmt *statement = NULL;
        (void)unlink(part.data); /* left by a process that was killed; usually there is none */
        bool good = sqlite3_prepare_v2(connection, "VACUUM INTO ?1", -1, &statement, NULL) == SQLITE_OK &&
                    sqlite3_bind_text(statement, 1, part.data, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE &&
                    sync_file(part.data) && rename(part.data, copy.data) == 0;
        if (!good)
            outcome = refuse(connection, failure, "copying it before an upgrade");
        else
            log_info("the database was copied to %s before its upgrade", copy.data);
        (void)sqlite3_finalize(statement);
    }
    buf_free(&copy);
    buf_free(&part);
    return outcome;
}

static enum outcome run_steps(sqlite3 *connection, const struct upgrade_step *steps, size_t count, int version, struct failure *failure)
{
    for (int at = read_number(connection, "PRAGMA user_version"); at < version; at++) {
        const char *sql = NULL;
        for (size_t i = 0; i < count; i++)
            if (steps[i].from == at)
                sql = steps[i].sql;
        if (sql == NULL) {
            (void)sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL); /* nothing was changed */
            return fail(failure, OUTCOME_STORE, "The database has version %d, from which this program cannot upgrade.", at);
        }
        char mark[64];
        (void)snprintf(mark, sizeof mark, "PRAGMA user_version = %d", at + 1);
        if (sqlite3_exec(connection, sql, NULL, NULL, NULL) != SQLITE_OK || sqlite3_exec(connection, mark, NULL, NULL, NULL) != SQLITE_OK)
            return refuse(connection, failure, "upgrading it");
        log_info("the database was upgraded to version %d", at + 1);
    }
    return OUTCOME_OK;
}

enum outcome schema_upgrade_with(sqlite3 *connection, const char *path, const struct upgrade_step *steps, size_t count, int version,
                                 struct failure *failure)
{
    int found = read_number(connection, "PRAGMA user_version"), tables = found > 0 && found <= version ? read_number(connection, our_tables) : 3;
    if (found < 0 || tables < 0)
        return refuse(connection, failure, "reading its version");
    if (tables != 3) /* its version number says nothing */
        return fail(failure, OUTCOME_STORE, "The database file belongs to another program.");
    if (found == version)
        return OUTCOME_OK;
    if (found > version)
        return fail(failure, OUTCOME_STORE, "The database was made by a newer program (its version is %d, this program knows %d).", found, version);
    if (found > 0 && keep_copy(connection, path, found, failure) != OUTCOME_OK)
        return failure->outcome;
    if (sqlite3_exec(connection, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
        return refuse(connection, failure, "locking it");
    found = read_number(connection, "PRAGMA user_version"); /* another process may have been faster */
    tables = found == 0 ? read_number(connection, "SELECT count(*) FROM sqlite_master") : 0;
    if (found < 0 || tables < 0)
        return refuse(connection, failure, "reading its version again");
    if (tables > 0) {
        (void)sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL); /* nothing was changed */
        return fail(failure, OUTCOME_STORE, "The database file belongs to another program.");
    }
    if (found == 0 && sqlite3_exec(connection, schema, NULL, NULL, NULL) != SQLITE_OK)
        return refuse(connection, failure, "making its tables");
    if (found > 0 && run_steps(connection, steps, count, version, failure) != OUTCOME_OK)
        return failure->outcome;
    if (sqlite3_exec(connection, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return refuse(connection, failure, "storing its tables");
    return OUTCOME_OK;
}

bool schema_is_current(sqlite3 *connection)
{
    return read_number(connection, "PRAGMA user_version") == SCHEMA_VERSION && read_number(connection, our_tables) == 3;
}

enum outcome schema_upgrade(sqlite3 *connection, const char *path, struct failure *failure)
{
    return schema_upgrade_with(connection, path, steps_of_program, sizeof steps_of_program / sizeof steps_of_program[0], SCHEMA_VERSION, failure);
}
