/*
 * Tests of src/base/clock.h: days as text.
 */
#include "unit.h"

#include "../../src/base/clock.h"

static void a_day_is_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t day;
    } rows[] = {{"1970-01-01", 0}, {"1969-12-31", -1}, {"2000-02-29", 11016}, {"2024-02-29", 19782}, {"2026-11-22", 20779}, {"9999-12-31", 2932896}, {"0001-01-01", -719162}};
    char text[CLOCK_DAY_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t day = 7;
        assert_true(clock_day_read(rows[i].text, &day));
        assert_int_equal(day, rows[i].day);
        assert_string_equal(clock_day_text(day, text), rows[i].text);
    }
    for (int64_t day = -800, read; day < 60000; day += 13) {
        assert_true(clock_day_read(clock_day_text(day, text), &read));
        assert_int_equal(read, day);
    }
}

static void what_is_no_day_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "x", "2026", "2026-02", "2026-02-29", "1900-02-29", "2026-02-30", "2026-04-31", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32", "2026-1-01", "26-01-01",
                                        "2026-01-01 ", " 2026-01-01", "2026-01-01T", "2026/01/01", "-026-01-01", "+026-01-01", "2026-01-0x", "2026--1-01"};
    int64_t day;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(clock_day_read(guard(texts[i], strlen(texts[i]) + 1), &day));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_day_is_read_and_written),
    cmocka_unit_test(what_is_no_day_is_refused),
};

UNIT_MAIN(tests)
