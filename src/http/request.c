/*
 * A request: its variables, its body, its life. See request.h.
 */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "cgi.h"
#include "request_internal.h"

/* Most host servers have the whole body before they ask us. mod_proxy_fcgi passes it on as it comes, from a client that may take its time: a thread waits so long and no longer. */
enum { READ_TIMEOUT_S = 10, BODY_GRACE_MS = 10000, BODY_BYTES_PER_S = 4096 };

const char *request_variable(const struct request *request, const char *name)
{
    const char *value = FCGX_GetParam(name, request->fcgi.envp);
    return value != NULL ? value : "";
}

bool request_any_variable(const struct request *request, const char *name, const char *part)
{
    size_t len = strlen(name);
    for (char **variable = request->fcgi.envp; variable != NULL && *variable != NULL; variable++)
        if (strncmp(*variable, name, len) == 0 && (*variable)[len] == '=' && (*variable)[len + 1] != '\0' && strstr(*variable + len + 1, part) != NULL)
            return true;
    return false;
}

size_t request_count_variables(const struct request *request, const char *name)
{
    size_t len = strlen(name), count = 0;
    for (char **variable = request->fcgi.envp; variable != NULL && *variable != NULL; variable++)
        count += strncmp(*variable, name, len) == 0 && (*variable)[len] == '=' && (*variable)[len + 1] != '\0';
    return count;
}

size_t request_headers_len(const struct request *request)
{
    size_t len = 0;
    for (char **variable = request->fcgi.envp; variable != NULL && *variable != NULL; variable++)
        len += strncmp(*variable, "HTTP_", 5) == 0 ? strlen(*variable) : 0;
    return len;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* Takes PARLEY_PREFIX off a path that lies below it. */
static const char *below_prefix(const char *path)
{
    size_t len = strlen(settings.prefix);
    return strncmp(path, settings.prefix, len) == 0 && path[len] == '/' ? path + len : path;
}

/* Whether SCRIPT_NAME is the program's own file. A path that a visitor made up may end like one; then there is no such file. */
static bool is_script(const struct request *request, const char *script)
{
    if (!ends_with(script, ".cgi") && !ends_with(script, ".fcgi"))
        return false;
    return cgi_is_asked() || access(request_variable(request, "SCRIPT_FILENAME"), F_OK) == 0;
}

/* How many bytes of a text are UTF-8. */
static size_t valid_len(const char *text)
{
    size_t len = strlen(text), at = 0;
    uint32_t code;
    for (int n; at < len && (n = utf8_read(text + at, len - at, &code)) > 0; at += (size_t)n)
        continue;
    return at;
}

/* The path that routes are matched on. Servers disagree on where they cut it (SCRIPT_NAME + PATH_INFO is always the whole), and behind a
   script in cgi-bin only PATH_INFO is ours. */
static void find_path(struct request *request)
{
    const char *script = request_variable(request, "SCRIPT_NAME");
    const char *info = request_variable(request, "PATH_INFO");
    request->is_script = is_script(request, script);
    if (request->is_script || strcmp(script, "/") == 0)
        script = "";
    char whole[LIMIT_PATH_BYTES + 1];
    (void)snprintf(whole, sizeof whole, "%s%s", script, info); /* a longer one is cut */
    const char *path = request->is_script ? info : below_prefix(whole);
    (void)snprintf(request->path, sizeof request->path, "%s", request->is_script && *info == '\0' ? "/" : path);
    size_t good = valid_len(request->path);
    request->path_is_bad = request->path[0] != '/' || request->path[good] != '\0' || strlen(script) + strlen(info) > LIMIT_PATH_BYTES;
    request->path[good] = '\0';
}

bool request_use_path_info(struct request *request)
{
    const char *info = request_variable(request, "PATH_INFO");
    if (info[0] != '/' || strcmp(info, request_path(request)) == 0 || strlen(info) > LIMIT_PATH_BYTES || !utf8_valid(info, strlen(info)))
        return false;
    (void)snprintf(request->path, sizeof request->path, "%s", info);
    request->path_is_bad = false;
    return true;
}

bool request_is_script(const struct request *request)
{
    return request->is_script;
}

/* In a Location, // would name another host. */
static bool is_path(const char *uri)
{
    return uri[0] == '/' && uri[1] != '/' && uri[1] != '\\';
}

size_t request_prefix(const struct request *request, const char **prefix)
{
    const char *uri = request_variable(request, "REQUEST_URI");
    const char *path = request_path(request);
    size_t len = strcspn(uri, "?#"), path_len = strlen(path);
    *prefix = uri;
    if (is_path(uri) && len >= path_len && strncmp(uri + len - path_len, path, path_len) == 0)
        return len - path_len;
    *prefix = request->is_script && is_path(request_variable(request, "SCRIPT_NAME")) ? request_variable(request, "SCRIPT_NAME") : settings.prefix;
    return strlen(*prefix);
}

struct request *request_open(int fd)
{
    struct request *request = mem_new(1, sizeof *request);
    struct timeval timeout = {.tv_sec = READ_TIMEOUT_S};
    if (request == NULL || !id_new(request->id) || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) {
        mem_free(request);
        (void)close(fd);
        return NULL;
    }
    buf_init(&request->headers, LIMIT_HEADER_BYTES);
    /* FCGX_Accept_r uses a connection that is there already when it may keep it; without a listening socket it accepts none of its own. */
    (void)FCGX_InitRequest(&request->fcgi, -1, 0);
    request->fcgi.ipcFd = fd;
    request->fcgi.keepConnection = 1;
    if (FCGX_Accept_r(&request->fcgi) < 0) { /* libfcgi has closed the connection */
        mem_free(request);
        return NULL;
    }
    output_open(request);
    find_path(request);
    address_group(request_variable(request, "REMOTE_ADDR"), request->address);
    return request;
}

/* Files take GET and HEAD only; for other methods apache.conf shows what the program says, which Apache then asks by GET, saying what the method was. For OPTIONS that
   counts: a browser asks about the address, file or not. Clients cannot set a variable of this name. */
const char *request_method(const struct request *request)
{
    bool was_options = strcmp(request_variable(request, "REDIRECT_REQUEST_METHOD"), "OPTIONS") == 0;
    return was_options ? "OPTIONS" : request_variable(request, "REQUEST_METHOD");
}

const char *request_path(const struct request *request)
{
    return request->path_is_bad ? "" : request->path;
}

const char *request_path_beginning(const struct request *request)
{
    return request->path;
}

const char *request_id(const struct request *request)
{
    return request->id;
}

const char *request_address(const struct request *request)
{
    return request->address;
}

const char *request_segment(const struct request *request, size_t index)
{
    return index < request->segment_count ? request->segments[index] : "";
}

void request_set_segments(struct request *request, char *segments[], size_t count)
{
    memcpy(request->segments, segments, count * sizeof *segments);
    request->segment_count = count;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding of a query component (WHATWG URL, application/x-www-form-urlencoded parsing): + is a space. False: it is none, or longer than `out` may get. No memory is told by
   `out`, whose length then is 0. */
static bool decode(const char *text, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || out->len == out->max)
            return false;
        buf_add_char(out, c);
    }
    return utf8_valid(out->data, out->len);
}

enum outcome request_query(const struct request *request, const char *name, char **value, struct failure *failure)
{
    *value = NULL;
    const char *query = request_variable(request, "QUERY_STRING");
    if (strlen(query) > LIMIT_QUERY_BYTES)
        return fail(failure, OUTCOME_BAD_REQUEST, "The query string is longer than %d bytes.", LIMIT_QUERY_BYTES);
    size_t name_len = strlen(name);
    while (*query != '\0') {
        size_t len = strcspn(query, "&");
        if (len > name_len && query[name_len] == '=' && strncmp(query, name, name_len) == 0) {
            struct buf out;
            buf_init(&out, LIMIT_QUERY_VALUE_BYTES);
            bool good = decode(query + name_len + 1, len - name_len - 1, &out);
            if (good)
                *value = buf_take(&out); /* NULL without memory */
            buf_free(&out);
            if (!good)
                return fail(failure, OUTCOME_BAD_REQUEST, "The parameter \"%s\" is not percent-encoded UTF-8 of at most %d bytes.", name,
                            LIMIT_QUERY_VALUE_BYTES);
            return *value != NULL ? OUTCOME_OK : fail_no_memory(failure);
        }
        query += query[len] == '&' ? len + 1 : len;
    }
    return OUTCOME_OK;
}

/* Whether a body of which `len` bytes have come since `start_ms` comes too slowly. */
static bool is_too_slow(int64_t start_ms, size_t len)
{
    return clock_mono_ms() - start_ms > BODY_GRACE_MS + (int64_t)len * 1000 / BODY_BYTES_PER_S;
}

/* The next piece of the body: what one read gives, so that the clock can be looked at in between (FCGX_GetStr waits until all that was asked for is there). 0: the end. */
static int read_piece(struct request *request, char *piece, int size)
{
    FCGX_Stream *in = request->fcgi.in;
    int first = FCGX_GetChar(in);
    if (first == EOF)
        return 0;
    piece[0] = (char)first;
    int there = in->stop > in->rdNext ? (int)(in->stop - in->rdNext) : 0;
    int more = there < size - 1 ? there : size - 1;
    return 1 + (more > 0 ? FCGX_GetStr(piece + 1, more, in) : 0);
}

/* Reads away what is left of a body that is not wanted, up to a bound of bytes and time. */
static void drain_body(struct request *request)
{
    char scrap[4096];
    int64_t start_ms = clock_mono_ms();
    for (size_t left = LIMIT_BODY_DRAIN_BYTES; left > 0 && clock_mono_ms() - start_ms < BODY_GRACE_MS;) {
        int n = read_piece(request, scrap, sizeof scrap);
        if (n <= 0)
            return;
        left -= (size_t)n < left ? (size_t)n : left;
    }
}

static enum outcome read_body(struct request *request, size_t max, struct buf *body, struct failure *failure)
{
    const char *length = request_variable(request, "CONTENT_LENGTH");
    long long announced = *length != '\0' ? strtoll(length, NULL, 10) : -1; /* absent: a chunked request under mod_fcgid */
    char part[4096];
    int n = 0;
    int64_t start_ms = clock_mono_ms();
    while ((announced < 0 || announced <= (long long)max) && body->len <= max && !buf_failed(body) &&
           (n = read_piece(request, part, sizeof part)) > 0) {
        buf_add(body, part, (size_t)n);
        if (is_too_slow(start_ms, body->len))
            return fail(failure, OUTCOME_BAD_REQUEST, "The request body came too slowly.");
    }
    bool too_large = announced > (long long)max || body->len > max;
    if (too_large || buf_failed(body)) {
        drain_body(request);
        if (!too_large)
            return fail_no_memory(failure);
        return fail(failure, OUTCOME_TOO_LARGE, "The request body is larger than %zu bytes.", max);
    }
    if (announced >= 0 && body->len != (size_t)announced)
        return fail(failure, OUTCOME_BAD_REQUEST, "The request body is not as long as Content-Length says.");
    return OUTCOME_OK;
}

enum outcome request_read_body(struct request *request, size_t max, struct buf *body, struct failure *failure)
{
    if (request->fcgi.in == NULL)
        return OUTCOME_OK; /* it was read before */
    enum outcome outcome = read_body(request, max, body, failure);
    FCGX_FreeStream(&request->fcgi.in); /* 8 KB that a long answer does not need */
    return outcome;
}

void request_drop_body(struct request *request)
{
    if (request->fcgi.in == NULL)
        return;
    drain_body(request);
    FCGX_FreeStream(&request->fcgi.in);
}

void request_set_user(struct request *request, int64_t user, const char *name)
{
    request->user = user;
    request->user_name = name;
}

int64_t request_user(const struct request *request)
{
    return request->user;
}

const char *request_user_name(const struct request *request)
{
    return request->user_name != NULL ? request->user_name : "";
}

bool request_is_gone(const struct request *request)
{
    return request->output.broken;
}

bool request_is_doubtful(const struct request *request)
{
    return request->output.half_closed;
}

size_t request_waiting(const struct request *request)
{
    return request->output.waiting.len - request->output.sent;
}

int64_t request_stalled_since(const struct request *request)
{
    return request->output.stalled_since_ms;
}

bool request_attach(struct request *request, struct request_owner owner)
{
    request->output.owner = owner;
    return !request_is_gone(request) && output_watch(request);
}

void request_finish(struct request *request)
{
    (void)FCGX_FClose(request->fcgi.err);
    (void)FCGX_FClose(request->fcgi.out); /* our procedure adds the end records; its failure is remembered in `broken` */
    if (request->output.waiting.len > 0 && !request->output.broken)
        output_linger(request);
    else if (request->output.watched && !loop_is_current())
        log_error("a watched request was finished outside the event loop");
    else
        request_free(request);
}
