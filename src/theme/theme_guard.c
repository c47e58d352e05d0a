/*
 * The contrast guard: whatever a theme says, what is written can be read. See theme_internal.h.
 *
 * The stock themes of the builder fail WCAG AA in places, so colours are corrected, each time with a note. Order matters: first the page's ground, then its text,
 * then the surfaces that the text must hold on, then all that is written on either.
 */
#include <stdio.h>
#include <string.h>

#include "theme_internal.h"

static const double TEXT = 4.5, GRAPHIC = 3; /* ratios of WCAG 2.2, 1.4.3 and 1.4.11 */

enum { GROUNDS = 1 + CONTENTS };

struct guard {
    struct scheme *scheme;
    struct theme_notes *notes;
    struct colour grounds[GROUNDS]; /* of the page: background, content1 … content4 */
};

static const char *const ground_names[GROUNDS] = {"the background", "content1", "content2", "content3", "content4"};

static void say_corrected(const struct guard *guard, const char *what, const char *on, double had, double needed, struct colour was, struct colour now)
{
    char before[COLOUR_TEXT_BYTES], after[COLOUR_TEXT_BYTES];
    colour_print(was, before);
    colour_print(now, after);
    theme_say(guard->notes, "%s: %s on %s: %s has a contrast of %.2f:1, %.1f:1 is needed: it is %s now.", guard->scheme->name, what, on, before, had, needed, after);
}

/* Makes `colour` hold on the first `count` grounds of the page. `spare` holds there in any case and is taken when nothing near does; NULL: then nothing changes, and false is
   returned. */
static bool hold(const struct guard *guard, const char *what, struct colour *colour, int count, double needed, const struct colour *spare)
{
    struct colour was = *colour;
    double lowest = 21;
    int where = 0;
    for (int i = 0; i < count; i++) {
        double ratio = colour_contrast(colour_over(was, guard->grounds[i]), guard->grounds[i]);
        if (ratio < lowest) {
            lowest = ratio;
            where = i;
        }
    }
    if (lowest >= needed)
        return true;
    struct colour now = colour_over(was, guard->grounds[0]);
    if (!colour_move(&now, guard->grounds, (size_t)count, needed)) {
        if (spare == NULL)
            return false;
        now = *spare;
    }
    *colour = now;
    say_corrected(guard, what, ground_names[where], lowest, needed, was, now);
    return true;
}

/* Mixes `ground` with `end` until `text`, which holds on `end`, holds on it. */
static void pull(const struct guard *guard, const char *what, struct colour *ground, struct colour end, struct colour text)
{
    struct colour was = *ground;
    double had = colour_contrast(text, was);
    if (had >= TEXT)
        return;
    (void)colour_pull(ground, end, text, TEXT); /* `end` will do */
    say_corrected(guard, what, "it", had, TEXT, was, *ground);
}

/* Text on a ground of its own: what the theme says if that can be read, else black or white. */
static struct colour choose_text(const struct guard *guard, const char *name, struct colour text, struct colour ground)
{
    char what[48];
    struct colour chosen = colour_readable(ground);
    double had = colour_contrast(colour_over(text, ground), ground);
    if (had >= TEXT)
        return colour_over(text, ground);
    (void)snprintf(what, sizeof what, "the foreground of %s", name);
    say_corrected(guard, what, "it", had, TEXT, text, chosen);
    return chosen;
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

/* The page's ground and its surfaces are opaque: nothing is known of what would shine through. */
static void lay_grounds(struct guard *guard)
{
    struct role *roles = guard->scheme->roles;
    roles[ROLE_BACKGROUND].base = colour_over(roles[ROLE_BACKGROUND].base, guard->scheme->is_dark ? COLOUR_BLACK : COLOUR_WHITE);
    guard->grounds[0] = roles[ROLE_BACKGROUND].base;
    for (int i = 0; i < CONTENTS; i++)
        guard->grounds[1 + i] = roles[ROLE_CONTENT1 + i].base = colour_over(roles[ROLE_CONTENT1 + i].base, guard->grounds[0]);
}

/* A surface's own text: its foreground, as near to it as can be read, or the page's. */
static void guard_content_text(const struct guard *guard, const char *name, struct role *content, struct colour text)
{
    if (content->has_foreground) {
        struct colour was = content->foreground, now = colour_over(was, content->base);
        double had = colour_contrast(now, content->base);
        (void)colour_move(&now, &content->base, 1, TEXT); /* on one colour black or white always holds */
        if (had < TEXT)
            say_corrected(guard, "the foreground", name, had, TEXT, was, now);
        text = now;
    }
    content->foreground = text;
    content->has_foreground = true;
}

/* The text, on the page and all surfaces. Where no one colour will do for all, the surfaces give way. */
static void guard_text(struct guard *guard)
{
    struct role *roles = guard->scheme->roles;
    struct colour *text = &roles[ROLE_FOREGROUND].base;
    if (!hold(guard, "the foreground", text, GROUNDS, TEXT, NULL))
        (void)hold(guard, "the foreground", text, 1, TEXT, NULL); /* on one colour black or white always holds */
    *text = colour_over(*text, guard->grounds[0]);
    for (int i = 0; i < CONTENTS; i++) {
        struct role *content = &roles[ROLE_CONTENT1 + i];
        pull(guard, ground_names[1 + i], &content->base, guard->grounds[0], *text);
        guard->grounds[1 + i] = content->base;
        guard_content_text(guard, ground_names[1 + i], content, *text);
    }
}

/* --- what is written and drawn on it ------------------------------------------------------------------------------- */

static void guard_roles(struct guard *guard)
{
    for (int i = 0; i < ROLES_WITH_SCALE; i++) {
        struct role *role = &guard->scheme->roles[i];
        role->base = colour_over(role->base, guard->grounds[0]);
        for (int k = 0; k < SHADES; k++)
            role->shades[k] = colour_over(role->shades[k], guard->grounds[0]);
        role->foreground = choose_text(guard, theme_role_names[i], role->foreground, role->base);
    }
}

/* Softer and stronger companions, which carry the page's text and the accent's own. */
static void derive_companions(struct guard *guard)
{
    static const int neutral_shades[] = {SHADE_100, SHADE_200, SHADE_300};
    struct scheme *scheme = guard->scheme;
    const struct role *primary = &scheme->roles[ROLE_PRIMARY];
    struct colour text = scheme->roles[ROLE_FOREGROUND].base;
    scheme->accent_soft = primary->shades[SHADE_100];
    pull(guard, "the soft accent (primary.100)", &scheme->accent_soft, guard->grounds[0], text);
    scheme->accent_strong = primary->shades[SHADE_700];
    pull(guard, "the strong accent (primary.700)", &scheme->accent_strong, primary->base, primary->foreground);
    for (int i = 0; i < 3; i++) {
        scheme->neutrals[i] = scheme->roles[ROLE_DEFAULT].shades[neutral_shades[i]];
        pull(guard, "a neutral (default.100 to 300)", &scheme->neutrals[i], guard->grounds[0], text);
    }
}

/* The colours of success, warning and danger are written with, too: on the page, on the surfaces of messages, and on a soft ground of their own. */
static void guard_states(struct guard *guard)
{
    enum { STATE_GROUNDS = 4 };
    const double softness = 0.1;
    struct scheme *scheme = guard->scheme;
    struct colour text = scheme->roles[ROLE_FOREGROUND].base;
    for (int i = 0; i < STATES; i++) {
        const struct role *role = &scheme->roles[ROLE_SUCCESS + i];
        scheme->states[i] = role->base;
        (void)hold(guard, theme_role_names[ROLE_SUCCESS + i], &scheme->states[i], STATE_GROUNDS, TEXT, &text);
        scheme->on_states[i] = role->foreground;
        if (colour_contrast(role->foreground, scheme->states[i]) < TEXT)
            scheme->on_states[i] = colour_readable(scheme->states[i]);
        scheme->soft_states[i] = colour_mix(guard->grounds[0], role->base, softness);
        (void)colour_pull(&scheme->soft_states[i], guard->grounds[0], scheme->states[i], TEXT); /* ours alone: nothing to say */
        (void)colour_pull(&scheme->soft_states[i], guard->grounds[0], text, TEXT);
    }
}

static void derive_lines_and_links(struct guard *guard)
{
    enum { LINK_GROUNDS = 4, MUTED_GROUNDS = 3 };
    const double muted_share = 0.35, line_share = 0.45; /* of the background in them */
    struct theme_notes silent = {0};
    struct guard quiet = {.scheme = guard->scheme, .notes = &silent};
    struct scheme *scheme = guard->scheme;
    struct colour text = scheme->roles[ROLE_FOREGROUND].base;
    memcpy(quiet.grounds, guard->grounds, sizeof quiet.grounds);
    scheme->link = scheme->roles[ROLE_PRIMARY].base;
    (void)hold(guard, "links (made of primary)", &scheme->link, LINK_GROUNDS, TEXT, &text);
    (void)hold(guard, "the focus ring", &scheme->roles[ROLE_FOCUS].base, GROUNDS, GRAPHIC, &text);
    scheme->muted = colour_mix(text, guard->grounds[0], muted_share);
    (void)hold(&quiet, "", &scheme->muted, MUTED_GROUNDS, TEXT, &text);
    scheme->line_strong = colour_mix(text, guard->grounds[0], line_share);
    (void)hold(&quiet, "", &scheme->line_strong, MUTED_GROUNDS, GRAPHIC, &text);
}

void theme_guard(struct scheme *scheme, struct theme_notes *notes)
{
    struct guard guard = {.scheme = scheme, .notes = notes};
    lay_grounds(&guard);
    guard_text(&guard);
    guard_roles(&guard);
    derive_companions(&guard);
    guard_states(&guard);
    derive_lines_and_links(&guard);
}
