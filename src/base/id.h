/*
 * Ids of conversations, messages and requests: opaque to clients, unguessable, and growing with time so that new rows land at the
 * end of an index.
 */
#ifndef PARLEY_ID_H
#define PARLEY_ID_H

#include <stdbool.h>

enum { ID_LEN = 26, ID_BYTES = ID_LEN + 1 };

/* Writes a new id: 48 bits of Unix milliseconds and 80 random bits in Crockford's base 32, lower case. False when the kernel gives
   no random bytes. */
bool id_new(char id[ID_BYTES]) __attribute__((warn_unused_result));

/* Whether `text` has the form of an id: cheap refusal before the database is asked. */
bool id_valid(const char *text);

#endif
