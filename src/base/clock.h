/*
 * Time. Time-outs use the monotonic clock, rows use UTC; the two never mix.
 */
#ifndef PARLEY_CLOCK_H
#define PARLEY_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds of the monotonic clock: only differences mean anything. */
int64_t clock_mono_ms(void);

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_unix_ms(void);

enum { CLOCK_TEXT_BYTES = 32 };

/* Writes `unix_ms` as RFC 3339 UTC with milliseconds, such as 2026-11-21T14:30:00.250Z, and returns `text`. */
const char *clock_text(int64_t unix_ms, char text[CLOCK_TEXT_BYTES]);

enum { CLOCK_DAY_MS = 24 * 60 * 60 * 1000, CLOCK_DAY_BYTES = 48 };

/* Days are counted from 1970-01-01 UTC. Reads one as YYYY-MM-DD; false when there is no such day. Writes one, and returns `text`. */
bool clock_day_read(const char *text, int64_t *day);
const char *clock_day_text(int64_t day, char text[CLOCK_DAY_BYTES]);

/* The moment `ms` milliseconds from now on the monotonic clock, for pthread_cond_clockwait(): a wall clock that is set must not stretch a wait. */
struct timespec clock_mono_after(int64_t ms);

/* Sleeps for `ms` milliseconds. */
void clock_sleep_ms(int64_t ms);

#endif
