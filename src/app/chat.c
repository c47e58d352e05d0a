/*
 * What an application can learn and say in a turn, and what hooks say in it: see src/parley.h, which has the comments of the functions for authors, and chat.h. Tools are in
 * tools.c.
 */
#include "chat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/utf8.h"
#include "../chat/ask.h"
#include "../chat/event.h"
#include "../chat/state.h"
#include "../chat/title.h"
#include "../chat/titler.h"
#include "../llm/model.h"
#include "hook.h"

static json_object *object_or_empty(json_object *object)
{
    return json_object_is_type(object, json_type_object) ? json_object_get(object) : json_object_new_object();
}

void chat_begin(struct parley_chat *chat, struct making *making)
{
    *chat = (struct parley_chat){
        .making = making,
        .context = object_or_empty(making->turn->context),
        .user_settings = object_or_empty(json_at(making->turn->context, "user_settings")),
        .state = object_or_empty(making->state),
    };
    buf_init(&chat->result, LIMIT_TOOL_RESULT_BYTES);
}

enum outcome chat_end(struct parley_chat *chat, struct failure *failure)
{
    json_object_put(chat->context);
    json_object_put(chat->user_settings);
    json_object_put(chat->state);
    buf_free(&chat->result);
    if (chat->outcome == OUTCOME_OK && atomic_load(&chat->making->answer->stop))
        (void)fail(&chat->failure, chat->outcome = OUTCOME_STOPPED, "The answer was stopped.");
    if (chat->outcome != OUTCOME_OK)
        *failure = chat->failure;
    return chat->outcome;
}

bool chat_goes_on(struct parley_chat *chat)
{
    if (chat->is_refused || chat->outcome == OUTCOME_STOPPED)
        return false;
    if (atomic_load(&chat->making->answer->stop)) {
        chat->outcome = fail(&chat->failure, OUTCOME_STOPPED, "The answer was stopped.");
        return false;
    }
    chat->outcome = OUTCOME_OK;
    return true;
}

bool chat_is_free(struct parley_chat *chat, const char *function)
{
    if (!chat->in_tool)
        return true;
    log_error("%s() was called inside a tool", function);
    chat->outcome = fail(&chat->failure, OUTCOME_INTERNAL, "The application asked a model in the middle of a tool's call.");
    return false;
}

/* For what comes from the answer itself, which has no sentence of its own. */
bool chat_note(struct parley_chat *chat, enum outcome outcome)
{
    chat->outcome = outcome;
    if (outcome == OUTCOME_NO_MEMORY)
        (void)fail_no_memory(&chat->failure);
    else if (outcome == OUTCOME_ANSWER_TOO_LONG)
        (void)fail(&chat->failure, outcome, "The answer is longer than this server allows.");
    return outcome == OUTCOME_OK;
}

/* --- what is asked ------------------------------------------------------------------------------------------------ */

const char *parley_message(const struct parley_chat *chat)
{
    const struct making *making = chat->making;
    if (making->rewritten != NULL)
        return making->rewritten;
    return making->prompt.question != NULL ? making->prompt.question : making->turn->message;
}

/* The question itself is last in the prompt, unless it only confirms. */
size_t parley_history_count(const struct parley_chat *chat)
{
    const struct prompt *prompt = &chat->making->prompt;
    size_t count = prompt->count - (chat->making->steps != NULL ? json_object_array_length(chat->making->steps) - chat->making->steps_before : 0);
    return count > 0 && prompt->messages[count - 1].role == COMPLETION_USER ? count - 1 : count;
}

struct parley_past parley_history(const struct parley_chat *chat, size_t index)
{
    static const char *const roles[] = {[COMPLETION_USER] = "user", [COMPLETION_ASSISTANT] = "assistant", [COMPLETION_TOOL] = "tool"};
    const struct completion_message *message = &chat->making->prompt.messages[index];
    return (struct parley_past){roles[message->role], message->content};
}

const char *parley_user(const struct parley_chat *chat)
{
    return chat->making->turn->user_name;
}

const char *parley_conversation(const struct parley_chat *chat)
{
    return chat->making->answer->conversation;
}

const char *parley_timezone(const struct parley_chat *chat)
{
    const char *name = json_text(chat->context, "timezone", NULL);
    return name != NULL ? name : "";
}

json_object *parley_user_settings(const struct parley_chat *chat)
{
    return chat->user_settings;
}

json_object *parley_context(const struct parley_chat *chat)
{
    return chat->context;
}

json_object *parley_state(const struct parley_chat *chat)
{
    return chat->state;
}

bool parley_stopped(const struct parley_chat *chat)
{
    return atomic_load(&chat->making->answer->stop);
}

const char *parley_failure(const struct parley_chat *chat)
{
    return chat->outcome != OUTCOME_OK ? chat->failure.message : "";
}

/* --- what is answered --------------------------------------------------------------------------------------------- */

bool parley_text(struct parley_chat *chat, const char *text)
{
    if (!chat_goes_on(chat))
        return false;
    return chat_note(chat, answer_text(chat->making->answer, text, strlen(text)));
}

bool chat_print(struct parley_chat *chat, bool (*say)(struct parley_chat *chat, const char *text), const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *text = len >= 0 ? mem_new(1, (size_t)len + 1) : NULL;
    if (text != NULL)
        (void)vsnprintf(text, (size_t)len + 1, format, again);
    else if (chat_goes_on(chat))
        (void)chat_note(chat, OUTCOME_NO_MEMORY);
    va_end(again);
    bool good = text != NULL && say(chat, text);
    mem_free(text);
    return good;
}

bool parley_textf(struct parley_chat *chat, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool good = chat_print(chat, parley_text, format, args);
    va_end(args);
    return good;
}

void chat_add(json_object *object, const char *name, const char *value)
{
    json_object_object_add(object, name, value != NULL ? json_object_new_string(value) : NULL);
}

bool chat_send(struct parley_chat *chat, const char *type, json_object *content)
{
    if (!chat_goes_on(chat)) {
        json_object_put(content);
        return false;
    }
    return chat_note(chat, answer_event(chat->making->answer, type, content, true));
}

bool parley_event(struct parley_chat *chat, const char *type, json_object *content)
{
    struct failure wrong;
    if (!chat_goes_on(chat)) {
        json_object_put(content);
        return false;
    }
    if (event_check(type, content, &wrong) != OUTCOME_OK) {
        log_error("an event of the application was not sent: %s", wrong.message);
        json_object_put(content);
        chat->outcome = OUTCOME_INTERNAL;
        return fail(&chat->failure, OUTCOME_INTERNAL, "The application made an event that is not understood.") == OUTCOME_OK;
    }
    return chat_send(chat, type, content);
}

bool parley_reference(struct parley_chat *chat, const char *title, const char *text, const char *url)
{
    json_object *content = json_object_new_object();
    chat_add(content, "title", title);
    chat_add(content, "content", text);
    chat_add(content, "url", url);
    return parley_event(chat, "reference", content);
}

bool parley_image(struct parley_chat *chat, const char *id, const char *url)
{
    json_object *content = json_object_new_object();
    chat_add(content, "id", id);
    chat_add(content, "url", url);
    return parley_event(chat, "image", content);
}

bool parley_live_update(struct parley_chat *chat, const char *id, bool finished, const char *label, const char *description)
{
    json_object *content = json_object_new_object(), *said = json_object_new_object();
    chat_add(content, "update_id", id);
    chat_add(content, "type", finished ? "FINISH" : "START");
    chat_add(said, "label", label);
    chat_add(said, "description", description);
    json_object_object_add(content, "content", said);
    return parley_event(chat, "live_update", content);
}

bool parley_plan_item(struct parley_chat *chat, const char *id, const char *description, const char *status, const char *result)
{
    json_object *content = json_object_new_object(), *task = json_object_new_object();
    chat_add(task, "id", id);
    chat_add(task, "description", description);
    chat_add(task, "status", status);
    chat_add(task, "result", result);
    json_object_object_add(content, "task", task);
    return parley_event(chat, "plan_item", content);
}

bool parley_followups(struct parley_chat *chat, const char *const questions[], size_t count)
{
    json_object *content = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < count; i++)
        json_object_array_add(list, json_object_new_string(questions[i]));
    json_object_object_add(content, "messages", list);
    return parley_event(chat, "followup_messages", content);
}

bool parley_clear(struct parley_chat *chat)
{
    return parley_event(chat, "clear_message", json_object_new_object());
}

void parley_refuse(struct parley_chat *chat, const char *sentence)
{
    if (!chat_goes_on(chat))
        return;
    chat->is_refused = true;
    chat->outcome = fail(&chat->failure, OUTCOME_DECLINED, "%s", sentence);
}

bool parley_set_state(struct parley_chat *chat, json_object *state)
{
    const struct answer *answer = chat->making->answer;
    char signature[SIGN_BYTES];
    if (!chat_goes_on(chat)) {
        json_object_put(state);
        return false;
    }
    const char *json = json_object_is_type(state, json_type_object) ? json_write(state) : NULL;
    bool good = json != NULL && utf8_valid(json, strlen(json));
    if (!good || state_sign(chat->making->turn->user_name, answer->conversation, state, signature, &chat->failure) != OUTCOME_OK) {
        log_error("the state that the application wants to keep is no object, no UTF-8, too large, or cannot be signed");
        json_object_put(state);
        chat->outcome = fail(&chat->failure, OUTCOME_INTERNAL, "The application's state could not be kept.");
        return false;
    }
    json_object *content = json_object_new_object();
    json_object_put(chat->state);
    json_object_put(chat->making->state);
    chat->state = state;
    chat->making->state = json_object_get(state);
    json_object_object_add(content, "state", json_object_get(state));
    json_object_object_add(content, "signature", json_object_new_string(signature));
    return chat_send(chat, "state_update", content);
}

bool parley_title(struct parley_chat *chat, const char *title)
{
    char tidy[TITLE_BYTES];
    struct buf clean;
    size_t len = strlen(title);
    if (!chat_goes_on(chat))
        return false;
    buf_init(&clean, len * 3 + 1); /* U+FFFD has three bytes */
    utf8_add_repaired(&clean, title, len);
    bool good = chat_note(chat, buf_failed(&clean) ? OUTCOME_NO_MEMORY : OUTCOME_OK);
    if (good)
        title_make(clean.data, clean.len, tidy);
    buf_free(&clean);
    if (good && answer_is_stored(chat->making->answer))
        titler_set(chat->making->answer, tidy, NULL);
    return good;
}

/* --- models ------------------------------------------------------------------------------------------------------- */

bool parley_system(struct parley_chat *chat, const char *text)
{
    struct buf *system = &chat->making->system;
    if (!chat_goes_on(chat))
        return false;
    buf_add_text(system, system->len > 0 ? "\n\n" : "");
    utf8_add_repaired(system, text, strlen(text)); /* it may hold a file of the user's, say */
    return chat_note(chat, buf_failed(system) ? OUTCOME_NO_MEMORY : OUTCOME_OK);
}

bool parley_systemf(struct parley_chat *chat, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool good = chat_print(chat, parley_system, format, args);
    va_end(args);
    return good;
}

bool parley_rewrite(struct parley_chat *chat, const char *text)
{
    if (!chat_goes_on(chat))
        return false;
    return chat_note(chat, making_rewrite(chat->making, text) ? OUTCOME_OK : OUTCOME_NO_MEMORY);
}

bool parley_answer(struct parley_chat *chat, const char *model)
{
    struct making *making = chat->making;
    if (!chat_goes_on(chat) || !chat_is_free(chat, "parley_answer"))
        return false;
    chat->outcome = making_ask(making, model, NULL, 0, &chat->failure);
    return chat->outcome == OUTCOME_OK;
}

/* Asks for a text that is not shown, and counts what it used. */
static bool ask(struct parley_chat *chat, const struct completion_request *request, struct buf *said)
{
    struct completion_result result;
    chat->outcome = ask_text(request, &chat->making->answer->stop, said, &result, &chat->failure);
    if (result.provider != NULL) {
        struct usage usage = result.usage;
        usage.cost = result.cost >= 0 ? result.cost : model_cost(result.provider, result.model, &usage);
        if (!making_count(chat->making, &result, &usage))
            log_warning("what a question of the application used is not counted: out of memory");
    }
    completion_result_free(&result);
    return chat->outcome == OUTCOME_OK;
}

char *parley_ask(struct parley_chat *chat, const char *model, const char *system, const char *question)
{
    if (!chat_goes_on(chat))
        return NULL;
    struct buf said;
    struct completion_message message = {.role = COMPLETION_USER, .content = question, .content_len = strlen(question)};
    struct completion_request request = ask_request(model != NULL ? model : chat->making->turn->model, system, &message);
    buf_init(&said, LIMIT_ASKED_BYTES);
    char *text = ask(chat, &request, &said) ? buf_take(&said) : NULL;
    buf_free(&said);
    if (text == NULL && chat->outcome == OUTCOME_OK)
        text = mem_copy(""); /* it had nothing to say */
    if (text == NULL && chat->outcome == OUTCOME_OK)
        (void)chat_note(chat, OUTCOME_NO_MEMORY);
    return text;
}

void parley_free(char *text)
{
    mem_free(text);
}

/* A line of a list, without what lists begin with. */
static size_t trim_line(const char **line, size_t len)
{
    size_t skip = strspn(*line, " \t-*0123456789.)\"");
    if (skip > len)
        skip = len;
    *line += skip;
    len -= skip;
    while (len > 0 && strchr(" \t\r\"", (*line)[len - 1]) != NULL)
        len--;
    return len;
}

bool parley_ask_followups(struct parley_chat *chat, int count)
{
    static const char wish[] = "Suggest %d short questions that I could ask you next, in the language of our conversation. Write one per line and nothing else.";
    const struct answer *answer = chat->making->answer;
    if (!chat_goes_on(chat))
        return false;
    char question[sizeof wish + 16];
    struct buf said;
    size_t len;
    const char *text = answer_shown(answer, &len); /* only this thread adds to it */
    (void)snprintf(question, sizeof question, wish, count);
    struct completion_message messages[] = {
        {.role = COMPLETION_USER, .content = parley_message(chat), .content_len = strlen(parley_message(chat))}, /* as rewritten */
        {.role = COMPLETION_ASSISTANT, .content = text, .content_len = len},
        {.role = COMPLETION_USER, .content = question, .content_len = strlen(question)},
    };
    bool is_talk = messages[0].content_len > 0 && len > 0;
    struct completion_request request = ask_request(chat->making->turn->model, chat->making->system.data, is_talk ? messages : messages + 2);
    request.message_count = is_talk ? 3 : 1;
    buf_init(&said, LIMIT_ASKED_BYTES);
    bool good = ask(chat, &request, &said);
    json_object *content = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(content, "messages", list);
    for (const char *line = said.data; good && *line != '\0' && (int)json_object_array_length(list) < count;) {
        size_t whole = strcspn(line, "\n");
        const char *start = line;
        size_t kept = trim_line(&start, whole);
        if (kept > 0)
            json_object_array_add(list, json_object_new_string_len(start, (int)kept));
        line += whole + (line[whole] == '\n');
    }
    buf_free(&said);
    if (good && json_object_array_length(list) > 0)
        return parley_event(chat, "followup_messages", content);
    json_object_put(content);
    return good;
}

/* --- hooks -------------------------------------------------------------------------------------------------------- */

/* {message, history, user, context}: what a hook gets. */
static json_object *hook_input(const struct parley_chat *chat)
{
    json_object *input = json_object_new_object(), *history = json_object_new_array(), *user = NULL, *context = NULL;
    for (size_t i = 0; i < parley_history_count(chat); i++) {
        struct parley_past past = parley_history(chat, i);
        json_object *message = json_object_new_object();
        chat_add(message, "role", past.role);
        chat_add(message, "content", past.text);
        json_object_array_add(history, message);
    }
    if (parley_user(chat)[0] != '\0') {
        user = json_object_new_object();
        chat_add(user, "user_id", parley_user(chat));
    }
    if (json_object_deep_copy(chat->context, &context, NULL) != 0)
        context = json_object_new_object();
    chat_add(context, "conversation_id", parley_conversation(chat)[0] != '\0' ? parley_conversation(chat) : NULL);
    chat_add(context, "message_id", chat->making->answer->id);
    chat_add(input, "message", parley_message(chat));
    json_object_object_add(input, "history", history);
    json_object_object_add(input, "user", user);
    json_object_object_add(input, "context", context);
    return input;
}

/* What a hook answered. It is somebody else's: its events are checked. */
static bool take_line(void *arg, const struct hook_line *line)
{
    struct parley_chat *chat = arg;
    switch (line->action) {
    case HOOK_EVENT:
        return event_check(line->type, line->content, &chat->failure) == OUTCOME_OK ? chat_send(chat, line->type, json_object_get(line->content))
                                                                                    : (chat->outcome = OUTCOME_HOOK, false);
    case HOOK_REWRITE:
        return parley_rewrite(chat, line->text);
    case HOOK_SYSTEM:
        return parley_system(chat, line->text);
    case HOOK_REFUSE:
        parley_refuse(chat, line->text[0] != '\0' ? line->text : "This message is not answered.");
        return false;
    }
    return false;
}

enum outcome chat_run_hooks(struct parley_chat *chat)
{
    for (size_t i = 0; i < hook_count(); i++) {
        struct failure failure;
        json_object *input = hook_input(chat);
        enum outcome outcome = hook_run(i, input, &chat->making->answer->stop, take_line, chat, &failure);
        json_object_put(input);
        if (chat->outcome != OUTCOME_OK) {
            if (chat->outcome == OUTCOME_HOOK) {
                log_error("hook %zu made an event that is not understood: %s", i + 1, chat->failure.message);
                (void)fail(&chat->failure, OUTCOME_HOOK, "Hook %zu answered something that is not understood.", i + 1);
            }
            return chat->outcome;
        }
        if (outcome != OUTCOME_OK) {
            chat->failure = failure;
            return chat->outcome = outcome;
        }
    }
    return OUTCOME_OK;
}
