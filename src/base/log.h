/*
 * The log: one JSON object a line on standard error, where every host server collects it.
 *
 * A line has time, level, process, request id (when a request is being served) and message. Control characters are escaped and secrets
 * masked. Prompts and answers are never logged. Neighbours: secrets.h.
 */
#ifndef PARLEY_LOG_H
#define PARLEY_LOG_H

#include <stddef.h>

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Lines below `level` are dropped. The default is LOG_INFO. */
void log_set_level(enum log_level level);

/* Reads "debug", "info", "warning" or "error" (any case; "warn" too). False when it is none of them. */
bool log_level_read(const char *text, enum log_level *level);

/* Names the request that this thread is serving; NULL: none. */
void log_set_request(const char *request_id);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* Writes bytes where the log goes, as far as they are taken at once; the rest is lost. */
void log_write(const char *bytes, size_t len);

#endif
