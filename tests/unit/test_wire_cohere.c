/*
 * Tests of src/llm/wire_cohere.c: the request as JSON, and answers with text, plans, thinking and tools, each whole, byte by byte and at every split.
 */
#include "wire.h"

/* --- the request ----------------------------------------------------------------------------------------------------------- */

static const struct wire_target plain_model = {.model = "command-a", .facts = {.known = true, .tools = true, .max_output = 8000}};
static const struct wire_target thinker = {.model = "command-r", .facts = {.known = true, .tools = true, .reasoning = true, .vision = true}};
static const struct wire_target unknown = {.model = "other"};

#define USER(text) {.role = COMPLETION_USER, .content = (text), .content_len = sizeof(text) - 1}
#define ASSISTANT(text) {.role = COMPLETION_ASSISTANT, .content = (text), .content_len = sizeof(text) - 1}
#define TOOL_RESULT(id, text) {.role = COMPLETION_TOOL, .call_id = id, .content = (text), .content_len = sizeof(text) - 1}

static const struct completion_message hello[] = {USER("Hi")};

static const char *body_of(const struct completion_request *request, struct wire_target target)
{
    return body_written(&wire_cohere, request, target);
}

static const char *body_without(const struct completion_request *request, struct wire_without without)
{
    return written(&wire_cohere, request, plain_model, without);
}

static void a_request_has_path_and_body(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("Hi \"you\"\n"), ASSISTANT("ä"), USER("one"), ASSISTANT(" "), USER("two")};
    struct completion_request request = {REQUEST(messages), .system = "Be kind."};
    assert_string_equal(written(&wire_cohere, &request, plain_model, (struct wire_without){0}),
                        "/v2/chat\n\n{\"model\":\"command-a\",\"messages\":[{\"role\":\"system\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\"},"
                        "{\"role\":\"assistant\",\"content\":\"ä\"},{\"role\":\"user\",\"content\":\"one\"},{\"role\":\"user\",\"content\":\"two\"}],"
                        "\"max_tokens\":100,\"temperature\":0.5,\"stream\":true}");
    request.system = "";
    assert_lacks(body_of(&request, plain_model), "system");
}

static void options_are_sent_by_their_names_here(void **state)
{
    (void)state;
    static const char *const stop[] = {"END", "X", "X", "X", "X", "X"};
    struct completion_request request = {REQUEST(hello), .stop = stop, .stop_count = 2};
    request.seed = 7;
    request.temperature = 1.5;
    request.max_tokens = 9000;
    assert_string_equal(body_of(&request, plain_model), "{\"model\":\"command-a\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":8000,\"temperature\":1,"
                        "\"stop_sequences\":[\"END\",\"X\"],\"seed\":7,\"stream\":true}");
    assert_contains(body_of(&request, unknown), "\"max_tokens\":9000,");
    assert_lacks(body_without(&request, (struct wire_without){.temperature = true}), "temperature");
    assert_lacks(body_without(&request, (struct wire_without){.max_tokens = true}), "max_tokens");
    assert_lacks(body_without(&request, (struct wire_without){.max_tokens_is_old = true}), "max_");
    assert_lacks(body_without(&request, (struct wire_without){.stop = true}), "stop_sequences");
    assert_lacks(body_without(&request, (struct wire_without){.seed = true}), "seed");
    request.seed = -1;
    assert_lacks(body_of(&request, plain_model), "seed");
    request.stop_count = 6;
    assert_string_equal(body_of(&request, plain_model), "refused: This model's provider takes at most 5 texts that end the answer.");
}

static void thinking_is_asked_of_models_that_think(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .effort = "low"};
    assert_contains(body_of(&request, thinker), "\"thinking\":{\"type\":\"enabled\",\"token_budget\":20}");
    request.effort = "medium";
    assert_contains(body_of(&request, thinker), "\"token_budget\":50}");
    request.effort = "high";
    assert_contains(body_of(&request, thinker), "\"token_budget\":80}");
    request.max_tokens = 1;
    assert_contains(body_of(&request, thinker), "\"token_budget\":1}");
    request.effort = "none";
    assert_contains(body_of(&request, thinker), "\"thinking\":{\"type\":\"disabled\"}");
    assert_lacks(body_of(&request, plain_model), "thinking");
    assert_lacks(body_of(&request, unknown), "thinking");
    assert_lacks(written(&wire_cohere, &request, thinker, (struct wire_without){.effort = true}), "thinking");
    request.effort = NULL;
    assert_lacks(body_of(&request, thinker), "thinking");
}

static void images_go_to_models_that_see(void **state)
{
    (void)state;
    static const struct completion_image images[] = {{"image/png", "aGk=XX", 4}};
    static const struct completion_message messages[] = {{.role = COMPLETION_USER, .content = "What?", .content_len = 5, .images = images, .image_count = 1}, ASSISTANT("A"),
                                                         {.role = COMPLETION_USER, .content = "", .images = images, .image_count = 1}};
    struct completion_request request = {REQUEST(messages)};
#define PNG "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,aGk=\"}}"
    assert_contains(body_of(&request, thinker), "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What?\"}," PNG "]},"
                    "{\"role\":\"assistant\",\"content\":\"A\"},{\"role\":\"user\",\"content\":[" PNG "]}]");
    assert_contains(body_of(&request, unknown), PNG);
    assert_string_equal(body_of(&request, plain_model), "refused: This model does not take images.");
}

static const struct completion_tool tools[] = {{"f", "does f", "{\"type\":\"object\"}"}, {"g", "", ""}};
#define F_JSON "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"does f\",\"parameters\":{\"type\":\"object\"}}}"
#define G_JSON "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"description\":\"\",\"parameters\":{}}}"

static void tools_and_the_choice_among_them_are_sent(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .tools = tools, .tool_count = 2};
    assert_contains(body_of(&request, plain_model), "\"tools\":[" F_JSON "," G_JSON "],\"max_tokens\"");
    request.tool_choice = "none";
    assert_contains(body_of(&request, plain_model), "\"tools\":[" F_JSON "," G_JSON "],\"tool_choice\":\"NONE\"");
    request.tool_choice = "required";
    assert_contains(body_of(&request, plain_model), "\"tools\":[" F_JSON "," G_JSON "],\"tool_choice\":\"REQUIRED\"");
    request.tool_choice = "g";
    assert_contains(body_of(&request, plain_model), "\"tools\":[" G_JSON "],\"tool_choice\":\"REQUIRED\"");
    request.tool_count = 0;
    assert_lacks(body_of(&request, plain_model), "tool");
}

static void calls_have_a_plan_and_no_text(void **state)
{
    (void)state;
    static const struct completion_call calls[] = {{.id = "t1", .name = "f", .arguments = "{\"a\": 1}"}, {.id = "t2", .name = "g", .arguments = "{bad"}};
    static const struct completion_message messages[] = {
        USER("Hi"), {.role = COMPLETION_ASSISTANT, .content = "", .calls = calls, .call_count = 2, .reasoning = "I will call"}, TOOL_RESULT("t1", "42"), TOOL_RESULT("t2", ""),
        {.role = COMPLETION_ASSISTANT, .content = "Said", .content_len = 4, .calls = calls, .call_count = 1, .reasoning = "thought"}, TOOL_RESULT("t1", "43"),
        {.role = COMPLETION_ASSISTANT, .content = "", .calls = calls, .call_count = 1}, TOOL_RESULT("t1", "44")};
    struct completion_request request = {REQUEST(messages)};
#define FIRST "{\"type\":\"function\",\"id\":\"t1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}"
    assert_contains(body_of(&request, plain_model),
                    "{\"role\":\"assistant\",\"tool_plan\":\"I will call\",\"tool_calls\":[" FIRST ",{\"type\":\"function\",\"id\":\"t2\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},"
                    "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"42\"},{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":\"\"},"
                    "{\"role\":\"assistant\",\"tool_plan\":\"Said\",\"tool_calls\":[" FIRST "]},{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"43\"},"
                    "{\"role\":\"assistant\",\"tool_calls\":[" FIRST "]},{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"44\"}]");
}

static void json_is_asked_for_but_not_with_tools(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .format = COMPLETION_JSON, .schema = "{\"type\":\"object\"}"};
    assert_contains(body_of(&request, plain_model), "\"response_format\":{\"type\":\"json_object\"}");
    request.format = COMPLETION_SCHEMA;
    assert_contains(body_of(&request, plain_model), "\"response_format\":{\"type\":\"json_object\",\"json_schema\":{\"type\":\"object\"}}");
    request.tools = tools;
    request.tool_count = 1;
    assert_contains(body_of(&request, plain_model), "refused: ");
}

static void a_request_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello)};
    struct wire_target target = {.provider = "cohere", .model = "m", .version = ""};
    struct wire_call call;
    struct failure failure;
    buf_init(&call.path, 100);
    buf_init(&call.headers, 100);
    buf_init(&call.body, 50);
    assert_int_equal(wire_cohere.write(&call, &request, &target, &(struct wire_without){0}, &failure), OUTCOME_NO_MEMORY);
    buf_free(&call.path);
    buf_free(&call.headers);
    buf_free(&call.body);
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

#define ASSERT_REPLY(bytes, wanted) assert_reply(&wire_cohere, bytes, sizeof(bytes) - 1, wanted)
#define E(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define START "event: message-start\ndata: {\"id\":\"c1\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[]}}}\n\n"
#define CONTENT(event, index, content) E(event, ",\"index\":" #index ",\"delta\":{\"message\":{\"content\":" content "}}")
#define TEXT_START CONTENT("content-start", 0, "{\"type\":\"text\",\"text\":\"\"}")
#define TEXT(text) CONTENT("content-delta", 0, "{\"text\":\"" text "\"}")
#define THOUGHT(text) CONTENT("content-delta", 0, "{\"thinking\":\"" text "\"}")
#define TEXT_END E("content-end", ",\"index\":0")
#define PLAN(text) E("tool-plan-delta", ",\"delta\":{\"message\":{\"tool_plan\":\"" text "\"}}")
#define CALL(index, id, name) E("tool-call-start", ",\"index\":" #index ",\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"" id "\",\"type\":\"function\"," \
                                "\"function\":{\"name\":\"" name "\",\"arguments\":\"\"}}}}")
#define PIECE(index, piece) E("tool-call-delta", ",\"index\":" #index ",\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"" piece "\"}}}}")
#define CALL_END(index) E("tool-call-end", ",\"index\":" #index)
#define USAGE_JSON "\"usage\":{\"billed_units\":{\"input_tokens\":5,\"output_tokens\":15},\"tokens\":{\"input_tokens\":71.0,\"output_tokens\":15},\"cached_tokens\":64}"
#define FINISH(reason) E("message-end", ",\"delta\":{\"finish_reason\":\"" reason "\"," USAGE_JSON "}")
#define DONE "data: [DONE]\n\n"
#define USAGE " usage=71+15,64,-1"

static void text_is_read(void **state)
{
    (void)state;
    ASSERT_REPLY(START TEXT_START TEXT("Hel") TEXT("lo 😀") TEXT_END FINISH("COMPLETE") DONE, "Hello 😀|ended model= finish=stop" USAGE);
}

static void reasons_to_stop_are_put_into_known_words(void **state)
{
    (void)state;
    ASSERT_REPLY(FINISH("STOP_SEQUENCE"), "|ended model= finish=stop" USAGE);
    ASSERT_REPLY(FINISH("MAX_TOKENS"), "|ended model= finish=length" USAGE);
    ASSERT_REPLY(FINISH("TOOL_CALL"), "|ended model= finish=tool_calls" USAGE);
    ASSERT_REPLY(FINISH("ODD \\n ONE"), "|ended model= finish=ODD___ONE" USAGE);
    ASSERT_REPLY(E("message-end", ""), "|ended model= finish=");
    ASSERT_REPLY(E("message-end", ",\"delta\":{\"finish_reason\":\"COMPLETE\",\"error\":null,\"usage\":{\"billed_units\":{\"input_tokens\":5,\"output_tokens\":2}}}"),
                 "|ended model= finish=stop usage=5+2,-1,-1");
}

static void failures_at_the_end_are_failures(void **state)
{
    (void)state;
    ASSERT_REPLY(START TEXT("par") E("message-end", ",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"boom\"}") DONE, "par|open failed: model= finish= outcome=provider_error said=boom");
    ASSERT_REPLY(E("message-end", ",\"delta\":{\"finish_reason\":\"ERROR\"}"), "|open failed: model= finish= outcome=provider_error said=The answer could not be finished.");
    ASSERT_REPLY(E("message-end", ",\"delta\":{\"error\":\"boom\"}"), "|open failed: model= finish= outcome=provider_error said=boom");
    ASSERT_REPLY(FINISH("TIMEOUT"), "|open failed: model= finish=" USAGE " outcome=provider_error said=The answer could not be finished.");
}

static void thinking_and_plans_are_kept_apart(void **state)
{
    (void)state;
    ASSERT_REPLY(START CONTENT("content-start", 0, "{\"type\":\"thinking\",\"thinking\":\"\"}") THOUGHT("Let ") THOUGHT("me") TEXT_END TEXT_START TEXT("A") FINISH("COMPLETE"),
                 "<Let me>A|ended model= finish=stop" USAGE);
    ASSERT_REPLY(START CONTENT("content-start", 0, "{\"type\":\"text\",\"text\":\"early\"}") TEXT(" late") FINISH("COMPLETE"), "early late|ended model= finish=stop" USAGE);
}

static void calls_are_read(void **state)
{
    (void)state;
    ASSERT_REPLY(START PLAN("I will ") PLAN("call") CALL(0, "t1", "f") PIECE(0, "{\\\"a\\\"") PIECE(0, ": 1}") CALL_END(0) CALL(1, "t2", "g") CALL_END(1) CALL(2, "", "h") PIECE(2, "")
                 CALL_END(2) FINISH("TOOL_CALL") DONE,
                 "<I will call|ended model= finish=tool_calls" USAGE " f(t1,{\"a\": 1}) g(t2,{}) h(call_3,{})");
}

static void calls_may_come_as_a_list_or_without_numbers(void **state)
{
    (void)state;
#define BARE(name, call) E(name, ",\"delta\":{\"message\":{\"tool_calls\":" call "}}")
    ASSERT_REPLY(BARE("tool-call-delta", "{\"function\":{\"arguments\":\"lost\"}}") BARE("tool-call-start", "{\"id\":\"t1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}")
                 BARE("tool-call-delta", "{\"function\":{\"arguments\":\"}\"}}") BARE("tool-call-start", "[{\"id\":\"t2\",\"function\":{\"name\":\"g\"}}]")
                 BARE("tool-call-delta", "[{\"function\":{\"arguments\":\"{ }\"}}]") BARE("tool-call-delta", "[]") FINISH("TOOL_CALL"),
                 "|ended model= finish=tool_calls" USAGE " f(t1,{}) g(t2,{ })");
}

static void unknown_events_and_odd_shapes_are_ignored(void **state)
{
    (void)state;
    ASSERT_REPLY(START E("citation-start", ",\"index\":0,\"delta\":{\"message\":{\"citations\":{\"start\":0,\"end\":1,\"text\":\"no\",\"sources\":[]}}}") E("citation-end", ",\"index\":0")
                 E("debug", ",\"prompt\":\"no\"") E("content-delta", "") E("content-delta", ",\"delta\":[7]") CONTENT("content-delta", 0, "{\"text\":7}") E("tool-call-start", "")
                 E("tool-plan-delta", ",\"delta\":{\"message\":7}") "data: null\n\ndata: [1]\n\n" TEXT("A") FINISH("COMPLETE"),
                 "A|ended model= finish=stop" USAGE);
}

static void framing_may_differ(void **state)
{
    (void)state;
    ASSERT_REPLY("event: content-delta\r\ndata:{\"delta\":{\"message\":{\"content\":{\"text\":\"A\"}}}}\r\n\r\nevent: message-end\r\ndata: {\"delta\":{\"finish_reason\":\"COMPLETE\"}}",
                 "A|ended model= finish=stop");
    ASSERT_REPLY(START TEXT("A") FINISH("COMPLETE") TEXT("late") "data: {garbage\n\n" DONE, "A|ended model= finish=stop" USAGE);
    ASSERT_REPLY(START TEXT("A") DONE, "A|open model= finish=");
}

/* After the terminal mark nobody waits for the end of the body. */
static void text_held_back_is_given_out_with_the_terminal_mark(void **state)
{
    (void)state;
    static const char bytes[] = START TEXT("<thin") FINISH("COMPLETE");
    static const struct wire_target target = {.provider = "cohere", .model = "m", .version = ""};
    struct listening to = {.most = 100};
    struct completion_sink sink = {.event = listening_take, .arg = &to};
    to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
    buf_init(&to.said, 100);
    reply_init(&to.reply, &wire_cohere, &target, &sink, &to.result);
    assert_true(wire_cohere.feed(&to.reply, bytes, sizeof bytes - 1));
    assert_true(to.reply.all_said);
    assert_string_equal(to.said.data, "<thin");
    reply_free(&to.reply);
    buf_free(&to.said);
}

static void errors_are_read(void **state)
{
    (void)state;
    ASSERT_REPLY(START TEXT("A") "data: {\"id\":\"e\",\"message\":\"boom\"}\n\n", "A|open failed: model= finish= outcome=provider_error said=boom");
    ASSERT_REPLY("event: error\ndata: {\"type\":\"error\",\"detail\":\"boom\"}\n\n", "|open failed: model= finish= outcome=provider_error said=boom");
    ASSERT_REPLY("{\"id\":\"e\",\"message\":\"invalid request\"}", "|open failed: model= finish= outcome=provider_error said=invalid request");
    ASSERT_REPLY("{\"error\":{\"message\":\"boom\"}}", "|open failed: model= finish= outcome=provider_error said=boom");
    ASSERT_REPLY(START "data: {garbage\n\n", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("<html>502</html>", "|open failed: model= finish= outcome=provider_error said=");
}

static void a_failure_tells_whether_to_try_again(void **state)
{
    (void)state;
    static const struct { const char *data; enum outcome outcome; bool retry; } cases[] = {
        {"{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"x\"}}", OUTCOME_PROVIDER_ERROR, true},
        {"{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"TIMEOUT\"}}", OUTCOME_PROVIDER_ERROR, true},
        {"{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"too many tokens\"}}", OUTCOME_CONTEXT_TOO_LONG, false},
        {"{\"message\":\"too many tokens: size limit exceeded by 7 tokens\"}", OUTCOME_CONTEXT_TOO_LONG, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listening to = {.most = 100};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        static const struct wire_target target = {.provider = "cohere", .model = "m", .version = ""};
        char bytes[300];
        to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
        reply_init(&to.reply, &wire_cohere, &target, &sink, &to.result);
        (void)snprintf(bytes, sizeof bytes, "data: %s\n\n", cases[i].data);
        assert_false(wire_cohere.feed(&to.reply, bytes, strlen(bytes)));
        assert_int_equal(to.reply.error.outcome, cases[i].outcome);
        assert_int_equal(to.reply.error.retry, cases[i].retry);
        reply_free(&to.reply);
    }
}

static void whole_answers_are_read(void **state)
{
    (void)state;
    ASSERT_REPLY("{\"id\":\"c1\",\"finish_reason\":\"COMPLETE\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"A\"}]},"
                 USAGE_JSON "}", "<hm>A|ended model= finish=stop" USAGE);
    ASSERT_REPLY("{\"finish_reason\":\"TOOL_CALL\",\"message\":{\"tool_plan\":\"plan\",\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
                 "{\"id\":\"t2\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]}}", "<plan|ended model= finish=tool_calls f(t1,{\"a\":1}) g(t2,{})");
    ASSERT_REPLY("{\"message\":{\"content\":[{\"text\":\"A\"},7,null],\"tool_calls\":7}}", "A|open model= finish=");
    ASSERT_REPLY("{\"finish_reason\":\"ERROR\",\"message\":{\"content\":[]}}", "|open failed: model= finish= outcome=provider_error said=The answer could not be finished.");
    ASSERT_REPLY("[]", "|open model= finish=");
    ASSERT_REPLY("", "|open model= finish=");
}

static void a_cut_answer_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    static const char stream[] = START TEXT_START TEXT("message-end \\\"COMPLETE\\\"") TEXT_END PLAN("p") CALL(0, "t", "f") CALL_END(0) FINISH("TOOL_CALL");
    assert_open_before(&wire_cohere, stream, sizeof stream - 1 - 2);
    static const char whole[] = "{\"finish_reason\":\"COMPLETE\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"A\"}]}}";
    assert_open_before(&wire_cohere, whole, sizeof whole - 1);
}

static void text_over_what_the_sink_takes_ends_the_reading(void **state)
{
    (void)state;
    static const char bytes[] = START TEXT("12345") TEXT("67890") TEXT("more") FINISH("COMPLETE");
    EACH_CUT(cut, sizeof bytes - 1)
        assert_contains(summary_of(&wire_cohere, &cut, bytes, sizeof bytes - 1, 7), "1234567890|open failed:");
    static const char whole[] = "{\"finish_reason\":\"COMPLETE\",\"message\":{\"content\":[{\"text\":\"12345\"},{\"text\":\"67890\"},{\"text\":\"x\"}]}}";
    assert_contains(summary_of(&wire_cohere, &(struct cut){.first = sizeof whole - 1, .step = 1}, whole, sizeof whole - 1, 7), "1234567890|open failed:");
}

static void garbage_does_no_harm(void **state)
{
    (void)state;
    static const char bytes[] = START TEXT_START TEXT("A") THOUGHT("B") TEXT_END PLAN("p") CALL(0, "t", "f") PIECE(0, "{\\\"a\\\":1}") CALL_END(0) FINISH("TOOL_CALL") DONE;
    survive_garbage(&wire_cohere, bytes, sizeof bytes - 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_has_path_and_body),
    cmocka_unit_test(options_are_sent_by_their_names_here),
    cmocka_unit_test(thinking_is_asked_of_models_that_think),
    cmocka_unit_test(images_go_to_models_that_see),
    cmocka_unit_test(tools_and_the_choice_among_them_are_sent),
    cmocka_unit_test(calls_have_a_plan_and_no_text),
    cmocka_unit_test(json_is_asked_for_but_not_with_tools),
    cmocka_unit_test(a_request_over_the_ceiling_is_refused),
    cmocka_unit_test(text_is_read),
    cmocka_unit_test(reasons_to_stop_are_put_into_known_words),
    cmocka_unit_test(failures_at_the_end_are_failures),
    cmocka_unit_test(thinking_and_plans_are_kept_apart),
    cmocka_unit_test(calls_are_read),
    cmocka_unit_test(calls_may_come_as_a_list_or_without_numbers),
    cmocka_unit_test(unknown_events_and_odd_shapes_are_ignored),
    cmocka_unit_test(framing_may_differ),
    cmocka_unit_test(text_held_back_is_given_out_with_the_terminal_mark),
    cmocka_unit_test(errors_are_read),
    cmocka_unit_test(a_failure_tells_whether_to_try_again),
    cmocka_unit_test(whole_answers_are_read),
    cmocka_unit_test(a_cut_answer_is_never_taken_for_a_finished_one),
    cmocka_unit_test(text_over_what_the_sink_takes_ends_the_reading),
    cmocka_unit_test(garbage_does_no_harm),
};

UNIT_MAIN(tests)
