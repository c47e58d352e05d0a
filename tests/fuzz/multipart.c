/*
 * A fuzz target: a form in any bytes and any cuts through src/http/multipart.h. The first byte says how to cut, the first line is the Content-Type, the rest the body.
 *
 * Built as wire.c is. What is looked for, beside crashes: events out of order, names that must not come out, and cuts that change what is read.
 */
#include "../../src/base/limits.h"
#include "../../src/http/multipart.h"
#include "fuzz.h"

struct form {
    bool open;
    size_t parts;
    struct buf heard; /* all that came out, in one text */
};

/* No control character, valid, at most `max` bytes. */
static void check_name(const char *name, size_t max)
{
    insist(strlen(name) <= max && utf8_valid(name, strlen(name)));
    for (const char *c = name; *c != '\0'; c++)
        insist((unsigned char)*c >= 0x20 && *c != 0x7F);
}

static bool begin(void *arg, const struct multipart_part *part)
{
    struct form *form = arg;
    insist(!form->open && ++form->parts <= LIMIT_FORM_PARTS);
    form->open = true;
    check_name(part->name, LIMIT_FIELD_NAME_BYTES);
    check_name(part->file_name != NULL ? part->file_name : "", LIMIT_FILE_NAME_BYTES);
    insist(part->file_name == NULL || (strpbrk(part->file_name, "/\\") == NULL && strcmp(part->file_name, "..") != 0));
    insist(strlen(part->type) <= LIMIT_MEDIA_TYPE_BYTES && strchr(part->type, '/') != NULL);
    buf_addf(&form->heard, "[%s|%s|%s|", part->name, part->file_name != NULL ? part->file_name : "-", part->type);
    return true;
}

static bool data_of(void *arg, const char *bytes, size_t len)
{
    struct form *form = arg;
    insist(form->open && len > 0);
    buf_add(&form->heard, bytes, len);
    return true;
}

static bool end(void *arg)
{
    struct form *form = arg;
    insist(form->open);
    form->open = false;
    buf_add_char(&form->heard, ']');
    return true;
}

static enum multipart_result read_form(struct form *form, const char *type, const uint8_t *data, size_t size, size_t step)
{
    struct multipart reader;
    enum multipart_result result = multipart_init(&reader, type, (struct multipart_sink){begin, data_of, end, form});
    for (size_t at = 0; at < size && result == MULTIPART_OK;) {
        size_t part = size - at < step ? size - at : step;
        char *piece = malloc(part); /* of its own, so that a byte read beyond it is seen */
        if (piece == NULL)
            break;
        memcpy(piece, data + at, part);
        result = multipart_feed(&reader, piece, part);
        free(piece);
        at += part;
    }
    result = multipart_end(&reader);
    insist(result != MULTIPART_STOPPED && (reader.why != NULL) == (result == MULTIPART_BAD));
    insist(result != MULTIPART_OK || !form->open);
    multipart_free(&reader);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *lf = size > 0 ? memchr(data + 1, '\n', size - 1) : NULL;
    if (lf == NULL)
        return 0;
    struct form whole = {0}, cut = {0};
    struct buf type;
    size_t step = data[0] > 0 ? data[0] : 7, body = (size_t)(lf + 1 - data);
    buf_init(&type, SIZE_MAX / 4);
    buf_init(&whole.heard, SIZE_MAX / 4);
    buf_init(&cut.heard, SIZE_MAX / 4);
    buf_add(&type, data + 1, body - 2);
    enum multipart_result result = read_form(&whole, type.data, data + body, size - body, SIZE_MAX);
    insist(read_form(&cut, type.data, data + body, size - body, step) == result);
    insist(whole.heard.len == cut.heard.len && memcmp(whole.heard.data, cut.heard.data, cut.heard.len) == 0);
    buf_free(&type);
    buf_free(&whole.heard);
    buf_free(&cut.heard);
    return 0;
}
