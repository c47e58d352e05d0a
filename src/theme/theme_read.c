/*
 * From theme.json to two schemes: which keys there are, HeroUI's defaults, scales that are derived. See theme_internal.h.
 */
#include <stdio.h>
#include <string.h>

#include "theme_internal.h"

const char *const theme_role_names[ROLES] = {"default",  "primary",  "secondary", "success",  "warning", "danger", "background", "foreground",
                                             "content1", "content2", "content3",  "content4", "divider", "focus",  "overlay"};
const char *const theme_shade_names[SHADES] = {"50", "100", "200", "300", "400", "500", "600", "700", "800", "900"};

/* HeroUI's own colours (version 2), which hold where a file says nothing: light, dark. */
static const char *const defaults[ROLES][2] = {
    [ROLE_DEFAULT] = {"#d4d4d8", "#3f3f46"},
    [ROLE_PRIMARY] = {"#006fee", "#006fee"},
    [ROLE_SECONDARY] = {"#7828c8", "#7828c8"},
    [ROLE_SUCCESS] = {"#17c964", "#17c964"},
    [ROLE_WARNING] = {"#f5a524", "#f5a524"},
    [ROLE_DANGER] = {"#f31260", "#f31260"},
    [ROLE_BACKGROUND] = {"#ffffff", "#000000"},
    [ROLE_FOREGROUND] = {"#11181c", "#ecedee"},
    [ROLE_CONTENT1] = {"#ffffff", "#18181b"},
    [ROLE_CONTENT1 + 1] = {"#f4f4f5", "#27272a"},
    [ROLE_CONTENT1 + 2] = {"#e4e4e7", "#3f3f46"},
    [ROLE_CONTENT4] = {"#d4d4d8", "#52525b"},
    [ROLE_DIVIDER] = {"rgba(17,17,17,.15)", "rgba(255,255,255,.15)"},
    [ROLE_FOCUS] = {"#006fee", "#006fee"},
    [ROLE_OVERLAY] = {"#000000", "#000000"},
};

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

/* --- colours ------------------------------------------------------------------------------------------------------ */

/* Reads a colour of a role. `key` is its name within the role; NULL: the role itself. */
static bool read_colour(json_object *value, const struct scheme *scheme, const char *role, const char *key, struct colour *colour, struct theme_notes *notes)
{
    struct colour found;
    if (json_object_is_type(value, json_type_string) && colour_read(json_object_get_string(value), &found)) {
        *colour = found;
        return true;
    }
    theme_say(notes, "themes.%s.colors.%s%s%s is ignored: it is no colour that can be used.", scheme->name, role, key != NULL ? "." : "", key != NULL ? key : "");
    return false;
}

static void read_role_object(json_object *object, struct scheme *scheme, const char *name, struct role *role, struct theme_notes *notes)
{
    bool has_base = false;
    json_object_object_foreach(object, key, value) {
        int shade = find_name(theme_shade_names, SHADES, key);
        if (shade >= 0)
            role->has_shade[shade] = read_colour(value, scheme, name, key, &role->shades[shade], notes);
        else if (strcmp(key, "DEFAULT") == 0)
            has_base = read_colour(value, scheme, name, key, &role->base, notes);
        else if (strcmp(key, "foreground") == 0)
            role->has_foreground = read_colour(value, scheme, name, key, &role->foreground, notes);
        else
            theme_say(notes, "themes.%s.colors.%s.%.40s is ignored: there is no such key.", scheme->name, name, key);
    }
    if (!has_base && role->has_shade[SHADE_500])
        role->base = role->shades[SHADE_500];
}

static void read_colours(json_object *object, struct scheme *scheme, struct theme_notes *notes)
{
    json_object_object_foreach(object, key, value) {
        int i = find_name(theme_role_names, ROLES, key);
        if (i < 0)
            theme_say(notes, "themes.%s.colors.%.40s is ignored: there is no such key.", scheme->name, key);
        else if (json_object_is_type(value, json_type_object))
            read_role_object(value, scheme, theme_role_names[i], &scheme->roles[i], notes);
        else
            (void)read_colour(value, scheme, theme_role_names[i], NULL, &scheme->roles[i].base, notes); /* the default stays */
    }
}

/* The shades that were not given, as the theme builder makes them: the base with more and more white before it and black after it; in dark schemes the other way round. */
static void derive_shades(struct scheme *scheme, enum theme_role which)
{
    enum { MIDDLE = 5 };
    struct role *role = &scheme->roles[which];
    double step = which == ROLE_DEFAULT && scheme->is_dark ? 0.20 : 0.175;
    for (int i = 0; i < SHADES; i++) {
        int place = scheme->is_dark ? SHADES - 1 - i : i;
        if (!role->has_shade[i])
            role->shades[i] = colour_mix(role->base, place < MIDDLE ? COLOUR_WHITE : COLOUR_BLACK, step * (place < MIDDLE ? MIDDLE - place : place - MIDDLE));
        role->has_shade[i] = true;
    }
}

static void set_defaults(struct scheme *scheme, bool dark_ones)
{
    for (int i = 0; i < ROLES; i++) {
        scheme->roles[i] = (struct role){0};
        (void)colour_read(defaults[i][dark_ones], &scheme->roles[i].base); /* the table's own texts */
    }
}

static void derive_rest(struct scheme *scheme)
{
    for (int i = 0; i < ROLES_WITH_SCALE; i++) {
        derive_shades(scheme, (enum theme_role)i);
        if (!scheme->roles[i].has_foreground)
            scheme->roles[i].foreground = colour_readable(scheme->roles[i].base);
        scheme->roles[i].has_foreground = true;
    }
}

/* --- schemes ------------------------------------------------------------------------------------------------------ */

/* Whether a theme takes the dark defaults. "extend" says whose it continues. */
static bool has_dark_defaults(json_object *theme, const struct scheme *scheme, struct theme_notes *notes)
{
    json_object *extend = NULL;
    if (!json_object_object_get_ex(theme, "extend", &extend))
        return scheme->is_dark;
    const char *text = json_object_is_type(extend, json_type_string) ? json_object_get_string(extend) : "";
    if (strcmp(text, "light") != 0 && strcmp(text, "dark") != 0) {
        theme_say(notes, "themes.%s.extend is ignored: it is neither \"light\" nor \"dark\".", scheme->name);
        return scheme->is_dark;
    }
    return strcmp(text, "dark") == 0;
}

static void read_scheme(json_object *theme, const struct layout *layout, struct scheme *scheme, struct theme_notes *notes)
{
    set_defaults(scheme, json_object_is_type(theme, json_type_object) ? has_dark_defaults(theme, scheme, notes) : scheme->is_dark);
    scheme->layout = *layout;
    if (theme != NULL && !json_object_is_type(theme, json_type_object))
        theme_say(notes, "themes.%s is ignored: it is no object.", scheme->name);
    else if (theme != NULL) {
        char path[32];
        (void)snprintf(path, sizeof path, "themes.%s.layout", scheme->name);
        json_object_object_foreach(theme, key, value) {
            if (strcmp(key, "colors") == 0 && json_object_is_type(value, json_type_object))
                read_colours(value, scheme, notes);
            else if (strcmp(key, "layout") == 0 && json_object_is_type(value, json_type_object))
                theme_layout_read(value, path, &scheme->layout, notes);
            else if (strcmp(key, "extend") != 0)
                theme_say(notes, "themes.%s.%.40s is ignored: there is no such key, or it is no object.", scheme->name, key);
        }
    }
    derive_rest(scheme);
    theme_layout_default(&scheme->layout, scheme->is_dark);
}

void theme_read(json_object *file, struct scheme *light, struct scheme *dark, struct theme_notes *notes)
{
    json_object *themes = NULL, *theme_light = NULL, *theme_dark = NULL;
    struct layout layout = {0};
    json_object_object_foreach(file, key, value) {
        if (strcmp(key, "themes") == 0 && json_object_is_type(value, json_type_object))
            themes = value;
        else if (strcmp(key, "layout") == 0 && json_object_is_type(value, json_type_object))
            theme_layout_read(value, "layout", &layout, notes);
        else
            theme_say(notes, "%.40s is ignored: there is no such key, or it is no object.", key);
    }
    if (themes == NULL)
        theme_say(notes, "There are no \"themes\": all colours are HeroUI's own.");
    else {
        json_object_object_foreach(themes, name, theme) {
            if (strcmp(name, "light") == 0)
                theme_light = theme;
            else if (strcmp(name, "dark") == 0)
                theme_dark = theme;
            else
                theme_say(notes, "themes.%.40s is ignored: only \"light\" and \"dark\" are used.", name);
        }
    }
    *light = (struct scheme){.name = "light"};
    *dark = (struct scheme){.name = "dark", .is_dark = true};
    read_scheme(theme_light, &layout, light, notes);
    read_scheme(theme_dark, &layout, dark, notes);
}
