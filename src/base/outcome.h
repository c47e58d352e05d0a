/*
 * How a call ended: one enum for the whole program, and the sentence that goes with a failure.
 *
 * The rule: the function that knows the facts logs them and fills a `struct failure` with a sentence fit for the client;
 * callers only pass the outcome up; the edge (src/api, src/chat) answers the client once, by outcome_status() and
 * outcome_code(). The sentence of a wrong field (OUTCOME_BAD_FIELD) begins with its name in double quotes, `"model" is missing.`, where it is about one field: clients that
 * want the name by itself get it from there (src/chat/shape.h). Neighbours: log.h. Leaves out: HTTP itself; the status is a number here, nothing more.
 */
#ifndef PARLEY_OUTCOME_H
#define PARLEY_OUTCOME_H

#include "limits.h"

enum outcome {
    OUTCOME_OK,
    OUTCOME_DETACHED,     /* good: the event loop has the request now, hands off */
    /* the client's doing */
    OUTCOME_BAD_JSON,     /* the body cannot be parsed */
    OUTCOME_BAD_REQUEST,  /* the request itself is malformed (encoding, path, query) */
    OUTCOME_BAD_FIELD,    /* a field is missing or wrong; the sentence names it */
    OUTCOME_FORBIDDEN,    /* asked for in another's name */
    OUTCOME_NOT_FOUND,    /* unknown, or not yours: the two look the same */
    OUTCOME_BAD_METHOD,   /* the path exists, the method does not */
    OUTCOME_BUSY,         /* the last answer of that branch still streams */
    OUTCOME_TOO_LARGE,    /* over a byte limit */
    OUTCOME_BAD_TYPE,     /* Content-Type is not the one needed */
    OUTCOME_RATE_LIMITED, /* this client asks too often */
    OUTCOME_DECLINED,     /* an application or a hook does not want to answer this */
    /* ours */
    OUTCOME_NO_MEMORY,
    OUTCOME_INTERNAL,     /* cannot happen; logged with its place */
    OUTCOME_OVERLOADED,   /* every stream is taken, or the program is stopping */
    OUTCOME_STORE,        /* the database cannot be read or written just now */
    OUTCOME_HOOK,         /* a program of the administrator failed (src/app/hook.h) */
    /* the provider's */
    OUTCOME_PROVIDER_UNREACHABLE, /* no connection */
    OUTCOME_PROVIDER_AUTH,        /* it does not take our key */
    OUTCOME_PROVIDER_BUSY,        /* 429, 503, overloaded */
    OUTCOME_PROVIDER_QUOTA,       /* no credit left there; waiting does not help */
    OUTCOME_PROVIDER_TIMEOUT,     /* silent for too long, or not done in time */
    OUTCOME_PROVIDER_ERROR,       /* anything else that it said or did */
    OUTCOME_CONTEXT_TOO_LONG,     /* the conversation does not fit the model */
    OUTCOME_REFUSED,              /* the provider declined by its content rules */
    OUTCOME_ANSWER_TOO_LONG,      /* over MAX_ANSWER_BYTES or LIMIT_ANSWER_RUNS */
    /* ends of an answer that are nobody's failure */
    OUTCOME_INTERRUPTED,  /* the stream ended without its terminal mark, or we had to stop */
    OUTCOME_STOPPED,      /* the user pressed Stop */
    OUTCOME_LOST,         /* the process that wrote it was killed */
    OUTCOME_COUNT
};

/* A failure on its way to the client. `message` is one sentence, safe to show: no secret, no HTML. */
struct failure {
    enum outcome outcome;
    int retry_after_s; /* seconds to wait before trying again; 0: not said */
    int refused_with;  /* of OUTCOME_PROVIDER_ERROR: the provider's status, 400 to 422, where it blames what it was asked; 0: it does not */
    char message[LIMIT_ERROR_BYTES];
};

/* Fills `failure` (NULL is allowed: nothing is kept) and returns `outcome`, so that a caller can `return fail(...)`.
   The sentence is cut at LIMIT_ERROR_BYTES, at a character boundary, and configured secrets in it are masked. */
enum outcome fail(struct failure *failure, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* fail() with OUTCOME_NO_MEMORY and its sentence. */
enum outcome fail_no_memory(struct failure *failure);

/* The HTTP status that says it (200 for OUTCOME_OK). */
int outcome_status(enum outcome outcome);

/* The outcome that a code stands for, where several share it the first; OUTCOME_INTERNAL when there is none. */
enum outcome outcome_find(const char *code);

/* The stable code of docs/api.md, such as "provider_timeout". Never NULL; not to be freed. */
const char *outcome_code(enum outcome outcome);

#endif
