/*
 * Which provider a model name means, and whether it works. Only settings decide on addresses and keys; a request can choose among the models of what is set up, never an
 * address.
 *
 * Neighbours: catalogue.h (all providers), model.h (all models), completion.c (asks them).
 */
#ifndef PARLEY_PROVIDER_H
#define PARLEY_PROVIDER_H

#include <stdbool.h>

#include "../base/buf.h"
#include "../base/outcome.h"
#include "catalogue.h"
#include "relay.h"
#include "wire.h"

struct provider {
    const struct catalogue_provider *row; /* NULL: the demo */
    const struct wire *wire;
    const char *id;      /* "openai", "demo", … */
    const char *model;   /* as the provider names it; points into what was asked or the settings */
    const char *address; /* LLM_BASE_URL where it counts, or "" */
    const char *key;     /* "" when there is none */
    struct model_facts facts;
    bool is_demo;
};

/* Finds the provider for `model` (NULL or "": the configured one), by the rules of docs/providers.md. OUTCOME_BAD_FIELD with the nearest names when its provider is unknown. */
enum outcome provider_find(const char *model, struct provider *provider, struct failure *failure);

/* The same for a name in LLM_FALLBACKS, which is never part of another provider's name. False: its provider is unknown or not set up. */
bool provider_find_fallback(const char *model, struct provider *provider);

/* The same for a model with an address of its own ("": none), whatever the chat's settings are: for embeddings. */
enum outcome provider_find_at(const char *model, const char *address, struct provider *provider, struct failure *failure);

/* Appends what a request to the provider needs: its address with `path`, and the lines of headers that show the key and that parley.json adds. `body` is what will be sent
   (signatures cover it); `method` "GET" or "POST". */
enum outcome provider_sign(const struct provider *provider, const char *method, const char *path, const char *body, size_t body_len, struct buf *url,
                           struct buf *headers, struct failure *failure);

/* Asks a provider for its list of models: whether address and key work. At most `timeout_ms`. NULL: the configured one. */
enum outcome provider_check(const struct provider *provider, int timeout_ms, struct failure *failure);

#endif
