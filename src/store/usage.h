/*
 * What models were used for, summed by user, day and model: the table usage_days.
 *
 * Neighbours: message.c (adds what a stored answer used, in the transaction that stores it), src/base/usage.h (the counts of one call). Leaves out: JSON (api/usage.c).
 */
#ifndef PARLEY_STORE_USAGE_H
#define PARLEY_STORE_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "../base/outcome.h"
#include "../base/usage.h"

struct db;

/* What one model used for an answer. An answer for which several were asked, or one several times, has an entry for each time. */
struct usage_entry {
    const char *provider, *model; /* provider NULL: nobody was asked, nothing is added; model may be NULL */
    struct usage usage;
};

/* Adds what an answer used to its user's day: for answers that are not stored. */
enum outcome usage_add(int64_t user, const struct usage_entry *used, size_t count, struct failure *failure);

/* The same inside a unit of work. `now_ms` is Unix time. What fails is kept by `db`. */
void usage_add_to_day(struct db *db, int64_t user, const struct usage_entry *used, size_t count, int64_t now_ms);

/* A row, lent during a callback. */
struct usage_day {
    int64_t day; /* since 1970-01-01 UTC */
    const char *provider, *model;
    int64_t answers, prompt_tokens, completion_tokens;
    double cost; /* of the answers whose cost is known */
};

/* Calls `each` for what a user used from a day to another, both included, in the order of days. */
enum outcome usage_list(int64_t user, int64_t from, int64_t to, void (*each)(void *arg, const struct usage_day *row), void *arg, struct failure *failure);

#endif
