/*
 * Attempts: an answer is asked for, and asked for again as long as nothing was shown and it may help; then the models of LLM_FALLBACKS are. See completion.h.
 *
 * The wait between attempts is random between nothing and a bound that doubles ("full jitter"), or what the provider asked for by Retry-After. A provider that has failed
 * PROVIDER_FAILURES times in a row rests: as long as there is another candidate, it is not asked.
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
#include "../base/mem.h"
#include "../base/secrets.h"
#include "../base/settings.h"
#include "demo.h"
#include "provider.h"
#include "reply.h"
#include "rest.h"
#include "wire.h"

/* One attempt; its parts outlive the exchange. */
struct attempt {
    struct exchange exchange;
    struct reply reply;
    const struct completion_sink *sink;
    struct buf error_body; /* of an answer with a bad status */
};

/* A complete answer need not wait for a server that forgets to end its body, or goes on with comments: after the last word of the wire nothing more is expected, after the end of
   the answer the usage may still come (and text, from older models of Gemini). The body is read to its end where it has one, so that the connection can be used again. */
static void linger(struct exchange *exchange, const struct reply *reply)
{
    enum { SAID_MS = 200, ENDED_MS = 5000 };
    int64_t ms = reply->all_said ? SAID_MS : reply->ended ? ENDED_MS : 0;
    if (ms != exchange->linger_ms || reply->quiet_bytes == 0)
        exchange->linger_from_ms = loop_now_ms();
    exchange->linger_ms = ms;
}

/* Bytes from the provider, on the event loop. */
static bool take_bytes(void *arg, const char *bytes, size_t len)
{
    struct attempt *attempt = arg;
    if (attempt->exchange.status >= 300) {
        size_t room = attempt->error_body.max - attempt->error_body.len;
        buf_add(&attempt->error_body, bytes, len < room ? len : room);
        return len < room;
    }
    struct reply *reply = &attempt->reply;
    reply->quiet_bytes += len;
    bool go_on = reply->wire->feed(reply, bytes, len);
    attempt->exchange.begun = reply->result->begun;
    linger(&attempt->exchange, reply);
    if (!go_on || reply->quiet_bytes <= LIMIT_QUIET_BYTES)
        return go_on;
    log_warning("a provider sent %d bytes that say nothing", LIMIT_QUIET_BYTES);
    if (!reply->ended)
        reply_give_up(reply, OUTCOME_PROVIDER_ERROR);
    return false;
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
    attempt->reply.wire->end(&attempt->reply);
    attempt->sink->batch(attempt->sink->arg);
}

/* What became of an attempt whose status was good. */
static enum outcome judge_reply(struct attempt *attempt, struct provider_error *error, struct failure *failure)
{
    struct reply *reply = &attempt->reply;
    bool begun = reply->result->begun;
    *error = (struct provider_error){.outcome = OUTCOME_PROVIDER_ERROR, .retry_after_ms = -1};
    if (reply->failed && reply->outcome == OUTCOME_NO_MEMORY)
        return fail_no_memory(failure);
    if (reply->failed && reply->outcome == OUTCOME_ANSWER_TOO_LONG)
        return fail(failure, OUTCOME_ANSWER_TOO_LONG, "The answer is longer than this server allows.");
    if (reply->failed) {
        if (reply->error.outcome != OUTCOME_OK)
            *error = reply->error;
        else if (reply->outcome != OUTCOME_OK)
            error->outcome = reply->outcome;
        return provider_error_fail(error, failure);
    }
    if (reply->ended)
        return reply_collect_calls(reply) ? OUTCOME_OK : fail_no_memory(failure);
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
static void log_failure(const struct provider *provider, const struct attempt *attempt, enum outcome outcome, const struct failure *failure)
{
    char excerpt[EXCERPT_BYTES];
    const char *why = attempt->exchange.error;
    log_warning("provider %s, model %s: %s (status %ld%s%s)", provider->id, provider->model, outcome_code(outcome), attempt->exchange.status,
                why[0] != '\0' ? ", " : "", why);
    if (attempt->exchange.certificate != CERTIFICATE_NO_FAULT)
        log_warning("%s", failure->message); /* what to do about it */
    if (attempt->error_body.len > 0)
        log_line(outcome == OUTCOME_PROVIDER_AUTH || outcome == OUTCOME_PROVIDER_QUOTA ? LOG_WARNING : LOG_DEBUG, "its answer begins: %s",
                 secrets_excerpt(attempt->error_body.data, excerpt));
}

/* --- one attempt -------------------------------------------------------------------------------------------------- */

/* An HTTP request, ready to be sent. */
struct prepared {
    struct wire_call call;
    struct buf url;
};

static void prepared_init(struct prepared *prepared)
{
    buf_init(&prepared->call.path, LIMIT_URL_BYTES);
    buf_init(&prepared->call.headers, LIMIT_HEADER_BYTES);
    buf_init(&prepared->call.body, LIMIT_REQUEST_BYTES);
    buf_init(&prepared->url, LIMIT_URL_BYTES * 2);
}

static void prepared_free(struct prepared *prepared)
{
    buf_free(&prepared->call.path);
    buf_free(&prepared->call.headers);
    buf_free(&prepared->call.body);
    buf_free(&prepared->url);
}

static struct wire_target target_of(const struct provider *provider)
{
    const char *version = catalogue_variable(provider->row, "version_from");
    return (struct wire_target){.provider = provider->id, .model = provider->model, .version = version != NULL ? version : "", .facts = provider->facts};
}

/* A model without eyes is not shown images: those of the question are refused, older ones left out. *copy is the caller's, to be freed with mem_free(). */
static enum outcome leave_images_out(const struct completion_request *request, const struct provider *provider, struct completion_message **copy, struct failure *failure)
{
    bool any = false;
    for (size_t i = 0; i < request->message_count; i++)
        any = any || request->messages[i].image_count > 0;
    *copy = NULL;
    if (!any || !provider->facts.known || provider->facts.vision)
        return OUTCOME_OK;
    if (request->messages[request->message_count - 1].image_count > 0)
        return fail(failure, OUTCOME_BAD_FIELD, "The model %s takes no images.", provider->model);
    *copy = mem_new(request->message_count, sizeof **copy);
    if (*copy == NULL)
        return fail_no_memory(failure);
    memcpy(*copy, request->messages, request->message_count * sizeof **copy);
    for (size_t i = 0; i < request->message_count; i++)
        (*copy)[i].image_count = 0;
    return OUTCOME_OK;
}

static enum outcome prepare(struct prepared *prepared, const struct provider *provider, const struct completion_request *request,
                            const struct wire_without *without, struct failure *failure)
{
    struct wire_call *call = &prepared->call;
    struct wire_target target = target_of(provider);
    struct completion_request seen = *request;
    struct completion_message *messages;
    enum outcome outcome = leave_images_out(request, provider, &messages, failure);
    if (messages != NULL)
        seen.messages = messages;
    if (outcome == OUTCOME_OK)
        outcome = provider->wire->write(call, &seen, &target, without, failure);
    mem_free(messages);
    if (outcome != OUTCOME_OK)
        return outcome;
    return provider_sign(provider, "POST", call->path.data, call->body.data, call->body.len, &prepared->url, &call->headers, failure);
}

/* Makes one attempt. *error tells whether another may help. */
static enum outcome run_attempt(const struct provider *provider, const struct prepared *prepared, const struct completion_sink *sink, const atomic_bool *cancel,
                                int64_t total_ms, struct completion_result *result, struct provider_error *error, struct failure *failure)
{
    struct wire_target target = target_of(provider);
    struct attempt attempt = {
        .sink = sink,
        .exchange = {.url = prepared->url.data, .headers = prepared->call.headers.data, .body = prepared->call.body.data, .body_len = prepared->call.body.len,
                     .connect_ms = settings.connect_timeout_ms, .first_ms = settings.first_token_timeout_ms, .idle_ms = settings.idle_timeout_ms,
                     .total_ms = total_ms, .cancel = cancel, .bytes = take_bytes, .batch = take_batch, .arg = &attempt},
    };
    reply_init(&attempt.reply, provider->wire, &target, sink, result);
    buf_init(&attempt.error_body, LIMIT_ERROR_BODY_BYTES);
    relay_run(&attempt.exchange);
    enum outcome outcome;
    if (attempt.exchange.end == EXCHANGE_CANCELLED || attempt.exchange.end == EXCHANGE_NO_MEMORY || attempt.exchange.status == 0 ||
        attempt.exchange.status >= 300) {
        provider_error_read(error, &attempt.exchange, attempt.error_body.data, attempt.error_body.len);
        outcome = provider_error_fail(error, failure);
    } else {
        if (attempt.exchange.end == EXCHANGE_DONE || attempt.reply.ended)
            loop_call(take_end, &attempt);
        outcome = judge_reply(&attempt, error, failure);
    }
    if (outcome != OUTCOME_OK && outcome != OUTCOME_STOPPED)
        log_failure(provider, &attempt, outcome, failure);
    reply_free(&attempt.reply);
    buf_free(&attempt.error_body);
    return outcome;
}

/* --- one provider: attempts until it answers or there is no use ---------------------------------------------------- */

/* A refused parameter is left out of a repeated request, each at most once. Whether there is something to leave out. */
static bool leave_out(struct wire_without *without, const struct provider_error *error)
{
    const char *text = error->param[0] != '\0' ? error->param : error->message;
    const struct {
        const char *name;
        bool *left_out;
    } parameters[] = {{"max_completion_tokens", &without->max_tokens}, {"temperature", &without->temperature}, {"stream_options", &without->stream_options},
                      {"reasoning_effort", &without->effort}, {"thinking", &without->effort}, {"seed", &without->seed}, {"stop", &without->stop},
                      {"max_output_tokens", &without->max_tokens}, {"reasoning.", &without->effort}};
    if (error->outcome != OUTCOME_PROVIDER_ERROR || error->retry)
        return false;
    if (!without->max_tokens_is_old && !without->max_tokens && strcasestr(text, "max_tokens") != NULL)
        return without->max_tokens_is_old = true;
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        if (!*parameters[i].left_out && strcasestr(text, parameters[i].name) != NULL)
            return *parameters[i].left_out = true;
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

/* What is asked of all providers of one answer. */
struct asking {
    const struct completion_request *request;
    const struct completion_sink *sink;
    const atomic_bool *cancel;
    struct completion_result *result;
    int64_t end_ms; /* when all time is over */
};

static enum outcome ask_provider(const struct asking *asking, const struct provider *provider, struct failure *failure)
{
    struct wire_without without = {0};
    struct provider_error error;
    enum outcome outcome;
    for (int64_t tries = 0;;) {
        struct prepared prepared;
        prepared_init(&prepared);
        outcome = prepare(&prepared, provider, asking->request, &without, failure);
        bool sent = outcome == OUTCOME_OK;
        if (sent)
            outcome = run_attempt(provider, &prepared, asking->sink, asking->cancel, asking->end_ms - clock_mono_ms(), asking->result, &error, failure);
        prepared_free(&prepared);
        if (!sent || outcome == OUTCOME_OK || outcome == OUTCOME_STOPPED || asking->result->begun)
            break;
        if (leave_out(&without, &error))
            continue;
        if (!error.retry || tries >= settings.retries)
            break;
        int64_t wait_ms = retry_wait_ms((int)++tries, &error);
        if (wait_ms < 0 || clock_mono_ms() + wait_ms >= asking->end_ms)
            break;
        if (!wait_for(wait_ms, asking->cancel))
            return fail(failure, OUTCOME_STOPPED, "The answer was stopped.");
        counter_provider_retry();
    }
    return outcome;
}

/* --- the candidates ----------------------------------------------------------------------------------------------- */

/* Whether another provider may do better: not when it was our own doing, or nobody's failure. */
static bool may_fall_back(const struct asking *asking, enum outcome outcome)
{
    return outcome != OUTCOME_OK && outcome != OUTCOME_STOPPED && outcome != OUTCOME_NO_MEMORY && outcome != OUTCOME_CONTEXT_TOO_LONG && outcome != OUTCOME_REFUSED &&
           !asking->result->begun && clock_mono_ms() < asking->end_ms;
}

/* Whether a failure says something about the provider, and not about what it was asked, or about us. */
static bool is_its_own(enum outcome outcome, const struct failure *failure)
{
    if (outcome == OUTCOME_PROVIDER_ERROR)
        return failure->refused_with == 0; /* one user's bad requests must not make it rest for all */
    return outcome == OUTCOME_PROVIDER_UNREACHABLE || outcome == OUTCOME_PROVIDER_AUTH || outcome == OUTCOME_PROVIDER_BUSY || outcome == OUTCOME_PROVIDER_QUOTA ||
           outcome == OUTCOME_PROVIDER_TIMEOUT || outcome == OUTCOME_INTERRUPTED;
}

/* Forgets counts and costs that cannot be: they are added up, and one of them would spoil the sum for good. */
static void forget_nonsense(struct completion_result *result)
{
    int64_t *const counts[] = {&result->usage.prompt_tokens, &result->usage.completion_tokens, &result->usage.cached_tokens, &result->usage.reasoning_tokens};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (*counts[i] > LIMIT_USAGE_TOKENS)
            *counts[i] = USAGE_UNKNOWN;
    if (!(result->cost <= LIMIT_USAGE_DOLLARS)) /* nor is it a number */
        result->cost = -1;
}

/* Asks one model, and notes how its provider did. */
static enum outcome ask_model(const struct asking *asking, const struct provider *provider, struct failure *failure)
{
    completion_result_free(asking->result);
    *asking->result = (struct completion_result){.usage = usage_none(), .cost = -1};
    enum outcome outcome = ask_provider(asking, provider, failure);
    forget_nonsense(asking->result);
    asking->result->provider = provider->id;
    asking->result->wire = provider->wire->name;
    if (asking->result->model[0] == '\0')
        (void)snprintf(asking->result->model, sizeof asking->result->model, "%s", provider->model);
    if (outcome == OUTCOME_OK)
        rest_note(provider->id, true);
    else if (is_its_own(outcome, failure))
        rest_note(provider->id, false);
    return outcome;
}

/* The next name of a list separated by commas, which is cut up. NULL: no more. */
static char *next_name(char **list)
{
    char *name = *list != NULL ? strsep(list, ",") : NULL;
    if (name == NULL)
        return NULL;
    name += strspn(name, " \t");
    for (size_t len = strlen(name); len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'); len--)
        name[len - 1] = '\0';
    return name;
}

static enum outcome ask_candidates(const struct asking *asking, const struct provider *first, struct failure *failure)
{
    char *names = mem_copy(settings.llm_fallbacks), *list = names;
    enum outcome outcome = OUTCOME_PROVIDER_UNREACHABLE;
    bool asked = !rest_is_resting(first->id) || settings.llm_fallbacks[0] == '\0';
    if (asked)
        outcome = ask_model(asking, first, failure);
    for (char *name; (!asked || may_fall_back(asking, outcome)) && (name = next_name(&list)) != NULL;) {
        struct provider other;
        if (*name == '\0')
            continue;
        if (!provider_find_fallback(name, &other)) {
            log_warning("LLM_FALLBACKS: the provider of %s is unknown or not set up", name);
            continue;
        }
        if (rest_is_resting(other.id) || (strcmp(other.id, first->id) == 0 && strcmp(other.model, first->model) == 0))
            continue;
        log_info("falling back from %s/%s to %s/%s", first->id, first->model, other.id, other.model);
        if (asking->sink->fallback != NULL)
            asking->sink->fallback(asking->sink->arg, first->model, other.model);
        outcome = ask_model(asking, &other, failure);
        asked = true;
    }
    if (!asked) /* all rest: better ask than refuse */
        outcome = ask_model(asking, first, failure);
    mem_free(names);
    return outcome;
}

enum outcome completion_run(const struct completion_request *request, const struct completion_sink *sink, const atomic_bool *cancel,
                            struct completion_result *result, struct failure *failure)
{
    *result = (struct completion_result){.usage = usage_none(), .cost = -1};
    struct provider provider;
    enum outcome outcome = provider_find(request->model, &provider, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (provider.is_demo)
        return demo_run(request, sink, cancel, result, failure);
    int64_t most_ms = request->total_ms > 0 ? request->total_ms : settings.total_timeout_ms;
    struct asking asking = {.request = request, .sink = sink, .cancel = cancel, .result = result, .end_ms = clock_mono_ms() + most_ms};
    return ask_candidates(&asking, &provider, failure);
}

void completion_model_name(const char *model, char name[LIMIT_MODEL_NAME_BYTES])
{
    struct provider provider;
    struct failure failure;
    bool known = provider_find(model, &provider, &failure) == OUTCOME_OK;
    (void)snprintf(name, LIMIT_MODEL_NAME_BYTES, "%s", known ? provider.model : model != NULL ? model : settings.llm_model);
}

int64_t completion_context(const char *model)
{
    struct provider provider;
    struct failure failure;
    if (provider_find(model, &provider, &failure) != OUTCOME_OK || provider.is_demo)
        return 0;
    return provider.facts.context > 0 ? provider.facts.context : settings.model_context;
}
