/*
 * Steps: what was said between a model and its tools while one answer was made, as JSON for the database and back.
 *
 * A step is one message of the model (with the tools that it calls) or the result of one call; of a question, the words that stand for the user's. Neighbours: making.h (writes
 * them), prompt.h (reads them into the history).
 */
#ifndef PARLEY_STEPS_H
#define PARLEY_STEPS_H

#include <json-c/json.h>
#include <stdbool.h>

#include "../llm/completion.h"

/* A step as JSON. A new reference. */
json_object *step_write(const struct completion_message *message);

/* The message of a step. What it points to is the caller's, to be freed by step_free(). False: it is no step, or out of memory. */
bool step_read(json_object *step, struct completion_message *message);

/* Frees what a message points to. */
void step_free(struct completion_message *message);

#endif
