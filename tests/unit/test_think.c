/*
 * Tests of src/llm/think.h: each text is fed whole, byte by byte and at every split; what comes out must be the same.
 */
#include "unit.h"

#include "../../src/llm/think.h"

struct told {
    struct think think;
    struct buf reasoning, text;
};

static void tell(void *arg, bool reasoning, const char *text, size_t len)
{
    struct told *told = arg;
    assert_true(len > 0);
    buf_add(reasoning ? &told->reasoning : &told->text, text, len);
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct told *told = arg;
    think_feed(&told->think, bytes, len, tell, told);
    return true;
}

static void assert_told(const char *input, const char *reasoning, const char *text)
{
    EACH_CUT(cut, strlen(input)) {
        struct told told = {0};
        buf_init(&told.reasoning, 10000);
        buf_init(&told.text, 10000);
        cut_feed(&cut, input, strlen(input), feed, &told);
        think_end(&told.think, tell, &told);
        assert_string_equal(told.reasoning.data, reasoning);
        assert_string_equal(told.text.data, text);
        buf_free(&told.reasoning);
        buf_free(&told.text);
    }
}

static void thinking_at_the_beginning_is_told_apart(void **state)
{
    (void)state;
    assert_told("<think>hm, 1 < 2</think>The answer.", "hm, 1 < 2", "The answer.");
    assert_told("<think>\nhm\n</think>\n\nThe answer.\n", "\nhm\n", "The answer.\n");
    assert_told(" \n\t\r<think>hm</think>x", "hm", "x");
    assert_told("<think></think>x", "", "x");
    assert_told("<think>hm</think>", "hm", "");
    assert_told("<think>hm</think> \n", "hm", "");
}

static void what_looks_like_the_closing_tag_is_thinking(void **state)
{
    (void)state;
    assert_told("<think>a<</think>b", "a<", "b");
    assert_told("<think>a</think</think>b", "a</think", "b");
    assert_told("<think>a</thin</ think><</</think>b", "a</thin</ think><</", "b");
    assert_told("<think>a<think>b</think>c", "a<think>b", "c");
}

static void thinking_without_an_end_is_all_thinking(void **state)
{
    (void)state;
    assert_told("<think>never", "never", "");
    assert_told("<think>never </thi", "never </thi", "");
    assert_told("<think>", "", "");
}

static void text_that_merely_begins_with_a_bracket_is_text(void **state)
{
    (void)state;
    assert_told("<b>bold</b>", "", "<b>bold</b>");
    assert_told("<thinking>x", "", "<thinking>x");
    assert_told("<thin", "", "<thin");
    assert_told("<", "", "<");
    assert_told("<<think>x</think>y", "", "<<think>x</think>y");
    assert_told("  <html>", "", "  <html>");
    assert_told("< think>x</think>", "", "< think>x</think>");
    assert_told("<Think>x</Think>", "", "<Think>x</Think>");
    assert_told("<thi nk>x", "", "<thi nk>x");
}

static void plain_text_passes_with_its_white_space(void **state)
{
    (void)state;
    assert_told("Hello.", "", "Hello.");
    assert_told("  indented\n", "", "  indented\n");
    assert_told(" \n ", "", " \n ");
    assert_told("", "", "");
    assert_told("ä 漢字 😀", "", "ä 漢字 😀");
}

static void later_tags_are_text(void **state)
{
    (void)state;
    assert_told("About <think>x</think>.", "", "About <think>x</think>.");
    assert_told("<think>a</think>b<think>c</think>d", "a", "b<think>c</think>d");
    assert_told("no opening tag</think>answer", "", "no opening tag</think>answer");
}

static void much_white_space_before_the_tag_loses_nothing(void **state)
{
    (void)state;
    char input[200], text[200];
    for (int spaces = 0; spaces < 60; spaces++) {
        (void)snprintf(text, sizeof text, "%*sanswer", spaces, "");
        assert_told(text, "", text);
        if (spaces <= THINK_HELD_BYTES - 7) {
            (void)snprintf(input, sizeof input, "%*s<think>a</think>b", spaces, "");
            assert_told(input, "a", "b");
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(thinking_at_the_beginning_is_told_apart),
    cmocka_unit_test(what_looks_like_the_closing_tag_is_thinking),
    cmocka_unit_test(thinking_without_an_end_is_all_thinking),
    cmocka_unit_test(text_that_merely_begins_with_a_bracket_is_text),
    cmocka_unit_test(plain_text_passes_with_its_white_space),
    cmocka_unit_test(later_tags_are_text),
    cmocka_unit_test(much_white_space_before_the_tag_loses_nothing),
};

UNIT_MAIN(tests)
