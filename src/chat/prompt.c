/*
 * The window of prompt.h.
 */
#include "prompt.h"

#include <string.h>

#include "../base/buf.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../llm/tokens.h"
#include "../store/message.h"
#include "attachments.h"

struct reading {
    struct prompt *prompt;
    size_t room;
    bool failed;
};

static char *copy_bytes(const char *bytes, size_t len)
{
    char *copy = mem_new(1, len + 1);
    if (copy != NULL)
        memcpy(copy, bytes, len);
    return copy;
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

static void free_message(struct completion_message *message)
{
    attachments_free((struct completion_image *)message->images, message->image_count);
    mem_free((char *)message->content);
    mem_free((char *)message->reasoning);
    mem_free((char *)message->state);
    mem_free((char *)message->state_wire);
}

/* Rows come newest first. */
static void take_row(void *arg, const struct message *row)
{
    struct reading *reading = arg;
    struct prompt *prompt = reading->prompt;
    if (reading->failed || row->content_len == 0)
        return;
    enum completion_role role = strcmp(row->role, "user") == 0 ? COMPLETION_USER : COMPLETION_ASSISTANT;
    if (prompt->count > 0 && prompt->messages[prompt->count - 1].role == role) {
        reading->failed = !join(&prompt->messages[prompt->count - 1], row);
        return;
    }
    char *content = prompt->count < reading->room ? copy_bytes(row->content, row->content_len) : NULL;
    if (content != NULL)
        prompt->messages[prompt->count++] = (struct completion_message){.role = role, .content = content, .content_len = row->content_len};
    reading->failed = content == NULL || !keep_more(&prompt->messages[prompt->count - 1], row);
}

/* Takes the first `count` messages away. */
static void drop_first(struct prompt *prompt, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_message(&prompt->messages[i]);
    prompt->count -= count;
    memmove(prompt->messages, prompt->messages + count, prompt->count * sizeof *prompt->messages);
}

/* Where to begin when the messages before number `first` are too many: with the user, at `first` or later, because neither an answer nor the result of a tool is anything without what came
   before it; earlier where the user has not said anything since. */
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
    struct reading reading = {.prompt = prompt, .room = (size_t)settings.history_messages};
    *prompt = (struct prompt){.messages = mem_new(reading.room, sizeof *prompt->messages)};
    if (prompt->messages == NULL)
        return fail_no_memory(failure);
    enum outcome outcome = message_history(user, question, (int)reading.room, take_row, &reading, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (reading.failed)
        return fail_no_memory(failure);
    if (prompt->count == 0)
        return fail(failure, OUTCOME_NOT_FOUND, "The question was deleted.");
    for (size_t i = 0; i < prompt->count / 2; i++) { /* oldest first */
        struct completion_message other = prompt->messages[i];
        prompt->messages[i] = prompt->messages[prompt->count - 1 - i];
        prompt->messages[prompt->count - 1 - i] = other;
    }
    drop_first(prompt, find_start(prompt, 0));
    return OUTCOME_OK;
}

void prompt_free(struct prompt *prompt)
{
    for (size_t i = 0; i < prompt->count; i++)
        free_message(&prompt->messages[i]);
    mem_free(prompt->messages);
    *prompt = (struct prompt){0};
}
