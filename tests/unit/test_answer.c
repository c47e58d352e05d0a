/*
 * Tests of src/chat/answer.h: logs that are put together from stretches of another (what clients are sent is tried over HTTP; events are in test_event.c).
 */
#include "answers.h"

static struct answer *answer;
static struct buf found;

static int begin(void **state)
{
    (void)state;
    answer = answer_of("answer");
    buf_init(&found, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    answer_release(answer);
    buf_free(&found);
    return 0;
}

#define answer_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void add(const char *kind, const char *bytes, int64_t pos)
{
    assert_int_equal(answer_add(answer, kind, bytes, strlen(bytes), pos), OUTCOME_OK);
}

static const char *log_after(int64_t after)
{
    write_answer(&found, answer, after);
    return found.data;
}

static void stretches_follow_each_other(void **state)
{
    (void)state;
    add("text", "Hel", 1);
    add("text", "lo", 4);
    add("reasoning", "hm", 6);
    add("reasoning", "hm", 7);
    add("my_own", "{\"n\":1}", 8);
    add("text", "!", 9);
    assert_string_equal(log_after(0), "\n1 text Hello\n6 reasoning hm\n7 reasoning hm\n8 my_own {\"n\":1}\n9 text !\nend 10");
    assert_int_equal(answer->run_count, 5);
    assert_string_equal(log_after(3), "\n3 text llo\n6 reasoning hm\n7 reasoning hm\n8 my_own {\"n\":1}\n9 text !\nend 10");
    assert_string_equal(log_after(10), "\nend 10");
    assert_true(answer->opened);
}

static void what_is_there_already_is_left_out(void **state)
{
    (void)state;
    add("text", "Hello", 1);
    add("text", "Hello", 1);
    add("text", "ell", 2);
    add("text", "lo, world", 4); /* some of it is new */
    add("text", "", 13);
    add("reasoning", "known", 3);
    add("my_own", "{}", 12);
    assert_string_equal(log_after(0), "\n1 text Hello, world\nend 13");
    add("my_own", "{}", 13);
    add("my_own", "{}", 13);
    assert_string_equal(log_after(13), "\n13 my_own {}\nend 14");
}

static void what_is_missing_stays_a_gap(void **state)
{
    (void)state;
    add("text", "late", 5);
    add("reasoning", "later", 20);
    add("my_own", "{}", 30);
    add("text", "end", 40);
    assert_string_equal(log_after(0), "\n5 text late\n20 reasoning later\n30 my_own {}\n40 text end\nend 43");
    add("text", "too late", 10); /* what came after it is there: it cannot come in between */
    assert_string_equal(log_after(9), "\n20 reasoning later\n30 my_own {}\n40 text end\nend 43");
}

static void what_is_cleared_does_not_count(void **state)
{
    (void)state;
    size_t len;
    add("text", "never mind", 1);
    add("clear_message", "{}", 11);
    add("text", "So", 12);
    assert_memory_equal(answer_shown(answer, &len), "So", 2);
    assert_int_equal(len, 2);
}

/* Any order of overlapping pieces gives the same log, as long as nothing before them is missing. */
static void overlapping_pieces_give_one_log(void **state)
{
    (void)state;
    uint64_t seed = 41;
    for (int round = 0; round < 300; round++) {
        static struct script script;
        struct answer *copy = answer_of("copy");
        script_random(&script, &seed, 20, true);
        for (size_t done = 0; done < script.count;) {
            size_t from = done > 0 ? unit_random(&seed) % (done + 1) : 0, to = from + 1 + unit_random(&seed) % (script.count - from);
            if (to > done) {
                script_play(&script, from, to, copy);
                done = to;
            }
        }
        assert_script(copy, &script, false, script.end);
        answer_release(copy);
    }
}

static void positions_in_a_character_are_those_before_it(void **state)
{
    (void)state;
    add("text", "aä漢😀", 1);
    const struct run *run = &answer->runs[0];
    static const size_t before[] = {0, 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (int64_t pos = 0; pos < 13; pos++)
        assert_int_equal(answer_text_before(answer, run, pos), before[pos]);
    assert_true(answer_run_end(run) == 11);
}

static void an_answer_has_its_limit_and_keeps_what_it_has(void **state)
{
    (void)state;
    answer_allow(answer, 8);
    add("text", "12345", 1);
    assert_int_equal(answer_add(answer, "text", "6789", 4, 6), OUTCOME_ANSWER_TOO_LONG);
    assert_int_equal(answer_add(answer, "reasoning", "123456789", 9, 6), OUTCOME_ANSWER_TOO_LONG);
    assert_string_equal(log_after(0), "\n1 text 12345\nend 6");
    answer_allow(answer, 3); /* less than there is */
    assert_int_equal(answer_add(answer, "text", "6", 1, 6), OUTCOME_ANSWER_TOO_LONG);
    struct completion_sink sink = answer_sink(answer);
    assert_int_equal(sink.event(answer, COMPLETION_TEXT, "6", 1), OUTCOME_ANSWER_TOO_LONG);
    add("reasoning", "123", 6);
    answer_allow(answer, 100);
    add("text", "6789", 7);
    assert_string_equal(log_after(0), "\n1 text 12345\n6 reasoning 123\n7 text 6789\nend 11");
}

/* Whoever had the beginning of a thought comes back for what is behind its position. */
static void thinking_that_was_told_takes_no_more(void **state)
{
    (void)state;
    struct completion_sink sink = answer_sink(answer);
    assert_int_equal(sink.event(answer, COMPLETION_REASONING, "one", 3), OUTCOME_OK);
    assert_int_equal(sink.event(answer, COMPLETION_REASONING, " thought", 8), OUTCOME_OK);
    answer->told_runs = 1; /* by stream.c, to a client that has left since */
    assert_int_equal(sink.event(answer, COMPLETION_REASONING, "another", 7), OUTCOME_OK);
    assert_int_equal(sink.event(answer, COMPLETION_REASONING, " one", 4), OUTCOME_OK);
    answer->journal_run = 2; /* by journal.c */
    assert_int_equal(sink.event(answer, COMPLETION_REASONING, "third", 5), OUTCOME_OK);
    assert_string_equal(log_after(0), "\n1 reasoning one thought\n2 reasoning another one\n3 reasoning third\nend 4");
}

static void without_memory_a_stretch_can_be_added_again(void **state)
{
    (void)state;
    static const char *const kinds[] = {"text", "reasoning", "my_own"};
    int failed = 0;
    for (size_t kind = 0; kind < 3; kind++)
        for (int64_t gap = 0; gap < 3; gap++) {
            enum outcome outcome = OUTCOME_NO_MEMORY;
            for (long calls = 0; outcome != OUTCOME_OK; calls++) {
                struct answer *fresh = answer_of("fresh");
                mem_fail_after(calls);
                outcome = answer_add(fresh, kinds[kind], "{\"n\":1}", 7, 1 + gap);
                mem_fail_after(-1);
                failed += outcome != OUTCOME_OK;
                assert_int_equal(answer_add(fresh, kinds[kind], "{\"n\":1}", 7, 1 + gap), OUTCOME_OK);
                assert_int_equal(fresh->run_count, 1);
                assert_true(fresh->runs[0].pos == 1 + gap);
                answer_release(fresh);
            }
        }
    assert_true(failed >= 9);
}

static const struct CMUnitTest tests[] = {
    answer_test(stretches_follow_each_other),
    answer_test(what_is_there_already_is_left_out),
    answer_test(what_is_missing_stays_a_gap),
    answer_test(what_is_cleared_does_not_count),
    answer_test(overlapping_pieces_give_one_log),
    answer_test(positions_in_a_character_are_those_before_it),
    answer_test(an_answer_has_its_limit_and_keeps_what_it_has),
    answer_test(thinking_that_was_told_takes_no_more),
    answer_test(without_memory_a_stretch_can_be_added_again),
};

UNIT_MAIN(tests)
