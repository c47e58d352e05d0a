/*
 * A fuzz target: the lists of models that providers give, by the readers of src/llm/model_list.c: each model once, none without a name.
 */
#include "../../src/llm/model_list.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = fuzz_bytes(data + 1, size - 1);
    json_object *reply = json_read_loose(text, size - 1);
    struct listing listing = {json_object_new_array(), json_object_new_object()};
    add_reply(&listing, "one", reply);
    size_t count = json_object_array_length(listing.list);
    insist(count <= MOST_OF_ONE && (size_t)json_object_object_length(listing.seen) == count);
    add_reply(&listing, "one", reply);
    insist(json_object_array_length(listing.list) == count);
    for (size_t i = 0; i < count; i++) {
        const char *id = json_text(json_object_array_get_idx(listing.list, i), "id", NULL);
        insist(id != NULL && strncmp(id, "one/", 4) == 0 && id[4] != '\0' && strlen(id) < LIMIT_MODEL_NAME_BYTES * 2);
    }
    json_object_put(listing.list);
    json_object_put(listing.seen);
    json_object_put(reply);
    free(text);
    return 0;
}
