/*
 * Ollama's own wire: /api/chat, which unlike its OpenAI face says how long a context is wanted and reports failures in the middle of an answer.
 *
 * Source: Ollama's API documentation, "Generate a chat message". Neighbours: ndjson.h, reply.h. Leaves out: keep_alive (the server's own default is left alone), logprobs.
 */
#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "ndjson.h"
#include "reply.h"

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* Calls go back with their arguments as an object. */
static json_object *calls_of(const struct completion_message *message)
{
    json_object *calls = json_object_new_array();
    for (size_t i = 0; i < message->call_count; i++) {
        json_object *call = json_object_new_object(), *function = json_object_new_object();
        wire_add(call, "id", message->calls[i].id);
        json_object_object_add(function, "index", json_object_new_int64((int64_t)i));
        wire_add(function, "name", message->calls[i].name);
        json_object_object_add(function, "arguments", wire_json(message->calls[i].arguments));
        json_object_object_add(call, "function", function);
        json_object_array_add(calls, call);
    }
    return calls;
}

/* Images stand beside the text, as bare base64. */
static json_object *images_of(const struct completion_message *message)
{
    json_object *images = json_object_new_array();
    for (size_t i = 0; i < message->image_count; i++)
        json_object_array_add(images, wire_text(message->images[i].base64, message->images[i].base64_len));
    return images;
}

static json_object *message_object(const struct completion_message *message)
{
    static const char *const roles[] = {[COMPLETION_USER] = "user", [COMPLETION_ASSISTANT] = "assistant", [COMPLETION_TOOL] = "tool"};
    json_object *object = json_object_new_object();
    wire_add(object, "role", roles[message->role]);
    json_object_object_add(object, "content", wire_text(message->content, message->content_len));
    if (message->image_count > 0)
        json_object_object_add(object, "images", images_of(message));
    if (message->call_count > 0 && message->reasoning != NULL) /* within a turn of tool calls models go on with their thinking; after it templates drop it */
        wire_add(object, "thinking", message->reasoning);
    if (message->call_count > 0)
        json_object_object_add(object, "tool_calls", calls_of(message));
    if (message->role == COMPLETION_TOOL && message->call_name != NULL)
        wire_add(object, "tool_name", message->call_name);
    if (message->role == COMPLETION_TOOL && message->call_id != NULL)
        wire_add(object, "tool_call_id", message->call_id);
    return object;
}

static void add_messages(json_object *body, const struct completion_request *request)
{
    json_object *messages = json_object_new_array();
    json_object_object_add(body, "messages", messages);
    if (request->system != NULL && request->system[0] != '\0') {
        json_object *system = json_object_new_object();
        wire_add(system, "role", "system");
        wire_add(system, "content", request->system);
        json_object_array_add(messages, system);
    }
    for (size_t i = 0; i < request->message_count; i++)
        json_object_array_add(messages, message_object(&request->messages[i]));
}

/* --- what else is asked ------------------------------------------------------------------------------------------- */

/* There is no tool_choice: that none be called is said by not offering any. */
static void add_tools(json_object *body, const struct completion_request *request)
{
    if (request->tool_count == 0 || request->tool_choice != NULL)
        return;
    json_object *tools = json_object_new_array();
    for (size_t i = 0; i < request->tool_count; i++) {
        json_object *tool = json_object_new_object(), *function = json_object_new_object();
        wire_add(tool, "type", "function");
        wire_add(function, "name", request->tools[i].name);
        wire_add(function, "description", request->tools[i].description);
        json_object_object_add(function, "parameters", wire_json(request->tools[i].schema));
        json_object_object_add(tool, "function", function);
        json_object_array_add(tools, tool);
    }
    json_object_object_add(body, "tools", tools);
}

static void add_format(json_object *body, const struct completion_request *request)
{
    if (request->format == COMPLETION_JSON)
        wire_add(body, "format", "json");
    else if (request->format == COMPLETION_SCHEMA)
        json_object_object_add(body, "format", wire_json(request->schema));
}

/* A model that cannot think refuses the field, one that is not known to may. gpt-oss cannot do without, and ignores true and false. */
static void add_think(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    if (request->effort == NULL || without->effort || (target->facts.known && !target->facts.reasoning))
        return;
    if (strcmp(request->effort, "none") != 0)
        wire_add(body, "think", request->effort);
    else if (strstr(target->model, "gpt-oss") != NULL)
        wire_add(body, "think", "low");
    else
        json_object_object_add(body, "think", json_object_new_boolean(false));
}

static size_t length(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

static size_t message_bytes(const struct completion_message *message)
{
    size_t bytes = message->content_len + length(message->reasoning);
    for (size_t i = 0; i < message->call_count; i++)
        bytes += length(message->calls[i].name) + length(message->calls[i].arguments);
    return bytes;
}

/* The tokens that the request and its answer will need, at a guess that is rather too high. */
static int64_t tokens_needed(const struct completion_request *request)
{
    enum {
        BYTES_PER_TOKEN = 3,     /* four in English, three in Chinese */
        TOKENS_PER_MESSAGE = 16, /* what a template puts around it; so for a tool */
        TOKENS_PER_IMAGE = 2048
    };
    size_t bytes = length(request->system), images = 0;
    for (size_t i = 0; i < request->message_count; i++) {
        bytes += message_bytes(&request->messages[i]);
        images += request->messages[i].image_count;
    }
    for (size_t i = 0; i < request->tool_count; i++)
        bytes += length(request->tools[i].name) + length(request->tools[i].description) + length(request->tools[i].schema);
    size_t things = request->message_count + request->tool_count + 1;
    return (int64_t)(bytes / BYTES_PER_TOKEN + things * TOKENS_PER_MESSAGE + images * TOKENS_PER_IMAGE) + request->max_tokens;
}

/* Left alone, Ollama takes 4096 tokens and forgets the oldest messages of what is longer. Room is memory of the graphics card, so the model's whole context is not asked for
   when less will do; and another size loads the model anew, so sizes are powers of two. */
static int64_t context_size(const struct completion_request *request, const struct wire_target *target)
{
    enum { LEAST = 8192, MOST = 1024 * 1024 };
    int64_t size = LEAST, needed = tokens_needed(request), most = target->facts.context > 0 && target->facts.context < MOST ? target->facts.context : MOST;
    while (size < needed && size < most)
        size *= 2;
    return size < most ? size : most;
}

static void add_options(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    json_object *options = json_object_new_object();
    json_object_object_add(body, "options", options);
    json_object_object_add(options, "num_ctx", json_object_new_int64(context_size(request, target)));
    if (!without->max_tokens)
        json_object_object_add(options, "num_predict", json_object_new_int64(request->max_tokens));
    if (!without->temperature && !target->facts.no_sampling)
        json_object_object_add(options, "temperature", wire_number(request->temperature));
    if (request->seed != COMPLETION_NO_SEED && !without->seed)
        json_object_object_add(options, "seed", json_object_new_int64(request->seed));
    if (request->stop_count == 0 || without->stop)
        return;
    json_object *stop = json_object_new_array();
    for (size_t i = 0; i < request->stop_count; i++)
        json_object_array_add(stop, json_object_new_string(request->stop[i]));
    json_object_object_add(options, "stop", stop);
}

static enum outcome check(const struct completion_request *request, const struct wire_target *target, struct failure *failure)
{
    for (size_t i = 0; i < request->message_count; i++)
        if (request->messages[i].image_count > 0 && target->facts.known && !target->facts.vision)
            return fail(failure, OUTCOME_BAD_FIELD, "The model %s cannot look at images.", target->model);
    if (request->tool_count > 0 && request->tool_choice != NULL && strcmp(request->tool_choice, "none") != 0)
        return fail(failure, OUTCOME_BAD_FIELD, "The model %s cannot be made to call a tool: Ollama leaves that to it.", target->model);
    return OUTCOME_OK;
}

static enum outcome write_request(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                                  const struct wire_without *without, struct failure *failure)
{
    enum outcome outcome = check(request, target, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    buf_add_text(&call->path, "/api/chat");
    json_object *body = json_object_new_object();
    wire_add(body, "model", target->model);
    add_messages(body, request);
    add_tools(body, request);
    add_format(body, request);
    add_think(body, request, target, without);
    add_options(body, request, target, without);
    json_object_object_add(body, "truncate", json_object_new_boolean(false)); /* a prompt that is too long is an error, */
    json_object_object_add(body, "shift", json_object_new_boolean(false));    /* an answer that is too long ends; nothing is forgotten without a word */
    json_object_object_add(body, "stream", json_object_new_boolean(true));
    return wire_finish_body(call, body, failure);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* Calls come whole, their arguments as an object; some versions give them no id. */
static void read_calls(struct reply *reply, json_object *calls)
{
    for (size_t i = 0; json_object_is_type(calls, json_type_array) && i < json_object_array_length(calls) && !reply->failed; i++) {
        json_object *call = json_object_array_get_idx(calls, i), *object = json_at(call, "function.arguments");
        const char *arguments = json_object_is_type(object, json_type_object) ? json_write(object) : json_text(call, "function.arguments", NULL);
        reply_call(reply, (int64_t)reply->call_count, json_text(call, "id", NULL), json_text(call, "function.name", NULL), arguments,
                   arguments != NULL ? strlen(arguments) : 0);
    }
}

static void read_message(struct reply *reply, json_object *message)
{
    size_t len;
    const char *text = json_text(message, "thinking", &len);
    if (text != NULL)
        reply_reasoning(reply, text, len);
    if ((text = json_text(message, "content", &len)) != NULL)
        reply_text(reply, text, len);
    read_calls(reply, json_at(message, "tool_calls"));
}

/* The last line: why it ended, and the counts. A count of zero is left out, as that of a prompt which was still known: how long it was is not said then. */
static void read_end(struct reply *reply, json_object *object)
{
    struct usage *known = &reply->result->usage;
    known->prompt_tokens = json_count(object, "prompt_eval_count", known->prompt_tokens);
    known->completion_tokens = json_count(object, "eval_count", known->completion_tokens);
    const char *reason = json_text(object, "done_reason", NULL); /* older versions have none */
    if (reason == NULL || *reason == '\0' || strcmp(reason, "stop") == 0)
        reason = reply->call_count > 0 ? "tool_calls" : "stop";
    reply_finish(reply, reason);
    reply_end_text(reply);
    reply->ended = reply->all_said = true;
}

static bool take_line(void *arg, const char *text, size_t len)
{
    struct reply *reply = arg;
    if (reply->all_said)
        return true;
    reply->at_end = reply->at_end && *text == '{'; /* else it is no cut line but a page of a proxy */
    json_object *object = reply_parse(reply, text, len);
    if (object != NULL && provider_error_is_one(object)) {
        reply_error(reply, object, 0);
    } else if (object != NULL) {
        reply_model(reply, json_text(object, "model", NULL));
        read_message(reply, json_at(object, "message"));
        if (!reply->failed && json_object_get_boolean(json_at(object, "done")))
            read_end(reply, object);
    }
    json_object_put(object);
    return !reply->failed;
}

/* The reader of lines is the wire's own state. */
static struct ndjson *reader_of(struct reply *reply)
{
    if (reply->state == NULL && (reply->state = mem_new(1, sizeof(struct ndjson))) != NULL)
        ndjson_init(reply->state, LIMIT_SSE_EVENT_BYTES);
    if (reply->state == NULL)
        reply_give_up(reply, OUTCOME_NO_MEMORY);
    return reply->state;
}

static void free_state(struct reply *reply)
{
    ndjson_free(reply->state);
    mem_free(reply->state);
    reply->state = NULL;
}

static bool feed(struct reply *reply, const char *bytes, size_t len)
{
    struct ndjson *reader = reader_of(reply);
    if (reader == NULL || reply->failed || reply->all_said)
        return !reply->failed;
    if (ndjson_feed(reader, bytes, len, take_line, reply) == NDJSON_TOO_BIG) {
        log_warning("the provider sent a line of more than %d bytes", LIMIT_SSE_EVENT_BYTES);
        reply_give_up(reply, OUTCOME_PROVIDER_ERROR);
    }
    return !reply->failed;
}

/* A whole answer is one line with done:true, and is read as such. */
static void end(struct reply *reply)
{
    struct ndjson *reader = reader_of(reply);
    if (reader == NULL || reply->failed)
        return;
    reply->at_end = true;
    (void)ndjson_end(reader, take_line, reply);
    if (!reply->failed)
        reply_end_text(reply);
}

const struct wire wire_ollama = {.name = "ollama", .write = write_request, .feed = feed, .end = end, .free_state = free_state};
