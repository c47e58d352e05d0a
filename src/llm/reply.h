/*
 * Reading one answer: what all wires share. Events to give out, tool calls that come in pieces, how it ended.
 *
 * Neighbours: wire_*.c (fill it), completion.c (owns it), sse_parser.h, think.h. Everything runs on the event loop.
 */
#ifndef PARLEY_REPLY_H
#define PARLEY_REPLY_H

#include <json-c/json.h>
#include <stdbool.h>

#include "../base/buf.h"
#include "completion.h"
#include "provider_error.h"
#include "sse_parser.h"
#include "think.h"
#include "wire.h"

/* A tool call in the making. */
struct reply_call {
    int64_t slot; /* the provider's number for it */
    char *id, *name, *state;
    struct buf arguments;
};

struct reply {
    const struct wire *wire;
    const struct wire_target *target;
    const struct completion_sink *sink;
    struct completion_result *result;
    struct sse_parser sse;
    struct think think;
    enum { REPLY_UNKNOWN, REPLY_STREAM, REPLY_WHOLE } form; /* told by the first byte, not by Content-Type, which is often wrong */
    struct buf whole;            /* a body that is not a stream */
    struct buf text;             /* room for a wire's own use */
    struct reply_call *calls;
    size_t call_count;
    void *state;                 /* the wire's own; NULL at first */
    size_t quiet_bytes;          /* that came since the last piece of text, reasoning or a call */
    bool ended;                  /* the terminal mark was seen */
    bool at_end;                 /* the body has ended: an event that cannot be parsed is a cut one */
    bool all_said;               /* nothing can follow: whatever does is ignored */
    bool failed;                 /* `error` or `outcome` says why nothing more is read */
    enum outcome outcome;        /* OUTCOME_OK, or our own reason to give up */
    struct provider_error error; /* the provider's */
};

void reply_init(struct reply *reply, const struct wire *wire, const struct wire_target *target, const struct completion_sink *sink,
                struct completion_result *result);
void reply_free(struct reply *reply);

/* --- what wires say ----------------------------------------------------------------------------------------------- */

/* A piece of the answer; at the beginning of an answer `<think>` is looked for. */
void reply_text(struct reply *reply, const char *text, size_t len);
void reply_reasoning(struct reply *reply, const char *text, size_t len);

/* The text has ended: gives out what was held back because it might have become a tag. */
void reply_end_text(struct reply *reply);

/* Begins or goes on with the tool call in `slot`. Texts that are NULL or "" add nothing; id and name are set once, arguments are appended. Whoever wants a call of its own
   without a number passes reply->call_count. */
void reply_call(struct reply *reply, int64_t slot, const char *id, const char *name, const char *arguments, size_t arguments_len);

/* The opaque state of the call in `slot`. */
void reply_call_state(struct reply *reply, int64_t slot, const char *state);

/* The model's name as the provider says it; the first one counts. */
void reply_model(struct reply *reply, const char *model);

/* Why it ended, in the words of OpenAI's finish_reason where there is one for it. The terminal mark is `ended`, which the wire sets. */
void reply_finish(struct reply *reply, const char *reason);

/* What is to be sent back with this answer; takes the reference. */
void reply_keep_state(struct reply *reply, json_object *state);

/* It has failed: for a reason of ours, or by an error object of the provider's (status 0: not known). */
void reply_give_up(struct reply *reply, enum outcome outcome);
void reply_error(struct reply *reply, json_object *object, long status);

/* The provider said something that is no JSON, no stream, nothing known: logs `what` and the beginning of `text`, and gives up. */
void reply_senseless(struct reply *reply, const char *what, const char *text);

/* --- ways of reading bodies --------------------------------------------------------------------------------------- */

/* Tells stream and whole answer apart by the first byte that says something, and feeds the one to `on_event` and gathers the other in `whole`. What a wire with server-sent
   events has for `feed`. False: it failed. */
bool reply_feed_sse(struct reply *reply, const char *bytes, size_t len, sse_on_event *on_event);

/* The end of such a body: a last event without its empty line, or the whole answer, which `read_whole` is given parsed. */
void reply_end_sse(struct reply *reply, sse_on_event *on_event, void (*read_whole)(struct reply *reply, json_object *object));

/* An event's data as an object, or NULL: it was null or no object (logged), or it could not be parsed (given up, unless it is a cut one at the end). The caller puts it
   back. */
json_object *reply_parse(struct reply *reply, const char *data, size_t len);

/* After `end`: gives the tool calls to the result. False: out of memory. */
bool reply_collect_calls(struct reply *reply);

#endif
