/*
 * How many tokens a text may have: a rough estimate, for windows and for providers that do not count.
 *
 * Tokenizers differ from model to model; all of them make about one token of four letters of English, and about one of each character of scripts without spaces.
 */
#ifndef PARLEY_TOKENS_H
#define PARLEY_TOKENS_H

#include <stddef.h>
#include <stdint.h>

int64_t tokens_estimate(const char *text, size_t len);

#endif
