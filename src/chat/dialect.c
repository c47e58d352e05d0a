/*
 * What the dialects share: errors as JSON.
 */
#include "dialect.h"

json_object *dialect_error(const struct failure *failure)
{
    json_object *error = json_object_new_object();
    json_object_object_add(error, "code", json_object_new_string(outcome_code(failure->outcome)));
    json_object_object_add(error, "message", json_object_new_string(failure->message));
    return error;
}
