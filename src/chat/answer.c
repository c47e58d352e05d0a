/*
 * Running answers: see answer.h.
 */
#include "answer.h"

#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/counter.h"
#include "../base/crash_point.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "ending.h"
#include "stream.h"

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

void answer_allow(struct answer *answer, size_t bytes)
{
    answer->text.max = bytes > answer->text.len ? bytes : answer->text.len;
    answer->reasoning.max = bytes > answer->reasoning.len ? bytes : answer->reasoning.len;
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

/* --- the log ------------------------------------------------------------------------------------------------------ */

const char *answer_kind(const struct answer *answer, const struct run *run)
{
    return run->kind == RUN_TEXT ? "text" : run->kind == RUN_REASONING ? "reasoning" : answer->events.data + run->offset;
}

const char *answer_bytes(const struct answer *answer, const struct run *run, size_t *len)
{
    *len = run->len;
    if (run->kind != RUN_EVENT)
        return (run->kind == RUN_TEXT ? answer->text.data : answer->reasoning.data) + run->offset;
    const char *name = answer->events.data + run->offset;
    *len = run->len - strlen(name) - 2;
    return name + strlen(name) + 1;
}

int64_t answer_run_end(const struct run *run)
{
    return run->pos + (run->kind == RUN_TEXT ? (int64_t)run->len : 1);
}

size_t answer_text_before(const struct answer *answer, const struct run *run, int64_t pos)
{
    if (pos <= run->pos)
        return 0;
    if (pos >= answer_run_end(run))
        return run->len;
    size_t before = (size_t)(pos - run->pos);
    while (before > 0 && ((unsigned char)answer->text.data[run->offset + before] & 0xC0) == 0x80) /* in the middle of a character: a position that somebody made up */
        before--;
    return before;
}

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
    return answer_run_end(&answer->runs[last]) == answer->pos && answer->journal_run <= last && answer->told_runs <= last;
}

/* Whether more text may join a run. */
static bool is_open_text(const struct answer *answer, const struct run *run)
{
    return run->kind == RUN_TEXT && answer_run_end(run) == answer->pos;
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
    bool joins = last != NULL && (type == COMPLETION_TEXT ? is_open_text(answer, last) : may_join_thought(answer, len));
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
    CRASH_POINT("token");
    return OUTCOME_OK;
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

static enum outcome add_named(struct answer *answer, const char *name, const char *json, size_t json_len)
{
    struct buf *events = &answer->events;
    size_t before = events->len, most = strlen(name) + (utf8_valid(json, json_len) ? json_len : json_len * 3) + 2;
    if (most > events->max - before || answer->run_count >= LIMIT_ANSWER_RUNS)
        return OUTCOME_ANSWER_TOO_LONG;
    struct run *run = buf_reserve(events, most) ? add_run(answer, RUN_EVENT, before) : NULL;
    if (run == NULL)
        return OUTCOME_NO_MEMORY;
    buf_add(events, name, strlen(name) + 1);
    utf8_add_repaired(events, json, json_len); /* an application's texts may be cut in the middle of a character */
    buf_add_char(events, '\0');
    run->len = events->len - before;
    answer->pos += 1;
    if (strcmp(name, "clear_message") == 0)
        clear(answer);
    return OUTCOME_OK;
}

static void add_other(void *arg)
{
    struct event_call *call = arg;
    struct answer *answer = call->answer;
    if (answer->sealed)
        return;
    call->outcome = add_named(answer, call->name, call->json, strlen(call->json));
    if (call->outcome != OUTCOME_OK)
        return;
    if (call->opens) /* a title comes from a thread of its own while the turn's reads this one */
        answer->opened = true;
    stream_pump_all(answer);
}

/* Text and thinking of another log, which was repaired when it was written. */
static enum outcome add_bytes(struct answer *answer, enum run_kind kind, const char *bytes, size_t len)
{
    struct buf *buf = kind == RUN_TEXT ? &answer->text : &answer->reasoning;
    struct run *last = answer->run_count > 0 ? &answer->runs[answer->run_count - 1] : NULL;
    if (len > buf->max - buf->len)
        return OUTCOME_ANSWER_TOO_LONG;
    if (!buf_reserve(buf, len))
        return OUTCOME_NO_MEMORY;
    if (last == NULL || kind != RUN_TEXT || !is_open_text(answer, last))
        last = add_run(answer, kind, buf->len);
    if (last == NULL)
        return answer->run_count >= LIMIT_ANSWER_RUNS ? OUTCOME_ANSWER_TOO_LONG : OUTCOME_NO_MEMORY;
    buf_add(buf, bytes, len);
    last->len += len;
    answer->pos = answer_run_end(last);
    return OUTCOME_OK;
}

enum outcome answer_add(struct answer *answer, const char *kind, const char *bytes, size_t len, int64_t pos)
{
    bool is_text = strcmp(kind, "text") == 0, is_reasoning = strcmp(kind, "reasoning") == 0;
    int64_t known = answer->pos - pos; /* of it */
    if (known >= (is_text ? (int64_t)len : 1))
        return OUTCOME_OK;
    if (known < 0)
        answer->pos = pos;
    answer->opened = true;
    if (is_text && known > 0)
        return add_bytes(answer, RUN_TEXT, bytes + known, len - (size_t)known);
    return is_text || is_reasoning ? add_bytes(answer, is_text ? RUN_TEXT : RUN_REASONING, bytes, len) : add_named(answer, kind, bytes, len);
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
    if (call->answer->sealed || call->len == 0)
        return;
    call->outcome = add_event(call->answer, COMPLETION_TEXT, call->text, call->len);
    stream_pump_all(call->answer);
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

static void pump(void *arg)
{
    stream_pump_all(arg);
}

struct completion_sink answer_sink(struct answer *answer)
{
    return (struct completion_sink){.event = add_event, .batch = pump, .fallback = tell_fallback, .arg = answer};
}

struct end_call {
    struct answer *answer;
    const struct ending *ending;
};

static void end(void *arg)
{
    const struct end_call *call = arg;
    struct answer *answer = call->answer;
    answer->ended = answer->sealed = true;
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
    answer->kept[4] = call->ending->layout;
    stream_pump_all(answer);
}

void answer_end(struct answer *answer, const struct ending *ending)
{
    struct end_call call = {answer, ending};
    loop_call(end, &call); /* the caller's reference keeps the answer */
}
