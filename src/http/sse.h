/*
 * Server-sent events to a client (HTML standard, section 9.2): the one place where frames are printed.
 *
 * Frames leave by FCGX_FPrintF with literal formats of %s and %lld only: it is not printf (%zu fails, %.*s fails on 2 MB, NULL
 * crashes). Nothing leaves the process before sse_flush(). A write that fails is remembered (request_is_gone()). Leaves out: what events mean.
 */
#ifndef PARLEY_SSE_H
#define PARLEY_SSE_H

#include "request.h"

/* Sends the head of a stream: status 200, text/event-stream, and what keeps proxies from buffering it. Once. */
void sse_begin(struct request *request);

/* `data: ` + three texts in a row + an empty line. None may hold a line break; "" for none. With a NULL (no memory for it)
   the stream is broken off, here and in sse_event(). */
void sse_data(struct request *request, const char *first, const char *second, const char *third);

/* An event with a name and the id "<id>:<pos>" (id NULL: without). `data` is one line without a line break. */
void sse_event(struct request *request, const char *name, const char *id, int64_t pos, const char *data);

/* An event whose data is raw text: one `data:` line for each line of it; CR and CRLF count as LF. `text` needs no NUL at its end. */
void sse_text(struct request *request, const char *name, const char *id, int64_t pos, const char *text, size_t len);

/* A comment line, invisible to clients: keeps connections open and finds out those that are gone. */
void sse_comment(struct request *request);

/* Sends what was written since the last flush, as one record. */
void sse_flush(struct request *request);

#endif
