/*
 * A fuzz target: what a provider of embeddings answers, by the readers of src/llm/embed.c, for every style of server. Vectors that are taken have the length 1.
 */
#include "../../src/llm/embed.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct style *const styles[] = {&openai, &ollama, &gemini, &cohere, &titan, &tei};
    if (size == 0)
        return 0;
    char *text = fuzz_bytes(data + 1, size - 1);
    json_object *reply = json_read_loose(text, size - 1);
    struct embed_result result = {0};
    size_t count = 1 + data[0] / 8 % 3;
    const struct style *style = styles[data[0] % 6];
    if (style == &titan)
        count = 1;
    struct gathering gathering = {.result = &result, .count = count};
    if (json_object_is_type(reply, json_type_object) || json_object_is_type(reply, json_type_array)) {
        bool good = take_batch(&gathering, style, reply, 0, count);
        insist(!good || (result.vectors != NULL && result.size > 0 && result.size <= LIMIT_VECTOR_NUMBERS));
        for (size_t i = 0; good && i < count; i++) {
            double sum = 0;
            for (size_t k = 0; k < result.size; k++)
                sum += (double)result.vectors[i * result.size + k] * (double)result.vectors[i * result.size + k];
            insist(sum == 0 || (sum > 0.99 && sum < 1.01));
        }
    }
    mem_free(result.vectors);
    json_object_put(reply);
    free(text);
    return 0;
}
