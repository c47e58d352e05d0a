/*
 * How an answer ended, and its way into the database.
 *
 * Neighbours: turn.c (names the ending), live.c (keeps trying to store one), answer.h. Leaves out: telling the clients (stream.c).
 */
#ifndef PARLEY_ENDING_H
#define PARLEY_ENDING_H

#include "answer.h"
#include "used.h"

/* What it owns becomes the answer's with answer_end(). */
struct ending {
    const char *status; /* "done", "stopped", "error" or "interrupted"; a literal */
    struct completion_result result; /* of the model that was asked last */
    struct usage usage;              /* of all together, with what an answer that went on had used before … */
    struct usage used_now;           /* … and without it … */
    struct used *used;               /* … and by model */
    size_t used_count;
    char *events, *steps, *app_state; /* as the columns of schema.sql; NULL: none */
    char *rewritten;                  /* the steps of the question; NULL: none */
    char *layout;                     /* layout.h; NULL: it needs none */
    struct failure failure; /* of status "error" and "interrupted"; else OUTCOME_OK */
};

/* Stores the end of an answer with the text that it has; nothing may be added to it any more. OUTCOME_OK also when its conversation was deleted meanwhile;
   OUTCOME_STORE or OUTCOME_NO_MEMORY when it could not be stored now. */
enum outcome ending_store(const struct answer *answer, const struct ending *ending, struct failure *failure);

/* Of an answer that is not stored and has ended, stores what it used. */
void ending_count(const struct answer *answer);

#endif
