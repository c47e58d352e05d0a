/*
 * The counters of all processes, summed in the database: see src/base/counter.h.
 */
#ifndef PARLEY_STORE_COUNTER_H
#define PARLEY_STORE_COUNTER_H

#include <stdint.h>

#include "../base/counter.h"
#include "../base/outcome.h"

/* Adds what this process has counted to the database. Does nothing when that is nothing; after a failure it is kept for the next time. */
enum outcome counter_save(struct failure *failure);

/* What the database holds for each series, and how many answers are being made now, by all processes. */
enum outcome counter_read(int64_t values[COUNTER_MOST], int64_t *running, struct failure *failure);

#endif
