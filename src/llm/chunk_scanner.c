/*
 * The scanner of chunk_scanner.h: knows the few keys that it must look at and steps over the rest by json_scan.c.
 */
#include "chunk_scanner.h"

#include <stdint.h>
#include <string.h>

#include "../base/json_scan.h"
#include "../base/utf8.h"

struct scan {
    struct json_scan json;
    const char *text; /* the content's string, between its quotes */
    size_t text_len;
    bool has_text, has_escape, has_choice;
};

enum { DEPTH = 16 };

/* The next key of an object, and the colon behind it. */
static bool take_key(struct scan *scan, const char **key, size_t *len)
{
    bool has_escape;
    return json_scan_string(&scan->json, key, len, &has_escape) && !has_escape && json_scan_take(&scan->json, ':');
}

#define IS(name) (len == sizeof(name) - 1 && memcmp(key, name, sizeof(name) - 1) == 0)

static bool scan_delta(struct scan *scan)
{
    int seen_content = 0;
    const char *key;
    size_t len;
    if (!json_scan_take(&scan->json, '{'))
        return false;
    if (json_scan_take(&scan->json, '}'))
        return true;
    do {
        if (!take_key(scan, &key, &len))
            return false;
        if (IS("content") && seen_content++) /* twice: json-c takes the last */
            return false;
        if (IS("content") && json_scan_next_is(&scan->json, '"')) {
            if (!json_scan_string(&scan->json, &scan->text, &scan->text_len, &scan->has_escape))
                return false;
            scan->has_text = true;
        } else if (IS("role") && json_scan_next_is(&scan->json, '"')) {
            if (!json_scan_value(&scan->json, 1))
                return false;
        } else if (!json_scan_word(&scan->json, "null")) { /* reasoning, tool calls, refusal, parts, anything new */
            return false;
        }
    } while (json_scan_take(&scan->json, ','));
    return json_scan_take(&scan->json, '}');
}

static bool scan_choice(struct scan *scan)
{
    const char *key;
    size_t len;
    bool has_delta = false;
    if (!json_scan_take(&scan->json, '{'))
        return false;
    do {
        if (!take_key(scan, &key, &len))
            return false;
        if (IS("delta")) {
            if (has_delta || !scan_delta(scan))
                return false;
            has_delta = true;
        } else if (IS("index")) {
            if (!json_scan_word(&scan->json, "0"))
                return false;
        } else if (IS("logprobs") || IS("content_filter_results")) {
            if (!json_scan_value(&scan->json, DEPTH))
                return false;
        } else if (!json_scan_word(&scan->json, "null")) { /* finish_reason, error, anything new */
            return false;
        }
    } while (json_scan_take(&scan->json, ','));
    return json_scan_take(&scan->json, '}') && has_delta;
}

static bool scan_chunk(struct scan *scan)
{
    const char *key;
    size_t len;
    if (!json_scan_take(&scan->json, '{'))
        return false;
    do {
        if (!take_key(scan, &key, &len))
            return false;
        if (IS("choices")) {
            if (scan->has_choice || !json_scan_take(&scan->json, '[') || !scan_choice(scan) || !json_scan_take(&scan->json, ']'))
                return false;
            scan->has_choice = true;
        } else if (IS("usage") || IS("error") || IS("detail") || IS("fault") || IS("x_groq")) {
            if (!json_scan_word(&scan->json, "null"))
                return false;
        } else if (IS("object") && scan->json.end - scan->json.at > 6 && memcmp(scan->json.at, "\"error\"", 7) == 0) {
            return false;
        } else if (!json_scan_value(&scan->json, DEPTH)) {
            return false;
        }
    } while (json_scan_take(&scan->json, ','));
    return json_scan_take(&scan->json, '}') && scan->json.at == scan->json.end && scan->has_choice;
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
        buf_add(out, text, (size_t)(stop - text));
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
    struct scan scan = {.json = {.at = json, .end = json + len}};
    if (!scan_chunk(&scan))
        return false;
    size_t before = text->len;
    if (!scan.has_text)
        return true;
    if (!scan.has_escape) {
        utf8_add_repaired(text, scan.text, scan.text_len);
        return true;
    }
    /* bad bytes beside escapes are left to json-c: what counts as one bad sequence depends on what the escapes become */
    if (utf8_valid(scan.text, scan.text_len) && add_unescaped(text, scan.text, scan.text_len))
        return true;
    if (!buf_failed(text) && text->len > before) { /* take back what was appended before the bad escape */
        text->len = before;
        text->data[before] = '\0';
    }
    return false;
}
