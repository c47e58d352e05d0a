/*
 * JSON bodies of requests: read, and taken apart field by field with one clear sentence for each mistake.
 */
#ifndef PARLEY_BODY_H
#define PARLEY_BODY_H

#include <json-c/json.h>

#include "../http/request.h"

/* For one check after the other: leaves the function with the first outcome that is not good. */
#define TRY(call)                  \
    do {                           \
        enum outcome tried = call; \
        if (tried != OUTCOME_OK)   \
            return tried;          \
    } while (0)

/* Reads the body as one JSON object. *body is a reference of the caller. OUTCOME_BAD_TYPE, OUTCOME_TOO_LARGE, OUTCOME_BAD_JSON or OUTCOME_BAD_REQUEST. */
enum outcome body_read(struct request *request, json_object **body, struct failure *failure);

/* The same, but *body stays as it is when the request has no body. CONTENT_LENGTH does not tell: it is missing from a chunked request under mod_fcgid and CGI. */
enum outcome body_read_if_any(struct request *request, json_object **body, struct failure *failure);

/* Each of these looks at the field `name`; absent and null leave *value as it is. OUTCOME_BAD_FIELD when it is of another type or outside the bounds. */
enum outcome body_text(json_object *body, const char *name, size_t max_bytes, const char **value, struct failure *failure);
enum outcome body_flag(json_object *body, const char *name, int *value, struct failure *failure);
enum outcome body_number(json_object *body, const char *name, double least, double most, double *value, struct failure *failure);
enum outcome body_whole(json_object *body, const char *name, int64_t least, int64_t most, int64_t *value, struct failure *failure);
enum outcome body_object(json_object *body, const char *name, size_t max_bytes, json_object **value, struct failure *failure);
enum outcome body_array(json_object *body, const char *name, json_object **value, struct failure *failure);

/* Whether a text has nothing but white space in it. */
bool body_is_blank(const char *text);

/* Whether a text is free of control characters: for names that go on to others. */
bool body_is_plain(const char *text);

#endif
