/*
 * A fuzz target: the answer of a provider, in any bytes and any cuts, through one wire (WIRE, a macro: wire_openai, say). The first byte says how to cut the rest.
 *
 * Built with libFuzzer by `make fuzz`; with replay.c, which runs the seeds, by `make unit`. What is looked for: crashes, what the
 * sanitizers see, and cuts that change what is heard.
 */
#include "../../src/llm/reply.h"
#include "fuzz.h"

#ifndef PREPARE
#define PREPARE(bytes, len)
#endif

struct hearing {
    struct buf said[2]; /* text, reasoning */
    struct completion_result result;
    enum outcome outcome;
    bool ended;
};

static enum outcome take(void *arg, enum completion_event type, const char *text, size_t len)
{
    struct hearing *hearing = arg;
    insist(len > 0 && text != NULL); /* a sink is never given nothing */
    struct buf *said = &hearing->said[type == COMPLETION_REASONING];
    buf_add(said, text, len);
    return said->len < (1 << 20) ? OUTCOME_OK : OUTCOME_ANSWER_TOO_LONG;
}

static void hear(struct hearing *hearing, const uint8_t *bytes, size_t size, size_t step)
{
    static const struct wire_target target = {.provider = "fuzz", .model = "model", .version = ""};
    *hearing = (struct hearing){.result = {.usage = usage_none(), .cost = -1}};
    struct completion_sink sink = {.event = take, .arg = hearing};
    struct reply reply;
    buf_init(&hearing->said[0], SIZE_MAX / 4);
    buf_init(&hearing->said[1], SIZE_MAX / 4);
    reply_init(&reply, &WIRE, &target, &sink, &hearing->result);
    for (size_t at = 0; at < size && !reply.failed;) {
        size_t part = size - at < step ? size - at : step;
        char *piece = fuzz_bytes(bytes + at, part); /* of its own, so that a byte read beyond it is seen */
        bool go_on = WIRE.feed(&reply, piece, part);
        free(piece);
        at += part;
        if (!go_on)
            break;
    }
    if (!reply.failed)
        WIRE.end(&reply);
    (void)reply_collect_calls(&reply); /* false: no memory */
    hearing->ended = reply.ended;
    hearing->outcome = !reply.failed ? OUTCOME_OK : reply.outcome != OUTCOME_OK ? reply.outcome : reply.error.outcome;
    reply_free(&reply);
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Ids of calls are not compared: where a provider gives none, one is made up. */
static void compare(const struct hearing *a, const struct hearing *b)
{
    for (int i = 0; i < 2; i++)
        insist(a->said[i].len == b->said[i].len && memcmp(a->said[i].data, b->said[i].data, a->said[i].len) == 0);
    insist(a->outcome == b->outcome && a->ended == b->ended && a->result.call_count == b->result.call_count);
    insist(strcmp(a->result.finish_reason, b->result.finish_reason) == 0 && strcmp(a->result.model, b->result.model) == 0 && is_same(a->result.state, b->result.state));
    insist(a->result.usage.prompt_tokens == b->result.usage.prompt_tokens && a->result.usage.completion_tokens == b->result.usage.completion_tokens);
    for (size_t i = 0; i < a->result.call_count; i++)
        insist(is_same(a->result.calls[i].name, b->result.calls[i].name) && is_same(a->result.calls[i].arguments, b->result.calls[i].arguments));
}

static void end_hearing(struct hearing *hearing)
{
    buf_free(&hearing->said[0]);
    buf_free(&hearing->said[1]);
    completion_result_free(&hearing->result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct hearing cut, whole;
    size_t step = data[0] > 0 ? data[0] : SIZE_MAX;
    uint8_t *bytes = (uint8_t *)fuzz_bytes(data + 1, size - 1);
    log_set_level((enum log_level)(LOG_ERROR + 1));
    if (data[0] % 2 == 0) {
        PREPARE(bytes, size - 1);
    }
    hear(&cut, bytes, size - 1, step);
    if (step < size - 1 && step % 4 < 2) { /* half of them twice: it takes as long again */
        hear(&whole, bytes, size - 1, SIZE_MAX);
        compare(&cut, &whole);
        end_hearing(&whole);
    }
    end_hearing(&cut);
    free(bytes);
    return 0;
}
