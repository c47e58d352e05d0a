/*
 * Which provider a model name means, where it is and which key opens it. Only settings decide; a request can choose a model, never an address.
 */
#ifndef PARLEY_PROVIDER_H
#define PARLEY_PROVIDER_H

#include <stdbool.h>

#include "../base/outcome.h"

struct provider {
    const char *id;       /* "openai", "demo", … */
    const char *base_url; /* "" for the demo */
    const char *key;      /* "" when there is none */
    const char *model;    /* as the provider names it; points into what was asked or the settings */
    bool is_demo;
};

/* Finds the provider for `model` (NULL or "": the configured one), by the rules of design section 7. Always finds one. */
struct provider provider_find(const char *model);

/* Asks the configured provider for its list of models: whether address and key work. At most `timeout_ms`. */
enum outcome provider_check(int timeout_ms, struct failure *failure);

#endif
