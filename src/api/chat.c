/*
 * POST /chat and POST /chat/stream: the body becomes a turn. Design section 4.
 */
#include <string.h>

#include "../base/json.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "../chat/attachments.h"
#include "../chat/turn.h"
#include "../http/response.h"
#include "body.h"
#include "routes.h"

struct chat_body {
    const char *message, *conversation_id, *parent_id, *model, *system, *user_id;
    double temperature;
    int64_t max_tokens;
    int stream, detach;
    json_object *attachments, *context, *metadata;
};

#define TRY(call)                  \
    do {                           \
        enum outcome tried = call; \
        if (tried != OUTCOME_OK)   \
            return tried;          \
    } while (0)

static enum outcome check_length(const char *text, const char *name, struct failure *failure)
{
    if (text != NULL && utf8_count(text, strlen(text)) > (size_t)settings.max_message_chars)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" is longer than %lld characters.", name, (long long)settings.max_message_chars);
    return OUTCOME_OK;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n\v\f")] == '\0';
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    return false;
}

static enum outcome read_fields(json_object *body, struct chat_body *chat, struct failure *failure)
{
    size_t any = (size_t)settings.max_body_bytes;
    TRY(body_text(body, "message", any, &chat->message, failure));
    if (chat->message == NULL)
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" is missing.");
    if (is_blank(chat->message))
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" is empty.");
    TRY(check_length(chat->message, "message", failure));
    TRY(body_text(body, "conversation_id", any, &chat->conversation_id, failure));
    TRY(body_text(body, "parent_id", LIMIT_ID_BYTES, &chat->parent_id, failure));
    TRY(body_text(body, "model", LIMIT_MODEL_NAME_BYTES - 1, &chat->model, failure));
    if (chat->model != NULL && has_control(chat->model))
        return fail(failure, OUTCOME_BAD_FIELD, "\"model\" holds a control character.");
    TRY(body_text(body, "system", any, &chat->system, failure));
    TRY(check_length(chat->system, "system", failure));
    TRY(body_number(body, "temperature", 0, 2, &chat->temperature, failure));
    TRY(body_whole(body, "max_tokens", 1, 1000000000, &chat->max_tokens, failure));
    TRY(body_flag(body, "stream", &chat->stream, failure));
    TRY(body_flag(body, "detach", &chat->detach, failure));
    if (chat->detach)
        return fail(failure, OUTCOME_BAD_FIELD, "\"detach\" cannot be used on this server.");
    TRY(body_text(body, "user_id", LIMIT_USER_NAME_BYTES, &chat->user_id, failure));
    if (chat->user_id != NULL && *chat->user_id == '\0')
        return fail(failure, OUTCOME_BAD_FIELD, "\"user_id\" is empty.");
    TRY(body_array(body, "attachments", &chat->attachments, failure));
    TRY(attachments_check(chat->attachments, failure));
    TRY(body_object(body, "context", any, &chat->context, failure));
    return body_object(body, "metadata", LIMIT_METADATA_BYTES, &chat->metadata, failure);
}

/* {response, conversation_id, message_id, model, usage}; reasoning beside it where there is any. */
static void answer_whole(struct request *request, const struct answer *answer)
{
    json_object *object = json_object_new_object();
    const char *model = answer->result.model[0] != '\0' ? answer->result.model : answer->asked_model;
    json_object_object_add(object, "response", json_object_new_string_len(answer->text.data, (int)answer->text.len));
    json_object_object_add(object, "conversation_id", json_object_new_string(answer->conversation));
    json_object_object_add(object, "message_id", json_object_new_string(answer->id));
    json_object_object_add(object, "model", json_object_new_string(model));
    json_object_object_add(object, "status", json_object_new_string(answer->status));
    json_object_object_add(object, "usage", usage_object(&answer->result.usage));
    if (answer->reasoning.len > 0)
        json_object_object_add(object, "reasoning", json_object_new_string_len(answer->reasoning.data, (int)answer->reasoning.len));
    response_json(request, 200, object);
    json_object_put(object);
}

static enum outcome run(struct request *request, const struct chat_body *chat, const struct dialect *dialect, struct failure *failure)
{
    const char *name = request_user_name(request);
    if (chat->user_id != NULL && *name != '\0' && strcmp(chat->user_id, name) != 0)
        return fail(failure, OUTCOME_FORBIDDEN, "\"user_id\" must be the signed-in user.");
    if (chat->conversation_id != NULL && !id_valid(chat->conversation_id))
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such conversation.");
    struct turn turn = {
        .user = request_user(request),
        .conversation_id = chat->conversation_id,
        .rolling_for = chat->user_id,
        .parent_id = chat->parent_id,
        .message = chat->message,
        .message_len = strlen(chat->message),
        .attachments = chat->attachments != NULL && json_object_array_length(chat->attachments) > 0 ? json_write(chat->attachments) : NULL,
        .metadata = chat->metadata != NULL ? json_write(chat->metadata) : "{}",
        .model = chat->model,
        .system = chat->system,
        .temperature = chat->temperature,
        .max_tokens = chat->max_tokens,
    };
    struct answer *answer = NULL;
    enum outcome outcome = turn_run(&turn, request, chat->stream ? dialect : NULL, &answer, failure);
    if (outcome == OUTCOME_OK) {
        answer_whole(request, answer);
        answer_release(answer);
    }
    return outcome;
}

static enum outcome serve(struct request *request, const struct dialect *dialect, struct failure *failure)
{
    json_object *body = NULL;
    struct chat_body chat = {.temperature = settings.temperature, .max_tokens = settings.max_tokens, .stream = true};
    enum outcome outcome = body_read(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_fields(body, &chat, failure);
    if (outcome == OUTCOME_OK)
        outcome = run(request, &chat, dialect, failure);
    json_object_put(body);
    return outcome;
}

enum outcome chat_post(struct request *request, struct failure *failure)
{
    return serve(request, &dialect_chunks, failure);
}

enum outcome chat_stream_post(struct request *request, struct failure *failure)
{
    return serve(request, &dialect_events, failure);
}
