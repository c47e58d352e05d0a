/*
 * Steps over single CSS values (css-values-4, the strict part of it that theme.json may use): numbers, words, separators. Case counts for nothing.
 *
 * No I/O and no memory; the text ends in a NUL. A step that fails may have moved: its caller gives the whole value up. Neighbours: colour.h, theme_layout.c.
 */
#ifndef PARLEY_CSS_SCAN_H
#define PARLEY_CSS_SCAN_H

#include <stdbool.h>

/* Steps over blanks. True when there were any. */
bool css_scan_space(const char **at);

/* Steps over `c` if it comes next, with no blanks before it. */
bool css_scan_char(const char **at, char c);

/* Steps over `word` if it comes next and no letter follows it. */
bool css_scan_word(const char **at, const char *word);

/* Steps over a number: an optional sign, at most 6 digits and at most 10 decimals (".5" too), no exponent. */
bool css_scan_number(const char **at, double *value);

#endif
