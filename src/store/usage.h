/*
 * What models were used for, summed by user, day and model: the table usage_days.
 *
 * Neighbours: message.c (adds what a stored answer used, in the transaction that stores it), src/base/usage.h (the counts of one call). Leaves out: reading the sums.
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

#endif
