/*
 * A fuzz target: the body of POST /api/chat, with the readers of src/api/ragbits.c.
 */
#include "../../src/api/ragbits.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_settings();
    json_object *body = fuzz_json(data, size, json_type_object);
    if (body != NULL) {
        struct ragbits_body chat = {0};
        struct messages messages;
        struct failure failure = {0};
        messages_init(&messages);
        enum outcome outcome = read_fields(body, &chat, &failure);
        if (outcome == OUTCOME_OK)
            outcome = read_history(&chat, &messages, &failure);
        if (outcome == OUTCOME_OK && messages.count > 0)
            outcome = messages_add_question(&messages, chat.message, strlen(chat.message), &failure);
        if (outcome == OUTCOME_OK && messages.count > 0)
            outcome = messages_check(&messages, "history", &failure);
        fuzz_check_failure(outcome, &failure);
        insist(outcome != OUTCOME_OK || chat.message_id == NULL || (strlen(chat.message_id) <= LIMIT_ID_BYTES && body_is_plain(chat.message_id)));
        insist(messages.count <= LIMIT_PAST_MESSAGES + 1);
        for (size_t i = 0; i < messages.count; i++)
            insist(messages.list[i].content != NULL && utf8_valid(messages.list[i].content, messages.list[i].content_len));
        messages_free(&messages);
    }
    json_object_put(body);
    return 0;
}
