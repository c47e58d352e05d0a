/*
 * What fuzz targets share: claims that end the program when they are wrong, copies of the input in which a byte read too far is seen, cuts, settings.
 *
 * The first byte of an input says which way is taken (how the rest is cut, mostly), so that replay.c can take them all.
 */
#ifndef PARLEY_FUZZ_H
#define PARLEY_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/buf.h"
#include "../../src/base/json.h"
#include "../../src/base/log.h"
#include "../../src/base/outcome.h"
#include "../../src/base/settings.h"
#include "../../src/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A claim that holds for every input. */
#define insist(what) ((what) ? (void)0 : fuzz_deny(#what))

static inline _Noreturn void fuzz_deny(const char *claim)
{
    (void)fprintf(stderr, "not so: %s\n", claim);
    abort();
}

/* A copy without a NUL at its end. Freed by free(3). */
static inline char *fuzz_bytes(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    insist(copy != NULL);
    copy[0] = '\0';
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

/* A copy as a C string: it ends at the first NUL. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    size_t len = size > 0 ? strnlen((const char *)data, size) : 0;
    char *copy = malloc(len + 1);
    insist(copy != NULL);
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

/* The same, but valid UTF-8, as all texts are that have come through json_read() or a check. */
static inline char *fuzz_utf8(const uint8_t *data, size_t size)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 4);
    utf8_add_repaired(&text, (const char *)data, size);
    char *copy = fuzz_text((const uint8_t *)text.data, text.len);
    buf_free(&text);
    return copy;
}

/* What comes after an input's first byte, where it is JSON of a type; else NULL. A new reference. */
static inline json_object *fuzz_json(const uint8_t *data, size_t size, json_type type)
{
    const char *why = NULL;
    char *text = fuzz_bytes(data + 1, size - 1);
    json_object *value = json_read(text, size - 1, &why);
    free(text);
    if (why == NULL && json_object_is_type(value, type))
        return value;
    json_object_put(value);
    return NULL;
}

/* For what takes long: true for one input in so many, whichever they are, so that the fuzzer does not learn to ask for it. */
static inline bool fuzz_is_chosen(const uint8_t *data, size_t size, uint32_t one_in)
{
    uint32_t sum = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ data[i]) * 16777619U;
    return sum % one_in == 0;
}

/* Takes the line at *at off the input, without its LF: a C string of its own. */
static inline char *fuzz_line(const uint8_t **at, size_t *left)
{
    const uint8_t *lf = *left > 0 ? memchr(*at, '\n', *left) : NULL;
    size_t len = lf != NULL ? (size_t)(lf - *at) : *left;
    char *line = fuzz_text(*at, len);
    *at += len + (lf != NULL);
    *left -= len + (lf != NULL);
    return line;
}

/* Gives the input to `feed` in pieces of a few bytes that follow from `seed`, or whole (0). Each piece is a block of its own. Stops when `feed` says so. */
static inline void fuzz_feed(const uint8_t *data, size_t size, unsigned seed, bool (*feed)(void *arg, const char *bytes, size_t len), void *arg)
{
    unsigned state = seed * 2654435761u;
    bool go_on = true;
    for (size_t at = 0, part; at < size && go_on; at += part) {
        state = state * 1103515245u + 12345;
        part = seed > 0 ? 1 + (state >> 16) % (1 + seed % 16) : size;
        part = part < size - at ? part : size - at;
        char *piece = fuzz_bytes(data + at, part);
        go_on = feed(arg, piece, part);
        free(piece);
    }
}

/* The settings as they are without any file, and silence, once. */
static inline void fuzz_settings(void)
{
    static bool is_done;
    if (is_done)
        return;
    is_done = true;
    insist(settings_load("fuzz", "/dev/null", stderr));
    log_set_level((enum log_level)(LOG_ERROR + 1));
}

/* What every sentence for a client keeps to. */
static inline void fuzz_check_failure(enum outcome outcome, const struct failure *failure)
{
    insist(outcome >= OUTCOME_OK && outcome < OUTCOME_COUNT);
    if (outcome == OUTCOME_OK || outcome == OUTCOME_DETACHED)
        return;
    size_t len = strnlen(failure->message, sizeof failure->message);
    insist(failure->outcome == outcome && len > 0 && len < sizeof failure->message);
    insist(utf8_valid(failure->message, len) && (outcome_status(outcome) >= 400 || outcome == OUTCOME_STOPPED) && outcome_code(outcome) != NULL);
    insist(failure->retry_after_s >= 0);
}

#endif
