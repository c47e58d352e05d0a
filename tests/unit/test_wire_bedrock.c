/*
 * Tests of src/llm/wire_bedrock.c: the request as JSON, and answers in frames, each whole, byte by byte and at every split.
 */
#include "frames.h"
#include "wire.h"

/* --- the request ----------------------------------------------------------------------------------------------------------- */

#define TEXT(string) .content = (string), .content_len = sizeof(string) - 1
#define USER(string) {.role = COMPLETION_USER, TEXT(string)}
#define ASSISTANT(string) {.role = COMPLETION_ASSISTANT, TEXT(string)}
#define RESULT(id, string) {.role = COMPLETION_TOOL, .call_id = (id), .call_name = "f", TEXT(string)}
#define MODEL(id) ((struct wire_target){.model = (id)})
#define OPTIONS "\"inferenceConfig\":{\"maxTokens\":100,\"temperature\":0.5}"

static const char *body_of(const struct completion_request *request, const char *model)
{
    return body_written(&wire_bedrock, request, MODEL(model));
}

static void a_request_has_path_system_messages_and_options(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("Hi \"you\"\n"), ASSISTANT("ä"), USER("And?")};
    static const char *const stop[] = {"END", "\n\n"};
    struct completion_request request = {REQUEST(messages), .system = "Be kind."};
    request.stop = stop;
    request.stop_count = 2;
    request.seed = 7;
    request.temperature = 0.7;
    assert_string_equal(written(&wire_bedrock, &request, MODEL("us.anthropic.x-v1:0"), (struct wire_without){0}),
                        "/model/us.anthropic.x-v1%3A0/converse-stream\n\n"
                        "{\"system\":[{\"text\":\"Be kind.\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi \\\"you\\\"\\n\"}]},"
                        "{\"role\":\"assistant\",\"content\":[{\"text\":\"ä\"}]},{\"role\":\"user\",\"content\":[{\"text\":\"And?\"}]}],"
                        "\"inferenceConfig\":{\"maxTokens\":100,\"temperature\":0.7,\"stopSequences\":[\"END\",\"\\n\\n\"]}}");
    assert_contains(written(&wire_bedrock, &request, MODEL("arn:aws:bedrock:us-east-1:1:application-inference-profile/a b"), (struct wire_without){0}),
                    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fa%20b/converse-stream\n");
}

static void options_are_left_out_one_by_one(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("a")};
    static const char *const stop[] = {"END"};
    struct completion_request request = {REQUEST(messages)};
    request.stop = stop;
    request.stop_count = 1;
#define WITHOUT(...) written(&wire_bedrock, &request, MODEL("m"), (struct wire_without){__VA_ARGS__})
    assert_contains(WITHOUT(.temperature = true), "\"inferenceConfig\":{\"maxTokens\":100,\"stopSequences\":[\"END\"]}");
    assert_contains(WITHOUT(.max_tokens = true), "\"inferenceConfig\":{\"temperature\":0.5,\"stopSequences\":[\"END\"]}");
    assert_contains(WITHOUT(.stop = true), OPTIONS "}");
    assert_lacks(WITHOUT(.temperature = true, .max_tokens = true, .stop = true), "inferenceConfig");
#undef WITHOUT
    struct wire_target target = {.model = "m", .facts = {.known = true, .no_sampling = true, .max_output = 50}};
    assert_contains(body_written(&wire_bedrock, &request, target), "\"inferenceConfig\":{\"maxTokens\":50,\"stopSequences\":[\"END\"]}");
    request.temperature = 1.5;
    assert_contains(body_of(&request, "m"), "\"temperature\":1,");
}

static void blank_texts_are_never_sent(void **state)
{
    (void)state;
    static const struct completion_image image = {"image/png", "iVBO", 4};
    static const struct completion_message messages[] = {
        USER(" \n"), ASSISTANT(" "), {.role = COMPLETION_USER, TEXT(""), .images = &image, .image_count = 1}, ASSISTANT("A"), USER("B"),
    };
    struct completion_request request = {REQUEST(messages), .system = " "};
    assert_string_equal(body_of(&request, "m"),
                        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"(empty)\"},{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"iVBO\"}}}]},"
                        "{\"role\":\"assistant\",\"content\":[{\"text\":\"A\"}]},{\"role\":\"user\",\"content\":[{\"text\":\"B\"}]}]," OPTIONS "}");
    request.system = "";
    assert_lacks(body_of(&request, "m"), "system");
}

static void images_follow_their_text(void **state)
{
    (void)state;
    static const struct completion_image images[] = {{"image/jpeg", "/9j/", 4}, {"image/webp", "UklG", 4}};
    static const struct completion_message messages[] = {{.role = COMPLETION_USER, TEXT("What?"), .images = images, .image_count = 2}};
    struct completion_request request = {REQUEST(messages)};
    assert_string_equal(body_of(&request, "m"),
                        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"What?\"},{\"image\":{\"format\":\"jpeg\",\"source\":{\"bytes\":\"/9j/\"}}},"
                        "{\"image\":{\"format\":\"webp\",\"source\":{\"bytes\":\"UklG\"}}}]}]," OPTIONS "}");
    struct wire_target blind = {.model = "m", .facts = {.known = true}};
    assert_string_equal(written(&wire_bedrock, &request, blind, (struct wire_without){0}), "refused: This model cannot see images.");
    blind.facts.vision = true;
    assert_contains(body_written(&wire_bedrock, &request, blind), "jpeg");
}

static const struct completion_call two_calls[] = {
    {.id = "t1", .name = "f", .arguments = "{\"a\":1}"},
    {.id = "functions.g:0", .name = "g", .arguments = "{}"},
};
static const struct completion_message call_messages[] = {
    USER("Go"),
    {.role = COMPLETION_ASSISTANT, TEXT("I look."), .calls = two_calls, .call_count = 2},
    RESULT("t1", "42"),
    {.role = COMPLETION_TOOL, .call_id = "functions.g:0", .call_name = "g", TEXT(""), .is_error = true},
    USER("Now?"),
};
#define CALL_MESSAGES(status)                                                                                                                                     \
    "\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Go\"}]},{\"role\":\"assistant\",\"content\":[{\"text\":\"I look.\"},"                              \
    "{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}},{\"toolUse\":{\"toolUseId\":\"functions_g_0\",\"name\":\"g\",\"input\":{}}}]},"      \
    "{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"t1\",\"content\":[{\"text\":\"42\"}]}},"                                                    \
    "{\"toolResult\":{\"toolUseId\":\"functions_g_0\",\"content\":[{\"text\":\"(empty)\"}]" status "}},{\"text\":\"Now?\"}]}]"

static void calls_and_results_are_sent_back_in_two_messages(void **state)
{
    (void)state;
    static const struct completion_tool tools[] = {{"f", "Finds.", "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}"}, {"g", "", "{}"}};
    struct completion_request request = {REQUEST(call_messages)};
    request.tools = tools;
    request.tool_count = 2;
    assert_string_equal(body_of(&request, "anthropic.x"),
                        "{" CALL_MESSAGES(",\"status\":\"error\"") "," OPTIONS ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"description\":\"Finds.\",\"inputSchema\":"
                        "{\"json\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}}}},{\"toolSpec\":{\"name\":\"g\",\"inputSchema\":{\"json\":"
                        "{\"type\":\"object\"}}}}]}}");
    assert_contains(body_of(&request, "meta.llama"), CALL_MESSAGES(""));
    request.tool_choice = "required";
    assert_contains(body_of(&request, "m"), "}],\"toolChoice\":{\"any\":{}}}");
    request.tool_choice = "g";
    assert_contains(body_of(&request, "m"), "}],\"toolChoice\":{\"tool\":{\"name\":\"g\"}}}");
}

static void tools_are_defined_when_only_the_history_has_them(void **state)
{
    (void)state;
    static const struct completion_call again[] = {{.id = "t2", .name = "f", .arguments = "bad json"}};
    struct completion_message messages[8];
    memcpy(messages, call_messages, sizeof call_messages);
    messages[5] = (struct completion_message){.role = COMPLETION_ASSISTANT, .content = "", .calls = again, .call_count = 1};
    messages[6] = (struct completion_message)RESULT("t2", "43");
    struct completion_request request = {.messages = messages, .message_count = 7, .temperature = 0.5, .max_tokens = 100, .seed = COMPLETION_NO_SEED};
    static const char config[] = "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":{\"json\":{\"type\":\"object\"}}}},"
                                 "{\"toolSpec\":{\"name\":\"g\",\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}]}}";
    assert_contains(body_of(&request, "m"), config);
    assert_contains(body_of(&request, "m"), "{\"role\":\"assistant\",\"content\":[{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"f\",\"input\":{}}}]}");
    static const struct completion_tool tools[] = {{"h", "", "{}"}};
    request.tools = tools;
    request.tool_count = 1;
    request.tool_choice = "none"; /* there is no such choice */
    assert_contains(body_of(&request, "m"), config);
    static const struct completion_message plain[] = {USER("a")};
    request.messages = plain;
    request.message_count = 1;
    assert_lacks(body_of(&request, "m"), "toolConfig");
    request.tool_choice = NULL;
    assert_contains(body_of(&request, "m"), "\"name\":\"h\"");
}

static void ids_of_calls_are_made_to_fit(void **state)
{
    (void)state;
    char id[101], wanted[100];
    memset(id, 'x', 100);
    memcpy(id + 98, "y1", 3);
    struct completion_call calls[] = {{.id = id, .name = "f", .arguments = "{}"}, {.id = "", .name = "f", .arguments = "{}"}};
    struct completion_message messages[] = {USER("a"), {.role = COMPLETION_ASSISTANT, TEXT(""), .calls = calls, .call_count = 2}, {.role = COMPLETION_TOOL, .call_id = id, TEXT("r")}};
    struct completion_request request = {REQUEST(messages)};
    (void)snprintf(wanted, sizeof wanted, "{\"toolUseId\":\"%s\"", id + 36);
    const char *text = body_of(&request, "m");
    assert_contains(text, wanted);
    assert_contains(strstr(text, "toolResult"), wanted);
    assert_contains(text, "{\"toolUseId\":\"_\"");
}

#define STATE "{\"model\":\"anthropic.x\",\"blocks\":[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"S\"}}},{\"reasoningContent\":{\"redactedContent\":\"QQ==\"}}]}"
#define BLOCKS "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"S\"}}},{\"reasoningContent\":{\"redactedContent\":\"QQ==\"}}"

static void reasoning_goes_back_to_the_model_that_gave_it(void **state)
{
    (void)state;
    struct completion_message messages[] = {
        USER("a"), {.role = COMPLETION_ASSISTANT, TEXT("b"), .calls = two_calls, .call_count = 1, .reasoning = "hm", .state = STATE, .state_wire = "bedrock"}, RESULT("t1", "r"),
    };
    struct completion_request request = {REQUEST(messages)};
    assert_contains(body_of(&request, "anthropic.x"), "{\"role\":\"assistant\",\"content\":[" BLOCKS ",{\"text\":\"b\"},{\"toolUse\":");
    assert_lacks(body_of(&request, "anthropic.y"), "reasoning");
    messages[1].state_wire = "anthropic";
    assert_lacks(body_of(&request, "anthropic.x"), "reasoning");
    messages[1].state_wire = NULL;
    assert_lacks(body_of(&request, "anthropic.x"), "reasoning");
    messages[1].state_wire = "bedrock";
    static const char *const bad[] = {"", "null", "[]", "{\"model\":\"anthropic.x\"}", "{\"model\":\"anthropic.x\",\"blocks\":7}", "{\"model\":\"anthropic.x\",\"blocks\":[]}",
                                      "{\"blocks\":[{\"a\":1}]}", "{\"model\":"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        messages[1].state = bad[i];
        assert_contains(body_of(&request, "anthropic.x"), "{\"role\":\"assistant\",\"content\":[{\"text\":\"b\"},{\"toolUse\":");
    }
}

static void reasoning_alone_is_no_answer(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("a"), {.role = COMPLETION_ASSISTANT, TEXT(""), .state = STATE, .state_wire = "bedrock"}, USER("b")};
    struct completion_request request = {REQUEST(messages)};
    assert_contains(body_of(&request, "anthropic.x"), "\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]}]");
}

static void effort_is_said_in_the_words_of_the_models_maker(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("a")};
    struct completion_request request = {REQUEST(messages), .effort = "medium"};
    request.max_tokens = 20000;
    struct wire_target claude = {.model = "us.anthropic.claude-sonnet-4-5", .facts = {.known = true, .reasoning = true}};
    assert_contains(body_written(&wire_bedrock, &request, claude),
                    "\"inferenceConfig\":{\"maxTokens\":20000},\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":8192}}}");
    request.max_tokens = 4000;
    assert_contains(body_written(&wire_bedrock, &request, claude), "\"budget_tokens\":2000}");
    request.max_tokens = 2047;
    assert_contains(body_written(&wire_bedrock, &request, claude), "\"inferenceConfig\":{\"maxTokens\":2047,\"temperature\":0.5}}");
    request.max_tokens = 20000;
    assert_lacks(written(&wire_bedrock, &request, claude, (struct wire_without){.effort = true}), "thinking");
    claude.facts.no_sampling = true;
    assert_contains(body_written(&wire_bedrock, &request, claude), "\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"medium\"}}}");
    claude.facts.reasoning = false;
    assert_lacks(body_written(&wire_bedrock, &request, claude), "thinking");
    claude.facts.known = false; /* which kind of thinking it takes is not known then */
    assert_lacks(body_written(&wire_bedrock, &request, claude), "thinking");
    assert_contains(body_of(&request, "openai.gpt-oss-120b-1:0"), "\"additionalModelRequestFields\":{\"reasoning_effort\":\"medium\"}}");
    assert_contains(body_of(&request, "us.openai.gpt-5.6-x"), "\"additionalModelRequestFields\":{\"reasoning\":{\"effort\":\"medium\"}}}");
    assert_lacks(body_of(&request, "amazon.nova-pro-v1:0"), "additionalModelRequestFields");
    request.effort = "none";
    assert_lacks(body_of(&request, "openai.gpt-oss-120b-1:0"), "additionalModelRequestFields");
}

static void claude_is_not_told_to_think_where_its_thinking_is_missing(void **state)
{
    (void)state;
    struct completion_message messages[] = {USER("a"), {.role = COMPLETION_ASSISTANT, TEXT("b"), .calls = two_calls, .call_count = 1}, RESULT("t1", "r")};
    struct completion_request request = {REQUEST(messages), .effort = "low"};
    request.max_tokens = 10000;
    struct wire_target claude = {.model = "anthropic.x", .facts = {.known = true, .reasoning = true}};
    assert_lacks(body_written(&wire_bedrock, &request, claude), "thinking");
    messages[1].state = STATE;
    messages[1].state_wire = "bedrock";
    assert_contains(body_written(&wire_bedrock, &request, claude), "\"budget_tokens\":2048");
    static const struct completion_tool tools[] = {{"f", "", "{}"}};
    request.tools = tools;
    request.tool_count = 1;
    request.tool_choice = "required"; /* refused with thinking */
    assert_lacks(body_written(&wire_bedrock, &request, claude), "thinking");
}

static void a_schema_is_sent_as_text_and_json_without_one_is_refused(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("a")};
    struct completion_request request = {REQUEST(messages), .format = COMPLETION_SCHEMA, .schema = "{\"type\": \"object\"}"};
    assert_contains(body_of(&request, "m"), "\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{\"name\":\"answer\",\"schema\":"
                                            "\"{\\\"type\\\":\\\"object\\\"}\"}}}}}");
    request.format = COMPLETION_JSON;
    assert_string_equal(written(&wire_bedrock, &request, MODEL("m"), (struct wire_without){0}), "refused: This provider gives JSON only by a schema.");
}

static void names_that_would_change_the_path_are_refused(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("a")};
    struct completion_request request = {REQUEST(messages)};
    static const char *const bad[] = {"", ".", ".."};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(written(&wire_bedrock, &request, MODEL(bad[i]), (struct wire_without){0}), "refused: There is no model of that name.");
    assert_contains(written(&wire_bedrock, &request, MODEL("../a?b#c"), (struct wire_without){0}), "/model/..%2Fa%3Fb%23c/converse-stream\n");
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

struct event {
    const char *kind, *type, *payload;
};

#define E(type, payload) {"event", type, payload}
#define START E("messageStart", "{\"role\":\"assistant\",\"p\":\"abc\"}")
#define DELTA(n, delta) E("contentBlockDelta", "{\"contentBlockIndex\":" #n ",\"delta\":" delta ",\"p\":\"abcdefgh\"}")
#define SAYS(text) DELTA(0, "{\"text\":\"" text "\"}")
#define BLOCK_END(n) E("contentBlockStop", "{\"contentBlockIndex\":" #n "}")
#define STOP(reason) E("messageStop", "{\"stopReason\":\"" reason "\",\"p\":\"ab\"}")
#define USAGE E("metadata", "{\"usage\":{\"inputTokens\":5,\"outputTokens\":2,\"totalTokens\":7},\"metrics\":{\"latencyMs\":9}}")
#define COUNTED " usage=5+2,-1,-1"

static void add_frames(struct buf *out, const struct event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        frames_add(out, events[i].kind, events[i].type, events[i].payload);
}

static void assert_frames(const struct event *events, size_t count, const char *wanted)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    add_frames(&bytes, events, count);
    assert_reply(&wire_bedrock, bytes.data, bytes.len, wanted);
    buf_free(&bytes);
}

#define ASSERT_FRAMES(wanted, ...)                                                 \
    do {                                                                           \
        static const struct event events[] = {__VA_ARGS__};                        \
        assert_frames(events, sizeof events / sizeof events[0], wanted);           \
    } while (0)

static void text_and_usage_are_read(void **state)
{
    (void)state;
    ASSERT_FRAMES("Hello 😀|ended model= finish=stop" COUNTED, START, SAYS("Hel"), SAYS("lo 😀"), SAYS(""), BLOCK_END(0), STOP("end_turn"), USAGE);
    ASSERT_FRAMES("A|ended model= finish=stop usage=60+2,40,-1", START, SAYS("A"), STOP("stop_sequence"),
                  E("metadata", "{\"usage\":{\"inputTokens\":5,\"outputTokens\":2,\"cacheReadInputTokens\":40,\"cacheWriteInputTokens\":15}}"));
    ASSERT_FRAMES("A|ended model=arn finish=length" COUNTED, START, SAYS("A"),
                  E("metadata", "{\"usage\":{\"inputTokens\":5,\"outputTokens\":2},\"trace\":{\"promptRouter\":{\"invokedModelId\":\"arn\"}}}"), STOP("max_tokens"));
    ASSERT_FRAMES("A|ended model= finish=stop usage=7+9,-1,-1", SAYS("A"), E("metadata", "{\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}"),
                  E("metadata", "{\"usage\":{\"inputTokens\":7,\"outputTokens\":9}}"), STOP("end_turn"));
    ASSERT_FRAMES("<hm>A|ended model= finish=stop", SAYS("<think>h"), SAYS("m</thi"), SAYS("nk>A"), STOP("end_turn"));
    ASSERT_FRAMES("<th|ended model= finish=stop", SAYS("<th"), STOP("end_turn"));
}

static void finish_reasons_are_put_into_our_words(void **state)
{
    (void)state;
    ASSERT_FRAMES("A|ended model= finish=length", SAYS("A"), STOP("model_context_window_exceeded"));
    ASSERT_FRAMES("A|ended model= finish=content_filter", SAYS("A"), STOP("guardrail_intervened"));
    ASSERT_FRAMES("A|ended model= finish=content_filter", SAYS("A"), STOP("content_filtered"));
    ASSERT_FRAMES("A|ended model= finish=malformed_model_output", SAYS("A"), STOP("malformed_model_output"));
    ASSERT_FRAMES("A|ended model= finish=", SAYS("A"), E("messageStop", "{}"));
}

#define TOOL(n, id, name) E("contentBlockStart", "{\"contentBlockIndex\":" #n ",\"start\":{\"toolUse\":{\"toolUseId\":\"" id "\",\"name\":\"" name "\"}}}")
#define INPUT(n, piece) DELTA(n, "{\"toolUse\":{\"input\":\"" piece "\"}}")

static void calls_come_in_pieces(void **state)
{
    (void)state;
    ASSERT_FRAMES("I look.|ended model= finish=tool_calls" COUNTED " f(t1,{\"a\":1}) g(t2,{})", START, SAYS("I look."), BLOCK_END(0), TOOL(1, "t1", "f"), INPUT(1, ""),
                  INPUT(1, "{\\\"a\\\""), INPUT(1, ":1}"), BLOCK_END(1), TOOL(2, "t2", "g"), INPUT(2, ""), BLOCK_END(2), STOP("tool_use"), USAGE);
    ASSERT_FRAMES("|ended model= finish=tool_calls f(t1,{\"a\":1}) g(t2,{\"b\":2})", TOOL(0, "t1", "f"), TOOL(1, "t2", "g"), INPUT(0, "{\\\"a\\\""), INPUT(1, "{\\\"b\\\":"),
                  INPUT(0, ":1}"), INPUT(1, "2}"), STOP("tool_use"));
    ASSERT_FRAMES("|ended model= finish=tool_calls f(call_1,{}) f(call_2,{})", TOOL(0, "", "f"), TOOL(1, "", "f"), STOP("tool_use"));
    ASSERT_FRAMES("|ended model= finish=tool_calls f(t1,{\"a\":1}) g(t2,{\"b\":2})", /* numbers are missing */
                  E("contentBlockStart", "{\"start\":{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\"}}}"), E("contentBlockDelta", "{\"delta\":{\"toolUse\":{\"input\":\"{\\\"a\\\":1}\"}}}"),
                  E("contentBlockStart", "{\"start\":{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\"}}}"), E("contentBlockDelta", "{\"delta\":{\"toolUse\":{\"input\":\"{\\\"b\\\":2}\"}}}"),
                  STOP("tool_use"));
}

static void tools_that_run_at_amazon_are_not_called_here(void **state)
{
    (void)state;
    ASSERT_FRAMES("A|ended model= finish=stop", E("contentBlockStart", "{\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"toolUseId\":\"s\",\"name\":\"nova_grounding\",\"type\":\"server_tool_use\"}}}"),
                  INPUT(0, "{}"), BLOCK_END(0), E("contentBlockStart", "{\"contentBlockIndex\":1,\"start\":{\"toolResult\":{\"toolUseId\":\"s\"}}}"),
                  DELTA(1, "{\"toolResult\":[{\"text\":\"no\"}]}"), BLOCK_END(1), DELTA(2, "{\"text\":\"A\"}"), DELTA(2, "{\"citation\":{\"title\":\"t\"}}"), STOP("end_turn"));
}

#define THINKS(n, text) DELTA(n, "{\"reasoningContent\":{\"text\":\"" text "\"}}")
#define SIGNED(n, text) DELTA(n, "{\"reasoningContent\":{\"signature\":\"" text "\"}}")
#define REDACTED(n, text) DELTA(n, "{\"reasoningContent\":{\"redactedContent\":\"" text "\"}}")
#define KEPT(blocks) " state={\"model\":\"asked\",\"blocks\":[" blocks "]}"
#define KEPT_TEXT(text, signature) "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"" text "\",\"signature\":\"" signature "\"}}}"
#define KEPT_REDACTED(data) "{\"reasoningContent\":{\"redactedContent\":\"" data "\"}}"

static void reasoning_is_given_out_and_kept_with_its_signature(void **state)
{
    (void)state;
    ASSERT_FRAMES("<hm so>A|ended model= finish=stop" COUNTED KEPT(KEPT_TEXT("hm so", "S1S2")), START, THINKS(0, "hm "), THINKS(0, "so"), SIGNED(0, "S1"), SIGNED(0, "S2"),
                  BLOCK_END(0), DELTA(1, "{\"text\":\"A\"}"), BLOCK_END(1), STOP("end_turn"), USAGE);
    ASSERT_FRAMES("<onetwo|ended model= finish=tool_calls f(t,{})" KEPT(KEPT_TEXT("one", "S") "," KEPT_REDACTED("QQ==") "," KEPT_TEXT("two", "T") "," KEPT_TEXT("", "U")),
                  THINKS(0, "one"), SIGNED(0, "S"), BLOCK_END(0), REDACTED(1, "QQ=="), BLOCK_END(1), THINKS(2, "two"), SIGNED(2, "T"), SIGNED(3, "U"), TOOL(4, "t", "f"),
                  STOP("tool_use"));
    ASSERT_FRAMES("<hm>A|ended model= finish=stop", THINKS(0, "hm"), BLOCK_END(0), DELTA(1, "{\"text\":\"A\"}"), STOP("end_turn")); /* unsigned: DeepSeek, gpt-oss */
    ASSERT_FRAMES("<hm|open model= finish=", THINKS(0, "hm"), SIGNED(0, "S"), BLOCK_END(0));
}

static void events_of_other_kinds_are_ignored(void **state)
{
    (void)state;
    ASSERT_FRAMES("AB|ended model= finish=stop", E("somethingNew", "garbage"), SAYS("A"), {"event", "", "{}"}, {"notice", "x", "{}"}, DELTA(0, "{\"audio\":{\"bytes\":\"x\"}}"),
                  E("contentBlockStart", "{\"contentBlockIndex\":0,\"start\":{\"image\":{\"format\":\"png\"}}}"), E("contentBlockStart", "{\"start\":7}"), E("contentBlockDelta", "null"),
                  E("contentBlockDelta", "[]"), E("contentBlockDelta", "{\"delta\":{\"text\":7,\"toolUse\":7,\"reasoningContent\":7}}"), E("metadata", "{\"usage\":{\"inputTokens\":-1}}"),
                  E("metadata", "{\"usage\":7}"), SAYS("B"), STOP("end_turn"));
}

static void what_follows_the_end_is_ignored(void **state)
{
    (void)state;
    ASSERT_FRAMES("A|ended model= finish=stop" COUNTED, SAYS("A"), STOP("end_turn"), SAYS("late"), {"exception", "internalServerException", "{\"message\":\"late\"}"}, TOOL(1, "t", "f"),
                  STOP("max_tokens"), USAGE, E("metadata", "{\"usage\":{\"inputTokens\":99}}"), {"exception", "internalServerException", "{\"message\":\"late\"}"});
}

static void exceptions_in_the_stream_are_failures(void **state)
{
    (void)state;
    ASSERT_FRAMES("A|open failed: model= finish= outcome=provider_busy said=slow down", START, SAYS("A"), {"exception", "throttlingException", "{\"message\":\"slow down\"}"}, STOP("end_turn"));
    ASSERT_FRAMES("A|open failed: model= finish= outcome=provider_busy said=", SAYS("A"), {"exception", "serviceUnavailableException", ""});
    ASSERT_FRAMES("A|open failed: model= finish= outcome=provider_error said=boom", SAYS("A"),
                  {"exception", "modelStreamErrorException", "{\"message\":\"boom\",\"originalStatusCode\":500,\"originalMessage\":\"x\"}"});
    ASSERT_FRAMES("|open failed: model= finish= outcome=provider_error said=Input is too long for requested model.",
                  {"exception", "validationException", "{\"message\":\"Input is too long for requested model.\"}"});
    ASSERT_FRAMES("|open failed: model= finish= outcome=provider_auth said=no", {"exception", "AccessDeniedException", "{\"Message\":\"no\"}"});
    ASSERT_FRAMES("|open failed: model= finish= outcome=provider_error said=", {"exception", "newException", "garbage"});
    ASSERT_FRAMES("A|open failed: model= finish= outcome=provider_error said=it broke", SAYS("A"), {"error", "InternalError", "it broke"});
    ASSERT_FRAMES("A|open failed: model= finish= outcome=provider_busy said=slow", SAYS("A"), {"error", "ThrottlingException", "slow"});
    ASSERT_FRAMES("A|open failed: model= finish= outcome=provider_error said=", SAYS("A"), E("contentBlockDelta", "{garbage"), STOP("end_turn"));
}

static void whole_answers_are_read_too(void **state)
{
    (void)state;
#define ASSERT_WHOLE(bytes, wanted) assert_reply(&wire_bedrock, bytes, sizeof(bytes) - 1, wanted)
#define WHOLE(content, rest) "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[" content "]}}" rest "}"
    ASSERT_WHOLE(WHOLE("{\"text\":\"Hello\"}", ",\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":5,\"outputTokens\":2},\"metrics\":{\"latencyMs\":1}"),
                 "Hello|ended model= finish=stop" COUNTED);
    ASSERT_WHOLE("\xEF\xBB\xBF \n" WHOLE("{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"S\"}}},{\"reasoningContent\":{\"redactedContent\":\"QQ==\"}},{\"text\":\"A\"},"
                 "{\"new\":{}},{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}},{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\",\"input\":{}}},"
                 "{\"toolUse\":{\"name\":\"h\"}},{\"toolUse\":{\"toolUseId\":\"s\",\"name\":\"n\",\"input\":{},\"type\":\"server_tool_use\"}},7", ",\"stopReason\":\"tool_use\"") "\n",
                 "<hm>A|ended model= finish=tool_calls f(t1,{\"a\":1}) g(t2,{}) h(call_3,{})" KEPT(KEPT_TEXT("hm", "S") "," KEPT_REDACTED("QQ==")));
    ASSERT_WHOLE(WHOLE("{\"text\":\"A\"}", ""), "A|open model= finish=");
    ASSERT_WHOLE("{\"message\":\"The model is gone.\"}", "|open failed: model= finish= outcome=provider_error said=The model is gone.");
    ASSERT_WHOLE("{\"Output\":{\"__type\":\"com.amazon.coral.service#UnknownOperationException\"},\"Version\":\"1.0\"}", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_WHOLE("[]", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_WHOLE("<html>502</html>", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_WHOLE("upstream error", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_WHOLE("", "|open model= finish=");
    ASSERT_WHOLE(" \r\n", "|open model= finish=");
}

static const struct event full[] = {START, THINKS(0, "hm"), SIGNED(0, "S"), BLOCK_END(0), DELTA(1, "{\"text\":\"messageStop 😀\"}"), BLOCK_END(1), TOOL(2, "t", "f"), INPUT(2, "{}"),
                                    BLOCK_END(2), STOP("tool_use"), USAGE};

static void a_cut_stream_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    add_frames(&bytes, full, 10);
    size_t mark = bytes.len;
    add_frames(&bytes, full + 10, 1);
    assert_open_before(&wire_bedrock, bytes.data, mark);
    for (size_t len = mark; len <= bytes.len; len++)
        assert_string_equal(summary_of(&wire_bedrock, &(struct cut){.first = len, .step = len}, bytes.data, len, 1000),
                            len < bytes.len ? "<hm>messageStop 😀|ended model= finish=tool_calls f(t,{})" KEPT(KEPT_TEXT("hm", "S"))
                                            : "<hm>messageStop 😀|ended model= finish=tool_calls" COUNTED " f(t,{})" KEPT(KEPT_TEXT("hm", "S")));
    buf_free(&bytes);
    static const char whole[] = WHOLE("{\"text\":\"A\"}", ",\"stopReason\":\"end_turn\"");
    assert_open_before(&wire_bedrock, whole, sizeof whole - 1);
}

static void damage_is_found_before_it_is_shown(void **state)
{
    (void)state;
    struct buf bytes, last;
    buf_init(&bytes, 1 << 20);
    buf_init(&last, 1 << 20);
    static const struct event events[] = {SAYS("A"), STOP("end_turn")};
    add_frames(&bytes, events, 2);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] = (char)(bytes.data[i] ^ 1);
        const char *got = summary_of(&wire_bedrock, &(struct cut){.first = bytes.len, .step = 1}, bytes.data, bytes.len, 1000);
        assert_contains(got, "|open failed: model= finish= outcome=provider_error said=");
        bytes.data[i] = (char)(bytes.data[i] ^ 1);
    }
    /* damage after the end costs only the counts */
    add_frames(&last, full + 10, 1);
    last.data[20] = 'x';
    buf_add(&bytes, last.data, last.len);
    assert_reply(&wire_bedrock, bytes.data, bytes.len, "A|ended model= finish=stop");
    buf_free(&bytes);
    buf_free(&last);
}

static void a_frame_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    struct buf bytes;
    buf_init(&bytes, 100);
    frames_add_number(&bytes, LIMIT_SSE_EVENT_BYTES + 1, 4);
    frames_add_number(&bytes, 0, 4);
    frames_add_number(&bytes, frames_crc(bytes.data, 8), 4);
    assert_reply(&wire_bedrock, bytes.data, bytes.len, "|open failed: model= finish= outcome=provider_error said=");
    buf_free(&bytes);
}

static void reasoning_over_the_ceiling_is_shown_but_not_kept(void **state)
{
    (void)state;
    struct buf bytes, payload;
    buf_init(&bytes, 16 << 20);
    buf_init(&payload, 2 << 20);
    buf_add_text(&payload, "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"redactedContent\":\"");
    for (size_t i = 0; i < LIMIT_STATE_BYTES / 4; i++)
        buf_add_char(&payload, 'Q');
    buf_add_text(&payload, "\"}}}");
    static const struct event ends[] = {SAYS("A"), STOP("end_turn")};
    for (int i = 0; i < 5; i++)
        frames_add(&bytes, "event", "contentBlockDelta", payload.data);
    add_frames(&bytes, ends, 2);
    assert_string_equal(summary_of(&wire_bedrock, &(struct cut){.first = 1000, .step = 100000}, bytes.data, bytes.len, 1000), "A|ended model= finish=stop");
    buf_free(&bytes);
    buf_free(&payload);
}

static void text_over_what_the_sink_takes_ends_the_reading(void **state)
{
    (void)state;
    static const struct event events[] = {SAYS("12345"), SAYS("67890"), SAYS("more"), STOP("end_turn")};
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    add_frames(&bytes, events, 4);
    EACH_CUT(cut, bytes.len)
        assert_string_equal(summary_of(&wire_bedrock, &cut, bytes.data, bytes.len, 7), "1234567890|open failed: model= finish= outcome=provider_error said=");
    buf_free(&bytes);
}

static void garbage_does_no_harm(void **state)
{
    (void)state;
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    add_frames(&bytes, full, sizeof full / sizeof full[0]);
    survive_garbage(&wire_bedrock, bytes.data, bytes.len);
    buf_free(&bytes);
    static const char whole[] = WHOLE("{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"S\"}}},{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}}",
                                      ",\"stopReason\":\"tool_use\"");
    survive_garbage(&wire_bedrock, whole, sizeof whole - 1);
}

/* Each allocation of an answer and of a request fails once. */
static void no_memory_is_survived(void **state)
{
    (void)state;
    struct buf bytes;
    struct completion_request request = {REQUEST(call_messages), .system = "s"};
    buf_init(&bytes, 1 << 20);
    add_frames(&bytes, full, 6);
    add_frames(&bytes, full + 9, 2);
    int failed = 0;
    for (long i = 0; i < 60; i++) {
        mem_fail_after(i);
        failed += strstr(summary_of(&wire_bedrock, &(struct cut){.first = 7, .step = 9}, bytes.data, bytes.len, 1000), "failed:") != NULL;
        mem_fail_after(i);
        failed += strstr(written(&wire_bedrock, &request, MODEL("m"), (struct wire_without){0}), "refused: ") != NULL;
    }
    mem_fail_after(-1);
    assert_true(failed >= 4);
    buf_free(&bytes);
}

/* Payloads are damaged before their checksums are made. */
static void hostile_payloads_do_no_harm(void **state)
{
    (void)state;
    uint64_t seed = 31337;
    for (int round = 0; round < 5000; round++) {
        struct buf bytes;
        char whole[4096];
        buf_init(&bytes, 1 << 20);
        for (uint32_t n = unit_random(&seed) % 12 + 1; n > 0; n--) {
            char payload[300];
            const struct event *event = &full[unit_random(&seed) % (sizeof full / sizeof full[0])];
            (void)snprintf(payload, sizeof payload, "%s", event->payload);
            for (uint32_t i = unit_random(&seed) % 3; i > 0; i--)
                payload[unit_random(&seed) % strlen(payload)] = unit_random(&seed) % 3 == 0 ? (char)(unit_random(&seed) | 1) : "{}[]\"\\ ,:19"[unit_random(&seed) % 11];
            frames_add(&bytes, event->kind, full[unit_random(&seed) % (sizeof full / sizeof full[0])].type, payload);
        }
        (void)snprintf(whole, sizeof whole, "%s", summary_of(&wire_bedrock, &(struct cut){.first = bytes.len, .step = 1}, bytes.data, bytes.len, 100000));
        assert_string_equal(summary_of(&wire_bedrock, &(struct cut){.first = 1, .step = 1}, bytes.data, bytes.len, 100000), whole);
        buf_free(&bytes);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_has_path_system_messages_and_options),
    cmocka_unit_test(options_are_left_out_one_by_one),
    cmocka_unit_test(blank_texts_are_never_sent),
    cmocka_unit_test(images_follow_their_text),
    cmocka_unit_test(calls_and_results_are_sent_back_in_two_messages),
    cmocka_unit_test(tools_are_defined_when_only_the_history_has_them),
    cmocka_unit_test(ids_of_calls_are_made_to_fit),
    cmocka_unit_test(reasoning_goes_back_to_the_model_that_gave_it),
    cmocka_unit_test(reasoning_alone_is_no_answer),
    cmocka_unit_test(effort_is_said_in_the_words_of_the_models_maker),
    cmocka_unit_test(claude_is_not_told_to_think_where_its_thinking_is_missing),
    cmocka_unit_test(a_schema_is_sent_as_text_and_json_without_one_is_refused),
    cmocka_unit_test(names_that_would_change_the_path_are_refused),
    cmocka_unit_test(text_and_usage_are_read),
    cmocka_unit_test(finish_reasons_are_put_into_our_words),
    cmocka_unit_test(calls_come_in_pieces),
    cmocka_unit_test(tools_that_run_at_amazon_are_not_called_here),
    cmocka_unit_test(reasoning_is_given_out_and_kept_with_its_signature),
    cmocka_unit_test(events_of_other_kinds_are_ignored),
    cmocka_unit_test(what_follows_the_end_is_ignored),
    cmocka_unit_test(exceptions_in_the_stream_are_failures),
    cmocka_unit_test(whole_answers_are_read_too),
    cmocka_unit_test(a_cut_stream_is_never_taken_for_a_finished_one),
    cmocka_unit_test(damage_is_found_before_it_is_shown),
    cmocka_unit_test(a_frame_over_the_ceiling_is_refused),
    cmocka_unit_test(reasoning_over_the_ceiling_is_shown_but_not_kept),
    cmocka_unit_test(text_over_what_the_sink_takes_ends_the_reading),
    cmocka_unit_test(garbage_does_no_harm),
    cmocka_unit_test(no_memory_is_survived),
    cmocka_unit_test(hostile_payloads_do_no_harm),
};

UNIT_MAIN(tests)
