/*
 * The OpenAI Responses wire: for the models that have nothing else, and the one way to OpenAI's summaries of thinking.
 *
 * Nothing is stored at OpenAI (`store` false). What a model thought comes encrypted and is kept as state, in its place among text and tool calls, and goes
 * back with them. Source: OpenAI's API reference, "Responses" and its "Streaming events". Neighbours: reply.h, wire_openai.c. Leaves out: OpenAI's own tools,
 * stored conversations, and `stop` and `seed`, which this API does not have.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../base/utf8.h"
#include "call_id.h"
#include "reply.h"

enum {
    THINKING_ROOM = 25000, /* tokens: what OpenAI advises to leave for thinking ("Reasoning models", allocating space) */
    LEAST_OUTPUT = 16,     /* tokens: less is refused */
    CALL_ID_MOST = 64      /* bytes: a longer one is refused */
};

/* --- the request -------------------------------------------------------------------------------------------------- */

static json_object *text_part(const char *type, const struct completion_message *message)
{
    json_object *part = wire_typed(type);
    json_object_object_add(part, "text", wire_text(message->content, message->content_len));
    return part;
}

static void add_user(json_object *input, const struct completion_message *message)
{
    json_object *item = json_object_new_object();
    wire_add(item, "role", "user");
    if (message->image_count == 0) {
        json_object_object_add(item, "content", wire_text(message->content, message->content_len));
    } else {
        json_object *parts = json_object_new_array();
        if (message->content_len > 0)
            json_object_array_add(parts, text_part("input_text", message));
        for (size_t i = 0; i < message->image_count; i++) {
            json_object *part = wire_typed("input_image");
            json_object_object_add(part, "image_url", wire_data_url(&message->images[i]));
            json_object_array_add(parts, part);
        }
        json_object_object_add(item, "content", parts);
    }
    json_object_array_add(input, item);
}

static void add_id(json_object *item, const char *id)
{
    char room[CALL_ID_SHORT + 1];
    wire_add(item, "call_id", strlen(id) > CALL_ID_MOST ? call_id_shorten(id, room) : id);
}

static void add_result(json_object *input, const struct completion_message *message)
{
    json_object *item = wire_typed("function_call_output");
    add_id(item, message->call_id);
    json_object_object_add(item, "output", wire_text(message->content, message->content_len));
    json_object_array_add(input, item);
}

static void add_answer_text(json_object *input, const struct completion_message *message)
{
    json_object *item = json_object_new_object(), *parts = json_object_new_array();
    wire_add(item, "role", "assistant");
    json_object_array_add(parts, text_part("output_text", message));
    json_object_object_add(item, "content", parts);
    json_object_array_add(input, item);
}

static void add_call(json_object *input, const struct completion_call *call)
{
    json_object *item = wire_typed("function_call");
    add_id(item, call->id);
    wire_add(item, "name", call->name);
    wire_add(item, "arguments", call->arguments);
    json_object_array_add(input, item);
}

/* Thinking can be read again only by the model that thought it, at the same provider. */
static json_object *origin_of(const struct wire_target *target)
{
    char origin[2 * LIMIT_MODEL_NAME_BYTES];
    (void)snprintf(origin, sizeof origin, "%s/%s", target->provider, target->model);
    return json_object_new_string(origin);
}

/* The order of an answer as it was kept: an array of reasoning items and, in place of what stands in the message itself, "text" and "call". NULL: not known. A new
   reference. */
static json_object *order_of(const struct completion_message *message, const struct wire_target *target)
{
    if (message->state == NULL || message->state_wire == NULL || strcmp(message->state_wire, wire_responses.name) != 0)
        return NULL;
    json_object *state = wire_json(message->state), *origin = origin_of(target), *items = json_at(state, "items");
    bool good = json_object_is_type(items, json_type_array) && json_object_equal(json_at(state, "of"), origin);
    items = good ? json_object_get(items) : NULL;
    json_object_put(origin);
    json_object_put(state);
    return items;
}

/* An answer with its thinking in place. A reasoning item must be followed by what came of it, else the request is refused: it waits for that in `thoughts`. */
static void add_answer(json_object *input, const struct completion_message *message, const struct wire_target *target)
{
    json_object *order = order_of(message, target), *thoughts = json_object_new_array();
    bool has_text = message->content_len > 0;
    size_t next_call = 0;
    for (size_t i = 0; order != NULL && i < json_object_array_length(order); i++) {
        json_object *item = json_object_array_get_idx(order, i);
        const char *mark = json_text(item, "", NULL);
        bool is_text = mark != NULL && strcmp(mark, "text") == 0 && has_text, is_call = mark != NULL && strcmp(mark, "call") == 0 && next_call < message->call_count;
        if (json_object_is_type(item, json_type_object))
            json_object_array_add(thoughts, json_object_get(item));
        if (!is_text && !is_call)
            continue;
        for (size_t k = 0; k < json_object_array_length(thoughts); k++)
            json_object_array_add(input, json_object_get(json_object_array_get_idx(thoughts, k)));
        json_object_array_del_idx(thoughts, 0, json_object_array_length(thoughts));
        if (is_call)
            add_call(input, &message->calls[next_call++]);
        else
            add_answer_text(input, message);
        has_text = has_text && !is_text;
    }
    if (has_text)
        add_answer_text(input, message);
    while (next_call < message->call_count)
        add_call(input, &message->calls[next_call++]);
    json_object_put(thoughts);
    json_object_put(order);
}

static json_object *input_of(const struct completion_request *request, const struct wire_target *target)
{
    json_object *input = json_object_new_array();
    for (size_t i = 0; i < request->message_count; i++) {
        const struct completion_message *message = &request->messages[i];
        if (message->role == COMPLETION_USER)
            add_user(input, message);
        else if (message->role == COMPLETION_TOOL)
            add_result(input, message);
        else
            add_answer(input, message, target);
    }
    return input;
}

/* `strict` is on by default here and refuses many a schema: it is switched off. */
static void add_tools(json_object *body, const struct completion_request *request)
{
    if (request->tool_count == 0)
        return;
    json_object *tools = json_object_new_array();
    for (size_t i = 0; i < request->tool_count; i++) {
        json_object *tool = wire_typed("function");
        wire_add(tool, "name", request->tools[i].name);
        if (request->tools[i].description[0] != '\0')
            wire_add(tool, "description", request->tools[i].description);
        json_object_object_add(tool, "parameters", wire_json(request->tools[i].schema));
        json_object_object_add(tool, "strict", json_object_new_boolean(false));
        json_object_array_add(tools, tool);
    }
    json_object_object_add(body, "tools", tools);
    const char *choice = request->tool_choice;
    if (choice == NULL)
        return;
    if (strcmp(choice, "none") == 0 || strcmp(choice, "required") == 0) {
        wire_add(body, "tool_choice", choice);
        return;
    }
    json_object *one = wire_typed("function");
    wire_add(one, "name", choice);
    json_object_object_add(body, "tool_choice", one);
}

static void add_format(json_object *body, const struct completion_request *request)
{
    if (request->format == COMPLETION_ANY)
        return;
    json_object *text = json_object_new_object(), *format = wire_typed(request->format == COMPLETION_JSON ? "json_object" : "json_schema");
    if (request->format == COMPLETION_SCHEMA) {
        wire_add(format, "name", "answer");
        json_object_object_add(format, "schema", wire_json(request->schema));
        json_object_object_add(format, "strict", json_object_new_boolean(false));
    }
    json_object_object_add(text, "format", format);
    json_object_object_add(body, "text", text);
}

/* The limit counts the thinking too: there must be room for both, or nothing is left for the answer. */
static int64_t output_limit(const struct completion_request *request, const struct wire_target *target, bool thinks)
{
    int64_t limit = request->max_tokens + (thinks ? THINKING_ROOM : 0), most = target->facts.max_output;
    if (most > 0 && limit > most)
        limit = most;
    return limit < LEAST_OUTPUT ? LEAST_OUTPUT : limit;
}

/* Models that think take no temperature; the others refuse to be asked for thinking. */
static void add_options(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    bool thinks = target->facts.reasoning || target->facts.responses_only;
    if (!without->temperature && !target->facts.no_sampling && !thinks)
        json_object_object_add(body, "temperature", wire_number(request->temperature));
    if (!without->max_tokens)
        json_object_object_add(body, "max_output_tokens", json_object_new_int64(output_limit(request, target, thinks || !target->facts.known)));
    if (without->effort || (target->facts.known && !thinks))
        return;
    json_object *reasoning = json_object_new_object(), *include = json_object_new_array();
    if (request->effort != NULL)
        wire_add(reasoning, "effort", request->effort);
    wire_add(reasoning, "summary", "auto");
    json_object_object_add(body, "reasoning", reasoning);
    json_object_array_add(include, json_object_new_string("reasoning.encrypted_content"));
    json_object_object_add(body, "include", include);
}

static bool has_images(const struct completion_request *request)
{
    for (size_t i = 0; i < request->message_count; i++)
        if (request->messages[i].image_count > 0)
            return true;
    return false;
}

static enum outcome write_responses(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                                    const struct wire_without *without, struct failure *failure)
{
    if (target->facts.known && !target->facts.vision && has_images(request))
        return fail(failure, OUTCOME_BAD_FIELD, "The model %s cannot look at images.", target->model);
    buf_add_text(&call->path, strcmp(target->provider, "azure") == 0 ? "/openai/v1/responses" : "/responses");
    json_object *body = json_object_new_object();
    wire_add(body, "model", target->model);
    if (request->system != NULL && request->system[0] != '\0')
        wire_add(body, "instructions", request->system);
    json_object_object_add(body, "input", input_of(request, target));
    add_tools(body, request);
    add_format(body, request);
    add_options(body, request, target, without);
    json_object_object_add(body, "store", json_object_new_boolean(false));
    json_object_object_add(body, "stream", json_object_new_boolean(true));
    return wire_finish_body(call, body, failure);
}

/* --- what is kept of an answer ------------------------------------------------------------------------------------ */

/* The wire's own state of a reply. */
struct responses_state {
    json_object *order;  /* see order_of() */
    size_t bytes;        /* of it, about; over LIMIT_STATE_BYTES it is given up */
    bool has_thoughts;   /* it holds a reasoning item: else it is not worth keeping */
    bool thought, apart; /* reasoning was given out; what comes next begins a paragraph of it */
};

static struct responses_state *state_of(struct reply *reply)
{
    if (reply->state == NULL)
        reply->state = mem_new(1, sizeof(struct responses_state));
    if (reply->state == NULL)
        reply_give_up(reply, OUTCOME_NO_MEMORY);
    return reply->state;
}

static void free_state(struct reply *reply)
{
    struct responses_state *state = reply->state;
    json_object_put(state->order);
    mem_free(state);
    reply->state = NULL;
}

/* Takes the reference. */
static void keep(struct reply *reply, json_object *item, size_t bytes)
{
    enum { ITEM_BYTES = 64 }; /* what one costs besides its text */
    struct responses_state *state = state_of(reply);
    if (state != NULL && state->order == NULL)
        state->order = json_object_new_array();
    if (state != NULL && state->bytes <= LIMIT_STATE_BYTES)
        state->bytes += bytes + ITEM_BYTES;
    if (state == NULL || state->order == NULL || state->bytes > LIMIT_STATE_BYTES || json_object_array_add(state->order, item) != 0)
        json_object_put(item);
}

/* Of a reasoning item the API wants back these fields; its id would only be looked for among what was stored, which nothing is. */
static void keep_thought(struct reply *reply, json_object *item)
{
    json_object *summary = json_at(item, "summary"), *secret = json_at(item, "encrypted_content");
    if (!json_object_is_type(secret, json_type_string) || json_object_get_string_len(secret) == 0)
        return;
    json_object *kept = wire_typed("reasoning");
    json_object_object_add(kept, "summary", json_object_is_type(summary, json_type_array) ? json_object_get(summary) : json_object_new_array());
    json_object_object_add(kept, "encrypted_content", json_object_get(secret));
    const char *text = json_write(kept);
    struct responses_state *state = state_of(reply);
    if (text == NULL || state == NULL || !utf8_valid(text, strlen(text))) { /* what is kept is stored, and sent again */
        json_object_put(kept);
        return;
    }
    state->has_thoughts = true;
    keep(reply, kept, strlen(text));
}

static void keep_item(struct reply *reply, json_object *item, const char *type)
{
    if (strcmp(type, "reasoning") == 0)
        keep_thought(reply, item);
    else if (strcmp(type, "message") == 0)
        keep(reply, json_object_new_string("text"), 0);
    else if (strcmp(type, "function_call") == 0)
        keep(reply, json_object_new_string("call"), 0);
}

/* At the end: what was gathered becomes the answer's state. */
static void hand_over_state(struct reply *reply)
{
    struct responses_state *state = reply->state;
    if (state == NULL || !state->has_thoughts || state->bytes > LIMIT_STATE_BYTES)
        return;
    json_object *object = json_object_new_object();
    json_object_object_add(object, "of", origin_of(reply->target));
    json_object_object_add(object, "items", json_object_get(state->order));
    reply_keep_state(reply, object);
}

/* --- pieces of an answer ------------------------------------------------------------------------------------------ */

static void say_thought(struct reply *reply, const char *text, size_t len)
{
    struct responses_state *state = state_of(reply);
    if (state == NULL || len == 0)
        return;
    if (state->thought && state->apart)
        reply_reasoning(reply, "\n\n", 2);
    reply_reasoning(reply, text, len);
    state->thought = true;
    state->apart = false;
}

static void begin_thought(struct reply *reply)
{
    struct responses_state *state = state_of(reply);
    if (state != NULL)
        state->apart = true;
}

static const struct reply_call *call_in(const struct reply *reply, int64_t slot)
{
    for (size_t i = 0; i < reply->call_count; i++)
        if (reply->calls[i].slot == slot)
            return &reply->calls[i];
    return NULL;
}

/* The call that an event is about: output_index, else the last one begun. */
static int64_t slot_of(const struct reply *reply, json_object *event)
{
    int64_t last = reply->call_count > 0 ? reply->calls[reply->call_count - 1].slot : 0;
    return json_count(event, "output_index", last);
}

/* Arguments as a whole, at `path`: they say again what the deltas said, and count only where there were none. */
static void read_whole_arguments(struct reply *reply, int64_t slot, json_object *object, const char *path)
{
    const struct reply_call *call = call_in(reply, slot);
    size_t len;
    const char *arguments = json_text(object, path, &len);
    if (arguments != NULL && call != NULL && call->arguments.len == 0)
        reply_call(reply, slot, NULL, NULL, arguments, len);
}

/* The texts of content or summary parts. */
static void read_parts(struct reply *reply, json_object *parts, bool is_thought)
{
    for (size_t i = 0; json_object_is_type(parts, json_type_array) && i < json_object_array_length(parts); i++) {
        json_object *part = json_object_array_get_idx(parts, i);
        size_t len;
        const char *text = json_text(part, "text", &len);
        if (text == NULL)
            text = json_text(part, "refusal", &len); /* shown as the answer */
        if (text == NULL)
            continue;
        if (is_thought) {
            begin_thought(reply);
            say_thought(reply, text, len);
        } else {
            reply_text(reply, text, len);
        }
    }
}

/* Everything that was put out, from a whole response. */
static void read_output(struct reply *reply, json_object *response)
{
    json_object *output = json_at(response, "output");
    for (size_t i = 0; json_object_is_type(output, json_type_array) && i < json_object_array_length(output); i++) {
        json_object *item = json_object_array_get_idx(output, i);
        const char *type = json_text(item, "type", NULL);
        if (type == NULL)
            continue;
        if (strcmp(type, "message") == 0) {
            read_parts(reply, json_at(item, "content"), false);
        } else if (strcmp(type, "reasoning") == 0) {
            read_parts(reply, json_at(item, "summary"), true);
            read_parts(reply, json_at(item, "content"), true);
        } else if (strcmp(type, "function_call") == 0) {
            reply_call(reply, (int64_t)i, json_text(item, "call_id", NULL), json_text(item, "name", NULL), NULL, 0);
            read_whole_arguments(reply, (int64_t)i, item, "arguments");
        }
        keep_item(reply, item, type);
    }
}

static void read_usage(struct reply *reply, json_object *response)
{
    json_object *usage = json_at(response, "usage");
    struct usage *known = &reply->result->usage;
    known->prompt_tokens = json_count(usage, "input_tokens", known->prompt_tokens);
    known->completion_tokens = json_count(usage, "output_tokens", known->completion_tokens);
    known->cached_tokens = json_count(usage, "input_tokens_details.cached_tokens", known->cached_tokens);
    known->reasoning_tokens = json_count(usage, "output_tokens_details.reasoning_tokens", known->reasoning_tokens);
}

static const char *finish_of(const struct reply *reply, json_object *response, bool is_complete)
{
    const char *reason = json_text(response, "incomplete_details.reason", NULL);
    if (is_complete)
        return reply->call_count > 0 ? "tool_calls" : "stop";
    return reason == NULL || strcmp(reason, "max_output_tokens") == 0 ? "length" : reason;
}

/* A response that is over, complete or cut short by a limit. */
static void conclude(struct reply *reply, json_object *response, bool is_complete)
{
    reply_end_text(reply);
    reply_model(reply, json_text(response, "model", NULL));
    read_usage(reply, response);
    reply_finish(reply, finish_of(reply, response, is_complete));
    hand_over_state(reply);
    if (!reply->failed)
        reply->ended = reply->all_said = true;
}

/* An error within a good answer, in `object` itself or in its `error`: the status that its code would have had tells whether to try again. */
static void read_failure(struct reply *reply, json_object *object)
{
    const char *code = json_text(object, json_at(object, "error") != NULL ? "error.code" : "code", NULL);
    long status = 0;
    if (code != NULL && strcmp(code, "server_error") == 0)
        status = 500;
    else if (code != NULL && (strcmp(code, "server_is_overloaded") == 0 || strcmp(code, "slow_down") == 0))
        status = 503;
    reply_error(reply, object, status);
}

/* An answer that is no stream. */
static void read_whole(struct reply *reply, json_object *response)
{
    const char *status = json_text(response, "status", NULL);
    bool has_output = json_object_is_type(json_at(response, "output"), json_type_array);
    bool is_incomplete = status != NULL && strcmp(status, "incomplete") == 0, is_complete = has_output && (status == NULL || strcmp(status, "completed") == 0);
    if (provider_error_is_one(response)) {
        read_failure(reply, response);
    } else if (is_complete || is_incomplete) {
        read_output(reply, response);
        conclude(reply, response, is_complete);
    } else if (status != NULL && strcmp(status, "failed") == 0) {
        read_failure(reply, response);
    }
}

/* --- a stream ----------------------------------------------------------------------------------------------------- */

static void on_text(struct reply *reply, json_object *event)
{
    size_t len;
    const char *text = json_text(event, "delta", &len);
    if (text != NULL)
        reply_text(reply, text, len);
}

static void on_thought(struct reply *reply, json_object *event)
{
    size_t len;
    const char *text = json_text(event, "delta", &len);
    if (text != NULL)
        say_thought(reply, text, len);
}

static void on_thought_part(struct reply *reply, json_object *event)
{
    (void)event;
    begin_thought(reply);
}

static void on_item(struct reply *reply, json_object *event)
{
    const char *type = json_text(event, "item.type", NULL);
    if (type != NULL && strcmp(type, "function_call") == 0)
        reply_call(reply, json_count(event, "output_index", (int64_t)reply->call_count), json_text(event, "item.call_id", NULL),
                   json_text(event, "item.name", NULL), NULL, 0);
    else if (type != NULL && strcmp(type, "reasoning") == 0)
        begin_thought(reply);
}

static void on_item_done(struct reply *reply, json_object *event)
{
    const char *type = json_text(event, "item.type", NULL);
    if (type == NULL)
        return;
    if (strcmp(type, "function_call") == 0) {
        int64_t slot = slot_of(reply, event);
        reply_call(reply, slot, json_text(event, "item.call_id", NULL), json_text(event, "item.name", NULL), NULL, 0);
        read_whole_arguments(reply, slot, event, "item.arguments");
    }
    keep_item(reply, json_at(event, "item"), type);
}

static void on_arguments(struct reply *reply, json_object *event)
{
    size_t len;
    const char *piece = json_text(event, "delta", &len);
    if (piece != NULL)
        reply_call(reply, slot_of(reply, event), NULL, NULL, piece, len);
}

static void on_arguments_done(struct reply *reply, json_object *event)
{
    read_whole_arguments(reply, slot_of(reply, event), event, "arguments");
}

static void on_begin(struct reply *reply, json_object *event)
{
    reply_model(reply, json_text(event, "response.model", NULL));
}

/* Where there were no deltas at all, the last event still holds everything. */
static void read_last(struct reply *reply, json_object *response, bool is_complete)
{
    if (!reply->result->begun) {
        if (reply->state != NULL)
            free_state(reply);
        read_output(reply, response);
    }
    conclude(reply, response, is_complete);
}

static void on_complete(struct reply *reply, json_object *event)
{
    read_last(reply, json_at(event, "response"), true);
}

static void on_incomplete(struct reply *reply, json_object *event)
{
    read_last(reply, json_at(event, "response"), false);
}

static void on_failure(struct reply *reply, json_object *event)
{
    json_object *response = json_at(event, "response");
    read_usage(reply, response);
    read_failure(reply, response != NULL ? response : event);
}

/* Events that are not here say nothing new: twins that repeat what the deltas said, progress of OpenAI's own tools, annotations. */
static const struct {
    const char *type;
    void (*take)(struct reply *reply, json_object *event);
} events[] = {
    {"response.output_text.delta", on_text},
    {"response.refusal.delta", on_text}, /* shown as the answer */
    {"response.reasoning_summary_text.delta", on_thought},
    {"response.reasoning_text.delta", on_thought},
    {"response.reasoning_summary_part.added", on_thought_part},
    {"response.function_call_arguments.delta", on_arguments},
    {"response.function_call_arguments.done", on_arguments_done},
    {"response.output_item.added", on_item},
    {"response.output_item.done", on_item_done},
    {"response.created", on_begin},
    {"response.in_progress", on_begin},
    {"response.completed", on_complete},
    {"response.incomplete", on_incomplete},
    {"response.failed", on_failure},
    {"error", on_failure},
};

static void read_event(struct reply *reply, json_object *event, const char *name)
{
    const char *type = json_text(event, "type", NULL);
    if (json_at(event, "error") != NULL) { /* also without a type, by gateways */
        read_failure(reply, event);
        return;
    }
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (strcmp(type != NULL ? type : name, events[i].type) == 0) {
            events[i].take(reply, event);
            return;
        }
}

static bool take_event(void *arg, const char *name, const char *data, size_t len)
{
    struct reply *reply = arg;
    while (len > 0 && isspace((unsigned char)*data)) {
        data++;
        len--;
    }
    if (len == 0 || reply->all_said || (len >= 6 && strncmp(data, "[DONE]", 6) == 0)) /* the mark of the other API, which says nothing here */
        return true;
    json_object *event = reply_parse(reply, data, len);
    if (event != NULL)
        read_event(reply, event, name);
    json_object_put(event);
    return !reply->failed;
}

static bool feed(struct reply *reply, const char *bytes, size_t len)
{
    return reply_feed_sse(reply, bytes, len, take_event);
}

static void end(struct reply *reply)
{
    reply_end_sse(reply, take_event, read_whole);
}

const struct wire wire_responses = {.name = "responses", .write = write_responses, .feed = feed, .end = end, .free_state = free_state};
