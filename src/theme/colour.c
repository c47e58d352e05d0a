/*
 * Colours of colour.h. Formulas: CSS Color Module Level 4 (sections 4 to 9, and 18 for the matrices of Oklab), WCAG 2.2 ("relative luminance", "contrast ratio").
 */
#include "colour.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "css_scan.h"

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static unsigned char to_byte(double value) /* 0 … 1, clamped */
{
    return value <= 0 ? 0 : value >= 1 ? 255 : (unsigned char)lround(value * 255);
}

static bool scan_hex(const char **at, struct colour *colour)
{
    unsigned char digits[8], bytes[4] = {0, 0, 0, 255};
    size_t n = 0;
    for (; n < sizeof digits && hex_digit(**at) >= 0; (*at)++)
        digits[n++] = (unsigned char)hex_digit(**at);
    if ((n != 3 && n != 4 && n != 6 && n != 8) || hex_digit(**at) >= 0)
        return false;
    for (size_t i = 0; i < (n <= 4 ? n : n / 2); i++)
        bytes[i] = (unsigned char)(n <= 4 ? digits[i] * 17 : digits[2 * i] * 16 + digits[2 * i + 1]);
    *colour = (struct colour){bytes[0], bytes[1], bytes[2], bytes[3]};
    return true;
}

/* A number within a function. */
struct part {
    double value;
    bool is_percent, is_degrees; /* by what stands after it */
};

static bool scan_part(const char **at, struct part *part)
{
    if (!css_scan_number(at, &part->value))
        return false;
    part->is_percent = css_scan_char(at, '%');
    part->is_degrees = !part->is_percent && css_scan_word(at, "deg");
    return true;
}

/* The part as 0 … 1, where 100 % and a plain number of `full` are 1. */
static bool take_share(struct part part, double full, double *share)
{
    *share = part.value / (part.is_percent ? 100 : full);
    return !part.is_degrees && *share >= 0 && *share <= 1;
}

/* Steps over what stands between the parts: a comma everywhere, or blanks everywhere. */
static bool scan_gap(const char **at, bool *has_commas, bool is_first)
{
    bool blank = css_scan_space(at), comma = css_scan_char(at, ',');
    (void)css_scan_space(at);
    if (is_first)
        *has_commas = comma;
    return comma == *has_commas && (comma || blank);
}

static bool scan_parts(const char **at, struct part parts[3], double *alpha, bool *has_commas)
{
    *alpha = 1;
    (void)css_scan_space(at);
    for (int i = 0; i < 3; i++)
        if ((i > 0 && !scan_gap(at, has_commas, i == 1)) || !scan_part(at, &parts[i]))
            return false;
    (void)css_scan_space(at);
    if (css_scan_char(at, *has_commas ? ',' : '/')) {
        struct part part;
        (void)css_scan_space(at);
        if (!scan_part(at, &part) || !take_share(part, 1, alpha))
            return false;
        (void)css_scan_space(at);
    }
    return css_scan_char(at, ')');
}

static bool from_rgb(const struct part parts[3], double rgb[3])
{
    for (int i = 0; i < 3; i++)
        if (parts[i].is_percent != parts[0].is_percent || !take_share(parts[i], 255, &rgb[i]))
            return false;
    return true;
}

static double turn(double degrees) /* 0 … 360 */
{
    double hue = fmod(degrees, 360);
    return hue < 0 ? hue + 360 : hue;
}

static bool from_hsl(const struct part parts[3], double rgb[3])
{
    static const double offsets[3] = {0, 8, 4};
    double saturation, lightness;
    if (parts[0].is_percent || !take_share(parts[1], 100, &saturation) || !take_share(parts[2], 100, &lightness))
        return false;
    for (int i = 0; i < 3; i++) {
        double k = fmod(offsets[i] + turn(parts[0].value) / 30, 12);
        rgb[i] = lightness - saturation * fmin(lightness, 1 - lightness) * fmax(-1, fmin(fmin(k - 3, 9 - k), 1));
    }
    return true;
}

static double encode_channel(double linear)
{
    return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
}

/* What lies outside sRGB is cut off channel by channel. */
static bool from_oklch(const struct part parts[3], double rgb[3])
{
    const double full_chroma = 0.4, most_chroma = 0.5, pi = 3.14159265358979323846;
    double lightness, chroma = parts[1].value * (parts[1].is_percent ? full_chroma / 100 : 1);
    if (parts[2].is_percent || parts[1].is_degrees || !take_share(parts[0], 1, &lightness) || !(chroma >= 0 && chroma <= most_chroma))
        return false;
    double hue = turn(parts[2].value) * pi / 180, a = chroma * cos(hue), b = chroma * sin(hue);
    double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3), m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3),
           s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    rgb[0] = encode_channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
    rgb[1] = encode_channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
    rgb[2] = encode_channel(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
    return true;
}

static const struct {
    const char *name;
    bool takes_commas;
    bool (*convert)(const struct part parts[3], double rgb[3]);
} functions[] = {{"rgb", true, from_rgb}, {"rgba", true, from_rgb}, {"hsl", true, from_hsl}, {"hsla", true, from_hsl}, {"oklch", false, from_oklch}};

bool colour_scan(const char **at, struct colour *colour)
{
    if (css_scan_char(at, '#'))
        return scan_hex(at, colour);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        struct part parts[3];
        double alpha, rgb[3];
        bool has_commas = false;
        if (!css_scan_word(at, functions[i].name))
            continue;
        if (!css_scan_char(at, '(') || !scan_parts(at, parts, &alpha, &has_commas) || (has_commas && !functions[i].takes_commas) || !functions[i].convert(parts, rgb))
            return false;
        *colour = (struct colour){to_byte(rgb[0]), to_byte(rgb[1]), to_byte(rgb[2]), to_byte(alpha)};
        return true;
    }
    return false;
}

bool colour_read(const char *text, struct colour *colour)
{
    (void)css_scan_space(&text);
    if (!colour_scan(&text, colour))
        return false;
    (void)css_scan_space(&text);
    return *text == '\0';
}

/* --- computing ---------------------------------------------------------------------------------------------------- */

static unsigned char mix_byte(unsigned char a, unsigned char b, double share)
{
    return (unsigned char)lround(a + (b - a) * share);
}

struct colour colour_mix(struct colour a, struct colour b, double share)
{
    return (struct colour){mix_byte(a.red, b.red, share), mix_byte(a.green, b.green, share), mix_byte(a.blue, b.blue, share), mix_byte(a.alpha, b.alpha, share)};
}

struct colour colour_over(struct colour top, struct colour under)
{
    double share = top.alpha / 255.0;
    top.alpha = under.alpha;
    return colour_mix(under, top, share);
}

static double luminance(struct colour colour)
{
    static const double weights[3] = {0.2126, 0.7152, 0.0722};
    const unsigned char bytes[3] = {colour.red, colour.green, colour.blue};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double c = bytes[i] / 255.0;
        sum += weights[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

double colour_contrast(struct colour a, struct colour b)
{
    double first = luminance(a) + 0.05, second = luminance(b) + 0.05;
    return first > second ? first / second : second / first;
}

struct colour colour_readable(struct colour ground)
{
    return colour_contrast(COLOUR_BLACK, ground) >= colour_contrast(COLOUR_WHITE, ground) ? COLOUR_BLACK : COLOUR_WHITE;
}

enum { STEPS = 100 }; /* of a move: one per cent each */

static bool holds(struct colour colour, const struct colour *grounds, size_t count, double ratio)
{
    for (size_t i = 0; i < count; i++)
        if (colour_contrast(colour, grounds[i]) < ratio)
            return false;
    return true;
}

/* How many steps towards `end` it takes; more than STEPS: that way leads nowhere. */
static int steps_to(struct colour colour, struct colour end, const struct colour *grounds, size_t count, double ratio)
{
    int i = 0;
    while (i <= STEPS && !holds(colour_mix(colour, end, (double)i / STEPS), grounds, count, ratio))
        i++;
    return i;
}

bool colour_move(struct colour *colour, const struct colour *grounds, size_t count, double ratio)
{
    int dark = steps_to(*colour, COLOUR_BLACK, grounds, count, ratio), light = steps_to(*colour, COLOUR_WHITE, grounds, count, ratio);
    int steps = dark < light ? dark : light;
    if (steps > STEPS)
        return false;
    *colour = colour_mix(*colour, dark < light ? COLOUR_BLACK : COLOUR_WHITE, (double)steps / STEPS);
    return true;
}

bool colour_pull(struct colour *colour, struct colour end, struct colour text, double ratio)
{
    struct colour start = *colour;
    for (int i = 0; i <= STEPS; i++) {
        *colour = colour_mix(start, end, (double)i / STEPS);
        if (colour_contrast(text, *colour) >= ratio)
            return true;
    }
    return false;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

void colour_print(struct colour colour, char text[COLOUR_TEXT_BYTES])
{
    (void)snprintf(text, COLOUR_TEXT_BYTES, colour.alpha == 255 ? "#%02x%02x%02x" : "#%02x%02x%02x%02x", colour.red, colour.green, colour.blue, colour.alpha);
}

void colour_hsl(struct colour colour, double hsl[3])
{
    double red = colour.red / 255.0, green = colour.green / 255.0, blue = colour.blue / 255.0;
    double most = fmax(red, fmax(green, blue)), least = fmin(red, fmin(green, blue)), range = most - least, lightness = (most + least) / 2;
    double hue = 0;
    if (range > 0)
        hue = most == red ? (green - blue) / range : most == green ? 2 + (blue - red) / range : 4 + (red - green) / range;
    hsl[0] = turn(hue * 60);
    hsl[1] = range > 0 ? 100 * range / (1 - fabs(2 * lightness - 1)) : 0;
    hsl[2] = 100 * lightness;
}
