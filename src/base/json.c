/*
 * Strict reading and selectors of json.h.
 *
 * What json-c 0.16 lets through even in strict mode is checked here: raw control characters inside strings, NUL in strings, NaN and
 * Infinity.
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "utf8.h"

/* What json-c would take: a control character inside a string, NaN. And an escaped U+0000, which cuts C strings. Quotes are followed so that white
   space between values stays allowed. */
static const char *find_fault(const char *text, size_t len)
{
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == 0)
            return "it holds a NUL byte";
        if (!in_string) {
            in_string = c == '"';
            if (c == 'N' || c == 'I')
                return "NaN and Infinity are no JSON";
        } else if (c == '\\') {
            if (len - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
                return "a string holds U+0000";
            i++;
        } else if (c == '"') {
            in_string = false;
        } else if (c < 0x20) {
            return "a string holds a raw control character";
        }
    }
    return NULL;
}

json_object *json_read(const char *text, size_t len, const char **why)
{
    *why = NULL;
    if (!utf8_valid(text, len))
        *why = "it is not UTF-8";
    else
        *why = find_fault(text, len);
    if (*why != NULL)
        return NULL;
    json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH);
    if (tokener == NULL) {
        *why = "there is no memory left";
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    json_object *object = NULL;
    enum json_tokener_error error = json_tokener_error_parse_eof;
    if (len > 0 && len < (size_t)INT32_MAX)
        object = json_tokener_parse_ex(tokener, text, (int)len);
    if (len > 0)
        error = json_tokener_get_error(tokener);
    size_t used = json_tokener_get_parse_end(tokener);
    if (error == json_tokener_continue) /* a bare number or literal ends only when more text cannot follow */
    {
        object = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
        used = len;
    }
    if (error == json_tokener_error_depth)
        *why = "it is nested too deeply";
    else if (error != json_tokener_success)
        *why = "it is cut short or not well-formed";
    else
        for (; used < len; used++)
            if (strchr(" \t\r\n", text[used]) == NULL)
                *why = "there is something after the value";
    json_tokener_free(tokener);
    if (*why != NULL) {
        json_object_put(object);
        return NULL;
    }
    return object;
}

json_object *json_read_loose(const char *text, size_t len)
{
    json_tokener *tokener = len > 0 && len < (size_t)INT32_MAX ? json_tokener_new_ex(LIMIT_JSON_DEPTH) : NULL;
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
    double value = json_object_get_double(object);
    return value >= 0 && value <= most ? (int64_t)value : fallback;
}

const char *json_write(json_object *object)
{
    return json_object_to_json_string_ext(object, JSON_STYLE);
}
