/*
 * What users think of answers: like or dislike, with what a form asked.
 *
 * Neighbours: message.h (a message's row tells the feedback of its reader). Leaves out: JSON; which forms there are.
 */
#ifndef PARLEY_FEEDBACK_H
#define PARLEY_FEEDBACK_H

#include <stdint.h>

#include "../base/id.h"
#include "../base/outcome.h"

/* Stores what `user` thinks of an answer, in place of what they thought before. `message_id` is the answer's id, or else the id that a client chose for it (the newest of that
   name). `kind` is "like" or "dislike"; `payload` a JSON object as text, NULL for none. `conversation` gets the id of the answer's conversation. OUTCOME_NOT_FOUND: the user has no
   such answer. */
enum outcome feedback_set(int64_t user, const char *message_id, const char *kind, const char *payload, char conversation[ID_BYTES], struct failure *failure);

#endif
