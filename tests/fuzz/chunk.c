/*
 * A fuzz target: chunks of the OpenAI wire through src/llm/chunk_scanner.h. What it takes, json-c reads as well, as the same text, and finds nothing else in it that matters.
 */
#include "../../src/llm/chunk_scanner.h"
#include "../../src/llm/provider_error.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct buf text, read;
    char *json = fuzz_bytes(data + 1, size - 1);
    buf_init(&text, SIZE_MAX / 4);
    buf_init(&read, SIZE_MAX / 4);
    buf_add_text(&text, "before");
    if (chunk_scan(json, size - 1, &text)) {
        size_t len = 0;
        json_object *object = json_read_loose(json, size - 1), *choices = json_at(object, "choices");
        const char *content = json_text(object, "choices.0.delta.content", &len);
        insist(json_object_is_type(choices, json_type_array) && json_object_array_length(choices) == 1 && json_object_is_type(json_at(object, "choices.0.delta"), json_type_object));
        insist(!provider_error_is_one(object) && json_at(object, "usage") == NULL && json_at(object, "choices.0.finish_reason") == NULL);
        insist(json_at(object, "choices.0.delta.tool_calls") == NULL && json_at(object, "choices.0.delta.reasoning_content") == NULL);
        buf_add_text(&read, "before");
        utf8_add_repaired(&read, content != NULL ? content : "", content != NULL ? len : 0);
        insist(read.len == text.len && memcmp(read.data, text.data, text.len) == 0);
        json_object_put(object);
    } else {
        insist(strcmp(text.data, "before") == 0 && text.len == 6);
    }
    buf_free(&text);
    buf_free(&read);
    free(json);
    return 0;
}
