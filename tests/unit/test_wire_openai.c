/*
 * Tests of src/llm/wire_openai.c: the request as JSON, and the answers of servers with their deviations, each
 * whole, byte by byte and at every split.
 */
#include "wire.h"

#include "../../src/base/mem.h"
#include "../../src/llm/call_id.h"

/* --- the request ----------------------------------------------------------------------------------------------------------- */

static const struct completion_message messages[] = {
    {.role = COMPLETION_USER, .content = "Hi \"you\"\n", .content_len = 9},
    {.role = COMPLETION_ASSISTANT, .content = "ä", .content_len = 2},
    {.role = COMPLETION_USER, .content = "", .content_len = 0},
};

static const char *request_of(const char *system, struct wire_without without)
{
    struct completion_request request = {REQUEST(messages), .system = system};
    const char *text = written(&wire_openai, &request, (struct wire_target){.model = "facebook/opt-125m"}, without);
    assert_int_equal(strncmp(text, "/chat/completions\n\n{", 20), 0);
    return strchr(text, '{');
}

static void a_request_has_model_messages_and_parameters(void **state)
{
    (void)state;
    assert_string_equal(request_of("Be kind.", (struct wire_without){0}),
                        "{\"model\":\"facebook/opt-125m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\"},"
                        "{\"role\":\"assistant\",\"content\":\"ä\"},{\"role\":\"user\",\"content\":\"\"}],\"temperature\":0.5,\"max_tokens\":100,\"stream\":true,"
                        "\"stream_options\":{\"include_usage\":true}}");
}

static void an_empty_system_prompt_is_left_out(void **state)
{
    (void)state;
    assert_lacks(request_of("", (struct wire_without){0}), "system");
    assert_lacks(request_of(NULL, (struct wire_without){0}), "system");
}

static void refused_parameters_are_left_out_one_by_one(void **state)
{
    (void)state;
    const char *text = request_of(NULL, (struct wire_without){.temperature = true});
    assert_lacks(text, "temperature");
    assert_contains(text, "\"max_tokens\":100");
    text = request_of(NULL, (struct wire_without){.max_tokens = true});
    assert_lacks(text, "max_");
    assert_contains(text, "\"temperature\"");
    text = request_of(NULL, (struct wire_without){.stream_options = true});
    assert_lacks(text, "stream_options");
    assert_contains(text, "\"stream\":true");
    text = request_of(NULL, (struct wire_without){.max_tokens_is_old = true});
    assert_contains(text, "\"max_completion_tokens\":100");
    assert_lacks(text, "\"max_tokens\"");
    assert_lacks(request_of(NULL, (struct wire_without){.max_tokens_is_old = true, .max_tokens = true}), "max_");
}

static void a_temperature_is_written_without_a_tail_of_digits(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(messages)};
    request.temperature = 0.7;
    const char *text = body_written(&wire_openai, &request, (struct wire_target){.model = "m"});
    assert_contains(text, "\"temperature\":0.7");
    assert_lacks(text, "0.69");
    assert_lacks(text, "0.70000000000");
}

static void a_request_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(messages)};
    struct wire_target target = {.provider = "openai", .model = "m", .version = ""};
    struct wire_without without = {0};
    struct wire_call call;
    struct failure failure;
    buf_init(&call.path, 100);
    buf_init(&call.headers, 100);
    buf_init(&call.body, 50);
    assert_int_equal(wire_openai.write(&call, &request, &target, &without, &failure), OUTCOME_NO_MEMORY);
    buf_free(&call.path);
    buf_free(&call.headers);
    buf_free(&call.body);
}

#define BODY(of, as, named, ...) body_written(&wire_openai, &(of), (struct wire_target){.provider = (as), .model = (named), .facts = {__VA_ARGS__}})

static void images_become_parts_or_are_refused(void **state)
{
    (void)state;
    static const struct completion_image images[] = {{"image/png", "AAAA", 4}, {"image/jpeg", "BBBB", 4}};
    struct completion_message seen[] = {{.role = COMPLETION_USER, .content = "What?", .content_len = 5, .images = images, .image_count = 2}};
    struct completion_request request = {REQUEST(seen)};
    assert_contains(BODY(request, "openai", "m", .known = true, .vision = true),
                    "\"content\":[{\"type\":\"text\",\"text\":\"What?\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},"
                    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,BBBB\"}}]}]");
    assert_string_equal(BODY(request, "openai", "m", .known = true), "refused: The model m cannot look at images.");
    assert_contains(BODY(request, "openai", "m", .known = false), "image_url");
    seen[0].content_len = 0;
    assert_contains(BODY(request, "openai", "m", .known = false), "\"content\":[{\"type\":\"image_url\"");
    seen[0].image_count = 0;
    assert_contains(BODY(request, "openai", "m", .known = true), "\"content\":\"\"");
}

#define SENT_CALL(id, name, arguments) "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" arguments "\"}}"

/* A question, two calls with thinking and their results, sent to `provider`; `state` and `wire` are those of the answer, `signature` is the first call's. */
static const char *sent_calls(const char *provider, const char *model, const char *reasoning, const char *state, const char *wire, const char *signature)
{
    const struct completion_call calls[] = {{"call_1", "f", "{\"a\":1}", signature}, {"toolu_0123456789012345678901234567890123", "g", "{bad", NULL}};
    const struct completion_message list[] = {
        {.role = COMPLETION_USER, .content = "Q", .content_len = 1},
        {.role = COMPLETION_ASSISTANT, .content = "", .calls = calls, .call_count = 2, .reasoning = reasoning, .state = state, .state_wire = wire},
        {.role = COMPLETION_TOOL, .content = "42", .content_len = 2, .call_id = calls[0].id, .call_name = "f"},
        {.role = COMPLETION_TOOL, .content = "no", .content_len = 2, .call_id = calls[1].id, .call_name = "g", .is_error = true},
        {.role = COMPLETION_ASSISTANT, .content = "A", .content_len = 1, .calls = calls, .call_count = 1, .state_wire = wire},
        {.role = COMPLETION_TOOL, .content = "", .call_id = calls[0].id, .call_name = "f"},
        {.role = COMPLETION_ASSISTANT, .content = "B", .content_len = 1, .reasoning = reasoning},
        {.role = COMPLETION_USER, .content = "R", .content_len = 1},
    };
    struct completion_request request = {REQUEST(list)};
    return BODY(request, provider, model, .known = true, .reasoning = true);
}

static void calls_and_results_are_sent(void **state)
{
    (void)state;
    const char *text = sent_calls("groq", "m", "hm", NULL, NULL, NULL);
    char id[10], wanted[2000];
    (void)call_id_shorten("toolu_0123456789012345678901234567890123", id);
    assert_int_equal(strlen("toolu_0123456789012345678901234567890123"), 40); /* just not too long */
    (void)snprintf(wanted, sizeof wanted, "\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
                   SENT_CALL("call_1", "f", "{\\\"a\\\":1}") "," SENT_CALL("toolu_0123456789012345678901234567890123", "g", "{}")
                   "]},{\"role\":\"tool\",\"content\":\"42\",\"tool_call_id\":\"call_1\"},"
                   "{\"role\":\"tool\",\"content\":\"no\",\"tool_call_id\":\"toolu_0123456789012345678901234567890123\"},{\"role\":\"assistant\",\"content\":\"A\",\"tool_calls\":["
                   SENT_CALL("call_1", "f", "{\\\"a\\\":1}") "]},{\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":\"call_1\"},"
                   "{\"role\":\"assistant\",\"content\":\"B\"},{\"role\":\"user\",\"content\":\"R\"}],");
    assert_contains(text, wanted);
}

static void ids_of_calls_are_made_to_fit(void **state)
{
    (void)state;
    char id[10], other[10], wanted[100];
    const char *text = sent_calls("mistral", "m", NULL, NULL, NULL, NULL);
    (void)snprintf(wanted, sizeof wanted, "{\"id\":\"%s\",", call_id_shorten("call_1", id));
    assert_contains(text, wanted);
    (void)snprintf(wanted, sizeof wanted, "\"content\":\"42\",\"tool_call_id\":\"%s\"", id);
    assert_contains(text, wanted);
    assert_lacks(text, "call_1");
    assert_lacks(text, "toolu_");
    assert_int_equal(strlen(id), 9);
    assert_string_not_equal(id, call_id_shorten("call_2", other));
    static const char *const ids[] = {"a2B4c6D8e", "01234567890123456789012345678901234567890", "call_1234"};
    for (size_t i = 0; i < 3; i++) {
        const struct completion_call call = {ids[i], "f", "{}", NULL};
        const struct completion_message list[] = {{.role = COMPLETION_ASSISTANT, .content = "", .calls = &call, .call_count = 1},
                                                  {.role = COMPLETION_TOOL, .content = "", .call_id = ids[i], .call_name = "f"}};
        struct completion_request request = {REQUEST(list)};
        (void)snprintf(wanted, sizeof wanted, "\"tool_call_id\":\"%s\"", i == 0 ? ids[i] : call_id_shorten(ids[i], id));
        assert_contains(BODY(request, i == 1 ? "openai" : "mistral", "m", .known = false), wanted);
    }
}

static void thinking_goes_back_to_who_wants_it(void **state)
{
    (void)state;
    const char *text = sent_calls("deepseek", "deepseek-v4-pro", "hm", NULL, NULL, NULL);
    assert_contains(text, "],\"reasoning_content\":\"hm\"}");
    assert_contains(text, "],\"reasoning_content\":\"\"},");
    assert_contains(text, "\"content\":\"B\",\"reasoning_content\":\"hm\"}");
    text = sent_calls("deepseek", "deepseek-reasoner", "hm", NULL, NULL, NULL);
    assert_contains(text, "],\"reasoning_content\":\"hm\"}");
    assert_lacks(text, "\"reasoning_content\":\"\"");
    assert_lacks(text, "\"B\",\"reasoning_content\"");
    text = sent_calls("moonshot", "kimi-k2.5", "hm", NULL, NULL, NULL);
    assert_contains(text, "],\"reasoning_content\":\"hm\"}");
    assert_contains(text, "],\"reasoning_content\":\"\"}");
    assert_lacks(text, "\"B\",\"reasoning_content\"");
    assert_lacks(sent_calls("openai", "m", "hm", NULL, NULL, NULL), "reasoning_content");
    struct completion_request plain = {REQUEST(messages)};
    assert_contains(BODY(plain, "deepseek", "deepseek-v4-flash", .known = true), "{\"role\":\"assistant\",\"content\":\"ä\",\"reasoning_content\":\"\"}");
}

static void details_and_signatures_go_back_to_where_they_came_from(void **state)
{
    (void)state;
    static const char kept[] = "{\"of\":\"openrouter/a/b\",\"details\":[{\"type\":\"x\"}]}";
    assert_contains(sent_calls("openrouter", "a/b", NULL, kept, "openai", NULL), "],\"reasoning_details\":[{\"type\":\"x\"}]}");
    assert_lacks(sent_calls("openrouter", "a/c", NULL, kept, "openai", NULL), "details");
    assert_lacks(sent_calls("other", "a/b", NULL, kept, "openai", NULL), "details");
    assert_lacks(sent_calls("openrouter", "a/b", NULL, kept, "responses", NULL), "details");
    assert_lacks(sent_calls("openrouter", "a/b", NULL, "{bad", "openai", NULL), "details");
    assert_contains(sent_calls("litellm_proxy", "Gemini-3", NULL, NULL, NULL, "sig"),
                    "\"arguments\":\"{\\\"a\\\":1}\"},\"extra_content\":{\"google\":{\"thought_signature\":\"sig\"}}}");
    assert_contains(sent_calls("litellm_proxy", "gemini-3", NULL, NULL, "gemini", "sig"), "extra_content");
    assert_lacks(sent_calls("litellm_proxy", "gemini-3", NULL, NULL, "anthropic", "sig"), "extra_content");
    assert_lacks(sent_calls("openrouter", "gemini-3", NULL, NULL, NULL, "sig"), "extra_content");
    assert_lacks(sent_calls("openai", "gpt", NULL, NULL, NULL, "sig"), "extra_content");
}

static void tools_are_described_and_can_be_forced(void **state)
{
    (void)state;
    static const struct completion_tool tools[] = {{"f", "does", "{\"type\":\"object\"}"}, {"g", "", "bad"}};
    struct completion_request request = {REQUEST(messages), .tools = tools, .tool_count = 2};
    const char *text = BODY(request, "openai", "m", .known = false);
    assert_contains(text, "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"does\",\"parameters\":{\"type\":\"object\"}}},"
                          "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"parameters\":{}}}],\"temperature\"");
    request.tool_choice = "required";
    assert_contains(BODY(request, "openai", "m", .known = false), "\"tool_choice\":\"required\"");
    assert_contains(BODY(request, "mistral", "m", .known = false), "\"tool_choice\":\"any\"");
    assert_contains(BODY(request, "fireworks_ai", "m", .known = false), "\"tool_choice\":\"any\"");
    assert_lacks(BODY(request, "moonshot", "m", .known = false), "tool_choice");
    request.tool_choice = "none";
    assert_contains(BODY(request, "mistral", "m", .known = false), "\"tool_choice\":\"none\"");
    request.tool_choice = "g";
    assert_contains(BODY(request, "mistral", "m", .known = false), "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}");
    request.tool_count = 0;
    assert_lacks(BODY(request, "openai", "m", .known = false), "tool");
}

static void a_format_is_asked_for(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(messages), .format = COMPLETION_JSON};
    assert_contains(BODY(request, "deepseek", "m", .known = false), "\"response_format\":{\"type\":\"json_object\"}");
    request.format = COMPLETION_SCHEMA;
    request.schema = "{\"type\":\"object\"}";
    assert_contains(BODY(request, "openai", "m", .known = false),
                    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":{\"type\":\"object\"}}}");
    assert_string_equal(BODY(request, "deepseek", "m", .known = false), "refused: The model m can be held to JSON, but not to a schema.");
}

static void models_that_think_have_their_own_parameters(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(messages), .effort = "low", .stop = (const char *const[]){"END", "\""}, .stop_count = 2};
    request.seed = 7;
    const char *text = BODY(request, "openai", "m", .known = true);
    assert_contains(text, "\"temperature\":0.5,\"max_tokens\":100,\"stop\":[\"END\",\"\\\"\"],\"seed\":7,\"stream\"");
    static const char *const theirs[] = {"openai", "azure"};
    for (size_t i = 0; i < 2; i++) {
        text = BODY(request, theirs[i], "m", .known = true, .reasoning = true);
        assert_contains(text, "],\"max_completion_tokens\":25100,\"seed\":7,\"reasoning_effort\":\"low\",\"stream\"");
    }
    assert_contains(BODY(request, "openai", "m", .known = true, .reasoning = true, .max_output = 9000), "\"max_completion_tokens\":9000,");
    text = BODY(request, "groq", "m", .known = true, .reasoning = true, .max_output = 50);
    assert_contains(text, "\"temperature\":0.5,\"max_tokens\":100,\"stop\":");
    assert_contains(text, "\"reasoning_effort\":\"low\"");
    text = BODY(request, "xai", "m", .known = true, .reasoning = true);
    assert_lacks(text, "stop");
    assert_contains(text, "temperature");
    assert_contains(BODY(request, "xai", "m", .known = true), "stop");
    assert_contains(BODY(request, "custom", "m", .known = false), "reasoning_effort");
    assert_lacks(BODY(request, "openai", "m", .known = true, .no_sampling = true), "temperature");
    text = written(&wire_openai, &request, (struct wire_target){.model = "m"}, (struct wire_without){.stop = true, .seed = true, .effort = true});
    assert_lacks(text, "stop");
    assert_lacks(text, "seed");
    assert_lacks(text, "effort");
    request.seed = COMPLETION_NO_SEED;
    assert_lacks(BODY(request, "openai", "m", .known = true), "seed");
}

static void mistral_and_moonshot_have_their_own_words(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(messages)};
    request.seed = 7;
    request.temperature = 1.5;
    const char *text = BODY(request, "mistral", "m", .known = true);
    assert_contains(text, "\"temperature\":1.5,\"max_tokens\":100,\"random_seed\":7,\"stream\":true}");
    assert_contains(BODY(request, "codestral", "m", .known = true), "random_seed");
    assert_contains(BODY(request, "moonshot", "m", .known = true), "\"temperature\":1,\"max_tokens\":100,\"seed\":7,");
    request.temperature = 0.3;
    assert_contains(BODY(request, "moonshot_cn", "m", .known = true), "\"temperature\":0.3,");
}

static void azure_has_two_paths(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(messages)};
    struct wire_target target = {.provider = "azure", .model = "my deployment/1"};
    const char *text = written(&wire_azure, &request, target, (struct wire_without){0});
    assert_ptr_equal(strstr(text, "/openai/v1/chat/completions\n\n{\"model\":\"my deployment/1\","), text);
    target.version = "2024-10-21";
    text = written(&wire_azure, &request, target, (struct wire_without){0});
    assert_ptr_equal(strstr(text, "/openai/deployments/my%20deployment%2F1/chat/completions?api-version=2024-10-21\n\n{"), text);
}

/* --- replies --------------------------------------------------------------------------------------------------------------- */

#define ASSERT_REPLY(bytes, wanted) assert_reply(&wire_openai, bytes, sizeof(bytes) - 1, wanted)
#define D(json) "data: " json "\n\n"
#define DELTA(delta) D("{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta ",\"finish_reason\":null}]}")
#define STOP D("{\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}")
#define DONE D("[DONE]")

static void openai_streams_are_read(void **state)
{
    (void)state;
    ASSERT_REPLY(
        D("{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-2024\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
          "\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"aX\"}")
        DELTA("{\"content\":\"Hel\"}") DELTA("{\"content\":\"lo 😀\"}") STOP
        D("{\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11,\"prompt_tokens_details\":{\"cached_tokens\":3},"
          "\"completion_tokens_details\":{\"reasoning_tokens\":1}}}") DONE,
        "Hello 😀|ended model=gpt-4o-2024 finish=stop usage=9+2,3,1");
}

static void azure_begins_without_choices_and_names(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0}]}")
                 D("{\"choices\":[{\"content_filter_results\":{\"hate\":{\"filtered\":false}},\"delta\":{\"content\":\"x\"},\"index\":0}],\"model\":\"gpt\"}")
                 D("{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"index\":0}],\"model\":\"gpt\"}")
                 D("{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}") DONE,
                 "x|ended model=gpt finish=stop usage=1+2,-1,-1");
}

static void openrouter_sends_comments_reasoning_and_failures_in_the_middle(void **state)
{
    (void)state;
    ASSERT_REPLY(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n"
                 D("{\"id\":\"g\",\"provider\":\"P\",\"model\":\"o/r\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"reasoning\":\"hm\","
                   "\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\"}]},\"finish_reason\":null,\"native_finish_reason\":null}]}")
                 DELTA("{\"content\":\"yes\"}") D("{\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\",\"native_finish_reason\":\"STOP\"}],"
                 "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"cost\":0.001}}") DONE,
                 "<hm>yes|ended model=o/r finish=stop usage=1+2,-1,-1 cost=0.001 state={\"of\":\"test/asked\",\"details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\"}]}");
    ASSERT_REPLY(DELTA("{\"content\":\"par\"}") D("{\"id\":\"g\",\"model\":\"m\",\"error\":{\"code\":502,\"message\":\"upstream gone\"},"
                 "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}") DONE,
                 "par|open failed: model=m finish= outcome=provider_error said=upstream gone");
    ASSERT_REPLY("{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\"}}", "|open failed: model= finish= outcome=provider_busy said=slow down");
    ASSERT_REPLY(D("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}") DONE, "|open failed: model= finish=error outcome=provider_error said=");
}

static void deepseek_sends_keep_alives_and_blank_lines(void **state)
{
    (void)state;
    ASSERT_REPLY(": keep-alive\n\n: keep-alive\n\n" DELTA("{\"content\":null,\"reasoning_content\":\"hm \"}") DELTA("{\"content\":null,\"reasoning_content\":\"so\"}")
                 DELTA("{\"content\":\"A\",\"reasoning_content\":null}") D("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\",\"reasoning_content\":null},"
                 "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}") DONE,
                 "<hm so>A|ended model=m finish=stop usage=3+4,-1,-1");
    ASSERT_REPLY("\n\n\n\n{\"model\":\"d\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"whole\"},\"finish_reason\":\"stop\"}]}",
                 "whole|ended model=d finish=stop");
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") D("{\"choices\":[{\"delta\":{},\"finish_reason\":\"insufficient_system_resource\"}]}") DONE,
                 "A|open failed: model=m finish=insufficient_system_resource outcome=provider_error said=");
}

static void groq_and_ollama_reason_under_another_name(void **state)
{
    (void)state;
    ASSERT_REPLY(DELTA("{\"reasoning\":\"hm\"}") DELTA("{\"content\":\"A\"}")
                 D("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}}") DONE,
                 "<hm>A|ended model=m finish=stop usage=1+2,-1,-1");
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") D("{\"error\":{\"message\":\"cut\",\"type\":\"server_error\"}}"),
                 "A|open failed: model=m finish= outcome=provider_error said=cut");
    /* a failure in the middle: an empty chunk, then nothing */
    ASSERT_REPLY(DELTA("{\"role\":\"assistant\",\"content\":\"A\"}") DELTA("{\"role\":\"assistant\",\"content\":\"\"}"), "A|open model=m finish=");
}

static void mistral_sends_content_in_parts(void **state)
{
    (void)state;
    ASSERT_REPLY(DELTA("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"hm\"}]}]}")
                 DELTA("{\"content\":[{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"reference\",\"reference_ids\":[1]},{\"type\":\"text\",\"text\":\"B\"}]}")
                 DELTA("{\"content\":\"C\"}") STOP DONE,
                 "<hm>ABC|ended model=m finish=stop");
    ASSERT_REPLY("{\"object\":\"error\",\"message\":\"bad model\",\"type\":\"invalid_model\",\"code\":\"1500\"}",
                 "|open failed: model= finish= outcome=provider_error said=bad model");
    ASSERT_REPLY("{\"detail\":[{\"msg\":\"extra field\"}]}", "|open failed: model= finish= outcome=provider_error said=extra field");
}

static void xai_leaves_keys_out_and_reports_errors_with_status_200(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"model\":\"grok\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"r\"}}]}") D("{\"model\":\"grok\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"}}]}")
                 D("{\"model\":\"grok\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}")
                 D("{\"model\":\"grok\",\"choices\":[],\"citations\":[\"u\"],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}") DONE,
                 "<r>A|ended model=grok finish=stop usage=1+2,-1,-1");
    ASSERT_REPLY("{\"code\":\"The caller does not\",\"error\":\"no permission\"}", "|open failed: model= finish= outcome=provider_error said=no permission");
}

static void perplexity_counts_on_every_chunk_and_needs_no_done(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"model\":\"sonar\",\"citations\":[\"u\"],\"search_results\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1},\"choices\":[{\"index\":0,"
                   "\"delta\":{\"role\":\"assistant\",\"content\":\"A\"},\"finish_reason\":null}]}")
                 D("{\"model\":\"sonar\",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2},\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"B\"},"
                   "\"finish_reason\":\"stop\"}]}")
                 D("{\"object\":\"chat.completion.done\",\"model\":\"sonar\",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2},\"choices\":[{\"index\":0,"
                   "\"message\":{\"role\":\"assistant\",\"content\":\"AB\"},\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}"),
                 "AB|ended model=sonar finish=stop usage=5+2,-1,-1");
}

static void names_and_numbers_may_be_missing(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"choices\":[{\"delta\":{\"content\":\"A\"}}]}") D("{\"choices\":[{\"delta\":{\"content\":\"B\"}}]}") DONE, "AB|ended model= finish=");
    ASSERT_REPLY(D("{\"id\":7,\"choices\":null}") D("{\"choices\":[{\"delta\":null}]}") DELTA("{\"content\":\"A\",\"tool_calls\":null}") D("null") DONE,
                 "A|ended model=m finish=");
    ASSERT_REPLY(DELTA("{\"content\":\"last \"}") D("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"text\"},\"finish_reason\":\"length\"}],"
                 "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}"), "last text|ended model=m finish=length usage=1+2,-1,-1");
}

static void errors_in_the_stream_come_in_many_shapes(void **state)
{
    (void)state;
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") D("{\"object\":\"error\",\"message\":\"boom\",\"code\":500}") DONE, "A|open failed: model=m finish= outcome=provider_error said=boom");
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") D("{\"error\":{\"object\":\"error\",\"message\":\"boom\",\"code\":500}}"), "A|open failed: model=m finish= outcome=provider_error said=boom");
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") "event: error\ndata: {\"message\":\"boom\"}\n\n", "A|open failed: model=m finish= outcome=provider_error said=boom");
    ASSERT_REPLY(D("{\"error\":\"The context size has been exceeded.\"}"),
                 "|open failed: model= finish= outcome=provider_error said=The context size has been exceeded.");
    ASSERT_REPLY("{\"fault\":{\"faultstring\":\"bad\"}}", "|open failed: model= finish= outcome=provider_error said=bad");
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") D("{garbage"), "A|open failed: model=m finish= outcome=provider_error said=");
}

static void a_stream_with_usage_only_is_no_answer(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":0}}"), "|open model=m finish= usage=1+0,-1,-1");
}

static void html_and_nothing_are_no_answers(void **state)
{
    (void)state;
    ASSERT_REPLY("<html><body>502</body></html>", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("", "|open model= finish=");
    ASSERT_REPLY("\n\n \n", "|open model= finish=");
    ASSERT_REPLY("[]", "|open model= finish=");
}

static void whole_answers_are_read_like_streams(void **state)
{
    (void)state;
    ASSERT_REPLY("{\"model\":\"w\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"<think>hm</think>A\",\"reasoning_content\":null},"
                 "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2},\"timings\":{\"predicted_n\":2}}\n",
                 "<hm>A|ended model=w finish=stop usage=1+2,-1,-1");
}

static void a_byte_order_mark_before_an_answer_does_no_harm(void **state)
{
    (void)state;
    ASSERT_REPLY("\xEF\xBB\xBF" DELTA("{\"content\":\"A\"}") DONE, "A|ended model=m finish=");
    ASSERT_REPLY("\xEF\xBB\xBF{\"model\":\"w\",\"choices\":[{\"message\":{\"content\":\"A\"},\"finish_reason\":\"stop\"}]}", "A|ended model=w finish=stop");
}

static void framing_of_all_kinds_is_understood(void **state)
{
    (void)state;
    ASSERT_REPLY("event: message\r\nid: 1\r\nretry: 10\r\ndata:{\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\r\n\r\n\r\n: c\r\rdata: {\"choices\":\rdata: [{\"delta\":"
                 "{\"content\":\"B\"}}]}\r\rdata:[DONE]\n\n", "AB|ended model=m finish=");
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") "data: [DONE]", "A|ended model=m finish=");
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") DONE DELTA("{\"content\":\"too late\"}") D("{garbage") D("{\"error\":\"x\"}"), "A|ended model=m finish=");
    ASSERT_REPLY(DELTA("{\"content\":\"A\"}") STOP DELTA("{\"content\":\"too late\"}"), "A|ended model=m finish=stop");
}

#define CALLS(list) DELTA("{\"tool_calls\":[" list "]}")
#define CALL(index, id, name, arguments) "{" index "\"id\":" id ",\"type\":\"function\",\"function\":{\"name\":" name ",\"arguments\":" arguments "}}"
#define MORE(index, arguments) "{\"index\":" index ",\"function\":{\"arguments\":\"" arguments "\"}}"
#define TOOLS_STOP D("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}") DONE
#define I0 "\"index\":0,"
#define I1 "\"index\":1,"
#define A1 "\"{\\\"x\\\":1}\""
#define A2 "\"{\\\"x\\\":2}\""
#define CALLED(list) "|ended model=m finish=tool_calls" list

static void calls_come_in_pieces_and_two_at_once(void **state)
{
    (void)state;
    ASSERT_REPLY(DELTA("{\"role\":\"assistant\",\"content\":null}") CALLS(CALL(I0, "\"a\"", "\"f\"", "\"\"")) CALLS(MORE("0", "{\\\"x\\\"")) CALLS(CALL(I1, "\"b\"", "\"g\"", "\"\""))
                 CALLS(MORE("1", "{") "," MORE("0", ":1")) CALLS(MORE("0", "}") "," MORE("1", "}")) TOOLS_STOP,
                 CALLED(" f(a,{\"x\":1}) g(b,{})"));
    ASSERT_REPLY(DELTA("{\"content\":\"So: \"}") CALLS(CALL(I0, "\"a\"", "\"f\"", "\"\"") "," CALL("\"index\":7,", "\"b\"", "\"f\"", "null")) STOP,
                 "So: |ended model=m finish=tool_calls f(a,{}) f(b,{})");
}

static void calls_without_numbers_are_told_apart(void **state)
{
    (void)state;
    /* Mistral, Gemini's OpenAI face: whole, with the finish reason */
    ASSERT_REPLY(D("{\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\",\"tool_calls\":[{\"id\":\"a2B4c6D8e\",\"function\":{\"name\":\"f\",\"arguments\":" A1 "}},"
                   "{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},\"finish_reason\":\"tool_calls\"}]}") DONE,
                 CALLED(" f(a2B4c6D8e,{\"x\":1}) g(b,{})"));
    ASSERT_REPLY(CALLS(CALL("", "\"a\"", "\"f\"", "\"{\\\"x\\\"\"")) CALLS(CALL("", "\"null\"", "\"\"", "\":1\"")) CALLS(CALL("", "\"a\"", "null", "\"}\"")) TOOLS_STOP,
                 CALLED(" f(a,{\"x\":1})"));
    ASSERT_REPLY(CALLS(CALL("", "\"a\"", "\"f\"", "\"{\"") "," CALL("", "\"b\"", "\"g\"", "\"{\"")) CALLS(CALL("", "\"a\"", "\"f\"", "\"}\"") "," CALL("", "\"b\"", "\"g\"", "\"}\"")) TOOLS_STOP,
                 CALLED(" f(a,{}) g(b,{})"));
    /* nor ids */
    ASSERT_REPLY(CALLS(CALL("", "\"null\"", "\"f\"", A1)) TOOLS_STOP, CALLED(" f(call_1,{\"x\":1})"));
    ASSERT_REPLY(CALLS(CALL("", "\"\"", "\"f\"", A1) "," CALL("", "null", "\"f\"", A2) "," CALL("", "7", "\"g\"", "\"{}\"")) TOOLS_STOP,
                 CALLED(" f(call_1,{\"x\":1}) f(call_2,{\"x\":2}) g(call_3,{})"));
}

static void ids_may_be_empty_repeated_or_new_on_each_piece(void **state)
{
    (void)state;
    /* Qwen */
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", "\"{\\\"x\"")) CALLS(CALL(I0, "\"\"", "null", "\"\\\":1}\"")) TOOLS_STOP, CALLED(" f(a,{\"x\":1})"));
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", "\"{\\\"x\"")) CALLS(CALL(I0, "\"a\"", "\"f\"", "\"\\\":1}\"")) TOOLS_STOP, CALLED(" f(a,{\"x\":1})"));
    /* old vLLM */
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", "\"{\\\"x\"")) CALLS(CALL(I0, "\"b\"", "null", "\"\\\":1}\"")) TOOLS_STOP, CALLED(" f(a,{\"x\":1})"));
    /* one number for both */
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", A1) "," CALL(I0, "\"b\"", "\"f\"", A1)) TOOLS_STOP, CALLED(" f(a,{\"x\":1}) f(b,{\"x\":1})"));
    ASSERT_REPLY(CALLS(CALL(I0, "\"\"", "\"f\"", A1) "," CALL(I0, "\"\"", "\"g\"", A1)) TOOLS_STOP, CALLED(" f(call_1,{\"x\":1}) g(call_2,{\"x\":1})"));
    /* one id for both */
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", A1) "," CALL(I1, "\"a\"", "\"g\"", A2)) TOOLS_STOP, CALLED(" f(a,{\"x\":1}) g(call_2,{\"x\":2})"));
}

static void a_call_said_twice_is_one(void **state)
{
    (void)state;
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", A1)) CALLS(CALL(I0, "\"a\"", "\"f\"", A1)) TOOLS_STOP, CALLED(" f(a,{\"x\":1})"));
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", "\"{\\\"x\\\":\"")) CALLS(MORE("0", "1}")) CALLS(CALL(I0, "\"a\"", "\"f\"", A1)) TOOLS_STOP, CALLED(" f(a,{\"x\":1})"));
    ASSERT_REPLY(CALLS(CALL("", "\"\"", "\"f\"", A1)) CALLS(CALL("", "\"\"", "\"f\"", A1)) TOOLS_STOP, CALLED(" f(call_1,{\"x\":1})"));
}

static void arguments_may_be_an_object_and_calls_nonsense(void **state)
{
    (void)state;
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", "{\"x\":[1,\"/\"]}")) TOOLS_STOP, CALLED(" f(a,{\"x\":[1,\"/\"]})"));
    ASSERT_REPLY(CALLS("7,null,\"x\",[]") TOOLS_STOP, CALLED(" (call_1,{})"));
    ASSERT_REPLY(DELTA("{\"tool_calls\":{\"id\":\"a\"}}") DELTA("{\"tool_calls\":7}") STOP, "|ended model=m finish=stop");
    ASSERT_REPLY("{\"model\":\"m\",\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[" CALL("", "\"a\"", "\"f\"", A1) "," CALL("", "\"b\"", "\"g\"", "\"{}\"") "]},"
                 "\"finish_reason\":\"tool_calls\"}]}", CALLED(" f(a,{\"x\":1}) g(b,{})"));
}

static void too_many_calls_end_the_reading(void **state)
{
    (void)state;
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    for (int i = 0; i <= LIMIT_CALLS; i++)
        buf_addf(&bytes, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%d,\"function\":{\"name\":\"f\"}}]}}]}\n\n", i);
    assert_contains(summary_of(&wire_openai, &(struct cut){.first = bytes.len, .step = 1}, bytes.data, bytes.len, 1000), "|open failed: model= finish= outcome=provider_error");
    buf_free(&bytes);
}

static void geminis_signature_is_kept_with_the_call(void **state)
{
    (void)state;
    ASSERT_REPLY(CALLS("{\"extra_content\":{\"google\":{\"thought_signature\":\"sig\"}},\"function\":{\"arguments\":\"{}\",\"name\":\"f\"},\"id\":\"a\",\"type\":\"function\"},"
                       "{\"function\":{\"arguments\":\"{}\",\"name\":\"g\"},\"id\":\"b\"}") STOP,
                 CALLED(" f(a,{},sig) g(b,{})"));
}

#define DETAIL(rest) "{\"reasoning_details\":[{\"type\":\"reasoning." rest "}]}"

static void reasoning_details_are_put_together_and_kept(void **state)
{
    (void)state;
    ASSERT_REPLY(DELTA("{\"reasoning\":\"one \",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"one \",\"format\":\"x\",\"index\":0}]}")
                 DELTA("{\"reasoning\":\"two\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"two\",\"format\":\"x\",\"index\":0}]}")
                 DELTA(DETAIL("text\",\"signature\":\"s\",\"index\":0")) DELTA(DETAIL("encrypted\",\"data\":\"d\",\"index\":1")) DELTA("{\"content\":\"A\"}") STOP,
                 "<one two>A|ended model=m finish=stop state={\"of\":\"test/asked\",\"details\":[{\"type\":\"reasoning.text\",\"text\":\"one two\",\"format\":\"x\",\"index\":0,\"signature\":\"s\"},"
                 "{\"type\":\"reasoning.encrypted\",\"data\":\"d\",\"index\":1}]}");
    /* said nowhere else (MiniMax), without numbers, cut by [DONE] */
    ASSERT_REPLY(DELTA(DETAIL("summary\",\"summary\":\"hm\"")) DELTA(DETAIL("summary\",\"summary\":\"so\"")) DONE,
                 "<hmso|ended model=m finish= state={\"of\":\"test/asked\",\"details\":[{\"type\":\"reasoning.summary\",\"summary\":\"hm\"},{\"type\":\"reasoning.summary\",\"summary\":\"so\"}]}");
    ASSERT_REPLY(DELTA("{\"reasoning_details\":[7,null,\"x\"]}") DELTA("{\"reasoning_details\":[]}") DELTA(DETAIL("text\",\"text\":\"\xff\"")) DELTA("{\"content\":\"A\"}") STOP,
                 "<\xff>A|ended model=m finish=stop");
}

static void too_many_details_are_not_kept(void **state)
{
    (void)state;
    struct buf bytes;
    buf_init(&bytes, 16 << 20);
    for (int i = 0; i < LIMIT_STATE_BYTES / 64; i += 1000) {
        buf_add_text(&bytes, "data: {\"choices\":[{\"delta\":{\"reasoning_details\":[{}");
        for (int k = 0; k < 1000; k++)
            buf_add_text(&bytes, ",{}");
        buf_add_text(&bytes, "]}}]}\n\n");
    }
    buf_add_text(&bytes, DELTA("{\"content\":\"A\"}") STOP);
    assert_string_equal(summary_of(&wire_openai, &(struct cut){.first = 4096, .step = 4096}, bytes.data, bytes.len, 1000), "A|ended model=m finish=stop");
    buf_free(&bytes);
}

#define USED(rest) DELTA("{\"content\":\"A\"}") STOP D("{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2," rest "}}") DONE
#define COUNTED "A|ended model=m finish=stop usage=9+2,-1,-1"

static void costs_come_in_dollars_ticks_and_parts(void **state)
{
    (void)state;
    ASSERT_REPLY(USED("\"cost\":0.25"), COUNTED " cost=0.25");
    ASSERT_REPLY(USED("\"cost\":0"), COUNTED " cost=0");
    ASSERT_REPLY(USED("\"cost\":0.25,\"is_byok\":false,\"cost_details\":{\"upstream_inference_cost\":0.5}"), COUNTED " cost=0.25");
    ASSERT_REPLY(USED("\"cost\":0.25,\"is_byok\":true,\"cost_details\":{\"upstream_inference_cost\":0.5}"), COUNTED " cost=0.75");
    ASSERT_REPLY(USED("\"cost\":{\"total_cost\":0.5}"), COUNTED " cost=0.5"); /* Perplexity */
    ASSERT_REPLY(USED("\"cost_in_usd_ticks\":37500000000"), COUNTED " cost=3.75"); /* xAI */
    ASSERT_REPLY(USED("\"cost\":-1"), COUNTED);
    ASSERT_REPLY(USED("\"cost\":\"1\",\"cost_in_usd_ticks\":null"), COUNTED);
}

static void tokens_are_counted_in_several_places(void **state)
{
    (void)state;
    ASSERT_REPLY(USED("\"prompt_cache_hit_tokens\":3"), "A|ended model=m finish=stop usage=9+2,3,-1"); /* DeepSeek */
    ASSERT_REPLY(USED("\"cached_tokens\":4"), "A|ended model=m finish=stop usage=9+2,4,-1"); /* Moonshot */
    ASSERT_REPLY(USED("\"prompt_cache_hit_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":5}"), "A|ended model=m finish=stop usage=9+2,5,-1");
    ASSERT_REPLY(D("{\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"},\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}]}"), COUNTED);
    /* xAI counts thinking apart, OpenAI within */
    ASSERT_REPLY(USED("\"total_tokens\":18,\"completion_tokens_details\":{\"reasoning_tokens\":7}"), "A|ended model=m finish=stop usage=9+9,-1,7");
    ASSERT_REPLY(USED("\"total_tokens\":11,\"completion_tokens_details\":{\"reasoning_tokens\":1}"), "A|ended model=m finish=stop usage=9+2,-1,1");
    ASSERT_REPLY(USED("\"total_tokens\":99,\"completion_tokens_details\":{\"reasoning_tokens\":1}"), "A|ended model=m finish=stop usage=9+2,-1,1");
}

#define FINISH(reason) DELTA("{\"content\":\"A\"}") D("{\"choices\":[{\"delta\":{},\"finish_reason\":\"" reason "\"}]}")

static void finish_reasons_are_put_into_openais_words(void **state)
{
    (void)state;
    ASSERT_REPLY(FINISH("model_length"), "A|ended model=m finish=length");
    ASSERT_REPLY(FINISH("MAX_TOKENS"), "A|ended model=m finish=length");
    ASSERT_REPLY(FINISH("eos"), "A|ended model=m finish=stop");
    ASSERT_REPLY(FINISH("end_turn"), "A|ended model=m finish=stop");
    ASSERT_REPLY(FINISH("sensitive"), "A|ended model=m finish=content_filter");
    ASSERT_REPLY(FINISH("content_filter"), "A|ended model=m finish=content_filter");
    ASSERT_REPLY(FINISH("network_error"), "A|open failed: model=m finish=network_error outcome=provider_error said=");
    ASSERT_REPLY(FINISH("abort"), "A|open failed: model=m finish=abort outcome=provider_error said=");
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", "\"{}\"")) STOP, CALLED(" f(a,{})")); /* Ollama, Gemini */
    ASSERT_REPLY(CALLS(CALL(I0, "\"a\"", "\"f\"", "\"{\"")) FINISH("length"), "A|ended model=m finish=length f(a,{)");
}

static void a_mark_after_nothing_is_no_end(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":0}}") DONE, "|open model=m finish= usage=1+0,-1,-1");
    ASSERT_REPLY(DONE, "|open model= finish=");
    ASSERT_REPLY(STOP DONE, "|ended model=m finish=stop");
}

static void a_whole_answer_needs_no_finish_reason(void **state)
{
    (void)state;
    ASSERT_REPLY("{\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"A\"}}]}", "A|ended model=m finish=");
    ASSERT_REPLY("{\"model\":\"m\",\"choices\":[]}", "|open model=m finish=");
}

static void garbage_does_no_harm(void **state)
{
    (void)state;
    static const char bytes[] = DELTA("{\"reasoning\":\"hm\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\",\"index\":0}]}")
        DELTA(DETAIL("text\",\"text\":\"x\",\"index\":0")) CALLS(CALL(I0, "\"a\"", "\"f\"", "\"{\"") "," CALL("", "\"b\"", "\"g\"", "{\"x\":1}")) CALLS(MORE("0", "}"))
        USED("\"cost\":0.25,\"total_tokens\":18,\"completion_tokens_details\":{\"reasoning_tokens\":7}");
    survive_garbage(&wire_openai, bytes, sizeof bytes - 1);
}

static void thinking_in_tags_is_taken_out_of_the_text(void **state)
{
    (void)state;
    ASSERT_REPLY(DELTA("{\"content\":\"<th\"}") DELTA("{\"content\":\"ink>h\"}") DELTA("{\"content\":\"m</thi\"}") DELTA("{\"content\":\"nk>\\n\\nA <think> b\"}") STOP DONE,
                 "<hm>A <think> b|ended model=m finish=stop");
    ASSERT_REPLY(DELTA("{\"content\":\"<b>\"}") STOP, "<b>|ended model=m finish=stop");
    ASSERT_REPLY(DELTA("{\"content\":\"<thin\"}") STOP DONE, "<thin|ended model=m finish=stop");
}

static void a_refusal_is_shown_as_the_answer(void **state)
{
    (void)state;
    ASSERT_REPLY(DELTA("{\"content\":null,\"refusal\":\"I can\"}") DELTA("{\"refusal\":\"not.\"}") STOP, "I cannot.|ended model=m finish=stop");
}

static void only_the_first_choice_counts(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"model\":\"m\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"},\"finish_reason\":\"stop\"},{\"index\":0,\"delta\":{\"content\":\"A\"}}]}") DONE,
                 "A|ended model=m finish=");
}

static void a_finish_reason_of_any_kind_ends_and_stays_clean(void **state)
{
    (void)state;
    ASSERT_REPLY(D("{\"choices\":[{\"delta\":{\"content\":\"A\"},\"finish_reason\":\"\"}]}"), "A|open model= finish=");
    ASSERT_REPLY(D("{\"choices\":[{\"delta\":{\"content\":\"A\"},\"finish_reason\":\"odd\\n\\\"one\\\" with a name that is far too long\"}]}"),
                 "A|ended model= finish=odd__one__with_a_name_that_is_f");
}

static void text_over_what_the_sink_takes_ends_the_reading(void **state)
{
    (void)state;
    static const char bytes[] = DELTA("{\"content\":\"12345\"}") DELTA("{\"content\":\"67890\"}") DELTA("{\"content\":\"more\"}") DONE;
    EACH_CUT(cut, sizeof bytes - 1)
        assert_string_equal(summary_of(&wire_openai, &cut, bytes, sizeof bytes - 1, 7), "1234567890|open failed: model=m finish= outcome=provider_error said=");
}

static void a_cut_stream_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    static const char bytes[] = ": c\n\n" DELTA("{\"role\":\"assistant\",\"content\":\"\"}") DELTA("{\"content\":\"The \\\"stop\\\" [DONE]\"}") STOP
                                D("{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}") DONE;
    size_t mark = (size_t)(strstr(bytes, "\"finish_reason\":\"stop\"}]}") - bytes) + strlen("\"finish_reason\":\"stop\"}]}");
    for (size_t len = 0; len < sizeof bytes; len++)
        for (size_t step = 1; step <= len + 1; step += len + 1 > 1 ? len : 1) {
            struct cut cut = {0, step, step};
            const char *got = summary_of(&wire_openai, &cut, bytes, len, 1000);
            assert_int_equal(strstr(got, "|ended") != NULL, len >= mark);
        }
}

static void a_stream_that_ends_with_done_alone_is_open_until_then(void **state)
{
    (void)state;
    static const char bytes[] = DELTA("{\"content\":\"A\"}") "data: [DONE]\n\n";
    size_t mark = (size_t)(strstr(bytes, "[DONE]") - bytes) + 6;
    for (size_t len = 0; len < sizeof bytes; len++) {
        struct cut cut = {0, len + 1, 1};
        assert_int_equal(strstr(summary_of(&wire_openai, &cut, bytes, len, 1000), "|ended") != NULL, len >= mark);
    }
}

static void a_cut_whole_answer_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    static const char bytes[] = "{\"choices\":[{\"message\":{\"content\":\"A\"},\"finish_reason\":\"stop\"}],\"x\":1}";
    for (size_t len = 0; len < sizeof bytes - 1; len++) {
        struct cut cut = {0, len + 1, 1};
        assert_contains(summary_of(&wire_openai, &cut, bytes, len, 1000), "|open");
    }
}

static void a_stream_cut_within_a_line_is_cut_and_not_garbage(void **state)
{
    (void)state;
    static const char bytes[] = DELTA("{\"content\":\"A\"}") "data: {\"choices\":[{\"del";
    struct cut cut = {0, sizeof bytes, 1};
    assert_string_equal(summary_of(&wire_openai, &cut, bytes, sizeof bytes - 1, 1000), "A|open model=m finish=");
}

static void random_damage_gives_the_same_result_however_it_is_cut(void **state)
{
    (void)state;
    static const char start[] = ": c\r\n\r\n" DELTA("{\"content\":\"<think>h\"}") DELTA("{\"content\":\"m</think>A\\u00e4\\n\"}") STOP DONE;
    uint64_t seed = 99;
    for (int round = 0; round < 3000; round++) {
        char bytes[sizeof start], whole[8192];
        memcpy(bytes, start, sizeof start);
        for (uint32_t i = unit_random(&seed) % 4 + 1; i > 0; i--)
            bytes[unit_random(&seed) % (sizeof start - 1)] = unit_random(&seed) % 3 == 0 ? (char)unit_random(&seed) : "\n\r:{}[]\"\\ ,"[unit_random(&seed) % 11];
        struct cut at_once = {0, sizeof start, 1}, bytewise = {1, 1, 1};
        strcpy(whole, summary_of(&wire_openai, &at_once, bytes, sizeof start - 1, 100000));
        assert_string_equal(summary_of(&wire_openai, &bytewise, bytes, sizeof start - 1, 100000), whole);
    }
}

/* Every allocation of ours fails once: the answer is given up, or comes without what could not be kept, and nothing leaks. */
static void out_of_memory_does_no_harm(void **state)
{
    (void)state;
    static const struct wire_target target = {.provider = "test", .model = "asked", .version = ""};
    static const char bytes[] = DELTA("{\"reasoning\":\"hm\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\",\"index\":0}]}")
        CALLS(CALL(I0, "\"a\"", "\"f\"", A1)) DELTA("{\"content\":\"A\\n\"}") STOP DONE;
    for (long n = 0; n < 40; n++) {
        struct listening to = {.most = 1000, .result = {.usage = usage_none()}};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        buf_init(&to.said, 1000);
        assert_true(buf_reserve(&to.said, 500));
        reply_init(&to.reply, &wire_openai, &target, &sink, &to.result);
        mem_fail_after(n);
        if (wire_openai.feed(&to.reply, bytes, sizeof bytes - 1))
            wire_openai.end(&to.reply);
        mem_fail_after(-1);
        assert_true(to.reply.ended || to.reply.failed);
        reply_free(&to.reply);
        completion_result_free(&to.result);
        buf_free(&to.said);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_has_model_messages_and_parameters),
    cmocka_unit_test(an_empty_system_prompt_is_left_out),
    cmocka_unit_test(refused_parameters_are_left_out_one_by_one),
    cmocka_unit_test(a_temperature_is_written_without_a_tail_of_digits),
    cmocka_unit_test(a_request_over_the_ceiling_is_refused),
    cmocka_unit_test(images_become_parts_or_are_refused),
    cmocka_unit_test(calls_and_results_are_sent),
    cmocka_unit_test(ids_of_calls_are_made_to_fit),
    cmocka_unit_test(thinking_goes_back_to_who_wants_it),
    cmocka_unit_test(details_and_signatures_go_back_to_where_they_came_from),
    cmocka_unit_test(tools_are_described_and_can_be_forced),
    cmocka_unit_test(a_format_is_asked_for),
    cmocka_unit_test(models_that_think_have_their_own_parameters),
    cmocka_unit_test(mistral_and_moonshot_have_their_own_words),
    cmocka_unit_test(azure_has_two_paths),
    cmocka_unit_test(openai_streams_are_read),
    cmocka_unit_test(azure_begins_without_choices_and_names),
    cmocka_unit_test(openrouter_sends_comments_reasoning_and_failures_in_the_middle),
    cmocka_unit_test(deepseek_sends_keep_alives_and_blank_lines),
    cmocka_unit_test(groq_and_ollama_reason_under_another_name),
    cmocka_unit_test(mistral_sends_content_in_parts),
    cmocka_unit_test(xai_leaves_keys_out_and_reports_errors_with_status_200),
    cmocka_unit_test(perplexity_counts_on_every_chunk_and_needs_no_done),
    cmocka_unit_test(names_and_numbers_may_be_missing),
    cmocka_unit_test(errors_in_the_stream_come_in_many_shapes),
    cmocka_unit_test(a_stream_with_usage_only_is_no_answer),
    cmocka_unit_test(html_and_nothing_are_no_answers),
    cmocka_unit_test(whole_answers_are_read_like_streams),
    cmocka_unit_test(a_byte_order_mark_before_an_answer_does_no_harm),
    cmocka_unit_test(framing_of_all_kinds_is_understood),
    cmocka_unit_test(calls_come_in_pieces_and_two_at_once),
    cmocka_unit_test(calls_without_numbers_are_told_apart),
    cmocka_unit_test(ids_may_be_empty_repeated_or_new_on_each_piece),
    cmocka_unit_test(a_call_said_twice_is_one),
    cmocka_unit_test(arguments_may_be_an_object_and_calls_nonsense),
    cmocka_unit_test(too_many_calls_end_the_reading),
    cmocka_unit_test(geminis_signature_is_kept_with_the_call),
    cmocka_unit_test(reasoning_details_are_put_together_and_kept),
    cmocka_unit_test(too_many_details_are_not_kept),
    cmocka_unit_test(costs_come_in_dollars_ticks_and_parts),
    cmocka_unit_test(tokens_are_counted_in_several_places),
    cmocka_unit_test(finish_reasons_are_put_into_openais_words),
    cmocka_unit_test(a_mark_after_nothing_is_no_end),
    cmocka_unit_test(a_whole_answer_needs_no_finish_reason),
    cmocka_unit_test(garbage_does_no_harm),
    cmocka_unit_test(out_of_memory_does_no_harm),
    cmocka_unit_test(thinking_in_tags_is_taken_out_of_the_text),
    cmocka_unit_test(a_refusal_is_shown_as_the_answer),
    cmocka_unit_test(only_the_first_choice_counts),
    cmocka_unit_test(a_finish_reason_of_any_kind_ends_and_stays_clean),
    cmocka_unit_test(text_over_what_the_sink_takes_ends_the_reading),
    cmocka_unit_test(a_cut_stream_is_never_taken_for_a_finished_one),
    cmocka_unit_test(a_stream_that_ends_with_done_alone_is_open_until_then),
    cmocka_unit_test(a_cut_whole_answer_is_never_taken_for_a_finished_one),
    cmocka_unit_test(a_stream_cut_within_a_line_is_cut_and_not_garbage),
    cmocka_unit_test(random_damage_gives_the_same_result_however_it_is_cut),
};

UNIT_MAIN(tests)
