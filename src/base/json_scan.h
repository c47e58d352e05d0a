/*
 * Steps over JSON text (RFC 8259) without building anything: strict, no I/O, no memory.
 *
 * json.c checks with it what json-c would be lax about; src/llm/chunk_scanner.c reads ordinary chunks with it. Leaves out: UTF-8, which the callers check.
 */
#ifndef PARLEY_JSON_SCAN_H
#define PARLEY_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct json_scan {
    const char *at, *end;
    bool too_deep; /* a value was refused for its nesting alone */
    size_t values; /* that were stepped over */
};

/* Steps over white space. */
void json_scan_space(struct json_scan *scan);

/* Steps over the character `c` and the white space around it; false (and only white space was taken) when something else comes. */
bool json_scan_take(struct json_scan *scan, char c);

/* Whether `c` comes next. */
bool json_scan_next_is(const struct json_scan *scan, char c);

/* Steps over `word`, such as "null", if it comes next. */
bool json_scan_word(struct json_scan *scan, const char *word);

/* Steps over a string. *text and *len are what stands between the quotes, escapes unresolved; *has_escape whether there are any. */
bool json_scan_string(struct json_scan *scan, const char **text, size_t *len, bool *has_escape);

/* Steps over any value, nested at most `depth` deep. False: it is not JSON, or too deep. */
bool json_scan_value(struct json_scan *scan, int depth);

#endif
