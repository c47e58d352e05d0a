/*
 * All SQL about rates: see rate.h.
 *
 * Who goes on asking after a refusal costs no transaction: what this process refused is kept in mind until the minute is over, for some of them at a time.
 */
#include "rate.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"

enum { MINUTE_MS = 60000, OVER_SLOTS = 64, OLD_ROWS = 100 /* deleted at a time */ };

/* Those whose minute is used up, each at the place that its name gives; another with the same place takes it over. */
static struct {
    pthread_mutex_t lock;
    struct {
        char who[RATE_WHO_BYTES];
        int64_t minute;
    } slots[OVER_SLOTS];
} over = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t slot_of(const char *who)
{
    size_t hash = 5381;
    for (; *who != '\0'; who++)
        hash = hash * 33 + (unsigned char)*who;
    return hash % OVER_SLOTS;
}

static enum outcome refuse(const struct rate *rate, int64_t now, struct failure *failure)
{
    (void)fail(failure, OUTCOME_RATE_LIMITED, "No more than %lld questions a minute are answered.", (long long)rate->most);
    failure->retry_after_s = (int)((MINUTE_MS - now % MINUTE_MS + 999) / 1000);
    return OUTCOME_RATE_LIMITED;
}

bool rate_is_over(const struct rate *rate, struct failure *failure)
{
    if (rate->most == 0)
        return false;
    int64_t now = clock_unix_ms();
    size_t slot = slot_of(rate->who);
    pthread_mutex_lock(&over.lock);
    bool is_over = over.slots[slot].minute == now / MINUTE_MS && strcmp(over.slots[slot].who, rate->who) == 0;
    pthread_mutex_unlock(&over.lock);
    if (is_over)
        (void)refuse(rate, now, failure);
    return is_over;
}

void rate_end(const struct rate *rate, enum outcome outcome)
{
    if (outcome != OUTCOME_RATE_LIMITED || rate->over_in == 0)
        return;
    size_t slot = slot_of(rate->who);
    pthread_mutex_lock(&over.lock);
    over.slots[slot].minute = rate->over_in;
    (void)snprintf(over.slots[slot].who, RATE_WHO_BYTES, "%s", rate->who);
    pthread_mutex_unlock(&over.lock);
}

/* Takes away rows of earlier minutes, a bounded number of them. */
static void delete_old(struct db *db, int64_t minute)
{
    struct query *query = db_query(db, "DELETE FROM rates WHERE who IN (SELECT who FROM rates WHERE minute < ?1 LIMIT ?2)");
    query_int(query, 1, minute);
    query_int(query, 2, OLD_ROWS);
    (void)query_run(query);
}

enum outcome rate_add(struct db *db, struct rate *rate, struct failure *failure)
{
    if (rate->most == 0)
        return OUTCOME_OK;
    int64_t now = clock_unix_ms();
    struct query *query = db_query(db, "INSERT INTO rates (who, minute, requests) VALUES (?1, ?2, 1) "
                                       "ON CONFLICT (who) DO UPDATE SET requests = CASE WHEN minute = excluded.minute THEN requests + 1 ELSE 1 END, minute = excluded.minute "
                                       "WHERE minute <> excluded.minute OR requests < ?3");
    query_text(query, 1, rate->who);
    query_int(query, 2, now / MINUTE_MS);
    query_int(query, 3, rate->most);
    rate->over_in = query_run(query) == 0 ? now / MINUTE_MS : 0;
    if (rate->over_in != 0)
        return refuse(rate, now, failure);
    delete_old(db, now / MINUTE_MS);
    return OUTCOME_OK;
}

static enum outcome add(struct db *db, void *arg, struct failure *failure)
{
    return rate_add(db, arg, failure);
}

enum outcome rate_count(struct rate *rate, struct failure *failure)
{
    if (rate->most == 0)
        return OUTCOME_OK;
    if (rate_is_over(rate, failure))
        return OUTCOME_RATE_LIMITED;
    enum outcome outcome = db_write(add, rate, failure);
    rate_end(rate, outcome);
    return outcome;
}
