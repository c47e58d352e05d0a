/*
 * The table behind outcome.h. Leaves out: who logs and who answers (see the rule in outcome.h).
 */
#include "outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "secrets.h"
#include "utf8.h"

static const struct {
    int status;
    const char *code;
} outcomes[OUTCOME_COUNT] = {
    [OUTCOME_OK] = {200, "ok"},
    [OUTCOME_DETACHED] = {200, "ok"},
    [OUTCOME_BAD_JSON] = {400, "bad_json"},
    [OUTCOME_BAD_REQUEST] = {400, "bad_request"},
    [OUTCOME_BAD_FIELD] = {422, "invalid_field"},
    [OUTCOME_FORBIDDEN] = {403, "forbidden"},
    [OUTCOME_NOT_FOUND] = {404, "not_found"},
    [OUTCOME_BAD_METHOD] = {405, "method_not_allowed"},
    [OUTCOME_BUSY] = {409, "busy"},
    [OUTCOME_TOO_LARGE] = {413, "too_large"},
    [OUTCOME_BAD_TYPE] = {415, "unsupported_type"},
    [OUTCOME_RATE_LIMITED] = {429, "rate_limited"},
    [OUTCOME_DECLINED] = {403, "refused"},
    [OUTCOME_NO_MEMORY] = {503, "overloaded"},
    [OUTCOME_INTERNAL] = {500, "internal"},
    [OUTCOME_OVERLOADED] = {503, "overloaded"},
    [OUTCOME_STORE] = {503, "store_unavailable"},
    [OUTCOME_HOOK] = {502, "hook_failed"},
    [OUTCOME_PROVIDER_UNREACHABLE] = {502, "provider_unreachable"},
    [OUTCOME_PROVIDER_AUTH] = {502, "provider_auth"},
    [OUTCOME_PROVIDER_BUSY] = {429, "provider_busy"},
    [OUTCOME_PROVIDER_QUOTA] = {502, "provider_error"},
    [OUTCOME_PROVIDER_TIMEOUT] = {504, "provider_timeout"},
    [OUTCOME_PROVIDER_ERROR] = {502, "provider_error"},
    [OUTCOME_CONTEXT_TOO_LONG] = {502, "provider_error"},
    [OUTCOME_REFUSED] = {502, "provider_error"},
    [OUTCOME_ANSWER_TOO_LONG] = {502, "provider_error"},
    [OUTCOME_INTERRUPTED] = {502, "provider_error"},
    [OUTCOME_STOPPED] = {200, "stopped"},
    [OUTCOME_LOST] = {502, "interrupted"},
};

enum outcome fail(struct failure *failure, enum outcome outcome, const char *format, ...)
{
    if (failure == NULL)
        return outcome;
    failure->outcome = outcome;
    failure->retry_after_s = 0;
    failure->refused_with = 0;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(failure->message, sizeof failure->message, format, args);
    va_end(args);
    if (n < 0)
        failure->message[0] = '\0';
    failure->message[utf8_fit(failure->message, strlen(failure->message))] = '\0';
    utf8_mend(failure->message); /* what is quoted may be cut within a character, or be no UTF-8 at all, as a setting or a variable of the host server can be */
    secrets_mask(failure->message);
    return outcome;
}

enum outcome fail_no_memory(struct failure *failure)
{
    return fail(failure, OUTCOME_NO_MEMORY, "The server is out of memory.");
}

int outcome_status(enum outcome outcome)
{
    return outcomes[outcome].status;
}

const char *outcome_code(enum outcome outcome)
{
    return outcomes[outcome].code;
}

enum outcome outcome_find(const char *code)
{
    for (int i = OUTCOME_OK + 1; i < OUTCOME_COUNT; i++)
        if (strcmp(outcomes[i].code, code) == 0 && i != OUTCOME_DETACHED)
            return (enum outcome)i;
    return OUTCOME_INTERNAL;
}
