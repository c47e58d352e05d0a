/*
 * Tests of src/base/buf.h and mem.h: the ceiling, failures that stay, room without loss, what is handed over.
 */
#include "unit.h"

static void an_empty_buffer_is_an_empty_string(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_string_equal(buf.data, "");
    assert_int_equal(buf.len, 0);
    assert_false(buf_failed(&buf));
    buf_free(&buf);
}

static void what_is_appended_stands_there_and_ends_in_a_nul(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_add_text(&buf, "one");
    buf_add_char(&buf, ' ');
    buf_add(&buf, "two three", 3);
    buf_addf(&buf, " %d %s", 3, "four");
    assert_string_equal(buf.data, "one two 3 four");
    assert_int_equal(buf.len, strlen("one two 3 four"));
    buf_free(&buf);
}

static void bytes_with_a_nul_are_kept_whole(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 8);
    buf_add(&buf, "a\0b", 3);
    assert_int_equal(buf.len, 3);
    assert_memory_equal(buf.data, "a\0b", 4);
    buf_free(&buf);
}

static void the_ceiling_itself_fits_and_one_byte_more_does_not(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        struct buf buf;
        buf_init(&buf, max);
        for (size_t i = 0; i < max; i++)
            buf_add_char(&buf, 'x');
        assert_false(buf_failed(&buf));
        assert_int_equal(strlen(buf.data), max);
        buf_add_char(&buf, 'x');
        assert_true(buf_failed(&buf));
        buf_free(&buf);
    }
}

static void a_failure_frees_the_contents_and_stays(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    buf_add_text(&buf, "1234");
    buf_add_text(&buf, "56");
    assert_true(buf_failed(&buf));
    assert_string_equal(buf.data, "");
    buf_add_text(&buf, "7");
    buf_addf(&buf, "%d", 8);
    assert_true(buf_failed(&buf));
    assert_int_equal(buf.len, 0);
    buf_drop(&buf, 1);
    assert_true(buf_failed(&buf));
    assert_null(buf_take(&buf));
    buf_free(&buf);
}

static void clear_and_free_forgive_a_failure(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 2);
    buf_add_text(&buf, "123");
    buf_clear(&buf);
    buf_add_text(&buf, "12");
    assert_false(buf_failed(&buf));
    assert_string_equal(buf.data, "12");
    buf_add_text(&buf, "3");
    buf_free(&buf);
    assert_false(buf_failed(&buf));
    buf_add_text(&buf, "12");
    assert_string_equal(buf.data, "12");
    buf_free(&buf);
}

static void a_formatted_text_over_the_ceiling_fails(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    buf_addf(&buf, "%s", "12345");
    assert_string_equal(buf.data, "12345");
    buf_addf(&buf, "%s", "");
    assert_false(buf_failed(&buf));
    buf_addf(&buf, "%d", 1);
    assert_true(buf_failed(&buf));
    buf_free(&buf);
}

static void reserving_too_much_destroys_nothing(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    buf_add_text(&buf, "kept");
    assert_false(buf_reserve(&buf, 97));
    assert_false(buf_reserve(&buf, SIZE_MAX));
    assert_string_equal(buf.data, "kept");
    assert_false(buf_failed(&buf));
    assert_true(buf_reserve(&buf, 96));
    assert_string_equal(buf.data, "kept");
    buf_free(&buf);
}

static void reserving_without_memory_destroys_nothing(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_add_text(&buf, "kept");
    mem_fail_after(0);
    assert_false(buf_reserve(&buf, 500));
    mem_fail_after(-1);
    assert_string_equal(buf.data, "kept");
    assert_false(buf_failed(&buf));
    buf_free(&buf);
}

static void dropping_takes_from_the_front(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    buf_add_text(&buf, "abcdef");
    buf_drop(&buf, 0);
    buf_drop(&buf, 2);
    assert_string_equal(buf.data, "cdef");
    buf_drop(&buf, 100);
    assert_string_equal(buf.data, "");
    buf_add_text(&buf, "again");
    assert_string_equal(buf.data, "again");
    buf_free(&buf);
}

static void taking_hands_over_and_leaves_an_empty_buffer(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    char *nothing = buf_take(&buf);
    assert_string_equal(nothing, "");
    mem_free(nothing);
    buf_add_text(&buf, "mine now");
    char *taken = buf_take(&buf);
    assert_string_equal(taken, "mine now");
    assert_string_equal(buf.data, "");
    buf_add_text(&buf, "other");
    assert_string_equal(taken, "mine now");
    mem_free(taken);
    buf_free(&buf);
}

static void taking_nothing_without_memory_gives_null(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    mem_fail_after(0);
    assert_null(buf_take(&buf));
    mem_fail_after(-1);
}

static void whichever_allocation_fails_the_buffer_says_so(void **state)
{
    (void)state;
    bool ended_well = false;
    for (long calls = 0; !ended_well && calls < 100; calls++) {
        struct buf buf;
        buf_init(&buf, 10000);
        mem_fail_after(calls);
        for (int i = 0; i < 5000; i++)
            buf_add_char(&buf, 'x');
        mem_fail_after(-1);
        ended_well = !buf_failed(&buf);
        assert_int_equal(buf.len, ended_well ? 5000 : 0);
        assert_true(ended_well || calls < 20);
        buf_free(&buf);
    }
    assert_true(ended_well);
}

static void only_the_planned_allocation_fails(void **state)
{
    (void)state;
    mem_fail_after(2);
    for (int i = 0; i < 5; i++) {
        void *block = i % 2 == 0 ? mem_new(1, 8) : mem_copy("text");
        assert_true((block == NULL) == (i == 2));
        mem_free(block);
    }
    mem_fail_after(-1);
}

static void new_memory_is_zero(void **state)
{
    (void)state;
    unsigned char *block = mem_new(100, 10);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(block[i], 0);
    mem_free(block);
    mem_free(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_empty_buffer_is_an_empty_string),
    cmocka_unit_test(what_is_appended_stands_there_and_ends_in_a_nul),
    cmocka_unit_test(bytes_with_a_nul_are_kept_whole),
    cmocka_unit_test(the_ceiling_itself_fits_and_one_byte_more_does_not),
    cmocka_unit_test(a_failure_frees_the_contents_and_stays),
    cmocka_unit_test(clear_and_free_forgive_a_failure),
    cmocka_unit_test(a_formatted_text_over_the_ceiling_fails),
    cmocka_unit_test(reserving_too_much_destroys_nothing),
    cmocka_unit_test(reserving_without_memory_destroys_nothing),
    cmocka_unit_test(dropping_takes_from_the_front),
    cmocka_unit_test(taking_hands_over_and_leaves_an_empty_buffer),
    cmocka_unit_test(taking_nothing_without_memory_gives_null),
    cmocka_unit_test(whichever_allocation_fails_the_buffer_says_so),
    cmocka_unit_test(only_the_planned_allocation_fails),
    cmocka_unit_test(new_memory_is_zero),
};

UNIT_MAIN(tests)
