/*
 * See client.h. The formats are those of docs/api.md and of the FastCGI specification.
 */
#include "client.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, HEADER = 8, OUT_BYTES = 64 * 1024 };

/* --- sending ------------------------------------------------------------------------------------------------------ */

struct out {
    char bytes[OUT_BYTES];
    size_t len;
};

static void add(struct out *out, const void *bytes, size_t len)
{
    if (out->len + len > sizeof out->bytes)
        abort(); /* a request of this program's own is too long */
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

static void add_record(struct out *out, int type, const void *content, size_t len)
{
    const unsigned char header[HEADER] = {1, (unsigned char)type, 0, 1, (unsigned char)(len >> 8), (unsigned char)len, 0, 0};
    add(out, header, sizeof header);
    add(out, content, len);
}

static void add_pair(struct out *pairs, const char *name, const char *value)
{
    size_t lens[] = {strlen(name), strlen(value)};
    for (size_t i = 0; i < 2; i++) {
        unsigned char len[4] = {(unsigned char)(lens[i] >> 24 | 0x80), (unsigned char)(lens[i] >> 16), (unsigned char)(lens[i] >> 8), (unsigned char)lens[i]};
        add(pairs, len, sizeof len);
    }
    add(pairs, name, lens[0]);
    add(pairs, value, lens[1]);
}

int client_send(const struct request_line *line, const char *user, int *mine)
{
    static struct out out, pairs;
    int ends[2];
    char length[32];
    const char *body = line->body != NULL ? line->body : "";
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    out.len = pairs.len = 0;
    (void)snprintf(length, sizeof length, "%zu", strlen(body));
    add_pair(&pairs, "REQUEST_METHOD", line->method);
    add_pair(&pairs, "SCRIPT_NAME", line->path);
    add_pair(&pairs, "PATH_INFO", "");
    add_pair(&pairs, "REQUEST_URI", line->path);
    add_pair(&pairs, "QUERY_STRING", line->query != NULL ? line->query : "");
    add_pair(&pairs, "SERVER_PROTOCOL", "HTTP/1.1");
    add_pair(&pairs, "REMOTE_ADDR", "127.0.0.1");
    if (*user != '\0')
        add_pair(&pairs, "REMOTE_USER", user);
    if (line->body != NULL) {
        add_pair(&pairs, "CONTENT_TYPE", "application/json");
        add_pair(&pairs, "CONTENT_LENGTH", length);
    }
    if (line->header_name != NULL)
        add_pair(&pairs, line->header_name, line->header_value);
    const unsigned char begin[HEADER] = {0, 1 /* responder */, 0, 0, 0, 0, 0, 0};
    add_record(&out, BEGIN_REQUEST, begin, sizeof begin);
    add_record(&out, PARAMS, pairs.bytes, pairs.len);
    add_record(&out, PARAMS, "", 0);
    if (*body != '\0')
        add_record(&out, STDIN, body, strlen(body));
    add_record(&out, STDIN, "", 0);
    if (send(ends[0], out.bytes, out.len, MSG_NOSIGNAL) != (ssize_t)out.len) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return -1;
    }
    *mine = ends[0];
    return ends[1];
}

/* --- understanding ------------------------------------------------------------------------------------------------ */

static void note_wrong(struct seen *seen, const char *what)
{
    if (seen->wrong[0] == '\0')
        (void)snprintf(seen->wrong, sizeof seen->wrong, "%s", what);
}

static const char *text_of(json_object *object, const char *name)
{
    json_object *value;
    return json_object_object_get_ex(object, name, &value) && json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static void copy_text(char *to, size_t size, const char *text)
{
    if (text != NULL)
        (void)snprintf(to, size, "%s", text);
}

static void copy_ids(struct seen *seen, json_object *object)
{
    copy_text(seen->conversation, sizeof seen->conversation, text_of(object, "conversation_id"));
    copy_text(seen->message, sizeof seen->message, text_of(object, "message_id"));
}

static void add_said(struct seen *seen, const char *text)
{
    size_t len = strlen(seen->text);
    if (text != NULL)
        (void)snprintf(seen->text + len, sizeof seen->text - len, "%s", text);
}

/* {"error":{"code":…,"message":…}} */
static bool take_error(struct seen *seen, json_object *object)
{
    json_object *error;
    const char *detail = text_of(object, "detail"); /* of the addresses below /api, as Ragbits has it */
    if (detail != NULL && *detail != '\0') {
        seen->errors++;
        return true;
    }
    if (!json_object_object_get_ex(object, "error", &error))
        return false;
    const char *code = text_of(error, "code"), *message = text_of(error, "message");
    if (code == NULL || message == NULL || *code == '\0' || *message == '\0')
        note_wrong(seen, "an error without code and message");
    copy_text(seen->error, sizeof seen->error, code);
    seen->errors++;
    return true;
}

/* An event of POST /chat: OpenAI's chunks with our members. */
static void take_chunk(struct seen *seen, json_object *chunk)
{
    json_object *choices, *delta, *reason;
    copy_ids(seen, chunk);
    if (take_error(seen, chunk))
        return;
    if (!json_object_object_get_ex(chunk, "choices", &choices) || !json_object_is_type(choices, json_type_array)) {
        note_wrong(seen, "a chunk without choices");
        return;
    }
    json_object *choice = json_object_array_get_idx(choices, 0); /* a chunk with usage has none */
    if (json_object_object_get_ex(choice, "delta", &delta))
        add_said(seen, text_of(delta, "content"));
    if (json_object_object_get_ex(choice, "finish_reason", &reason) && reason != NULL)
        seen->done++;
}

static void take_event(struct seen *seen, const char *name, const char *data)
{
    if (strcmp(name, "token") == 0) {
        add_said(seen, data);
        return;
    }
    if (name[0] == '\0' && strcmp(data, "[DONE]") == 0) {
        if (seen->ended)
            note_wrong(seen, "two ends of a stream");
        seen->ended = true;
        return;
    }
    json_object *object = json_tokener_parse(data);
    if (!json_object_is_type(object, json_type_object))
        note_wrong(seen, "an event that is no object");
    else if (name[0] == '\0')
        take_chunk(seen, object);
    else
        copy_ids(seen, object);
    if (strcmp(name, "done") == 0)
        seen->done++;
    if (strcmp(name, "error") == 0) {
        seen->errors++;
        copy_text(seen->error, sizeof seen->error, text_of(object, "code"));
    }
    if (seen->ended || (seen->done + seen->errors > 0 && strcmp(name, "token") == 0))
        note_wrong(seen, "something after the end of a stream");
    json_object_put(object);
}

/* Lines up to a blank one are an event; one that is cut is none (HTML, "Server-sent events"). */
static void take_stream(struct seen *seen, char *at)
{
    char name[64] = "", data[SEEN_TEXT] = "";
    bool any = false;
    for (char *line = at, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        size_t len = strlen(data);
        if (strncmp(line, "event: ", 7) == 0)
            copy_text(name, sizeof name, line + 7);
        else if (strncmp(line, "data: ", 6) == 0)
            (void)snprintf(data + len, sizeof data - len, "%s%s", any ? "\n" : "", line + 6);
        any = any || strncmp(line, "data: ", 6) == 0;
        if (*line != '\0')
            continue;
        if (any)
            take_event(seen, name, data);
        name[0] = data[0] = '\0';
        any = false;
    }
}

static void take_object(struct seen *seen)
{
    json_object *object = json_tokener_parse(seen->body);
    if (!json_object_is_type(object, json_type_object)) {
        note_wrong(seen, "a body that is no JSON object");
    } else if (seen->status >= 400) {
        if (!take_error(seen, object))
            note_wrong(seen, "a failure without an error");
    } else {
        const char *response = text_of(object, "response"), *status = text_of(object, "status");
        copy_ids(seen, object);
        add_said(seen, response);
        seen->done += response != NULL && status != NULL && strcmp(status, "done") == 0;
    }
    json_object_put(object);
}

static const char *header(const char *head, const char *name, char *value, size_t size)
{
    value[0] = '\0';
    for (const char *line = head; line != NULL; line = strstr(line, "\r\n") != NULL ? strstr(line, "\r\n") + 2 : NULL)
        if (strncmp(line, name, strlen(name)) == 0 && strncmp(line + strlen(name), ": ", 2) == 0)
            (void)snprintf(value, size, "%.*s", (int)strcspn(line + strlen(name) + 2, "\r"), line + strlen(name) + 2);
    return value;
}

/* `len` bytes in seen->raw, with a NUL behind them. */
static void understand(struct seen *seen, size_t len)
{
    char value[128];
    char *head_end = strstr(seen->raw, "\r\n\r\n");
    if (len == 0)
        return;
    if (head_end == NULL) {
        if (seen->complete)
            note_wrong(seen, "an answer without the end of its headers");
        return;
    }
    head_end[2] = '\0';
    seen->body = head_end + 4;
    seen->len = len - (size_t)(seen->body - seen->raw);
    seen->status = (int)strtol(header(seen->raw, "Status", value, sizeof value), NULL, 10);
    if (seen->status < 200 || seen->status > 599)
        note_wrong(seen, "no status");
    copy_text(seen->conversation, sizeof seen->conversation, header(seen->raw, "Parley-Conversation", value, sizeof value));
    copy_text(seen->message, sizeof seen->message, header(seen->raw, "Parley-Message", value, sizeof value));
    bool has_length = header(seen->raw, "Content-Length", value, sizeof value)[0] != '\0';
    size_t length = strtoul(value, NULL, 10);
    seen->is_stream = strncmp(header(seen->raw, "Content-Type", value, sizeof value), "text/event-stream", 17) == 0;
    if (seen->is_stream) {
        take_stream(seen, (char *)seen->body);
        return;
    }
    if (has_length && length != seen->len && seen->complete)
        note_wrong(seen, "a body that is not as long as announced");
    if (!seen->complete || (has_length && length != seen->len))
        return;
    if (strncmp(value, "application/json", 16) == 0)
        take_object(seen);
    else if (seen->status >= 400)
        note_wrong(seen, "a failure that is no JSON");
}

static size_t read_all(int fd, char *bytes, size_t size)
{
    size_t len = 0;
    for (ssize_t n; len < size && (n = read(fd, bytes + len, size - len)) > 0;)
        len += (size_t)n;
    return len;
}

void client_read(int mine, struct seen *seen)
{
    static unsigned char in[SEEN_BYTES];
    size_t len = read_all(mine, (char *)in, sizeof in - 1), out = 0;
    (void)close(mine);
    memset(seen, 0, offsetof(struct seen, raw));
    for (size_t at = 0; at + HEADER <= len;) {
        size_t content = (size_t)in[at + 4] << 8 | in[at + 5], padding = in[at + 6], there = len - at - HEADER < content ? len - at - HEADER : content;
        if (in[at + 1] == STDOUT && out + there < sizeof seen->raw) {
            memcpy(seen->raw + out, in + at + HEADER, there);
            out += there;
        }
        seen->complete = seen->complete || in[at + 1] == END_REQUEST;
        at += HEADER + content + padding;
    }
    seen->raw[out] = '\0';
    if (seen->complete && out == 0)
        note_wrong(seen, "an answer without a byte that is called complete");
    understand(seen, out);
}
