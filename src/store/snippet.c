/*
 * See snippet.h.
 *
 * The text is read up to the end of the snippet and no further: usually what is found stands near its beginning. Scripts without spaces are set apart for the tokenizer, as for the index;
 * what it says of that copy is brought back to places in the text.
 */
#include "snippet.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/limits.h"
#include "../base/mem.h"
#include "../base/utf8.h"
#include "db.h"
#include "search_text.h"

enum {
    LEAD_CHARS = 50,    /* before what is found */
    WHOLE_CHARS = 150,  /* all in all, without the … */
    WHOLE_BYTES = WHOLE_CHARS * 4,
    MOST_TERMS = 1024,  /* words in all phrases: a search has 256 characters at most, in three spellings */
    MOST_PHRASES = 3 * LIMIT_SEARCH_WORDS,
    MOST_PIECES = WHOLE_CHARS + 1
};

/* A phrase that is looked for: words by their numbers. */
struct phrase {
    size_t first, count;
    bool is_prefix;
};

/* A word of the text that was just read: which of those that are looked for (-1: none), and from where. */
struct seen {
    int term;
    size_t start;
};

struct snippet_maker {
    fts5_tokenizer methods;
    Fts5Tokenizer *tokenizer;
    /* what is looked for */
    struct buf words; /* each ends with a NUL */
    size_t offsets[MOST_TERMS];
    size_t term_count;
    struct phrase phrases[MOST_PHRASES];
    size_t phrase_count;
    bool is_short; /* of memory */
    /* the text */
    const char *text;
    size_t len;
    struct buf apart; /* the copy, where it has one; `at` of it is `at_text` of the text */
    size_t at, at_text;
    struct seen seen[MOST_TERMS]; /* the last words, in a ring */
    size_t seen_count;
    bool is_found;
    size_t start, end; /* of the snippet */
    bool marks[WHOLE_BYTES];
    /* the result */
    struct buf out;
    struct snippet_piece pieces[MOST_PIECES];
    size_t piece_count;
};

/* --- what is looked for ------------------------------------------------------------------------------------------- */

static int find_term(const struct snippet_maker *maker, const char *word, size_t len)
{
    for (size_t i = 0; i < maker->term_count; i++) {
        const char *term = maker->words.data + maker->offsets[i];
        if (strncmp(term, word, len) == 0 && term[len] == '\0')
            return (int)i;
    }
    return -1;
}

/* A word of a phrase that is looked for. Each place has a number of its own; equal words are looked up by the first. */
static int take_term(void *arg, int flags, const char *word, int len, int start, int end)
{
    struct snippet_maker *maker = arg;
    (void)flags;
    (void)start;
    (void)end;
    if (maker->term_count == MOST_TERMS)
        return SQLITE_DONE;
    maker->offsets[maker->term_count++] = maker->words.len;
    buf_add(&maker->words, word, (size_t)len);
    buf_add_char(&maker->words, '\0');
    maker->phrases[maker->phrase_count].count++;
    return SQLITE_OK;
}

static void take_phrase(void *arg, const char *text, size_t len, bool is_prefix)
{
    struct snippet_maker *maker = arg;
    if (maker->phrase_count == MOST_PHRASES)
        return;
    struct phrase *phrase = &maker->phrases[maker->phrase_count];
    *phrase = (struct phrase){.first = maker->term_count, .is_prefix = is_prefix};
    if (maker->methods.xTokenize(maker->tokenizer, maker, FTS5_TOKENIZE_QUERY | (is_prefix ? FTS5_TOKENIZE_PREFIX : 0), text, (int)len, take_term) != SQLITE_OK)
        maker->is_short = true;
    if (phrase->count > 0)
        maker->phrase_count++;
}

/* The functions of FTS5, as its documentation has it ("Extending FTS5"). NULL: the database failed. */
static fts5_api *find_fts5(struct db *db)
{
    fts5_api *api = NULL;
    struct query *query = db_query(db, "SELECT fts5(?1)");
    query_pointer(query, 1, &api, "fts5_api_ptr");
    (void)query_next(query);
    query_end(query);
    return api;
}

/* The tokenizer of search_index in schema.sql. */
static bool open_tokenizer(struct snippet_maker *maker, struct db *db)
{
    static const char *arguments[] = {"remove_diacritics", "2", "categories", "L* N* Co Mn Mc"};
    fts5_api *api = find_fts5(db);
    void *data = NULL;
    return api != NULL && api->xFindTokenizer(api, "unicode61", &data, &maker->methods) == SQLITE_OK &&
           maker->methods.xCreate(data, arguments, sizeof arguments / sizeof *arguments, &maker->tokenizer) == SQLITE_OK;
}

struct snippet_maker *snippet_begin(struct db *db, const char *search)
{
    struct snippet_maker *maker = mem_new(1, sizeof *maker);
    if (maker == NULL)
        return NULL;
    buf_init(&maker->words, SIZE_MAX / 2);
    buf_init(&maker->apart, SIZE_MAX / 2);
    buf_init(&maker->out, SIZE_MAX / 2);
    bool good = open_tokenizer(maker, db);
    if (good)
        search_phrases(search, take_phrase, maker);
    if (!good || maker->is_short || buf_failed(&maker->words)) {
        snippet_end(maker);
        return NULL;
    }
    return maker;
}

void snippet_end(struct snippet_maker *maker)
{
    if (maker == NULL)
        return;
    if (maker->tokenizer != NULL)
        maker->methods.xDelete(maker->tokenizer);
    buf_free(&maker->words);
    buf_free(&maker->apart);
    buf_free(&maker->out);
    mem_free(maker);
}

/* --- where it is cut ---------------------------------------------------------------------------------------------- */

static bool is_gap(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Whether a character belongs to the one before it: marks, joiners, variation selectors, tones of skin. */
static bool is_joined(uint32_t code)
{
    static const uint32_t ranges[][2] = {{0x0300, 0x036F}, {0x0591, 0x05C7}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0900, 0x0903}, {0x093A, 0x094F}, {0x0981, 0x0983}, {0x09BC, 0x09CD}, {0x0E31, 0x0E31},
                                         {0x0E33, 0x0E3A}, {0x0E47, 0x0E4E}, {0x0EB1, 0x0EBC}, {0x0EC8, 0x0ECE}, {0x102B, 0x103E}, {0x17B4, 0x17D3}, {0x200D, 0x200D}, {0x3099, 0x309A},
                                         {0xFE00, 0xFE0F}, {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

/* The character at a place; 0 at the end. */
static uint32_t char_at(const struct snippet_maker *maker, size_t at)
{
    uint32_t code = 0;
    if (at < maker->len && utf8_read(maker->text + at, maker->len - at, &code) <= 0)
        code = 0xFFFD;
    return code;
}

static size_t step_on(const struct snippet_maker *maker, size_t at)
{
    at++;
    while (at < maker->len && ((unsigned char)maker->text[at] & 0xC0) == 0x80)
        at++;
    return at;
}

static size_t step_back(const struct snippet_maker *maker, size_t at)
{
    at--;
    while (at > 0 && ((unsigned char)maker->text[at] & 0xC0) == 0x80)
        at--;
    return at;
}

/* Whether the text may be cut before the character at a place: between words, and between characters of scripts that have no spaces. */
static bool is_border(const struct snippet_maker *maker, size_t at)
{
    if (at == 0 || at >= maker->len || is_gap(maker->text[at]) || is_gap(maker->text[at - 1]))
        return true;
    uint32_t code = char_at(maker, at);
    return !is_joined(code) && (search_is_spaceless(code) || search_is_spaceless(char_at(maker, step_back(maker, at))));
}

/* So many characters back, or to the beginning. */
static size_t go_back(const struct snippet_maker *maker, size_t at, int chars)
{
    for (; chars > 0 && at > 0; chars--)
        at = step_back(maker, at);
    return at;
}

/* The last place at which a snippet that begins at `start` may end, behind `least` if there is any. */
static size_t find_end(const struct snippet_maker *maker, size_t start, size_t least)
{
    size_t end = start;
    for (int chars = 0; chars < WHOLE_CHARS && end < maker->len; chars++)
        end = step_on(maker, end);
    size_t border = end;
    while (border > least && !is_border(maker, border))
        border = step_back(maker, border);
    if (border > least || is_border(maker, border))
        return border > start ? border : end;
    while (end > start && is_joined(char_at(maker, end))) /* one long word */
        end = step_back(maker, end);
    return end;
}

/* Chooses what is shown around the first thing that was found. Near the end of the text more is shown before it. */
static void choose(struct snippet_maker *maker, size_t start, size_t end)
{
    size_t from = go_back(maker, start, LEAD_CHARS), to = find_end(maker, from, end);
    if (to == maker->len)
        from = go_back(maker, maker->len, WHOLE_CHARS) < from ? go_back(maker, maker->len, WHOLE_CHARS) : from;
    while (from < start && !is_border(maker, from))
        from = step_on(maker, from);
    maker->start = from;
    maker->end = find_end(maker, from, end);
}

/* --- what is found ------------------------------------------------------------------------------------------------ */

/* Where a place in the copy is in the text. The copy has spaces that the text has not, and lacks what search_space() leaves out. Places come in their order. */
static size_t place_of(struct snippet_maker *maker, size_t at, bool is_start)
{
    if (maker->apart.len == 0)
        return at;
    while (maker->at_text < maker->len && (maker->at < at || is_start)) {
        const char *copy = maker->apart.data + maker->at;
        size_t next = step_on(maker, maker->at_text), len = next - maker->at_text;
        bool is_same = len <= maker->apart.len - maker->at && memcmp(copy, maker->text + maker->at_text, len) == 0;
        if (is_same && maker->at >= at)
            break; /* behind what was left out */
        maker->at += is_same ? len : *copy == ' ';
        maker->at_text = is_same || *copy != ' ' ? next : maker->at_text;
    }
    return maker->at_text;
}

static void note_found(struct snippet_maker *maker, size_t start, size_t end)
{
    if (!maker->is_found)
        choose(maker, start, end);
    maker->is_found = true;
    for (size_t i = start > maker->start ? start : maker->start; i < end && i < maker->end; i++)
        maker->marks[i - maker->start] = true;
}

/* The word that came `back` words ago; 0 is the last one. */
static const struct seen *seen_before(const struct snippet_maker *maker, size_t back)
{
    return &maker->seen[(maker->seen_count - 1 - back) % MOST_TERMS];
}

/* Whether the last words of the text are a phrase, of which `word` is the last. */
static bool is_phrase(const struct snippet_maker *maker, const struct phrase *phrase, const char *word, size_t len)
{
    const char *last = maker->words.data + maker->offsets[phrase->first + phrase->count - 1];
    size_t last_len = strlen(last);
    if (phrase->count > maker->seen_count || len < last_len || memcmp(word, last, last_len) != 0 || (len > last_len && !phrase->is_prefix))
        return false;
    for (size_t i = 1; i < phrase->count; i++) {
        int term = seen_before(maker, i)->term;
        if (term < 0 || strcmp(maker->words.data + maker->offsets[term], maker->words.data + maker->offsets[phrase->first + phrase->count - 1 - i]) != 0)
            return false;
    }
    return true;
}

static int take_word(void *arg, int flags, const char *word, int len, int start, int end)
{
    struct snippet_maker *maker = arg;
    (void)flags;
    size_t from = place_of(maker, (size_t)start, true), to = place_of(maker, (size_t)end, false);
    if (maker->is_found && from >= maker->end)
        return SQLITE_DONE;
    maker->seen[maker->seen_count++ % MOST_TERMS] = (struct seen){find_term(maker, word, (size_t)len), from};
    for (size_t i = 0; i < maker->phrase_count; i++)
        if (is_phrase(maker, &maker->phrases[i], word, (size_t)len))
            note_found(maker, seen_before(maker, maker->phrases[i].count - 1)->start, to);
    return SQLITE_OK;
}

/* --- the result --------------------------------------------------------------------------------------------------- */

static void add_piece(struct snippet_maker *maker, size_t from, bool is_hit)
{
    if (maker->out.len > from && maker->piece_count < MOST_PIECES)
        maker->pieces[maker->piece_count++] = (struct snippet_piece){.text = NULL, .len = maker->out.len - from, .is_hit = is_hit};
}

/* Writes what was chosen: white space as one space, … where it was cut. */
static void write_pieces(struct snippet_maker *maker)
{
    static const char cut[] = "…";
    size_t from = 0; /* of the piece that is being written */
    bool is_hit = false, is_after_gap = true;
    if (maker->start > 0)
        buf_add_text(&maker->out, cut);
    if (maker->start > 0 && (is_gap(maker->text[maker->start - 1]) || is_gap(maker->text[maker->start])))
        buf_add_char(&maker->out, ' ');
    for (size_t i = maker->start; i < maker->end; i++) {
        bool gap = is_gap(maker->text[i]), mark = maker->marks[i - maker->start];
        if (gap && is_after_gap)
            continue;
        if (mark != is_hit) {
            add_piece(maker, from, is_hit);
            from = maker->out.len;
            is_hit = mark;
        }
        buf_add_char(&maker->out, gap ? ' ' : maker->text[i]);
        is_after_gap = gap;
    }
    if (maker->end < maker->len) {
        if (is_hit) {
            add_piece(maker, from, true);
            from = maker->out.len;
            is_hit = false;
        }
        if (!is_after_gap && is_gap(maker->text[maker->end]))
            buf_add_char(&maker->out, ' ');
        buf_add_text(&maker->out, cut);
    }
    add_piece(maker, from, is_hit);
}

/* Finds what is looked for in the text, and chooses what is shown of it. False: out of memory. */
static bool search_text(struct snippet_maker *maker)
{
    if (!search_space(&maker->apart, maker->text, maker->len))
        return false;
    bool is_apart = maker->apart.len > 0;
    const char *text = is_apart ? maker->apart.data : maker->text;
    if (maker->methods.xTokenize(maker->tokenizer, maker, FTS5_TOKENIZE_DOCUMENT, text, (int)(is_apart ? maker->apart.len : maker->len), take_word) != SQLITE_OK)
        return false;
    if (!maker->is_found) {
        maker->start = 0;
        maker->end = find_end(maker, 0, 0);
    }
    return true;
}

bool snippet_make(struct snippet_maker *maker, const char *text, size_t len, struct snippet *snippet)
{
    for (; len > 0 && is_gap(*text); len--)
        text++;
    maker->text = text;
    maker->len = len < INT_MAX / 2 ? len : utf8_fit(text, INT_MAX / 2); /* what the tokenizer takes, also set apart */
    while (maker->len > 0 && is_gap(text[maker->len - 1]))
        maker->len--;
    maker->at = maker->at_text = maker->seen_count = maker->piece_count = 0;
    maker->is_found = false;
    memset(maker->marks, 0, sizeof maker->marks);
    buf_clear(&maker->apart);
    buf_clear(&maker->out);
    if (!search_text(maker))
        return false;
    write_pieces(maker);
    size_t at = 0;
    for (size_t i = 0; i < maker->piece_count; i++) {
        maker->pieces[i].text = maker->out.data + at;
        at += maker->pieces[i].len;
    }
    *snippet = (struct snippet){maker->pieces, maker->piece_count};
    return !buf_failed(&maker->out);
}
