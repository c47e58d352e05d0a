/*
 * A wire: how one family of providers is spoken to over HTTP. One file each, behind the table `struct wire`.
 *
 * A wire has no I/O: it writes a request and reads the bytes of an answer, in any cuts, stream or whole. What all of them need to do that is reply.h's.
 * Neighbours: completion.c (drives them), provider.h (which provider speaks which), relay.h (how it travels). Leaves out: retries, keys.
 */
#ifndef PARLEY_WIRE_H
#define PARLEY_WIRE_H

#include <json-c/json.h>
#include <stdbool.h>

#include "../base/buf.h"
#include "completion.h"

struct reply;

/* What is known about the model that is asked: from the price table, or assumed. */
struct model_facts {
    int64_t context;        /* tokens that it takes; 0: not known */
    int64_t max_output;     /* tokens that it gives at most; 0: not known */
    bool known;             /* it is in the table; else the rest is assumed */
    bool vision, tools;     /* not known: true */
    bool reasoning;         /* thinks before it answers */
    bool no_sampling;       /* refuses temperature and its kind */
    bool responses_only;    /* of OpenAI's: not served by Chat Completions */
};

/* Whom to ask, for what. */
struct wire_target {
    const char *provider; /* its id */
    const char *model;    /* as the provider names it */
    const char *version;  /* of the API, where the wire has one (Azure's api-version); "": none */
    struct model_facts facts;
};

/* Request parameters that a server refused and that are left out of the repeated request. */
struct wire_without {
    bool temperature, max_tokens, stream_options, stop, seed, effort;
    bool max_tokens_is_old; /* it wants max_completion_tokens */
};

/* An HTTP request in the making. The caller initialises the buffers. */
struct wire_call {
    struct buf path;    /* what follows the base address, encoded as it is sent; query included */
    struct buf headers; /* further header lines, each ended by "\n"; no authorization */
    struct buf body;    /* JSON */
};

struct wire {
    const char *name; /* as the catalogue has it */
    /* Writes the request. OUTCOME_BAD_FIELD with a sentence when the wire cannot say what is asked; OUTCOME_NO_MEMORY. */
    enum outcome (*write)(struct wire_call *call, const struct completion_request *request, const struct wire_target *target,
                          const struct wire_without *without, struct failure *failure);
    /* Takes bytes of a body with a good status. False: nothing more is wanted, because it failed. After the terminal mark bytes are taken and ignored. */
    bool (*feed)(struct reply *reply, const char *bytes, size_t len);
    /* The body has ended: what is still held back is given out, a whole answer is read. */
    void (*end)(struct reply *reply);
    /* Gives back reply->state; NULL when the wire has none. */
    void (*free_state)(struct reply *reply);
};

extern const struct wire wire_openai;    /* OpenAI Chat Completions and all who speak it */
extern const struct wire wire_azure;     /* the same under Azure's addresses */
extern const struct wire wire_responses; /* OpenAI Responses */
extern const struct wire wire_anthropic; /* Anthropic Messages */
extern const struct wire wire_gemini;    /* Google Gemini */
extern const struct wire wire_bedrock;   /* AWS Bedrock ConverseStream */
extern const struct wire wire_ollama;    /* Ollama's own */
extern const struct wire wire_cohere;    /* Cohere v2 */

/* The wire of that name, or NULL. */
const struct wire *wire_find(const char *name);

/* --- for writing requests ----------------------------------------------------------------------------------------- */

/* Writes `object` as the body, and puts it back. OUTCOME_NO_MEMORY when it or a buffer of the call has failed. */
enum outcome wire_finish_body(struct wire_call *call, json_object *object, struct failure *failure);

/* A number as it was meant: 0.7 and not 0.69999999999999996. A new reference. */
json_object *wire_number(double number);

/* Adds a text as a member. */
void wire_add(json_object *object, const char *name, const char *value);

/* {"type": type}: a new reference. */
json_object *wire_typed(const char *type);

/* Whether a text has nothing but white space in it: some providers refuse such blocks. */
bool wire_is_blank(const char *text, size_t len);

/* JSON text of others (schema, arguments) as an object; an empty object when it cannot be parsed or is none. A new reference. */
json_object *wire_json(const char *text);

/* A new reference to a string of `len` bytes. */
json_object *wire_text(const char *text, size_t len);

/* Appends `text` percent-encoded as one segment of a path (RFC 3986 section 2.3: unreserved characters stay). */
void wire_add_segment(struct buf *path, const char *text);

/* "data:" + type + ";base64," + data of an image. A new reference. */
json_object *wire_data_url(const struct completion_image *image);

#endif
