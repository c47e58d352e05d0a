/*
 * Tests of src/llm/wire_anthropic.c: the request as JSON, and answers with text, thinking and tools, each whole, byte by byte and at every split.
 */
#include "wire.h"

/* --- the request ----------------------------------------------------------------------------------------------------------- */

static const struct wire_target old_model = {.model = "claude-old", .facts = {.known = true, .vision = true, .tools = true, .reasoning = true, .max_output = 64000}};
static const struct wire_target new_model = {.model = "claude-new", .facts = {.known = true, .vision = true, .tools = true, .reasoning = true, .no_sampling = true}};
static const struct wire_target plain_model = {.model = "claude-3", .facts = {.known = true, .tools = true, .max_output = 50}};

#define USER(text) {.role = COMPLETION_USER, .content = (text), .content_len = sizeof(text) - 1}
#define ASSISTANT(text) {.role = COMPLETION_ASSISTANT, .content = (text), .content_len = sizeof(text) - 1}

static const struct completion_message hello[] = {USER("Hi")};
#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}]"

static const char *body_of(const struct completion_request *request, struct wire_target target)
{
    return body_written(&wire_anthropic, request, target);
}

static void a_request_has_path_version_and_body(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("Hi \"you\"\n"), ASSISTANT("ä"), USER("so")};
    struct completion_request request = {REQUEST(messages), .system = "Be kind."};
    assert_string_equal(written(&wire_anthropic, &request, old_model, (struct wire_without){0}),
                        "/messages\nanthropic-version: 2023-06-01\n\n{\"model\":\"claude-old\",\"system\":\"Be kind.\",\"messages\":["
                        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi \\\"you\\\"\\n\"}]},"
                        "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"ä\"}]},"
                        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"so\"}]}],\"max_tokens\":100,\"temperature\":0.5,\"stream\":true}");
}

static void a_blank_system_prompt_is_left_out(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .system = " \n"};
    assert_string_equal(body_of(&request, old_model), "{\"model\":\"claude-old\"," HELLO ",\"max_tokens\":100,\"temperature\":0.5,\"stream\":true}");
}

static void roles_alternate_and_no_block_is_blank(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {USER("one"), ASSISTANT(" \n"), USER("two"), ASSISTANT("A"), ASSISTANT("B"), USER("  ")};
    struct completion_request request = {REQUEST(messages)};
    assert_contains(body_of(&request, old_model),
                    "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"text\",\"text\":\"two\"}]},"
                    "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"text\",\"text\":\"B\"}]},"
                    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"(no text)\"}]}]");
}

static void a_temperature_goes_up_to_one_and_only_where_it_is_taken(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello)};
    request.temperature = 0.7;
    assert_contains(body_of(&request, old_model), "\"temperature\":0.7,");
    request.temperature = 1.8;
    assert_contains(body_of(&request, old_model), "\"temperature\":1,");
    assert_lacks(body_of(&request, new_model), "temperature");
    assert_lacks(written(&wire_anthropic, &request, old_model, (struct wire_without){.temperature = true}), "temperature");
}

static void max_tokens_is_always_there_and_within_what_the_model_gives(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello)};
    request.max_tokens = 100000;
    assert_contains(body_of(&request, old_model), "\"max_tokens\":64000,");
    assert_contains(body_of(&request, new_model), "\"max_tokens\":100000,");
    assert_contains(body_of(&request, plain_model), "\"max_tokens\":50,");
    assert_contains(written(&wire_anthropic, &request, new_model, (struct wire_without){.max_tokens = true}), "\"max_tokens\":4096,");
    assert_contains(written(&wire_anthropic, &request, new_model, (struct wire_without){.max_tokens_is_old = true}), "\"max_tokens\":4096,");
    assert_contains(written(&wire_anthropic, &request, plain_model, (struct wire_without){.max_tokens = true}), "\"max_tokens\":50,");
}

static void texts_that_stop_are_sent_and_a_seed_is_not(void **state)
{
    (void)state;
    static const char *const stop[] = {"END", "\n\n"};
    struct completion_request request = {REQUEST(hello), .stop = stop, .stop_count = 2};
    request.seed = 7;
    assert_contains(body_of(&request, old_model), "\"stop_sequences\":[\"END\",\"\\n\\n\"]");
    assert_lacks(body_of(&request, old_model), "seed");
    assert_lacks(written(&wire_anthropic, &request, old_model, (struct wire_without){.stop = true}), "stop_sequences");
}

static void images_come_before_the_text_and_only_to_models_that_see(void **state)
{
    (void)state;
    static const struct completion_image images[] = {{"image/png", "aGk=XX", 4}, {"image/jpeg", "eA==", 4}};
    static const struct completion_message messages[] = {
        {.role = COMPLETION_USER, .content = "What?", .content_len = 5, .images = images, .image_count = 2}, ASSISTANT("A"),
        {.role = COMPLETION_USER, .content = "", .images = images, .image_count = 1}};
    struct completion_request request = {REQUEST(messages)};
#define PNG "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"aGk=\"}}"
    assert_contains(body_of(&request, old_model),
                    "\"messages\":[{\"role\":\"user\",\"content\":[" PNG ",{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/jpeg\",\"data\":\"eA==\"}},"
                    "{\"type\":\"text\",\"text\":\"What?\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"A\"}]},{\"role\":\"user\",\"content\":[" PNG "]}]");
    assert_contains(body_of(&request, (struct wire_target){.model = "unknown"}), PNG);
    assert_string_equal(body_of(&request, plain_model), "refused: This model does not take images.");
}

static void a_schema_is_sent_and_json_without_one_is_refused(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .format = COMPLETION_SCHEMA, .schema = "{\"type\":\"object\"}"};
    assert_contains(body_of(&request, old_model), "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}");
    request.effort = "low";
    assert_contains(body_of(&request, new_model), "\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}");
    request.format = COMPLETION_JSON;
    assert_contains(body_of(&request, old_model), "refused: ");
}

/* --- tools */

static const struct completion_tool tools[] = {{"f", "does f", "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}"}, {"g", "", ""}};
static const struct completion_call calls[] = {{.id = "toolu_1", .name = "f", .arguments = "{\"a\":1}"}, {.id = "functions.g:0", .name = "g", .arguments = "{bad"}};
#define TOOL_RESULT(id, text) {.role = COMPLETION_TOOL, .call_id = id, .content = (text), .content_len = sizeof(text) - 1}
#define CALLS_JSON "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"a\":1}},{\"type\":\"tool_use\",\"id\":\"functions_g_0\",\"name\":\"g\",\"input\":{}}"

static void tools_and_the_choice_among_them_are_sent(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .tools = tools, .tool_count = 2};
    assert_contains(body_of(&request, old_model), "\"tools\":[{\"name\":\"f\",\"description\":\"does f\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}},"
                    "{\"name\":\"g\",\"input_schema\":{\"type\":\"object\"}}],\"max_tokens\"");
    request.tool_choice = "none";
    assert_contains(body_of(&request, old_model), "\"tool_choice\":{\"type\":\"none\"}");
    request.tool_choice = "required";
    assert_contains(body_of(&request, old_model), "\"tool_choice\":{\"type\":\"any\"}");
    request.tool_choice = "g";
    assert_contains(body_of(&request, old_model), "\"tool_choice\":{\"type\":\"tool\",\"name\":\"g\"}");
    request.tool_count = 0;
    assert_lacks(body_of(&request, old_model), "tool");
}

static void results_of_a_turn_stand_together_in_a_message_of_the_user(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {
        USER("Hi"), {.role = COMPLETION_ASSISTANT, .content = "I call", .content_len = 6, .calls = calls, .call_count = 2},
        TOOL_RESULT("toolu_1", "42"), {.role = COMPLETION_TOOL, .call_id = "functions.g:0", .content = "", .is_error = true}, USER("and?")};
    struct completion_request request = {REQUEST(messages)};
    assert_contains(body_of(&request, old_model),
                    "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"I call\"}," CALLS_JSON "]},{\"role\":\"user\",\"content\":["
                    "{\"type\":\"tool_result\",\"tool_use_id\":\"toolu_1\",\"content\":\"42\"},"
                    "{\"type\":\"tool_result\",\"tool_use_id\":\"functions_g_0\",\"content\":\"The tool failed.\",\"is_error\":true},"
                    "{\"type\":\"text\",\"text\":\"and?\"}]}],");
}

static void a_result_without_text_has_no_content(void **state)
{
    (void)state;
    static const struct completion_message messages[] = {
        USER("Hi"), {.role = COMPLETION_ASSISTANT, .content = "", .calls = calls, .call_count = 1}, TOOL_RESULT("toolu_1", "")};
    struct completion_request request = {REQUEST(messages)};
    assert_contains(body_of(&request, old_model),
                    "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"a\":1}}]},"
                    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"toolu_1\"}]}]");
}

/* --- thinking */

static const char *thinking_of(struct wire_target target, const char *effort, int64_t max_tokens)
{
    struct completion_request request = {REQUEST(hello), .effort = effort};
    request.max_tokens = max_tokens;
    return strstr(body_of(&request, target), "\"max_tokens\"");
}

static void older_models_think_within_a_budget(void **state)
{
    (void)state;
    assert_string_equal(thinking_of(old_model, "low", 10000), "\"max_tokens\":10000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},\"stream\":true}");
    assert_contains(thinking_of(old_model, "medium", 10000), "\"budget_tokens\":5000}");
    assert_contains(thinking_of(old_model, "high", 10000), "\"budget_tokens\":8000}");
    assert_contains(thinking_of(old_model, "low", 2048), "\"budget_tokens\":1024}");
    assert_contains(thinking_of(old_model, "high", 64000), "\"budget_tokens\":32000}");
    assert_string_equal(thinking_of(old_model, "high", 2047), "\"max_tokens\":2047,\"temperature\":0.5,\"stream\":true}");
    assert_string_equal(thinking_of(old_model, "none", 10000), "\"max_tokens\":10000,\"temperature\":0.5,\"stream\":true}");
}

static void newer_models_are_told_an_effort(void **state)
{
    (void)state;
    assert_string_equal(thinking_of(new_model, "high", 100),
                        "\"max_tokens\":100,\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"},\"output_config\":{\"effort\":\"high\"},\"stream\":true}");
    assert_string_equal(thinking_of(new_model, "none", 100), "\"max_tokens\":100,\"thinking\":{\"type\":\"disabled\"},\"output_config\":{\"effort\":\"low\"},\"stream\":true}");
    assert_string_equal(thinking_of(new_model, NULL, 100), "\"max_tokens\":100,\"stream\":true}");
    struct wire_target fable = new_model;
    fable.model = "claude-fable-5";
    assert_string_equal(thinking_of(fable, "none", 100), "\"max_tokens\":100,\"output_config\":{\"effort\":\"low\"},\"stream\":true}");
}

static void models_that_do_not_think_are_not_asked_to(void **state)
{
    (void)state;
    assert_lacks(thinking_of(plain_model, "high", 10000), "thinking");
    assert_lacks(thinking_of((struct wire_target){.model = "unknown"}, "high", 10000), "thinking");
    struct completion_request request = {REQUEST(hello), .effort = "high"};
    request.max_tokens = 10000;
    assert_lacks(written(&wire_anthropic, &request, new_model, (struct wire_without){.effort = true}), "effort");
    assert_lacks(written(&wire_anthropic, &request, old_model, (struct wire_without){.effort = true}), "thinking");
}

static void a_forced_call_goes_without_thinking(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .effort = "high", .tools = tools, .tool_count = 1, .tool_choice = "required"};
    request.max_tokens = 10000;
    assert_lacks(body_of(&request, old_model), "thinking");
    assert_contains(body_of(&request, old_model), "temperature");
    assert_lacks(body_of(&request, new_model), "thinking");
    request.tool_choice = "none";
    assert_contains(body_of(&request, old_model), "thinking");
}

#define THOUGHT "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"Eq==\"}"
#define SECRET "{\"type\":\"redacted_thinking\",\"data\":\"x/y\"}"

static const char *history_of(const char *thought, const char *thought_wire, struct wire_target target, bool asks_again)
{
    const struct completion_message messages[] = {
        USER("Hi"), {.role = COMPLETION_ASSISTANT, .content = "I call", .content_len = 6, .calls = calls, .call_count = 2, .state = thought, .state_wire = thought_wire},
        TOOL_RESULT("toolu_1", "42"), TOOL_RESULT("functions.g:0", "43"), ASSISTANT("So"), USER("again")};
    struct completion_request request = {REQUEST(messages), .effort = "low"};
    request.max_tokens = 10000;
    request.message_count = asks_again ? 6 : 4;
    return body_of(&request, target);
}

static void thinking_goes_back_as_it_was_in_the_running_turn(void **state)
{
    (void)state;
    static const char first[] = "{\"model\":\"claude-old\",\"blocks\":[" THOUGHT "," SECRET ",{\"type\":\"text\",\"text\":\"I call\"},{\"type\":\"tool_use\"},{\"type\":\"tool_use\"}]}";
    const char *text = history_of(first, "anthropic", old_model, false);
    assert_contains(text, "{\"role\":\"assistant\",\"content\":[" THOUGHT "," SECRET ",{\"type\":\"text\",\"text\":\"I call\"}," CALLS_JSON "]},");
    assert_contains(text, "\"thinking\":{\"type\":\"enabled\"");
    static const char between[] = "{\"model\":\"claude-old\",\"blocks\":[{\"type\":\"text\",\"text\":\"I call\"}," THOUGHT ",{\"type\":\"tool_use\"}]}";
    assert_contains(history_of(between, "anthropic", old_model, false), "\"content\":[{\"type\":\"text\",\"text\":\"I call\"}," THOUGHT "," CALLS_JSON "]},");
}

static void thinking_that_is_not_this_models_or_not_this_turns_is_left_out(void **state)
{
    (void)state;
    static const char own[] = "{\"model\":\"claude-old\",\"blocks\":[" THOUGHT ",{\"type\":\"tool_use\"},{\"type\":\"tool_use\"}]}";
    static const char *const bad[] = {"{\"model\":\"claude-new\",\"blocks\":[" THOUGHT "]}", "[" THOUGHT "]", "{\"model\":\"claude-old\",\"blocks\":{}}", "garbage", "", NULL};
    static const char plain[] = "\"content\":[{\"type\":\"text\",\"text\":\"I call\"}," CALLS_JSON "]},";
    assert_contains(history_of(own, "anthropic", old_model, false), THOUGHT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *text = history_of(bad[i], "anthropic", old_model, false);
        assert_contains(text, plain);
        assert_lacks(text, "budget_tokens"); /* the turn began without thinking: it cannot be switched on in the middle */
    }
    assert_contains(history_of(own, "bedrock", old_model, false), plain);
    assert_contains(history_of(own, NULL, old_model, false), plain);
    assert_contains(history_of(own, "anthropic", new_model, false), plain);
    const char *text = history_of(own, "anthropic", old_model, true);
    assert_contains(text, plain);
    assert_contains(text, "budget_tokens");
}

static void bad_blocks_of_a_state_are_left_out(void **state)
{
    (void)state;
    static const char odd[] = "{\"model\":\"claude-old\",\"blocks\":[7,null,{},{\"type\":3},{\"type\":\"image\"},{\"type\":\"tool_use\"},{\"type\":\"tool_use\"},{\"type\":\"tool_use\"}]}";
    assert_contains(history_of(odd, "anthropic", old_model, false), "\"content\":[" CALLS_JSON "]},");
}

static void a_request_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello)};
    struct wire_target target = {.provider = "anthropic", .model = "m", .version = ""};
    struct wire_call call;
    struct failure failure;
    buf_init(&call.path, 100);
    buf_init(&call.headers, 100);
    buf_init(&call.body, 50);
    assert_int_equal(wire_anthropic.write(&call, &request, &target, &(struct wire_without){0}, &failure), OUTCOME_NO_MEMORY);
    buf_free(&call.path);
    buf_free(&call.headers);
    buf_free(&call.body);
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

#define ASSERT_REPLY(bytes, wanted) assert_reply(&wire_anthropic, bytes, sizeof(bytes) - 1, wanted)
#define E(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define START E("message_start", ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"claude-x\",\"stop_reason\":null," \
                "\"usage\":{\"input_tokens\":25,\"output_tokens\":1,\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":7}}")
#define BLOCK(index, block) E("content_block_start", ",\"index\":" #index ",\"content_block\":" block)
#define DELTA(index, delta) E("content_block_delta", ",\"index\":" #index ",\"delta\":" delta)
#define END(index) E("content_block_stop", ",\"index\":" #index)
#define TEXT_BLOCK(index) BLOCK(index, "{\"type\":\"text\",\"text\":\"\"}")
#define TEXT(index, text) DELTA(index, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define TOOL(index, id, name) BLOCK(index, "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}}")
#define PIECE(index, piece) DELTA(index, "{\"type\":\"input_json_delta\",\"partial_json\":\"" piece "\"}")
#define FINISH(reason) E("message_delta", ",\"delta\":{\"stop_reason\":\"" reason "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}")
#define STOP E("message_stop", "")
#define PING E("ping", "")
#define USAGE " usage=132+15,100,-1"
#define SIMPLE START TEXT_BLOCK(0) PING TEXT(0, "Hel") TEXT(0, "lo 😀") END(0) FINISH("end_turn") STOP

static void text_is_read(void **state)
{
    (void)state;
    ASSERT_REPLY(SIMPLE, "Hello 😀|ended model=claude-x finish=stop" USAGE);
}

static void reasons_to_stop_are_put_into_known_words(void **state)
{
    (void)state;
#define ENDED(reason) START FINISH(reason) STOP
    ASSERT_REPLY(ENDED("stop_sequence"), "|ended model=claude-x finish=stop" USAGE);
    ASSERT_REPLY(ENDED("max_tokens"), "|ended model=claude-x finish=length" USAGE);
    ASSERT_REPLY(ENDED("model_context_window_exceeded"), "|ended model=claude-x finish=length" USAGE);
    ASSERT_REPLY(ENDED("tool_use"), "|ended model=claude-x finish=tool_calls" USAGE);
    ASSERT_REPLY(ENDED("refusal"), "|ended model=claude-x finish=content_filter" USAGE);
    ASSERT_REPLY(ENDED("pause_turn"), "|ended model=claude-x finish=pause_turn" USAGE);
    ASSERT_REPLY(ENDED("odd \\u0000\\n one"), "|ended model=claude-x finish=odd_" USAGE);
}

static void counts_replace_and_are_never_added(void **state)
{
    (void)state;
    ASSERT_REPLY(START E("message_delta", ",\"delta\":{},\"usage\":{\"output_tokens\":5}")
                 E("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":30,\"cache_read_input_tokens\":null,\"cache_creation_input_tokens\":0,"
                   "\"output_tokens\":9,\"output_tokens_details\":{\"thinking_tokens\":4}}") STOP,
                 "|ended model=claude-x finish=stop usage=130+9,100,4");
    ASSERT_REPLY(E("message_start", ",\"message\":{\"usage\":{\"input_tokens\":3}}") STOP, "|ended model= finish= usage=3+-1,-1,-1");
    ASSERT_REPLY(E("message_start", ",\"message\":{\"usage\":{\"input_tokens\":-3,\"output_tokens\":\"x\",\"cache_read_input_tokens\":1e99}}") STOP, "|ended model= finish=");
}

static void thinking_is_kept_apart_and_needs_no_keeping_without_calls(void **state)
{
    (void)state;
    ASSERT_REPLY(START BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}") DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"Let \"}")
                 DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"me\"}") DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"Eq==\"}") END(0)
                 TEXT_BLOCK(1) TEXT(1, "A") END(1) FINISH("end_turn") STOP,
                 "<Let me>A|ended model=claude-x finish=stop" USAGE);
}

static void thinking_before_calls_is_kept_with_its_signature(void **state)
{
    (void)state;
    ASSERT_REPLY(START BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}") DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"Let \"}")
                 DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"me\"}") DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"Eq/+==\"}") END(0)
                 BLOCK(1, "{\"type\":\"redacted_thinking\",\"data\":\"opaque\"}") END(1) TEXT_BLOCK(2) TEXT(2, "I ca") TEXT(2, "ll") END(2)
                 BLOCK(3, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}") DELTA(3, "{\"type\":\"signature_delta\",\"signature\":\"Er==\"}") END(3)
                 TOOL(4, "toolu_1", "f") PIECE(4, "") PIECE(4, "{\\\"a\\\":") PIECE(4, "1}") END(4) FINISH("tool_use") STOP,
                 "<Let me>I call|ended model=claude-x finish=tool_calls" USAGE " f(toolu_1,{\"a\":1}) state={\"model\":\"asked\",\"blocks\":["
                 "{\"type\":\"thinking\",\"thinking\":\"Let me\",\"signature\":\"Eq/+==\"},{\"type\":\"redacted_thinking\",\"data\":\"opaque\"},"
                 "{\"type\":\"text\",\"text\":\"I call\"},{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"Er==\"},{\"type\":\"tool_use\"}]}");
}

static void secret_thinking_alone_is_kept(void **state)
{
    (void)state;
    ASSERT_REPLY(START BLOCK(0, "{\"type\":\"redacted_thinking\",\"data\":\"opaque\"}") END(0) TOOL(1, "t", "f") END(1) FINISH("tool_use") STOP,
                 "|ended model=claude-x finish=tool_calls" USAGE " f(t,{}) state={\"model\":\"asked\",\"blocks\":[{\"type\":\"redacted_thinking\",\"data\":\"opaque\"},{\"type\":\"tool_use\"}]}");
}

static void what_is_kept_comes_back_as_it_was(void **state)
{
    (void)state;
    static const char kept[] = "{\"model\":\"claude-old\",\"blocks\":[{\"type\":\"thinking\",\"thinking\":\"Let me\",\"signature\":\"Eq/+==\"},{\"type\":\"tool_use\"}]}";
    assert_contains(history_of(kept, "anthropic", old_model, false), "[{\"type\":\"thinking\",\"thinking\":\"Let me\",\"signature\":\"Eq/+==\"},{\"type\":\"tool_use\",\"id\":\"toolu_1\"");
}

static void bad_bytes_in_thinking_are_kept_as_valid_text(void **state)
{
    (void)state;
    ASSERT_REPLY(START BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\"}") DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"a\xC3\"}")
                 DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"\xA4\xFF\"}") TOOL(1, "t", "f") FINISH("tool_use") STOP,
                 "<a\xC3\xA4\xFF|ended model=claude-x finish=tool_calls" USAGE " f(t,{}) state={\"model\":\"asked\",\"blocks\":["
                 "{\"type\":\"thinking\",\"thinking\":\"aä\xEF\xBF\xBD\",\"signature\":\"\"},{\"type\":\"tool_use\"}]}");
}

static void calls_without_thinking_leave_no_state(void **state)
{
    (void)state;
    ASSERT_REPLY(START TEXT_BLOCK(0) TEXT(0, "ok") END(0) TOOL(1, "t1", "f") PIECE(1, "{\\\"a\\\":[") PIECE(1, "1]}") END(1) TOOL(2, "t2", "g") END(2) TOOL(3, "", "h")
                 PIECE(3, "{}") END(3) FINISH("tool_use") STOP,
                 "ok|ended model=claude-x finish=tool_calls" USAGE " f(t1,{\"a\":[1]}) g(t2,{}) h(call_3,{})");
}

static void arguments_may_come_with_the_beginning_of_a_call(void **state)
{
    (void)state;
#define EARLY(index) BLOCK(index, "{\"type\":\"tool_use\",\"id\":\"t" #index "\",\"name\":\"f\",\"input\":{\"a\":1}}")
    ASSERT_REPLY(START EARLY(0) END(0) EARLY(1) PIECE(1, "{\\\"b\\\":2}") END(1) EARLY(2) FINISH("tool_use") STOP,
                 "|ended model=claude-x finish=tool_calls" USAGE " f(t0,{\"a\":1}) f(t1,{\"b\":2}) f(t2,{\"a\":1})");
}

static void blocks_of_the_vendors_own_tools_are_ignored(void **state)
{
    (void)state;
    ASSERT_REPLY(START BLOCK(0, "{\"type\":\"server_tool_use\",\"id\":\"srv\",\"name\":\"web_search\",\"input\":{}}") PIECE(0, "{\\\"query\\\":1}") END(0)
                 BLOCK(1, "{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srv\",\"content\":[{\"type\":\"web_search_result\",\"text\":\"no\"}]}") END(1)
                 TEXT_BLOCK(2) DELTA(2, "{\"type\":\"citations_delta\",\"citation\":{\"text\":\"no\"}}") TEXT(2, "A") END(2) FINISH("end_turn") STOP,
                 "A|ended model=claude-x finish=stop" USAGE);
}

static void unknown_events_and_odd_shapes_are_ignored(void **state)
{
    (void)state;
    ASSERT_REPLY(START E("news", ",\"delta\":{\"type\":\"text_delta\",\"text\":\"no\"}") DELTA(0, "{\"type\":\"odd\",\"text\":\"no\"}") DELTA(0, "null") DELTA(0, "[7]")
                 BLOCK(0, "\"text\"") E("content_block_delta", "") E("content_block_start", "") DELTA(0, "{\"type\":\"text_delta\",\"text\":7}") "data: null\n\ndata: [1]\n\n"
                 PIECE(9, "{}") E("message_delta", ",\"delta\":7,\"usage\":[]") FINISH("end_turn") STOP,
                 "|ended model=claude-x finish=stop" USAGE);
}

static void gateways_may_leave_things_out(void **state)
{
    (void)state;
    ASSERT_REPLY("event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"A\"}}\n\nevent: message_stop\ndata: {}\n\n", "A|ended model= finish=");
    ASSERT_REPLY("data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"A\"}}\r\n\r\ndata:{\"type\":\"message_stop\"}", "A|ended model= finish=");
    ASSERT_REPLY(START BLOCK(0, "{\"type\":\"text\",\"text\":\"early\"}") TEXT(0, " late") FINISH("end_turn") "data: [DONE]\n\n" STOP "data: [DONE]\n\n",
                 "early late|ended model=claude-x finish=stop" USAGE);
    ASSERT_REPLY(START TEXT(0, "A") FINISH("end_turn") "data: [DONE]\n\n", "A|open model=claude-x finish=stop" USAGE);
}

static void what_follows_the_end_is_ignored(void **state)
{
    (void)state;
    ASSERT_REPLY(SIMPLE TEXT(0, "late") "data: {garbage\n\n" E("error", ",\"error\":{\"message\":\"late\"}"), "Hello 😀|ended model=claude-x finish=stop" USAGE);
}

static void thinking_in_tags_is_taken_out_of_the_text(void **state)
{
    (void)state;
    ASSERT_REPLY(START TEXT(0, "<th") TEXT(0, "ink>hm</think>A") FINISH("end_turn") STOP, "<hm>A|ended model=claude-x finish=stop" USAGE);
    ASSERT_REPLY(START TEXT(0, "<thin") FINISH("end_turn") STOP, "<thin|ended model=claude-x finish=stop" USAGE);
}

/* After the terminal mark nobody waits for the end of the body. */
static void text_held_back_is_given_out_with_the_terminal_mark(void **state)
{
    (void)state;
    static const char bytes[] = START TEXT(0, "<thin") FINISH("end_turn") STOP;
    static const struct wire_target target = {.provider = "anthropic", .model = "m", .version = ""};
    struct listening to = {.most = 100};
    struct completion_sink sink = {.event = listening_take, .arg = &to};
    to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
    buf_init(&to.said, 100);
    reply_init(&to.reply, &wire_anthropic, &target, &sink, &to.result);
    assert_true(wire_anthropic.feed(&to.reply, bytes, sizeof bytes - 1));
    assert_true(to.reply.all_said);
    assert_string_equal(to.said.data, "<thin");
    reply_free(&to.reply);
    buf_free(&to.said);
}

#define ERROR(type, text) E("error", ",\"error\":{\"type\":\"" type "\",\"message\":\"" text "\"},\"request_id\":\"req_1\"")

static void errors_in_the_stream_are_told_apart_by_their_type(void **state)
{
    (void)state;
    ASSERT_REPLY(ERROR("overloaded_error", "Overloaded"), "|open failed: model= finish= outcome=provider_busy said=Overloaded");
    ASSERT_REPLY(ERROR("rate_limit_error", "slow down"), "|open failed: model= finish= outcome=provider_busy said=slow down");
    ASSERT_REPLY(ERROR("authentication_error", "bad key"), "|open failed: model= finish= outcome=provider_auth said=bad key");
    ASSERT_REPLY(START TEXT(0, "par") ERROR("api_error", "boom") STOP, "par|open failed: model=claude-x finish= usage=132+1,100,-1 outcome=provider_error said=boom");
    ASSERT_REPLY(START "data: {\"error\":\"boom\"}\n\n" STOP, "|open failed: model=claude-x finish= usage=132+1,100,-1 outcome=provider_error said=boom");
    ASSERT_REPLY(START "event: error\ndata: {\"message\":\"boom\"}\n\n", "|open failed: model=claude-x finish= usage=132+1,100,-1 outcome=provider_error said=boom");
    ASSERT_REPLY(START "data: {garbage\n\n", "|open failed: model=claude-x finish= usage=132+1,100,-1 outcome=provider_error said=");
}

static void the_type_of_an_error_tells_what_it_is_and_whether_to_try_again(void **state)
{
    (void)state;
    static const struct { const char *type, *message; enum outcome outcome; bool retry; } cases[] = {
        {"overloaded_error", "x", OUTCOME_PROVIDER_BUSY, true}, {"rate_limit_error", "x", OUTCOME_PROVIDER_BUSY, true},
        {"api_error", "x", OUTCOME_PROVIDER_ERROR, true}, {"timeout_error", "x", OUTCOME_PROVIDER_ERROR, true},
        {"invalid_request_error", "x", OUTCOME_PROVIDER_ERROR, false}, {"odd_error", "x", OUTCOME_PROVIDER_ERROR, false},
        {"billing_error", "x", OUTCOME_PROVIDER_QUOTA, false}, {"permission_error", "x", OUTCOME_PROVIDER_AUTH, false},
        {"invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", OUTCOME_CONTEXT_TOO_LONG, false},
        {"invalid_request_error", "Your credit balance is too low", OUTCOME_PROVIDER_QUOTA, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listening to = {.most = 100};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        static const struct wire_target target = {.provider = "anthropic", .model = "m", .version = ""};
        char bytes[300];
        to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
        reply_init(&to.reply, &wire_anthropic, &target, &sink, &to.result);
        (void)snprintf(bytes, sizeof bytes, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}\n\n", cases[i].type, cases[i].message);
        assert_false(wire_anthropic.feed(&to.reply, bytes, strlen(bytes)));
        assert_int_equal(to.reply.error.outcome, cases[i].outcome);
        assert_int_equal(to.reply.error.retry, cases[i].retry);
        reply_free(&to.reply);
    }
}

static void whole_answers_are_read(void **state)
{
    (void)state;
    ASSERT_REPLY("{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"Eq==\"},"
                 "{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}},{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{}}],"
                 "\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":25,\"output_tokens\":15,\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":7}}",
                 "<hm>A|ended model=claude-x finish=tool_calls" USAGE " f(t1,{\"a\":1}) g(t2,{}) state={\"model\":\"asked\",\"blocks\":["
                 "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"Eq==\"},{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"tool_use\"},{\"type\":\"tool_use\"}]}");
    ASSERT_REPLY("\n{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"A\"},7,null],\"stop_reason\":null}", "A|open model= finish=");
    ASSERT_REPLY("{\"type\":\"message\",\"content\":\"A\",\"stop_reason\":\"end_turn\"}", "|ended model= finish=stop");
    ASSERT_REPLY("{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}", "|open failed: model= finish= outcome=provider_busy said=slow");
    ASSERT_REPLY("{\"error\":\"nope\"}", "|open failed: model= finish= outcome=provider_error said=nope");
    ASSERT_REPLY("[]", "|open model= finish=");
    ASSERT_REPLY("", "|open model= finish=");
    ASSERT_REPLY("<html>502</html>", "|open failed: model= finish= outcome=provider_error said=");
}

static void a_cut_answer_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    static const char stream[] = START TEXT_BLOCK(0) TEXT(0, "message_stop \\\"stop_reason\\\"") END(0) TOOL(1, "t", "f") END(1) FINISH("tool_use") STOP;
    assert_open_before(&wire_anthropic, stream, sizeof stream - 1 - 2);
    assert_open_before(&wire_anthropic, stream, (size_t)(strstr(stream, "data: {\"type\":\"message_stop\"}") - stream) + strlen("data: {\"type\":\"message_stop\""));
    static const char whole[] = "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"A\"}],\"stop_reason\":\"end_turn\"}";
    assert_open_before(&wire_anthropic, whole, sizeof whole - 1);
}

static void text_over_what_the_sink_takes_ends_the_reading(void **state)
{
    (void)state;
    static const char bytes[] = START TEXT(0, "12345") TEXT(0, "67890") TEXT(0, "more") STOP;
    EACH_CUT(cut, sizeof bytes - 1)
        assert_contains(summary_of(&wire_anthropic, &cut, bytes, sizeof bytes - 1, 7), "1234567890|open failed:");
    static const char whole[] = "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"12345\"},{\"type\":\"text\",\"text\":\"67890\"},{\"type\":\"text\",\"text\":\"x\"}],"
                                "\"stop_reason\":\"end_turn\"}";
    assert_contains(summary_of(&wire_anthropic, &(struct cut){.first = sizeof whole - 1, .step = 1}, whole, sizeof whole - 1, 7), "1234567890|open failed:");
}

/* A state that is too long is not kept, rather than kept in part; the answer is not harmed. */
static void too_much_thinking_is_not_kept(void **state)
{
    (void)state;
    enum { PIECE_BYTES = 1 << 20 };
    static char long_text[PIECE_BYTES + 200];
    struct buf bytes;
    buf_init(&bytes, 16 << 20);
    memset(long_text, 'x', PIECE_BYTES);
    for (int pieces = 3; pieces <= 5; pieces++) {
        buf_clear(&bytes);
        buf_add_text(&bytes, "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n");
        for (int i = 0; i < pieces; i++)
            buf_addf(&bytes, "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"%s\"}}\n\n", long_text);
        buf_add_text(&bytes, TOOL(1, "t", "f") STOP);
        struct listening to = {.most = 100};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        static const struct wire_target target = {.provider = "anthropic", .model = "m", .version = ""};
        to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
        reply_init(&to.reply, &wire_anthropic, &target, &sink, &to.result);
        assert_true(wire_anthropic.feed(&to.reply, bytes.data, bytes.len));
        assert_true(to.reply.ended);
        assert_int_equal(to.reply.call_count, 1);
        assert_int_equal(to.result.state != NULL, pieces == 3);
        reply_free(&to.reply);
        completion_result_free(&to.result);
    }
    buf_free(&bytes);
}

static void garbage_does_no_harm(void **state)
{
    (void)state;
    static const char bytes[] = START BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}") DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"Let\"}")
                                DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"Eq==\"}") END(0) TEXT_BLOCK(1) TEXT(1, "A") END(1) TOOL(2, "t", "f")
                                PIECE(2, "{\\\"a\\\":1}") END(2) EARLY(3) FINISH("tool_use") STOP;
    survive_garbage(&wire_anthropic, bytes, sizeof bytes - 1);
}

static void memory_may_run_out_at_any_moment(void **state)
{
    (void)state;
    static const char bytes[] = START BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"Eq==\"}") END(0) TEXT(1, "A") TOOL(2, "t", "f") PIECE(2, "{}") STOP;
    for (long left = 0; left < 40; left++) {
        struct listening to = {.most = 100};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        static const struct wire_target target = {.provider = "anthropic", .model = "m", .version = ""};
        to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
        buf_init(&to.said, 100);
        reply_init(&to.reply, &wire_anthropic, &target, &sink, &to.result);
        mem_fail_after(left);
        if (wire_anthropic.feed(&to.reply, bytes, sizeof bytes - 1))
            wire_anthropic.end(&to.reply);
        mem_fail_after(-1);
        reply_free(&to.reply);
        completion_result_free(&to.result);
        buf_free(&to.said);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_has_path_version_and_body),
    cmocka_unit_test(a_blank_system_prompt_is_left_out),
    cmocka_unit_test(roles_alternate_and_no_block_is_blank),
    cmocka_unit_test(a_temperature_goes_up_to_one_and_only_where_it_is_taken),
    cmocka_unit_test(max_tokens_is_always_there_and_within_what_the_model_gives),
    cmocka_unit_test(texts_that_stop_are_sent_and_a_seed_is_not),
    cmocka_unit_test(images_come_before_the_text_and_only_to_models_that_see),
    cmocka_unit_test(a_schema_is_sent_and_json_without_one_is_refused),
    cmocka_unit_test(tools_and_the_choice_among_them_are_sent),
    cmocka_unit_test(results_of_a_turn_stand_together_in_a_message_of_the_user),
    cmocka_unit_test(a_result_without_text_has_no_content),
    cmocka_unit_test(older_models_think_within_a_budget),
    cmocka_unit_test(newer_models_are_told_an_effort),
    cmocka_unit_test(models_that_do_not_think_are_not_asked_to),
    cmocka_unit_test(a_forced_call_goes_without_thinking),
    cmocka_unit_test(thinking_goes_back_as_it_was_in_the_running_turn),
    cmocka_unit_test(thinking_that_is_not_this_models_or_not_this_turns_is_left_out),
    cmocka_unit_test(bad_blocks_of_a_state_are_left_out),
    cmocka_unit_test(a_request_over_the_ceiling_is_refused),
    cmocka_unit_test(text_is_read),
    cmocka_unit_test(reasons_to_stop_are_put_into_known_words),
    cmocka_unit_test(counts_replace_and_are_never_added),
    cmocka_unit_test(thinking_is_kept_apart_and_needs_no_keeping_without_calls),
    cmocka_unit_test(thinking_before_calls_is_kept_with_its_signature),
    cmocka_unit_test(secret_thinking_alone_is_kept),
    cmocka_unit_test(what_is_kept_comes_back_as_it_was),
    cmocka_unit_test(bad_bytes_in_thinking_are_kept_as_valid_text),
    cmocka_unit_test(calls_without_thinking_leave_no_state),
    cmocka_unit_test(arguments_may_come_with_the_beginning_of_a_call),
    cmocka_unit_test(blocks_of_the_vendors_own_tools_are_ignored),
    cmocka_unit_test(unknown_events_and_odd_shapes_are_ignored),
    cmocka_unit_test(gateways_may_leave_things_out),
    cmocka_unit_test(what_follows_the_end_is_ignored),
    cmocka_unit_test(thinking_in_tags_is_taken_out_of_the_text),
    cmocka_unit_test(text_held_back_is_given_out_with_the_terminal_mark),
    cmocka_unit_test(errors_in_the_stream_are_told_apart_by_their_type),
    cmocka_unit_test(the_type_of_an_error_tells_what_it_is_and_whether_to_try_again),
    cmocka_unit_test(whole_answers_are_read),
    cmocka_unit_test(a_cut_answer_is_never_taken_for_a_finished_one),
    cmocka_unit_test(text_over_what_the_sink_takes_ends_the_reading),
    cmocka_unit_test(too_much_thinking_is_not_kept),
    cmocka_unit_test(garbage_does_no_harm),
    cmocka_unit_test(memory_may_run_out_at_any_moment),
};

UNIT_MAIN(tests)
