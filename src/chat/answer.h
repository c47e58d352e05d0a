/*
 * A running answer: collected once, given to every client that is attached, each at its own pace.
 *
 * The text lives in one buffer; what a client has seen of it is a cursor (a position). A client that lags gets what has gathered as one event, a client that
 * leaves changes nothing, and the provider is never held up. Everything here happens on the event loop; the turn's thread talks to it by the calls marked so.
 * Positions are those of design section 4: text advances them by its bytes, any other event by 1. Neighbours: dialect.h (how events look to a client), turn.c (who
 * makes answers), live.h (which are running). Leaves out: the database.
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
struct stream;

/* A stretch of the answer: text, or one other event. */
struct run {
    enum run_kind { RUN_TEXT, RUN_REASONING, RUN_EVENT } kind;
    int64_t pos;   /* position before it */
    size_t offset; /* of its bytes in `text`, `reasoning` or `events` */
    size_t len;
};

struct answer {
    atomic_int references;
    /* fixed at birth */
    char conversation[ID_BYTES], id[ID_BYTES];
    char asked_model[LIMIT_MODEL_NAME_BYTES];
    int64_t created_s; /* Unix seconds */
    int64_t begun_ms;  /* the same moment on the monotonic clock */
    atomic_bool stop;  /* ends the completion; set by live.c */
    atomic_int stop_why; /* enum stop_why */
    struct answer *next_live; /* live.c's */

    /* the loop's, until answer_end() has returned */
    struct buf text, reasoning;
    struct buf events; /* other events: name, NUL, JSON on one line, NUL */
    struct run *runs;
    size_t run_count, run_room;
    int64_t pos;
    struct stream *streams;
    struct tick tick;
    bool ticking;

    /* set by answer_end() */
    bool ended;
    const char *status; /* "done", "stopped", "error", "interrupted" */
    struct completion_result result;
    char *calls;            /* its tool calls as the database has them; NULL: none */
    struct failure failure; /* of status "error" and "interrupted" */
};

/* A client that follows an answer. */
struct stream {
    struct request *request;
    struct answer *answer;
    const struct dialect *dialect;
    bool open;       /* the head has been sent */
    bool after_cr;   /* the last text ended in CR: an LF that follows belongs to it (dialect_events.c) */
    size_t run;      /* the cursor: a run … */
    size_t offset;   /* … and how much of it has been sent */
    char *prefix, *suffix; /* what dialect_chunks.c puts around a piece of text */
    int64_t attached_ms, last_sent_ms;
    struct stream *next;
};

/* A new answer with one reference, or NULL. */
struct answer *answer_new(const char *conversation, const char *id, const char *model);

void answer_hold(struct answer *answer);
void answer_release(struct answer *answer); /* frees it with the last reference */

/* Any thread: gives a request to the answer: it is sent from the beginning, followed to the end and finished there. The request is the loop's from now on
   (the handler returns OUTCOME_DETACHED). False: out of memory, the request is still the caller's. */
bool answer_attach(struct answer *answer, struct request *request, const struct dialect *dialect);

/* The sink for completion_run(): adds what the model says. */
struct completion_sink answer_sink(struct answer *answer);

/* Any thread but the loop: adds an event of another kind (a live update, say). Takes the reference to `content`. */
void answer_event(struct answer *answer, const char *name, json_object *content);

/* Any thread: ends the answer with what came of it: the clients get the rest and their terminal event. Call once. */
void answer_end(struct answer *answer, const struct ending *ending);

/* Adds the headers that name an answer whose HTTP status is a failure: the question is stored, and this is where to try again. */
void answer_name(const struct answer *answer, struct request *request);

#endif
