/*
 * The list of wires, and what they share for writing requests: see wire.h.
 */
#include "wire.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"

static const struct wire *const wires[] = {
    &wire_openai,
    &wire_azure,
    &wire_responses,
    &wire_anthropic,
    &wire_cohere,
    &wire_gemini,
    &wire_ollama,
    &wire_bedrock,
};

const struct wire *wire_find(const char *name)
{
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++)
        if (strcmp(wires[i]->name, name) == 0)
            return wires[i];
    return NULL;
}

enum outcome wire_finish_body(struct wire_call *call, json_object *object, struct failure *failure)
{
    const char *text = json_write(object);
    if (text != NULL)
        buf_add_text(&call->body, text);
    json_object_put(object);
    bool good = text != NULL && !buf_failed(&call->body) && !buf_failed(&call->path) && !buf_failed(&call->headers);
    return good ? OUTCOME_OK : fail_no_memory(failure);
}

json_object *wire_number(double number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.6g", number);
    return json_object_new_double_s(number, text);
}

void wire_add(json_object *object, const char *name, const char *value)
{
    json_object_object_add(object, name, json_object_new_string(value));
}

json_object *wire_typed(const char *type)
{
    json_object *object = json_object_new_object();
    wire_add(object, "type", type);
    return object;
}

bool wire_is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isspace((unsigned char)text[i]))
            return false;
    return true;
}

json_object *wire_json(const char *text)
{
    json_object *object = text != NULL ? json_read_loose(text, strlen(text)) : NULL;
    if (json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    return json_object_new_object();
}

json_object *wire_text(const char *text, size_t len)
{
    return json_object_new_string_len(text, (int)len); /* bounded by LIMIT_BODY_BYTES and LIMIT_ANSWER_BYTES */
}

void wire_add_segment(struct buf *path, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-._~", c) != NULL)
            buf_add_char(path, (char)c);
        else
            buf_addf(path, "%%%02X", c);
    }
}

json_object *wire_data_url(const struct completion_image *image)
{
    struct buf url;
    buf_init(&url, LIMIT_REQUEST_BYTES);
    buf_addf(&url, "data:%s;base64,", image->media_type);
    buf_add(&url, image->base64, image->base64_len);
    json_object *text = buf_failed(&url) ? NULL : json_object_new_string_len(url.data, (int)url.len);
    buf_free(&url);
    return text;
}
