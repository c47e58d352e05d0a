/*
 * The sizes of a theme: lengths, opacities, shadows. See theme_internal.h.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "css_scan.h"
#include "theme_internal.h"

enum { PX_PER_REM = 16 };

/* A size: where it stands in the file, its names in the style sheet, what it may be (lengths in px), what it is when the file does not say. */
struct layout_row {
    const char *group, *key; /* group NULL: the key stands in "layout" itself */
    const char *token, *hero;
    double least, most;
    struct measure standard;
};

enum { HOVER_ROW = 16 };

static const struct layout_row rows[LAYOUT_ROWS] = {
    {"fontSize", "tiny", "fs-tiny", "font-size-tiny", 8, 64, {.75, UNIT_REM}},
    {"fontSize", "small", "fs-small", "font-size-small", 8, 64, {.875, UNIT_REM}},
    {"fontSize", "medium", "fs-medium", "font-size-medium", 8, 64, {1, UNIT_REM}},
    {"fontSize", "large", "fs-large", "font-size-large", 8, 64, {1.125, UNIT_REM}},
    {"lineHeight", "tiny", "lh-tiny", "line-height-tiny", 8, 128, {1, UNIT_REM}},
    {"lineHeight", "small", "lh-small", "line-height-small", 8, 128, {1.25, UNIT_REM}},
    {"lineHeight", "medium", "lh-medium", "line-height-medium", 8, 128, {1.5, UNIT_REM}},
    {"lineHeight", "large", "lh-large", "line-height-large", 8, 128, {1.75, UNIT_REM}},
    {"radius", "small", "r-s", "radius-small", 0, 9999, {8, UNIT_PX}},
    {"radius", "medium", "r-m", "radius-medium", 0, 9999, {12, UNIT_PX}},
    {"radius", "large", "r-l", "radius-large", 0, 9999, {14, UNIT_PX}},
    {"borderWidth", "small", "bw-s", "border-width-small", 0, 16, {1, UNIT_PX}},
    {"borderWidth", "medium", "bw-m", "border-width-medium", 0, 16, {2, UNIT_PX}},
    {"borderWidth", "large", "bw-l", "border-width-large", 0, 16, {3, UNIT_PX}},
    {NULL, "dividerWeight", "line-w", "divider-weight", 0, 16, {1, UNIT_PX}},
    {NULL, "disabledOpacity", "disabled", "disabled-opacity", 0, 1, {.5, UNIT_NONE}},
    [HOVER_ROW] = {NULL, "hoverOpacity", "hover", "hover-opacity", 0, 1, {.8, UNIT_NONE}},
};

static const struct measure dark_hover = {.9, UNIT_NONE};
static const char *const shadow_keys[SHADOW_SIZES] = {"small", "medium", "large"}, *const shadow_tokens[SHADOW_SIZES] = {"sh-s", "sh-m", "sh-l"};

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* A length; 0 needs no unit. */
static bool scan_length(const char **at, struct measure *length)
{
    if (!css_scan_number(at, &length->value))
        return false;
    length->unit = css_scan_word(at, "rem") ? UNIT_REM : UNIT_PX;
    return length->unit == UNIT_REM || css_scan_word(at, "px") || length->value == 0;
}

static double in_px(struct measure length)
{
    return length.value * (length.unit == UNIT_REM ? PX_PER_REM : 1);
}

static bool read_opacity(json_object *value, double *opacity)
{
    if (json_object_is_type(value, json_type_string)) {
        const char *at = json_object_get_string(value);
        return css_scan_number(&at, opacity) && *at == '\0';
    }
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return false;
    *opacity = json_object_get_double(value);
    return true;
}

/* As `row` wants it. */
static bool read_measure(const struct layout_row *row, json_object *value, struct measure *measure)
{
    struct measure found = {0, UNIT_NONE};
    if (row->standard.unit == UNIT_NONE) {
        if (!read_opacity(value, &found.value))
            return false;
    } else {
        const char *at = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
        if (!scan_length(&at, &found) || *at != '\0')
            return false;
    }
    if (!(in_px(found) >= row->least && in_px(found) <= row->most)) /* so written, it refuses NaN too */
        return false;
    *measure = found;
    return true;
}

static bool scan_shadow(const char **at, struct shadow *shadow)
{
    const double most_px = 256;
    *shadow = (struct shadow){0};
    (void)css_scan_space(at);
    shadow->is_inset = css_scan_word(at, "inset");
    (void)css_scan_space(at);
    while (shadow->length_count < 4 && **at != '#' && strchr("+-.0123456789", **at) != NULL && **at != '\0') {
        struct measure *length = &shadow->lengths[shadow->length_count++];
        if (!scan_length(at, length) || fabs(in_px(*length)) > most_px || !css_scan_space(at))
            return false;
    }
    bool is_blur_good = shadow->length_count < 3 || shadow->lengths[2].value >= 0;
    if (shadow->length_count < 2 || !is_blur_good || !colour_scan(at, &shadow->colour))
        return false;
    (void)css_scan_space(at);
    return true;
}

static bool read_shadows(json_object *value, struct shadows *shadows)
{
    struct shadows found = {0};
    const char *at = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    do
        if (found.count == LIMIT_THEME_SHADOWS || !scan_shadow(&at, &found.layers[found.count++]))
            return false;
    while (css_scan_char(&at, ','));
    if (*at != '\0')
        return false;
    *shadows = found;
    return true;
}

/* Reads the value of a key. False: the key is not known. */
static bool read_value(const char *group, const char *key, json_object *value, const char *path, struct layout *layout, struct theme_notes *notes)
{
    bool is_known = false, good = false;
    for (int i = 0; i < SHADOW_SIZES && group != NULL && strcmp(group, "boxShadow") == 0 && !is_known; i++)
        if (strcmp(shadow_keys[i], key) == 0) {
            is_known = true;
            good = read_shadows(value, &layout->shadows[i]);
        }
    for (int i = 0; i < LAYOUT_ROWS && !is_known; i++)
        if (strcmp(rows[i].key, key) == 0 && (group == NULL ? rows[i].group == NULL : rows[i].group != NULL && strcmp(rows[i].group, group) == 0)) {
            is_known = true;
            good = read_measure(&rows[i], value, &layout->measures[i]);
        }
    if (is_known && !good)
        theme_say(notes, "%s.%s%s%s is ignored: its value cannot be used.", path, group != NULL ? group : "", group != NULL ? "." : "", key);
    return is_known;
}

static bool is_group(const char *name)
{
    bool found = strcmp(name, "boxShadow") == 0;
    for (int i = 0; i < LAYOUT_ROWS; i++)
        found = found || (rows[i].group != NULL && strcmp(rows[i].group, name) == 0);
    return found;
}

void theme_layout_read(json_object *object, const char *path, struct layout *layout, struct theme_notes *notes)
{
    json_object_object_foreach(object, name, value) {
        if (is_group(name) && json_object_is_type(value, json_type_object)) {
            json_object_object_foreach(value, key, member) {
                if (!read_value(name, key, member, path, layout, notes))
                    theme_say(notes, "%s.%s.%.40s is ignored: there is no such key.", path, name, key);
            }
        } else if (!read_value(NULL, name, value, path, layout, notes)) {
            theme_say(notes, "%s.%.40s is ignored: there is no such key, or it is no object.", path, name);
        }
    }
}

void theme_layout_default(struct layout *layout, bool is_dark)
{
    for (int i = 0; i < LAYOUT_ROWS; i++)
        if (layout->measures[i].unit == UNIT_ABSENT)
            layout->measures[i] = is_dark && i == HOVER_ROW ? dark_hover : rows[i].standard;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

void theme_print_number(struct buf *css, double number)
{
    char text[32];
    size_t len = (size_t)snprintf(text, sizeof text, "%.4f", number);
    while (len > 0 && text[len - 1] == '0')
        len--;
    if (len > 0 && text[len - 1] == '.')
        len--;
    buf_add(css, text, len);
}

static void print_measure(struct buf *css, struct measure measure)
{
    theme_print_number(css, measure.value);
    buf_add_text(css, measure.unit == UNIT_PX ? "px" : measure.unit == UNIT_REM ? "rem" : "");
}

static void print_shadows(struct buf *css, const struct shadows *shadows)
{
    for (int i = 0; i < shadows->count; i++) {
        const struct shadow *layer = &shadows->layers[i];
        char colour[COLOUR_TEXT_BYTES];
        buf_add_text(css, i > 0 ? ", " : "");
        buf_add_text(css, layer->is_inset ? "inset " : "");
        for (int k = 0; k < layer->length_count; k++) {
            print_measure(css, layer->lengths[k]);
            buf_add_char(css, ' ');
        }
        colour_print(layer->colour, colour);
        buf_add_text(css, colour);
    }
}

void theme_layout_print(const struct layout *layout, const char *indent, struct buf *css)
{
    for (int i = 0; i < LAYOUT_ROWS; i++) {
        buf_addf(css, "%s--%s: ", indent, rows[i].token);
        print_measure(css, layout->measures[i]);
        buf_addf(css, ";\n%s--heroui-%s: ", indent, rows[i].hero);
        print_measure(css, layout->measures[i]);
        buf_add_text(css, ";\n");
    }
    for (int i = 0; i < SHADOW_SIZES; i++) {
        if (layout->shadows[i].count == 0)
            continue;
        buf_addf(css, "%s--%s: ", indent, shadow_tokens[i]);
        print_shadows(css, &layout->shadows[i]);
        buf_addf(css, ";\n%s--heroui-box-shadow-%s: ", indent, shadow_keys[i]);
        print_shadows(css, &layout->shadows[i]);
        buf_add_text(css, ";\n");
    }
}
