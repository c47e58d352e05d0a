/*
 * The table of docs/providers.md, as far as it is about requests: each cell says "yes", "refused" or "left out", and is held against what the wire writes. What is said about
 * answers (streaming, reasoning, usage, …) is held against the wires by tests/http/wires.test.js.
 */
#include "wire.h"

/* A request in which one thing is asked for, and the mark that shows that it was written; NULL: any difference does. */
struct feature {
    const char *row, *mark;
    struct completion_request request;
    bool thinks; /* the model does */
};

static const struct completion_message plain[] = {{.role = COMPLETION_USER, .content = "Hi", .content_len = 2}};
static const struct completion_image image = {.media_type = "image/png", .base64 = "TUFSSw0001", .base64_len = 10};
static const struct completion_message seen[] = {{.role = COMPLETION_USER, .content = "Hi", .content_len = 2, .images = &image, .image_count = 1}};
static const struct completion_call call = {.id = "callABC12", .name = "look_up", .arguments = "{\"of_call\":1}"};
static const struct completion_message called[] = {
    {.role = COMPLETION_USER, .content = "Hi", .content_len = 2},
    {.role = COMPLETION_ASSISTANT, .content = "", .calls = &call, .call_count = 1},
    {.role = COMPLETION_TOOL, .content = "RESULTMARK", .content_len = 10, .call_id = "callABC12", .call_name = "look_up"},
};
static const struct completion_tool tool = {.name = "look_up", .description = "Looks it up.", .schema = "{\"type\":\"object\",\"properties\":{\"of_tool\":{\"type\":\"string\"}}}"};
static const char *const stops[] = {"ENDMARK"};

#define ASK(list) .messages = (list), .message_count = sizeof(list) / sizeof *(list), .temperature = 0.5, .max_tokens = 8000

static const struct feature features[] = {
    {"images", "TUFSSw0001", {ASK(seen), .seed = COMPLETION_NO_SEED}, false},
    {"tools", "of_tool", {ASK(plain), .seed = COMPLETION_NO_SEED, .tools = &tool, .tool_count = 1}, false},
    {"tools", "RESULTMARK", {ASK(called), .seed = COMPLETION_NO_SEED, .tools = &tool, .tool_count = 1}, false},
    {"tools", "of_call", {ASK(called), .seed = COMPLETION_NO_SEED, .tools = &tool, .tool_count = 1}, false},
    {"a tool that must be called", NULL, {ASK(plain), .seed = COMPLETION_NO_SEED, .tools = &tool, .tool_count = 1, .tool_choice = "required"}, false},
    {"how much to think", NULL, {ASK(plain), .seed = COMPLETION_NO_SEED, .effort = "low"}, true},
    {"JSON mode", NULL, {ASK(plain), .seed = COMPLETION_NO_SEED, .format = COMPLETION_JSON}, false},
    {"schema", "of_schema", {ASK(plain), .seed = COMPLETION_NO_SEED, .format = COMPLETION_SCHEMA, .schema = "{\"type\":\"object\",\"properties\":{\"of_schema\":{\"type\":\"string\"}}}"}, false},
    {"stop texts", "ENDMARK", {ASK(plain), .seed = COMPLETION_NO_SEED, .stop = stops, .stop_count = 1}, false},
    {"seed", "4711", {ASK(plain), .seed = 4711}, false},
};

static const struct {
    const struct wire *wire;
    const char *model;
} wires[] = {
    {&wire_openai, "some-model"}, {&wire_azure, "some-model"}, {&wire_responses, "some-model"}, {&wire_anthropic, "claude-haiku-4-5"}, {&wire_gemini, "gemini-2.5-flash"},
    {&wire_bedrock, "us.anthropic.claude-sonnet-4-5"}, {&wire_ollama, "qwen3"}, {&wire_cohere, "command-a"},
};

/* --- the table ----------------------------------------------------------------------------------------------------------------- */

static char page[64 * 1024];

static void read_page(void)
{
    FILE *in = fopen("docs/providers.md", "re");
    assert_non_null(in);
    page[fread(page, 1, sizeof page - 1, in)] = '\0';
    (void)fclose(in);
}

/* The cell number `column` (1 is the first after the row's name) of the line that begins with "| name |", without spaces around it. */
static void cell(const char *name, int column, char *text, size_t size)
{
    char start[80];
    (void)snprintf(start, sizeof start, "\n| %s |", name);
    const char *at = strstr(page, start);
    if (at == NULL)
        print_error("docs/providers.md has no row \"%s\"\n", name);
    assert_non_null(at);
    at += strlen(start);
    for (int i = 1; i < column; i++) {
        at = strchr(at, '|');
        assert_non_null(at);
        at++;
    }
    at += strspn(at, " ");
    size_t len = strcspn(at, "|\n");
    while (len > 0 && at[len - 1] == ' ')
        len--;
    (void)snprintf(text, size, "%.*s", (int)len, at);
}

/* The column of a wire, by the head of the table; some heads name two. */
static int column_of(const char *wire)
{
    char head[80];
    for (int column = 1; column < 20; column++) {
        cell("what", column, head, sizeof head);
        char *rest = head;
        for (char *name; (name = strsep(&rest, ", ")) != NULL;)
            if (strcmp(name, wire) == 0)
                return column;
    }
    return 0;
}

static const char *word_of(const struct wire *wire, const char *model, const struct feature *feature)
{
    static char with[256 * 1024];
    struct wire_target target = {.provider = wire->name, .model = model,
                                 .facts = {.known = true, .vision = true, .tools = true, .reasoning = feature->thinks, .context = 200000, .max_output = 64000}};
    (void)snprintf(with, sizeof with, "%s", written(wire, &feature->request, target, (struct wire_without){0}));
    if (strncmp(with, "refused: ", 9) == 0)
        return "refused";
    if (feature->mark != NULL)
        return strstr(with, feature->mark) != NULL ? "yes" : "left out";
    struct completion_request without = feature->request;
    without.tool_choice = without.effort = NULL;
    without.format = COMPLETION_ANY;
    return strcmp(with, written(wire, &without, target, (struct wire_without){0})) != 0 ? "yes" : "left out";
}

static void the_page_says_what_the_wires_do(void **state)
{
    (void)state;
    int wrong = 0;
    read_page();
    for (size_t w = 0; w < sizeof wires / sizeof *wires; w++)
        for (size_t f = 0; f < sizeof features / sizeof *features; f++) {
            char said[200];
            const char *word = word_of(wires[w].wire, wires[w].model, &features[f]);
            int column = column_of(wires[w].wire->name);
            assert_true(column > 0);
            cell(features[f].row, column, said, sizeof said);
            if (strncmp(said, word, strlen(word)) != 0) {
                print_error("%s, %s: the page says \"%s\", it is \"%s\"\n", wires[w].wire->name, features[f].row, said, word);
                wrong++;
            }
        }
    assert_int_equal(wrong, 0);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(the_page_says_what_the_wires_do)};

UNIT_MAIN(tests)
