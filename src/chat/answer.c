/*
 * Running answers: see answer.h.
 */
#include "answer.h"

#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/counter.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "../http/response.h"
#include "../http/sse.h"
#include "dialect.h"
#include "ending.h"

struct answer *answer_new(const char *conversation, const char *id, const char *model)
{
    struct answer *answer = mem_new(1, sizeof *answer);
    if (answer == NULL)
        return NULL;
    atomic_store(&answer->references, 1);
    (void)snprintf(answer->conversation, sizeof answer->conversation, "%s", conversation);
    (void)snprintf(answer->id, sizeof answer->id, "%s", id);
    (void)snprintf(answer->asked_model, sizeof answer->asked_model, "%s", model);
    answer->created_s = clock_unix_ms() / 1000;
    answer->begun_ms = clock_mono_ms();
    answer->pos = 1; /* the `start` event has taken position 1 */
    answer->status = "streaming";
    buf_init(&answer->text, (size_t)settings.max_answer_bytes);
    buf_init(&answer->reasoning, (size_t)settings.max_answer_bytes);
    buf_init(&answer->events, LIMIT_EVENTS_BYTES);
    return answer;
}

void answer_hold(struct answer *answer)
{
    atomic_fetch_add(&answer->references, 1);
}

void answer_release(struct answer *answer)
{
    if (atomic_fetch_sub(&answer->references, 1) != 1)
        return;
    buf_free(&answer->text);
    buf_free(&answer->reasoning);
    buf_free(&answer->events);
    completion_result_free(&answer->result);
    mem_free(answer->calls);
    mem_free(answer->runs);
    mem_free(answer);
}

/* --- one client --------------------------------------------------------------------------------------------------- */

/* Takes a stream off its answer; the request has been finished or is finished by the caller. */
static void stream_free(struct stream *stream)
{
    struct answer *answer = stream->answer;
    struct stream **at = &answer->streams;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    if (answer->streams == NULL && answer->ticking) {
        loop_untick(&answer->tick);
        answer->ticking = false;
    }
    mem_free(stream->prefix);
    mem_free(stream->suffix);
    mem_free(stream);
    answer_release(answer);
}

static void stream_close(struct stream *stream)
{
    struct request *request = stream->request;
    stream_free(stream);
    request_finish(request);
}

/* Sends the next piece of the log. False: there is none. */
static bool send_next(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (stream->run == answer->run_count)
        return false;
    const struct run *run = &answer->runs[stream->run];
    if (run->kind == RUN_EVENT) {
        const char *name = answer->events.data + run->offset;
        stream->dialect->event(stream, name, name + strlen(name) + 1, run->pos + 1);
        stream->run++;
        return true;
    }
    const char *bytes = (run->kind == RUN_TEXT ? answer->text.data : answer->reasoning.data) + run->offset;
    if (run->kind == RUN_REASONING) {
        stream->dialect->reasoning(stream, bytes, run->len, run->pos + 1);
        stream->run++;
        return true;
    }
    size_t len = run->len - stream->offset;
    if (len > LIMIT_SSE_TEXT_BYTES)
        len = utf8_fit(bytes + stream->offset, LIMIT_SSE_TEXT_BYTES);
    if (len > 0)
        stream->dialect->text(stream, bytes + stream->offset, len, run->pos + (int64_t)(stream->offset + len));
    stream->offset += len;
    if (stream->offset < run->len)
        return true;
    if (stream->run + 1 == answer->run_count) /* the last run may still grow: stay at its end */
        return len > 0;
    stream->run++;
    stream->offset = 0;
    return true;
}

static bool is_at_end(const struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (stream->run == answer->run_count)
        return true;
    const struct run *run = &answer->runs[stream->run];
    return stream->run + 1 == answer->run_count && run->kind == RUN_TEXT && stream->offset == run->len;
}

void answer_name(const struct answer *answer, struct request *request)
{
    response_header(request, "Parley-Conversation", answer->conversation);
    response_header(request, "Parley-Message", answer->id);
}

/* A failure before anything was sent has a status of its own. True: the stream is closed. */
static bool refuse(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (!answer->ended || answer->failure.outcome == OUTCOME_OK || answer->text.len + answer->reasoning.len > 0)
        return false;
    answer_name(answer, stream->request);
    response_failure(stream->request, &answer->failure);
    stream_close(stream);
    return true;
}

static bool open_stream(struct stream *stream)
{
    stream->open = true;
    if (stream->dialect->open(stream))
        return true;
    struct failure failure;
    (void)fail_no_memory(&failure);
    response_failure(stream->request, &failure);
    stream_close(stream);
    return false;
}

/* Sends a client what it has not had yet, as far as its socket takes it. Closes it when all is said or it has gone: *stream may be freed. */
static void stream_pump(struct stream *stream, bool must_open)
{
    const struct answer *answer = stream->answer;
    if (!stream->open) {
        if (refuse(stream))
            return;
        if (!must_open && !answer->ended && answer->text.len + answer->reasoning.len == 0)
            return;
        if (!open_stream(stream))
            return;
        must_open = true;
    }
    bool sent = must_open;
    while (request_waiting(stream->request) == 0 && !request_is_gone(stream->request) && send_next(stream))
        sent = true;
    bool over = answer->ended && request_waiting(stream->request) == 0 && is_at_end(stream);
    if (over)
        stream->dialect->end(stream);
    if (sent || over) {
        sse_flush(stream->request);
        stream->last_sent_ms = loop_now_ms();
    }
    if (over || request_is_gone(stream->request))
        stream_close(stream);
}

static void client_drained(void *arg)
{
    stream_pump(arg, false);
}

static void client_gone(void *arg)
{
    struct stream *stream = arg;
    log_info("a client left the answer %s", stream->answer->id);
    counter_client_left();
    stream_close(stream);
}

/* Time: the head that must not wait longer, the ping after silence, the client that takes nothing. */
static void look_after(struct tick *tick, int64_t now_ms)
{
    enum { PROBE_MS = 1000 }; /* a client that has closed its side may be gone: two writes tell */
    struct answer *answer = tick->arg;
    answer_hold(answer); /* the last stream may go */
    for (struct stream *stream = answer->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        int64_t stalled = request_stalled_since(stream->request);
        int64_t silence_ms = request_is_doubtful(stream->request) && settings.heartbeat_ms > PROBE_MS ? PROBE_MS : settings.heartbeat_ms;
        if (stalled != 0 && now_ms - stalled >= settings.client_stall_ms) {
            client_gone(stream);
        } else if (!stream->open && now_ms - stream->attached_ms >= settings.header_hold_ms) {
            stream_pump(stream, true);
        } else if (stream->open && stalled == 0 && now_ms - stream->last_sent_ms >= silence_ms) {
            stream->dialect->ping(stream);
            sse_flush(stream->request);
            stream->last_sent_ms = now_ms;
            if (request_is_gone(stream->request))
                client_gone(stream);
        }
    }
    answer_release(answer);
}

struct attaching {
    struct answer *answer;
    struct stream *stream;
    struct task task;
};

static void attach(struct task *task)
{
    struct attaching *attaching = task->arg;
    struct answer *answer = attaching->answer;
    struct stream *stream = attaching->stream;
    mem_free(attaching);
    stream->attached_ms = stream->last_sent_ms = loop_now_ms();
    stream->next = answer->streams;
    answer->streams = stream;
    if (!answer->ticking) {
        answer->tick = (struct tick){.run = look_after, .arg = answer};
        loop_tick(&answer->tick);
        answer->ticking = true;
    }
    if (!request_attach(stream->request, (struct request_owner){.drained = client_drained, .gone = client_gone, .arg = stream}))
        stream_close(stream);
    else
        stream_pump(stream, false);
}

bool answer_attach(struct answer *answer, struct request *request, const struct dialect *dialect)
{
    struct attaching *attaching = mem_new(1, sizeof *attaching);
    struct stream *stream = mem_new(1, sizeof *stream);
    if (attaching == NULL || stream == NULL) {
        mem_free(attaching);
        mem_free(stream);
        return false;
    }
    *stream = (struct stream){.request = request, .answer = answer, .dialect = dialect};
    *attaching = (struct attaching){.answer = answer, .stream = stream, .task = {.run = attach, .arg = attaching}};
    answer_hold(answer); /* the stream's */
    loop_post(&attaching->task);
    return true;
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

static struct run *add_run(struct answer *answer, enum run_kind kind, size_t offset)
{
    if (answer->runs == NULL || answer->run_count == answer->run_room) {
        size_t room = answer->run_room > 0 ? answer->run_room * 2 : 4;
        struct run *runs = room <= LIMIT_ANSWER_RUNS ? mem_resize(answer->runs, room * sizeof *runs) : NULL;
        if (runs == NULL)
            return NULL;
        answer->runs = runs;
        answer->run_room = room;
    }
    struct run *run = &answer->runs[answer->run_count++];
    *run = (struct run){.kind = kind, .pos = answer->pos, .offset = offset};
    return run;
}

/* An append that does not fit must not cost what is there already. Repair at most triples the bytes. */
static enum outcome make_room(struct buf *buf, const char *text, size_t len)
{
    size_t most = utf8_valid(text, len) && memchr(text, 0, len) == NULL ? len : len * 3;
    if (most > buf->max - buf->len)
        return OUTCOME_ANSWER_TOO_LONG;
    return buf_reserve(buf, most) ? OUTCOME_OK : OUTCOME_NO_MEMORY;
}

static enum outcome add_event(void *arg, enum completion_event type, const char *text, size_t len)
{
    struct answer *answer = arg;
    struct buf *buf = type == COMPLETION_TEXT ? &answer->text : &answer->reasoning;
    size_t before = buf->len;
    enum outcome outcome = make_room(buf, text, len);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (answer->text.len + answer->reasoning.len == 0)
        counter_time(COUNTER_FIRST_TOKEN_TIME, loop_now_ms() - answer->begun_ms);
    struct run *last = answer->run_count > 0 ? &answer->runs[answer->run_count - 1] : NULL;
    if (last == NULL || type != COMPLETION_TEXT || last->kind != RUN_TEXT)
        last = add_run(answer, type == COMPLETION_TEXT ? RUN_TEXT : RUN_REASONING, before);
    if (last == NULL)
        return answer->run_count >= LIMIT_ANSWER_RUNS ? OUTCOME_ANSWER_TOO_LONG : OUTCOME_NO_MEMORY;
    utf8_add_repaired(buf, text, len);
    last->len += buf->len - before;
    answer->pos += type == COMPLETION_TEXT ? (int64_t)(buf->len - before) : 1;
    return OUTCOME_OK;
}

static void pump_all(void *arg)
{
    struct answer *answer = arg;
    for (struct stream *stream = answer->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        stream_pump(stream, false);
    }
}

/* --- other events ------------------------------------------------------------------------------------------------- */

struct event_call {
    struct answer *answer;
    const char *name, *json;
};

static void add_other(void *arg)
{
    const struct event_call *call = arg;
    struct answer *answer = call->answer;
    struct buf *events = &answer->events;
    size_t before = events->len, len = strlen(call->name) + strlen(call->json) + 2;
    struct run *run = buf_reserve(events, len) ? add_run(answer, RUN_EVENT, before) : NULL;
    if (run == NULL) {
        log_warning("an event of answer %s was left out: there is no room for it", answer->id);
        return;
    }
    buf_add(events, call->name, strlen(call->name) + 1);
    buf_add(events, call->json, strlen(call->json) + 1);
    run->len = len;
    answer->pos += 1;
    pump_all(answer);
}

void answer_event(struct answer *answer, const char *name, json_object *content)
{
    struct event_call call = {answer, name, json_write(content)};
    if (call.json != NULL)
        loop_call(add_other, &call);
    json_object_put(content);
}

/* Who asked for one model is told that another one answers. */
static void tell_fallback(void *arg, const char *from, const char *to)
{
    char text[2 * LIMIT_MODEL_NAME_BYTES + 64];
    (void)snprintf(text, sizeof text, "%s did not answer; %s was asked.", from, to);
    json_object *content = json_object_new_object(), *said = json_object_new_object();
    json_object_object_add(content, "update_id", json_object_new_string("model"));
    json_object_object_add(content, "type", json_object_new_string("FINISH"));
    json_object_object_add(said, "label", json_object_new_string("Another model answers"));
    json_object_object_add(said, "description", json_object_new_string(text));
    json_object_object_add(content, "content", said);
    answer_event(arg, "live_update", content);
}

struct completion_sink answer_sink(struct answer *answer)
{
    return (struct completion_sink){.event = add_event, .batch = pump_all, .fallback = tell_fallback, .arg = answer};
}

struct end_call {
    struct answer *answer;
    const struct ending *ending;
};

static void end(void *arg)
{
    const struct end_call *call = arg;
    struct answer *answer = call->answer;
    answer->ended = true;
    answer->status = call->ending->status;
    answer->result = call->ending->result;
    answer->failure = call->ending->failure;
    answer->calls = call->ending->calls;
    pump_all(answer);
}

void answer_end(struct answer *answer, const struct ending *ending)
{
    struct end_call call = {answer, ending};
    loop_call(end, &call); /* the caller's reference keeps the answer */
}
