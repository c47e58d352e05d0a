/*
 * Reads lines of JSON (NDJSON) from bytes that arrive in any cuts.
 *
 * No I/O: bytes go in, whole lines come out, without their ends (LF or CRLF). White space around a line and a BOM at the start are dropped, empty lines are skipped.
 * Neighbours: wire_ollama.c. Leaves out: what the lines mean.
 */
#ifndef PARLEY_NDJSON_H
#define PARLEY_NDJSON_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buf.h"

struct ndjson {
    struct buf line; /* the beginning of a line that has not ended yet */
    bool begun;      /* the first line is over */
};

/* One line; `text` ends in a NUL that `len` does not count. Good until the callback returns. False: stop reading. */
typedef bool ndjson_on_line(void *arg, const char *text, size_t len);

enum ndjson_result {
    NDJSON_MORE,    /* all bytes were taken, the next may come */
    NDJSON_STOPPED, /* the callback said so */
    NDJSON_TOO_BIG  /* a line over the limit, or no memory */
};

/* `max` is the ceiling for a line, in bytes. */
void ndjson_init(struct ndjson *reader, size_t max);
void ndjson_free(struct ndjson *reader);

enum ndjson_result ndjson_feed(struct ndjson *reader, const char *bytes, size_t len, ndjson_on_line *on_line, void *arg);

/* The bytes have ended: gives out a last line that lacks its end. */
enum ndjson_result ndjson_end(struct ndjson *reader, ndjson_on_line *on_line, void *arg);

#endif
