/*
 * See ask.h.
 */
#include "ask.h"

#include "../base/settings.h"
#include "../base/utf8.h"

static enum outcome take_event(void *arg, enum completion_event type, const char *text, size_t len)
{
    struct buf *answer = arg;
    if (type == COMPLETION_TEXT)
        utf8_add_repaired(answer, text, len);
    return buf_failed(answer) ? OUTCOME_ANSWER_TOO_LONG : OUTCOME_OK;
}

static void ignore_batch(void *arg)
{
    (void)arg;
}

struct completion_request ask_request(const char *model, const char *system, const struct completion_message *message)
{
    return (struct completion_request){
        .model = model,
        .system = system,
        .messages = message,
        .message_count = 1,
        .temperature = settings.temperature,
        .max_tokens = settings.max_tokens,
        .seed = COMPLETION_NO_SEED,
    };
}

enum outcome ask_text(const struct completion_request *request, const atomic_bool *cancel, struct buf *answer, struct completion_result *result, struct failure *failure)
{
    struct completion_sink sink = {.event = take_event, .batch = ignore_batch, .arg = answer};
    return completion_run(request, &sink, cancel, result, failure);
}
