/*
 * A fuzz target: what parley.json says about the page becomes GET /api/config, by src/api/ui_config.c: always a whole object, which can be read again.
 */
#include "../../src/api/ui_config.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_settings();
    settings.config_file = "/nowhere/parley.json";
    char *text = fuzz_text(data + 1, size - 1);
    (void)config_use(text); /* false: it is none */
    json_object *object = build();
    const char *written = json_write(object), *why = NULL;
    insist(json_object_is_type(json_at(object, "feedback.like.enabled"), json_type_boolean) && json_object_is_type(json_at(object, "user_settings"), json_type_object));
    json_object *customization = json_at(object, "customization");
    insist(customization == NULL || json_object_is_type(json_at(customization, "header"), json_type_object));
    json_object *again = data[0] % 4 == 0 ? json_read(written, strlen(written), &why) : NULL;
    insist(why == NULL || strcmp(why, "it is nested too deeply") == 0 || strcmp(why, "it holds too many values") == 0);
    json_object_put(again);
    json_object_put(object);
    free(text);
    return 0;
}
