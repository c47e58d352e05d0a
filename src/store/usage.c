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
    enum { DAY_MS = 24 * 60 * 60 * 1000 };
    for (size_t i = 0; i < count; i++) {
        const struct usage *usage = &used[i].usage;
        if (used[i].provider == NULL)
            continue;
        struct query *query = db_query(db,
            "INSERT INTO usage_days (user_id, day, provider, model, answers, prompt_tokens, completion_tokens, cost) VALUES (?1, ?2, ?3, coalesce(?4, ''), ?5, ?6, ?7, ?8) "
            "ON CONFLICT (user_id, day, provider, model) DO UPDATE SET answers = answers + excluded.answers, prompt_tokens = prompt_tokens + excluded.prompt_tokens, "
            "completion_tokens = completion_tokens + excluded.completion_tokens, cost = cost + excluded.cost");
        query_int(query, 1, user);
        query_int(query, 2, now_ms / DAY_MS);
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
