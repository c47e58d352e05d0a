/*
 * A fuzz target: JSON texts through src/base/json.h and json_scan.h. What is taken is what json-c's strict mode takes too; written and read again it is the same; ceilings hold.
 */
#include "../../src/base/json_scan.h"
#include "../../src/base/limits.h"
#include "fuzz.h"

/* Writes `object` and reads it again: nothing has changed. */
static void check_again(json_object *object)
{
    const char *why = NULL;
    char *text = strdup(json_write(object));
    insist(text != NULL);
    json_object *again = json_read(text, strlen(text), &why);
    insist(why == NULL && strcmp(json_write(again), text) == 0);
    json_object_put(again);
    free(text);
}

static void check_selectors(json_object *object)
{
    static const char *const paths[] = {"a", "0", "a.0", "a.b.c", "", "error.message", "99999999999999999999"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        size_t len = 0;
        const char *text = json_text(object, paths[i], &len);
        insist(text == NULL || text[len] == '\0');
        int64_t count = json_count(object, paths[i], -7);
        insist(count == -7 || (count >= 0 && count <= (int64_t)1 << 53));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *why = NULL;
    size_t len = size - 1;
    char *text = fuzz_bytes(data + 1, len);
    json_object *object = json_read(text, len, &why);
    if (why == NULL) {
        struct json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH + 1);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS | JSON_TOKENER_VALIDATE_UTF8);
        json_object *strict = json_tokener_parse_ex(tokener, text, (int)len);
        if (json_tokener_get_error(tokener) == json_tokener_continue)
            strict = json_tokener_parse_ex(tokener, "", 1);
        insist(json_tokener_get_error(tokener) == json_tokener_success && (strict == NULL) == (object == NULL));
        json_object_put(strict);
        json_tokener_free(tokener);
        insist(json_depth(object, 1000) <= LIMIT_JSON_DEPTH);
        check_again(object);
    } else {
        insist(object == NULL && utf8_valid(why, strlen(why)));
    }
    check_selectors(object);
    json_object_put(object);
    json_object *loose = json_read_loose(text, len);
    insist(json_depth(loose, 1000) <= LIMIT_JSON_DEPTH);
    check_selectors(loose);
    json_object_put(loose);
    struct json_scan scan = {.at = text, .end = text + len};
    (void)json_scan_value(&scan, data[0] % 40);
    insist(scan.at >= text && scan.at <= scan.end);
    free(text);
    return 0;
}
