/*
 * One answer of a model: what is asked, what comes back, and the call that gets it. The face of src/llm towards src/chat.
 *
 * Neighbours: provider.h (which model is where), wire_openai.h (how it is said), relay.h (how it travels), demo.h. Leaves out: conversations.
 */
#ifndef PARLEY_COMPLETION_H
#define PARLEY_COMPLETION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/limits.h"
#include "../base/outcome.h"
#include "../base/usage.h"

struct completion_message {
    const char *role; /* "user" or "assistant" */
    const char *content;
    size_t content_len;
};

/* What is asked. Everything is borrowed for the time of the call. */
struct completion_request {
    const char *model;  /* as configured or asked for; NULL: the configured one */
    const char *system; /* NULL or "": none */
    const struct completion_message *messages;
    size_t message_count;
    double temperature;
    int64_t max_tokens;
};

enum completion_event {
    COMPLETION_TEXT,     /* a piece of the answer */
    COMPLETION_REASONING /* a piece of the model's thinking, kept apart */
};

/* Where the events go. Both run on the event loop. Texts may hold bytes that are not UTF-8. */
struct completion_sink {
    /* OUTCOME_OK, or why the answer is given up: OUTCOME_ANSWER_TOO_LONG, OUTCOME_NO_MEMORY. */
    enum outcome (*event)(void *arg, enum completion_event type, const char *text, size_t len);
    void (*batch)(void *arg); /* all events of one read have been given: a good moment to flush */
    void *arg;
};

/* What is known at the end, besides the text. */
struct completion_result {
    char model[LIMIT_MODEL_NAME_BYTES]; /* as the provider names it */
    char finish_reason[32];             /* stop, length, tool_calls, content_filter; "" when there was no end */
    struct usage usage;
    bool begun; /* at least one event was given out */
};

/* Gets an answer: blocks the calling thread until it has ended. Attempts that fail before the first event are repeated by the settings
   RETRIES and so on. `cancel`, set by any thread, ends it with OUTCOME_STOPPED within 100 ms.
   OUTCOME_OK: the provider's terminal mark was seen. Else *failure holds a sentence: OUTCOME_PROVIDER_…, OUTCOME_INTERRUPTED (ended without the mark
   after the first event), OUTCOME_ANSWER_TOO_LONG, OUTCOME_NO_MEMORY. */
enum outcome completion_run(const struct completion_request *request, const struct completion_sink *sink, const atomic_bool *cancel,
                            struct completion_result *result, struct failure *failure);

/* The name of the model that would answer `model` (NULL: the configured one): what streams are labelled with before the provider says. */
const char *completion_model_name(const char *model);

#endif
