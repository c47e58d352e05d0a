/*
 * The API of Ragbits' chat, for its user interface and clients: POST /api/chat, /api/feedback, GET /api/user, and sign-in, which is not set up here.
 *
 * Source: ragbits-chat 1.6. Differences, all on purpose: what is another's or unknown is 404, a state without its signature is refused, an unknown time zone is no failure of the
 * server's, and what was sent is never in an error. GET /api/config and /api/theme are in ui_config.c and theme.c, uploads in upload.c.
 */
#include <string.h>

#include "../app/app.h"
#include "../base/counter.h"
#include "../base/id.h"
#include "../base/json.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "../chat/turn.h"
#include "../http/response.h"
#include "../http/sse.h"
#include "../store/feedback.h"
#include "body.h"
#include "context.h"
#include "messages.h"
#include "routes.h"

struct ragbits_body {
    const char *message, *conversation_id, *message_id;
    json_object *history, *context;
};

static enum outcome read_fields(json_object *body, struct ragbits_body *chat, struct failure *failure)
{
    size_t any = (size_t)settings.max_body_bytes;
    TRY(body_text(body, "message", any, &chat->message, failure));
    if (chat->message == NULL)
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" is missing.");
    if (utf8_count(chat->message, strlen(chat->message)) > (size_t)settings.max_message_chars)
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" is longer than %lld characters.", (long long)settings.max_message_chars);
    TRY(body_array(body, "history", &chat->history, failure));
    TRY(body_object(body, "context", any, &chat->context, failure));
    TRY(context_check(chat->context, failure));
    TRY(context_check_message(chat->context, chat->message, false, json_at(chat->context, "conversation_id") != NULL, failure));
    if (chat->context == NULL)
        return OUTCOME_OK;
    TRY(body_text(chat->context, "conversation_id", any, &chat->conversation_id, failure));
    TRY(body_text(chat->context, "message_id", LIMIT_ID_BYTES, &chat->message_id, failure));
    if (chat->message_id != NULL && (*chat->message_id == '\0' || !body_is_plain(chat->message_id)))
        chat->message_id = NULL;
    return OUTCOME_OK;
}

/* What the client has of the conversation. Its Python kind puts the question and an empty answer there too. */
static enum outcome read_history(const struct ragbits_body *chat, struct messages *messages, struct failure *failure)
{
    if (chat->history == NULL)
        return OUTCOME_OK;
    TRY(messages_read(messages, chat->history, "history", true, failure));
    messages_drop_last(messages, COMPLETION_USER, chat->message);
    return OUTCOME_OK;
}

static enum outcome run(struct request *request, const struct ragbits_body *chat, struct messages *messages, struct failure *failure)
{
    struct turn turn = turn_none();
    if (chat->conversation_id != NULL && !id_valid(chat->conversation_id))
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such conversation.");
    TRY(context_state(request, chat->conversation_id, chat->context, &turn.state, failure));
    turn.user = request_user(request);
    turn.user_name = request_user_name(request);
    turn.address = request_address(request);
    turn.stop_when_left = true;
    turn.conversation_id = chat->conversation_id;
    turn.client_id = chat->message_id;
    turn.message = body_is_blank(chat->message) ? "" : chat->message; /* then it only confirms */
    turn.message_len = strlen(turn.message);
    turn.context = chat->context;
    turn.more_system = messages->system.data;
    if (chat->conversation_id == NULL && messages->count > 0) { /* else what is stored counts */
        TRY(messages_add_question(messages, chat->message, turn.message_len, failure));
        TRY(messages_check(messages, "history", failure));
        turn.messages = messages->list;
        turn.message_count = messages->count;
    }
    return turn_run(&turn, request, &dialect_ragbits, false, failure);
}

/* Who has asked too often is told so by an event: the user interface shows an HTTP status as a number. */
static enum outcome tell_limit(struct request *request, const struct failure *failure)
{
    json_object *event = json_object_new_object(), *content = json_object_new_object();
    json_object_object_add(content, "message", json_object_new_string(failure->message));
    json_object_object_add(event, "type", json_object_new_string("error"));
    json_object_object_add(event, "content", content);
    counter_error_response(failure->outcome);
    sse_begin(request);
    sse_data(request, json_write(event), "", "");
    json_object_put(event);
    return OUTCOME_OK;
}

enum outcome ragbits_chat_post(struct request *request, struct failure *failure)
{
    json_object *body = NULL;
    struct ragbits_body chat = {0};
    struct messages messages;
    messages_init(&messages);
    enum outcome outcome = body_read(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_fields(body, &chat, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_history(&chat, &messages, failure);
    if (outcome == OUTCOME_OK)
        outcome = run(request, &chat, &messages, failure);
    messages_free(&messages);
    json_object_put(body);
    return outcome == OUTCOME_RATE_LIMITED ? tell_limit(request, failure) : outcome;
}

/* --- feedback ----------------------------------------------------------------------------------------------------- */

static enum outcome give_feedback(struct request *request, json_object *body, struct failure *failure)
{
    const char *message = NULL, *kind = NULL;
    json_object *payload = NULL;
    char conversation[ID_BYTES];
    TRY(body_text(body, "message_id", LIMIT_ID_BYTES, &message, failure));
    TRY(body_text(body, "feedback", LIMIT_ID_BYTES, &kind, failure));
    TRY(body_object(body, "payload", LIMIT_METADATA_BYTES, &payload, failure));
    if (message == NULL)
        return fail(failure, OUTCOME_BAD_FIELD, "\"message_id\" is missing.");
    if (kind == NULL || (strcmp(kind, "like") != 0 && strcmp(kind, "dislike") != 0))
        return fail(failure, OUTCOME_BAD_FIELD, "\"feedback\" must be \"like\" or \"dislike\".");
    TRY(feedback_set(request_user(request), message, kind, payload != NULL ? json_write(payload) : NULL, conversation, failure));
    json_object *said = payload != NULL ? json_object_get(payload) : json_object_new_object();
    struct parley_feedback feedback = {request_user_name(request), conversation, message, strcmp(kind, "like") == 0, said};
    enum outcome outcome = app_give_feedback(&feedback, failure);
    json_object_put(said);
    return outcome;
}

static enum outcome answer_success(struct request *request, const char *name, json_object *value)
{
    json_object *object = json_object_new_object();
    json_object_object_add(object, name, value);
    response_json(request, 200, object);
    json_object_put(object);
    return OUTCOME_OK;
}

enum outcome ragbits_feedback_post(struct request *request, struct failure *failure)
{
    json_object *body = NULL;
    enum outcome outcome = body_read(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = give_feedback(request, body, failure);
    if (outcome == OUTCOME_OK)
        outcome = answer_success(request, "status", json_object_new_string("success"));
    json_object_put(body);
    return outcome;
}

/* --- who is signed in --------------------------------------------------------------------------------------------- */

/* The user, or 401 and null: nobody is signed in, which is no failure to the clients. */
enum outcome ragbits_user_get(struct request *request, struct failure *failure)
{
    const char *name = request_user_name(request);
    (void)failure;
    json_object *user = NULL;
    if (*name != '\0') {
        json_object *roles = json_object_new_array();
        user = json_object_new_object();
        json_object_array_add(roles, json_object_new_string("user"));
        json_object_object_add(user, "user_id", json_object_new_string(name));
        json_object_object_add(user, "username", json_object_new_string(name));
        json_object_object_add(user, "email", NULL);
        json_object_object_add(user, "full_name", NULL);
        json_object_object_add(user, "roles", roles);
        json_object_object_add(user, "metadata", json_object_new_object());
    }
    response_json(request, user != NULL ? 200 : 401, user);
    json_object_put(user);
    return OUTCOME_OK;
}

/* The host server signs users in, not this program. */
enum outcome ragbits_login_post(struct request *request, struct failure *failure)
{
    (void)request;
    return fail(failure, OUTCOME_NOT_FOUND, "Sign-in with a password is not configured.");
}

enum outcome ragbits_logout_post(struct request *request, struct failure *failure)
{
    (void)failure;
    return answer_success(request, "success", json_object_new_boolean(true)); /* nobody was signed in by us */
}

enum outcome ragbits_oauth2_get(struct request *request, struct failure *failure)
{
    (void)request;
    return fail(failure, OUTCOME_NOT_FOUND, "Sign-in with another service is not configured.");
}
