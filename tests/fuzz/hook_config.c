/*
 * A fuzz target: "hooks" of parley.json, by the readers of src/app/hook.c. Whatever stands there, each entry is a hook, usable or not, and what is wrong is said.
 */
#include "../../src/app/hook.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_settings();
    log_set_level((enum log_level)(LOG_ERROR + 1));
    json_object *list = fuzz_json(data, size, json_type_array);
    size_t n = list != NULL ? json_object_array_length(list) : 0;
    n = n < LIMIT_HOOKS ? n : LIMIT_HOOKS;
    for (size_t i = 0; i < n; i++)
        read_hook(json_object_array_get_idx(list, i), i + 1);
    insist(count == n && strlen(trouble) < sizeof trouble);
    for (size_t i = 0; i < n; i++) {
        insist(hooks[i].number == i + 1 && (hooks[i].argv != NULL || trouble[0] != '\0'));
        insist(hooks[i].argv == NULL || (hooks[i].argv[0][0] == '/' && hooks[i].timeout_ms > 0 && hooks[i].timeout_ms <= MOST_TIMEOUT_S * 1000));
        free_hook(&hooks[i]);
        hooks[i] = (struct hook){0};
    }
    count = 0;
    trouble[0] = '\0';
    json_object_put(list);
    return 0;
}
