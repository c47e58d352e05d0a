/*
 * The list behind secrets.h.
 */
#include "secrets.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "limits.h"
#include "mem.h"

enum { SHORTEST = 6 };

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER; /* guards the list: keys of providers are added when the first one is asked */
static char *values[LIMIT_SECRETS];
static size_t count;

static void add(const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i], value) == 0)
            return;
    char *copy = count < LIMIT_SECRETS ? mem_copy(value) : NULL;
    if (copy == NULL)
        return;
    size_t i = count++;
    for (; i > 0 && strlen(values[i - 1]) < strlen(copy); i--) /* the longest first: one may begin like another */
        values[i] = values[i - 1];
    values[i] = copy;
}

void secrets_add(const char *value)
{
    if (strlen(value) < SHORTEST)
        return;
    pthread_rwlock_wrlock(&lock);
    add(value);
    pthread_rwlock_unlock(&lock);
}

/* The beginning of a secret that the end of the text has cut. */
static void mask_cut(char *text, const char *value, size_t len)
{
    size_t all = strlen(text);
    for (size_t n = len - 1 < all ? len - 1 : all; n >= SHORTEST; n--)
        if (memcmp(text + all - n, value, n) == 0) {
            memset(text + all - n, '*', n);
            return;
        }
}

void secrets_mask(char *text)
{
    pthread_rwlock_rdlock(&lock);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(values[i]);
        for (char *at = strstr(text, values[i]); at != NULL; at = strstr(at + len, values[i]))
            memset(at, '*', len);
        mask_cut(text, values[i], len);
    }
    pthread_rwlock_unlock(&lock);
}

const char *secrets_excerpt(const char *text, char out[EXCERPT_BYTES])
{
    char more[4 * EXCERPT_BYTES]; /* room for a secret that begins within the excerpt and ends behind it */
    (void)snprintf(more, sizeof more, "%s", text);
    secrets_mask(more);
    (void)snprintf(out, EXCERPT_BYTES, "%.200s", more);
    return out;
}
