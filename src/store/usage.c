/*
 * All SQL about usage_days: see usage.h.
 */
#include "usage.h"

#include <stdbool.h>
#include <string.h>

#include "../base/clock.h"
#include "db.h"

static bool is_same(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* Whether the model of entry number `at` is in an earlier one: it has been counted for this answer. */
static bool is_counted(const struct usage_entry *used, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (used[i].provider != NULL && is_same(used[i].provider, used[at].provider) && is_same(used[i].model, used[at].model))
            return true;
    return false;
}

void usage_add_to_day(struct db *db, int64_t user, const struct usage_entry *used, size_t count, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        const struct usage *usage = &used[i].usage;
        if (used[i].provider == NULL)
            continue;
        struct query *query = db_query(db,
            "INSERT INTO usage_days (user_id, day, provider, model, answers, prompt_tokens, completion_tokens, cost) VALUES (?1, ?2, ?3, coalesce(?4, ''), ?5, ?6, ?7, ?8) "
            "ON CONFLICT (user_id, day, provider, model) DO UPDATE SET answers = answers + excluded.answers, prompt_tokens = prompt_tokens + excluded.prompt_tokens, "
            "completion_tokens = completion_tokens + excluded.completion_tokens, cost = cost + excluded.cost");
        query_int(query, 1, user);
        query_int(query, 2, now_ms / CLOCK_DAY_MS);
        query_text(query, 3, used[i].provider);
        query_text(query, 4, used[i].model);
        query_int(query, 5, is_counted(used, i) ? 0 : 1);
        query_int(query, 6, usage->prompt_tokens > 0 ? usage->prompt_tokens : 0);
        query_int(query, 7, usage->completion_tokens > 0 ? usage->completion_tokens : 0);
        query_real(query, 8, usage->cost > 0 ? usage->cost : 0);
        (void)query_run(query);
    }
}

struct adding {
    int64_t user;
    const struct usage_entry *used;
    size_t count;
};

static enum outcome add(struct db *db, void *arg, struct failure *failure)
{
    const struct adding *adding = arg;
    usage_add_to_day(db, adding->user, adding->used, adding->count, clock_unix_ms());
    (void)failure;
    return OUTCOME_OK;
}

enum outcome usage_add(int64_t user, const struct usage_entry *used, size_t count, struct failure *failure)
{
    struct adding adding = {user, used, count};
    return count > 0 ? db_write(add, &adding, failure) : OUTCOME_OK;
}

struct listing {
    int64_t user, from, to;
    void (*each)(void *arg, const struct usage_day *row);
    void *arg;
};

static enum outcome list(struct db *db, void *arg, struct failure *failure)
{
    const struct listing *listing = arg;
    struct query *query = db_query(db, "SELECT day, provider, model, answers, prompt_tokens, completion_tokens, cost FROM usage_days "
                                       "WHERE user_id = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day, provider, model");
    query_int(query, 1, listing->user);
    query_int(query, 2, listing->from);
    query_int(query, 3, listing->to);
    while (query_next(query)) {
        struct usage_day row = {.day = query_get_int(query, 0), .provider = query_get_text(query, 1, NULL), .model = query_get_text(query, 2, NULL), .answers = query_get_int(query, 3),
                                .prompt_tokens = query_get_int(query, 4), .completion_tokens = query_get_int(query, 5), .cost = query_get_real(query, 6)};
        listing->each(listing->arg, &row);
    }
    query_end(query);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome usage_list(int64_t user, int64_t from, int64_t to, void (*each)(void *arg, const struct usage_day *row), void *arg, struct failure *failure)
{
    struct listing listing = {user, from, to, each, arg};
    return db_read(list, &listing, failure);
}
