/*
 * What other files of this folder may read of messages inside a unit of work of their own.
 */
#ifndef PARLEY_MESSAGE_INTERNAL_H
#define PARLEY_MESSAGE_INTERNAL_H

#include "db.h"
#include "message.h"

/* Calls `each` with a message of a user's; not at all when there is none. */
void message_read_one(struct db *db, int64_t user, const char *id, void (*each)(void *arg, const struct message *row), void *arg);

#endif
