/*
 * The string builder: bytes that grow up to a ceiling given at birth.
 *
 * The contents always end in a NUL that `len` does not count, so `data` is a C string whenever they hold no NUL of their own.
 * The first append that does not fit (ceiling or memory) sets `failed` and frees the contents; later appends do nothing. So a
 * caller appends freely and asks buf_failed() once, at the end. Neighbours: mem.h, utf8.h, limits.h (the ceilings).
 */
#ifndef PARLEY_BUF_H
#define PARLEY_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;  /* "" when empty: never NULL */
    size_t len;  /* bytes in use */
    size_t cap;  /* bytes allocated, 0: none yet */
    size_t max;  /* the ceiling on len */
    bool failed; /* an append did not fit */
};

/* An empty buffer that may hold up to `max` bytes. Allocates nothing. Released by buf_free(). */
void buf_init(struct buf *buf, size_t max);

/* Gives the memory back; the buffer is empty again, no longer failed, and may be used on. */
void buf_free(struct buf *buf);

/* Empties the buffer but keeps its memory. Clears `failed`. */
void buf_clear(struct buf *buf);

/* Makes room for `more` bytes. False when they do not fit; the contents stay as they are and `failed` is not set. */
bool buf_reserve(struct buf *buf, size_t more) __attribute__((warn_unused_result));

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` bytes (at most all). */
void buf_drop(struct buf *buf, size_t len);

/* Whether an append was lost since buf_init() or buf_clear(). */
bool buf_failed(const struct buf *buf);

/* Hands the contents to the caller, who frees them with mem_free(); the buffer is empty afterwards. NULL when it failed or
   memory ran out. */
char *buf_take(struct buf *buf) __attribute__((warn_unused_result));

#endif
