/*
 * A fuzz target: the body of POST /chat and POST /chat/stream, from the JSON to what a turn is given, with the readers of src/api/chat.c.
 */
#include "../../src/api/chat.c"
#include "fuzz.h"

static void check(const struct chat_body *chat)
{
    insist(chat->message != NULL && utf8_valid(chat->message, strlen(chat->message)) && utf8_count(chat->message, strlen(chat->message)) <= (size_t)settings.max_message_chars);
    insist(chat->temperature >= 0 && chat->temperature <= 2 && chat->max_tokens >= 0);
    insist(chat->model == NULL || (strlen(chat->model) < LIMIT_MODEL_NAME_BYTES && body_is_plain(chat->model)));
    insist(chat->parent_id == NULL || strlen(chat->parent_id) <= LIMIT_ID_BYTES);
    insist(chat->conversation_id == NULL || !id_valid(chat->conversation_id) || strlen(chat->conversation_id) <= LIMIT_ID_BYTES);
    insist(chat->metadata == NULL || strlen(json_write(chat->metadata)) <= LIMIT_METADATA_BYTES);
    insist(has_question(chat) || (body_is_blank(chat->message) && chat->parent_id == NULL && chat->attachments == NULL && (chat->continue_id == NULL || chat->regenerate_id == NULL)));
    if (chat->attachments == NULL)
        return;
    struct completion_image *images = NULL;
    size_t count = 0;
    insist(attachments_read(json_write(chat->attachments), &images, &count) && count == json_object_array_length(chat->attachments));
    attachments_free(images, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_settings();
    settings.max_message_chars = data[0] % 4 == 0 ? 10 : 100000;
    json_object *body = fuzz_json(data, size, json_type_object);
    if (body != NULL) {
        struct chat_body chat = {.temperature = settings.temperature, .max_tokens = settings.max_tokens, .stream = true};
        struct failure failure = {0};
        enum outcome outcome = read_fields(body, &chat, &failure);
        fuzz_check_failure(outcome, &failure);
        if (outcome == OUTCOME_OK)
            check(&chat);
    }
    json_object_put(body);
    return 0;
}
