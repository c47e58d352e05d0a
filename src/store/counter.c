/*
 * All SQL about counters: see counter.h.
 */
#include "counter.h"

#include <string.h>

#include "../base/clock.h"
#include "db.h"
#include "message.h"

static enum outcome save(struct db *db, void *arg, struct failure *failure)
{
    const int64_t *values = arg;
    for (size_t i = 0; i < counter_count(); i++) {
        char name[COUNTER_NAME_BYTES];
        if (values[i] == 0)
            continue;
        (void)counter_series(i, name); /* the family does not matter here */
        struct query *query = db_query(db, "INSERT INTO counters (name, value) VALUES (?1, ?2) "
                                           "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value");
        query_text(query, 1, name);
        query_int(query, 2, values[i]);
        (void)query_run(query);
    }
    (void)failure;
    return OUTCOME_OK;
}

enum outcome counter_save(struct failure *failure)
{
    int64_t values[COUNTER_MOST];
    if (!counter_take(values))
        return OUTCOME_OK;
    enum outcome outcome = db_write(save, values, failure);
    if (outcome != OUTCOME_OK)
        counter_give_back(values);
    return outcome;
}

struct reading {
    int64_t *values, running;
};

static void keep_value(int64_t *values, const char *name, int64_t value)
{
    for (size_t i = 0; i < counter_count(); i++) {
        char series[COUNTER_NAME_BYTES];
        (void)counter_series(i, series);
        if (strcmp(series, name) == 0)
            values[i] = value;
    }
}

static enum outcome read_all(struct db *db, void *arg, struct failure *failure)
{
    struct reading *reading = arg;
    struct query *query = db_query(db, "SELECT name, value FROM counters");
    while (query_next(query))
        keep_value(reading->values, query_get_text(query, 0, NULL), query_get_int(query, 1));
    query_end(query);
    query = db_query(db, "SELECT count(*) FROM messages WHERE status = 'streaming' AND seen_at >= ?1");
    query_int(query, 1, clock_unix_ms() - MESSAGE_LOST_AFTER_MS);
    reading->running = query_next(query) ? query_get_int(query, 0) : 0;
    query_end(query);
    (void)failure;
    return OUTCOME_OK;
}

enum outcome counter_read(int64_t values[COUNTER_MOST], int64_t *running, struct failure *failure)
{
    struct reading reading = {.values = values};
    memset(values, 0, COUNTER_MOST * sizeof *values);
    enum outcome outcome = db_read(read_all, &reading, failure);
    *running = reading.running;
    return outcome;
}
