/*
 * Answers that are written whole: text, JSON, and failures as JSON. Streams are sse.h.
 */
#ifndef PARLEY_RESPONSE_H
#define PARLEY_RESPONSE_H

#include <json-c/json.h>

#include "request.h"

/* Adds a header to the answer. Values with a control character are refused (logged, not sent). Before the answer only. */
void response_header(struct request *request, const char *name, const char *value);

/* Answers `status` with a text of a MIME type. Does nothing when something was answered already. */
void response_text(struct request *request, int status, const char *type, const char *text, size_t len);

/* Answers `status` with `body` (borrowed). Does nothing when something was answered already. */
void response_json(struct request *request, int status, json_object *body);

/* Answers a failure: its status, Retry-After where it has one, and {"error":{"code","message"}}. */
void response_failure(struct request *request, const struct failure *failure);

#endif
