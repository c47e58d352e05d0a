/*
 * Tests of src/llm/wire_gemini.c: requests as JSON, and answers in Gemini's events, each whole, byte by byte and at every split.
 */
#include "wire.h"

/* --- the request ----------------------------------------------------------------------------------------------------------- */

static const struct completion_message hello[] = {{.role = COMPLETION_USER, .content = "Hi \"you\"\n", .content_len = 9}};

static const struct wire_target plain = {.model = "gemini-2.0-flash"};

#define BODY(target, ...) body_written(&wire_gemini, &(struct completion_request){__VA_ARGS__}, target)
#define TARGET(name) ((struct wire_target){.model = (name)})

static void a_request_names_the_model_in_its_path(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello), .system = "Be kind."};
    assert_string_equal(written(&wire_gemini, &request, plain, (struct wire_without){0}),
                        "/models/gemini-2.0-flash:streamGenerateContent?alt=sse\n\n"
                        "{\"systemInstruction\":{\"parts\":[{\"text\":\"Be kind.\"}]},\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi \\\"you\\\"\\n\"}]}],"
                        "\"generationConfig\":{\"temperature\":0.5,\"maxOutputTokens\":100}}");
    const char *text = written(&wire_gemini, &request, TARGET("models/odd name/../x?"), (struct wire_without){0});
    assert_int_equal(strncmp(text, "/models/odd%20name%2F..%2Fx%3F:streamGenerateContent?alt=sse\n", 61), 0);
}

static void an_empty_system_prompt_is_left_out(void **state)
{
    (void)state;
    assert_lacks(BODY(plain, REQUEST(hello), .system = ""), "system");
    assert_lacks(BODY(plain, REQUEST(hello)), "system");
}

static void options_are_said_and_left_out_one_by_one(void **state)
{
    (void)state;
    static const char *const stop[] = {"END", "\n\n"};
    struct completion_request request = {REQUEST(hello), .stop = stop, .stop_count = 2, .effort = "low"};
    request.seed = -7;
    struct wire_target target = {.model = "gemini-2.5-flash"};
    const char *text = body_written(&wire_gemini, &request, target);
    assert_contains(text, "\"generationConfig\":{\"temperature\":0.5,\"maxOutputTokens\":100,\"stopSequences\":[\"END\",\"\\n\\n\"],\"seed\":-7,"
                          "\"thinkingConfig\":{\"includeThoughts\":true,\"thinkingBudget\":512}}");
    text = written(&wire_gemini, &request, target, (struct wire_without){.temperature = true, .stop = true, .effort = true});
    assert_contains(text, "\"generationConfig\":{\"maxOutputTokens\":100,\"seed\":-7}");
    text = written(&wire_gemini, &request, target, (struct wire_without){.max_tokens = true, .seed = true, .effort = true, .stop = true});
    assert_contains(text, "\"generationConfig\":{\"temperature\":0.5}");
    target.facts = (struct model_facts){.known = true, .no_sampling = true};
    assert_lacks(body_written(&wire_gemini, &request, target), "temperature");
    request.seed = INT64_C(1) << 40;
    assert_lacks(body_written(&wire_gemini, &request, target), "seed");
}

static void formats_are_mime_type_and_schema(void **state)
{
    (void)state;
    assert_contains(BODY(plain, REQUEST(hello), .format = COMPLETION_JSON), "\"maxOutputTokens\":100,\"responseMimeType\":\"application/json\"}");
    assert_contains(BODY(plain, REQUEST(hello), .format = COMPLETION_SCHEMA, .schema = "{\"$schema\":\"x\",\"type\":\"object\",\"additionalProperties\":false}"),
                    "\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{\"type\":\"object\",\"additionalProperties\":false}}");
}

/* --- thinking */

static const char *thinking_of(const char *model, const char *effort, int64_t max_tokens)
{
    static char found[200];
    struct completion_request request = {REQUEST(hello), .effort = effort};
    request.max_tokens = max_tokens;
    const char *text = strstr(body_written(&wire_gemini, &request, TARGET(model)), "\"thinkingConfig\":");
    (void)snprintf(found, sizeof found, "%.*s", text != NULL ? (int)(strchr(text, '}') - text + 1 - 17) : 0, text != NULL ? text + 17 : "");
    return found;
}

static void thinking_is_a_budget_for_generation_2_and_a_level_for_later_ones(void **state)
{
    (void)state;
    assert_string_equal(thinking_of("gemini-2.5-flash", NULL, 100), "{\"includeThoughts\":true}");
    assert_string_equal(thinking_of("gemini-2.5-flash", "none", 100), "{\"thinkingBudget\":0}");
    assert_string_equal(thinking_of("gemini-2.5-pro", "none", 100000), "{\"includeThoughts\":true,\"thinkingBudget\":128}");
    assert_string_equal(thinking_of("gemini-2.5-pro", "low", 100000), "{\"includeThoughts\":true,\"thinkingBudget\":1024}");
    assert_string_equal(thinking_of("gemini-2.5-pro", "medium", 100000), "{\"includeThoughts\":true,\"thinkingBudget\":8192}");
    assert_string_equal(thinking_of("gemini-2.5-pro", "high", 100000), "{\"includeThoughts\":true,\"thinkingBudget\":24576}");
    assert_string_equal(thinking_of("gemini-2.5-pro", "high", 4000), "{\"includeThoughts\":true,\"thinkingBudget\":2000}");
    assert_string_equal(thinking_of("gemini-3-flash-preview", "none", 100), "{\"includeThoughts\":true,\"thinkingLevel\":\"MINIMAL\"}");
    assert_string_equal(thinking_of("gemini-3.1-pro", "none", 100), "{\"includeThoughts\":true,\"thinkingLevel\":\"LOW\"}");
    assert_string_equal(thinking_of("gemini-3.1-pro", "low", 100), "{\"includeThoughts\":true,\"thinkingLevel\":\"LOW\"}");
    assert_string_equal(thinking_of("gemini-flash-latest", "medium", 100), "{\"includeThoughts\":true,\"thinkingLevel\":\"MEDIUM\"}");
    assert_string_equal(thinking_of("gemini-12", "high", 100), "{\"includeThoughts\":true,\"thinkingLevel\":\"HIGH\"}");
    assert_string_equal(thinking_of("gemini-2.0-flash", "high", 100), "");
    assert_string_equal(thinking_of("gemma-3", "high", 100), "");
}

static void what_is_known_of_a_model_goes_before_its_name(void **state)
{
    (void)state;
    struct wire_target target = {.model = "gemini-2.5-flash", .facts = {.known = true}};
    assert_lacks(BODY(target, REQUEST(hello), .effort = "low"), "thinking");
    target = (struct wire_target){.model = "gemma-4", .facts = {.known = true, .reasoning = true}};
    assert_contains(BODY(target, REQUEST(hello), .effort = "high"), "\"thinkingConfig\":{\"includeThoughts\":true,\"thinkingLevel\":\"HIGH\"}");
}

/* --- tools and images */

static const struct completion_call two_calls[] = {
    {.id = "c1", .name = "add", .arguments = "{\"a\":1,\"b\":0.1}", .state = "c2ln"},
    {.id = "c2", .name = "now", .arguments = "not JSON"},
};

static const struct completion_message with_tools[] = {
    {.role = COMPLETION_USER, .content = "Q", .content_len = 1},
    {.role = COMPLETION_ASSISTANT, .content = "", .calls = two_calls, .call_count = 2},
    {.role = COMPLETION_TOOL, .content = "1.1", .content_len = 3, .call_id = "c1", .call_name = "add"},
    {.role = COMPLETION_TOOL, .content = "no clock", .content_len = 8, .call_id = "c2", .call_name = "now", .is_error = true},
    {.role = COMPLETION_USER, .content = "And?", .content_len = 4},
};

static const struct completion_tool tools[] = {
    {.name = "add", .description = "Adds.", .schema = "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}},\"additionalProperties\":false}"},
    {.name = "now", .description = "", .schema = "{}"},
};

static void tools_calls_and_results_are_said(void **state)
{
    (void)state;
    assert_string_equal(BODY(plain, REQUEST(with_tools), .tools = tools, .tool_count = 2),
                        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Q\"}]},"
                        "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"id\":\"c1\",\"name\":\"add\",\"args\":{\"a\":1,\"b\":0.1}},\"thoughtSignature\":\"c2ln\"},"
                        "{\"functionCall\":{\"id\":\"c2\",\"name\":\"now\",\"args\":{}}}]},"
                        "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"id\":\"c1\",\"name\":\"add\",\"response\":{\"result\":\"1.1\"}}},"
                        "{\"functionResponse\":{\"id\":\"c2\",\"name\":\"now\",\"response\":{\"error\":\"no clock\"}}}]},"
                        "{\"role\":\"user\",\"parts\":[{\"text\":\"And?\"}]}],"
                        "\"tools\":[{\"functionDeclarations\":[{\"name\":\"add\",\"description\":\"Adds.\",\"parametersJsonSchema\":{\"type\":\"object\",\"properties\":"
                        "{\"a\":{\"type\":\"number\"}},\"additionalProperties\":false}},{\"name\":\"now\",\"description\":\"\"}]}],"
                        "\"generationConfig\":{\"temperature\":0.5,\"maxOutputTokens\":100}}");
}

static void vertex_gets_no_ids(void **state)
{
    (void)state;
    struct wire_target target = {.provider = "vertex_ai", .model = "gemini-2.5-flash"};
    const char *text = BODY(target, REQUEST(with_tools));
    assert_lacks(text, "\"id\"");
    assert_contains(text, "{\"functionResponse\":{\"name\":\"add\",\"response\"");
}

static void a_tool_choice_is_a_mode(void **state)
{
    (void)state;
    assert_lacks(BODY(plain, REQUEST(hello), .tools = tools, .tool_count = 2), "toolConfig");
    assert_contains(BODY(plain, REQUEST(hello), .tools = tools, .tool_count = 2, .tool_choice = "none"), "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"NONE\"}}");
    assert_contains(BODY(plain, REQUEST(hello), .tools = tools, .tool_count = 2, .tool_choice = "required"), "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\"}}");
    assert_contains(BODY(plain, REQUEST(hello), .tools = tools, .tool_count = 2, .tool_choice = "add"),
                    "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"add\"]}}");
    assert_lacks(BODY(plain, REQUEST(hello), .tool_choice = "required"), "toolConfig");
}

static void a_lost_signature_has_a_stand_in_where_one_is_wanted(void **state)
{
    (void)state;
    struct completion_call calls[2] = {two_calls[0], two_calls[1]};
    struct completion_message messages[] = {with_tools[0], with_tools[1]};
    messages[1].calls = calls;
    assert_lacks(BODY(TARGET("gemini-3-pro"), REQUEST(messages)), "skip_");
    calls[0].state = NULL;
    const char *text = BODY(TARGET("gemini-3-pro"), REQUEST(messages));
    assert_contains(text, "\"args\":{\"a\":1,\"b\":0.1}},\"thoughtSignature\":\"skip_thought_signature_validator\"},{\"functionCall\":{\"id\":\"c2\",\"name\":\"now\",\"args\":{}}}]");
    assert_lacks(BODY(TARGET("gemini-2.5-pro"), REQUEST(messages)), "thoughtSignature");
    assert_lacks(BODY(TARGET("gemma-4"), REQUEST(messages)), "thoughtSignature");
    calls[0].state = "foreign";
    messages[1].state_wire = "openai";
    text = BODY(TARGET("gemini-3-pro"), REQUEST(messages));
    assert_lacks(text, "foreign");
    assert_contains(text, "skip_thought_signature_validator");
    messages[1].state_wire = "gemini";
    assert_contains(BODY(TARGET("gemini-3-pro"), REQUEST(messages)), "\"thoughtSignature\":\"foreign\"");
}

static void the_signature_of_a_text_goes_back_to_who_gave_it(void **state)
{
    (void)state;
    struct completion_message messages[] = {hello[0], {.role = COMPLETION_ASSISTANT, .content = "A", .content_len = 1, .state = "{\"thoughtSignature\":\"c2ln\"}",
                                            .state_wire = "gemini"}, hello[0]};
    assert_contains(BODY(plain, REQUEST(messages)), "{\"role\":\"model\",\"parts\":[{\"text\":\"A\",\"thoughtSignature\":\"c2ln\"}]}");
    messages[1].state_wire = "anthropic";
    assert_lacks(BODY(plain, REQUEST(messages)), "thoughtSignature");
    messages[1].state_wire = NULL;
    assert_lacks(BODY(plain, REQUEST(messages)), "thoughtSignature");
    messages[1].state_wire = "gemini";
    messages[1].state = "{broken";
    assert_lacks(BODY(plain, REQUEST(messages)), "thoughtSignature");
    messages[1].content_len = 0; /* nothing at all was said: the message is left out */
    assert_lacks(BODY(plain, REQUEST(messages)), "model");
}

static void images_are_inline_data(void **state)
{
    (void)state;
    struct completion_image images[] = {{.media_type = "image/png", .base64 = "aGk=", .base64_len = 4}, {.media_type = "image/webp", .base64 = "aG8=", .base64_len = 4}};
    struct completion_message messages[] = {{.role = COMPLETION_USER, .content = "What?", .content_len = 5, .images = images, .image_count = 2},
                                            {.role = COMPLETION_USER, .content = "", .images = images, .image_count = 1}};
    assert_contains(BODY(plain, REQUEST(messages)),
                    "\"parts\":[{\"text\":\"What?\"},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"aGk=\"}},{\"inlineData\":{\"mimeType\":\"image/webp\",\"data\":\"aG8=\"}}]},"
                    "{\"role\":\"user\",\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"aGk=\"}}]}");
    struct wire_target target = {.model = "gemini-x", .facts = {.known = true}};
    assert_string_equal(BODY(target, REQUEST(messages)), "refused: The model gemini-x cannot look at images.");
    target.facts.vision = true;
    assert_contains(BODY(target, REQUEST(messages)), "inlineData");
    images[1].media_type = "image/gif";
    assert_string_equal(BODY(target, REQUEST(messages)), "refused: The model gemini-x takes no GIF images, only PNG, JPEG and WebP.");
}

static void a_request_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(hello)};
    struct wire_target target = {.provider = "gemini", .model = "m", .version = ""};
    struct wire_without without = {0};
    struct wire_call call;
    struct failure failure;
    buf_init(&call.path, 100);
    buf_init(&call.headers, 100);
    buf_init(&call.body, 50);
    assert_int_equal(wire_gemini.write(&call, &request, &target, &without, &failure), OUTCOME_NO_MEMORY);
    buf_free(&call.path);
    buf_free(&call.headers);
    buf_free(&call.body);
}

/* --- answers ---------------------------------------------------------------------------------------------------------------- */

#define ASSERT_REPLY(bytes, wanted) assert_reply(&wire_gemini, bytes, sizeof(bytes) - 1, wanted)
#define D(json) "data: " json "\r\n\r\n"
#define CANDIDATE(parts) "{\"content\":{\"parts\":[" parts "],\"role\":\"model\"},\"index\":0}"
#define PARTS(parts) D("{\"candidates\":[" CANDIDATE(parts) "],\"modelVersion\":\"g\",\"responseId\":\"r\"}")
#define TEXT(text) PARTS("{\"text\":\"" text "\"}")
#define FINISH(reason) D("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"" reason "\",\"index\":0}],\"modelVersion\":\"g\"}")

static void streams_with_thoughts_are_read(void **state)
{
    (void)state;
    ASSERT_REPLY(
        D("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Let me\",\"thought\":true}],\"role\":\"model\"},\"index\":0}],"
          "\"usageMetadata\":{\"promptTokenCount\":9,\"thoughtsTokenCount\":7,\"totalTokenCount\":16},\"modelVersion\":\"gemini-3-pro\",\"responseId\":\"r\"}")
        PARTS("{\"text\":\" see\",\"thought\":true},{\"text\":\"Hel\"}") TEXT("lo 😀")
        D("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\",\"thoughtSignature\":\"EpEg\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],"
          "\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":5,\"cachedContentTokenCount\":3,\"thoughtsTokenCount\":185,\"totalTokenCount\":199}}"),
        "<Let me see>Hello 😀|ended model=gemini-3-pro finish=stop usage=9+190,3,185 state={\"thoughtSignature\":\"EpEg\"}");
}

static void usage_is_replaced_and_not_added_up(void **state)
{
    (void)state;
#define COUNTED(text, counts) D("{\"candidates\":[" CANDIDATE("{\"text\":\"" text "\"}") "],\"usageMetadata\":" counts "}")
    ASSERT_REPLY(COUNTED("A", "{\"promptTokenCount\":4,\"candidatesTokenCount\":1}") COUNTED("B", "{\"promptTokenCount\":4,\"candidatesTokenCount\":2}"),
                 "AB|open model= finish= usage=4+2,-1,-1");
    ASSERT_REPLY(COUNTED("A", "{\"promptTokenCount\":4,\"thoughtsTokenCount\":6}") COUNTED("B", "{\"candidatesTokenCount\":2}") COUNTED("C", "{}"),
                 "ABC|open model= finish= usage=4+8,-1,6");
    ASSERT_REPLY(COUNTED("A", "{\"promptTokenCount\":-4,\"candidatesTokenCount\":1e300,\"thoughtsTokenCount\":\"6\"}") COUNTED("B", "[]"), "AB|open model= finish=");
}

static void calls_come_whole_and_may_lack_ids(void **state)
{
    (void)state;
    ASSERT_REPLY(PARTS("{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1,\"b\":0.10}},\"thoughtSignature\":\"Ep/g+=\"},{\"functionCall\":{\"id\":\"x7\",\"name\":\"g\"}}")
                 PARTS("{\"functionCall\":{\"name\":\"f\",\"args\":{\"ä\":[{}]}}}") FINISH("STOP"),
                 "|ended model=g finish=tool_calls f(call_1,{\"a\":1,\"b\":0.10},Ep/g+=) g(x7,{}) f(call_3,{\"ä\":[{}]})");
    ASSERT_REPLY(PARTS("{\"text\":\"I ask.\"},{\"functionCall\":{\"name\":\"f\",\"args\":\"odd\"}}") FINISH("STOP"), "I ask.|ended model=g finish=tool_calls f(call_1,{})");
    ASSERT_REPLY(PARTS("{\"functionCall\":null},{\"functionCall\":7},{\"functionCall\":{}}") FINISH("STOP"), "|ended model=g finish=tool_calls (call_1,{})");
}

static void too_many_calls_are_an_error(void **state)
{
    (void)state;
    static char bytes[16 * 1024];
    strcpy(bytes, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}");
    for (int i = 0; i < LIMIT_CALLS + 1; i++)
        strcat(bytes, ",{\"functionCall\":{\"name\":\"f\"},\"thoughtSignature\":\"s\"}");
    strcat(bytes, "]},\"finishReason\":\"STOP\"}]}\n\n");
    struct cut whole = {0, sizeof bytes, 1};
    assert_contains(summary_of(&wire_gemini, &whole, bytes, strlen(bytes), 1000), "|open failed: model= finish= outcome=provider_error");
}

static void finish_reasons_are_put_into_common_words(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT("A") FINISH("MAX_TOKENS"), "A|ended model=g finish=length");
    static const char *const filtered[] = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"};
    for (size_t i = 0; i < sizeof filtered / sizeof filtered[0]; i++) {
        char bytes[1000];
        (void)snprintf(bytes, sizeof bytes, "%sdata: {\"candidates\":[{\"finishReason\":\"%s\",\"index\":0}]}\n\n", TEXT("A"), filtered[i]);
        assert_reply(&wire_gemini, bytes, strlen(bytes), "A|ended model=g finish=content_filter");
    }
    ASSERT_REPLY(TEXT("A") FINISH("MALFORMED_FUNCTION_CALL"), "A|ended model=g finish=MALFORMED_FUNCTION_CALL");
    ASSERT_REPLY(TEXT("A") FINISH(""), "A|open model=g finish=");
    ASSERT_REPLY(TEXT("A") FINISH("FINISH_REASON_UNSPECIFIED"), "A|open model=g finish=");
}

static void older_models_say_stop_with_every_event(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"A\"}]},\"finishReason\":\"STOP\",\"index\":0}]}")
                 D("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"B\"}]},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":1,"
                   "\"candidatesTokenCount\":2}}"),
                 "AB|ended model= finish=stop usage=1+2,-1,-1");
}

static void a_blocked_prompt_is_a_refusal(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},\"usageMetadata\":{\"promptTokenCount\":7,\"totalTokenCount\":7},\"modelVersion\":\"g\"}"),
                 "|open failed: model=g finish=content_filter usage=7+-1,-1,-1 outcome=provider_error said=");
    ASSERT_REPLY("{\"promptFeedback\":{\"blockReason\":\"SAFETY\",\"safetyRatings\":[]}}", "|open failed: model= finish=content_filter outcome=provider_error said=");
    ASSERT_REPLY(D("{\"promptFeedback\":{\"safetyRatings\":[]},\"candidates\":[" CANDIDATE("{\"text\":\"A\"}") "]}") FINISH("STOP"), "A|ended model=g finish=stop");
}

/* Several outcomes have the same code: this is the one itself. When all is said, the end of the body is not waited for. */
static enum outcome outcome_of(const char *bytes, const char *said)
{
    struct listening to = {.most = 1000};
    struct completion_sink sink = {.event = listening_take, .arg = &to};
    struct wire_target target = {.provider = "gemini", .model = "m", .version = ""};
    to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
    buf_init(&to.said, 1000);
    reply_init(&to.reply, &wire_gemini, &target, &sink, &to.result);
    if (wire_gemini.feed(&to.reply, bytes, strlen(bytes)) && !to.reply.all_said)
        wire_gemini.end(&to.reply);
    enum outcome outcome = to.reply.outcome;
    assert_int_equal(to.reply.error.outcome, outcome);
    assert_string_equal(to.said.data, said);
    reply_free(&to.reply);
    completion_result_free(&to.result);
    buf_free(&to.said);
    return outcome;
}

static void outcomes_tell_refusal_and_length_from_other_errors(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(D("{\"promptFeedback\":{\"blockReason\":\"OTHER\"}}"), ""), OUTCOME_REFUSED);
    assert_int_equal(outcome_of("[{\"error\":{\"code\":400,\"message\":\"The input token count (2) exceeds the maximum number of tokens allowed (1).\"}}]", ""),
                     OUTCOME_CONTEXT_TOO_LONG);
    assert_int_equal(outcome_of(D("{\"error\":{\"code\":500,\"message\":\"x\"}}"), ""), OUTCOME_PROVIDER_ERROR);
    assert_int_equal(outcome_of(TEXT("A") FINISH("SAFETY"), "A"), OUTCOME_OK);
    assert_int_equal(outcome_of(TEXT("A <th") FINISH("STOP"), "A <th"), OUTCOME_OK);
    assert_int_equal(outcome_of(TEXT("<th") FINISH("STOP") "{}", "<th"), OUTCOME_OK);
}

static void parts_of_all_kinds_do_no_harm(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"candidates\":[{\"index\":0}]}") D("{\"candidates\":[{\"content\":{\"role\":\"model\"}}]}") D("{\"candidates\":[{\"content\":{\"parts\":null}}]}")
                 D("{\"candidates\":null}") D("{\"candidates\":[]}") D("{\"candidates\":{}}") D("{\"candidates\":[null,7]}") D("null") D("[]") D("7") D("{}")
                 PARTS("null,7,{},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"aGk=\"}},{\"executableCode\":{\"code\":\"x\"}},{\"text\":7},{\"text\":\"A\"}") FINISH("STOP"),
                 "A|ended model=g finish=stop");
    ASSERT_REPLY(D("{\"candidates\":[{\"index\":1,\"content\":{\"parts\":[{\"text\":\"no\"}]},\"finishReason\":\"STOP\"}," CANDIDATE("{\"text\":\"A\"}") "]}"), "A|open model= finish=");
    ASSERT_REPLY(PARTS("{\"text\":\"A\",\"thoughtSignature\":\"\xFF\"}") FINISH("STOP"), "A|ended model=g finish=stop");
    ASSERT_REPLY(PARTS("{\"text\":\"hm\",\"thought\":true,\"thoughtSignature\":\"x\"},{\"text\":\"A\",\"thought\":false}") FINISH("STOP"), "<hm>A|ended model=g finish=stop");
}

#define PRETTY_ERROR "{\r\n  \"error\": {\r\n    \"code\": 503,\r\n    \"message\": \"The model is overloaded.\",\r\n    \"status\": \"UNAVAILABLE\"\r\n  }\r\n}\r\n"

static void an_error_in_the_middle_is_bare_json(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT("A") PRETTY_ERROR, "A|open failed: model=g finish= outcome=provider_busy said=The model is overloaded.");
    ASSERT_REPLY(TEXT("A") "[" PRETTY_ERROR "]", "A|open failed: model=g finish= outcome=provider_busy said=The model is overloaded.");
    ASSERT_REPLY("data: {\"candidates\":[" CANDIDATE("{\"text\":\"A\"}") "]}\n" PRETTY_ERROR, "A|open failed: model= finish= outcome=provider_busy said=The model is overloaded.");
    ASSERT_REPLY(TEXT("A") "data: {\"candi\n" PRETTY_ERROR, "A|open failed: model=g finish= outcome=provider_busy said=The model is overloaded.");
    ASSERT_REPLY(TEXT("A") D("{\"error\":{\"code\":500,\"message\":\"boom\",\"status\":\"INTERNAL\"}}") TEXT("B"), "A|open failed: model=g finish= outcome=provider_error said=boom");
    ASSERT_REPLY(TEXT("A") "{\n \"error\": {\n", "A|open failed: model=g finish= outcome=provider_error said=");
    ASSERT_REPLY(TEXT("A {\\n{ [") FINISH("STOP"), "A {\n{ [|ended model=g finish=stop");
}

static void what_follows_the_end_is_no_error_any_more(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT("A") FINISH("STOP") PRETTY_ERROR D("{\"error\":\"x\"}"), "A|ended model=g finish=stop");
    ASSERT_REPLY(TEXT("A") FINISH("STOP") D("{garbage") D("{\"error\":{\"message\":\"x\"}}") D("[DONE]") "{gar\nbage", "A|ended model=g finish=stop");
}

static void errors_with_a_good_status_are_found_wrapped_or_not(void **state)
{
    (void)state;
    ASSERT_REPLY(PRETTY_ERROR, "|open failed: model= finish= outcome=provider_busy said=The model is overloaded.");
    ASSERT_REPLY("[" PRETTY_ERROR "]\n", "|open failed: model= finish= outcome=provider_busy said=The model is overloaded.");
    ASSERT_REPLY("{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid API key.\",\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}",
                 "|open failed: model= finish= outcome=provider_auth said=API key not valid. Please pass a valid API key.");
    ASSERT_REPLY("{\"error\":{\"code\":400,\"message\":\"The input token count (2) exceeds the maximum number of tokens allowed (1).\",\"status\":\"INVALID_ARGUMENT\"}}",
                 "|open failed: model= finish= outcome=provider_error said=The input token count (2) exceeds the maximum number of tokens allowed (1).");
    ASSERT_REPLY(D("{garbage"), "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("<html><body>502</body></html>", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("", "|open model= finish=");
    ASSERT_REPLY("[]", "|open model= finish=");
    ASSERT_REPLY("[null,7,\"x\"]", "|open model= finish=");
}

static void whole_answers_and_arrays_are_read_like_streams(void **state)
{
    (void)state;
    ASSERT_REPLY("{\n  \"candidates\": [{\"content\": {\"parts\": [{\"text\": \"hm\", \"thought\": true}, {\"text\": \"A\"}, {\"functionCall\": {\"name\": \"f\", \"args\": {}}}]},"
                 "\n  \"finishReason\": \"STOP\"}],\n  \"usageMetadata\": {\"promptTokenCount\": 1, \"candidatesTokenCount\": 2},\n  \"modelVersion\": \"w\"\n}\n",
                 "<hm>A|ended model=w finish=tool_calls usage=1+2,-1,-1 f(call_1,{})");
    ASSERT_REPLY("\xEF\xBB\xBF" "[{\"candidates\": [" CANDIDATE("{\"text\":\"A\"}") "]}\n,\r\n{\"candidates\": [{\"content\":{\"parts\":[{\"text\":\"B\"}]},\"finishReason\":\"STOP\"}]}\n]",
                 "AB|ended model= finish=stop");
}

static void thinking_in_tags_is_taken_out_of_the_text(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT("<th") TEXT("ink>h") TEXT("m</thi") TEXT("nk>A") FINISH("STOP"), "<hm>A|ended model=g finish=stop");
    ASSERT_REPLY(TEXT("<th") FINISH("STOP"), "<th|ended model=g finish=stop");
}

static void text_over_what_the_sink_takes_ends_the_reading(void **state)
{
    (void)state;
    static const char bytes[] = TEXT("12345") PARTS("{\"text\":\"67890\"},{\"text\":\"more\"}") FINISH("STOP");
    EACH_CUT(cut, sizeof bytes - 1)
        assert_string_equal(summary_of(&wire_gemini, &cut, bytes, sizeof bytes - 1, 7), "1234567890|open failed: model=g finish= outcome=provider_error said=");
}

static const char good[] = PARTS("{\"text\":\"h\\\"finishReason\\\":\\\"STOP\\\"\",\"thought\":true}") TEXT("m ä") PARTS("{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":[1]}}}") FINISH("STOP");

static void a_cut_answer_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    assert_open_before(&wire_gemini, good, sizeof good - 1 - strlen("\r\n\r\n"));
    static const char whole[] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"A\"}]},\"finishReason\":\"STOP\"}]}";
    assert_open_before(&wire_gemini, whole, sizeof whole - 1);
    struct cut cut = {0, sizeof good, 1};
    assert_string_equal(summary_of(&wire_gemini, &cut, good, strlen(PARTS("{\"text\":\"h\\\"finishReason\\\":\\\"STOP\\\"\",\"thought\":true}")) + 20, 1000),
                        "<h\"finishReason\":\"STOP\"|open model=g finish=");
}

static void lack_of_memory_anywhere_is_survived(void **state)
{
    (void)state;
    for (long calls = 0; calls < 60; calls++) {
        struct listening to = {.most = 1000};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        struct wire_target target = {.provider = "gemini", .model = "m", .version = ""};
        to.result = (struct completion_result){.usage = usage_none(), .cost = -1};
        buf_init(&to.said, 1000);
        reply_init(&to.reply, &wire_gemini, &target, &sink, &to.result);
        mem_fail_after(calls);
        if (wire_gemini.feed(&to.reply, good, sizeof good - 1))
            wire_gemini.end(&to.reply);
        (void)reply_collect_calls(&to.reply);
        mem_fail_after(-1);
        reply_free(&to.reply);
        completion_result_free(&to.result);
        buf_free(&to.said);
    }
}

static void garbage_is_survived(void **state)
{
    (void)state;
    survive_garbage(&wire_gemini, good, sizeof good - 1);
    static const char broken[] = TEXT("A") PRETTY_ERROR;
    survive_garbage(&wire_gemini, broken, sizeof broken - 1);
}

static void damage_gives_the_same_result_however_it_is_cut(void **state)
{
    (void)state;
    static const char start[] = TEXT("<think>h") TEXT("m</think>A") PRETTY_ERROR FINISH("STOP");
    uint64_t seed = 4711;
    for (int round = 0; round < 3000; round++) {
        char bytes[sizeof start], whole[8192];
        memcpy(bytes, start, sizeof start);
        for (uint32_t i = unit_random(&seed) % 4 + 1; i > 0; i--)
            bytes[unit_random(&seed) % (sizeof start - 1)] = "\n\r:{}[]\"\\ ,"[unit_random(&seed) % 11];
        struct cut at_once = {0, sizeof start, 1}, bytewise = {1, 1, 1};
        strcpy(whole, summary_of(&wire_gemini, &at_once, bytes, sizeof start - 1, 100000));
        assert_string_equal(summary_of(&wire_gemini, &bytewise, bytes, sizeof start - 1, 100000), whole);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_names_the_model_in_its_path),
    cmocka_unit_test(an_empty_system_prompt_is_left_out),
    cmocka_unit_test(options_are_said_and_left_out_one_by_one),
    cmocka_unit_test(formats_are_mime_type_and_schema),
    cmocka_unit_test(thinking_is_a_budget_for_generation_2_and_a_level_for_later_ones),
    cmocka_unit_test(what_is_known_of_a_model_goes_before_its_name),
    cmocka_unit_test(tools_calls_and_results_are_said),
    cmocka_unit_test(vertex_gets_no_ids),
    cmocka_unit_test(a_tool_choice_is_a_mode),
    cmocka_unit_test(a_lost_signature_has_a_stand_in_where_one_is_wanted),
    cmocka_unit_test(the_signature_of_a_text_goes_back_to_who_gave_it),
    cmocka_unit_test(images_are_inline_data),
    cmocka_unit_test(a_request_over_the_ceiling_is_refused),
    cmocka_unit_test(streams_with_thoughts_are_read),
    cmocka_unit_test(usage_is_replaced_and_not_added_up),
    cmocka_unit_test(calls_come_whole_and_may_lack_ids),
    cmocka_unit_test(too_many_calls_are_an_error),
    cmocka_unit_test(finish_reasons_are_put_into_common_words),
    cmocka_unit_test(older_models_say_stop_with_every_event),
    cmocka_unit_test(a_blocked_prompt_is_a_refusal),
    cmocka_unit_test(outcomes_tell_refusal_and_length_from_other_errors),
    cmocka_unit_test(parts_of_all_kinds_do_no_harm),
    cmocka_unit_test(an_error_in_the_middle_is_bare_json),
    cmocka_unit_test(what_follows_the_end_is_no_error_any_more),
    cmocka_unit_test(errors_with_a_good_status_are_found_wrapped_or_not),
    cmocka_unit_test(whole_answers_and_arrays_are_read_like_streams),
    cmocka_unit_test(thinking_in_tags_is_taken_out_of_the_text),
    cmocka_unit_test(text_over_what_the_sink_takes_ends_the_reading),
    cmocka_unit_test(a_cut_answer_is_never_taken_for_a_finished_one),
    cmocka_unit_test(lack_of_memory_anywhere_is_survived),
    cmocka_unit_test(garbage_is_survived),
    cmocka_unit_test(damage_gives_the_same_result_however_it_is_cut),
};

UNIT_MAIN(tests)
