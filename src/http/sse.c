/*
 * Frames of sse.h.
 */
#include "sse.h"

#include <limits.h>
#include <string.h>

#include "../base/log.h"
#include "request_internal.h"

void sse_begin(struct request *request)
{
    if (request->headers_sent)
        return;
    request->headers_sent = true;
    /* No Content-Length: the host server frames the stream. no-transform and X-Accel-Buffering speak to proxies in between. */
    (void)FCGX_FPrintF(request->fcgi.out,
                       "Status: 200 OK\r\n"
                       "Content-Type: text/event-stream; charset=utf-8\r\n"
                       "Cache-Control: no-cache, no-store, no-transform\r\n"
                       "X-Accel-Buffering: no\r\n"
                       "X-Content-Type-Options: nosniff\r\n"
                       "%s\r\n",
                       request->headers.data);
}

/* json-c gives NULL when memory runs out: better a stream that visibly breaks than one with a piece missing. */
static bool is_whole(struct request *request, const char *text)
{
    if (text == NULL)
        request->output.broken = true;
    return text != NULL;
}

void sse_data(struct request *request, const char *first, const char *second, const char *third)
{
    if (!is_whole(request, first) || !is_whole(request, second) || !is_whole(request, third))
        return;
    (void)FCGX_FPrintF(request->fcgi.out, "data: %s%s%s\n\n", first, second, third);
}

static void begin_event(struct request *request, const char *name, const char *id, int64_t pos)
{
    if (id != NULL)
        (void)FCGX_FPrintF(request->fcgi.out, "event: %s\nid: %s:%lld\n", name, id, (long long)pos);
    else
        (void)FCGX_FPrintF(request->fcgi.out, "event: %s\n", name);
}

void sse_event(struct request *request, const char *name, const char *id, int64_t pos, const char *data)
{
    if (!is_whole(request, data))
        return;
    begin_event(request, name, id, pos);
    (void)FCGX_FPrintF(request->fcgi.out, "data: %s\n\n", data);
}

void sse_text(struct request *request, const char *name, const char *id, int64_t pos, const char *text, size_t len)
{
    FCGX_Stream *out = request->fcgi.out;
    begin_event(request, name, id, pos);
    for (;;) {
        size_t line = 0;
        while (line < len && text[line] != '\n' && text[line] != '\r')
            line++;
        (void)FCGX_FPrintF(out, "data: ");
        (void)FCGX_PutStr(text, (int)line, out); /* raw bytes, bounded by LIMIT_SSE_TEXT_BYTES */
        (void)FCGX_FPrintF(out, "\n");
        if (line == len)
            break;
        line += text[line] == '\r' && line + 1 < len && text[line + 1] == '\n' ? 2 : 1;
        text += line;
        len -= line;
    }
    (void)FCGX_FPrintF(out, "\n");
}

void sse_comment(struct request *request)
{
    (void)FCGX_FPrintF(request->fcgi.out, ": ping\n\n");
}

void sse_flush(struct request *request)
{
    (void)FCGX_FFlush(request->fcgi.out); /* our output procedure keeps what does not leave and remembers a failure */
    if (request->output.watched && !output_watch(request))
        log_warning("a client's socket cannot be watched any longer");
}
