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

/* Whether a message and the decisions about calls of tools that come with it go together: there are words or images, or decisions without any, which only a conversation that `goes_on`
   can have asked for. OUTCOME_BAD_FIELD. */
enum outcome context_check_message(json_object *context, const char *message, bool has_images, bool goes_on, struct failure *failure);

#endif
