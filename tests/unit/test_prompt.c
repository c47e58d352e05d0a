/*
 * Tests of the window of src/chat/prompt.h: what is left out so that a conversation fits, and what never is. (What is read from the database: test_message.c and the HTTP tests.)
 *
 * A conversation is written as letters: u the user's, a an assistant's, c an assistant's that calls a tool, t the tool's result. A message has 4 tokens and as many of text as its number says
 * (4 for none): "u a16 u".
 */
#include "unit.h"

#include "../../src/chat/prompt.h"

static const struct completion_call one_call = {.id = "call-1", .name = "look", .arguments = "{}"};

static void prompt_from(struct prompt *prompt, const char *text)
{
    *prompt = (struct prompt){.messages = mem_new(100, sizeof *prompt->messages)};
    assert_non_null(prompt->messages);
    while (*text != '\0') {
        char *end;
        char kind = *text++;
        size_t tokens = strtoul(text, &end, 10);
        size_t len = (tokens > 0 ? tokens : 4) * 4;
        struct completion_message message = {.role = kind == 'u' ? COMPLETION_USER : kind == 't' ? COMPLETION_TOOL : COMPLETION_ASSISTANT};
        char *content = mem_new(1, len + 1);
        assert_non_null(content);
        memset(content, kind, len);
        message.content = content;
        message.content_len = len;
        if (kind == 'c') {
            message.calls = &one_call;
            message.call_count = 1;
        } else if (kind == 't') {
            message.call_id = one_call.id;
            message.call_name = one_call.name;
        } else if (kind == 'a') {
            message.state = mem_copy("{}");
            message.state_wire = mem_copy("test");
        }
        prompt->messages[prompt->count++] = message;
        text = end + strspn(end, " ");
    }
}

/* What is left, in letters. */
static const char *letters(const struct prompt *prompt)
{
    static char text[101];
    size_t n = 0;
    for (size_t i = 0; i < prompt->count; i++)
        text[n++] = prompt->messages[i].content[0];
    text[n] = '\0';
    return text;
}

static const char *fitted(const char *conversation, int64_t context, int64_t reserved)
{
    struct prompt prompt;
    prompt_from(&prompt, conversation);
    prompt_fit(&prompt, context, reserved);
    const char *text = letters(&prompt);
    prompt_free(&prompt);
    assert_int_equal(prompt.count, 0);
    return text;
}

static void tokens_are_those_of_the_texts_and_four_a_message(void **state)
{
    (void)state;
    struct prompt prompt;
    prompt_from(&prompt, "");
    assert_int_equal(prompt_tokens(&prompt), 0);
    prompt_free(&prompt);
    prompt_from(&prompt, "u10 a20 u1");
    assert_int_equal(prompt_tokens(&prompt), 10 + 20 + 1 + 3 * 4);
    prompt_free(&prompt);
}

static void what_fits_stays(void **state)
{
    (void)state;
    assert_string_equal(fitted("u a u a u", 40, 0), "uauau");
    assert_string_equal(fitted("u a u a u", 1000, 100), "uauau");
    assert_string_equal(fitted("u", 1, 0), "u");
}

static void a_context_that_is_not_known_leaves_nothing_out(void **state)
{
    (void)state;
    assert_string_equal(fitted("u100 a100 u100", 0, 50), "uau");
    assert_string_equal(fitted("u100 a100 u100", -1, 50), "uau");
}

static void the_oldest_are_left_out_first(void **state)
{
    (void)state;
    assert_string_equal(fitted("u a u a u", 39, 0), "uau");
    assert_string_equal(fitted("u50 a u a u", 50, 0), "uau");
    assert_string_equal(fitted("u a u50 a u", 50, 0), "u"); /* no holes: what is older than the long one goes too */
}

static void a_conversation_begins_with_its_user(void **state)
{
    (void)state;
    assert_string_equal(fitted("u a u a u", 32, 0), "uau"); /* four would fit, but the first of them is an answer */
    assert_string_equal(fitted("u a u a u", 16, 0), "u");
}

static void the_newest_stays_however_long_it_is(void **state)
{
    (void)state;
    assert_string_equal(fitted("u a u1000", 100, 0), "u");
    assert_string_equal(fitted("u1000", 100, 0), "u");
}

static void what_is_reserved_is_kept_free(void **state)
{
    (void)state;
    assert_string_equal(fitted("u a u a u", 60, 20), "uauau");
    assert_string_equal(fitted("u a u a u", 60, 21), "uau");
}

static void at_most_half_is_reserved(void **state)
{
    (void)state;
    assert_string_equal(fitted("u a u a u", 80, 79), "uauau");
    assert_string_equal(fitted("u a u a u", 80, 100000), "uauau");
    assert_string_equal(fitted("u a u a u", 78, 100000), "uau");
}

static void a_call_between_stays_with_its_result(void **state)
{
    (void)state;
    assert_string_equal(fitted("u c t a u", 42, 0), "uctau");
    assert_string_equal(fitted("u c t a u", 41, 0), "u"); /* neither the result nor the answer could come first */
    assert_string_equal(fitted("u a u c t a u", 42, 0), "uctau");
    assert_string_equal(fitted("u a u c t t a u", 55, 0), "ucttau");
}

/* In the middle of an answer the newest message is a tool's: it is nothing without its call, nor the call without the question. */
static void the_newest_result_stays_with_its_call(void **state)
{
    (void)state;
    assert_string_equal(fitted("u a u c t", 26, 0), "uct");
    assert_string_equal(fitted("u a u c t1000", 100, 0), "uct");
    assert_string_equal(fitted("u a u c t", 16, 0), "uct");
}

static void of_two_results_of_one_answer_none_is_left_alone(void **state)
{
    (void)state;
    assert_string_equal(fitted("u a u c t t", 16, 0), "uctt");
    assert_string_equal(fitted("u a u c t t1000", 100, 0), "uctt");
}

static void halving_leaves_the_newer_half(void **state)
{
    (void)state;
    struct prompt prompt;
    prompt_from(&prompt, "u a u a u a u");
    assert_true(prompt_halve(&prompt));
    assert_string_equal(letters(&prompt), "uau");
    assert_true(prompt_halve(&prompt));
    assert_string_equal(letters(&prompt), "u");
    assert_false(prompt_halve(&prompt));
    assert_string_equal(letters(&prompt), "u");
    prompt_free(&prompt);
}

static void halving_always_ends(void **state)
{
    (void)state;
    static const char *const conversations[] = {"u1 a1 u1000", "u1000 a1 u1", "u1 u1", "u1000 u1", "a u", "u a1000 u1 a1 u1 a1 u1"};
    for (size_t i = 0; i < sizeof conversations / sizeof *conversations; i++) {
        struct prompt prompt;
        prompt_from(&prompt, conversations[i]);
        size_t before = prompt.count + 1;
        for (bool fewer = true; fewer;) {
            assert_true(prompt.count < before && prompt.count >= 1);
            before = prompt.count;
            int64_t tokens = prompt_tokens(&prompt);
            fewer = prompt_halve(&prompt);
            assert_true(fewer == (before > 1));
            assert_true(!fewer || prompt.count == 1 || prompt_tokens(&prompt) * 2 <= tokens);
        }
        assert_int_equal(prompt.count, 1);
        prompt_free(&prompt);
    }
}

static void halving_does_not_split_a_call_from_its_result(void **state)
{
    (void)state;
    struct prompt prompt;
    prompt_from(&prompt, "u a u a u c t");
    assert_true(prompt_halve(&prompt));
    assert_string_equal(letters(&prompt), "uct");
    prompt_free(&prompt);
}

/* Whatever the conversation and the window: the newest message is there, a user's comes first, and it fits unless one question alone does not. */
static void a_thousand_conversations_keep_the_rules(void **state)
{
    (void)state;
    uint64_t seed = 99;
    for (int round = 0; round < 1000; round++) {
        char text[512] = "";
        uint32_t turns = unit_random(&seed) % 8;
        for (uint32_t i = 0; i < turns; i++)
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), unit_random(&seed) % 3 == 0 ? "u%u c2 t%u a%u " : "u%u a%u ", unit_random(&seed) % 50 + 1,
                           unit_random(&seed) % 50 + 1, unit_random(&seed) % 50 + 1);
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "u%u", unit_random(&seed) % 50 + 1);
        struct prompt prompt;
        prompt_from(&prompt, text);
        int64_t context = unit_random(&seed) % 400 + 1;
        prompt_fit(&prompt, context, 0);
        assert_true(prompt.count >= 1);
        assert_int_equal(prompt.messages[0].role, COMPLETION_USER);
        assert_int_equal(prompt.messages[prompt.count - 1].content[0], 'u');
        assert_true(prompt.count == 1 || prompt_tokens(&prompt) <= context);
        prompt_free(&prompt);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tokens_are_those_of_the_texts_and_four_a_message),
    cmocka_unit_test(what_fits_stays),
    cmocka_unit_test(a_context_that_is_not_known_leaves_nothing_out),
    cmocka_unit_test(the_oldest_are_left_out_first),
    cmocka_unit_test(a_conversation_begins_with_its_user),
    cmocka_unit_test(the_newest_stays_however_long_it_is),
    cmocka_unit_test(what_is_reserved_is_kept_free),
    cmocka_unit_test(at_most_half_is_reserved),
    cmocka_unit_test(a_call_between_stays_with_its_result),
    cmocka_unit_test(the_newest_result_stays_with_its_call),
    cmocka_unit_test(of_two_results_of_one_answer_none_is_left_alone),
    cmocka_unit_test(halving_leaves_the_newer_half),
    cmocka_unit_test(halving_always_ends),
    cmocka_unit_test(halving_does_not_split_a_call_from_its_result),
    cmocka_unit_test(a_thousand_conversations_keep_the_rules),
};

UNIT_MAIN(tests)
