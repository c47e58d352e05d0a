/*
 * See process.h. Locks are those of open file descriptions (fcntl(2), F_OFD_SETLK): unlike older ones they are not lost when some other part of the program opens and closes the
 * same file. The file is not the database itself, whose locks SQLite would lose by that.
 */
#include "process.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/log.h"
#include "../base/settings.h"
#include "db.h"

enum { HAS_LOCK = '+' /* ids of processes that have one begin so: of others the lock says nothing */ };

static struct {
    pthread_mutex_t lock;
    char id[PROCESS_BYTES]; /* "": not made yet */
    int fd;
} process = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* The byte that stands for an id: FNV-1a (Fowler, Noll, Vo), within what off_t can say. */
static struct flock lock_of(const char *id)
{
    uint64_t hash = 14695981039346656037u;
    for (; *id != '\0'; id++)
        hash = (hash ^ (unsigned char)*id) * 1099511628211u;
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(hash >> 2), .l_len = 1};
}

/* Beside the database itself, where a link leads to it: processes that know it by other names must look at the same locks. */
static int open_file(int flags)
{
    char path[PATH_MAX], real[PATH_MAX];
    const char *database = realpath(settings.db_path, real) != NULL ? real : settings.db_path;
    int len = snprintf(path, sizeof path, "%s-alive", database);
    return len > 0 && (size_t)len < sizeof path ? open(path, O_RDWR | O_CLOEXEC | flags, 0600) : -1;
}

/* Whether two descriptors are of one file. When the database was moved away and another put in its place, each has a file of its own, which knows nothing of the other's locks. */
static bool is_same_file(int a, int b)
{
    struct stat of_a, of_b;
    return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

const char *process_id(void)
{
    pthread_mutex_lock(&process.lock);
    if (process.id[0] == '\0' && id_new(process.id + 1)) {
        process.id[0] = HAS_LOCK;
        struct flock lock = lock_of(process.id);
        process.fd = db_is_on_network() ? -1 : open_file(O_CREAT); /* a lock taken on one machine may not be seen on another */
        if (process.fd < 0 || fcntl(process.fd, F_OFD_SETLK, &lock) != 0) {
            log_info("%s-alive cannot be locked: answers of processes that were killed are found by their old heartbeats", settings.db_path);
            memmove(process.id, process.id + 1, ID_BYTES);
        }
    }
    pthread_mutex_unlock(&process.lock);
    return process.id; /* never changes again */
}

bool process_has_lock(const char *id)
{
    return id[0] == HAS_LOCK;
}

bool process_is_gone(const char *id)
{
    struct flock lock = lock_of(id);
    if (!process_has_lock(id) || !process_has_lock(process_id()) || strcmp(id, process_id()) == 0)
        return false;
    int fd = open_file(0); /* a description of its own sees the locks of all others */
    bool gone = fd >= 0 && is_same_file(fd, process.fd) && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
    if (fd >= 0)
        (void)close(fd);
    return gone;
}

void process_end(void)
{
    pthread_mutex_lock(&process.lock);
    if (process.fd >= 0)
        (void)close(process.fd);
    process.fd = -1;
    process.id[0] = '\0';
    pthread_mutex_unlock(&process.lock);
}
