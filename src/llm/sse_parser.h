/*
 * Reads server-sent events (HTML standard, section 9.2.6) from bytes that arrive in any cuts.
 *
 * No I/O: bytes go in, whole events come out. Line ends are LF, CRLF and CR; a BOM at the start is dropped; comments are skipped; several data lines are
 * joined by LF; `id` and `retry` are ignored. Neighbours: wire_openai.c. Leaves out: what events mean.
 */
#ifndef PARLEY_SSE_PARSER_H
#define PARLEY_SSE_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buf.h"

enum { SSE_NAME_BYTES = 64 };

struct sse_parser {
    struct buf line; /* the beginning of a line that has not ended yet */
    struct buf data; /* of the event so far */
    char name[SSE_NAME_BYTES]; /* longer names are cut: none that anybody knows is */
    bool has_data, begun, after_cr;
};

/* One event; `data` ends in a NUL that `len` does not count. Good until the callback returns. False: stop parsing. */
typedef bool sse_on_event(void *arg, const char *name, const char *data, size_t len);

enum sse_result {
    SSE_MORE,    /* all bytes were taken, the next may come */
    SSE_STOPPED, /* the callback said so */
    SSE_TOO_BIG  /* a line or an event over the limit, or no memory */
};

/* `max` is the ceiling for a line and for an event's data, in bytes. */
void sse_parser_init(struct sse_parser *parser, size_t max);
void sse_parser_free(struct sse_parser *parser);

enum sse_result sse_parser_feed(struct sse_parser *parser, const char *bytes, size_t len, sse_on_event *on_event, void *arg);

/* The bytes have ended: gives out a last event that lacks its empty line, as real servers send it. */
enum sse_result sse_parser_end(struct sse_parser *parser, sse_on_event *on_event, void *arg);

#endif
