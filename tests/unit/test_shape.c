/*
 * Tests of src/chat/shape.h: each shape's status, members and the name of a wrong field.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/chat/shape.h"

typedef json_object *shape_function(const struct failure *failure, int *status);

/* "STATUS JSON" of a failure, in static memory. */
static const char *shaped(shape_function *shape, enum outcome outcome, const char *sentence)
{
    static char text[2048];
    struct failure failure;
    (void)fail(&failure, outcome, "%s", sentence);
    int status = outcome_status(outcome);
    json_object *body = shape(&failure, &status);
    (void)snprintf(text, sizeof text, "%d %s", status, json_write(body));
    json_object_put(body);
    return text;
}

static void openai_has_four_members(void **state)
{
    (void)state;
    assert_string_equal(shaped(shape_openai, OUTCOME_NOT_FOUND, "There is nothing at this address."),
                        "404 {\"error\":{\"message\":\"There is nothing at this address.\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"not_found\"}}");
    assert_string_equal(shaped(shape_openai, OUTCOME_BAD_FIELD, "\"max_tokens\" must be a whole number."),
                        "400 {\"error\":{\"message\":\"\\\"max_tokens\\\" must be a whole number.\",\"type\":\"invalid_request_error\",\"param\":\"max_tokens\",\"code\":\"invalid_field\"}}");
}

static void openai_has_its_statuses_and_types(void **state)
{
    (void)state;
    static const struct {
        enum outcome outcome;
        const char *status, *type;
    } rows[] = {
        {OUTCOME_BAD_JSON, "400 ", "invalid_request_error"},      {OUTCOME_BAD_REQUEST, "400 ", "invalid_request_error"},   {OUTCOME_BAD_METHOD, "405 ", "invalid_request_error"},
        {OUTCOME_BAD_TYPE, "415 ", "invalid_request_error"},      {OUTCOME_TOO_LARGE, "413 ", "invalid_request_error"},     {OUTCOME_FORBIDDEN, "403 ", "permission_error"},
        {OUTCOME_RATE_LIMITED, "429 ", "rate_limit_error"},       {OUTCOME_PROVIDER_BUSY, "429 ", "rate_limit_error"},      {OUTCOME_INTERNAL, "500 ", "server_error"},
        {OUTCOME_OVERLOADED, "503 ", "server_error"},             {OUTCOME_STORE, "503 ", "server_error"},                  {OUTCOME_PROVIDER_ERROR, "502 ", "api_error"},
        {OUTCOME_PROVIDER_TIMEOUT, "504 ", "api_error"},          {OUTCOME_CONTEXT_TOO_LONG, "400 ", "invalid_request_error"}, {OUTCOME_REFUSED, "400 ", "invalid_request_error"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = shaped(shape_openai, rows[i].outcome, "A sentence.");
        char type[64];
        (void)snprintf(type, sizeof type, "\"type\":\"%s\"", rows[i].type);
        assert_memory_equal(got, rows[i].status, 4);
        assert_contains(got, type);
        assert_contains(got, outcome_code(rows[i].outcome));
    }
}

static void only_a_leading_name_in_quotes_is_the_field(void **state)
{
    (void)state;
    static const char *const none[] = {"The field \"model\" is missing.", "\"\" is missing.", "\"model is missing.", "", "\""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_contains(shaped(shape_openai, OUTCOME_BAD_FIELD, none[i]), "\"param\":null");
        assert_contains(shaped(shape_fastapi, OUTCOME_BAD_FIELD, none[i]), "\"loc\":[\"body\"]");
    }
    assert_contains(shaped(shape_openai, OUTCOME_NOT_FOUND, "\"gpt-9\" is no model."), "\"param\":null");
    assert_contains(shaped(shape_openai, OUTCOME_BAD_FIELD, "\"messages\": the \"role\" of an item is missing."), "\"param\":\"messages\"");
}

static void fastapi_has_a_detail(void **state)
{
    (void)state;
    assert_string_equal(shaped(shape_fastapi, OUTCOME_NOT_FOUND, "There is nothing at this address."), "404 {\"detail\":\"There is nothing at this address.\"}");
    assert_string_equal(shaped(shape_fastapi, OUTCOME_BAD_JSON, "The body must be a JSON object."), "400 {\"detail\":\"The body must be a JSON object.\"}");
    assert_string_equal(shaped(shape_fastapi, OUTCOME_BAD_FIELD, "\"message\" is missing."),
                        "422 {\"detail\":[{\"type\":\"value_error\",\"loc\":[\"body\",\"message\"],\"msg\":\"\\\"message\\\" is missing.\"}]}");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(openai_has_four_members),
    cmocka_unit_test(openai_has_its_statuses_and_types),
    cmocka_unit_test(only_a_leading_name_in_quotes_is_the_field),
    cmocka_unit_test(fastapi_has_a_detail),
};
UNIT_MAIN(tests)
