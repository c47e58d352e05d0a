/*
 * A piece of a text around the first place where a search found something, with all that was found in it marked.
 *
 * Words are taken apart by the index's own tokenizer, so that what is marked is what the index found: in whatever case, with or without diacritics, as the beginning of a longer word.
 * Neighbours: search_text.h (what is looked for), conversation_list.c. Leaves out: where in the conversation the first place is, which the index knows.
 */
#ifndef PARLEY_SNIPPET_H
#define PARLEY_SNIPPET_H

#include <stdbool.h>
#include <stddef.h>

struct db;

/* A stretch of it: valid UTF-8, white space as single spaces. */
struct snippet_piece {
    const char *text;
    size_t len;
    bool is_hit;
};

/* Lent by snippet_make() until the next. */
struct snippet {
    const struct snippet_piece *pieces;
    size_t count;
};

/* Makes snippets for one search, within a unit of work. NULL: out of memory, or the database failed. */
struct snippet_maker *snippet_begin(struct db *db, const char *search);
void snippet_end(struct snippet_maker *maker); /* NULL is allowed */

/* Some 150 characters of `text` (valid UTF-8), cut between words, with … where they were cut. Where nothing is found they are the first ones. False: out of memory. */
bool snippet_make(struct snippet_maker *maker, const char *text, size_t len, struct snippet *snippet);

#endif
