/*
 * All allocation of our own code, so that one build of the tests can make the Nth call fail.
 *
 * Out of memory is a decided policy: an allocation may return NULL, the caller gives the request up with
 * OUTCOME_NO_MEMORY (503) and the process lives on. Buffers (buf.h) remember a failure, so that it is checked once.
 * Neighbours: buf.h. Leaves out: the memory of json-c, SQLite, curl and libfcgi, which is their own.
 */
#ifndef PARLEY_MEM_H
#define PARLEY_MEM_H

#include <stddef.h>

/* Zeroed memory for `count` things of `size` bytes, or NULL. Freed with mem_free(). */
void *mem_new(size_t count, size_t size) __attribute__((warn_unused_result));

/* As realloc(3); on NULL the old block stays. */
void *mem_resize(void *block, size_t size) __attribute__((warn_unused_result));

/* Copy of `text`, or NULL. Freed with mem_free(). */
char *mem_copy(const char *text) __attribute__((warn_unused_result));

void mem_free(void *block); /* NULL is allowed */

/* For tests: the call after `calls` further successful ones fails, once; negative: never. */
void mem_fail_after(long calls);

#endif
