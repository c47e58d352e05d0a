/*
 * The window of prompt.h.
 */
#include "prompt.h"

#include <string.h>

#include "../base/buf.h"
#include "../base/json.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../llm/tokens.h"
#include "../store/message.h"
#include "attachments.h"
#include "steps.h"

struct reading {
    struct prompt *prompt; /* newest first, until all is read */
    bool failed;
    bool is_question;     /* the next row is the question itself … */
    bool is_confirmation; /* … which has neither text nor images: it confirms calls of the answer before it */
};

static char *copy_bytes(const char *bytes, size_t len)
{
    char *copy = mem_new(1, len + 1);
    if (copy != NULL)
        memcpy(copy, bytes, len);
    return copy;
}

bool prompt_add(struct prompt *prompt, struct completion_message *message)
{
    enum { ROOM = 24 };
    if (prompt->messages == NULL || prompt->count == prompt->room) {
        size_t room = prompt->room > 0 ? prompt->room * 2 : ROOM;
        struct completion_message *messages = mem_resize(prompt->messages, room * sizeof *messages);
        if (messages == NULL) {
            step_free(message);
            return false;
        }
        prompt->messages = messages;
        prompt->room = room;
    }
    prompt->messages[prompt->count++] = *message;
    return true;
}

/* Puts an older message before one of the same role. */
static bool join(struct completion_message *message, const struct message *older)
{
    struct buf both;
    buf_init(&both, older->content_len + message->content_len + 2);
    buf_add(&both, older->content, older->content_len);
    buf_add_text(&both, "\n\n");
    buf_add(&both, message->content, message->content_len);
    size_t len = both.len;
    char *content = buf_take(&both);
    buf_free(&both);
    if (content == NULL)
        return false;
    mem_free((char *)message->content);
    message->content = content;
    message->content_len = len;
    return true;
}

/* What belongs to a message beside its text: images of a question, and what the provider wants back with an answer of its own. */
static bool keep_more(struct completion_message *message, const struct message *row)
{
    struct completion_image *images;
    if (row->attachments != NULL) {
        bool good = attachments_read(row->attachments, &images, &message->image_count);
        message->images = images;
        if (!good)
            return false;
    }
    if (row->reasoning != NULL && (message->reasoning = mem_copy(row->reasoning)) == NULL)
        return false;
    if (row->state == NULL || row->state_wire == NULL)
        return true;
    message->state = mem_copy(row->state);
    message->state_wire = mem_copy(row->state_wire);
    return message->state != NULL && message->state_wire != NULL;
}

/* The results of tools that stand last so far: those of the calls of the message that comes next. */
static size_t last_results(const struct prompt *prompt)
{
    size_t count = 0;
    while (count < prompt->count && prompt->messages[prompt->count - 1 - count].role == COMPLETION_TOOL)
        count++;
    return count;
}

bool prompt_has_result(const struct prompt *prompt, const char *call_id)
{
    for (size_t i = prompt->count; i > 0 && prompt->messages[i - 1].role == COMPLETION_TOOL; i--)
        if (strcmp(prompt->messages[i - 1].call_id, call_id) == 0)
            return true;
    return false;
}

/* Each call that has no result gets one, or no provider would take the conversation. */
static bool close_calls(struct prompt *prompt, const struct completion_message *caller)
{
    static const char said[] = "This call was not made: the user has not confirmed it, or has stopped the answer before.";
    for (size_t i = caller->call_count; i > 0; i--) {
        const struct completion_call *call = &caller->calls[i - 1];
        if (prompt_has_result(prompt, call->id))
            continue;
        struct completion_message result = {.role = COMPLETION_TOOL, .content = mem_copy(said), .content_len = sizeof said - 1,
                                            .call_id = mem_copy(call->id), .call_name = mem_copy(call->name), .is_error = true};
        bool good = result.content != NULL && result.call_id != NULL && result.call_name != NULL;
        if (!good)
            step_free(&result);
        if (!good || !prompt_add(prompt, &result))
            return false;
    }
    return true;
}

/* The steps of an answer, the last first. `is_open`: its last calls are about to be confirmed. */
static bool take_steps(struct prompt *prompt, json_object *steps, bool is_open)
{
    for (size_t i = json_object_array_length(steps); i > 0; i--) {
        struct completion_message message;
        if (!step_read(json_object_array_get_idx(steps, i - 1), &message))
            return false;
        bool is_nothing = message.role == COMPLETION_ASSISTANT && message.call_count == 0 && message.content_len == 0;
        bool is_pending = is_open && last_results(prompt) == prompt->count;
        bool good = message.call_count == 0 || is_pending || close_calls(prompt, &message);
        if (is_nothing || !good)
            step_free(&message);
        if (!good || (!is_nothing && !prompt_add(prompt, &message)))
            return false;
    }
    return true;
}

/* Takes a row that is a text, in other words if there are any. */
static void take_text(struct reading *reading, const struct message *row, const char *other)
{
    struct prompt *prompt = reading->prompt;
    struct message said = *row;
    if (other != NULL) {
        said.content = other;
        said.content_len = strlen(other);
    }
    if (said.content_len == 0 && row->attachments == NULL)
        return;
    enum completion_role role = strcmp(row->role, "user") == 0 ? COMPLETION_USER : COMPLETION_ASSISTANT;
    struct completion_message *newer = prompt->count > 0 ? &prompt->messages[prompt->count - 1] : NULL;
    if (newer != NULL && newer->role == role && newer->call_count == 0 && said.content_len > 0) {
        reading->failed = !join(newer, &said);
        return;
    }
    struct completion_message message = {.role = role, .content = copy_bytes(said.content, said.content_len), .content_len = said.content_len};
    reading->failed = message.content == NULL || !keep_more(&message, row);
    if (reading->failed)
        step_free(&message);
    else
        reading->failed = !prompt_add(prompt, &message);
}

/* Rows come newest first. */
static void take_row(void *arg, const struct message *row)
{
    struct reading *reading = arg;
    struct prompt *prompt = reading->prompt;
    enum completion_role role = strcmp(row->role, "user") == 0 ? COMPLETION_USER : COMPLETION_ASSISTANT;
    bool is_confirmation = reading->is_confirmation, is_question = reading->is_question && role == COMPLETION_USER;
    if (reading->is_question)
        reading->is_confirmation = row->content_len == 0 && row->attachments == NULL;
    reading->is_question = false;
    if (is_question)
        reading->failed = (prompt->question = copy_bytes(row->content, row->content_len)) == NULL;
    if (reading->failed)
        return;
    if (role == COMPLETION_ASSISTANT && row->app_state != NULL && prompt->app_state == NULL && (prompt->app_state = mem_copy(row->app_state)) == NULL) {
        reading->failed = true;
        return;
    }
    json_object *steps = row->steps != NULL && !is_question ? json_read_loose(row->steps, strlen(row->steps)) : NULL;
    if (json_object_is_type(steps, json_type_array) && json_object_array_length(steps) > 0) {
        if (role == COMPLETION_USER)
            take_text(reading, row, json_text(json_object_array_get_idx(steps, 0), "content", NULL)); /* words that stand for the user's */
        else
            reading->failed = !take_steps(prompt, steps, is_confirmation);
        json_object_put(steps);
        return;
    }
    json_object_put(steps);
    take_text(reading, row, NULL);
}

/* Takes the first `count` messages away. */
static void drop_first(struct prompt *prompt, size_t count)
{
    if (count == 0)
        return;
    for (size_t i = prompt->borrowed; i < count; i++)
        step_free(&prompt->messages[i]);
    prompt->borrowed -= count < prompt->borrowed ? count : prompt->borrowed;
    prompt->count -= count;
    memmove(prompt->messages, prompt->messages + count, prompt->count * sizeof *prompt->messages);
}

/* Where to begin when the messages before number `first` are too many: with the user, at `first` or later, because neither an answer nor the result of a tool is anything without
   what came before it; earlier where the user has not said anything since. */
static size_t find_start(const struct prompt *prompt, size_t first)
{
    for (size_t i = first; i < prompt->count; i++)
        if (prompt->messages[i].role == COMPLETION_USER)
            return i;
    for (size_t i = first; i > 0; i--)
        if (prompt->messages[i - 1].role == COMPLETION_USER)
            return i - 1;
    return 0;
}

enum { MESSAGE_TOKENS = 4 /* around each message: role and marks */, IMAGE_TOKENS = 1000 /* between 85 and 1,600, by vendor and size */ };

static int64_t tokens_of(const struct completion_message *message)
{
    int64_t sum = MESSAGE_TOKENS + tokens_estimate(message->content, message->content_len) + (int64_t)message->image_count * IMAGE_TOKENS;
    for (size_t i = 0; i < message->call_count; i++)
        sum += tokens_estimate(message->calls[i].name, strlen(message->calls[i].name)) + tokens_estimate(message->calls[i].arguments, strlen(message->calls[i].arguments));
    return sum;
}

int64_t prompt_tokens(const struct prompt *prompt)
{
    int64_t sum = 0;
    for (size_t i = 0; i < prompt->count; i++)
        sum += tokens_of(&prompt->messages[i]);
    return sum;
}

/* Keeps the newest messages that fit, the last one in any case. */
static void keep_newest(struct prompt *prompt, int64_t tokens)
{
    int64_t sum = 0;
    size_t first = prompt->count;
    while (first > 0 && (first == prompt->count || sum + tokens_of(&prompt->messages[first - 1]) <= tokens))
        sum += tokens_of(&prompt->messages[--first]);
    drop_first(prompt, find_start(prompt, first));
}

void prompt_fit(struct prompt *prompt, int64_t context, int64_t reserved)
{
    if (context <= 0)
        return;
    int64_t room = context - reserved > context / 2 ? context - reserved : context / 2;
    if (prompt_tokens(prompt) > room)
        keep_newest(prompt, room);
}

bool prompt_halve(struct prompt *prompt)
{
    size_t before = prompt->count;
    keep_newest(prompt, prompt_tokens(prompt) / 2);
    return prompt->count < before;
}

enum outcome prompt_read(struct prompt *prompt, int64_t user, const char *question, struct failure *failure)
{
    struct reading reading = {.prompt = prompt, .is_question = true};
    *prompt = (struct prompt){0};
    enum outcome outcome = message_history(user, question, (int)settings.history_messages, take_row, &reading, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (reading.failed)
        return fail_no_memory(failure);
    if (reading.is_question)
        return fail(failure, OUTCOME_NOT_FOUND, "The question was deleted.");
    for (size_t i = 0; i < prompt->count / 2; i++) { /* oldest first */
        struct completion_message other = prompt->messages[i];
        prompt->messages[i] = prompt->messages[prompt->count - 1 - i];
        prompt->messages[prompt->count - 1 - i] = other;
    }
    drop_first(prompt, find_start(prompt, 0));
    return OUTCOME_OK;
}

enum outcome prompt_borrow(struct prompt *prompt, const struct completion_message *messages, size_t count, struct failure *failure)
{
    *prompt = (struct prompt){.messages = mem_new(count + 1, sizeof *messages), .count = count, .room = count + 1, .borrowed = count};
    if (prompt->messages == NULL) {
        *prompt = (struct prompt){0};
        return fail_no_memory(failure);
    }
    memcpy(prompt->messages, messages, count * sizeof *messages);
    drop_first(prompt, find_start(prompt, 0)); /* a greeting, say */
    return OUTCOME_OK;
}

void prompt_rewrite_last(struct prompt *prompt, char *text)
{
    struct completion_message *last = &prompt->messages[prompt->count - 1];
    if (prompt->count > prompt->borrowed) {
        mem_free((char *)last->content);
    } else {
        mem_free(prompt->rewritten);
        prompt->rewritten = text;
    }
    last->content = text;
    last->content_len = strlen(text);
}

void prompt_free(struct prompt *prompt)
{
    for (size_t i = prompt->borrowed; i < prompt->count; i++)
        step_free(&prompt->messages[i]);
    mem_free(prompt->messages);
    mem_free(prompt->question);
    mem_free(prompt->rewritten);
    mem_free(prompt->app_state);
    *prompt = (struct prompt){0};
}
