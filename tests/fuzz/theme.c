/*
 * A fuzz target: theme.json through src/theme/theme.h. The style sheet holds nothing but names of ours, numbers and colours; what is said is whole sentences; the page's text and
 * the text of each role can be read on what they are written on.
 */
#include "../../src/base/limits.h"
#include "../../src/theme/theme_internal.h"
#include "fuzz.h"

static size_t said;

static void note(void *arg, const char *sentence)
{
    (void)arg;
    said++;
    insist(utf8_valid(sentence, strlen(sentence)) && strlen(sentence) > 0);
}

/* Whatever comes behind the colon of a declaration that starts with -- is made of these. */
static void check_sheet(const char *css)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.,#% ()";
    for (const char *line = css; *line != '\0';) {
        const char *end = strchr(line, '\n');
        insist(end != NULL);
        const char *start = line + strspn(line, " ");
        if (strncmp(start, "--", 2) == 0) {
            const char *colon = strchr(start, ':');
            insist(colon != NULL && colon < end && end[-1] == ';');
            insist(colon + 1 + strspn(colon + 1, plain) == end - 1 && strstr(css, "url(") == NULL);
        }
        line = end + 1;
    }
}

static void check_scheme(const struct scheme *scheme)
{
    const double text = 4.5;
    struct colour ground = scheme->roles[ROLE_BACKGROUND].base, foreground = scheme->roles[ROLE_FOREGROUND].base;
    insist(ground.alpha == 255 && colour_contrast(foreground, ground) >= text);
    for (int i = 0; i < ROLES_WITH_SCALE; i++)
        insist(colour_contrast(scheme->roles[i].foreground, scheme->roles[i].base) >= text);
    for (int i = 0; i < CONTENTS; i++) {
        insist(colour_contrast(foreground, scheme->roles[ROLE_CONTENT1 + i].base) >= text);
        insist(colour_contrast(scheme->roles[ROLE_CONTENT1 + i].foreground, scheme->roles[ROLE_CONTENT1 + i].base) >= text);
    }
    for (int i = 0; i < STATES; i++)
        insist(colour_contrast(scheme->states[i], ground) >= text && colour_contrast(scheme->on_states[i], scheme->states[i]) >= text);
    insist(colour_contrast(scheme->link, ground) >= text && colour_contrast(scheme->muted, ground) >= text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *why = NULL;
    struct buf css;
    char *text = fuzz_bytes(data + 1, size - 1);
    said = 0;
    buf_init(&css, LIMIT_THEME_CSS_BYTES);
    bool good = theme_css(text, size - 1, &css, note, NULL, &why);
    insist(good == (why == NULL) && said <= LIMIT_THEME_NOTES + 1);
    if (good) {
        struct theme_notes silent = {0};
        struct scheme light, dark;
        insist(!buf_failed(&css));
        check_sheet(css.data);
        json_object *file = json_read(text, size - 1, &why);
        theme_read(file, &light, &dark, &silent);
        theme_guard(&light, &silent);
        theme_guard(&dark, &silent);
        check_scheme(&light);
        check_scheme(&dark);
        json_object_put(file);
    }
    buf_free(&css);
    free(text);
    return 0;
}
