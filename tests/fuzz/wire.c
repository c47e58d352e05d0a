/*
 * A fuzz target: the answer of a provider, in any bytes and any cuts, through one wire (WIRE, a macro: wire_openai, say). The first byte says how to cut the rest.
 *
 * Built with libFuzzer by `make fuzz`; with replay.c, which runs the seeds, by `make unit`. What is looked for: crashes, and what the sanitizers see.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/log.h"
#include "../../src/llm/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum outcome take(void *arg, enum completion_event type, const char *text, size_t len)
{
    size_t *taken = arg;
    (void)type;
    if (len == 0 || text == NULL)
        abort(); /* a sink is never given nothing */
    *taken += len;
    return *taken < (1 << 20) ? OUTCOME_OK : OUTCOME_ANSWER_TOO_LONG;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wire_target target = {.provider = "fuzz", .model = "model", .version = ""};
    size_t taken = 0, step = size > 0 && data[0] > 0 ? data[0] : SIZE_MAX;
    struct completion_sink sink = {.event = take, .arg = &taken};
    struct completion_result result = {.usage = usage_none(), .cost = -1};
    struct reply reply;
    log_set_level((enum log_level)(LOG_ERROR + 1));
    reply_init(&reply, &WIRE, &target, &sink, &result);
    for (size_t at = 1; at < size && !reply.failed;) {
        size_t part = size - at < step ? size - at : step;
        char *piece = malloc(part); /* of its own, so that a byte read beyond it is seen */
        if (piece == NULL)
            break;
        memcpy(piece, data + at, part);
        bool go_on = WIRE.feed(&reply, piece, part);
        free(piece);
        at += part;
        if (!go_on)
            break;
    }
    if (!reply.failed)
        WIRE.end(&reply);
    (void)reply_collect_calls(&reply); /* false: no memory */
    reply_free(&reply);
    completion_result_free(&result);
    return 0;
}
