/*
 * Colours: reading those of CSS that theme.json may hold, contrast by WCAG 2.2, mixing, and moving a colour until it can be read.
 *
 * A colour has eight bits a channel from the moment it is read, so that what is measured is what is printed. Neighbours: css_scan.h, theme.h. Leaves out: names of
 * colours, colour-mix(), variables: whatever is no plain number.
 */
#ifndef PARLEY_COLOUR_H
#define PARLEY_COLOUR_H

#include <stdbool.h>
#include <stddef.h>

struct colour {
    unsigned char red, green, blue, alpha; /* sRGB; alpha 255 is opaque */
};

#define COLOUR_BLACK ((struct colour){0, 0, 0, 255})
#define COLOUR_WHITE ((struct colour){255, 255, 255, 255})

enum { COLOUR_TEXT_BYTES = sizeof "#rrggbbaa" };

/* Steps over a colour: #rgb #rgba #rrggbb #rrggbbaa, rgb() rgba() hsl() hsla() with commas or blanks, oklch(). Numbers out of range are refused, not clamped. False: it is
   none; *at may have moved. */
bool colour_scan(const char **at, struct colour *colour);

/* Reads a text that is one colour, with blanks around it at most. */
bool colour_read(const char *text, struct colour *colour);

/* `share` (0 … 1) of `b` in `a`, channel by channel in sRGB, as color-mix(in srgb, …) does with opaque colours. */
struct colour colour_mix(struct colour a, struct colour b, double share);

/* What is seen when `top` lies over the opaque `under`. */
struct colour colour_over(struct colour top, struct colour under);

/* The contrast ratio of WCAG 2.2 of two opaque colours: 1 … 21. */
double colour_contrast(struct colour a, struct colour b);

/* Black or white, whichever can be read better on `ground`: at least 4.58:1. */
struct colour colour_readable(struct colour ground);

/* Mixes an opaque colour with black or with white, as little as it takes, until it has at least `ratio` against each of the grounds. False, and nothing is changed, when
   neither way leads there. */
bool colour_move(struct colour *colour, const struct colour *grounds, size_t count, double ratio);

/* Mixes `colour` with `end`, as little as it takes, until `text` has at least `ratio` on it. False when not even `end` will do; it is `end` then. */
bool colour_pull(struct colour *colour, struct colour end, struct colour text, double ratio);

/* Writes #rrggbb, or #rrggbbaa when it is not opaque. */
void colour_print(struct colour colour, char text[COLOUR_TEXT_BYTES]);

/* Hue (degrees), saturation and lightness (per cent), without alpha. */
void colour_hsl(struct colour colour, double hsl[3]);

#endif
