/*
 * Tests of src/base/id.h and clock.h.
 */
#include "unit.h"

#include "../../src/base/clock.h"
#include "../../src/base/id.h"

static void a_new_id_is_valid(void **state)
{
    (void)state;
    char id[ID_BYTES];
    assert_true(id_new(id));
    assert_int_equal(strlen(id), ID_LEN);
    assert_true(id_valid(id));
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ten_thousand_ids_are_all_different(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    static char ids[COUNT][ID_BYTES];
    for (int i = 0; i < COUNT; i++)
        assert_true(id_new(ids[i]));
    qsort(ids, COUNT, ID_BYTES, compare);
    for (int i = 1; i < COUNT; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

static void write_ids(FILE *out, void *arg)
{
    (void)arg;
    char id[ID_BYTES];
    for (int i = 0; i < 50; i++)
        (void)fprintf(out, "%s\n", id_new(id) ? id : "none");
}

static void processes_of_one_parent_do_not_repeat_each_other(void **state)
{
    (void)state;
    static char first[4096];
    char id[ID_BYTES];
    assert_true(id_new(id)); /* so that the children have whatever there is to have from their parent */
    (void)snprintf(first, sizeof first, "%s", in_child(write_ids, NULL));
    const char *second = in_child(write_ids, NULL);
    for (const char *line = first; *line != '\0'; line += ID_LEN + 1) {
        char one[ID_BYTES];
        (void)snprintf(one, sizeof one, "%.*s", ID_LEN, line);
        assert_true(id_valid(one));
        assert_null(strstr(second, one));
        assert_null(strstr(second, one + 10)); /* nor the random part of one */
    }
}

static void ids_grow_with_time(void **state)
{
    (void)state;
    char before[ID_BYTES], after[ID_BYTES];
    assert_true(id_new(before));
    clock_sleep_ms(3);
    assert_true(id_new(after));
    assert_true(strcmp(before, after) < 0);
    assert_true(before[0] == '0'); /* 48 bits of milliseconds last until the year 10889 */
}

static void all_random_characters_vary(void **state)
{
    (void)state;
    bool varies[ID_LEN] = {false};
    char first[ID_BYTES], id[ID_BYTES];
    assert_true(id_new(first));
    for (int i = 0; i < 200; i++) {
        assert_true(id_new(id));
        for (int k = 0; k < ID_LEN; k++)
            varies[k] |= id[k] != first[k];
    }
    for (int k = 10; k < ID_LEN; k++)
        assert_true(varies[k]);
}

static void other_forms_are_no_ids(void **state)
{
    (void)state;
    assert_false(id_valid(""));
    assert_false(id_valid("0123456789abcdefghjkmnpqr"));   /* 25 */
    assert_true(id_valid("0123456789abcdefghjkmnpqrs"));
    assert_false(id_valid("0123456789abcdefghjkmnpqrst")); /* 27 */
    assert_false(id_valid("0123456789abcdefghjkmnpqrS"));
    assert_false(id_valid("0123456789abcdefghjkmnpqri")); /* i, l, o, u are not used */
    assert_false(id_valid("0123456789abcdefghjkmnpqr'"));
    assert_false(id_valid("0123456789abcdefghjkmnp\xC3\xA4r"));
}

static void times_are_rfc_3339_with_milliseconds(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00.000Z"}, {1, "1970-01-01T00:00:00.001Z"}, {999, "1970-01-01T00:00:00.999Z"}, {1000, "1970-01-01T00:00:01.000Z"},
                {951782400123, "2000-02-29T00:00:00.123Z"}, {1795271400250, "2026-11-21T14:30:00.250Z"}, {253402300799999, "9999-12-31T23:59:59.999Z"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[CLOCK_TEXT_BYTES];
        assert_string_equal(clock_text(rows[i].ms, text), rows[i].text);
    }
}

static void impossible_times_stay_inside_the_buffer(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_BYTES];
    assert_true(strlen(clock_text(INT64_MAX, text)) < CLOCK_TEXT_BYTES);
    assert_true(strlen(clock_text(INT64_MIN, text)) < CLOCK_TEXT_BYTES);
}

static void the_monotonic_clock_counts_a_sleep(void **state)
{
    (void)state;
    int64_t begin = clock_mono_ms(), day = clock_unix_ms();
    clock_sleep_ms(20);
    assert_true(clock_mono_ms() - begin >= 19);
    assert_true(clock_unix_ms() >= day && day > 1700000000000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_new_id_is_valid),
    cmocka_unit_test(ten_thousand_ids_are_all_different),
    cmocka_unit_test(processes_of_one_parent_do_not_repeat_each_other),
    cmocka_unit_test(ids_grow_with_time),
    cmocka_unit_test(all_random_characters_vary),
    cmocka_unit_test(other_forms_are_no_ids),
    cmocka_unit_test(times_are_rfc_3339_with_milliseconds),
    cmocka_unit_test(impossible_times_stay_inside_the_buffer),
    cmocka_unit_test(the_monotonic_clock_counts_a_sleep),
};

UNIT_MAIN(tests)
