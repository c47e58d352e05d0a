/*
 * What the programs of the benchmark share: the clock, sockets on loopback, and the stamp that a token carries.
 *
 * A token's text is "<number>.<microseconds> ", both decimal; the microseconds are CLOCK_MONOTONIC modulo STAMP_WRAP_US. All programs run on one machine, so the
 * reader's clock minus the stamp is the time that the token took. Leaves out: everything about HTTP and FastCGI.
 */
#ifndef BENCH_H
#define BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STAMP_WRAP_US 1000000000LL

static inline _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline void *grow(void *block, size_t size)
{
    void *more = realloc(block, size);
    if (more == NULL)
        die("memory");
    return more;
}

/* Bytes that come in pieces. */
struct bytes {
    char *data;
    size_t len, room;
};

static inline char *bytes_room(struct bytes *bytes, size_t more)
{
    if (bytes->len + more > bytes->room) {
        bytes->room = (bytes->len + more) * 2;
        bytes->data = grow(bytes->data, bytes->room);
    }
    return bytes->data + bytes->len;
}

static inline void bytes_add(struct bytes *bytes, const void *data, size_t len)
{
    memcpy(bytes_room(bytes, len), data, len);
    bytes->len += len;
}

static inline void bytes_drop(struct bytes *bytes, size_t len)
{
    bytes->len -= len;
    if (bytes->len > 0)
        memmove(bytes->data, bytes->data + len, bytes->len);
}

static inline void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

static inline char *put_number(char *at, int64_t number)
{
    char digits[24];
    int n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

static inline int connect_loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0)
        die("socket");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        die("connect");
    return fd;
}

#endif
