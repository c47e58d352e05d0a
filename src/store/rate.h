/*
 * How often somebody may ask for an answer within a minute, counted over all processes (table `rates`).
 *
 * A minute is one of the clock's: whoever has used it up may ask again when the next begins. Neighbours: message_begin.c counts with the question that it stores; chat/taker.h says
 * who is counted. Leaves out: answers that are made at the same time.
 */
#ifndef PARLEY_RATE_H
#define PARLEY_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/outcome.h"
#include "db.h"

enum { RATE_WHO_BYTES = 96 };

/* One request that is to be counted. */
struct rate {
    const char *who; /* "user N" or "address A", shorter than RATE_WHO_BYTES */
    int64_t most;    /* requests within a minute; 0: nothing is counted */
    int64_t over_in; /* a result: the minute (since 1970-01-01 UTC) that had so many already; 0: it had not */
};

/* Whether it is known without the database that the minute is used up: this process has refused a request of the same one before. *failure is filled then: OUTCOME_RATE_LIMITED. */
bool rate_is_over(const struct rate *rate, struct failure *failure);

/* Counts it, inside a unit of work. OUTCOME_RATE_LIMITED, with the time until the next minute: there were so many already, and nothing was counted. An error of the database
   is told by db_failed(). */
enum outcome rate_add(struct db *db, struct rate *rate, struct failure *failure);

/* After the unit of work that had rate_add() in it: keeps in mind that the minute is used up, if it is. */
void rate_end(const struct rate *rate, enum outcome outcome);

/* All three, with a transaction of its own. OUTCOME_STORE when the database cannot be used. */
enum outcome rate_count(struct rate *rate, struct failure *failure);

#endif
