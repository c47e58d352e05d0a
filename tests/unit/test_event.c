/*
 * Tests of src/chat/event.h, and of what src/chat/answer.h does with events: which are let through, which count at the end.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/base/loop.h"
#include "../../src/base/settings.h"
#include "../../src/chat/ending.h"
#include "../../src/chat/event.h"

/* --- what may be said ------------------------------------------------------------------------------------------------------- */

static struct failure wrong;

static enum outcome check(const char *name, const char *json)
{
    json_object *content = json_read_loose(json, strlen(json));
    wrong = (struct failure){0};
    enum outcome outcome = event_check(name, content, &wrong);
    json_object_put(content);
    return outcome;
}

static const struct known {
    const char *name, *good;
    const char *needs[5]; /* paths that must be there */
} known[] = {
    {"reference", "{\"title\":\"t\",\"content\":\"c\"}", {"title", "content"}},
    {"live_update", "{\"update_id\":\"u\",\"type\":\"START\",\"content\":{\"label\":\"l\"}}", {"update_id", "type", "content", "content.label"}},
    {"followup_messages", "{\"messages\":[\"a\",\"b\"]}", {"messages"}},
    {"image", "{\"id\":\"i\",\"url\":\"https://x/y.png\"}", {"id", "url"}},
    {"plan_item", "{\"task\":{\"id\":\"1\",\"description\":\"d\",\"status\":\"pending\"}}", {"task", "task.id", "task.description", "task.status"}},
    {"confirmation_request", "{\"confirmation_request\":{\"confirmation_id\":\"c\",\"tool_name\":\"t\",\"tool_description\":\"\",\"arguments\":{}}}",
     {"confirmation_request", "confirmation_request.confirmation_id", "confirmation_request.tool_name", "confirmation_request.tool_description", "confirmation_request.arguments"}},
    {"tool_call", "{\"id\":\"i\",\"name\":\"n\",\"arguments\":{}}", {"id", "name", "arguments"}},
    {"tool_result", "{\"id\":\"i\",\"name\":\"n\",\"content\":\"c\"}", {"id", "name", "content"}},
    {"clear_message", "{}", {NULL}},
    {"conversation_summary", "{\"summary\":\"s\"}", {"summary"}},
};

/* The content with the member at `path` taken out, or put in as `value`. */
static enum outcome check_changed(const struct known *one, const char *path, bool is_put, const char *value)
{
    char folder[64] = "";
    const char *name = strrchr(path, '.');
    if (name != NULL)
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path);
    name = name != NULL ? name + 1 : path;
    json_object *content = json_read_loose(one->good, strlen(one->good)), *owner = json_at(content, folder);
    assert_non_null(owner);
    json_object_object_del(owner, name);
    if (is_put)
        json_object_object_add(owner, name, json_read_loose(value, strlen(value)));
    wrong = (struct failure){0};
    enum outcome outcome = event_check(one->name, content, &wrong);
    json_object_put(content);
    return outcome;
}

static void known_events_need_what_clients_rely_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_int_equal(check(known[i].name, known[i].good), OUTCOME_OK);
        for (size_t j = 0; j < 5 && known[i].needs[j] != NULL; j++) {
            assert_int_equal(check_changed(&known[i], known[i].needs[j], false, NULL), OUTCOME_BAD_FIELD);
            assert_contains(wrong.message, known[i].name);
            assert_contains(wrong.message, "needs a proper \"");
            assert_int_equal(check_changed(&known[i], known[i].needs[j], true, "null"), OUTCOME_BAD_FIELD);
            assert_int_equal(check_changed(&known[i], known[i].needs[j], true, "7"), OUTCOME_BAD_FIELD);
            assert_int_equal(check_changed(&known[i], known[i].needs[j], true, "[7]"), OUTCOME_BAD_FIELD);
        }
    }
}

static void more_members_than_needed_may_be_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(check_changed(&known[i], "more", true, "[{\"x\":1}]"), OUTCOME_OK);
}

static void a_content_is_an_object(void **state)
{
    (void)state;
    static const char *const bad[] = {"null", "1", "\"x\"", "[]", "true"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check("my_own", bad[i]), OUTCOME_BAD_FIELD);
    assert_int_equal(check("my_own", "{}"), OUTCOME_OK);
}

static void names_are_small_letters_digits_and_lines(void **state)
{
    (void)state;
    char longest[LIMIT_EVENT_NAME_BYTES + 2];
    memset(longest, 'a', sizeof longest);
    longest[LIMIT_EVENT_NAME_BYTES] = '\0';
    assert_int_equal(check(longest, "{}"), OUTCOME_OK);
    longest[LIMIT_EVENT_NAME_BYTES] = 'a';
    longest[LIMIT_EVENT_NAME_BYTES + 1] = '\0';
    static const char *const good[] = {"a", "a1", "weather_report_2"};
    const char *const bad[] = {"", "A", "1a", "_a", "a b", "a-b", "a\n", "ä", "aB", "a:b", longest};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(check(good[i], "{}"), OUTCOME_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check(bad[i], "{}"), OUTCOME_BAD_FIELD);
}

static void what_the_program_says_itself_is_reserved(void **state)
{
    (void)state;
    static const char *const reserved[] = {"start", "token", "text", "reasoning", "ping", "done", "error", "message", "message_id", "conversation_id", "usage", "state_update", "chunked_content"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        assert_int_equal(check(reserved[i], "{\"state\":{},\"signature\":\"x\"}"), OUTCOME_BAD_FIELD);
        assert_contains(wrong.message, "made by the program itself");
    }
}

static enum outcome check_address(const char *event, const char *url)
{
    char json[200];
    (void)snprintf(json, sizeof json, "{\"id\":\"i\",\"title\":\"t\",\"content\":\"c\",\"url\":\"%s\"}", url);
    return check(event, json);
}

static void an_address_cannot_run_anything(void **state)
{
    (void)state;
    static const char *const good[] = {"https://x/", "http://x/?a:b", "data:image/png;base64,AAAA", "/a.png", "a.png", "?a:b", "#a:b", "//host/a", "a/b:c", ""};
    static const char *const bad[] = {"javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "\\u0001javascript:alert(1)", "java\\nscript:alert(1)", "data:text/html,x", "vbscript:x",
                                      "blob:x", "file:///etc/passwd", "HTTPS:x"};
    for (int i = 0; i < 2; i++) {
        const char *event = i == 0 ? "image" : "reference";
        for (size_t j = 0; j < sizeof good / sizeof good[0]; j++)
            assert_int_equal(check_address(event, good[j]), OUTCOME_OK);
        for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++)
            assert_int_equal(check_address(event, bad[j]), OUTCOME_BAD_FIELD);
    }
    assert_int_equal(check("reference", "{\"title\":\"t\",\"content\":\"c\",\"url\":null}"), OUTCOME_OK);
    assert_int_equal(check("reference", "{\"title\":\"t\",\"content\":\"c\",\"url\":5}"), OUTCOME_BAD_FIELD);
}

/* {"a": … } of so many objects, or lists within one object. */
static const char *nested(int depth, bool lists)
{
    static char text[1000];
    size_t len = 0;
    for (int i = 0; i < depth; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", lists && i > 0 ? "[" : i + 1 < depth ? "{\"a\":" : "{");
    for (int i = depth; i-- > 0;)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", lists && i > 0 ? "]" : "}");
    return text;
}

static void what_is_nested_too_deeply_is_refused(void **state)
{
    (void)state;
    for (int lists = 0; lists < 2; lists++) {
        assert_int_equal(check("my_own", nested(2, lists)), OUTCOME_OK);
        assert_int_equal(check("my_own", nested(LIMIT_JSON_DEPTH - 4, lists)), OUTCOME_OK);
        assert_int_equal(check("my_own", nested(LIMIT_JSON_DEPTH - 3, lists)), OUTCOME_BAD_FIELD);
        assert_contains(wrong.message, "nested too deeply");
    }
}

static void an_object_that_is_endlessly_deep_is_refused(void **state)
{
    (void)state;
    json_object *content = json_object_new_object(), *at = content;
    for (int i = 0; i < 2000; i++) {
        json_object *next = i % 2 != 0 ? json_object_new_object() : json_object_new_array();
        if (json_object_is_type(at, json_type_object))
            json_object_object_add(at, "a", next);
        else
            json_object_array_add(at, next);
        at = next;
    }
    assert_int_equal(event_check("my_own", content, &wrong), OUTCOME_BAD_FIELD);
    json_object_put(content);
}

/* --- what counts at the end --------------------------------------------------------------------------------------------------- */

static struct answer *answer;

static int begin(void **state)
{
    (void)state;
    settings.max_answer_bytes = 100;
    if (!loop_start())
        return -1;
    answer = answer_new(&(struct answer_birth){.user = 1, .conversation = "c", .id = "a", .model = "m"});
    return answer != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    answer_release(answer);
    loop_stop();
    return 0;
}

#define answer_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

static enum outcome say(const char *name, const char *json)
{
    return answer_event(answer, name, json_read_loose(json, strlen(json)), true);
}

/* Good until the next call. */
static const char *shown(void)
{
    static char text[2000];
    json_object *events = events_shown(answer);
    (void)snprintf(text, sizeof text, "%s", events != NULL ? json_write(events) : "none");
    json_object_put(events);
    return text;
}

static const char *shown_text(void)
{
    size_t len;
    const char *text = answer_shown(answer, &len);
    assert_int_equal(strlen(text), len);
    return text;
}

static void events_are_shown_in_their_order(void **state)
{
    (void)state;
    assert_string_equal(shown(), "none");
    assert_int_equal(say("my_own", "{\"n\":1}"), OUTCOME_OK);
    assert_int_equal(answer_text(answer, "text", 4), OUTCOME_OK);
    assert_int_equal(say("my_own", "{\"n\":1}"), OUTCOME_OK); /* the program does not know what it is about */
    assert_string_equal(shown(), "[{\"type\":\"my_own\",\"content\":{\"n\":1}},{\"type\":\"my_own\",\"content\":{\"n\":1}}]");
    assert_int_equal(answer->pos, 1 + 1 + 4 + 1);
    assert_true(answer->opened);
}

static void the_last_word_about_a_thing_takes_the_place_of_the_first(void **state)
{
    (void)state;
    assert_int_equal(say("live_update", "{\"update_id\":\"u\",\"type\":\"START\"}"), OUTCOME_OK);
    assert_int_equal(say("plan_item", "{\"task\":{\"id\":\"1\",\"status\":\"pending\"}}"), OUTCOME_OK);
    assert_int_equal(say("plan_item", "{\"task\":{\"id\":\"2\",\"status\":\"pending\"}}"), OUTCOME_OK);
    assert_int_equal(say("image", "{\"id\":\"1\",\"url\":\"a\"}"), OUTCOME_OK); /* the same id, another thing */
    assert_int_equal(say("followup_messages", "{\"messages\":[\"old\"]}"), OUTCOME_OK);
    assert_int_equal(say("plan_item", "{\"task\":{\"id\":\"1\",\"status\":\"completed\"}}"), OUTCOME_OK);
    assert_int_equal(say("live_update", "{\"update_id\":\"u\",\"type\":\"FINISH\"}"), OUTCOME_OK);
    assert_int_equal(say("image", "{\"id\":\"1\",\"url\":\"b\"}"), OUTCOME_OK);
    assert_int_equal(say("followup_messages", "{\"messages\":[\"new\"]}"), OUTCOME_OK);
    assert_string_equal(shown(), "[{\"type\":\"live_update\",\"content\":{\"update_id\":\"u\",\"type\":\"FINISH\"}},"
                                 "{\"type\":\"plan_item\",\"content\":{\"task\":{\"id\":\"1\",\"status\":\"completed\"}}},"
                                 "{\"type\":\"plan_item\",\"content\":{\"task\":{\"id\":\"2\",\"status\":\"pending\"}}},"
                                 "{\"type\":\"image\",\"content\":{\"id\":\"1\",\"url\":\"b\"}},"
                                 "{\"type\":\"followup_messages\",\"content\":{\"messages\":[\"new\"]}}]");
}

static void references_and_calls_never_replace_each_other(void **state)
{
    (void)state;
    assert_int_equal(say("reference", "{\"title\":\"t\"}"), OUTCOME_OK);
    assert_int_equal(say("reference", "{\"title\":\"t\"}"), OUTCOME_OK);
    assert_int_equal(say("tool_call", "{\"id\":\"1\"}"), OUTCOME_OK);
    assert_int_equal(say("tool_call", "{\"id\":\"1\"}"), OUTCOME_OK);
    json_object *events = events_shown(answer);
    assert_int_equal(json_object_array_length(events), 4);
    json_object_put(events);
}

static void what_has_a_column_of_its_own_is_not_shown(void **state)
{
    (void)state;
    assert_int_equal(say("conversation_summary", "{\"summary\":\"s\"}"), OUTCOME_OK);
    assert_int_equal(say("state_update", "{\"state\":{},\"signature\":\"s\"}"), OUTCOME_OK);
    assert_string_equal(shown(), "none");
    assert_false(event_is_kept("clear_message"));
    assert_true(event_is_kept("reference") && event_is_kept("my_own"));
}

static void after_clear_message_the_answer_begins_anew(void **state)
{
    (void)state;
    assert_int_equal(answer_text(answer, "first", 5), OUTCOME_OK);
    assert_int_equal(say("reference", "{\"title\":\"old\"}"), OUTCOME_OK);
    assert_int_equal(say("plan_item", "{\"task\":{\"id\":\"1\",\"status\":\"old\"}}"), OUTCOME_OK);
    assert_int_equal(say("clear_message", "{}"), OUTCOME_OK);
    assert_string_equal(shown(), "none");
    assert_string_equal(shown_text(), "");
    assert_int_equal(answer_text(answer, "second", 6), OUTCOME_OK);
    assert_int_equal(say("plan_item", "{\"task\":{\"id\":\"1\",\"status\":\"new\"}}"), OUTCOME_OK);
    assert_string_equal(shown_text(), "second");
    assert_string_equal(shown(), "[{\"type\":\"plan_item\",\"content\":{\"task\":{\"id\":\"1\",\"status\":\"new\"}}}]");
    assert_int_equal(say("clear_message", "{}"), OUTCOME_OK);
    assert_string_equal(shown_text(), "");
    assert_string_equal(shown(), "none");
}

static void what_was_cleared_still_counts_for_the_limit(void **state)
{
    (void)state;
    char text[101];
    memset(text, 'x', sizeof text);
    assert_int_equal(answer_text(answer, text, 60), OUTCOME_OK);
    assert_int_equal(say("clear_message", "{}"), OUTCOME_OK);
    assert_int_equal(answer_text(answer, text, 41), OUTCOME_ANSWER_TOO_LONG);
    assert_int_equal(answer_text(answer, text, 40), OUTCOME_OK);
    assert_int_equal(strlen(shown_text()), 40);
}

static void texts_that_are_not_utf_8_are_repaired(void **state)
{
    (void)state;
    assert_int_equal(answer_text(answer, "a\xFF", 2), OUTCOME_OK);
    assert_int_equal(answer_text(answer, "b\0c", 3), OUTCOME_OK);
    assert_string_equal(shown_text(), "a\xEF\xBF\xBD" "b\xEF\xBF\xBD" "c");
}

static void events_that_are_not_utf_8_are_repaired(void **state)
{
    (void)state;
    json_object *content = json_object_new_object();
    json_object_object_add(content, "city", json_object_new_string("Krak\xF3w \"\\\n"));
    assert_int_equal(answer_event(answer, "my_own", content, true), OUTCOME_OK);
    assert_string_equal(shown(), "[{\"type\":\"my_own\",\"content\":{\"city\":\"Krak\xEF\xBF\xBDw \\\"\\\\\\n\"}}]");
}

static void an_answer_that_has_ended_takes_nothing(void **state)
{
    (void)state;
    struct ending ending = {.status = "done"};
    assert_int_equal(answer_text(answer, "x", 1), OUTCOME_OK);
    answer_end(answer, &ending);
    assert_int_equal(say("my_own", "{}"), OUTCOME_OK);
    assert_int_equal(answer_text(answer, "y", 1), OUTCOME_OK);
    assert_string_equal(shown(), "none");
    assert_string_equal(shown_text(), "x");
}

static void events_without_an_end_are_refused(void **state)
{
    (void)state;
    enum { BYTES = 1024 * 1024 };
    char *text = malloc(BYTES + 1);
    assert_non_null(text);
    memset(text, 'x', BYTES);
    text[BYTES] = '\0';
    enum outcome outcome = OUTCOME_OK;
    int count = 0;
    for (; outcome == OUTCOME_OK && count < 100; count++) {
        json_object *content = json_object_new_object();
        json_object_object_add(content, "x", json_object_new_string(text));
        outcome = answer_event(answer, "my_own", content, true);
    }
    assert_int_equal(outcome, OUTCOME_ANSWER_TOO_LONG);
    assert_int_equal(count, LIMIT_EVENTS_BYTES / BYTES);
    assert_int_equal(say("my_own", "{}"), OUTCOME_OK); /* a small one still fits, and nothing is lost */
    json_object *events = events_shown(answer);
    assert_int_equal(json_object_array_length(events), count);
    json_object_put(events);
    free(text);
}

static void without_memory_an_event_is_refused_and_the_others_stay(void **state)
{
    (void)state;
    static char large[8192];
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(say("my_own", "{\"n\":1}"), OUTCOME_OK);
    int failures = 0;
    for (long calls = 0; calls < 4; calls++) {
        mem_fail_after(calls);
        enum outcome outcome = answer_text(answer, "0123456789", 10);
        if (outcome == OUTCOME_OK) {
            json_object *content = json_object_new_object();
            json_object_object_add(content, "x", json_object_new_string(large));
            outcome = answer_event(answer, "my_own", content, true);
        }
        mem_fail_after(-1);
        failures += outcome == OUTCOME_NO_MEMORY;
        assert_true(outcome == OUTCOME_NO_MEMORY || outcome == OUTCOME_OK);
        assert_contains(shown(), "{\"type\":\"my_own\",\"content\":{\"n\":1}}");
    }
    assert_true(failures >= 2);
}

/* The content that an event was let through with is what comes out of the database, however deep. */
static void what_is_let_through_can_be_read_again(void **state)
{
    (void)state;
    const char *deepest = nested(LIMIT_JSON_DEPTH - 4, false);
    assert_int_equal(check("my_own", deepest), OUTCOME_OK);
    assert_int_equal(say("my_own", deepest), OUTCOME_OK);
    json_object *events = events_shown(answer);
    const char *why, *text = json_write(events);
    json_object *again = json_read(text, strlen(text), &why);
    assert_true(json_object_equal(events, again));
    assert_non_null(json_at(again, "0.content.a.a"));
    json_object_put(again);
    json_object_put(events);
}

/* Names and contents at random: never a crash, always a sentence. */
static void garbage_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char letters[] = "{}[]\",:0a.u";
    uint64_t seed = 77;
    for (int round = 0; round < 30000; round++) {
        const struct known *one = &known[unit_random(&seed) % (sizeof known / sizeof known[0])];
        char text[256];
        (void)snprintf(text, sizeof text, "%s", one->good);
        for (uint32_t n = unit_random(&seed) % 4; n > 0; n--)
            text[unit_random(&seed) % strlen(text)] = letters[unit_random(&seed) % (sizeof letters - 1)];
        enum outcome outcome = check(one->name, text);
        assert_true(outcome == OUTCOME_OK || (outcome == OUTCOME_BAD_FIELD && wrong.message[0] != '\0'));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(known_events_need_what_clients_rely_on),
    cmocka_unit_test(more_members_than_needed_may_be_there),
    cmocka_unit_test(a_content_is_an_object),
    cmocka_unit_test(names_are_small_letters_digits_and_lines),
    cmocka_unit_test(what_the_program_says_itself_is_reserved),
    cmocka_unit_test(an_address_cannot_run_anything),
    cmocka_unit_test(what_is_nested_too_deeply_is_refused),
    cmocka_unit_test(an_object_that_is_endlessly_deep_is_refused),
    answer_test(events_are_shown_in_their_order),
    answer_test(the_last_word_about_a_thing_takes_the_place_of_the_first),
    answer_test(references_and_calls_never_replace_each_other),
    answer_test(what_has_a_column_of_its_own_is_not_shown),
    answer_test(after_clear_message_the_answer_begins_anew),
    answer_test(what_was_cleared_still_counts_for_the_limit),
    answer_test(texts_that_are_not_utf_8_are_repaired),
    answer_test(events_that_are_not_utf_8_are_repaired),
    answer_test(an_answer_that_has_ended_takes_nothing),
    answer_test(events_without_an_end_are_refused),
    answer_test(without_memory_an_event_is_refused_and_the_others_stay),
    answer_test(what_is_let_through_can_be_read_again),
    cmocka_unit_test(garbage_is_refused_with_a_sentence),
};

UNIT_MAIN(tests)
