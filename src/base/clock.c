/*
 * The two clocks of clock.h.
 */
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now); /* cannot fail for these two clocks */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_unix_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

const char *clock_text(int64_t unix_ms, char text[CLOCK_TEXT_BYTES])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc = {0};
    char day_and_time[24];
    if (gmtime_r(&seconds, &utc) == NULL || strftime(day_and_time, sizeof day_and_time, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        day_and_time[0] = '\0';
    (void)snprintf(text, CLOCK_TEXT_BYTES, "%s.%03dZ", day_and_time, (int)(unix_ms % 1000));
    return text;
}

bool clock_day_read(const char *text, int64_t *day)
{
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof form; i++) /* with the NUL at its end */
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    struct tm utc = {.tm_year = atoi(text) - 1900, .tm_mon = atoi(text + 5) - 1, .tm_mday = atoi(text + 8)}, same = utc;
    *day = (int64_t)timegm(&same) / (CLOCK_DAY_MS / 1000);
    return same.tm_mon == utc.tm_mon; /* a day that is not there is one of another month */
}

const char *clock_day_text(int64_t day, char text[CLOCK_DAY_BYTES])
{
    time_t seconds = (time_t)(day * (CLOCK_DAY_MS / 1000));
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc); /* fails beyond years that an int holds */
    (void)snprintf(text, CLOCK_DAY_BYTES, "%04d-%02d-%02d", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
    return text;
}

struct timespec clock_mono_after(int64_t ms)
{
    struct timespec then = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &then); /* cannot fail */
    then.tv_sec += (time_t)(ms / 1000);
    then.tv_nsec += (long)(ms % 1000) * 1000000;
    if (then.tv_nsec >= 1000000000) {
        then.tv_sec++;
        then.tv_nsec -= 1000000000;
    }
    return then;
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}
