/*
 * Answers that are written whole: text, JSON, and failures as JSON. Streams are sse.h.
 */
#ifndef PARLEY_RESPONSE_H
#define PARLEY_RESPONSE_H

#include <json-c/json.h>

#include "../base/buf.h"
#include "request.h"

/* Adds a header to the answer. Values with a control character are refused (logged, not sent). Before the answer only. */
void response_header(struct request *request, const char *name, const char *value);

/* Adds the first `len` bytes of `path`, as request_prefix() gives them, to an address. What no address may hold (RFC 3986 section 2), but a client can send all the same, is encoded. */
void response_add_path(struct buf *address, const char *path, size_t len);

/* Adds Location: the first `len` bytes of `path`, as request_prefix() gives them, and `rest`, plain text of our own. */
void response_location(struct request *request, const char *path, size_t len, const char *rest);

/* Says how long a good answer may be kept (a Cache-Control value, static text) instead of not at all. Failures are never kept. Before the answer only. */
void response_cache(struct request *request, const char *control);

/* Names the state of what is about to be answered (an entity tag without its quotes: letters and digits, RFC 9110 section 8.8.3). True: the client says that it has this state
   already (If-None-Match), and 304 was answered. */
bool response_unchanged(struct request *request, const char *tag);

/* Answers `status` with a text of a MIME type. Does nothing when something was answered already. */
void response_text(struct request *request, int status, const char *type, const char *text, size_t len);

/* Answers `status` with `body` (borrowed). Does nothing when something was answered already. */
void response_json(struct request *request, int status, json_object *body);

/* Answers 204, without a body. Does nothing when something was answered already. */
void response_empty(struct request *request);

/* How a failure looks in JSON: a new object, and in *status, which holds outcome_status() before, another HTTP status where it has one. */
typedef json_object *response_shape(const struct failure *failure, int *status);

/* The usual shape: {"error":{"code","message"}}. A new object. */
json_object *response_error(const struct failure *failure);

/* Failures of this request are answered in this shape; NULL, as it is from the start: the usual one. */
void response_shape_failures(struct request *request, response_shape *shape);

/* Answers a failure: its status, Retry-After where it has one, and its shape. */
void response_failure(struct request *request, const struct failure *failure);

#endif
