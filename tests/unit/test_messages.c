/*
 * Tests of src/api/messages.h: lists of messages as clients send them, and one clear sentence for each mistake.
 *
 * What comes out is written as letters: [u text], [a text], [a! id …] with calls, [t id text]; +n: so many images.
 */
#include "unit.h"

#include <time.h>

#include "../../src/api/messages.h"
#include "../../src/base/json.h"
#include "../../src/base/limits.h"

static struct failure wrong;
static struct messages got;
static json_object *sent;

static int begin(void **state)
{
    (void)state;
    messages_init(&got);
    sent = NULL;
    return 0;
}

static int end(void **state)
{
    (void)state;
    messages_free(&got);
    json_object_put(sent);
    return 0;
}

#define list_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* Reads a list anew. */
static enum outcome take(const char *json, bool is_plain)
{
    const char *why;
    (void)end(NULL);
    (void)begin(NULL);
    wrong = (struct failure){0};
    sent = json_read(json, strlen(json), &why);
    if (!json_object_is_type(sent, json_type_array))
        print_error("%s: %s\n", json, why);
    assert_true(json_object_is_type(sent, json_type_array));
    return messages_read(&got, sent, "messages", is_plain, &wrong);
}

static const char *letters(void)
{
    static char text[4000];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < got.count; i++) {
        const struct completion_message *message = &got.list[i];
        assert_int_equal(strlen(message->content), message->content_len);
        len += (size_t)snprintf(text + len, sizeof text - len, "[%s", message->role == COMPLETION_USER ? "u" : message->role == COMPLETION_TOOL ? "t" : "a");
        for (size_t j = 0; j < message->call_count; j++)
            len += (size_t)snprintf(text + len, sizeof text - len, " !%s", message->calls[j].id);
        if (message->image_count > 0)
            len += (size_t)snprintf(text + len, sizeof text - len, " +%zu", message->image_count);
        if (message->call_id != NULL)
            len += (size_t)snprintf(text + len, sizeof text - len, " %s/%s", message->call_id, message->call_name);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s]", message->content_len > 0 ? " " : "", message->content);
    }
    return text;
}

static const char *taken(const char *json)
{
    enum outcome outcome = take(json, false);
    if (outcome != OUTCOME_OK)
        print_error("%s\n", wrong.message);
    assert_int_equal(outcome, OUTCOME_OK);
    return letters();
}

#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define SAYS(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define CALL(id) "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"n-" id "\",\"arguments\":\"{}\"}}"
#define CALLS(...) "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" __VA_ARGS__ "]}"
#define RESULT(id, text) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text "\"}"
#define IMAGE "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}"
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define PARTS(role, ...) "{\"role\":\"" role "\",\"content\":[" __VA_ARGS__ "]}"

static void each_role_has_its_place(void **state)
{
    (void)state;
    assert_string_equal(taken("[{\"role\":\"system\",\"content\":\"s1\"}," USER("q1") "," SAYS("a1") ",{\"role\":\"developer\",\"content\":\"s2\"}," USER("q2") "]"), "[u q1][a a1][u q2]");
    assert_string_equal(got.system.data, "s1\n\ns2");
    assert_string_equal(got.question, "q2");
    assert_int_equal(got.question_len, 2);
    assert_string_equal(taken("[]"), "");
    assert_string_equal(got.question, "");
    assert_string_equal(got.system.data, "");
}

static void neighbours_of_one_role_are_joined(void **state)
{
    (void)state;
    assert_string_equal(taken("[" USER("1") "," USER("2") "," SAYS("a") "," SAYS("b") "," SAYS("c") "," USER("3") "," USER("4") "]"), "[u 1\n\n2][a a\n\nb\n\nc][u 3\n\n4]");
    assert_string_equal(got.question, "3\n\n4");
    assert_string_equal(taken("[" USER("1") ",{\"role\":\"system\",\"content\":\"between\"}," USER("2") "," SAYS("") "," USER("3") "]"), "[u 1\n\n2\n\n3]");
}

static void what_is_empty_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(taken("[" USER("") "," SAYS("") "," USER("q") "," SAYS("") "," PARTS("user", "") "]"), "[u q]");
}

static void parts_are_lines_of_one_text(void **state)
{
    (void)state;
    assert_string_equal(taken("[" PARTS("user", TEXT("a") "," TEXT("") "," TEXT("b")) "," PARTS("assistant", TEXT("c") "," TEXT("d")) "," PARTS("system", TEXT("s") "," TEXT("t")) "]"),
                        "[u a\nb][a c\nd]");
    assert_string_equal(got.system.data, "s\nt");
    assert_string_equal(got.question, "a\nb");
}

static void images_stay_with_their_message(void **state)
{
    (void)state;
    assert_string_equal(taken("[" PARTS("user", IMAGE "," TEXT("a") "," IMAGE) "," USER("b") "," PARTS("user", IMAGE) "]"), "[u +2 a][u b][u +1]");
    assert_string_equal(got.list[0].images[1].media_type, "image/png");
    assert_int_equal(got.list[0].images[1].base64_len, 4);
    assert_memory_equal(got.list[0].images[1].base64, "AAAA", 4);
}

static void calls_and_their_results(void **state)
{
    (void)state;
    assert_string_equal(taken("[" USER("q") "," CALLS(CALL("1") "," CALL("2")) "," RESULT("2", "r2") "," RESULT("1", "") "," SAYS("a") "," USER("q2") "]"),
                        "[u q][a !1 !2][t 2/n-2 r2][t 1/n-1][a a][u q2]");
    assert_string_equal(got.list[1].calls[0].arguments, "{}");
    assert_int_equal(messages_check(&got, "messages", &wrong), OUTCOME_OK);
    /* an id may come again in a later round, and a text may stand beside a call */
    assert_string_equal(taken("[" USER("q") "," CALLS(CALL("1")) "," RESULT("1", "x") ",{\"role\":\"assistant\",\"content\":\"hm\",\"tool_calls\":[" CALL("1") "]}," RESULT("1", "y") "]"),
                        "[u q][a !1][t 1/n-1 x][a !1 hm][t 1/n-1 y]");
    assert_int_equal(messages_check(&got, "messages", &wrong), OUTCOME_OK);
    assert_string_equal(taken("[" USER("q") ",{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[]}," USER("q2") "]"), "[u q][a a][u q2]");
    assert_string_equal(taken("[" USER("q") ",{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":null}," USER("q2") "]"), "[u q][a a][u q2]");
}

static void assert_refused(enum outcome outcome, const char *json, const char *part)
{
    if (outcome != OUTCOME_BAD_FIELD)
        print_error("not refused: %s\n", json);
    assert_int_equal(outcome, OUTCOME_BAD_FIELD);
    assert_true(strncmp(wrong.message, "\"messages\"", 10) == 0);
    assert_contains(wrong.message, part);
    size_t len = strlen(wrong.message);
    assert_true(wrong.message[len - 1] == '.' && strstr(wrong.message, ". ") == NULL); /* one sentence */
}

static void each_mistake_has_its_sentence(void **state)
{
    (void)state;
    static const char *const mistakes[][2] = {
        {"[1]", "must hold objects with \"role\""},
        {"[null]", "must hold objects with \"role\""},
        {"[[]]", "must hold objects with \"role\""},
        {"[{}]", "must hold objects with \"role\""},
        {"[{\"role\":7,\"content\":\"x\"}]", "must hold objects with \"role\""},
        {"[{\"role\":\"robot\",\"content\":\"x\"}]", "unknown role"},
        {"[{\"role\":\"\",\"content\":\"x\"}]", "unknown role"},
        {"[{\"role\":\"User\",\"content\":\"x\"}]", "unknown role"},
        {"[{\"role\":\"user\"}]", "must be a string or a list of parts"},
        {"[{\"role\":\"user\",\"content\":null}]", "must be a string or a list of parts"},
        {"[{\"role\":\"user\",\"content\":{}}]", "must be a string or a list of parts"},
        {"[{\"role\":\"assistant\",\"content\":null}]", "must be a string or a list of parts"},
        {"[{\"role\":\"system\",\"content\":5}]", "must be a string or a list of parts"},
        {"[" PARTS("user", "1") "]", "the parts of a content"},
        {"[" PARTS("user", "{\"type\":\"text\"}") "]", "the parts of a content"},
        {"[" PARTS("user", "{\"type\":\"text\",\"text\":[]}") "]", "the parts of a content"},
        {"[" PARTS("user", "{\"type\":\"input_audio\"}") "]", "the parts of a content"},
        {"[" PARTS("assistant", IMAGE) "]", "the parts of a content"},
        {"[" PARTS("system", IMAGE) "]", "the parts of a content"},
        {"[" PARTS("user", "{\"type\":\"image_url\"}") "]", "an image must be a data: URL"},
        {"[" PARTS("user", "{\"type\":\"image_url\",\"image_url\":\"data:image/png;base64,AAAA\"}") "]", "an image must be a data: URL"},
        {"[" PARTS("user", "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}}") "]", "an image must be a data: URL"},
        {"[" PARTS("user", "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,A\"}}") "]", "an image must be a data: URL"},
        {"[" PARTS("user", "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/svg+xml;base64,AAAA\"}}") "]", "an image must be a data: URL"},
        {"[" PARTS("user", IMAGE "," IMAGE "," IMAGE "," IMAGE "," IMAGE "," IMAGE "," IMAGE "," IMAGE "," IMAGE "," IMAGE "," IMAGE) "]", "10 images at most"},
        {"[" USER("q") ",{\"role\":\"assistant\",\"tool_calls\":{}}]", "\"tool_calls\" must be a list"},
        {"[" USER("q") ",{\"role\":\"assistant\",\"tool_calls\":\"x\"}]", "\"tool_calls\" must be a list"},
        {"[" USER("q") "," CALLS("1") "]", "each of \"tool_calls\" needs"},
        {"[" USER("q") "," CALLS(CALL("1") ",{\"id\":\"2\",\"function\":{\"name\":\"n\"}}") "]", "each of \"tool_calls\" needs"},
        {"[" USER("q") "," CALLS("{\"id\":\"2\",\"function\":{\"name\":\"n\",\"arguments\":{}}}") "]", "each of \"tool_calls\" needs"},
        {"[" USER("q") "," CALLS("{\"id\":2,\"function\":{\"name\":\"n\",\"arguments\":\"\"}}") "]", "each of \"tool_calls\" needs"},
        {"[" RESULT("1", "r") "]", "must follow the call"},
        {"[" USER("q") "," RESULT("1", "r") "]", "must follow the call"},
        {"[" USER("q") "," CALLS(CALL("1")) "," RESULT("2", "r") "]", "must follow the call"},
        {"[" USER("q") "," CALLS(CALL("1")) "," USER("no") "," RESULT("1", "r") "]", "must follow the call"},
        {"[" USER("q") "," CALLS(CALL("1")) ",{\"role\":\"tool\",\"content\":\"r\"}]", "must follow the call"},
        {"[" USER("q") "," CALLS(CALL("1")) ",{\"role\":\"tool\",\"tool_call_id\":\"1\"}]", "must be a string or a list of parts"},
        {"[" USER("q") "," CALLS(CALL("1")) ",{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":[" IMAGE "]}]", "the parts of a content"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        assert_refused(take(mistakes[i][0], false), mistakes[i][0], mistakes[i][1]);
}

static void a_plain_list_has_three_roles_and_strings(void **state)
{
    (void)state;
    assert_int_equal(take("[{\"role\":\"system\",\"content\":\"s\"}," USER("q") "," SAYS("a") "]", true), OUTCOME_OK);
    assert_string_equal(letters(), "[u q][a a]");
    assert_string_equal(got.system.data, "s");
    static const char *const mistakes[][2] = {
        {"[{\"role\":\"developer\",\"content\":\"s\"}]", "unknown role"},
        {"[{\"role\":\"tool\",\"content\":\"s\",\"tool_call_id\":\"1\"}]", "unknown role"},
        {"[" PARTS("user", TEXT("a")) "]", "\"content\" of a message must be a string."},
        {"[" CALLS(CALL("1")) "]", "\"content\" of a message must be a string."},
        {"[{\"role\":\"user\"}]", "\"content\" of a message must be a string."},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        assert_refused(take(mistakes[i][0], true), mistakes[i][0], mistakes[i][1]);
}

static void a_model_can_be_asked_only_with_a_whole_list(void **state)
{
    (void)state;
    static const char *const good[] = {"[" USER("q") "]", "[" SAYS("hello") "," USER("q") "]", "[" USER("q") "," CALLS(CALL("1")) "," RESULT("1", "r") "]", "[" PARTS("user", IMAGE) "]"};
    static const char *const mistakes[][2] = {
        {"[]", "must hold a message of the user's"},
        {"[{\"role\":\"system\",\"content\":\"s\"}]", "must hold a message of the user's"},
        {"[" USER("") "]", "must hold a message of the user's"},
        {"[" SAYS("a") "]", "must hold a message of the user's"},
        {"[" USER("q") "," SAYS("a") "]", "must end with"},
        {"[" USER("q") "," CALLS(CALL("1")) "]", "must be followed by one message with its result"},
        {"[" USER("q") "," CALLS(CALL("1")) "," USER("q2") "]", "must be followed by one message with its result"},
        {"[" USER("q") "," CALLS(CALL("1") "," CALL("2")) "," RESULT("1", "r") "]", "must be followed by one message with its result"},
        {"[" USER("q") "," CALLS(CALL("1") "," CALL("2")) "," RESULT("1", "r") "," RESULT("1", "r") "]", "must be followed by one message with its result"},
        {"[" USER("q") "," CALLS(CALL("1")) "," RESULT("1", "r") "," RESULT("1", "r") "]", "must be followed by one message with its result"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(take(good[i], false), OUTCOME_OK);
        assert_int_equal(messages_check(&got, "messages", &wrong), OUTCOME_OK);
    }
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        assert_int_equal(take(mistakes[i][0], false), OUTCOME_OK);
        assert_refused(messages_check(&got, "messages", &wrong), mistakes[i][0], mistakes[i][1]);
    }
}

static void a_question_is_added_or_joined(void **state)
{
    (void)state;
    assert_int_equal(take("[" USER("q1") "," SAYS("a1") "]", true), OUTCOME_OK);
    assert_int_equal(messages_add_question(&got, "q2", 2, &wrong), OUTCOME_OK);
    assert_string_equal(letters(), "[u q1][a a1][u q2]");
    assert_int_equal(messages_add_question(&got, "q3", 2, &wrong), OUTCOME_OK);
    assert_string_equal(letters(), "[u q1][a a1][u q2\n\nq3]");
    assert_string_equal(got.question, "q3");
}

static void the_question_is_dropped_where_the_client_has_put_it_too(void **state)
{
    (void)state;
    assert_int_equal(take("[" USER("q1") "," SAYS("a1") "," USER("q2") "]", true), OUTCOME_OK);
    messages_drop_last(&got, COMPLETION_USER, "q1");
    messages_drop_last(&got, COMPLETION_ASSISTANT, "q2");
    messages_drop_last(&got, COMPLETION_USER, "");
    messages_drop_last(&got, COMPLETION_USER, "xq2");
    messages_drop_last(&got, COMPLETION_USER, "2");
    assert_string_equal(letters(), "[u q1][a a1][u q2]");
    messages_drop_last(&got, COMPLETION_USER, "q2");
    assert_string_equal(letters(), "[u q1][a a1]");
    assert_int_equal(take("[]", true), OUTCOME_OK);
    messages_drop_last(&got, COMPLETION_USER, "q2");
    assert_int_equal(got.count, 0);
}

/* The answer before it was empty, so that it was joined to the question before. */
static void of_a_joined_message_only_the_question_is_dropped(void **state)
{
    (void)state;
    assert_int_equal(take("[" USER("q1") "," SAYS("") "," USER("a longer one") "," USER("q3") "]", true), OUTCOME_OK);
    messages_drop_last(&got, COMPLETION_USER, "one");
    assert_string_equal(letters(), "[u q1\n\na longer one\n\nq3]");
    messages_drop_last(&got, COMPLETION_USER, "q3");
    assert_string_equal(letters(), "[u q1\n\na longer one]");
    assert_int_equal(messages_add_question(&got, "q3", 2, &wrong), OUTCOME_OK);
    assert_string_equal(letters(), "[u q1\n\na longer one\n\nq3]");
    assert_int_equal(take("[" USER("q1") "," USER("a longer q3") "]", true), OUTCOME_OK);
    messages_drop_last(&got, COMPLETION_USER, "q3");
    assert_string_equal(letters(), "[u q1\n\na longer q3]");
    assert_int_equal(take("[" USER("q1") "," USER("q2") "," USER("q3") "]", true), OUTCOME_OK);
    messages_drop_last(&got, COMPLETION_USER, "q3");
    messages_drop_last(&got, COMPLETION_USER, "q2"); /* it was not put there by the client */
    assert_string_equal(letters(), "[u q1\n\nq2]");
    assert_int_equal(take("[" USER("q1\\n\\nq2") "]", true), OUTCOME_OK); /* one message with an empty line in it */
    messages_drop_last(&got, COMPLETION_USER, "q2");
    assert_string_equal(letters(), "[u q1\n\nq2]");
}

/* --- many ----------------------------------------------------------------------------------------------------------------------- */

static enum outcome take_many(size_t count, const char *role, const char *text)
{
    (void)end(NULL);
    (void)begin(NULL);
    sent = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        json_object *message = json_object_new_object();
        json_object_object_add(message, "role", json_object_new_string(i % 2 == 0 || role != NULL ? role != NULL ? role : "user" : "assistant"));
        json_object_object_add(message, "content", json_object_new_string(text));
        json_object_array_add(sent, message);
    }
    return messages_read(&got, sent, "messages", false, &wrong);
}

static void thousands_of_messages_have_an_end(void **state)
{
    (void)state;
    assert_int_equal(take_many(LIMIT_PAST_MESSAGES, NULL, "x"), OUTCOME_OK);
    assert_int_equal(got.count, LIMIT_PAST_MESSAGES);
    assert_int_equal(take_many(LIMIT_PAST_MESSAGES + 1, NULL, "x"), OUTCOME_OK); /* they need not be used */
    assert_refused(messages_check(&got, "messages", &wrong), "many", "2000 messages at most");
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Joining must not keep, nor copy, what was joined before with each message: of these, that were 8 GB. */
static void thousands_of_neighbours_are_joined_at_once(void **state)
{
    (void)state;
    static char text[4001];
    memset(text, 'x', sizeof text - 1);
    double begun = seconds();
    assert_int_equal(take_many(LIMIT_PAST_MESSAGES, "user", text), OUTCOME_OK);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.list[0].content_len, 4000 * LIMIT_PAST_MESSAGES + 2 * (LIMIT_PAST_MESSAGES - 1));
    assert_null(got.kept);
    assert_true(seconds() - begun < 5);
}

static void a_content_of_very_many_parts_is_one_text(void **state)
{
    (void)state;
    enum { PARTS_COUNT = 200000 };
    sent = json_object_new_array();
    json_object *message = json_object_new_object(), *parts = json_object_new_array();
    json_object_object_add(message, "role", json_object_new_string("user"));
    json_object_object_add(message, "content", parts);
    json_object_array_add(sent, message);
    for (int i = 0; i < PARTS_COUNT; i++) {
        json_object *part = json_object_new_object();
        json_object_object_add(part, "type", json_object_new_string("text"));
        json_object_object_add(part, "text", json_object_new_string("x"));
        json_object_array_add(parts, part);
    }
    double begun = seconds();
    assert_int_equal(messages_read(&got, sent, "messages", false, &wrong), OUTCOME_OK);
    assert_int_equal(got.list[0].content_len, 2 * PARTS_COUNT - 1);
    assert_int_equal(json_object_array_length(got.kept), 1);
    assert_true(seconds() - begun < 5);
}

/* --- trouble -------------------------------------------------------------------------------------------------------------------- */

static void at_each_allocation_memory_may_run_out(void **state)
{
    (void)state;
    static const char json[] = "[{\"role\":\"system\",\"content\":\"s\"}," USER("1") "," USER("2") "," SAYS("a") "," PARTS("user", TEXT("x") "," IMAGE "," IMAGE "," TEXT("y")) ","
                               CALLS(CALL("1") "," CALL("2")) "," RESULT("1", "r1") "," PARTS("user", TEXT("no")) "]";
    long calls = 0;
    for (enum outcome outcome = OUTCOME_NO_MEMORY; outcome != OUTCOME_OK; calls++) {
        (void)end(NULL);
        (void)begin(NULL);
        sent = json_read_loose(json, sizeof json - 1);
        mem_fail_after(calls);
        outcome = messages_read(&got, sent, "messages", false, &wrong);
        mem_fail_after(-1);
        assert_true(outcome == OUTCOME_OK || outcome == OUTCOME_NO_MEMORY);
        assert_true(calls < 100);
    }
    assert_true(calls > 6);
    assert_string_equal(letters(), "[u 1\n\n2][a a][u +2 x\ny][a !1 !2][t 1/n-1 r1][u no]");
}

/* Bytes of a good list changed at random: read, or refused with a sentence. */
static void garbage_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char json[] = "[" USER("1") "," USER("2") "," PARTS("user", TEXT("x") "," IMAGE) "," CALLS(CALL("1") "," CALL("2")) ","
                               RESULT("1", "r1") "," RESULT("2", "r2") "," SAYS("a") "," USER("q") "]";
    static const char bytes[] = "{}[]\",:12utnx";
    uint64_t seed = 21;
    int read = 0, refused = 0;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof json];
        const char *why;
        memcpy(text, json, sizeof json);
        for (uint32_t n = unit_random(&seed) % 3 + 1; n > 0; n--)
            text[unit_random(&seed) % (sizeof json - 1)] = bytes[unit_random(&seed) % (sizeof bytes - 1)];
        (void)end(NULL);
        (void)begin(NULL);
        sent = json_read(text, strlen(text), &why);
        if (!json_object_is_type(sent, json_type_array))
            continue;
        wrong = (struct failure){0};
        enum outcome outcome = messages_read(&got, sent, "messages", round % 2 == 0, &wrong);
        if (outcome == OUTCOME_OK)
            outcome = messages_check(&got, "messages", &wrong);
        read += outcome == OUTCOME_OK;
        refused += outcome == OUTCOME_BAD_FIELD;
        if (outcome == OUTCOME_BAD_FIELD)
            assert_true(strncmp(wrong.message, "\"messages\"", 10) == 0);
        else
            assert_int_equal(outcome, OUTCOME_OK);
        (void)letters();
    }
    assert_true(read > 100 && refused > 100);
}

static const struct CMUnitTest tests[] = {
    list_test(each_role_has_its_place),
    list_test(neighbours_of_one_role_are_joined),
    list_test(what_is_empty_is_left_out),
    list_test(parts_are_lines_of_one_text),
    list_test(images_stay_with_their_message),
    list_test(calls_and_their_results),
    list_test(each_mistake_has_its_sentence),
    list_test(a_plain_list_has_three_roles_and_strings),
    list_test(a_model_can_be_asked_only_with_a_whole_list),
    list_test(a_question_is_added_or_joined),
    list_test(the_question_is_dropped_where_the_client_has_put_it_too),
    list_test(of_a_joined_message_only_the_question_is_dropped),
    list_test(thousands_of_messages_have_an_end),
    list_test(thousands_of_neighbours_are_joined_at_once),
    list_test(a_content_of_very_many_parts_is_one_text),
    list_test(at_each_allocation_memory_may_run_out),
    list_test(garbage_is_refused_with_a_sentence),
};

UNIT_MAIN(tests)
