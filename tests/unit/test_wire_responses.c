/*
 * Tests of src/llm/wire_responses.c: the request as JSON, what is kept of an answer and sent back, and answers, streamed and whole.
 */
#include "wire.h"

#include "../../src/base/mem.h"
#include "../../src/llm/call_id.h"

/* --- the request ----------------------------------------------------------------------------------------------------------- */

static const struct model_facts thinker = {.known = true, .vision = true, .tools = true, .reasoning = true};
static const struct model_facts talker = {.known = true, .vision = true, .tools = true};

static const struct completion_message talk[] = {
    {.role = COMPLETION_USER, .content = "Hi \"you\"", .content_len = 8},
    {.role = COMPLETION_ASSISTANT, .content = "ä", .content_len = 2},
    {.role = COMPLETION_USER, .content = "", .content_len = 0},
};

#define TAIL ",\"store\":false,\"stream\":true}"
#define BODY(request, known) body_written(&wire_responses, &(request), (struct wire_target){.provider = "openai", .model = "m", .facts = (known)})
#define INPUT(items, known, wanted) assert_contains(BODY(((struct completion_request){REQUEST(items)}), known), "\"input\":[" wanted "],\"")

static void a_request_has_instructions_input_and_options(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(talk), .system = "Be kind."};
    assert_string_equal(written(&wire_responses, &request, (struct wire_target){.model = "m", .facts = talker}, (struct wire_without){0}),
                        "/responses\n\n{\"model\":\"m\",\"instructions\":\"Be kind.\",\"input\":[{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\"},"
                        "{\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"ä\"}]},{\"role\":\"user\",\"content\":\"\"}],\"temperature\":0.5,"
                        "\"max_output_tokens\":100" TAIL);
    request.system = "";
    assert_lacks(BODY(request, talker), "instructions");
    assert_int_equal(strncmp(written(&wire_responses, &request, (struct wire_target){.provider = "azure", .model = "m"}, (struct wire_without){0}), "/openai/v1/responses\n", 21), 0);
}

static void a_model_that_thinks_is_asked_for_it_and_given_room(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(talk), .effort = "low", .stop = (const char *const[]){"END"}, .stop_count = 1};
    request.seed = 7;
    assert_contains(BODY(request, thinker), "],\"max_output_tokens\":25100,\"reasoning\":{\"effort\":\"low\",\"summary\":\"auto\"},\"include\":[\"reasoning.encrypted_content\"]" TAIL);
    request.effort = NULL;
    assert_contains(BODY(request, thinker), "\"reasoning\":{\"summary\":\"auto\"}");
    struct model_facts small = thinker, other = {.known = true, .responses_only = true}, unknown = {0};
    small.max_output = 8000;
    assert_contains(BODY(request, small), "\"max_output_tokens\":8000,");
    assert_contains(BODY(request, other), "\"include\"");
    assert_contains(BODY(request, unknown), "\"include\"");
    assert_contains(BODY(request, unknown), "\"temperature\"");
    request.max_tokens = 1;
    assert_contains(BODY(request, talker), "\"max_output_tokens\":16,");
}

static void refused_parameters_are_left_out_one_by_one(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(talk), .effort = "high"};
    struct wire_target target = {.model = "m"};
    const char *text = written(&wire_responses, &request, target, (struct wire_without){.temperature = true});
    assert_lacks(text, "temperature");
    assert_contains(text, "max_output_tokens");
    text = written(&wire_responses, &request, target, (struct wire_without){.max_tokens = true});
    assert_lacks(text, "max_output");
    assert_contains(text, "temperature");
    text = written(&wire_responses, &request, target, (struct wire_without){.effort = true});
    assert_lacks(text, "reasoning");
    assert_lacks(text, "include");
}

static void images_go_with_the_message_or_are_refused(void **state)
{
    (void)state;
    static const struct completion_image images[] = {{"image/png", "AAAA", 4}, {"image/jpeg", "BBBB", 4}};
    static const struct completion_message seen[] = {{.role = COMPLETION_USER, .content = "What?", .content_len = 5, .images = images, .image_count = 2}};
    static const struct completion_message mute[] = {{.role = COMPLETION_USER, .content = "", .images = images, .image_count = 1}};
    INPUT(seen, talker, "{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"What?\"},{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\"},"
                        "{\"type\":\"input_image\",\"image_url\":\"data:image/jpeg;base64,BBBB\"}]}");
    INPUT(mute, talker, "{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\"}]}");
    struct completion_request request = {REQUEST(seen)};
    struct model_facts blind = {.known = true};
    assert_string_equal(written(&wire_responses, &request, (struct wire_target){.model = "m", .facts = blind}, (struct wire_without){0}),
                        "refused: The model m cannot look at images.");
    assert_contains(BODY(request, ((struct model_facts){0})), "input_image");
}

static void tools_are_flat_and_one_can_be_forced(void **state)
{
    (void)state;
    static const struct completion_tool tools[] = {{"f", "does", "{\"type\":\"object\"}"}, {"g", "", "bad"}};
    struct completion_request request = {REQUEST(talk), .tools = tools, .tool_count = 2};
    assert_contains(BODY(request, talker), "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"description\":\"does\",\"parameters\":{\"type\":\"object\"},\"strict\":false},"
                                           "{\"type\":\"function\",\"name\":\"g\",\"parameters\":{},\"strict\":false}],\"temperature\"");
    request.tool_choice = "required";
    assert_contains(BODY(request, talker), "],\"tool_choice\":\"required\",");
    request.tool_choice = "none";
    assert_contains(BODY(request, talker), "],\"tool_choice\":\"none\",");
    request.tool_choice = "g";
    assert_contains(BODY(request, talker), "],\"tool_choice\":{\"type\":\"function\",\"name\":\"g\"},");
    request.tool_count = 0;
    assert_lacks(BODY(request, talker), "tool");
}

static void a_format_is_asked_for_under_text(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(talk), .format = COMPLETION_JSON};
    assert_contains(BODY(request, talker), "],\"text\":{\"format\":{\"type\":\"json_object\"}},");
    request.format = COMPLETION_SCHEMA;
    request.schema = "{\"type\":\"object\"}";
    assert_contains(BODY(request, talker), "],\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"answer\",\"schema\":{\"type\":\"object\"},\"strict\":false}},");
}

#define CALL_1 "{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}"
#define CALL_2 "{\"type\":\"function_call\",\"call_id\":\"b\",\"name\":\"g\",\"arguments\":\"{}\"}"
#define TEXT "{\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"So.\"}]}"
#define RESULTS "{\"type\":\"function_call_output\",\"call_id\":\"a\",\"output\":\"42\"},{\"type\":\"function_call_output\",\"call_id\":\"b\",\"output\":\"no\"}"
#define THOUGHT(secret) "{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"" secret "\"}"
#define STATE(items) "{\"of\":\"openai/m\",\"items\":[" items "]}"

static const struct completion_call calls[] = {{"a", "f", "{\"x\":1}", NULL}, {"b", "g", "{}", NULL}};

/* What an answer "So." with two calls, kept with this state, becomes; in a static buffer. */
static const char *sent_back(const char *kept, const char *wire)
{
    struct completion_message messages[] = {
        {.role = COMPLETION_USER, .content = "Q", .content_len = 1},
        {.role = COMPLETION_ASSISTANT, .content = "So.", .content_len = 3, .calls = calls, .call_count = 2, .state = kept, .state_wire = wire},
        {.role = COMPLETION_TOOL, .content = "42", .content_len = 2, .call_id = "a", .call_name = "f"},
        {.role = COMPLETION_TOOL, .content = "no", .content_len = 2, .call_id = "b", .call_name = "g", .is_error = true},
    };
    struct completion_request request = {REQUEST(messages)};
    return BODY(request, thinker);
}

#define INPUT_IS(items) "\"input\":[{\"role\":\"user\",\"content\":\"Q\"}," items "," RESULTS "],"

static void calls_and_results_go_back(void **state)
{
    (void)state;
    assert_contains(sent_back(NULL, NULL), INPUT_IS(TEXT "," CALL_1 "," CALL_2));
}

static void ids_of_calls_are_made_to_fit(void **state)
{
    (void)state;
    static const char id[] = "01234567890123456789012345678901234567890123456789012345678901234";
    static const struct completion_call call = {id, "f", "{}", NULL};
    static const struct completion_message list[] = {{.role = COMPLETION_ASSISTANT, .content = "", .calls = &call, .call_count = 1},
                                                     {.role = COMPLETION_TOOL, .content = "", .call_id = id, .call_name = "f"}};
    char fit[CALL_ID_SHORT + 1], wanted[200];
    (void)snprintf(wanted, sizeof wanted, "[{\"type\":\"function_call\",\"call_id\":\"%s\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"%s\",",
                   call_id_shorten(id, fit), fit);
    assert_contains(BODY(((struct completion_request){REQUEST(list)}), talker), wanted);
}

static void thinking_goes_back_in_its_place(void **state)
{
    (void)state;
    assert_contains(sent_back(STATE(THOUGHT("1") ",\"call\"," THOUGHT("2") "," THOUGHT("3") ",\"text\",\"call\""), "responses"),
                    INPUT_IS(THOUGHT("1") "," CALL_1 "," THOUGHT("2") "," THOUGHT("3") "," TEXT "," CALL_2));
    /* less is marked than there is, or more */
    assert_contains(sent_back(STATE(THOUGHT("1") ",\"call\""), "responses"), INPUT_IS(THOUGHT("1") "," CALL_1 "," TEXT "," CALL_2));
    assert_contains(sent_back(STATE("\"text\",\"text\",\"call\",\"call\",\"call\",\"odd\",null,7"), "responses"), INPUT_IS(TEXT "," CALL_1 "," CALL_2));
}

static void thinking_without_what_came_of_it_stays_away(void **state)
{
    (void)state;
    assert_contains(sent_back(STATE("\"text\",\"call\",\"call\"," THOUGHT("1")), "responses"), INPUT_IS(TEXT "," CALL_1 "," CALL_2));
    static const struct completion_message empty[] = {{.role = COMPLETION_USER, .content = "Q", .content_len = 1},
                                                      {.role = COMPLETION_ASSISTANT, .content = "", .state = STATE(THOUGHT("1") ",\"text\""), .state_wire = "responses"},
                                                      {.role = COMPLETION_USER, .content = "R", .content_len = 1}};
    INPUT(empty, thinker, "{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"user\",\"content\":\"R\"}");
}

static void thinking_of_others_stays_away(void **state)
{
    (void)state;
    static const char kept[] = STATE(THOUGHT("1") ",\"text\",\"call\",\"call\"");
    assert_contains(sent_back(kept, "responses"), THOUGHT("1"));
    assert_lacks(sent_back(kept, "anthropic"), "\"1\"");
    assert_lacks(sent_back(kept, NULL), "\"1\"");
    assert_contains(sent_back("{\"of\":\"openai/other\",\"items\":[" THOUGHT("1") ",\"text\"]}", "responses"), INPUT_IS(TEXT "," CALL_1 "," CALL_2));
    static const char *const bad[] = {"", "null", "[]", "{}", "{\"of\":\"openai/m\"}", "{\"of\":\"openai/m\",\"items\":7}", "{\"of\":7,\"items\":[\"text\"]}", "{garbage"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_contains(sent_back(bad[i], "responses"), INPUT_IS(TEXT "," CALL_1 "," CALL_2));
}

static void a_request_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    struct completion_request request = {REQUEST(talk)};
    struct wire_target target = {.provider = "openai", .model = "m", .version = ""};
    struct wire_without without = {0};
    struct wire_call call;
    struct failure failure;
    buf_init(&call.path, 100);
    buf_init(&call.headers, 100);
    buf_init(&call.body, 50);
    assert_int_equal(wire_responses.write(&call, &request, &target, &without, &failure), OUTCOME_NO_MEMORY);
    buf_free(&call.path);
    buf_free(&call.headers);
    buf_free(&call.body);
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

#define ASSERT_REPLY(bytes, wanted) assert_reply(&wire_responses, bytes, sizeof(bytes) - 1, wanted)
#define E(type, rest) "event: " type "\ndata: {\"type\":\"" type "\",\"sequence_number\":1," rest "}\n\n"
#define CREATED E("response.created", "\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"in_progress\",\"error\":null,\"incomplete_details\":null,\"model\":\"gpt-5-2025\",\"output\":[],\"usage\":null}")
#define TEXT_DELTA(index, text) E("response.output_text.delta", "\"item_id\":\"msg_1\",\"output_index\":" #index ",\"content_index\":0,\"delta\":\"" text "\",\"logprobs\":[],\"obfuscation\":\"x\"")
#define ADDED(index, item) E("response.output_item.added", "\"output_index\":" #index ",\"item\":" item)
#define DONE(index, item) E("response.output_item.done", "\"output_index\":" #index ",\"item\":" item)
#define ARGUMENTS(index, text) E("response.function_call_arguments.delta", "\"item_id\":\"fc\",\"output_index\":" #index ",\"delta\":\"" text "\"")
#define SUMMARY(text) E("response.reasoning_summary_text.delta", "\"item_id\":\"rs\",\"output_index\":0,\"summary_index\":0,\"delta\":\"" text "\"")
#define SUMMARY_PART E("response.reasoning_summary_part.added", "\"item_id\":\"rs\",\"output_index\":0,\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"\"}")
#define USAGE "\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":3},\"output_tokens\":20,\"output_tokens_details\":{\"reasoning_tokens\":12},\"total_tokens\":29}"
#define COMPLETED E("response.completed", "\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"error\":null,\"model\":\"gpt-5-2025\",\"output\":[]," USAGE "}")
#define MESSAGE "{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hello\",\"annotations\":[]}]}"
#define REASONING(secret) "{\"id\":\"rs\",\"type\":\"reasoning\",\"status\":null,\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}],\"encrypted_content\":\"" secret "\"}"
#define COUNTED " usage=9+20,3,12"

static const char ordinary[] =
    CREATED E("response.in_progress", "\"response\":{\"model\":\"gpt-5-2025\"}") ADDED(0, "{\"id\":\"msg_1\",\"type\":\"message\",\"content\":[]}")
    E("response.content_part.added", "\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\"}")
    TEXT_DELTA(0, "Hel") TEXT_DELTA(0, "lo 😀")
    E("response.output_text.annotation.added", "\"annotation\":{\"type\":\"url_citation\"}")
    E("response.output_text.done", "\"output_index\":0,\"text\":\"Hello\"") E("response.content_part.done", "\"part\":{\"type\":\"output_text\",\"text\":\"Hello\"}")
    DONE(0, MESSAGE) COMPLETED;

static void streams_are_read(void **state)
{
    (void)state;
    ASSERT_REPLY(ordinary, "Hello 😀|ended model=gpt-5-2025 finish=stop" COUNTED);
    /* names in the event alone, no event lines, unknown events, nonsense types, a mark of the other API */
    ASSERT_REPLY("event: response.output_text.delta\ndata: {\"delta\":\"A\"}\n\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"B\"}\n\n"
                 E("response.web_search_call.searching", "\"delta\":\"no\"") E("response.new.delta", "\"delta\":7") "data: null\n\ndata: [1]\n\ndata: {\"type\":7,\"delta\":\"no\"}\n\n"
                 E("response.output_text.delta", "\"delta\":{\"no\":1}") "data: [DONE]\n\n" E("response.completed", "\"response\":null") "data: [DONE]\n\n",
                 "AB|ended model= finish=stop");
}

static void thinking_is_kept_apart_and_its_parts_too(void **state)
{
    (void)state;
    ASSERT_REPLY(CREATED ADDED(0, "{\"id\":\"rs\",\"type\":\"reasoning\",\"summary\":[]}") SUMMARY_PART SUMMARY("one") SUMMARY(" two") SUMMARY_PART SUMMARY("three")
                 DONE(0, "{\"id\":\"rs\",\"type\":\"reasoning\",\"summary\":[]}") TEXT_DELTA(1, "A") COMPLETED,
                 "<one two\n\nthree>A|ended model=gpt-5-2025 finish=stop" COUNTED);
    ASSERT_REPLY(ADDED(0, "{\"type\":\"reasoning\"}") E("response.reasoning_text.delta", "\"delta\":\"hm\"") ADDED(1, "{\"type\":\"reasoning\"}") SUMMARY_PART
                 E("response.reasoning_text.delta", "\"delta\":\"\"") E("response.reasoning_text.delta", "\"delta\":\"so\"") COMPLETED,
                 "<hm\n\nso|ended model=gpt-5-2025 finish=stop" COUNTED);
}

#define CALL_ADDED(index, id, name) ADDED(index, "{\"id\":\"fc\",\"type\":\"function_call\",\"status\":\"in_progress\",\"arguments\":\"\",\"call_id\":\"" id "\",\"name\":\"" name "\"}")
#define CALL_DONE(index, id, name, arguments) DONE(index, "{\"id\":\"fc\",\"type\":\"function_call\",\"arguments\":\"" arguments "\",\"call_id\":\"" id "\",\"name\":\"" name "\"}")

static void calls_are_put_together(void **state)
{
    (void)state;
    ASSERT_REPLY(CREATED CALL_ADDED(0, "a", "f") ARGUMENTS(0, "{\\\"x\\\"") CALL_ADDED(1, "b", "g") ARGUMENTS(1, "{") ARGUMENTS(0, ":1}") ARGUMENTS(1, "}")
                 E("response.function_call_arguments.done", "\"output_index\":0,\"arguments\":\"{\\\"x\\\":1}\"") CALL_DONE(0, "a", "f", "{\\\"x\\\":1}")
                 CALL_DONE(1, "b", "g", "{}") COMPLETED,
                 "|ended model=gpt-5-2025 finish=tool_calls" COUNTED " f(a,{\"x\":1}) g(b,{})");
}

static void calls_may_come_whole_or_without_arguments_or_names_for_them(void **state)
{
    (void)state;
    ASSERT_REPLY(CALL_DONE(2, "a", "f", "{\\\"x\\\":1}") CALL_DONE(3, "b", "g", "") COMPLETED, "|ended model=gpt-5-2025 finish=tool_calls" COUNTED " f(a,{\"x\":1}) g(b,{})");
    ASSERT_REPLY(CALL_ADDED(0, "a", "f") E("response.function_call_arguments.done", "\"output_index\":0,\"arguments\":\"{\\\"x\\\":1}\"") COMPLETED,
                 "|ended model=gpt-5-2025 finish=tool_calls" COUNTED " f(a,{\"x\":1})");
    ASSERT_REPLY(E("response.output_item.added", "\"item\":{\"type\":\"function_call\",\"name\":\"f\"}") E("response.function_call_arguments.delta", "\"delta\":\"{}\"")
                 E("response.output_item.added", "\"item\":{\"type\":\"function_call\",\"name\":\"g\"}") E("response.function_call_arguments.delta", "\"delta\":\"{1\"") COMPLETED,
                 "|ended model=gpt-5-2025 finish=tool_calls" COUNTED " f(call_1,{}) g(call_2,{1)");
}

#define KEPT(secret) "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}],\"encrypted_content\":\"" secret "\"}"

static void thinking_is_kept_to_be_sent_back(void **state)
{
    (void)state;
    ASSERT_REPLY(CREATED DONE(0, REASONING("s1")) CALL_ADDED(1, "a", "f") CALL_DONE(1, "a", "f", "{}") DONE(2, REASONING("s2")) TEXT_DELTA(3, "Hello") DONE(3, MESSAGE)
                 DONE(4, "{\"type\":\"web_search_call\"}") DONE(5, "{\"type\":\"reasoning\",\"summary\":7,\"encrypted_content\":\"s3\"}") COMPLETED,
                 "Hello|ended model=gpt-5-2025 finish=tool_calls" COUNTED " f(a,{}) state={\"of\":\"test/asked\",\"items\":[" KEPT("s1") ",\"call\"," KEPT("s2")
                 ",\"text\",{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"s3\"}]}");
    /* nothing secret, nothing kept; nor when it is no UTF-8 */
    ASSERT_REPLY(DONE(0, "{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":null}") DONE(0, REASONING("")) DONE(0, REASONING("\xff")) TEXT_DELTA(1, "A") DONE(1, MESSAGE) COMPLETED,
                 "A|ended model=gpt-5-2025 finish=stop" COUNTED);
}

static void too_much_thinking_is_not_kept(void **state)
{
    (void)state;
    enum { LEN = LIMIT_STATE_BYTES / 2 };
    struct buf bytes;
    buf_init(&bytes, 4 * LEN);
    for (int i = 0; i < 3; i++) {
        buf_add_text(&bytes, "data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"reasoning\",\"encrypted_content\":\"");
        for (size_t k = 0; k < LEN; k++)
            buf_add_char(&bytes, 'x');
        buf_add_text(&bytes, "\"}}\n\n");
    }
    buf_add_text(&bytes, TEXT_DELTA(1, "A") COMPLETED);
    assert_false(buf_failed(&bytes));
    assert_string_equal(summary_of(&wire_responses, &(struct cut){.first = 4096, .step = 4096}, bytes.data, bytes.len, 1000),
                        "A|ended model=gpt-5-2025 finish=stop" COUNTED);
    buf_free(&bytes);
}

static void answers_are_cut_by_limits_and_filters(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT_DELTA(0, "A") E("response.incomplete", "\"response\":{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}," USAGE "}"),
                 "A|ended model= finish=length" COUNTED);
    ASSERT_REPLY(TEXT_DELTA(0, "A") E("response.incomplete", "\"response\":{\"incomplete_details\":{\"reason\":\"content_filter\"}}"), "A|ended model= finish=content_filter");
    ASSERT_REPLY(TEXT_DELTA(0, "A") E("response.incomplete", "\"response\":{\"incomplete_details\":{\"reason\":\"a new one\"}}"), "A|ended model= finish=a_new_one");
    ASSERT_REPLY(E("response.incomplete", "\"response\":{}"), "|ended model= finish=length");
}

static void a_refusal_is_shown_as_the_answer(void **state)
{
    (void)state;
    ASSERT_REPLY(E("response.refusal.delta", "\"delta\":\"I can\"") E("response.refusal.delta", "\"delta\":\"not.\"") E("response.refusal.done", "\"refusal\":\"I cannot.\"") COMPLETED,
                 "I cannot.|ended model=gpt-5-2025 finish=stop" COUNTED);
}

static void errors_come_flat_nested_and_as_failed_responses(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT_DELTA(0, "A") E("error", "\"code\":\"server_error\",\"message\":\"boom\",\"param\":null"), "A|open failed: model= finish= outcome=provider_error said=boom");
    ASSERT_REPLY(CREATED E("error", "\"error\":{\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\",\"message\":\"slow\",\"param\":null}")
                 E("response.failed", "\"response\":{\"error\":{\"code\":\"x\",\"message\":\"later\"}}"),
                 "|open failed: model=gpt-5-2025 finish= outcome=provider_busy said=slow");
    ASSERT_REPLY(E("response.failed", "\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"long\"},\"usage\":null}"),
                 "|open failed: model= finish= outcome=provider_error said=long");
    ASSERT_REPLY(E("response.failed", "\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_is_overloaded\",\"message\":\"full\"}}"),
                 "|open failed: model= finish= outcome=provider_busy said=full");
    ASSERT_REPLY(E("response.failed", "\"response\":null"), "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("data: {\"error\":{\"message\":\"gone\"}}\n\n", "|open failed: model= finish= outcome=provider_error said=gone");
    ASSERT_REPLY("event: error\ndata: {\"message\":\"gone\"}\n\n", "|open failed: model= finish= outcome=provider_error said=gone");
    ASSERT_REPLY(TEXT_DELTA(0, "A") "data: {garbage\n\n", "A|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("{\"error\":{\"message\":\"bad key\",\"code\":\"invalid_api_key\"}}", "|open failed: model= finish= outcome=provider_auth said=bad key");
    ASSERT_REPLY("<html>502</html>", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("", "|open model= finish=");
    ASSERT_REPLY("[]", "|open model= finish=");
}

static void server_errors_are_worth_another_attempt(void **state)
{
    (void)state;
    static const char *const bodies[] = {E("error", "\"code\":\"server_error\",\"message\":\"boom\""), E("response.failed", "\"response\":{\"error\":{\"code\":\"server_error\"}}"),
                                         E("error", "\"error\":{\"code\":\"slow_down\"}"), E("error", "\"error\":{\"code\":\"invalid_prompt\"}")};
    static const struct wire_target target = {.provider = "test", .model = "asked", .version = ""};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct listening to = {.most = 1000};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        buf_init(&to.said, 1000);
        reply_init(&to.reply, &wire_responses, &target, &sink, &to.result);
        assert_false(wire_responses.feed(&to.reply, bodies[i], strlen(bodies[i])));
        assert_int_equal(to.reply.error.retry, i < 3);
        reply_free(&to.reply);
        buf_free(&to.said);
    }
}

static void nothing_counts_after_the_end(void **state)
{
    (void)state;
    ASSERT_REPLY(TEXT_DELTA(0, "A") COMPLETED TEXT_DELTA(0, "late") "data: {garbage\n\n" E("error", "\"message\":\"late\""), "A|ended model=gpt-5-2025 finish=stop" COUNTED);
}

#define RESPONSE(status, output, rest) "{\"id\":\"resp_1\",\"object\":\"response\",\"error\":null," status "\"model\":\"w\",\"output\":" output rest "}"
#define WHOLE "[" REASONING("s1") ",{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"A\"},{\"type\":\"new\"},{\"type\":\"refusal\",\"refusal\":\"B\"}]}," \
              "{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"function_call\",\"call_id\":\"b\",\"name\":\"g\",\"arguments\":\"\"},7,null]"
#define WHOLE_STATE " state={\"of\":\"test/asked\",\"items\":[" KEPT("s1") ",\"text\",\"call\",\"call\"]}"

static void whole_answers_are_read_like_streams(void **state)
{
    (void)state;
    ASSERT_REPLY(RESPONSE("\"status\":\"completed\",", WHOLE, "," USAGE), "<hm>AB|ended model=w finish=tool_calls" COUNTED " f(a,{}) g(b,{})" WHOLE_STATE);
    ASSERT_REPLY(RESPONSE("", "[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"A\"}]}]", ""), "A|ended model=w finish=stop");
    ASSERT_REPLY(RESPONSE("\"status\":\"incomplete\",", "[]", ",\"incomplete_details\":{\"reason\":\"content_filter\"}"), "|ended model=w finish=content_filter");
    ASSERT_REPLY(RESPONSE("\"status\":\"in_progress\",", "[]", ""), "|open model= finish=");
    ASSERT_REPLY("{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"boom\"}}", "|open failed: model= finish= outcome=provider_error said=boom");
    ASSERT_REPLY("{\"status\":\"failed\",\"error\":null}", "|open failed: model= finish= outcome=provider_error said=");
    ASSERT_REPLY("{}", "|open model= finish=");
}

static void the_last_event_is_read_where_there_were_no_deltas(void **state)
{
    (void)state;
    ASSERT_REPLY(CREATED DONE(0, REASONING("s1")) E("response.completed", "\"response\":{\"model\":\"w\",\"output\":" WHOLE "}"),
                 "<hm>AB|ended model=gpt-5-2025 finish=tool_calls f(a,{}) g(b,{})" WHOLE_STATE);
}

static void a_cut_answer_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    assert_open_before(&wire_responses, ordinary, sizeof ordinary - 1 - 2); /* the event is whole before its empty line */
    static const char whole[] = RESPONSE("\"status\":\"completed\",", "[]", "");
    assert_open_before(&wire_responses, whole, sizeof whole - 1);
}

static void text_over_what_the_sink_takes_ends_the_reading(void **state)
{
    (void)state;
    static const char bytes[] = TEXT_DELTA(0, "12345") TEXT_DELTA(0, "67890") TEXT_DELTA(0, "more") COMPLETED;
    EACH_CUT(cut, sizeof bytes - 1)
        assert_string_equal(summary_of(&wire_responses, &cut, bytes, sizeof bytes - 1, 7), "1234567890|open failed: model= finish= outcome=provider_error said=");
}

static void garbage_does_no_harm(void **state)
{
    (void)state;
    static const char bytes[] = CREATED ADDED(0, "{\"type\":\"reasoning\"}") SUMMARY("hm") DONE(0, REASONING("s1")) CALL_ADDED(1, "a", "f") ARGUMENTS(1, "{}") CALL_DONE(1, "a", "f", "{}")
        TEXT_DELTA(2, "A") DONE(2, MESSAGE) COMPLETED;
    static const char whole[] = RESPONSE("\"status\":\"completed\",", WHOLE, "," USAGE);
    survive_garbage(&wire_responses, bytes, sizeof bytes - 1);
    survive_garbage(&wire_responses, whole, sizeof whole - 1);
}

/* Every allocation of ours fails once: the answer is given up, or comes without what could not be kept, and nothing leaks. */
static void out_of_memory_does_no_harm(void **state)
{
    (void)state;
    static const struct wire_target target = {.provider = "test", .model = "asked", .version = ""};
    static const char bytes[] = CREATED SUMMARY("hm") DONE(0, REASONING("s1")) CALL_ADDED(1, "a", "f") ARGUMENTS(1, "{}") TEXT_DELTA(2, "A") COMPLETED;
    for (long n = 0; n < 40; n++) {
        struct listening to = {.most = 1000, .result = {.usage = usage_none()}};
        struct completion_sink sink = {.event = listening_take, .arg = &to};
        buf_init(&to.said, 1000);
        assert_true(buf_reserve(&to.said, 500));
        reply_init(&to.reply, &wire_responses, &target, &sink, &to.result);
        mem_fail_after(n);
        if (wire_responses.feed(&to.reply, bytes, sizeof bytes - 1))
            wire_responses.end(&to.reply);
        mem_fail_after(-1);
        assert_true(to.reply.ended || to.reply.failed);
        reply_free(&to.reply);
        completion_result_free(&to.result);
        buf_free(&to.said);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_has_instructions_input_and_options),
    cmocka_unit_test(a_model_that_thinks_is_asked_for_it_and_given_room),
    cmocka_unit_test(refused_parameters_are_left_out_one_by_one),
    cmocka_unit_test(images_go_with_the_message_or_are_refused),
    cmocka_unit_test(tools_are_flat_and_one_can_be_forced),
    cmocka_unit_test(a_format_is_asked_for_under_text),
    cmocka_unit_test(calls_and_results_go_back),
    cmocka_unit_test(ids_of_calls_are_made_to_fit),
    cmocka_unit_test(thinking_goes_back_in_its_place),
    cmocka_unit_test(thinking_without_what_came_of_it_stays_away),
    cmocka_unit_test(thinking_of_others_stays_away),
    cmocka_unit_test(a_request_over_the_ceiling_is_refused),
    cmocka_unit_test(streams_are_read),
    cmocka_unit_test(thinking_is_kept_apart_and_its_parts_too),
    cmocka_unit_test(calls_are_put_together),
    cmocka_unit_test(calls_may_come_whole_or_without_arguments_or_names_for_them),
    cmocka_unit_test(thinking_is_kept_to_be_sent_back),
    cmocka_unit_test(too_much_thinking_is_not_kept),
    cmocka_unit_test(answers_are_cut_by_limits_and_filters),
    cmocka_unit_test(a_refusal_is_shown_as_the_answer),
    cmocka_unit_test(errors_come_flat_nested_and_as_failed_responses),
    cmocka_unit_test(server_errors_are_worth_another_attempt),
    cmocka_unit_test(nothing_counts_after_the_end),
    cmocka_unit_test(whole_answers_are_read_like_streams),
    cmocka_unit_test(the_last_event_is_read_where_there_were_no_deltas),
    cmocka_unit_test(a_cut_answer_is_never_taken_for_a_finished_one),
    cmocka_unit_test(text_over_what_the_sink_takes_ends_the_reading),
    cmocka_unit_test(garbage_does_no_harm),
    cmocka_unit_test(out_of_memory_does_no_harm),
};

UNIT_MAIN(tests)
