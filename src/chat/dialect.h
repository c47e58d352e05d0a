/*
 * How the events of an answer look to one kind of client: a small table of functions per kind.
 *
 * All run on the event loop. They write by src/http/sse.h and do not flush. Neighbours: stream.c (calls them).
 */
#ifndef PARLEY_DIALECT_H
#define PARLEY_DIALECT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

struct dialect {
    bool is_whole; /* the answer is sent at its end, as one object, by `end`; the others of these are not called, and failures have a status */
    bool is_eager; /* the stream opens at once; failures are told in it */
    bool is_poll;  /* there is no stream: what there is to tell is gathered, and `answer_poll` sends it as soon as there is anything */
    bool has_ids;  /* events say their positions: a client whose stream ends without the terminal event can come back for the rest */
    int pace_ms;   /* text that comes faster than this is merged, because the clients take so long for each event; 0: as it comes */
    bool (*open)(struct stream *stream); /* head and first event; false: out of memory */
    /* A piece of text, whole characters, at most LIMIT_SSE_TEXT_BYTES; `pos` is the position after it. */
    void (*text)(struct stream *stream, const char *text, size_t len, int64_t pos);
    void (*reasoning)(struct stream *stream, const char *text, size_t len, int64_t pos);
    /* An event of another kind (event.h); `json` is one line. */
    void (*event)(struct stream *stream, const char *name, const char *json, int64_t pos);
    void (*ping)(struct stream *stream);
    void (*end)(struct stream *stream); /* the terminal event, from answer->status */
    void (*answer_poll)(struct stream *stream);
};

extern const struct dialect dialect_chunks;        /* POST /chat: OpenAI's chat.completion.chunk objects with our members */
extern const struct dialect dialect_chunks_whole;  /* the same without a stream */
extern const struct dialect dialect_events;        /* POST /chat/stream: named events with ids */
extern const struct dialect dialect_poll;          /* GET /conversations/{id}/stream?poll=1: the same events in one JSON object */
extern const struct dialect dialect_openai;        /* POST /v1/chat/completions: OpenAI's own, nothing else */
extern const struct dialect dialect_openai_whole;
extern const struct dialect dialect_ragbits;       /* POST /api/chat: {"type","content"} */
extern const struct dialect dialect_content;       /* POST /api/v1/chat: {"content"} */
extern const struct dialect dialect_content_whole;

/* A chat.completion.chunk with one choice; takes `delta`. A new reference. */
json_object *dialect_chunk(const struct answer *answer, json_object *delta, const char *finish_reason);

/* {key: text}, or {} with a NULL key: a new reference. */
json_object *dialect_delta(const char *key, const char *text, size_t len);

/* Why it ended, in OpenAI's words. */
const char *dialect_finish_reason(const struct answer *answer);

/* The model that answered, or was asked. */
const char *dialect_model(const struct answer *answer);

/* The terminal event in our own words, `done` or `error`: its content, a new reference, and in *name its name, a literal. */
json_object *dialect_terminal(const struct answer *answer, const char **name);

/* Writes `object` as one data line and puts it back. */
void dialect_send(struct stream *stream, json_object *object);

/* Writes {"error": {"code","message"}} of an answer that failed. */
void dialect_send_failure(struct stream *stream);

/* Writes the line that ends OpenAI's streams and those that are made like them. */
void dialect_send_done(struct stream *stream);

/* For frames around pieces of text that are the same but for the text: cuts `object`, in which `mark` (such as "content":"") stands last, in two halves that the stream keeps. Puts
   `object` back. False: out of memory. */
bool dialect_keep_frame(struct stream *stream, json_object *object, const char *mark);

/* Functions for the table: a piece of text within that frame, a ping that is a comment, an event that has no place in the dialect. */
void dialect_text(struct stream *stream, const char *text, size_t len, int64_t pos);
void dialect_ping(struct stream *stream);
void dialect_leave_out(struct stream *stream, const char *name, const char *json, int64_t pos);

#endif
