/*
 * Bodies of body.h.
 */
#include "body.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "../base/json.h"
#include "../base/settings.h"

static enum outcome check_type(const struct request *request, struct failure *failure)
{
    static const char json[] = "application/json";
    const char *type = request_variable(request, "CONTENT_TYPE");
    size_t len = strcspn(type, "; \t");
    if (request_variable(request, "HTTP_CONTENT_ENCODING")[0] != '\0')
        return fail(failure, OUTCOME_BAD_TYPE, "The body must not be compressed.");
    if (len == sizeof json - 1 && strncasecmp(type, json, len) == 0)
        return OUTCOME_OK;
    return fail(failure, OUTCOME_BAD_TYPE, "The body must be JSON, sent with \"Content-Type: application/json\".");
}

static enum outcome parse(const struct buf *text, json_object **body, struct failure *failure)
{
    const char *why = NULL;
    enum outcome outcome = OUTCOME_OK;
    *body = json_read(text->data, text->len, &why);
    if (why != NULL)
        outcome = fail(failure, OUTCOME_BAD_JSON, "The body is not usable JSON: %s.", why);
    else if (!json_object_is_type(*body, json_type_object))
        outcome = fail(failure, OUTCOME_BAD_JSON, "The body must be a JSON object.");
    if (outcome != OUTCOME_OK) {
        json_object_put(*body);
        *body = NULL;
    }
    return outcome;
}

static enum outcome read_text(struct request *request, struct buf *text, struct failure *failure)
{
    buf_init(text, (size_t)settings.max_body_bytes + 4096);
    return request_read_body(request, (size_t)settings.max_body_bytes, text, failure);
}

enum outcome body_read(struct request *request, json_object **body, struct failure *failure)
{
    enum outcome outcome = check_type(request, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    struct buf text;
    outcome = read_text(request, &text, failure);
    if (outcome == OUTCOME_OK)
        outcome = parse(&text, body, failure);
    buf_free(&text);
    return outcome;
}

enum outcome body_read_if_any(struct request *request, json_object **body, struct failure *failure)
{
    struct buf text;
    enum outcome outcome = read_text(request, &text, failure);
    if (outcome == OUTCOME_OK && text.len > 0)
        outcome = check_type(request, failure);
    if (outcome == OUTCOME_OK && text.len > 0)
        outcome = parse(&text, body, failure);
    buf_free(&text);
    return outcome;
}

/* The field, or NULL when it is absent or null. */
static json_object *field(json_object *body, const char *name)
{
    json_object *value = NULL;
    (void)json_object_object_get_ex(body, name, &value); /* absent leaves NULL */
    return value;
}

enum outcome body_text(json_object *body, const char *name, size_t max_bytes, const char **value, struct failure *failure)
{
    json_object *found = field(body, name);
    if (found == NULL)
        return OUTCOME_OK;
    if (!json_object_is_type(found, json_type_string))
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must be a string.", name);
    if ((size_t)json_object_get_string_len(found) > max_bytes)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" is longer than %zu bytes.", name, max_bytes);
    *value = json_object_get_string(found);
    return OUTCOME_OK;
}

enum outcome body_flag(json_object *body, const char *name, int *value, struct failure *failure)
{
    json_object *found = field(body, name);
    if (found == NULL)
        return OUTCOME_OK;
    if (!json_object_is_type(found, json_type_boolean))
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must be true or false.", name);
    *value = json_object_get_boolean(found);
    return OUTCOME_OK;
}

enum outcome body_number(json_object *body, const char *name, double least, double most, double *value, struct failure *failure)
{
    json_object *found = field(body, name);
    if (found == NULL)
        return OUTCOME_OK;
    double number = json_object_get_double(found);
    bool is_number = json_object_is_type(found, json_type_double) || json_object_is_type(found, json_type_int);
    if (!is_number || !(number >= least && number <= most))
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must be a number from %g to %g.", name, least, most);
    *value = number;
    return OUTCOME_OK;
}

enum outcome body_whole(json_object *body, const char *name, int64_t least, int64_t most, int64_t *value, struct failure *failure)
{
    double number = (double)*value;
    enum outcome outcome = body_number(body, name, (double)least, (double)most, &number, failure);
    if (outcome == OUTCOME_OK && number != floor(number))
        outcome = fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must be a whole number.", name);
    if (outcome == OUTCOME_OK)
        *value = (int64_t)number;
    return outcome;
}

enum outcome body_object(json_object *body, const char *name, size_t max_bytes, json_object **value, struct failure *failure)
{
    json_object *found = field(body, name);
    if (found == NULL)
        return OUTCOME_OK;
    if (!json_object_is_type(found, json_type_object))
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must be an object.", name);
    const char *text = json_write(found);
    if (text == NULL || strlen(text) > max_bytes)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" is larger than %zu bytes.", name, max_bytes);
    *value = found;
    return OUTCOME_OK;
}

enum outcome body_array(json_object *body, const char *name, json_object **value, struct failure *failure)
{
    json_object *found = field(body, name);
    if (found == NULL)
        return OUTCOME_OK;
    if (!json_object_is_type(found, json_type_array))
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must be an array.", name);
    *value = found;
    return OUTCOME_OK;
}

bool body_is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n\v\f")] == '\0';
}

bool body_is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return false;
    return true;
}
