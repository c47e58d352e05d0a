/*
 * All SQL about messages: see message.h.
 */
#include "message.h"

#include <stdio.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "db.h"
#include "search_text.h"

static const char no_random[] = "The server has no random numbers.";

/* --- the beginning of a turn -------------------------------------------------------------------------------------- */

/* Makes the conversation of a turn that names none. For a rolling one that exists, nothing happens. */
static void add_conversation(struct db *db, const struct message_begin *begin, int64_t now)
{
    struct query *query = db_query(db, "INSERT INTO conversations (public_id, user_id, rolling_for, created_at, updated_at) "
                                       "VALUES (?1, ?2, ?3, ?4, ?4) "
                                       "ON CONFLICT (user_id, rolling_for) WHERE rolling_for IS NOT NULL DO NOTHING");
    query_text(query, 1, begin->conversation);
    query_int(query, 2, begin->user);
    query_text(query, 3, begin->rolling_for);
    query_int(query, 4, now);
    (void)query_run(query);
}

/* The row and id of the turn's conversation; 0: there is none that is the user's. */
static int64_t find_conversation(struct db *db, struct message_begin *begin)
{
    struct query *query;
    if (begin->conversation_id == NULL && begin->rolling_for != NULL) {
        query = db_query(db, "SELECT id, public_id FROM conversations WHERE user_id = ?1 AND rolling_for = ?2");
        query_text(query, 2, begin->rolling_for);
    } else {
        query = db_query(db, "SELECT id, public_id FROM conversations WHERE user_id = ?1 AND public_id = ?2");
        query_text(query, 2, begin->conversation_id != NULL ? begin->conversation_id : begin->conversation);
    }
    query_int(query, 1, begin->user);
    int64_t row = 0;
    if (query_next(query)) {
        row = query_get_int(query, 0);
        (void)snprintf(begin->conversation, ID_BYTES, "%s", query_get_text(query, 1, NULL));
    }
    query_end(query);
    return row;
}

static bool has_messages(struct db *db, int64_t conversation)
{
    struct query *query = db_query(db, "SELECT 1 FROM messages WHERE conversation_id = ?1 LIMIT 1");
    query_int(query, 1, conversation);
    bool found = query_next(query);
    query_end(query);
    return found;
}

/* Adds message number `seq` of what was said before, below the one called `parent` ("": none). */
static enum outcome add_past(struct db *db, int64_t conversation, int64_t seq, const char *parent, const char *id, const struct message_past *past, int64_t now,
                             struct failure *failure)
{
    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    bool good = search_space(&spaced, past->content, past->content_len);
    struct query *query = db_query(db,
        "INSERT INTO messages (public_id, conversation_id, user_id, seq, parent_id, role, content, search_text, created_at, finished_at) "
        "SELECT ?1, c.id, c.user_id, ?2, (SELECT id FROM messages WHERE public_id = ?3), ?4, ?5, ?6, ?7, CASE WHEN ?4 = 'assistant' THEN ?7 END "
        "FROM conversations AS c WHERE c.id = ?8");
    query_text(query, 1, id);
    query_int(query, 2, seq);
    query_text(query, 3, parent);
    query_text(query, 4, past->role);
    query_bytes(query, 5, past->content, past->content_len);
    query_text(query, 6, spaced.len > 0 ? spaced.data : NULL);
    query_int(query, 7, now);
    query_int(query, 8, conversation);
    (void)query_run(query);
    buf_free(&spaced);
    return good ? OUTCOME_OK : fail_no_memory(failure);
}

/* Adds what was said before to a conversation without messages, as a line whose end is what the question follows. */
static enum outcome add_history(struct db *db, const struct message_begin *begin, int64_t conversation, int64_t now, struct failure *failure)
{
    char parent[ID_BYTES] = "", id[ID_BYTES] = "";
    for (size_t i = 0; i < begin->history_count; i++) {
        if (!id_new(id))
            return fail(failure, OUTCOME_INTERNAL, no_random);
        if (add_past(db, conversation, (int64_t)i + 1, parent, id, &begin->history[i], now, failure) != OUTCOME_OK)
            return failure->outcome;
        memcpy(parent, id, sizeof parent);
    }
    struct query *query = db_query(db, "UPDATE conversations SET leaf_id = (SELECT id FROM messages WHERE public_id = ?2) WHERE id = ?1");
    query_int(query, 1, conversation);
    query_text(query, 2, id);
    (void)query_run(query);
    return OUTCOME_OK;
}

/* Adds the question below the answer it follows, unless that answer still streams or is none of this conversation. A message without anything in it
   confirms calls of the answer: that is taken once, or the calls would be made twice. The latest message may also be a question: the last that
   a client brought along. The number of rows. */
static int add_question(struct db *db, const struct message_begin *begin, int64_t conversation, int64_t now, const char *search_text)
{
    struct query *query = db_query(db,
        "INSERT INTO messages (public_id, conversation_id, user_id, seq, parent_id, role, content, search_text, metadata, attachments, created_at) "
        "SELECT ?1, c.id, c.user_id, (SELECT coalesce(max(seq), 0) + 1 FROM messages WHERE conversation_id = c.id), "
        "  p.id, 'user', ?2, ?3, ?4, ?9, ?5 FROM conversations AS c "
        "LEFT JOIN messages AS p ON p.id = CASE WHEN ?6 IS NULL THEN c.leaf_id ELSE (SELECT id FROM messages WHERE public_id = ?6) END "
        "  AND p.conversation_id = c.id AND (p.role = 'assistant' OR ?6 IS NULL) "
        "WHERE c.id = ?7 AND (p.id IS NOT NULL OR ?6 IS 'root' OR (?6 IS NULL AND c.leaf_id IS NULL)) "
        "  AND (p.status IS NOT 'streaming' OR p.seen_at < ?8) "
        "  AND (length(?2) > 0 OR ?9 IS NOT NULL OR NOT EXISTS (SELECT 1 FROM messages AS o WHERE o.parent_id = p.id AND o.role = 'user' AND o.content = '' AND o.attachments IS NULL))");
    query_text(query, 1, begin->question);
    query_bytes(query, 2, begin->content, begin->content_len);
    query_text(query, 3, search_text);
    query_text(query, 4, begin->metadata);
    query_text(query, 9, begin->attachments);
    query_int(query, 5, now);
    query_text(query, 6, begin->parent_id);
    query_int(query, 7, conversation);
    query_int(query, 8, now - MESSAGE_LOST_AFTER_MS);
    return query_run(query);
}

/* Why add_question() added nothing. */
static enum outcome explain_refusal(struct db *db, const struct message_begin *begin, int64_t conversation, struct failure *failure)
{
    if (begin->parent_id != NULL) {
        struct query *query = db_query(db, "SELECT 1 FROM messages WHERE conversation_id = ?1 AND public_id = ?2 AND role = 'assistant'");
        query_int(query, 1, conversation);
        query_text(query, 2, begin->parent_id);
        bool found = query_next(query);
        query_end(query);
        if (!found)
            return fail(failure, OUTCOME_BAD_FIELD, "\"parent_id\" is not an answer of this conversation.");
        if (begin->content_len == 0 && begin->attachments == NULL)
            return fail(failure, OUTCOME_BAD_FIELD, "\"parent_id\" names an answer whose calls were decided about before, or one that is still being written.");
    }
    return fail(failure, OUTCOME_BUSY, "The last answer is still being written. Wait for its end, or stop it.");
}

static void add_answer(struct db *db, const struct message_begin *begin, int64_t now)
{
    struct query *query = db_query(db,
        "INSERT INTO messages (public_id, conversation_id, user_id, seq, parent_id, role, status, process, seen_at, created_at, client_id) "
        "SELECT ?1, q.conversation_id, q.user_id, q.seq + 1, q.id, 'assistant', 'streaming', ?3, ?4, ?4, ?5 FROM messages AS q WHERE q.public_id = ?2");
    query_text(query, 1, begin->answer);
    query_text(query, 2, begin->question);
    query_text(query, 3, begin->process);
    query_int(query, 4, now);
    query_text(query, 5, begin->client_id);
    (void)query_run(query);
}

/* The conversation's newest message, and its title if it has none. False: out of memory. */
static bool update_conversation(struct db *db, const struct message_begin *begin, int64_t conversation, int64_t now)
{
    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    bool good = search_space(&spaced, begin->title, strlen(begin->title));
    struct query *query = db_query(db, "UPDATE conversations SET leaf_id = (SELECT id FROM messages WHERE public_id = ?2), updated_at = ?3 WHERE id = ?1");
    query_int(query, 1, conversation);
    query_text(query, 2, begin->answer);
    query_int(query, 3, now);
    (void)query_run(query);
    query = db_query(db, "UPDATE conversations SET title = ?2, title_search = ?3 WHERE id = ?1 AND title = ''");
    query_int(query, 1, conversation);
    query_text(query, 2, begin->title);
    query_text(query, 3, spaced.len > 0 ? spaced.data : NULL);
    (void)query_run(query);
    buf_free(&spaced);
    return good;
}

enum outcome message_overloaded(struct failure *failure)
{
    enum { RETRY_AFTER_S = 5 };
    (void)fail(failure, OUTCOME_OVERLOADED, "The server is answering as many questions as it can. Please try again in a moment.");
    failure->retry_after_s = RETRY_AFTER_S;
    return OUTCOME_OVERLOADED;
}

/* Whether as many answers are being made as may be. */
static bool is_overloaded(struct db *db, int64_t max_running, int64_t now)
{
    struct query *query = db_query(db, "SELECT count(*) FROM messages WHERE status = 'streaming' AND seen_at >= ?1");
    query_int(query, 1, now - MESSAGE_LOST_AFTER_MS);
    bool overloaded = query_next(query) && query_get_int(query, 0) >= max_running;
    query_end(query);
    return overloaded;
}

static enum outcome begin_turn(struct db *db, void *arg, struct failure *failure)
{
    struct message_begin *begin = arg;
    int64_t now = clock_unix_ms();
    if (begin->max_running > 0 && is_overloaded(db, begin->max_running, now))
        return message_overloaded(failure);
    if (begin->conversation_id == NULL)
        add_conversation(db, begin, now);
    int64_t conversation = find_conversation(db, begin);
    if (db_failed(db, failure))
        return failure->outcome;
    if (conversation == 0)
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such conversation.");
    begin->is_new = !has_messages(db, conversation);
    if (begin->is_new && begin->parent_id == NULL && begin->history_count > 0 && add_history(db, begin, conversation, now, failure) != OUTCOME_OK)
        return failure->outcome;

    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    bool good = search_space(&spaced, begin->content, begin->content_len);
    int added = add_question(db, begin, conversation, now, spaced.len > 0 ? spaced.data : NULL);
    buf_free(&spaced);
    if (!good)
        return fail_no_memory(failure);
    if (db_failed(db, failure))
        return failure->outcome;
    if (added == 0)
        return explain_refusal(db, begin, conversation, failure);

    add_answer(db, begin, now);
    return update_conversation(db, begin, conversation, now) ? OUTCOME_OK : fail_no_memory(failure);
}

enum outcome message_begin_turn(struct message_begin *begin, struct failure *failure)
{
    if (!id_new(begin->conversation) || !id_new(begin->question) || !id_new(begin->answer))
        return fail(failure, OUTCOME_INTERNAL, no_random);
    return db_write(begin_turn, begin, failure);
}

/* --- the end of a turn -------------------------------------------------------------------------------------------- */

static void query_count(struct query *query, int index, int64_t count)
{
    if (count == USAGE_UNKNOWN)
        query_null(query, index);
    else
        query_int(query, index, count);
}

/* Adds what an answer used to its user's day. */
static void add_usage(struct db *db, const struct message_end *end, int64_t now)
{
    struct usage_entry whole = {end->provider, end->model, end->usage};
    struct query *query = db_query(db, "SELECT user_id FROM messages WHERE public_id = ?1");
    query_text(query, 1, end->id);
    bool found = query_next(query);
    int64_t user = found ? query_get_int(query, 0) : 0;
    query_end(query);
    if (found)
        usage_add_to_day(db, user, end->used_count > 0 ? end->used : &whole, end->used_count > 0 ? end->used_count : 1, now);
}

/* Gives the question of an answer its steps. */
static void store_question_steps(struct db *db, const struct message_end *end)
{
    struct query *query = db_query(db, "UPDATE messages SET steps = ?2 WHERE id = (SELECT parent_id FROM messages WHERE public_id = ?1) AND role = 'user'");
    query_text(query, 1, end->id);
    query_text(query, 2, end->question_steps);
    (void)query_run(query);
}

/* Gives the statement below its values. */
static void bind_end(struct query *query, const struct message_end *end, const char *search_text, int64_t now)
{
    query_text(query, 1, end->id);
    query_text(query, 2, end->process);
    query_bytes(query, 3, end->content, end->content_len);
    query_text(query, 4, search_text);
    if (end->reasoning != NULL)
        query_bytes(query, 5, end->reasoning, end->reasoning_len);
    query_text(query, 6, end->status);
    query_text(query, 7, end->model);
    query_text(query, 8, end->finish_reason);
    query_count(query, 9, end->usage.prompt_tokens);
    query_count(query, 10, end->usage.completion_tokens);
    query_count(query, 11, end->usage.cached_tokens);
    query_count(query, 12, end->usage.reasoning_tokens);
    query_text(query, 13, end->error_code);
    query_text(query, 14, end->error_message);
    query_int(query, 15, now);
    query_text(query, 16, end->provider);
    query_int(query, 17, end->usage.estimated);
    if (end->usage.cost >= 0)
        query_real(query, 18, end->usage.cost);
    query_text(query, 19, end->calls);
    query_text(query, 20, end->state);
    query_text(query, 21, end->state_wire);
    query_text(query, 22, end->events);
    query_text(query, 23, end->steps);
    query_text(query, 24, end->app_state);
}

static enum outcome end_turn(struct db *db, void *arg, struct failure *failure)
{
    const struct message_end *end = arg;
    int64_t now = clock_unix_ms();
    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    if (!search_space(&spaced, end->content, end->content_len))
        return fail_no_memory(failure);
    /* `interrupted` too: another process may have taken us for dead */
    struct query *query = db_query(db,
        "UPDATE messages SET content = ?3, search_text = ?4, reasoning = ?5, status = ?6, model = ?7, finish_reason = ?8, prompt_tokens = ?9, "
        "completion_tokens = ?10, cached_tokens = ?11, reasoning_tokens = ?12, error_code = ?13, error_message = ?14, finished_at = ?15, "
        "provider = ?16, usage_estimated = ?17, cost = ?18, calls = ?19, state = ?20, state_wire = ?21, events = ?22, steps = ?23, app_state = ?24, "
        "process = NULL, seen_at = NULL, stop = 0 "
        "WHERE public_id = ?1 AND process = ?2 AND status IN ('streaming', 'interrupted')");
    bind_end(query, end, spaced.len > 0 ? spaced.data : NULL, now);
    int changed = query_run(query);
    buf_free(&spaced);
    if (changed == 0)
        return fail(failure, OUTCOME_NOT_FOUND, "The conversation was deleted while its answer was being written.");
    query = db_query(db, "UPDATE conversations SET updated_at = ?2 WHERE id = (SELECT conversation_id FROM messages WHERE public_id = ?1)");
    query_text(query, 1, end->id);
    query_int(query, 2, now);
    (void)query_run(query);
    if (end->question_steps != NULL)
        store_question_steps(db, end);
    add_usage(db, end, now);
    return OUTCOME_OK;
}

enum outcome message_end_turn(const struct message_end *end, struct failure *failure)
{
    struct message_end copy = *end; /* db_work takes a plain pointer */
    return db_write(end_turn, &copy, failure);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

#define COLUMNS                                                                                                              \
    "m.public_id, (SELECT p.public_id FROM messages AS p WHERE p.id = m.parent_id), m.role, m.content, m.reasoning, m.status, m.model, "      \
    "m.finish_reason, m.prompt_tokens, m.completion_tokens, m.cached_tokens, m.reasoning_tokens, m.error_code, m.error_message, "            \
    "m.metadata, m.created_at, m.finished_at, m.provider, m.usage_estimated, m.cost, m.calls, m.state, m.state_wire, m.attachments, "         \
    "m.events, m.steps, m.app_state, (SELECT f.kind FROM feedback AS f WHERE f.message_id = m.id AND f.user_id = m.user_id)" /* the owner is who reads */

struct reading {
    int64_t user;
    const char *id; /* of the conversation, or of the message that the history leads to */
    int limit;
    void (*each)(void *arg, const struct message *row);
    void *arg;
    bool found_lost;
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

#define LOST                                                                                                                 \
    "FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "                                                \
    "WHERE c.user_id = ?1 AND c.public_id = ?2 AND m.status = 'streaming' AND m.seen_at < ?3"

static enum outcome look_for_lost(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db, "SELECT 1 " LOST " LIMIT 1");
    query_int(query, 1, reading->user);
    query_text(query, 2, reading->id);
    query_int(query, 3, clock_unix_ms() - MESSAGE_LOST_AFTER_MS);
    reading->found_lost = query_next(query);
    query_end(query);
    (void)failure;
    return OUTCOME_OK;
}

static enum outcome mark_lost(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db, "UPDATE messages SET status = 'interrupted', error_code = 'interrupted', "
                                       "error_message = 'The server stopped while this answer was being written.', finished_at = seen_at "
                                       "WHERE id IN (SELECT m.id " LOST ")");
    query_int(query, 1, reading->user);
    query_text(query, 2, reading->id);
    query_int(query, 3, clock_unix_ms() - MESSAGE_LOST_AFTER_MS);
    (void)query_run(query);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome message_list(int64_t user, const char *conversation_id, void (*each)(void *arg, const struct message *row), void *arg,
                          struct failure *failure)
{
    struct reading reading = {.user = user, .id = conversation_id, .each = each, .arg = arg};
    enum outcome outcome = db_read(look_for_lost, &reading, failure);
    if (outcome == OUTCOME_OK && reading.found_lost)
        (void)db_write(mark_lost, &reading, failure); /* when it cannot be marked now, it will be the next time */
    if (outcome == OUTCOME_OK)
        outcome = db_read(list, &reading, failure);
    return outcome;
}

static enum outcome history(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db,
        "WITH RECURSIVE path (id, step) AS ("
        "  SELECT m.id, 1 FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE m.public_id = ?1 AND c.user_id = ?2 "
        "  UNION ALL SELECT m.parent_id, path.step + 1 FROM path JOIN messages AS m ON m.id = path.id "
        "  WHERE m.parent_id IS NOT NULL AND path.step < ?3) "
        "SELECT " COLUMNS " FROM path JOIN messages AS m ON m.id = path.id ORDER BY path.step");
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
    query = db_query(db, "UPDATE messages SET stop = 1 WHERE conversation_id = ?1 AND status = 'streaming' AND seen_at >= ?2");
    query_int(query, 1, conversation);
    query_int(query, 2, clock_unix_ms() - MESSAGE_LOST_AFTER_MS);
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
