/*
 * What all unit tests share: cmocka, a page that must not be read, the ways to cut an input into pieces, random numbers, a child process.
 *
 * Every tests/unit/test_*.c is one program of one module; `build/tests/test_buf 'an_append*'` runs the tests whose names match.
 */
#ifndef PARLEY_UNIT_H
#define PARLEY_UNIT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* the name of a function in src/base/outcome.h */

#include "../../src/base/buf.h"
#include "../../src/base/log.h"
#include "../../src/base/mem.h"

/* --- running ------------------------------------------------------------------------------------------------------------- */

/* No log line is written after this. cmocka's own words still are. */
static inline void unit_silence(void)
{
    log_set_level((enum log_level)(LOG_ERROR + 1));
}

#define UNIT_MAIN(tests)                                                         \
    int main(int argc, char **argv)                                              \
    {                                                                            \
        unit_silence();                                                          \
        if (argc > 1)                                                            \
            cmocka_set_test_filter(argv[1]);                                     \
        return cmocka_run_group_tests_name(argv[0], tests, NULL, NULL);          \
    }

/* --- an input that ends where reading ends ---------------------------------------------------------------------------------- */

enum { GUARD_BYTES = 1 << 20 };

/* A copy of `bytes` whose end is the end of readable memory, so that one byte of over-read crashes. Good until the next call. */
static inline const char *guard(const void *bytes, size_t len)
{
    static char *end;
    if (end == NULL) {
        char *area = mmap(NULL, GUARD_BYTES * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(area != MAP_FAILED);
        end = area + GUARD_BYTES;
        assert_int_equal(mprotect(end, GUARD_BYTES, PROT_NONE), 0);
    }
    assert_true(len <= GUARD_BYTES);
    return len > 0 ? memcpy(end - len, bytes, len) : end;
}

/* --- one input, cut in all ways ------------------------------------------------------------------------------------------- */

/* A way to cut: `first` bytes, then pieces of `step` bytes. Number 0 is the whole, 1 byte by byte, then every split in two. */
struct cut {
    size_t number, first, step;
};

static inline bool cut_next(struct cut *cut, size_t len)
{
    size_t number = cut->step == 0 ? 0 : cut->number + 1;
    *cut = (struct cut){number, number == 0 ? len : number == 1 ? 1 : number - 1, number == 1 ? 1 : len + 1};
    return number == 0 || number <= len;
}

#define EACH_CUT(cut, len) for (struct cut cut = {0}; cut_next(&cut, len);)

/* Feeds `bytes` in pieces, each before a guard page, until `feed` says no. */
static inline void cut_feed(const struct cut *cut, const char *bytes, size_t len, bool (*feed)(void *arg, const char *bytes, size_t len), void *arg)
{
    size_t n = cut->first;
    for (size_t i = 0; i < len; i += n, n = cut->step) {
        if (n > len - i)
            n = len - i;
        if (!feed(arg, guard(bytes + i, n), n))
            return;
    }
}

/* --- random numbers, the same in each run ----------------------------------------------------------------------------------- */

static inline uint32_t unit_random(uint64_t *state)
{
    *state ^= *state << 13; /* Marsaglia's xorshift64 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

/* --- a child process for what is loaded once ---------------------------------------------------------------------------------- */

/* Runs `work` in a child and returns all that it wrote to `out`, in static memory. Assertions do not work in the child. */
static inline const char *in_child(void (*work)(FILE *out, void *arg), void *arg)
{
    static char text[64 * 1024];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's handlers would go on with the next test */
        signal(SIGABRT, SIG_DFL);
        FILE *out = fdopen(ends[1], "w");
        if (out != NULL) {
            work(out, arg);
            (void)fclose(out);
        }
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(ends[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return text;
}

#define assert_contains(text, part) unit_assert_contains(text, part, true, __FILE__, __LINE__)
#define assert_lacks(text, part) unit_assert_contains(text, part, false, __FILE__, __LINE__)

static inline void unit_assert_contains(const char *text, const char *part, bool wanted, const char *file, int line)
{
    if ((strstr(text, part) != NULL) == wanted)
        return;
    print_error("\"%s\" %s \"%s\"\n", text, wanted ? "lacks" : "contains", part);
    _fail(file, line);
}

#endif
