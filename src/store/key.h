/*
 * Secrets that the program makes for itself, such as the key with which it signs what clients bring back.
 *
 * They are in the database so that all processes share them and they outlive each. Neighbours: src/base/secrets.h (masks them). Leaves out: what they are used for.
 */
#ifndef PARLEY_KEY_H
#define PARLEY_KEY_H

#include "../base/outcome.h"

enum { KEY_RANDOM_BYTES = 32, KEY_BYTES = 2 * KEY_RANDOM_BYTES + 1 };

/* Writes the key of that name to `value`, as 64 hexadecimal digits. The first process that asks makes it; all get the same from then on. It is masked in log lines and error
   sentences. */
enum outcome key_get(const char *name, char value[KEY_BYTES], struct failure *failure);

#endif
