/*
 * The Google Gemini wire: streamGenerateContent of the Gemini API and, with the same bodies, of Vertex AI.
 *
 * Source: Google's Gemini API reference, "Generating content", "Function calling", "Thinking", "Thought signatures", "Structured output". Neighbours: reply.h, sse_parser.h.
 * Leaves out: files by URI, safety settings, Google's own tools (search, code), images that a model draws, calls whose arguments come in pieces (only on request).
 */
#include <ctype.h>
#include <string.h>

#include "../base/json.h"
#include "../base/utf8.h"
#include "reply.h"

/* --- the model ---------------------------------------------------------------------------------------------------- */

/* The generation in a model's name: 2.5 of "gemini-2.5-pro"; for names without a number ("gemini-flash-latest") one that is newer than all; 0: it is no Gemini. */
static double generation_of(const char *model)
{
    const double newest = 1000;
    if (strncmp(model, "gemini-", 7) != 0)
        return 0;
    model += 7;
    if (!isdigit((unsigned char)*model))
        return newest;
    double generation = *model - '0';
    if (isdigit((unsigned char)model[1]))
        return newest;
    if (model[1] == '.' && isdigit((unsigned char)model[2]))
        generation += (model[2] - '0') / 10.0;
    return generation;
}

/* Models are also written with the path of their list before the name. */
static const char *name_of(const struct wire_target *target)
{
    return strncmp(target->model, "models/", 7) == 0 ? target->model + 7 : target->model;
}

static bool can_think(const struct wire_target *target)
{
    return target->facts.known ? target->facts.reasoning : generation_of(name_of(target)) > 2.4;
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* A new object, put into `parent` under `name`. */
static json_object *add_object(json_object *parent, const char *name)
{
    json_object *object = json_object_new_object();
    json_object_object_add(parent, name, object);
    return object;
}

static json_object *text_part(const char *text, size_t len)
{
    json_object *part = json_object_new_object();
    json_object_object_add(part, "text", wire_text(text, len));
    return part;
}

static json_object *image_part(const struct completion_image *image)
{
    json_object *part = json_object_new_object(), *data = add_object(part, "inlineData");
    wire_add(data, "mimeType", image->media_type);
    json_object_object_add(data, "data", wire_text(image->base64, image->base64_len));
    return part;
}

/* The API of Vertex AI knows no ids of calls: there calls and results are matched by name and order. */
static bool has_ids(const struct wire_target *target)
{
    return strcmp(target->provider, "vertex_ai") != 0;
}

/* A model of generation 3 or later refuses a history whose calls lack their signature; of several at once only the first has one ("Thought signatures"). For one that is lost,
   because another provider made the call, Google names a stand-in. */
static void add_signature(json_object *part, const struct completion_message *message, size_t number, const struct wire_target *target)
{
    const char *state = message->calls[number].state;
    bool is_ours = message->state_wire == NULL || strcmp(message->state_wire, "gemini") == 0;
    if (state != NULL && is_ours)
        wire_add(part, "thoughtSignature", state);
    else if (number == 0 && generation_of(name_of(target)) >= 3)
        wire_add(part, "thoughtSignature", "skip_thought_signature_validator");
}

static json_object *call_part(const struct completion_message *message, size_t number, const struct wire_target *target)
{
    json_object *part = json_object_new_object(), *call = add_object(part, "functionCall");
    if (has_ids(target))
        wire_add(call, "id", message->calls[number].id);
    wire_add(call, "name", message->calls[number].name);
    json_object_object_add(call, "args", wire_json(message->calls[number].arguments));
    add_signature(part, message, number, target);
    return part;
}

/* A result must be an object: the text is wrapped into one. */
static json_object *result_part(const struct completion_message *message, const struct wire_target *target)
{
    json_object *part = json_object_new_object(), *result = add_object(part, "functionResponse");
    if (has_ids(target) && message->call_id != NULL)
        wire_add(result, "id", message->call_id);
    wire_add(result, "name", message->call_name != NULL ? message->call_name : "");
    json_object *response = add_object(result, "response");
    json_object_object_add(response, message->is_error ? "error" : "result", wire_text(message->content, message->content_len));
    return part;
}

/* The signature that came with the text of an answer: wanted back, though not insisted on. */
static void add_text_signature(json_object *part, const struct completion_message *message)
{
    if (message->state == NULL || message->state_wire == NULL || strcmp(message->state_wire, "gemini") != 0)
        return;
    json_object *state = wire_json(message->state);
    const char *signature = json_text(state, "thoughtSignature", NULL);
    if (signature != NULL)
        wire_add(part, "thoughtSignature", signature);
    json_object_put(state);
}

static void add_parts(json_object *parts, const struct completion_message *message, const struct wire_target *target)
{
    if (message->role == COMPLETION_TOOL) {
        json_object_array_add(parts, result_part(message, target));
        return;
    }
    if (message->content_len > 0) {
        json_object *part = text_part(message->content, message->content_len);
        add_text_signature(part, message);
        json_object_array_add(parts, part);
    }
    for (size_t i = 0; i < message->image_count; i++)
        json_object_array_add(parts, image_part(&message->images[i]));
    for (size_t i = 0; i < message->call_count; i++)
        json_object_array_add(parts, call_part(message, i, target));
}

/* The results of calls that were made at once belong into one content. A message without parts is refused, so it is left out. */
static void add_contents(json_object *body, const struct completion_request *request, const struct wire_target *target)
{
    json_object *contents = json_object_new_array();
    json_object_object_add(body, "contents", contents);
    for (size_t i = 0; i < request->message_count; i++) {
        const struct completion_message *message = &request->messages[i];
        json_object *parts = json_object_new_array();
        bool is_tool = message->role == COMPLETION_TOOL;
        add_parts(parts, message, target);
        while (is_tool && i + 1 < request->message_count && request->messages[i + 1].role == COMPLETION_TOOL)
            add_parts(parts, &request->messages[++i], target);
        if (parts != NULL && json_object_array_length(parts) == 0) {
            json_object_put(parts);
            continue;
        }
        json_object *content = json_object_new_object();
        wire_add(content, "role", message->role == COMPLETION_ASSISTANT ? "model" : "user");
        json_object_object_add(content, "parts", parts);
        json_object_array_add(contents, content);
    }
}

static void add_system(json_object *body, const struct completion_request *request)
{
    if (request->system == NULL || request->system[0] == '\0')
        return;
    json_object *system = add_object(body, "systemInstruction"), *parts = json_object_new_array();
    json_object_object_add(system, "parts", parts);
    json_object_array_add(parts, text_part(request->system, strlen(request->system)));
}

/* --- what else is asked ------------------------------------------------------------------------------------------- */

/* A schema for the fields that take JSON Schema itself; `parameters` and `responseSchema` take only a part of it. The dialect's name has no place there. */
static json_object *schema_of(const char *text)
{
    json_object *schema = wire_json(text);
    if (schema != NULL)
        json_object_object_del(schema, "$schema");
    return schema;
}

static void add_tool_choice(json_object *body, const char *choice)
{
    if (choice == NULL)
        return;
    json_object *config = add_object(add_object(body, "toolConfig"), "functionCallingConfig");
    bool is_none = strcmp(choice, "none") == 0;
    wire_add(config, "mode", is_none ? "NONE" : "ANY");
    if (is_none || strcmp(choice, "required") == 0)
        return;
    json_object *names = json_object_new_array();
    json_object_array_add(names, json_object_new_string(choice));
    json_object_object_add(config, "allowedFunctionNames", names);
}

static void add_tools(json_object *body, const struct completion_request *request)
{
    if (request->tool_count == 0)
        return;
    json_object *tools = json_object_new_array(), *tool = json_object_new_object(), *functions = json_object_new_array();
    for (size_t i = 0; i < request->tool_count; i++) {
        json_object *function = json_object_new_object(), *schema = schema_of(request->tools[i].schema);
        wire_add(function, "name", request->tools[i].name);
        wire_add(function, "description", request->tools[i].description);
        if (schema != NULL && json_object_object_length(schema) > 0)
            json_object_object_add(function, "parametersJsonSchema", schema);
        else
            json_object_put(schema); /* no arguments */
        json_object_array_add(functions, function);
    }
    json_object_object_add(tool, "functionDeclarations", functions);
    json_object_array_add(tools, tool);
    json_object_object_add(body, "tools", tools);
    add_tool_choice(body, request->tool_choice);
}

/* Generation 2.5: thinking is bounded in tokens. They count into the limit of the answer, of which at least half is left for text. "pro" cannot do without: 128 is its least;
   "flash-lite" takes none or 512 and more ("Thinking", thinking budgets). */
static void add_budget(json_object *thinking, const struct completion_request *request, const char *model)
{
    enum { NONE_OF_PRO = 128, LEAST = 512, LOW = 1024, MEDIUM = 8192, HIGH = 24576 };
    const char *effort = request->effort;
    int64_t budget = strcmp(effort, "low") == 0 ? LOW : strcmp(effort, "high") == 0 ? HIGH : MEDIUM;
    if (budget > request->max_tokens / 2)
        budget = request->max_tokens / 2 > LEAST ? request->max_tokens / 2 : LEAST;
    if (strcmp(effort, "none") == 0)
        budget = strstr(model, "-pro") != NULL ? NONE_OF_PRO : 0;
    json_object_object_add(thinking, "thinkingBudget", json_object_new_int64(budget));
    if (budget == 0)
        json_object_object_del(thinking, "includeThoughts"); /* refused when there are none */
}

/* Generation 3 and later: thinking has levels, and cannot be turned off; "pro" lacks the lowest. */
static void add_level(json_object *thinking, const char *effort, const char *model)
{
    bool is_pro = strstr(model, "-pro") != NULL;
    if (strcmp(effort, "none") == 0)
        wire_add(thinking, "thinkingLevel", is_pro ? "LOW" : "MINIMAL");
    else
        wire_add(thinking, "thinkingLevel", strcmp(effort, "low") == 0 ? "LOW" : strcmp(effort, "high") == 0 ? "HIGH" : "MEDIUM");
}

static void add_thinking(json_object *config, const struct completion_request *request, const struct wire_target *target)
{
    const char *model = name_of(target);
    json_object *thinking = add_object(config, "thinkingConfig");
    json_object_object_add(thinking, "includeThoughts", json_object_new_boolean(true));
    if (request->effort == NULL)
        return;
    double generation = generation_of(model);
    if (generation > 0 && generation < 3)
        add_budget(thinking, request, model);
    else
        add_level(thinking, request->effort, model);
}

static void add_config(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    json_object *config = add_object(body, "generationConfig");
    if (!without->temperature && !target->facts.no_sampling)
        json_object_object_add(config, "temperature", wire_number(request->temperature));
    if (!without->max_tokens)
        json_object_object_add(config, "maxOutputTokens", json_object_new_int64(request->max_tokens));
    if (request->stop_count > 0 && !without->stop) {
        json_object *stop = json_object_new_array();
        for (size_t i = 0; i < request->stop_count; i++)
            json_object_array_add(stop, json_object_new_string(request->stop[i]));
        json_object_object_add(config, "stopSequences", stop);
    }
    if (request->seed >= INT32_MIN && request->seed <= INT32_MAX && !without->seed) /* the field has 32 bits; COMPLETION_NO_SEED is outside of them */
        json_object_object_add(config, "seed", json_object_new_int64(request->seed));
    if (request->format != COMPLETION_ANY)
        wire_add(config, "responseMimeType", "application/json");
    if (request->format == COMPLETION_SCHEMA)
        json_object_object_add(config, "responseJsonSchema", schema_of(request->schema));
    if (can_think(target) && !without->effort)
        add_thinking(config, request, target);
}

static enum outcome check_images(const struct completion_request *request, const struct wire_target *target, struct failure *failure)
{
    for (size_t i = 0; i < request->message_count; i++) {
        const struct completion_message *message = &request->messages[i];
        if (message->image_count > 0 && target->facts.known && !target->facts.vision)
            return fail(failure, OUTCOME_BAD_FIELD, "The model %s cannot look at images.", target->model);
        for (size_t k = 0; k < message->image_count; k++)
            if (strcmp(message->images[k].media_type, "image/gif") == 0)
                return fail(failure, OUTCOME_BAD_FIELD, "The model %s takes no GIF images, only PNG, JPEG and WebP.", target->model);
    }
    return OUTCOME_OK;
}

static enum outcome write_request(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                                  const struct wire_without *without, struct failure *failure)
{
    enum outcome outcome = check_images(request, target, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    buf_add_text(&call->path, "/models/");
    wire_add_segment(&call->path, name_of(target));
    buf_add_text(&call->path, ":streamGenerateContent?alt=sse");
    json_object *body = json_object_new_object();
    add_system(body, request);
    add_contents(body, request, target);
    add_tools(body, request);
    add_config(body, request, target, without);
    return wire_finish_body(call, body, failure);
}

/* --- one JSON object of an answer --------------------------------------------------------------------------------- */

/* Counts are repeated with every event, and are of all so far. Those of thinking stand beside those of the answer, not within. */
static void read_usage(struct reply *reply, json_object *object)
{
    json_object *counts = json_at(object, "usageMetadata");
    struct usage *known = &reply->result->usage;
    known->prompt_tokens = json_count(counts, "promptTokenCount", known->prompt_tokens);
    known->cached_tokens = json_count(counts, "cachedContentTokenCount", known->cached_tokens);
    known->reasoning_tokens = json_count(counts, "thoughtsTokenCount", known->reasoning_tokens);
    int64_t text = json_count(counts, "candidatesTokenCount", -1);
    bool has_thoughts = json_count(counts, "thoughtsTokenCount", -1) >= 0;
    if (text >= 0 || has_thoughts)
        known->completion_tokens = (text > 0 ? text : 0) + (known->reasoning_tokens > 0 ? known->reasoning_tokens : 0);
}

/* A call comes whole, its arguments as an object. */
static void read_call(struct reply *reply, json_object *part)
{
    int64_t slot = (int64_t)reply->call_count;
    json_object *args = json_at(part, "functionCall.args");
    const char *arguments = json_object_is_type(args, json_type_object) ? json_write(args) : NULL;
    reply_call(reply, slot, json_text(part, "functionCall.id", NULL), json_text(part, "functionCall.name", NULL), arguments, arguments != NULL ? strlen(arguments) : 0);
    const char *signature = json_text(part, "thoughtSignature", NULL);
    if (signature != NULL && !reply->failed)
        reply_call_state(reply, slot, signature);
}

static void read_text(struct reply *reply, json_object *part)
{
    size_t len;
    const char *text = json_text(part, "text", &len), *signature = json_text(part, "thoughtSignature", NULL);
    bool is_thought = json_object_get_boolean(json_at(part, "thought"));
    if (text != NULL && is_thought)
        reply_reasoning(reply, text, len);
    else if (text != NULL)
        reply_text(reply, text, len);
    if (signature == NULL || *signature == '\0' || is_thought || !utf8_valid(signature, strlen(signature)))
        return;
    json_object *state = json_object_new_object();
    wire_add(state, "thoughtSignature", signature);
    reply_keep_state(reply, state);
}

static void read_parts(struct reply *reply, json_object *parts)
{
    for (size_t i = 0; json_object_is_type(parts, json_type_array) && i < json_object_array_length(parts) && !reply->failed; i++) {
        json_object *part = json_object_array_get_idx(parts, i);
        if (json_object_is_type(json_at(part, "functionCall"), json_type_object))
            read_call(reply, part);
        else
            read_text(reply, part);
    }
}

/* Google has no reason of its own for tool calls. */
static const char *finish_of(const struct reply *reply, const char *reason)
{
    static const char *const filtered[] = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
                                           "IMAGE_RECITATION"};
    if (strcmp(reason, "STOP") == 0)
        return reply->call_count > 0 ? "tool_calls" : "stop";
    if (strcmp(reason, "MAX_TOKENS") == 0)
        return "length";
    for (size_t i = 0; i < sizeof filtered / sizeof filtered[0]; i++)
        if (strcmp(reason, filtered[i]) == 0)
            return "content_filter";
    return reason;
}

/* The candidate with index 0, or without one; nobody asks for others. */
static json_object *first_candidate(json_object *object)
{
    json_object *candidates = json_at(object, "candidates");
    for (size_t i = 0; json_object_is_type(candidates, json_type_array) && i < json_object_array_length(candidates); i++) {
        json_object *candidate = json_object_array_get_idx(candidates, i);
        if (json_count(candidate, "index", 0) == 0)
            return candidate;
    }
    return NULL;
}

/* Older models say STOP with every event, so what follows the terminal mark is read too. */
static void read_object(struct reply *reply, json_object *object)
{
    if (provider_error_is_one(object)) {
        if (!reply->ended)
            reply_error(reply, object, 0);
        return;
    }
    read_usage(reply, object);
    reply_model(reply, json_text(object, "modelVersion", NULL));
    json_object *candidate = first_candidate(object);
    read_parts(reply, json_at(candidate, "content.parts"));
    const char *reason = json_text(candidate, "finishReason", NULL), *block = json_text(object, "promptFeedback.blockReason", NULL);
    if (reply->failed)
        return;
    if (reason != NULL && *reason != '\0' && strcmp(reason, "FINISH_REASON_UNSPECIFIED") != 0) {
        reply_finish(reply, finish_of(reply, reason));
        reply->ended = true;
    } else if (candidate == NULL && block != NULL && *block != '\0' && !reply->ended) {
        reply_finish(reply, "content_filter");
        reply->error.outcome = OUTCOME_REFUSED; /* the prompt was not let through: there is no answer */
        reply_give_up(reply, OUTCOME_REFUSED);
    }
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */

static bool take_event(void *arg, const char *name, const char *data, size_t len)
{
    (void)name; /* events have none */
    struct reply *reply = arg;
    if (len == 0 || reply->all_said)
        return true;
    json_object *object = reply->ended ? json_read_loose(data, len) : reply_parse(reply, data, len);
    if (object != NULL)
        read_object(reply, object);
    json_object_put(object);
    return !reply->failed;
}

/* Where a line begins with JSON and not with a field of an event; `len`: nowhere. */
static size_t find_bare(const struct reply *reply, const char *bytes, size_t len)
{
    bool begins = reply->sse.line.len == 0;
    for (size_t i = 0; i < len; i++) {
        if (begins && (bytes[i] == '{' || bytes[i] == '['))
            return i;
        begins = bytes[i] == '\n' || bytes[i] == '\r';
    }
    return len;
}

/* An error in the middle of a stream comes as bare JSON over several lines, without "data:". From there on the body is gathered, and read at its end. */
static bool feed(struct reply *reply, const char *bytes, size_t len)
{
    if (reply->all_said)
        return true;
    if (reply->form == REPLY_WHOLE)
        return reply_feed_sse(reply, bytes, len, take_event);
    size_t n = find_bare(reply, bytes, len);
    if (!reply_feed_sse(reply, bytes, n, take_event))
        return false;
    if (n == len)
        return true;
    reply->at_end = true; /* the last event may be cut */
    (void)sse_parser_end(&reply->sse, take_event, reply);
    if (reply->failed)
        return false;
    if (reply->ended) { /* no part of the answer any more */
        reply_end_text(reply);
        reply->all_said = true;
        return !reply->failed;
    }
    reply->form = REPLY_WHOLE;
    return reply_feed_sse(reply, bytes + n, len - n, take_event);
}

/* A whole answer, or a stream that was written as an array because alt=sse got lost. Errors can be wrapped so, too. */
static void read_whole(struct reply *reply, json_object *object)
{
    if (!json_object_is_type(object, json_type_array)) {
        read_object(reply, object);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(object) && !reply->failed; i++)
        read_object(reply, json_object_array_get_idx(object, i));
}

static void end(struct reply *reply)
{
    reply_end_sse(reply, take_event, read_whole);
}

const struct wire wire_gemini = {.name = "gemini", .write = write_request, .feed = feed, .end = end};
