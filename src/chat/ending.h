/*
 * How an answer ended, and its way into the database.
 *
 * Neighbours: turn.c (names the ending), live.c (keeps trying to store one), answer.h. Leaves out: telling the clients (answer.c).
 */
#ifndef PARLEY_ENDING_H
#define PARLEY_ENDING_H

#include "answer.h"

struct ending {
    const char *status; /* "done", "stopped", "error" or "interrupted"; a literal */
    struct completion_result result; /* its parts belong to the turn … */
    char *calls;                     /* … as this does: its tool calls as the database has them; NULL: none */
    struct failure failure; /* of status "error" and "interrupted"; else OUTCOME_OK */
};

/* Stores the end of an answer with the text that it has; nothing may be added to it any more. OUTCOME_OK also when its conversation was deleted meanwhile;
   OUTCOME_STORE or OUTCOME_NO_MEMORY when it could not be stored now. */
enum outcome ending_store(const struct answer *answer, const struct ending *ending, struct failure *failure);

#endif
