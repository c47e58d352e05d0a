/*
 * Tests of src/store/search_text.h: what is indexed, what is asked, and that a real FTS5 table with the schema's tokenizer finds it and never complains
 * (docs/search-experiment.md says where the rules come from).
 */
#include "unit.h"

#include <sqlite3.h>

#include "../../src/base/limits.h"
#include "../../src/store/search_text.h"

static const char *spaced(const char *text)
{
    static char result[4096];
    struct buf out;
    buf_init(&out, sizeof result - 1);
    search_space(&out, guard(text, strlen(text)), strlen(text));
    strcpy(result, out.data);
    buf_free(&out);
    return result;
}

static const char *asked(const char *typed)
{
    static char result[32 * 1024];
    struct buf out;
    buf_init(&out, sizeof result - 1);
    search_match(&out, guard(typed, strlen(typed) + 1));
    assert_false(buf_failed(&out));
    strcpy(result, out.data);
    buf_free(&out);
    return result;
}

static void text_with_spaces_is_indexed_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "Hello, world", "größer als ñ", "русский текст", "עברית", "हिन्दी", "emoji 🎉 only", "\xFF\xFE"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(spaced(texts[i]), "");
}

static void characters_of_scripts_without_spaces_are_set_apart(void **state)
{
    (void)state;
    assert_string_equal(spaced("世界"), "世 界");
    assert_string_equal(spaced("Hello世界!"), "Hello 世 界 !");
    assert_string_equal(spaced("世 界"), "世 界");
    assert_string_equal(spaced("a世b"), "a 世 b");
    assert_string_equal(spaced("カタカナー"), "カ タ カ ナ ー");
    assert_string_equal(spaced("ข่าว"), "ข ่ า ว");
    assert_string_equal(spaced("한국어"), "한 국 어");
    assert_string_equal(spaced("𠀀𠀁"), "𠀀 𠀁");
    assert_string_equal(spaced("葛\U000E0100飾"), "葛 飾"); /* a variation selector is no part of a word */
}

static void what_is_typed_becomes_quoted_words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"hello", "\"hello\" *"},
        {"run", "\"run\""},
        {"two words", "\"two\" \"words\" *"},
        {"  two\t\nwords  ", "\"two\" \"words\" *"},
        {"\"exact phrase\"", "\"exact phrase\""},
        {"say \"exact phrase\" now", "\"say\" \"exact phrase\" \"now\""},
        {"\"never closed", "\"never closed\""},
        {"C++", "\"C++\""},
        {"OR", "\"OR\""},
        {"AND NOT NEAR(a b)", "\"AND\" \"NOT\" \"NEAR(a\" \"b)\""},
        {"a\" OR \"b", "\"a\" \" OR \" \"b\""},
        {"body:secret*", "\"body:secret*\""},
        {"世界", "\"世 界\""},
        {"ข่าว", "\"ข ่ า ว\""},
        {"한국어", "\"한 국 어\""},
        {"\u3000世界\u00A0x", "\"世 界\" \"x\""},
        {"", ""}, {"   ", ""}, {"\"\"", ""}, {"\" \"", ""}, {"\"\"\"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(asked(rows[i][0]), rows[i][1]);
}

static void sharp_s_and_ss_are_asked_in_both_spellings(void **state)
{
    (void)state;
    assert_string_equal(asked("größer"), "(\"größer\" *) OR (\"grösser\" *)");
    assert_string_equal(asked("strasse"), "(\"strasse\" *) OR (\"straße\" *)");
    assert_string_equal(asked("STRAẞE"), "(\"STRAẞE\" *) OR (\"STRAssE\" *)");
    assert_string_equal(asked("GROSS"), "(\"GROSS\" *) OR (\"GROß\" *)");
    assert_string_equal(asked("Straßenmasse"), "(\"Straßenmasse\" *) OR (\"Strassenmasse\" *) OR (\"Straßenmaße\" *)");
    assert_string_equal(asked("die \"große Straße\""), "(\"die\" \"große Straße\") OR (\"die\" \"grosse Strasse\")");
    assert_string_equal(asked("s s"), "\"s\" \"s\"");
}

static void only_so_many_words_and_prefixes_count(void **state)
{
    (void)state;
    char typed[1000] = "", wanted[1000] = "";
    for (int i = 0; i < 20; i++) {
        (void)snprintf(typed + strlen(typed), 20, "word%c ", 'a' + i);
        if (i < LIMIT_SEARCH_WORDS)
            (void)snprintf(wanted + strlen(wanted), 20, "%s\"word%c\"%s", i > 0 ? " " : "", 'a' + i, i < 6 ? " *" : "");
    }
    assert_string_equal(asked(typed), wanted);
}

static void a_very_long_search_is_cut_between_characters(void **state)
{
    (void)state;
    char typed[4000] = "";
    for (int i = 0; i < 600; i++)
        strcat(typed, "ß");
    const char *got = asked(typed);
    assert_true(strlen(got) > 1000 && strlen(got) < 3000);
}

/* --- against FTS5 ------------------------------------------------------------------------------------------------------------ */

static sqlite3 *make_index(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE VIRTUAL TABLE t USING fts5 (body, columnsize = 0, "
                                      "tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'\")", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void add_text(sqlite3 *db, const char *text)
{
    sqlite3_stmt *statement;
    const char *apart = spaced(text);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO t (body) VALUES (?1)", -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_text(statement, 1, apart[0] != '\0' ? apart : text, -1, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
}

/* How many rows a search finds; fails the test when FTS5 does not understand it. */
static int found(sqlite3 *db, const char *typed)
{
    sqlite3_stmt *statement;
    const char *match = asked(typed);
    if (match[0] == '\0')
        return 0;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT rowid FROM t WHERE t MATCH ?1", -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_text(statement, 1, match, -1, SQLITE_TRANSIENT);
    int rows = 0, code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        rows++;
    if (code != SQLITE_DONE)
        print_error("typed %s, asked %s: %s\n", typed, match, sqlite3_errmsg(db));
    assert_int_equal(code, SQLITE_DONE);
    sqlite3_finalize(statement);
    return rows;
}

static void assert_finds(const char *text, const char *typed, int wanted)
{
    sqlite3 *db = make_index();
    add_text(db, text);
    if (found(db, typed) != wanted)
        print_error("\"%s\" in \"%s\"\n", typed, text);
    assert_int_equal(found(db, typed), wanted);
    sqlite3_close(db);
}

static void people_find_what_they_type(void **state)
{
    (void)state;
    assert_finds("Die Straße ist lang", "strasse", 1);
    assert_finds("Die Strasse ist lang", "straße", 1);
    assert_finds("Die STRASSE ist lang", "Straße lang", 1);
    assert_finds("Ein größeres Haus", "grösseres", 1);
    assert_finds("Über den Wolken", "uber wolken", 1);
    assert_finds("Halloween", "hall", 1);
    assert_finds("running", "run", 0); /* three letters are no beginning */
    assert_finds("one two three", "three one", 1);
    assert_finds("one two three", "\"two three\"", 1);
    assert_finds("one two three", "\"three two\"", 0);
    assert_finds("one two three", "one four", 0);
    assert_finds("你好世界", "世界", 1);
    assert_finds("你好世界", "界世", 0);
    assert_finds("你好世界", "世", 1);
    assert_finds("วันนี้มีข่าวดี", "ข่าว", 1);
    assert_finds("วันนี้มีข่าวดี", "ข้าว", 0); /* rice is no news */
    assert_finds("東京タワーに行く", "タワー", 1);
    assert_finds("한국어를 배운다", "한국어", 1);
    assert_finds("about 🎉 parties", "🎉 parties", 1);
    assert_finds("the C++ language", "c++", 1);
    assert_finds("a OR b", "or", 1);
}

static void nothing_that_is_typed_is_a_syntax_error(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\"", "*", "(", ")", ":", "-", "^", "+", " AND ", " OR ", " NOT ", "NEAR(", "NEAR", "a", "word", "ß", "ss", "ẞ", "世", "界", "ข", "่", "🎉",
                                         " ", "  ", "{", "}", "'", ",", ".", "\\", ";", "body:", "t", "\uFE0F", "\xFF", "\xE2\x82", "\n", "0", "--", "/*", "\u3000", "%", "?1", "sSß"};
    sqlite3 *db = make_index();
    add_text(db, "a word or two, ß and ss, 世界");
    uint64_t seed = 5;
    int hits = 0;
    for (int round = 0; round < 5000; round++) {
        char typed[600] = "";
        for (uint32_t i = unit_random(&seed) % 40; i > 0; i--)
            strcat(typed, pieces[unit_random(&seed) % (sizeof pieces / sizeof *pieces)]);
        hits += found(db, typed) > 0;
    }
    assert_true(hits > 0);
    sqlite3_close(db);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(text_with_spaces_is_indexed_as_it_is),
    cmocka_unit_test(characters_of_scripts_without_spaces_are_set_apart),
    cmocka_unit_test(what_is_typed_becomes_quoted_words),
    cmocka_unit_test(sharp_s_and_ss_are_asked_in_both_spellings),
    cmocka_unit_test(only_so_many_words_and_prefixes_count),
    cmocka_unit_test(a_very_long_search_is_cut_between_characters),
    cmocka_unit_test(people_find_what_they_type),
    cmocka_unit_test(nothing_that_is_typed_is_a_syntax_error),
};

UNIT_MAIN(tests)
