/*
 * The calls of embed.h: how each kind of server is asked and where in its answer the vectors are.
 */
#include "embed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "fetch.h"

enum { TIMEOUT_MS = 60000, MOST_IN_BATCH = 256 };

/* A kind of server. */
struct style {
    size_t batch; /* texts in one request */
    void (*write)(json_object *body, const struct provider *provider, const char *const texts[], size_t count, enum embed_purpose purpose);
    const char *list;   /* where the list of vectors is in the answer; "": the answer itself */
    const char *vector; /* where in an item of it; "": the item itself */
};

static json_object *list_of(const char *const texts[], size_t count)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < count; i++)
        json_object_array_add(list, json_object_new_string(texts[i]));
    return list;
}

static void write_openai(json_object *body, const struct provider *provider, const char *const texts[], size_t count, enum embed_purpose purpose)
{
    wire_add(body, "model", provider->model);
    json_object_object_add(body, "input", list_of(texts, count));
    wire_add(body, "encoding_format", "float");
    if (strcmp(provider->id, "voyage") == 0)
        wire_add(body, "input_type", purpose == EMBED_QUESTION ? "query" : "document");
    if (strcmp(provider->id, "nvidia_nim") == 0)
        wire_add(body, "input_type", purpose == EMBED_QUESTION ? "query" : "passage");
}

static void write_ollama(json_object *body, const struct provider *provider, const char *const texts[], size_t count, enum embed_purpose purpose)
{
    (void)purpose;
    wire_add(body, "model", provider->model);
    json_object_object_add(body, "input", list_of(texts, count));
}

static void write_gemini(json_object *body, const struct provider *provider, const char *const texts[], size_t count, enum embed_purpose purpose)
{
    json_object *requests = json_object_new_array();
    char model[LIMIT_MODEL_NAME_BYTES + 16];
    (void)snprintf(model, sizeof model, "models/%s", provider->model);
    for (size_t i = 0; i < count; i++) {
        json_object *request = json_object_new_object(), *content = json_object_new_object(), *parts = json_object_new_array(), *part = json_object_new_object();
        wire_add(part, "text", texts[i]);
        json_object_array_add(parts, part);
        json_object_object_add(content, "parts", parts);
        wire_add(request, "model", model);
        json_object_object_add(request, "content", content);
        wire_add(request, "taskType", purpose == EMBED_QUESTION ? "RETRIEVAL_QUERY" : "RETRIEVAL_DOCUMENT");
        json_object_array_add(requests, request);
    }
    json_object_object_add(body, "requests", requests);
}

static void write_cohere(json_object *body, const struct provider *provider, const char *const texts[], size_t count, enum embed_purpose purpose)
{
    json_object *types = json_object_new_array();
    json_object_array_add(types, json_object_new_string("float"));
    if (strcmp(provider->wire->name, "cohere") == 0) /* at Bedrock the model is in the path */
        wire_add(body, "model", provider->model);
    json_object_object_add(body, "texts", list_of(texts, count));
    wire_add(body, "input_type", purpose == EMBED_QUESTION ? "search_query" : "search_document");
    json_object_object_add(body, "embedding_types", types);
}

static void write_titan(json_object *body, const struct provider *provider, const char *const texts[], size_t count, enum embed_purpose purpose)
{
    (void)provider;
    (void)count;
    (void)purpose;
    wire_add(body, "inputText", texts[0]);
}

static void write_tei(json_object *body, const struct provider *provider, const char *const texts[], size_t count, enum embed_purpose purpose)
{
    (void)provider;
    (void)purpose;
    json_object_object_add(body, "inputs", list_of(texts, count));
    json_object_object_add(body, "normalize", json_object_new_boolean(true));
    json_object_object_add(body, "truncate", json_object_new_boolean(true));
}

static const struct style openai = {MOST_IN_BATCH, write_openai, "data", "embedding"}, ollama = {64, write_ollama, "embeddings", ""},
                          gemini = {100, write_gemini, "embeddings", "values"}, cohere = {96, write_cohere, "embeddings.float", ""},
                          titan = {1, write_titan, "", "embedding"}, tei = {32, write_tei, "", ""};

static const struct style *style_of(const struct provider *provider)
{
    const char *wire = provider->wire->name;
    if (strcmp(provider->id, "tei") == 0)
        return &tei;
    if (strcmp(wire, "bedrock") == 0)
        return strncmp(provider->model, "cohere.", 7) == 0 || strstr(provider->model, ".cohere.") != NULL ? &cohere : &titan;
    return strcmp(wire, "ollama") == 0 ? &ollama : strcmp(wire, "gemini") == 0 ? &gemini : strcmp(wire, "cohere") == 0 ? &cohere : &openai;
}

/* The path of the catalogue with {model} and {deployment} filled in. */
static void write_path(struct buf *path, const struct provider *provider)
{
    if (strcmp(provider->wire->name, "gemini") == 0) { /* the catalogue has the call for one text */
        buf_add_text(path, "/models/");
        wire_add_segment(path, provider->model);
        buf_add_text(path, ":batchEmbedContents");
        return;
    }
    if (strcmp(provider->wire->name, "azure") == 0 && catalogue_variable(provider->row, "version_from") == NULL) { /* as for chat: its newer API */
        buf_add_text(path, "/openai/v1/embeddings");
        return;
    }
    for (const char *c = provider->row->embeddings; *c != '\0'; c++) {
        if (*c != '{') {
            buf_add_char(path, *c);
            continue;
        }
        wire_add_segment(path, provider->model);
        c += strcspn(c, "}");
        if (*c == '\0')
            break;
    }
    if (strcmp(provider->wire->name, "azure") == 0) {
        buf_add_text(path, "?api-version=");
        wire_add_segment(path, catalogue_variable(provider->row, "version_from"));
    }
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

/* A number of a vector. False: it is none. */
static bool take_number(json_object *vector, size_t index, double *number)
{
    json_object *item = json_object_array_get_idx(vector, index);
    *number = json_object_get_double(item);
    return (json_object_is_type(item, json_type_double) || json_object_is_type(item, json_type_int)) && isfinite(*number);
}

/* The vectors being gathered. */
struct gathering {
    struct embed_result *result;
    size_t count;     /* of all texts */
    bool no_memory;
};

/* Copies a vector and makes its length 1. False: it is none, of another size than the others, or there is no memory. */
static bool take_vector(struct gathering *gathering, size_t index, json_object *vector)
{
    struct embed_result *result = gathering->result;
    size_t size = json_object_is_type(vector, json_type_array) ? json_object_array_length(vector) : 0;
    double number, sum = 0;
    if (size == 0 || size > LIMIT_VECTOR_NUMBERS || (result->size != 0 && size != result->size))
        return false;
    if (result->vectors == NULL) {
        result->vectors = mem_new(gathering->count * size, sizeof *result->vectors);
        result->size = size;
        gathering->no_memory = result->vectors == NULL;
    }
    for (size_t i = 0; i < size; i++) {
        if (!take_number(vector, i, &number))
            return false;
        sum += number * number;
    }
    if (gathering->no_memory || !isfinite(sum))
        return false;
    for (size_t i = 0; i < size && sum > 0; i++) {
        (void)take_number(vector, i, &number); /* it was one a moment ago */
        result->vectors[index * size + i] = (float)(number / sqrt(sum));
    }
    return true;
}

/* Where the vector of item number `i` belongs; OpenAI says it. `seen` notes it; -1: no such place, or twice the same. */
static int64_t place_of(const struct style *style, json_object *item, size_t i, size_t count, bool seen[])
{
    int64_t place = style == &openai ? json_count(item, "index", (int64_t)i) : (int64_t)i;
    if (place >= (int64_t)count || seen[place])
        return -1;
    seen[place] = true;
    return place;
}

/* Takes the vectors of a batch of `count` texts, the first of which is text number `first`. */
static bool take_batch(struct gathering *gathering, const struct style *style, json_object *reply, size_t first, size_t count)
{
    bool seen[MOST_IN_BATCH] = {false};
    json_object *list = style->list[0] != '\0' ? json_at(reply, style->list) : reply;
    if (style == &cohere && list == NULL) /* without types it is the plain list */
        list = json_at(reply, "embeddings");
    if (style == &titan)
        return take_vector(gathering, first, json_at(reply, style->vector));
    if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(list, i);
        int64_t place = place_of(style, item, i, count, seen);
        json_object *vector = style->vector[0] != '\0' ? json_at(item, style->vector) : item;
        if (place < 0 || !take_vector(gathering, first + (size_t)place, vector))
            return false;
    }
    return true;
}

static enum outcome embed_batch(const struct provider *provider, const struct style *style, const char *const texts[], size_t first, size_t count, size_t all,
                                enum embed_purpose purpose, struct embed_result *result, struct failure *failure)
{
    struct gathering gathering = {.result = result, .count = all};
    struct buf path;
    json_object *body = json_object_new_object(), *reply = NULL;
    buf_init(&path, LIMIT_URL_BYTES);
    write_path(&path, provider);
    style->write(body, provider, texts + first, count, purpose);
    enum outcome outcome = buf_failed(&path) ? fail_no_memory(failure) : fetch_json(provider, path.data, body, TIMEOUT_MS, &reply, failure);
    if (outcome == OUTCOME_OK && !take_batch(&gathering, style, reply, first, count))
        outcome = gathering.no_memory ? fail_no_memory(failure) : fail(failure, OUTCOME_PROVIDER_ERROR, "The embedding provider sent something else than one vector for each text.");
    json_object_put(body);
    json_object_put(reply);
    buf_free(&path);
    return outcome;
}

enum outcome embed_texts(const char *const texts[], size_t count, enum embed_purpose purpose, struct embed_result *result, struct failure *failure)
{
    struct provider provider;
    *result = (struct embed_result){0};
    if (settings.embedding_model[0] == '\0')
        return fail(failure, OUTCOME_BAD_FIELD, "No embedding model is set: EMBEDDING_MODEL names one.");
    enum outcome outcome = provider_find_at(settings.embedding_model, settings.embedding_base_url, &provider, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (provider.row->embeddings == NULL)
        return fail(failure, OUTCOME_BAD_FIELD, "The provider %s has no embeddings.", provider.id);
    (void)snprintf(result->model, sizeof result->model, "%s/%.200s", provider.id, provider.model);
    const struct style *style = style_of(&provider);
    for (size_t first = 0; first < count && outcome == OUTCOME_OK; first += style->batch) {
        size_t part = count - first < style->batch ? count - first : style->batch;
        outcome = embed_batch(&provider, style, texts, first, part, count, purpose, result, failure);
    }
    if (outcome != OUTCOME_OK) {
        mem_free(result->vectors);
        *result = (struct embed_result){0};
    }
    return outcome;
}
