/*
 * A running answer: collected once, given to every client that is attached, each at its own pace.
 *
 * The text lives in one buffer; what a client has seen of it is a cursor (a position). A client that lags gets what has gathered as one event, a client that
 * leaves changes nothing (unless the answer was for it alone: stop_when_left), and the provider is never held up. Everything here happens on the event loop; the turn's thread
 * talks to it by the calls marked so. Positions are those of the ids in /chat/stream (docs/api.md): text advances them by its bytes, any other event by 1. Neighbours: dialect.h
 * (how events look to a client), turn.c (who makes answers), live.h (which are running). Leaves out: the database.
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
#include "../http/request.h"
#include "../llm/completion.h"

struct dialect;
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
    bool opened;   /* something was said for which streams must be open */
    int64_t pos;
    struct stream *streams;
    struct tick tick;
    bool ticking;

    /* set by answer_end() */
    bool ended;
    const char *status; /* "done", "stopped", "error", "interrupted" */
    struct completion_result result;
    struct usage usage;     /* of all models together that were asked for it */
    struct used *used;      /* the same by model … */
    size_t used_count;
    char *kept[4];          /* texts of its ending */
    struct failure failure; /* of status "error" and "interrupted" */
};

/* A client that follows an answer. */
struct stream {
    struct request *request;
    struct answer *answer;
    const struct dialect *dialect;
    bool open;       /* the head has been sent */
    bool with_usage; /* the client has asked for it (dialect_openai.c) */
    bool after_cr;   /* the last text ended in CR: an LF that follows belongs to it (dialect_events.c) */
    bool is_thinking; /* dialect_ragbits.c: the model thinks, … */
    size_t thinking_from, thinking_to; /* … and these bytes of `reasoning` are what it has thought */
    int thoughts;    /* times that it has */
    int64_t last_text_ms;
    struct timer pace; /* for a dialect whose clients are slow: when more may be said */
    size_t run;      /* the cursor: a run … */
    size_t offset;   /* … and how much of it has been sent */
    char *prefix, *suffix; /* what stands around a piece of text: dialect_keep_frame() */
    int64_t attached_ms, last_sent_ms;
    struct stream *next;
};

/* A new answer with one reference, or NULL. */
struct answer *answer_new(const struct answer_birth *birth);

void answer_hold(struct answer *answer);
void answer_release(struct answer *answer); /* frees it with the last reference */

/* Any thread: tells it to stop; the first reason counts. */
void answer_stop(struct answer *answer, enum stop_why why);

/* Whether it is kept in the database. */
bool answer_is_stored(const struct answer *answer);

/* Any thread: gives a request to the answer: it is sent from the beginning, followed to the end and finished there. The request is the loop's from now on
   (the handler returns OUTCOME_DETACHED). False: out of memory, the request is still the caller's. */
bool answer_attach(struct answer *answer, struct request *request, const struct dialect *dialect, bool with_usage);

/* The sink for completion_run(): adds what the model says. */
struct completion_sink answer_sink(struct answer *answer);

/* Any thread but the loop: adds a piece of text that no model has said. */
enum outcome answer_text(struct answer *answer, const char *text, size_t len);

/* Any thread but the loop: adds an event of another kind (event.h). Takes the reference to `content`. With `opens`, streams whose headers still wait are opened for it.
   OUTCOME_OK, OUTCOME_ANSWER_TOO_LONG, OUTCOME_NO_MEMORY. An answer that has ended takes none: OUTCOME_OK, and nothing happens. */
enum outcome answer_event(struct answer *answer, const char *name, json_object *content, bool opens);

/* The text that counts, and its length. On the loop, or when nothing is added any more. */
const char *answer_shown(const struct answer *answer, size_t *len);

/* Any thread: ends the answer with what came of it: the clients get the rest and their terminal event. What `ending` owns is the answer's afterwards. Call once. */
void answer_end(struct answer *answer, const struct ending *ending);

#endif
