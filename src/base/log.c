/*
 * The log of log.h. A line is put together in one buffer and leaves by one write(2), so that lines of threads and processes do not mix (very long ones may).
 * What nobody takes is lost: a full pipe, or a terminal that was stopped, must not stop the answers.
 */
#include "log.h"

#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"
#include "secrets.h"
#include "utf8.h"

static enum log_level lowest = LOG_INFO;
static _Thread_local char request[40]; /* "": none */

static const char *const names[] = {"debug", "info", "warning", "error"};

void log_set_level(enum log_level level)
{
    lowest = level;
}

bool log_level_read(const char *text, enum log_level *level)
{
    if (strcasecmp(text, "warn") == 0)
        text = "warning";
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (strcasecmp(text, names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

void log_set_request(const char *request_id)
{
    (void)snprintf(request, sizeof request, "%s", request_id != NULL ? request_id : "");
}

/* A pipe that poll(2) calls writable takes PIPE_BUF bytes at least. */
void log_write(const char *bytes, size_t len)
{
    while (len > 0) {
        struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
        size_t part = len < PIPE_BUF ? len : PIPE_BUF;
        ssize_t n = poll(&log, 1, 0) == 1 ? write(STDERR_FILENO, bytes, part) : -1;
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level < lowest)
        return;
    char message[LIMIT_LOG_LINE_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (n < 0)
        return;
    secrets_mask(message);
    struct buf clean;
    buf_init(&clean, sizeof message * 3);
    utf8_add_repaired(&clean, message, strlen(message));

    char time[CLOCK_TEXT_BYTES];
    json_object *line = json_object_new_object();
    json_object_object_add(line, "time", json_object_new_string(clock_text(clock_unix_ms(), time)));
    json_object_object_add(line, "level", json_object_new_string(names[level]));
    json_object_object_add(line, "process", json_object_new_int((int)getpid()));
    if (request[0] != '\0')
        json_object_object_add(line, "request", json_object_new_string(request));
    json_object_object_add(line, "message", json_object_new_string(buf_failed(&clean) ? message : clean.data));
    buf_free(&clean);
    struct buf out;
    buf_init(&out, sizeof message * 8);
    buf_add_text(&out, json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    buf_add_char(&out, '\n');
    if (!buf_failed(&out))
        log_write(out.data, out.len);
    buf_free(&out);
    json_object_put(line);
}
