/*
 * Clients that follow an answer, each at its own pace: a stream is a request with a cursor into the answer's log.
 *
 * A client that lags gets what has gathered as one event; one that leaves changes nothing, unless the answer was for it alone (stop_when_left). Everything here happens on the event
 * loop, but for the calls marked so. Neighbours: answer.h (the log), dialect.h (how events look to a client), src/http/ (how bytes leave). Leaves out: who may follow (follow.h).
 */
#ifndef PARLEY_STREAM_H
#define PARLEY_STREAM_H

#include "../http/request.h"
#include "answer.h"

struct dialect;

/* How a client follows. */
struct listener {
    const struct dialect *dialect;
    bool with_usage; /* the client has asked for it (dialect_openai.c) */
    bool resumes;    /* it knows of the answer: its stream opens at once, and failures are told in it */
    int64_t after;   /* what it has already: everything up to this position */
    int64_t wait_ms; /* of a dialect with is_poll: how long it waits for something new */
};

/* A client that follows an answer. */
struct stream {
    struct request *request;
    struct answer *answer;
    const struct dialect *dialect; /* as in its listener … */
    bool with_usage, resumes;
    int64_t after, wait_ms;
    bool open;       /* the head has been sent */
    bool after_cr;   /* the last text ended in CR: an LF that follows belongs to it (dialect_events.c) */
    bool is_thinking; /* dialect_ragbits.c: the model thinks, … */
    size_t thinking_from, thinking_to; /* … and these bytes of `reasoning` are what it has thought */
    int thoughts;    /* times that it has */
    int64_t last_text_ms;
    struct timer pace; /* for a dialect whose clients are slow: when more may be said */
    size_t run;      /* the cursor: a run … */
    size_t offset;   /* … and how much of it has been sent */
    char *prefix, *suffix; /* what stands around a piece of text: dialect_keep_frame() */
    json_object *said;     /* dialect_poll.c: what is to be told at once */
    int64_t said_pos;      /* … and the position after it */
    int64_t attached_ms, last_sent_ms;
    struct stream *next;
};

/* Any thread: gives a request to the answer: it is sent what it has not, followed to the end and finished there. The request is the loop's from now on
   (the handler returns OUTCOME_DETACHED). False: out of memory, the request is still the caller's. */
bool stream_attach(struct answer *answer, struct request *request, const struct listener *listener);

/* Any thread: whether anybody follows. */
bool stream_is_any(struct answer *answer);

/* Any thread: finishes the requests of all that follow an answer which is made elsewhere, as far as they are: those whose events have ids without a terminal event, so that they ask
   for the rest, others with a failure. */
void stream_drop_all(struct answer *answer);

/* Sends all that follow what they have not had, as far as they take it. */
void stream_pump_all(struct answer *answer);

#endif
