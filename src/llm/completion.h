/*
 * One answer of a model: what is asked, what comes back, and the call that gets it. The face of src/llm towards src/chat.
 *
 * Neighbours: provider.h (which model is where), wire.h (how it is said), relay.h (how it travels), demo.h. Leaves out: conversations.
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

/* --- what is asked ------------------------------------------------------------------------------------------------ */

/* An image that the user sent. */
struct completion_image {
    const char *media_type; /* image/png, image/jpeg, image/webp or image/gif */
    const char *base64;
    size_t base64_len;
};

/* A tool that the model wants called. */
struct completion_call {
    const char *id;        /* as the provider named it, or made by us */
    const char *name;
    const char *arguments; /* JSON text; "{}" when there are none. The model may have written bad JSON */
    const char *state;     /* opaque, to be sent back with it (Gemini's thought signature); NULL: none */
};

enum completion_role { COMPLETION_USER, COMPLETION_ASSISTANT, COMPLETION_TOOL };

struct completion_message {
    enum completion_role role;
    const char *content; /* of a tool: its result */
    size_t content_len;
    /* a user's */
    const struct completion_image *images;
    size_t image_count;
    /* an assistant's */
    const struct completion_call *calls;
    size_t call_count;
    const char *reasoning; /* thinking text, for wires that want it back; NULL: none */
    const char *state;     /* what the wire named `state_wire` gave to be sent back with this answer, as JSON text; NULL: none */
    const char *state_wire;
    /* a tool's */
    const char *call_id, *call_name; /* which call this is the result of */
    bool is_error;
};

struct completion_tool {
    const char *name, *description; /* description may be "" */
    const char *schema;             /* of its arguments: a JSON Schema object as text */
};

/* The schema of a tool that takes nothing. */
#define COMPLETION_NO_ARGUMENTS "{\"type\":\"object\",\"properties\":{}}"

enum completion_format { COMPLETION_ANY, COMPLETION_JSON, COMPLETION_SCHEMA };

/* What is asked. Everything is borrowed for the time of the call. */
struct completion_request {
    const char *model;  /* as configured or asked for; NULL: the configured one */
    const char *system; /* NULL or "": none */
    const struct completion_message *messages; /* the first and the last are a user's or a tool's */
    size_t message_count;
    double temperature;
    int64_t max_tokens;
    const struct completion_tool *tools;
    size_t tool_count;
    const char *tool_choice;       /* NULL: the model decides; "none", "required", or the name of a tool */
    const char *const *stop;       /* texts that end the answer */
    size_t stop_count;
    int64_t seed;                  /* COMPLETION_NO_SEED: none */
    enum completion_format format;
    const char *schema;            /* with COMPLETION_SCHEMA: a JSON Schema object as text */
    int64_t total_ms;              /* longest time for it; 0: TOTAL_TIMEOUT_SECONDS */
    const char *effort;            /* how much a model is to think: "none", "low", "medium", "high"; NULL: its own default */
};

#define COMPLETION_NO_SEED INT64_MIN

/* --- what comes back ---------------------------------------------------------------------------------------------- */

enum completion_event {
    COMPLETION_TEXT,     /* a piece of the answer */
    COMPLETION_REASONING /* a piece of the model's thinking, kept apart */
};

/* Where the events go. Both run on the event loop. Texts may hold bytes that are not UTF-8. */
struct completion_sink {
    /* OUTCOME_OK, or why the answer is given up: OUTCOME_ANSWER_TOO_LONG, OUTCOME_NO_MEMORY. */
    enum outcome (*event)(void *arg, enum completion_event type, const char *text, size_t len);
    void (*batch)(void *arg); /* all events of one read have been given: a good moment to flush */
    /* On the calling thread: `to` is asked because `from` has failed. May be NULL. */
    void (*fallback)(void *arg, const char *from, const char *to);
    void *arg;
};

/* What is known at the end, besides the text. Released by completion_result_free(). */
struct completion_result {
    char model[LIMIT_MODEL_NAME_BYTES]; /* as the provider names it */
    char finish_reason[32];             /* stop, length, tool_calls, content_filter; "" when there was no end */
    struct usage usage;
    double cost;                        /* in US dollars, as the provider says; negative: it does not */
    struct completion_call *calls;      /* the tools that the model wants called, in their order; texts are the result's own */
    size_t call_count;
    char *state;                        /* to be sent back with this answer (struct completion_message), by the wire below; NULL: none */
    const char *provider, *wire;        /* the ids of who answered, and of its wire; NULL: nobody was asked */
    bool begun; /* at least one event was given out */
};

void completion_result_free(struct completion_result *result);

/* Gets an answer: blocks the calling thread until it has ended. Attempts that fail before the first event are repeated by the settings
   RETRIES and so on, then the models of LLM_FALLBACKS are asked. `cancel`, set by any thread, ends it with OUTCOME_STOPPED within 100 ms.
   OUTCOME_OK: the provider's terminal mark was seen. Else *failure holds a sentence: OUTCOME_PROVIDER_…, OUTCOME_INTERRUPTED (ended without the mark
   after the first event), OUTCOME_ANSWER_TOO_LONG, OUTCOME_NO_MEMORY; OUTCOME_BAD_FIELD when the model cannot take what is asked (an image, say). *result is
   filled in any case. */
enum outcome completion_run(const struct completion_request *request, const struct completion_sink *sink, const atomic_bool *cancel,
                            struct completion_result *result, struct failure *failure);

/* The name of the model that would answer `model` (NULL: the configured one): what streams are labelled with before the provider says. */
void completion_model_name(const char *model, char name[LIMIT_MODEL_NAME_BYTES]);

/* How many tokens that model takes, by the table or MODEL_CONTEXT; 0: not known. */
int64_t completion_context(const char *model);

#endif
