/*
 * Users: who may have conversations.
 */
#ifndef PARLEY_USER_H
#define PARLEY_USER_H

#include <stdint.h>

#include "../base/outcome.h"

/* The row id of the user called `name` ("" is the local user), made when it is new. OUTCOME_STORE when the database cannot be used. */
enum outcome user_find(const char *name, int64_t *user, struct failure *failure);

#endif
