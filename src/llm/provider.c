/*
 * The rules of provider.h.
 */
#include "provider.h"

#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "../base/settings.h"
#include "model.h"
#include "provider_error.h"
#include "sigv4.h"

/* The provider whose id stands before the first slash of `model`, and has a name behind it; NULL: none that is known. */
static const struct catalogue_provider *named_in(const char *model)
{
    size_t len = strcspn(model, "/");
    return model[len] == '/' && model[len + 1] != '\0' ? catalogue_find(model, len) : NULL;
}

static void fill(struct provider *provider, const struct catalogue_provider *row, const char *model, const char *address)
{
    *provider = (struct provider){.row = row, .wire = row->wire, .id = row->id, .model = model, .address = address, .key = catalogue_key(row)};
    if (address[0] != '\0' && !catalogue_has_credentials(row))
        provider->key = settings.openai_api_key; /* the key of whatever is at LLM_BASE_URL */
    provider->facts = model_facts_of(row->id, model);
    if (provider->facts.responses_only && row->wire == &wire_openai)
        provider->wire = &wire_responses;
}

static enum outcome unknown(const char *model, struct failure *failure)
{
    char names[200];
    size_t len = strcspn(model, "/");
    catalogue_nearest(model, len, names, sizeof names);
    return fail(failure, OUTCOME_BAD_FIELD, "There is no provider called \"%.*s\". The most similar ones are: %s.", (int)(len < 60 ? len : 60), model, names);
}

enum outcome provider_find_at(const char *model, const char *address, struct provider *provider, struct failure *failure)
{
    const struct catalogue_provider *row = named_in(model);
    const char *by_name = row == NULL && address[0] == '\0' ? model_provider(model) : NULL;
    *provider = (struct provider){.id = "", .model = model, .address = address, .key = ""};
    if (row != NULL) {
        fill(provider, row, model + strlen(row->id) + 1, address);
    } else if (by_name == NULL && address[0] == '\0' && strchr(model, '/') != NULL) {
        return unknown(model, failure);
    } else {
        row = catalogue_find(by_name != NULL ? by_name : "openai", strlen(by_name != NULL ? by_name : "openai"));
        if (row == NULL)
            return fail_no_memory(failure); /* the list could not be read */
        fill(provider, row, model, address);
    }
    return OUTCOME_OK;
}

/* What a provider that the settings name by its id still lacks. */
static enum outcome needs(const struct catalogue_provider *row, struct failure *failure)
{
    struct buf url;
    buf_init(&url, LIMIT_URL_BYTES);
    enum outcome outcome = catalogue_address(row, "", &url, failure);
    buf_free(&url);
    const char *name = json_text(row->row, row->auth == AUTH_SIGV4 ? "sigv4.0" : "keys.0", NULL);
    return outcome != OUTCOME_OK ? outcome
                                 : fail(failure, OUTCOME_PROVIDER_AUTH, "The provider %s needs %s to be set on the server.", row->id, name != NULL ? name : "a key");
}

/* The one that the settings name. */
static enum outcome find_configured(struct provider *provider, struct failure *failure)
{
    const char *model = settings.llm_model, *address = settings.llm_base_url;
    enum outcome outcome = provider_find_at(model, address, provider, failure);
    if (outcome != OUTCOME_OK || provider->row == NULL)
        return outcome;
    const struct catalogue_provider *row = provider->row;
    bool set_up = address[0] != '\0' || row->local || catalogue_is_set_up(row);
    if (!set_up && named_in(model) != NULL)
        return needs(row, failure);
    if (!set_up || strcmp(model, "demo") == 0)
        *provider = (struct provider){.id = "demo", .address = "", .key = "", .model = "demo", .is_demo = true};
    return OUTCOME_OK;
}

enum outcome provider_find(const char *model, struct provider *provider, struct failure *failure)
{
    enum outcome outcome = find_configured(provider, failure);
    if (model == NULL || *model == '\0' || outcome != OUTCOME_OK || provider->is_demo)
        return outcome;
    const struct catalogue_provider *row = named_in(model);
    const char *by_name = row == NULL && provider->address[0] == '\0' ? model_provider(model) : NULL;
    if (by_name != NULL)
        row = catalogue_find(by_name, strlen(by_name));
    size_t skip = row != NULL && by_name == NULL ? strlen(row->id) + 1 : 0;
    if (row != NULL && row == provider->row)
        fill(provider, row, model + skip, provider->address);
    else if (row != NULL && catalogue_is_set_up(row))
        fill(provider, row, model + skip, "");
    else /* what looks like another provider may be part of the model's own name */
        fill(provider, provider->row, model, provider->address);
    return OUTCOME_OK;
}

bool provider_find_fallback(const char *model, struct provider *provider)
{
    struct failure failure;
    if (find_configured(provider, &failure) != OUTCOME_OK || provider->is_demo)
        return false;
    const struct catalogue_provider *row = named_in(model);
    const char *by_name = row == NULL && provider->address[0] == '\0' ? model_provider(model) : NULL;
    size_t skip = row != NULL ? strlen(row->id) + 1 : 0;
    if (by_name != NULL)
        row = catalogue_find(by_name, strlen(by_name));
    if (row == NULL && (provider->address[0] != '\0' || strchr(model, '/') == NULL)) /* a name of the configured provider's own */
        fill(provider, provider->row, model, provider->address);
    else if (row != NULL && (row == provider->row || row->local || catalogue_is_set_up(row)))
        fill(provider, row, model + skip, row == provider->row ? provider->address : "");
    else
        return false;
    return true;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static void add_line(struct buf *headers, const char *name, const char *value)
{
    if (strpbrk(value, "\r\n") == NULL) /* a header cannot hold them */
        buf_addf(headers, "%s: %s\n", name, value);
}

/* Headers of the row's own; "$NAME" stands for the value of that variable. */
static void add_own_headers(const struct catalogue_provider *row, struct buf *headers)
{
    json_object *own = json_at(row->row, "headers");
    if (!json_object_is_type(own, json_type_object))
        return;
    json_object_object_foreach(own, name, value) {
        const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
        if (text[0] == '$')
            text = settings_foreign(text + 1);
        if (text != NULL && text[0] != '\0' && strpbrk(name, ":\r\n") == NULL)
            add_line(headers, name, text);
    }
}

static void add_key(const struct provider *provider, struct buf *headers)
{
    static const char *const names[] = {[AUTH_X_API_KEY] = "x-api-key", [AUTH_API_KEY] = "api-key", [AUTH_X_GOOG_API_KEY] = "x-goog-api-key"};
    const struct catalogue_provider *row = provider->row;
    const char *bearer = catalogue_variable(row, "bearer_keys"), *own = json_text(row->row, "key_header", NULL);
    bool in_header = row->auth == AUTH_X_API_KEY || row->auth == AUTH_API_KEY || row->auth == AUTH_X_GOOG_API_KEY;
    if (provider->key[0] == '\0' && bearer == NULL)
        return;
    if (provider->key[0] != '\0' && own != NULL)
        add_line(headers, own, provider->key);
    else if (provider->key[0] != '\0' && in_header)
        add_line(headers, names[row->auth], provider->key);
    else if (strpbrk(provider->key[0] != '\0' ? provider->key : bearer, "\r\n") == NULL)
        buf_addf(headers, "Authorization: Bearer %s\n", provider->key[0] != '\0' ? provider->key : bearer);
}

/* Signs for AWS. The region is the part of that name of the address, or stands in it: bedrock-runtime.REGION.amazonaws.com. */
static enum outcome add_signature(const struct provider *provider, const char *method, const char *url, const char *body, size_t body_len, struct buf *headers,
                                  struct failure *failure)
{
    char host[256], path[LIMIT_URL_BYTES], region[64] = "";
    const char *start = strstr(url, "://");
    start = start != NULL ? start + 3 : url;
    size_t host_len = strcspn(start, "/"), path_len = strcspn(start + host_len, "?");
    (void)snprintf(host, sizeof host, "%.*s", (int)host_len, start);
    (void)snprintf(path, sizeof path, "%.*s", (int)path_len, start + host_len);
    const char *query = start + host_len + path_len, *set = catalogue_variable(provider->row, "url_parts.region");
    const char *dot = strchr(host, '.');
    if (set != NULL)
        (void)snprintf(region, sizeof region, "%s", set);
    else if (dot != NULL)
        (void)snprintf(region, sizeof region, "%.*s", (int)strcspn(dot + 1, "."), dot + 1);
    struct sigv4_request request = {
        .method = method, .host = host, .path = path, .query = *query == '?' ? query + 1 : "", .body = body, .body_len = body_len,
        .region = region, .service = "bedrock", .access_key = catalogue_sigv4(provider->row, 0), .secret_key = catalogue_sigv4(provider->row, 1),
        .session_token = catalogue_sigv4(provider->row, 2), .time = (time_t)(clock_unix_ms() / 1000),
    };
    return sigv4_sign(&request, headers, failure);
}

enum outcome provider_sign(const struct provider *provider, const char *method, const char *path, const char *body, size_t body_len, struct buf *url,
                           struct buf *headers, struct failure *failure)
{
    struct buf base;
    buf_init(&base, LIMIT_URL_BYTES);
    bool is_whole = strstr(path, "://") != NULL; /* Bedrock's list of models is at a host of its own */
    enum outcome outcome = is_whole ? catalogue_fill(provider->row, path, url, failure) : catalogue_address(provider->row, provider->address, &base, failure);
    if (outcome == OUTCOME_OK && !is_whole)
        relay_join_url(url, base.data, path);
    buf_free(&base);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (provider->row->auth == AUTH_SIGV4 && provider->key[0] == '\0')
        outcome = add_signature(provider, method, url->data, body, body_len, headers, failure);
    else
        add_key(provider, headers);
    if (outcome != OUTCOME_OK)
        return outcome;
    add_own_headers(provider->row, headers);
    return buf_failed(url) || buf_failed(headers) ? fail_no_memory(failure) : OUTCOME_OK;
}

/* --- checking ----------------------------------------------------------------------------------------------------- */

static bool ignore_bytes(void *arg, const char *bytes, size_t len)
{
    (void)arg;
    (void)bytes;
    (void)len;
    return true;
}

static enum outcome ask_for_models(const struct provider *provider, int timeout_ms, const char *url, const char *headers, struct failure *failure)
{
    struct exchange exchange = {.url = url, .headers = headers, .bytes = ignore_bytes,
                                .connect_ms = timeout_ms, .first_ms = timeout_ms, .idle_ms = timeout_ms, .total_ms = timeout_ms};
    (void)provider;
    relay_run(&exchange);
    /* a server without a list of models is a server all the same */
    if (exchange.end == EXCHANGE_DONE && (exchange.status < 400 || exchange.status == 404 || exchange.status == 405 || exchange.status == 501))
        return OUTCOME_OK;
    struct provider_error error;
    provider_error_read(&error, &exchange, "", 0);
    return provider_error_fail(&error, failure);
}

enum outcome provider_check(const struct provider *provider, int timeout_ms, struct failure *failure)
{
    struct provider configured;
    enum outcome outcome = provider == NULL ? provider_find(NULL, &configured, failure) : OUTCOME_OK;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (provider == NULL)
        provider = &configured;
    if (provider->row == NULL) /* the demo */
        return OUTCOME_OK;
    const char *path = provider->row->models != NULL ? provider->row->models : "/models";
    struct buf url, headers;
    buf_init(&url, LIMIT_URL_BYTES);
    buf_init(&headers, LIMIT_HEADER_BYTES);
    outcome = provider_sign(provider, "GET", path, "", 0, &url, &headers, failure);
    if (outcome == OUTCOME_OK)
        outcome = ask_for_models(provider, timeout_ms, url.data, headers.data, failure);
    buf_free(&url);
    buf_free(&headers);
    return outcome;
}
