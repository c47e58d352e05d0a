/*
 * How the events of an answer look to one kind of client: a small table of functions per kind.
 *
 * All run on the event loop. They write by src/http/sse.h and do not flush. Neighbours: answer.c (calls them).
 */
#ifndef PARLEY_DIALECT_H
#define PARLEY_DIALECT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"

struct dialect {
    bool (*open)(struct stream *stream); /* head and first event; false: out of memory */
    /* A piece of text, whole characters, at most LIMIT_SSE_TEXT_BYTES; `pos` is the position after it. */
    void (*text)(struct stream *stream, const char *text, size_t len, int64_t pos);
    void (*reasoning)(struct stream *stream, const char *text, size_t len, int64_t pos);
    /* An event of another kind; `json` is one line. */
    void (*event)(struct stream *stream, const char *name, const char *json, int64_t pos);
    void (*ping)(struct stream *stream);
    void (*end)(struct stream *stream); /* the terminal event, from answer->status */
};

extern const struct dialect dialect_chunks; /* POST /chat: OpenAI's chat.completion.chunk objects */
extern const struct dialect dialect_events; /* POST /chat/stream: named events with ids */

/* {"code","message"} of a failure. A new reference. */
json_object *dialect_error(const struct failure *failure);

#endif
