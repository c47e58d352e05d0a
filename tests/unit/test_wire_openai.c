/*
 * Tests of src/llm/wire_openai.h: the request as JSON, and the answers of servers with their deviations (reference/provider-wires.md, section 13), each
 * whole, byte by byte and at every split.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/llm/wire_openai.h"

/* --- the request ----------------------------------------------------------------------------------------------------------- */

static const struct completion_message messages[] = {{"user", "Hi \"you\"\n", 9}, {"assistant", "ä", 2}, {"user", "", 0}};

static const char *request_of(const char *system, struct openai_without without)
{
    static char text[2000];
    struct completion_request request = {.system = system, .messages = messages, .message_count = 3, .temperature = 0.5, .max_tokens = 100};
    struct buf body;
    buf_init(&body, sizeof text - 1);
    assert_true(openai_write_request(&body, &request, "facebook/opt-125m", &without));
    strcpy(text, body.data);
    buf_free(&body);
    const char *why;
    json_object_put(json_read(text, strlen(text), &why));
    assert_null(why);
    return text;
}

static void a_request_has_model_messages_and_parameters(void **state)
{
    (void)state;
    assert_string_equal(request_of("Be kind.", (struct openai_without){0}),
                        "{\"model\":\"facebook/opt-125m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\"},"
                        "{\"role\":\"assistant\",\"content\":\"ä\"},{\"role\":\"user\",\"content\":\"\"}],\"temperature\":0.5,\"max_tokens\":100,\"stream\":true,"
                        "\"stream_options\":{\"include_usage\":true}}");
}

static void an_empty_system_prompt_is_left_out(void **state)
{
    (void)state;
    assert_lacks(request_of("", (struct openai_without){0}), "system");
    assert_lacks(request_of(NULL, (struct openai_without){0}), "system");
}

static void refused_parameters_are_left_out_one_by_one(void **state)
{
    (void)state;
    const char *text = request_of(NULL, (struct openai_without){.temperature = true});
    assert_lacks(text, "temperature");
    assert_contains(text, "\"max_tokens\":100");
    text = request_of(NULL, (struct openai_without){.max_tokens = true});
    assert_lacks(text, "max_");
    assert_contains(text, "\"temperature\"");
    text = request_of(NULL, (struct openai_without){.stream_options = true});
    assert_lacks(text, "stream_options");
    assert_contains(text, "\"stream\":true");
    text = request_of(NULL, (struct openai_without){.max_tokens_is_old = true});
    assert_contains(text, "\"max_completion_tokens\":100");
    assert_lacks(text, "\"max_tokens\"");
    assert_lacks(request_of(NULL, (struct openai_without){.max_tokens_is_old = true, .max_tokens = true}), "max_");
}

static void a_temperature_is_written_without_a_tail_of_digits(void **state)
{
    (void)state;
    struct completion_request request = {.messages = messages, .message_count = 1, .temperature = 0.7, .max_tokens = 1};
    struct buf body;
    buf_init(&body, 1000);
    assert_true(openai_write_request(&body, &request, "m", &(struct openai_without){0}));
    assert_contains(body.data, "\"temperature\":0.7");
    assert_lacks(body.data, "0.69");
    assert_lacks(body.data, "0.70000000000");
    buf_free(&body);
}

static void a_request_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    struct completion_request request = {.messages = messages, .message_count = 3};
    struct buf body;
    buf_init(&body, 50);
    assert_false(openai_write_request(&body, &request, "m", &(struct openai_without){0}));
    buf_free(&body);
}

/* --- replies --------------------------------------------------------------------------------------------------------------- */

struct listening {
    struct openai_reply reply;
    struct completion_result result;
    struct buf said; /* text as it is, reasoning in <…> */
    bool thinking;
    size_t most; /* bytes that the sink takes */
};

static enum outcome take(void *arg, enum completion_event type, const char *text, size_t len)
{
    struct listening *to = arg;
    assert_true(len > 0);
    bool thinking = type == COMPLETION_REASONING;
    if (thinking != to->thinking)
        buf_add_char(&to->said, thinking ? '<' : '>');
    to->thinking = thinking;
    buf_add(&to->said, text, len);
    return to->said.len <= to->most ? OUTCOME_OK : OUTCOME_ANSWER_TOO_LONG;
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct listening *to = arg;
    return openai_reply_feed(&to->reply, bytes, len);
}

static void listen_to(struct listening *to, const struct cut *cut, const char *bytes, size_t len)
{
    struct completion_sink sink = {.event = take, .arg = to};
    to->result = (struct completion_result){.usage = usage_none()};
    buf_init(&to->said, 1 << 20);
    openai_reply_init(&to->reply, &sink, &to->result);
    cut_feed(cut, bytes, len, feed, to);
    openai_reply_end(&to->reply);
    to->reply.sink = NULL; /* it ends with this function */
}

static void forget(struct listening *to)
{
    openai_reply_free(&to->reply);
    buf_free(&to->said);
}

/* All that matters about a reply, in one line. */
static const char *summary_of(const struct cut *cut, const char *bytes, size_t len, size_t most)
{
    static char text[8192];
    struct listening to = {.most = most};
    listen_to(&to, cut, bytes, len);
    const struct usage *usage = &to.result.usage;
    char counted[100] = "";
    if (usage->prompt_tokens >= 0 || usage->completion_tokens >= 0)
        (void)snprintf(counted, sizeof counted, " usage=%d+%d,%d,%d", (int)usage->prompt_tokens, (int)usage->completion_tokens, (int)usage->cached_tokens,
                       (int)usage->reasoning_tokens);
    (void)snprintf(text, sizeof text, "%s|%s%s model=%s finish=%s%s", to.said.data, to.reply.ended ? "ended" : "open",
                   to.reply.failed ? " failed:" : "", to.result.model, to.result.finish_reason, counted);
    if (to.reply.failed)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), " outcome=%s said=%s", outcome_code(to.reply.outcome), to.reply.error.message);
    forget(&to);
    return text;
}

static void assert_reply(const char *bytes, size_t len, const char *wanted)
{
    EACH_CUT(cut, len) {
        const char *got = summary_of(&cut, bytes, len, 1 << 20);
        if (strcmp(got, wanted) != 0)
            print_error("cut number %zu of %.300s\n", cut.number, bytes);
        assert_string_equal(got, wanted);
    }
}

#define ASSERT_REPLY(bytes, wanted) assert_reply(bytes, sizeof(bytes) - 1, wanted)
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
                 "<hm>yes|ended model=o/r finish=stop usage=1+2,-1,-1");
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
        assert_string_equal(summary_of(&cut, bytes, sizeof bytes - 1, 7), "1234567890|open failed: model=m finish= outcome=provider_error said=");
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
            const char *got = summary_of(&cut, bytes, len, 1000);
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
        assert_int_equal(strstr(summary_of(&cut, bytes, len, 1000), "|ended") != NULL, len >= mark);
    }
}

static void a_cut_whole_answer_is_never_taken_for_a_finished_one(void **state)
{
    (void)state;
    static const char bytes[] = "{\"choices\":[{\"message\":{\"content\":\"A\"},\"finish_reason\":\"stop\"}],\"x\":1}";
    for (size_t len = 0; len < sizeof bytes - 1; len++) {
        struct cut cut = {0, len + 1, 1};
        assert_contains(summary_of(&cut, bytes, len, 1000), "|open");
    }
}

static void a_stream_cut_within_a_line_is_cut_and_not_garbage(void **state)
{
    (void)state;
    static const char bytes[] = DELTA("{\"content\":\"A\"}") "data: {\"choices\":[{\"del";
    struct cut cut = {0, sizeof bytes, 1};
    assert_string_equal(summary_of(&cut, bytes, sizeof bytes - 1, 1000), "A|open model=m finish=");
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
        strcpy(whole, summary_of(&at_once, bytes, sizeof start - 1, 100000));
        assert_string_equal(summary_of(&bytewise, bytes, sizeof start - 1, 100000), whole);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_has_model_messages_and_parameters),
    cmocka_unit_test(an_empty_system_prompt_is_left_out),
    cmocka_unit_test(refused_parameters_are_left_out_one_by_one),
    cmocka_unit_test(a_temperature_is_written_without_a_tail_of_digits),
    cmocka_unit_test(a_request_over_the_ceiling_is_refused),
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
