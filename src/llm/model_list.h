/*
 * Which models can be asked for: those of the settings, and what their providers say that they have, remembered for ten minutes.
 *
 * Neighbours: fetch.h, provider.h. Leaves out: what is known about a model (model.h).
 */
#ifndef PARLEY_MODEL_LIST_H
#define PARLEY_MODEL_LIST_H

#include <json-c/json.h>
#include <stdbool.h>

#include "../base/limits.h"

/* A list of {"id": "provider/model", "provider"}, the configured model first, then LLM_FALLBACKS, then what the configured provider and every other one that is set up offer. A
   provider that does not answer in a few seconds is left out. A new reference. */
json_object *model_list(void);

/* The configured model as the list names it. False: there is none that could be asked. */
enum { MODEL_ID_BYTES = LIMIT_MODEL_NAME_BYTES * 2 };
bool model_list_first(char id[MODEL_ID_BYTES]);

#endif
