/*
 * Titles that somebody thinks about: an application's function or a model (TITLE_MODEL). Beside the answer, so that nobody waits for them.
 *
 * Neighbours: title.h (the title until then, from the first words), src/app (starts one with the first turn of a conversation), live.h (waits for them when the program stops), ask.h.
 */
#ifndef PARLEY_TITLER_H
#define PARLEY_TITLER_H

#include <stdbool.h>

#include "answer.h"

/* An application's way: see turn_use(). */
void titler_use(bool (*function)(const char *message, char *title, size_t size));

/* Starts thinking about a title for the conversation that `answer` begins with `message`, on a thread of its own, where there is anybody to do so. Both are copied or held. */
void titler_start(struct answer *answer, const char *message);

/* Gives a conversation a new title, unless its present one is no longer `was` (NULL: in any case), and tells those who follow the answer. */
void titler_set(struct answer *answer, const char *title, const char *was);

#endif
