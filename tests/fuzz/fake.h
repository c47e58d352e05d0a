/*
 * A request without a connection, for what only looks at its variables.
 */
#ifndef PARLEY_FUZZ_FAKE_H
#define PARLEY_FUZZ_FAKE_H

#include "../../src/base/mem.h"
#include "../../src/http/request_internal.h"
#include "fuzz.h"

enum { FAKE_VARIABLES = 12 };

struct fake {
    struct request request;
    char *variables[FAKE_VARIABLES + 1];
    size_t count;
};

static inline void fake_begin(struct fake *fake)
{
    memset(fake, 0, sizeof *fake);
    buf_init(&fake->request.headers, LIMIT_HEADER_BYTES);
    fake->request.fcgi.envp = fake->variables;
}

static inline void fake_set(struct fake *fake, const char *name, const char *value)
{
    size_t len = strlen(name) + 1 + strlen(value) + 1;
    char *text = malloc(len);
    insist(text != NULL && fake->count < FAKE_VARIABLES);
    (void)snprintf(text, len, "%s=%s", name, value);
    fake->variables[fake->count++] = text;
}

static inline void fake_end(struct fake *fake)
{
    for (size_t i = 0; i < fake->count; i++)
        free(fake->variables[i]);
    for (size_t i = 0; i < fake->request.segment_count; i++)
        mem_free(fake->request.segments[i]);
    buf_free(&fake->request.headers);
}

/* The headers of an answer: whole lines, a name and a value each. */
static inline void fake_check_headers(const struct fake *fake)
{
    const struct buf *headers = &fake->request.headers;
    insist(!buf_failed(headers) && strlen(headers->data) == headers->len);
    for (const char *line = headers->data; *line != '\0';) {
        const char *end = strstr(line, "\r\n");
        insist(end != NULL && strcspn(line, "\r\n") == (size_t)(end - line) && strstr(line, ": ") != NULL && strstr(line, ": ") < end);
        line = end + 2;
    }
}

#endif
