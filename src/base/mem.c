/*
 * The allocator of mem.h: malloc with a place where a test can make it fail.
 */
#include "mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_long calls_left = -1; /* negative: no failure is planned */

static int fails_now(void)
{
    if (atomic_load_explicit(&calls_left, memory_order_relaxed) < 0)
        return 0;
    return atomic_fetch_sub(&calls_left, 1) == 0;
}

void mem_fail_after(long calls)
{
    atomic_store(&calls_left, calls);
}

void *mem_new(size_t count, size_t size)
{
    return fails_now() ? NULL : calloc(count, size);
}

void *mem_resize(void *block, size_t size)
{
    return fails_now() ? NULL : realloc(block, size);
}

char *mem_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_new(1, size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

void mem_free(void *block)
{
    free(block);
}
