/*
 * A fuzz target: names of models, src/llm/provider.h, model.h and catalogue.h: which provider is meant, what is known, and where it is asked. Lines of the input: LLM_MODEL,
 * LLM_BASE_URL, the model of a request.
 */
#include "../../src/llm/catalogue.h"

static void nearest(const char *id, size_t len, char *names, size_t size);
#define catalogue_nearest nearest
#include "../../src/llm/provider.c"
#undef catalogue_nearest
#include "fuzz.h"

static bool is_slow; /* this time */

/* Comparing with every name takes a hundred times as long as all else. */
static void nearest(const char *id, size_t len, char *names, size_t size)
{
    names[0] = '\0';
    if (is_slow)
        catalogue_nearest(id, len, names, size);
    insist(strlen(names) < size);
}

static void check_signed(const struct provider *provider)
{
    struct buf url, headers;
    struct failure failure = {0};
    buf_init(&url, LIMIT_URL_BYTES);
    buf_init(&headers, LIMIT_HEADER_BYTES);
    enum outcome outcome = provider_sign(provider, "POST", "/chat/completions?a=b", "{}", 2, &url, &headers, &failure);
    fuzz_check_failure(outcome, &failure);
    for (const char *line = headers.data; *line != '\0'; line = strchr(line, '\n') + 1)
        insist(strchr(line, '\n') != NULL && strchr(line, ':') != NULL && strchr(line, ':') < strchr(line, '\n'));
    buf_free(&url);
    buf_free(&headers);
}

static void check_found(enum outcome outcome, const struct failure *failure, const struct provider *provider)
{
    fuzz_check_failure(outcome, failure);
    if (outcome != OUTCOME_OK)
        return;
    insist(provider->id != NULL && provider->model != NULL && provider->key != NULL && provider->address != NULL);
    if (provider->row != NULL) {
        struct usage usage = usage_none();
        usage.prompt_tokens = 1000;
        usage.completion_tokens = 10;
        usage.cached_tokens = 5000;
        double cost = model_cost(provider->id, provider->model, &usage);
        insist(provider->wire != NULL && cost < 1e9 && provider->facts.context >= 0 && provider->facts.max_output >= 0);
        check_signed(provider);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LINES = 3 };
    if (size == 0)
        return 0;
    fuzz_settings();
    is_slow = fuzz_is_chosen(data, size, 64);
    settings.config_file = "/nowhere/parley.json";
    char *lines[LINES], names[64];
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    struct failure failure = {0};
    struct provider provider;
    for (int i = 0; i < LINES; i++)
        lines[i] = fuzz_line(&at, &left);
    char *asked = fuzz_utf8((const uint8_t *)lines[2], strnlen(lines[2], LIMIT_MODEL_NAME_BYTES / 3)); /* it came in JSON */
    settings.llm_model = data[0] % 4 == 0 ? lines[0] : data[0] % 4 == 1 ? "ollama/llama3.2" : "gpt-4o";
    settings.llm_base_url = data[0] % 8 < 4 ? lines[1] : "";
    settings.openai_api_key = data[0] % 16 < 8 ? "sk-key" : "";
    enum outcome outcome = provider_find(asked, &provider, &failure);
    check_found(outcome, &failure, &provider);
    outcome = provider_find_at(asked, "", &provider, &failure);
    check_found(outcome, &failure, &provider);
    if (provider_find_fallback(asked, &provider))
        check_found(OUTCOME_OK, &failure, &provider);
    nearest(asked, strcspn(asked, "/"), names, sizeof names);
    settings.llm_model = settings.llm_base_url = settings.openai_api_key = "";
    free(asked);
    for (int i = 0; i < LINES; i++)
        free(lines[i]);
    return 0;
}
