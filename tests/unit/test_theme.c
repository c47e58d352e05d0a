/*
 * Tests of src/theme/theme.h: every shape that the file may have, what is refused, that no text of the file reaches the style sheet, and that whatever comes out can be read.
 */
#include "unit.h"

#include "../../src/theme/colour.h"
#include "../../src/base/limits.h"
#include "../../src/theme/theme.h"

/* --- making a style sheet and looking into it ------------------------------------------------------------------------- */

static char notes[64 * 1024];
static char css[LIMIT_THEME_CSS_BYTES + 1];
static const char *why;

static void keep_note(void *arg, const char *sentence)
{
    (void)arg;
    size_t len = strlen(notes);
    (void)snprintf(notes + len, sizeof notes - len, "%s\n", sentence);
}

static bool convert_bytes(const char *text, size_t len)
{
    struct buf out;
    notes[0] = '\0';
    buf_init(&out, LIMIT_THEME_CSS_BYTES);
    bool good = theme_css(guard(text, len), len, &out, keep_note, NULL, &why);
    assert_int_equal(good, why == NULL);
    (void)snprintf(css, sizeof css, "%s", good ? out.data : "");
    buf_free(&out);
    return good;
}

static void convert(const char *text)
{
    assert_true(convert_bytes(text, strlen(text)));
}

static const char *reason(const char *text)
{
    assert_false(convert_bytes(text, strlen(text)));
    return why;
}

static const char light[] = ":root {\n", media[] = "  :root:not([data-theme=\"light\"]) {\n", chosen[] = ":root[data-theme=\"dark\"] {\n", class[] = ".dark {\n";

/* The value of a token in one of the blocks; "-": it is not there. */
static const char *value_of(const char *block, const char *token)
{
    static char values[8][256];
    static unsigned next;
    char *value = values[next++ % 8], start[80];
    const char *at = strstr(css, block);
    assert_non_null(at);
    const char *end = strchr(at, '}');
    (void)snprintf(start, sizeof start, " --%s: ", token);
    at = strstr(at, start);
    if (at == NULL || at > end)
        return "-";
    at += strlen(start);
    (void)snprintf(value, 256, "%.*s", (int)strcspn(at, ";"), at);
    return value;
}

#define assert_token(block, token, value) assert_string_equal(value_of(block, token), value)

static struct colour colour_in(const char *block, const char *token)
{
    struct colour colour = {0};
    if (!colour_read(value_of(block, token), &colour)) {
        print_error("--%s is \"%s\"\n", token, value_of(block, token));
        _fail(__FILE__, __LINE__);
    }
    return colour;
}

/* Each line is one that this program writes whatever the file says, or a declaration whose value has only what numbers, colours and shadows need. */
static void check_grammar(void)
{
    static const char *const fixed[] = {":root {", "@media (prefers-color-scheme: dark) {", "  :root:not([data-theme=\"light\"]) {", "  }", "}", ":root[data-theme=\"dark\"] {", ".dark {",
                                        "@media (prefers-contrast: more) {", "  :root:root, .dark { --muted: var(--fg); --line: var(--line-strong); }",
                                        "body { background-color: var(--bg); color: var(--fg); }", "  --fs: var(--fs-medium);", "    --fs: var(--fs-medium);"};
    for (const char *at = css; *at != '\0';) {
        size_t len = strcspn(at, "\n"), n = strspn(at, " ");
        bool good = at[len] == '\n';
        bool is_fixed = false;
        for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
            is_fixed = is_fixed || (len == strlen(fixed[i]) && memcmp(at, fixed[i], len) == 0);
        if (!is_fixed) {
            good = good && strncmp(at + n, "--", 2) == 0;
            n += strspn(at + n, "abcdefghijklmnopqrstuvwxyz0123456789-");
            good = good && strncmp(at + n, ": ", 2) == 0;
            n += 2;
            size_t value = strspn(at + n, "#0123456789abcdef.%- ,pxreminst");
            good = good && value > 0 && n + value + 1 == len && at[n + value] == ';';
        }
        if (!good) {
            print_error("this line should not be there: %.*s\n", (int)len, at);
            _fail(__FILE__, __LINE__);
        }
        at += len + (at[len] == '\n');
    }
}

static void check_pair(const char *block, const char *text, const char *ground, double ratio)
{
    struct colour under = colour_in(block, ground), over = colour_over(colour_in(block, text), under);
    if (under.alpha == 255 && colour_contrast(over, under) >= ratio)
        return;
    print_error("%s: --%s on --%s has %.3f, %.1f is needed\n", block, text, ground, colour_contrast(over, under), ratio);
    _fail(__FILE__, __LINE__);
}

/* All that is written on something. */
static void check_pairs(void)
{
    static const char *const blocks[] = {light, media, chosen, class};
    static const char *const own[][2] = {{"on-surface-1", "surface-1"}, {"on-surface-2", "surface-2"}, {"on-surface-3", "surface-3"}, {"on-surface-4", "surface-4"}, {"on-accent", "accent"},
                                         {"on-accent", "accent-strong"}, {"on-accent-2", "accent-2"}, {"on-ok", "ok"}, {"on-warn", "warn"}, {"on-err", "err"}, {"on-neutral-4", "neutral-4"},
                                         {"fg", "accent-soft"}, {"fg", "neutral-1"}, {"fg", "neutral-2"}, {"fg", "neutral-3"}, {"err", "err-soft"}, {"ok", "ok-soft"}, {"warn", "warn-soft"},
                                         {"fg", "err-soft"}};
    static const char *const grounds[] = {"bg", "surface-1", "surface-2", "surface-3", "surface-4"};
    for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            check_pair(blocks[b], own[i][0], own[i][1], 4.5);
        for (size_t i = 0; i < 5; i++) {
            check_pair(blocks[b], "fg", grounds[i], 4.5);
            check_pair(blocks[b], "focus", grounds[i], 3);
        }
        for (size_t i = 0; i < 4; i++) {
            check_pair(blocks[b], "link", grounds[i], 4.5);
            check_pair(blocks[b], "err", grounds[i], 4.5);
            check_pair(blocks[b], "ok", grounds[i], 4.5);
            check_pair(blocks[b], "warn", grounds[i], 4.5);
        }
        for (size_t i = 0; i < 3; i++) {
            check_pair(blocks[b], "muted", grounds[i], 4.5);
            check_pair(blocks[b], "line-strong", grounds[i], 3);
        }
    }
}

static void check_sheet(void)
{
    check_grammar();
    check_pairs();
}

/* --- shapes of the file --------------------------------------------------------------------------------------------------- */

#define LIGHT(colors) "{\"themes\":{\"light\":{\"colors\":{" colors "}}}}"
#define DARK(colors) "{\"themes\":{\"dark\":{\"colors\":{" colors "}}}}"
#define LAYOUT(members) "{\"themes\":{},\"layout\":{" members "}}"

static void an_empty_object_gives_herouis_own_colours(void **state)
{
    (void)state;
    convert("{}");
    assert_contains(notes, "There are no \"themes\"");
    assert_token(light, "bg", "#ffffff");
    assert_token(light, "fg", "#11181c");
    assert_token(light, "accent", "#006fee");
    assert_token(light, "surface-2", "#f4f4f5");
    assert_token(light, "line", "#11111126");
    assert_token(light, "backdrop", "#00000080");
    assert_token(media, "bg", "#000000");
    assert_token(chosen, "surface-3", "#3f3f46");
    assert_token(class, "line", "#ffffff26");
    assert_token(light, "hover", "0.8");
    assert_token(media, "hover", "0.9");
    assert_token(light, "r-l", "14px");
    assert_token(light, "fs-medium", "1rem");
    assert_token(light, "lh-large", "1.75rem");
    assert_token(light, "bw-s", "1px");
    assert_token(light, "disabled", "0.5");
    assert_token(light, "line-w", "1px");
    assert_token(light, "sh-m", "-");
    check_sheet();
}

static void colours_may_be_texts_or_objects(void **state)
{
    (void)state;
    convert(LIGHT("\"primary\":{\"DEFAULT\":\"#123\",\"foreground\":\"#FFF\"},\"secondary\":\"rgb(10,20,30)\",\"content1\":{\"DEFAULT\":\"#fafafa\",\"foreground\":\"#101010\"},\"content2\":\"#eee\","
                  "\"background\":{\"DEFAULT\":\"#fefefe\",\"50\":\"#fff\"},\"foreground\":{\"500\":\"#111\",\"foreground\":\"#fff\"},\"divider\":\"rgba(1,2,3,.5)\",\"overlay\":{\"DEFAULT\":\"#123456\"}"));
    assert_lacks(notes, "ignored");
    assert_token(light, "accent", "#112233");
    assert_token(light, "on-accent", "#ffffff");
    assert_token(light, "accent-2", "#0a141e");
    assert_token(light, "surface-1", "#fafafa");
    assert_token(light, "on-surface-1", "#101010");
    assert_token(light, "surface-2", "#eeeeee");
    assert_token(light, "on-surface-2", "#111111");
    assert_token(light, "bg", "#fefefe");
    assert_token(light, "fg", "#111111");
    assert_token(light, "line", "#01020380");
    assert_token(light, "backdrop", "#12345680");
    assert_token(light, "heroui-background-50", "0 0% 100%");
    assert_token(light, "heroui-divider", "210 50% 0.7843%");
    assert_token(light, "heroui-divider-opacity", "0.502");
    check_sheet();
}

static void a_scale_is_derived_from_one_colour(void **state)
{
    (void)state;
    convert("{\"themes\":{\"light\":{\"colors\":{\"primary\":\"#808080\"}},\"dark\":{\"colors\":{\"primary\":\"#808080\",\"default\":\"#808080\"}}}}");
    assert_token(light, "heroui-primary-50", "0 0% 93.7255%"); /* 87.5 % white: #efefef */
    assert_token(light, "heroui-primary-400", "0 0% 58.8235%"); /* 17.5 % white: #969696 */
    assert_token(light, "heroui-primary-500", "0 0% 50.1961%");
    assert_token(light, "heroui-primary-900", "0 0% 14.902%"); /* 70 % black: #262626 */
    assert_token(media, "heroui-primary-50", "0 0% 14.902%");
    assert_token(media, "heroui-primary-400", "0 0% 50.1961%");
    assert_token(media, "heroui-primary-900", "0 0% 93.7255%");
    assert_token(media, "heroui-default-900", "0 0% 100%"); /* steps of 20 %: all white */
    assert_token(media, "heroui-default-50", "0 0% 10.1961%");
    check_sheet();
}

static void shades_that_are_given_stay_and_the_others_are_derived(void **state)
{
    (void)state;
    convert(LIGHT("\"primary\":{\"100\":\"#fee\",\"500\":\"#800000\"}"));
    assert_token(light, "accent", "#800000");
    assert_token(light, "accent-soft", "#ffeeee");
    assert_token(light, "heroui-primary-100", "0 100% 96.6667%");
    assert_token(light, "heroui-primary-900", "0 100% 7.451%");
}

static void a_theme_may_have_a_layout_of_its_own_and_continue_another(void **state)
{
    (void)state;
    convert("{\"themes\":{\"light\":{\"layout\":{\"radius\":{\"small\":\"3px\"},\"hoverOpacity\":0.25}},\"dark\":{\"extend\":\"light\",\"colors\":{}}},"
            "\"layout\":{\"radius\":{\"small\":\"4px\",\"large\":\"2rem\"}}}");
    assert_lacks(notes, "ignored");
    assert_token(light, "r-s", "3px");
    assert_token(light, "r-l", "2rem");
    assert_token(light, "hover", "0.25");
    assert_token(media, "r-s", "4px");
    assert_token(media, "hover", "0.9");
    assert_token(media, "bg", "#ffffff");
    check_sheet();
}

static void a_full_layout_is_taken(void **state)
{
    (void)state;
    convert(LAYOUT("\"fontSize\":{\"tiny\":\"0.7rem\",\"small\":\"14px\",\"medium\":\"1.05rem\",\"large\":\"20px\"},\"lineHeight\":{\"tiny\":\"1rem\",\"medium\":\"1.6rem\"},"
                   "\"radius\":{\"small\":\"0px\",\"medium\":\"0.5rem\",\"large\":\"9999px\"},\"borderWidth\":{\"small\":\"0.5px\",\"large\":\"4px\"},\"dividerWeight\":\"2px\","
                   "\"disabledOpacity\":\".4\",\"hoverOpacity\":1,\"boxShadow\":{\"small\":\"0px 0px 5px 0px rgb(0 0 0 / 0.02), 0px -2px 10px 0px rgba(0,0,0,.06)\","
                   "\"large\":\"inset 0 0 1px #fff8\"}"));
    assert_lacks(notes, "ignored");
    assert_token(light, "fs-tiny", "0.7rem");
    assert_token(light, "fs-small", "14px");
    assert_token(media, "fs-medium", "1.05rem");
    assert_token(light, "lh-medium", "1.6rem");
    assert_token(light, "r-s", "0px");
    assert_token(light, "r-l", "9999px");
    assert_token(light, "bw-s", "0.5px");
    assert_token(light, "bw-m", "2px");
    assert_token(light, "line-w", "2px");
    assert_token(light, "disabled", "0.4");
    assert_token(light, "hover", "1");
    assert_token(light, "sh-s", "0px 0px 5px 0px #00000005, 0px -2px 10px 0px #0000000f");
    assert_token(light, "sh-l", "inset 0px 0px 1px #ffffff88");
    assert_token(light, "heroui-font-size-tiny", "0.7rem");
    assert_token(light, "heroui-disabled-opacity", "0.4");
    assert_token(light, "heroui-divider-weight", "2px");
    assert_token(light, "heroui-border-width-small", "0.5px");
    assert_token(light, "heroui-box-shadow-large", "inset 0px 0px 1px #ffffff88");
    check_sheet();
}

static void what_is_no_theme_at_all_is_refused_with_a_reason(void **state)
{
    (void)state;
    static char large[LIMIT_THEME_BYTES + 1];
    memset(large, ' ', sizeof large);
    assert_false(convert_bytes(large, sizeof large));
    assert_contains(why, "too large");
    assert_contains(reason("export default {\"themes\":{}}"), "JavaScript");
    assert_contains(reason("\n// made by the builder\nmodule.exports = {}"), "JavaScript");
    assert_contains(reason("{themes:{}}"), "not well-formed");
    assert_contains(reason(""), "cut short");
    assert_contains(reason("[]"), "no JSON object");
    assert_contains(reason("null"), "no JSON object");
    assert_contains(reason("{} {}"), "after the value");
    assert_contains(reason("{\"layout\":NaN}"), "well-formed");
    assert_contains(reason("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
                           "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}"),
                    "nested too deeply");
}

/* --- hostile values ---------------------------------------------------------------------------------------------------------- */

static const char *const hostile[] = {"red;} body{display:none",
                                      "#fff;} body{display:none",
                                      "url(http://evil.example/x)",
                                      "#fff url(//evil.example)",
                                      "</style><script>alert(1)</script>",
                                      "#fff</style>",
                                      "var(--evil)",
                                      "expression(alert(1))",
                                      "@import 'http://evil.example'",
                                      "#fff/**/",
                                      "\\\"}",
                                      "\\u0001\\u001f",
                                      "1e999px",
                                      "1e999",
                                      "-1",
                                      "NaN",
                                      "Infinity",
                                      "99999999999999999999999999px",
                                      "1.00000000000000000000000001px",
                                      "calc(1px)",
                                      "0 0 evil",
                                      "0 0 1px 1px 1px #fff",
                                      "0 0 -1px #fff",
                                      "0 0 #fff, evil",
                                      "0 0 #fff,",
                                      "0 0 9999px #fff",
                                      "é",
                                      ""};

/* Wherever a value may stand, bad ones are left out, named in the notes, and nothing of them is printed. */
static void no_value_of_the_file_is_copied(void **state)
{
    (void)state;
    static const char *const places[] = {LIGHT("\"primary\":\"%s\""), LIGHT("\"background\":{\"DEFAULT\":\"%s\"}"), DARK("\"default\":{\"50\":\"%s\"}"), DARK("\"content4\":{\"foreground\":\"%s\"}"),
                                         LAYOUT("\"radius\":{\"small\":\"%s\"}"), LAYOUT("\"disabledOpacity\":\"%s\""), LAYOUT("\"boxShadow\":{\"small\":\"%s\"}"), LAYOUT("\"dividerWeight\":\"%s\""),
                                         "{\"themes\":{\"light\":{\"extend\":\"%s\"}}}", "{\"themes\":{\"light\":\"%s\"}}", "{\"themes\":\"%s\"}", "{\"layout\":\"%s\"}"};
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++)
        for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
            char text[512];
            (void)snprintf(text, sizeof text, places[p], hostile[i]);
            convert(text);
            assert_contains(notes, "ignored");
            assert_lacks(css, "evil");
            check_sheet();
        }
}

static void no_key_of_the_file_is_copied(void **state)
{
    (void)state;
    static const char *const places[] = {"{\"%s\":1}", "{\"themes\":{\"%s\":{\"colors\":{}}}}", "{\"themes\":{\"light\":{\"%s\":\"#fff\"}}}", LIGHT("\"%s\":\"#fff\""), LIGHT("\"primary\":{\"%s\":\"#fff\"}"),
                                         LAYOUT("\"%s\":\"1px\""), LAYOUT("\"radius\":{\"%s\":\"1px\"}")};
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++)
        for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
            char text[512];
            (void)snprintf(text, sizeof text, places[p], hostile[i]);
            convert(text);
            assert_contains(notes, "ignored");
            assert_lacks(css, "evil");
            check_sheet();
        }
}

static void values_of_other_types_are_left_out(void **state)
{
    (void)state;
    static const char *const values[] = {"null", "true", "1", "1e999", "-1e999", "2", "-0.5", "1.5e3", "[]", "{\"x\":1}", "[\"#fff\"]"};
    static const char *const places[] = {LIGHT("\"primary\":%s"), LIGHT("\"primary\":{\"DEFAULT\":%s}"), "{\"themes\":%s}", "{\"themes\":{\"light\":%s}}", "{\"themes\":{\"light\":{\"colors\":%s}}}",
                                         "{\"layout\":%s}", LAYOUT("\"radius\":%s"), LAYOUT("\"radius\":{\"small\":%s}"), LAYOUT("\"boxShadow\":{\"small\":%s}"), LAYOUT("\"boxShadow\":%s")};
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++)
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            char text[256];
            (void)snprintf(text, sizeof text, places[p], values[i]);
            convert(text);
            if (p != 3 || strcmp(values[i], "null") != 0) /* a scheme that is null is one that is absent */
                assert_contains(notes, "ignored");
            assert_token(light, "accent", "#006fee");
            assert_token(light, "r-s", "8px");
            check_sheet();
        }
    static const char *const opacities[] = {"null", "\"\"", "1.01", "-0.01", "1e999", "\"1e0\"", "true", "{}"};
    for (size_t i = 0; i < sizeof opacities / sizeof opacities[0]; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, LAYOUT("\"disabledOpacity\":%s"), opacities[i]);
        convert(text);
        assert_contains(notes, "layout.disabledOpacity is ignored");
        assert_token(light, "disabled", "0.5");
    }
}

static void sizes_that_would_spoil_the_page_are_left_out(void **state)
{
    (void)state;
    convert(LAYOUT("\"fontSize\":{\"tiny\":\"1px\",\"small\":\"900rem\",\"medium\":\"-1rem\",\"large\":\"12\"},\"borderWidth\":{\"small\":\"17px\"},\"lineHeight\":{\"small\":\"1.5\"}"));
    assert_token(light, "fs-tiny", "0.75rem");
    assert_token(light, "fs-small", "0.875rem");
    assert_token(light, "fs-medium", "1rem");
    assert_token(light, "fs-large", "1.125rem");
    assert_token(light, "bw-s", "1px");
    assert_token(light, "lh-small", "1.25rem");
    assert_contains(notes, "layout.fontSize.large is ignored");
}

static void not_more_is_said_than_anybody_reads(void **state)
{
    (void)state;
    static char text[200 * 1024];
    size_t len = (size_t)snprintf(text, sizeof text, "{\"themes\":{\"light\":{\"colors\":{");
    for (int i = 0; i < 5000; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s\"key%d\":\"x\"", i > 0 ? "," : "", i);
    (void)snprintf(text + len, sizeof text - len, "}}}}");
    convert(text);
    size_t lines = 0;
    for (const char *at = notes; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, LIMIT_THEME_NOTES + 1);
    assert_contains(notes, "more such things");
    check_sheet();
}

static const char coffee[] =
    "{\"themes\":{\"light\":{\"colors\":{\"default\":{\"DEFAULT\":\"#b4afa8\",\"foreground\":\"#000\"},\"primary\":{\"DEFAULT\":\"#db924b\",\"foreground\":\"#fff\"},\"secondary\":\"#5a8486\",\"success\":\"#9db787\","
    "\"warning\":\"#ffd25f\",\"danger\":\"#fc9581\",\"background\":\"#fffbf6\",\"foreground\":\"#a27225\",\"content1\":{\"DEFAULT\":\"#fff2e0\",\"foreground\":\"#a27225\"},\"content2\":\"#ffe9cc\","
    "\"content3\":\"#ffe0b8\",\"content4\":\"#ffd7a3\",\"divider\":\"rgba(17, 17, 17, 0.15)\",\"focus\":\"#db924b\",\"overlay\":\"#000000\"}},\"dark\":{\"colors\":{\"default\":\"#413841\",\"primary\":\"#db924b\","
    "\"background\":\"#20161F\",\"foreground\":\"#c59f60\",\"content1\":\"#2c1f2b\",\"content2\":\"#3e2b3c\",\"content3\":\"#50374d\",\"content4\":\"#62435f\",\"focus\":\"#db924b\"}}},"
    "\"layout\":{\"disabledOpacity\":\"0.5\"}}";

static void garbage_and_what_is_cut_short_never_harm(void **state)
{
    (void)state;
    size_t len = sizeof coffee - 1;
    for (size_t i = 0; i < len; i++)
        assert_false(convert_bytes(coffee, i));
    uint64_t random = 3;
    for (int round = 0; round < 3000; round++) {
        char text[sizeof coffee];
        memcpy(text, coffee, sizeof coffee);
        for (uint32_t i = unit_random(&random) % 4 + 1; i > 0; i--)
            text[unit_random(&random) % len] = round % 2 == 0 ? (char)unit_random(&random) : "#0123f,.()/%\"{}:"[unit_random(&random) % 16];
        if (convert_bytes(text, len))
            check_sheet();
    }
}

static void out_of_memory_is_said(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, LIMIT_THEME_CSS_BYTES);
    mem_fail_after(0);
    assert_false(theme_css(coffee, sizeof coffee - 1, &out, NULL, NULL, &why));
    mem_fail_after(-1);
    assert_contains(why, "memory");
    buf_free(&out);
    buf_init(&out, 1000);
    assert_false(theme_css(coffee, sizeof coffee - 1, &out, NULL, NULL, &why));
    buf_free(&out);
}

/* --- contrast ----------------------------------------------------------------------------------------------------------------- */

static void the_coffee_theme_is_corrected_and_each_correction_is_said(void **state)
{
    (void)state;
    convert(coffee);
    check_sheet();
    assert_token(light, "bg", "#fffbf6");
    assert_token(light, "accent", "#db924b");
    assert_contains(notes, "light: the foreground on content4: #a27225 has a contrast of 3.12:1, 4.5:1 is needed");
    assert_contains(notes, "light: links (made of primary)");
    assert_contains(notes, "light: the focus ring");
    assert_contains(notes, "light: the foreground of primary on it: #ffffff has a contrast of 2.55:1, 4.5:1 is needed: it is #000000 now.");
    assert_contains(notes, "dark: the foreground on content4");
    assert_lacks(notes, "ignored");
}

/* Pairs as poor as those of the stock themes retro and emerald. */
static void links_are_made_readable_where_the_accent_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *text, *block, *background, *primary;
        double ratio;
    } poor[] = {{LIGHT("\"background\":\"#fbfefb\",\"primary\":\"#3ed17d\""), light, "#fbfefb", "#3ed17d", 1.95},
                {LIGHT("\"background\":\"#f4e8d1\",\"primary\":\"#f5d0c4\""), light, "#f4e8d1", "#f5d0c4", 1.18},
                {DARK("\"background\":\"#332e2d\",\"primary\":\"#483224\",\"content1\":\"#332e2d\",\"content2\":\"#332e2d\",\"content3\":\"#332e2d\",\"content4\":\"#332e2d\""), media, "#332e2d", "#483224", 1.12}};
    for (size_t i = 0; i < sizeof poor / sizeof poor[0]; i++) {
        struct colour background, primary;
        assert_true(colour_read(poor[i].background, &background) && colour_read(poor[i].primary, &primary));
        assert_true(colour_contrast(background, primary) > poor[i].ratio - .02 && colour_contrast(background, primary) < poor[i].ratio + .02);
        convert(poor[i].text);
        assert_token(poor[i].block, "accent", poor[i].primary);
        assert_token(poor[i].block, "bg", poor[i].background);
        check_pair(poor[i].block, "link", "bg", 4.5);
        assert_contains(notes, "links (made of primary)");
        check_sheet();
    }
}

static void text_on_a_surface_is_made_readable(void **state)
{
    (void)state;
    convert(DARK("\"content1\":{\"DEFAULT\":\"#332e2d\",\"foreground\":\"#85634f\"}"));
    assert_contains(notes, "dark: the foreground on content1: #85634f has a contrast of 2.48:1, 4.5:1 is needed");
    check_sheet();
}

static void what_can_be_read_is_not_touched(void **state)
{
    (void)state;
    convert("{\"themes\":{\"light\":{\"colors\":{\"primary\":{\"DEFAULT\":\"#004080\",\"700\":\"#002040\",\"100\":\"#e0f0ff\"},\"success\":\"#005020\",\"warning\":\"#604000\",\"danger\":\"#900020\","
            "\"focus\":\"#004080\",\"default\":\"#d4d4d8\"}}}}");
    assert_token(light, "link", "#004080");
    assert_token(light, "ok", "#005020");
    assert_token(light, "err", "#900020");
    assert_token(light, "focus", "#004080");
    assert_lacks(notes, "light: ");
}

/* Light and dark surfaces in one scheme: no text can be read on all. */
static void surfaces_give_way_where_no_text_holds_on_all(void **state)
{
    (void)state;
    convert(LIGHT("\"background\":\"#ffffff\",\"content1\":\"#000000\",\"content2\":\"#ffffff\",\"content3\":\"#000000\",\"foreground\":\"#222222\""));
    assert_token(light, "bg", "#ffffff");
    assert_token(light, "fg", "#222222");
    assert_contains(notes, "light: content1 on it");
    check_sheet();
}

static void see_through_grounds_are_made_opaque(void **state)
{
    (void)state;
    convert("{\"themes\":{\"light\":{\"colors\":{\"background\":\"#ffffff80\",\"content1\":\"#00000010\",\"primary\":\"#00408080\",\"foreground\":\"#00000040\"}},\"dark\":{\"colors\":{\"background\":\"#ffffff00\"}}}}");
    assert_token(light, "bg", "#ffffff");
    assert_token(light, "surface-1", "#efefef");
    assert_token(media, "bg", "#000000");
    check_sheet();
}

static void whatever_the_colours_everything_can_be_read(void **state)
{
    (void)state;
    static const char *const names[] = {"default", "primary", "secondary", "success", "warning", "danger", "background", "foreground", "content1", "content2", "content3", "content4", "focus"};
    uint64_t random = 11;
    for (int round = 0; round < 400; round++) {
        char text[4096];
        size_t len = (size_t)snprintf(text, sizeof text, "{\"themes\":{");
        for (int scheme = 0; scheme < 2; scheme++) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%s\":{\"colors\":{", scheme > 0 ? "," : "", scheme > 0 ? "dark" : "light");
            for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%s\":{\"DEFAULT\":\"#%06x\",\"foreground\":\"#%06x%02x\",\"100\":\"#%06x\"}", i > 0 ? "," : "", names[i],
                                        unit_random(&random) & 0xffffff, unit_random(&random) & 0xffffff, unit_random(&random) & 0xff, unit_random(&random) & 0xffffff);
            len += (size_t)snprintf(text + len, sizeof text - len, "}}");
        }
        (void)snprintf(text + len, sizeof text - len, "}}");
        convert(text);
        check_sheet();
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_empty_object_gives_herouis_own_colours),
    cmocka_unit_test(colours_may_be_texts_or_objects),
    cmocka_unit_test(a_scale_is_derived_from_one_colour),
    cmocka_unit_test(shades_that_are_given_stay_and_the_others_are_derived),
    cmocka_unit_test(a_theme_may_have_a_layout_of_its_own_and_continue_another),
    cmocka_unit_test(a_full_layout_is_taken),
    cmocka_unit_test(what_is_no_theme_at_all_is_refused_with_a_reason),
    cmocka_unit_test(no_value_of_the_file_is_copied),
    cmocka_unit_test(no_key_of_the_file_is_copied),
    cmocka_unit_test(values_of_other_types_are_left_out),
    cmocka_unit_test(sizes_that_would_spoil_the_page_are_left_out),
    cmocka_unit_test(not_more_is_said_than_anybody_reads),
    cmocka_unit_test(garbage_and_what_is_cut_short_never_harm),
    cmocka_unit_test(out_of_memory_is_said),
    cmocka_unit_test(the_coffee_theme_is_corrected_and_each_correction_is_said),
    cmocka_unit_test(links_are_made_readable_where_the_accent_is_not),
    cmocka_unit_test(text_on_a_surface_is_made_readable),
    cmocka_unit_test(what_can_be_read_is_not_touched),
    cmocka_unit_test(surfaces_give_way_where_no_text_holds_on_all),
    cmocka_unit_test(see_through_grounds_are_made_opaque),
    cmocka_unit_test(whatever_the_colours_everything_can_be_read),
};

UNIT_MAIN(tests)
