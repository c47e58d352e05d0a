/*
 * All SQL about feedback: see feedback.h.
 */
#include "feedback.h"

#include <stdio.h>

#include "../base/clock.h"
#include "db.h"

struct setting {
    int64_t user;
    const char *message_id, *kind, *payload;
    char *conversation;
};

/* The row of an answer that `query` finds, 0 for none; its conversation's id is kept. */
static int64_t read_answer(struct query *query, const struct setting *setting)
{
    int64_t row = 0;
    query_int(query, 1, setting->user);
    query_text(query, 2, setting->message_id);
    if (query_next(query)) {
        row = query_get_int(query, 0);
        (void)snprintf(setting->conversation, ID_BYTES, "%s", query_get_text(query, 1, NULL));
    }
    query_end(query);
    return row;
}

static int64_t find_answer(struct db *db, const struct setting *setting)
{
    int64_t row = read_answer(db_query(db, "SELECT m.id, c.public_id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
                                           "WHERE m.user_id = ?1 AND m.public_id = ?2 AND m.role = 'assistant'"), setting);
    if (row == 0)
        row = read_answer(db_query(db, "SELECT m.id, c.public_id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
                                       "WHERE m.user_id = ?1 AND m.client_id = ?2 AND m.role = 'assistant' ORDER BY m.id DESC LIMIT 1"), setting);
    return row;
}

static enum outcome set(struct db *db, void *arg, struct failure *failure)
{
    const struct setting *setting = arg;
    int64_t answer = find_answer(db, setting);
    if (answer == 0)
        return db_failed(db, failure) ? failure->outcome : fail(failure, OUTCOME_NOT_FOUND, "There is no such message.");
    struct query *query = db_query(db, "INSERT INTO feedback (user_id, conversation_id, message_id, kind, payload, created_at) "
                                       "SELECT user_id, conversation_id, id, ?3, coalesce(?4, '{}'), ?5 FROM messages WHERE id = ?1 AND user_id = ?2 "
                                       "ON CONFLICT (message_id, user_id) DO UPDATE SET kind = excluded.kind, payload = excluded.payload, created_at = excluded.created_at");
    query_int(query, 1, answer);
    query_int(query, 2, setting->user);
    query_text(query, 3, setting->kind);
    query_text(query, 4, setting->payload);
    query_int(query, 5, clock_unix_ms());
    (void)query_run(query);
    return OUTCOME_OK;
}

enum outcome feedback_set(int64_t user, const char *message_id, const char *kind, const char *payload, char conversation[ID_BYTES], struct failure *failure)
{
    struct setting setting = {user, message_id, kind, payload, conversation};
    conversation[0] = '\0';
    return db_write(set, &setting, failure);
}
