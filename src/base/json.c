/*
 * Strict reading and selectors of json.h: the text is checked by json_scan.c and then built by json-c.
 */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    return has_nul(text, len) ? "a string holds U+0000" : NULL;
}

json_object *json_read(const char *text, size_t len, const char **why)
{
    *why = find_fault(text, len);
    if (*why != NULL)
        return NULL;
    json_object *object = json_read_loose(text, len);
    struct json_scan scan = {.at = text, .end = text + len};
    json_scan_space(&scan);
    if (object == NULL && !json_scan_next_is(&scan, 'n')) /* null is the only value that json-c gives as NULL */
        *why = "there is no memory left";
    return object;
}

json_object *json_read_loose(const char *text, size_t len)
{
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

const char *json_write(json_object *object)
{
    return json_object_to_json_string_ext(object, JSON_STYLE);
}
