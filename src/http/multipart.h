/*
 * Reads a multipart/form-data body (RFC 7578; RFC 2046 section 5.1) from bytes that arrive in any cuts.
 *
 * No I/O: bytes go in; parts come out, each as begin, data in any number of pieces, end. Only when multipart_end() has said MULTIPART_OK was the body whole, so nothing that
 * came out counts before. Lines end in CRLF and in nothing else. What the file name of a part says is never a path: it has lost all that stands before its last slash or
 * backslash. Ceilings: LIMIT_FORM_PARTS and its neighbours in limits.h; the size of the body is its reader's to bound. Neighbours: api/upload.c. Leaves out: parts within
 * parts and encoded parts, which RFC 7578 has done away with, and the field _charset_: names are UTF-8.
 */
#ifndef PARLEY_MULTIPART_H
#define PARLEY_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buf.h"

enum { MULTIPART_BOUNDARY_BYTES = 70 }; /* RFC 2046 section 5.1.1 */

/* What the headers of a part say. The texts are the reader's, good until the callback returns. */
struct multipart_part {
    const char *name;      /* of the form's field: UTF-8 without control characters */
    const char *file_name; /* the same, without path; NULL: the part is no file; "": a form whose user chose none, or nothing was left of the name */
    const char *type;      /* media type as sent, "text/plain" when it was not */
};

/* Each returns false to stop the reading. */
struct multipart_sink {
    bool (*begin)(void *arg, const struct multipart_part *part);
    bool (*data)(void *arg, const char *bytes, size_t len); /* len > 0 */
    bool (*end)(void *arg);
    void *arg;
};

enum multipart_result {
    MULTIPART_OK,       /* all bytes were taken; at the end: the body is whole */
    MULTIPART_SHORT,    /* at the end: more should have come */
    MULTIPART_STOPPED,  /* a callback said so */
    MULTIPART_BAD,      /* not as it should be; `why` has the reason */
    MULTIPART_NO_MEMORY
};

struct multipart {
    enum multipart_result result; /* once it is not MULTIPART_OK, it stays */
    const char *why;              /* static, to follow "The form cannot be read: "; NULL unless MULTIPART_BAD */
    struct multipart_sink sink;
    int state;
    bool in_part;              /* between begin and end */
    char delimiter[4 + MULTIPART_BOUNDARY_BYTES + 1]; /* CRLF, two hyphens, the boundary */
    size_t delimiter_len;
    size_t matched;            /* how much of it the last bytes are, … */
    size_t unreal;             /* … of which the first so many are the end of the line before, not data */
    size_t parts;
    size_t headers, header_bytes; /* of this part, so far */
    unsigned seen;             /* what its headers have said */
    struct buf line;           /* a header that has not ended yet */
    struct buf value;          /* of a header's parameter, decoded */
    struct buf name, file_name, type;
};

/* Begins a body that was sent with this Content-Type. MULTIPART_OK; MULTIPART_BAD: it is none of multipart/form-data with a usable boundary; MULTIPART_NO_MEMORY. To be
   released by multipart_free() in every case. */
enum multipart_result multipart_init(struct multipart *reader, const char *content_type, struct multipart_sink sink);
void multipart_free(struct multipart *reader);

enum multipart_result multipart_feed(struct multipart *reader, const char *bytes, size_t len);

/* The bytes have ended. */
enum multipart_result multipart_end(struct multipart *reader);

#endif
