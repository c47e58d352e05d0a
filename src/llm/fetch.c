/*
 * See fetch.h.
 */
#include "fetch.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/settings.h"
#include "provider_error.h"
#include "relay.h"

static bool take_bytes(void *arg, const char *bytes, size_t len)
{
    struct buf *body = arg;
    buf_add(body, bytes, len);
    return !buf_failed(body);
}

static enum outcome read_reply(const struct buf *body, json_object **reply, struct failure *failure)
{
    *reply = json_read_loose(body->data, body->len);
    if (json_object_is_type(*reply, json_type_object) || json_object_is_type(*reply, json_type_array))
        return OUTCOME_OK;
    json_object_put(*reply);
    *reply = NULL;
    return fail(failure, OUTCOME_PROVIDER_ERROR, "The provider sent an answer that is not JSON.");
}

/* One attempt. *retry tells whether another may help. */
static enum outcome fetch_once(const char *url, const char *headers, const char *body, size_t body_len, int64_t timeout_ms, json_object **reply, bool *retry,
                               struct failure *failure)
{
    struct buf answer;
    struct provider_error error;
    buf_init(&answer, LIMIT_REPLY_BYTES);
    struct exchange exchange = {.url = url, .headers = headers, .body = body, .body_len = body_len, .bytes = take_bytes, .arg = &answer,
                                .connect_ms = timeout_ms < settings.connect_timeout_ms ? timeout_ms : settings.connect_timeout_ms,
                                .first_ms = timeout_ms, .idle_ms = timeout_ms, .total_ms = timeout_ms};
    relay_run(&exchange);
    enum outcome outcome;
    *retry = false;
    if (exchange.end == EXCHANGE_DONE && exchange.status >= 200 && exchange.status < 300) {
        outcome = read_reply(&answer, reply, failure);
    } else {
        if (buf_failed(&answer)) { /* no memory for it, or more than any answer needs */
            buf_free(&answer);
            return fail_no_memory(failure);
        }
        provider_error_read(&error, &exchange, answer.data, answer.len);
        *retry = error.retry;
        outcome = provider_error_fail(&error, failure);
        log_warning("a provider refused a request: %s (status %ld)", outcome_code(outcome), exchange.status);
    }
    buf_free(&answer);
    return outcome;
}

enum outcome fetch_json(const struct provider *provider, const char *path, json_object *body, int64_t timeout_ms, json_object **reply, struct failure *failure)
{
    const char *text = body != NULL ? json_write(body) : NULL;
    size_t len = text != NULL ? strlen(text) : 0;
    struct buf url, headers;
    *reply = NULL;
    if (body != NULL && text == NULL)
        return fail_no_memory(failure);
    buf_init(&url, LIMIT_URL_BYTES * 2);
    buf_init(&headers, LIMIT_HEADER_BYTES);
    enum outcome outcome = provider_sign(provider, body != NULL ? "POST" : "GET", path, text != NULL ? text : "", len, &url, &headers, failure);
    bool retry = outcome == OUTCOME_OK;
    for (int64_t tries = 0; retry && tries <= (body != NULL ? settings.retries : 0); tries++) {
        if (tries > 0)
            clock_sleep_ms(settings.retry_base_ms);
        outcome = fetch_once(url.data, headers.data, text, len, timeout_ms, reply, &retry, failure);
    }
    buf_free(&url);
    buf_free(&headers);
    return outcome;
}
