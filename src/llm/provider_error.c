/*
 * The reading of provider_error.h.
 */
#include "provider_error.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/json.h"
#include "../base/utf8.h"

/* Where servers put the text of an error, in the order in which to look. */
static const char *const message_paths[] = {"error.message", "error", "message", "Message", "detail", "detail.0.msg", "fault.faultstring",
                                            "errors.0.message", "0.error.message", "choices.0.error.message"};

static const char *const context_signs[] = {
    "maximum context length is", "input tokens exceed the configured limit", "is longer than the model's context length", "exceeds the available context size",
    "context size has been exceeded", "greater than the context length", "length limit exceeded", "prompt is too long", "exceed context limit",
    "model's maximum context limit", "input length exceeds the context length", "`inputs` tokens + `max_new_tokens` must be", "too many tokens",
    "exceeds the maximum number of tokens allowed", "input is too long", "too many input tokens", "expected maxlength", "while limit is",
};

static const char *const quota_signs[] = {"insufficient_quota", "billing", "credit balance", "insufficient balance", "exceeded your current quota"};
static const char *const busy_signs[] = {"server busy", "overloaded", "RESOURCE_EXHAUSTED"};
static const char *const key_signs[] = {"API key not valid", "API_KEY_INVALID"};
static const char *const clock_signs[] = {"Signature expired", "Signature not yet current", "RequestTimeTooSkewed"}; /* AWS */

static bool has_sign(const char *text, const char *const signs[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(text, signs[i]) != NULL)
            return true;
    return false;
}

#define HAS_SIGN(text, signs) has_sign(text, signs, sizeof(signs) / sizeof *(signs))

static void keep_message(struct provider_error *error, const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    if (*text == '<') /* HTML of a proxy, wrapped */
        return;
    struct buf clean;
    buf_init(&clean, LIMIT_ERROR_BODY_BYTES * 3);
    utf8_add_repaired(&clean, text, strlen(text));
    (void)snprintf(error->message, sizeof error->message, "%.300s", clean.data); /* room for our own words around it */
    error->message[utf8_fit(error->message, strlen(error->message))] = '\0';
    for (char *c = error->message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    buf_free(&clean);
}

/* The code of an error: a string, or a number written out. */
static void read_code(json_object *object, char code[64])
{
    static const char *const paths[] = {"error.code", "error.type", "code", "type", "choices.0.error.code"};
    code[0] = '\0';
    for (size_t i = 0; i < sizeof paths / sizeof paths[0] && code[0] == '\0'; i++) {
        json_object *value = json_at(object, paths[i]);
        if (json_object_is_type(value, json_type_string) || json_object_is_type(value, json_type_int))
            (void)snprintf(code, 64, "%s", json_object_get_string(value));
    }
}

/* Decides by status, code and text what kind of failure it is. */
static void classify(struct provider_error *error, long status, const char *code)
{
    const char *text = error->message;
    bool is_number = code[0] >= '1' && code[0] <= '5' && strlen(code) == 3;
    if (status == 0 && is_number)
        status = strtol(code, NULL, 10);
    error->outcome = OUTCOME_PROVIDER_ERROR;
    error->refused_with = status == 400 || status == 404 || status == 413 || status == 422 ? (int)status : 0;
    error->retry = status == 408 || status == 409 || status == 424 || status >= 500;
    bool may_be_length = status == 0 || status == 400 || status == 413 || status == 422 || status == 500;
    if (may_be_length && strcmp(code, "string_above_max_length") != 0 &&
        (strcmp(code, "context_length_exceeded") == 0 || strcmp(code, "exceed_context_size_error") == 0 || HAS_SIGN(text, context_signs))) {
        error->outcome = OUTCOME_CONTEXT_TOO_LONG;
        error->retry = false;
    } else if (status == 402 || strcmp(code, "insufficient_quota") == 0 || 
               ((status == 400 || status == 403 || status == 429) && HAS_SIGN(text, quota_signs))) {
        error->outcome = OUTCOME_PROVIDER_QUOTA;
        error->retry = false;
    } else if ((status == 400 && HAS_SIGN(text, key_signs)) || status == 401 || status == 403 || status == 498 ||
               strcmp(code, "invalid_api_key") == 0) {
        error->outcome = OUTCOME_PROVIDER_AUTH;
        error->retry = false;
        error->clock_differs = HAS_SIGN(text, clock_signs) || HAS_SIGN(code, clock_signs);
    } else if (status == 429 || status == 529 || strcmp(code, "rate_limit_exceeded") == 0 || strcmp(code, "overloaded_error") == 0 ||
               status == 503 || (status == 0 && (HAS_SIGN(text, busy_signs) || HAS_SIGN(code, busy_signs)))) {
        error->outcome = OUTCOME_PROVIDER_BUSY;
        error->retry = true;
    } else if (strcmp(code, "content_filter") == 0 || strcmp(code, "refusal") == 0) {
        error->outcome = OUTCOME_REFUSED;
        error->retry = false;
    }
}

bool provider_error_is_one(json_object *object)
{
    const char *kind = json_text(object, "object", NULL);
    return json_at(object, "error") != NULL || json_at(object, "choices.0.error") != NULL || (kind != NULL && strcmp(kind, "error") == 0) ||
           (json_at(object, "choices") == NULL && (json_at(object, "detail") != NULL || json_at(object, "fault") != NULL));
}

/* Google says in the details of an error how long to wait ("47s"), and whether it is a quota by the day, for which waiting is of no use (google.rpc.RetryInfo, QuotaFailure). */
static void read_details(struct provider_error *error, json_object *object)
{
    json_object *details = json_at(object, "error.details");
    for (size_t i = 0; json_object_is_type(details, json_type_array) && i < json_object_array_length(details); i++) {
        json_object *detail = json_object_array_get_idx(details, i);
        const char *delay = json_text(detail, "retryDelay", NULL), *quota = json_text(detail, "violations.0.quotaId", NULL);
        double seconds = delay != NULL ? strtod(delay, NULL) : -1;
        if (seconds >= 0 && seconds < 1e6 && error->retry_after_ms < 0)
            error->retry_after_ms = (int64_t)(seconds * 1000);
        bool by_day = quota != NULL && strstr(quota, "PerDay") != NULL;
        if (by_day) {
            error->outcome = OUTCOME_PROVIDER_QUOTA;
            error->retry = false;
            return;
        }
        if (error->outcome == OUTCOME_PROVIDER_QUOTA && (quota != NULL || seconds >= 0)) { /* the same words are used for a limit by the minute */
            error->outcome = OUTCOME_PROVIDER_BUSY;
            error->retry = true;
        }
    }
}

void provider_error_read_json(struct provider_error *error, json_object *object, long status)
{
    char code[64];
    for (size_t i = 0; i < sizeof message_paths / sizeof message_paths[0] && error->message[0] == '\0'; i++)
        if (json_text(object, message_paths[i], NULL) != NULL)
            keep_message(error, json_text(object, message_paths[i], NULL));
    const char *param = json_text(object, "error.param", NULL);
    (void)snprintf(error->param, sizeof error->param, "%s", param != NULL ? param : "");
    read_code(object, code);
    classify(error, status, code);
    read_details(error, object);
}

/* Failures of the connection, before any status. */
static void read_transport(struct provider_error *error, const struct exchange *exchange)
{
    error->outcome = OUTCOME_PROVIDER_ERROR;
    switch (exchange->end) {
    case EXCHANGE_NO_CONNECT:
        error->outcome = OUTCOME_PROVIDER_UNREACHABLE;
        error->certificate = exchange->certificate;
        error->retry = exchange->certificate == CERTIFICATE_NO_FAULT;
        break;
    case EXCHANGE_CUT:
        error->outcome = OUTCOME_INTERRUPTED;
        error->retry = true;
        break;
    case EXCHANGE_SILENT:
    case EXCHANGE_TOO_LONG:
        error->outcome = OUTCOME_PROVIDER_TIMEOUT;
        break;
    case EXCHANGE_CANCELLED:
        error->outcome = OUTCOME_STOPPED;
        break;
    case EXCHANGE_NO_MEMORY:
        error->outcome = OUTCOME_NO_MEMORY;
        break;
    case EXCHANGE_DONE:
    case EXCHANGE_REFUSED:
        break;
    }
}

void provider_error_read(struct provider_error *error, const struct exchange *exchange, const char *body, size_t len)
{
    *error = (struct provider_error){.retry_after_ms = exchange->retry_after_ms};
    if (exchange->status < 300 || exchange->end == EXCHANGE_CANCELLED) {
        read_transport(error, exchange);
    } else if (exchange->status < 400) {
        error->outcome = OUTCOME_PROVIDER_ERROR;
        (void)snprintf(error->message, sizeof error->message, "it answers with a redirect, which is not followed");
    } else {
        json_object *object = json_read_loose(body, len);
        provider_error_read_json(error, object, exchange->status);
        json_object_put(object);
        if (exchange->should_retry >= 0 && error->outcome != OUTCOME_PROVIDER_QUOTA)
            error->retry = exchange->should_retry == 1;
    }
}

static const char *const certificate_faults[] = {
    [CERTIFICATE_NO_FAULT] = "",
    [CERTIFICATE_EXPIRED] = ": its certificate has expired, or the clock of this server is wrong",
    [CERTIFICATE_NOT_YET_VALID] = ": its certificate is not valid yet, so the clock of this server is probably wrong",
    [CERTIFICATE_OF_NOBODY] = ": its certificate is from an authority that this server does not know (LLM_CA_FILE can name more)",
    [CERTIFICATE_OF_ANOTHER] = ": its certificate is for another name",
};

enum outcome provider_error_fail(const struct provider_error *error, struct failure *failure)
{
    enum { BUSY_DEFAULT_S = 5 }; /* when the provider does not say how long */
    const char *said = error->message;
    switch (error->outcome) {
    case OUTCOME_PROVIDER_UNREACHABLE:
        return fail(failure, error->outcome, "The model's provider cannot be reached%s.", certificate_faults[error->certificate]);
    case OUTCOME_PROVIDER_AUTH:
        return fail(failure, error->outcome, error->clock_differs ? "The model's provider does not accept the server's key: the clock of this server is wrong."
                                                                  : "The model's provider does not accept the server's key.");
    case OUTCOME_PROVIDER_QUOTA:
        return fail(failure, error->outcome, "The server's account at the model's provider has no credit left.");
    case OUTCOME_PROVIDER_BUSY:
        (void)fail(failure, error->outcome, "The model's provider is busy. Please try again in a moment.");
        failure->retry_after_s = error->retry_after_ms > 0 ? (int)((error->retry_after_ms + 999) / 1000) : BUSY_DEFAULT_S;
        return error->outcome;
    case OUTCOME_PROVIDER_TIMEOUT:
        return fail(failure, error->outcome, "The model's provider did not answer, or not finish, in time.");
    case OUTCOME_INTERRUPTED:
        return fail(failure, error->outcome, "The connection to the model's provider was lost.");
    case OUTCOME_ANSWER_TOO_LONG:
        return fail(failure, error->outcome, "The answer is longer than this server allows.");
    case OUTCOME_CONTEXT_TOO_LONG:
        return fail(failure, error->outcome, "The conversation is too long for this model.");
    case OUTCOME_REFUSED:
        return fail(failure, error->outcome, "The model's provider declined to answer.");
    case OUTCOME_STOPPED:
        return fail(failure, error->outcome, "The answer was stopped.");
    case OUTCOME_NO_MEMORY:
        return fail_no_memory(failure);
    default:
        (void)fail(failure, OUTCOME_PROVIDER_ERROR, said[0] != '\0' ? "The model's provider reports: %s" : "The model's provider failed.%s", said);
        failure->refused_with = error->refused_with;
        return OUTCOME_PROVIDER_ERROR;
    }
}
