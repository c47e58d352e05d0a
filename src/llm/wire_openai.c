/*
 * The wire of wire_openai.h.
 */
#include "wire_openai.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "../base/secrets.h"
#include "../base/utf8.h"
#include "chunk_scanner.h"

/* --- the request -------------------------------------------------------------------------------------------------- */

static void add_message(json_object *list, const char *role, const char *content, size_t len)
{
    json_object *message = json_object_new_object();
    json_object_object_add(message, "role", json_object_new_string(role));
    json_object_object_add(message, "content", json_object_new_string_len(content, (int)len)); /* a plain string: many servers take no parts */
    json_object_array_add(list, message);
}

bool openai_write_request(struct buf *body, const struct completion_request *request, const char *model, const struct openai_without *without)
{
    char number[32]; /* 0.7 and not 0.69999999999999996 */
    (void)snprintf(number, sizeof number, "%.6g", request->temperature);
    json_object *object = json_object_new_object();
    json_object *messages = json_object_new_array();
    json_object_object_add(object, "model", json_object_new_string(model));
    json_object_object_add(object, "messages", messages);
    if (request->system != NULL && request->system[0] != '\0')
        add_message(messages, "system", request->system, strlen(request->system));
    for (size_t i = 0; i < request->message_count; i++)
        add_message(messages, request->messages[i].role, request->messages[i].content, request->messages[i].content_len);
    if (!without->temperature)
        json_object_object_add(object, "temperature", json_object_new_double_s(request->temperature, number));
    if (!without->max_tokens)
        json_object_object_add(object, without->max_tokens_is_old ? "max_completion_tokens" : "max_tokens",
                               json_object_new_int64(request->max_tokens));
    json_object_object_add(object, "stream", json_object_new_boolean(true));
    if (!without->stream_options) {
        json_object *options = json_object_new_object();
        json_object_object_add(options, "include_usage", json_object_new_boolean(true));
        json_object_object_add(object, "stream_options", options);
    }
    const char *text = json_write(object);
    if (text != NULL)
        buf_add_text(body, text);
    json_object_put(object);
    return text != NULL && !buf_failed(body);
}

/* --- giving out events -------------------------------------------------------------------------------------------- */

static void give_up(struct openai_reply *reply, enum outcome outcome)
{
    reply->failed = true;
    reply->outcome = outcome;
}

static void give_piece(void *arg, bool reasoning, const char *text, size_t len)
{
    struct openai_reply *reply = arg;
    if (reply->failed || len == 0)
        return;
    reply->result->begun = true;
    enum outcome outcome = reply->sink->event(reply->sink->arg, reasoning ? COMPLETION_REASONING : COMPLETION_TEXT, text, len);
    if (outcome != OUTCOME_OK)
        give_up(reply, outcome);
}

/* Gives out answer text; at the beginning of an answer `<think>` is looked for. */
static void give_text(struct openai_reply *reply, const char *text, size_t len)
{
    if (reply->think.state == THINK_TEXT)
        give_piece(reply, false, text, len);
    else
        think_feed(&reply->think, text, len, give_piece, reply);
}

/* --- one JSON object of an answer --------------------------------------------------------------------------------- */

static void read_usage(struct openai_reply *reply, json_object *object)
{
    json_object *usage = json_at(object, "usage");
    if (usage == NULL)
        usage = json_at(object, "x_groq.usage");
    if (!json_object_is_type(usage, json_type_object))
        return;
    struct usage *known = &reply->result->usage; /* absolute values: later ones replace earlier ones */
    known->prompt_tokens = json_count(usage, "prompt_tokens", known->prompt_tokens);
    known->completion_tokens = json_count(usage, "completion_tokens", known->completion_tokens);
    known->cached_tokens = json_count(usage, "prompt_tokens_details.cached_tokens", known->cached_tokens);
    known->reasoning_tokens = json_count(usage, "completion_tokens_details.reasoning_tokens", known->reasoning_tokens);
}

static void read_model(struct openai_reply *reply, json_object *object)
{
    const char *model = json_text(object, "model", NULL);
    if (model == NULL || *model == '\0' || strlen(model) >= sizeof reply->result->model || !utf8_valid(model, strlen(model)))
        return;
    (void)snprintf(reply->result->model, sizeof reply->result->model, "%s", model);
}

/* Content as Mistral sends it: a list of parts, {"type":"text","text"} or {"type":"thinking","thinking":[{"text"}]}. */
static void read_parts(struct openai_reply *reply, json_object *parts)
{
    for (size_t i = 0; i < json_object_array_length(parts); i++) {
        json_object *part = json_object_array_get_idx(parts, i);
        size_t len;
        const char *text = json_text(part, "text", &len);
        if (text != NULL)
            give_text(reply, text, len);
        json_object *thinking = json_at(part, "thinking");
        if (json_object_is_type(thinking, json_type_string))
            give_piece(reply, true, json_object_get_string(thinking), (size_t)json_object_get_string_len(thinking));
        for (size_t k = 0; json_object_is_type(thinking, json_type_array) && k < json_object_array_length(thinking); k++)
            if ((text = json_text(json_object_array_get_idx(thinking, k), "text", &len)) != NULL)
                give_piece(reply, true, text, len);
    }
}

/* The fields of a delta, or of a whole message, which are the same. */
static void read_delta(struct openai_reply *reply, json_object *delta)
{
    static const char *const reasoning[] = {"reasoning_content" /* DeepSeek, Qwen, xAI … */, "reasoning" /* Groq, OpenRouter, Ollama … */};
    size_t len;
    const char *text;
    for (size_t i = 0; i < 2; i++)
        if ((text = json_text(delta, reasoning[i], &len)) != NULL && len > 0) {
            give_piece(reply, true, text, len);
            break;
        }
    json_object *content = json_at(delta, "content");
    if (json_object_is_type(content, json_type_array))
        read_parts(reply, content);
    else if ((text = json_text(delta, "content", &len)) != NULL)
        give_text(reply, text, len);
    if ((text = json_text(delta, "refusal", &len)) != NULL) /* shown as the answer */
        give_text(reply, text, len);
}

/* The choice with index 0, or without one; others, that nobody asked for, are ignored. */
static json_object *first_choice(json_object *object)
{
    json_object *choices = json_at(object, "choices");
    if (!json_object_is_type(choices, json_type_array))
        return NULL;
    for (size_t i = 0; i < json_object_array_length(choices); i++) {
        json_object *choice = json_object_array_get_idx(choices, i);
        if (json_count(choice, "index", 0) == 0)
            return choice;
    }
    return NULL;
}

static void read_object(struct openai_reply *reply, json_object *object)
{
    if (provider_error_is_one(object)) {
        provider_error_read_json(&reply->error, object, 0);
        give_up(reply, reply->error.outcome);
        return;
    }
    read_usage(reply, object);
    if (reply->result->model[0] == '\0')
        read_model(reply, object);
    json_object *choice = first_choice(object);
    if (choice == NULL || reply->ended)
        return;
    json_object *delta = json_at(choice, "delta");
    read_delta(reply, delta != NULL ? delta : json_at(choice, "message"));
    const char *finish = json_text(choice, "finish_reason", NULL);
    if (finish != NULL && *finish != '\0') {
        (void)snprintf(reply->result->finish_reason, sizeof reply->result->finish_reason, "%s", finish);
        for (char *c = reply->result->finish_reason; *c != '\0'; c++)
            if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
                *c = '_';
        if (strcmp(finish, "error") == 0 || strcmp(finish, "insufficient_system_resource") == 0) /* OpenRouter; DeepSeek */
            give_up(reply, OUTCOME_PROVIDER_ERROR);
        else
            reply->ended = true;
    }
}

/* What a provider sends may repeat a prompt: it is only for who asked for details. */
static void log_excerpt(const char *text)
{
    char excerpt[EXCERPT_BYTES];
    log_debug("it begins: %s", secrets_excerpt(text, excerpt));
}

/* --- a stream ----------------------------------------------------------------------------------------------------- */

static bool take_event(void *arg, const char *name, const char *data, size_t len)
{
    struct openai_reply *reply = arg;
    while (len > 0 && isspace((unsigned char)*data)) {
        data++;
        len--;
    }
    if (len >= 6 && strncmp(data, "[DONE]", 6) == 0) {
        think_end(&reply->think, give_piece, reply);
        reply->ended = reply->all_said = true;
        return true;
    }
    if (len == 0 || reply->all_said)
        return true;
    bool ordinary = name[0] == '\0' && reply->result->model[0] != '\0' && !reply->ended;
    if (ordinary && chunk_scan(data, len, &reply->text)) {
        if (buf_failed(&reply->text))
            give_up(reply, OUTCOME_NO_MEMORY);
        give_text(reply, reply->text.data, reply->text.len);
        buf_clear(&reply->text);
        return !reply->failed;
    }
    json_object *object = json_read_loose(data, len);
    bool is_null = len == 4 && memcmp(data, "null", 4) == 0;
    if (is_null || (object != NULL && !json_object_is_type(object, json_type_object))) {
        log_debug("the provider sent an event that is no object");
    } else if (object == NULL && reply->at_end) {
        log_debug("the provider's last event is cut");
    } else if (object == NULL) {
        log_warning("the provider sent an event that is not JSON");
        log_excerpt(data);
        give_up(reply, OUTCOME_PROVIDER_ERROR);
    } else if (strcmp(name, "error") == 0) {
        provider_error_read_json(&reply->error, object, 0);
        give_up(reply, reply->error.outcome);
    } else {
        read_object(reply, object);
    }
    json_object_put(object);
    return !reply->failed;
}

/* --- the body ----------------------------------------------------------------------------------------------------- */

void openai_reply_init(struct openai_reply *reply, const struct completion_sink *sink, struct completion_result *result)
{
    *reply = (struct openai_reply){.sink = sink, .result = result, .error.retry_after_ms = -1};
    sse_parser_init(&reply->sse, LIMIT_SSE_EVENT_BYTES);
    buf_init(&reply->whole, LIMIT_REPLY_BYTES);
    buf_init(&reply->text, LIMIT_SSE_EVENT_BYTES * 3);
}

void openai_reply_free(struct openai_reply *reply)
{
    sse_parser_free(&reply->sse);
    buf_free(&reply->whole);
    buf_free(&reply->text);
}

/* A stream begins with a field name or a comment; JSON (and HTML) with a bracket. White space and a BOM before it say nothing. How many bytes to skip before
   JSON. */
static size_t find_form(struct openai_reply *reply, const char *bytes, size_t len)
{
    size_t i = 0;
    for (; i < len && reply->form == REPLY_UNKNOWN; i++)
        if (!isspace((unsigned char)bytes[i]) && strchr("\xEF\xBB\xBF", bytes[i]) == NULL)
            reply->form = strchr("{[<", bytes[i]) != NULL ? REPLY_WHOLE : REPLY_STREAM;
    return reply->form == REPLY_WHOLE ? i - 1 : 0;
}

bool openai_reply_feed(struct openai_reply *reply, const char *bytes, size_t len)
{
    size_t skip = 0;
    if (reply->form == REPLY_UNKNOWN)
        skip = find_form(reply, bytes, len);
    if (reply->form == REPLY_WHOLE) {
        buf_add(&reply->whole, bytes + skip, len - skip);
        if (buf_failed(&reply->whole))
            give_up(reply, OUTCOME_PROVIDER_ERROR);
        return !reply->failed;
    }
    enum sse_result result = sse_parser_feed(&reply->sse, bytes, len, take_event, reply);
    if (result == SSE_TOO_BIG) {
        log_warning("the provider sent an event of more than %d bytes", LIMIT_SSE_EVENT_BYTES);
        give_up(reply, OUTCOME_PROVIDER_ERROR);
    }
    return result == SSE_MORE;
}

void openai_reply_end(struct openai_reply *reply)
{
    if (reply->form == REPLY_WHOLE && !reply->failed) {
        json_object *object = json_read_loose(reply->whole.data, reply->whole.len);
        if (object != NULL) {
            read_object(reply, object);
        } else {
            log_warning("the provider's answer is neither a stream nor JSON");
            log_excerpt(reply->whole.data);
            give_up(reply, OUTCOME_PROVIDER_ERROR);
        }
        json_object_put(object);
    } else if (reply->form == REPLY_STREAM && !reply->failed && !reply->ended) {
        reply->at_end = true;
        (void)sse_parser_end(&reply->sse, take_event, reply);
    }
    if (!reply->failed)
        think_end(&reply->think, give_piece, reply);
}
