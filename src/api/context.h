/*
 * The member `context` of a question: what a client sends along for the application. Its shape is Ragbits': timezone, user_settings, tool_confirmations, state and signature, and
 * whatever else.
 */
#ifndef PARLEY_CONTEXT_H
#define PARLEY_CONTEXT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "../http/request.h"

/* Checks the members that have a meaning; others may be anything. NULL is no context. OUTCOME_BAD_FIELD. */
enum outcome context_check(json_object *context, struct failure *failure);

/* The application's state in it, borrowed, once its signature is found good; *state stays NULL when there is none. `conversation` is the id that the client sent, or NULL.
   OUTCOME_BAD_REQUEST. */
enum outcome context_state(const struct request *request, const char *conversation, json_object *context, json_object **state, struct failure *failure);

/* Whether the user decides about calls of tools with it: then the question may have no text. */
bool context_confirms(json_object *context);

#endif
