/*
 * What a provider's failure means: found in status and body, put into one sentence for the user.
 *
 * The ways in which servers wrap their error texts and name their conditions differ much; they are all here. No I/O. Neighbours: wire_openai.c (errors inside
 * a stream), completion.c (whether to try again).
 */
#ifndef PARLEY_PROVIDER_ERROR_H
#define PARLEY_PROVIDER_ERROR_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/outcome.h"
#include "relay.h"

struct provider_error {
    enum outcome outcome;
    bool retry;             /* worth another attempt, if nothing was shown yet */
    enum certificate_fault certificate;
    bool clock_differs;     /* the key is refused because the request was signed at another time than the provider's */
    int refused_with;       /* see struct failure */
    int64_t retry_after_ms; /* as the provider asked, -1: it did not */
    char message[LIMIT_ERROR_BYTES]; /* the provider's own words, "" when there are none fit to show */
    char param[64];         /* the request parameter it complains about, "" when it names none */
};

/* Reads an exchange that failed: transport or status, with the first `len` bytes of the body. */
void provider_error_read(struct provider_error *error, const struct exchange *exchange, const char *body, size_t len);

/* Reads an error that came as JSON inside a good answer. `status` 0: not known. */
void provider_error_read_json(struct provider_error *error, json_object *object, long status);

/* Whether `object` is an error and not a piece of an answer. */
bool provider_error_is_one(json_object *object);

/* Fills *failure with the sentence for the user and returns the outcome. */
enum outcome provider_error_fail(const struct provider_error *error, struct failure *failure);

#endif
