/*
 * What the dialects share: usage and errors as JSON.
 */
#include "dialect.h"

static void add_count(json_object *object, const char *name, int64_t count)
{
    json_object_object_add(object, name, count != COMPLETION_UNKNOWN ? json_object_new_int64(count) : NULL);
}

json_object *dialect_usage(const struct completion_result *result)
{
    if (result->prompt_tokens == COMPLETION_UNKNOWN && result->completion_tokens == COMPLETION_UNKNOWN)
        return NULL;
    json_object *usage = json_object_new_object();
    add_count(usage, "prompt_tokens", result->prompt_tokens);
    add_count(usage, "completion_tokens", result->completion_tokens);
    bool both = result->prompt_tokens != COMPLETION_UNKNOWN && result->completion_tokens != COMPLETION_UNKNOWN;
    add_count(usage, "total_tokens", both ? result->prompt_tokens + result->completion_tokens : COMPLETION_UNKNOWN);
    if (result->cached_tokens != COMPLETION_UNKNOWN) {
        json_object *details = json_object_new_object();
        add_count(details, "cached_tokens", result->cached_tokens);
        json_object_object_add(usage, "prompt_tokens_details", details);
    }
    if (result->reasoning_tokens != COMPLETION_UNKNOWN) {
        json_object *details = json_object_new_object();
        add_count(details, "reasoning_tokens", result->reasoning_tokens);
        json_object_object_add(usage, "completion_tokens_details", details);
    }
    return usage;
}

json_object *dialect_error(const struct failure *failure)
{
    json_object *error = json_object_new_object();
    json_object_object_add(error, "code", json_object_new_string(outcome_code(failure->outcome)));
    json_object_object_add(error, "message", json_object_new_string(failure->message));
    return error;
}
