/*
 * A fuzz target: images that come with a message, src/chat/attachments.h. What the check takes is read whole, and written and read again as the same.
 */
#include "../../src/base/limits.h"
#include "../../src/base/mem.h"
#include "../../src/chat/attachments.h"
#include "fuzz.h"

static bool is_base64(const char *text)
{
    size_t len = strlen(text), marks = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool is_mark = c == '=';
        marks += is_mark;
        if (!is_mark && (marks > 0 || !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' || c == '/')))
            return false;
    }
    return len > 0 && len % 4 == 0 && marks <= 2;
}

static void check_images(const struct completion_image *images, size_t count)
{
    for (size_t i = 0; i < count; i++)
        insist(strncmp(images[i].media_type, "image/", 6) == 0 && strlen(images[i].base64) == images[i].base64_len);
    char *written = attachments_write(images, count);
    struct completion_image *again = NULL;
    size_t again_count = 0;
    insist(written != NULL && attachments_read(written, &again, &again_count) && again_count == count);
    for (size_t i = 0; i < count; i++)
        insist(strcmp(images[i].base64, again[i].base64) == 0 && strcmp(images[i].media_type, again[i].media_type) == 0);
    attachments_free(again, again_count);
    mem_free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *url = fuzz_text(data + 1, size - 1);
    json_object *list = fuzz_json(data, size, json_type_array);
    struct completion_image image;
    if (list != NULL) {
        struct failure failure = {0};
        struct completion_image *images = NULL;
        size_t count = 0;
        enum outcome outcome = attachments_check(list, &failure);
        fuzz_check_failure(outcome, &failure);
        if (outcome == OUTCOME_OK) {
            insist(attachments_read(json_write(list), &images, &count) && count == json_object_array_length(list) && count <= LIMIT_ATTACHMENTS);
            for (size_t i = 0; i < count; i++)
                insist(is_base64(images[i].base64));
            check_images(images, count);
            attachments_free(images, count);
        }
    }
    if (attachments_read_url(url, &image))
        insist(is_base64(image.base64) && image.base64_len == strlen(image.base64));
    json_object_put(list);
    free(url);
    return 0;
}
