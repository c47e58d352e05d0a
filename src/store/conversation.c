/*
 * All SQL about single conversations: see conversation.h. The list is in conversation_list.c.
 */
#include "conversation.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/buf.h"
#include "conversation_internal.h"
#include "db.h"
#include "search_text.h"

struct conversation conversation_read(struct query *query)
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
        .unread = query_get_int(query, 8) != 0,
        .status = query_get_text(query, 9, NULL),
        .leaf_id = query_get_text(query, 10, NULL),
    };
}

static const char no_such[] = "There is no such conversation.";

struct reading {
    int64_t user;
    const char *id;
    void (*each)(void *arg, const struct conversation *row);
    void *arg;
};

static enum outcome get(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db, "SELECT " CONVERSATION_COLUMNS " FROM conversations AS c WHERE c.user_id = ?1 AND c.public_id = ?2");
    query_int(query, 1, reading->user);
    query_text(query, 2, reading->id);
    bool found = query_next(query);
    if (found) {
        struct conversation row = conversation_read(query);
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

static enum outcome change_leaf(struct db *db, const struct changing *changing, struct failure *failure)
{
    struct query *query = db_query(db, "UPDATE conversations SET leaf_id = m.id FROM messages AS m WHERE conversations.user_id = ?1 AND conversations.public_id = ?2 "
                                       "AND m.public_id = ?3 AND m.conversation_id = conversations.id");
    query_int(query, 1, changing->user);
    query_text(query, 2, changing->id);
    query_text(query, 3, changing->change->leaf_id);
    return query_run(query) == 0 ? fail(failure, OUTCOME_BAD_FIELD, "\"leaf_id\" is not a message of this conversation.") : OUTCOME_OK;
}

static void query_flag(struct query *query, int index, int flag)
{
    if (flag >= 0)
        query_int(query, index, flag);
}

static enum outcome change_row(struct db *db, void *arg, struct failure *failure)
{
    const struct changing *changing = arg;
    const struct conversation_change *change = changing->change;
    struct query *query = db_query(db, "UPDATE conversations SET metadata = coalesce(?3, metadata), pinned = coalesce(?4, pinned), "
                                       "archived = coalesce(?5, archived), unread = coalesce(?6, unread) WHERE user_id = ?1 AND public_id = ?2");
    query_int(query, 1, changing->user);
    query_text(query, 2, changing->id);
    query_text(query, 3, change->metadata);
    query_flag(query, 4, change->pinned);
    query_flag(query, 5, change->archived);
    query_flag(query, 6, change->unread);
    if (query_run(query) == 0)
        return fail(failure, OUTCOME_NOT_FOUND, no_such);
    if (change->leaf_id != NULL && change_leaf(db, changing, failure) != OUTCOME_OK)
        return failure->outcome;
    return change->title != NULL ? change_title(db, changing, failure) : OUTCOME_OK;
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
    struct query *query = db_query(db, "UPDATE conversations SET leaf_id = NULL, unread = 0, updated_at = ?3 WHERE user_id = ?1 AND public_id = ?2");
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
