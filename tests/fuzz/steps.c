/*
 * A fuzz target: what the database keeps of an answer's steps, src/chat/steps.h. What is read is written again as the same.
 */
#include "../../src/chat/steps.h"
#include "fuzz.h"

static void check(json_object *step)
{
    struct completion_message message, second;
    if (!step_read(step, &message))
        return;
    insist(message.content != NULL && (message.role != COMPLETION_TOOL || (message.call_id != NULL && message.call_name != NULL)));
    for (size_t i = 0; i < message.call_count; i++)
        insist(message.calls[i].id != NULL && message.calls[i].name != NULL && message.calls[i].arguments != NULL);
    json_object *written = step_write(&message), *again = NULL;
    insist(step_read(written, &second));
    again = step_write(&second);
    insist(strcmp(json_write(written), json_write(again)) == 0);
    json_object_put(written);
    json_object_put(again);
    step_free(&message);
    step_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = fuzz_bytes(data + 1, size - 1);
    json_object *steps = json_read_loose(text, size - 1);
    check(steps);
    for (size_t i = 0; json_object_is_type(steps, json_type_array) && i < json_object_array_length(steps); i++)
        check(json_object_array_get_idx(steps, i));
    json_object_put(steps);
    free(text);
    return 0;
}
