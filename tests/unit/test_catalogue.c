/*
 * Tests of src/llm/catalogue.h: the embedded rows, finding and guessing ids, addresses, keys, what parley.json changes. Settings and the list are read once in the life of a
 * process: each world of them is a child, which writes down what it sees.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/base/secrets.h"
#include "../../src/base/settings.h"
#include "../../src/llm/catalogue.h"

/* --- worlds ------------------------------------------------------------------------------------------------------------------- */

struct world {
    void (*look)(FILE *out, const char *id);
    const char *id;
    const char *json;            /* contents of parley.json; NULL: there is none */
    const char *environment[10]; /* NAME=VALUE */
};

static void enter(FILE *out, void *arg)
{
    const struct world *world = arg;
    char path[] = "/tmp/parley-catalogue-XXXXXX", variable[64];
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
    (void)fflush(out);
    (void)dup2(fileno(out), STDERR_FILENO); /* the log is part of what is seen */
    world->look(out, world->id);
    (void)unlink(path);
}

/* What is known of a provider, in one line. */
static void look_at(FILE *out, const char *id)
{
    const struct catalogue_provider *provider = catalogue_find(id, strlen(id));
    if (provider == NULL) {
        (void)fprintf(out, "there is no %s", id);
        return;
    }
    struct failure failure = {0};
    struct buf url;
    buf_init(&url, LIMIT_URL_BYTES);
    enum outcome outcome = catalogue_address(provider, "", &url, &failure);
    (void)fprintf(out, "%s: %s=[%s] key=[%s] set_up=%d wire=%s auth=%d chat=%d local=%d name=[%s] embeddings=[%s] models=[%s]", provider->id,
                  outcome == OUTCOME_OK ? "address" : outcome_code(outcome), outcome == OUTCOME_OK ? url.data : failure.message, catalogue_key(provider),
                  catalogue_is_set_up(provider), provider->wire->name, (int)provider->auth, provider->chat, provider->local, provider->name,
                  provider->embeddings != NULL ? provider->embeddings : "-", provider->models != NULL ? provider->models : "-");
    buf_free(&url);
}

#define SEEN_WITH(json_text, one, ...) in_child(enter, &(struct world){look_at, one, json_text, {__VA_ARGS__}})
#define SEEN(one, ...) SEEN_WITH(NULL, one, __VA_ARGS__)

static void write_export(FILE *out, const char *id)
{
    (void)id;
    catalogue_write_export(out);
}

static void count_rows(FILE *out, const char *id)
{
    (void)id;
    (void)fprintf(out, "%zu providers", catalogue_count());
}

/* --- the embedded rows ---------------------------------------------------------------------------------------------------------- */

/* In a child: the list of this process stays unread for other tests. */
static void look_at_all(FILE *out, const char *id)
{
    (void)id;
    (void)fprintf(out, "%s", catalogue_count() > 150 ? "many" : "few");
    for (size_t i = 0; i < catalogue_count(); i++) {
        const struct catalogue_provider *provider = catalogue_at(i);
        const char *wire = json_text(provider->row, "wire", NULL), *url = json_text(provider->row, "url", NULL);
        bool placed = url != NULL || json_at(provider->row, "url_from") != NULL;
        if (catalogue_find(provider->id, strlen(provider->id)) != provider)
            (void)fprintf(out, "\n%s is there twice", provider->id);
        if (strpbrk(provider->id, "/ ,\t") != NULL || provider->id[0] == '\0' || provider->name[0] == '\0')
            (void)fprintf(out, "\n%s has a bad id or name", provider->id);
        if (wire == NULL || strcmp(provider->wire->name, wire) != 0)
            (void)fprintf(out, "\n%s has no wire", provider->id);
        if (url != NULL && (strncmp(url, "http", 4) != 0 || url[strlen(url) - 1] == '/'))
            (void)fprintf(out, "\n%s has a bad address", provider->id);
        if (!placed && provider->chat)
            (void)fprintf(out, "\n%s can only be reached by LLM_BASE_URL", provider->id);
        if ((provider->embeddings != NULL && provider->embeddings[0] != '/') || (!provider->chat && provider->embeddings == NULL))
            (void)fprintf(out, "\n%s has a bad path of embeddings", provider->id);
        for (const char *part = url; part != NULL && (part = strchr(part, '{')) != NULL; part++) {
            char member[64];
            (void)snprintf(member, sizeof member, "url_parts.%.*s.0", (int)strcspn(part + 1, "}"), part + 1);
            if (json_text(provider->row, member, NULL) == NULL)
                (void)fprintf(out, "\n%s: nothing sets %s", provider->id, member);
        }
    }
}

static void every_embedded_row_is_usable(void **state)
{
    (void)state;
    assert_string_equal(in_child(enter, &(struct world){.look = look_at_all}), "many");
}

static void rows_say_who_and_how(void **state)
{
    (void)state;
    assert_contains(SEEN("openai"), "address=[https://api.openai.com/v1] key=[] set_up=0 wire=openai auth=0 chat=1 local=0 name=[OpenAI] embeddings=[/embeddings] models=[/models]");
    assert_contains(SEEN("anthropic"), "wire=anthropic auth=1 ");
    assert_contains(SEEN("voyage"), "chat=0");
    assert_contains(SEEN("hosted_vllm"), "local=1");
    assert_contains(SEEN("perplexity"), "models=[-]");
}

/* --- finding ---------------------------------------------------------------------------------------------------------------------- */

static void find_some(FILE *out, const char *id)
{
    (void)id;
    static const char model[] = "openai/gpt-4o";
    (void)fprintf(out, "%d%d%d%d%d%d", catalogue_find(model, 6) != NULL, catalogue_find(model, 5) != NULL, catalogue_find(model, 7) != NULL,
                  catalogue_find(model, 0) != NULL, catalogue_find("OpenAI", 6) != NULL, catalogue_find("azure_ai", 8) != catalogue_find("azure", 5));
}

static void ids_are_found_by_exactly_so_many_bytes(void **state)
{
    (void)state;
    assert_string_equal(in_child(enter, &(struct world){.look = find_some}), "100001");
}

static void guess(FILE *out, const char *id)
{
    char names[200];
    catalogue_nearest(id, strlen(id), names, sizeof names);
    (void)fprintf(out, "%s", names);
}

#define NEAREST(typed) in_child(enter, &(struct world){guess, typed, NULL, {NULL}})

static void typing_errors_lead_to_the_nearest_ids(void **state)
{
    (void)state;
    static const char *const typed[][2] = {{"opnai", "openai, "}, {"antropic", "anthropic, "}, {"olama", "ollama, "}, {"mistrall", "mistral, "},
                                           {"gemnii", "gemini, "}, {"openai", "openai, "}, {"deepsek", "deepseek, "}, {"togehter_ai", "together_ai, "}};
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
        const char *names = NEAREST(typed[i][0]);
        assert_ptr_equal(strstr(names, typed[i][1]), names);
        assert_int_equal(strlen(names) - strlen(strrchr(names, ',')) > strlen(typed[i][1]) - 2, 1); /* two others behind it */
    }
}

static void a_very_long_id_has_nearest_ones_too(void **state)
{
    (void)state;
    char typed[200];
    memset(typed, 'x', sizeof typed - 1);
    typed[sizeof typed - 1] = '\0';
    assert_lacks(NEAREST(typed), ", ,");
}

static void guess_briefly(FILE *out, const char *id)
{
    char names[8];
    catalogue_nearest(id, strlen(id), names, sizeof names);
    (void)fprintf(out, "%zu", strlen(names));
}

static void names_are_cut_where_the_room_ends(void **state)
{
    (void)state;
    assert_string_equal(in_child(enter, &(struct world){.look = guess_briefly, .id = "opnai"}), "7");
}

/* --- addresses ---------------------------------------------------------------------------------------------------------------------- */

static void parts_of_addresses_are_filled_in(void **state)
{
    (void)state;
    assert_contains(SEEN("bedrock", "AWS_REGION=eu-west-1"), "address=[https://bedrock-runtime.eu-west-1.amazonaws.com]");
    assert_contains(SEEN("vertex_ai", "VERTEXAI_PROJECT=p1", "VERTEXAI_LOCATION=europe-west4"),
                    "address=[https://europe-west4-aiplatform.googleapis.com/v1/projects/p1/locations/europe-west4/publishers/google]");
    assert_contains(SEEN("snowflake", "SNOWFLAKE_ACCOUNT_ID=acme"), "address=[https://acme.snowflakecomputing.com/api/v2/cortex/v1]");
    assert_contains(SEEN("snowflake", "SNOWFLAKE_ACCOUNT_ID=acme", "SNOWFLAKE_ACCOUNT=first"), "address=[https://first.snow");
}

static void a_part_may_be_set_as_an_address(void **state)
{
    (void)state;
    assert_contains(SEEN("databricks", "DATABRICKS_HOST=https://dbc-1.cloud.databricks.com/"), "address=[https://dbc-1.cloud.databricks.com/serving-endpoints]");
    assert_contains(SEEN("databricks", "DATABRICKS_HOST=dbc-1.cloud.databricks.com"), "address=[https://dbc-1.cloud.databricks.com/serving-endpoints]");
}

static void a_part_cannot_leave_its_place(void **state)
{
    (void)state;
    assert_contains(SEEN("bedrock", "AWS_REGION=evil.example/x"), "address=[https://bedrock-runtime.evil.example.amazonaws.com]");
}

static void a_missing_part_is_named(void **state)
{
    (void)state;
    assert_contains(SEEN("bedrock"), "provider_error=[The provider bedrock needs AWS_REGION to be set on the server.]");
    assert_contains(SEEN("azure"), "needs AZURE_RESOURCE_NAME to be set");
    assert_contains(SEEN("vertex_ai", "VERTEXAI_PROJECT=p1"), "needs VERTEXAI_LOCATION to be set");
    assert_contains(SEEN("snowflake", "SNOWFLAKE_ACCOUNT="), "needs SNOWFLAKE_ACCOUNT to be set");
}

static void a_provider_without_an_address_names_the_variable(void **state)
{
    (void)state;
    assert_contains(SEEN("azure_ai"), "provider_error=[The provider azure_ai needs its address in AZURE_AI_API_BASE to be set on the server.]");
    assert_contains(SEEN("infinity"), "needs its address in LLM_BASE_URL to be set");
    assert_contains(SEEN("azure_ai", "AZURE_AI_API_BASE=https://x.example/models/"), "address=[https://x.example/models]");
}

static void a_variable_replaces_the_known_address(void **state)
{
    (void)state;
    assert_contains(SEEN("openai", "OPENAI_BASE_URL=http://proxy:4000/v1"), "address=[http://proxy:4000/v1]");
    assert_contains(SEEN("openai", "OPENAI_API_BASE=http://second", "OPENAI_BASE_URL=http://first"), "address=[http://first]");
    assert_contains(SEEN("openai", "OPENAI_API_BASE=http://second", "OPENAI_BASE_URL="), "address=[http://second]");
    assert_contains(SEEN("azure", "AZURE_API_BASE=https://r.openai.azure.com/"), "address=[https://r.openai.azure.com]"); /* and needs no resource */
}

static void addresses_are_tidied(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"openai", "OPENAI_BASE_URL=http://h/v1///", "[http://h/v1]"},
        {"openai", "OPENAI_BASE_URL=http://h", "[http://h]"},
        {"openai", "OPENAI_BASE_URL=h:8000/v1", "[http://h:8000/v1]"},
        {"ollama", "OLLAMA_HOST=127.0.0.1:11434", "[http://127.0.0.1:11434]"},
        {"ollama", "OLLAMA_HOST=myhost", "[http://myhost:11434]"}, /* Ollama's own port */
        {"ollama", "OLLAMA_HOST=http://myhost", "[http://myhost]"},
        {"ollama", "OLLAMA_API_BASE=http://h:1/v1", "[http://h:1]"},
        {"ollama", "OLLAMA_API_BASE=http://h:1/v1/", "[http://h:1]"},
        {"ollama", "OLLAMA_API_BASE=http://h:1/api", "[http://h:1]"},
        {"ollama", "OLLAMA_API_BASE=http://h:1/api/", "[http://h:1]"},
        {"ollama", "OLLAMA_API_BASE=http://h:1/ollama/", "[http://h:1/ollama]"},
        {"ollama", "OLLAMA_API_BASE=http://h:1/myapi", "[http://h:1/myapi]"},
        {"anthropic", "ANTHROPIC_BASE_URL=https://api.anthropic.com", "[https://api.anthropic.com/v1]"},
        {"anthropic", "ANTHROPIC_BASE_URL=https://api.anthropic.com/", "[https://api.anthropic.com/v1]"},
        {"anthropic", "ANTHROPIC_BASE_URL=https://api.anthropic.com/v1/", "[https://api.anthropic.com/v1]"},
        {"anthropic", "ANTHROPIC_BASE_URL=https://proxy/anthropic/v1", "[https://proxy/anthropic/v1]"},
        {"gemini", "GEMINI_API_BASE=https://generativelanguage.googleapis.com", "[https://generativelanguage.googleapis.com/v1beta]"},
        {"gemini", "GEMINI_API_BASE=http://127.0.0.1:9/", "[http://127.0.0.1:9/v1beta]"},
        {"gemini", "GEMINI_API_BASE=http://127.0.0.1:9/v1", "[http://127.0.0.1:9/v1]"},
        {"cohere", "COHERE_API_BASE=https://api.cohere.com/", "[https://api.cohere.com]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_contains(SEEN(rows[i][0], rows[i][1]), rows[i][2]);
}

static void look_at_given(FILE *out, const char *id)
{
    static const char *const given[] = {"http://given:1/v1/", "given:1", "https://given"};
    const struct catalogue_provider *provider = catalogue_find(id, strlen(id));
    struct buf url;
    buf_init(&url, LIMIT_URL_BYTES);
    for (size_t i = 0; i < 3; i++) {
        buf_add_text(&url, i > 0 ? " " : "");
        struct buf one;
        buf_init(&one, LIMIT_URL_BYTES);
        if (catalogue_address(provider, given[i], &one, NULL) == OUTCOME_OK)
            buf_add_text(&url, one.data);
        buf_free(&one);
    }
    (void)fprintf(out, "%s", url.data);
    buf_free(&url);
}

static void an_address_that_is_given_is_used_instead_of_all_else(void **state)
{
    (void)state;
    struct world world = {.look = look_at_given, .id = "anthropic", .environment = {"ANTHROPIC_BASE_URL=http://other"}};
    assert_string_equal(in_child(enter, &world), "http://given:1/v1 http://given:1/v1 https://given/v1");
    world.id = "bedrock"; /* parts are not needed then */
    assert_string_equal(in_child(enter, &world), "http://given:1/v1 http://given:1 https://given");
}

static void look_at_long(FILE *out, const char *id)
{
    const struct catalogue_provider *provider = catalogue_find(id, strlen(id));
    struct failure failure = {0};
    struct buf url;
    buf_init(&url, 10);
    (void)fprintf(out, "%s", outcome_code(catalogue_address(provider, "", &url, &failure)));
    buf_free(&url);
}

static void an_address_that_does_not_fit_is_a_failure(void **state)
{
    (void)state;
    assert_string_equal(in_child(enter, &(struct world){.look = look_at_long, .id = "openai"}), outcome_code(OUTCOME_NO_MEMORY));
    assert_string_equal(in_child(enter, &(struct world){.look = look_at_long, .id = "anthropic", .environment = {"ANTHROPIC_BASE_URL=http://0123456789"}}),
                        outcome_code(OUTCOME_NO_MEMORY));
}

/* --- keys and what is set up ---------------------------------------------------------------------------------------------------------- */

static void keys_are_tried_in_the_order_of_their_variables(void **state)
{
    (void)state;
    assert_contains(SEEN("gemini", "GOOGLE_API_KEY=second"), "key=[second]");
    assert_contains(SEEN("gemini", "GOOGLE_API_KEY=second", "GEMINI_API_KEY=first"), "key=[first]");
    assert_contains(SEEN("gemini", "GOOGLE_API_KEY=second", "GEMINI_API_KEY="), "key=[second]");
    assert_contains(SEEN("openai", "OPENAI_API_KEY=sk-1"), "key=[sk-1]"); /* a setting of ours is a variable too */
    assert_contains(SEEN("anthropic", "ANTHROPIC_AUTH_TOKEN=token"), "key=[]");
}

static void a_provider_with_address_and_key_is_set_up(void **state)
{
    (void)state;
    assert_contains(SEEN("openai"), "set_up=0");
    assert_contains(SEEN("openai", "OPENAI_API_KEY=sk-1"), "set_up=1");
    assert_contains(SEEN("openai", "OPENAI_BASE_URL=http://h"), "set_up=0");
    assert_contains(SEEN("azure", "AZURE_API_KEY=k"), "set_up=0");
    assert_contains(SEEN("azure", "AZURE_API_KEY=k", "AZURE_RESOURCE_NAME=r"), "set_up=1");
    assert_contains(SEEN("azure", "AZURE_RESOURCE_NAME=r"), "set_up=0");
    assert_contains(SEEN("azure_ai", "AZURE_AI_API_KEY=k"), "set_up=0");
}

static void a_bearer_token_counts_as_a_key(void **state)
{
    (void)state;
    assert_contains(SEEN("anthropic", "ANTHROPIC_AUTH_TOKEN=token"), "set_up=1");
    assert_contains(SEEN("azure", "AZURE_AD_TOKEN=token", "AZURE_API_BASE=http://h"), "set_up=1");
}

static void a_server_without_keys_is_set_up_by_its_address(void **state)
{
    (void)state;
    assert_contains(SEEN("ollama"), "set_up=0"); /* nobody said that there is one */
    assert_contains(SEEN("ollama", "OLLAMA_HOST=127.0.0.1"), "set_up=1");
    assert_contains(SEEN("hosted_vllm", "HOSTED_VLLM_API_BASE=http://h/v1"), "set_up=1");
    assert_contains(SEEN("ollama", "OLLAMA_API_KEY=k"), "set_up=1");
}

static void aws_needs_both_halves_of_its_key(void **state)
{
    (void)state;
    assert_contains(SEEN("bedrock", "AWS_REGION=r", "AWS_BEARER_TOKEN_BEDROCK=b"), "set_up=1");
    assert_contains(SEEN("bedrock", "AWS_REGION=r", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"), "set_up=1");
    assert_contains(SEEN("bedrock", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"), "set_up=0");
    assert_contains(SEEN("bedrock", "AWS_REGION=r"), "set_up=0");
}

static void half_a_key_of_aws_is_none(void **state)
{
    (void)state;
    assert_contains(SEEN("bedrock", "AWS_REGION=r", "AWS_ACCESS_KEY_ID=a"), "set_up=0");
    assert_contains(SEEN("bedrock", "AWS_REGION=r", "AWS_SESSION_TOKEN=t"), "set_up=0");
}

static void tell_a_secret(FILE *out, const char *id)
{
    (void)catalogue_find(id, strlen(id));
    char said[] = "groq-secret-1 token-secret-2 aws-secret-3 plain";
    secrets_mask(said);
    (void)fprintf(out, "%s", said);
}

static void keys_are_masked_once_the_list_is_read(void **state)
{
    (void)state;
    struct world world = {.look = tell_a_secret, .id = "x", .environment = {"GROQ_API_KEY=groq-secret-1", "AZURE_AD_TOKEN=token-secret-2", "AWS_SECRET_ACCESS_KEY=aws-secret-3"}};
    const char *said = in_child(enter, &world);
    assert_lacks(said, "secret");
    assert_contains(said, " plain");
}

/* --- parley.json ------------------------------------------------------------------------------------------------------------------------ */

static void parley_json_adds_providers(void **state)
{
    (void)state;
    static const char json[] = "{\"providers\":[{\"id\":\"mine\",\"name\":\"My own\",\"wire\":\"anthropic\",\"url\":\"http://mine/{zone}/v1\",\"url_parts\":{\"zone\":[\"MY_ZONE\"]},"
                               "\"keys\":[\"MY_KEY\"],\"auth\":\"api-key\",\"models\":\"/m\"},{\"id\":\"short\",\"url\":\"http://short/v1\"}]}";
    assert_contains(SEEN_WITH(json, "mine", "MY_ZONE=z1", "MY_KEY=k1"),
                    "mine: address=[http://mine/z1/v1] key=[k1] set_up=1 wire=anthropic auth=2 chat=1 local=0 name=[My own] embeddings=[-] models=[/m]");
    assert_contains(SEEN_WITH(json, "mine"), "needs MY_ZONE to be set");
    assert_contains(SEEN_WITH(json, "short"), "address=[http://short/v1] key=[] set_up=0 wire=openai auth=0 chat=1 local=0 name=[short]");
}

static void parley_json_overrides_member_by_member(void **state)
{
    (void)state;
    static const char json[] = "{\"providers\":[{\"id\":\"groq\",\"url\":\"http://proxy/groq/v1\"},{\"id\":\"mistral\",\"keys\":[\"MY_MISTRAL\"],\"name\":\"Ours\",\"chat\":false}]}";
    assert_contains(SEEN_WITH(json, "groq", "GROQ_API_KEY=k"), "groq: address=[http://proxy/groq/v1] key=[k] set_up=1 wire=openai auth=0 chat=1 local=0 name=[Groq]");
    const char *seen = SEEN_WITH(json, "mistral", "MISTRAL_API_KEY=old", "MY_MISTRAL=new");
    assert_contains(seen, "address=[https://api.mistral.ai/v1] key=[new]");
    assert_contains(seen, "chat=0 local=0 name=[Ours] embeddings=[/embeddings]");
}

static void of_two_rows_with_an_id_the_later_overrides(void **state)
{
    (void)state;
    static const char json[] = "{\"providers\":[{\"id\":\"mine\",\"url\":\"http://one\",\"name\":\"One\"},{\"id\":\"mine\",\"url\":\"http://two\"}]}";
    assert_contains(SEEN_WITH(json, "mine"), "address=[http://two]");
    assert_contains(SEEN_WITH(json, "mine"), "name=[One]");
}

static void an_override_does_not_make_a_second_row(void **state)
{
    (void)state;
    char wanted[32];
    size_t plain = strtoul(in_child(enter, &(struct world){.look = count_rows}), NULL, 10);
    (void)snprintf(wanted, sizeof wanted, "\n%zu providers", plain + 1);
    assert_contains(in_child(enter, &(struct world){.look = count_rows, .json = "{\"providers\":[{\"id\":\"openai\",\"name\":\"x\"},{\"id\":\"new\"},{\"id\":\"bad/id\"}]}"}), wanted);
}

static void bad_rows_are_logged_and_ignored(void **state)
{
    (void)state;
    static const char *const rows[] = {"{}", "5", "null", "\"openai\"", "{\"id\":5}", "{\"id\":\"\"}", "{\"id\":\"a/b\"}", "{\"id\":\"bad\",\"wire\":\"telepathy\"}",
                                       "{\"id\":\"bad\",\"auth\":\"handshake\"}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[200];
        (void)snprintf(json, sizeof json, "{\"providers\":[%s,{\"id\":\"good\",\"url\":\"http://good\"}]}", rows[i]);
        const char *seen = SEEN_WITH(json, "good");
        assert_contains(seen, "cannot be used: its id, wire or auth is missing or unknown");
        assert_contains(seen, "good: address=[http://good]");
        assert_contains(SEEN_WITH(json, "bad"), "there is no bad");
    }
}

static void a_bad_override_leaves_the_known_row_alone(void **state)
{
    (void)state;
    static const char json[] = "{\"providers\":[{\"id\":\"groq\",\"wire\":\"telepathy\",\"url\":\"http://elsewhere\"}]}";
    const char *seen = SEEN_WITH(json, "groq", "GROQ_API_KEY=k");
    assert_contains(seen, "the provider groq cannot be used");
    assert_contains(seen, "groq: address=[https://api.groq.com/openai/v1] key=[k]");
}

static void what_is_no_list_is_no_harm(void **state)
{
    (void)state;
    static const char *const jsons[] = {"{\"providers\":{}}", "{\"providers\":5}", "{\"providers\":null}", "{\"providers\":[]}", "{}", "[]", "no json"};
    for (size_t i = 0; i < sizeof jsons / sizeof *jsons; i++)
        assert_contains(SEEN_WITH(jsons[i], "openai", "LOG_LEVEL=error"), "address=[https://api.openai.com/v1]");
}

static void members_of_a_wrong_type_count_as_missing(void **state)
{
    (void)state;
    static const char json[] = "{\"providers\":[{\"id\":\"odd\",\"url\":\"http://h/{part}\",\"url_parts\":[\"X\"],\"keys\":\"ODD_KEY\",\"chat\":\"no\",\"local\":1,\"models\":false,\"name\":{}}]}";
    const char *seen = SEEN_WITH(json, "odd", "ODD_KEY=k");
    assert_contains(seen, "The provider odd needs a setting to be set on the server.");
    assert_contains(seen, "key=[] set_up=0 wire=openai auth=0 chat=1 local=0 name=[odd] embeddings=[-] models=[-]");
}

static void an_open_brace_in_an_address_does_no_harm(void **state)
{
    (void)state;
    static const char json[] = "{\"providers\":[{\"id\":\"odd\",\"url\":\"http://h/{zone\",\"url_parts\":{\"zone\":[\"ZONE\"]}}]}";
    assert_contains(SEEN_WITH(json, "odd", "ZONE=z"), "address=[http://h/z]");
    assert_contains(SEEN_WITH(json, "odd"), "needs ZONE");
}

/* --- variables of all providers ----------------------------------------------------------------------------------------------------------- */

static void look_for_variables(FILE *out, const char *id)
{
    (void)id;
    static const char *const known[] = {"OPENAI_BASE_URL", "AZURE_API_VERSION", "AZURE_AD_TOKEN", "AWS_REGION", "AWS_SESSION_TOKEN", "SNOWFLAKE_ACCOUNT_ID", "OLLAMA_HOST",
                                        "GROQ_API_KEY", "MY_OWN_API_KEY", "MY_PART", "MY_TEAM"};
    static const char *const unknown[] = {"", "_API_KEY", "LLM_MODLE", "AWS_REGIO", "aws_region", "AWS_REGION ", "PATH"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!catalogue_has_variable(known[i]))
            (void)fprintf(out, "%s is unknown\n", known[i]);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        if (catalogue_has_variable(unknown[i]))
            (void)fprintf(out, "%s is known\n", unknown[i]);
}

static void variables_of_providers_are_known_by_name(void **state)
{
    (void)state;
    struct world world = {.look = look_for_variables,
                          .json = "{\"providers\":[{\"id\":\"mine\",\"url_parts\":{\"a\":[\"MY_PART\"]},\"headers\":{\"X-Team\":\"$MY_TEAM\"}}]}"};
    assert_string_equal(in_child(enter, &world), "");
}

static size_t times(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part)) != NULL) {
        count++;
        text++;
    }
    return count;
}

static void the_export_has_each_variable_once_and_no_settings(void **state)
{
    (void)state;
    struct world world = {.look = write_export, .environment = {"AWS_REGION=r", "COHERE_API_KEY=co", "OPENAI_API_KEY=sk", "OLLAMA_HOST=h", "AZURE_API_VERSION=v", "GROQ_API_KEY=",
                                                               "AWS_SECRET_ACCESS_KEY=a\"b\\c", "UNRELATED=x"}};
    const char *got = in_child(enter, &world);
    assert_int_equal(times(got, "AWS_REGION=\"r\"\n"), 1);
    assert_int_equal(times(got, "COHERE_API_KEY=\"co\"\n"), 1);
    assert_int_equal(times(got, "OLLAMA_HOST=\"h\"\n"), 1);
    assert_int_equal(times(got, "AZURE_API_VERSION=\"v\"\n"), 1);
    assert_int_equal(times(got, "AWS_SECRET_ACCESS_KEY=\"a\\\"b\\\\c\"\n"), 1);
    assert_int_equal(times(got, "\n"), 5);
    assert_lacks(got, "OPENAI_API_KEY");
    assert_lacks(got, "UNRELATED");
}

static void the_export_has_the_variables_of_parley_json(void **state)
{
    (void)state;
    struct world world = {.look = write_export, .json = "{\"providers\":[{\"id\":\"mine\",\"keys\":[\"MY_KEY\",\"LLM_MODEL\"],\"url_parts\":{\"a\":[\"MY_PART\"]}}]}",
                          .environment = {"MY_KEY=k", "MY_PART=p", "LLM_MODEL=m"}};
    assert_string_equal(in_child(enter, &world), "MY_KEY=\"k\"\nMY_PART=\"p\"\n");
}

static void the_export_has_the_variables_of_own_headers(void **state)
{
    (void)state;
    struct world world = {.look = write_export, .json = "{\"providers\":[{\"id\":\"mine\",\"headers\":{\"X-Team\":\"$MY_TEAM\",\"X-Plain\":\"PATH\"}}]}", .environment = {"MY_TEAM=blue"}};
    assert_string_equal(in_child(enter, &world), "MY_TEAM=\"blue\"\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_embedded_row_is_usable),
    cmocka_unit_test(rows_say_who_and_how),
    cmocka_unit_test(ids_are_found_by_exactly_so_many_bytes),
    cmocka_unit_test(typing_errors_lead_to_the_nearest_ids),
    cmocka_unit_test(a_very_long_id_has_nearest_ones_too),
    cmocka_unit_test(names_are_cut_where_the_room_ends),
    cmocka_unit_test(parts_of_addresses_are_filled_in),
    cmocka_unit_test(a_part_may_be_set_as_an_address),
    cmocka_unit_test(a_part_cannot_leave_its_place),
    cmocka_unit_test(a_missing_part_is_named),
    cmocka_unit_test(a_provider_without_an_address_names_the_variable),
    cmocka_unit_test(a_variable_replaces_the_known_address),
    cmocka_unit_test(addresses_are_tidied),
    cmocka_unit_test(an_address_that_is_given_is_used_instead_of_all_else),
    cmocka_unit_test(an_address_that_does_not_fit_is_a_failure),
    cmocka_unit_test(keys_are_tried_in_the_order_of_their_variables),
    cmocka_unit_test(a_provider_with_address_and_key_is_set_up),
    cmocka_unit_test(a_bearer_token_counts_as_a_key),
    cmocka_unit_test(a_server_without_keys_is_set_up_by_its_address),
    cmocka_unit_test(aws_needs_both_halves_of_its_key),
    cmocka_unit_test(half_a_key_of_aws_is_none),
    cmocka_unit_test(keys_are_masked_once_the_list_is_read),
    cmocka_unit_test(parley_json_adds_providers),
    cmocka_unit_test(parley_json_overrides_member_by_member),
    cmocka_unit_test(of_two_rows_with_an_id_the_later_overrides),
    cmocka_unit_test(an_override_does_not_make_a_second_row),
    cmocka_unit_test(bad_rows_are_logged_and_ignored),
    cmocka_unit_test(a_bad_override_leaves_the_known_row_alone),
    cmocka_unit_test(what_is_no_list_is_no_harm),
    cmocka_unit_test(members_of_a_wrong_type_count_as_missing),
    cmocka_unit_test(an_open_brace_in_an_address_does_no_harm),
    cmocka_unit_test(variables_of_providers_are_known_by_name),
    cmocka_unit_test(the_export_has_each_variable_once_and_no_settings),
    cmocka_unit_test(the_export_has_the_variables_of_parley_json),
    cmocka_unit_test(the_export_has_the_variables_of_own_headers),
};

UNIT_MAIN(tests)
