/*
 * The OpenAI Chat Completions wire: how a request is written and an answer, streamed or whole, is read. Azure's addresses too, which differ in nothing else.
 *
 * Good for OpenAI itself and for the many servers that speak the same with deviations; each deviation known is handled here. Source: OpenAI's API reference, "Chat
 * Completions" and "Streaming"; the deviations were recorded from the servers named beside them. Neighbours: reply.h, chunk_scanner.h.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../base/utf8.h"
#include "call_id.h"
#include "chunk_scanner.h"
#include "reply.h"

enum {
    THINKING_ROOM = 25000, /* tokens: what OpenAI advises to leave for thinking ("Reasoning models", allocating space) */
    CALL_ID_MOST = 40      /* bytes: OpenAI refuses a longer one */
};

/* --- the request -------------------------------------------------------------------------------------------------- */

static bool is_from(const struct wire_target *target, const char *provider)
{
    return strcmp(target->provider, provider) == 0;
}

static bool is_mistral(const struct wire_target *target)
{
    return is_from(target, "mistral") || is_from(target, "codestral");
}

static bool is_moonshot(const struct wire_target *target)
{
    return is_from(target, "moonshot") || is_from(target, "moonshot_cn");
}

/* OpenAI's own models that think, for which other rules hold (OpenAI, "Reasoning models"). */
static bool thinks_at_openai(const struct wire_target *target)
{
    return target->facts.reasoning && (is_from(target, "openai") || is_from(target, "azure"));
}

static json_object *text_part(const struct completion_message *message)
{
    json_object *part = json_object_new_object();
    wire_add(part, "type", "text");
    json_object_object_add(part, "text", wire_text(message->content, message->content_len));
    return part;
}

static json_object *image_part(const struct completion_image *image)
{
    json_object *part = json_object_new_object(), *url = json_object_new_object();
    wire_add(part, "type", "image_url");
    json_object_object_add(url, "url", wire_data_url(image));
    json_object_object_add(part, "image_url", url);
    return part;
}

/* A plain string unless there are images: many servers take no parts. */
static json_object *content_of(const struct completion_message *message)
{
    if (message->image_count == 0)
        return wire_text(message->content, message->content_len);
    json_object *parts = json_object_new_array();
    if (message->content_len > 0) /* an empty part is refused by some */
        json_object_array_add(parts, text_part(message));
    for (size_t i = 0; i < message->image_count; i++)
        json_object_array_add(parts, image_part(&message->images[i]));
    return parts;
}

/* A call's id, in calls and results alike. Mistral takes nine letters or digits only. */
static void add_id(json_object *object, const char *name, const char *id, const struct wire_target *target)
{
    char room[CALL_ID_SHORT + 1];
    size_t len = strlen(id), alnum = 0;
    while (alnum < len && isalnum((unsigned char)id[alnum]))
        alnum++;
    bool fits = is_mistral(target) ? len == CALL_ID_SHORT && alnum == len : len <= CALL_ID_MOST;
    wire_add(object, name, fits ? id : call_id_shorten(id, room));
}

/* Arguments as the model wrote them, unless they are no object: there are servers that parse them, and would refuse the conversation for ever. */
static void add_arguments(json_object *function, const char *arguments)
{
    json_object *object = json_read_loose(arguments, strlen(arguments));
    wire_add(function, "arguments", json_object_is_type(object, json_type_object) ? arguments : "{}");
    json_object_put(object);
}

/* Gemini behind its OpenAI face wants its signature back (Google's "Thought signatures", OpenAI compatibility). The wire of Gemini keeps the same text. */
static void add_signature(json_object *call, const char *signature, const struct completion_message *message, const struct wire_target *target)
{
    const char *wire = message->state_wire;
    bool is_known = wire == NULL || strcmp(wire, "openai") == 0 || strcmp(wire, "gemini") == 0;
    if (signature == NULL || !is_known || strcasestr(target->model, "gemini") == NULL || is_from(target, "openrouter"))
        return;
    json_object *extra = json_object_new_object(), *google = json_object_new_object();
    wire_add(google, "thought_signature", signature);
    json_object_object_add(extra, "google", google);
    json_object_object_add(call, "extra_content", extra);
}

static json_object *calls_of(const struct completion_message *message, const struct wire_target *target)
{
    json_object *calls = json_object_new_array();
    for (size_t i = 0; i < message->call_count; i++) {
        json_object *call = json_object_new_object(), *function = json_object_new_object();
        add_id(call, "id", message->calls[i].id, target);
        wire_add(call, "type", "function");
        wire_add(function, "name", message->calls[i].name);
        add_arguments(function, message->calls[i].arguments);
        json_object_object_add(call, "function", function);
        add_signature(call, message->calls[i].state, message, target);
        json_object_array_add(calls, call);
    }
    return calls;
}

/* Thinking as text goes back only to those who want it: to DeepSeek's V4 with every answer, "" where there was none; to DeepSeek's older ones, which else
   refuse it, and to Moonshot's with the calls that came of it (Moonshot refuses a call of a thinking model without the field). */
static void add_reasoning(json_object *object, const struct completion_message *message, const struct wire_target *target)
{
    const char *reasoning = message->reasoning;
    bool is_v4 = is_from(target, "deepseek") && strcasestr(target->model, "v4") != NULL;
    bool is_missed = is_v4 || (is_moonshot(target) && target->facts.reasoning), may = is_from(target, "deepseek") || is_moonshot(target);
    if (reasoning == NULL && is_missed)
        reasoning = "";
    if (message->role == COMPLETION_ASSISTANT && reasoning != NULL && (is_v4 || (may && message->call_count > 0)))
        wire_add(object, "reasoning_content", reasoning);
}

/* Whose thinking it is: only the same model at the same provider is given it back. */
static json_object *origin_of(const struct wire_target *target)
{
    char origin[2 * LIMIT_MODEL_NAME_BYTES];
    (void)snprintf(origin, sizeof origin, "%s/%s", target->provider, target->model);
    return json_object_new_string(origin);
}

/* What OpenRouter (and others after it) sent as reasoning_details goes back as it came ("Reasoning tokens", preserving reasoning). */
static void add_details(json_object *object, const struct completion_message *message, const struct wire_target *target)
{
    if (message->state == NULL || message->state_wire == NULL || strcmp(message->state_wire, "openai") != 0)
        return;
    json_object *state = wire_json(message->state), *origin = origin_of(target), *details = json_at(state, "details");
    if (json_object_is_type(details, json_type_array) && json_object_equal(json_at(state, "of"), origin))
        json_object_object_add(object, "reasoning_details", json_object_get(details));
    json_object_put(origin);
    json_object_put(state);
}

static json_object *message_object(const struct completion_message *message, const struct wire_target *target)
{
    static const char *const roles[] = {[COMPLETION_USER] = "user", [COMPLETION_ASSISTANT] = "assistant", [COMPLETION_TOOL] = "tool"};
    json_object *object = json_object_new_object();
    wire_add(object, "role", roles[message->role]);
    if (message->call_count > 0 && message->content_len == 0)
        json_object_object_add(object, "content", NULL);
    else
        json_object_object_add(object, "content", content_of(message));
    if (message->call_count > 0)
        json_object_object_add(object, "tool_calls", calls_of(message, target));
    add_reasoning(object, message, target);
    add_details(object, message, target);
    if (message->role == COMPLETION_TOOL)
        add_id(object, "tool_call_id", message->call_id, target);
    return object;
}

static void add_messages(json_object *body, const struct completion_request *request, const struct wire_target *target)
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
        json_object_array_add(messages, message_object(&request->messages[i], target));
}

/* "required" has another name at Mistral and Fireworks, and none at Moonshot. */
static void add_choice(json_object *body, const char *choice, const struct wire_target *target)
{
    if (choice == NULL)
        return;
    if (strcmp(choice, "required") == 0) {
        if (!is_moonshot(target))
            wire_add(body, "tool_choice", is_mistral(target) || is_from(target, "fireworks_ai") ? "any" : choice);
        return;
    }
    if (strcmp(choice, "none") == 0) {
        wire_add(body, "tool_choice", choice);
        return;
    }
    json_object *one = json_object_new_object(), *function = json_object_new_object();
    wire_add(one, "type", "function");
    wire_add(function, "name", choice);
    json_object_object_add(one, "function", function);
    json_object_object_add(body, "tool_choice", one);
}

static void add_tools(json_object *body, const struct completion_request *request, const struct wire_target *target)
{
    if (request->tool_count == 0)
        return;
    json_object *tools = json_object_new_array();
    for (size_t i = 0; i < request->tool_count; i++) {
        json_object *tool = json_object_new_object(), *function = json_object_new_object();
        wire_add(tool, "type", "function");
        wire_add(function, "name", request->tools[i].name);
        if (request->tools[i].description[0] != '\0')
            wire_add(function, "description", request->tools[i].description);
        json_object_object_add(function, "parameters", wire_json(request->tools[i].schema));
        json_object_object_add(tool, "function", function);
        json_object_array_add(tools, tool);
    }
    json_object_object_add(body, "tools", tools);
    add_choice(body, request->tool_choice, target);
}

static void add_format(json_object *body, const struct completion_request *request)
{
    if (request->format == COMPLETION_ANY)
        return;
    json_object *format = json_object_new_object();
    wire_add(format, "type", request->format == COMPLETION_JSON ? "json_object" : "json_schema");
    if (request->format == COMPLETION_SCHEMA) {
        json_object *schema = json_object_new_object();
        wire_add(schema, "name", "answer");
        json_object_object_add(schema, "schema", wire_json(request->schema));
        json_object_object_add(format, "json_schema", schema);
    }
    json_object_object_add(body, "response_format", format);
}

/* OpenAI's models that think count that into a limit of another name: there must be room for both, or nothing is left for the answer. */
static void add_limit(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    bool thinks = thinks_at_openai(target);
    int64_t limit = request->max_tokens + (thinks ? THINKING_ROOM : 0), most = target->facts.max_output;
    if (thinks && most > 0 && limit > most)
        limit = most;
    if (!without->max_tokens)
        json_object_object_add(body, thinks || without->max_tokens_is_old ? "max_completion_tokens" : "max_tokens", json_object_new_int64(limit));
}

static void add_stop(json_object *body, const struct completion_request *request)
{
    json_object *stop = json_object_new_array();
    for (size_t i = 0; i < request->stop_count; i++)
        json_object_array_add(stop, json_object_new_string(request->stop[i]));
    json_object_object_add(body, "stop", stop);
}

/* Models that think take no temperature at OpenAI, and no stop texts there and at xAI (OpenAI, "Reasoning models"; xAI, "Reasoning"). */
static void add_options(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    bool thinks = thinks_at_openai(target), no_stop = thinks || (target->facts.reasoning && is_from(target, "xai"));
    double temperature = is_moonshot(target) && request->temperature > 1 ? 1 : request->temperature; /* its scale ends there */
    if (!without->temperature && !target->facts.no_sampling && !thinks)
        json_object_object_add(body, "temperature", wire_number(temperature));
    add_limit(body, request, target, without);
    if (request->stop_count > 0 && !without->stop && !no_stop)
        add_stop(body, request);
    if (request->seed != COMPLETION_NO_SEED && !without->seed)
        json_object_object_add(body, is_mistral(target) ? "random_seed" : "seed", json_object_new_int64(request->seed));
    if (request->effort != NULL && !without->effort && (target->facts.reasoning || !target->facts.known))
        wire_add(body, "reasoning_effort", request->effort);
}

static bool has_images(const struct completion_request *request)
{
    for (size_t i = 0; i < request->message_count; i++)
        if (request->messages[i].image_count > 0)
            return true;
    return false;
}

static enum outcome write_body(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                               const struct wire_without *without, struct failure *failure)
{
    if (target->facts.known && !target->facts.vision && has_images(request))
        return fail(failure, OUTCOME_BAD_FIELD, "The model %s cannot look at images.", target->model);
    if (request->format == COMPLETION_SCHEMA && is_from(target, "deepseek"))
        return fail(failure, OUTCOME_BAD_FIELD, "The model %s can be held to JSON, but not to a schema.", target->model);
    json_object *body = json_object_new_object();
    wire_add(body, "model", target->model);
    add_messages(body, request, target);
    add_tools(body, request, target);
    add_format(body, request);
    add_options(body, request, target, without);
    json_object_object_add(body, "stream", json_object_new_boolean(true));
    if (!without->stream_options && !is_mistral(target)) { /* Mistral counts without being asked, and refuses what it does not know */
        json_object *options = json_object_new_object();
        json_object_object_add(options, "include_usage", json_object_new_boolean(true));
        json_object_object_add(body, "stream_options", options);
    }
    return wire_finish_body(call, body, failure);
}

static enum outcome write_openai(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                                 const struct wire_without *without, struct failure *failure)
{
    buf_add_text(&call->path, "/chat/completions");
    return write_body(call, request, target, without, failure);
}

/* Azure names the deployment in the path of its dated API, in the body of its v1 API (Azure OpenAI, "REST API reference" and "v1 API"). */
static enum outcome write_azure(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                                const struct wire_without *without, struct failure *failure)
{
    if (target->version[0] == '\0') {
        buf_add_text(&call->path, "/openai/v1/chat/completions");
    } else {
        buf_add_text(&call->path, "/openai/deployments/");
        wire_add_segment(&call->path, target->model);
        buf_add_text(&call->path, "/chat/completions?api-version=");
        wire_add_segment(&call->path, target->version);
    }
    return write_body(call, request, target, without, failure);
}

/* --- one JSON object of an answer --------------------------------------------------------------------------------- */

/* A number of zero or more, or -1. */
static double number_at(json_object *object, const char *path)
{
    object = json_at(object, path);
    if (!json_object_is_type(object, json_type_int) && !json_object_is_type(object, json_type_double))
        return -1;
    double number = json_object_get_double(object);
    return isfinite(number) && number >= 0 ? number : -1;
}

/* What the answer cost in US dollars. OpenRouter: `cost`, which with a key of one's own at the provider behind it ("BYOK") is the fee alone ("Usage accounting");
   Perplexity: an object; xAI: in ticks ("Cost tracking"). */
static void read_cost(struct reply *reply, json_object *usage)
{
    const double ticks = 1e10; /* in a dollar */
    double cost = number_at(usage, "cost"), behind = number_at(usage, "cost_details.upstream_inference_cost");
    if (cost >= 0 && behind >= 0 && json_object_get_boolean(json_at(usage, "is_byok")))
        cost += behind;
    if (cost < 0)
        cost = number_at(usage, "cost.total_cost");
    if (cost < 0)
        cost = number_at(usage, "cost_in_usd_ticks") / ticks;
    if (cost >= 0)
        reply->result->cost = cost;
}

/* The first count there is, at one of two places. */
static int64_t count_at(json_object *usage, const char *path, const char *other, int64_t fallback)
{
    return json_count(usage, path, json_count(usage, other, fallback));
}

static void read_usage(struct reply *reply, json_object *object)
{
    static const char *const places[] = {"usage", "x_groq.usage", "choices.0.usage" /* Moonshot */};
    json_object *usage = NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places && !json_object_is_type(usage, json_type_object); i++)
        usage = json_at(object, places[i]);
    if (!json_object_is_type(usage, json_type_object))
        return;
    struct usage *known = &reply->result->usage; /* absolute values: later ones replace earlier ones */
    known->prompt_tokens = json_count(usage, "prompt_tokens", known->prompt_tokens);
    known->completion_tokens = json_count(usage, "completion_tokens", known->completion_tokens);
    known->cached_tokens = count_at(usage, "prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens" /* DeepSeek */, known->cached_tokens);
    known->cached_tokens = count_at(usage, "prompt_tokens_details.cached_tokens", "cached_tokens" /* Moonshot */, known->cached_tokens);
    known->reasoning_tokens = json_count(usage, "completion_tokens_details.reasoning_tokens", known->reasoning_tokens);
    int64_t apart = json_count(usage, "total_tokens", 0) - json_count(usage, "prompt_tokens", 0) - json_count(usage, "completion_tokens", 0);
    if (apart > 0 && apart == known->reasoning_tokens) /* xAI counts thinking apart from the answer; here it is part of it */
        known->completion_tokens += apart;
    read_cost(reply, usage);
}

/* Content as Mistral sends it: a list of parts, {"type":"text","text"} or {"type":"thinking","thinking":[{"text"}]}. */
static void read_parts(struct reply *reply, json_object *parts)
{
    for (size_t i = 0; i < json_object_array_length(parts); i++) {
        json_object *part = json_object_array_get_idx(parts, i);
        size_t len;
        const char *text = json_text(part, "text", &len);
        if (text != NULL)
            reply_text(reply, text, len);
        json_object *thinking = json_at(part, "thinking");
        if (json_object_is_type(thinking, json_type_string))
            reply_reasoning(reply, json_object_get_string(thinking), (size_t)json_object_get_string_len(thinking));
        for (size_t k = 0; json_object_is_type(thinking, json_type_array) && k < json_object_array_length(thinking); k++)
            if ((text = json_text(json_object_array_get_idx(thinking, k), "text", &len)) != NULL)
                reply_reasoning(reply, text, len);
    }
}

/* A piece of a tool call; texts that are missing are "". */
struct piece {
    const char *id, *name, *arguments;
    size_t arguments_len;
};

static struct piece piece_of(json_object *call)
{
    struct piece piece = {json_text(call, "id", NULL), json_text(call, "function.name", NULL), NULL, 0};
    json_object *object = json_at(call, "function.arguments");
    piece.arguments = json_text(call, "function.arguments", &piece.arguments_len);
    if (json_object_is_type(object, json_type_object) && (piece.arguments = json_write(object)) != NULL) /* text by rights, but not from all */
        piece.arguments_len = strlen(piece.arguments);
    if (piece.id == NULL || strcmp(piece.id, "null") == 0) /* Mistral */
        piece.id = "";
    if (piece.name == NULL)
        piece.name = "";
    if (piece.arguments == NULL)
        piece.arguments = "";
    return piece;
}

/* Whether the arguments, already whole, are said again. */
static bool is_repeated(const struct reply_call *call, const struct piece *piece)
{
    size_t len = piece->arguments_len;
    return len >= 2 && len == call->arguments.len && piece->arguments[0] == '{' && piece->arguments[len - 1] == '}' &&
           memcmp(piece->arguments, call->arguments.data, len) == 0;
}

/* Whether a piece that claims to go on with `call` begins another: it names a tool, and has another id, or, where ids are missing, another tool or arguments
   that begin anew. A new id alone says nothing: old vLLM makes one for each piece. */
static bool is_another(const struct reply_call *call, const struct piece *piece)
{
    if (piece->name[0] == '\0' || call->name == NULL)
        return false;
    if (piece->id[0] != '\0' && call->id != NULL)
        return strcmp(piece->id, call->id) != 0;
    if (strcmp(piece->name, call->name) != 0)
        return true;
    bool is_whole = call->arguments.len > 0 && call->arguments.data[call->arguments.len - 1] == '}';
    return is_whole && piece->arguments[0] == '{' && !is_repeated(call, piece);
}

/* The call that a piece goes on with, or NULL: it begins one. By `index`; without it (Mistral, Gemini's OpenAI face) by id, else it is the last one. */
static const struct reply_call *find_call(const struct reply *reply, int64_t index, const struct piece *piece)
{
    const struct reply_call *found = NULL;
    for (size_t i = 0; i < reply->call_count; i++) {
        const struct reply_call *call = &reply->calls[i];
        if (piece->id[0] != '\0' && call->id != NULL && strcmp(piece->id, call->id) == 0 && (index < 0 || call->slot < 0 || call->slot == index))
            return call;
        if (index < 0 || call->slot == index)
            found = call;
    }
    return found != NULL && !is_another(found, piece) ? found : NULL;
}

static bool has_id(const struct reply *reply, const char *id)
{
    for (size_t i = 0; i < reply->call_count; i++)
        if (reply->calls[i].id != NULL && strcmp(reply->calls[i].id, id) == 0)
            return true;
    return false;
}

static bool has_slot(const struct reply *reply, int64_t slot)
{
    for (size_t i = 0; i < reply->call_count; i++)
        if (reply->calls[i].slot == slot)
            return true;
    return false;
}

/* Pieces of calls, whole ones too. Servers that give one number to several calls send each whole, so that no piece goes on with a number taken twice. */
static void read_calls(struct reply *reply, json_object *calls)
{
    for (size_t i = 0; json_object_is_type(calls, json_type_array) && i < json_object_array_length(calls) && !reply->failed; i++) {
        json_object *object = json_object_array_get_idx(calls, i);
        struct piece piece = piece_of(object);
        int64_t index = json_count(object, "index", -1), slot = index;
        const struct reply_call *call = find_call(reply, index, &piece);
        if (call != NULL)
            slot = call->slot;
        else if (index < 0 || has_slot(reply, index))
            slot = -1 - (int64_t)reply->call_count; /* a number that no provider gives */
        if (call == NULL && has_id(reply, piece.id))
            piece.id = ""; /* two calls at once with one id could not be told apart: this one gets an id of ours */
        if (call != NULL && is_repeated(call, &piece))
            piece.arguments_len = 0;
        reply_call(reply, slot, piece.id, piece.name, piece.arguments, piece.arguments_len);
        reply_call_state(reply, slot, json_text(object, "extra_content.google.thought_signature", NULL));
    }
}

/* What an answer's reasoning_details were so far. Pieces of a text or summary are put together: OpenRouter refuses them in pieces. */
struct details {
    json_object *all;  /* whole ones */
    json_object *last; /* the one that may go on; its text is in `text` */
    const char *field; /* where that belongs: "text" or "summary" */
    struct buf text;
    size_t bytes;      /* of all, about; over LIMIT_STATE_BYTES they are given up */
};

static struct details *details_of(struct reply *reply)
{
    struct details *details = reply->state;
    if (details == NULL && (reply->state = details = mem_new(1, sizeof *details)) != NULL) {
        buf_init(&details->text, LIMIT_STATE_BYTES);
        details->all = json_object_new_array();
    }
    if (details == NULL)
        reply_give_up(reply, OUTCOME_NO_MEMORY);
    return details;
}

static void free_state(struct reply *reply)
{
    struct details *details = reply->state;
    json_object_put(details->all);
    json_object_put(details->last);
    buf_free(&details->text);
    mem_free(details);
    reply->state = NULL;
}

static void finish_detail(struct details *details)
{
    if (details->last != NULL && details->field != NULL)
        json_object_object_add(details->last, details->field, wire_text(details->text.data, details->text.len));
    if (details->last != NULL)
        json_object_array_add(details->all, details->last);
    details->last = NULL;
    details->field = NULL;
    buf_clear(&details->text);
}

/* Whether `detail` is the next piece of the last one: the same kind and the same number. */
static bool goes_on(const struct details *details, json_object *detail)
{
    json_object *index = json_at(detail, "index");
    return details->last != NULL && details->field != NULL && index != NULL && json_object_equal(index, json_at(details->last, "index")) &&
           json_object_equal(json_at(detail, "type"), json_at(details->last, "type"));
}

static void read_detail(struct details *details, json_object *detail)
{
    enum { ITEM_BYTES = 64 }; /* what one costs besides its text */
    size_t len = 0;
    const char *whole = json_write(detail), *field = json_text(detail, "summary", NULL) != NULL ? "summary" : "text";
    details->bytes += ITEM_BYTES + (whole != NULL ? strlen(whole) : 0);
    if (details->all == NULL || details->bytes > LIMIT_STATE_BYTES || !json_object_is_type(detail, json_type_object))
        return;
    if (!goes_on(details, detail)) {
        finish_detail(details);
        details->last = json_object_get(detail);
        details->field = json_text(detail, field, NULL) != NULL ? field : NULL;
    } else if (json_text(detail, "signature", NULL) != NULL) { /* comes last */
        json_object_object_add(details->last, "signature", json_object_get(json_at(detail, "signature")));
    }
    const char *text = details->field != NULL ? json_text(detail, details->field, &len) : NULL;
    if (text != NULL)
        buf_add(&details->text, text, len);
    if (buf_failed(&details->text))
        details->bytes = (size_t)LIMIT_STATE_BYTES + 1;
}

/* Keeps the list; says its texts where nothing else does (MiniMax). */
static void read_details(struct reply *reply, json_object *list, bool is_said)
{
    struct details *details = json_object_is_type(list, json_type_array) && json_object_array_length(list) > 0 ? details_of(reply) : NULL;
    for (size_t i = 0; details != NULL && i < json_object_array_length(list); i++) {
        json_object *detail = json_object_array_get_idx(list, i);
        size_t len;
        const char *text = json_text(detail, "text", &len);
        if (text == NULL)
            text = json_text(detail, "summary", &len);
        if (text != NULL && !is_said)
            reply_reasoning(reply, text, len);
        read_detail(details, detail);
    }
}

/* At the end: what was gathered becomes the answer's state, unless it is no UTF-8: it is stored, and sent again. */
static void hand_over_details(struct reply *reply)
{
    struct details *details = reply->state;
    if (details == NULL || details->bytes > LIMIT_STATE_BYTES)
        return;
    finish_detail(details);
    const char *text = json_write(details->all);
    if (text == NULL || json_object_array_length(details->all) == 0 || !utf8_valid(text, strlen(text)))
        return;
    json_object *state = json_object_new_object();
    json_object_object_add(state, "of", origin_of(reply->target));
    json_object_object_add(state, "details", json_object_get(details->all));
    reply_keep_state(reply, state);
}

/* The fields of a delta, or of a whole message, which are the same. */
static void read_delta(struct reply *reply, json_object *delta)
{
    static const char *const reasoning[] = {"reasoning_content" /* DeepSeek, Qwen, xAI … */, "reasoning" /* Groq, OpenRouter, Ollama … */};
    size_t len;
    const char *text;
    bool is_said = false;
    for (size_t i = 0; i < 2 && !is_said; i++)
        if ((text = json_text(delta, reasoning[i], &len)) != NULL && len > 0) {
            reply_reasoning(reply, text, len);
            is_said = true;
        }
    read_details(reply, json_at(delta, "reasoning_details"), is_said);
    read_calls(reply, json_at(delta, "tool_calls"));
    json_object *content = json_at(delta, "content");
    if (json_object_is_type(content, json_type_array))
        read_parts(reply, content);
    else if ((text = json_text(delta, "content", &len)) != NULL)
        reply_text(reply, text, len);
    if ((text = json_text(delta, "refusal", &len)) != NULL) /* shown as the answer */
        reply_text(reply, text, len);
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

static void end_answer(struct reply *reply)
{
    hand_over_details(reply);
    reply->ended = true;
}

/* Finish reasons of others, in OpenAI's words; NULL: it is a failure. */
static const struct {
    const char *from, *to;
} finishes[] = {
    {"error", NULL}, /* OpenRouter */
    {"insufficient_system_resource", NULL}, /* DeepSeek */
    {"network_error", NULL}, /* Zhipu */
    {"abort", NULL}, /* vLLM */
    {"model_length", "length"}, /* Mistral */
    {"max_tokens", "length"},
    {"function_call", "tool_calls"}, /* OpenAI, before tools */
    {"tool_use", "tool_calls"},
    {"sensitive", "content_filter"}, /* Zhipu */
    {"safety", "content_filter"},
    {"eos", "stop"}, /* Together */
    {"eos_token", "stop"},
    {"end_turn", "stop"},
    {"stop_sequence", "stop"},
};

static void read_finish(struct reply *reply, const char *finish)
{
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++)
        if (strcasecmp(finish, finishes[i].from) == 0) {
            if (finishes[i].to == NULL) {
                reply_finish(reply, finish);
                reply_give_up(reply, OUTCOME_PROVIDER_ERROR);
                return;
            }
            finish = finishes[i].to;
            break;
        }
    if (strcasecmp(finish, "stop") == 0) /* also said after calls, by Ollama, Gemini's face, and OpenAI itself where the tool was chosen for it */
        finish = reply->call_count > 0 ? "tool_calls" : "stop";
    reply_finish(reply, finish);
    if (!reply->failed)
        end_answer(reply);
}

static void read_object(struct reply *reply, json_object *object)
{
    if (provider_error_is_one(object)) {
        reply_error(reply, object, 0);
        return;
    }
    read_usage(reply, object);
    reply_model(reply, json_text(object, "model", NULL));
    json_object *choice = first_choice(object);
    if (choice == NULL || reply->ended)
        return;
    json_object *delta = json_at(choice, "delta");
    read_delta(reply, delta != NULL ? delta : json_at(choice, "message"));
    const char *finish = json_text(choice, "finish_reason", NULL);
    if (finish != NULL && *finish != '\0')
        read_finish(reply, finish);
}

/* A whole answer is complete with its last bracket, also without a finish reason. */
static void read_whole(struct reply *reply, json_object *object)
{
    read_object(reply, object);
    if (!reply->failed && !reply->ended && json_at(first_choice(object), "message") != NULL)
        end_answer(reply);
}

/* --- a stream ----------------------------------------------------------------------------------------------------- */

static bool take_event(void *arg, const char *name, const char *data, size_t len)
{
    struct reply *reply = arg;
    while (len > 0 && isspace((unsigned char)*data)) {
        data++;
        len--;
    }
    if (len >= 6 && strncmp(data, "[DONE]", 6) == 0) {
        reply_end_text(reply);
        reply->all_said = true;
        if (!reply->ended && reply->result->begun) /* some have no other mark; after nothing at all (LM Studio, too long a prompt) it is none */
            end_answer(reply);
        return !reply->failed;
    }
    if (len == 0 || reply->all_said)
        return true;
    bool ordinary = name[0] == '\0' && reply->result->model[0] != '\0' && !reply->ended;
    if (ordinary && chunk_scan(data, len, &reply->text)) {
        if (buf_failed(&reply->text))
            reply_give_up(reply, OUTCOME_NO_MEMORY);
        reply_text(reply, reply->text.data, reply->text.len);
        buf_clear(&reply->text);
        return !reply->failed;
    }
    json_object *object = reply_parse(reply, data, len);
    if (object != NULL && strcmp(name, "error") == 0)
        reply_error(reply, object, 0);
    else if (object != NULL)
        read_object(reply, object);
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

const struct wire wire_openai = {.name = "openai", .write = write_openai, .feed = feed, .end = end, .free_state = free_state};
const struct wire wire_azure = {.name = "azure", .write = write_azure, .feed = feed, .end = end, .free_state = free_state};
