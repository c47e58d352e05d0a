/*
 * See attachments.h.
 */
#include "attachments.h"

#include <string.h>

#include "../base/buf.h"
#include "../base/json.h"
#include "../base/limits.h"
#include "../base/mem.h"

static const char *const types[] = {"image/png", "image/jpeg", "image/webp", "image/gif"};

/* Takes a data: URL (RFC 2397) apart. NULL: it is none of an image that models take. *type is a literal. */
static const char *base64_of(const char *url, const char **type)
{
    if (strncmp(url, "data:", 5) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t len = strlen(types[i]);
        if (strncmp(url + 5, types[i], len) == 0 && strncmp(url + 5 + len, ";base64,", 8) == 0) {
            *type = types[i];
            return url + 5 + len + 8;
        }
    }
    return NULL;
}

/* RFC 4648 section 4: whole groups of four, = only at the end. */
static bool is_base64(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), plain = strspn(text, letters), marks = strspn(text + plain, "=");
    return len > 0 && len % 4 == 0 && marks <= 2 && plain + marks == len;
}

bool attachments_read_url(const char *url, struct completion_image *image)
{
    const char *type, *data = base64_of(url, &type);
    if (data == NULL || !is_base64(data))
        return false;
    *image = (struct completion_image){.media_type = type, .base64 = data, .base64_len = strlen(data)};
    return true;
}

enum outcome attachments_check(json_object *list, struct failure *failure)
{
    size_t count = list != NULL ? json_object_array_length(list) : 0;
    if (count > LIMIT_ATTACHMENTS)
        return fail(failure, OUTCOME_BAD_FIELD, "\"attachments\" may have %d items at most.", LIMIT_ATTACHMENTS);
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(list, i);
        const char *kind = json_text(item, "type", NULL), *url = json_text(item, "url", NULL), *type, *data;
        if (kind == NULL || strcmp(kind, "image") != 0)
            return fail(failure, OUTCOME_BAD_FIELD, "\"attachments\" can only hold objects of the type \"image\".");
        data = url != NULL ? base64_of(url, &type) : NULL;
        if (data == NULL || !is_base64(data))
            return fail(failure, OUTCOME_BAD_FIELD, "\"attachments\": the \"url\" of an image must be a data: URL with base64 of a PNG, JPEG, WebP or GIF.");
    }
    return OUTCOME_OK;
}

bool attachments_read(const char *text, struct completion_image **images, size_t *count)
{
    *images = NULL;
    *count = 0;
    json_object *list = text != NULL ? json_read_loose(text, strlen(text)) : NULL;
    size_t most = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    bool good = true;
    if (most > 0)
        *images = mem_new(most, sizeof **images);
    for (size_t i = 0; i < most && *images != NULL && good; i++) {
        const char *url = json_text(json_object_array_get_idx(list, i), "url", NULL), *type;
        const char *data = url != NULL ? base64_of(url, &type) : NULL;
        if (data == NULL)
            continue;
        char *copy = mem_copy(data);
        good = copy != NULL;
        if (good)
            (*images)[(*count)++] = (struct completion_image){.media_type = type, .base64 = copy, .base64_len = strlen(copy)};
    }
    good = good && (most == 0 || *images != NULL);
    json_object_put(list);
    return good;
}

char *attachments_write(const struct completion_image *images, size_t count)
{
    struct buf text;
    buf_init(&text, LIMIT_BODY_BYTES * (size_t)2);
    buf_add_char(&text, '[');
    for (size_t i = 0; i < count; i++) { /* neither type nor base64 has anything to escape */
        buf_addf(&text, "%s{\"type\":\"image\",\"url\":\"data:%s;base64,", i > 0 ? "," : "", images[i].media_type);
        buf_add(&text, images[i].base64, images[i].base64_len);
        buf_add_text(&text, "\"}");
    }
    buf_add_char(&text, ']');
    char *list = buf_take(&text);
    buf_free(&text);
    return list;
}

void attachments_free(struct completion_image *images, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free((char *)images[i].base64);
    mem_free(images);
}
