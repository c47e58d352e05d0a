/*
 * JSON from outside, read strictly, and deep reads in one line.
 *
 * json-c is lax by default (comments, single quotes, trailing text, any bytes): json_read() is the one door for JSON text. The selectors
 * lend: what they return belongs to the object. Neighbours: json-c itself, which everybody uses to build JSON.
 */
#ifndef PARLEY_JSON_H
#define PARLEY_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How json_text() and friends write: no spaces, `/` as it is. */
#define JSON_STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* Parses `len` bytes that must be one JSON value (RFC 8259): valid UTF-8, no deeper than LIMIT_JSON_DEPTH, of at most LIMIT_JSON_VALUES values, nothing after it. Strings
   holding U+0000 are refused. Returns a reference that the caller puts back with json_object_put(), or NULL with a short
   reason in *why ("it is nested too deeply", ...). JSON null parses to NULL too, with *why NULL. */
json_object *json_read(const char *text, size_t len, const char **why);

/* Parses a provider's JSON as leniently as json-c does, but no deeper than LIMIT_JSON_DEPTH and with no more than LIMIT_JSON_CONTAINERS braces and brackets. A reference for the
   caller to put back, or NULL. Texts in it may hold bad UTF-8: repair them (utf8.h) before they go anywhere. */
json_object *json_read_loose(const char *text, size_t len);

/* The member at `path` ("choices.0.delta.content"; a number steps into an array), or NULL when anything on the way is missing, of
   another type, or null. */
json_object *json_at(json_object *object, const char *path);

/* The string there, or NULL when it is no string. `len` may be NULL. */
const char *json_text(json_object *object, const char *path, size_t *len);

/* The whole number there, or `fallback`. Doubles without a fraction count; anything outside 0 … 2^53 gives the fallback. */
int64_t json_count(json_object *object, const char *path, int64_t fallback);

/* How deep a value is nested: 0 for a text, a number and the like, 1 for a list or an object of them. Looks no deeper than `most`, beyond which it is most + 1. */
int json_depth(json_object *value, int most);

/* The object as text, owned by the object and good until it changes. */
const char *json_write(json_object *object);

#endif
