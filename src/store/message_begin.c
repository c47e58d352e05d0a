/*
 * How answers begin: a question with an empty answer, one more answer to a question, a question that comes again, an answer that goes on. See message.h; the rest is in message_end.c and message.c.
 */
#include <stdio.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "db.h"
#include "message.h"
#include "process.h"
#include "search_text.h"

static const char no_random[] = "The server has no random numbers.";

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
        "  AND p.status IS NOT 'streaming' "
        "  AND (length(?2) > 0 OR ?9 IS NOT NULL OR NOT EXISTS (SELECT 1 FROM messages AS o WHERE o.parent_id = p.id AND o.role = 'user' AND o.content = '' AND o.attachments IS NULL))");
    query_text(query, 1, begin->question);
    query_bytes(query, 2, begin->content, begin->content_len);
    query_text(query, 3, search_text);
    query_text(query, 4, begin->metadata);
    query_text(query, 9, begin->attachments);
    query_int(query, 5, now);
    query_text(query, 6, begin->parent_id);
    query_int(query, 7, conversation);
    return query_run(query);
}

static enum outcome refuse_busy(struct failure *failure)
{
    return fail(failure, OUTCOME_BUSY, "The last answer is still being written. Wait for its end, or stop it.");
}

/* Names the answer that a question would follow and that still streams. */
static void find_busy(struct db *db, struct message_begin *begin, int64_t conversation)
{
    struct query *query = db_query(db, "SELECT public_id FROM messages WHERE status = 'streaming' AND id = "
                                       "CASE WHEN ?2 IS NULL THEN (SELECT leaf_id FROM conversations WHERE id = ?1) ELSE (SELECT id FROM messages WHERE public_id = ?2) END");
    query_int(query, 1, conversation);
    query_text(query, 2, begin->parent_id);
    if (query_next(query))
        (void)snprintf(begin->busy, ID_BYTES, "%s", query_get_text(query, 0, NULL));
    query_end(query);
}

/* Why add_question() added nothing. */
static enum outcome explain_refusal(struct db *db, struct message_begin *begin, int64_t conversation, struct failure *failure)
{
    find_busy(db, begin, conversation);
    if (begin->parent_id != NULL) {
        struct query *query = db_query(db, "SELECT 1 FROM messages WHERE conversation_id = ?1 AND public_id = ?2 AND role = 'assistant'");
        query_int(query, 1, conversation);
        query_text(query, 2, begin->parent_id);
        bool found = query_next(query);
        query_end(query);
        if (!found)
            return fail(failure, OUTCOME_BAD_FIELD, "\"parent_id\" is not an answer of this conversation.");
        if (begin->busy[0] == '\0' && begin->content_len == 0 && begin->attachments == NULL)
            return fail(failure, OUTCOME_BAD_FIELD, "\"parent_id\" names an answer whose calls were decided about before, or one that is still being written.");
    }
    return refuse_busy(failure);
}

static void add_answer(struct db *db, const struct message_begin *begin, int64_t now)
{
    struct query *query = db_query(db,
        "INSERT INTO messages (public_id, conversation_id, user_id, seq, parent_id, role, status, process, seen_at, created_at, client_id, model, detached, address, metadata) "
        "SELECT ?1, q.conversation_id, q.user_id, (SELECT max(seq) + 1 FROM messages WHERE conversation_id = q.conversation_id), q.id, 'assistant', 'streaming', ?3, ?4, ?4, ?5, ?6, ?7, ?8, ?9 "
        "FROM messages AS q WHERE q.public_id = ?2");
    query_text(query, 1, begin->answer);
    query_text(query, 2, begin->question);
    query_text(query, 3, begin->process);
    query_int(query, 4, now);
    query_text(query, 5, begin->client_id);
    query_text(query, 6, begin->model);
    query_int(query, 7, begin->detached);
    query_text(query, 8, begin->address);
    query_text(query, 9, begin->regenerate != NULL ? begin->metadata : "{}");
    (void)query_run(query);
}

/* The answer is its conversation's newest message. */
static void update_leaf(struct db *db, const struct message_begin *begin, int64_t now)
{
    struct query *query = db_query(db, "UPDATE conversations SET leaf_id = m.id, updated_at = ?2, unread = 0 FROM messages AS m WHERE m.public_id = ?1 AND conversations.id = m.conversation_id");
    query_text(query, 1, begin->answer);
    query_int(query, 2, now);
    (void)query_run(query);
}

/* Gives a conversation a title if it has none. False: out of memory. */
static bool add_title(struct db *db, const struct message_begin *begin, int64_t conversation)
{
    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    bool good = search_space(&spaced, begin->title, strlen(begin->title));
    struct query *query = db_query(db, "UPDATE conversations SET title = ?2, title_search = ?3 WHERE id = ?1 AND title = ''");
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

/* --- questions that come again ------------------------------------------------------------------------------------- */

/* Finds the turn that a key began. */
static enum outcome find_repeat(struct db *db, void *arg, struct failure *failure)
{
    struct message_begin *begin = arg;
    struct query *query = db_query(db, "SELECT c.public_id, m.public_id, r.body_hash FROM repeats AS r JOIN messages AS m ON m.id = r.message_id "
                                       "JOIN conversations AS c ON c.id = m.conversation_id WHERE r.user_id = ?1 AND r.key = ?2 AND r.created_at >= ?3");
    query_int(query, 1, begin->user);
    query_text(query, 2, begin->key);
    query_int(query, 3, clock_unix_ms() - MESSAGE_REPEAT_MS);
    begin->is_repeat = query_next(query);
    bool same = !begin->is_repeat || strcmp(query_get_text(query, 2, NULL), begin->body_hash) == 0;
    if (begin->is_repeat && same) {
        (void)snprintf(begin->conversation, ID_BYTES, "%s", query_get_text(query, 0, NULL));
        (void)snprintf(begin->answer, ID_BYTES, "%s", query_get_text(query, 1, NULL));
    }
    query_end(query);
    return same ? OUTCOME_OK : fail(failure, OUTCOME_BAD_FIELD, "The Idempotency-Key came with another question before.");
}

enum outcome message_find_repeat(struct message_begin *begin, struct failure *failure)
{
    return db_read(find_repeat, begin, failure);
}

/* Remembers the key of a turn; keys that nobody will use again are forgotten. */
static void add_repeat(struct db *db, const struct message_begin *begin, int64_t now)
{
    struct query *query = db_query(db, "DELETE FROM repeats WHERE created_at < ?1 OR (user_id = ?2 AND key = ?3)");
    query_int(query, 1, now - MESSAGE_REPEAT_MS);
    query_int(query, 2, begin->user);
    query_text(query, 3, begin->key);
    (void)query_run(query);
    query = db_query(db, "INSERT INTO repeats (user_id, key, body_hash, message_id, created_at) SELECT ?1, ?2, ?3, id, ?5 FROM messages WHERE public_id = ?4");
    query_int(query, 1, begin->user);
    query_text(query, 2, begin->key);
    query_text(query, 3, begin->body_hash);
    query_text(query, 4, begin->answer);
    query_int(query, 5, now);
    (void)query_run(query);
}

/* --- how many ------------------------------------------------------------------------------------------------------ */

enum outcome message_check_taker(int64_t of_user, int64_t most_of_user, int64_t of_address, int64_t most_of_address, struct failure *failure)
{
    enum { RETRY_AFTER_S = 5 };
    bool user_is_over = most_of_user > 0 && of_user >= most_of_user, address_is_over = most_of_address > 0 && of_address >= most_of_address;
    if (!user_is_over && !address_is_over)
        return OUTCOME_OK;
    (void)fail(failure, OUTCOME_RATE_LIMITED, "No more than %lld answers are written at a time for one %s. Wait for the end of one, or stop one.",
               (long long)(user_is_over ? most_of_user : most_of_address), user_is_over ? "user" : "address");
    failure->retry_after_s = RETRY_AFTER_S;
    return OUTCOME_RATE_LIMITED;
}

/* How many answers are being made by all processes together: of all users, of this one, for this address. Those that were lost with their process take no place, also before
   anybody has found them. */
static void count_running(struct db *db, const struct message_begin *begin, int64_t now, int64_t *all, int64_t *of_user, int64_t *of_address)
{
    struct query *query = db_query(db, "SELECT process, count(*), sum(user_id = ?2), coalesce(sum(address = ?3), 0) FROM messages WHERE status = 'streaming' AND seen_at >= ?1 "
                                       "GROUP BY process");
    query_int(query, 1, now - MESSAGE_LOST_AFTER_MS);
    query_int(query, 2, begin->user);
    query_text(query, 3, begin->address);
    *all = *of_user = *of_address = 0;
    while (query_next(query)) {
        const char *process = query_get_text(query, 0, NULL);
        if (process != NULL && process_is_gone(process))
            continue;
        *all += query_get_int(query, 1);
        *of_user += query_get_int(query, 2);
        *of_address += query_get_int(query, 3);
    }
    query_end(query);
}

/* Whether there is a place for one more answer. */
static enum outcome check_place(struct db *db, const struct message_begin *begin, int64_t now, struct failure *failure)
{
    int64_t all, of_user, of_address;
    if (begin->max_running == 0 && begin->max_of_user == 0 && begin->max_of_address == 0)
        return OUTCOME_OK;
    count_running(db, begin, now, &all, &of_user, &of_address);
    if (begin->max_running > 0 && all >= begin->max_running)
        return message_overloaded(failure);
    return message_check_taker(of_user, begin->max_of_user, of_address, begin->max_of_address, failure);
}

/* Whether an answer may begin: it is no repeat of an earlier one, there is a place for it, and its user has not asked too often. */
static enum outcome check_begin(struct db *db, struct message_begin *begin, int64_t now, struct failure *failure)
{
    if (begin->key != NULL) {
        enum outcome outcome = find_repeat(db, begin, failure);
        if (outcome != OUTCOME_OK || begin->is_repeat)
            return outcome;
    }
    enum outcome outcome = check_place(db, begin, now, failure);
    return outcome == OUTCOME_OK ? rate_add(db, &begin->rate, failure) : outcome;
}

/* --- questions ----------------------------------------------------------------------------------------------------- */

/* Stores the question, its conversation and what was said before, as far as they are not there. */
static enum outcome store_question(struct db *db, struct message_begin *begin, int64_t now, struct failure *failure)
{
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
    return add_title(db, begin, conversation) ? OUTCOME_OK : fail_no_memory(failure);
}

/* Finds the question that is to be answered again: the nearest one with words, because a message without any only confirms calls, and that counts once. */
static enum outcome find_question(struct db *db, struct message_begin *begin, struct failure *failure)
{
    struct query *query = db_query(db,
        "WITH RECURSIVE path (id, parent_id, is_question, conversation, status) AS ("
        "  SELECT m.id, m.parent_id, m.role = 'user' AND m.content <> '', c.public_id, m.status FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
        "  WHERE m.public_id = ?1 AND c.user_id = ?2 AND (?3 IS NULL OR c.public_id = ?3) "
        "  UNION ALL SELECT m.id, m.parent_id, m.role = 'user' AND m.content <> '', path.conversation, path.status FROM path JOIN messages AS m ON m.id = path.parent_id WHERE NOT path.is_question) "
        "SELECT path.conversation, path.status = 'streaming', path.is_question, m.public_id FROM path JOIN messages AS m ON m.id = path.id ORDER BY path.is_question DESC LIMIT 1");
    query_text(query, 1, begin->regenerate);
    query_int(query, 2, begin->user);
    query_text(query, 3, begin->conversation_id);
    bool found = query_next(query), streams = found && query_get_int(query, 1) != 0, is_question = found && query_get_int(query, 2) != 0;
    if (found) {
        (void)snprintf(begin->conversation, ID_BYTES, "%s", query_get_text(query, 0, NULL));
        (void)snprintf(begin->question, ID_BYTES, "%s", query_get_text(query, 3, NULL));
    }
    query_end(query);
    if (streams) {
        (void)snprintf(begin->busy, ID_BYTES, "%s", begin->regenerate);
        return refuse_busy(failure);
    }
    if (!is_question)
        return found ? fail(failure, OUTCOME_BAD_FIELD, "\"regenerate\" names an answer that follows no question.") : fail(failure, OUTCOME_NOT_FOUND, "There is no such message.");
    return OUTCOME_OK;
}

static enum outcome begin_turn(struct db *db, void *arg, struct failure *failure)
{
    struct message_begin *begin = arg;
    int64_t now = clock_unix_ms();
    enum outcome outcome = check_begin(db, begin, now, failure);
    if (outcome != OUTCOME_OK || begin->is_repeat)
        return outcome;
    outcome = begin->regenerate != NULL ? find_question(db, begin, failure) : store_question(db, begin, now, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    add_answer(db, begin, now);
    if (begin->key != NULL)
        add_repeat(db, begin, now);
    update_leaf(db, begin, now);
    return OUTCOME_OK;
}

enum outcome message_begin_turn(struct message_begin *begin, struct failure *failure)
{
    if (!id_new(begin->conversation) || !id_new(begin->question) || !id_new(begin->answer))
        return fail(failure, OUTCOME_INTERNAL, no_random);
    if (rate_is_over(&begin->rate, failure))
        return OUTCOME_RATE_LIMITED;
    enum outcome outcome = db_write(begin_turn, begin, failure);
    rate_end(&begin->rate, outcome);
    return outcome;
}

/* --- an answer that goes on ---------------------------------------------------------------------------------------- */

/* Why an answer cannot go on. */
static enum outcome explain_continue(struct db *db, struct message_begin *begin, struct failure *failure)
{
    struct query *query = db_query(db, "SELECT m.status, EXISTS (SELECT 1 FROM messages AS n WHERE n.parent_id = m.id) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
                                       "WHERE m.public_id = ?1 AND c.user_id = ?2 AND (?3 IS NULL OR c.public_id = ?3)");
    query_text(query, 1, begin->answer);
    query_int(query, 2, begin->user);
    query_text(query, 3, begin->conversation_id);
    bool found = query_next(query), followed = found && query_get_int(query, 1) != 0;
    bool streams = found && strcmp(query_get_text(query, 0, NULL), "streaming") == 0;
    query_end(query);
    if (!found)
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such answer.");
    if (streams) {
        memcpy(begin->busy, begin->answer, ID_BYTES);
        return refuse_busy(failure);
    }
    return fail(failure, OUTCOME_BAD_FIELD, followed ? "\"continue\" names an answer that was followed by another message." : "\"continue\" names an answer that was not cut off.");
}

static enum outcome continue_turn(struct db *db, void *arg, struct failure *failure)
{
    struct message_begin *begin = arg;
    int64_t now = clock_unix_ms();
    enum outcome outcome = check_begin(db, begin, now, failure);
    if (outcome != OUTCOME_OK || begin->is_repeat)
        return outcome;
    struct query *query = db_query(db,
        "UPDATE messages SET status = 'streaming', process = ?4, seen_at = ?5, stop = 0, error_code = NULL, error_message = NULL, finish_reason = NULL, finished_at = NULL, detached = ?6, model = ?7, address = ?8 "
        "WHERE public_id = ?1 AND role = 'assistant' AND calls IS NULL AND (status IN ('interrupted', 'stopped', 'error') OR (status = 'done' AND finish_reason = 'length')) "
        "  AND NOT EXISTS (SELECT 1 FROM messages AS n WHERE n.parent_id = messages.id) "
        "  AND conversation_id IN (SELECT id FROM conversations WHERE user_id = ?2 AND (?3 IS NULL OR public_id = ?3))");
    query_text(query, 1, begin->answer);
    query_int(query, 2, begin->user);
    query_text(query, 3, begin->conversation_id);
    query_text(query, 4, begin->process);
    query_int(query, 5, now);
    query_int(query, 6, begin->detached);
    query_text(query, 7, begin->model);
    query_text(query, 8, begin->address);
    int changed = query_run(query);
    if (changed == 0)
        return explain_continue(db, begin, failure);
    if (begin->key != NULL)
        add_repeat(db, begin, now);
    query = db_query(db, "UPDATE conversations SET updated_at = ?2, unread = 0, leaf_id = (SELECT id FROM messages WHERE public_id = ?1) "
                         "WHERE id = (SELECT conversation_id FROM messages WHERE public_id = ?1) RETURNING public_id");
    query_text(query, 1, begin->answer);
    query_int(query, 2, now);
    if (query_next(query))
        (void)snprintf(begin->conversation, ID_BYTES, "%s", query_get_text(query, 0, NULL));
    query_end(query);
    return OUTCOME_OK;
}

enum outcome message_continue_turn(struct message_begin *begin, struct failure *failure)
{
    if (rate_is_over(&begin->rate, failure))
        return OUTCOME_RATE_LIMITED;
    enum outcome outcome = db_write(continue_turn, begin, failure);
    rate_end(&begin->rate, outcome);
    return outcome;
}
