/*
 * The rules of provider.h.
 */
#include "provider.h"

#include <string.h>

#include "../base/settings.h"
#include "provider_error.h"
#include "relay.h"

/* Providers that speak the OpenAI wire and need no more than an address. A model is named `id/model`. */
static const struct {
    const char *id, *base_url;
} known[] = {
    {"openai", "https://api.openai.com/v1"},
    {"ollama", "http://127.0.0.1:11434/v1"},
    {"vllm", "http://127.0.0.1:8000/v1"},
    {"llamacpp", "http://127.0.0.1:8080/v1"},
};

/* The provider whose id stands before the slash of `model`, or -1. */
static int find_known(const char *model)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t len = strlen(known[i].id);
        if (strncmp(model, known[i].id, len) == 0 && model[len] == '/' && model[len + 1] != '\0')
            return (int)i;
    }
    return -1;
}

/* The one that the settings name. */
static struct provider find_configured(void)
{
    int index = find_known(settings.llm_model);
    bool is_set_up = settings.llm_base_url[0] != '\0' || settings.openai_api_key[0] != '\0' || index > 0; /* the others need no key */
    if (!is_set_up || strcmp(settings.llm_model, "demo") == 0)
        return (struct provider){.id = "demo", .base_url = "", .key = "", .model = "demo", .is_demo = true};
    struct provider provider = {.id = known[index < 0 ? 0 : index].id, .base_url = known[index < 0 ? 0 : index].base_url,
                                .key = settings.openai_api_key, .model = settings.llm_model};
    if (index >= 0)
        provider.model += strlen(provider.id) + 1;
    if (settings.llm_base_url[0] != '\0')
        provider.base_url = settings.llm_base_url;
    else if (index > 0)
        provider.key = ""; /* OpenAI's key is nobody else's business */
    return provider;
}

struct provider provider_find(const char *model)
{
    struct provider provider = find_configured();
    if (model == NULL || *model == '\0' || provider.is_demo)
        return provider;
    int index = find_known(model); /* another provider's id is part of the name: an address is not for a request to choose */
    provider.model = index >= 0 && strcmp(known[index].id, provider.id) == 0 ? model + strlen(provider.id) + 1 : model;
    return provider;
}

static bool ignore_bytes(void *arg, const char *bytes, size_t len)
{
    (void)arg;
    (void)bytes;
    (void)len;
    return true;
}

enum outcome provider_check(int timeout_ms, struct failure *failure)
{
    struct provider provider = provider_find(NULL);
    if (provider.is_demo)
        return OUTCOME_OK;
    struct exchange exchange = {.base_url = provider.base_url, .path = "/models", .key = provider.key, .bytes = ignore_bytes,
                                .connect_ms = timeout_ms, .first_ms = timeout_ms, .idle_ms = timeout_ms, .total_ms = timeout_ms};
    relay_run(&exchange);
    /* a server without a list of models is a server all the same */
    if (exchange.end == EXCHANGE_DONE && (exchange.status < 400 || exchange.status == 404 || exchange.status == 405 || exchange.status == 501))
        return OUTCOME_OK;
    struct provider_error error;
    provider_error_read(&error, &exchange, "", 0);
    return provider_error_fail(&error, failure);
}
