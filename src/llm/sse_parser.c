/*
 * The parser of sse_parser.h.
 */
#include "sse_parser.h"

#include <string.h>

void sse_parser_init(struct sse_parser *parser, size_t max)
{
    *parser = (struct sse_parser){0};
    buf_init(&parser->line, max);
    buf_init(&parser->data, max);
}

void sse_parser_free(struct sse_parser *parser)
{
    buf_free(&parser->line);
    buf_free(&parser->data);
}

static enum sse_result dispatch(struct sse_parser *parser, sse_on_event *on_event, void *arg)
{
    bool go_on = true;
    if (parser->has_data)
        go_on = on_event(arg, parser->name, parser->data.data, parser->data.len);
    buf_clear(&parser->data);
    parser->name[0] = '\0';
    parser->has_data = false;
    return go_on ? SSE_MORE : SSE_STOPPED;
}

/* Whether the field of a line is `name`; `rest` is what follows its colon (or the end). */
static bool is_field(const char *line, size_t len, const char *name, size_t *rest)
{
    size_t n = strlen(name);
    if (len < n || memcmp(line, name, n) != 0 || (len > n && line[n] != ':'))
        return false;
    *rest = len > n ? n + 1 : n;
    if (*rest < len && line[*rest] == ' ')
        ++*rest;
    return true;
}

static enum sse_result take_line(struct sse_parser *parser, const char *line, size_t len, sse_on_event *on_event, void *arg)
{
    size_t rest;
    if (!parser->begun && len >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
        line += 3;
        len -= 3;
    }
    parser->begun = true;
    if (len == 0)
        return dispatch(parser, on_event, arg);
    if (is_field(line, len, "data", &rest)) {
        if (parser->has_data)
            buf_add_char(&parser->data, '\n');
        buf_add(&parser->data, line + rest, len - rest);
        parser->has_data = true;
    } else if (is_field(line, len, "event", &rest)) {
        size_t n = len - rest < SSE_NAME_BYTES - 1 ? len - rest : SSE_NAME_BYTES - 1;
        memcpy(parser->name, line + rest, n);
        parser->name[n] = '\0';
    }
    return buf_failed(&parser->data) ? SSE_TOO_BIG : SSE_MORE;
}

/* The length of the line that begins at `bytes`: up to CR or LF, or all. *lf is where the next LF is known to be (NULL: not searched for yet), so that many lines
   that end in CR are not searched for it again and again. */
static size_t line_length(const char *bytes, size_t len, const char **lf)
{
    if (*lf == NULL || *lf < bytes) {
        *lf = memchr(bytes, '\n', len);
        if (*lf == NULL)
            *lf = bytes + len;
    }
    size_t n = (size_t)(*lf - bytes);
    const char *cr = memchr(bytes, '\r', n);
    return cr != NULL ? (size_t)(cr - bytes) : n;
}

enum sse_result sse_parser_feed(struct sse_parser *parser, const char *bytes, size_t len, sse_on_event *on_event, void *arg)
{
    size_t i = 0;
    const char *lf = NULL;
    while (i < len) {
        if (parser->after_cr) { /* the LF of a CRLF belongs to the line that its CR ended */
            parser->after_cr = false;
            if (bytes[i] == '\n') {
                i++;
                continue;
            }
        }
        size_t n = line_length(bytes + i, len - i, &lf);
        if (n > parser->line.max)
            return SSE_TOO_BIG;
        if (i + n == len) {
            buf_add(&parser->line, bytes + i, n);
            return buf_failed(&parser->line) ? SSE_TOO_BIG : SSE_MORE;
        }
        enum sse_result result;
        if (parser->line.len == 0) {
            result = take_line(parser, bytes + i, n, on_event, arg);
        } else {
            buf_add(&parser->line, bytes + i, n);
            result = buf_failed(&parser->line) ? SSE_TOO_BIG : take_line(parser, parser->line.data, parser->line.len, on_event, arg);
            buf_clear(&parser->line);
        }
        if (result != SSE_MORE)
            return result;
        parser->after_cr = bytes[i + n] == '\r';
        i += n + 1;
    }
    return SSE_MORE;
}

enum sse_result sse_parser_end(struct sse_parser *parser, sse_on_event *on_event, void *arg)
{
    enum sse_result result = SSE_MORE;
    if (parser->line.len > 0) {
        result = take_line(parser, parser->line.data, parser->line.len, on_event, arg);
        buf_clear(&parser->line);
    }
    return result == SSE_MORE ? dispatch(parser, on_event, arg) : result;
}
