/*
 * See journal.h.
 */
#include "journal.h"

#include <pthread.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/crash_point.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/utf8.h"
#include "../store/journal.h"
#include "../store/process.h"
#include "live.h"

/* Beyond LIMIT_JOURNAL_BYTES only a single thing that cannot be divided: thinking that came in one piece. */
#define BATCH_BYTES ((size_t)LIMIT_JOURNAL_BYTES + LIMIT_ANSWER_BYTES)

static pthread_t thread;

/* What is written at once. It is kept until it is written: so a commit that came to nothing, or only seemed to, is simply repeated. */
struct batch {
    struct answer **answers;
    size_t answer_count;
    struct journal_row *rows; /* `kind` and `data` point into `bytes` once it has all of them; until then they are NULL */
    size_t count, room;
    struct buf bytes;         /* of each row: kind, NUL, data, NUL */
    bool failed;              /* out of memory: what is in it is written, the rest the next time */
};

/* --- on the loop -------------------------------------------------------------------------------------------------- */

/* Adds a stretch of a run, from byte `from` on. False: there is no room for all of it; *to tells how far it went. */
static bool add_stretch(struct batch *batch, const struct answer *answer, const struct run *run, size_t from, size_t *to)
{
    size_t len;
    const char *kind = answer_kind(answer, run), *bytes = answer_bytes(answer, run, &len);
    size_t most = LIMIT_JOURNAL_BYTES - LIMIT_EVENTS_BYTES; /* beyond that only what cannot be divided */
    size_t room = batch->bytes.len < most ? most - batch->bytes.len : 0;
    *to = from;
    if (room == 0)
        return false;
    if (run->kind == RUN_TEXT && len - from > room)
        len = from + utf8_fit(bytes + from, room);
    if (run->kind == RUN_TEXT && len == from)
        return false; /* not one character: a row without any would take the place of the next */
    if (batch->rows == NULL || batch->count == batch->room) {
        size_t rows_room = batch->room > 0 ? batch->room * 2 : 64;
        struct journal_row *rows = mem_resize(batch->rows, rows_room * sizeof *rows);
        if (rows == NULL)
            return false;
        batch->rows = rows;
        batch->room = rows_room;
    }
    if (!buf_reserve(&batch->bytes, strlen(kind) + 1 + len - from + 1))
        return false;
    batch->rows[batch->count++] = (struct journal_row){.message = answer->id, .pos = run->pos + (run->kind == RUN_TEXT ? (int64_t)from : 0), .len = len - from};
    buf_add(&batch->bytes, kind, strlen(kind) + 1);
    buf_add(&batch->bytes, bytes + from, len - from);
    buf_add_char(&batch->bytes, '\0');
    *to = len;
    return true;
}

/* Adds what an answer has said since the last time. Its place in the log moves on at once: what is in the batch is written before anything else is collected. */
static void collect_answer(struct batch *batch, struct answer *answer)
{
    while (!batch->failed && answer->journal_run < answer->run_count) {
        const struct run *run = &answer->runs[answer->journal_run];
        bool is_last = answer->journal_run + 1 == answer->run_count;
        size_t from = run->kind == RUN_TEXT ? answer_text_before(answer, run, answer->journal_pos) : 0, to = from;
        if (run->kind == RUN_TEXT ? from < run->len : answer_run_end(run) > answer->journal_pos) {
            batch->failed = !add_stretch(batch, answer, run, from, &to);
            if (batch->failed && to == from)
                return;
            answer->journal_pos = run->kind == RUN_TEXT ? run->pos + (int64_t)to : answer_run_end(run);
            if (run->kind == RUN_TEXT && to < run->len)
                return;
        }
        if (is_last && run->kind == RUN_TEXT)
            return; /* it may grow */
        answer->journal_run++;
    }
}

static void collect(void *arg)
{
    struct batch *batch = arg;
    for (size_t i = 0; i < batch->answer_count; i++)
        collect_answer(batch, batch->answers[i]);
}

/* --- on the thread ------------------------------------------------------------------------------------------------- */

static void point_rows(struct batch *batch)
{
    const char *at = batch->bytes.data;
    for (size_t i = 0; i < batch->count; i++) {
        batch->rows[i].kind = at;
        batch->rows[i].data = at + strlen(at) + 1;
        at = batch->rows[i].data + batch->rows[i].len + 1;
    }
}

/* Writes a batch, again and again until the database takes it or the program ends; the answers' ends are stored by their own threads meanwhile. */
static void write_batch(struct batch *batch)
{
    enum { PAUSE_MS = 500 };
    struct failure failure; /* the store has logged it */
    point_rows(batch);
    CRASH_POINT("before_journal");
    while (journal_add(batch->rows, batch->count, process_id(), &failure) != OUTCOME_OK && !live_is_ending())
        live_pause(PAUSE_MS);
    CRASH_POINT("after_journal");
}

static void free_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->answer_count; i++)
        answer_release(batch->answers[i]);
    mem_free(batch->answers);
    mem_free(batch->rows);
    buf_free(&batch->bytes);
}

static void *run_journal(void *unused)
{
    (void)unused;
    while (!live_is_ending()) {
        struct batch batch = {0};
        int64_t begun_ms = clock_mono_ms();
        buf_init(&batch.bytes, BATCH_BYTES);
        batch.answers = live_hold_all(&batch.answer_count);
        if (batch.answer_count > 0)
            loop_call(collect, &batch);
        if (batch.count > 0)
            write_batch(&batch);
        free_batch(&batch);
        live_pause(begun_ms + JOURNAL_MS - clock_mono_ms());
    }
    return NULL;
}

bool journal_start(void)
{
    int error = pthread_create(&thread, NULL, run_journal, NULL);
    if (error != 0)
        log_error("the journal's thread cannot start: %s", strerror(error));
    return error == 0;
}

void journal_stop(void)
{
    (void)pthread_join(thread, NULL);
}
