/*
 * What is known about models: how much they take, what they can do, what they cost. Data: models.json, embedded; parley.json's "models" adds to it and overrides it.
 *
 * Neighbours: catalogue.h (providers), wire.h (struct model_facts). Leaves out: which models a provider has at the moment (model_list.h).
 */
#ifndef PARLEY_MODEL_H
#define PARLEY_MODEL_H

#include <stdbool.h>

#include "../base/usage.h"
#include "wire.h"

/* US dollars per million tokens; negative: not known. */
struct model_price {
    double input, output, cached;
    const char *date; /* of the prices: "2026-08-01" */
};

/* Looks for `model` (as the provider names it) of a provider; dated versions and the like ("gpt-4o-2024-08-06") are known by the longest name they begin with. Facts of an unknown
   one have `known` false and assume that it can do everything. */
struct model_facts model_facts_of(const char *provider, const char *model);
struct model_price model_price_of(const char *provider, const char *model, int64_t prompt_tokens);

/* What an answer cost in US dollars by the table; negative: not known. Cached tokens are part of the prompt's. */
double model_cost(const char *provider, const char *model, const struct usage *usage);

/* The provider of a model that is named without one ("gpt-4o", "claude-…"); NULL: unknown. */
const char *model_provider(const char *model);

#endif
