/*
 * The list behind secrets.h.
 */
#include "secrets.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
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

/* --- files with secrets in them ----------------------------------------------------------------------------------------- */

static bool holds_secret(const char *text)
{
    bool found = false;
    pthread_rwlock_rdlock(&lock);
    for (size_t i = 0; i < count && !found; i++)
        found = strstr(text, values[i]) != NULL;
    pthread_rwlock_unlock(&lock);
    return found;
}

/* The whole of a file; a settings file or parley.json is not larger than this. */
static bool read_whole(int fd, struct buf *text)
{
    char part[4096];
    ssize_t n;
    while ((n = read(fd, part, sizeof part)) > 0)
        buf_add(text, part, (size_t)n);
    return n == 0 && !buf_failed(text) && text->len > 0;
}

bool secrets_are_exposed(const char *path, char *sentence, size_t size)
{
    struct buf text;
    struct stat status;
    buf_init(&text, LIMIT_CONFIG_BYTES);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us; it is no file that lies about */
    bool exposed = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (exposed) {
        bool ours = status.st_uid == geteuid();
        exposed = (status.st_mode & (ours ? S_IRGRP | S_IROTH : S_IROTH)) != 0 && read_whole(fd, &text) && holds_secret(text.data);
        const char *mode = ours ? "600" : "640"; /* the second for a file of root's, in a group of ours */
        if (exposed)
            (void)snprintf(sentence, size, "%.400s holds a key, and %s can read it: chmod %s %.400s", path, (status.st_mode & S_IROTH) != 0 ? "every user of this machine" : "its group", mode, path);
    }
    if (fd >= 0)
        (void)close(fd);
    buf_free(&text);
    return exposed;
}
