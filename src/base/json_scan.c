/*
 * The scanner of json_scan.h: recursive descent, one function per rule of RFC 8259.
 */
#include "json_scan.h"

#include <string.h>

void json_scan_space(struct json_scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

bool json_scan_next_is(const struct json_scan *scan, char c)
{
    return scan->at < scan->end && *scan->at == c;
}

bool json_scan_take(struct json_scan *scan, char c)
{
    json_scan_space(scan);
    if (!json_scan_next_is(scan, c))
        return false;
    scan->at++;
    json_scan_space(scan);
    return true;
}

bool json_scan_word(struct json_scan *scan, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return false;
    scan->at += len;
    return true;
}

static bool is_digit(const struct json_scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Section 7: what may follow a backslash. */
static bool scan_escape(struct json_scan *scan)
{
    if (scan->at == scan->end)
        return false;
    char c = *scan->at++;
    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    for (int i = 0; i < 4; i++, scan->at++)
        if (scan->at == scan->end || !is_hex(*scan->at))
            return false;
    return true;
}

bool json_scan_string(struct json_scan *scan, const char **text, size_t *len, bool *has_escape)
{
    if (!json_scan_next_is(scan, '"'))
        return false;
    const char *start = ++scan->at;
    *has_escape = false;
    while (scan->at < scan->end && *scan->at != '"') {
        char c = *scan->at++;
        if ((unsigned char)c < 0x20)
            return false;
        if (c == '\\') {
            *has_escape = true;
            if (!scan_escape(scan))
                return false;
        }
    }
    if (scan->at == scan->end)
        return false;
    *text = start;
    *len = (size_t)(scan->at - start);
    scan->at++;
    return true;
}

static bool scan_digits(struct json_scan *scan)
{
    if (!is_digit(scan))
        return false;
    while (is_digit(scan))
        scan->at++;
    return true;
}

/* Section 6. */
static bool scan_number(struct json_scan *scan)
{
    if (json_scan_next_is(scan, '-'))
        scan->at++;
    if (json_scan_next_is(scan, '0'))
        scan->at++; /* no digits after a leading zero */
    else if (!scan_digits(scan))
        return false;
    if (json_scan_next_is(scan, '.')) {
        scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if (json_scan_next_is(scan, 'e') || json_scan_next_is(scan, 'E')) {
        scan->at++;
        if (json_scan_next_is(scan, '+') || json_scan_next_is(scan, '-'))
            scan->at++;
        return scan_digits(scan);
    }
    return true;
}

/* An object or an array. */
static bool scan_list(struct json_scan *scan, char open, char close, int depth)
{
    const char *text;
    size_t len;
    bool has_escape;
    if (!json_scan_take(scan, open))
        return false;
    if (json_scan_next_is(scan, close)) {
        scan->at++;
        return true;
    }
    do {
        if (open == '{' && (!json_scan_string(scan, &text, &len, &has_escape) || !json_scan_take(scan, ':')))
            return false;
        if (!json_scan_value(scan, depth))
            return false;
    } while (json_scan_take(scan, ','));
    if (!json_scan_next_is(scan, close))
        return false;
    scan->at++;
    return true;
}

bool json_scan_value(struct json_scan *scan, int depth)
{
    const char *text;
    size_t len;
    bool has_escape;
    if (scan->at == scan->end)
        return false;
    char c = *scan->at;
    scan->values++;
    if (depth == 0 && (c == '{' || c == '['))
        scan->too_deep = true;
    switch (c) {
    case '"':
        return json_scan_string(scan, &text, &len, &has_escape);
    case '{':
        return depth > 0 && scan_list(scan, '{', '}', depth - 1);
    case '[':
        return depth > 0 && scan_list(scan, '[', ']', depth - 1);
    case 't':
        return json_scan_word(scan, "true");
    case 'f':
        return json_scan_word(scan, "false");
    case 'n':
        return json_scan_word(scan, "null");
    default:
        return scan_number(scan);
    }
}
