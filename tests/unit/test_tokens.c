/*
 * Tests of src/llm/tokens.h: what the estimate makes of English, of scripts without spaces, of alphabets of two bytes; that it never shrinks.
 */
#include "unit.h"

#include "../../src/llm/tokens.h"

static int64_t tokens_of(const char *text)
{
    size_t len = strlen(text);
    return tokens_estimate(guard(text, len), len);
}

static void nothing_has_no_tokens(void **state)
{
    (void)state;
    assert_int_equal(tokens_of(""), 0);
}

static void four_letters_are_a_token_and_a_rest_counts_whole(void **state)
{
    (void)state;
    assert_int_equal(tokens_of("a"), 1);
    assert_int_equal(tokens_of("abcd"), 1);
    assert_int_equal(tokens_of("abcde"), 2);
    assert_int_equal(tokens_of("The quick brown fox jumps over the lazy dog."), 11);
}

static void a_character_without_spaces_around_it_is_a_token(void **state)
{
    (void)state;
    assert_int_equal(tokens_of("東京都"), 3);
    assert_int_equal(tokens_of("ภาษา"), 4);
    assert_int_equal(tokens_of("\U0001F600"), 1);
}

static void two_letters_of_other_alphabets_are_a_token(void **state)
{
    (void)state;
    assert_int_equal(tokens_of("привет"), 3);
    assert_int_equal(tokens_of("ελληνικά"), 4);
    assert_int_equal(tokens_of("müde"), 2); /* three quarters and a half */
}

static void more_text_never_has_fewer_tokens(void **state)
{
    (void)state;
    static char bytes[4096];
    uint64_t seed = 4711;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)unit_random(&seed);
    int64_t before = 0;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        int64_t tokens = tokens_estimate(bytes, len);
        assert_true(tokens >= before && tokens <= (int64_t)len);
        before = tokens;
    }
}

static void a_nul_is_a_byte_as_others(void **state)
{
    (void)state;
    assert_int_equal(tokens_estimate("a\0bcd", 5), 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_has_no_tokens),
    cmocka_unit_test(four_letters_are_a_token_and_a_rest_counts_whole),
    cmocka_unit_test(a_character_without_spaces_around_it_is_a_token),
    cmocka_unit_test(two_letters_of_other_alphabets_are_a_token),
    cmocka_unit_test(more_text_never_has_fewer_tokens),
    cmocka_unit_test(a_nul_is_a_byte_as_others),
};

UNIT_MAIN(tests)
