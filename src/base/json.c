/*
 * Strict reading and selectors of json.h: the text is checked by json_scan.c and then built by json-c.
 */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json_scan.h"
#include "limits.h"
#include "utf8.h"

/* Whether a string holds an escaped U+0000: it would cut C strings. Backslashes stand only in strings, and pair off from the left. */
static bool has_nul(const char *text, size_t len)
{
    for (const char *at = text, *end = text + len; (at = memchr(at, '\\', (size_t)(end - at))) != NULL; at += 2)
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0)
            return true;
    return false;
}

/* Why `text` is not the JSON that we take; NULL: it is. */
static const char *find_fault(const char *text, size_t len)
{
    struct json_scan scan = {.at = text, .end = text + len};
    if (memchr(text, 0, len) != NULL)
        return "it holds a NUL byte";
    if (!utf8_valid(text, len))
        return "it is not UTF-8";
    json_scan_space(&scan);
    if (!json_scan_value(&scan, LIMIT_JSON_DEPTH))
        return scan.too_deep ? "it is nested too deeply" : "it is cut short or not well-formed";
    json_scan_space(&scan);
    if (scan.at != scan.end)
        return "there is something after the value";
    if (scan.values > LIMIT_JSON_VALUES)
        return "it holds too many values";
    return has_nul(text, len) ? "a string holds U+0000" : NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether json-c has an integer for these digits. */
static bool has_integer(const char *digits, const char *end, bool is_negative)
{
    uint64_t most = is_negative ? (uint64_t)1 << 63 : UINT64_MAX, number = 0;
    for (; digits < end; digits++) {
        uint64_t digit = (uint64_t)(*digits - '0');
        if (number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    return true;
}

/* The end of the next whole number that is too large for an integer; NULL: there is none. The text is well-formed. */
static const char *find_too_large(const char *at, const char *end)
{
    const char *start = at;
    while (at < end) {
        if (*at == '"') {
            for (at++; *at != '"'; at++)
                at += *at == '\\';
            at++;
            continue;
        }
        const char *first = at;
        while (at < end && is_digit(*at))
            at++;
        if (at == first) {
            at++;
            continue;
        }
        bool is_whole = true;
        for (; at < end && (is_digit(*at) || *at == '.' || *at == 'e' || *at == 'E' || *at == '+' || *at == '-'); at++)
            is_whole = false;
        if (is_whole && !has_integer(first, at, first > start && first[-1] == '-'))
            return at;
    }
    return NULL;
}

/* json-c makes the largest integer it has of larger ones, and JavaScript writes 1e20 as an integer: with a fraction they are read as what they are. */
static json_object *read_widened(const char *text, size_t len)
{
    struct buf copy;
    const char *end = text + len;
    buf_init(&copy, len * 2 + 1);
    for (const char *at; (at = find_too_large(text, end)) != NULL; text = at) {
        buf_add(&copy, text, (size_t)(at - text));
        buf_add_text(&copy, ".0");
    }
    buf_add(&copy, text, (size_t)(end - text));
    json_object *object = buf_failed(&copy) ? NULL : json_read_loose(copy.data, copy.len);
    buf_free(&copy);
    return object;
}

json_object *json_read(const char *text, size_t len, const char **why)
{
    *why = find_fault(text, len);
    if (*why != NULL)
        return NULL;
    json_object *object = find_too_large(text, text + len) == NULL ? json_read_loose(text, len) : read_widened(text, len);
    struct json_scan scan = {.at = text, .end = text + len};
    json_scan_space(&scan);
    if (object == NULL && !json_scan_next_is(&scan, 'n')) /* null is the only value that json-c gives as NULL */
        *why = "there is no memory left";
    return object;
}

/* How many objects and arrays a text can have at most. An empty one takes json-c near a kilobyte. */
static size_t count_containers(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += text[i] == '{' || text[i] == '[';
    return count;
}

json_object *json_read_loose(const char *text, size_t len)
{
    if (count_containers(text, len) > LIMIT_JSON_CONTAINERS)
        return NULL;
    json_tokener *tokener = len > 0 && len < (size_t)INT32_MAX ? json_tokener_new_ex(LIMIT_JSON_DEPTH + 1) : NULL; /* json-c counts scalars too */
    if (tokener == NULL)
        return NULL;
    json_object *object = json_tokener_parse_ex(tokener, text, (int)len);
    if (json_tokener_get_error(tokener) == json_tokener_continue) /* a bare number ends only when more text cannot follow */
        object = json_tokener_parse_ex(tokener, "", 1);
    json_tokener_free(tokener);
    return object;
}

json_object *json_at(json_object *object, const char *path)
{
    char key[64];
    while (*path != '\0' && object != NULL) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof key)
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        path += path[n] == '.' ? n + 1 : n;
        if (json_object_is_type(object, json_type_array))
            object = key[0] >= '0' && key[0] <= '9' ? json_object_array_get_idx(object, (size_t)strtoul(key, NULL, 10)) : NULL;
        else if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &object))
            return NULL;
    }
    return object;
}

const char *json_text(json_object *object, const char *path, size_t *len)
{
    object = json_at(object, path);
    if (!json_object_is_type(object, json_type_string))
        return NULL;
    if (len != NULL)
        *len = (size_t)json_object_get_string_len(object);
    return json_object_get_string(object);
}

int64_t json_count(json_object *object, const char *path, int64_t fallback)
{
    const double most = 9007199254740992.0; /* 2^53: beyond it JSON numbers are not exact */
    object = json_at(object, path);
    if (!json_object_is_type(object, json_type_int) && !json_object_is_type(object, json_type_double))
        return fallback;
    if (json_object_is_type(object, json_type_int) && json_object_get_int64(object) > (int64_t)most) /* the double below is rounded */
        return fallback;
    double value = json_object_get_double(object);
    return value >= 0 && value <= most && value == floor(value) ? (int64_t)value : fallback;
}

int json_depth(json_object *value, int most)
{
    bool is_object = json_object_is_type(value, json_type_object);
    int deepest = 0;
    if (!is_object && !json_object_is_type(value, json_type_array))
        return 0;
    if (most <= 0)
        return 1;
    if (is_object) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            int depth = json_depth(member, most - 1);
            deepest = depth > deepest ? depth : deepest;
        }
    }
    for (size_t i = 0; !is_object && i < json_object_array_length(value); i++) {
        int depth = json_depth(json_object_array_get_idx(value, i), most - 1);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

const char *json_write(json_object *object)
{
    return json_object_to_json_string_ext(object, JSON_STYLE);
}
