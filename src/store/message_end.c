/*
 * How answers end: as their turn says, given up, or found to be lost. See message.h.
 */
#include "../base/buf.h"
#include "../base/clock.h"
#include "db.h"
#include "message.h"
#include "search_text.h"

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
    query_text(query, 25, end->layout);
}

/* What the journal had of an answer that is stored whole now. */
static void drop_journal(struct db *db, const char *id)
{
    struct query *query = db_query(db, "DELETE FROM journal WHERE message_id = (SELECT id FROM messages WHERE public_id = ?1)");
    query_text(query, 1, id);
    (void)query_run(query);
}

/* The conversation of an answer that has ended has something new in it. It comes to the top of the list at `now`; 0: it stays where it is. */
static void note_end(struct db *db, const char *id, int64_t now)
{
    struct query *query = db_query(db, "UPDATE conversations SET unread = 1, updated_at = coalesce(?2, updated_at) WHERE id = (SELECT conversation_id FROM messages WHERE public_id = ?1)");
    query_text(query, 1, id);
    if (now > 0)
        query_int(query, 2, now);
    (void)query_run(query);
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
        "provider = ?16, usage_estimated = ?17, cost = ?18, calls = ?19, state = ?20, state_wire = ?21, events = ?22, steps = ?23, app_state = coalesce(?24, app_state), layout = ?25, "
        "process = NULL, seen_at = NULL, stop = 0, address = NULL "
        "WHERE public_id = ?1 AND process = ?2 AND status IN ('streaming', 'interrupted')");
    bind_end(query, end, spaced.len > 0 ? spaced.data : NULL, now);
    int changed = query_run(query);
    buf_free(&spaced);
    if (changed == 0)
        return fail(failure, OUTCOME_NOT_FOUND, "The conversation was deleted while its answer was being written.");
    drop_journal(db, end->id);
    note_end(db, end->id, now);
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

struct giving_up {
    const char *id, *process;
    const struct failure *why;
};

static enum outcome give_up(struct db *db, void *arg, struct failure *failure)
{
    const struct giving_up *giving_up = arg;
    struct query *query = db_query(db, "UPDATE messages SET status = 'error', error_code = ?3, error_message = ?4, finished_at = ?5, process = NULL, seen_at = NULL, stop = 0, "
                                       "address = NULL WHERE public_id = ?1 AND process = ?2 AND status = 'streaming'");
    query_text(query, 1, giving_up->id);
    query_text(query, 2, giving_up->process);
    query_text(query, 3, outcome_code(giving_up->why->outcome));
    query_text(query, 4, giving_up->why->message);
    query_int(query, 5, clock_unix_ms());
    if (query_run(query) > 0)
        note_end(db, giving_up->id, 0);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome message_give_up(const char *id, const char *process, const struct failure *why, struct failure *failure)
{
    struct giving_up giving_up = {id, process, why};
    return db_write(give_up, &giving_up, failure);
}

/* --- lost answers -------------------------------------------------------------------------------------------------- */

static enum outcome mark_lost(struct db *db, void *arg, struct failure *failure)
{
    const struct message_lost *lost = arg;
    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    if (!search_space(&spaced, lost->content, lost->content_len))
        return fail_no_memory(failure);
    struct query *query = db_query(db,
        "UPDATE messages SET status = 'interrupted', content = ?5, search_text = ?6, reasoning = ?7, events = ?8, layout = ?9, error_code = ?10, error_message = ?11, steps = coalesce(?12, steps), "
        "finished_at = seen_at, stop = 0, address = NULL WHERE public_id = ?1 AND user_id = ?2 AND process = ?3 AND seen_at = ?4 AND status = 'streaming'");
    query_text(query, 1, lost->id);
    query_int(query, 2, lost->user);
    query_text(query, 3, lost->process);
    query_int(query, 4, lost->seen_at);
    query_bytes(query, 5, lost->content, lost->content_len);
    query_text(query, 6, spaced.len > 0 ? spaced.data : NULL);
    if (lost->reasoning != NULL)
        query_bytes(query, 7, lost->reasoning, lost->reasoning_len);
    query_text(query, 8, lost->events);
    query_text(query, 9, lost->layout);
    query_text(query, 10, lost->error_code);
    query_text(query, 11, lost->error_message);
    query_text(query, 12, lost->steps);
    if (query_run(query) > 0) {
        drop_journal(db, lost->id);
        note_end(db, lost->id, 0);
    }
    buf_free(&spaced);
    return OUTCOME_OK;
}

enum outcome message_mark_lost(const struct message_lost *lost, struct failure *failure)
{
    struct message_lost copy = *lost; /* db_work takes a plain pointer */
    return db_write(mark_lost, &copy, failure);
}
