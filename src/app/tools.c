/*
 * The tool loop: a model is asked, the tools that it calls run, it is asked again with their results, until it needs no more of them. See src/parley.h.
 *
 * A tool that the user must agree to ends the turn with confirmation_request events (Ragbits' shape); the next turn brings the decisions in context.tool_confirmations, and the
 * calls are made with the arguments that the model gave then, not asked for again. Calls and results are steps of the answer (chat/steps.h), so that the models of later turns see
 * them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/sign.h"
#include "../base/utf8.h"
#include "chat.h"

enum { CONFIRMATION_BYTES = 17 /* 16 hexadecimal digits and a NUL, as Ragbits' are */, ARGUMENTS_DEPTH = LIMIT_EVENT_DEPTH - 2 /* of a call: they stand that deep in an event */ };

struct toolbox {
    struct parley_chat *chat;
    const struct parley_tool *tools;
    size_t count;
};

static const struct parley_tool *find_tool(const struct toolbox *box, const char *name)
{
    for (size_t i = 0; i < box->count; i++)
        if (strcmp(box->tools[i].name, name) == 0)
            return &box->tools[i];
    return NULL;
}

static const char *describe(const struct parley_tool *tool)
{
    return tool->description != NULL ? tool->description : "";
}

/* What the client names a call by when it confirms it: follows from the call, so that nothing need be kept. */
static bool name_confirmation(const char *conversation, const struct completion_call *call, char id[CONFIRMATION_BYTES])
{
    char hash[SIGN_HEX_BYTES];
    struct buf text;
    buf_init(&text, LIMIT_REPLY_BYTES);
    buf_addf(&text, "%s %s %s %s", conversation, call->id, call->name, call->arguments);
    bool good = !buf_failed(&text) && sign_hash(text.data, text.len, hash);
    buf_free(&text);
    if (good)
        (void)snprintf(id, CONFIRMATION_BYTES, "%.16s", hash);
    return good;
}

/* The arguments as the model wrote them; an empty object when they are none, or nested so deeply that no event could hold them. A new reference. */
static json_object *read_arguments(const struct completion_call *call)
{
    json_object *arguments = json_read_loose(call->arguments, strlen(call->arguments));
    if (json_object_is_type(arguments, json_type_object) && json_depth(arguments, ARGUMENTS_DEPTH) <= ARGUMENTS_DEPTH)
        return arguments;
    json_object_put(arguments);
    return json_object_new_object();
}

static bool tell_call(struct parley_chat *chat, const struct completion_call *call)
{
    json_object *content = json_object_new_object();
    chat_add(content, "id", call->id);
    chat_add(content, "name", call->name);
    json_object_object_add(content, "arguments", read_arguments(call));
    return chat_send(chat, "tool_call", content);
}

static bool tell_result(struct parley_chat *chat, const struct completion_call *call, const char *text, bool is_error)
{
    json_object *content = json_object_new_object();
    chat_add(content, "id", call->id);
    chat_add(content, "name", call->name);
    chat_add(content, "content", text);
    json_object_object_add(content, "is_error", json_object_new_boolean(is_error));
    return chat_send(chat, "tool_result", content);
}

/* Puts a result where models and clients see it, as UTF-8: it is kept, and no provider would take the conversation with other bytes in it. */
static bool give_result(struct parley_chat *chat, const struct completion_call *call, const char *text, bool is_error)
{
    struct buf clean;
    buf_init(&clean, LIMIT_TOOL_RESULT_BYTES * 3);
    utf8_add_repaired(&clean, text, strlen(text));
    bool good = !buf_failed(&clean) && making_add_result(chat->making, call, clean.data, clean.len, is_error);
    good = good ? tell_result(chat, call, clean.data, is_error) : chat_note(chat, OUTCOME_NO_MEMORY);
    buf_free(&clean);
    return good;
}

/* Runs the tool that a call names. What goes wrong in it is for the model to read; false: the turn is over. */
static bool run_call(const struct toolbox *box, const struct completion_call *call)
{
    struct parley_chat *chat = box->chat;
    const struct parley_tool *tool = find_tool(box, call->name);
    if (!chat_goes_on(chat) || !tell_call(chat, call))
        return false;
    if (tool == NULL)
        return give_result(chat, call, "There is no such tool.", true);
    json_object *arguments = read_arguments(call);
    buf_clear(&chat->result);
    chat->in_tool = true;
    bool good = tool->call(chat, arguments, tool->arg);
    chat->in_tool = false;
    json_object_put(arguments);
    bool is_too_large = buf_failed(&chat->result);
    if (is_too_large)
        buf_clear(&chat->result);
    return give_result(chat, call, is_too_large ? "The result is too large." : chat->result.data, is_too_large || !good);
}

bool parley_result(struct parley_chat *chat, const char *text)
{
    if (!chat->in_tool) {
        log_error("parley_result() was called outside a tool");
        return false;
    }
    utf8_add_repaired(&chat->result, text, strlen(text));
    return !buf_failed(&chat->result);
}

bool parley_resultf(struct parley_chat *chat, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool good = chat_print(chat, parley_result, format, args);
    va_end(args);
    return good;
}

/* --- confirmation ------------------------------------------------------------------------------------------------- */

static bool ask_confirmation(struct parley_chat *chat, const struct parley_tool *tool, const struct completion_call *call)
{
    char id[CONFIRMATION_BYTES];
    if (!name_confirmation(parley_conversation(chat), call, id))
        return chat_note(chat, OUTCOME_NO_MEMORY);
    json_object *content = json_object_new_object(), *request = json_object_new_object();
    chat_add(request, "confirmation_id", id);
    chat_add(request, "tool_name", call->name);
    chat_add(request, "tool_description", describe(tool));
    json_object_object_add(request, "arguments", read_arguments(call));
    json_object_object_add(content, "confirmation_request", request);
    return chat_send(chat, "confirmation_request", content);
}

/* What the user has decided about a call: 1 do it, 0 do not, -1 nothing. */
static int find_decision(const struct parley_chat *chat, const struct completion_call *call)
{
    char id[CONFIRMATION_BYTES];
    json_object *list = json_at(chat->context, "tool_confirmations");
    if (!json_object_is_type(list, json_type_array) || !name_confirmation(parley_conversation(chat), call, id))
        return -1;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *decision = json_object_array_get_idx(list, i);
        const char *named = json_text(decision, "confirmation_id", NULL);
        if (named != NULL && strcmp(named, id) == 0)
            return json_object_get_boolean(json_at(decision, "confirmed")) ? 1 : 0;
    }
    return -1;
}

/* The message whose calls are open, at the end of the prompt; NULL: there is none. */
static const struct completion_message *find_open(const struct prompt *prompt)
{
    size_t i = prompt->count;
    while (i > 0 && prompt->messages[i - 1].role == COMPLETION_TOOL)
        i--;
    return i > 0 && prompt->messages[i - 1].call_count > 0 ? &prompt->messages[i - 1] : NULL;
}

/* A copy of the calls of a message that have no result yet. The list is the caller's; its texts belong to the message, where they stay when the prompt grows. */
static struct completion_call *open_calls(const struct prompt *prompt, size_t *count)
{
    const struct completion_message *message = find_open(prompt);
    *count = 0;
    struct completion_call *calls = mem_new(message != NULL ? message->call_count : 1, sizeof *calls);
    for (size_t i = 0; calls != NULL && message != NULL && i < message->call_count; i++)
        if (!prompt_has_result(prompt, message->calls[i].id))
            calls[(*count)++] = message->calls[i];
    return calls;
}

/* Makes the calls that the user has decided about. Others stay open, because a client may tell one decision at a time: *waits. When it has told none that belongs here, it is asked
   again. */
static bool follow_decisions(const struct toolbox *box, const struct completion_call *calls, size_t count, bool *waits)
{
    struct parley_chat *chat = box->chat;
    bool good = true;
    size_t decided = 0;
    for (size_t i = 0; i < count && good; i++) {
        int decision = find_tool(box, calls[i].name) != NULL ? find_decision(chat, &calls[i]) : 1; /* the model is told of a tool that is no more */
        decided += decision >= 0;
        if (decision == 1)
            good = run_call(box, &calls[i]);
        else if (decision == 0)
            good = give_result(chat, &calls[i], "The user has declined this call. It was not made.", true);
    }
    for (size_t i = 0; i < count && good && decided == 0; i++)
        good = ask_confirmation(chat, find_tool(box, calls[i].name), &calls[i]);
    *waits = decided < count;
    return good;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

/* Makes the calls that the model wants now. *waits: some need the user. */
static bool make_calls(const struct toolbox *box, const struct completion_call *calls, size_t count, bool *waits)
{
    struct parley_chat *chat = box->chat;
    bool good = true;
    *waits = false;
    for (size_t i = 0; i < count && good; i++) {
        const struct parley_tool *tool = find_tool(box, calls[i].name);
        if (tool == NULL || !tool->confirm) {
            good = run_call(box, &calls[i]);
            continue;
        }
        *waits = true;
        good = ask_confirmation(chat, tool, &calls[i]);
    }
    return good;
}

static bool run_rounds(const struct toolbox *box, const char *model, const struct completion_tool *offered)
{
    struct parley_chat *chat = box->chat;
    struct making *making = chat->making;
    for (int round = 0; round < LIMIT_TOOL_ROUNDS; round++) {
        chat->outcome = making_ask(making, model, offered, box->count, &chat->failure);
        if (chat->outcome != OUTCOME_OK)
            return false;
        if (making->result.call_count == 0)
            return true;
        if (!making_add_calls(making))
            return chat_note(chat, OUTCOME_NO_MEMORY);
        size_t count;
        bool waits = false;
        struct completion_call *calls = open_calls(&making->prompt, &count);
        bool good = calls != NULL ? make_calls(box, calls, count, &waits) : chat_note(chat, OUTCOME_NO_MEMORY);
        mem_free(calls);
        if (!good || waits)
            return false; /* when it waits for the user, with the outcome OK */
    }
    log_warning("a model wanted tools more than %d times for one answer", LIMIT_TOOL_ROUNDS);
    chat->outcome = fail(&chat->failure, OUTCOME_PROVIDER_ERROR, "The model went on calling tools without an end.");
    return false;
}

bool parley_answer_with_tools(struct parley_chat *chat, const char *model, const struct parley_tool tools[], size_t count)
{
    struct toolbox box = {chat, tools, count};
    struct prompt *prompt = &chat->making->prompt;
    if (!chat_goes_on(chat) || !chat_is_free(chat, "parley_answer_with_tools"))
        return false;
    struct completion_tool *offered = mem_new(count > 0 ? count : 1, sizeof *offered);
    size_t open_count = 0;
    bool may_be_open = prompt->count > 0 && prompt->messages[prompt->count - 1].role != COMPLETION_USER;
    struct completion_call *open = may_be_open ? open_calls(prompt, &open_count) : NULL;
    for (size_t i = 0; offered != NULL && i < count; i++)
        offered[i] = (struct completion_tool){tools[i].name, describe(&tools[i]), tools[i].schema != NULL ? tools[i].schema : COMPLETION_NO_ARGUMENTS};
    bool good = (offered != NULL && (open != NULL || !may_be_open)) || chat_note(chat, OUTCOME_NO_MEMORY);
    bool waits = false;
    if (good && open != NULL)
        good = follow_decisions(&box, open, open_count, &waits);
    good = good && !waits && run_rounds(&box, model, offered);
    mem_free(open);
    mem_free(offered);
    return good;
}
