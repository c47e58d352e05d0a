/*
 * Tests of src/chat/attachments.h: what is written for the database is read again as it was, and passes the check of what clients send.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/base/mem.h"
#include "../../src/chat/attachments.h"

static const struct completion_image two[] = {{.media_type = "image/png", .base64 = "aGk=", .base64_len = 4}, {.media_type = "image/webp", .base64 = "YWJj+/==", .base64_len = 8}};

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct failure failure;
    struct completion_image *images;
    size_t count;
    char *text = attachments_write(two, 2);
    assert_string_equal(text, "[{\"type\":\"image\",\"url\":\"data:image/png;base64,aGk=\"},{\"type\":\"image\",\"url\":\"data:image/webp;base64,YWJj+/==\"}]");
    json_object *list = json_read_loose(text, strlen(text));
    assert_int_equal(attachments_check(list, &failure), OUTCOME_OK);
    json_object_put(list);
    assert_true(attachments_read(text, &images, &count));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(images[i].media_type, two[i].media_type);
        assert_string_equal(images[i].base64, two[i].base64);
        assert_int_equal(images[i].base64_len, two[i].base64_len);
    }
    attachments_free(images, count);
    mem_free(text);
}

static void only_the_bytes_that_are_said_are_written(void **state)
{
    (void)state;
    char *text = attachments_write(&(struct completion_image){.media_type = "image/gif", .base64 = "R0lGand more", .base64_len = 4}, 1);
    assert_string_equal(text, "[{\"type\":\"image\",\"url\":\"data:image/gif;base64,R0lG\"}]");
    mem_free(text);
}

static void no_images_are_an_empty_list(void **state)
{
    (void)state;
    char *text = attachments_write(NULL, 0);
    assert_string_equal(text, "[]");
    mem_free(text);
}

static void no_memory_is_said(void **state)
{
    (void)state;
    mem_fail_after(0);
    char *text = attachments_write(two, 2);
    mem_fail_after(-1);
    assert_null(text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_written_is_read_again),
    cmocka_unit_test(only_the_bytes_that_are_said_are_written),
    cmocka_unit_test(no_images_are_an_empty_list),
    cmocka_unit_test(no_memory_is_said),
};

UNIT_MAIN(tests)
