/*
 * Tests of src/llm/model.h: which row answers for which name, facts, prices, costs, whose a name is. The table is read once in the life of a process: each parley.json is a child.
 */
#include "unit.h"

#include <math.h>

#include "../../src/base/settings.h"
#include "../../src/llm/model.h"

struct world {
    const char *json; /* contents of parley.json; NULL: there is none */
    const char *provider, *model;
    int64_t tokens; /* of the prompt */
};

static void look(FILE *out, void *arg)
{
    const struct world *world = arg;
    char path[] = "/tmp/parley-model-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || (world->json != NULL && write(fd, world->json, strlen(world->json)) < 0))
        (void)fprintf(out, "the test cannot write its file\n");
    close(fd);
    settings.config_file = world->json != NULL ? path : "/nowhere/parley.json";
    struct model_facts facts = model_facts_of(world->provider, world->model);
    struct model_price price = model_price_of(world->provider, world->model, world->tokens);
    const char *by_name = model_provider(world->model);
    (void)fprintf(out, "%s context=%lld most=%lld vision=%d tools=%d reasoning=%d no_sampling=%d responses=%d price=%g/%g/%g date=%s by=%s", facts.known ? "known" : "unknown",
                  (long long)facts.context, (long long)facts.max_output, facts.vision, facts.tools, facts.reasoning, facts.no_sampling, facts.responses_only, price.input, price.output,
                  price.cached, price.date != NULL ? price.date : "-", by_name != NULL ? by_name : "-");
    (void)unlink(path);
}

#define SEEN_WITH(json_text, provider_id, name, prompt_tokens) in_child(look, &(struct world){json_text, provider_id, name, prompt_tokens})
#define SEEN(provider_id, name) SEEN_WITH(NULL, provider_id, name, 1000)

static const char *provider_of(const char *model)
{
    static char text[64];
    const char *seen = SEEN("nobody", model);
    (void)snprintf(text, sizeof text, "%s", strstr(seen, "by=") + 3);
    return text;
}

/* --- facts -------------------------------------------------------------------------------------------------------------------- */

static void known_models_have_their_facts(void **state)
{
    (void)state;
    assert_contains(SEEN("openai", "gpt-4o"), "known context=128000 most=16384 vision=1 tools=1 reasoning=0 no_sampling=0 responses=0 price=2.5/10/1.25 date=2026-08-01 by=openai");
    assert_contains(SEEN("openai", "o1"), "known context=200000 most=100000 vision=1 tools=1 reasoning=1");
    assert_contains(SEEN("openai", "gpt-5-codex"), "responses=1");
    assert_contains(SEEN("anthropic", "claude-opus-5"), "known context=1000000");
    assert_contains(SEEN("groq", "openai/gpt-oss-20b"), "known context=131072");
    assert_contains(SEEN("xai", "grok-4-1-fast"), "context=2000000 "); /* written as 2000000.0 in the table */
}

static void an_unknown_model_can_do_everything(void **state)
{
    (void)state;
    static const char wanted[] = "unknown context=0 most=0 vision=1 tools=1 reasoning=0 no_sampling=0 responses=0 price=-1/-1/-1 date=2026-08-01";
    assert_contains(SEEN("openai", "facebook/opt-125m"), wanted);
    assert_contains(SEEN("nobody", "gpt-4o"), wanted);
    assert_contains(SEEN("openai", ""), wanted);
    assert_contains(SEEN("", "openai/gpt-4o"), wanted);
}

static void a_dated_version_is_known_by_the_name_it_begins_with(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"openai", "gpt-4o-2024-08-06", "price=2.5/10/"},
        {"openai", "gpt-4o-mini-2024-07-18", "price=0.15/0.6/"}, /* the longest */
        {"openai", "gpt-5-mini-2025-08-07", "price=0.25/2/"},
        {"openai", "gpt-4o:ft-acme", "price=2.5/10/"},
        {"anthropic", "claude-sonnet-4-5@20250929", "price=3/15/"},
        {"anthropic", "claude-opus-4-5-20251101", "price=5/25/"},
        {"openrouter", "anthropic/claude-opus-4.7:beta", "price=5/25/"},
        {"ollama", "llama3.1:70b", "context=8192"},
        {"bedrock", "amazon.nova-pro-v1:0:300k", "price=0.8/3.2/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *seen = SEEN(rows[i][0], rows[i][1]);
        assert_ptr_equal(strstr(seen, "known"), seen);
        assert_contains(seen, rows[i][2]);
    }
}

static void a_name_that_goes_on_without_a_mark_is_another_model(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"openai", "gpt-4o1"}, {"openai", "gpt-4"}, {"openai", "o1-pro"}, {"openai", "gpt-4o-audio-preview"}, {"openai", "gpt-4omni"}, {"openai", "o11"}, {"openai", "gpt-5.9"}, {"openai", "gpt-4o.1"}, {"openai", "gpt-4o/x"}, {"openai", "gpt-4O"},
        {"openai", "x-gpt-4o"}, {"openai", "gpt"}, {"anthropic", "claude-opus-4"}, {"anthropic", "claude-opus-50"}, {"openai", "gpt-4o "}, {"ollama", "llama3.12"}, {"ollama", "llama3"},
        {"mistral", "mistral-large-2411"}, {"open", "ai/gpt-4o"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *seen = SEEN(rows[i][0], rows[i][1]);
        assert_ptr_equal(strstr(seen, "unknown"), seen);
        assert_contains(seen, "price=-1/-1/-1");
    }
}

static void an_endless_name_is_an_unknown_one(void **state)
{
    (void)state;
    static char name[100000];
    memset(name, '-', sizeof name - 1);
    assert_contains(SEEN("openai", name), "unknown");
    memcpy(name, "gpt-4o", 6);
    assert_contains(SEEN("openai", name), "known");
}

/* --- prices ----------------------------------------------------------------------------------------------------------------------- */

static void long_prompts_cost_what_the_table_says(void **state)
{
    (void)state;
    assert_contains(SEEN_WITH(NULL, "gemini", "gemini-2.5-pro", 200000), "price=1.25/10/0.125");
    assert_contains(SEEN_WITH(NULL, "gemini", "gemini-2.5-pro", 200001), "price=2.5/15/0.125");
    assert_contains(SEEN_WITH(NULL, "openai", "gpt-4o", 10000000), "price=2.5/10/");
}

static void prices_in_tiers_go_by_the_prompt(void **state)
{
    (void)state;
    assert_contains(SEEN_WITH(NULL, "dashscope", "qwen3-max", 0), "price=1.2/6/");
    assert_contains(SEEN_WITH(NULL, "dashscope", "qwen3-max", 31999), "price=1.2/6/");
    assert_contains(SEEN_WITH(NULL, "dashscope", "qwen3-max", 32001), "price=2.4/12/");
    assert_contains(SEEN_WITH(NULL, "dashscope", "qwen3-max", 200000), "price=3/15/");
}

/* qwen3-max takes 258,048 tokens, its last tier ends at 252,000. */
static void beyond_the_last_tier_its_price_holds(void **state)
{
    (void)state;
    assert_contains(SEEN_WITH(NULL, "dashscope", "qwen3-max", 255000), "price=3/15/");
}

static void cost(FILE *out, void *arg)
{
    static const struct {
        const char *provider, *model;
        int64_t prompt, completion, cached;
        double wanted; /* of a million */
    } rows[] = {
        {"openai", "gpt-4o", 1000, 100, -1, 1000 * 2.5 + 100 * 10},
        {"openai", "gpt-4o", 1000, 100, 0, 1000 * 2.5 + 100 * 10},
        {"openai", "gpt-4o", 1000, 100, 400, 600 * 2.5 + 400 * 1.25 + 100 * 10},
        {"openai", "gpt-4o", 1000, 0, 1000, 1000 * 1.25},
        {"openai", "gpt-4o-2024-08-06", 0, 0, -1, 0},
        {"openai", "gpt-4-turbo", 1000, 0, 400, 1000 * 10.0}, /* no price of its own for cached ones */
        {"anthropic", "claude-sonnet-4-5", 200001, 10, -1, 200001 * 6.0 + 10 * 22.5},
        {"ollama", "llama3.1", 5000, 5000, -1, 0},
        {"openai", "text-embedding-3-small", 1000, 0, -1, 1000 * 0.02},
        {"openai", "no-such", 1000, 100, -1, -1},
        {"openai", "gpt-4o", -1, 100, -1, -1},
        {"openai", "gpt-4o", 1000, -1, -1, -1},
        {"meta_llama", "Llama-3.3-70B-Instruct", 1000, 100, -1, -1}, /* known, its price is not */
    };
    (void)arg;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct usage usage = usage_none();
        usage.prompt_tokens = rows[i].prompt;
        usage.completion_tokens = rows[i].completion;
        usage.cached_tokens = rows[i].cached;
        double got = model_cost(rows[i].provider, rows[i].model, &usage);
        double wanted = rows[i].wanted < 0 ? -1 : rows[i].wanted / 1e6;
        if (!(fabs(got - wanted) < 1e-12) && !(wanted < 0 && got < 0))
            (void)fprintf(out, "%s/%s %lld+%lld: %g and not %g\n", rows[i].provider, rows[i].model, (long long)rows[i].prompt, (long long)rows[i].completion, got, wanted);
    }
}

static void what_was_used_has_its_cost(void **state)
{
    (void)state;
    settings.config_file = "/nowhere/parley.json";
    assert_string_equal(in_child(cost, NULL), "");
}

/* --- parley.json ---------------------------------------------------------------------------------------------------------------------- */

static void parley_json_adds_models(void **state)
{
    (void)state;
    static const char json[] = "{\"models\":[{\"id\":\"mine/big-1\",\"context\":5000,\"max_output\":700,\"input\":1,\"output\":2.5,\"cached\":0.5,\"tools\":true,\"no_sampling\":true,\"date\":\"2026-11-01\"}]}";
    assert_contains(SEEN_WITH(json, "mine", "big-1", 0), "known context=5000 most=700 vision=0 tools=1 reasoning=0 no_sampling=1 responses=0 price=1/2.5/0.5 date=2026-11-01");
    assert_contains(SEEN_WITH(json, "mine", "big-1-2026", 0), "known context=5000");
    assert_contains(SEEN_WITH(json, "openai", "gpt-4o", 0), "known context=128000");
}

static void parley_json_overrides_member_by_member(void **state)
{
    (void)state;
    static const char json[] = "{\"models\":[{\"id\":\"openai/gpt-4o\",\"input\":1.5,\"vision\":false},{\"id\":\"openai/gpt-4o-2024-05-13\",\"input\":5,\"output\":15}]}";
    assert_contains(SEEN_WITH(json, "openai", "gpt-4o", 0), "known context=128000 most=16384 vision=0 tools=1 reasoning=0 no_sampling=0 responses=0 price=1.5/10/1.25");
    assert_contains(SEEN_WITH(json, "openai", "gpt-4o-2024-05-13", 0), "price=5/15/-1");
    assert_contains(SEEN_WITH(json, "openai", "gpt-4o-2024-08-06", 0), "price=1.5/10/1.25");
}

static void bad_rows_of_models_are_no_harm(void **state)
{
    (void)state;
    static const char *const jsons[] = {"{\"models\":{}}", "{\"models\":null}", "{\"models\":[5,null,\"x\",{},{\"id\":7},[]]}",
                                        "{\"models\":[{\"id\":\"openai/gpt-4o\",\"context\":\"many\",\"input\":\"free\",\"output\":null,\"tiered\":5,\"long\":[]}]}"};
    for (size_t i = 0; i < sizeof jsons / sizeof *jsons; i++)
        assert_contains(SEEN_WITH(jsons[i], "openai", "gpt-4o", 0), i < 3 ? "known context=128000 " : "known context=0 most=16384 vision=1 tools=1 reasoning=0 no_sampling=0 responses=0 price=-1/-1/1.25");
}

/* --- whose a name is ---------------------------------------------------------------------------------------------------------------------- */

static void well_known_names_have_their_providers(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"gpt-4o", "openai"}, {"gpt-4o-mini-2024-07-18", "openai"}, {"o3", "openai"}, {"o4-mini", "openai"}, {"text-embedding-3-small", "openai"}, {"claude-opus-5", "anthropic"},
        {"gemini-2.5-pro", "gemini"}, {"mistral-large-latest", "mistral"}, {"deepseek-chat", "deepseek"}, {"grok-4", "xai"}, {"command-a-03-2025", "cohere"}, {"embed-v4.0", "cohere"},
        /* not in the table, but of a family */
        {"gpt-9-ultra", "openai"}, {"claude-neu-9", "anthropic"}, {"gemini-9.9-pro", "gemini"}, {"chatgpt-5-latest", "openai"}, {"o4-huge", "openai"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(provider_of(rows[i][0]), rows[i][1]);
}

static void other_names_are_nobodys(void **state)
{
    (void)state;
    static const char *const names[] = {"", "llama3.1", "facebook/opt-125m", "openai/gpt-4o", "anthropic/claude-opus-5", "gpt", "claude", "demo", "my-gpt-4o", "sonar", "qwen3-max"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(provider_of(names[i]), "-");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(known_models_have_their_facts),
    cmocka_unit_test(an_unknown_model_can_do_everything),
    cmocka_unit_test(a_dated_version_is_known_by_the_name_it_begins_with),
    cmocka_unit_test(a_name_that_goes_on_without_a_mark_is_another_model),
    cmocka_unit_test(an_endless_name_is_an_unknown_one),
    cmocka_unit_test(long_prompts_cost_what_the_table_says),
    cmocka_unit_test(prices_in_tiers_go_by_the_prompt),
    cmocka_unit_test(beyond_the_last_tier_its_price_holds),
    cmocka_unit_test(what_was_used_has_its_cost),
    cmocka_unit_test(parley_json_adds_models),
    cmocka_unit_test(parley_json_overrides_member_by_member),
    cmocka_unit_test(bad_rows_of_models_are_no_harm),
    cmocka_unit_test(well_known_names_have_their_providers),
    cmocka_unit_test(other_names_are_nobodys),
};

UNIT_MAIN(tests)
