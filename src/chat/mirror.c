/*
 * See mirror.h.
 */
#include "mirror.h"

#include <stdio.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/mem.h"
#include "../store/journal.h"
#include "ending.h"
#include "layout.h"
#include "live.h"
#include "stream.h"

/* What is read goes through a copy: a unit of work of the database may not wait for the event loop. */
struct stretch {
    int64_t pos;
    size_t kind, data, len; /* offsets into `bytes`, where both end with a NUL */
};

struct reading {
    struct mirror *mirror;
    const char *id;
    struct buf bytes;
    struct stretch *stretches; /* of the journal, in order */
    size_t count, room;
    struct answer *whole; /* the answer as the message has it */
    enum outcome outcome;
};

static const char *literal(const char *status)
{
    static const char *const statuses[] = {"done", "stopped", "error", "interrupted"};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (strcmp(statuses[i], status) == 0)
            return statuses[i];
    return "streaming";
}

/* What a mirror knows beside the log. False: out of memory. */
static bool take_facts(struct mirror *mirror, const struct message *row)
{
    mirror->is_running = strcmp(row->status, "streaming") == 0;
    mirror->status = literal(row->status);
    mirror->seen_at = row->seen_at;
    mirror->usage = row->usage;
    (void)snprintf(mirror->process, sizeof mirror->process, "%s", row->process != NULL ? row->process : "");
    (void)snprintf(mirror->finish_reason, sizeof mirror->finish_reason, "%s", row->finish_reason != NULL ? row->finish_reason : "");
    mirror->failure = (struct failure){.outcome = OUTCOME_OK};
    if (row->error_code != NULL)
        (void)fail(&mirror->failure, outcome_find(row->error_code), "%s", row->error_message != NULL ? row->error_message : "");
    mem_free(mirror->steps);
    mirror->steps = row->steps != NULL ? mem_copy(row->steps) : NULL;
    return row->steps == NULL || mirror->steps != NULL;
}

static void take_message(void *arg, const struct message *row)
{
    struct reading *reading = arg;
    struct answer_birth birth = {.user = reading->mirror->user, .conversation = row->conversation, .id = row->id, .model = row->model != NULL ? row->model : ""};
    struct layout_parts parts = {row->content, row->content_len, row->reasoning, row->events, row->layout};
    if (strcmp(row->role, "assistant") != 0) {
        reading->outcome = OUTCOME_NOT_FOUND;
        return;
    }
    reading->whole = take_facts(reading->mirror, row) ? answer_new(&birth) : NULL;
    reading->outcome = OUTCOME_NO_MEMORY;
    if (reading->whole == NULL)
        return;
    answer_allow(reading->whole, LIMIT_ANSWER_BYTES);
    reading->outcome = layout_read(reading->whole, &parts);
    reading->mirror->text_stored = reading->whole->text.len;
    reading->whole->created_s = row->created_at / 1000;
}

static void take_row(void *arg, const struct journal_row *row)
{
    struct reading *reading = arg;
    if (reading->stretches == NULL || reading->count == reading->room) {
        size_t room = reading->room > 0 ? reading->room * 2 : 16;
        struct stretch *more = mem_resize(reading->stretches, room * sizeof *more);
        if (more == NULL) {
            reading->outcome = OUTCOME_NO_MEMORY;
            return;
        }
        reading->stretches = more;
        reading->room = room;
    }
    struct stretch *stretch = &reading->stretches[reading->count++];
    *stretch = (struct stretch){.pos = row->pos, .kind = reading->bytes.len, .len = row->len};
    buf_add(&reading->bytes, row->kind, strlen(row->kind) + 1);
    stretch->data = reading->bytes.len;
    buf_add(&reading->bytes, row->data, row->len);
    buf_add_char(&reading->bytes, '\0');
}

/* Adds what the message has beyond the log so far. */
static enum outcome add_whole(struct answer *answer, const struct answer *whole)
{
    enum outcome outcome = OUTCOME_OK;
    for (size_t i = 0; i < whole->run_count && outcome == OUTCOME_OK; i++) {
        const struct run *run = &whole->runs[i];
        size_t len;
        const char *bytes = answer_bytes(whole, run, &len);
        outcome = answer_add(answer, answer_kind(whole, run), bytes, len, run->pos);
    }
    if (outcome == OUTCOME_OK && whole->pos > answer->pos)
        answer->pos = whole->pos;
    return outcome;
}

/* Adds what was read to the mirror's answer. On the loop, or before anybody else knows it. */
static void add_all(void *arg)
{
    struct reading *reading = arg;
    struct answer *answer = reading->mirror->answer;
    if (answer != reading->whole)
        reading->outcome = add_whole(answer, reading->whole);
    for (size_t i = 0; i < reading->count && reading->outcome == OUTCOME_OK; i++) {
        const struct stretch *stretch = &reading->stretches[i];
        reading->outcome = answer_add(answer, reading->bytes.data + stretch->kind, reading->bytes.data + stretch->data, stretch->len, stretch->pos);
    }
    stream_pump_all(answer);
}

/* Reads the answer from a position on. */
static enum outcome read_from(struct reading *reading, int64_t pos, struct failure *failure)
{
    buf_init(&reading->bytes, LIMIT_MIRROR_BYTES);
    enum outcome outcome = journal_read(reading->mirror->user, reading->id, pos, take_message, take_row, reading, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (reading->outcome == OUTCOME_NOT_FOUND)
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such answer.");
    return reading->outcome == OUTCOME_OK && !buf_failed(&reading->bytes) ? OUTCOME_OK : fail_no_memory(failure);
}

enum outcome mirror_read(struct mirror *mirror, int64_t user, const char *id, struct failure *failure)
{
    struct reading reading = {.mirror = mirror, .id = id};
    *mirror = (struct mirror){.user = user, .status = "streaming"};
    enum outcome outcome = read_from(&reading, 0, failure);
    mirror->answer = reading.whole;
    if (outcome == OUTCOME_OK) {
        add_all(&reading);
        outcome = reading.outcome == OUTCOME_OK ? OUTCOME_OK : fail_no_memory(failure);
    }
    mem_free(reading.stretches);
    buf_free(&reading.bytes);
    return outcome;
}

enum outcome mirror_read_on(struct mirror *mirror, struct failure *failure)
{
    struct reading reading = {.mirror = mirror, .id = mirror->answer->id};
    bool was_running = mirror->is_running;
    enum outcome outcome = read_from(&reading, mirror->answer->pos, failure); /* only this thread adds to it */
    if (outcome == OUTCOME_OK) {
        loop_call(add_all, &reading);
        outcome = reading.outcome == OUTCOME_OK ? OUTCOME_OK : fail_no_memory(failure);
    }
    if (outcome != OUTCOME_OK)
        mirror->is_running = was_running; /* its end is only known with all that was said before */
    if (reading.whole != NULL)
        answer_release(reading.whole);
    mem_free(reading.stretches);
    buf_free(&reading.bytes);
    return outcome;
}

void mirror_end(struct mirror *mirror)
{
    struct ending ending = {.status = mirror->status, .usage = mirror->usage, .failure = mirror->failure, .result = {.usage = mirror->usage, .cost = -1}};
    (void)snprintf(ending.result.finish_reason, sizeof ending.result.finish_reason, "%s", mirror->finish_reason);
    answer_end(mirror->answer, &ending);
}

/* Of another process the lock tells, whatever the clock says; where it or this one has none, the heartbeat. This process knows its own answers; what it
   does not know any more it has given up. */
bool mirror_is_lost(const struct mirror *mirror)
{
    bool is_ours = strcmp(mirror->process, process_id()) == 0;
    if (!mirror->is_running)
        return false;
    if (!is_ours && process_has_lock(mirror->process) && process_has_lock(process_id()))
        return process_is_gone(mirror->process);
    return mirror->seen_at < clock_unix_ms() - MESSAGE_LOST_AFTER_MS && !live_knows(mirror->answer->id);
}

void mirror_free(struct mirror *mirror)
{
    if (mirror->answer != NULL)
        answer_release(mirror->answer);
    mem_free(mirror->steps);
    *mirror = (struct mirror){0};
}
