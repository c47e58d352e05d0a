/*
 * Which answers this process is making now: how many may be, and how one is stopped.
 *
 * A keeper thread sleeps while there are none. While there are, it writes their heartbeats to the database, reads there who asked for a stop in another process, and
 * stores what could not be stored when it ended, and adds what was counted to the counters there. Neighbours: turn.c (enters and
 * leaves), ending.h, store/message.h.
 */
#ifndef PARLEY_LIVE_H
#define PARLEY_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "answer.h"

/* What MAX_STREAMS bounds: the answers of this process, or those of all processes that share the database. */
enum live_count { LIVE_COUNT_OWN, LIVE_COUNT_ALL };

/* Starts the keeper thread. False after a log line. */
bool live_start(enum live_count count);

/* How many answers all processes together may be making when another begins; 0: that is not counted. */
int64_t live_most(void);

/* Ends it, after a last try to store what could not be stored: at most two waits for the database. What is lost is logged. */
void live_stop(void);

/* Takes one of the MAX_STREAMS places; false when all are taken or the program is stopping. Given back by live_leave(). */
bool live_enter(void);
void live_leave(void);

/* What goes on beside answers, such as thinking about a title: it takes no place, but live_wait() waits for it, and it had better end soon once live_closed() says so. */
void live_begin_aside(void);
void live_end_aside(void);

/* Whether live_close() was called: a flag for completion_run() to be cancelled by. */
const atomic_bool *live_closed(void);

/* Lists and unlists an answer while it is being made. One that comes after live_stop_all() is stopped at once. */
void live_add(struct answer *answer);
void live_remove(struct answer *answer);

/* The answer `id` of a user's, in this conversation (NULL: in any), while it is being made here: with a reference for the caller. NULL: it is not. */
struct answer *live_find(int64_t user, const char *conversation, const char *id);

/* Whether this process makes an answer, or has yet to store its end. */
bool live_knows(const char *id);

/* The stored answers that are being made, each with a reference, in a list to be freed with mem_free(): waits until any answer is made, and gives an empty list when that is not
   stored. NULL: the program ends, or there is no memory for the list; live_is_ending() tells which. */
struct answer **live_hold_all(size_t *count);
bool live_is_ending(void);

/* Sleeps, but not longer than until the program ends. */
void live_pause(int64_t ms);

/* Takes over an answer whose end could not be stored: the keeper tries again until it is. */
void live_keep(struct answer *answer, const struct ending *ending);

/* Stops this process's answers of a conversation. How many there were. */
int live_stop_conversation(const char *conversation_id, enum stop_why why);

/* No more answers from now on: live_enter() says no. */
void live_close(void);

/* Waits until no place is taken and nothing goes on aside, at most `ms`. Whether that was reached. */
bool live_wait(int64_t ms);

/* Stops all answers, those that are about to be listed too. */
void live_stop_all(enum stop_why why);

#endif
