/*
 * The list behind counter.h: one row per family, the series of all families numbered through.
 */
#include "counter.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char *const statuses[] = {"done", "stopped", "error", "interrupted"};
static const char *const kinds[] = {"prompt", "completion", "cached", "reasoning"};
static const char *const none[] = {""};

/* Upper ends of the buckets in milliseconds; the last bucket has none. A histogram has one series more, its sum. */
static const int64_t bucket_ends[COUNTER_BUCKETS - 1] = {50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 120000, 600000};

enum { CODES = OUTCOME_COUNT, HISTOGRAM = COUNTER_BUCKETS + 1 };

static const struct family {
    const char *name, *help, *label;
    const char *const *values; /* of the label; NULL: the codes of failures, or a histogram's buckets */
    int first, count;          /* its series */
    bool histogram;
} families[COUNTER_FAMILIES] = {
    [COUNTER_ANSWERS] = {"parley_answers_total", "Answers by how they ended.", "status", statuses, 0, 4, false},
    [COUNTER_ANSWER_FAILURES] = {"parley_answer_failures_total", "Answers that failed, by error code.", "code", NULL, 4, CODES, false},
    [COUNTER_ERROR_RESPONSES] = {"parley_error_responses_total", "Requests answered with an error status, by error code.", "code", NULL, 4 + CODES, CODES, false},
    [COUNTER_TOKENS] = {"parley_tokens_total", "Tokens as providers counted them.", "kind", kinds, 4 + 2 * CODES, 4, false},
    [COUNTER_PROVIDER_RETRIES] = {"parley_provider_retries_total", "Requests to a provider that were repeated.", NULL, none, 8 + 2 * CODES, 1, false},
    [COUNTER_CLIENTS_LEFT] = {"parley_clients_left_total", "Clients that left an answer before its end.", NULL, none, 9 + 2 * CODES, 1, false},
    [COUNTER_FIRST_TOKEN_TIME] = {"parley_first_token_seconds", "Time from the question to the provider's first event.", "le", NULL, 10 + 2 * CODES, HISTOGRAM, true},
    [COUNTER_ANSWER_TIME] = {"parley_answer_seconds", "Time from the question to the end of its answer.", "le", NULL, 10 + 2 * CODES + HISTOGRAM, HISTOGRAM, true},
};

enum { SERIES = 10 + 2 * CODES + 2 * HISTOGRAM };
_Static_assert((int)SERIES <= (int)COUNTER_MOST, "COUNTER_MOST has room for all series");

static _Atomic int64_t counted[SERIES];

static void add(enum counter_family family, int at, int64_t amount)
{
    if (at >= 0 && at < families[family].count)
        (void)atomic_fetch_add_explicit(&counted[families[family].first + at], amount, memory_order_relaxed);
}

/* Several outcomes share a code: the first of them stands for all. */
static int code_series(enum outcome outcome)
{
    int first = 0;
    while (strcmp(outcome_code((enum outcome)first), outcome_code(outcome)) != 0)
        first++;
    return first;
}

void counter_answer(const char *status)
{
    for (int i = 0; i < families[COUNTER_ANSWERS].count; i++)
        if (strcmp(status, statuses[i]) == 0)
            add(COUNTER_ANSWERS, i, 1);
}

void counter_answer_failure(enum outcome outcome)
{
    add(COUNTER_ANSWER_FAILURES, code_series(outcome), 1);
}

void counter_error_response(enum outcome outcome)
{
    add(COUNTER_ERROR_RESPONSES, code_series(outcome), 1);
}

void counter_tokens(const struct usage *usage)
{
    const int64_t counts[] = {usage->prompt_tokens, usage->completion_tokens, usage->cached_tokens, usage->reasoning_tokens};
    for (int i = 0; i < 4; i++)
        if (counts[i] > 0) /* USAGE_UNKNOWN is below */
            add(COUNTER_TOKENS, i, counts[i]);
}

void counter_provider_retry(void)
{
    add(COUNTER_PROVIDER_RETRIES, 0, 1);
}

void counter_client_left(void)
{
    add(COUNTER_CLIENTS_LEFT, 0, 1);
}

void counter_time(enum counter_family histogram, int64_t ms)
{
    int bucket = 0;
    while (bucket < COUNTER_BUCKETS - 1 && ms > bucket_ends[bucket])
        bucket++;
    add(histogram, bucket, 1);
    add(histogram, COUNTER_BUCKETS, ms);
}

size_t counter_count(void)
{
    return SERIES;
}

enum counter_family counter_series(size_t index, char name[COUNTER_NAME_BYTES])
{
    enum counter_family family = COUNTER_ANSWERS;
    while (family + 1 < COUNTER_FAMILIES && index >= (size_t)families[family + 1].first)
        family++;
    const struct family *row = &families[family];
    int at = (int)index - row->first;
    bool is_code = row->values == NULL && !row->histogram;
    if (is_code && (at == OUTCOME_OK || code_series((enum outcome)at) != at))
        name[0] = '\0';
    else if (row->histogram && at == COUNTER_BUCKETS)
        (void)snprintf(name, COUNTER_NAME_BYTES, "%s_sum", row->name);
    else if (row->histogram && at == COUNTER_BUCKETS - 1)
        (void)snprintf(name, COUNTER_NAME_BYTES, "%s_bucket{le=\"+Inf\"}", row->name);
    else if (row->histogram)
        (void)snprintf(name, COUNTER_NAME_BYTES, "%s_bucket{le=\"%g\"}", row->name, (double)bucket_ends[at] / 1000);
    else if (row->label == NULL)
        (void)snprintf(name, COUNTER_NAME_BYTES, "%s", row->name);
    else
        (void)snprintf(name, COUNTER_NAME_BYTES, "%s{%s=\"%s\"}", row->name, row->label,
                       is_code ? outcome_code((enum outcome)at) : row->values[at]);
    return family;
}

const char *counter_family_name(enum counter_family family)
{
    return families[family].name;
}

const char *counter_family_help(enum counter_family family)
{
    return families[family].help;
}

bool counter_is_histogram(enum counter_family family)
{
    return families[family].histogram;
}

bool counter_take(int64_t values[COUNTER_MOST])
{
    bool any = false;
    for (int i = 0; i < SERIES; i++) {
        values[i] = atomic_exchange_explicit(&counted[i], 0, memory_order_relaxed);
        any = any || values[i] != 0;
    }
    return any;
}

void counter_give_back(const int64_t values[COUNTER_MOST])
{
    for (int i = 0; i < SERIES; i++)
        if (values[i] != 0)
            (void)atomic_fetch_add_explicit(&counted[i], values[i], memory_order_relaxed);
}
