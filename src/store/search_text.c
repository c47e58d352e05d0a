/*
 * The rules of search_text.h. Code points are from Unicode 15.
 */
#include "search_text.h"

#include <string.h>

#include "../base/limits.h"
#include "../base/utf8.h"

struct range {
    uint32_t first, last;
};

/* Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, Tai scripts, Han, Kana, Bopomofo, Yi; Hangul too, because its words carry particles. */
static const struct range spaceless[] = {
    {0x0E00, 0x0EFF}, {0x1000, 0x109F}, {0x1780, 0x17FF}, {0x1950, 0x19FF}, {0x1A20, 0x1AAF}, {0x2E80, 0x2FDF}, {0x3005, 0x3007}, {0x3021, 0x3029},
    {0x3031, 0x3035}, {0x3038, 0x303C}, {0x3041, 0x30FF}, {0x3105, 0x312F}, {0x31A0, 0x31BF}, {0x31F0, 0x31FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF},
    {0xA000, 0xA4CF}, {0xA9E0, 0xA9FF}, {0xAA60, 0xAADF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFF66, 0xFF9F}, {0x1AFF0, 0x1B16F}, {0x20000, 0x323AF},
};

/* Digits and letters of scripts with spaces: a word that ends in these may be the beginning of a longer one. */
static const struct range letters[] = {
    {0x30, 0x39}, {0x41, 0x5A}, {0x61, 0x7A}, {0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x24F}, {0x386, 0x386}, {0x388, 0x481}, {0x48A, 0x52F},
    {0x531, 0x556}, {0x561, 0x587}, {0x5D0, 0x5EA}, {0x620, 0x64A}, {0x671, 0x6D3}, {0x904, 0x963}, {0x10A0, 0x10FA}, {0x1E00, 0x1FBC},
};

/* Variation selectors choose a glyph; they are no part of a word. */
static const struct range selectors[] = {{0xFE00, 0xFE0F}, {0xE0100, 0xE01EF}};

enum { PREFIX_LETTERS = 4, /* shorter beginnings match too many words to be quick */ PREFIX_WORDS = 6, TYPED_CHARS = 256 };

static bool is_in(uint32_t code, const struct range *ranges, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && code >= ranges[low].first;
}

#define IS_IN(code, ranges) is_in(code, ranges, sizeof(ranges) / sizeof *(ranges))

/* The next character of valid UTF-8; a byte that is none counts as a character of its own. */
static size_t next_char(const char *text, size_t len, uint32_t *code)
{
    int n = utf8_read(text, len, code);
    if (n > 0)
        return (size_t)n;
    *code = 0xFFFD;
    return 1;
}

bool search_is_spaceless(uint32_t code)
{
    return IS_IN(code, spaceless);
}

static bool has_spaceless(const char *text, size_t len)
{
    uint32_t code;
    for (size_t i = 0; i < len;) {
        if ((unsigned char)text[i] < 0xE0) { /* below U+0800: two bytes at most, none of the scripts */
            i++;
            continue;
        }
        i += next_char(text + i, len - i, &code);
        if (IS_IN(code, spaceless))
            return true;
    }
    return false;
}

static void add_apart(struct buf *out, const char *text, size_t len)
{
    uint32_t code;
    bool after_apart = false;
    size_t start = out->len;
    for (size_t i = 0, n; i < len; i += n) {
        n = next_char(text + i, len - i, &code);
        if (IS_IN(code, selectors))
            continue;
        bool apart = IS_IN(code, spaceless);
        bool at_space = out->len <= start || out->data[out->len - 1] == ' ';
        if ((apart && !at_space) || (after_apart && !apart && code != ' '))
            buf_add_char(out, ' ');
        buf_add(out, text + i, n);
        after_apart = apart;
    }
}

bool search_space(struct buf *out, const char *text, size_t len)
{
    if (has_spaceless(text, len))
        add_apart(out, text, len);
    return !buf_failed(out);
}

/* --- a search ----------------------------------------------------------------------------------------------------- */

struct word {
    const char *text;
    size_t len;
    bool exact; /* it stood in quotes */
};

static bool is_gap(uint32_t code)
{
    return code == ' ' || code == '\t' || code == '\r' || code == '\n' || code == 0xA0 || code == 0x3000;
}

/* Splits what was typed into words and phrases. */
static size_t split(const char *typed, struct word words[LIMIT_SEARCH_WORDS])
{
    size_t count = 0, len = strlen(typed), start = 0, chars = 0;
    bool quoted = false, has_letter = false;
    for (size_t i = 0; count < LIMIT_SEARCH_WORDS; chars++) {
        uint32_t code = ' ';
        size_t n = i < len && chars < TYPED_CHARS ? next_char(typed + i, len - i, &code) : 0;
        bool ends = n == 0 || code == '"' || (!quoted && is_gap(code));
        if (ends && has_letter) /* quotes around nothing but gaps are no word */
            words[count++] = (struct word){typed + start, i - start, quoted};
        if (n == 0)
            break;
        if (code == '"')
            quoted = !quoted;
        i += n;
        if (ends) {
            start = i;
            has_letter = false;
        } else if (!is_gap(code)) {
            has_letter = true;
        }
    }
    return count;
}

enum sharp_s { AS_TYPED, SHARP_TO_SS, SS_TO_SHARP };

/* Appends a word with ß written as asked; whether that changed anything. */
static bool add_spelled(struct buf *out, const struct word *word, enum sharp_s spelling)
{
    bool changed = false;
    for (size_t i = 0; i < word->len; i++) {
        const char *at = word->text + i;
        size_t left = word->len - i;
        if (spelling == SHARP_TO_SS && ((left >= 2 && memcmp(at, "ß", 2) == 0) || (left >= 3 && memcmp(at, "ẞ", 3) == 0))) {
            buf_add_text(out, "ss");
            i += at[0] == '\xC3' ? 1 : 2;
            changed = true;
        } else if (spelling == SS_TO_SHARP && left >= 2 && (at[0] | 0x20) == 's' && (at[1] | 0x20) == 's') {
            buf_add_text(out, "ß");
            i++;
            changed = true;
        } else {
            buf_add_char(out, *at);
        }
    }
    return changed;
}

static bool may_be_longer(const char *text, size_t len)
{
    size_t run = 0;
    uint32_t code;
    for (size_t i = 0; i < len;) {
        i += next_char(text + i, len - i, &code);
        run = IS_IN(code, letters) ? run + 1 : 0;
    }
    return run >= PREFIX_LETTERS;
}

/* Calls `each` with all words in one spelling; whether that differs from what was typed. */
static bool spell(const struct word *words, size_t count, enum sharp_s spelling, search_phrase_taker *each, void *arg)
{
    bool changed = false;
    int prefixes = 0;
    for (size_t i = 0; i < count; i++) {
        struct buf spelled, apart;
        buf_init(&spelled, LIMIT_QUERY_VALUE_BYTES * 2);
        buf_init(&apart, LIMIT_QUERY_VALUE_BYTES * 8);
        changed |= add_spelled(&spelled, &words[i], spelling);
        if (has_spaceless(spelled.data, spelled.len))
            add_apart(&apart, spelled.data, spelled.len);
        else
            buf_add(&apart, spelled.data, spelled.len);
        bool prefix = !words[i].exact && prefixes < PREFIX_WORDS && may_be_longer(spelled.data, spelled.len);
        prefixes += prefix;
        each(arg, apart.data, apart.len, prefix);
        buf_free(&apart);
        buf_free(&spelled);
    }
    return changed;
}

void search_phrases(const char *typed, search_phrase_taker *each, void *arg)
{
    struct word words[LIMIT_SEARCH_WORDS];
    size_t count = split(typed, words);
    for (int spelling = AS_TYPED; spelling <= SS_TO_SHARP; spelling++)
        (void)spell(words, count, (enum sharp_s)spelling, each, arg);
}

/* Appends a phrase as a quoted string. */
static void add_quoted(void *arg, const char *text, size_t len, bool is_prefix)
{
    struct buf *out = arg;
    buf_add_text(out, out->len > 0 ? " \"" : "\"");
    buf_add(out, text, len);
    buf_add_text(out, is_prefix ? "\" *" : "\"");
}

void search_match(struct buf *out, const char *typed)
{
    struct word words[LIMIT_SEARCH_WORDS];
    size_t count = split(typed, words), first = out->len;
    if (count == 0)
        return;
    (void)spell(words, count, AS_TYPED, add_quoted, out);
    for (int spelling = SHARP_TO_SS; spelling <= SS_TO_SHARP; spelling++) {
        struct buf other;
        buf_init(&other, out->max);
        if (spell(words, count, (enum sharp_s)spelling, add_quoted, &other)) {
            struct buf both; /* an OR needs each side in parentheses */
            buf_init(&both, out->max);
            buf_addf(&both, out->data[first] == '(' ? "%s OR (%s)" : "(%s) OR (%s)", out->data + first, other.data);
            out->len = first;
            buf_add(out, both.data, both.len);
            buf_free(&both);
        }
        buf_free(&other);
    }
}
