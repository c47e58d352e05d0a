/*
 * Whole answers of response.h. Headers end in CRLF, the status line is CGI's `Status:` (RFC 3875 section 6.3).
 */
#include "response.h"

#include <limits.h>
#include <string.h>

#include "../base/counter.h"
#include "../base/json.h"
#include "../base/log.h"
#include "request_internal.h"

void response_header(struct request *request, const char *name, const char *value)
{
    for (const char *c = value; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            log_error("the header %s was not sent: its value holds a control character", name);
            return;
        }
    buf_addf(&request->headers, "%s: %s\r\n", name, value);
}

void response_add_path(struct buf *address, const char *path, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (path[i] > ' ' && path[i] < 0x7F && strchr("\"<>\\^`{|}", path[i]) == NULL)
            buf_add_char(address, path[i]);
        else
            buf_addf(address, "%%%02X", (unsigned char)path[i]);
}

void response_location(struct request *request, const char *path, size_t len, const char *rest)
{
    struct buf location;
    buf_init(&location, LIMIT_HEADER_BYTES);
    response_add_path(&location, path, len);
    buf_add_text(&location, rest);
    response_header(request, "Location", location.data);
    buf_free(&location);
}

static const char *reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Internal Server Error";
    }
}

/* FCGX_PutStr takes an int. */
static void put_bytes(struct request *request, const char *bytes, size_t len)
{
    while (len > 0) {
        int part = len > INT_MAX ? INT_MAX : (int)len;
        (void)FCGX_PutStr(bytes, part, request->fcgi.out); /* a failure is remembered in output.broken */
        bytes += part;
        len -= (size_t)part;
    }
}

/* A header that there was no memory for might be the one that lets a page read the answer. */
static const char no_memory[] = "Status: 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-store, private\r\n\r\n"
                                "{\"error\":{\"code\":\"overloaded\",\"message\":\"The server is out of memory.\"}}\n";

/* Answers with a text and an `end` that is put after it. `type` NULL: an answer that has no body, nor the headers that describe one. */
static void answer_whole(struct request *request, int status, const char *type, const char *text, size_t len, const char *end)
{
    if (request->headers_sent)
        return;
    request->headers_sent = true;
    request_drop_body(request);
    struct buf head;
    buf_init(&head, LIMIT_HEADER_BYTES * 2);
    buf_addf(&head, "Status: %d %s\r\n", status, reason(status));
    if (type != NULL)
        buf_addf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, len + strlen(end));
    buf_addf(&head, "Cache-Control: %s\r\nVary: Cookie, Authorization\r\n", request->cache_control != NULL ? request->cache_control : "no-store, private");
    buf_add_text(&head, "X-Content-Type-Options: nosniff\r\n");
    buf_add(&head, request->headers.data, request->headers.len);
    buf_add_text(&head, "\r\n");
    if (!buf_failed(&head) && !buf_failed(&request->headers)) {
        put_bytes(request, head.data, head.len);
        put_bytes(request, text, len);
        put_bytes(request, end, strlen(end));
    } else {
        put_bytes(request, no_memory, sizeof no_memory - 1);
    }
    buf_free(&head);
}

void response_cache(struct request *request, const char *control)
{
    request->cache_control = control;
}

/* Whether a list of entity tags has `tag`, or is "*". Tags are compared weakly (RFC 9110 section 13.1.2). Host servers that compress an answer write "tag-gzip" and the like and
   let the client send it back so: it is the same state. */
static bool list_has_tag(const char *list, const char *tag)
{
    size_t len = strlen(tag);
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " \t,");
        if (*at == '*')
            return true;
        at += strncmp(at, "W/", 2) == 0 ? 2 : 0;
        if (*at != '"')
            return false; /* it is no list of tags */
        at++;
        size_t n = strcspn(at, "\"");
        if (n >= len && memcmp(at, tag, len) == 0 && (n == len || at[len] == '-'))
            return true;
        at += n + (at[n] == '"');
    }
    return false;
}

bool response_unchanged(struct request *request, const char *tag)
{
    buf_addf(&request->headers, "ETag: \"%s\"\r\n", tag);
    if (!list_has_tag(request_variable(request, "HTTP_IF_NONE_MATCH"), tag))
        return false;
    answer_whole(request, 304, NULL, "", 0, "");
    return true;
}

void response_text(struct request *request, int status, const char *type, const char *text, size_t len)
{
    answer_whole(request, status, type, text, len, "");
}

void response_empty(struct request *request)
{
    answer_whole(request, 204, NULL, "", 0, "");
}

void response_json(struct request *request, int status, json_object *body)
{
    const char *text = json_write(body);
    if (text == NULL) {
        text = "{\"error\":{\"code\":\"overloaded\",\"message\":\"The server is out of memory.\"}}";
        status = 503;
    }
    answer_whole(request, status, "application/json; charset=utf-8", text, strlen(text), "\n");
}

void response_shape_failures(struct request *request, response_shape *shape)
{
    request->failure_shape = shape;
}

json_object *response_error(const struct failure *failure)
{
    json_object *body = json_object_new_object();
    json_object *error = json_object_new_object();
    json_object_object_add(error, "code", json_object_new_string(outcome_code(failure->outcome)));
    json_object_object_add(error, "message", json_object_new_string(failure->message));
    json_object_object_add(body, "error", error);
    return body;
}

void response_failure(struct request *request, const struct failure *failure)
{
    if (request->headers_sent)
        return;
    request->cache_control = NULL;
    if (failure->retry_after_s > 0) {
        int seconds = failure->retry_after_s < LIMIT_RETRY_AFTER_SECONDS ? failure->retry_after_s : LIMIT_RETRY_AFTER_SECONDS;
        buf_addf(&request->headers, "Retry-After: %d\r\n", seconds);
    }
    counter_error_response(failure->outcome);
    int status = outcome_status(failure->outcome);
    json_object *body = request->failure_shape != NULL ? request->failure_shape(failure, &status) : response_error(failure);
    response_json(request, status, body);
    json_object_put(body);
}
