/*
 * Tests of src/chat/title.h.
 */
#include "unit.h"

#include "../../src/base/utf8.h"
#include "../../src/chat/title.h"

static const char *title_of(const char *text)
{
    static char title[TITLE_BYTES];
    title_make(guard(text, strlen(text)), strlen(text), title);
    return title;
}

static void a_short_message_is_its_own_title(void **state)
{
    (void)state;
    assert_string_equal(title_of("Hello, world"), "Hello, world");
    assert_string_equal(title_of("Wie heißt „ü“? 漢字 😀"), "Wie heißt „ü“? 漢字 😀");
}

static void white_space_and_control_characters_become_single_spaces(void **state)
{
    (void)state;
    assert_string_equal(title_of("  a \t\r\n b\x01\x7F" "c\u00A0d\u3000e\u2028f  \n"), "a b c d e f");
}

static void control_characters_above_ascii_become_spaces_too(void **state)
{
    (void)state;
    assert_string_equal(title_of("a\xC2\x85" "b"), "a b");
}

static void nothing_gives_a_name_all_the_same(void **state)
{
    (void)state;
    assert_string_equal(title_of(""), "New conversation");
    assert_string_equal(title_of(" \n\t\u3000 "), "New conversation");
}

static void sixty_characters_fit(void **state)
{
    (void)state;
    assert_string_equal(title_of("123456789 123456789 123456789 123456789 123456789 1234567890"),
                        "123456789 123456789 123456789 123456789 123456789 1234567890");
    assert_string_equal(title_of("123456789 123456789 123456789 123456789 123456789 1234567890 \n "),
                        "123456789 123456789 123456789 123456789 123456789 1234567890");
}

static void what_is_longer_is_cut_at_a_space(void **state)
{
    (void)state;
    assert_string_equal(title_of("123456789 123456789 123456789 123456789 123456789 12345678901"),
                        "123456789 123456789 123456789 123456789 123456789…");
    assert_string_equal(title_of("123456789 123456789 123456789 123456789 123456789 1234567890 x"),
                        "123456789 123456789 123456789 123456789 123456789 1234567890…");
}

static void a_long_text_without_spaces_is_cut_between_characters(void **state)
{
    (void)state;
    char text[1000] = "";
    for (int i = 0; i < 100; i++)
        strcat(text, "😀");
    const char *title = title_of(text);
    assert_true(utf8_valid(title, strlen(title)));
    assert_int_equal(utf8_count(title, strlen(title)), TITLE_CHARS + 1);
    assert_int_equal(strlen(title), TITLE_CHARS * 4 + strlen("…"));
}

static void every_length_gives_a_valid_title_that_is_not_too_long(void **state)
{
    (void)state;
    uint64_t seed = 3;
    static const char *const pieces[] = {"a", " ", "ä", "漢", "😀", "\n", "\xFF", "\xE2\x82", "word"};
    for (int round = 0; round < 5000; round++) {
        char text[600] = "";
        for (uint32_t i = unit_random(&seed) % 120; i > 0; i--)
            strcat(text, pieces[unit_random(&seed) % 9]);
        const char *title = title_of(text);
        assert_true(utf8_valid(title, strlen(title)));
        assert_true(utf8_count(title, strlen(title)) <= TITLE_CHARS + 1);
        assert_true(title[0] != ' ' && title[0] != '\0' && title[strlen(title) - 1] != ' ');
        assert_null(strstr(title, "  "));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_short_message_is_its_own_title),
    cmocka_unit_test(white_space_and_control_characters_become_single_spaces),
    cmocka_unit_test(control_characters_above_ascii_become_spaces_too),
    cmocka_unit_test(nothing_gives_a_name_all_the_same),
    cmocka_unit_test(sixty_characters_fit),
    cmocka_unit_test(what_is_longer_is_cut_at_a_space),
    cmocka_unit_test(a_long_text_without_spaces_is_cut_between_characters),
    cmocka_unit_test(every_length_gives_a_valid_title_that_is_not_too_long),
};

UNIT_MAIN(tests)
