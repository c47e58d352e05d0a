/*
 * OpenAI's API, for its SDKs and what is built on them: POST /v1/chat/completions, GET /v1/models, POST /v1/embeddings; and POST /api/v1/chat, which takes the same list of
 * messages.
 *
 * Source: OpenAI's API reference, pages of those names. Nothing is kept but what was used, unless "store" is true; who leaves stops the answer. What no model here can be told
 * (top_p, penalties, logit_bias, user, …) is taken and has no effect; what would change the shape of the answer (n above 1, logprobs, audio) is refused. Failures have OpenAI's
 * shape: faces.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../chat/attachments.h"
#include "../chat/turn.h"
#include "../http/response.h"
#include "../llm/embed.h"
#include "../llm/model_list.h"
#include "../llm/tokens.h"
#include "body.h"
#include "messages.h"
#include "routes.h"

/* --- chat completions --------------------------------------------------------------------------------------------- */

struct completion_body {
    struct messages messages;
    struct turn turn;
    struct completion_tool *tools;
    const char *stops[LIMIT_STOPS];
    int stream, store, with_usage;
};

static bool is_tool_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= LIMIT_ID_BYTES && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static enum outcome read_tools(json_object *body, struct completion_body *completion, struct failure *failure)
{
    json_object *list = NULL;
    TRY(body_array(body, "tools", &list, failure));
    size_t count = list != NULL ? json_object_array_length(list) : 0;
    if (count == 0)
        return OUTCOME_OK;
    if (count > LIMIT_TOOLS)
        return fail(failure, OUTCOME_BAD_FIELD, "\"tools\" may hold %d tools at most.", LIMIT_TOOLS);
    completion->tools = mem_new(count, sizeof *completion->tools);
    if (completion->tools == NULL)
        return fail_no_memory(failure);
    completion->turn.tools = completion->tools;
    for (size_t i = 0; i < count; i++) {
        json_object *tool = json_object_array_get_idx(list, i), *schema = json_at(tool, "function.parameters"), *description = json_at(tool, "function.description");
        const char *type = json_text(tool, "type", NULL), *name = json_text(tool, "function.name", NULL);
        if (type == NULL || strcmp(type, "function") != 0 || name == NULL || !is_tool_name(name))
            return fail(failure, OUTCOME_BAD_FIELD,
                        "\"tools\" must hold objects of the type \"function\", each with a \"function\" whose \"name\" has letters, digits, _ and - only.");
        if (description != NULL && !json_object_is_type(description, json_type_string))
            return fail(failure, OUTCOME_BAD_FIELD, "\"tools\": \"description\" must be a string.");
        if (schema != NULL && !json_object_is_type(schema, json_type_object))
            return fail(failure, OUTCOME_BAD_FIELD, "\"tools\": \"parameters\" must be a JSON Schema object.");
        completion->tools[completion->turn.tool_count++] = (struct completion_tool){name, description != NULL ? json_object_get_string(description) : "",
                                                                                    schema != NULL ? json_write(schema) : COMPLETION_NO_ARGUMENTS};
    }
    return OUTCOME_OK;
}

static enum outcome read_tool_choice(json_object *body, struct turn *turn, struct failure *failure)
{
    json_object *choice = json_at(body, "tool_choice");
    const char *word = json_object_is_type(choice, json_type_string) ? json_object_get_string(choice) : json_text(choice, "function.name", NULL);
    if (choice == NULL)
        return OUTCOME_OK;
    bool is_word = json_object_is_type(choice, json_type_string);
    if (word == NULL || (is_word && strcmp(word, "none") != 0 && strcmp(word, "auto") != 0 && strcmp(word, "required") != 0))
        return fail(failure, OUTCOME_BAD_FIELD, "\"tool_choice\" must be \"none\", \"auto\", \"required\" or an object that names a function.");
    bool is_known = is_word;
    for (size_t i = 0; i < turn->tool_count; i++)
        is_known = is_known || strcmp(turn->tools[i].name, word) == 0;
    if (!is_known || (turn->tool_count == 0 && strcmp(word, "required") == 0))
        return fail(failure, OUTCOME_BAD_FIELD, "\"tool_choice\" names a tool that is not among \"tools\".");
    if (strcmp(word, "auto") != 0 && turn->tool_count > 0)
        turn->tool_choice = word;
    return OUTCOME_OK;
}

static enum outcome read_stop(json_object *body, struct completion_body *completion, struct failure *failure)
{
    json_object *stop = json_at(body, "stop");
    bool is_list = json_object_is_type(stop, json_type_array);
    size_t count = is_list ? json_object_array_length(stop) : stop != NULL;
    if (count > LIMIT_STOPS)
        return fail(failure, OUTCOME_BAD_FIELD, "\"stop\" may hold %d texts at most.", LIMIT_STOPS);
    for (size_t i = 0; i < count; i++) {
        json_object *text = is_list ? json_object_array_get_idx(stop, i) : stop;
        if (!json_object_is_type(text, json_type_string) || json_object_get_string_len(text) == 0)
            return fail(failure, OUTCOME_BAD_FIELD, "\"stop\" must be a string or a list of strings, none of them empty.");
        completion->stops[i] = json_object_get_string(text);
    }
    completion->turn.stop = completion->stops;
    completion->turn.stop_count = count;
    return OUTCOME_OK;
}

static enum outcome read_format(json_object *body, struct turn *turn, struct failure *failure)
{
    json_object *format = NULL;
    TRY(body_object(body, "response_format", (size_t)settings.max_body_bytes, &format, failure));
    const char *type = json_text(format, "type", NULL);
    json_object *schema = json_at(format, "json_schema.schema");
    if (format == NULL || (type != NULL && strcmp(type, "text") == 0))
        return OUTCOME_OK;
    if (type != NULL && strcmp(type, "json_object") == 0) {
        turn->format = COMPLETION_JSON;
        return OUTCOME_OK;
    }
    if (type == NULL || strcmp(type, "json_schema") != 0 || !json_object_is_type(schema, json_type_object))
        return fail(failure, OUTCOME_BAD_FIELD,
                    "\"response_format\" must be of the type \"text\", \"json_object\" or \"json_schema\", the last with a \"json_schema\" that has a \"schema\".");
    turn->format = COMPLETION_SCHEMA;
    turn->schema = json_write(schema);
    return OUTCOME_OK;
}

static enum outcome read_effort(json_object *body, struct turn *turn, struct failure *failure)
{
    static const char *const efforts[][2] = {{"none", "none"}, {"minimal", "low"}, {"low", "low"}, {"medium", "medium"}, {"high", "high"}, {"xhigh", "high"}};
    const char *effort = NULL;
    TRY(body_text(body, "reasoning_effort", LIMIT_ID_BYTES, &effort, failure));
    for (size_t i = 0; effort != NULL && i < sizeof efforts / sizeof efforts[0]; i++)
        if (strcmp(efforts[i][0], effort) == 0)
            turn->effort = efforts[i][1];
    return effort == NULL || turn->effort != NULL ? OUTCOME_OK : fail(failure, OUTCOME_BAD_FIELD, "\"reasoning_effort\" must be \"none\", \"low\", \"medium\" or \"high\".");
}

/* What would need an answer of another shape. */
static enum outcome check_unknown(json_object *body, struct failure *failure)
{
    static const char *const refused[] = {"audio", "functions", "function_call", "web_search_options"};
    double n = 1;
    int logprobs = 0;
    TRY(body_number(body, "n", 1, 1, &n, failure));
    TRY(body_flag(body, "logprobs", &logprobs, failure));
    if (logprobs)
        return fail(failure, OUTCOME_BAD_FIELD, "\"logprobs\" are not to be had here.");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (json_at(body, refused[i]) != NULL)
            return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" cannot be used here.", refused[i]);
    return OUTCOME_OK;
}

/* The model, and how long and how it is to answer: what several faces have. */
static enum outcome read_sampling(json_object *body, struct turn *turn, struct failure *failure)
{
    TRY(body_text(body, "model", LIMIT_MODEL_NAME_BYTES - 1, &turn->model, failure));
    if (turn->model != NULL && !body_is_plain(turn->model))
        return fail(failure, OUTCOME_BAD_FIELD, "\"model\" holds a control character.");
    TRY(body_number(body, "temperature", 0, 2, &turn->temperature, failure));
    TRY(body_whole(body, "max_tokens", 1, 1000000000, &turn->max_tokens, failure));
    return body_whole(body, "max_completion_tokens", 1, 1000000000, &turn->max_tokens, failure);
}

static enum outcome read_messages(json_object *body, struct messages *messages, struct failure *failure)
{
    json_object *list = NULL;
    TRY(body_array(body, "messages", &list, failure));
    if (list == NULL || json_object_array_length(list) == 0)
        return fail(failure, OUTCOME_BAD_FIELD, "\"messages\" is missing or empty.");
    TRY(messages_read(messages, list, "messages", false, failure));
    return messages_check(messages, "messages", failure);
}

static enum outcome read_completion(json_object *body, struct completion_body *completion, struct failure *failure)
{
    struct turn *turn = &completion->turn;
    json_object *options = NULL, *metadata = NULL;
    TRY(read_messages(body, &completion->messages, failure));
    TRY(read_sampling(body, turn, failure));
    TRY(body_flag(body, "stream", &completion->stream, failure));
    TRY(body_flag(body, "store", &completion->store, failure));
    TRY(body_object(body, "stream_options", LIMIT_METADATA_BYTES, &options, failure));
    if (options != NULL)
        TRY(body_flag(options, "include_usage", &completion->with_usage, failure));
    TRY(body_whole(body, "seed", -((int64_t)1 << 53), (int64_t)1 << 53, &turn->seed, failure));
    TRY(read_tools(body, completion, failure));
    TRY(read_tool_choice(body, turn, failure));
    TRY(read_stop(body, completion, failure));
    TRY(read_format(body, turn, failure));
    TRY(read_effort(body, turn, failure));
    TRY(body_object(body, "metadata", LIMIT_METADATA_BYTES, &metadata, failure));
    if (metadata != NULL)
        turn->metadata = json_write(metadata);
    return check_unknown(body, failure);
}

/* Gives a turn the messages of the client. */
static void take_messages(struct turn *turn, const struct request *request, const struct messages *messages)
{
    turn->user = request_user(request);
    turn->user_name = request_user_name(request);
    turn->stop_when_left = true;
    turn->messages = messages->list;
    turn->message_count = messages->count;
    turn->message = messages->question;
    turn->message_len = messages->question_len;
    if (messages->system.len > 0)
        turn->system = messages->system.data;
}

/* Keeps the images of the question with it: *attachments is the caller's; NULL when there are none. */
static enum outcome take_images(struct turn *turn, char **attachments, struct failure *failure)
{
    size_t at = turn->message_count;
    while (at > 0 && turn->messages[at - 1].role != COMPLETION_USER)
        at--;
    if (at == 0 || turn->messages[at - 1].image_count == 0)
        return OUTCOME_OK;
    *attachments = attachments_write(turn->messages[at - 1].images, turn->messages[at - 1].image_count);
    turn->attachments = *attachments;
    return *attachments != NULL ? OUTCOME_OK : fail_no_memory(failure);
}

enum outcome openai_completions_post(struct request *request, struct failure *failure)
{
    json_object *body = NULL;
    char *attachments = NULL;
    struct completion_body completion = {.turn = turn_none()};
    messages_init(&completion.messages);
    enum outcome outcome = body_read(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_completion(body, &completion, failure);
    if (outcome == OUTCOME_OK) {
        take_messages(&completion.turn, request, &completion.messages);
        completion.turn.is_stored = completion.store;
        outcome = completion.store ? take_images(&completion.turn, &attachments, failure) : OUTCOME_OK;
    }
    if (outcome == OUTCOME_OK)
        outcome = turn_run(&completion.turn, request, completion.stream ? &dialect_openai : &dialect_openai_whole, completion.with_usage, failure);
    mem_free(attachments);
    messages_free(&completion.messages);
    mem_free(completion.tools);
    json_object_put(body);
    return outcome;
}

/* --- POST /api/v1/chat: the same messages, fewer wishes -------------------------------------------------------------- */

enum outcome retrieval_chat_post(struct request *request, struct failure *failure)
{
    json_object *body = NULL;
    struct messages messages;
    struct turn turn = turn_none();
    int stream = true, store = false;
    messages_init(&messages);
    enum outcome outcome = body_read(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_messages(body, &messages, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_sampling(body, &turn, failure);
    if (outcome == OUTCOME_OK)
        outcome = body_flag(body, "stream", &stream, failure);
    if (outcome == OUTCOME_OK)
        outcome = body_flag(body, "store", &store, failure);
    if (outcome == OUTCOME_OK) {
        take_messages(&turn, request, &messages);
        turn.is_stored = store;
        outcome = turn_run(&turn, request, stream ? &dialect_content : &dialect_content_whole, false, failure);
    }
    messages_free(&messages);
    json_object_put(body);
    return outcome;
}

/* --- models ------------------------------------------------------------------------------------------------------- */

/* A row of the list in OpenAI's words. When a model was made is not known. */
static json_object *model_object(json_object *row)
{
    json_object *model = json_object_new_object();
    json_object_object_add(model, "id", json_object_new_string(json_text(row, "id", NULL)));
    json_object_object_add(model, "object", json_object_new_string("model"));
    json_object_object_add(model, "created", json_object_new_int(0));
    json_object_object_add(model, "owned_by", json_object_new_string(json_text(row, "provider", NULL)));
    return model;
}

enum outcome openai_models_get(struct request *request, struct failure *failure)
{
    (void)failure;
    json_object *rows = model_list(), *object = json_object_new_object(), *data = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(rows); i++)
        json_object_array_add(data, model_object(json_object_array_get_idx(rows, i)));
    json_object_object_add(object, "object", json_object_new_string("list"));
    json_object_object_add(object, "data", data);
    response_json(request, 200, object);
    json_object_put(object);
    json_object_put(rows);
    return OUTCOME_OK;
}

/* Whether a path names a model. The slashes in an id may come percent-encoded: some host servers decode them, some do not. */
static bool is_named(const char *path, const char *id)
{
    while (*path != '\0' && *id != '\0') {
        bool is_slash = strncasecmp(path, "%2f", 3) == 0;
        if ((is_slash ? '/' : *path) != *id)
            return false;
        path += is_slash ? 3 : 1;
        id++;
    }
    return *path == *id;
}

enum outcome openai_model_get(struct request *request, struct failure *failure)
{
    json_object *rows = model_list(), *model = NULL;
    for (size_t i = 0; i < json_object_array_length(rows) && model == NULL; i++) {
        json_object *row = json_object_array_get_idx(rows, i);
        if (is_named(request_segment(request, 0), json_text(row, "id", NULL)))
            model = model_object(row);
    }
    if (model != NULL)
        response_json(request, 200, model);
    json_object_put(model);
    json_object_put(rows);
    return model != NULL ? OUTCOME_OK : fail(failure, OUTCOME_NOT_FOUND, "There is no such model.");
}

/* --- embeddings --------------------------------------------------------------------------------------------------- */

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

/* Little-endian floats in base64: what OpenAI's SDKs ask for. */
static json_object *base64_of(const float *vector, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = size * sizeof *vector;
    const unsigned char *bytes = (const unsigned char *)vector; /* all machines that this runs on are little-endian */
    struct buf text;
    buf_init(&text, len * 2 + 8);
    for (size_t i = 0; i < len; i += 3) {
        unsigned left = (unsigned)(len - i), group = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        buf_add_char(&text, letters[group >> 18]);
        buf_add_char(&text, letters[group >> 12 & 63]);
        buf_add_char(&text, left > 1 ? letters[group >> 6 & 63] : '=');
        buf_add_char(&text, left > 2 ? letters[group & 63] : '=');
    }
    json_object *string = buf_failed(&text) ? NULL : json_object_new_string_len(text.data, (int)text.len);
    buf_free(&text);
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

enum outcome openai_embeddings_post(struct request *request, struct failure *failure)
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
