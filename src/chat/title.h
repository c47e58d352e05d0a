/*
 * A conversation's title from its first message.
 */
#ifndef PARLEY_TITLE_H
#define PARLEY_TITLE_H

#include <stddef.h>

enum { TITLE_CHARS = 60, TITLE_BYTES = TITLE_CHARS * 4 + 8 };

/* Writes the first words of `text` (valid UTF-8) to `title`: white space and control characters become single spaces; what is longer than TITLE_CHARS characters is cut
   at a space and ends in "…". "New conversation" when nothing is left. */
void title_make(const char *text, size_t len, char title[TITLE_BYTES]);

#endif
