/*
 * The scanner of chunk_scanner.h: recursive descent over JSON (RFC 8259) that knows the few keys it must look at and steps over the rest.
 */
#include "chunk_scanner.h"

#include <stdint.h>
#include <string.h>

#include "../base/utf8.h"

struct scan {
    const char *at, *end;
    const char *text; /* the content's string, between its quotes */
    size_t text_len;
    bool has_text, has_escape, has_choice;
};

enum { DEPTH = 16 };

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

/* Steps over `c` and the white space around it. */
static bool take(struct scan *scan, char c)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    skip_space(scan);
    return true;
}

static bool next_is(const struct scan *scan, char c)
{
    return scan->at < scan->end && *scan->at == c;
}

/* Steps over a string; what stands between the quotes. */
static bool take_string(struct scan *scan, const char **text, size_t *len, bool *has_escape)
{
    if (!next_is(scan, '"'))
        return false;
    const char *start = ++scan->at;
    *has_escape = false;
    for (; scan->at < scan->end && *scan->at != '"'; scan->at++) {
        if ((unsigned char)*scan->at < 0x20)
            return false;
        if (*scan->at == '\\') {
            *has_escape = true;
            if (++scan->at == scan->end)
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

static bool take_word(struct scan *scan, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return false;
    scan->at += len;
    return true;
}

static bool skip_value(struct scan *scan, int depth);

static bool skip_list(struct scan *scan, char open, char close, int depth)
{
    const char *text;
    size_t len;
    bool has_escape;
    if (!take(scan, open))
        return false;
    if (take(scan, close))
        return true;
    do {
        if (open == '{' && (!take_string(scan, &text, &len, &has_escape) || !take(scan, ':')))
            return false;
        if (!skip_value(scan, depth))
            return false;
    } while (take(scan, ','));
    return take(scan, close);
}

static bool skip_value(struct scan *scan, int depth)
{
    const char *text;
    size_t len;
    bool has_escape;
    if (depth == 0 || scan->at == scan->end)
        return false;
    switch (*scan->at) {
    case '"':
        return take_string(scan, &text, &len, &has_escape);
    case '{':
        return skip_list(scan, '{', '}', depth - 1);
    case '[':
        return skip_list(scan, '[', ']', depth - 1);
    case 't':
        return take_word(scan, "true");
    case 'f':
        return take_word(scan, "false");
    case 'n':
        return take_word(scan, "null");
    default:
        for (len = 0; scan->at < scan->end && strchr("+-.0123456789eE", *scan->at) != NULL && *scan->at != '\0'; len++)
            scan->at++;
        return len > 0;
    }
}

/* The next key of an object, and the colon behind it. */
static bool take_key(struct scan *scan, const char **key, size_t *len)
{
    bool has_escape;
    return take_string(scan, key, len, &has_escape) && !has_escape && take(scan, ':');
}

#define IS(name) (len == sizeof(name) - 1 && memcmp(key, name, sizeof(name) - 1) == 0)

static bool scan_delta(struct scan *scan)
{
    const char *key;
    size_t len;
    if (!take(scan, '{'))
        return false;
    if (take(scan, '}'))
        return true;
    do {
        if (!take_key(scan, &key, &len))
            return false;
        if (IS("content") && next_is(scan, '"')) {
            if (scan->has_text || !take_string(scan, &scan->text, &scan->text_len, &scan->has_escape))
                return false;
            scan->has_text = true;
        } else if (IS("role") && next_is(scan, '"')) {
            if (!skip_value(scan, 1))
                return false;
        } else if (!take_word(scan, "null")) { /* reasoning, tool calls, refusal, parts, anything new */
            return false;
        }
    } while (take(scan, ','));
    return take(scan, '}');
}

static bool scan_choice(struct scan *scan)
{
    const char *key;
    size_t len;
    bool has_delta = false;
    if (!take(scan, '{'))
        return false;
    do {
        if (!take_key(scan, &key, &len))
            return false;
        if (IS("delta")) {
            if (has_delta || !scan_delta(scan))
                return false;
            has_delta = true;
        } else if (IS("index")) {
            if (!take_word(scan, "0"))
                return false;
        } else if (IS("logprobs") || IS("content_filter_results")) {
            if (!skip_value(scan, DEPTH))
                return false;
        } else if (!take_word(scan, "null")) { /* finish_reason, error, anything new */
            return false;
        }
    } while (take(scan, ','));
    return take(scan, '}') && has_delta;
}

static bool scan_chunk(struct scan *scan)
{
    const char *key;
    size_t len;
    if (!take(scan, '{'))
        return false;
    do {
        if (!take_key(scan, &key, &len))
            return false;
        if (IS("choices")) {
            if (scan->has_choice || !take(scan, '[') || !scan_choice(scan) || !take(scan, ']'))
                return false;
            scan->has_choice = true;
        } else if (IS("usage") || IS("error") || IS("detail") || IS("fault") || IS("x_groq")) {
            if (!take_word(scan, "null"))
                return false;
        } else if (IS("object") && scan->end - scan->at > 6 && memcmp(scan->at, "\"error\"", 7) == 0) {
            return false;
        } else if (!skip_value(scan, DEPTH)) {
            return false;
        }
    } while (take(scan, ','));
    return take(scan, '}') && scan->at == scan->end && scan->has_choice;
}

#undef IS

static int hex4(const char *text, const char *end, uint32_t *code)
{
    if (end - text < 4)
        return 0;
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            *code = *code << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            *code = *code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return 0;
    }
    return 4;
}

/* Appends a JSON string's text with its escapes resolved. A lone surrogate or a NUL becomes U+FFFD. False: an escape that JSON does not have. */
static bool add_unescaped(struct buf *out, const char *text, size_t len)
{
    const char *end = text + len;
    while (text < end) {
        const char *slash = memchr(text, '\\', (size_t)(end - text));
        const char *stop = slash != NULL ? slash : end;
        utf8_add_repaired(out, text, (size_t)(stop - text));
        if (slash == NULL)
            return true;
        text = slash + 2;
        uint32_t code, low;
        switch (slash[1]) {
        case 'n': code = '\n'; break;
        case 't': code = '\t'; break;
        case 'r': code = '\r'; break;
        case 'b': code = '\b'; break;
        case 'f': code = '\f'; break;
        case '"': case '\\': case '/': code = (unsigned char)slash[1]; break;
        case 'u':
            if (hex4(text, end, &code) == 0)
                return false;
            text += 4;
            if (code >= 0xD800 && code < 0xDC00 && end - text >= 6 && text[0] == '\\' && text[1] == 'u' && hex4(text + 2, end, &low) != 0 &&
                low >= 0xDC00 && low < 0xE000) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                text += 6;
            }
            if ((code >= 0xD800 && code < 0xE000) || code == 0)
                code = 0xFFFD;
            break;
        default:
            return false;
        }
        utf8_add(out, code);
    }
    return true;
}

bool chunk_scan(const char *json, size_t len, struct buf *text)
{
    struct scan scan = {.at = json, .end = json + len};
    if (!scan_chunk(&scan))
        return false;
    size_t before = text->len;
    if (!scan.has_text)
        return true;
    if (!scan.has_escape) {
        utf8_add_repaired(text, scan.text, scan.text_len);
        return true;
    }
    if (add_unescaped(text, scan.text, scan.text_len))
        return true;
    if (!buf_failed(text) && text->len > before) { /* take back what was appended before the bad escape */
        text->len = before;
        text->data[before] = '\0';
    }
    return false;
}
