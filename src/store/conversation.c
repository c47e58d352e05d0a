/*
 * All SQL about conversations: see conversation.h.
 */
#include "conversation.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/buf.h"
#include "../base/limits.h"
#include "db.h"
#include "search_text.h"

#define COLUMNS "c.id, c.public_id, c.title, c.metadata, c.pinned, c.archived, c.created_at, c.updated_at"

static const char no_such[] = "There is no such conversation.";

struct reading {
    int64_t user;
    const char *id;
    const struct conversation_cursor *before;
    int limit;
    const char *match; /* FTS5 expression, NULL: no search */
    void (*each)(void *arg, const struct conversation *row);
    void *arg;
};

static struct conversation read_row(struct query *query)
{
    return (struct conversation){
        .row = query_get_int(query, 0),
        .id = query_get_text(query, 1, NULL),
        .title = query_get_text(query, 2, NULL),
        .metadata = query_get_text(query, 3, NULL),
        .pinned = query_get_int(query, 4) != 0,
        .archived = query_get_int(query, 5) != 0,
        .created_at = query_get_int(query, 6),
        .updated_at = query_get_int(query, 7),
    };
}

static enum outcome list(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query;
    if (reading->match == NULL)
        query = db_query(db, "SELECT " COLUMNS " FROM conversations AS c "
                             "WHERE c.user_id = ?1 AND (c.updated_at, c.id) < (?2, ?3) "
                             "ORDER BY c.updated_at DESC, c.id DESC LIMIT ?4");
    else
        query = db_query(db, "SELECT " COLUMNS " FROM conversations AS c "
                             "WHERE c.user_id = ?1 AND (c.updated_at, c.id) < (?2, ?3) "
                             "AND c.id IN (SELECT (rowid >> 18) & 33554431 FROM search_index WHERE search_index MATCH ?5 "
                             "             AND rowid BETWEEN ?1 << 43 AND (?1 << 43) | 8796093022207) "
                             "ORDER BY c.updated_at DESC, c.id DESC LIMIT ?4");
    query_int(query, 1, reading->user);
    query_int(query, 2, reading->before != NULL ? reading->before->updated_at : INT64_MAX);
    query_int(query, 3, reading->before != NULL ? reading->before->row : INT64_MAX);
    query_int(query, 4, reading->limit);
    if (reading->match != NULL)
        query_text(query, 5, reading->match);
    while (query_next(query)) {
        struct conversation row = read_row(query);
        reading->each(reading->arg, &row);
    }
    query_end(query);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome conversation_list(int64_t user, const struct conversation_cursor *before, int limit, const char *search,
                               void (*each)(void *arg, const struct conversation *row), void *arg, struct failure *failure)
{
    struct reading reading = {.user = user, .before = before, .limit = limit, .each = each, .arg = arg};
    struct buf match;
    buf_init(&match, 16 * LIMIT_QUERY_VALUE_BYTES);
    if (search != NULL) {
        search_match(&match, search);
        if (buf_failed(&match))
            return fail_no_memory(failure);
        reading.match = match.data;
    }
    enum outcome outcome = OUTCOME_OK;
    if (search == NULL || match.len > 0) /* a search without a word finds nothing */
        outcome = db_read(list, &reading, failure);
    buf_free(&match);
    return outcome;
}

static enum outcome get(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db, "SELECT " COLUMNS " FROM conversations AS c WHERE c.user_id = ?1 AND c.public_id = ?2");
    query_int(query, 1, reading->user);
    query_text(query, 2, reading->id);
    bool found = query_next(query);
    if (found) {
        struct conversation row = read_row(query);
        reading->each(reading->arg, &row);
    }
    query_end(query);
    return found ? OUTCOME_OK : fail(failure, OUTCOME_NOT_FOUND, no_such);
}

enum outcome conversation_get(int64_t user, const char *id, void (*each)(void *arg, const struct conversation *row), void *arg,
                              struct failure *failure)
{
    struct reading reading = {.user = user, .id = id, .each = each, .arg = arg};
    return db_read(get, &reading, failure);
}

struct adding {
    int64_t user;
    const char *id, *title, *metadata;
};

/* Binds a title and the text that is searched for it. The buffer must live until the query has run. False: out of memory. */
static bool query_title(struct query *query, int index, const char *title, struct buf *spaced)
{
    bool good = search_space(spaced, title, strlen(title));
    query_text(query, index, title);
    query_text(query, index + 1, spaced->len > 0 ? spaced->data : NULL);
    return good;
}

static enum outcome add(struct db *db, void *arg, struct failure *failure)
{
    const struct adding *adding = arg;
    struct query *query = db_query(db, "INSERT INTO conversations (public_id, user_id, title, title_search, metadata, created_at, updated_at) "
                                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)");
    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    query_text(query, 1, adding->id);
    query_int(query, 2, adding->user);
    bool good = query_title(query, 3, adding->title, &spaced);
    query_text(query, 5, adding->metadata);
    query_int(query, 6, clock_unix_ms());
    (void)query_run(query);
    buf_free(&spaced);
    return good ? OUTCOME_OK : fail_no_memory(failure);
}

enum outcome conversation_add(int64_t user, const char *title, const char *metadata, char id[ID_BYTES], struct failure *failure)
{
    if (!id_new(id))
        return fail(failure, OUTCOME_INTERNAL, "The server has no random numbers.");
    struct adding adding = {.user = user, .id = id, .title = title, .metadata = metadata};
    return db_write(add, &adding, failure);
}

struct changing {
    int64_t user;
    const char *id;
    const struct conversation_change *change;
};

static enum outcome change_title(struct db *db, const struct changing *changing, struct failure *failure)
{
    struct buf spaced;
    buf_init(&spaced, SIZE_MAX / 2);
    struct query *query = db_query(db, "UPDATE conversations SET title = ?3, title_search = ?4 WHERE user_id = ?1 AND public_id = ?2 "
                                       "AND (?5 IS NULL OR title = ?5)");
    query_int(query, 1, changing->user);
    query_text(query, 2, changing->id);
    bool good = query_title(query, 3, changing->change->title, &spaced);
    query_text(query, 5, changing->change->title_was);
    int changed = query_run(query);
    buf_free(&spaced);
    if (!good)
        return fail_no_memory(failure);
    return changed == 0 ? fail(failure, OUTCOME_BUSY, "The conversation was given another title meanwhile.") : OUTCOME_OK;
}

static enum outcome change_row(struct db *db, void *arg, struct failure *failure)
{
    const struct changing *changing = arg;
    struct query *query = db_query(db, "UPDATE conversations SET metadata = coalesce(?3, metadata), pinned = coalesce(?4, pinned), "
                                       "archived = coalesce(?5, archived) WHERE user_id = ?1 AND public_id = ?2");
    query_int(query, 1, changing->user);
    query_text(query, 2, changing->id);
    query_text(query, 3, changing->change->metadata);
    if (changing->change->pinned >= 0)
        query_int(query, 4, changing->change->pinned);
    if (changing->change->archived >= 0)
        query_int(query, 5, changing->change->archived);
    if (query_run(query) == 0)
        return fail(failure, OUTCOME_NOT_FOUND, no_such);
    return changing->change->title != NULL ? change_title(db, changing, failure) : OUTCOME_OK;
}

enum outcome conversation_change(int64_t user, const char *id, const struct conversation_change *change, struct failure *failure)
{
    struct changing changing = {.user = user, .id = id, .change = change};
    return db_write(change_row, &changing, failure);
}

static enum outcome delete_row(struct db *db, void *arg, struct failure *failure)
{
    const struct changing *changing = arg;
    struct query *query = db_query(db, "DELETE FROM conversations WHERE user_id = ?1 AND public_id = ?2");
    query_int(query, 1, changing->user);
    query_text(query, 2, changing->id);
    return query_run(query) == 0 ? fail(failure, OUTCOME_NOT_FOUND, no_such) : OUTCOME_OK;
}

enum outcome conversation_delete(int64_t user, const char *id, struct failure *failure)
{
    struct changing changing = {.user = user, .id = id};
    return db_write_less(delete_row, &changing, failure);
}

static enum outcome clear(struct db *db, void *arg, struct failure *failure)
{
    const struct changing *changing = arg;
    struct query *query = db_query(db, "UPDATE conversations SET leaf_id = NULL, updated_at = ?3 WHERE user_id = ?1 AND public_id = ?2");
    query_int(query, 1, changing->user);
    query_text(query, 2, changing->id);
    query_int(query, 3, clock_unix_ms());
    if (query_run(query) == 0)
        return fail(failure, OUTCOME_NOT_FOUND, no_such);
    query = db_query(db, "DELETE FROM messages WHERE conversation_id = "
                         "(SELECT id FROM conversations WHERE user_id = ?1 AND public_id = ?2)");
    query_int(query, 1, changing->user);
    query_text(query, 2, changing->id);
    (void)query_run(query);
    return OUTCOME_OK;
}

enum outcome conversation_clear(int64_t user, const char *id, struct failure *failure)
{
    struct changing changing = {.user = user, .id = id};
    return db_write_less(clear, &changing, failure);
}
