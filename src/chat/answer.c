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

struct answer *answer_new(const struct answer_birth *birth)
{
    struct answer *answer = mem_new(1, sizeof *answer);
    if (answer == NULL)
        return NULL;
    if (birth->title != NULL && (answer->title = mem_copy(birth->title)) == NULL) {
        mem_free(answer);
        return NULL;
    }
    atomic_store(&answer->references, 1);
    (void)snprintf(answer->conversation, sizeof answer->conversation, "%s", birth->conversation);
    (void)snprintf(answer->id, sizeof answer->id, "%s", birth->id);
    (void)snprintf(answer->asked_model, sizeof answer->asked_model, "%s", birth->model);
    answer->user = birth->user;
    answer->has_client_id = birth->client_id != NULL;
    answer->stop_when_left = birth->stop_when_left;
    answer->created_s = clock_unix_ms() / 1000;
    answer->begun_ms = clock_mono_ms();
    answer->pos = 1; /* the `start` event has taken position 1 */
    answer->status = "streaming";
    answer->usage = usage_none();
    buf_init(&answer->text, (size_t)settings.max_answer_bytes);
    buf_init(&answer->reasoning, (size_t)settings.max_answer_bytes);
    buf_init(&answer->events, LIMIT_EVENTS_BYTES);
    return answer;
}

bool answer_is_stored(const struct answer *answer)
{
    return answer->conversation[0] != '\0';
}

void answer_stop(struct answer *answer, enum stop_why why)
{
    int not_yet = STOP_NOT;
    (void)atomic_compare_exchange_strong(&answer->stop_why, &not_yet, (int)why); /* the first reason counts */
    atomic_store(&answer->stop, true);
}

const char *answer_shown(const struct answer *answer, size_t *len)
{
    *len = answer->text.len - answer->shown_text;
    return answer->text.data + answer->shown_text;
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
    mem_free(answer->used);
    for (size_t i = 0; i < sizeof answer->kept / sizeof answer->kept[0]; i++)
        mem_free(answer->kept[i]);
    mem_free(answer->title);
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
    loop_timer(&stream->pace, INT64_MAX);
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

/* Whether text must wait, because the last was said a moment ago and the clients of this dialect need longer for it; a timer then goes on. Text that comes after silence never
   waits. */
static bool must_wait(struct stream *stream)
{
    int64_t due_ms = stream->last_text_ms + stream->dialect->pace_ms;
    if (stream->dialect->pace_ms == 0 || stream->last_text_ms == 0 || due_ms <= loop_now_ms() || stream->answer->ended)
        return false;
    if (stream->pace.due_ms == INT64_MAX)
        loop_timer(&stream->pace, due_ms);
    return true;
}

/* Sends the next piece of the log. False: there is none, or not yet. */
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
    if (len > 0 && must_wait(stream))
        return false;
    if (len > 0) {
        stream->dialect->text(stream, bytes + stream->offset, len, run->pos + (int64_t)(stream->offset + len));
        stream->last_text_ms = loop_now_ms();
    }
    stream->offset += len;
    if (stream->offset < run->len)
        return true;
    if (stream->run + 1 == answer->run_count) /* the last run may still grow: stay at its end */
        return len > 0;
    stream->run++;
    stream->offset = 0;
    return true;
}

/* The client of a stream has left; the stream is freed. An answer that is for this client alone ends with it. */
static void client_gone(void *arg)
{
    struct stream *stream = arg;
    struct answer *answer = stream->answer;
    log_info("a client left the answer %s", answer->id);
    counter_client_left();
    if (answer->stop_when_left && stream->next == NULL && answer->streams == stream && !answer->ended)
        answer_stop(answer, STOP_LEFT);
    stream_close(stream);
}

static bool is_at_end(const struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (stream->run == answer->run_count)
        return true;
    const struct run *run = &answer->runs[stream->run];
    return stream->run + 1 == answer->run_count && run->kind == RUN_TEXT && stream->offset == run->len;
}

/* Adds the headers that name an answer whose HTTP status is a failure: the question is stored, and this is where to try again. */
static void add_names(const struct answer *answer, struct request *request)
{
    response_header(request, "Parley-Conversation", answer->conversation);
    response_header(request, "Parley-Message", answer->id);
}

/* A failure before anything was sent has a status of its own; without a stream, any failure. True: the stream is closed. */
static bool refuse(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (!answer->ended || answer->failure.outcome == OUTCOME_OK || (answer->opened && !stream->dialect->is_whole))
        return false;
    if (answer_is_stored(answer))
        add_names(answer, stream->request);
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

/* The end of an answer that is not streamed. */
static void send_whole(struct stream *stream)
{
    if (refuse(stream))
        return;
    stream->dialect->end(stream);
    stream_close(stream);
}

/* Sends a client what it has not had yet, as far as its socket takes it. Closes it when all is said or it has gone: *stream may be freed. */
static void stream_pump(struct stream *stream, bool must_open)
{
    const struct answer *answer = stream->answer;
    if (stream->dialect->is_whole) {
        if (answer->ended)
            send_whole(stream);
        return;
    }
    if (!stream->open) {
        if (!stream->dialect->is_eager && refuse(stream))
            return;
        if (!must_open && !stream->dialect->is_eager && !answer->ended && !answer->opened)
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
    if (over)
        stream_close(stream);
    else if (request_is_gone(stream->request)) /* a write may find out before the loop does */
        client_gone(stream);
}

static void pace_due(struct timer *timer)
{
    stream_pump(timer->arg, false);
}

static void client_drained(void *arg)
{
    stream_pump(arg, false);
}

/* A client that waits for a whole answer cannot be pinged; one that has closed its side is taken for gone where that stops the answer. */
static bool has_left_silently(const struct stream *stream)
{
    return stream->dialect->is_whole && stream->answer->stop_when_left && request_is_doubtful(stream->request);
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
        if ((stalled != 0 && now_ms - stalled >= settings.client_stall_ms) || has_left_silently(stream)) {
            client_gone(stream);
        } else if (stream->dialect->is_whole) {
            continue;
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
        client_gone(stream);
    else
        stream_pump(stream, false);
}

bool answer_attach(struct answer *answer, struct request *request, const struct dialect *dialect, bool with_usage)
{
    struct attaching *attaching = mem_new(1, sizeof *attaching);
    struct stream *stream = mem_new(1, sizeof *stream);
    if (attaching == NULL || stream == NULL) {
        mem_free(attaching);
        mem_free(stream);
        return false;
    }
    *stream = (struct stream){.request = request, .answer = answer, .dialect = dialect, .with_usage = with_usage, .pace = {.run = pace_due, .arg = stream, .due_ms = INT64_MAX}};
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

/* Whether the last run is thinking that nobody has been told yet: then more of it may join it. */
static bool may_join_thought(const struct answer *answer, size_t len)
{
    size_t last = answer->run_count - 1;
    if (answer->run_count == 0 || answer->runs[last].kind != RUN_REASONING || answer->runs[last].len + len > LIMIT_SSE_TEXT_BYTES)
        return false;
    for (const struct stream *stream = answer->streams; stream != NULL; stream = stream->next)
        if (stream->run > last)
            return false;
    return true;
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
    bool joins = last != NULL && (type == COMPLETION_TEXT ? last->kind == RUN_TEXT : may_join_thought(answer, len));
    if (!joins)
        last = add_run(answer, type == COMPLETION_TEXT ? RUN_TEXT : RUN_REASONING, before);
    if (last == NULL)
        return answer->run_count >= LIMIT_ANSWER_RUNS ? OUTCOME_ANSWER_TOO_LONG : OUTCOME_NO_MEMORY;
    utf8_add_repaired(buf, text, len);
    last->len += buf->len - before;
    answer->opened = true;
    if (type == COMPLETION_TEXT)
        answer->pos += (int64_t)(buf->len - before);
    else if (!joins)
        answer->pos++;
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
    bool opens;
    enum outcome outcome;
};

/* What came before a `clear_message` counts no more. */
static void clear(struct answer *answer)
{
    answer->shown_text = answer->text.len;
    answer->shown_runs = answer->run_count;
}

static void add_other(void *arg)
{
    struct event_call *call = arg;
    struct answer *answer = call->answer;
    struct buf *events = &answer->events;
    size_t before = events->len, json_len = strlen(call->json), most = strlen(call->name) + (utf8_valid(call->json, json_len) ? json_len : json_len * 3) + 2;
    if (answer->ended)
        return;
    if (most > events->max - before || answer->run_count >= LIMIT_ANSWER_RUNS) {
        call->outcome = OUTCOME_ANSWER_TOO_LONG;
        return;
    }
    struct run *run = buf_reserve(events, most) ? add_run(answer, RUN_EVENT, before) : NULL;
    if (run == NULL) {
        call->outcome = OUTCOME_NO_MEMORY;
        return;
    }
    buf_add(events, call->name, strlen(call->name) + 1);
    utf8_add_repaired(events, call->json, json_len); /* an application's texts may be cut in the middle of a character */
    buf_add_char(events, '\0');
    run->len = events->len - before;
    answer->pos += 1;
    if (call->opens) /* a title comes from a thread of its own while the turn's reads this one */
        answer->opened = true;
    if (strcmp(call->name, "clear_message") == 0)
        clear(answer);
    pump_all(answer);
}

enum outcome answer_event(struct answer *answer, const char *name, json_object *content, bool opens)
{
    struct event_call call = {answer, name, json_write(content), opens, OUTCOME_OK};
    struct buf clean;
    buf_init(&clean, LIMIT_EVENTS_BYTES);
    if (call.json != NULL && !utf8_valid(call.json, strlen(call.json))) { /* bad bytes can only be in its texts */
        utf8_add_repaired(&clean, call.json, strlen(call.json));
        call.json = buf_failed(&clean) ? NULL : clean.data;
    }
    if (call.json != NULL)
        loop_call(add_other, &call);
    else
        call.outcome = OUTCOME_NO_MEMORY;
    buf_free(&clean);
    json_object_put(content);
    return call.outcome;
}

struct text_call {
    struct answer *answer;
    const char *text;
    size_t len;
    enum outcome outcome;
};

static void add_text(void *arg)
{
    struct text_call *call = arg;
    if (call->answer->ended || call->len == 0)
        return;
    call->outcome = add_event(call->answer, COMPLETION_TEXT, call->text, call->len);
    pump_all(call->answer);
}

enum outcome answer_text(struct answer *answer, const char *text, size_t len)
{
    struct text_call call = {answer, text, len, OUTCOME_OK};
    loop_call(add_text, &call);
    return call.outcome;
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
    if (answer_event(arg, "live_update", content, false) != OUTCOME_OK) /* a failure to come still gets its status */
        log_warning("a client was not told that another model answers");
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
    answer->usage = call->ending->usage;
    answer->used = call->ending->used;
    answer->used_count = call->ending->used_count;
    answer->kept[0] = call->ending->events;
    answer->kept[1] = call->ending->steps;
    answer->kept[2] = call->ending->app_state;
    answer->kept[3] = call->ending->rewritten;
    pump_all(answer);
}

void answer_end(struct answer *answer, const struct ending *ending)
{
    struct end_call call = {answer, ending};
    loop_call(end, &call); /* the caller's reference keeps the answer */
}
