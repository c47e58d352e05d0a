/*
 * An answer as the database has it: for clients that come back after its end or in another process, for answers that were lost with their process, and for those that go on.
 *
 * A mirror is an ordinary answer (answer.h), filled from the message and its journal. It is read at once, and again as long as the answer is being written elsewhere. Neighbours:
 * store/journal.h, layout.h, follow.h and lost.h (who use it). Leaves out: answers that this process makes itself (live.h).
 */
#ifndef PARLEY_MIRROR_H
#define PARLEY_MIRROR_H

#include "../store/process.h"
#include "answer.h"

struct mirror {
    struct answer *answer; /* one reference; NULL: nothing was read yet */
    int64_t user;
    bool is_running;       /* in the process below, as far as is known */
    char process[PROCESS_BYTES];
    int64_t seen_at;       /* its heartbeat */
    const char *status;    /* else: how it ended, a literal; and what is told of it */
    struct failure failure;
    struct usage usage;
    char finish_reason[32];
    char *steps;           /* as the database keeps them; NULL: none */
    size_t text_stored;    /* so much of the text is in the message, and in its steps if it has any; the rest is in the journal */
};

/* Reads the answer `id` of a user's. Released by mirror_free(), also after a failure. OUTCOME_NOT_FOUND, OUTCOME_STORE, OUTCOME_NO_MEMORY. */
enum outcome mirror_read(struct mirror *mirror, int64_t user, const char *id, struct failure *failure);

/* Reads what has come since; clients that follow mirror->answer get it. OUTCOME_NOT_FOUND: it was deleted. */
enum outcome mirror_read_on(struct mirror *mirror, struct failure *failure);

/* Tells those who follow mirror->answer how it ended. Once. */
void mirror_end(struct mirror *mirror);

/* Whether the answer is lost: it is said to be running, but its process has gone. */
bool mirror_is_lost(const struct mirror *mirror);

void mirror_free(struct mirror *mirror);

#endif
