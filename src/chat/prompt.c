/*
 * The window of prompt.h.
 */
#include "prompt.h"

#include <string.h>

#include "../base/buf.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../store/message.h"

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

/* Rows come newest first. */
static void take_row(void *arg, const struct message *row)
{
    struct reading *reading = arg;
    struct prompt *prompt = reading->prompt;
    if (reading->failed || row->content_len == 0)
        return;
    const char *role = strcmp(row->role, "user") == 0 ? "user" : "assistant";
    if (prompt->count > 0 && prompt->messages[prompt->count - 1].role == role) {
        reading->failed = !join(&prompt->messages[prompt->count - 1], row);
        return;
    }
    char *content = prompt->count < reading->room ? copy_bytes(row->content, row->content_len) : NULL;
    if (content != NULL)
        prompt->messages[prompt->count++] = (struct completion_message){role, content, row->content_len};
    reading->failed = content == NULL;
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
    if (prompt->count > 1 && strcmp(prompt->messages[0].role, "assistant") == 0) { /* a conversation begins with its user */
        mem_free((char *)prompt->messages[0].content);
        prompt->count--;
        memmove(prompt->messages, prompt->messages + 1, prompt->count * sizeof *prompt->messages);
    }
    return OUTCOME_OK;
}

void prompt_free(struct prompt *prompt)
{
    for (size_t i = 0; i < prompt->count; i++)
        mem_free((char *)prompt->messages[i].content);
    mem_free(prompt->messages);
    *prompt = (struct prompt){0};
}
