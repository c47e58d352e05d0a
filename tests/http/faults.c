/*
 * Preloaded into the program by tests (faults.js): moves its clock, and lets the disk fail, as a shared file of numbers says at the moment.
 *
 * Built by the tests themselves. Acts in programs whose name begins with "chat." only, so not in the host server. Files that may fail are those whose name holds "parley.db".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* As faults.js writes them. */
struct orders {
    int64_t clock_seconds; /* how far the clock is wrong */
    int64_t write_errno, sync_errno, short_writes;
    int64_t file_system; /* what statfs says; 0: the truth */
};

static volatile const struct orders *orders(void)
{
    static const struct orders none;
    static volatile const struct orders *found;
    if (found != NULL)
        return found;
    const char *path = getenv("PARLEY_FAULTS");
    int fd = path != NULL && strncmp(program_invocation_short_name, "chat.", 5) == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *area = fd >= 0 ? mmap(NULL, sizeof *found, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    found = area != MAP_FAILED ? area : &none;
    return found;
}

/* The function that would have been called without us. */
#define REAL(name, type) static type *real; if (real == NULL) real = (type *)dlsym(RTLD_NEXT, name)

typedef int clock_gettime_type(clockid_t, struct timespec *);
typedef ssize_t pwrite_type(int, const void *, size_t, off_t);
typedef ssize_t write_type(int, const void *, size_t);
typedef int sync_type(int);
typedef int statfs_type(const char *, struct statfs *);

int clock_gettime(clockid_t id, struct timespec *time)
{
    REAL("clock_gettime", clock_gettime_type);
    int result = real(id, time);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        time->tv_sec += (time_t)orders()->clock_seconds;
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return result;
}

time_t time(time_t *to)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}

static int is_database(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    return strstr(path, "parley.db") != NULL;
}

static ssize_t write_at(const char *name, int fd, const void *bytes, size_t len, off_t at)
{
    pwrite_type *real = (pwrite_type *)dlsym(RTLD_NEXT, name);
    if ((orders()->write_errno != 0 || orders()->short_writes != 0) && is_database(fd)) {
        if (orders()->write_errno != 0) {
            errno = (int)orders()->write_errno;
            return -1;
        }
        len = len > 1 ? len / 2 : len;
    }
    return real(fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return write_at("pwrite", fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    return write_at("pwrite64", fd, bytes, len, at);
}

static int sync_by(const char *name, int fd)
{
    sync_type *real = (sync_type *)dlsym(RTLD_NEXT, name);
    if (orders()->sync_errno != 0 && is_database(fd)) {
        errno = (int)orders()->sync_errno;
        return -1;
    }
    return real(fd);
}

int fsync(int fd)
{
    return sync_by("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_by("fdatasync", fd);
}

static int status_by(const char *name, const char *path, struct statfs *status)
{
    statfs_type *real = (statfs_type *)dlsym(RTLD_NEXT, name);
    int result = real(path, status);
    if (result == 0 && orders()->file_system != 0)
        status->f_type = (__typeof__(status->f_type))orders()->file_system;
    return result;
}

int statfs(const char *path, struct statfs *status)
{
    return status_by("statfs", path, status);
}

int statfs64(const char *path, struct statfs64 *status)
{
    return status_by("statfs64", path, (struct statfs *)status);
}
