/*
 * Tests of src/chat/prompt.h: what is left out so that a conversation fits, and what never is; what is borrowed, added and rewritten; what is read from the database.
 *
 * A conversation is written as letters: u the user's, a an assistant's, c an assistant's that calls a tool, t the tool's result. A message has 4 tokens and as many of text as its
 * number says (4 for none): "u a16 u".
 */
#include "store.h"

#include "../../src/base/json.h"
#include "../../src/chat/prompt.h"
#include "../../src/chat/steps.h"

static const struct completion_call one_call = {.id = "call-1", .name = "look", .arguments = "{}"};

/* What step_free() frees. */
static struct completion_message copy_of(const struct completion_message *message)
{
    struct completion_message copy;
    json_object *step = step_write(message);
    assert_true(step_read(step, &copy));
    json_object_put(step);
    return copy;
}

static void prompt_from(struct prompt *prompt, const char *text)
{
    *prompt = (struct prompt){0};
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
            message.state = "{}";
            message.state_wire = "test";
        }
        struct completion_message copy = copy_of(&message);
        mem_free(content);
        assert_true(prompt_add(prompt, &copy));
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

/* --- borrowed, added, rewritten ----------------------------------------------------------------------------------------------- */

static const struct completion_message lent[] = {
    {.role = COMPLETION_USER, .content = "q1", .content_len = 2},
    {.role = COMPLETION_ASSISTANT, .content = "a1", .content_len = 2},
    {.role = COMPLETION_USER, .content = "q2", .content_len = 2},
};

static bool add_text(struct prompt *prompt, enum completion_role role, const char *text)
{
    struct completion_message message = copy_of(&(struct completion_message){.role = role, .content = text, .content_len = strlen(text)});
    return prompt_add(prompt, &message);
}

static void what_is_borrowed_is_not_freed(void **state)
{
    (void)state;
    struct prompt prompt;
    struct failure failure = {0};
    assert_int_equal(prompt_borrow(&prompt, lent, 3, &failure), OUTCOME_OK);
    assert_int_equal(prompt.count, 3);
    assert_ptr_equal(prompt.messages[2].content, lent[2].content);
    prompt_free(&prompt);
    assert_int_equal(prompt_borrow(&prompt, lent, 3, &failure), OUTCOME_OK);
    for (int i = 0; i < 100; i++) /* grows several times */
        assert_true(add_text(&prompt, i % 2 == 0 ? COMPLETION_ASSISTANT : COMPLETION_USER, i % 2 == 0 ? "answer" : "question"));
    assert_int_equal(prompt.count, 103);
    assert_ptr_equal(prompt.messages[0].content, lent[0].content);
    assert_string_equal(prompt.messages[102].content, "question");
    prompt_fit(&prompt, 40, 0); /* the borrowed ones go, and many of its own */
    assert_true(prompt.count < 10);
    assert_int_equal(prompt.borrowed, 0);
    prompt_free(&prompt);
    assert_int_equal(prompt_borrow(&prompt, lent, 3, &failure), OUTCOME_OK);
    assert_true(prompt_halve(&prompt)); /* some of the borrowed ones stay */
    assert_int_equal(prompt.borrowed, prompt.count);
    assert_true(add_text(&prompt, COMPLETION_ASSISTANT, "answer"));
    prompt_free(&prompt);
}

static void without_memory_nothing_is_lost_but_the_new_one(void **state)
{
    (void)state;
    struct prompt prompt;
    struct failure failure = {0};
    mem_fail_after(0);
    assert_int_equal(prompt_borrow(&prompt, lent, 3, &failure), OUTCOME_NO_MEMORY);
    prompt_free(&prompt);
    assert_int_equal(prompt_borrow(&prompt, lent, 3, &failure), OUTCOME_OK);
    assert_true(add_text(&prompt, COMPLETION_ASSISTANT, "a2")); /* there was room for one */
    struct completion_message message = copy_of(&lent[0]);
    mem_fail_after(0);
    assert_false(prompt_add(&prompt, &message));
    mem_fail_after(-1);
    assert_int_equal(prompt.count, 4);
    assert_true(add_text(&prompt, COMPLETION_USER, "q3"));
    assert_string_equal(prompt.messages[4].content, "q3");
    prompt_free(&prompt);
}

static void the_last_message_is_rewritten(void **state)
{
    (void)state;
    struct prompt prompt;
    struct failure failure = {0};
    assert_int_equal(prompt_borrow(&prompt, lent, 3, &failure), OUTCOME_OK);
    prompt_rewrite_last(&prompt, mem_copy("other"));
    prompt_rewrite_last(&prompt, mem_copy("yet others"));
    assert_string_equal(prompt.messages[2].content, "yet others");
    assert_int_equal(prompt.messages[2].content_len, 10);
    assert_string_equal(lent[2].content, "q2");
    assert_true(add_text(&prompt, COMPLETION_ASSISTANT, "own")); /* the rewritten one is not last any more */
    prompt_rewrite_last(&prompt, mem_copy(""));
    prompt_rewrite_last(&prompt, mem_copy("mine"));
    assert_string_equal(prompt.messages[3].content, "mine");
    assert_string_equal(prompt.messages[2].content, "yet others");
    prompt_fit(&prompt, 1, 0);
    prompt_free(&prompt);
}

/* --- from the database ---------------------------------------------------------------------------------------------------------- */

#define CALLER(...) "{\"role\":\"assistant\",\"content\":\"\",\"calls\":[" __VA_ARGS__ "]}"
#define CALL(id) "{\"id\":\"" id "\",\"name\":\"look\",\"arguments\":\"{}\"}"
#define RESULT(id, text) "{\"role\":\"tool\",\"content\":\"" text "\",\"call_id\":\"" id "\",\"call_name\":\"look\"}"
#define SAYS(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"

struct past {
    const char *question, *answer, *steps, *app_state;
};

/* A conversation of these turns; `question` is the id of the last one's. */
static int64_t talk(const struct past *turns, size_t count, char question[ID_BYTES])
{
    int64_t user = new_user();
    struct failure failure = {0};
    char conversation[ID_BYTES] = "";
    for (size_t i = 0; i < count; i++) {
        struct message_begin begin = turn_of(user, i > 0 ? conversation : NULL, NULL, turns[i].question);
        assert_int_equal(message_begin_turn(&begin, &failure), OUTCOME_OK);
        memcpy(conversation, begin.conversation, ID_BYTES);
        memcpy(question, begin.question, ID_BYTES);
        if (turns[i].answer == NULL)
            continue; /* is being made */
        struct message_end end = {.id = begin.answer, .process = PROCESS, .status = "done", .content = turns[i].answer, .content_len = strlen(turns[i].answer), .usage = usage_none(),
                                  .steps = turns[i].steps, .app_state = turns[i].app_state};
        assert_int_equal(message_end_turn(&end, &failure), OUTCOME_OK);
    }
    return user;
}

/* [u text], [a text], [a! id id] with calls, [t id text]: all of a prompt. Good until the next call. */
static const char *written(const struct prompt *prompt)
{
    static char text[4000];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < prompt->count; i++) {
        const struct completion_message *message = &prompt->messages[i];
        len += (size_t)snprintf(text + len, sizeof text - len, "[%s", message->role == COMPLETION_USER ? "u" : message->role == COMPLETION_TOOL ? message->is_error ? "e" : "t" : "a");
        for (size_t j = 0; j < message->call_count; j++)
            len += (size_t)snprintf(text + len, sizeof text - len, " !%s", message->calls[j].id);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s%.12s]", message->call_id != NULL ? " " : "", message->call_id != NULL ? message->call_id : "",
                                message->content_len > 0 ? " " : "", message->content);
    }
    return text;
}

static const char *read_back(const struct past *turns, size_t count)
{
    struct prompt prompt;
    struct failure failure = {0};
    char question[ID_BYTES];
    int64_t user = talk(turns, count, question);
    assert_int_equal(prompt_read(&prompt, user, question, &failure), OUTCOME_OK);
    const char *text = written(&prompt);
    prompt_free(&prompt);
    return text;
}

#define READ_BACK(...) read_back((const struct past[]){__VA_ARGS__}, sizeof((const struct past[]){__VA_ARGS__}) / sizeof(struct past))

static int begin(void **state)
{
    settings.history_messages = 20;
    return store_begin(state);
}

#define prompt_test(test) cmocka_unit_test_setup_teardown(test, begin, store_end)

static void questions_and_answers_are_read_in_their_order(void **state)
{
    (void)state;
    assert_string_equal(READ_BACK({.question = "q1"}), "[u q1]");
    assert_string_equal(READ_BACK({"q1", "a1", NULL, NULL}, {"q2", "a2", NULL, NULL}, {.question = "q3"}), "[u q1][a a1][u q2][a a2][u q3]");
}

static void neighbours_of_one_role_are_joined(void **state)
{
    (void)state;
    assert_string_equal(READ_BACK({"q1", "", NULL, NULL}, {"q2", "", NULL, NULL}, {.question = "q3"}), "[u q1\n\nq2\n\nq3]");
    assert_string_equal(READ_BACK({"q1", "a1", NULL, NULL}, {"", "a2", NULL, NULL}, {.question = "q3"}), "[u q1][a a1\n\na2][u q3]");
}

static void steps_take_the_place_of_the_answer(void **state)
{
    (void)state;
    assert_string_equal(READ_BACK({"q1", "shown", "[" CALLER(CALL("c1")) "," RESULT("c1", "r1") "," SAYS("a1") "]", NULL}, {.question = "q2"}), "[u q1][a !c1][t c1 r1][a a1][u q2]");
    assert_string_equal(READ_BACK({"q1", "shown", "[" CALLER(CALL("c1")) "," RESULT("c1", "r1") "," CALLER(CALL("c1")) "," RESULT("c1", "r2") "," SAYS("") "]", NULL}, {.question = "q2"}),
                        "[u q1][a !c1][t c1 r1][a !c1][t c1 r2][u q2]");
}

static void steps_that_are_none_leave_the_answer(void **state)
{
    (void)state;
    static const char *const none[] = {"[]", "{}", "null", "[", "7"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_string_equal(READ_BACK({"q1", "a1", none[i], NULL}, {.question = "q2"}), "[u q1][a a1][u q2]");
}

static void an_unconfirmed_call_gets_a_result_that_says_so(void **state)
{
    (void)state;
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1")) "]", NULL}, {.question = "q2"}), "[u q1][a !c1][e c1 This call wa][u q2]");
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1") "," CALL("c2")) "]", NULL}, {.question = "q2"}), "[u q1][a !c1 !c2][e c1 This call wa][e c2 This call wa][u q2]");
}

static void of_several_calls_only_those_without_a_result_get_one(void **state)
{
    (void)state;
    const char *text = READ_BACK({"q1", "", "[" CALLER(CALL("c1") "," CALL("c2") "," CALL("c3")) "," RESULT("c2", "r2") "]", NULL}, {.question = "q2"});
    assert_contains(text, "[u q1][a !c1 !c2 !c3]");
    assert_contains(text, "[t c2 r2]");
    assert_contains(text, "[e c1 This call wa]");
    assert_contains(text, "[e c3 This call wa]");
    assert_lacks(text, "[e c2");
    assert_contains(text, "][u q2]");
}

static void a_confirmation_leaves_the_calls_open(void **state)
{
    (void)state;
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1")) "]", NULL}, {.question = ""}), "[u q1][a !c1]");
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1") "," CALL("c2")) "," RESULT("c1", "r1") "]", NULL}, {.question = ""}), "[u q1][a !c1 !c2][t c1 r1]");
    /* but only those of the answer before it, and of that the last */
    assert_string_equal(READ_BACK({"q0", "", "[" CALLER(CALL("c0")) "]", NULL}, {"q1", "", "[" CALLER(CALL("c1")) "]", NULL}, {.question = ""}),
                        "[u q0][a !c0][e c0 This call wa][u q1][a !c1]");
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c0")) "," SAYS("hm") "," CALLER(CALL("c1")) "]", NULL}, {.question = ""}), "[u q1][a !c0][e c0 This call wa][a hm][a !c1]");
}

static void what_was_confirmed_goes_on_in_the_next_answer(void **state)
{
    (void)state;
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1") "," CALL("c2")) "," RESULT("c1", "r1") "]", NULL}, {"", "a2", "[" RESULT("c2", "r2") "," SAYS("a2") "]", NULL}, {.question = "q2"}),
                        "[u q1][a !c1 !c2][t c1 r1][t c2 r2][a a2][u q2]");
    /* the confirmed turn failed at once */
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1")) "]", NULL}, {"", "", NULL, NULL}, {.question = "q2"}), "[u q1][a !c1][e c1 This call wa][u q2]");
}

/* An attempt to confirm that failed before anything was done may stand between, words of the user's may not. */
static void a_confirmation_can_be_tried_again(void **state)
{
    (void)state;
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1")) "]", NULL}, {"", "", NULL, NULL}, {.question = ""}), "[u q1][a !c1]");
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1")) "]", NULL}, {"q2", "", NULL, NULL}, {.question = ""}), "[u q1][a !c1][e c1 This call wa][u q2]");
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1")) "]", NULL}, {"", "", "[" RESULT("c1", "r1") "]", NULL}, {.question = ""}), "[u q1][a !c1][t c1 r1]");
}

static void a_confirmation_of_nothing_is_an_empty_prompt(void **state)
{
    (void)state;
    assert_string_equal(READ_BACK({.question = ""}), "");
}

static void a_window_begins_with_the_user(void **state)
{
    (void)state;
    settings.history_messages = 4;
    assert_string_equal(READ_BACK({"q1", "a1", NULL, NULL}, {"q2", "a2", NULL, NULL}, {.question = "q3"}), "[u q2][a a2][u q3]");
    settings.history_messages = 2;
    assert_string_equal(READ_BACK({"q1", "", "[" CALLER(CALL("c1")) "]", NULL}, {.question = "q2"}), "[u q2]");
}

static void the_application_has_the_state_of_its_last_answer(void **state)
{
    (void)state;
    struct prompt prompt;
    struct failure failure = {0};
    char question[ID_BYTES];
    static const struct past turns[] = {{"q1", "a1", NULL, "{\"n\":1}"}, {"q2", "a2", NULL, "{\"n\":2}"}, {"q3", "", NULL, NULL}, {.question = "q4"}};
    int64_t user = talk(turns, 4, question);
    assert_int_equal(prompt_read(&prompt, user, question, &failure), OUTCOME_OK);
    assert_string_equal(prompt.app_state, "{\"n\":2}");
    prompt_free(&prompt);
    user = talk(turns + 2, 2, question);
    assert_int_equal(prompt_read(&prompt, user, question, &failure), OUTCOME_OK);
    assert_null(prompt.app_state);
    prompt_free(&prompt);
}

/* The question may have been asked before. */
static void other_words_stand_for_earlier_questions_only(void **state)
{
    (void)state;
    struct prompt prompt;
    struct failure failure = {0};
    char question[ID_BYTES];
    int64_t user = talk((const struct past[]){{"q1", "a1", NULL, NULL}, {"q2", "a2", NULL, NULL}}, 2, question);
    (void)sql("UPDATE messages SET steps = '[{\"role\":\"user\",\"content\":\"words\"}]' WHERE role = 'user'");
    assert_int_equal(prompt_read(&prompt, user, question, &failure), OUTCOME_OK);
    assert_string_equal(written(&prompt), "[u words][a a1][u q2]");
    assert_string_equal(prompt.question, "q2");
    prompt_free(&prompt);
}

static void a_question_that_is_gone_is_not_found(void **state)
{
    (void)state;
    struct prompt prompt;
    struct failure failure = {0};
    char question[ID_BYTES];
    int64_t user = talk((const struct past[]){{.question = "q1"}}, 1, question);
    assert_int_equal(prompt_read(&prompt, user, "no-such-id", &failure), OUTCOME_NOT_FOUND);
    prompt_free(&prompt);
    assert_int_equal(prompt_read(&prompt, new_user(), question, &failure), OUTCOME_NOT_FOUND); /* another's */
    prompt_free(&prompt);
}

static void at_each_allocation_memory_may_run_out(void **state)
{
    (void)state;
    struct failure failure = {0};
    char question[ID_BYTES];
    static const struct past turns[] = {{"q1", "a1", NULL, "{}"}, {"", "a1", NULL, NULL},
                                        {"q2", "", "[" CALLER(CALL("c1") "," CALL("c2")) "," RESULT("c2", "r2") "]", "{\"n\":2}"}, {.question = "q3"}};
    int64_t user = talk(turns, 4, question);
    long calls = 0;
    for (enum outcome outcome = OUTCOME_NO_MEMORY; outcome != OUTCOME_OK; calls++) {
        struct prompt prompt;
        mem_fail_after(calls);
        outcome = prompt_read(&prompt, user, question, &failure);
        mem_fail_after(-1);
        if (outcome == OUTCOME_OK)
            assert_string_equal(written(&prompt), "[u q1][a a1\n\na1][u q2][a !c1 !c2][e c1 This call wa][t c2 r2][u q3]");
        prompt_free(&prompt);
        assert_true(calls < 1000);
    }
    assert_true(calls > 20);
}

/* Steps as no program writes them: whatever is read, each result has its call before it. */
static void garbage_in_the_steps_is_survived(void **state)
{
    (void)state;
    static const char good[] = "[" CALLER(CALL("c1") "," CALL("c2")) "," RESULT("c1", "r1") "," SAYS("a1") "]";
    static const char letters[] = "{}[]\",:c12 ";
    uint64_t seed = 11;
    for (int round = 0; round < 200; round++) {
        char steps[sizeof good], question[ID_BYTES];
        memcpy(steps, good, sizeof good);
        for (uint32_t n = unit_random(&seed) % 3 + 1; n > 0; n--)
            steps[unit_random(&seed) % (sizeof good - 1)] = letters[unit_random(&seed) % (sizeof letters - 1)];
        struct prompt prompt;
        struct failure failure = {0};
        int64_t user = talk((const struct past[]){{"q1", "a1", steps, NULL}, {.question = round % 2 == 0 ? "q2" : ""}}, 2, question);
        enum outcome outcome = prompt_read(&prompt, user, question, &failure);
        assert_true(outcome == OUTCOME_OK || outcome == OUTCOME_NO_MEMORY);
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
    cmocka_unit_test(what_is_borrowed_is_not_freed),
    cmocka_unit_test(without_memory_nothing_is_lost_but_the_new_one),
    cmocka_unit_test(the_last_message_is_rewritten),
    prompt_test(questions_and_answers_are_read_in_their_order),
    prompt_test(neighbours_of_one_role_are_joined),
    prompt_test(steps_take_the_place_of_the_answer),
    prompt_test(steps_that_are_none_leave_the_answer),
    prompt_test(an_unconfirmed_call_gets_a_result_that_says_so),
    prompt_test(of_several_calls_only_those_without_a_result_get_one),
    prompt_test(a_confirmation_leaves_the_calls_open),
    prompt_test(what_was_confirmed_goes_on_in_the_next_answer),
    prompt_test(a_confirmation_can_be_tried_again),
    prompt_test(a_confirmation_of_nothing_is_an_empty_prompt),
    prompt_test(a_window_begins_with_the_user),
    prompt_test(the_application_has_the_state_of_its_last_answer),
    prompt_test(other_words_stand_for_earlier_questions_only),
    prompt_test(a_question_that_is_gone_is_not_found),
    prompt_test(at_each_allocation_memory_may_run_out),
    prompt_test(garbage_in_the_steps_is_survived),
};

UNIT_MAIN(tests)
