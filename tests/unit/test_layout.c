/*
 * Tests of src/chat/layout.h: a log that was kept with its message is the same again, from every position on; what was changed by hand costs no text.
 */
#include "answers.h"

#include <time.h>

static void read_kept(struct answer *answer, const struct kept *kept)
{
    assert_int_equal(layout_read(answer, &kept->parts), OUTCOME_OK);
}

static void a_log_comes_back_from_every_position_on(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 600; round++) {
        static struct script script;
        struct kept kept;
        int64_t lost = round % 3 == 0 ? 1 + unit_random(&seed) % 1000 : 0;
        script_random(&script, &seed, round % 5 == 0 ? SCRIPT_ITEMS : 10, true);
        struct answer *original = answer_of_script(&script), *again = answer_of("again");
        keep_answer(&kept, original, lost);
        read_kept(again, &kept);
        assert_script(again, &script, true, script.end + lost);
        read_kept(again, &kept); /* it has all of that already */
        assert_script(again, &script, true, script.end + lost);
        kept_free(&kept);
        answer_release(original);
        answer_release(again);
    }
}

/* What the model says comes in pieces that join: the text in one run, thinking too as long as nobody has seen it. */
static void a_log_that_a_model_has_written_comes_back(void **state)
{
    (void)state;
    struct answer *original = answer_of("original"), *again = answer_of("again");
    struct completion_sink sink = answer_sink(original);
    struct buf found, expected;
    struct kept kept;
    buf_init(&found, 1 << 20);
    buf_init(&expected, 1 << 20);
    static const struct piece {
        enum completion_event type;
        const char *text;
    } pieces[] = {{COMPLETION_REASONING, "let "}, {COMPLETION_REASONING, "me see"}, {COMPLETION_TEXT, "An"}, {COMPLETION_TEXT, "swer \xFF"},
                  {COMPLETION_REASONING, "wait"}, {COMPLETION_TEXT, "…"}, {COMPLETION_REASONING, "good"}};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        assert_int_equal(sink.event(original, pieces[i].type, pieces[i].text, strlen(pieces[i].text)), OUTCOME_OK);
    keep_answer(&kept, original, 0);
    assert_string_equal(kept.layout, "r10 t10 r4 t3 r4");
    read_kept(again, &kept);
    write_answer(&found, again, 0);
    write_answer(&expected, original, 0);
    assert_string_equal(found.data, expected.data);
    kept_free(&kept);
    buf_free(&found);
    buf_free(&expected);
    answer_release(original);
    answer_release(again);
}

static void an_answer_that_has_the_beginning_gets_the_rest(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int round = 0; round < 300; round++) {
        static struct script script;
        struct kept kept;
        script_random(&script, &seed, 20, false);
        for (size_t known = 0; known <= script.count; known += 3) {
            struct answer *original = answer_of_script(&script), *again = answer_of("again");
            script_play(&script, 0, known, again);
            int64_t pos = again->pos;
            keep_answer(&kept, original, 0);
            read_kept(again, &kept);
            struct buf found, expected;
            buf_init(&found, 1 << 20);
            buf_init(&expected, 1 << 20);
            write_answer(&found, again, pos);
            write_script(&expected, &script, pos, true, script.end);
            assert_string_equal(found.data, expected.data);
            buf_free(&found);
            buf_free(&expected);
            kept_free(&kept);
            answer_release(original);
            answer_release(again);
        }
    }
}

static const char *layout_of(const struct script *script, int64_t lost)
{
    static char text[1024];
    char *layout;
    struct answer *answer = answer_of_script(script);
    assert_true(layout_write(answer, lost, &layout));
    (void)snprintf(text, sizeof text, "%s", layout != NULL ? layout : "none");
    mem_free(layout);
    answer_release(answer);
    return text;
}

static void only_an_answer_of_text_alone_has_none(void **state)
{
    (void)state;
    struct script script = {.end = 1};
    assert_string_equal(layout_of(&script, 0), "none");
    assert_string_equal(layout_of(&script, 9), "n9");
    script_add(&script, "text", 0, "Hello", 0);
    assert_string_equal(layout_of(&script, 0), "none");
    script_add(&script, "text", 0, " world", 0);
    assert_string_equal(layout_of(&script, 0), "none");
    assert_string_equal(layout_of(&script, 9), "t11 n9");
    script_add(&script, "text", 0, "!", 4);
    assert_string_equal(layout_of(&script, 0), "t11 n4 t1");
    script = (struct script){0};
    script_add(&script, "text", 0, "late", 2);
    assert_string_equal(layout_of(&script, 0), "n2 t4");
    script = (struct script){0};
    script_add(&script, "reasoning", 0, "hm", 0);
    assert_string_equal(layout_of(&script, 0), "r2");
}

static void a_layout_says_what_is_kept_and_how_much_is_not(void **state)
{
    (void)state;
    struct script script = {0};
    script_add(&script, "text", 0, "never mind", 0);
    script_add(&script, "reference", 0, "{\"title\":\"a\",\"content\":\"\"}", 0);
    script_add(&script, "reasoning", 0, "hm", 0);
    script_add(&script, "clear_message", 0, "{}", 0);
    script_add(&script, "live_update", '1', "{\"update_id\":\"1\",\"type\":\"START\",\"content\":{\"label\":\"\"}}", 0);
    script_add(&script, "live_update", '2', "{\"update_id\":\"2\",\"type\":\"START\",\"content\":{\"label\":\"\"}}", 0);
    script_add(&script, "text", 0, "So", 0);
    script_add(&script, "conversation_summary", '*', "{\"summary\":\"s\"}", 0);
    script_add(&script, "live_update", '1', "{\"update_id\":\"1\",\"type\":\"FINISH\",\"content\":{\"label\":\"\"}}", 3);
    assert_string_equal(layout_of(&script, 5), "n11 r2 c n1 e1 t2 n4 e0 n5");
}

/* An answer that is lost again and again, and goes on each time, has many positions of which nothing is kept. */
static void positions_that_were_lost_add_up(void **state)
{
    (void)state;
    int64_t pos = 6;
    struct answer *answer = answer_of("answer");
    assert_int_equal(answer_add(answer, "text", "Hello", 5, 1), OUTCOME_OK);
    for (int i = 0; i < 20; i++, pos += LIMIT_ANSWER_BYTES) {
        struct kept kept;
        keep_answer(&kept, answer, LIMIT_ANSWER_BYTES);
        answer_release(answer);
        answer = answer_of("again");
        read_kept(answer, &kept);
        assert_true(answer->pos == pos + LIMIT_ANSWER_BYTES);
        assert_int_equal(answer->text.len, 5);
        kept_free(&kept);
    }
    answer_release(answer);
}

/* --- not as it was written ------------------------------------------------------------------------------------------------------ */

static void a_message_of_an_older_version_has_thinking_text_events(void **state)
{
    (void)state;
    struct answer *answer = answer_of("answer");
    struct buf found;
    buf_init(&found, 1 << 20);
    struct layout_parts parts = {"Hi", 2, "hm", "[{\"type\":\"reference\",\"content\":{\"n\":1}},{\"type\":\"Bad name\",\"content\":{}},{\"type\":\"my_own\"},7,null]", NULL};
    assert_int_equal(layout_read(answer, &parts), OUTCOME_OK);
    write_answer(&found, answer, 0);
    assert_string_equal(found.data, "\n1 reasoning hm\n2 text Hi\n4 reference {\"n\":1}\n6 my_own null\nend 9");
    answer_release(answer);
    answer = answer_of("answer");
    parts = (struct layout_parts){"", 0, NULL, "no list", ""};
    assert_int_equal(layout_read(answer, &parts), OUTCOME_OK);
    write_answer(&found, answer, 0);
    assert_string_equal(found.data, "\nend 1");
    answer_release(answer);
    buf_free(&found);
}

/* All text and all thinking is there, in a log whose positions grow. */
static void assert_nothing_is_lost(const struct layout_parts *parts)
{
    struct answer *answer = answer_of("answer");
    size_t reasoning_len = parts->reasoning != NULL ? strlen(parts->reasoning) : 0;
    assert_int_equal(layout_read(answer, parts), OUTCOME_OK);
    if (answer->text.len != parts->text_len || answer->reasoning.len != reasoning_len)
        print_error("layout: %s\n", parts->layout);
    assert_int_equal(answer->text.len, parts->text_len);
    assert_memory_equal(answer->text.data, parts->text, parts->text_len);
    assert_int_equal(answer->reasoning.len, reasoning_len);
    int64_t pos = 1;
    for (size_t i = 0; i < answer->run_count; i++) {
        assert_true(answer->runs[i].pos >= pos);
        pos = answer_run_end(&answer->runs[i]);
    }
    assert_true(answer->pos >= pos);
    answer_release(answer);
}

static void a_layout_that_does_not_fit_costs_no_text(void **state)
{
    (void)state;
    static const char *const layouts[] = {"", " ", "t", "t0", "t3", "t99", "t8 t1", "r2", "r99", "t8 r2 r1", "e0", "e1", "e-1", "c", "n", "n5", "x", "t8x", "t-3",
                                          "t+3", "t 3", "tt", "8", "n99999999999999999999999999", "t99999999999999999999999999", "r18446744073709551615",
                                          "n9223372036854775807 n9223372036854775807", "\xFF\xFE",
                                          "r2 r2 r2", "t4 e0 e0 e0 e0 t4", "c c c t8", "t8 c", "t2\nt2"};
    struct layout_parts parts = {"12345678", 8, "abcd", "[{\"type\":\"my_own\",\"content\":{}}]", NULL};
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        parts.layout = layouts[i];
        assert_nothing_is_lost(&parts);
    }
}

static void damage(char *layout, size_t room, uint64_t *seed)
{
    static const char letters[] = "trecn0123456789 -+x\t\xFF";
    for (uint32_t n = 1 + unit_random(seed) % 3; n > 0; n--) {
        size_t len = strlen(layout), at = unit_random(seed) % (len + 1);
        char letter = letters[unit_random(seed) % (sizeof letters - 1)];
        switch (unit_random(seed) % 4) {
        case 0:
            layout[at] = '\0';
            break;
        case 1:
            if (at < len)
                layout[at] = letter;
            break;
        case 2:
            if (at < len)
                memmove(layout + at, layout + at + 1, len - at);
            break;
        default:
            if (len + 2 < room) {
                memmove(layout + at + 1, layout + at, len - at + 1);
                layout[at] = letter;
            }
        }
    }
}

static void a_layout_that_was_damaged_costs_no_text(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 4000; round++) {
        static struct script script;
        static char layout[2048];
        struct kept kept;
        script_random(&script, &seed, 12, true);
        struct answer *original = answer_of_script(&script);
        keep_answer(&kept, original, 0);
        (void)snprintf(layout, sizeof layout, "%s", kept.layout != NULL ? kept.layout : "t1");
        damage(layout, sizeof layout, &seed);
        struct layout_parts parts = kept.parts;
        parts.text = guard(kept.text, kept.parts.text_len); /* it need not end in a NUL */
        parts.layout = layout;
        assert_nothing_is_lost(&parts);
        kept_free(&kept);
        answer_release(original);
    }
}

static void an_answer_that_is_longer_than_may_be_is_refused(void **state)
{
    (void)state;
    struct answer *answer = answer_of("answer");
    answer->text.max = 7;
    struct layout_parts parts = {"12345678", 8, "abcd", NULL, "r2 t4 r2 t4"};
    assert_int_equal(layout_read(answer, &parts), OUTCOME_ANSWER_TOO_LONG);
    answer_release(answer);
}

/* Each thought is found without looking at all of them. */
static void many_thousand_thoughts_are_read_at_once(void **state)
{
    (void)state;
    enum { THOUGHTS = 100000, BYTES = 20 };
    struct answer *original = answer_of("original"), *again = answer_of("again");
    struct kept kept;
    for (int i = 0; i < THOUGHTS; i++)
        assert_int_equal(answer_add(original, "reasoning", "twenty bytes of this", BYTES, original->pos), OUTCOME_OK);
    keep_answer(&kept, original, 0);
    clock_t begun = clock();
    read_kept(again, &kept);
    assert_true((double)(clock() - begun) / CLOCKS_PER_SEC < 2);
    assert_int_equal(again->reasoning.len, THOUGHTS * BYTES);
    assert_int_equal(again->run_count, THOUGHTS);
    kept_free(&kept);
    answer_release(original);
    answer_release(again);
}

/* --- without memory ---------------------------------------------------------------------------------------------------------------- */

static void without_memory_nothing_is_half_written(void **state)
{
    (void)state;
    uint64_t seed = 4;
    static struct script script;
    int failed = 0;
    for (int round = 0; round < 20; round++) {
        script_random(&script, &seed, SCRIPT_ITEMS, true);
        struct answer *answer = answer_of_script(&script);
        char *whole, *layout;
        bool good = false;
        assert_true(layout_write(answer, 7, &whole));
        for (long calls = 0; !good; calls++) {
            mem_fail_after(calls);
            good = layout_write(answer, 7, &layout);
            mem_fail_after(-1);
            failed += !good;
            assert_true(good == (layout != NULL));
            if (good)
                assert_string_equal(layout, whole);
            mem_free(layout);
        }
        mem_free(whole);
        answer_release(answer);
    }
    assert_true(failed >= 20);
}

static void what_was_not_read_for_want_of_memory_is_read_the_next_time(void **state)
{
    (void)state;
    uint64_t seed = 5;
    static struct script script;
    int failed = 0;
    for (int round = 0; round < 20; round++) {
        struct kept kept;
        enum outcome outcome = OUTCOME_NO_MEMORY;
        script_random(&script, &seed, SCRIPT_ITEMS, true);
        struct answer *original = answer_of_script(&script);
        keep_answer(&kept, original, 7);
        for (long calls = 0; outcome != OUTCOME_OK; calls++) {
            struct answer *again = answer_of("again");
            mem_fail_after(calls);
            outcome = layout_read(again, &kept.parts);
            mem_fail_after(-1);
            assert_true(outcome == OUTCOME_OK || outcome == OUTCOME_NO_MEMORY);
            failed += outcome != OUTCOME_OK;
            read_kept(again, &kept);
            assert_script(again, &script, true, script.end + 7);
            answer_release(again);
        }
        kept_free(&kept);
        answer_release(original);
    }
    assert_true(failed >= 20);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_log_comes_back_from_every_position_on),
    cmocka_unit_test(a_log_that_a_model_has_written_comes_back),
    cmocka_unit_test(an_answer_that_has_the_beginning_gets_the_rest),
    cmocka_unit_test(only_an_answer_of_text_alone_has_none),
    cmocka_unit_test(a_layout_says_what_is_kept_and_how_much_is_not),
    cmocka_unit_test(positions_that_were_lost_add_up),
    cmocka_unit_test(a_message_of_an_older_version_has_thinking_text_events),
    cmocka_unit_test(a_layout_that_does_not_fit_costs_no_text),
    cmocka_unit_test(a_layout_that_was_damaged_costs_no_text),
    cmocka_unit_test(an_answer_that_is_longer_than_may_be_is_refused),
    cmocka_unit_test(many_thousand_thoughts_are_read_at_once),
    cmocka_unit_test(without_memory_nothing_is_half_written),
    cmocka_unit_test(what_was_not_read_for_want_of_memory_is_read_the_next_time),
};

UNIT_MAIN(tests)
