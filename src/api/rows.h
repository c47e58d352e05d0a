/*
 * Conversations and messages of the database as the JSON objects of docs/api.md.
 *
 * Neighbours: conversations.c, conversation_list.c, usage.c. Leaves out: which rows, and what an answer that is being written has said so far.
 */
#ifndef PARLEY_ROWS_H
#define PARLEY_ROWS_H

#include <json-c/json.h>

#include "../store/conversation.h"
#include "../store/message.h"

/* New references. */
json_object *conversation_object(const struct conversation *row);
json_object *message_object(const struct message *row);

/* For conversation_get(): `arg` is where the object goes. */
void row_take_conversation(void *arg, const struct conversation *row);

/* Adds a member: a text, or a time in milliseconds since 1970; null when there is none (NULL, 0). */
void row_add_text(json_object *object, const char *name, const char *text);
void row_add_time(json_object *object, const char *name, int64_t unix_ms);

#endif
