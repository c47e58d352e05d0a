/*
 * POST /v1/embeddings: texts into vectors, by the model of EMBEDDING_MODEL. Source: OpenAI's API reference, "Create embeddings". Neighbours: llm/embed.h.
 */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../http/response.h"
#include "../llm/embed.h"
#include "../llm/tokens.h"
#include "body.h"
#include "routes.h"

struct embedding_body {
    const char **texts;
    size_t count;
    bool is_base64;
    int64_t dimensions; /* 0: not said */
    int64_t tokens;
};

static enum outcome read_input(json_object *body, struct embedding_body *embedding, struct failure *failure)
{
    json_object *input = json_at(body, "input");
    bool is_list = json_object_is_type(input, json_type_array);
    embedding->count = is_list ? json_object_array_length(input) : input != NULL;
    if (embedding->count == 0 || embedding->count > LIMIT_EMBEDDED_TEXTS)
        return fail(failure, OUTCOME_BAD_FIELD, "\"input\" must be a text or a list of 1 to %d texts.", LIMIT_EMBEDDED_TEXTS);
    embedding->texts = mem_new(embedding->count, sizeof *embedding->texts);
    if (embedding->texts == NULL)
        return fail_no_memory(failure);
    for (size_t i = 0; i < embedding->count; i++) {
        json_object *text = is_list ? json_object_array_get_idx(input, i) : input;
        if (!json_object_is_type(text, json_type_string) || json_object_get_string_len(text) == 0)
            return fail(failure, OUTCOME_BAD_FIELD, "\"input\" must hold texts that are not empty; tokens are not taken.");
        embedding->texts[i] = json_object_get_string(text);
        embedding->tokens += tokens_estimate(embedding->texts[i], (size_t)json_object_get_string_len(text));
    }
    return OUTCOME_OK;
}

/* Only the model of the settings can be asked; its name may come with its provider or without. */
static enum outcome check_model(json_object *body, struct failure *failure)
{
    const char *model = NULL, *bare = strchr(settings.embedding_model, '/');
    TRY(body_text(body, "model", LIMIT_MODEL_NAME_BYTES - 1, &model, failure));
    if (settings.embedding_model[0] == '\0')
        return fail(failure, OUTCOME_NOT_FOUND, "This server has no model for embeddings (EMBEDDING_MODEL).");
    if (model == NULL || strcmp(model, settings.embedding_model) == 0 || (bare != NULL && strcmp(model, bare + 1) == 0))
        return OUTCOME_OK;
    return fail(failure, OUTCOME_NOT_FOUND, "The only model for embeddings here is %s.", settings.embedding_model);
}

static enum outcome read_embedding(json_object *body, struct embedding_body *embedding, struct failure *failure)
{
    const char *format = NULL;
    TRY(read_input(body, embedding, failure));
    TRY(body_text(body, "encoding_format", LIMIT_ID_BYTES, &format, failure));
    if (format != NULL && strcmp(format, "float") != 0 && strcmp(format, "base64") != 0)
        return fail(failure, OUTCOME_BAD_FIELD, "\"encoding_format\" must be \"float\" or \"base64\".");
    embedding->is_base64 = format != NULL && strcmp(format, "base64") == 0;
    TRY(body_whole(body, "dimensions", 1, LIMIT_VECTOR_NUMBERS, &embedding->dimensions, failure));
    return check_model(body, failure);
}

/* Little-endian floats in base64: what OpenAI's SDKs ask for. NULL: out of memory. */
static json_object *base64_of(const float *vector, size_t size)
{
    size_t len = size * sizeof *vector; /* all machines that this runs on are little-endian */
    char *text = mem_new(len / 3 * 4 + 8, 1);
    if (text == NULL)
        return NULL;
    int text_len = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)vector, (int)len); /* at most LIMIT_VECTOR_NUMBERS */
    json_object *string = json_object_new_string_len(text, text_len);
    mem_free(text);
    return string;
}

static json_object *numbers_of(const float *vector, size_t size)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < size; i++) {
        char number[32];
        (void)snprintf(number, sizeof number, "%.9g", (double)vector[i]);
        json_object_array_add(list, json_object_new_double_s((double)vector[i], number));
    }
    return list;
}

static void answer_embedding(struct request *request, const struct embedding_body *embedding, const struct embed_result *result)
{
    json_object *object = json_object_new_object(), *data = json_object_new_array(), *usage = json_object_new_object();
    for (size_t i = 0; i < embedding->count; i++) {
        const float *vector = result->vectors + i * result->size;
        json_object *row = json_object_new_object();
        json_object_object_add(row, "object", json_object_new_string("embedding"));
        json_object_object_add(row, "index", json_object_new_int64((int64_t)i));
        json_object_object_add(row, "embedding", embedding->is_base64 ? base64_of(vector, result->size) : numbers_of(vector, result->size));
        json_object_array_add(data, row);
    }
    json_object_object_add(object, "object", json_object_new_string("list"));
    json_object_object_add(object, "data", data);
    json_object_object_add(object, "model", json_object_new_string(result->model));
    json_object_object_add(usage, "prompt_tokens", json_object_new_int64(embedding->tokens)); /* by estimate */
    json_object_object_add(usage, "total_tokens", json_object_new_int64(embedding->tokens));
    json_object_object_add(object, "usage", usage);
    response_json(request, 200, object);
    json_object_put(object);
}

enum outcome embeddings_post(struct request *request, struct failure *failure)
{
    json_object *body = NULL;
    struct embedding_body embedding = {0};
    struct embed_result result = {0};
    enum outcome outcome = body_read(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_embedding(body, &embedding, failure);
    if (outcome == OUTCOME_OK)
        outcome = embed_texts(embedding.texts, embedding.count, EMBED_DOCUMENT, &result, failure);
    if (outcome == OUTCOME_OK && embedding.dimensions != 0 && (size_t)embedding.dimensions != result.size)
        outcome = fail(failure, OUTCOME_BAD_FIELD, "\"dimensions\" must be %zu, which is what the model has.", result.size);
    if (outcome == OUTCOME_OK)
        answer_embedding(request, &embedding, &result);
    mem_free(result.vectors);
    mem_free(embedding.texts);
    json_object_put(body);
    return outcome;
}
