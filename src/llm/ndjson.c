/*
 * The reader of ndjson.h.
 */
#include "ndjson.h"

#include <string.h>

void ndjson_init(struct ndjson *reader, size_t max)
{
    *reader = (struct ndjson){0};
    buf_init(&reader->line, max);
}

void ndjson_free(struct ndjson *reader)
{
    buf_free(&reader->line);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Gives out the line that has been gathered. */
static enum ndjson_result give_line(struct ndjson *reader, ndjson_on_line *on_line, void *arg)
{
    struct buf *line = &reader->line;
    size_t start = 0, end = line->len;
    if (!reader->begun && line->len >= 3 && memcmp(line->data, "\xEF\xBB\xBF", 3) == 0)
        start = 3;
    reader->begun = true;
    while (start < end && is_space(line->data[start]))
        start++;
    while (end > start && is_space(line->data[end - 1]))
        end--;
    bool go_on = true;
    if (end > start) {
        line->data[end] = '\0';
        go_on = on_line(arg, line->data + start, end - start);
    }
    buf_clear(line);
    return go_on ? NDJSON_MORE : NDJSON_STOPPED;
}

enum ndjson_result ndjson_feed(struct ndjson *reader, const char *bytes, size_t len, ndjson_on_line *on_line, void *arg)
{
    while (len > 0) {
        const char *lf = memchr(bytes, '\n', len);
        size_t n = lf != NULL ? (size_t)(lf - bytes) : len;
        buf_add(&reader->line, bytes, n);
        if (buf_failed(&reader->line))
            return NDJSON_TOO_BIG;
        if (lf == NULL)
            return NDJSON_MORE;
        enum ndjson_result result = give_line(reader, on_line, arg);
        if (result != NDJSON_MORE)
            return result;
        bytes += n + 1;
        len -= n + 1;
    }
    return NDJSON_MORE;
}

enum ndjson_result ndjson_end(struct ndjson *reader, ndjson_on_line *on_line, void *arg)
{
    return give_line(reader, on_line, arg);
}
