/*
 * A fuzz target: the body of POST /v1/chat/completions, with the readers of src/api/completions.c; and what comes of it is written as each wire would send it: JSON again.
 */
#include "../../src/api/completions.c"
#include "../../src/llm/model.h"
#include "../../src/llm/wire.h"
#include "fuzz.h"

/* Strict JSON of any depth: more is put around what a client has nested as deep as it may. */
static void check_json(const struct buf *text)
{
    struct json_tokener *tokener = json_tokener_new_ex(200);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *object = json_tokener_parse_ex(tokener, text->data, (int)text->len + 1);
    insist(json_tokener_get_error(tokener) == json_tokener_success && json_object_is_type(object, json_type_object));
    json_object_put(object);
    json_tokener_free(tokener);
}

static void write_with(const struct wire *wire, const struct completion_request *request, const struct wire_target *target, unsigned without)
{
    struct wire_call call;
    struct failure failure = {0};
    struct wire_without left_out = {.temperature = without & 1, .max_tokens = without & 2, .stop = without & 4, .max_tokens_is_old = without & 8, .effort = without & 16};
    buf_init(&call.path, LIMIT_URL_BYTES);
    buf_init(&call.headers, LIMIT_HEADER_BYTES);
    buf_init(&call.body, LIMIT_REQUEST_BYTES);
    enum outcome outcome = wire->write(&call, request, target, &left_out, &failure);
    fuzz_check_failure(outcome, &failure);
    if (outcome == OUTCOME_OK) {
        insist(call.path.data[strcspn(call.path.data, " \t\r\n")] == '\0');
        check_json(&call.body);
    }
    buf_free(&call.path);
    buf_free(&call.headers);
    buf_free(&call.body);
}

static void write_one(const struct completion_body *completion, unsigned way)
{
    static const struct wire *const wires[] = {&wire_openai, &wire_azure, &wire_responses, &wire_anthropic, &wire_gemini, &wire_bedrock, &wire_ollama, &wire_cohere};
    static const char *const providers[] = {"openai", "azure", "openai", "anthropic", "gemini", "bedrock", "ollama", "cohere"};
    const struct turn *turn = &completion->turn;
    const char *model = turn->model != NULL && *turn->model != '\0' ? turn->model : "model";
    struct completion_request request = {
        .model = model, .system = completion->messages.system.data, .messages = completion->messages.list, .message_count = completion->messages.count,
        .temperature = turn->temperature, .max_tokens = turn->max_tokens, .tools = turn->tools, .tool_count = turn->tool_count, .tool_choice = turn->tool_choice,
        .stop = turn->stop, .stop_count = turn->stop_count, .seed = turn->seed, .format = turn->format, .schema = turn->schema, .effort = turn->effort,
    };
    size_t i = way % (sizeof wires / sizeof wires[0]);
    struct wire_target target = {.provider = providers[i], .model = model, .version = "", .facts = model_facts_of(providers[i], model)};
    write_with(wires[i], &request, &target, way / 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_settings();
    json_object *body = fuzz_json(data, size, json_type_object);
    if (body != NULL) {
        struct completion_body completion = {.turn = turn_none()};
        struct failure failure = {0};
        messages_init(&completion.messages);
        enum outcome outcome = read_completion(body, &completion, &failure);
        fuzz_check_failure(outcome, &failure);
        if (outcome == OUTCOME_OK) {
            char *attachments = NULL;
            insist(completion.messages.count > 0 && completion.messages.count <= LIMIT_PAST_MESSAGES && completion.turn.tool_count <= LIMIT_TOOLS);
            completion.turn.messages = completion.messages.list;
            completion.turn.message_count = completion.messages.count;
            insist(take_images(&completion.turn, &attachments, &failure) == OUTCOME_OK);
            mem_free(attachments);
            write_one(&completion, data[0]);
        }
        messages_free(&completion.messages);
        mem_free(completion.tools);
    }
    json_object_put(body);
    return 0;
}
