/*
 * Attempts: an answer is asked for, and asked for again as long as nothing was shown and it may help. See completion.h.
 *
 * The wait between attempts is random between nothing and a bound that doubles ("full jitter"), or what the provider asked for by Retry-After.
 */
#include "completion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "../base/clock.h"
#include "../base/counter.h"
#include "../base/log.h"
#include "../base/loop.h"
#include "../base/secrets.h"
#include "../base/settings.h"
#include "demo.h"
#include "provider.h"
#include "wire_openai.h"

/* One attempt; its parts outlive the exchange. */
struct attempt {
    struct exchange exchange;
    struct openai_reply reply;
    const struct completion_sink *sink;
    struct buf error_body; /* of an answer with a bad status */
};

/* A complete answer need not wait for a server that forgets to end its body: after [DONE] nothing more is expected, after finish_reason the usage may
   still come. The body is read to its end where it has one, so that the connection can be used again. */
enum { SAID_LINGER_MS = 200, ENDED_LINGER_MS = 5000 };

/* Bytes from the provider, on the event loop. */
static bool take_bytes(void *arg, const char *bytes, size_t len)
{
    struct attempt *attempt = arg;
    if (attempt->exchange.status >= 300) {
        size_t room = attempt->error_body.max - attempt->error_body.len;
        buf_add(&attempt->error_body, bytes, len < room ? len : room);
        return len < room;
    }
    bool go_on = openai_reply_feed(&attempt->reply, bytes, len);
    attempt->exchange.begun = attempt->reply.result->begun;
    attempt->exchange.linger_ms = attempt->reply.all_said ? SAID_LINGER_MS : attempt->reply.ended ? ENDED_LINGER_MS : 0;
    return go_on;
}

static void take_batch(void *arg)
{
    struct attempt *attempt = arg;
    attempt->sink->batch(attempt->sink->arg);
}

/* The end of the body may give out one more event, and the sink lives on the loop. */
static void take_end(void *arg)
{
    struct attempt *attempt = arg;
    openai_reply_end(&attempt->reply);
    attempt->sink->batch(attempt->sink->arg);
}

/* What became of an attempt whose status was good. */
static enum outcome judge_reply(struct attempt *attempt, struct provider_error *error, struct failure *failure)
{
    const struct openai_reply *reply = &attempt->reply;
    bool begun = reply->result->begun;
    *error = (struct provider_error){.outcome = OUTCOME_PROVIDER_ERROR, .retry_after_ms = -1};
    if (reply->failed && reply->outcome == OUTCOME_NO_MEMORY)
        return fail_no_memory(failure);
    if (reply->failed && reply->outcome == OUTCOME_ANSWER_TOO_LONG)
        return fail(failure, OUTCOME_ANSWER_TOO_LONG, "The answer is longer than this server allows.");
    if (reply->failed) {
        if (reply->error.outcome != OUTCOME_OK)
            *error = reply->error;
        return provider_error_fail(error, failure);
    }
    if (reply->ended)
        return OUTCOME_OK;
    if (attempt->exchange.end != EXCHANGE_DONE) {
        provider_error_read(error, &attempt->exchange, "", 0);
        return provider_error_fail(error, failure);
    }
    if (begun) /* it ended like an answer, but without saying so: it may be cut */
        return fail(failure, OUTCOME_INTERRUPTED, "The answer broke off: the model's provider ended it without saying that it was complete.");
    error->retry = reply->form == REPLY_UNKNOWN; /* an empty body */
    return fail(failure, OUTCOME_PROVIDER_ERROR, "The model's provider sent nothing that could be read as an answer.");
}

/* The facts of a failed attempt. The body of an error may repeat the prompt, so it is only for who asked for details, or where it is about the key. */
static void log_failure(const struct provider *provider, const struct attempt *attempt, enum outcome outcome)
{
    char excerpt[EXCERPT_BYTES];
    const char *why = attempt->exchange.error;
    log_warning("provider %s, model %s: %s (status %ld%s%s)", provider->id, provider->model, outcome_code(outcome), attempt->exchange.status,
                why[0] != '\0' ? ", " : "", why);
    if (attempt->error_body.len > 0)
        log_line(outcome == OUTCOME_PROVIDER_AUTH || outcome == OUTCOME_PROVIDER_QUOTA ? LOG_WARNING : LOG_DEBUG, "its answer begins: %s",
                 secrets_excerpt(attempt->error_body.data, excerpt));
}

/* Makes one attempt. *error tells whether another may help. */
static enum outcome run_attempt(const struct provider *provider, const struct buf *body, const struct completion_sink *sink, const atomic_bool *cancel,
                                int64_t total_ms, struct completion_result *result, struct provider_error *error, struct failure *failure)
{
    struct attempt attempt = {
        .sink = sink,
        .exchange = {.base_url = provider->base_url, .path = OPENAI_PATH, .key = provider->key, .body = body->data, .body_len = body->len,
                     .connect_ms = settings.connect_timeout_ms, .first_ms = settings.first_token_timeout_ms, .idle_ms = settings.idle_timeout_ms,
                     .total_ms = total_ms, .cancel = cancel, .bytes = take_bytes, .batch = take_batch, .arg = &attempt},
    };
    openai_reply_init(&attempt.reply, sink, result);
    buf_init(&attempt.error_body, LIMIT_ERROR_BODY_BYTES);
    relay_run(&attempt.exchange);
    enum outcome outcome;
    if (attempt.exchange.end == EXCHANGE_CANCELLED || attempt.exchange.end == EXCHANGE_NO_MEMORY || attempt.exchange.status == 0 ||
        attempt.exchange.status >= 300) {
        provider_error_read(error, &attempt.exchange, attempt.error_body.data, attempt.error_body.len);
        outcome = provider_error_fail(error, failure);
    } else {
        if (attempt.exchange.end == EXCHANGE_DONE && !attempt.reply.all_said)
            loop_call(take_end, &attempt);
        outcome = judge_reply(&attempt, error, failure);
    }
    if (outcome != OUTCOME_OK && outcome != OUTCOME_STOPPED)
        log_failure(provider, &attempt, outcome);
    openai_reply_free(&attempt.reply);
    buf_free(&attempt.error_body);
    return outcome;
}

/* A refused parameter is left out of a repeated request, each at most once. Whether there is something to leave out. */
static bool leave_out(struct openai_without *without, const struct provider_error *error)
{
    const char *text = error->param[0] != '\0' ? error->param : error->message;
    if (error->outcome != OUTCOME_PROVIDER_ERROR || error->retry)
        return false;
    if (!without->max_tokens_is_old && !without->max_tokens && strcasestr(text, "max_tokens") != NULL) {
        without->max_tokens_is_old = true;
        return true;
    }
    if (!without->max_tokens && strcasestr(text, "max_completion_tokens") != NULL)
        return without->max_tokens = true;
    if (!without->temperature && strcasestr(text, "temperature") != NULL)
        return without->temperature = true;
    if (!without->stream_options && strcasestr(text, "stream_options") != NULL)
        return without->stream_options = true;
    return false;
}

/* How long to wait before attempt number `next` (counted from 1), or -1: the provider asks for more than is sensible. */
static int64_t retry_wait_ms(int next, const struct provider_error *error)
{
    if (error->retry_after_ms >= 0)
        return error->retry_after_ms <= settings.retry_after_cap_ms ? error->retry_after_ms : -1;
    int64_t most = settings.retry_base_ms;
    for (int i = 1; i < next && most < settings.retry_cap_ms; i++)
        most *= 2;
    if (most > settings.retry_cap_ms)
        most = settings.retry_cap_ms;
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = UINT32_MAX / 2;
    return (int64_t)((double)most * random / UINT32_MAX);
}

/* Sleeps, but not past a cancel. False: cancelled. */
static bool wait_for(int64_t ms, const atomic_bool *cancel)
{
    enum { STEP_MS = 50 };
    for (int64_t left = ms; left > 0 && !atomic_load(cancel); left -= STEP_MS)
        clock_sleep_ms(left < STEP_MS ? left : STEP_MS);
    return !atomic_load(cancel);
}

enum outcome completion_run(const struct completion_request *request, const struct completion_sink *sink, const atomic_bool *cancel,
                            struct completion_result *result, struct failure *failure)
{
    *result = (struct completion_result){.usage = usage_none()};
    struct provider provider = provider_find(request->model);
    if (provider.is_demo)
        return demo_run(request, sink, cancel, result, failure);
    struct openai_without without = {0};
    struct provider_error error;
    struct buf body;
    buf_init(&body, LIMIT_REQUEST_BYTES);
    int64_t end_ms = clock_mono_ms() + settings.total_timeout_ms;
    enum outcome outcome;
    for (int64_t tries = 0;;) {
        buf_clear(&body);
        if (!openai_write_request(&body, request, provider.model, &without)) {
            outcome = fail_no_memory(failure);
            break;
        }
        outcome = run_attempt(&provider, &body, sink, cancel, end_ms - clock_mono_ms(), result, &error, failure);
        if (outcome == OUTCOME_OK || outcome == OUTCOME_STOPPED || result->begun)
            break;
        if (leave_out(&without, &error))
            continue;
        if (!error.retry || tries >= settings.retries)
            break;
        int64_t wait_ms = retry_wait_ms((int)++tries, &error);
        if (wait_ms < 0 || clock_mono_ms() + wait_ms >= end_ms)
            break;
        if (!wait_for(wait_ms, cancel)) {
            outcome = fail(failure, OUTCOME_STOPPED, "The answer was stopped.");
            break;
        }
        counter_provider_retry();
    }
    buf_free(&body);
    return outcome;
}

const char *completion_model_name(const char *model)
{
    return provider_find(model).model;
}
