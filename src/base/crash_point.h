/*
 * Moments at which tests kill the program, to see what is left of a turn: CRASH_POINT("name").
 *
 * Nothing, unless it is built with PARLEY_TEST_CRASH (`make apps` makes such a program for tests/http/crash.test.js; no other is). Then the process that passes the point which
 * PARLEY_CRASH_AT names dies there by SIGKILL: nothing is flushed or said. "name:3" means the third passage in a process.
 */
#ifndef PARLEY_CRASH_POINT_H
#define PARLEY_CRASH_POINT_H

#ifdef PARLEY_TEST_CRASH

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static inline void crash_point(const char *name, atomic_int *passages)
{
    const char *asked = getenv("PARLEY_CRASH_AT");
    size_t len = strlen(name);
    if (asked == NULL || strncmp(asked, name, len) != 0 || (asked[len] != '\0' && asked[len] != ':'))
        return;
    if (atomic_fetch_add(passages, 1) + 1 == (asked[len] == ':' ? atoi(asked + len + 1) : 1))
        (void)raise(SIGKILL);
}

#define CRASH_POINT(name)                  \
    do {                                   \
        static atomic_int passages;        \
        crash_point(name, &passages);      \
    } while (0)

#else

#define CRASH_POINT(name) ((void)0)

#endif

#endif
