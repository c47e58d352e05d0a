/*
 * Tests of src/app/tools.c and of what src/app/chat.c lets an application say: calls that the user has decided about, and what is refused. (Models that call tools: the HTTP
 * tests.)
 *
 * A tool here stops the answer when it has run, so that no model is asked.
 */
#include "unit.h"

#include "../../src/app/chat.h"
#include "../../src/base/json.h"
#include "../../src/base/loop.h"
#include "../../src/base/settings.h"
#include "../../src/base/sign.h"
#include "../../src/chat/event.h"
#include "../../src/chat/steps.h"

static struct answer *answer;
static struct turn turn;
static struct making making;
static struct parley_chat chat;
static struct failure failure;
static char ran[1000]; /* what tools were called with */

static int begin(void **state)
{
    (void)state;
    settings.max_answer_bytes = 1000;
    settings.secret_key = "the key of these tests";
    settings.llm_model = "demo";
    settings.system_prompt = settings.llm_base_url = settings.llm_fallbacks = settings.openai_api_key = "";
    ran[0] = '\0';
    if (!loop_start())
        return -1;
    answer = answer_new(&(struct answer_birth){.user = 1, .conversation = "c", .id = "a", .model = "m"});
    turn = (struct turn){.user_name = "alice", .message = "", .metadata = "{}"};
    making = (struct making){.turn = &turn, .answer = answer, .result = {.usage = usage_none(), .cost = -1}};
    buf_init(&making.system, 1000);
    chat_begin(&chat, &making);
    return answer != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    (void)chat_end(&chat, &failure);
    making_free(&making);
    answer_release(answer);
    loop_stop();
    return 0;
}

#define chat_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void add(const char *step)
{
    struct completion_message message;
    json_object *object = json_read_loose(step, strlen(step));
    assert_true(step_read(object, &message));
    assert_true(prompt_add(&making.prompt, &message));
    json_object_put(object);
}

#define CALLS(arguments) "{\"role\":\"assistant\",\"content\":\"\",\"calls\":[{\"id\":\"c1\",\"name\":\"pay\",\"arguments\":\"" arguments "\"},{\"id\":\"c2\",\"name\":\"look\",\"arguments\":\"{}\"}]}"
#define RESULT_2 "{\"role\":\"tool\",\"content\":\"seen\",\"call_id\":\"c2\",\"call_name\":\"look\"}"

static bool pay(struct parley_chat *one, json_object *arguments, void *arg)
{
    (void)arg;
    size_t len = strlen(ran);
    (void)snprintf(ran + len, sizeof ran - len, "[pay %s]", json_write(arguments));
    assert_true(parley_result(one, "paid"));
    return true;
}

static bool pay_and_stop(struct parley_chat *one, json_object *arguments, void *arg)
{
    bool good = pay(one, arguments, arg);
    answer_stop(answer, STOP_BY_USER);
    return good;
}

/* The second has neither a description nor a schema. */
static const struct parley_tool tools[] = {{.name = "pay", .description = "pays", .schema = "{}", .call = pay_and_stop, .confirm = true}, {.name = "look", .call = pay}};

static void confirm(const char *confirmation, const char *confirmed)
{
    char json[200];
    (void)snprintf(json, sizeof json, "{\"tool_confirmations\":[{\"confirmation_id\":\"other\",\"confirmed\":true},{\"confirmation_id\":\"%s\",\"confirmed\":%s}]}", confirmation, confirmed);
    json_object_put(chat.context);
    chat.context = json_read_loose(json, strlen(json));
}

static const char *last_result(void)
{
    const struct completion_message *last = &making.prompt.messages[making.prompt.count - 1];
    assert_int_equal(last->role, COMPLETION_TOOL);
    return last->content;
}

/* As the program names the call "pay" with these arguments. */
static const char *name_of(const char *arguments)
{
    static char hash[SIGN_HEX_BYTES];
    char text[200];
    (void)snprintf(text, sizeof text, "c c1 pay %s", arguments);
    assert_true(sign_hash(text, strlen(text), hash));
    hash[16] = '\0';
    return hash;
}

static bool say_latin_1(struct parley_chat *one, json_object *arguments, void *arg)
{
    (void)arguments;
    (void)arg;
    assert_true(parley_result(one, "Krak\xF3w"));
    making.system.failed = true; /* no model is asked */
    return true;
}

/* It is kept: with such bytes the conversation could never go on. */
static void a_result_that_is_not_utf_8_is_repaired(void **state)
{
    (void)state;
    const struct parley_tool tool = {.name = "pay", .call = say_latin_1, .confirm = true};
    add("{\"role\":\"user\",\"content\":\"q\"}");
    add(CALLS("{}"));
    add(RESULT_2);
    confirm(name_of("{}"), "true");
    assert_false(parley_answer_with_tools(&chat, NULL, &tool, 1));
    making.system.failed = false;
    assert_string_equal(last_result(), "Krak\xEF\xBF\xBDw");
    assert_contains(json_write(making.steps), "Krak\xEF\xBF\xBDw");
    assert_contains(answer->events.data + answer->runs[answer->run_count - 1].offset + strlen("tool_result") + 1, "Krak\xEF\xBF\xBDw");
}

static void a_confirmed_call_is_made_with_the_arguments_of_then(void **state)
{
    (void)state;
    add("{\"role\":\"user\",\"content\":\"q\"}");
    add(CALLS("{\\\"euros\\\":5}"));
    add(RESULT_2);
    confirm(name_of("{\"euros\":5}"), "true");
    assert_false(parley_answer_with_tools(&chat, NULL, tools, 2)); /* stopped */
    assert_string_equal(ran, "[pay {\"euros\":5}]");
    json_object *events = events_shown(answer);
    assert_contains(json_write(events), "{\"type\":\"tool_call\",\"content\":{\"id\":\"c1\",\"name\":\"pay\",\"arguments\":{\"euros\":5}}}");
    json_object_put(events);
}

/* A no: the model hears of it. Another call's confirmation or none: the user is asked again. The tool does not run. */
static void what_is_not_confirmed_is_not_made(void **state)
{
    (void)state;
    static const char *const decisions[][2] = {{NULL, "false"}, {"0123456789abcdef", "true"}, {"", "true"}};
    for (size_t i = 0; i < 3; i++) {
        (void)end(NULL);
        assert_int_equal(begin(NULL), 0);
        add("{\"role\":\"user\",\"content\":\"q\"}");
        add(CALLS("{\\\"euros\\\":5}"));
        add(RESULT_2);
        confirm(decisions[i][0] != NULL ? decisions[i][0] : name_of("{\"euros\":5}"), decisions[i][1]);
        buf_add_text(&making.system, "x");
        making.system.failed = true; /* no model is asked */
        assert_false(parley_answer_with_tools(&chat, NULL, tools, 2));
        assert_string_equal(ran, "");
        if (i == 0)
            assert_contains(last_result(), "has declined this call");
        json_object *events = events_shown(answer);
        assert_int_equal(strstr(json_write(events), "confirmation_request") != NULL, i > 0);
        json_object_put(events);
        making.system.failed = false;
    }
}

static void without_memory_a_confirmed_call_is_not_passed_over(void **state)
{
    (void)state;
    for (long calls = 0; calls < 2; calls++) {
        (void)end(NULL);
        assert_int_equal(begin(NULL), 0);
        add("{\"role\":\"user\",\"content\":\"q\"}");
        add(CALLS("{}"));
        confirm(name_of("{}"), "true");
        mem_fail_after(calls);
        assert_false(parley_answer_with_tools(&chat, NULL, tools, 2));
        mem_fail_after(-1);
        assert_int_equal(chat.outcome, OUTCOME_NO_MEMORY);
        assert_int_equal(making.prompt.count, 2);
    }
}

static void arguments_that_no_event_could_hold_are_none(void **state)
{
    (void)state;
    char step[2000], arguments[400] = "";
    for (int i = 0; i < LIMIT_JSON_DEPTH - 1; i++)
        strcat(arguments, "{\\\"a\\\":");
    strcat(arguments, "{");
    for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
        strcat(arguments, "}");
    (void)snprintf(step, sizeof step, "{\"role\":\"assistant\",\"content\":\"\",\"calls\":[{\"id\":\"c1\",\"name\":\"pay\",\"arguments\":\"%s\"}]}", arguments);
    add("{\"role\":\"user\",\"content\":\"q\"}");
    add(step);
    confirm(name_of(making.prompt.messages[1].calls[0].arguments), "true");
    assert_false(parley_answer_with_tools(&chat, NULL, tools, 2));
    assert_string_equal(ran, "[pay {}]");
    json_object *events = events_shown(answer);
    assert_contains(json_write(events), "\"arguments\":{}");
    json_object_put(events);
}

static bool ask_inside(struct parley_chat *one, json_object *arguments, void *arg)
{
    (void)arguments;
    (void)arg;
    bool answered = parley_answer(one, NULL) || parley_answer_with_tools(one, NULL, tools, 2);
    (void)snprintf(ran, sizeof ran, "%d %s", answered, parley_failure(one));
    answer_stop(answer, STOP_BY_USER);
    return false;
}

static void a_model_cannot_be_asked_inside_a_tool(void **state)
{
    (void)state;
    const struct parley_tool asking = {.name = "pay", .call = ask_inside, .confirm = true};
    add("{\"role\":\"user\",\"content\":\"q\"}");
    add(CALLS("{}"));
    confirm(name_of("{}"), "true");
    assert_false(parley_answer_with_tools(&chat, NULL, &asking, 1));
    assert_string_equal(ran, "0 The application asked a model in the middle of a tool's call.");
}

static void nobody_is_asked_when_nothing_was_said(void **state)
{
    (void)state;
    assert_false(parley_answer(&chat, NULL));
    assert_int_equal(chat.outcome, OUTCOME_BAD_FIELD);
    assert_string_equal(parley_failure(&chat), "\"message\" is empty.");
    assert_false(parley_answer_with_tools(&chat, NULL, tools, 2));
    assert_int_equal(chat.outcome, OUTCOME_BAD_FIELD);
}

/* --- what may be said ------------------------------------------------------------------------------------------------------- */

static void after_a_refusal_nothing_changes_it(void **state)
{
    (void)state;
    parley_refuse(&chat, "Not today.");
    assert_false(parley_event(&chat, "BAD NAME", json_object_new_object()));
    assert_false(parley_text(&chat, "x"));
    assert_false(parley_set_state(&chat, json_object_new_object()));
    parley_refuse(&chat, "Another sentence.");
    assert_int_equal(chat_end(&chat, &failure), OUTCOME_DECLINED);
    assert_string_equal(failure.message, "Not today.");
    chat_begin(&chat, &making);
}

static void a_bad_event_fails_but_the_application_may_go_on(void **state)
{
    (void)state;
    assert_false(parley_event(&chat, "usage", json_object_new_object()));
    assert_int_equal(chat.outcome, OUTCOME_INTERNAL);
    assert_false(parley_image(&chat, "i", "javascript:x"));
    assert_false(parley_event(&chat, "my_own", NULL));
    assert_true(parley_text(&chat, "x"));
    assert_string_equal(parley_failure(&chat), "");
}

static void a_state_is_kept_and_told_with_its_signature(void **state)
{
    (void)state;
    json_object *kept = json_object_new_object();
    json_object_object_add(kept, "n", json_object_new_int(1));
    assert_true(parley_set_state(&chat, kept));
    assert_string_equal(json_write(parley_state(&chat)), "{\"n\":1}");
    assert_contains(answer->events.data + strlen("state_update") + 1, "{\"state\":{\"n\":1},\"signature\":\"");
    assert_true(parley_set_state(&chat, json_object_get(parley_state(&chat)))); /* the same object again */
    assert_false(parley_set_state(&chat, json_object_new_array()));
    assert_int_equal(chat.outcome, OUTCOME_INTERNAL);
    assert_false(parley_set_state(&chat, NULL));
    assert_string_equal(json_write(making.state), "{\"n\":1}");
}

static void a_rewritten_question_is_what_models_see(void **state)
{
    (void)state;
    turn.message = "my card is 1234";
    add("{\"role\":\"user\",\"content\":\"my card is 1234\"}");
    assert_string_equal(parley_message(&chat), "my card is 1234");
    assert_true(parley_rewrite(&chat, "my card is *"));
    assert_true(parley_rewrite(&chat, "my card is ****"));
    assert_string_equal(parley_message(&chat), "my card is ****");
    assert_string_equal(making.prompt.messages[0].content, "my card is ****");
    for (long calls = 0; calls < 2; calls++) {
        mem_fail_after(calls);
        assert_false(parley_rewrite(&chat, "lost"));
        mem_fail_after(-1);
        assert_int_equal(chat.outcome, OUTCOME_NO_MEMORY);
    }
    assert_string_equal(making.prompt.messages[0].content, "my card is ****");
}

static const struct CMUnitTest tests[] = {
    chat_test(a_confirmed_call_is_made_with_the_arguments_of_then),
    chat_test(a_result_that_is_not_utf_8_is_repaired),
    chat_test(what_is_not_confirmed_is_not_made),
    chat_test(without_memory_a_confirmed_call_is_not_passed_over),
    chat_test(arguments_that_no_event_could_hold_are_none),
    chat_test(a_model_cannot_be_asked_inside_a_tool),
    chat_test(nobody_is_asked_when_nothing_was_said),
    chat_test(after_a_refusal_nothing_changes_it),
    chat_test(a_bad_event_fails_but_the_application_may_go_on),
    chat_test(a_state_is_kept_and_told_with_its_signature),
    chat_test(a_rewritten_question_is_what_models_see),
};

UNIT_MAIN(tests)
