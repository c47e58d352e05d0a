/*
 * Tests of src/llm/wire_ollama.c: requests as JSON, and answers as lines, each whole, byte by byte and at every split.
 */
#include "wire.h"

/* --- the request ----------------------------------------------------------------------------------------------------------- */

static const struct completion_message hello[] = {{.role = COMPLETION_USER, .content = "Hi \"you\"\n", .content_len = 9}};

static const struct wire_target plain = {.model = "qwen3:8b"};

#define BODY(target, ...) body_written(&wire_ollama, &(struct completion_request){__VA_ARGS__}, target)
#define TAIL "\"truncate\":false,\"shift\":false,\"stream\":true}"

static void a_request_has_model_messages_and_options(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .system = "Be kind."};
    assert_string_equal(written(&wire_ollama, &request, plain, (struct wire_without){0}),
                        "/api/chat\n\n"
                        "{\"model\":\"qwen3:8b\",\"messages\":[{\"role\":\"system\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\"}],"
                        "\"options\":{\"num_ctx\":8192,\"num_predict\":100,\"temperature\":0.5}," TAIL);
    request.system = "";
    assert_lacks(body_written(&wire_ollama, &request, plain), "system");
}

static void options_are_said_and_left_out_one_by_one(void **state)
{
    (void)state;
    static const char *const stop[] = {"END", "\n\n"};
    struct completion_request request = {REQUEST(hello), .stop = stop, .stop_count = 2};
    request.seed = -7;
    assert_contains(body_written(&wire_ollama, &request, plain),
                    "\"options\":{\"num_ctx\":8192,\"num_predict\":100,\"temperature\":0.5,\"seed\":-7,\"stop\":[\"END\",\"\\n\\n\"]}");
    assert_contains(written(&wire_ollama, &request, plain, (struct wire_without){.temperature = true, .seed = true}),
                    "\"options\":{\"num_ctx\":8192,\"num_predict\":100,\"stop\":[\"END\",\"\\n\\n\"]}");
    assert_contains(written(&wire_ollama, &request, plain, (struct wire_without){.max_tokens = true, .stop = true}),
                    "\"options\":{\"num_ctx\":8192,\"temperature\":0.5,\"seed\":-7}");
    assert_lacks(BODY(((struct wire_target){.model = "m", .facts = {.no_sampling = true}}), REQUEST(hello)), "temperature");
}

static void formats_are_a_word_or_a_schema(void **state)
{
    (void)state;
    assert_contains(BODY(plain, REQUEST(hello), .format = COMPLETION_JSON), "\"format\":\"json\",");
    assert_contains(BODY(plain, REQUEST(hello), .format = COMPLETION_SCHEMA, .schema = "{\"type\":\"object\"}"), "\"format\":{\"type\":\"object\"},");
    assert_lacks(BODY(plain, REQUEST(hello)), "format");
}

static void effort_is_how_to_think(void **state)
{
    (void)state;
    struct wire_target target = plain;
    assert_lacks(BODY(target, REQUEST(hello)), "think");
    assert_contains(BODY(target, REQUEST(hello), .effort = "high"), "\"think\":\"high\",");
    assert_contains(BODY(target, REQUEST(hello), .effort = "none"), "\"think\":false,");
    target.model = "gpt-oss:20b";
    assert_contains(BODY(target, REQUEST(hello), .effort = "none"), "\"think\":\"low\",");
    target.facts.known = true;
    assert_lacks(BODY(target, REQUEST(hello), .effort = "low"), "think");
    target.facts.reasoning = true;
    assert_contains(BODY(target, REQUEST(hello), .effort = "low"), "\"think\":\"low\",");
    struct completion_request request = {REQUEST(hello), .effort = "low"};
    assert_lacks(written(&wire_ollama, &request, target, (struct wire_without){.effort = true}), "think");
}

/* --- the context */

static int64_t num_ctx(const struct completion_request *request, int64_t known)
{
    struct wire_target target = {.model = "m", .facts = {.known = known > 0, .context = known, .vision = true, .tools = true}};
    const char *text = strstr(body_written(&wire_ollama, request, target), "\"num_ctx\":");
    assert_non_null(text);
    return strtoll(text + 10, NULL, 10);
}

static void the_context_holds_the_request_and_its_answer(void **state)
{
    (void)state;
    static char text[70000];
    memset(text, 'x', sizeof text);
    struct completion_message messages[] = {{.role = COMPLETION_USER, .content = text, .content_len = 20000}};
    struct completion_request request = {REQUEST(messages)};
    assert_int_equal(num_ctx(&request, 0), 8192);
    messages[0].content_len = 60000; /* 20000 tokens and a little */
    assert_int_equal(num_ctx(&request, 0), 32768);
    assert_int_equal(num_ctx(&request, 131072), 32768);
    assert_int_equal(num_ctx(&request, 20480), 20480); /* no more than the model takes: Ollama says that it is too long */
    assert_int_equal(num_ctx(&request, 4096), 4096);
    request.max_tokens = 20000;
    assert_int_equal(num_ctx(&request, 0), 65536);
    request.max_tokens = 1000000000;
    assert_int_equal(num_ctx(&request, 0), 1024 * 1024);
    assert_int_equal(num_ctx(&request, 40960), 40960);
}

static void all_that_is_sent_counts_for_the_context(void **state)
{
    (void)state;
    static char text[30001];
    memset(text, ' ', sizeof text - 1);
    struct completion_request request = {REQUEST(hello)};
    assert_int_equal(num_ctx(&request, 0), 8192);
    request.system = text;
    assert_int_equal(num_ctx(&request, 0), 16384);
    request.system = NULL;
    struct completion_tool tool = {.name = "f", .description = "", .schema = text};
    request.tools = &tool;
    request.tool_count = 1;
    assert_int_equal(num_ctx(&request, 0), 16384);
    tool = (struct completion_tool){.name = "f", .description = text, .schema = "{}"};
    assert_int_equal(num_ctx(&request, 0), 16384);
    request.tool_count = 0;
    struct completion_call call = {.id = "c", .name = "f", .arguments = text};
    struct completion_message messages[] = {hello[0], {.role = COMPLETION_ASSISTANT, .content = "", .calls = &call, .call_count = 1}};
    request.messages = messages;
    request.message_count = 2;
    assert_int_equal(num_ctx(&request, 0), 16384);
    call.arguments = "{}";
    assert_int_equal(num_ctx(&request, 0), 8192);
    messages[1].reasoning = text;
    assert_int_equal(num_ctx(&request, 0), 16384);
    struct completion_image images[5];
    for (int i = 0; i < 5; i++)
        images[i] = (struct completion_image){.media_type = "image/png", .base64 = "aGk=", .base64_len = 4};
    messages[1] = (struct completion_message){.role = COMPLETION_USER, .content = "", .images = images, .image_count = 5};
    assert_int_equal(num_ctx(&request, 0), 16384);
}

/* --- tools and images */

static const struct completion_call two_calls[] = {
    {.id = "c1", .name = "add", .arguments = "{\"a\":1,\"b\":0.1}", .state = "foreign"},
    {.id = "c2", .name = "now", .arguments = "not JSON"},
};

static const struct completion_message with_tools[] = {
    {.role = COMPLETION_USER, .content = "Q", .content_len = 1},
    {.role = COMPLETION_ASSISTANT, .content = "", .calls = two_calls, .call_count = 2, .reasoning = "hm"},
    {.role = COMPLETION_TOOL, .content = "1.1", .content_len = 3, .call_id = "c1", .call_name = "add"},
    {.role = COMPLETION_TOOL, .content = "no clock", .content_len = 8, .call_id = "c2", .call_name = "now", .is_error = true},
};

static const struct completion_tool tools[] = {
    {.name = "add", .description = "Adds.", .schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}}}"},
};

static void tools_calls_and_results_are_said(void **state)
{
    (void)state;
    assert_string_equal(BODY(plain, REQUEST(with_tools), .tools = tools, .tool_count = 1),
                        "{\"model\":\"qwen3:8b\",\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},"
                        "{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\",\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"index\":0,\"name\":\"add\",\"arguments\":"
                        "{\"a\":1,\"b\":0.1}}},{\"id\":\"c2\",\"function\":{\"index\":1,\"name\":\"now\",\"arguments\":{}}}]},"
                        "{\"role\":\"tool\",\"content\":\"1.1\",\"tool_name\":\"add\",\"tool_call_id\":\"c1\"},"
                        "{\"role\":\"tool\",\"content\":\"no clock\",\"tool_name\":\"now\",\"tool_call_id\":\"c2\"}],"
                        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"description\":\"Adds.\",\"parameters\":{\"type\":\"object\",\"properties\":"
                        "{\"a\":{\"type\":\"number\"}}}}}],\"options\":{\"num_ctx\":8192,\"num_predict\":100,\"temperature\":0.5}," TAIL);
}

static void thinking_of_an_answer_without_calls_is_not_sent_back(void **state)
{
    (void)state;
    struct completion_message messages[] = {hello[0], {.role = COMPLETION_ASSISTANT, .content = "A", .content_len = 1, .reasoning = "hm"}, hello[0]};
    assert_contains(BODY(plain, REQUEST(messages)), "{\"role\":\"assistant\",\"content\":\"A\"}");
}

static void a_tool_choice_other_than_none_is_refused(void **state)
{
    (void)state;
    assert_lacks(BODY(plain, REQUEST(hello), .tools = tools, .tool_count = 1, .tool_choice = "none"), "tools");
    assert_string_equal(BODY(plain, REQUEST(hello), .tools = tools, .tool_count = 1, .tool_choice = "required"),
                        "refused: The model qwen3:8b cannot be made to call a tool: Ollama leaves that to it.");
    assert_contains(BODY(plain, REQUEST(hello), .tools = tools, .tool_count = 1, .tool_choice = "add"), "refused: ");
}

static void images_stand_beside_the_text(void **state)
{
    (void)state;
    struct completion_image images[] = {{.media_type = "image/png", .base64 = "aGk=", .base64_len = 4}, {.media_type = "image/jpeg", .base64 = "aG8=", .base64_len = 4}};
    struct completion_message messages[] = {{.role = COMPLETION_USER, .content = "What?", .content_len = 5, .images = images, .image_count = 2}};
    assert_contains(BODY(plain, REQUEST(messages)), "{\"role\":\"user\",\"content\":\"What?\",\"images\":[\"aGk=\",\"aG8=\"]}");
    struct wire_target target = {.model = "m", .facts = {.known = true}};
    assert_string_equal(BODY(target, REQUEST(messages)), "refused: The model m cannot look at images.");
    target.facts.vision = true;
    assert_contains(BODY(target, REQUEST(messages)), "images");
}

static void a_request_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello)};
    struct wire_target target = {.provider = "ollama", .model = "m", .version = ""};
    struct wire_without without = {0};
    struct wire_call call;
    struct failure failure;
    buf_init(&call.path, 100);
    buf_init(&call.headers, 100);
    buf_init(&call.body, 50);
    assert_int_equal(wire_ollama.write(&call, &request, &target, &without, &failure), OUTCOME_NO_MEMORY);
    buf_free(&call.path);
    buf_free(&call.headers);
    buf_free(&call.body);
}

/* --- answers ---------------------------------------------------------------------------------------------------------------- */

#define ASSERT_REPLY(bytes, wanted) assert_reply(&wire_ollama, bytes, sizeof(bytes) - 1, wanted)
#define LINE(message) "{\"model\":\"q\",\"created_at\":\"2026-08-21T10:00:00Z\",\"message\":{\"role\":\"assistant\"," message "},\"done\":false}\n"
#define TEXT(text) LINE("\"content\":\"" text "\"")
#define DONE "{\"model\":\"q\",\"created_at\":\"2026-08-21T10:00:01Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"," \
             "\"total_duration\":1,\"load_duration\":1,\"prompt_eval_count\":11,\"prompt_eval_duration\":1,\"eval_count\":18,\"eval_duration\":1}\n"

static void streams_with_thinking_are_read(void **state)
{
    (void)state;
    ASSERT_REPLY(LINE("\"content\":\"\",\"thinking\":\"Let \"") LINE("\"content\":\"\",\"thinking\":\"me\"") TEXT("Hel") TEXT("lo 😀") DONE,
                 "<Let me>Hello 😀|ended model=q finish=stop usage=11+18,-1,-1");
}

static void calls_come_whole_and_may_lack_ids(void **state)
{
    (void)state;
    ASSERT_REPLY(LINE("\"content\":\"\",\"tool_calls\":[{\"id\":\"call_x\",\"function\":{\"index\":0,\"name\":\"f\",\"arguments\":{\"a\":1,\"b\":0.10}}},{\"function\":{\"name\":\"g\"}}]")
                 LINE("\"content\":\"\",\"tool_calls\":[{\"function\":{\"index\":0,\"name\":\"f\",\"arguments\":{}}}]") DONE,
                 "|ended model=q finish=tool_calls usage=11+18,-1,-1 f(call_x,{\"a\":1,\"b\":0.10}) g(call_2,{}) f(call_3,{})");
    ASSERT_REPLY(LINE("\"content\":\"A\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},null,7]") DONE,
                 "A|ended model=q finish=tool_calls usage=11+18,-1,-1 f(call_1,{\"a\":1}) (call_2,{}) (call_3,{})");
    ASSERT_REPLY(LINE("\"content\":\"A\",\"tool_calls\":null") LINE("\"content\":\"\",\"tool_calls\":{}") DONE, "A|ended model=q finish=stop usage=11+18,-1,-1");
}

static void the_last_line_says_why_and_how_much(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT("A") "{\"model\":\"q\",\"message\":{\"content\":\"B\"},\"done\":true,\"done_reason\":\"length\",\"eval_count\":2}\n", "AB|ended model=q finish=length usage=-1+2,-1,-1");
    ASSERT_REPLY(TEXT("A") "{\"done\":true}", "A|ended model=q finish=stop");
    ASSERT_REPLY("{\"model\":\"q\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"load\"}\n", "|ended model=q finish=load");
    ASSERT_REPLY(TEXT("A") "{\"done\":true,\"done_reason\":7,\"prompt_eval_count\":-1,\"eval_count\":\"x\"}", "A|ended model=q finish=stop");
    ASSERT_REPLY(TEXT("A") "{\"done\":true}\n" TEXT("late") "{garbage\n{\"error\":\"late\"}\n", "A|ended model=q finish=stop");
}

static void errors_are_lines(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT("A") "{\"error\":\"an error was encountered while running the model: CUDA error\"}\n",
                 "A|open failed: model=q finish= outcome=provider_error said=an error was encountered while running the model: CUDA error");
    ASSERT_REPLY("{\"error\":\"the input length exceeds the context length\"}", "|open failed: model= finish= outcome=provider_error said=the input length exceeds the context length");
    ASSERT_REPLY(TEXT("A") "{garbage\n" TEXT("B"), "A|open failed: model=q finish= outcome=provider_error said=");
    ASSERT_REPLY("<html><body>502</body></html>", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("<html>\r\n<body>502</body>\r\n</html>\r\n", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("404 page not found", "|open model= finish="); /* read as a number */
}

static void a_whole_answer_is_one_line(void **state)
{
    (void)state;
    ASSERT_REPLY("{\"model\":\"w\",\"message\":{\"role\":\"assistant\",\"content\":\"A\",\"thinking\":\"hm\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}}]},"
                 "\"done_reason\":\"stop\",\"done\":true,\"prompt_eval_count\":1,\"eval_count\":2}", "<hm>A|ended model=w finish=tool_calls usage=1+2,-1,-1 f(call_1,{})");
}

static void odd_lines_do_no_harm(void **state)
{
    (void)state;
    ASSERT_REPLY("", "|open model= finish=");
    ASSERT_REPLY("\n \r\n\n", "|open model= finish=");
    ASSERT_REPLY("\xEF\xBB\xBF\r\n" TEXT("A") "\r\n\n" "null\n[]\n7\n\"x\"\n{}\n{\"message\":null,\"done\":null}\n{\"message\":7,\"model\":7,\"done\":0}\n" DONE,
                 "A|ended model=q finish=stop usage=11+18,-1,-1");
    ASSERT_REPLY(TEXT("A\xFF") "{\"model\":\"q\",\"message\":{\"content\":null,\"thinking\":{}},\"done\":false}", "A\xFF|open model=q finish=");
}

static void thinking_in_tags_is_taken_out_of_the_text(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT("<th") TEXT("ink>h") TEXT("m</thi") TEXT("nk>A") DONE, "<hm>A|ended model=q finish=stop usage=11+18,-1,-1");
    ASSERT_REPLY(TEXT("<th") DONE, "<th|ended model=q finish=stop usage=11+18,-1,-1");
    ASSERT_REPLY(TEXT("<th"), "<th|open model=q finish=");
}

static void all_is_said_with_the_last_line(void **state)
{
    (void)state;
    struct listening to = {.most = 1000};
    struct completion_sink sink = {.event = listening_take, .arg = &to};
    struct wire_target target = {.provider = "ollama", .model = "m", .version = ""};
    to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
    buf_init(&to.said, 1000);
    reply_init(&to.reply, &wire_ollama, &target, &sink, &to.result);
    assert_true(wire_ollama.feed(&to.reply, TEXT("<th"), strlen(TEXT("<th"))));
    assert_false(to.reply.all_said);
    assert_true(wire_ollama.feed(&to.reply, DONE, strlen(DONE)));
    assert_true(to.reply.all_said && to.reply.ended);
    assert_string_equal(to.said.data, "<th"); /* the end of the body is not waited for */
    reply_free(&to.reply);
    completion_result_free(&to.result);
    buf_free(&to.said);
}

static const char good[] = LINE("\"content\":\"\",\"thinking\":\"\\\"done\\\":true\"") TEXT("m ä") LINE("\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}}]") DONE;

static void a_line_of_endless_length_is_given_up(void **state)
{
    (void)state;
    static char bytes[LIMIT_SSE_EVENT_BYTES / 8 + 1];
    memset(bytes, '{', sizeof bytes);
    struct listening to = {.most = 1000};
    struct completion_sink sink = {.event = listening_take, .arg = &to};
    struct wire_target target = {.provider = "ollama", .model = "m", .version = ""};
    buf_init(&to.said, 1000);
    reply_init(&to.reply, &wire_ollama, &target, &sink, &to.result);
    for (int i = 0; i < 7; i++)
        assert_true(wire_ollama.feed(&to.reply, bytes, sizeof bytes));
    assert_false(wire_ollama.feed(&to.reply, bytes, sizeof bytes));
    assert_int_equal(to.reply.outcome, OUTCOME_PROVIDER_ERROR);
    reply_free(&to.reply);
    buf_free(&to.said);
}

static void lack_of_memory_is_given_up(void **state)
{
    (void)state;
    struct listening to = {.most = 1000};
    struct completion_sink sink = {.event = listening_take, .arg = &to};
    struct wire_target target = {.provider = "ollama", .model = "m", .version = ""};
    buf_init(&to.said, 1000);
    reply_init(&to.reply, &wire_ollama, &target, &sink, &to.result);
    mem_fail_after(0);
    assert_false(wire_ollama.feed(&to.reply, "{}\n", 3));
    mem_fail_after(-1);
    assert_int_equal(to.reply.outcome, OUTCOME_NO_MEMORY);
    reply_free(&to.reply);
    buf_free(&to.said);
}

static void lack_of_memory_anywhere_is_survived(void **state)
{
    (void)state;
    for (long calls = 0; calls < 60; calls++) {
        struct listening to = {.most = 1000};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        struct wire_target target = {.provider = "ollama", .model = "m", .version = ""};
        to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
        buf_init(&to.said, 1000);
        reply_init(&to.reply, &wire_ollama, &target, &sink, &to.result);
        mem_fail_after(calls);
        if (wire_ollama.feed(&to.reply, good, sizeof good - 1))
            wire_ollama.end(&to.reply);
        (void)reply_collect_calls(&to.reply);
        mem_fail_after(-1);
        reply_free(&to.reply);
        completion_result_free(&to.result);
        buf_free(&to.said);
    }
}

static void text_over_what_the_sink_takes_ends_the_reading(void **state)
{
    (void)state;
    static const char bytes[] = TEXT("12345") LINE("\"content\":\"67890\",\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]") TEXT("more") DONE;
    EACH_CUT(cut, sizeof bytes - 1)
        assert_contains(summary_of(&wire_ollama, &cut, bytes, sizeof bytes - 1, 7), "1234567890|open failed: model=q finish= outcome=provider_error said=");
}

static void a_cut_answer_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    assert_open_before(&wire_ollama, good, sizeof good - 2);
    for (size_t len = 0; len < sizeof good - 2; len++) {
        struct cut cut = {0, len + 1, 1};
        assert_lacks(summary_of(&wire_ollama, &cut, good, len, 1000), "failed"); /* and a cut line is no garbage */
    }
}

static void garbage_is_survived(void **state)
{
    (void)state;
    survive_garbage(&wire_ollama, good, sizeof good - 1);
}

static void damage_gives_the_same_result_however_it_is_cut(void **state)
{
    (void)state;
    uint64_t seed = 4711;
    for (int round = 0; round < 3000; round++) {
        char bytes[sizeof good], whole[8192];
        memcpy(bytes, good, sizeof good);
        for (uint32_t i = unit_random(&seed) % 4 + 1; i > 0; i--)
            bytes[unit_random(&seed) % (sizeof good - 1)] = "\n\r:{}[]\"\\ ,"[unit_random(&seed) % 11];
        struct cut at_once = {0, sizeof good, 1}, bytewise = {1, 1, 1};
        strcpy(whole, summary_of(&wire_ollama, &at_once, bytes, sizeof good - 1, 100000));
        assert_string_equal(summary_of(&wire_ollama, &bytewise, bytes, sizeof good - 1, 100000), whole);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_has_model_messages_and_options),
    cmocka_unit_test(options_are_said_and_left_out_one_by_one),
    cmocka_unit_test(formats_are_a_word_or_a_schema),
    cmocka_unit_test(effort_is_how_to_think),
    cmocka_unit_test(the_context_holds_the_request_and_its_answer),
    cmocka_unit_test(all_that_is_sent_counts_for_the_context),
    cmocka_unit_test(tools_calls_and_results_are_said),
    cmocka_unit_test(thinking_of_an_answer_without_calls_is_not_sent_back),
    cmocka_unit_test(a_tool_choice_other_than_none_is_refused),
    cmocka_unit_test(images_stand_beside_the_text),
    cmocka_unit_test(a_request_over_the_ceiling_is_refused),
    cmocka_unit_test(streams_with_thinking_are_read),
    cmocka_unit_test(calls_come_whole_and_may_lack_ids),
    cmocka_unit_test(the_last_line_says_why_and_how_much),
    cmocka_unit_test(errors_are_lines),
    cmocka_unit_test(a_whole_answer_is_one_line),
    cmocka_unit_test(odd_lines_do_no_harm),
    cmocka_unit_test(thinking_in_tags_is_taken_out_of_the_text),
    cmocka_unit_test(all_is_said_with_the_last_line),
    cmocka_unit_test(a_line_of_endless_length_is_given_up),
    cmocka_unit_test(lack_of_memory_is_given_up),
    cmocka_unit_test(lack_of_memory_anywhere_is_survived),
    cmocka_unit_test(text_over_what_the_sink_takes_ends_the_reading),
    cmocka_unit_test(a_cut_answer_is_never_taken_for_a_finished_one),
    cmocka_unit_test(garbage_is_survived),
    cmocka_unit_test(damage_gives_the_same_result_however_it_is_cut),
};

UNIT_MAIN(tests)
