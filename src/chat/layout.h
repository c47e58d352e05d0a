/*
 * The layout of an answer: how its log was made of text, thinking and events, in a few characters, so that a client that comes back after the end still gets exactly what it has not had.
 *
 * The database keeps text, thinking and events by themselves; the layout says in which stretches they came, from position 1 (after `start`) on, separated by spaces:
 *
 *   t120  120 bytes of text        e3  the event with index 3 of those that are kept with the message
 *   r40   40 bytes of thinking     c   a `clear_message`
 *   n7    seven positions of which nothing is kept
 *
 * An answer of text alone has none. Neighbours: answer.h (the log), event.h (which events are kept), store/message.h (the column). Leaves out: the journal, which has the log itself.
 */
#ifndef PARLEY_LAYOUT_H
#define PARLEY_LAYOUT_H

#include "answer.h"

/* Writes the layout of an answer that nothing is added to any more, with `lost` positions behind its end. *layout is the caller's, to be freed with mem_free(); NULL: it needs none.
   False: out of memory. */
bool layout_write(const struct answer *answer, int64_t lost, char **layout);

/* What a message has of an answer's log. */
struct layout_parts {
    const char *text;
    size_t text_len;
    const char *reasoning; /* NULL: none */
    const char *events;    /* a JSON array as text; NULL: none */
    const char *layout;    /* NULL: none */
};

/* Adds the log of a message to an answer, which has nothing yet or the beginning of the same log. On the loop, or before anybody else knows the answer. OUTCOME_OK,
   OUTCOME_ANSWER_TOO_LONG, OUTCOME_NO_MEMORY. A layout that does not fit (changed by hand) is done without. */
enum outcome layout_read(struct answer *answer, const struct layout_parts *parts);

#endif
