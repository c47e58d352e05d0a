/*
 * Statements of a connection, and its errors: see db.h. A statement stays prepared as long as its connection. The first error of a unit of work is logged and kept; what is asked
 * after it does nothing. Neighbours: db_internal.h. Leaves out: transactions (db.c), what an error is called (store_error.c).
 */
#include <string.h>

#include "../base/log.h"
#include "db_internal.h"
#include "store_error.h"

void db_note_error(struct db *db, int code, const char *doing)
{
    if (db->error != SQLITE_OK)
        return;
    db->error = sqlite3_extended_errcode(db->connection);
    if (db->error == SQLITE_OK)
        db->error = code;
    code = db->error & 0xFF;
    /* without memory too: a full-text index (FTS5 of SQLite 3.40) may keep wrong totals of its words beyond the rollback, and write them with the next commit */
    if (code == SQLITE_NOMEM || code == SQLITE_IOERR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_READONLY || code == SQLITE_CANTOPEN)
        db->broken = true;
    log_error("the database failed (%d, %s): %.200s", db->error, sqlite3_errmsg(db->connection), doing);
}

bool db_failed(struct db *db, struct failure *failure)
{
    if (db->error == SQLITE_OK)
        return false;
    (void)store_error(db->error, failure);
    return true;
}

struct query *db_query(struct db *db, const char *sql)
{
    if (db->error != SQLITE_OK)
        return NULL;
    for (size_t i = 0; i < db->query_count; i++)
        if (db->queries[i].sql == sql)
            return &db->queries[i];
    if (db->query_count == LIMIT_STATEMENTS) {
        db_note_error(db, SQLITE_ERROR, "too many statements");
        return NULL;
    }
    struct query *query = &db->queries[db->query_count];
    int code = sqlite3_prepare_v3(db->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &query->statement, NULL);
    if (code != SQLITE_OK) {
        db_note_error(db, code, sql);
        return NULL;
    }
    query->db = db;
    query->sql = sql;
    db->query_count++;
    return query;
}

static void check_bind(struct query *query, int code)
{
    if (code != SQLITE_OK)
        db_note_error(query->db, code, query->sql);
}

void query_int(struct query *query, int index, int64_t value)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_int64(query->statement, index, value));
}

void query_bytes(struct query *query, int index, const char *text, size_t len)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_text64(query->statement, index, text, len, SQLITE_STATIC, SQLITE_UTF8));
}

void query_text(struct query *query, int index, const char *text)
{
    if (text != NULL)
        query_bytes(query, index, text, strlen(text));
    else
        query_null(query, index);
}

void query_real(struct query *query, int index, double value)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_double(query->statement, index, value));
}

void query_null(struct query *query, int index)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_null(query->statement, index));
}

void query_pointer(struct query *query, int index, void *pointer, const char *type)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_pointer(query->statement, index, pointer, type, NULL));
}

bool query_next(struct query *query)
{
    if (query == NULL || query->db->error != SQLITE_OK)
        return false;
    int code = sqlite3_step(query->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        db_note_error(query->db, code, query->sql);
    return code == SQLITE_ROW;
}

int64_t query_get_int(struct query *query, int column)
{
    return sqlite3_column_int64(query->statement, column);
}

double query_get_real(struct query *query, int column)
{
    return sqlite3_column_double(query->statement, column);
}

bool query_is_null(struct query *query, int column)
{
    return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

const char *query_get_text(struct query *query, int column, size_t *len)
{
    const char *text = (const char *)sqlite3_column_text(query->statement, column);
    if (len != NULL)
        *len = (size_t)sqlite3_column_bytes(query->statement, column);
    return text;
}

void query_end(struct query *query)
{
    if (query == NULL)
        return;
    (void)sqlite3_reset(query->statement); /* repeats the error of the last step, which was noted */
    (void)sqlite3_clear_bindings(query->statement);
}

int query_run(struct query *query)
{
    (void)query_next(query);
    query_end(query);
    if (query == NULL || query->db->error != SQLITE_OK)
        return -1;
    return sqlite3_changes(query->db->connection);
}

/* --- without a result --------------------------------------------------------------------------------------------- */

bool db_run(struct db *db, const char *sql)
{
    int code = sqlite3_exec(db->connection, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        db_note_error(db, code, sql);
    return code == SQLITE_OK;
}

bool db_run_kept(struct db *db, const char *sql)
{
    (void)query_run(db_query(db, sql));
    return db->error == SQLITE_OK;
}

void db_roll_back(struct db *db)
{
    int error = db->error;
    db->error = SQLITE_OK;
    if (sqlite3_get_autocommit(db->connection) == 0)
        (void)db_run(db, "ROLLBACK");
    db->error = error;
}
