/*
 * The Cohere wire, version 2 of its chat API: how a request is written and an answer, streamed or whole, is read.
 *
 * Source: Cohere's API reference, "Chat" and "Chat with Streaming", and its guides "Tool use" and "Reasoning". It looks like OpenAI's, but a message has no text
 * beside its calls: what the model says there is a plan, which is shown as its reasoning. Neighbours: reply.h. Leaves out: documents, citations, safety modes.
 */
#include <ctype.h>
#include <string.h>

#include "../base/json.h"
#include "reply.h"

/* --- the request: messages ---------------------------------------------------------------------------------------- */

static json_object *content_of(const struct completion_message *message)
{
    if (message->image_count == 0)
        return wire_text(message->content, message->content_len);
    json_object *parts = json_object_new_array();
    if (!wire_is_blank(message->content, message->content_len)) {
        json_object *part = wire_typed("text");
        json_object_object_add(part, "text", wire_text(message->content, message->content_len));
        json_object_array_add(parts, part);
    }
    for (size_t i = 0; i < message->image_count; i++) {
        json_object *part = wire_typed("image_url"), *url = json_object_new_object();
        json_object_object_add(url, "url", wire_data_url(&message->images[i]));
        json_object_object_add(part, "image_url", url);
        json_object_array_add(parts, part);
    }
    return parts;
}

/* Calls, and the plan that came before them: text beside calls is refused. Other vendors' models say such things as text, Cohere's own as reasoning. */
static void add_calls(json_object *object, const struct completion_message *message)
{
    json_object *calls = json_object_new_array();
    for (size_t i = 0; i < message->call_count; i++) {
        json_object *call = wire_typed("function"), *function = json_object_new_object();
        wire_add(call, "id", message->calls[i].id);
        wire_add(function, "name", message->calls[i].name);
        json_object *arguments = wire_json(message->calls[i].arguments); /* bad JSON is refused */
        wire_add(function, "arguments", json_write(arguments));
        json_object_put(arguments);
        json_object_object_add(call, "function", function);
        json_object_array_add(calls, call);
    }
    if (!wire_is_blank(message->content, message->content_len))
        json_object_object_add(object, "tool_plan", wire_text(message->content, message->content_len));
    else if (message->reasoning != NULL && message->reasoning[0] != '\0')
        wire_add(object, "tool_plan", message->reasoning);
    json_object_object_add(object, "tool_calls", calls);
}

static json_object *message_object(const struct completion_message *message)
{
    static const char *const roles[] = {[COMPLETION_USER] = "user", [COMPLETION_ASSISTANT] = "assistant", [COMPLETION_TOOL] = "tool"};
    json_object *object = json_object_new_object();
    wire_add(object, "role", roles[message->role]);
    if (message->role == COMPLETION_TOOL)
        wire_add(object, "tool_call_id", message->call_id);
    if (message->call_count > 0)
        add_calls(object, message);
    else
        json_object_object_add(object, "content", content_of(message));
    return object;
}

static void add_messages(json_object *body, const struct completion_request *request)
{
    json_object *messages = json_object_new_array();
    if (request->system != NULL && request->system[0] != '\0') {
        json_object *system = json_object_new_object();
        wire_add(system, "role", "system");
        wire_add(system, "content", request->system);
        json_object_array_add(messages, system);
    }
    for (size_t i = 0; i < request->message_count; i++) {
        const struct completion_message *message = &request->messages[i];
        bool says_nothing = message->role == COMPLETION_ASSISTANT && message->call_count == 0 && wire_is_blank(message->content, message->content_len);
        if (!says_nothing) /* an answer that was stopped at once; it would be refused */
            json_object_array_add(messages, message_object(message));
    }
    json_object_object_add(body, "messages", messages);
}

/* --- the request: the rest ---------------------------------------------------------------------------------------- */

static json_object *tool_object(const struct completion_tool *tool)
{
    json_object *object = wire_typed("function"), *function = json_object_new_object();
    wire_add(function, "name", tool->name);
    wire_add(function, "description", tool->description);
    json_object_object_add(function, "parameters", wire_json(tool->schema));
    json_object_object_add(object, "function", function);
    return object;
}

/* A single tool cannot be named: it is the only one that is offered instead. */
static void add_tools(json_object *body, const struct completion_request *request)
{
    const char *choice = request->tool_choice;
    if (request->tool_count == 0)
        return;
    bool is_none = choice != NULL && strcmp(choice, "none") == 0;
    bool is_one = choice != NULL && !is_none && strcmp(choice, "required") != 0;
    json_object *tools = json_object_new_array();
    for (size_t i = 0; i < request->tool_count; i++)
        if (!is_one || strcmp(request->tools[i].name, choice) == 0)
            json_object_array_add(tools, tool_object(&request->tools[i]));
    json_object_object_add(body, "tools", tools);
    if (choice != NULL)
        wire_add(body, "tool_choice", is_none ? "NONE" : "REQUIRED");
}

static void add_format(json_object *body, const struct completion_request *request)
{
    if (request->format == COMPLETION_ANY)
        return;
    json_object *format = wire_typed("json_object");
    if (request->format == COMPLETION_SCHEMA)
        json_object_object_add(format, "json_schema", wire_json(request->schema));
    json_object_object_add(body, "response_format", format);
}

/* The budget is a part of `max_tokens`, so that something is left for the answer. */
static void add_thinking(json_object *body, const char *effort, int64_t max_tokens)
{
    bool is_off = strcmp(effort, "none") == 0;
    int64_t budget = strcmp(effort, "low") == 0 ? max_tokens / 5 : strcmp(effort, "high") == 0 ? max_tokens / 5 * 4 : max_tokens / 2;
    json_object *thinking = wire_typed(is_off ? "disabled" : "enabled");
    if (!is_off)
        json_object_object_add(thinking, "token_budget", json_object_new_int64(budget > 0 ? budget : 1));
    json_object_object_add(body, "thinking", thinking);
}

static void add_options(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    int64_t most = target->facts.max_output, max_tokens = most > 0 && request->max_tokens > most ? most : request->max_tokens;
    bool with_limit = !without->max_tokens && !without->max_tokens_is_old;
    if (with_limit)
        json_object_object_add(body, "max_tokens", json_object_new_int64(max_tokens));
    if (!without->temperature && !target->facts.no_sampling) /* 0 to 1 */
        json_object_object_add(body, "temperature", wire_number(request->temperature < 1 ? request->temperature : 1));
    if (request->stop_count > 0 && !without->stop) {
        json_object *stop = json_object_new_array();
        for (size_t i = 0; i < request->stop_count; i++)
            json_object_array_add(stop, json_object_new_string(request->stop[i]));
        json_object_object_add(body, "stop_sequences", stop);
    }
    if (request->seed >= 0 && !without->seed) /* COMPLETION_NO_SEED is below; so are seeds that are no use here */
        json_object_object_add(body, "seed", json_object_new_int64(request->seed));
    if (request->effort != NULL && !without->effort && target->facts.reasoning)
        add_thinking(body, request->effort, max_tokens);
}

static bool has_images(const struct completion_request *request)
{
    for (size_t i = 0; i < request->message_count; i++)
        if (request->messages[i].image_count > 0)
            return true;
    return false;
}

static enum outcome write_request(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                                  const struct wire_without *without, struct failure *failure)
{
    enum { MOST_STOPS = 5 };
    if (has_images(request) && target->facts.known && !target->facts.vision)
        return fail(failure, OUTCOME_BAD_FIELD, "This model does not take images.");
    if (request->format != COMPLETION_ANY && request->tool_count > 0)
        return fail(failure, OUTCOME_BAD_FIELD, "This model's provider does not give JSON by a format together with tools.");
    if (request->stop_count > MOST_STOPS && !without->stop)
        return fail(failure, OUTCOME_BAD_FIELD, "This model's provider takes at most %d texts that end the answer.", MOST_STOPS);
    buf_add_text(&call->path, "/v2/chat");
    json_object *body = json_object_new_object();
    wire_add(body, "model", target->model);
    add_messages(body, request);
    add_tools(body, request);
    add_format(body, request);
    add_options(body, request, target, without);
    json_object_object_add(body, "stream", json_object_new_boolean(true));
    return wire_finish_body(call, body, failure);
}

/* --- pieces of an answer ------------------------------------------------------------------------------------------ */

/* {"text"} or {"thinking"}, in a stream and as a part of a whole answer. */
static void read_content(struct reply *reply, json_object *content)
{
    size_t len;
    const char *text = json_text(content, "thinking", &len);
    if (text != NULL)
        reply_reasoning(reply, text, len);
    if ((text = json_text(content, "text", &len)) != NULL)
        reply_text(reply, text, len);
}

static void read_plan(struct reply *reply, json_object *message)
{
    size_t len;
    const char *plan = json_text(message, "tool_plan", &len);
    if (plan != NULL)
        reply_reasoning(reply, plan, len);
}

static void read_call(struct reply *reply, int64_t slot, json_object *call)
{
    size_t len = 0;
    const char *arguments = json_text(call, "function.arguments", &len);
    reply_call(reply, slot, json_text(call, "id", NULL), json_text(call, "function.name", NULL), arguments, len);
}

/* A stream has one call in `tool_calls`, though a list is what the name says; and a list is what some servers send. Without a number a beginning is the next
   call, a piece one of the last. */
static void read_call_event(struct reply *reply, json_object *object, bool begins)
{
    json_object *call = json_at(object, "delta.message.tool_calls");
    int64_t next = (int64_t)reply->call_count;
    if (json_object_is_type(call, json_type_array))
        call = json_at(call, "0");
    if (json_object_is_type(call, json_type_object) && (begins || next > 0))
        read_call(reply, json_count(object, "index", begins ? next : reply->calls[next - 1].slot), call);
}

/* What was processed; `billed_units` is what has to be paid, which is less. */
static void read_usage(struct reply *reply, json_object *usage)
{
    struct usage *known = &reply->result->usage;
    known->prompt_tokens = json_count(usage, "tokens.input_tokens", json_count(usage, "billed_units.input_tokens", known->prompt_tokens));
    known->completion_tokens = json_count(usage, "tokens.output_tokens", json_count(usage, "billed_units.output_tokens", known->completion_tokens));
    known->cached_tokens = json_count(usage, "cached_tokens", known->cached_tokens);
}

/* --- how it ends -------------------------------------------------------------------------------------------------- */

/* The vendor's failure in the middle of an answer; `text` NULL: it does not say. */
static void read_failure(struct reply *reply, const char *text, long status)
{
    json_object *object = json_object_new_object();
    wire_add(object, "message", text != NULL ? text : "The answer could not be finished.");
    reply_error(reply, object, status);
    json_object_put(object);
}

/* The end as `from` tells it: a stream's last delta, or a whole answer. */
static void read_end(struct reply *reply, json_object *from)
{
    static const struct { const char *theirs, *ours; } words[] = {
        {"COMPLETE", "stop"}, {"STOP_SEQUENCE", "stop"}, {"MAX_TOKENS", "length"}, {"TOOL_CALL", "tool_calls"},
    };
    const char *reason = json_text(from, "finish_reason", NULL);
    read_usage(reply, json_at(from, "usage"));
    if (reason == NULL)
        reason = "";
    if (strncmp(reason, "ERROR", 5) == 0 || json_text(from, "error", NULL) != NULL) {
        read_failure(reply, json_text(from, "error", NULL), 500);
        return;
    }
    if (strcmp(reason, "TIMEOUT") == 0) {
        read_failure(reply, NULL, 504);
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(reason, words[i].theirs) == 0)
            reason = words[i].ours;
    reply_finish(reply, reason);
    reply_end_text(reply);
    reply->ended = reply->all_said = true;
}

/* An error has no wrapper: {"id","message"} ("Errors"); the `message` of an answer is an object. */
static bool is_error(json_object *object)
{
    return json_text(object, "message", NULL) != NULL || provider_error_is_one(object);
}

static void read_whole(struct reply *reply, json_object *object)
{
    if (is_error(object)) {
        reply_error(reply, object, 0);
        return;
    }
    json_object *message = json_at(object, "message"), *content = json_at(message, "content"), *calls = json_at(message, "tool_calls");
    read_plan(reply, message);
    for (size_t i = 0; json_object_is_type(content, json_type_array) && i < json_object_array_length(content); i++)
        read_content(reply, json_object_array_get_idx(content, i));
    for (size_t i = 0; json_object_is_type(calls, json_type_array) && i < json_object_array_length(calls); i++)
        read_call(reply, (int64_t)i, json_object_array_get_idx(calls, i));
    if (!reply->failed && json_text(object, "finish_reason", NULL) != NULL)
        read_end(reply, object);
}

/* `type` is the event's name where the object does not say. What is not known is ignored. */
static void read_event(struct reply *reply, const char *type, json_object *object)
{
    if (strcmp(type, "error") == 0 || is_error(object))
        reply_error(reply, object, 0);
    else if (strcmp(type, "content-delta") == 0 || strcmp(type, "content-start") == 0)
        read_content(reply, json_at(object, "delta.message.content"));
    else if (strcmp(type, "tool-plan-delta") == 0)
        read_plan(reply, json_at(object, "delta.message"));
    else if (strcmp(type, "tool-call-start") == 0 || strcmp(type, "tool-call-delta") == 0)
        read_call_event(reply, object, strcmp(type, "tool-call-start") == 0);
    else if (strcmp(type, "message-end") == 0)
        read_end(reply, json_at(object, "delta"));
}

static bool take_event(void *arg, const char *name, const char *data, size_t len)
{
    struct reply *reply = arg;
    bool is_done = len >= 6 && strncmp(data, "[DONE]", 6) == 0; /* may follow message-end, and says nothing more */
    if (len == 0 || is_done || reply->all_said)
        return true;
    json_object *object = reply_parse(reply, data, len);
    if (object != NULL) {
        const char *type = json_text(object, "type", NULL);
        read_event(reply, type != NULL ? type : name, object);
    }
    json_object_put(object);
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

const struct wire wire_cohere = {.name = "cohere", .write = write_request, .feed = feed, .end = end};
