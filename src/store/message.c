/*
 * Messages as they are: reading them, and the few that are being written. See message.h; how answers begin and end is in message_begin.c and message_end.c.
 */
#include "message.h"

#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "db.h"
#include "message_internal.h"

#define COLUMNS                                                                                                              \
    "m.public_id, (SELECT p.public_id FROM messages AS p WHERE p.id = m.parent_id), m.role, m.content, m.reasoning, m.status, m.model, "      \
    "m.finish_reason, m.prompt_tokens, m.completion_tokens, m.cached_tokens, m.reasoning_tokens, m.error_code, m.error_message, "            \
    "m.metadata, m.created_at, m.finished_at, m.provider, m.usage_estimated, m.cost, m.calls, m.state, m.state_wire, m.attachments, "         \
    "m.events, m.steps, m.app_state, (SELECT f.kind FROM feedback AS f WHERE f.message_id = m.id AND f.user_id = m.user_id), " /* the owner is who reads */ \
    "c.public_id, m.process, m.seen_at, m.layout"

struct reading {
    int64_t user;
    const char *id; /* of the conversation, or of the message that the history leads to */
    int limit;
    void (*each)(void *arg, const struct message *row);
    void *arg;
};

static int64_t get_count(struct query *query, int column)
{
    return query_is_null(query, column) ? USAGE_UNKNOWN : query_get_int(query, column);
}

static void read_rows(struct query *query, const struct reading *reading)
{
    while (query_next(query)) {
        struct message row = {0};
        row.id = query_get_text(query, 0, NULL);
        row.parent_id = query_get_text(query, 1, NULL);
        row.role = query_get_text(query, 2, NULL);
        row.content = query_get_text(query, 3, &row.content_len);
        row.reasoning = query_get_text(query, 4, NULL);
        row.status = query_get_text(query, 5, NULL);
        row.model = query_get_text(query, 6, NULL);
        row.finish_reason = query_get_text(query, 7, NULL);
        row.usage = (struct usage){get_count(query, 8), get_count(query, 9), get_count(query, 10), get_count(query, 11), query_get_int(query, 18) != 0,
                                   query_is_null(query, 19) ? -1 : query_get_real(query, 19)};
        row.error_code = query_get_text(query, 12, NULL);
        row.error_message = query_get_text(query, 13, NULL);
        row.metadata = query_get_text(query, 14, NULL);
        row.created_at = query_get_int(query, 15);
        row.finished_at = query_get_int(query, 16);
        row.provider = query_get_text(query, 17, NULL);
        row.calls = query_get_text(query, 20, NULL);
        row.state = query_get_text(query, 21, NULL);
        row.state_wire = query_get_text(query, 22, NULL);
        row.attachments = query_get_text(query, 23, NULL);
        row.events = query_get_text(query, 24, NULL);
        row.steps = query_get_text(query, 25, NULL);
        row.app_state = query_get_text(query, 26, NULL);
        row.feedback = query_get_text(query, 27, NULL);
        row.conversation = query_get_text(query, 28, NULL);
        row.process = query_get_text(query, 29, NULL);
        row.seen_at = query_get_int(query, 30);
        row.layout = query_get_text(query, 31, NULL);
        reading->each(reading->arg, &row);
    }
    query_end(query);
}

static enum outcome list(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db, "SELECT " COLUMNS " FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
                                       "WHERE c.user_id = ?1 AND c.public_id = ?2 ORDER BY m.seq");
    query_int(query, 1, reading->user);
    query_text(query, 2, reading->id);
    read_rows(query, reading);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome message_list(int64_t user, const char *conversation_id, void (*each)(void *arg, const struct message *row), void *arg,
                          struct failure *failure)
{
    struct reading reading = {.user = user, .id = conversation_id, .each = each, .arg = arg};
    return db_read(list, &reading, failure);
}

static enum outcome list_running(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db, "SELECT " COLUMNS " FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
                                       "WHERE c.user_id = ?1 AND c.public_id = ?2 AND m.status = 'streaming' ORDER BY m.seq");
    query_int(query, 1, reading->user);
    query_text(query, 2, reading->id);
    read_rows(query, reading);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome message_list_running(int64_t user, const char *conversation_id, void (*each)(void *arg, const struct message *row), void *arg, struct failure *failure)
{
    struct reading reading = {.user = user, .id = conversation_id, .each = each, .arg = arg};
    return db_read(list_running, &reading, failure);
}

void message_read_one(struct db *db, int64_t user, const char *id, void (*each)(void *arg, const struct message *row), void *arg)
{
    struct reading reading = {.each = each, .arg = arg};
    struct query *query = db_query(db, "SELECT " COLUMNS " FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE m.public_id = ?1 AND c.user_id = ?2");
    query_text(query, 1, id);
    query_int(query, 2, user);
    read_rows(query, &reading);
}

struct finding {
    int64_t user;
    const char *conversation_id;
    char *id;
};

static enum outcome find_stream(struct db *db, void *arg, struct failure *failure)
{
    const struct finding *finding = arg;
    struct query *query = db_query(db, "SELECT id FROM conversations WHERE user_id = ?1 AND public_id = ?2");
    query_int(query, 1, finding->user);
    query_text(query, 2, finding->conversation_id);
    int64_t conversation = query_next(query) ? query_get_int(query, 0) : 0;
    query_end(query);
    if (conversation == 0)
        return db_failed(db, failure) ? failure->outcome : fail(failure, OUTCOME_NOT_FOUND, "There is no such conversation.");
    query = db_query(db, "SELECT public_id, status = 'streaming', detached FROM messages WHERE conversation_id = ?1 AND role = 'assistant' ORDER BY status = 'streaming' DESC, seq DESC LIMIT 1");
    query_int(query, 1, conversation);
    finding->id[0] = '\0';
    if (query_next(query) && (query_get_int(query, 1) != 0 || query_get_int(query, 2) != 0))
        (void)snprintf(finding->id, ID_BYTES, "%s", query_get_text(query, 0, NULL));
    query_end(query);
    return OUTCOME_OK;
}

enum outcome message_find_stream(int64_t user, const char *conversation_id, char id[ID_BYTES], struct failure *failure)
{
    struct finding finding = {user, conversation_id, id};
    return db_read(find_stream, &finding, failure);
}

static enum outcome history(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db,
        "WITH RECURSIVE path (id, step) AS ("
        "  SELECT m.id, 1 FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE m.public_id = ?1 AND c.user_id = ?2 "
        "  UNION ALL SELECT m.parent_id, path.step + 1 FROM path JOIN messages AS m ON m.id = path.id "
        "  WHERE m.parent_id IS NOT NULL AND path.step < ?3) "
        "SELECT " COLUMNS " FROM path JOIN messages AS m ON m.id = path.id JOIN conversations AS c ON c.id = m.conversation_id ORDER BY path.step");
    query_text(query, 1, reading->id);
    query_int(query, 2, reading->user);
    query_int(query, 3, reading->limit);
    read_rows(query, reading);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome message_history(int64_t user, const char *id, int limit, void (*each)(void *arg, const struct message *row), void *arg,
                             struct failure *failure)
{
    struct reading reading = {.user = user, .id = id, .limit = limit, .each = each, .arg = arg};
    return db_read(history, &reading, failure);
}

/* --- running answers ---------------------------------------------------------------------------------------------- */

struct stopping {
    int64_t user;
    const char *conversation_id, *process;
    int running;
    void (*each)(void *arg, const char *id);
    void *arg;
};

static enum outcome ask_stop(struct db *db, void *arg, struct failure *failure)
{
    struct stopping *stopping = arg;
    struct query *query = db_query(db, "SELECT id FROM conversations WHERE user_id = ?1 AND public_id = ?2");
    query_int(query, 1, stopping->user);
    query_text(query, 2, stopping->conversation_id);
    int64_t conversation = query_next(query) ? query_get_int(query, 0) : 0;
    query_end(query);
    if (conversation == 0)
        return db_failed(db, failure) ? failure->outcome : fail(failure, OUTCOME_NOT_FOUND, "There is no such conversation.");
    query = db_query(db, "UPDATE messages SET stop = 1 WHERE conversation_id = ?1 AND status = 'streaming'");
    query_int(query, 1, conversation);
    stopping->running = query_run(query);
    return OUTCOME_OK;
}

enum outcome message_ask_stop(int64_t user, const char *conversation_id, int *running, struct failure *failure)
{
    struct stopping stopping = {.user = user, .conversation_id = conversation_id};
    enum outcome outcome = db_write(ask_stop, &stopping, failure);
    *running = stopping.running;
    return outcome;
}

struct answers {
    const char (*ids)[ID_BYTES];
    size_t count;
    void (*each)(void *arg, const char *id);
    void *arg;
};

static enum outcome heartbeat(struct db *db, void *arg, struct failure *failure)
{
    const struct answers *answers = arg;
    int64_t now = clock_unix_ms();
    for (size_t i = 0; i < answers->count; i++) {
        struct query *query = db_query(db, "UPDATE messages SET seen_at = ?2 WHERE public_id = ?1 AND status = 'streaming'");
        query_text(query, 1, answers->ids[i]);
        query_int(query, 2, now);
        (void)query_run(query);
    }
    (void)failure;
    return OUTCOME_OK;
}

enum outcome message_heartbeat(const char (*ids)[ID_BYTES], size_t count, struct failure *failure)
{
    struct answers answers = {.ids = ids, .count = count};
    return db_write(heartbeat, &answers, failure);
}

static enum outcome stops(struct db *db, void *arg, struct failure *failure)
{
    struct stopping *stopping = arg;
    struct query *query = db_query(db, "SELECT public_id, stop FROM messages WHERE status = 'streaming' AND process = ?1");
    query_text(query, 1, stopping->process);
    for (; query_next(query); stopping->running++)
        if (query_get_int(query, 1) != 0)
            stopping->each(stopping->arg, query_get_text(query, 0, NULL));
    query_end(query);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome message_stops(const char *process, void (*each)(void *arg, const char *id), void *arg, int *running, struct failure *failure)
{
    struct stopping stopping = {.process = process, .each = each, .arg = arg};
    enum outcome outcome = db_read(stops, &stopping, failure);
    *running = stopping.running;
    return outcome;
}

static enum outcome deleted(struct db *db, void *arg, struct failure *failure)
{
    const struct answers *answers = arg;
    for (size_t i = 0; i < answers->count; i++) {
        struct query *query = db_query(db, "SELECT 1 FROM messages WHERE public_id = ?1");
        query_text(query, 1, answers->ids[i]);
        bool there = query_next(query);
        query_end(query);
        if (db_failed(db, failure))
            return failure->outcome;
        if (!there)
            answers->each(answers->arg, answers->ids[i]);
    }
    return OUTCOME_OK;
}

enum outcome message_deleted(const char (*ids)[ID_BYTES], size_t count, void (*each)(void *arg, const char *id), void *arg, struct failure *failure)
{
    struct answers answers = {ids, count, each, arg};
    return db_read(deleted, &answers, failure);
}
