/*
 * Clients of running answers: see stream.h.
 */
#include "stream.h"

#include "../base/counter.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "../http/response.h"
#include "../http/sse.h"
#include "dialect.h"

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
    json_object_put(stream->said);
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

static void next_run(struct stream *stream)
{
    stream->offset = 0;
    if (++stream->run > stream->answer->told_runs)
        stream->answer->told_runs = stream->run;
}

/* Passes over what the client of a stream has already. */
static void skip_known(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    while (stream->run < answer->run_count) {
        const struct run *run = &answer->runs[stream->run];
        if (run->kind == RUN_TEXT) {
            size_t known = answer_text_before(answer, run, stream->after);
            if (known > stream->offset) {
                stream->offset = known;
                stream->after_cr = answer->text.data[run->offset + known - 1] == '\r';
            }
            if (stream->offset < run->len || stream->run + 1 == answer->run_count)
                return;
        } else if (answer_run_end(run) > stream->after) {
            return;
        }
        next_run(stream);
    }
}

/* Sends the next piece of the log. False: there is none, or not yet. */
static bool send_next(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (stream->after > 0)
        skip_known(stream);
    if (stream->run == answer->run_count)
        return false;
    const struct run *run = &answer->runs[stream->run];
    size_t bytes_len;
    const char *bytes = answer_bytes(answer, run, &bytes_len);
    if (run->kind != RUN_TEXT) {
        if (run->kind == RUN_EVENT)
            stream->dialect->event(stream, answer_kind(answer, run), bytes, run->pos + 1);
        else
            stream->dialect->reasoning(stream, bytes, bytes_len, run->pos + 1);
        next_run(stream);
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
    next_run(stream);
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
    if (!answer->ended || answer->failure.outcome == OUTCOME_OK || (answer->opened && !stream->dialect->is_whole) || stream->resumes)
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

/* Whether a client has had the terminal event already, from a process that knew of it sooner. */
static bool knows_end(const struct stream *stream)
{
    return stream->resumes && stream->answer->ended && stream->after > stream->answer->pos;
}

/* What a client that polls has not had yet; it is told when there is anything, `now`, or at the end of its wait. May free the stream. */
static void stream_poll(struct stream *stream, bool now)
{
    const struct answer *answer = stream->answer;
    while ((stream->said == NULL || json_object_array_length(stream->said) < LIMIT_POLL_EVENTS) && send_next(stream))
        continue;
    bool over = answer->ended && is_at_end(stream);
    bool has_waited = loop_now_ms() - stream->attached_ms >= stream->wait_ms;
    if (knows_end(stream)) {
        response_empty(stream->request);
        stream_close(stream);
        return;
    }
    if (over)
        stream->dialect->end(stream);
    if (over || has_waited || (now && stream->said != NULL)) {
        stream->dialect->answer_poll(stream);
        stream_close(stream);
    }
}

/* Sends a client what it has not had yet, as far as its socket takes it. Closes it when all is said or it has gone: *stream may be freed. */
static void stream_pump(struct stream *stream, bool must_open)
{
    const struct answer *answer = stream->answer;
    bool is_eager = stream->dialect->is_eager || stream->resumes;
    if (stream->dialect->is_poll) {
        stream_poll(stream, must_open);
        return;
    }
    if (stream->dialect->is_whole) {
        if (answer->ended)
            send_whole(stream);
        return;
    }
    if (!stream->open) {
        if (!is_eager && refuse(stream))
            return;
        if (!must_open && !is_eager && !answer->ended && !answer->opened)
            return;
        if (!open_stream(stream))
            return;
        must_open = true;
    }
    bool sent = must_open;
    while (request_waiting(stream->request) == 0 && !request_is_gone(stream->request) && send_next(stream))
        sent = true;
    bool over = answer->ended && request_waiting(stream->request) == 0 && is_at_end(stream);
    if (over && !knows_end(stream))
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
        } else if (stream->dialect->is_poll) {
            stream_pump(stream, true);
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
        stream_pump(stream, stream->dialect->is_poll);
}

bool stream_attach(struct answer *answer, struct request *request, const struct listener *listener)
{
    struct attaching *attaching = mem_new(1, sizeof *attaching);
    struct stream *stream = mem_new(1, sizeof *stream);
    if (attaching == NULL || stream == NULL) {
        mem_free(attaching);
        mem_free(stream);
        return false;
    }
    *stream = (struct stream){.request = request, .answer = answer, .dialect = listener->dialect, .with_usage = listener->with_usage, .resumes = listener->resumes,
                              .after = listener->after, .wait_ms = listener->wait_ms, .pace = {.run = pace_due, .arg = stream, .due_ms = INT64_MAX}};
    *attaching = (struct attaching){.answer = answer, .stream = stream, .task = {.run = attach, .arg = attaching}};
    answer_hold(answer); /* the stream's */
    loop_post(&attaching->task);
    return true;
}

struct streams_call {
    struct answer *answer;
    bool found;
};

static void look_for_streams(void *arg)
{
    struct streams_call *call = arg;
    call->found = call->answer->streams != NULL;
}

bool stream_is_any(struct answer *answer)
{
    struct streams_call call = {.answer = answer};
    loop_call(look_for_streams, &call);
    return call.found;
}

/* Ends a stream before its answer has: what is open and can be gone on with ends without a terminal event, a poll is answered with what there is, the others are told to ask again. */
static void drop_stream(struct stream *stream)
{
    struct failure *failure = &stream->answer->failure; /* of an answer that is not of this process */
    (void)fail(failure, OUTCOME_OVERLOADED, "The server is being restarted. Please ask again in a moment.");
    failure->retry_after_s = 1;
    if (stream->dialect->is_poll) {
        stream->dialect->answer_poll(stream);
    } else if (!stream->open) {
        response_failure(stream->request, failure);
    } else if (!stream->dialect->has_ids) {
        stream->dialect->end(stream);
        sse_flush(stream->request);
    }
    stream_close(stream);
}

static void drop_streams(void *arg)
{
    struct answer *answer = arg;
    while (answer->streams != NULL)
        drop_stream(answer->streams);
}

void stream_drop_all(struct answer *answer)
{
    loop_call(drop_streams, answer);
}

void stream_pump_all(struct answer *answer)
{
    for (struct stream *stream = answer->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        stream_pump(stream, false);
    }
}
