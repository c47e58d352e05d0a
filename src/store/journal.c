/*
 * All SQL about the journal: see journal.h.
 */
#include "journal.h"

#include "db.h"
#include "message_internal.h"

struct adding {
    const struct journal_row *rows;
    size_t count;
    const char *process;
};

static enum outcome add(struct db *db, void *arg, struct failure *failure)
{
    const struct adding *adding = arg;
    for (size_t i = 0; i < adding->count; i++) {
        const struct journal_row *row = &adding->rows[i];
        struct query *query = db_query(db, "INSERT OR IGNORE INTO journal (message_id, pos, kind, data) "
                                           "SELECT id, ?3, ?4, ?5 FROM messages WHERE public_id = ?1 AND process = ?2 AND status = 'streaming'");
        query_text(query, 1, row->message);
        query_text(query, 2, adding->process);
        query_int(query, 3, row->pos);
        query_text(query, 4, row->kind);
        query_bytes(query, 5, row->data, row->len);
        (void)query_run(query);
    }
    (void)failure;
    return OUTCOME_OK;
}

enum outcome journal_add(const struct journal_row *rows, size_t count, const char *process, struct failure *failure)
{
    struct adding adding = {rows, count, process};
    return db_write(add, &adding, failure);
}

struct reading {
    int64_t user;
    const char *id;
    int64_t pos;
    void (*message)(void *arg, const struct message *row);
    void (*each)(void *arg, const struct journal_row *row);
    void *arg;
    bool found;
};

static void take_message(void *arg, const struct message *row)
{
    struct reading *reading = arg;
    reading->found = true;
    reading->message(reading->arg, row);
}

static enum outcome read_journal(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    message_read_one(db, reading->user, reading->id, take_message, reading);
    if (!reading->found)
        return db_failed(db, failure) ? failure->outcome : fail(failure, OUTCOME_NOT_FOUND, "There is no such answer.");
    struct query *query = db_query(db, "SELECT j.pos, j.kind, j.data FROM messages AS m JOIN journal AS j ON j.message_id = m.id "
                                       "WHERE m.public_id = ?1 AND m.user_id = ?2 AND m.status = 'streaming' AND j.pos >= ?3 ORDER BY j.pos");
    query_text(query, 1, reading->id);
    query_int(query, 2, reading->user);
    query_int(query, 3, reading->pos);
    while (query_next(query)) {
        struct journal_row row = {.pos = query_get_int(query, 0), .kind = query_get_text(query, 1, NULL)};
        row.data = query_get_text(query, 2, &row.len);
        reading->each(reading->arg, &row);
    }
    query_end(query);
    return OUTCOME_OK;
}

enum outcome journal_read(int64_t user, const char *id, int64_t pos, void (*message)(void *arg, const struct message *row), void (*each)(void *arg, const struct journal_row *row),
                          void *arg, struct failure *failure)
{
    struct reading reading = {.user = user, .id = id, .pos = pos, .message = message, .each = each, .arg = arg};
    return db_read(read_journal, &reading, failure);
}
