/*
 * Answers whose process was killed: found when somebody looks, and kept as far as the journal has them.
 *
 * Neighbours: store/process.h (who is alive), mirror.h (what is left of an answer). docs/reliability.md.
 */
#ifndef PARLEY_LOST_H
#define PARLEY_LOST_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/outcome.h"
#include "mirror.h"

/* Looks whether an answer is lost, and if so marks it `interrupted` with the text that its journal has. *settled says whether it was. OUTCOME_NOT_FOUND, OUTCOME_STORE,
   OUTCOME_NO_MEMORY: it stays as it is, and whoever looks next tries again. */
enum outcome lost_settle(int64_t user, const char *answer, bool *settled, struct failure *failure);

/* The same for all answers of a conversation that are said to be running: how many were lost. What cannot be settled now stays: a log line says so. */
int lost_settle_conversation(int64_t user, const char *conversation);

/* Has a mirror end whose answer is lost but could not be marked so: the disk is full, say. Who follows it is told all the same; who asks for the conversation later, when it was. */
void lost_tell(struct mirror *mirror);

#endif
