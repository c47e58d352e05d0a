/*
 * What is counted for GET /metrics: the list of all series, and what this process has counted since it last gave it away.
 *
 * Counting is an atomic addition, for any thread. A host server may run many processes, or one per request, so the numbers are summed in the database:
 * live.c's keeper gives them to src/store/counter.c from time to time. Neighbours: src/api/metrics.c (shows them). Leaves out: gauges, which are read
 * when they are asked for.
 */
#ifndef PARLEY_COUNTER_H
#define PARLEY_COUNTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outcome.h"
#include "usage.h"

/* A family of series that share a name, as Prometheus groups them (its "Text-based format", section "Comments, help text, and type information"). */
enum counter_family {
    COUNTER_ANSWERS,           /* label: status */
    COUNTER_ANSWER_FAILURES,   /* label: code */
    COUNTER_ERROR_RESPONSES,   /* label: code */
    COUNTER_TOKENS,            /* label: kind */
    COUNTER_PROVIDER_RETRIES,
    COUNTER_CLIENTS_LEFT,
    COUNTER_FIRST_TOKEN_TIME,  /* histograms */
    COUNTER_ANSWER_TIME,
    COUNTER_FAMILIES
};

enum { COUNTER_BUCKETS = 12, COUNTER_MOST = 128, COUNTER_NAME_BYTES = 96 };

void counter_answer(const char *status);
void counter_answer_failure(enum outcome outcome);
void counter_error_response(enum outcome outcome);
void counter_tokens(const struct usage *usage);
void counter_provider_retry(void);
void counter_client_left(void);
void counter_time(enum counter_family histogram, int64_t ms);

/* All series: `index` counts from 0 to counter_count() - 1, family by family. The name of one, such as parley_answers_total{status="done"}; a histogram's are its
   buckets, not cumulated, the last being le="+Inf", and its sum in milliseconds. A name that is "" is no series. */
size_t counter_count(void);
enum counter_family counter_series(size_t index, char name[COUNTER_NAME_BYTES]);

const char *counter_family_name(enum counter_family family);
const char *counter_family_help(enum counter_family family);
bool counter_is_histogram(enum counter_family family);

/* Takes what was counted since the last call into `values` (COUNTER_MOST of them) and starts from zero. Whether there was anything. */
bool counter_take(int64_t values[COUNTER_MOST]);

/* Gives back what could not be stored. */
void counter_give_back(const int64_t values[COUNTER_MOST]);

#endif
