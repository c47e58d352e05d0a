/*
 * Tests of src/chat/lost.h: what is kept of an answer whose process was killed, and that nobody does it twice or too early.
 */
#include "journals.h"

#include "../../src/base/clock.h"
#include "../../src/chat/live.h"
#include "../../src/chat/lost.h"
#include "../../src/chat/mirror.h"

static struct failure failure;

static int lost_begin(void **state)
{
    process_end();
    settings.max_answer_bytes = 4 * 1024 * 1024;
    return store_begin(state);
}

static int lost_end(void **state)
{
    process_end();
    return store_end(state);
}

#define lost_test(test) cmocka_unit_test_setup_teardown(test, lost_begin, lost_end)

static bool settle(int64_t user, const char *id)
{
    bool settled = true;
    assert_int_equal(lost_settle(user, id, &settled, &failure), OUTCOME_OK);
    return settled;
}

/* The answer as the database has it is this script's, with what is kept or all of it, and these positions behind. */
static void assert_stored(int64_t user, const char *id, const char *status, const struct script *script, int64_t lost)
{
    struct mirror mirror;
    assert_int_equal(mirror_read(&mirror, user, id, &failure), OUTCOME_OK);
    assert_string_equal(mirror.status, status);
    assert_script(mirror.answer, script, true, script->end + lost);
    mirror_free(&mirror);
}

static void a_lost_answer_keeps_what_its_journal_has(void **state)
{
    (void)state;
    uint64_t seed = 31;
    int64_t user = new_user();
    for (int round = 0; round < 40; round++) {
        static struct script script;
        struct message_begin turn = begin_by(user, GONE_PROCESS);
        script_random(&script, &seed, SCRIPT_ITEMS, true);
        write_journal(turn.answer, GONE_PROCESS, &script, 0, script.count, &seed);
        assert_true(settle(user, turn.answer));
        assert_stored(user, turn.answer, "interrupted", &script, LIMIT_ANSWER_BYTES);
        assert_false(settle(user, turn.answer)); /* it is done */
    }
    assert_int_equal(sql("SELECT count(*) FROM journal"), 0);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'interrupted' AND error_code IS NOT NULL AND error_message IS NOT NULL AND finished_at = seen_at"), 40);
    assert_index_is_whole();
}

static void text_thinking_and_events_are_each_in_their_place(void **state)
{
    (void)state;
    uint64_t seed = 32;
    int64_t user = new_user();
    struct script script = {0};
    struct message_begin turn = begin_by(user, GONE_PROCESS), next;
    script_add(&script, "reasoning", 0, "hm ", 0);
    script_add(&script, "text", 0, "A 世界 ", 0);
    script_add(&script, "reference", 0, "{\"title\":\"t\",\"content\":\"c\"}", 0);
    script_add(&script, "conversation_summary", '*', "{\"summary\":\"s\"}", 0);
    script_add(&script, "reasoning", 0, "hm?", 0);
    script_add(&script, "text", 0, "b", 0);
    write_journal(turn.answer, GONE_PROCESS, &script, 0, script.count, &seed);
    assert_true(settle(user, turn.answer));
    assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant interrupted A 世界 b]");
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE reasoning = 'hm hm?' AND events = '[{\"type\":\"reference\",\"content\":{\"title\":\"t\",\"content\":\"c\"}}]' "
                         "AND layout = 'r3 t9 e0 n1 r3 t1 n134217728'"), 1);
    assert_string_equal(titles_of(user, "世界"), "[q]"); /* it can be found */
    next = turn_of(user, turn.conversation, NULL, "goes on");
    assert_int_equal(message_begin_turn(&next, &failure), OUTCOME_OK);
}

static void an_answer_of_which_nothing_was_written_is_empty(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = begin_by(user, GONE_PROCESS);
    struct script nothing = {.end = 1};
    assert_true(settle(user, turn.answer));
    assert_stored(user, turn.answer, "interrupted", &nothing, LIMIT_ANSWER_BYTES);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'interrupted' AND content = '' AND reasoning IS NULL AND events IS NULL"), 1);
}

/* An answer that goes on, is killed, goes on and is killed: all that it ever said is there. */
static void an_answer_that_went_on_keeps_what_it_had(void **state)
{
    (void)state;
    uint64_t seed = 33;
    int64_t user = new_user();
    for (int round = 0; round < 10; round++) {
        static struct script script;
        struct message_begin turn = begin_by(user, GONE_PROCESS);
        script = (struct script){.end = 1};
        for (int part = 0; part < 5; part++) {
            size_t from = script.count;
            char text[160];
            random_text(&seed, text);
            script_add(&script, "text", 0, text, part > 0 ? LIMIT_ANSWER_BYTES : 0);
            if (unit_random(&seed) % 2 == 0)
                script_add(&script, "reasoning", 0, text, 0);
            if (unit_random(&seed) % 2 == 0)
                script_add(&script, "my_own", 0, "{\"n\":1}", 0);
            script_add(&script, "text", 0, "!", 0);
            write_journal(turn.answer, GONE_PROCESS, &script, from, script.count, &seed);
            assert_true(settle(user, turn.answer));
            struct mirror mirror;
            struct buf found, expected;
            buf_init(&found, 1 << 20);
            buf_init(&expected, 1 << 20);
            assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
            write_answer(&found, mirror.answer, 0);
            write_script(&expected, &script, 0, true, script.end + LIMIT_ANSWER_BYTES);
            assert_string_equal(found.data, expected.data);
            buf_free(&found);
            buf_free(&expected);
            mirror_free(&mirror);
            struct message_begin next = {.user = user, .process = GONE_PROCESS, .model = "m"};
            (void)snprintf(next.answer, sizeof next.answer, "%s", turn.answer);
            assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
        }
    }
}

static void an_answer_that_is_being_made_is_left_alone(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    assert_int_equal(db_check(&failure), OUTCOME_OK);
    struct message_begin unlocked = begin_by(user, PROCESS), own = begin_by(user, process_id()), gone = begin_by(user, GONE_PROCESS), done = whole_turn(user, NULL, NULL, "q", "a");
    bool settled = true;
    assert_false(settle(user, unlocked.answer));
    assert_false(settle(user, own.answer));
    assert_false(settle(user, done.answer));
    assert_int_equal(lost_settle(other, gone.answer, &settled, &failure), OUTCOME_NOT_FOUND);
    assert_false(settled);
    settled = true;
    assert_int_equal(lost_settle(user, "no-such-id", &settled, &failure), OUTCOME_NOT_FOUND);
    assert_false(settled);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'streaming'"), 3);
}

/* Of an answer that has steps, models are told nothing else: so what it has said since they were stored becomes one. */
static void an_answer_with_steps_that_went_on_has_the_rest_as_a_step(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = begin_by(user, PROCESS), next = {.user = user, .process = GONE_PROCESS, .model = "m"};
    struct message_end end = {.id = turn.answer, .process = PROCESS, .status = "stopped", .content = "first", .content_len = 5, .usage = usage_none(),
                              .steps = "[{\"role\":\"assistant\",\"content\":\"first\"}]"};
    assert_int_equal(message_end_turn(&end, &failure), OUTCOME_OK);
    (void)snprintf(next.answer, sizeof next.answer, "%s", turn.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
    struct journal_row row = {turn.answer, 7, "text", " and more", 9};
    assert_int_equal(journal_add(&row, 1, GONE_PROCESS, &failure), OUTCOME_OK);
    assert_true(settle(user, turn.answer));
    assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant interrupted first and more]");
    assert_int_equal(sql("SELECT json_array_length(steps) = 2 AND json_extract(steps, '$[1].content') = ' and more' FROM messages WHERE role = 'assistant'"), 1);
}

/* It was only slow: the end that it has itself is the better one. */
static void a_process_that_was_taken_for_dead_stores_its_end(void **state)
{
    (void)state;
    uint64_t seed = 34;
    int64_t user = new_user();
    static struct script script;
    for (int round = 0; round < 10; round++) {
        struct message_begin turn = begin_by(user, PROCESS);
        script_random(&script, &seed, SCRIPT_ITEMS, true);
        size_t written = unit_random(&seed) % (script.count + 1);
        write_journal(turn.answer, PROCESS, &script, 0, written, &seed);
        (void)sql("UPDATE messages SET seen_at = 1000 WHERE status = 'streaming'");
        assert_true(settle(user, turn.answer));
        write_journal(turn.answer, PROCESS, &script, written, script.count, &seed); /* that goes nowhere */
        assert_int_equal(sql("SELECT count(*) FROM journal"), 0);
        struct answer *whole = answer_of_script(&script);
        assert_int_equal(end_with(turn.answer, PROCESS, whole, "done"), OUTCOME_OK);
        assert_stored(user, turn.answer, "done", &script, 0);
        answer_release(whole);
    }
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE error_code IS NOT NULL"), 0);
}

/* Unless it went on in another process meanwhile: the two do not mix. */
static void a_process_that_was_taken_for_dead_does_not_disturb_the_next(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = begin_by(user, PROCESS), next = {.user = user, .process = "next-process", .model = "m"};
    struct journal_row rows[] = {{turn.answer, 1, "text", "par", 3}, {turn.answer, 4, "text", "late", 4}};
    assert_int_equal(journal_add(rows, 1, PROCESS, &failure), OUTCOME_OK);
    (void)sql("UPDATE messages SET seen_at = 1000 WHERE status = 'streaming'");
    assert_true(settle(user, turn.answer));
    (void)snprintf(next.answer, sizeof next.answer, "%s", turn.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
    assert_int_equal(journal_add(rows + 1, 1, PROCESS, &failure), OUTCOME_OK);
    assert_int_equal(end_turn_as(turn.answer, "done", "parlate"), OUTCOME_NOT_FOUND);
    assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant streaming par]");
    assert_int_equal(sql("SELECT count(*) FROM journal"), 0);
}

static void all_lost_answers_of_a_conversation_are_settled(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct message_begin first = begin_by(user, GONE_PROCESS), elsewhere = begin_by(user, GONE_PROCESS);
    static const char *const processes[] = {GONE_PROCESS, PROCESS, GONE_PROCESS};
    for (int i = 0; i < 3; i++) {
        struct message_begin more = turn_of(user, first.conversation, "root", "q");
        more.process = processes[i];
        assert_int_equal(message_begin_turn(&more, &failure), OUTCOME_OK);
    }
    struct answer *own = answer_of(first.answer); /* this process knows better */
    lost_settle_conversation(other, first.conversation);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'interrupted'"), 0);
    live_add(own);
    lost_settle_conversation(user, first.conversation);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'interrupted'"), 2);
    live_remove(own);
    lost_settle_conversation(user, first.conversation);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'interrupted'"), 3);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'streaming'"), 2); /* one has a process, one is elsewhere */
    assert_false(settle(user, first.answer));
    assert_true(settle(user, elsewhere.answer));
    answer_release(own);
}

/* --- two at once ------------------------------------------------------------------------------------------------------------------------ */

enum { LOST = 30 };

struct job {
    int64_t user;
    char ids[LOST][ID_BYTES];
};

/* A child that does not touch the database before it gets its job. Writes how many it could not look at. */
static pid_t settling_child(int *job_fd, int *result_fd)
{
    int to[2], from[2];
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static struct job job;
        int failed = LOST;
        settings.db_busy_ms = 20000;
        if (read(to[0], &job, sizeof job) == (ssize_t)sizeof job)
            for (int i = 0; i < LOST; i++) {
                bool settled;
                failed -= lost_settle(job.user, job.ids[i], &settled, &failure) == OUTCOME_OK;
            }
        (void)!write(from[1], &failed, sizeof failed);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    *job_fd = to[1];
    *result_fd = from[0];
    return child;
}

static void two_processes_settle_at_once(void **state)
{
    (void)state;
    uint64_t seed = 35;
    static struct job job;
    static struct script scripts[LOST];
    int job_fd, result_fd, failed = -1;
    pid_t child = settling_child(&job_fd, &result_fd); /* before the database is open */
    settings.db_busy_ms = 20000;
    job.user = new_user();
    for (int i = 0; i < LOST; i++) {
        struct message_begin turn = begin_by(job.user, GONE_PROCESS);
        memcpy(job.ids[i], turn.answer, ID_BYTES);
        script_random(&scripts[i], &seed, 20, true);
        write_journal(turn.answer, GONE_PROCESS, &scripts[i], 0, scripts[i].count, &seed);
    }
    assert_true(write(job_fd, &job, sizeof job) == (ssize_t)sizeof job); /* it fits a pipe */
    for (int i = 0; i < LOST; i++)
        (void)settle(job.user, job.ids[i]);
    assert_int_equal(read(result_fd, &failed, sizeof failed), sizeof failed);
    close(job_fd);
    close(result_fd);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(failed, 0);
    for (int i = 0; i < LOST; i++)
        assert_stored(job.user, job.ids[i], "interrupted", &scripts[i], LIMIT_ANSWER_BYTES);
    assert_int_equal(sql("SELECT count(*) FROM journal"), 0);
    assert_index_is_whole();
}

/* --- without memory -------------------------------------------------------------------------------------------------------------------- */

static void without_memory_an_answer_stays_and_is_settled_the_next_time(void **state)
{
    (void)state;
    uint64_t seed = 36;
    int64_t user = new_user();
    static struct script script;
    int failed = 0;
    while (script.count < 20)
        script_random(&script, &seed, SCRIPT_ITEMS, true);
    enum outcome outcome = OUTCOME_NO_MEMORY;
    for (long calls = 0; outcome != OUTCOME_OK; calls++) {
        struct message_begin turn = begin_by(user, GONE_PROCESS);
        bool settled = true;
        write_journal(turn.answer, GONE_PROCESS, &script, 0, script.count, &seed);
        mem_fail_after(calls);
        outcome = lost_settle(user, turn.answer, &settled, &failure);
        mem_fail_after(-1);
        assert_true(outcome == OUTCOME_OK || outcome == OUTCOME_NO_MEMORY);
        assert_int_equal(settled, outcome == OUTCOME_OK);
        failed += outcome != OUTCOME_OK;
        if (outcome != OUTCOME_OK) {
            assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant streaming ]");
            assert_true(settle(user, turn.answer));
        }
        assert_stored(user, turn.answer, "interrupted", &script, LIMIT_ANSWER_BYTES);
    }
    assert_true(failed > 10);
}

static void without_memory_a_conversation_is_settled_the_next_time(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = begin_by(user, GONE_PROCESS);
    struct journal_row row = {turn.answer, 1, "text", "par", 3};
    assert_int_equal(journal_add(&row, 1, GONE_PROCESS, &failure), OUTCOME_OK);
    for (long calls = 0; calls < 100 && sql("SELECT count(*) FROM messages WHERE status = 'streaming'") > 0; calls++) {
        mem_fail_after(calls);
        lost_settle_conversation(user, turn.conversation);
        mem_fail_after(-1);
    }
    assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant interrupted par]");
}

static const struct CMUnitTest tests[] = {
    lost_test(a_lost_answer_keeps_what_its_journal_has),
    lost_test(text_thinking_and_events_are_each_in_their_place),
    lost_test(an_answer_of_which_nothing_was_written_is_empty),
    lost_test(an_answer_that_went_on_keeps_what_it_had),
    lost_test(an_answer_with_steps_that_went_on_has_the_rest_as_a_step),
    lost_test(an_answer_that_is_being_made_is_left_alone),
    lost_test(a_process_that_was_taken_for_dead_stores_its_end),
    lost_test(a_process_that_was_taken_for_dead_does_not_disturb_the_next),
    lost_test(all_lost_answers_of_a_conversation_are_settled),
    lost_test(two_processes_settle_at_once),
    lost_test(without_memory_an_answer_stays_and_is_settled_the_next_time),
    lost_test(without_memory_a_conversation_is_settled_the_next_time),
};

UNIT_MAIN(tests)
