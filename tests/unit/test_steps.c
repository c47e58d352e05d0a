/*
 * Tests of src/chat/steps.h: what is written is read again, what is no step is refused, and no failing allocation leaks or crashes.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/chat/steps.h"

static const struct completion_call two_calls[] = {{"call-1", "add", "{\"a\":1}", "signed"}, {"call-2", "ä 漢字", "no JSON {", NULL}};

static const struct completion_message asking = {.role = COMPLETION_ASSISTANT, .content = "I'll \"look\"\n😀", .content_len = 16, .calls = two_calls, .call_count = 2,
                                                 .reasoning = "hm", .state = "{\"x\":[1]}", .state_wire = "test"};
static const struct completion_message answering = {.role = COMPLETION_TOOL, .content = "3", .content_len = 1, .call_id = "call-1", .call_name = "add", .is_error = true};

static void assert_text(const char *got, const char *wanted)
{
    if (wanted == NULL)
        assert_null(got);
    else
        assert_string_equal(got, wanted);
}

static void assert_same(const struct completion_message *got, const struct completion_message *wanted)
{
    assert_int_equal(got->role, wanted->role);
    assert_int_equal(got->content_len, wanted->content_len);
    assert_memory_equal(got->content, wanted->content, wanted->content_len + 1);
    assert_int_equal(got->call_count, wanted->call_count);
    for (size_t i = 0; i < wanted->call_count; i++) {
        assert_text(got->calls[i].id, wanted->calls[i].id);
        assert_text(got->calls[i].name, wanted->calls[i].name);
        assert_text(got->calls[i].arguments, wanted->calls[i].arguments);
        assert_text(got->calls[i].state, wanted->calls[i].state);
    }
    assert_text(got->reasoning, wanted->reasoning);
    assert_text(got->state, wanted->state);
    assert_text(got->state_wire, wanted->state_wire);
    assert_text(got->call_id, wanted->call_id);
    assert_text(got->call_name, wanted->call_name);
    assert_int_equal(got->is_error, wanted->is_error);
}

static void assert_round_trip(const struct completion_message *message)
{
    struct completion_message again;
    json_object *step = step_write(message);
    const char *text = json_write(step);
    json_object *read = json_read_loose(text, strlen(text)); /* as it comes from the database */
    assert_true(step_read(read, &again));
    json_object_put(read);
    json_object_put(step);
    assert_same(&again, message);
    step_free(&again);
    assert_null(again.content);
    assert_int_equal(again.call_count, 0);
}

static void a_step_is_read_as_it_was_written(void **state)
{
    (void)state;
    assert_round_trip(&asking);
    assert_round_trip(&answering);
    assert_round_trip(&(struct completion_message){.role = COMPLETION_USER, .content = "", .content_len = 0});
    assert_round_trip(&(struct completion_message){.role = COMPLETION_ASSISTANT, .content = "done", .content_len = 4});
}

static void the_words_of_the_database_stay_the_same(void **state)
{
    (void)state;
    json_object *step = step_write(&answering);
    assert_string_equal(json_write(step), "{\"role\":\"tool\",\"content\":\"3\",\"call_id\":\"call-1\",\"call_name\":\"add\",\"is_error\":true}");
    json_object_put(step);
    step = step_write(&(struct completion_message){.role = COMPLETION_ASSISTANT, .calls = two_calls, .call_count = 1});
    assert_string_equal(json_write(step), "{\"role\":\"assistant\",\"content\":\"\",\"calls\":[{\"id\":\"call-1\",\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1}\",\"state\":\"signed\"}]}");
    json_object_put(step);
}

static bool reads(const char *text)
{
    struct completion_message message;
    json_object *step = json_read_loose(text, strlen(text));
    bool good = step_read(step, &message);
    json_object_put(step);
    if (good)
        assert_int_equal(message.content_len, strlen(message.content)); /* readers rely on both */
    else
        assert_true(message.content == NULL && message.calls == NULL && message.call_count == 0);
    step_free(&message);
    return good;
}

static void what_is_no_step_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "null", "1", "[]", "\"x\"", "{}", "{\"role\":\"assistant\"}", "{\"content\":\"x\"}", "{\"role\":1,\"content\":\"x\"}", "{\"role\":\"assistant\",\"content\":[]}",
        "{\"role\":\"assistant\",\"content\":\"x\",\"calls\":[1]}", "{\"role\":\"assistant\",\"content\":\"x\",\"calls\":[{\"id\":\"a\",\"name\":\"b\"}]}",
        "{\"role\":\"assistant\",\"content\":\"x\",\"calls\":[{\"id\":\"a\",\"name\":\"b\",\"arguments\":\"{}\"},{\"id\":7,\"name\":\"b\",\"arguments\":\"{}\"}]}",
        "{\"role\":\"tool\",\"content\":\"x\"}", "{\"role\":\"tool\",\"content\":\"x\",\"call_id\":\"a\"}", "{\"role\":\"tool\",\"content\":\"x\",\"call_name\":\"a\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (reads(bad[i])) {
            print_error("read: %s\n", bad[i]);
            _fail(__FILE__, __LINE__);
        }
}

static void members_of_another_type_are_none(void **state)
{
    (void)state;
    assert_true(reads("{\"role\":\"assistant\",\"content\":\"x\",\"calls\":{},\"reasoning\":1,\"state\":[],\"is_error\":null}"));
    assert_true(reads("{\"role\":\"robot\",\"content\":\"x\"}")); /* an assistant */
}

/* It cannot be in what we write; a length beyond the text would be read past its end. */
static void a_nul_ends_a_content(void **state)
{
    (void)state;
    assert_true(reads("{\"role\":\"user\",\"content\":\"ab\\u0000cdefghijklmnop\"}"));
}

static void no_failing_allocation_leaks(void **state)
{
    (void)state;
    static const struct completion_message *const both[] = {&asking, &answering};
    static const long allocations[] = {12, 3};
    for (size_t i = 0; i < 2; i++) {
        json_object *step = step_write(both[i]);
        long calls = 0;
        for (bool good = false; !good; calls++) {
            struct completion_message message;
            mem_fail_after(calls);
            good = step_read(step, &message);
            mem_fail_after(-1);
            if (!good)
                assert_true(message.content == NULL && message.calls == NULL && message.call_id == NULL);
            step_free(&message);
            assert_true(calls < 100);
        }
        assert_int_equal(calls, allocations[i] + 1);
        json_object_put(step);
    }
}

/* Bytes of a good step, changed at random: whatever comes of it, it is a step or none. */
static void garbage_is_a_step_or_none(void **state)
{
    (void)state;
    static const char letters[] = "{}[]\",:\\0u1ntf \x80\xC3";
    uint64_t seed = 5;
    json_object *step = step_write(&asking);
    char text[512];
    size_t good = 0;
    for (int round = 0; round < 20000; round++) {
        (void)snprintf(text, sizeof text, "%s", json_write(step));
        for (uint32_t n = unit_random(&seed) % 4 + 1; n > 0; n--)
            text[unit_random(&seed) % strlen(text)] = letters[unit_random(&seed) % (sizeof letters - 1)];
        good += reads(text);
    }
    assert_true(good > 100 && good < 19900);
    json_object_put(step);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_step_is_read_as_it_was_written),
    cmocka_unit_test(the_words_of_the_database_stay_the_same),
    cmocka_unit_test(what_is_no_step_is_refused),
    cmocka_unit_test(members_of_another_type_are_none),
    cmocka_unit_test(a_nul_ends_a_content),
    cmocka_unit_test(no_failing_allocation_leaks),
    cmocka_unit_test(garbage_is_a_step_or_none),
};

UNIT_MAIN(tests)
