/*
 * Tests of src/llm/provider.h: which provider a name means under which settings, and what its requests carry. Settings are loaded once in the life of a process: each world of them
 * is a child. (provider_check() needs a server: test_embed.c has one.)
 */
#include "unit.h"

#include "../../src/base/settings.h"
#include "../../src/llm/provider.h"

/* --- worlds ------------------------------------------------------------------------------------------------------------------- */

struct world {
    void (*look)(FILE *out, const struct world *world);
    const char *model; /* that is asked for; NULL: none */
    const char *path;  /* of the request */
    const char *json;  /* contents of parley.json; NULL: there is none */
    const char *environment[10];
};

static void enter(FILE *out, void *arg)
{
    const struct world *world = arg;
    char path[] = "/tmp/parley-provider-XXXXXX", variable[64];
    clearenv();
    int fd = mkstemp(path);
    if (fd < 0 || (world->json != NULL && write(fd, world->json, strlen(world->json)) < 0) || (world->json == NULL && unlink(path) != 0))
        (void)fprintf(out, "the test cannot write its file\n");
    close(fd);
    (void)snprintf(variable, sizeof variable, "PARLEY_JSON=%s", path);
    (void)putenv(variable);
    for (int i = 0; i < 10 && world->environment[i] != NULL; i++)
        (void)putenv((char *)(uintptr_t)world->environment[i]);
    if (!settings_load("cgi-bin/chat.fcgi", NULL, out))
        (void)fprintf(out, "the settings are bad\n");
    world->look(out, world);
    (void)unlink(path);
}

static void write_provider(FILE *out, enum outcome outcome, const struct provider *provider, const struct failure *failure)
{
    if (outcome != OUTCOME_OK)
        (void)fprintf(out, "%s: %s", outcome_code(outcome), failure->message);
    else
        (void)fprintf(out, "%s|%s|%s|%s|%s|%s%s", provider->id, provider->model, provider->is_demo ? "-" : provider->wire->name, provider->address, provider->key,
                      provider->facts.known ? "known" : "unknown", provider->is_demo ? " demo" : "");
}

/* id|model|wire|address|key|known */
static void find(FILE *out, const struct world *world)
{
    struct provider provider;
    struct failure failure = {0};
    write_provider(out, provider_find(world->model, &provider, &failure), &provider, &failure);
}

#define FOUND(asked, ...) in_child(enter, &(struct world){.look = find, .model = asked, .environment = {__VA_ARGS__}})
#define CONFIGURED(...) FOUND(NULL, __VA_ARGS__)

static void find_at(FILE *out, const struct world *world)
{
    struct provider provider;
    struct failure failure = {0};
    write_provider(out, provider_find_at(world->model, world->path, &provider, &failure), &provider, &failure);
}

#define FOUND_AT(asked, address, ...) in_child(enter, &(struct world){.look = find_at, .model = asked, .path = address, .environment = {__VA_ARGS__}})

/* URL, then the lines of headers. */
static void sign(FILE *out, const struct world *world)
{
    struct provider provider;
    struct failure failure = {0};
    struct buf url, headers;
    buf_init(&url, LIMIT_URL_BYTES * 2);
    buf_init(&headers, LIMIT_HEADER_BYTES);
    enum outcome outcome = provider_find(world->model, &provider, &failure);
    if (outcome == OUTCOME_OK && provider.is_demo)
        (void)fprintf(out, "the demo");
    else if (outcome == OUTCOME_OK)
        outcome = provider_sign(&provider, "POST", world->path, "{}", 2, &url, &headers, &failure);
    if (outcome != OUTCOME_OK)
        (void)fprintf(out, "%s: %s", outcome_code(outcome), failure.message);
    else
        (void)fprintf(out, "%s\n%s", url.data, headers.data);
    buf_free(&url);
    buf_free(&headers);
}

#define SIGNED_WITH(json_text, to, ...) in_child(enter, &(struct world){.look = sign, .path = to, .json = json_text, .environment = {__VA_ARGS__}})
#define SIGNED(to, ...) SIGNED_WITH(NULL, to, __VA_ARGS__)

#define OPENAI "OPENAI_API_KEY=sk-openai"
#define GROQ "GROQ_API_KEY=gsk-groq"
#define ANTHROPIC "ANTHROPIC_API_KEY=sk-ant"

/* --- the configured model --------------------------------------------------------------------------------------------------------- */

static void without_key_and_address_it_is_the_demo(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED(NULL), "demo|demo|-|||unknown demo");
    assert_string_equal(CONFIGURED("LLM_MODEL=my-finetune"), "demo|demo|-|||unknown demo");
    assert_string_equal(CONFIGURED("LLM_MODEL=claude-opus-5", OPENAI), "demo|demo|-|||unknown demo");
    assert_string_equal(CONFIGURED("LLM_MODEL=demo", OPENAI), "demo|demo|-|||unknown demo");
    assert_string_equal(CONFIGURED("LLM_MODEL=demo", "LLM_BASE_URL=http://h/v1"), "demo|demo|-|||unknown demo");
}

static void what_a_provider_lacks_that_is_named_is_said(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=anthropic/claude-opus-5", OPENAI), "provider_auth: The provider anthropic needs ANTHROPIC_API_KEY to be set on the server.");
    assert_contains(CONFIGURED("LLM_MODEL=azure/gpt-4o", "AZURE_API_KEY=k"), "The provider azure needs AZURE_RESOURCE_NAME to be set on the server.");
    assert_contains(CONFIGURED("LLM_MODEL=azure_ai/x", "AZURE_AI_API_KEY=k"), "The provider azure_ai needs its address in AZURE_AI_API_BASE to be set on the server.");
    assert_contains(CONFIGURED("LLM_MODEL=bedrock/m", "AWS_REGION=r"), "The provider bedrock needs AWS_ACCESS_KEY_ID to be set on the server.");
    assert_contains(FOUND("gpt-4o", "LLM_MODEL=groq/x", OPENAI), "The provider groq needs GROQ_API_KEY to be set on the server.");
}

static void an_id_before_the_first_slash_names_the_provider(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=openai/gpt-4o", OPENAI), "openai|gpt-4o|openai||sk-openai|known");
    assert_string_equal(CONFIGURED("LLM_MODEL=groq/openai/gpt-oss-20b", GROQ, OPENAI), "groq|openai/gpt-oss-20b|openai||gsk-groq|known");
    assert_string_equal(CONFIGURED("LLM_MODEL=anthropic/claude-next", ANTHROPIC), "anthropic|claude-next|anthropic||sk-ant|unknown");
    assert_string_equal(CONFIGURED("LLM_MODEL=openai/openai/x", OPENAI), "openai|openai/x|openai||sk-openai|unknown");
}

static void without_an_id_the_name_is_looked_up(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED(OPENAI), "openai|gpt-4o|openai||sk-openai|known");
    assert_string_equal(CONFIGURED("LLM_MODEL=claude-opus-5", ANTHROPIC, OPENAI), "anthropic|claude-opus-5|anthropic||sk-ant|known");
    assert_string_equal(CONFIGURED("LLM_MODEL=gemini-9-pro", "GEMINI_API_KEY=g", OPENAI), "gemini|gemini-9-pro|gemini||g|unknown");
    assert_string_equal(CONFIGURED("LLM_MODEL=my-finetune", ANTHROPIC, OPENAI), "openai|my-finetune|openai||sk-openai|unknown");
}

static void an_unknown_provider_is_told_with_the_nearest_ones(void **state)
{
    (void)state;
    const char *got = CONFIGURED("LLM_MODEL=opnai/gpt-4o", OPENAI);
    assert_contains(got, "There is no provider called \"opnai\". The most similar ones are: openai, ");
    assert_contains(got, outcome_code(OUTCOME_BAD_FIELD));
    assert_contains(CONFIGURED("LLM_MODEL=facebook/opt-125m", OPENAI), "There is no provider called \"facebook\".");
    assert_contains(CONFIGURED("LLM_MODEL=/gpt-4o", OPENAI), "There is no provider called \"\".");
}

static void with_an_address_a_known_id_is_asked_there(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=anthropic/claude-opus-5", "LLM_BASE_URL=http://h", ANTHROPIC, OPENAI), "anthropic|claude-opus-5|anthropic|http://h|sk-ant|known");
    assert_string_equal(CONFIGURED("LLM_MODEL=vllm/openai/gpt-oss-20b", "LLM_BASE_URL=http://h/v1"), "vllm|openai/gpt-oss-20b|openai|http://h/v1||unknown");
    assert_string_equal(CONFIGURED("LLM_MODEL=ollama/llama3.1", "LLM_BASE_URL=http://h:11434"), "ollama|llama3.1|ollama|http://h:11434||known");
}

static void with_an_address_any_other_name_goes_whole_to_the_openai_wire(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=facebook/opt-125m", "LLM_BASE_URL=http://h/v1"), "openai|facebook/opt-125m|openai|http://h/v1||unknown");
    assert_string_equal(CONFIGURED("LLM_MODEL=claude-opus-5", "LLM_BASE_URL=http://h/v1", ANTHROPIC), "openai|claude-opus-5|openai|http://h/v1||unknown");
    assert_string_equal(CONFIGURED("LLM_MODEL=llama3", "LLM_BASE_URL=http://h/v1", OPENAI), "openai|llama3|openai|http://h/v1|sk-openai|unknown");
    assert_string_equal(CONFIGURED("LLM_BASE_URL=http://h/v1"), "openai|gpt-4o|openai|http://h/v1||known");
}

static void the_openai_key_is_that_of_whatever_is_at_the_address(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=groq/llama", "LLM_BASE_URL=http://h", OPENAI), "groq|llama|openai|http://h|sk-openai|unknown");
    assert_string_equal(CONFIGURED("LLM_MODEL=groq/llama", "LLM_BASE_URL=http://h", OPENAI, GROQ), "groq|llama|openai|http://h|gsk-groq|unknown");
}

static void credentials_of_another_kind_are_not_replaced_by_the_openai_key(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=anthropic/c", "LLM_BASE_URL=http://h", OPENAI, "ANTHROPIC_AUTH_TOKEN=tok"), "anthropic|c|anthropic|http://h||unknown");
    assert_string_equal(CONFIGURED("LLM_MODEL=bedrock/m", "LLM_BASE_URL=http://h", OPENAI, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"), "bedrock|m|bedrock|http://h||unknown");
}

static void a_local_server_needs_no_key(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=lm_studio/qwen"), "lm_studio|qwen|openai|||unknown");
    assert_string_equal(CONFIGURED("LLM_MODEL=hosted_vllm/openai/gpt-oss-20b"), "hosted_vllm|openai/gpt-oss-20b|openai|||unknown");
}

/* providers.json has an address for it, and it needs no key: that is the whole set-up of most who have it. */
static void ollama_needs_no_key_either(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=ollama/llama3.1"), "ollama|llama3.1|ollama|||known");
}

static void a_model_of_the_responses_api_gets_its_wire(void **state)
{
    (void)state;
    assert_string_equal(CONFIGURED("LLM_MODEL=openai/gpt-5-codex", OPENAI), "openai|gpt-5-codex|responses||sk-openai|known");
    assert_string_equal(CONFIGURED("LLM_MODEL=gpt-5-pro-2025-10-06", OPENAI), "openai|gpt-5-pro-2025-10-06|responses||sk-openai|known");
}

/* --- the request's model -------------------------------------------------------------------------------------------------------------- */

static void no_model_is_the_configured_one(void **state)
{
    (void)state;
    assert_string_equal(FOUND("", "LLM_MODEL=groq/llama", GROQ), "groq|llama|openai||gsk-groq|unknown");
}

static void another_model_of_the_configured_provider_can_be_asked(void **state)
{
    (void)state;
    assert_string_equal(FOUND("openai/gpt-4.1", OPENAI), "openai|gpt-4.1|openai||sk-openai|known");
    assert_string_equal(FOUND("gpt-4.1", OPENAI), "openai|gpt-4.1|openai||sk-openai|known");
    assert_string_equal(FOUND("my-own", OPENAI), "openai|my-own|openai||sk-openai|unknown");
    assert_string_equal(FOUND("groq/other", "LLM_MODEL=groq/llama", "LLM_BASE_URL=http://h", GROQ), "groq|other|openai|http://h|gsk-groq|unknown");
    assert_string_equal(FOUND("gpt-5-codex", OPENAI), "openai|gpt-5-codex|responses||sk-openai|known");
}

static void a_model_of_another_provider_that_is_set_up_can_be_asked(void **state)
{
    (void)state;
    assert_string_equal(FOUND("groq/llama", OPENAI, GROQ), "groq|llama|openai||gsk-groq|unknown");
    assert_string_equal(FOUND("claude-opus-5", OPENAI, ANTHROPIC), "anthropic|claude-opus-5|anthropic||sk-ant|known");
    /* its own address, and not that of the configured one */
    assert_string_equal(FOUND("groq/llama", "LLM_BASE_URL=http://h", "LLM_MODEL=mine", OPENAI, GROQ), "groq|llama|openai||gsk-groq|unknown");
}

static void a_provider_that_is_not_set_up_is_part_of_the_name(void **state)
{
    (void)state;
    assert_string_equal(FOUND("groq/llama", OPENAI), "openai|groq/llama|openai||sk-openai|unknown");
    assert_string_equal(FOUND("anthropic/claude-opus-4.7", "LLM_MODEL=openrouter/openai/gpt-5.2", "OPENROUTER_API_KEY=or"), "openrouter|anthropic/claude-opus-4.7|openai||or|known");
    assert_string_equal(FOUND("claude-opus-5", OPENAI), "openai|claude-opus-5|openai||sk-openai|unknown");
    assert_string_equal(FOUND("hosted_vllm/x", OPENAI), "openai|hosted_vllm/x|openai||sk-openai|unknown");
}

static void an_unknown_prefix_is_part_of_the_name(void **state)
{
    (void)state;
    assert_string_equal(FOUND("facebook/opt-125m", "LLM_MODEL=hosted_vllm/x"), "hosted_vllm|facebook/opt-125m|openai|||unknown");
    assert_string_equal(FOUND("opnai/gpt-4o", OPENAI), "openai|opnai/gpt-4o|openai||sk-openai|unknown");
    assert_string_equal(FOUND("groq/", OPENAI, GROQ), "openai|groq/|openai||sk-openai|unknown");
}

static void with_an_address_names_without_an_id_stay_there(void **state)
{
    (void)state;
    assert_string_equal(FOUND("claude-opus-5", "LLM_BASE_URL=http://h/v1", ANTHROPIC), "openai|claude-opus-5|openai|http://h/v1||unknown");
    assert_string_equal(FOUND("gpt-4.1", "LLM_BASE_URL=http://h/v1", "LLM_MODEL=groq/x", GROQ, OPENAI), "groq|gpt-4.1|openai|http://h/v1|gsk-groq|unknown");
}

static void the_demo_answers_for_all_models(void **state)
{
    (void)state;
    assert_string_equal(FOUND("gpt-4o", NULL), "demo|demo|-|||unknown demo");
    assert_string_equal(FOUND("groq/llama", "LLM_MODEL=demo", GROQ), "demo|demo|-|||unknown demo");
}

static void a_bad_configured_model_fails_for_each_request(void **state)
{
    (void)state;
    assert_contains(FOUND("groq/llama", "LLM_MODEL=opnai/x", GROQ), "There is no provider called \"opnai\".");
}

static void a_request_cannot_name_an_address(void **state)
{
    (void)state;
    assert_string_equal(FOUND("http://evil.example/v1", OPENAI), "openai|http://evil.example/v1|openai||sk-openai|unknown");
    assert_contains(in_child(enter, &(struct world){.look = sign, .model = "http://evil.example/v1", .path = "/chat/completions", .environment = {OPENAI}}),
                    "https://api.openai.com/v1/chat/completions\n");
}

static void find_fallback(FILE *out, const struct world *world)
{
    struct provider provider;
    bool found = provider_find_fallback(world->model, &provider);
    write_provider(out, found ? OUTCOME_OK : OUTCOME_NOT_FOUND, &provider, &(struct failure){.message = "none"});
}

#define FALLBACK(asked, ...) in_child(enter, &(struct world){.look = find_fallback, .model = asked, .environment = {__VA_ARGS__}})

static void a_fallback_is_never_part_of_another_name(void **state)
{
    (void)state;
    assert_string_equal(FALLBACK("groq/llama", OPENAI, GROQ), "groq|llama|openai||gsk-groq|unknown");
    assert_string_equal(FALLBACK("gpt-4.1", OPENAI), "openai|gpt-4.1|openai||sk-openai|known");
    assert_string_equal(FALLBACK("openai/gpt-4.1", "LLM_BASE_URL=http://h", OPENAI), "openai|gpt-4.1|openai|http://h|sk-openai|known");
    assert_string_equal(FALLBACK("hosted_vllm/x", OPENAI), "hosted_vllm|x|openai|||unknown");
    assert_string_equal(FALLBACK("my-finetune", OPENAI), "openai|my-finetune|openai||sk-openai|unknown");
    assert_string_equal(FALLBACK("facebook/opt-125m", "LLM_BASE_URL=http://h"), "openai|facebook/opt-125m|openai|http://h||unknown");
    static const char *const none[] = {"groq/llama", "opnai/gpt-4o", "claude-opus-5", "facebook/opt-125m"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_contains(FALLBACK(none[i], OPENAI), ": none");
    assert_contains(FALLBACK("groq/llama", "LLM_MODEL=demo", GROQ), ": none");
}

static void a_model_can_have_an_address_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(FOUND_AT("openai/text-embedding-3-small", "", OPENAI, "LLM_BASE_URL=http://chat", "LLM_MODEL=x"), "openai|text-embedding-3-small|openai||sk-openai|known");
    assert_string_equal(FOUND_AT("BAAI/bge-m3", "http://e/v1", NULL), "openai|BAAI/bge-m3|openai|http://e/v1||unknown");
    assert_string_equal(FOUND_AT("tei/BAAI/bge-m3", "http://e", NULL), "tei|BAAI/bge-m3|openai|http://e||unknown");
    assert_string_equal(FOUND_AT("embed-v4.0", "", "COHERE_API_KEY=co"), "cohere|embed-v4.0|cohere||co|known");
    assert_contains(FOUND_AT("BAAI/bge-m3", "", OPENAI), "There is no provider called \"BAAI\".");
}

/* --- what requests carry ------------------------------------------------------------------------------------------------------------------ */

static void each_kind_of_auth_has_its_line(void **state)
{
    (void)state;
    assert_string_equal(SIGNED("/chat/completions", OPENAI), "https://api.openai.com/v1/chat/completions\nAuthorization: Bearer sk-openai\n");
    assert_string_equal(SIGNED("/messages", "LLM_MODEL=anthropic/c", ANTHROPIC), "https://api.anthropic.com/v1/messages\nx-api-key: sk-ant\n");
    assert_string_equal(SIGNED("/p", "LLM_MODEL=azure/d", "AZURE_API_KEY=az", "AZURE_RESOURCE_NAME=r"), "https://r.openai.azure.com/p\napi-key: az\n");
    assert_string_equal(SIGNED("/p", "LLM_MODEL=gemini/g", "GEMINI_API_KEY=goog"), "https://generativelanguage.googleapis.com/v1beta/p\nx-goog-api-key: goog\n");
    assert_string_equal(SIGNED("/api/chat", "LLM_MODEL=ollama/l", "OLLAMA_HOST=h"), "http://h:11434/api/chat\n");
    assert_string_equal(SIGNED("/api/chat", "LLM_MODEL=ollama/l", "OLLAMA_HOST=h", "OLLAMA_API_KEY=ok"), "http://h:11434/api/chat\nAuthorization: Bearer ok\n");
    assert_string_equal(SIGNED("/p", "LLM_MODEL=gigachat/g", "GIGACHAT_CREDENTIALS=short-lived"), "https://gigachat.devices.sberbank.ru/api/v1/p\nAuthorization: Bearer short-lived\n");
}

static void no_key_is_no_line(void **state)
{
    (void)state;
    assert_string_equal(SIGNED("/chat/completions", "LLM_BASE_URL=http://h/v1", "LLM_MODEL=m"), "http://h/v1/chat/completions\n");
    assert_string_equal(SIGNED("/messages", "LLM_BASE_URL=http://h", "LLM_MODEL=anthropic/c"), "http://h/v1/messages\n");
}

static void a_bearer_token_stands_in_for_the_key(void **state)
{
    (void)state;
    assert_string_equal(SIGNED("/messages", "LLM_MODEL=anthropic/c", "ANTHROPIC_AUTH_TOKEN=tok"), "https://api.anthropic.com/v1/messages\nAuthorization: Bearer tok\n");
    assert_string_equal(SIGNED("/messages", "LLM_MODEL=anthropic/c", "ANTHROPIC_AUTH_TOKEN=tok", ANTHROPIC), "https://api.anthropic.com/v1/messages\nx-api-key: sk-ant\n");
    assert_string_equal(SIGNED("/p", "LLM_MODEL=azure/d", "AZURE_AD_TOKEN=entra", "AZURE_RESOURCE_NAME=r"), "https://r.openai.azure.com/p\nAuthorization: Bearer entra\n");
}

static void aws_requests_are_signed(void **state)
{
    (void)state;
    const char *got = SIGNED("/model/m%3A0/converse-stream", "LLM_MODEL=bedrock/m:0", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
                             "AWS_SESSION_TOKEN=session");
    assert_contains(got, "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m%3A0/converse-stream\n");
    assert_contains(got, "\nX-Amz-Date: ");
    assert_contains(got, "\nX-Amz-Security-Token: session\n");
    assert_contains(got, "\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/");
    assert_contains(got, "/eu-west-1/bedrock/aws4_request");
    assert_lacks(got, "Bearer");
    assert_lacks(got, "secret");
}

static void aws_signs_for_the_region_of_the_host(void **state)
{
    (void)state;
    assert_contains(SIGNED("/p", "LLM_MODEL=bedrock/m", "LLM_BASE_URL=https://bedrock-runtime.ap-south-1.amazonaws.com", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"), "/ap-south-1/bedrock/");
}

static void with_a_bearer_key_nothing_is_signed(void **state)
{
    (void)state;
    assert_string_equal(SIGNED("/p", "LLM_MODEL=bedrock/m", "AWS_REGION=r1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s", "AWS_BEARER_TOKEN_BEDROCK=bear"),
                        "https://bedrock-runtime.r1.amazonaws.com/p\nAuthorization: Bearer bear\n");
}

static void a_path_may_be_a_whole_address_with_parts(void **state)
{
    (void)state;
    static const char path[] = "https://bedrock.{region}.amazonaws.com/foundation-models";
    assert_string_equal(SIGNED(path, "LLM_MODEL=bedrock/m", "AWS_REGION=r1", "AWS_BEARER_TOKEN_BEDROCK=bear"),
                        "https://bedrock.r1.amazonaws.com/foundation-models\nAuthorization: Bearer bear\n");
    assert_contains(SIGNED(path, "LLM_MODEL=bedrock/m", "LLM_BASE_URL=http://h", "AWS_BEARER_TOKEN_BEDROCK=bear"), "needs AWS_REGION to be set");
}

static void without_keys_aws_is_refused(void **state)
{
    (void)state;
    assert_contains(SIGNED("/p", "LLM_MODEL=bedrock/m", "LLM_BASE_URL=http://h"), outcome_code(OUTCOME_PROVIDER_AUTH));
}

static void a_missing_part_of_the_address_is_named(void **state)
{
    (void)state;
    assert_contains(SIGNED_WITH("{\"providers\":[{\"id\":\"mine\",\"auth\":\"none\",\"local\":true,\"url\":\"http://{zone}\",\"url_parts\":{\"zone\":[\"MY_ZONE\"]}}]}", "/p", "LLM_MODEL=mine/m"),
                    "The provider mine needs MY_ZONE to be set on the server.");
}

static void rows_can_have_headers_of_their_own(void **state)
{
    (void)state;
    static const char json[] = "{\"providers\":[{\"id\":\"openai\",\"headers\":{\"X-Plain\":\"as it is\",\"X-Team\":\"$MY_TEAM\",\"X-Unset\":\"$NO_SUCH\",\"X-Empty\":\"\",\"X-Number\":5,"
                               "\"X-Setting\":\"$LLM_MODEL\"}}]}";
    assert_string_equal(SIGNED_WITH(json, "/p", OPENAI, "MY_TEAM=blue"),
                        "https://api.openai.com/v1/p\nAuthorization: Bearer sk-openai\nX-Plain: as it is\nX-Team: blue\nX-Setting: gpt-4o\n");
    assert_string_equal(SIGNED_WITH("{\"providers\":[{\"id\":\"openai\",\"headers\":[\"X: y\"]}]}", "/p", OPENAI), "https://api.openai.com/v1/p\nAuthorization: Bearer sk-openai\n");
}

static void a_row_can_name_the_header_of_its_key(void **state)
{
    (void)state;
    assert_string_equal(SIGNED_WITH("{\"providers\":[{\"id\":\"groq\",\"key_header\":\"X-Own\"}]}", "/p", "LLM_MODEL=groq/m", GROQ), "https://api.groq.com/openai/v1/p\nX-Own: gsk-groq\n");
}

static void own_headers_cannot_hold_more_lines(void **state)
{
    (void)state;
    static const char json[] = "{\"providers\":[{\"id\":\"openai\",\"headers\":{\"X-One\":\"a\\r\\nEvil: 1\",\"X-Two\":\"b\\nEvil: 2\",\"X-Three\":\"$MY_TEAM\",\"Evil: 4\\nX\":\"c\",\"X:Five\":\"d\"}}]}";
    assert_string_equal(SIGNED_WITH(json, "/p", OPENAI, "MY_TEAM=e\nEvil: 3"), "https://api.openai.com/v1/p\nAuthorization: Bearer sk-openai\n");
}

static void keys_in_headers_cannot_hold_more_lines(void **state)
{
    (void)state;
    assert_lacks(SIGNED("/p", "LLM_MODEL=anthropic/c", "ANTHROPIC_API_KEY=k\r\nEvil: 1"), "Evil");
    assert_lacks(SIGNED("/p", "LLM_MODEL=gemini/g", "GEMINI_API_KEY=k\nEvil: 1"), "Evil");
    assert_lacks(SIGNED("/p", "LLM_MODEL=bedrock/m", "AWS_REGION=r", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t\nEvil: 1"), "Evil");
}

static void a_bearer_key_cannot_hold_more_lines(void **state)
{
    (void)state;
    assert_lacks(SIGNED("/p", "OPENAI_API_KEY=k\r\nEvil: 1"), "Evil");
    assert_lacks(SIGNED("/p", "LLM_MODEL=anthropic/c", "ANTHROPIC_AUTH_TOKEN=k\nEvil: 1"), "Evil");
}

static void address_and_path_have_one_slash_between_them(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"LLM_BASE_URL=http://h/v1", "/chat/completions", "http://h/v1/chat/completions\n"},
        {"LLM_BASE_URL=http://h/v1/", "/chat/completions", "http://h/v1/chat/completions\n"},
        {"LLM_BASE_URL=http://h/v1//", "/chat/completions?a=b", "http://h/v1/chat/completions?a=b\n"},
        {"LLM_BASE_URL=http://h", "/models", "http://h/models\n"},
        {"LLM_BASE_URL=http://h/v1/chat/completions", "/chat/completions", "http://h/v1/chat/completions\n"},
        {"LLM_BASE_URL=http://h/v1/chat/completions/", "/chat/completions?a=b", "http://h/v1/chat/completions?a=b\n"},
        {"LLM_BASE_URL=h:8000/v1", "/models", "http://h:8000/v1/models\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(SIGNED(rows[i][1], "LLM_MODEL=m", rows[i][0]), rows[i][2]);
}

static void a_key_that_does_not_fit_is_a_failure(void **state)
{
    (void)state;
    static char variable[LIMIT_HEADER_BYTES + 100] = "OPENAI_API_KEY=";
    memset(variable + strlen(variable), 'k', sizeof variable - strlen(variable) - 1);
    assert_contains(SIGNED("/p", variable), outcome_code(OUTCOME_NO_MEMORY));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_key_and_address_it_is_the_demo),
    cmocka_unit_test(what_a_provider_lacks_that_is_named_is_said),
    cmocka_unit_test(an_id_before_the_first_slash_names_the_provider),
    cmocka_unit_test(without_an_id_the_name_is_looked_up),
    cmocka_unit_test(an_unknown_provider_is_told_with_the_nearest_ones),
    cmocka_unit_test(with_an_address_a_known_id_is_asked_there),
    cmocka_unit_test(with_an_address_any_other_name_goes_whole_to_the_openai_wire),
    cmocka_unit_test(the_openai_key_is_that_of_whatever_is_at_the_address),
    cmocka_unit_test(credentials_of_another_kind_are_not_replaced_by_the_openai_key),
    cmocka_unit_test(a_local_server_needs_no_key),
    cmocka_unit_test(ollama_needs_no_key_either),
    cmocka_unit_test(a_model_of_the_responses_api_gets_its_wire),
    cmocka_unit_test(no_model_is_the_configured_one),
    cmocka_unit_test(another_model_of_the_configured_provider_can_be_asked),
    cmocka_unit_test(a_model_of_another_provider_that_is_set_up_can_be_asked),
    cmocka_unit_test(a_provider_that_is_not_set_up_is_part_of_the_name),
    cmocka_unit_test(an_unknown_prefix_is_part_of_the_name),
    cmocka_unit_test(with_an_address_names_without_an_id_stay_there),
    cmocka_unit_test(the_demo_answers_for_all_models),
    cmocka_unit_test(a_bad_configured_model_fails_for_each_request),
    cmocka_unit_test(a_request_cannot_name_an_address),
    cmocka_unit_test(a_fallback_is_never_part_of_another_name),
    cmocka_unit_test(a_model_can_have_an_address_of_its_own),
    cmocka_unit_test(each_kind_of_auth_has_its_line),
    cmocka_unit_test(no_key_is_no_line),
    cmocka_unit_test(a_bearer_token_stands_in_for_the_key),
    cmocka_unit_test(aws_requests_are_signed),
    cmocka_unit_test(aws_signs_for_the_region_of_the_host),
    cmocka_unit_test(with_a_bearer_key_nothing_is_signed),
    cmocka_unit_test(a_path_may_be_a_whole_address_with_parts),
    cmocka_unit_test(without_keys_aws_is_refused),
    cmocka_unit_test(a_missing_part_of_the_address_is_named),
    cmocka_unit_test(rows_can_have_headers_of_their_own),
    cmocka_unit_test(a_row_can_name_the_header_of_its_key),
    cmocka_unit_test(own_headers_cannot_hold_more_lines),
    cmocka_unit_test(keys_in_headers_cannot_hold_more_lines),
    cmocka_unit_test(a_bearer_key_cannot_hold_more_lines),
    cmocka_unit_test(address_and_path_have_one_slash_between_them),
    cmocka_unit_test(a_key_that_does_not_fit_is_a_failure),
};

UNIT_MAIN(tests)
