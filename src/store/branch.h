/*
 * Branches of a conversation's tree: one is copied into a conversation of its own, or deleted.
 *
 * Neighbours: conversation.h, message.h (the tree, and which branch is open). Leaves out: answers that are being written below what is deleted; their processes find them gone.
 */
#ifndef PARLEY_BRANCH_H
#define PARLEY_BRANCH_H

#include <stdint.h>

#include "../base/id.h"
#include "../base/outcome.h"

/* What is copied. */
struct branch_fork {
    const char *message;         /* the last one; those that lead to it come with it */
    const char *title, *metadata; /* of the new conversation; NULL: as those of the old one */
};

/* Makes a conversation of it, whose id is written to `id`. Its messages are new ones with the same content, which count as nobody's use. OUTCOME_NOT_FOUND: no such message of the user's;
   OUTCOME_BUSY: it is being written. */
enum outcome branch_fork(int64_t user, const struct branch_fork *fork, char id[ID_BYTES], struct failure *failure);

/* Deletes a message of a conversation, and all that follow it. When the open branch was among them, the newest one beside it is open then. OUTCOME_NOT_FOUND. */
enum outcome branch_delete(int64_t user, const char *conversation, const char *message, struct failure *failure);

#endif
