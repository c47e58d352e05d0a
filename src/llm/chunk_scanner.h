/*
 * The fast way through an ordinary chunk of the OpenAI wire: finds choices[0].delta.content without building a JSON tree.
 *
 * Nearly all chunks of an answer are alike: one choice, a delta with a piece of text, everything else null or of no interest. The scanner takes
 * these; whatever is not exactly so (an error, usage, a finish, reasoning, tool calls, several choices) it leaves to json-c. No I/O.
 */
#ifndef PARLEY_CHUNK_SCANNER_H
#define PARLEY_CHUNK_SCANNER_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buf.h"

/* Scans one chunk of `len` bytes. True: it is ordinary, and its text was appended to `text` (perhaps nothing), repaired to valid UTF-8. False: ask json-c;
   `text` is as it was. */
bool chunk_scan(const char *json, size_t len, struct buf *text);

#endif
