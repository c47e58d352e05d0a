/*
 * The door of theme.h and the printing. Whatever is printed is a name of ours or a value that was parsed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/utf8.h"
#include "theme_internal.h"

void theme_say(struct theme_notes *notes, const char *format, ...)
{
    char sentence[LIMIT_ERROR_BYTES];
    if (notes->note == NULL || notes->count++ >= LIMIT_THEME_NOTES)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (n <= 0)
        return;
    utf8_mend(sentence); /* a name that it quotes may be cut within a character */
    notes->note(notes->arg, sentence);
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

struct sheet {
    struct buf *css;
    const char *indent;
};

static void print_colour(const struct sheet *sheet, const char *token, struct colour colour)
{
    char text[COLOUR_TEXT_BYTES];
    colour_print(colour, text);
    buf_addf(sheet->css, "%s--%s: %s;\n", sheet->indent, token, text);
}

/* A colour as HeroUI's own CSS wants it, for hsl(var(--heroui-x) / …): three numbers, and the opacity beside them. `part` NULL: the role itself. */
static void print_hero(const struct sheet *sheet, const char *name, const char *part, struct colour colour)
{
    double hsl[3];
    colour_hsl(colour, hsl);
    buf_addf(sheet->css, "%s--heroui-%s%s%s: ", sheet->indent, name, part != NULL ? "-" : "", part != NULL ? part : "");
    theme_print_number(sheet->css, hsl[0]);
    buf_add_char(sheet->css, ' ');
    theme_print_number(sheet->css, hsl[1]);
    buf_add_text(sheet->css, "% ");
    theme_print_number(sheet->css, hsl[2]);
    buf_add_text(sheet->css, "%;\n");
    if (colour.alpha < 255) {
        buf_addf(sheet->css, "%s--heroui-%s%s%s-opacity: ", sheet->indent, name, part != NULL ? "-" : "", part != NULL ? part : "");
        theme_print_number(sheet->css, colour.alpha / 255.0);
        buf_add_text(sheet->css, ";\n");
    }
}

static void print_hero_colours(const struct sheet *sheet, const struct scheme *scheme)
{
    for (int i = 0; i < ROLES; i++) {
        const struct role *role = &scheme->roles[i];
        print_hero(sheet, theme_role_names[i], NULL, role->base);
        for (int k = 0; k < SHADES; k++)
            if (role->has_shade[k])
                print_hero(sheet, theme_role_names[i], theme_shade_names[k], role->shades[k]);
        if (role->has_foreground)
            print_hero(sheet, theme_role_names[i], "foreground", role->foreground);
    }
}

static void print_surfaces(const struct sheet *sheet, const struct scheme *scheme)
{
    for (int i = 0; i < CONTENTS; i++) {
        char token[32];
        (void)snprintf(token, sizeof token, "surface-%d", i + 1);
        print_colour(sheet, token, scheme->roles[ROLE_CONTENT1 + i].base);
        (void)snprintf(token, sizeof token, "on-surface-%d", i + 1);
        print_colour(sheet, token, scheme->roles[ROLE_CONTENT1 + i].foreground);
    }
}

static void print_states(const struct sheet *sheet, const struct scheme *scheme)
{
    static const char *const names[STATES] = {"ok", "warn", "err"};
    for (int i = 0; i < STATES; i++) {
        char token[32];
        print_colour(sheet, names[i], scheme->states[i]);
        (void)snprintf(token, sizeof token, "on-%s", names[i]);
        print_colour(sheet, token, scheme->on_states[i]);
        (void)snprintf(token, sizeof token, "%s-soft", names[i]);
        print_colour(sheet, token, scheme->soft_states[i]);
    }
}

static void print_neutrals(const struct sheet *sheet, const struct scheme *scheme)
{
    for (int i = 0; i < 3; i++) {
        char token[32];
        (void)snprintf(token, sizeof token, "neutral-%d", i + 1);
        print_colour(sheet, token, scheme->neutrals[i]);
    }
    print_colour(sheet, "neutral-4", scheme->roles[ROLE_DEFAULT].base);
    print_colour(sheet, "on-neutral-4", scheme->roles[ROLE_DEFAULT].foreground);
}

static void print_tokens(const struct sheet *sheet, const struct scheme *scheme)
{
    const struct role *roles = scheme->roles;
    struct colour backdrop = roles[ROLE_OVERLAY].base;
    if (backdrop.alpha == 255)
        backdrop.alpha = 128;
    print_colour(sheet, "bg", roles[ROLE_BACKGROUND].base);
    print_colour(sheet, "fg", roles[ROLE_FOREGROUND].base);
    print_colour(sheet, "muted", scheme->muted);
    print_surfaces(sheet, scheme);
    print_colour(sheet, "accent", roles[ROLE_PRIMARY].base);
    print_colour(sheet, "on-accent", roles[ROLE_PRIMARY].foreground);
    print_colour(sheet, "accent-soft", scheme->accent_soft);
    print_colour(sheet, "accent-strong", scheme->accent_strong);
    print_colour(sheet, "accent-2", roles[ROLE_SECONDARY].base);
    print_colour(sheet, "on-accent-2", roles[ROLE_SECONDARY].foreground);
    print_colour(sheet, "link", scheme->link);
    print_states(sheet, scheme);
    print_neutrals(sheet, scheme);
    print_colour(sheet, "line", roles[ROLE_DIVIDER].base);
    print_colour(sheet, "line-strong", scheme->line_strong);
    print_colour(sheet, "focus", roles[ROLE_FOCUS].base);
    print_colour(sheet, "backdrop", backdrop);
}

static void print_scheme(struct buf *css, const struct scheme *scheme, const char *indent)
{
    const struct sheet sheet = {css, indent};
    print_tokens(&sheet, scheme);
    print_hero_colours(&sheet, scheme);
    theme_layout_print(&scheme->layout, indent, css);
    buf_addf(css, "%s--fs: var(--fs-medium);\n", indent);
}

/* The dark values stand three times: for who follows the system, for who chose dark on our page, and for pages that say it by HeroUI's class. */
static void print_sheet(struct buf *css, const struct scheme *light, const struct scheme *dark)
{
    buf_add_text(css, ":root {\n");
    print_scheme(css, light, "  ");
    buf_add_text(css, "}\n@media (prefers-color-scheme: dark) {\n  :root:not([data-theme=\"light\"]) {\n");
    print_scheme(css, dark, "    ");
    buf_add_text(css, "  }\n}\n:root[data-theme=\"dark\"] {\n");
    print_scheme(css, dark, "  ");
    buf_add_text(css, "}\n.dark {\n");
    print_scheme(css, dark, "  ");
    buf_add_text(css, "}\n@media (prefers-contrast: more) {\n  :root:root, .dark { --muted: var(--fg); --line: var(--line-strong); }\n}\n"
                      "body { background-color: var(--bg); color: var(--fg); }\n");
}

/* --- the door ----------------------------------------------------------------------------------------------------- */

/* The builder also exports a module of JavaScript. */
static bool is_script(const char *text, size_t len)
{
    static const char *const openings[] = {"export", "module", "const", "import", "var", "let", "return", "//", "/*"};
    while (len > 0 && strchr(" \t\r\n", *text) != NULL && *text != '\0') {
        text++;
        len--;
    }
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++)
        if (len > strlen(openings[i]) && memcmp(text, openings[i], strlen(openings[i])) == 0)
            return true;
    return false;
}

bool theme_css(const char *text, size_t len, struct buf *css, theme_note *note, void *arg, const char **why)
{
    struct theme_notes notes = {.note = note, .arg = arg};
    struct scheme light, dark;
    json_object *file = NULL;
    *why = NULL;
    if (len > LIMIT_THEME_BYTES)
        *why = "it is too large";
    else if (is_script(text, len))
        *why = "it is JavaScript: only the object itself can be used, saved as JSON with all keys in double quotes";
    else
        file = json_read(text, len, why);
    if (*why == NULL && !json_object_is_type(file, json_type_object))
        *why = "it is no JSON object";
    if (*why == NULL) {
        theme_read(file, &light, &dark, &notes);
        theme_guard(&light, &notes);
        theme_guard(&dark, &notes);
        if (note != NULL && notes.count > LIMIT_THEME_NOTES) {
            char sentence[64];
            (void)snprintf(sentence, sizeof sentence, "There are %d more such things.", notes.count - LIMIT_THEME_NOTES);
            note(arg, sentence);
        }
        print_sheet(css, &light, &dark);
        if (buf_failed(css))
            *why = "there is no memory left";
    }
    json_object_put(file);
    return *why == NULL;
}
