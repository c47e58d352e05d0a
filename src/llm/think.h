/*
 * Takes the thinking of open models out of the answer: `<think>…</think>` at its beginning, with the tags cut over any number of pieces.
 *
 * No I/O. Only a tag at the very beginning counts (after white space): later ones are text that speaks of tags. Neighbours: wire_openai.c.
 */
#ifndef PARLEY_THINK_H
#define PARLEY_THINK_H

#include <stdbool.h>
#include <stddef.h>

enum { THINK_HELD_BYTES = 32 };

struct think {
    enum { THINK_START, THINK_INSIDE, THINK_AFTER, THINK_TEXT } state;
    char held[THINK_HELD_BYTES]; /* what may still become a tag */
    size_t held_len;
};

/* Gives out text (`reasoning` false) or thinking text (true). */
typedef void think_out(void *arg, bool reasoning, const char *text, size_t len);

void think_feed(struct think *think, const char *text, size_t len, think_out *out, void *arg);

/* The answer has ended: gives out what was held back. */
void think_end(struct think *think, think_out *out, void *arg);

#endif
