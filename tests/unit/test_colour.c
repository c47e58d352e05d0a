/*
 * Tests of src/theme/colour.h: what is a colour and what is not, WCAG's ratios, moving until a ratio holds.
 */
#include "unit.h"

#include "../../src/theme/colour.h"

/* What a text is read as; "-": no colour. */
static const char *as_read(const char *text)
{
    static char printed[COLOUR_TEXT_BYTES];
    struct colour colour;
    const char *guarded = guard(text, strlen(text) + 1);
    if (!colour_read(guarded, &colour))
        return "-";
    colour_print(colour, printed);
    return printed;
}

static struct colour colour_of(const char *text)
{
    struct colour colour = {0};
    assert_true(colour_read(text, &colour));
    return colour;
}

static bool is_same(struct colour a, struct colour b)
{
    return a.red == b.red && a.green == b.green && a.blue == b.blue && a.alpha == b.alpha;
}

struct reading {
    const char *text, *read;
};

static void check_readings(const struct reading *readings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(as_read(readings[i].text), readings[i].read) != 0) {
            print_error("\"%s\" is read as %s, not %s\n", readings[i].text, as_read(readings[i].text), readings[i].read);
            _fail(__FILE__, __LINE__);
        }
}

#define CHECK(readings) check_readings(readings, sizeof(readings) / sizeof(readings)[0])

static void hexadecimal_has_3_4_6_or_8_digits(void **state)
{
    (void)state;
    static const struct reading readings[] = {
        {"#abc", "#aabbcc"},   {"#ABCD", "#aabbccdd"}, {"#a1B2c3", "#a1b2c3"},  {"#a1b2c3d4", "#a1b2c3d4"}, {" #fff\t", "#ffffff"}, {"#000000FF", "#000000"}, {"", "-"},
        {"#", "-"},            {"#a", "-"},            {"#ab", "-"},            {"#abcde", "-"},            {"#abcdeff", "-"},      {"#abcdeff00", "-"},      {"#12345g", "-"},
        {"#fff;}", "-"},       {"abc", "-"},           {"#fff #fff", "-"},      {"##fff", "-"},             {"# fff", "-"},
    };
    CHECK(readings);
}

static void functions_take_plain_numbers_in_both_notations(void **state)
{
    (void)state;
    static const struct reading readings[] = {
        {"rgb(1,2,3)", "#010203"},
        {"RGB( 1 , 2 , 3 )", "#010203"},
        {"rgb(255 0 127)", "#ff007f"},
        {"rgb(100% 0% 50%)", "#ff0080"},
        {"rgba(17,17,17,.15)", "#11111126"},
        {"rgb(17 17 17 / 15%)", "#11111126"},
        {"rgb(17 17 17/0.5)", "#11111180"},
        {"rgba(17, 17, 17, 1)", "#111111"},
        {"hsl(0 100% 50%)", "#ff0000"},
        {"hsl(120, 100%, 25%)", "#008000"},
        {"hsla(240deg, 100%, 50%, 0.5)", "#0000ff80"},
        {"hsl(-120 100% 50%)", "#0000ff"},
        {"hsl(720 0% 100%)", "#ffffff"},
        {"oklch(1 0 0)", "#ffffff"},
        {"oklch(0 0 0)", "#000000"},
        {"oklch(62.8% 0.2577 29.23)", "#ff0000"},
        {"oklch(0.452 0.3132 264.05deg / .5)", "#0000ff80"},
    };
    CHECK(readings);
}

static void whatever_else_css_knows_is_no_colour_here(void **state)
{
    (void)state;
    static const struct reading readings[] = {
        {"red", "-"},
        {"transparent", "-"},
        {"currentcolor", "-"},
        {"var(--x)", "-"},
        {"url(http://h/)", "-"},
        {"rgb(256 0 0)", "-"},
        {"rgb(-1 0 0)", "-"},
        {"rgb(1 2)", "-"},
        {"rgb(1 2 3 4)", "-"},
        {"rgb(1,2 3)", "-"},
        {"rgb(1 2,3)", "-"},
        {"rgb(1,2,3/1)", "-"},
        {"rgb(1 2 3,1)", "-"},
        {"rgb(1,2,3", "-"},
        {"rgb(1,2,3))", "-"},
        {"rgb(10% 2 3)", "-"},
        {"rgb(1deg 2 3)", "-"},
        {"rgb(1 2 3 / 2)", "-"},
        {"rgb(1 2 3 / -0.1)", "-"},
        {"rgb(1 2 3 / 1deg)", "-"},
        {"rgb(1e2 2 3)", "-"},
        {"rgb(0x1 2 3)", "-"},
        {"rgb(nan 2 3)", "-"},
        {"rgb(inf 2 3)", "-"},
        {"rgb(calc(1) 2 3)", "-"},
        {"rgb(none 2 3)", "-"},
        {"rgb(1. 2 3)", "-"},
        {"rgb (1 2 3)", "-"},
        {"rgbx(1 2 3)", "-"},
        {"hsl(10% 1% 1%)", "-"},
        {"hsl(1 101% 1%)", "-"},
        {"hsl(1turn 1% 1%)", "-"},
        {"hsl(9999999 1% 1%)", "-"},
        {"oklch(2 0 0)", "-"},
        {"oklch(1 9 0)", "-"},
        {"oklch(1,0,0)", "-"},
        {"oklch(1 0deg 0)", "-"},
        {"rgb(1 2 3)}body{", "-"},
        {"rgb(1 2 3)/**/", "-"},
        {"\\23 fff", "-"},
    };
    CHECK(readings);
}

static void cut_anywhere_a_colour_is_read_or_not_and_nothing_beyond_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {"#a1b2c3d4", "rgba( 17, 17%, 17deg, .15 )", "hsl(120deg 100% 25% / 0.5)", "oklch(0.452 0.3132 264.05deg / .5)"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (size_t len = 0; len <= strlen(texts[i]); len++) {
            char cut[64] = {0};
            memcpy(cut, texts[i], len);
            (void)as_read(cut); /* the guard page is the test */
        }
}

#define assert_near(a, b) assert_true((a) > (b) - 0.006 && (a) < (b) + 0.006)

/* The ratios of the stock themes, worked out by others. */
static void contrast_is_wcags(void **state)
{
    (void)state;
    assert_near(colour_contrast(COLOUR_BLACK, COLOUR_WHITE), 21.0);
    assert_near(colour_contrast(COLOUR_WHITE, COLOUR_WHITE), 1.0);
    assert_near(colour_contrast(colour_of("#767676"), COLOUR_WHITE), 4.54);
    assert_near(colour_contrast(colour_of("#a27225"), colour_of("#fffbf6")), 4.10);
    assert_near(colour_contrast(colour_of("#fffbf6"), colour_of("#db924b")), 2.48);
}

static void mixing_and_covering_go_by_the_share(void **state)
{
    (void)state;
    assert_true(is_same(colour_mix(COLOUR_BLACK, COLOUR_WHITE, 0.5), colour_of("#808080")));
    assert_true(is_same(colour_mix(colour_of("#102030"), COLOUR_WHITE, 0), colour_of("#102030")));
    assert_true(is_same(colour_mix(colour_of("#102030"), COLOUR_WHITE, 1), COLOUR_WHITE));
    assert_true(is_same(colour_over(colour_of("#ffffff80"), COLOUR_BLACK), colour_of("#808080")));
    assert_true(is_same(colour_over(colour_of("#12345600"), COLOUR_WHITE), COLOUR_WHITE));
    assert_true(is_same(colour_over(colour_of("#123456"), COLOUR_WHITE), colour_of("#123456")));
}

static void black_or_white_can_be_read_on_anything(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 20000; i++) {
        uint32_t bits = unit_random(&random);
        struct colour ground = {(unsigned char)bits, (unsigned char)(bits >> 8), (unsigned char)(bits >> 16), 255};
        assert_true(colour_contrast(colour_readable(ground), ground) >= 4.5);
        struct colour text = {(unsigned char)(bits >> 4), (unsigned char)(bits >> 12), (unsigned char)(bits >> 20), 255};
        assert_true(colour_move(&text, &ground, 1, 4.5));
        assert_true(colour_contrast(text, ground) >= 4.5);
    }
}

static void a_move_is_no_longer_than_it_must_be(void **state)
{
    (void)state;
    struct colour grounds[2] = {COLOUR_WHITE, colour_of("#eeeeee")}, text = colour_of("#222222");
    assert_true(colour_move(&text, grounds, 2, 4.5));
    assert_true(is_same(text, colour_of("#222222")));
    text = colour_of("#ff0000");
    assert_true(colour_move(&text, grounds, 2, 4.5));
    assert_true(text.red > 180 && text.green == 0 && text.blue == 0);
    assert_true(colour_contrast(text, grounds[1]) >= 4.5 && colour_contrast(text, grounds[1]) < 4.7);
}

static void what_cannot_hold_on_all_grounds_is_left_alone(void **state)
{
    (void)state;
    struct colour grounds[2] = {COLOUR_WHITE, COLOUR_BLACK}, text = colour_of("#444444");
    assert_false(colour_move(&text, grounds, 2, 4.7));
    assert_true(is_same(text, colour_of("#444444")));
}

static void a_ground_is_pulled_until_the_text_holds(void **state)
{
    (void)state;
    struct colour ground = colour_of("#444444");
    assert_true(colour_pull(&ground, COLOUR_WHITE, COLOUR_BLACK, 4.5));
    assert_true(colour_contrast(ground, COLOUR_BLACK) >= 4.5 && colour_contrast(ground, COLOUR_BLACK) < 4.8);
    assert_false(colour_pull(&ground, COLOUR_BLACK, colour_of("#010101"), 10));
    assert_true(is_same(ground, COLOUR_BLACK));
}

static void hue_saturation_and_lightness_come_back(void **state)
{
    (void)state;
    uint64_t random = 9;
    for (int i = 0; i < 20000; i++) {
        uint32_t bits = unit_random(&random);
        struct colour colour = {(unsigned char)bits, (unsigned char)(bits >> 8), (unsigned char)(bits >> 16), 255}, again = {0};
        double hsl[3];
        char text[64];
        colour_hsl(colour, hsl);
        (void)snprintf(text, sizeof text, "hsl(%.4f %.4f%% %.4f%%)", hsl[0], hsl[1], hsl[2]);
        assert_true(colour_read(text, &again));
        assert_true(is_same(colour, again));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(hexadecimal_has_3_4_6_or_8_digits),
    cmocka_unit_test(functions_take_plain_numbers_in_both_notations),
    cmocka_unit_test(whatever_else_css_knows_is_no_colour_here),
    cmocka_unit_test(cut_anywhere_a_colour_is_read_or_not_and_nothing_beyond_it_is),
    cmocka_unit_test(contrast_is_wcags),
    cmocka_unit_test(mixing_and_covering_go_by_the_share),
    cmocka_unit_test(black_or_white_can_be_read_on_anything),
    cmocka_unit_test(a_move_is_no_longer_than_it_must_be),
    cmocka_unit_test(what_cannot_hold_on_all_grounds_is_left_alone),
    cmocka_unit_test(a_ground_is_pulled_until_the_text_holds),
    cmocka_unit_test(hue_saturation_and_lightness_come_back),
};

UNIT_MAIN(tests)
