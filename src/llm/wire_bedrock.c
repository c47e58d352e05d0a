/*
 * The wire of AWS Bedrock: the operation ConverseStream, which speaks to every chat model there in one format; the answer of Converse, its whole form, is read too.
 *
 * Source: Amazon Bedrock API reference, "ConverseStream" and the types named there; what the page is silent about was recorded from the service and is noted beside it.
 * Neighbours: event_stream.h (how an answer is framed), sigv4.h (how a request is signed), reply.h. Leaves out: documents, caching, guardrails, tools that run at Amazon.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/utf8.h"
#include "event_stream.h"
#include "reply.h"

enum {
    CALL_ID_BYTES = 64,         /* most of a toolUseId (ToolUseBlock) */
    LEAST_THINKING_TOKENS = 1024, /* smallest budget that Claude takes */
    STATE_BLOCK_BYTES = 64      /* what a block of reasoning costs in the state besides its text */
};

/* {name: member}, the shape of all unions of this API. A new reference; takes the one of `member`. */
static json_object *wrap(const char *name, json_object *member)
{
    json_object *object = json_object_new_object();
    json_object_object_add(object, name, member);
    return object;
}

/* The length of an array; 0 for anything else, and for NULL, which json-c does not take. */
static size_t count_of(json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool is_named(const struct wire_target *target, const char *part)
{
    return strcasestr(target->model, part) != NULL;
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* Adds a block of text. Texts of white space alone are refused ("The text field … is blank"): `instead` stands for them, NULL: nothing does. */
static void add_text(json_object *blocks, const char *text, size_t len, const char *instead)
{
    size_t i = 0;
    while (i < len && isspace((unsigned char)text[i]))
        i++;
    if (i < len)
        json_object_array_add(blocks, wrap("text", wire_text(text, len)));
    else if (instead != NULL)
        json_object_array_add(blocks, wrap("text", json_object_new_string(instead)));
}

/* ImageBlock: the format is the second half of the media type. */
static void add_image(json_object *blocks, const struct completion_image *image)
{
    const char *slash = strchr(image->media_type, '/');
    json_object *object = json_object_new_object();
    wire_add(object, "format", slash != NULL ? slash + 1 : image->media_type);
    json_object_object_add(object, "source", wrap("bytes", wire_text(image->base64, image->base64_len)));
    json_object_array_add(blocks, wrap("image", object));
}

/* Ids of calls that another provider named may hold what is refused here (ToolUseBlock: letters, digits, _ and -). Of a long one the end is kept, which differs. */
static void add_call_id(json_object *object, const char *id)
{
    char text[CALL_ID_BYTES + 1];
    size_t len = strlen(id);
    (void)snprintf(text, sizeof text, "%s", len > CALL_ID_BYTES ? id + len - CALL_ID_BYTES : len > 0 ? id : "_");
    for (char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            *c = '_';
    wire_add(object, "toolUseId", text);
}

static void add_calls(json_object *blocks, const struct completion_message *message)
{
    for (size_t i = 0; i < message->call_count; i++) {
        json_object *call = json_object_new_object();
        add_call_id(call, message->calls[i].id);
        wire_add(call, "name", message->calls[i].name);
        json_object_object_add(call, "input", wire_json(message->calls[i].arguments));
        json_object_array_add(blocks, wrap("toolUse", call));
    }
}

/* ToolResultBlock: only Claude and Nova take `status`, whose default is success. */
static void add_result(json_object *blocks, const struct completion_message *message, const struct wire_target *target)
{
    json_object *result = json_object_new_object(), *content = json_object_new_array();
    add_call_id(result, message->call_id);
    add_text(content, message->content, message->content_len, "(empty)");
    json_object_object_add(result, "content", content);
    if (message->is_error && (is_named(target, "anthropic") || is_named(target, "nova")))
        wire_add(result, "status", "error");
    json_object_array_add(blocks, wrap("toolResult", result));
}

/* The blocks of reasoning in a message's state: signed for the model that gave them, so that no other gets them. A new reference, or NULL. */
static json_object *reasoning_of(const struct completion_message *message, const struct wire_target *target)
{
    if (message->state == NULL || message->state_wire == NULL || strcmp(message->state_wire, "bedrock") != 0)
        return NULL;
    json_object *state = wire_json(message->state), *blocks = json_at(state, "blocks");
    const char *model = json_text(state, "model", NULL);
    bool fits = model != NULL && strcmp(model, target->model) == 0 && count_of(blocks) > 0;
    blocks = fits ? json_object_get(blocks) : NULL;
    json_object_put(state);
    return blocks;
}

/* Reasoning comes first; alone it is refused ("does not support assistant message prefill"), so that an answer that never came to its text is left out. */
static void add_answer(json_object *blocks, const struct completion_message *message, const struct wire_target *target)
{
    json_object *said = json_object_new_array();
    add_text(said, message->content, message->content_len, NULL);
    add_calls(said, message);
    json_object *reasoning = count_of(said) > 0 ? reasoning_of(message, target) : NULL;
    for (size_t i = 0; i < count_of(reasoning); i++)
        json_object_array_add(blocks, json_object_get(json_object_array_get_idx(reasoning, i)));
    for (size_t i = 0; i < count_of(said); i++)
        json_object_array_add(blocks, json_object_get(json_object_array_get_idx(said, i)));
    json_object_put(reasoning);
    json_object_put(said);
}

static void add_question(json_object *blocks, const struct completion_message *message)
{
    add_text(blocks, message->content, message->content_len, message->image_count == 0 ? "(empty)" : NULL);
    for (size_t i = 0; i < message->image_count; i++)
        add_image(blocks, &message->images[i]);
}

/* Roles must alternate, and all results of one answer's calls must stand in one message of the user: neighbours of one role become one message. */
static void add_messages(json_object *body, const struct completion_request *request, const struct wire_target *target)
{
    json_object *messages = json_object_new_array(), *blocks = NULL;
    const char *last_role = "";
    json_object_object_add(body, "messages", messages);
    for (size_t i = 0; i < request->message_count; i++) {
        const struct completion_message *message = &request->messages[i];
        const char *role = message->role == COMPLETION_ASSISTANT ? "assistant" : "user";
        json_object *more = json_object_new_array();
        if (message->role == COMPLETION_TOOL)
            add_result(more, message, target);
        else if (message->role == COMPLETION_ASSISTANT)
            add_answer(more, message, target);
        else
            add_question(more, message);
        if (count_of(more) > 0 && strcmp(role, last_role) != 0) {
            json_object *object = json_object_new_object();
            wire_add(object, "role", role);
            json_object_object_add(object, "content", blocks = json_object_new_array());
            json_object_array_add(messages, object);
            last_role = role;
        }
        for (size_t k = 0; k < count_of(more); k++)
            json_object_array_add(blocks, json_object_get(json_object_array_get_idx(more, k)));
        json_object_put(more);
    }
}

/* --- tools -------------------------------------------------------------------------------------------------------- */

/* ToolSpecification: a description must not be empty, a schema must be that of an object. Takes the reference of `schema`. */
static json_object *tool_object(const char *name, const char *description, json_object *schema)
{
    json_object *tool = json_object_new_object();
    wire_add(tool, "name", name);
    if (description != NULL && description[0] != '\0')
        wire_add(tool, "description", description);
    if (json_at(schema, "type") == NULL)
        wire_add(schema, "type", "object");
    json_object_object_add(tool, "inputSchema", wrap("json", schema));
    return wrap("toolSpec", tool);
}

static bool has_tool(json_object *tools, const char *name)
{
    for (size_t i = 0; i < count_of(tools); i++) {
        const char *known = json_text(json_object_array_get_idx(tools, i), "toolSpec.name", NULL);
        if (known != NULL && strcmp(known, name) == 0)
            return true;
    }
    return false;
}

/* A request whose messages hold calls must define tools, also when none is offered any more: each name that was called is defined. */
static void add_called_tools(json_object *tools, const struct completion_request *request)
{
    for (size_t i = 0; i < request->message_count; i++)
        for (size_t k = 0; k < request->messages[i].call_count; k++)
            if (!has_tool(tools, request->messages[i].calls[k].name))
                json_object_array_add(tools, tool_object(request->messages[i].calls[k].name, NULL, json_object_new_object()));
}

static bool is_forced(const char *choice)
{
    return choice != NULL && strcmp(choice, "none") != 0;
}

/* ToolConfiguration. There is no choice "none": tools are not offered then, unless the messages need them. */
static void add_tools(json_object *body, const struct completion_request *request)
{
    json_object *tools = json_object_new_array();
    const char *choice = request->tool_choice;
    bool offered = choice == NULL || is_forced(choice);
    for (size_t i = 0; offered && i < request->tool_count; i++)
        json_object_array_add(tools, tool_object(request->tools[i].name, request->tools[i].description, wire_json(request->tools[i].schema)));
    if (count_of(tools) == 0)
        add_called_tools(tools, request);
    if (count_of(tools) == 0) {
        json_object_put(tools);
        return;
    }
    json_object *config = wrap("tools", tools);
    if (request->tool_count > 0 && is_forced(choice) && strcmp(choice, "required") == 0)
        json_object_object_add(config, "toolChoice", wrap("any", json_object_new_object()));
    else if (request->tool_count > 0 && is_forced(choice))
        json_object_object_add(config, "toolChoice", wrap("tool", wrap("name", json_object_new_string(choice))));
    json_object_object_add(body, "toolConfig", config);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

/* Claude wants the thinking back that came before calls whose results it is now sent; without it, it must not be told to think ("Expected `thinking` … but found
   `tool_use`"). */
static bool lacks_thinking(const struct completion_request *request, const struct wire_target *target)
{
    size_t i = request->message_count;
    while (i > 0 && request->messages[i - 1].role == COMPLETION_TOOL)
        i--;
    if (i == request->message_count || i == 0)
        return false;
    json_object *reasoning = reasoning_of(&request->messages[i - 1], target);
    json_object_put(reasoning);
    return reasoning == NULL;
}

static int64_t max_tokens_of(const struct completion_request *request, const struct wire_target *target)
{
    int64_t most = target->facts.max_output;
    return most > 0 && most < request->max_tokens ? most : request->max_tokens;
}

/* How much a model is to think, in the words of its maker (AWS user guide, "Extended thinking", "Adaptive thinking", "OpenAI models"); a new reference, or NULL: for this
   model or with these options there are none, and it thinks as it likes. */
static json_object *effort_fields(const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    const char *effort = request->effort;
    if (effort == NULL || strcmp(effort, "none") == 0 || without->effort || (target->facts.known && !target->facts.reasoning))
        return NULL;
    if (is_named(target, "openai.gpt-oss"))
        return wrap("reasoning_effort", json_object_new_string(effort));
    if (is_named(target, "openai."))
        return wrap("reasoning", wrap("effort", json_object_new_string(effort)));
    if (!is_named(target, "anthropic.") || !target->facts.known || is_forced(request->tool_choice))
        return NULL;
    json_object *thinking = json_object_new_object(), *fields = wrap("thinking", thinking);
    if (target->facts.no_sampling) { /* the models that take no temperature are those that budget for themselves */
        wire_add(thinking, "type", "adaptive");
        json_object_object_add(fields, "output_config", wrap("effort", json_object_new_string(effort)));
        return fields;
    }
    int64_t budget = strcmp(effort, "low") == 0 ? 2048 : strcmp(effort, "medium") == 0 ? 8192 : 16384, most = max_tokens_of(request, target) / 2;
    wire_add(thinking, "type", "enabled");
    json_object_object_add(thinking, "budget_tokens", json_object_new_int64(budget < most ? budget : most));
    if (most >= LEAST_THINKING_TOKENS && !without->max_tokens && !lacks_thinking(request, target))
        return fields;
    json_object_put(fields);
    return NULL;
}

/* InferenceConfiguration: temperatures are 0 to 1. Claude takes none while it thinks by a budget. */
static void add_options(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    json_object *options = json_object_new_object(), *effort = effort_fields(request, target, without);
    if (!without->max_tokens)
        json_object_object_add(options, "maxTokens", json_object_new_int64(max_tokens_of(request, target)));
    if (!without->temperature && !target->facts.no_sampling && json_at(effort, "thinking") == NULL)
        json_object_object_add(options, "temperature", wire_number(request->temperature < 1 ? request->temperature : 1));
    if (request->stop_count > 0 && !without->stop) {
        json_object *stop = json_object_new_array();
        for (size_t i = 0; i < request->stop_count; i++)
            json_object_array_add(stop, json_object_new_string(request->stop[i]));
        json_object_object_add(options, "stopSequences", stop);
    }
    if (json_object_object_length(options) > 0)
        json_object_object_add(body, "inferenceConfig", options);
    else
        json_object_put(options);
    if (effort != NULL)
        json_object_object_add(body, "additionalModelRequestFields", effort);
}

/* OutputConfig: the schema is given as text. */
static void add_format(json_object *body, const struct completion_request *request)
{
    if (request->format != COMPLETION_SCHEMA)
        return;
    json_object *schema = wire_json(request->schema), *definition = json_object_new_object(), *format = json_object_new_object();
    wire_add(definition, "name", "answer");
    json_object_object_add(definition, "schema", json_object_new_string(json_write(schema)));
    json_object_put(schema);
    wire_add(format, "type", "json_schema");
    json_object_object_add(format, "structure", wrap("jsonSchema", definition));
    json_object_object_add(body, "outputConfig", wrap("textFormat", format));
}

/* What cannot be said, or would be said of another address. */
static enum outcome check(const struct completion_request *request, const struct wire_target *target, struct failure *failure)
{
    if (target->model[0] == '\0' || strcmp(target->model, ".") == 0 || strcmp(target->model, "..") == 0)
        return fail(failure, OUTCOME_BAD_FIELD, "There is no model of that name.");
    if (request->format == COMPLETION_JSON)
        return fail(failure, OUTCOME_BAD_FIELD, "This provider gives JSON only by a schema.");
    for (size_t i = 0; target->facts.known && !target->facts.vision && i < request->message_count; i++)
        if (request->messages[i].image_count > 0)
            return fail(failure, OUTCOME_BAD_FIELD, "This model cannot see images.");
    return OUTCOME_OK;
}

static enum outcome write_bedrock(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                                  const struct wire_without *without, struct failure *failure)
{
    enum outcome outcome = check(request, target, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    buf_add_text(&call->path, "/model/");
    wire_add_segment(&call->path, target->model); /* wholly: ids hold ":", those that are ARNs "/" */
    buf_add_text(&call->path, "/converse-stream");
    json_object *body = json_object_new_object();
    if (request->system != NULL) {
        json_object *system = json_object_new_array();
        add_text(system, request->system, strlen(request->system), NULL);
        if (count_of(system) > 0)
            json_object_object_add(body, "system", system);
        else
            json_object_put(system);
    }
    add_messages(body, request, target);
    add_options(body, request, target, without);
    add_tools(body, request);
    add_format(body, request);
    return wire_finish_body(call, body, failure);
}

/* --- what is kept while an answer is read ------------------------------------------------------------------------- */

struct bedrock {
    struct event_stream stream;
    json_object *blocks;         /* of reasoning, whole ones, to be sent back */
    struct buf text, signature;  /* of the block of reasoning in the making */
    int64_t index;               /* its contentBlockIndex */
    size_t kept;                 /* bytes in `blocks`, about */
    bool lost;                   /* something of the reasoning could not be kept: then nothing is sent back */
    bool counted;                /* the metadata came */
};

static void free_state(struct reply *reply)
{
    struct bedrock *state = reply->state;
    event_stream_free(&state->stream);
    buf_free(&state->text);
    buf_free(&state->signature);
    json_object_put(state->blocks);
    mem_free(state);
    reply->state = NULL;
}

/* reply->state, made at its first use; NULL: out of memory, and given up. */
static struct bedrock *state_of(struct reply *reply)
{
    if (reply->state != NULL)
        return reply->state;
    struct bedrock *state = mem_new(1, sizeof *state);
    json_object *blocks = json_object_new_array();
    if (state == NULL || blocks == NULL) {
        mem_free(state);
        json_object_put(blocks);
        reply_give_up(reply, OUTCOME_NO_MEMORY);
        return NULL;
    }
    event_stream_init(&state->stream, LIMIT_SSE_EVENT_BYTES);
    buf_init(&state->text, LIMIT_STATE_BYTES);
    buf_init(&state->signature, LIMIT_STATE_BYTES);
    state->blocks = blocks;
    reply->state = state;
    return state;
}

/* Keeps {"reasoningContent": content} of `len` bytes; takes the reference. */
static void keep_block(struct bedrock *state, json_object *content, size_t len)
{
    state->kept += len + STATE_BLOCK_BYTES;
    state->lost = state->lost || state->kept > LIMIT_STATE_BYTES;
    if (state->lost)
        json_object_put(content);
    else
        json_object_array_add(state->blocks, wrap("reasoningContent", content));
}

static void keep_redacted(struct bedrock *state, const char *data, size_t len)
{
    keep_block(state, wrap("redactedContent", wire_text(data, len)), len);
}

/* The block of reasoning is complete. Without a signature it is not kept: Claude refuses such blocks, and nobody asks for them. */
static void end_reasoning(struct bedrock *state)
{
    struct buf *text = &state->text, *signature = &state->signature;
    if (buf_failed(text) || buf_failed(signature) || !utf8_valid(text->data, text->len) || !utf8_valid(signature->data, signature->len)) {
        state->lost = true;
    } else if (signature->len > 0) {
        json_object *object = json_object_new_object();
        json_object_object_add(object, "text", wire_text(text->data, text->len));
        json_object_object_add(object, "signature", wire_text(signature->data, signature->len));
        keep_block(state, wrap("reasoningText", object), text->len + signature->len);
    }
    buf_clear(text);
    buf_clear(signature);
}

/* The answer is complete: its reasoning is to be sent back with it. */
static void keep_reasoning(struct reply *reply)
{
    struct bedrock *state = reply->state;
    if (state == NULL || reply->failed || !reply->ended)
        return;
    end_reasoning(state);
    if (state->lost || count_of(state->blocks) == 0)
        return;
    json_object *object = json_object_new_object();
    wire_add(object, "model", reply->target->model);
    json_object_object_add(object, "blocks", json_object_get(state->blocks));
    reply_keep_state(reply, object);
}

/* --- what both forms of an answer say ------------------------------------------------------------------------------- */

/* TokenUsage: inputTokens are those that were neither read from the cache nor written to it. */
static void read_usage(struct reply *reply, json_object *object)
{
    json_object *usage = json_at(object, "usage");
    if (!json_object_is_type(usage, json_type_object))
        return;
    struct usage *known = &reply->result->usage;
    int64_t input = json_count(usage, "inputTokens", -1), read = json_count(usage, "cacheReadInputTokens", -1), written = json_count(usage, "cacheWriteInputTokens", -1);
    if (input >= 0)
        known->prompt_tokens = input + (read > 0 ? read : 0) + (written > 0 ? written : 0);
    if (read >= 0)
        known->cached_tokens = read;
    known->completion_tokens = json_count(usage, "outputTokens", known->completion_tokens);
}

static void read_finish(struct reply *reply, json_object *object)
{
    static const struct { const char *theirs, *ours; } reasons[] = {
        {"end_turn", "stop"}, {"stop_sequence", "stop"}, {"tool_use", "tool_calls"}, {"max_tokens", "length"}, {"model_context_window_exceeded", "length"},
        {"content_filtered", "content_filter"}, {"guardrail_intervened", "content_filter"},
    };
    const char *reason = json_text(object, "stopReason", NULL);
    for (size_t i = 0; reason != NULL && i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reasons[i].theirs, reason) == 0) {
            reason = reasons[i].ours;
            break;
        }
    if (reason != NULL && *reason != '\0')
        reply_finish(reply, reason);
}

/* --- a stream ------------------------------------------------------------------------------------------------------- */

static bool has_call(const struct reply *reply, int64_t slot)
{
    for (size_t i = 0; i < reply->call_count; i++)
        if (reply->calls[i].slot == slot)
            return true;
    return false;
}

/* ContentBlockStart. Tools that run at Amazon (server_tool_use) are none of ours. */
static void read_start(struct reply *reply, json_object *object)
{
    json_object *call = json_at(object, "start.toolUse");
    const char *type = json_text(call, "type", NULL);
    if (json_object_is_type(call, json_type_object) && (type == NULL || strcmp(type, "server_tool_use") != 0))
        reply_call(reply, json_count(object, "contentBlockIndex", (int64_t)reply->call_count), json_text(call, "toolUseId", NULL), json_text(call, "name", NULL), NULL, 0);
}

/* ReasoningContentBlockDelta: pieces of text, then the signature; another index ends the block. Each piece of redacted content is whole Base64 and so a block of its own. */
static void read_reasoning_delta(struct reply *reply, json_object *delta, int64_t index)
{
    struct bedrock *state = reply->state;
    size_t len;
    const char *text = json_text(delta, "text", &len);
    if (index != state->index)
        end_reasoning(state);
    state->index = index;
    if (text != NULL) {
        buf_add(&state->text, text, len);
        reply_reasoning(reply, text, len);
    }
    if ((text = json_text(delta, "signature", &len)) != NULL)
        buf_add(&state->signature, text, len);
    if ((text = json_text(delta, "redactedContent", &len)) != NULL && len > 0)
        keep_redacted(state, text, len);
}

/* ContentBlockDelta. A piece of a call that never began is one of a block that we do not know. */
static void read_delta(struct reply *reply, json_object *object)
{
    json_object *delta = json_at(object, "delta"), *reasoning = json_at(delta, "reasoningContent");
    int64_t last = reply->call_count > 0 ? reply->calls[reply->call_count - 1].slot : -1, index = json_count(object, "contentBlockIndex", last);
    size_t len;
    const char *text = json_text(delta, "text", &len), *input;
    if (reasoning != NULL)
        read_reasoning_delta(reply, reasoning, index);
    if (text != NULL)
        reply_text(reply, text, len);
    if ((input = json_text(delta, "toolUse.input", &len)) != NULL && has_call(reply, index))
        reply_call(reply, index, NULL, NULL, input, len);
}

static void read_metadata(struct reply *reply, json_object *object)
{
    struct bedrock *state = reply->state;
    state->counted = true;
    read_usage(reply, object);
    reply_model(reply, json_text(object, "trace.promptRouter.invokedModelId", NULL)); /* else the name of the model is never said */
}

/* Events of other types are ignored, and so is everything but the counts after the terminal mark. */
static void read_event(struct reply *reply, const struct event_frame *frame)
{
    struct bedrock *state = reply->state;
    const char *type = frame->event_type;
    bool is_metadata = strcmp(type, "metadata") == 0, is_delta = strcmp(type, "contentBlockDelta") == 0, is_start = strcmp(type, "contentBlockStart") == 0;
    bool is_end = strcmp(type, "messageStop") == 0;
    if (!is_metadata && (reply->ended || (!is_delta && !is_start && !is_end)))
        return;
    json_object *object = reply_parse(reply, frame->payload, frame->len);
    if (object == NULL)
        return;
    if (is_metadata)
        read_metadata(reply, object);
    else if (is_delta)
        read_delta(reply, object);
    else if (is_start)
        read_start(reply, object);
    else
        read_finish(reply, object);
    reply->ended = reply->ended || is_end;
    reply->all_said = reply->ended && state->counted;
    json_object_put(object);
}

/* The status that an exception has where it comes before a stream (ConverseStream, "Errors"); 0: not known. */
static long status_of(const char *type)
{
    static const struct { const char *type; long status; } known[] = {
        {"throttlingException", 429}, {"modelNotReadyException", 429}, {"serviceUnavailableException", 503}, {"internalServerException", 500},
        {"modelStreamErrorException", 424}, {"modelErrorException", 424}, {"modelTimeoutException", 408}, {"validationException", 400},
        {"accessDeniedException", 403}, {"resourceNotFoundException", 404},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(known[i].type, type) == 0)
            return known[i].status;
    return 0;
}

/* Exceptions have their text in the payload, errors in a header. */
static void read_failure(struct reply *reply, const struct event_frame *frame)
{
    bool is_error = strcmp(frame->message_type, "error") == 0;
    const char *type = is_error ? frame->error_code : frame->exception_type;
    json_object *object = is_error ? wrap("message", json_object_new_string(frame->error_message)) : json_read_loose(frame->payload, frame->len);
    log_warning("the provider broke its answer off: %s", *type != '\0' ? type : "it does not say why");
    reply_error(reply, object, status_of(type));
    json_object_put(object);
}

static bool take_frame(void *arg, const struct event_frame *frame)
{
    struct reply *reply = arg;
    const char *type = frame->message_type;
    if (strcmp(type, "event") == 0)
        read_event(reply, frame);
    else if (!reply->ended && (strcmp(type, "exception") == 0 || strcmp(type, "error") == 0))
        read_failure(reply, frame);
    return !reply->failed && !reply->all_said;
}

static void feed_stream(struct reply *reply, const char *bytes, size_t len)
{
    struct bedrock *state = state_of(reply);
    if (state == NULL)
        return;
    switch (event_stream_feed(&state->stream, bytes, len, take_frame, reply)) {
    case EVENT_STREAM_MORE:
    case EVENT_STREAM_STOPPED:
        break;
    case EVENT_STREAM_DAMAGED:
        if (reply->ended) /* only the counts are lost */
            reply->all_said = true;
        else
            reply_senseless(reply, "the provider's stream is damaged", "");
        break;
    case EVENT_STREAM_TOO_BIG:
        log_warning("the provider sent an event of more than %d bytes", LIMIT_SSE_EVENT_BYTES);
        reply_give_up(reply, OUTCOME_PROVIDER_ERROR);
        break;
    case EVENT_STREAM_NO_MEMORY:
        reply_give_up(reply, OUTCOME_NO_MEMORY);
        break;
    }
}

/* --- a whole answer ------------------------------------------------------------------------------------------------- */

/* ContentBlock, in the forms that an answer has. */
static void read_block(struct reply *reply, json_object *block)
{
    struct bedrock *state = reply->state;
    json_object *call = json_at(block, "toolUse"), *reasoning = json_at(block, "reasoningContent");
    const char *type = json_text(call, "type", NULL);
    size_t len;
    const char *text = json_text(block, "text", &len);
    if (text != NULL)
        reply_text(reply, text, len);
    if (json_object_is_type(call, json_type_object) && (type == NULL || strcmp(type, "server_tool_use") != 0)) {
        json_object *input = json_at(call, "input");
        const char *arguments = json_object_is_type(input, json_type_object) ? json_write(input) : NULL;
        reply_call(reply, (int64_t)reply->call_count, json_text(call, "toolUseId", NULL), json_text(call, "name", NULL), arguments,
                   arguments != NULL ? strlen(arguments) : 0);
    }
    if ((text = json_text(reasoning, "reasoningText.text", &len)) != NULL) {
        buf_add(&state->text, text, len);
        reply_reasoning(reply, text, len);
    }
    if ((text = json_text(reasoning, "reasoningText.signature", &len)) != NULL)
        buf_add(&state->signature, text, len);
    if ((text = json_text(reasoning, "redactedContent", &len)) != NULL && len > 0)
        keep_redacted(state, text, len);
    end_reasoning(state);
}

static void read_whole(struct reply *reply, json_object *object)
{
    json_object *content = json_at(object, "output.message.content");
    if (!json_object_is_type(content, json_type_array)) {
        reply_error(reply, object, 0);
        return;
    }
    if (state_of(reply) == NULL)
        return;
    for (size_t i = 0; i < count_of(content) && !reply->failed; i++)
        read_block(reply, json_object_array_get_idx(content, i));
    read_usage(reply, object);
    read_finish(reply, object);
    reply->ended = reply->all_said = json_text(object, "stopReason", NULL) != NULL;
}

/* --- both ----------------------------------------------------------------------------------------------------------- */

/* A frame begins with its length, of which the first byte is 0 for all that fit our ceiling: no text begins so. White space and a BOM before JSON say nothing. */
static bool feed(struct reply *reply, const char *bytes, size_t len)
{
    if (reply->all_said || reply->failed)
        return !reply->failed;
    while (len > 0 && reply->form == REPLY_UNKNOWN) {
        if (*bytes == '\0') {
            reply->form = REPLY_STREAM;
        } else if (isspace((unsigned char)*bytes) || strchr("\xEF\xBB\xBF", *bytes) != NULL) {
            bytes++;
            len--;
        } else {
            reply->form = REPLY_WHOLE;
        }
    }
    if (reply->form == REPLY_STREAM) {
        feed_stream(reply, bytes, len);
    } else if (reply->form == REPLY_WHOLE) {
        buf_add(&reply->whole, bytes, len);
        if (buf_failed(&reply->whole))
            reply_give_up(reply, OUTCOME_PROVIDER_ERROR);
    }
    return !reply->failed;
}

/* A cut frame at the end is no failure of its own: the answer has ended or not. */
static void end(struct reply *reply)
{
    if (reply->form == REPLY_WHOLE) {
        reply_end_sse(reply, NULL, read_whole); /* gives the text parsed, and knows of no events then */
    } else if (!reply->failed) {
        struct bedrock *state = reply->state;
        if (state != NULL && !event_stream_is_between(&state->stream) && !reply->ended)
            log_debug("the provider's last event is cut");
        reply_end_text(reply);
    }
    keep_reasoning(reply);
}

const struct wire wire_bedrock = {.name = "bedrock", .write = write_bedrock, .feed = feed, .end = end, .free_state = free_state};
