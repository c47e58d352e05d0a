/*
 * What wires share for reading answers: see reply.h.
 */
#include "reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/secrets.h"
#include "../base/utf8.h"

void reply_init(struct reply *reply, const struct wire *wire, const struct wire_target *target, const struct completion_sink *sink,
                struct completion_result *result)
{
    *reply = (struct reply){.wire = wire, .target = target, .sink = sink, .result = result, .error.retry_after_ms = -1};
    sse_parser_init(&reply->sse, LIMIT_SSE_EVENT_BYTES);
    buf_init(&reply->whole, LIMIT_REPLY_BYTES);
    buf_init(&reply->text, LIMIT_SSE_EVENT_BYTES * 3);
}

void reply_free(struct reply *reply)
{
    if (reply->wire->free_state != NULL && reply->state != NULL)
        reply->wire->free_state(reply);
    for (size_t i = 0; i < reply->call_count; i++) {
        mem_free(reply->calls[i].id);
        mem_free(reply->calls[i].name);
        mem_free(reply->calls[i].state);
        buf_free(&reply->calls[i].arguments);
    }
    mem_free(reply->calls);
    sse_parser_free(&reply->sse);
    buf_free(&reply->whole);
    buf_free(&reply->text);
}

/* --- giving out events -------------------------------------------------------------------------------------------- */

void reply_give_up(struct reply *reply, enum outcome outcome)
{
    reply->failed = true;
    reply->outcome = outcome;
}

static void give_piece(void *arg, bool reasoning, const char *text, size_t len)
{
    struct reply *reply = arg;
    if (reply->failed || len == 0)
        return;
    reply->result->begun = true;
    reply->quiet_bytes = 0;
    enum outcome outcome = reply->sink->event(reply->sink->arg, reasoning ? COMPLETION_REASONING : COMPLETION_TEXT, text, len);
    if (outcome != OUTCOME_OK)
        reply_give_up(reply, outcome);
}

void reply_text(struct reply *reply, const char *text, size_t len)
{
    if (reply->think.state == THINK_TEXT)
        give_piece(reply, false, text, len);
    else
        think_feed(&reply->think, text, len, give_piece, reply);
}

void reply_end_text(struct reply *reply)
{
    think_end(&reply->think, give_piece, reply);
}

void reply_reasoning(struct reply *reply, const char *text, size_t len)
{
    give_piece(reply, true, text, len);
}

/* --- tool calls --------------------------------------------------------------------------------------------------- */

static struct reply_call *find_call(struct reply *reply, int64_t slot)
{
    for (size_t i = 0; i < reply->call_count; i++)
        if (reply->calls[i].slot == slot)
            return &reply->calls[i];
    struct reply_call *calls = reply->call_count < LIMIT_CALLS ? mem_resize(reply->calls, (reply->call_count + 1) * sizeof *calls) : NULL;
    if (calls == NULL) {
        reply_give_up(reply, reply->call_count < LIMIT_CALLS ? OUTCOME_NO_MEMORY : OUTCOME_PROVIDER_ERROR);
        return NULL;
    }
    reply->calls = calls;
    struct reply_call *call = &calls[reply->call_count++];
    *call = (struct reply_call){.slot = slot};
    buf_init(&call->arguments, LIMIT_SSE_EVENT_BYTES);
    return call;
}

/* Sets a text that is not set yet, made valid UTF-8. */
static void set_once(struct reply *reply, char **text, const char *value)
{
    if (*text != NULL || value == NULL || *value == '\0')
        return;
    struct buf clean;
    buf_init(&clean, LIMIT_CALL_STATE_BYTES);
    utf8_add_repaired(&clean, value, strlen(value));
    *text = buf_take(&clean);
    buf_free(&clean);
    if (*text == NULL)
        reply_give_up(reply, OUTCOME_NO_MEMORY);
}

void reply_call(struct reply *reply, int64_t slot, const char *id, const char *name, const char *arguments, size_t arguments_len)
{
    struct reply_call *call = find_call(reply, slot);
    if (call == NULL)
        return;
    reply->result->begun = true;
    reply->quiet_bytes = 0;
    set_once(reply, &call->id, id);
    set_once(reply, &call->name, name);
    if (arguments != NULL)
        buf_add(&call->arguments, arguments, arguments_len);
    if (buf_failed(&call->arguments))
        reply_give_up(reply, OUTCOME_ANSWER_TOO_LONG);
}

void reply_call_state(struct reply *reply, int64_t slot, const char *state)
{
    struct reply_call *call = find_call(reply, slot);
    if (call != NULL)
        set_once(reply, &call->state, state);
}

bool reply_collect_calls(struct reply *reply)
{
    struct completion_result *result = reply->result;
    if (reply->call_count == 0)
        return true;
    result->calls = mem_new(reply->call_count, sizeof *result->calls);
    if (result->calls == NULL)
        return false;
    bool good = true;
    for (size_t i = 0; i < reply->call_count; i++) {
        struct reply_call *from = &reply->calls[i];
        struct completion_call *to = &result->calls[result->call_count++];
        char made[32], *arguments;
        struct buf clean;
        (void)snprintf(made, sizeof made, "call_%zu", i + 1); /* unique within the answer is all that it need be */
        buf_init(&clean, LIMIT_SSE_EVENT_BYTES * 3);
        utf8_add_repaired(&clean, from->arguments.len > 0 ? from->arguments.data : "{}", from->arguments.len > 0 ? from->arguments.len : 2);
        arguments = buf_take(&clean);
        buf_free(&clean);
        *to = (struct completion_call){.id = mem_copy(from->id != NULL ? from->id : made), .name = mem_copy(from->name != NULL ? from->name : ""),
                                       .arguments = arguments, .state = from->state != NULL ? mem_copy(from->state) : NULL};
        good = good && to->id != NULL && to->name != NULL && arguments != NULL && (from->state == NULL || to->state != NULL);
    }
    return good;
}

void completion_result_free(struct completion_result *result)
{
    for (size_t i = 0; i < result->call_count; i++) {
        mem_free((char *)result->calls[i].id);
        mem_free((char *)result->calls[i].name);
        mem_free((char *)result->calls[i].arguments);
        mem_free((char *)result->calls[i].state);
    }
    mem_free(result->calls);
    mem_free(result->state);
    result->calls = NULL;
    result->call_count = 0;
    result->state = NULL;
}

/* --- what is known about the answer ------------------------------------------------------------------------------- */

void reply_model(struct reply *reply, const char *model)
{
    char *known = reply->result->model;
    if (known[0] != '\0' || model == NULL || *model == '\0' || strlen(model) >= sizeof reply->result->model || !utf8_valid(model, strlen(model)))
        return;
    (void)snprintf(known, sizeof reply->result->model, "%s", model);
}

void reply_finish(struct reply *reply, const char *reason)
{
    (void)snprintf(reply->result->finish_reason, sizeof reply->result->finish_reason, "%s", reason);
    for (char *c = reply->result->finish_reason; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            *c = '_';
}

void reply_keep_state(struct reply *reply, json_object *state)
{
    const char *text = json_write(state);
    mem_free(reply->result->state);
    reply->result->state = text != NULL && strlen(text) <= LIMIT_STATE_BYTES ? mem_copy(text) : NULL;
    json_object_put(state);
}

void reply_error(struct reply *reply, json_object *object, long status)
{
    provider_error_read_json(&reply->error, object, status);
    reply_give_up(reply, reply->error.outcome);
}

/* What a provider sends may repeat a prompt: its text is only for who asked for details. */
void reply_senseless(struct reply *reply, const char *what, const char *text)
{
    char excerpt[EXCERPT_BYTES];
    log_warning("%s", what);
    log_debug("it begins: %s", secrets_excerpt(text, excerpt));
    reply_give_up(reply, OUTCOME_PROVIDER_ERROR);
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */

/* A stream begins with a field name or a comment; JSON (and HTML) with a bracket. White space and a BOM before it say nothing. How many bytes to skip before
   JSON. */
static size_t find_form(struct reply *reply, const char *bytes, size_t len)
{
    size_t i = 0;
    for (; i < len && reply->form == REPLY_UNKNOWN; i++)
        if (!isspace((unsigned char)bytes[i]) && strchr("\xEF\xBB\xBF", bytes[i]) == NULL)
            reply->form = strchr("{[<", bytes[i]) != NULL ? REPLY_WHOLE : REPLY_STREAM;
    return reply->form == REPLY_WHOLE ? i - 1 : 0;
}

bool reply_feed_sse(struct reply *reply, const char *bytes, size_t len, sse_on_event *on_event)
{
    size_t skip = 0;
    if (reply->form == REPLY_UNKNOWN)
        skip = find_form(reply, bytes, len);
    if (reply->form == REPLY_WHOLE) {
        bool fits = reply->whole.len + len - skip <= reply->whole.max;
        buf_add(&reply->whole, bytes + skip, len - skip);
        if (buf_failed(&reply->whole))
            reply_give_up(reply, fits ? OUTCOME_NO_MEMORY : OUTCOME_ANSWER_TOO_LONG);
        return !reply->failed;
    }
    enum sse_result result = sse_parser_feed(&reply->sse, bytes, len, on_event, reply);
    if (result == SSE_TOO_BIG) {
        log_warning("the provider sent an event of more than %d bytes", LIMIT_SSE_EVENT_BYTES);
        reply_give_up(reply, OUTCOME_PROVIDER_ERROR);
    }
    return result == SSE_MORE;
}

void reply_end_sse(struct reply *reply, sse_on_event *on_event, void (*read_whole)(struct reply *reply, json_object *object))
{
    if (reply->form == REPLY_WHOLE && !reply->failed) {
        json_object *object = json_read_loose(reply->whole.data, reply->whole.len);
        if (object != NULL)
            read_whole(reply, object);
        else
            reply_senseless(reply, "the provider's answer is neither a stream nor JSON", reply->whole.data);
        json_object_put(object);
    } else if (reply->form == REPLY_STREAM && !reply->failed && !reply->ended) {
        reply->at_end = true;
        (void)sse_parser_end(&reply->sse, on_event, reply);
    }
    if (!reply->failed)
        think_end(&reply->think, give_piece, reply);
}

json_object *reply_parse(struct reply *reply, const char *data, size_t len)
{
    json_object *object = json_read_loose(data, len);
    if (json_object_is_type(object, json_type_object))
        return object;
    bool is_null = len == 4 && memcmp(data, "null", 4) == 0;
    if (is_null || object != NULL)
        log_debug("the provider sent an event that is no object");
    else if (reply->at_end)
        log_debug("the provider's last event is cut");
    else
        reply_senseless(reply, "the provider sent an event that is not JSON", data);
    json_object_put(object);
    return NULL;
}
