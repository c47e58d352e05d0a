/*
 * An application's state: an object that it keeps from turn to turn. It is stored with each answer, and clients that carry it themselves (Ragbits') get it signed.
 *
 * The signature covers the user and the conversation too, so that a state cannot be used elsewhere. It is made over the state in a canonical form, because a state that went
 * through JavaScript comes back in other words: 1.0 as 1, 1e16 as 10000000000000000, members in another order. Neighbours: base/sign.h, store/key.h (the key, unless SECRET_KEY is
 * set).
 */
#ifndef PARLEY_STATE_H
#define PARLEY_STATE_H

#include <json-c/json.h>

#include "../base/buf.h"
#include "../base/outcome.h"
#include "../base/sign.h"

/* Appends the canonical form: members sorted by their names' bytes, numbers as the double that they are, no spaces.
   False: a number that no JSON can hold or that would come back from JavaScript as another, or out of memory. */
bool state_write(struct buf *out, json_object *state);

/* Signs a state. OUTCOME_BAD_FIELD when it is too large, too deep to be sent back in a body, or cannot be signed, OUTCOME_STORE when there is no key to be had. */
enum outcome state_sign(const char *user, const char *conversation, json_object *state, char signature[SIGN_BYTES], struct failure *failure);

/* Checks what a client brings back. OUTCOME_BAD_REQUEST when it is not what was signed for this user and conversation. */
enum outcome state_check(const char *user, const char *conversation, json_object *state, const char *signature, struct failure *failure);

#endif
