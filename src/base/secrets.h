/*
 * The values that must never be shown: provider keys and their kind.
 *
 * Settings register each secret once at start; log lines and error sentences are masked by value before they leave, so that a key
 * is hidden even where a provider's own error text repeats it. Neighbours: settings.c (registers), log.c, outcome.c (mask).
 */
#ifndef PARLEY_SECRETS_H
#define PARLEY_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

/* Remembers a copy of `value`. Values shorter than 6 characters are ignored: masking them would hide ordinary words. Call before
   the first thread starts. */
void secrets_add(const char *value);

/* Overwrites each occurrence of a secret in `text`, in place, with stars; also the beginning of one at the end of the text, which may have been cut. */
void secrets_mask(char *text);

/* Whether a file holds a secret that users of this machine can read who should not. Fills `sentence`, of `size` bytes, which says so and what to do. A file of somebody else (root, as
   a rule) may be read by its group: that is how it is ours to read. */
bool secrets_are_exposed(const char *path, char *sentence, size_t size);

enum { EXCERPT_BYTES = 256 };

/* Writes the beginning of `text`, masked before it is cut, to `out` and returns it: for log lines about what a provider sent. */
const char *secrets_excerpt(const char *text, char out[EXCERPT_BYTES]);

#endif
