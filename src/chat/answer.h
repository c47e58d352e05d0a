/*
 * A running answer: collected once, for all who follow it.
 *
 * Its log is a list of runs: text, thinking, or one event of another kind, each with its position. Positions are those of the ids in /chat/stream (docs/api.md): text advances them by
 * its bytes, any other event by 1. Everything here happens on the event loop; the turn's thread talks to it by the calls marked so. Neighbours: stream.h (the clients), turn.c (who makes
 * answers), live.h (which are running), journal.h and mirror.h (the log in the database). Leaves out: the database.
 */
#ifndef PARLEY_ANSWER_H
#define PARLEY_ANSWER_H

#include <json-c/json.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"
#include "../base/id.h"
#include "../base/limits.h"
#include "../base/loop.h"
#include "../base/outcome.h"
#include "../llm/completion.h"

struct ending;
struct used;
struct stream;

/* Why an answer is told to stop before its end. */
enum stop_why { STOP_NOT, STOP_BY_USER, STOP_DELETED, STOP_SHUTDOWN, STOP_LEFT /* its client has gone, and nobody else can want it */ };

/* A stretch of the answer: text, or one other event. */
struct run {
    enum run_kind { RUN_TEXT, RUN_REASONING, RUN_EVENT } kind;
    int64_t pos;   /* position before it */
    size_t offset; /* of its bytes in `text`, `reasoning` or `events` */
    size_t len;
};

/* What is known of an answer before it is made. */
struct answer_birth {
    int64_t user;
    const char *conversation, *id; /* conversation "": it belongs to none, and is not stored */
    const char *model;             /* that is asked */
    const char *title;             /* of a conversation that begins with it; NULL: it began before */
    const char *client_id;         /* the id that the client has given it; NULL: none */
    bool stop_when_left;           /* when its last client has gone */
};

struct answer {
    atomic_int references;
    /* fixed at birth */
    char conversation[ID_BYTES], id[ID_BYTES];
    char asked_model[LIMIT_MODEL_NAME_BYTES];
    char *title;       /* of a conversation that is new; NULL: it is not */
    bool has_client_id;
    bool stop_when_left;
    int64_t user;
    int64_t created_s; /* Unix seconds */
    int64_t begun_ms;  /* the same moment on the monotonic clock */
    atomic_bool stop;  /* ends the completion; set by answer_stop() */
    atomic_int stop_why; /* enum stop_why */
    struct answer *next_live; /* live.c's */

    /* the loop's, until answer_end() has returned */
    struct buf text, reasoning;
    struct buf events; /* other events: name, NUL, JSON on one line, NUL */
    struct run *runs;
    size_t run_count, run_room;
    size_t shown_text, shown_runs; /* where the text and the runs begin that count: after the last `clear_message` */
    size_t told_runs; /* so many runs somebody was told, who may have left and come back with the position behind them: no more thinking joins them */
    bool opened;   /* something was said for which streams must be open */
    int64_t pos;
    int64_t journal_pos; /* so much of the log is in the journal (journal.c) … */
    size_t journal_run;  /* … and the first run that may not be, or not whole */
    struct stream *streams;
    struct tick tick;
    bool ticking;

    bool sealed; /* its log is complete: nothing is added any more */

    /* set by answer_end() */
    bool ended;
    const char *status; /* "done", "stopped", "error", "interrupted" */
    struct completion_result result;
    struct usage usage;     /* of all models together that were asked for it */
    struct used *used;      /* the same by model … */
    size_t used_count;
    char *kept[5];          /* texts of its ending */
    struct failure failure; /* of status "error" and "interrupted" */
};

/* A new answer with one reference, or NULL. */
struct answer *answer_new(const struct answer_birth *birth);

void answer_hold(struct answer *answer);
void answer_release(struct answer *answer); /* frees it with the last reference */

/* Any thread: tells it to stop; the first reason counts. */
void answer_stop(struct answer *answer, enum stop_why why);

/* Whether it is kept in the database. */
bool answer_is_stored(const struct answer *answer);

/* The sink for completion_run(): adds what the model says. */
struct completion_sink answer_sink(struct answer *answer);

/* Any thread but the loop: adds a piece of text that no model has said. */
enum outcome answer_text(struct answer *answer, const char *text, size_t len);

/* Any thread but the loop: adds an event of another kind (event.h). Takes the reference to `content`. With `opens`, streams whose headers still wait are opened for it.
   OUTCOME_OK, OUTCOME_ANSWER_TOO_LONG, OUTCOME_NO_MEMORY. An answer whose log is complete takes none: OUTCOME_OK, and nothing happens. */
enum outcome answer_event(struct answer *answer, const char *name, json_object *content, bool opens);

/* Adds a stretch of another log at its position: text, thinking ("text", "reasoning") or an event. What the answer has already is left out, what is missing before it stays a gap. Only
   on the loop, or before anybody else knows the answer; clients get it with the next stream_pump_all(). OUTCOME_OK, OUTCOME_ANSWER_TOO_LONG, OUTCOME_NO_MEMORY. */
enum outcome answer_add(struct answer *answer, const char *kind, const char *bytes, size_t len, int64_t pos);

/* Lets text and thinking have so many bytes each instead of MAX_ANSWER_BYTES; what is there stays in any case. As above. */
void answer_allow(struct answer *answer, size_t bytes);

/* The name of a run's kind, as answer_add() takes it, and its bytes. */
const char *answer_kind(const struct answer *answer, const struct run *run);
const char *answer_bytes(const struct answer *answer, const struct run *run, size_t *len);

/* The position after a run. */
int64_t answer_run_end(const struct run *run);

/* How many bytes of a run of text lie before a position, in whole characters. */
size_t answer_text_before(const struct answer *answer, const struct run *run, int64_t pos);

/* The text that counts, and its length. On the loop, or when nothing is added any more. */
const char *answer_shown(const struct answer *answer, size_t *len);

/* Any thread: ends the answer with what came of it: the clients get the rest and their terminal event. What `ending` owns is the answer's afterwards. Call once. */
void answer_end(struct answer *answer, const struct ending *ending);

#endif
