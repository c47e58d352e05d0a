/*
 * Tests of src/store/snippet.h: what is marked is what the index finds, in all kinds of scripts; where texts are cut; what searches give with their rows.
 */
#include "store.h"

#include "../../src/base/limits.h"
#include "../../src/base/mem.h"
#include "../../src/base/utf8.h"
#include "../../src/store/search_text.h"
#include "../../src/store/snippet.h"

struct asking {
    const char *search, *text;
    size_t len;
    char said[8192];
};

static void write_snippet(struct snippet snippet, char *said, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < snippet.count; i++) {
        const struct snippet_piece *piece = &snippet.pieces[i];
        assert_true(utf8_valid(piece->text, piece->len));
        assert_true(piece->len > 0);
        assert_true(i == 0 || piece->is_hit != snippet.pieces[i - 1].is_hit);
        len += (size_t)snprintf(said + len, room - len, piece->is_hit ? "[%.*s]" : "%.*s", (int)piece->len, piece->text);
    }
    said[len] = '\0';
}

static enum outcome ask(struct db *db, void *arg, struct failure *failure)
{
    struct asking *asking = arg;
    struct snippet_maker *maker = snippet_begin(db, asking->search);
    assert_non_null(maker);
    for (int i = 0; i < 2; i++) { /* the second is not disturbed by the first */
        struct snippet snippet;
        assert_true(snippet_make(maker, guard(asking->text, asking->len), asking->len, &snippet));
        write_snippet(snippet, asking->said, sizeof asking->said);
    }
    snippet_end(maker);
    (void)failure;
    return OUTCOME_OK;
}

static const char *snippet_of(const char *search, const char *text)
{
    static struct asking asking;
    struct failure failure = {0};
    asking.search = search;
    asking.text = text;
    asking.len = strlen(text);
    if (access(store_path, F_OK) != 0)
        (void)new_user(); /* makes the database */
    assert_int_equal(db_read(ask, &asking, &failure), OUTCOME_OK);
    return asking.said;
}

static void what_is_found_is_marked_as_the_index_finds_it(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"fox", "The quick brown fox jumps", "The quick brown [fox] jumps"},
        {"FOX", "a fox, Fox and FOX; foxes", "a [fox], [Fox] and [FOX]; foxes"}, /* three letters are no beginning */
        {"renew", "Renewal: renew it, renewing", "[Renewal]: [renew] it, [renewing]"},
        {"\"renew\"", "Renewal: renew it", "Renewal: [renew] it"},
        {"uber", "Über, uber, ÜBERALL", "[Über], [uber], [ÜBERALL]"},
        {"Überprüfung", "ueberpruefung uberprufung", "ueberpruefung [uberprufung]"},
        {"strasse", "Straße und Strasse", "[Straße] und [Strasse]"},
        {"straße", "STRASSE, Straßenbahn", "[STRASSE], [Straßenbahn]"},
        {"quick fox", "The fox is quick", "The [fox] is [quick]"},
        {"\"quick brown\"", "brown quick, quick\nbrown. quick brown", "brown quick, [quick brown]. [quick brown]"},
        {"\"a a b\"", "a a a b", "a [a a b]"},
        {"天气", "今天天气很好，天气", "今天[天气]很好，[天气]"},
        {"天", "天天 a天b", "[天天] a[天]b"},
        {"タワー", "東京タワーに", "東京[タワー]に"},
        {"ไทย", "ประเทศไทยเป็น", "ประเทศ[ไทย]เป็น"},
        {"한국", "한국어 한국", "[한국]어 [한국]"},
        {"привет", "Привет, ПРИВЕТЫ", "[Привет], [ПРИВЕТЫ]"},
        {"मंत्र", "यह मंत्र है", "यह [मंत्र] है"},
        {"AND OR", "this and that or", "this [and] that [or]"},
        {"飾", "葛\U000E0100飾 葛\U000E0100 飾 葛\uFE0F，飾x", "葛\U000E0100[飾] 葛\U000E0100 [飾] 葛\uFE0F，[飾]x"},
        {"x", "1️⃣ x，世 x\uFE0Fx", "1️⃣ [x]，世 x\uFE0Fx"}, /* as in the index: without the selector they are one word */
        {"none", "nothing of it", "nothing of it"},
        {"fox", "", ""},
        {"fox", " \n\t ", ""},
        {"fox", "\n\n  a \t\r\n fox \n\n b  \n", "a [fox] b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(snippet_of(rows[i][0], rows[i][1]), rows[i][2]);
}

static size_t chars_of(const char *said)
{
    size_t marks = 0;
    for (const char *at = said; *at != '\0'; at++)
        marks += *at == '[' || *at == ']';
    return utf8_count(said, strlen(said)) - marks;
}

static void a_long_text_is_cut_between_words(void **state)
{
    (void)state;
    char text[20000] = "";
    for (int i = 0; i < 1000; i++)
        strcat(text, i == 500 ? "the needle is " : i == 503 || i == 990 ? "Needle\n" : "some hay\n");
    const char *said = snippet_of("needle", text);
    assert_string_equal(said, "… some hay some hay some hay some hay some hay the [needle] is some hay some hay [Needle] some hay some hay some hay some hay some hay some hay some hay …");
    assert_true(chars_of(said) > 120 && chars_of(said) <= 154);
    assert_string_equal(snippet_of("missing", text), "some hay some hay some hay some hay some hay some hay some hay some hay some hay some hay some hay some hay some hay some hay some hay some hay some …");
}

static void near_an_end_more_is_shown_of_the_other_side(void **state)
{
    (void)state;
    char text[4000] = "needle ";
    for (int i = 0; i < 200; i++)
        strcat(text, "some hay ");
    const char *said = snippet_of("needle", text);
    assert_true(strncmp(said, "[needle] some hay some", 22) == 0);
    assert_true(chars_of(said) > 120);
    memmove(text, text + 7, strlen(text + 7) + 1);
    strcat(text, "needle.");
    said = snippet_of("needle", text);
    assert_string_equal(said + strlen(said) - 14, " hay [needle].");
    assert_true(strncmp(said, "… ", strlen("… ")) == 0);
    assert_true(chars_of(said) > 120 && chars_of(said) < 160);
}

static void texts_without_spaces_are_cut_between_characters(void **state)
{
    (void)state;
    char text[9000] = "";
    for (int i = 0; i < 400; i++)
        strcat(text, i == 200 ? "北京" : "世界");
    const char *said = snippet_of("北京", text);
    assert_int_equal(chars_of(said), 152); /* with two … */
    assert_non_null(strstr(said, "世界[北京]世界"));
    assert_true(strncmp(said, "…世", strlen("…世")) == 0);
    text[0] = '\0';
    for (int i = 0; i < 300; i++)
        strcat(text, i == 150 ? "ข่าว" : "นี้");
    said = snippet_of("ข่าว", text);
    assert_non_null(strstr(said, "นี้[ข่าว]นี้"));
    assert_true(strncmp(said, "…นี้", strlen("…นี้")) == 0); /* no tone without its letter */
    assert_string_equal(said + strlen(said) - strlen("นี้…"), "นี้…");
}

static void white_space_around_a_text_is_none_of_it(void **state)
{
    (void)state;
    char text[1000] = "";
    memset(text, '\n', 100);
    memset(text + 100, 'x', 300);
    const char *said = snippet_of("missing", text);
    assert_true(said[0] == 'x');
    assert_int_equal(chars_of(said), 151);
    assert_string_equal(snippet_of("needle", " \n\t needle \n"), "[needle]");
}

static void words_longer_than_a_snippet_are_cut_within(void **state)
{
    (void)state;
    char text[9000] = "before ", word[5000] = "";
    for (int i = 0; i < 800; i++)
        strcat(word, "äb");
    strcat(strcat(text, word), " after");
    const char *said = snippet_of("äbäbäb", text);
    assert_true(strncmp(said, "before [äbäb", strlen("before [äbäb")) == 0);
    assert_true(chars_of(said) <= 151);
    assert_string_equal(said + strlen(said) - strlen("]…"), "]…");
    said = snippet_of("after", text);
    assert_non_null(strstr(said, "[after]"));
    assert_true(chars_of(said) <= 153);
    for (size_t at = 0; at < 300; at++) { /* wherever it is, nothing is cut in two */
        memset(text, 'x', at);
        strcpy(text + at, " ä needle ö 😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀");
        said = snippet_of("needle", text);
        assert_non_null(strstr(said, "[needle]"));
        assert_true(chars_of(said) <= 152);
    }
}

static void long_searches_and_many_hits_do_not_break_it(void **state)
{
    (void)state;
    char search[LIMIT_QUERY_VALUE_BYTES + 1] = "", text[8000] = "";
    for (int i = 0; i < 160; i++)
        strcat(search, i % 2 == 0 ? "ss" : "界");
    strcat(text, "vorher ");
    strcat(text, search);
    assert_non_null(strstr(snippet_of(search, text), "[ss界ss界"));
    strcpy(search, "");
    for (int i = 0; i < 400; i++)
        strcat(search, "a ");
    strcpy(text, "");
    for (int i = 0; i < 1500; i++)
        strcat(text, "a ");
    assert_true(chars_of(snippet_of(search, text)) <= 154);
}

/* Without white space, and with marks that follow each other as one. */
static const char *squeezed(const char *said)
{
    static char texts[2][8192];
    static int turn;
    char *out = texts[turn ^= 1];
    size_t len = 0;
    for (; *said != '\0'; said++)
        if (*said == '[' && len > 0 && out[len - 1] == ']')
            len--;
        else if (*said != ' ' && *said != '\n')
            out[len++] = *said;
    out[len] = '\0';
    return out;
}

/* What FTS5 itself marks in a text that it finds; NULL: it finds nothing. */
static const char *highlighted(sqlite3 *db, const char *search, const char *text)
{
    static char said[8192];
    struct buf match, spaced;
    sqlite3_stmt *statement = NULL;
    buf_init(&match, 1 << 20);
    buf_init(&spaced, 1 << 20);
    search_match(&match, search);
    assert_true(search_space(&spaced, text, strlen(text)));
    char *sql = sqlite3_mprintf("DELETE FROM words; INSERT INTO words VALUES (%Q)", spaced.len > 0 ? spaced.data : text);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_free(sql);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT highlight(words, 0, '[', ']') FROM words WHERE words MATCH ?1", -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_text(statement, 1, match.data, -1, SQLITE_STATIC);
    bool found = match.len > 0 && sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        (void)snprintf(said, sizeof said, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    buf_free(&match);
    buf_free(&spaced);
    return found ? said : NULL;
}

static void random_text(unsigned *seed, int most, char *text)
{
    static const char *const parts[] = {"ss", "ß", "界", "世", "abcd", "abcde", "É", "e", "a", "ไ", "ท", "่", "한", " ", " ", " ", ". ", "\n", "-", "1", "、", "\""};
    text[0] = '\0';
    for (int n = rand_r(seed) % most + 1; n > 0; n--)
        strcat(text, parts[(size_t)rand_r(seed) % (sizeof parts / sizeof *parts)]);
}

static void what_is_marked_is_what_fts5_marks(void **state)
{
    (void)state;
    sqlite3 *db;
    unsigned seed = 7;
    int compared = 0;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE VIRTUAL TABLE words USING fts5 (body, tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'\")", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 4000; i++) {
        char search[200], text[400];
        random_text(&seed, 6, search);
        random_text(&seed, 24, text);
        const char *wanted = highlighted(db, search, text);
        if (wanted == NULL || utf8_count(text, strlen(text)) > 140)
            continue;
        const char *said = snippet_of(search, text);
        if (strcmp(squeezed(said), squeezed(wanted)) != 0)
            print_error("search <%s> text <%s>\n", search, text);
        assert_string_equal(squeezed(said), squeezed(wanted));
        compared++;
    }
    sqlite3_close(db);
    assert_true(compared > 400);
}

/* --- with the rows of a search ------------------------------------------------------------------------------------------------------ */

static void write_found(void *arg, const struct conversation *row)
{
    (void)arg;
    size_t len = strlen(listed);
    if (row->snippet == NULL) {
        strcat(listed, "{-}");
        return;
    }
    strcpy(listed + len, "{");
    write_snippet(*row->snippet, listed + len + 1, sizeof listed - len - 1);
    (void)snprintf(listed + strlen(listed), 64, "|%.26s}", row->found_in != NULL ? row->found_in : "title");
}

static const char *found(int64_t user, const char *search)
{
    struct failure failure = {0};
    listed[0] = '\0';
    assert_int_equal(conversation_list(user, &(struct conversation_page){NULL, 10, search, -1, -1}, write_found, NULL, &failure), OUTCOME_OK);
    return listed;
}

static void a_search_shows_where_it_found_something_first(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct failure failure = {0};
    struct message_begin talk = whole_turn(user, NULL, NULL, "A question", "An answer about elephants"), later = whole_turn(user, talk.conversation, NULL, "More elephants?", "Elephants, and 大象");
    (void)whole_turn(other, NULL, NULL, "elephants of another", "elephants");
    char want[200];
    (void)snprintf(want, sizeof want, "{An answer about [elephants]|%s}", talk.answer);
    assert_string_equal(found(user, "elephants"), want);
    (void)snprintf(want, sizeof want, "{Elephants, and [大象]|%s}", later.answer);
    assert_string_equal(found(user, "大象"), want);
    (void)snprintf(want, sizeof want, "{[More] [elephants]?|%s}", later.question);
    assert_string_equal(found(user, "more elephants"), want);
    assert_string_equal(found(user, NULL), "{-}");
    assert_int_equal(conversation_change(user, talk.conversation, &(struct conversation_change){.title = "Elephants here", .pinned = -1, .archived = -1, .unread = -1}, &failure), OUTCOME_OK);
    assert_string_equal(found(user, "elephants"), "{[Elephants] here|title}");
}

static void each_row_has_its_own(void **state)
{
    (void)state;
    int64_t user = new_user();
    char text[40], want[800] = "";
    for (int i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof text, "number %d has words", i);
        struct message_begin one = whole_turn(user, NULL, NULL, "q", text);
        char row[120], rest[800];
        strcpy(rest, want);
        (void)snprintf(row, sizeof row, "{number %d has [words]|%s}", i, one.answer);
        (void)snprintf(want, sizeof want, "%s%.650s", row, rest);
        (void)sql("UPDATE conversations SET updated_at = id");
    }
    assert_string_equal(found(user, "words"), want);
}

static void without_memory_a_search_is_refused_whole(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    (void)whole_turn(user, NULL, NULL, "words and 世界", "a");
    enum outcome outcome = OUTCOME_NO_MEMORY;
    int refused = 0;
    char whole[200];
    strcpy(whole, found(user, "words 世界"));
    assert_non_null(strstr(whole, "{[words] and [世界]|title}"));
    for (long n = 0; n < 60; n++) {
        listed[0] = '\0';
        mem_fail_after(n);
        outcome = conversation_list(user, &(struct conversation_page){NULL, 10, "words 世界", -1, -1}, write_found, NULL, &failure);
        mem_fail_after(-1);
        assert_true((outcome == OUTCOME_OK && strcmp(listed, whole) == 0) || outcome == OUTCOME_NO_MEMORY);
        refused += outcome == OUTCOME_NO_MEMORY;
    }
    assert_int_equal(outcome, OUTCOME_OK);
    assert_true(refused > 2);
}

static const struct CMUnitTest tests[] = {
    store_test(what_is_found_is_marked_as_the_index_finds_it),
    store_test(what_is_marked_is_what_fts5_marks),
    store_test(a_long_text_is_cut_between_words),
    store_test(near_an_end_more_is_shown_of_the_other_side),
    store_test(texts_without_spaces_are_cut_between_characters),
    store_test(white_space_around_a_text_is_none_of_it),
    store_test(words_longer_than_a_snippet_are_cut_within),
    store_test(long_searches_and_many_hits_do_not_break_it),
    store_test(a_search_shows_where_it_found_something_first),
    store_test(each_row_has_its_own),
    store_test(without_memory_a_search_is_refused_whole),
};

UNIT_MAIN(tests)
