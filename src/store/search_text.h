/*
 * How text is prepared for the full-text index and a search for FTS5: see docs/store.md, "Search", for the experiment behind the rules.
 *
 * The index splits at white space and signs. Scripts that write without spaces (Chinese, Japanese, Thai …) would be one long word, so their characters are set
 * apart by spaces in a copy of the text, and in the search, where adjacent ones become a phrase. No SQL here, no I/O.
 */
#ifndef PARLEY_SEARCH_TEXT_H
#define PARLEY_SEARCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"

/* Appends `text` (valid UTF-8) with the characters of scripts without spaces set apart. Appends nothing when it has none: the text itself is indexed then.
   False: out of memory. */
bool search_space(struct buf *out, const char *text, size_t len);

/* Appends the FTS5 expression (SQLite documentation, "FTS5", section 3) for what a user typed: all words must occur; a word of four or more letters also
   finds words that begin with it; "words in quotes" are a phrase; ß and ss find each other. Appends nothing when there is no word. Nothing that is typed
   can be read as an operator. */
void search_match(struct buf *out, const char *typed);

/* A phrase that a search looks for, as the index would have it: words that follow each other, lent during a callback. Its last word may also be the beginning of a longer one. */
typedef void search_phrase_taker(void *arg, const char *text, size_t len, bool is_prefix);

/* Calls `each` for every phrase of a search, in every spelling; the same may come more than once. */
void search_phrases(const char *typed, search_phrase_taker *each, void *arg);

/* Whether a character is of a script without spaces between words. */
bool search_is_spaceless(uint32_t code);

#endif
