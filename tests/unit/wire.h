/*
 * What the tests of all wires share: a request as JSON text, and what comes of an answer, whole, byte by byte, at every split, cut off anywhere.
 */
#ifndef PARLEY_UNIT_WIRE_H
#define PARLEY_UNIT_WIRE_H

#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/llm/reply.h"
#include "../../src/llm/wire.h"

/* --- requests --------------------------------------------------------------------------------------------------------------- */

/* Writes a request; "PATH\nHEADERS\nBODY", or "refused: " and the sentence. Checks that the body is JSON. Good until the next call. */
static inline const char *written(const struct wire *wire, const struct completion_request *request, struct wire_target target, struct wire_without without)
{
    static char text[256 * 1024];
    struct wire_call call;
    struct failure failure = {0};
    const char *why = NULL;
    if (target.provider == NULL)
        target.provider = wire->name;
    if (target.version == NULL)
        target.version = "";
    buf_init(&call.path, 4096);
    buf_init(&call.headers, 4096);
    buf_init(&call.body, sizeof text / 2);
    enum outcome outcome = wire->write(&call, request, &target, &without, &failure);
    if (outcome != OUTCOME_OK) {
        (void)snprintf(text, sizeof text, "refused: %s", failure.message);
        assert_int_equal(outcome, failure.outcome);
    } else {
        json_object_put(json_read(call.body.data, call.body.len, &why));
        assert_null(why);
        (void)snprintf(text, sizeof text, "%s\n%s\n%s", call.path.data, call.headers.data, call.body.data);
    }
    buf_free(&call.path);
    buf_free(&call.headers);
    buf_free(&call.body);
    return text;
}

/* Only the body of it. */
static inline const char *body_written(const struct wire *wire, const struct completion_request *request, struct wire_target target)
{
    const char *text = written(wire, request, target, (struct wire_without){0});
    const char *body = strstr(text, "\n{");
    return body != NULL ? body + 1 : text;
}

/* A request with these messages and nothing special. */
#define REQUEST(list) .messages = (list), .message_count = sizeof(list) / sizeof *(list), .temperature = 0.5, .max_tokens = 100, .seed = COMPLETION_NO_SEED

/* --- answers ------------------------------------------------------------------------------------------------------------------ */

struct listening {
    struct reply reply;
    struct completion_result result;
    struct buf said; /* text as it is, reasoning in <…> */
    bool thinking;
    size_t most; /* bytes that the sink takes */
};

static inline enum outcome listening_take(void *arg, enum completion_event type, const char *text, size_t len)
{
    struct listening *to = arg;
    assert_true(len > 0);
    bool thinking = type == COMPLETION_REASONING;
    if (thinking != to->thinking)
        buf_add_char(&to->said, thinking ? '<' : '>');
    to->thinking = thinking;
    buf_add(&to->said, text, len);
    return to->said.len <= to->most ? OUTCOME_OK : OUTCOME_ANSWER_TOO_LONG;
}

static inline bool listening_feed(void *arg, const char *bytes, size_t len)
{
    struct listening *to = arg;
    return to->reply.wire->feed(&to->reply, bytes, len);
}

/* All that matters about a reply, in one line: TEXT|ended or open, failure, model, finish, usage, calls as name(id,arguments), state. */
static inline const char *summary_of(const struct wire *wire, const struct cut *cut, const char *bytes, size_t len, size_t most)
{
    static char text[64 * 1024];
    static const struct wire_target target = {.provider = "test", .model = "asked", .version = ""};
    struct listening to = {.most = most};
    struct completion_sink sink = {.event = listening_take, .arg = &to};
    to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
    buf_init(&to.said, 1 << 20);
    reply_init(&to.reply, wire, &target, &sink, &to.result);
    cut_feed(cut, bytes, len, listening_feed, &to);
    if (!to.reply.failed)
        wire->end(&to.reply);
    const struct usage *usage = &to.result.usage;
    char counted[100] = "";
    if (usage->prompt_tokens >= 0 || usage->completion_tokens >= 0)
        (void)snprintf(counted, sizeof counted, " usage=%d+%d,%d,%d", (int)usage->prompt_tokens, (int)usage->completion_tokens, (int)usage->cached_tokens,
                       (int)usage->reasoning_tokens);
    (void)snprintf(text, sizeof text, "%s|%s%s model=%s finish=%s%s", to.said.data, to.reply.ended ? "ended" : "open",
                   to.reply.failed ? " failed:" : "", to.result.model, to.result.finish_reason, counted);
#define MORE(...) (void)snprintf(text + strlen(text), sizeof text - strlen(text), __VA_ARGS__)
    if (to.reply.failed)
        MORE(" outcome=%s said=%s", outcome_code(to.reply.outcome), to.reply.error.message);
    assert_true(reply_collect_calls(&to.reply));
    for (size_t i = 0; i < to.result.call_count; i++) {
        const struct completion_call *call = &to.result.calls[i];
        MORE(" %s(%s,%s%s%s)", call->name, call->id, call->arguments, call->state != NULL ? "," : "", call->state != NULL ? call->state : "");
    }
    if (to.result.cost >= 0)
        MORE(" cost=%g", to.result.cost);
    if (to.result.state != NULL)
        MORE(" state=%s", to.result.state);
#undef MORE
    reply_free(&to.reply);
    completion_result_free(&to.result);
    buf_free(&to.said);
    return text;
}

/* The answer comes out as wanted, however it is cut. */
static inline void assert_reply(const struct wire *wire, const char *bytes, size_t len, const char *wanted)
{
    EACH_CUT(cut, len) {
        const char *got = summary_of(wire, &cut, bytes, len, 1 << 20);
        if (strcmp(got, wanted) != 0)
            print_error("cut number %zu of %.300s\n", cut.number, bytes);
        assert_string_equal(got, wanted);
    }
}

/* Every beginning of an answer, fed whole: it never says that it has ended before `least` bytes. */
static inline void assert_open_before(const struct wire *wire, const char *bytes, size_t least)
{
    for (size_t len = 0; len < least; len++) {
        const char *got = summary_of(wire, &(struct cut){.first = len, .step = len + 1}, bytes, len, 1 << 20);
        if (strstr(got, "|ended") != NULL)
            print_error("ended after %zu bytes: %s\n", len, got);
        assert_null(strstr(got, "|ended"));
    }
}

/* Bytes that mean nothing, and a good answer with bytes changed: whatever comes of it, it comes without a crash. */
static inline void survive_garbage(const struct wire *wire, const char *good, size_t len)
{
    static char bytes[64 * 1024];
    uint64_t seed = 88172645463325252;
    for (int round = 0; round < 3000; round++) {
        size_t n = len < sizeof bytes ? len : sizeof bytes;
        memcpy(bytes, good, n);
        for (uint32_t changes = unit_random(&seed) % 8 + 1; changes > 0 && n > 0; changes--)
            bytes[unit_random(&seed) % n] = (char)unit_random(&seed);
        n = unit_random(&seed) % 4 == 0 ? unit_random(&seed) % (n + 1) : n;
        (void)summary_of(wire, &(struct cut){.first = unit_random(&seed) % (n + 1), .step = unit_random(&seed) % 40 + 1}, bytes, n, 1 << 20);
    }
}

#endif
