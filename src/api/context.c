/*
 * See context.h.
 */
#include "context.h"

#include <string.h>

#include "../base/json.h"
#include "../chat/state.h"
#include "body.h"

/* The form of the names of the time zone database; which of them this machine knows does not matter here. */
static bool is_timezone(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t len = strlen(name);
    return len > 0 && len <= LIMIT_ID_BYTES && strspn(name, letters) == len && strstr(name, "//") == NULL && name[0] != '/';
}

static enum outcome check_confirmations(json_object *list, struct failure *failure)
{
    size_t count = list != NULL ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(list, i);
        if (json_text(item, "confirmation_id", NULL) == NULL || !json_object_is_type(json_at(item, "confirmed"), json_type_boolean))
            return fail(failure, OUTCOME_BAD_FIELD, "\"tool_confirmations\" must hold objects with a \"confirmation_id\" and \"confirmed\", true or false.");
    }
    return OUTCOME_OK;
}

enum outcome context_check(json_object *context, struct failure *failure)
{
    const char *timezone = NULL, *text = NULL;
    json_object *object = NULL, *list = NULL;
    if (context == NULL)
        return OUTCOME_OK;
    TRY(body_text(context, "timezone", LIMIT_ID_BYTES, &timezone, failure));
    if (timezone != NULL && !is_timezone(timezone))
        return fail(failure, OUTCOME_BAD_FIELD, "\"timezone\" must be a name such as Europe/Warsaw.");
    TRY(body_object(context, "user_settings", LIMIT_METADATA_BYTES, &object, failure));
    TRY(body_object(context, "state", LIMIT_APP_STATE_BYTES, &object, failure));
    TRY(body_text(context, "signature", LIMIT_METADATA_BYTES, &text, failure));
    TRY(body_array(context, "tool_confirmations", &list, failure));
    return check_confirmations(list, failure);
}

enum outcome context_state(const struct request *request, const char *conversation, json_object *context, json_object **state, struct failure *failure)
{
    json_object *sent = json_at(context, "state");
    const char *signature = json_text(context, "signature", NULL);
    if (sent == NULL || (signature == NULL && json_object_object_length(sent) == 0)) /* clients send an empty one when they have none */
        return OUTCOME_OK;
    enum outcome outcome = state_check(request_user_name(request), conversation != NULL ? conversation : "", sent, signature != NULL ? signature : "", failure);
    if (outcome == OUTCOME_OK)
        *state = sent;
    return outcome;
}

/* Whether the user decides about calls of tools. */
static bool context_confirms(json_object *context)
{
    json_object *list = json_at(context, "tool_confirmations");
    return json_object_is_type(list, json_type_array) && json_object_array_length(list) > 0;
}

enum outcome context_check_message(json_object *context, const char *message, bool has_images, bool goes_on, struct failure *failure)
{
    bool is_blank = body_is_blank(message) && !has_images, confirms = context_confirms(context);
    if (!is_blank && confirms)
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" must be empty where calls are decided about.");
    if (is_blank && !(confirms && goes_on))
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" is empty.");
    return OUTCOME_OK;
}
