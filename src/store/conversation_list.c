/*
 * The list of conversations, and search in it: see conversation.h. docs/store.md says why it is searched like this.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/limits.h"
#include "../base/mem.h"
#include "conversation_internal.h"
#include "search_text.h"

/* Where a search found something first in a conversation. */
struct hit {
    int64_t conversation; /* its row */
    int64_t seq;          /* of the message; 0: in the title */
};

struct listing {
    int64_t user;
    const struct conversation_page *page;
    const char *match; /* FTS5 expression, NULL: no search */
    struct hit *hits;  /* by conversation */
    size_t hit_count, hit_room;
    struct snippet_maker *maker; /* NULL: no search */
    void (*each)(void *arg, const struct conversation *row);
    void *arg;
};

/* Makes room for one more hit. */
static bool grow(struct listing *listing)
{
    if (listing->hits != NULL && listing->hit_count < listing->hit_room)
        return true;
    size_t room = listing->hit_room > 0 ? listing->hit_room * 2 : 64;
    struct hit *more = mem_resize(listing->hits, room * sizeof *more);
    if (more == NULL)
        return false;
    listing->hits = more;
    listing->hit_room = room;
    return true;
}

/* Searches, and keeps the first hit of each conversation: the index gives them in the order of its rowid, which has the conversation and the number in it (schema.sql). */
static enum outcome find_hits(struct db *db, struct listing *listing, struct failure *failure)
{
    enum { SEQ_BITS = 18, CONVERSATION_BITS = 25 };
    bool good = true;
    struct query *query = db_query(db, "SELECT rowid FROM search_index WHERE search_index MATCH ?2 AND rowid BETWEEN ?1 << 43 AND (?1 << 43) | 8796093022207 ORDER BY rowid");
    query_int(query, 1, listing->user);
    query_text(query, 2, listing->match);
    listing->hit_count = 0;
    while (good && query_next(query)) {
        int64_t rowid = query_get_int(query, 0);
        struct hit hit = {(rowid >> SEQ_BITS) & ((1 << CONVERSATION_BITS) - 1), rowid & ((1 << SEQ_BITS) - 1)};
        if (listing->hit_count > 0 && listing->hits[listing->hit_count - 1].conversation == hit.conversation)
            continue;
        good = grow(listing);
        if (good)
            listing->hits[listing->hit_count++] = hit;
    }
    query_end(query);
    return good ? OUTCOME_OK : fail_no_memory(failure);
}

static int compare_hits(const void *key, const void *hit)
{
    int64_t a = *(const int64_t *)key, b = ((const struct hit *)hit)->conversation;
    return a < b ? -1 : a > b;
}

/* Shows a row with what was found in it. False: out of memory. */
static bool show_found(struct db *db, const struct listing *listing, struct conversation row, const struct hit *hit)
{
    struct query *query = NULL;
    struct snippet snippet = {0};
    size_t len = strlen(row.title);
    const char *text = row.title;
    if (hit->seq > 0) {
        query = db_query(db, "SELECT m.public_id, m.content FROM messages AS m WHERE m.user_id = ?1 AND m.conversation_id = ?2 AND m.seq = ?3");
        query_int(query, 1, listing->user);
        query_int(query, 2, hit->conversation);
        query_int(query, 3, hit->seq);
        text = query_next(query) ? query_get_text(query, 1, &len) : NULL;
        row.found_in = text != NULL ? query_get_text(query, 0, NULL) : NULL;
    }
    bool good = text == NULL || snippet_make(listing->maker, text, len, &snippet);
    row.snippet = &snippet;
    if (good)
        listing->each(listing->arg, &row);
    query_end(query);
    return good;
}

static bool show_row(struct db *db, const struct listing *listing, int64_t conversation, const struct hit *hit)
{
    struct query *query = db_query(db, "SELECT " CONVERSATION_COLUMNS " FROM conversations AS c WHERE c.id = ?2 AND c.user_id = ?1");
    query_int(query, 1, listing->user);
    query_int(query, 2, conversation);
    bool good = true;
    if (query_next(query)) {
        struct conversation row = conversation_read(query);
        if (hit != NULL)
            good = show_found(db, listing, row, hit);
        else
            listing->each(listing->arg, &row);
    }
    query_end(query);
    return good;
}

/* Goes down the list, which its index has in order, and shows those that are wanted. */
static enum outcome walk(struct db *db, const struct listing *listing, struct failure *failure)
{
    bool good = true;
    const struct conversation_page *page = listing->page;
    struct query *query = db_query(db, "SELECT c.id FROM conversations AS c WHERE c.user_id = ?1 AND (c.updated_at, c.id) < (?2, ?3) "
                                       "AND (?4 < 0 OR c.pinned = ?4) AND (?5 < 0 OR c.archived = ?5) ORDER BY c.updated_at DESC, c.id DESC");
    query_int(query, 1, listing->user);
    query_int(query, 2, page->before != NULL ? page->before->updated_at : INT64_MAX);
    query_int(query, 3, page->before != NULL ? page->before->row : INT64_MAX);
    query_int(query, 4, page->pinned);
    query_int(query, 5, page->archived);
    for (int shown = 0; good && shown < page->limit && query_next(query);) {
        int64_t conversation = query_get_int(query, 0);
        const struct hit *hit = listing->match != NULL ? bsearch(&conversation, listing->hits, listing->hit_count, sizeof *listing->hits, compare_hits) : NULL;
        if (listing->match != NULL && hit == NULL)
            continue;
        good = show_row(db, listing, conversation, hit);
        shown++;
    }
    query_end(query);
    return good ? OUTCOME_OK : fail_no_memory(failure);
}

static enum outcome list(struct db *db, void *arg, struct failure *failure)
{
    struct listing *listing = arg;
    if (listing->match == NULL)
        return walk(db, listing, failure);
    if (find_hits(db, listing, failure) != OUTCOME_OK)
        return failure->outcome;
    if (listing->hit_count == 0)
        return OUTCOME_OK;
    listing->maker = snippet_begin(db, listing->page->search);
    if (listing->maker == NULL)
        return db_failed(db, failure) ? failure->outcome : fail_no_memory(failure);
    enum outcome outcome = walk(db, listing, failure);
    snippet_end(listing->maker);
    return outcome;
}

enum outcome conversation_list(int64_t user, const struct conversation_page *page, void (*each)(void *arg, const struct conversation *row), void *arg,
                               struct failure *failure)
{
    struct listing listing = {.user = user, .page = page, .each = each, .arg = arg};
    struct buf match;
    buf_init(&match, 16 * LIMIT_QUERY_VALUE_BYTES);
    if (page->search != NULL) {
        search_match(&match, page->search);
        if (buf_failed(&match))
            return fail_no_memory(failure);
        listing.match = match.data;
    }
    enum outcome outcome = OUTCOME_OK;
    if (page->search == NULL || match.len > 0) /* a search without a word finds nothing */
        outcome = db_read(list, &listing, failure);
    mem_free(listing.hits);
    buf_free(&match);
    return outcome;
}
