/*
 * The Anthropic Messages wire: how a request is written and an answer, streamed or whole, is read.
 *
 * Source: Anthropic's API reference, "Messages" and "Streaming messages", and its guides "Thinking", "Preserved thinking" and "Structured outputs". What differs
 * most from others: the system prompt stands apart, roles alternate, results of tools are the user's, and a model's thinking goes back to it, signed, as long as
 * it works with tools. Neighbours: reply.h. Leaves out: the key's header, the vendor's own tools, prompt caching.
 */
#include <ctype.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../base/utf8.h"
#include "reply.h"

#define NAME "anthropic"

enum {
    SAFE_MAX_TOKENS = 4096,     /* what every model gives: asked for when a limit was refused, for there has to be one */
    LEAST_BUDGET_TOKENS = 1024, /* for thinking ("Thinking", budget_tokens) */
    MOST_BUDGET_TOKENS = 32000  /* more is hardly ever used, and takes very long */
};

/* --- the request: what comes back of a model's thinking ----------------------------------------------------------- */

/* Where the running turn begins: after the last message of the user's own. Thinking goes back only from there on. Earlier thinking may be left out ("Preserved
   thinking"), and better is: it is bound to all that was sent before it, which in an old conversation may have been edited or cut. */
static size_t turn_start(const struct completion_request *request)
{
    size_t i = request->message_count;
    while (i > 0 && request->messages[i - 1].role != COMPLETION_USER)
        i--;
    return i;
}

/* The state that came with a message, as an object for the caller to put back, or NULL: there is none that this model takes. Thinking is signed for one model. */
static json_object *state_of(const struct completion_message *message, const struct wire_target *target)
{
    if (message->state == NULL || message->state_wire == NULL || strcmp(message->state_wire, NAME) != 0)
        return NULL;
    json_object *state = wire_json(message->state);
    const char *model = json_text(state, "model", NULL);
    if (model != NULL && strcmp(model, target->model) == 0 && json_object_is_type(json_at(state, "blocks"), json_type_array))
        return state;
    json_object_put(state);
    return NULL;
}

/* Whether the running turn has calls without their thinking, made by another model or before thinking was on: with a budget such a turn is refused ("Thinking",
   with tools). */
static bool turn_lacks_thinking(const struct completion_request *request, const struct wire_target *target)
{
    for (size_t i = turn_start(request); i < request->message_count; i++) {
        json_object *state = state_of(&request->messages[i], target);
        bool lacks = request->messages[i].call_count > 0 && state == NULL;
        json_object_put(state);
        if (lacks)
            return true;
    }
    return false;
}

/* --- the request: messages ---------------------------------------------------------------------------------------- */

/* Ids of other vendors' calls may hold characters that are refused here. */
static json_object *clean_id(const char *id)
{
    struct buf clean;
    buf_init(&clean, LIMIT_CALL_STATE_BYTES);
    for (; *id != '\0'; id++)
        buf_add_char(&clean, isalnum((unsigned char)*id) || strchr("_-", *id) != NULL ? *id : '_');
    json_object *text = buf_failed(&clean) ? NULL : wire_text(clean.data, clean.len);
    buf_free(&clean);
    return text;
}

static void add_text(json_object *content, const char *text, size_t len)
{
    if (wire_is_blank(text, len))
        return;
    json_object *block = wire_typed("text");
    json_object_object_add(block, "text", wire_text(text, len));
    json_object_array_add(content, block);
}

static void add_image(json_object *content, const struct completion_image *image)
{
    json_object *block = wire_typed("image"), *source = wire_typed("base64");
    wire_add(source, "media_type", image->media_type);
    json_object_object_add(source, "data", wire_text(image->base64, image->base64_len));
    json_object_object_add(block, "source", source);
    json_object_array_add(content, block);
}

static void add_call(json_object *content, const struct completion_call *call)
{
    json_object *block = wire_typed("tool_use");
    json_object_object_add(block, "id", clean_id(call->id));
    wire_add(block, "name", call->name);
    json_object_object_add(block, "input", wire_json(call->arguments));
    json_object_array_add(content, block);
}

/* An error has to say something, a result need not. */
static void add_result(json_object *content, const struct completion_message *message)
{
    json_object *block = wire_typed("tool_result");
    json_object_object_add(block, "tool_use_id", clean_id(message->call_id));
    if (!wire_is_blank(message->content, message->content_len))
        json_object_object_add(block, "content", wire_text(message->content, message->content_len));
    else if (message->is_error)
        wire_add(block, "content", "The tool failed.");
    if (message->is_error)
        json_object_object_add(block, "is_error", json_object_new_boolean(true));
    json_object_array_add(content, block);
}

/* An answer as it was given, its thinking unchanged and in its place; a block without anything in it but its type stands for the next call. */
static size_t add_blocks(json_object *content, json_object *blocks, const struct completion_message *message)
{
    size_t calls = 0;
    for (size_t i = 0; i < json_object_array_length(blocks); i++) {
        json_object *block = json_object_array_get_idx(blocks, i);
        const char *type = json_text(block, "type", NULL);
        if (type == NULL)
            continue;
        if (strcmp(type, "tool_use") == 0 && calls < message->call_count)
            add_call(content, &message->calls[calls++]);
        else if (strcmp(type, "text") == 0 || strcmp(type, "thinking") == 0 || strcmp(type, "redacted_thinking") == 0)
            json_object_array_add(content, json_object_get(block));
    }
    return calls;
}

static void add_answer(json_object *content, const struct completion_message *message, const struct wire_target *target, bool with_thinking)
{
    json_object *state = with_thinking ? state_of(message, target) : NULL;
    size_t calls = 0;
    if (state != NULL)
        calls = add_blocks(content, json_at(state, "blocks"), message);
    else
        add_text(content, message->content, message->content_len);
    for (; calls < message->call_count; calls++)
        add_call(content, &message->calls[calls]);
    json_object_put(state);
}

/* A user's message always says something, for an empty one is refused. Images come first ("Vision"). */
static void add_question(json_object *content, const struct completion_message *message)
{
    static const char nothing[] = "(no text)";
    for (size_t i = 0; i < message->image_count; i++)
        add_image(content, &message->images[i]);
    if (message->image_count == 0 && wire_is_blank(message->content, message->content_len))
        add_text(content, nothing, sizeof nothing - 1);
    else
        add_text(content, message->content, message->content_len);
}

/* Where the next blocks of `role` go: roles alternate, so that messages of the same one become one; all results of a turn stand together this way. */
static json_object *content_for(json_object *messages, const char *role)
{
    size_t count = json_object_array_length(messages);
    json_object *last = count > 0 ? json_object_array_get_idx(messages, count - 1) : NULL;
    const char *last_role = json_text(last, "role", NULL);
    if (last_role != NULL && strcmp(last_role, role) == 0)
        return json_at(last, "content");
    json_object *message = json_object_new_object(), *content = json_object_new_array();
    wire_add(message, "role", role);
    json_object_object_add(message, "content", content);
    json_object_array_add(messages, message);
    return content;
}

static void add_messages(json_object *body, const struct completion_request *request, const struct wire_target *target)
{
    json_object *messages = json_object_new_array();
    json_object_object_add(body, "messages", messages);
    size_t turn = turn_start(request);
    for (size_t i = 0; i < request->message_count; i++) {
        const struct completion_message *message = &request->messages[i];
        if (message->role == COMPLETION_USER)
            add_question(content_for(messages, "user"), message);
        else if (message->role == COMPLETION_TOOL)
            add_result(content_for(messages, "user"), message);
        else if (message->call_count > 0 || !wire_is_blank(message->content, message->content_len)) /* an answer that was stopped at once says nothing */
            add_answer(content_for(messages, "assistant"), message, target, i >= turn);
    }
}

/* --- the request: the rest ---------------------------------------------------------------------------------------- */

static void add_tools(json_object *body, const struct completion_request *request)
{
    if (request->tool_count == 0)
        return;
    json_object *tools = json_object_new_array();
    for (size_t i = 0; i < request->tool_count; i++) {
        json_object *tool = json_object_new_object();
        wire_add(tool, "name", request->tools[i].name);
        if (request->tools[i].description[0] != '\0')
            wire_add(tool, "description", request->tools[i].description);
        json_object *schema = wire_json(request->tools[i].schema);
        if (json_at(schema, "type") == NULL) /* required here, if nowhere else */
            wire_add(schema, "type", "object");
        json_object_object_add(tool, "input_schema", schema);
        json_object_array_add(tools, tool);
    }
    json_object_object_add(body, "tools", tools);
    const char *choice = request->tool_choice;
    if (choice == NULL)
        return;
    bool is_one = strcmp(choice, "none") != 0 && strcmp(choice, "required") != 0;
    json_object *object = wire_typed(is_one ? "tool" : strcmp(choice, "none") == 0 ? "none" : "any");
    if (is_one)
        wire_add(object, "name", choice);
    json_object_object_add(body, "tool_choice", object);
}

static int64_t max_tokens_of(const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    int64_t most = target->facts.max_output > 0 ? target->facts.max_output : INT64_MAX;
    if ((without->max_tokens || without->max_tokens_is_old) && most > SAFE_MAX_TOKENS)
        most = SAFE_MAX_TOKENS;
    return request->max_tokens < most ? request->max_tokens : most;
}

/* What thinking may use of an answer's `max_tokens`, which it counts into; 0: there is no room for both. */
static int64_t budget_of(const char *effort, int64_t max_tokens)
{
    if (max_tokens < LEAST_BUDGET_TOKENS * 2)
        return 0;
    int64_t budget = strcmp(effort, "low") == 0 ? max_tokens / 5 : strcmp(effort, "high") == 0 ? max_tokens / 5 * 4 : max_tokens / 2;
    return budget < LEAST_BUDGET_TOKENS ? LEAST_BUDGET_TOKENS : budget > MOST_BUDGET_TOKENS ? MOST_BUDGET_TOKENS : budget;
}

/* The models that cannot do without thinking, which refuse to be told to. */
static bool always_thinks(const char *model)
{
    return strstr(model, "fable") != NULL || strstr(model, "mythos") != NULL;
}

/* The models that take no sampling parameters (from Opus 4.7 on) are those that take no budget either: they are told an effort, and to show a summary of their
   thinking, which they do not on their own. The older ones think within a budget. Neither goes with a call that is forced. Whether there is a budget, beside
   which no temperature may stand. */
static bool add_thinking(json_object *body, const struct completion_request *request, const struct wire_target *target, json_object *output, int64_t max_tokens)
{
    const char *effort = request->effort;
    bool is_forced = request->tool_count > 0 && request->tool_choice != NULL && strcmp(request->tool_choice, "none") != 0;
    bool is_adaptive = target->facts.no_sampling, is_off = strcmp(effort, "none") == 0;
    int64_t budget = is_off || is_adaptive || turn_lacks_thinking(request, target) ? 0 : budget_of(effort, max_tokens);
    json_object *thinking = NULL;
    if (is_adaptive)
        wire_add(output, "effort", is_off ? "low" : effort);
    if (is_forced)
        return false;
    if (is_adaptive && !is_off) {
        thinking = wire_typed("adaptive");
        wire_add(thinking, "display", "summarized");
    } else if (is_adaptive && !always_thinks(target->model)) {
        thinking = wire_typed("disabled");
    } else if (budget > 0) {
        thinking = wire_typed("enabled");
        json_object_object_add(thinking, "budget_tokens", json_object_new_int64(budget));
    }
    if (thinking != NULL)
        json_object_object_add(body, "thinking", thinking);
    return budget > 0;
}

static void add_options(json_object *body, const struct completion_request *request, const struct wire_target *target, const struct wire_without *without)
{
    int64_t max_tokens = max_tokens_of(request, target, without);
    json_object *output = json_object_new_object();
    bool thinks = false;
    json_object_object_add(body, "max_tokens", json_object_new_int64(max_tokens));
    if (request->effort != NULL && !without->effort && target->facts.reasoning)
        thinks = add_thinking(body, request, target, output, max_tokens);
    if (request->format == COMPLETION_SCHEMA) {
        json_object *format = wire_typed("json_schema");
        json_object_object_add(format, "schema", wire_json(request->schema));
        json_object_object_add(output, "format", format);
    }
    if (json_object_object_length(output) > 0)
        json_object_object_add(body, "output_config", output);
    else
        json_object_put(output);
    if (!without->temperature && !target->facts.no_sampling && !thinks) /* 0 to 1, unlike with others */
        json_object_object_add(body, "temperature", wire_number(request->temperature < 1 ? request->temperature : 1));
    if (request->stop_count > 0 && !without->stop) {
        json_object *stop = json_object_new_array();
        for (size_t i = 0; i < request->stop_count; i++)
            json_object_array_add(stop, json_object_new_string(request->stop[i]));
        json_object_object_add(body, "stop_sequences", stop);
    }
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
    if (has_images(request) && target->facts.known && !target->facts.vision)
        return fail(failure, OUTCOME_BAD_FIELD, "This model does not take images.");
    if (request->format == COMPLETION_JSON)
        return fail(failure, OUTCOME_BAD_FIELD, "This model's provider gives JSON only by a schema: ask with one.");
    buf_add_text(&call->path, "/messages");
    buf_add_text(&call->headers, "anthropic-version: 2023-06-01\n");
    json_object *body = json_object_new_object();
    wire_add(body, "model", target->model);
    if (request->system != NULL && !wire_is_blank(request->system, strlen(request->system)))
        wire_add(body, "system", request->system);
    add_messages(body, request, target);
    add_tools(body, request);
    add_options(body, request, target, without);
    json_object_object_add(body, "stream", json_object_new_boolean(true));
    return wire_finish_body(call, body, failure);
}

/* --- an answer: what is kept of it -------------------------------------------------------------------------------- */

enum block { BLOCK_NONE, BLOCK_TEXT, BLOCK_THINKING, BLOCK_CALL };

/* An answer in the making, kept as it is in case it has to be sent back. */
struct answer {
    enum block open;       /* the block that is being read */
    int64_t index;         /* its number */
    struct buf said;       /* its text or thinking */
    struct buf signature;  /* of its thinking */
    json_object *input;    /* arguments that came with the beginning of a call */
    json_object *blocks;   /* those that have ended */
    size_t bytes;          /* of all that is kept, with something for each block */
    bool has_thinking;     /* one of the blocks */
    bool is_lost;          /* too long to be kept */
    int64_t fresh, written, cached; /* tokens of the prompt: not in the cache, put into it, found there; -1: not known */
};

static struct answer *answer_of(struct reply *reply)
{
    if (reply->state != NULL)
        return reply->state;
    struct answer *answer = mem_new(1, sizeof *answer);
    if (answer == NULL) {
        reply_give_up(reply, OUTCOME_NO_MEMORY);
        return NULL;
    }
    buf_init(&answer->said, LIMIT_STATE_BYTES);
    buf_init(&answer->signature, LIMIT_STATE_BYTES);
    answer->blocks = json_object_new_array();
    answer->is_lost = answer->blocks == NULL;
    answer->fresh = answer->written = answer->cached = -1;
    reply->state = answer;
    return answer;
}

static void free_state(struct reply *reply)
{
    struct answer *answer = reply->state;
    buf_free(&answer->said);
    buf_free(&answer->signature);
    json_object_put(answer->input);
    json_object_put(answer->blocks);
    mem_free(answer);
}

/* Whether there is room for `len` more bytes. Where there is not, nothing is kept any more: half an answer is of no use. */
static bool has_room(struct answer *answer, size_t len)
{
    if (!answer->is_lost && len <= LIMIT_STATE_BYTES - answer->bytes) {
        answer->bytes += len;
        return true;
    }
    answer->is_lost = true;
    buf_free(&answer->said);
    buf_free(&answer->signature);
    return false;
}

static void keep(struct answer *answer, struct buf *buf, const char *text, size_t len)
{
    if (has_room(answer, len))
        buf_add(buf, text, len);
}

static void keep_block(struct answer *answer, json_object *block)
{
    enum { BLOCK_BYTES = 64 }; /* what one takes besides its text */
    if (has_room(answer, BLOCK_BYTES))
        json_object_array_add(answer->blocks, block);
    else
        json_object_put(block);
}

/* A string made valid, since it goes into the database. What is bad is not what the model signed; but that does not happen. */
static json_object *repaired(const char *text, size_t len)
{
    struct buf clean;
    buf_init(&clean, (size_t)LIMIT_STATE_BYTES * 3);
    utf8_add_repaired(&clean, text, len);
    json_object *object = wire_text(clean.data, clean.len);
    buf_free(&clean);
    return object;
}

/* --- an answer: its blocks ---------------------------------------------------------------------------------------- */

static struct reply_call *call_at(struct reply *reply, int64_t slot)
{
    for (size_t i = 0; i < reply->call_count; i++)
        if (reply->calls[i].slot == slot)
            return &reply->calls[i];
    return NULL;
}

/* Arguments that came with the beginning of a call count when no pieces followed. The vendor sends {} there, other servers that speak this wire all of them. */
static void end_call(struct reply *reply, struct answer *answer)
{
    struct reply_call *call = call_at(reply, answer->index);
    const char *input = answer->input != NULL ? json_write(answer->input) : NULL;
    if (call != NULL && call->arguments.len == 0 && input != NULL)
        reply_call(reply, answer->index, NULL, NULL, input, strlen(input));
    json_object_put(answer->input);
    answer->input = NULL;
    keep_block(answer, wire_typed("tool_use"));
}

static void end_block(struct reply *reply, struct answer *answer)
{
    json_object *block;
    switch (answer->open) {
    case BLOCK_TEXT:
        if (wire_is_blank(answer->said.data, answer->said.len))
            break;
        block = wire_typed("text");
        json_object_object_add(block, "text", repaired(answer->said.data, answer->said.len));
        keep_block(answer, block);
        break;
    case BLOCK_THINKING:
        block = wire_typed("thinking");
        json_object_object_add(block, "thinking", repaired(answer->said.data, answer->said.len));
        json_object_object_add(block, "signature", repaired(answer->signature.data, answer->signature.len));
        keep_block(answer, block);
        answer->has_thinking = true;
        break;
    case BLOCK_CALL:
        end_call(reply, answer);
        break;
    case BLOCK_NONE:
        break;
    }
    answer->open = BLOCK_NONE;
    buf_clear(&answer->said);
    buf_clear(&answer->signature);
}

/* Some servers leave the beginning of a block out: then its first piece begins it. */
static void enter(struct reply *reply, struct answer *answer, enum block kind)
{
    if (answer->open == kind)
        return;
    end_block(reply, answer);
    answer->open = kind;
}

static void read_text(struct reply *reply, struct answer *answer, json_object *from)
{
    size_t len;
    const char *text = json_text(from, "text", &len);
    if (text == NULL)
        return;
    enter(reply, answer, BLOCK_TEXT);
    keep(answer, &answer->said, text, len);
    reply_text(reply, text, len);
}

/* Thinking, its signature, or both. */
static void read_thinking(struct reply *reply, struct answer *answer, json_object *from)
{
    size_t len, signature_len;
    const char *text = json_text(from, "thinking", &len), *signature = json_text(from, "signature", &signature_len);
    enter(reply, answer, BLOCK_THINKING);
    if (text != NULL) {
        keep(answer, &answer->said, text, len);
        reply_reasoning(reply, text, len);
    }
    if (signature != NULL)
        keep(answer, &answer->signature, signature, signature_len);
}

/* Thinking that is kept secret: nothing to show, but to be sent back. */
static void read_redacted(struct answer *answer, json_object *from)
{
    size_t len;
    const char *data = json_text(from, "data", &len);
    if (data == NULL || !has_room(answer, len))
        return;
    json_object *block = wire_typed("redacted_thinking");
    json_object_object_add(block, "data", repaired(data, len));
    keep_block(answer, block);
    answer->has_thinking = true;
}

static void begin_call(struct reply *reply, struct answer *answer, json_object *from)
{
    json_object *input = json_at(from, "input");
    enter(reply, answer, BLOCK_CALL);
    reply_call(reply, answer->index, json_text(from, "id", NULL), json_text(from, "name", NULL), NULL, 0);
    if (json_object_is_type(input, json_type_object) && json_object_object_length(input) > 0)
        answer->input = json_object_get(input);
}

/* The beginning of a block, or a whole one. Blocks of the vendor's own tools are not ours. */
static void begin_block(struct reply *reply, struct answer *answer, int64_t index, json_object *block)
{
    const char *type = json_text(block, "type", NULL);
    end_block(reply, answer);
    answer->index = index;
    if (type == NULL)
        return;
    if (strcmp(type, "text") == 0)
        read_text(reply, answer, block);
    else if (strcmp(type, "thinking") == 0)
        read_thinking(reply, answer, block);
    else if (strcmp(type, "redacted_thinking") == 0)
        read_redacted(answer, block);
    else if (strcmp(type, "tool_use") == 0)
        begin_call(reply, answer, block);
}

/* A piece of a block. Pieces of arguments go to the call of that number; where there is none, the call is not ours. */
static void read_delta(struct reply *reply, struct answer *answer, int64_t index, json_object *delta)
{
    const char *type = json_text(delta, "type", NULL);
    if (type == NULL)
        return;
    if (strcmp(type, "text_delta") == 0) {
        read_text(reply, answer, delta);
    } else if (strcmp(type, "thinking_delta") == 0 || strcmp(type, "signature_delta") == 0) {
        read_thinking(reply, answer, delta);
    } else if (strcmp(type, "input_json_delta") == 0 && call_at(reply, index) != NULL) {
        size_t len = 0;
        const char *piece = json_text(delta, "partial_json", &len);
        reply_call(reply, index, NULL, NULL, piece, len);
    }
}

/* --- an answer: the rest ------------------------------------------------------------------------------------------ */

/* Counts are of all so far ("Streaming messages"): later ones replace earlier ones, and one that is left out stands as it was. */
static void read_usage(struct reply *reply, struct answer *answer, json_object *usage)
{
    struct usage *known = &reply->result->usage;
    answer->fresh = json_count(usage, "input_tokens", answer->fresh);
    answer->written = json_count(usage, "cache_creation_input_tokens", answer->written);
    answer->cached = json_count(usage, "cache_read_input_tokens", answer->cached);
    if (answer->fresh >= 0)
        known->prompt_tokens = answer->fresh + (answer->written > 0 ? answer->written : 0) + (answer->cached > 0 ? answer->cached : 0);
    known->cached_tokens = answer->cached;
    known->completion_tokens = json_count(usage, "output_tokens", known->completion_tokens);
    known->reasoning_tokens = json_count(usage, "output_tokens_details.thinking_tokens", known->reasoning_tokens);
}

/* Whether a reason to stop was there. */
static bool read_stop(struct reply *reply, json_object *from)
{
    static const struct { const char *theirs, *ours; } words[] = {
        {"end_turn", "stop"}, {"stop_sequence", "stop"}, {"max_tokens", "length"}, {"model_context_window_exceeded", "length"}, {"tool_use", "tool_calls"},
        {"refusal", "content_filter"},
    };
    const char *reason = json_text(from, "stop_reason", NULL);
    if (reason == NULL || *reason == '\0')
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(reason, words[i].theirs) == 0)
            reason = words[i].ours;
    reply_finish(reply, reason);
    return true;
}

/* Thinking is to go back only with calls: see turn_start(). */
static void end_answer(struct reply *reply, struct answer *answer)
{
    end_block(reply, answer);
    reply_end_text(reply);
    reply->ended = reply->all_said = true;
    if (!answer->has_thinking || answer->is_lost || reply->call_count == 0)
        return;
    json_object *state = json_object_new_object();
    wire_add(state, "model", reply->target->model);
    json_object_object_add(state, "blocks", json_object_get(answer->blocks));
    reply_keep_state(reply, state);
}

/* An error names its type, which stands for a status ("Errors"); inside a stream there is no other. */
static void read_error(struct reply *reply, json_object *object)
{
    static const struct { const char *type; long status; } types[] = {
        {"invalid_request_error", 400}, {"authentication_error", 401}, {"billing_error", 402}, {"permission_error", 403}, {"not_found_error", 404},
        {"request_too_large", 413}, {"rate_limit_error", 429}, {"api_error", 500}, {"timeout_error", 504}, {"overloaded_error", 529},
    };
    const char *type = json_text(object, "error.type", NULL);
    long status = 0;
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i].type) == 0)
            status = types[i].status;
    reply_error(reply, object, status);
}

static bool is_error(json_object *object, const char *type)
{
    return strcmp(type, "error") == 0 || provider_error_is_one(object);
}

static void read_whole(struct reply *reply, json_object *object)
{
    const char *type = json_text(object, "type", NULL);
    struct answer *answer = answer_of(reply);
    json_object *content = json_at(object, "content");
    if (answer == NULL)
        return;
    if (is_error(object, type != NULL ? type : "")) {
        read_error(reply, object);
        return;
    }
    reply_model(reply, json_text(object, "model", NULL));
    read_usage(reply, answer, json_at(object, "usage"));
    for (size_t i = 0; json_object_is_type(content, json_type_array) && i < json_object_array_length(content); i++)
        begin_block(reply, answer, (int64_t)i, json_object_array_get_idx(content, i));
    if (!reply->failed && read_stop(reply, object))
        end_answer(reply, answer);
}

/* `type` is the event's name where the object does not say. Unknown ones are ignored, as the vendor asks ("Versioning"). */
static void read_event(struct reply *reply, struct answer *answer, const char *type, json_object *object)
{
    if (is_error(object, type)) {
        read_error(reply, object);
    } else if (strcmp(type, "content_block_delta") == 0) {
        read_delta(reply, answer, json_count(object, "index", answer->index), json_at(object, "delta"));
    } else if (strcmp(type, "content_block_start") == 0) {
        begin_block(reply, answer, json_count(object, "index", answer->index + 1), json_at(object, "content_block"));
    } else if (strcmp(type, "content_block_stop") == 0) {
        end_block(reply, answer);
    } else if (strcmp(type, "message_start") == 0) {
        reply_model(reply, json_text(object, "message.model", NULL));
        read_usage(reply, answer, json_at(object, "message.usage"));
    } else if (strcmp(type, "message_delta") == 0) {
        (void)read_stop(reply, json_at(object, "delta"));
        read_usage(reply, answer, json_at(object, "usage"));
    } else if (strcmp(type, "message_stop") == 0) {
        end_answer(reply, answer);
    }
}

static bool take_event(void *arg, const char *name, const char *data, size_t len)
{
    struct reply *reply = arg;
    bool is_other_end = len >= 6 && strncmp(data, "[DONE]", 6) == 0; /* some gateways add it; it says less than message_stop */
    if (len == 0 || is_other_end || reply->all_said)
        return true;
    struct answer *answer = answer_of(reply);
    json_object *object = answer != NULL ? reply_parse(reply, data, len) : NULL;
    if (object != NULL) {
        const char *type = json_text(object, "type", NULL);
        read_event(reply, answer, type != NULL ? type : name, object);
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

const struct wire wire_anthropic = {.name = NAME, .write = write_request, .feed = feed, .end = end, .free_state = free_state};
