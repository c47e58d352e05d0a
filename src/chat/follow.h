/*
 * Following an answer that was begun before: from memory when this process makes it, else through the database.
 *
 * Neighbours: live.h, mirror.h, lost.h, answer.h. Leaves out: what the request looks like (src/api/).
 */
#ifndef PARLEY_FOLLOW_H
#define PARLEY_FOLLOW_H

#include "stream.h"

struct follow {
    int64_t user;
    const char *conversation; /* its id; NULL, with `message`: whatever the answer belongs to */
    const char *message;      /* the answer; NULL: the one that is being written, or was while nobody followed it */
    struct listener listener;
};

/* Sends a client what it has not had of an answer, until its end; an answer of another process is read again and again meanwhile, by this thread. OUTCOME_DETACHED: the client has
   been or will be told everything. OUTCOME_OK: there is nothing to say, and nothing was said. Else *failure is filled. */
enum outcome follow_run(const struct follow *follow, struct request *request, struct failure *failure);

#endif
