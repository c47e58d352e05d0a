/*
 * What an answer used, model by model: an answer may have asked several.
 *
 * Neighbours: base/usage.h (one model's), making.h (collects them), store/usage.h (keeps them by day).
 */
#ifndef PARLEY_USED_H
#define PARLEY_USED_H

#include <json-c/json.h>
#include <stddef.h>

#include "../base/limits.h"
#include "../base/usage.h"

struct used {
    const char *provider; /* its id; lives as long as the process */
    char model[LIMIT_MODEL_NAME_BYTES];
    struct usage usage;
    int requests;
};

/* Adds `usage` to the row of its model in *list (of mem_new(), *count rows), which is made when there is none yet; beyond LIMIT_USED_MODELS the last row takes the rest. False: out
   of memory. */
bool used_add(struct used **list, size_t *count, const char *provider, const char *model, const struct usage *usage);

/* All rows together. */
struct usage used_sum(const struct used *list, size_t count);

/* {"provider/model": {n_requests, estimated_cost, prompt_tokens, completion_tokens, total_tokens}} as Ragbits has it: a new reference, or NULL when there are no rows. */
json_object *used_by_model(const struct used *list, size_t count);

#endif
