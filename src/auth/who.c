/*
 * See who.h. Sessions and keys of our own will be looked up here as well.
 */
#include "who.h"

#include <string.h>

#include "../base/utf8.h"
#include "../store/user.h"

enum outcome who_asks(struct request *request, struct failure *failure)
{
    const char *name = request_variable(request, "REMOTE_USER");
    if (strlen(name) > LIMIT_USER_NAME_BYTES || !utf8_valid(name, strlen(name)))
        return fail(failure, OUTCOME_FORBIDDEN, "The name of the signed-in user is too long or not UTF-8.");
    int64_t user;
    enum outcome outcome = user_find(name, &user, failure);
    if (outcome == OUTCOME_OK)
        request_set_user(request, user, name);
    return outcome;
}
