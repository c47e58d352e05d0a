/*
 * Tests of src/llm/provider_error.h: the shapes and signs in which vendors report failures.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/base/utf8.h"
#include "../../src/llm/provider_error.h"

static struct provider_error read_answer(long status, const char *body)
{
    struct exchange exchange = {.end = EXCHANGE_DONE, .status = status, .retry_after_ms = -1, .should_retry = -1};
    struct provider_error error;
    provider_error_read(&error, &exchange, guard(body, strlen(body)), strlen(body));
    return error;
}

static enum outcome outcome_of(long status, const char *body)
{
    return read_answer(status, body).outcome;
}

static void the_message_is_found_in_every_known_shape(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        "{\"error\":{\"message\":\"it broke\",\"type\":\"t\"}}", "{\"error\":\"it broke\"}", "{\"message\":\"it broke\"}", "{\"Message\":\"it broke\"}",
        "{\"detail\":\"it broke\"}", "{\"detail\":[{\"msg\":\"it broke\",\"loc\":[\"body\"]}]}", "{\"fault\":{\"faultstring\":\"it broke\"}}",
        "{\"errors\":[{\"message\":\"it broke\"}]}", "[{\"error\":{\"message\":\"it broke\"}}]", "{\"object\":\"error\",\"message\":\"it broke\",\"type\":\"t\",\"code\":400}",
        "{\"error\":{\"message\":\"it broke\"},\"message\":\"other\"}", "{\"error\":{\"object\":\"error\",\"message\":\"it broke\",\"code\":500}}",
        "{\"code\":\"c\",\"error\":\"it broke\"}",
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        assert_string_equal(read_answer(400, shapes[i]).message, "it broke");
}

static void bodies_without_a_message_have_none(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "<html><body>502 Bad Gateway</body></html>", "{\"error\":", "null", "7", "[]", "{\"error\":{\"code\":1}}", "upstream error", "\xFF\xFE"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct provider_error error = read_answer(502, bodies[i]);
        assert_string_equal(error.message, "");
        assert_int_equal(error.outcome, OUTCOME_PROVIDER_ERROR);
        assert_true(error.retry);
    }
}

static void html_inside_a_message_is_not_shown(void **state)
{
    (void)state;
    assert_string_equal(read_answer(502, "{\"error\":{\"message\":\"<html><body>502 Bad Gateway</body></html>\"}}").message, "");
}

static void a_message_is_one_valid_line_and_not_too_long(void **state)
{
    (void)state;
    char body[3000] = "{\"error\":{\"message\":\"a\\nb\\u0001\xFF";
    for (int i = 0; i < 700; i++)
        strcat(body, "€");
    strcat(body, "\"}}");
    struct provider_error error = read_answer(400, body);
    assert_memory_equal(error.message, "a b \uFFFD€", 10);
    assert_true(strlen(error.message) > 250 && strlen(error.message) < 400);
    assert_true(utf8_valid(error.message, strlen(error.message)));
}

static void statuses_are_classified(void **state)
{
    (void)state;
    static const struct {
        long status;
        enum outcome outcome;
        bool retry;
    } rows[] = {{400, OUTCOME_PROVIDER_ERROR, false}, {401, OUTCOME_PROVIDER_AUTH, false}, {402, OUTCOME_PROVIDER_QUOTA, false}, {403, OUTCOME_PROVIDER_AUTH, false},
                {404, OUTCOME_PROVIDER_ERROR, false}, {408, OUTCOME_PROVIDER_ERROR, true}, {413, OUTCOME_PROVIDER_ERROR, false}, {422, OUTCOME_PROVIDER_ERROR, false},
                {424, OUTCOME_PROVIDER_ERROR, true}, {429, OUTCOME_PROVIDER_BUSY, true}, {498, OUTCOME_PROVIDER_AUTH, false}, {500, OUTCOME_PROVIDER_ERROR, true},
                {502, OUTCOME_PROVIDER_ERROR, true}, {504, OUTCOME_PROVIDER_ERROR, true}, {529, OUTCOME_PROVIDER_BUSY, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct provider_error error = read_answer(rows[i].status, "{\"error\":{\"message\":\"m\"}}");
        assert_int_equal(error.outcome, rows[i].outcome);
        assert_int_equal(error.retry, rows[i].retry);
    }
}

static void an_overloaded_provider_is_busy(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(503, "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}"), OUTCOME_PROVIDER_BUSY);
    assert_true(read_answer(503, "").retry);
    assert_int_equal(outcome_of(500, "{\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"), OUTCOME_PROVIDER_BUSY);
}

static void no_credit_is_told_from_too_many_requests(void **state)
{
    (void)state;
    static const char *const empty[] = {
        "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
        "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":null}}",
        "{\"error\":{\"message\":\"Please check your billing details\"}}",
        "{\"error\":{\"message\":\"Your credit balance is too low\"}}",
    };
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        struct provider_error error = read_answer(429, empty[i]);
        assert_int_equal(error.outcome, OUTCOME_PROVIDER_QUOTA);
        assert_false(error.retry);
    }
    assert_int_equal(outcome_of(429, "{\"error\":{\"message\":\"Rate limit reached for gpt-4o\",\"code\":\"rate_limit_exceeded\"}}"), OUTCOME_PROVIDER_BUSY);
    assert_int_equal(outcome_of(0, "") , OUTCOME_PROVIDER_ERROR);
}

static void no_credit_is_understood_with_other_statuses_too(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(400, "{\"error\":{\"message\":\"Your credit balance is too low to access the API\"}}"), OUTCOME_PROVIDER_QUOTA);
    assert_int_equal(outcome_of(403, "{\"error\":{\"message\":\"m\",\"code\":\"insufficient_quota\"}}"), OUTCOME_PROVIDER_QUOTA);
}

static void a_refused_key_is_understood(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(401, "{\"error\":{\"message\":\"Incorrect API key\",\"code\":\"invalid_api_key\"}}"), OUTCOME_PROVIDER_AUTH);
    assert_int_equal(outcome_of(400, "{\"error\":{\"message\":\"m\",\"code\":\"invalid_api_key\"}}"), OUTCOME_PROVIDER_AUTH);
    assert_int_equal(outcome_of(400, "[{\"error\":{\"code\":400,\"message\":\"API key not valid.\",\"status\":\"INVALID_ARGUMENT\","
                                     "\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}]"), OUTCOME_PROVIDER_AUTH);
}

static void filtered_content_is_a_refusal(void **state)
{
    (void)state;
    struct provider_error error = read_answer(400, "{\"error\":{\"message\":\"The response was filtered\",\"code\":\"content_filter\","
                                                   "\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\"}}}");
    assert_int_equal(error.outcome, OUTCOME_REFUSED);
    assert_false(error.retry);
}

static void assert_context(long status, const char *code, const char *message)
{
    char body[600];
    (void)snprintf(body, sizeof body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
    struct provider_error error = read_answer(status, body);
    if (error.outcome != OUTCOME_CONTEXT_TOO_LONG)
        print_error("not seen as too long: %s\n", body);
    assert_int_equal(error.outcome, OUTCOME_CONTEXT_TOO_LONG);
    assert_false(error.retry);
}

static void a_conversation_that_is_too_long_is_understood_from_code_and_text(void **state)
{
    (void)state;
    assert_context(400, "context_length_exceeded", "m");
    assert_context(400, "exceed_context_size_error", "m");
    assert_int_equal(outcome_of(500, "{\"error\":{\"code\":400,\"type\":\"exceed_context_size_error\",\"message\":\"the request exceeds the available context size\","
                                     "\"n_prompt_tokens\":9,\"n_ctx\":8}}"), OUTCOME_CONTEXT_TOO_LONG);
    static const char *const texts[] = {
        "This model's Maximum Context Length is 8192 tokens.", "Input tokens exceed the configured limit of 272000", "prompt is too long: 9 > 8",
        "too many tokens: 9", "input length exceeds the context length", "exceeds the available context size", "the prompt is longer than the model's context length",
        "The context size has been exceeded.", "tokens greater than the context length", "`inputs` tokens + `max_new_tokens` must be <= 4096",
        "length limit exceeded", "Prompt has too many tokens", "input would exceed context limit", "the model's maximum context limit is 1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_context(400, "", texts[i]);
}

static void the_signs_of_other_wires_are_understood_when_a_proxy_repeats_them(void **state)
{
    (void)state;
    assert_context(400, "", "The input token count (9) exceeds the maximum number of tokens allowed (8).");
    assert_context(400, "", "Input is too long for requested model.");
    assert_context(400, "", "too many input tokens");
    assert_context(400, "", "expected maxLength: 8, actual: 9");
    assert_context(400, "", "Please reduce the length. Current length is 9 while limit is 8");
}

static void what_only_sounds_like_it_is_no_context_error(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(400, "{\"error\":{\"code\":\"string_above_max_length\",\"message\":\"maximum context length is\"}}"), OUTCOME_PROVIDER_ERROR);
    assert_int_equal(outcome_of(400, "{\"error\":{\"message\":\"max_tokens is too large\"}}"), OUTCOME_PROVIDER_ERROR);
}

static void a_rate_limit_that_speaks_of_tokens_is_no_context_error(void **state)
{
    (void)state;
    struct provider_error error = read_answer(429, "{\"error\":{\"message\":\"too many tokens per minute, please slow down\"}}");
    assert_int_equal(error.outcome, OUTCOME_PROVIDER_BUSY);
    assert_true(error.retry);
}

static void the_parameter_complained_about_is_named(void **state)
{
    (void)state;
    assert_string_equal(read_answer(400, "{\"error\":{\"message\":\"m\",\"param\":\"temperature\"}}").param, "temperature");
    assert_string_equal(read_answer(400, "{\"error\":{\"message\":\"m\",\"param\":null}}").param, "");
    char body[400] = "{\"error\":{\"message\":\"m\",\"param\":\"";
    memset(body + strlen(body), 'p', 200);
    strcat(body, "\"}}");
    assert_int_equal(strlen(read_answer(400, body).param), 63);
}

static void should_retry_decides_but_not_over_quota(void **state)
{
    (void)state;
    struct exchange exchange = {.end = EXCHANGE_DONE, .status = 400, .retry_after_ms = -1, .should_retry = 1};
    struct provider_error error;
    provider_error_read(&error, &exchange, "{}", 2);
    assert_true(error.retry);
    exchange.should_retry = 0;
    exchange.status = 500;
    provider_error_read(&error, &exchange, "{}", 2);
    assert_false(error.retry);
    exchange.should_retry = 1;
    exchange.status = 402;
    provider_error_read(&error, &exchange, "{}", 2);
    assert_false(error.retry);
}

static void broken_connections_are_classified(void **state)
{
    (void)state;
    static const struct {
        enum exchange_end end;
        enum outcome outcome;
        bool retry;
    } rows[] = {{EXCHANGE_NO_CONNECT, OUTCOME_PROVIDER_UNREACHABLE, true}, {EXCHANGE_CUT, OUTCOME_INTERRUPTED, true}, {EXCHANGE_SILENT, OUTCOME_PROVIDER_TIMEOUT, false},
                {EXCHANGE_TOO_LONG, OUTCOME_PROVIDER_TIMEOUT, false}, {EXCHANGE_CANCELLED, OUTCOME_STOPPED, false}, {EXCHANGE_NO_MEMORY, OUTCOME_NO_MEMORY, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct exchange exchange = {.end = rows[i].end, .retry_after_ms = -1, .should_retry = -1};
        struct provider_error error;
        provider_error_read(&error, &exchange, "", 0);
        assert_int_equal(error.outcome, rows[i].outcome);
        assert_int_equal(error.retry, rows[i].retry);
    }
}

static const char *sentence_of(const struct provider_error *error)
{
    static struct failure failure;
    failure = (struct failure){0};
    (void)provider_error_fail(error, &failure);
    return failure.message;
}

static void a_refused_certificate_is_told_by_its_fault_and_not_tried_again(void **state)
{
    (void)state;
    static const char *const words[] = {[CERTIFICATE_EXPIRED] = "expired, or the clock", [CERTIFICATE_NOT_YET_VALID] = "not valid yet, so the clock",
                                        [CERTIFICATE_OF_NOBODY] = "authority", [CERTIFICATE_OF_ANOTHER] = "another name"};
    for (int fault = CERTIFICATE_NO_FAULT; fault <= CERTIFICATE_OF_ANOTHER; fault++) {
        struct exchange exchange = {.end = EXCHANGE_NO_CONNECT, .certificate = (enum certificate_fault)fault, .retry_after_ms = -1, .should_retry = -1};
        struct provider_error error;
        provider_error_read(&error, &exchange, "", 0);
        assert_int_equal(error.outcome, OUTCOME_PROVIDER_UNREACHABLE);
        assert_int_equal(error.retry, fault == CERTIFICATE_NO_FAULT);
        assert_contains(sentence_of(&error), fault == CERTIFICATE_NO_FAULT ? "cannot be reached." : words[fault]);
    }
}

static void a_clock_that_differs_is_named(void **state)
{
    (void)state;
    struct provider_error error = read_answer(403, "{\"message\":\"Signature not yet current: 20260101T010000Z is still later than 20260101T000000Z\"}");
    assert_int_equal(error.outcome, OUTCOME_PROVIDER_AUTH);
    assert_contains(sentence_of(&error), "clock");
    error = read_answer(403, "{\"message\":\"The security token included in the request is invalid.\"}");
    assert_null(strstr(sentence_of(&error), "clock"));
}

static void a_redirect_is_an_error_that_says_so(void **state)
{
    (void)state;
    struct provider_error error = read_answer(307, "");
    assert_int_equal(error.outcome, OUTCOME_PROVIDER_ERROR);
    assert_false(error.retry);
    assert_contains(error.message, "redirect");
}

static bool is_error(const char *json)
{
    json_object *object = json_read_loose(json, strlen(json));
    assert_non_null(object);
    bool result = provider_error_is_one(object);
    json_object_put(object);
    return result;
}

static void errors_are_told_from_pieces_of_an_answer(void **state)
{
    (void)state;
    static const char *const errors[] = {"{\"error\":\"x\"}", "{\"error\":{}}", "{\"error\":{\"code\":5},\"choices\":[]}", "{\"object\":\"error\"}", "{\"detail\":[]}",
                                         "{\"fault\":{}}", "{\"choices\":[{\"error\":{\"message\":\"m\"}}]}"};
    static const char *const pieces[] = {"{\"choices\":[]}", "{\"error\":null,\"choices\":[]}", "{\"choices\":[{\"error\":null}]}", "{}", "{\"detail\":\"x\",\"choices\":[]}",
                                         "{\"object\":\"chat.completion\"}"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_true(is_error(errors[i]));
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        assert_false(is_error(pieces[i]));
}

static void every_kind_has_a_sentence_for_the_user(void **state)
{
    (void)state;
    for (int i = OUTCOME_PROVIDER_UNREACHABLE; i < OUTCOME_COUNT; i++) {
        struct provider_error error = {.outcome = (enum outcome)i, .retry_after_ms = 1500, .message = "secret details %s"};
        struct failure failure = {0};
        enum outcome outcome = provider_error_fail(&error, &failure);
        assert_true(strlen(failure.message) > 10 && failure.message[strlen(failure.message) - 1] != ' ');
        assert_int_equal(failure.outcome, outcome);
        assert_int_equal(failure.retry_after_s, outcome == OUTCOME_PROVIDER_BUSY ? 2 : 0);
        assert_int_equal(strstr(failure.message, "secret details %s") != NULL, outcome == OUTCOME_PROVIDER_ERROR);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_message_is_found_in_every_known_shape),
    cmocka_unit_test(bodies_without_a_message_have_none),
    cmocka_unit_test(html_inside_a_message_is_not_shown),
    cmocka_unit_test(a_message_is_one_valid_line_and_not_too_long),
    cmocka_unit_test(statuses_are_classified),
    cmocka_unit_test(an_overloaded_provider_is_busy),
    cmocka_unit_test(no_credit_is_told_from_too_many_requests),
    cmocka_unit_test(no_credit_is_understood_with_other_statuses_too),
    cmocka_unit_test(a_refused_key_is_understood),
    cmocka_unit_test(filtered_content_is_a_refusal),
    cmocka_unit_test(a_conversation_that_is_too_long_is_understood_from_code_and_text),
    cmocka_unit_test(the_signs_of_other_wires_are_understood_when_a_proxy_repeats_them),
    cmocka_unit_test(what_only_sounds_like_it_is_no_context_error),
    cmocka_unit_test(a_rate_limit_that_speaks_of_tokens_is_no_context_error),
    cmocka_unit_test(the_parameter_complained_about_is_named),
    cmocka_unit_test(should_retry_decides_but_not_over_quota),
    cmocka_unit_test(broken_connections_are_classified),
    cmocka_unit_test(a_refused_certificate_is_told_by_its_fault_and_not_tried_again),
    cmocka_unit_test(a_clock_that_differs_is_named),
    cmocka_unit_test(a_redirect_is_an_error_that_says_so),
    cmocka_unit_test(errors_are_told_from_pieces_of_an_answer),
    cmocka_unit_test(every_kind_has_a_sentence_for_the_user),
};

UNIT_MAIN(tests)
