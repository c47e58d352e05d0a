/*
 * POST /chat and POST /chat/stream: the body becomes a turn. docs/api.md.
 */
#include <string.h>

#include "../base/json.h"
#include "../base/settings.h"
#include "../base/sign.h"
#include "../base/utf8.h"
#include "../chat/attachments.h"
#include "../chat/turn.h"
#include "body.h"
#include "context.h"
#include "routes.h"

struct chat_body {
    const char *message, *conversation_id, *parent_id, *model, *system, *user_id, *continue_id, *regenerate_id;
    double temperature;
    int64_t max_tokens;
    int stream, detach;
    json_object *attachments, *context, *metadata;
};

static enum outcome check_length(const char *text, const char *name, struct failure *failure)
{
    if (text != NULL && utf8_count(text, strlen(text)) > (size_t)settings.max_message_chars)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" is longer than %lld characters.", name, (long long)settings.max_message_chars);
    return OUTCOME_OK;
}

static bool has_images(const struct chat_body *chat)
{
    return chat->attachments != NULL && json_object_array_length(chat->attachments) > 0;
}

/* An answer that goes on, or is made again, has its question already. */
static bool has_question(const struct chat_body *chat)
{
    return chat->continue_id == NULL && chat->regenerate_id == NULL;
}

static enum outcome check_no_question(const struct chat_body *chat, struct failure *failure)
{
    const char *name = chat->continue_id != NULL ? "continue" : "regenerate";
    const char *other = chat->parent_id != NULL ? "parent_id" : chat->attachments != NULL ? "attachments" : chat->continue_id != NULL && chat->regenerate_id != NULL ? "regenerate" : NULL;
    if (!body_is_blank(chat->message))
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" must be empty where \"%s\" names a message.", name);
    return other != NULL ? fail(failure, OUTCOME_BAD_FIELD, "\"%s\" cannot be used together with \"%s\".", other, name) : OUTCOME_OK;
}

static enum outcome read_fields(json_object *body, struct chat_body *chat, struct failure *failure)
{
    size_t any = (size_t)settings.max_body_bytes;
    TRY(body_text(body, "continue", LIMIT_ID_BYTES, &chat->continue_id, failure));
    TRY(body_text(body, "message", any, &chat->message, failure));
    TRY(body_text(body, "regenerate", LIMIT_ID_BYTES, &chat->regenerate_id, failure));
    if (chat->message == NULL && !has_question(chat))
        chat->message = "";
    if (chat->message == NULL)
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" is missing.");
    TRY(body_object(body, "context", any, &chat->context, failure));
    TRY(context_check(chat->context, failure));
    TRY(body_text(body, "conversation_id", any, &chat->conversation_id, failure));
    TRY(body_text(body, "user_id", LIMIT_USER_NAME_BYTES, &chat->user_id, failure));
    if (chat->user_id != NULL && *chat->user_id == '\0')
        return fail(failure, OUTCOME_BAD_FIELD, "\"user_id\" is empty.");
    TRY(body_array(body, "attachments", &chat->attachments, failure));
    TRY(attachments_check(chat->attachments, failure));
    if (has_question(chat))
        TRY(context_check_message(chat->context, chat->message, has_images(chat), chat->conversation_id != NULL || chat->user_id != NULL, failure));
    TRY(check_length(chat->message, "message", failure));
    TRY(body_text(body, "parent_id", LIMIT_ID_BYTES, &chat->parent_id, failure));
    TRY(body_text(body, "model", LIMIT_MODEL_NAME_BYTES - 1, &chat->model, failure));
    if (chat->model != NULL && !body_is_plain(chat->model))
        return fail(failure, OUTCOME_BAD_FIELD, "\"model\" holds a control character.");
    TRY(body_text(body, "system", any, &chat->system, failure));
    TRY(check_length(chat->system, "system", failure));
    TRY(body_number(body, "temperature", 0, 2, &chat->temperature, failure));
    TRY(body_whole(body, "max_tokens", 1, 1000000000, &chat->max_tokens, failure));
    TRY(body_flag(body, "stream", &chat->stream, failure));
    TRY(body_flag(body, "detach", &chat->detach, failure));
    if (!has_question(chat))
        TRY(check_no_question(chat, failure));
    return body_object(body, "metadata", LIMIT_METADATA_BYTES, &chat->metadata, failure);
}

/* A key with which the same question may be sent again: the header field Idempotency-Key (IETF draft "The Idempotency-Key HTTP Header Field"). */
static enum outcome read_key(const struct request *request, json_object *body, struct turn *turn, char hash[SIGN_HEX_BYTES], struct failure *failure)
{
    const char *key = request_variable(request, "HTTP_IDEMPOTENCY_KEY"), *asked = json_write(body);
    if (*key == '\0')
        return OUTCOME_OK;
    if (strlen(key) > LIMIT_KEY_BYTES || !body_is_plain(key) || !utf8_valid(key, strlen(key)))
        return fail(failure, OUTCOME_BAD_REQUEST, "The Idempotency-Key is longer than %d bytes, or not plain text.", LIMIT_KEY_BYTES);
    if (asked == NULL || !sign_hash(asked, strlen(asked), hash))
        return fail_no_memory(failure);
    turn->key = key;
    turn->body_hash = hash;
    return OUTCOME_OK;
}

static enum outcome run(struct request *request, json_object *body, const struct chat_body *chat, const struct dialect *dialect, struct failure *failure)
{
    const char *name = request_user_name(request);
    struct turn turn = turn_none();
    char hash[SIGN_HEX_BYTES];
    if (chat->user_id != NULL && *name != '\0' && strcmp(chat->user_id, name) != 0)
        return fail(failure, OUTCOME_FORBIDDEN, "\"user_id\" must be the signed-in user.");
    if (chat->conversation_id != NULL && !id_valid(chat->conversation_id))
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such conversation.");
    if (chat->continue_id != NULL && !id_valid(chat->continue_id))
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such answer.");
    if (chat->regenerate_id != NULL && !id_valid(chat->regenerate_id))
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such message.");
    TRY(context_state(request, chat->conversation_id, chat->context, &turn.state, failure));
    TRY(read_key(request, body, &turn, hash, failure));
    turn.user = request_user(request);
    turn.user_name = name;
    turn.address = request_address(request);
    turn.conversation_id = chat->conversation_id;
    turn.rolling_for = chat->user_id;
    turn.continue_id = chat->continue_id;
    turn.regenerate_id = chat->regenerate_id;
    turn.is_detached = chat->detach;
    turn.parent_id = chat->parent_id;
    turn.message = body_is_blank(chat->message) ? "" : chat->message;
    turn.message_len = strlen(turn.message);
    turn.attachments = has_images(chat) ? json_write(chat->attachments) : NULL;
    turn.metadata = chat->metadata != NULL ? json_write(chat->metadata) : "{}";
    turn.context = chat->context;
    turn.model = chat->model;
    turn.system = chat->system;
    turn.temperature = chat->temperature;
    turn.max_tokens = chat->max_tokens;
    return turn_run(&turn, request, chat->stream ? dialect : &dialect_chunks_whole, false, failure);
}

static enum outcome serve(struct request *request, const struct dialect *dialect, struct failure *failure)
{
    json_object *body = NULL;
    struct chat_body chat = {.temperature = settings.temperature, .max_tokens = settings.max_tokens, .stream = true};
    enum outcome outcome = body_read(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_fields(body, &chat, failure);
    if (outcome == OUTCOME_OK)
        outcome = run(request, body, &chat, dialect, failure);
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
