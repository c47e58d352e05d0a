/*
 * Which processes that make answers are alive.
 *
 * Each of them holds a lock on one byte of the file `<database>-alive`, whose place follows from its id. The kernel lets go of it when the process ends in whatever way, so
 * that anybody can see at once that a process was killed, without waiting for its heartbeat to grow old. Where such locks cannot be had, there is only the heartbeat
 * (messages.seen_at). Neighbours: message.h (the ids stand with the answers), src/chat/mirror.h and message_begin.c (who ask). Leaves out: SQL, and the lock that SQLite itself has.
 */
#ifndef PARLEY_PROCESS_H
#define PARLEY_PROCESS_H

#include <stdbool.h>

#include "../base/id.h"

enum { PROCESS_BYTES = ID_BYTES + 1 };

/* The id of this process. The first call makes it and takes the lock: the folder of the database must be there by then. "" when the system has no random numbers. Any thread. */
const char *process_id(void);

/* Whether a process with this id has a lock, so that process_is_gone() knows of it; of others the heartbeat has to tell. */
bool process_has_lock(const char *id);

/* Whether the process with this id has certainly ended. False when it is not known. */
bool process_is_gone(const char *id);

/* Gives the lock and the id up: as if the process had ended. For tests. */
void process_end(void);

#endif
