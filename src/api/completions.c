/*
 * POST /v1/chat/completions, for OpenAI's SDKs and what is built on them; and POST /api/v1/chat, which takes the same list of messages.
 *
 * Source: OpenAI's API reference, "Create chat completion". Nothing is kept but what was used, unless "store" is true; who leaves stops the answer. What no model here can be told
 * (top_p, penalties, logit_bias, user, …) is taken and has no effect; what would change the shape of the answer (n above 1, logprobs, audio) is refused. Failures have OpenAI's
 * shape: faces.c.
 */
#include <stdint.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../chat/attachments.h"
#include "../chat/turn.h"
#include "body.h"
#include "messages.h"
#include "routes.h"

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
    turn->address = request_address(request);
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

enum outcome completions_post(struct request *request, struct failure *failure)
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

enum outcome completions_pieces_post(struct request *request, struct failure *failure)
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
