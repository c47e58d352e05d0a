/*
 * What the files of theme.h share: a theme as it is between reading and printing. Never included from elsewhere.
 *
 * theme_read.c fills a scheme from the file and with HeroUI's defaults, theme_layout.c its sizes; theme_guard.c corrects it and derives what the file does not have;
 * theme.c prints it.
 */
#ifndef PARLEY_THEME_INTERNAL_H
#define PARLEY_THEME_INTERNAL_H

#include <json-c/json.h>

#include "colour.h"
#include "../base/limits.h"
#include "theme.h"

/* --- what is said about a theme ----------------------------------------------------------------------------------- */

struct theme_notes {
    theme_note *note;
    void *arg;
    int count;
};

void theme_say(struct theme_notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- colours ------------------------------------------------------------------------------------------------------ */

enum theme_role {
    ROLE_DEFAULT,
    ROLE_PRIMARY,
    ROLE_SECONDARY,
    ROLE_SUCCESS,
    ROLE_WARNING,
    ROLE_DANGER,
    ROLES_WITH_SCALE, /* the ones above have a scale of shades, given or derived; the others only what is given */
    ROLE_BACKGROUND = ROLES_WITH_SCALE,
    ROLE_FOREGROUND,
    ROLE_CONTENT1, /* to 4, in this order */
    ROLE_CONTENT4 = ROLE_CONTENT1 + 3,
    ROLE_DIVIDER,
    ROLE_FOCUS,
    ROLE_OVERLAY,
    ROLES
};

enum { SHADES = 10, SHADE_50 = 0, SHADE_100 = 1, SHADE_200 = 2, SHADE_300 = 3, SHADE_500 = 5, SHADE_700 = 7, CONTENTS = 4, STATES = 3 };

extern const char *const theme_role_names[ROLES];   /* "primary" */
extern const char *const theme_shade_names[SHADES]; /* "50" … "900" */

struct role {
    struct colour base, foreground, shades[SHADES];
    bool has_foreground, has_shade[SHADES];
};

/* --- sizes -------------------------------------------------------------------------------------------------------- */

enum measure_unit { UNIT_ABSENT, UNIT_NONE, UNIT_PX, UNIT_REM };

struct measure {
    double value;
    enum measure_unit unit;
};

struct shadow {
    bool is_inset;
    int length_count; /* 2 to 4: across, down, blur, spread */
    struct measure lengths[4];
    struct colour colour;
};

struct shadows {
    int count; /* 0: not given */
    struct shadow layers[LIMIT_THEME_SHADOWS];
};

enum { LAYOUT_ROWS = 17, SHADOW_SIZES = 3 };

struct layout {
    struct measure measures[LAYOUT_ROWS];
    struct shadows shadows[SHADOW_SIZES]; /* small, medium, large */
};

/* --- a scheme ----------------------------------------------------------------------------------------------------- */

/* One of the two schemes of a theme. */
struct scheme {
    const char *name; /* "light", "dark" */
    bool is_dark;
    struct role roles[ROLES];
    struct layout layout;
    /* derived by theme_guard() */
    struct colour link, muted, line_strong, accent_soft, accent_strong, neutrals[3], states[STATES], on_states[STATES], soft_states[STATES];
};

/* Fills both schemes from the file's object. */
void theme_read(json_object *file, struct scheme *light, struct scheme *dark, struct theme_notes *notes);

/* Reads a "layout" over what `layout` has already. `path` names it in notes. */
void theme_layout_read(json_object *object, const char *path, struct layout *layout, struct theme_notes *notes);

/* Fills what is absent. */
void theme_layout_default(struct layout *layout, bool is_dark);

/* Prints a layout's tokens and HeroUI's names for them, a line each. */
void theme_layout_print(const struct layout *layout, const char *indent, struct buf *css);

/* Prints a number as CSS has it, with at most four decimals. */
void theme_print_number(struct buf *css, double number);

/* Makes what is written readable on what it is written on (WCAG 2.2, 1.4.3 and 1.4.11), and derives the colours that the file has no key for. */
void theme_guard(struct scheme *scheme, struct theme_notes *notes);

#endif
