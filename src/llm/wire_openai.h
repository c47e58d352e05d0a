/*
 * The OpenAI Chat Completions wire: how a request is written and an answer, streamed or whole, is read.
 *
 * Good for OpenAI itself and for the many servers that speak the same with deviations; each deviation known is handled here. No I/O: bytes of an HTTP body go
 * in, events come out. Source: OpenAI's API reference, "Chat Completions" and "Streaming"; the deviations were recorded from the servers named beside
 * them. Neighbours: completion.c (drives it), sse_parser.h, chunk_scanner.h, think.h.
 */
#ifndef PARLEY_WIRE_OPENAI_H
#define PARLEY_WIRE_OPENAI_H

#include <stdbool.h>

#include "../base/buf.h"
#include "completion.h"
#include "provider_error.h"
#include "sse_parser.h"
#include "think.h"

#define OPENAI_PATH "/chat/completions"

/* Request parameters that a server refused and that are left out of the repeated request. */
struct openai_without {
    bool temperature, max_tokens, stream_options;
    bool max_tokens_is_old; /* it wants max_completion_tokens */
};

/* Writes the request body as JSON. False: out of memory. */
bool openai_write_request(struct buf *body, const struct completion_request *request, const char *model, const struct openai_without *without);

/* The state of reading one answer. */
struct openai_reply {
    const struct completion_sink *sink;
    struct completion_result *result;
    struct sse_parser sse;
    struct think think;
    enum { REPLY_UNKNOWN, REPLY_STREAM, REPLY_WHOLE } form; /* told by the first byte, not by Content-Type, which is often wrong */
    struct buf whole;            /* a body that is not a stream, or an error's */
    struct buf text;             /* of the chunk at hand */
    bool ended;                  /* the terminal mark was seen: finish_reason or [DONE] */
    bool at_end;                 /* the body has ended: an event that cannot be parsed is a cut one */
    bool all_said;               /* [DONE] was seen: whatever follows is ignored */
    bool failed;                 /* `error` or `outcome` says why nothing more is read */
    enum outcome outcome;        /* OUTCOME_OK, or our own reason to give up */
    struct provider_error error; /* the provider's */
};

void openai_reply_init(struct openai_reply *reply, const struct completion_sink *sink, struct completion_result *result);
void openai_reply_free(struct openai_reply *reply);

/* Takes bytes of a body with a good status. False: nothing more is wanted, because it failed; after [DONE] bytes are
   taken and ignored. */
bool openai_reply_feed(struct openai_reply *reply, const char *bytes, size_t len);

/* The body has ended. */
void openai_reply_end(struct openai_reply *reply);

#endif
