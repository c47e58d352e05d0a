/*
 * UTF-8 by RFC 3629: valid or not, where a text may be cut, and repair of what a provider sent.
 *
 * No I/O, no memory of its own. Neighbours: buf.h. Leaves out: normalisation, case, width.
 */
#ifndef PARLEY_UTF8_H
#define PARLEY_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* Reads one character of `text`, `len` > 0 bytes. Returns its length in bytes, with the code point in *code; 0 when the bytes are
   not UTF-8 (overlong, surrogate, above U+10FFFF, stray byte); -1 when they are a good beginning that `len` cuts short. */
int utf8_read(const char *text, size_t len, uint32_t *code);

/* Whether all `len` bytes are UTF-8. */
bool utf8_valid(const char *text, size_t len);

/* The number of characters in valid UTF-8. */
size_t utf8_count(const char *text, size_t len);

/* The largest length not above `len` that does not cut a character of `text` in two; `text` is valid UTF-8 up to a cut character
   at its end. */
size_t utf8_fit(const char *text, size_t len);

/* Appends `text` to `buf` with each bad byte sequence and each NUL replaced by U+FFFD, so that what is stored is valid. */
void utf8_add_repaired(struct buf *buf, const char *text, size_t len);

/* Appends code point `code` (a valid scalar value). */
void utf8_add(struct buf *buf, uint32_t code);

/* Puts a `?` in the place of each byte of a text that belongs to no character: for sentences that quote what may be anything. */
void utf8_mend(char *text);

#endif
