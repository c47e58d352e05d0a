/*
 * Who takes places: how many answers one user and one address may have made at a time, and how often they may ask.
 *
 * The local user of a server without sign-in is nobody in particular and is not counted; nor is this machine's own address (http/address.h). Answers of this process are counted here, those
 * of all processes by store/message_begin.c where a process makes only one (live_most()), requests by store/rate.c. Neighbours: turn.c; live.h, which bounds all answers together.
 */
#ifndef PARLEY_TAKER_H
#define PARLEY_TAKER_H

#include "../store/message.h"
#include "turn.h"

/* One who takes a place; on the stack of the thread that makes the answer. */
struct taker {
    int64_t user;        /* 0: nobody in particular */
    const char *address; /* "": not counted */
    char who[RATE_WHO_BYTES]; /* counted by the minute; "": not counted */
    struct taker *next;
};

/* Counts a turn that has a place. OUTCOME_RATE_LIMITED, and it is not counted: its user or its address has as many answers made as may be. */
enum outcome taker_enter(struct taker *taker, const struct turn *turn, struct failure *failure);

/* Says what the database is to count when the turn begins. The taker must stay until then. */
void taker_limit(const struct taker *taker, struct message_begin *begin);

/* The answer is made: the place can be another's. */
void taker_leave(struct taker *taker);

#endif
