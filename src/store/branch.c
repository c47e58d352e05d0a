/*
 * All SQL about branches: see branch.h.
 */
#include "branch.h"

#include <string.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/mem.h"
#include "db.h"
#include "search_text.h"

static const char no_such[] = "There is no such message.";

/* --- copied ------------------------------------------------------------------------------------------------------- */

/* The messages from the root of a branch to its end, by their rows. */
struct line {
    int64_t *rows;
    size_t count, room;
};

struct forking {
    int64_t user;
    const struct branch_fork *fork;
    char *id;
    struct line line;
};

static bool add_row(struct line *line, int64_t row)
{
    if (line->rows == NULL || line->count == line->room) {
        size_t room = line->room > 0 ? line->room * 2 : 64;
        int64_t *more = mem_resize(line->rows, room * sizeof *more);
        if (more == NULL)
            return false;
        line->rows = more;
        line->room = room;
    }
    line->rows[line->count++] = row;
    return true;
}

/* Fills the line. OUTCOME_NOT_FOUND: there is no such message of the user's; OUTCOME_BUSY: one of it is being written. */
static enum outcome read_line(struct db *db, struct forking *forking, struct failure *failure)
{
    bool good = true, streams = false;
    struct query *query = db_query(db,
        "WITH RECURSIVE path (id, step) AS (SELECT id, 1 FROM messages WHERE public_id = ?2 AND user_id = ?1 "
        "  UNION ALL SELECT m.parent_id, path.step + 1 FROM path JOIN messages AS m ON m.id = path.id WHERE m.parent_id IS NOT NULL) "
        "SELECT m.id, m.status = 'streaming' FROM path JOIN messages AS m ON m.id = path.id ORDER BY path.step DESC");
    query_int(query, 1, forking->user);
    query_text(query, 2, forking->fork->message);
    for (forking->line.count = 0; good && query_next(query);) {
        good = add_row(&forking->line, query_get_int(query, 0));
        streams = streams || query_get_int(query, 1) != 0;
    }
    query_end(query);
    if (!good)
        return fail_no_memory(failure);
    if (streams)
        return fail(failure, OUTCOME_BUSY, "The answer is still being written. Wait for its end, or stop it.");
    return forking->line.count > 0 ? OUTCOME_OK : fail(failure, OUTCOME_NOT_FOUND, no_such);
}

/* Makes the conversation: the row of it, 0 after an error. */
static int64_t add_conversation(struct db *db, const struct forking *forking, const char *title_search)
{
    struct query *query = db_query(db,
        "INSERT INTO conversations (public_id, user_id, title, title_search, metadata, created_at, updated_at) "
        "SELECT ?3, c.user_id, coalesce(?4, c.title), CASE WHEN ?4 IS NULL THEN c.title_search ELSE ?5 END, coalesce(?6, c.metadata), ?7, ?7 "
        "FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE m.public_id = ?2 AND c.user_id = ?1 RETURNING id");
    query_int(query, 1, forking->user);
    query_text(query, 2, forking->fork->message);
    query_text(query, 3, forking->id);
    query_text(query, 4, forking->fork->title);
    query_text(query, 5, title_search);
    query_text(query, 6, forking->fork->metadata);
    query_int(query, 7, clock_unix_ms());
    int64_t row = query_next(query) ? query_get_int(query, 0) : 0;
    query_end(query);
    return row;
}

/* Copies a message to the end of the new conversation, whose last one so far is `parent` (0: none): the row of the copy, 0 after an error. What belongs to the making of an answer and
   not to what it says is left behind: the process, the id that a client gave it, what users think of it, its place in usage_days. */
static int64_t copy_message(struct db *db, const struct forking *forking, int64_t conversation, size_t at, int64_t parent, const char *id)
{
    struct query *query = db_query(db,
        "INSERT INTO messages (public_id, conversation_id, user_id, seq, parent_id, role, content, search_text, status, provider, model, finish_reason, prompt_tokens, completion_tokens, cached_tokens, "
        "  reasoning_tokens, usage_estimated, cost, calls, state, state_wire, events, steps, app_state, reasoning, error_code, error_message, metadata, attachments, layout, created_at, finished_at) "
        "SELECT ?3, ?4, m.user_id, ?5, ?6, m.role, m.content, m.search_text, m.status, m.provider, m.model, m.finish_reason, m.prompt_tokens, m.completion_tokens, m.cached_tokens, "
        "  m.reasoning_tokens, m.usage_estimated, m.cost, m.calls, m.state, m.state_wire, m.events, m.steps, m.app_state, m.reasoning, m.error_code, m.error_message, m.metadata, m.attachments, m.layout, "
        "  m.created_at, m.finished_at FROM messages AS m WHERE m.id = ?2 AND m.user_id = ?1 RETURNING id");
    query_int(query, 1, forking->user);
    query_int(query, 2, forking->line.rows[at]);
    query_text(query, 3, id);
    query_int(query, 4, conversation);
    query_int(query, 5, (int64_t)at + 1);
    if (parent > 0)
        query_int(query, 6, parent);
    int64_t row = query_next(query) ? query_get_int(query, 0) : 0;
    query_end(query);
    return row;
}

static enum outcome copy_line(struct db *db, const struct forking *forking, const char *title_search, struct failure *failure)
{
    int64_t conversation = add_conversation(db, forking, title_search), last = 0;
    char id[ID_BYTES];
    for (size_t i = 0; i < forking->line.count && !db_failed(db, failure); i++) {
        if (!id_new(id))
            return fail(failure, OUTCOME_INTERNAL, "The server has no random numbers.");
        last = copy_message(db, forking, conversation, i, last, id);
    }
    struct query *query = db_query(db, "UPDATE conversations SET leaf_id = ?3 WHERE id = ?2 AND user_id = ?1");
    query_int(query, 1, forking->user);
    query_int(query, 2, conversation);
    query_int(query, 3, last);
    (void)query_run(query);
    return OUTCOME_OK;
}

static enum outcome fork_branch(struct db *db, void *arg, struct failure *failure)
{
    struct forking *forking = arg;
    const char *title = forking->fork->title;
    if (read_line(db, forking, failure) != OUTCOME_OK)
        return failure->outcome;
    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    bool good = title == NULL || search_space(&spaced, title, strlen(title));
    enum outcome outcome = good ? copy_line(db, forking, spaced.len > 0 ? spaced.data : NULL, failure) : fail_no_memory(failure);
    buf_free(&spaced);
    return outcome;
}

enum outcome branch_fork(int64_t user, const struct branch_fork *fork, char id[ID_BYTES], struct failure *failure)
{
    struct forking forking = {.user = user, .fork = fork, .id = id};
    if (!id_new(id))
        return fail(failure, OUTCOME_INTERNAL, "The server has no random numbers.");
    enum outcome outcome = db_write(fork_branch, &forking, failure);
    mem_free(forking.line.rows);
    return outcome;
}

/* --- deleted ------------------------------------------------------------------------------------------------------ */

struct cutting {
    int64_t user;
    const char *conversation, *message;
};

/* Takes the messages away. With the one that is open its conversation forgets which that was (ON DELETE SET NULL). */
static void delete_below(struct db *db, int64_t user, int64_t message)
{
    struct query *query = db_query(db,
        "WITH RECURSIVE path (id) AS (SELECT ?2 UNION ALL SELECT m.id FROM path JOIN messages AS m ON m.parent_id = path.id) "
        "DELETE FROM messages WHERE id IN (SELECT id FROM path) AND user_id = ?1");
    query_int(query, 1, user);
    query_int(query, 2, message);
    (void)query_run(query);
}

/* Opens what is next to what was deleted, when that was open: down from the newest message that followed the same parent (0: none), always the newest; or the parent itself. */
static void open_next(struct db *db, int64_t user, int64_t conversation, int64_t parent)
{
    struct query *query = db_query(db,
        "UPDATE conversations SET unread = 0, leaf_id = coalesce(leaf_id, ("
        "  WITH RECURSIVE path (id, step) AS ("
        "    SELECT (SELECT s.id FROM messages AS s WHERE s.conversation_id = ?2 AND +s.parent_id IS ?3 ORDER BY s.seq DESC LIMIT 1), 1 " /* +: not by the index, which has the roots of all */
        "    UNION ALL SELECT (SELECT m.id FROM messages AS m WHERE m.parent_id = path.id ORDER BY m.seq DESC LIMIT 1), path.step + 1 FROM path WHERE path.id IS NOT NULL) "
        "  SELECT path.id FROM path WHERE path.id IS NOT NULL ORDER BY path.step DESC LIMIT 1), ?3) "
        "WHERE id = ?2 AND user_id = ?1");
    query_int(query, 1, user);
    query_int(query, 2, conversation);
    if (parent > 0)
        query_int(query, 3, parent);
    (void)query_run(query);
}

static enum outcome cut(struct db *db, void *arg, struct failure *failure)
{
    const struct cutting *cutting = arg;
    struct query *query = db_query(db, "SELECT m.id, m.conversation_id, m.parent_id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
                                       "WHERE m.public_id = ?3 AND c.public_id = ?2 AND c.user_id = ?1");
    query_int(query, 1, cutting->user);
    query_text(query, 2, cutting->conversation);
    query_text(query, 3, cutting->message);
    bool found = query_next(query);
    int64_t message = found ? query_get_int(query, 0) : 0, conversation = found ? query_get_int(query, 1) : 0, parent = found ? query_get_int(query, 2) : 0;
    query_end(query);
    if (!found)
        return db_failed(db, failure) ? failure->outcome : fail(failure, OUTCOME_NOT_FOUND, no_such);
    delete_below(db, cutting->user, message);
    open_next(db, cutting->user, conversation, parent);
    return OUTCOME_OK;
}

enum outcome branch_delete(int64_t user, const char *conversation, const char *message, struct failure *failure)
{
    struct cutting cutting = {user, conversation, message};
    return db_write_less(cut, &cutting, failure);
}
