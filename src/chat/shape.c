/*
 * The shapes of shape.h.
 */
#include "shape.h"

#include <string.h>

/* The name in double quotes that a sentence about a wrong field begins with (outcome.h); NULL when there is none. A new reference. */
static json_object *field_of(const struct failure *failure)
{
    const char *message = failure->message;
    if (failure->outcome != OUTCOME_BAD_FIELD || message[0] != '"')
        return NULL;
    size_t len = strcspn(message + 1, "\"");
    return len > 0 && message[1 + len] == '"' ? json_object_new_string_len(message + 1, (int)len) : NULL; /* shorter than LIMIT_ERROR_BYTES */
}

/* What no second attempt would change is the client's: its SDKs repeat what has a status from 500 on. */
static int openai_status(const struct failure *failure)
{
    switch (failure->outcome) {
    case OUTCOME_PROVIDER_ERROR:
        return failure->refused_with == 404 ? 404 : failure->refused_with != 0 ? 400 : 502;
    case OUTCOME_BAD_FIELD:
    case OUTCOME_CONTEXT_TOO_LONG:
    case OUTCOME_REFUSED:
        return 400;
    default:
        return outcome_status(failure->outcome);
    }
}

/* The types that OpenAI's clients know, by status. */
static const char *openai_type(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 429: return "rate_limit_error";
    case 502:
    case 504: return "api_error"; /* the provider's */
    default: return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

json_object *shape_openai_error(const struct failure *failure)
{
    json_object *body = json_object_new_object();
    json_object *error = json_object_new_object();
    json_object_object_add(error, "message", json_object_new_string(failure->message));
    json_object_object_add(error, "type", json_object_new_string(openai_type(openai_status(failure))));
    json_object_object_add(error, "param", field_of(failure));
    json_object_object_add(error, "code", json_object_new_string(outcome_code(failure->outcome)));
    json_object_object_add(body, "error", error);
    return body;
}

json_object *shape_openai(const struct failure *failure, int *status)
{
    *status = openai_status(failure);
    return shape_openai_error(failure);
}

/* One item of FastAPI's list of what is wrong with a body. */
static json_object *fastapi_item(const struct failure *failure)
{
    json_object *item = json_object_new_object();
    json_object *place = json_object_new_array();
    json_object *field = field_of(failure);
    json_object_array_add(place, json_object_new_string("body"));
    if (field != NULL)
        json_object_array_add(place, field);
    json_object_object_add(item, "type", json_object_new_string("value_error"));
    json_object_object_add(item, "loc", place);
    json_object_object_add(item, "msg", json_object_new_string(failure->message));
    return item;
}

json_object *shape_fastapi(const struct failure *failure, int *status)
{
    json_object *body = json_object_new_object();
    json_object *detail;
    if (failure->outcome == OUTCOME_BAD_FIELD) {
        *status = 422;
        detail = json_object_new_array();
        json_object_array_add(detail, fastapi_item(failure));
    } else {
        detail = json_object_new_string(failure->message);
    }
    json_object_object_add(body, "detail", detail);
    return body;
}
