/*
 * theme.json → a style sheet.
 *
 * The file has the shape of HeroUI's theme builder: {"themes":{"light":{"colors":{…}},"dark":{…}},"layout":{…}}. Only what can be parsed as a colour, a length, a shadow
 * or an opacity under a known key counts, and it is printed anew: no text of the file ever reaches the style sheet. Colours that would be hard to read are corrected
 * (theme_guard.c). A pure function: no I/O. Neighbours: colour.h, src/api/theme.c (the file, and the answer). Leaves out: what the tokens are used for, which is www/css' business.
 */
#ifndef PARLEY_THEME_H
#define PARLEY_THEME_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buf.h"

/* Is told, one sentence each, what is ignored and what was corrected: at most LIMIT_THEME_NOTES times. Names in it may come from the file. */
typedef void theme_note(void *arg, const char *sentence);

/* Appends the style sheet to `css`, which LIMIT_THEME_CSS_BYTES are enough for. False when the file cannot be used at all: *why is a part of a sentence then, such as
   "it is no JSON object", and `css` is of no use. */
bool theme_css(const char *text, size_t len, struct buf *css, theme_note *note, void *arg, const char **why);

#endif
