/*
 * One request to a provider that is answered by one piece of JSON: lists of models, embeddings.
 *
 * Neighbours: relay.h (how it travels), provider.h (address and key), completion.c (streams).
 */
#ifndef PARLEY_FETCH_H
#define PARLEY_FETCH_H

#include <json-c/json.h>
#include <stdint.h>

#include "../base/outcome.h"
#include "provider.h"

/* Sends `body` (borrowed; NULL: a GET) to the provider's `path` and waits for the answer, `timeout_ms` at most; with a body it is repeated by RETRIES where that may help. *reply
   is a new reference (object or array). The outcomes of completion_run(). */
enum outcome fetch_json(const struct provider *provider, const char *path, json_object *body, int64_t timeout_ms, json_object **reply, struct failure *failure);

#endif
