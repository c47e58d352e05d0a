/*
 * A fuzz target: colours of a theme, src/theme/colour.h, and the steps of css_scan.h. What is read is printed and read again as the same; guards keep what they promise.
 */
#include <math.h>

#include "../../src/theme/colour.h"
#include "../../src/theme/css_scan.h"
#include "fuzz.h"

static bool is_same(struct colour a, struct colour b)
{
    return a.red == b.red && a.green == b.green && a.blue == b.blue && a.alpha == b.alpha;
}

static void check_text(const char *text)
{
    struct colour colour, again;
    const char *at = text, *end = text + strlen(text);
    double value;
    bool scanned = colour_scan(&at, &colour);
    insist(at >= text && at <= end);
    if (colour_read(text, &colour)) {
        char printed[COLOUR_TEXT_BYTES];
        colour_print(colour, printed);
        insist(scanned || text[0] == ' ' || text[0] == '\t' || text[0] == '\r' || text[0] == '\n');
        insist(colour_read(printed, &again) && is_same(colour, again));
        double hsl[3];
        colour_hsl(colour, hsl);
        insist(hsl[0] >= 0 && hsl[0] <= 360 && hsl[1] >= 0 && hsl[1] <= 100.001 && hsl[2] >= 0 && hsl[2] <= 100.001);
    }
    at = text;
    (void)css_scan_space(&at);
    (void)css_scan_word(&at, "inset");
    if (css_scan_number(&at, &value))
        insist(isfinite(value) && fabs(value) < 1e6);
    (void)css_scan_char(&at, '%');
    insist(at >= text && at <= end);
}

static struct colour take(const uint8_t *at)
{
    return (struct colour){at[0], at[1], at[2], 255};
}

static void check_guards(const uint8_t *bytes)
{
    enum { GROUNDS = 3 };
    const double ratio = bytes[0] % 2 == 0 ? 4.5 : 3;
    struct colour grounds[GROUNDS] = {take(bytes), take(bytes + 3), take(bytes + 6)}, colour = take(bytes + 9), was = colour, pulled = take(bytes + 3);
    size_t count = 1 + bytes[1] % GROUNDS;
    double contrast = colour_contrast(grounds[0], grounds[1]);
    insist(contrast >= 1 && contrast <= 21.001);
    insist(colour_contrast(colour_readable(grounds[0]), grounds[0]) >= 4.5);
    if (colour_move(&colour, grounds, count, ratio)) {
        for (size_t i = 0; i < count; i++)
            insist(colour_contrast(colour, grounds[i]) >= ratio);
    } else {
        insist(is_same(colour, was) && count > 1);
    }
    if (colour_pull(&pulled, grounds[0], was, ratio))
        insist(colour_contrast(was, pulled) >= ratio);
    else
        insist(is_same(pulled, grounds[0]));
    struct colour top = {bytes[0], bytes[4], bytes[8], bytes[10]};
    insist(colour_over(top, grounds[0]).alpha == 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { BYTES = 12 };
    if (size == 0)
        return 0;
    char *text = fuzz_text(data + 1, size - 1);
    check_text(text);
    if (size > BYTES && data[0] % 2 == 0)
        check_guards(data + 1);
    free(text);
    return 0;
}
