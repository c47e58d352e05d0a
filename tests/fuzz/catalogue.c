/*
 * A fuzz target: providers of one's own in parley.json, by the readers of src/llm/catalogue.c: what kind they are, and the address that they are asked at.
 */
#include "../../src/llm/catalogue.c"
#include "fuzz.h"

static void check_address(const struct catalogue_provider *provider, const char *address)
{
    struct buf url;
    struct failure failure = {0};
    buf_init(&url, LIMIT_URL_BYTES);
    enum outcome outcome = catalogue_address(provider, address, &url, &failure);
    fuzz_check_failure(outcome, &failure);
    buf_free(&url);
    buf_init(&url, LIMIT_URL_BYTES);
    outcome = catalogue_fill(provider, provider->embeddings != NULL ? provider->embeddings : "https://{region}.example/{", &url, &failure);
    fuzz_check_failure(outcome, &failure);
    buf_free(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_settings();
    settings.config_file = "/nowhere/parley.json";
    json_object *rows = fuzz_json(data, size, json_type_array);
    size_t most = rows != NULL ? json_object_array_length(rows) : 0;
    for (size_t i = 0; i < most; i++) {
        struct catalogue_provider provider;
        if (!read_row(&provider, json_object_array_get_idx(rows, i)))
            continue;
        insist(provider.id != NULL && *provider.id != '\0' && strchr(provider.id, '/') == NULL && provider.wire != NULL && provider.name != NULL);
        insist(catalogue_key(&provider) != NULL);
        (void)catalogue_variable(&provider, "version_from");
        (void)catalogue_is_set_up(&provider);
        (void)catalogue_has_credentials(&provider);
        check_address(&provider, data[0] % 2 == 0 ? "" : "http://127.0.0.1:1/v1");
    }
    json_object_put(rows);
    return 0;
}
