/*
 * How failures look to the clients of other programs' APIs: pure functions, for whole answers (response_shape_failures()) and for errors within streams.
 *
 * Neighbours: src/api/faces.c says which path has which. The shape of our own API is in response.c.
 */
#ifndef PARLEY_SHAPE_H
#define PARLEY_SHAPE_H

#include <json-c/json.h>

#include "../base/outcome.h"

/* OpenAI's: {"error":{"message","type","param","code"}}. `param` is the wrong field or null, `code` our own. A new object. */
json_object *shape_openai_error(const struct failure *failure);

/* The same as a response_shape, with OpenAI's statuses: a wrong field is 400, and so is what no second attempt would change (too long a conversation, refused content). */
json_object *shape_openai(const struct failure *failure, int *status);

/* FastAPI's: {"detail": sentence}; for a wrong field {"detail":[{"type","loc":["body",field],"msg"}]}. What was sent is never in it. A response_shape. */
json_object *shape_fastapi(const struct failure *failure, int *status);

#endif
