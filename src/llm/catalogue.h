/*
 * The list of known providers: where each is, which wire it speaks, which variables hold its key. Data: providers.json, embedded; parley.json's "providers" adds to it and
 * overrides it, member by member.
 *
 * Neighbours: provider.h (which of them answers), wire.h. Leaves out: models (model.h).
 */
#ifndef PARLEY_CATALOGUE_H
#define PARLEY_CATALOGUE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "../base/buf.h"
#include "../base/outcome.h"
#include "wire.h"

/* How a key is shown to a provider. */
enum catalogue_auth {
    AUTH_BEARER,   /* Authorization: Bearer */
    AUTH_X_API_KEY, AUTH_API_KEY, AUTH_X_GOOG_API_KEY, /* a header of that name */
    AUTH_SIGV4,    /* AWS signatures, unless a bearer key is set */
    AUTH_NONE,     /* needs no key; one that is set is sent as a bearer */
    AUTH_OAUTH     /* wants short-lived tokens, which we cannot get: one that is set is sent as a bearer */
};

struct catalogue_provider {
    const char *id, *name;
    const struct wire *wire;
    enum catalogue_auth auth;
    bool chat;               /* false: embeddings only */
    bool local;              /* runs on the user's machine: set up without a key */
    const char *embeddings;  /* path of its embeddings; NULL: none */
    const char *models;      /* path of its list of models; NULL: none */
    json_object *row;        /* all that is known, for the life of the process */
};

/* The provider whose id is the first `len` bytes of `id`; NULL: unknown. */
const struct catalogue_provider *catalogue_find(const char *id, size_t len);

/* All of them, by number. */
size_t catalogue_count(void);
const struct catalogue_provider *catalogue_at(size_t index);

/* The ids most like an unknown one, as "a, b, c". */
void catalogue_nearest(const char *id, size_t len, char *names, size_t size);

/* Whether a variable of that name means something to a provider: a key, an address, a part of one. */
bool catalogue_has_variable(const char *name);

/* Writes the variables of all providers that are set as KEY="value" lines. */
void catalogue_write_export(FILE *out);

/* The provider's key, or "": none is set. For SigV4 see catalogue_variable(). */
const char *catalogue_key(const struct catalogue_provider *provider);

/* The value of the first variable that is set of the list in the member `member` of the provider's row; NULL: none. */
const char *catalogue_variable(const struct catalogue_provider *provider, const char *member);

/* Appends the provider's base address. `address` ("" for none) is used instead of all else. OUTCOME_PROVIDER_ERROR with a sentence when a part of it has to be set first. */
enum outcome catalogue_address(const struct catalogue_provider *provider, const char *address, struct buf *url, struct failure *failure);

/* Appends a text with its {parts} filled in, as catalogue_address() does. */
enum outcome catalogue_fill(const struct catalogue_provider *provider, const char *text, struct buf *url, struct failure *failure);

/* The value of its variable number `index` for signatures: access key, secret key, session token; "": not set. */
const char *catalogue_sigv4(const struct catalogue_provider *provider, int index);

/* Whether it has a key of its own, of whatever kind. */
bool catalogue_has_credentials(const struct catalogue_provider *provider);

/* Whether all that its address and key need is set. */
bool catalogue_is_set_up(const struct catalogue_provider *provider);

#endif
