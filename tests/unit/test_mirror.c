/*
 * Tests of src/chat/mirror.h: what the database has of an answer is the log that its process has written, read at once or in steps; who is lost.
 */
#include "journals.h"
#include "processes.h"

#include <sys/stat.h>

#include "../../src/base/clock.h"
#include "../../src/base/loop.h"
#include "../../src/chat/live.h"
#include "../../src/chat/mirror.h"

static struct failure failure;

static int mirror_begin(void **state)
{
    process_end();
    settings.max_answer_bytes = 4 * 1024 * 1024;
    return store_begin(state) == 0 && db_check(&failure) == OUTCOME_OK && loop_start() ? 0 : -1;
}

static int mirror_stop(void **state)
{
    loop_stop();
    process_end();
    return store_end(state);
}

#define mirror_test(test) cmocka_unit_test_setup_teardown(test, mirror_begin, mirror_stop)

static void an_answer_is_read_from_its_journal(void **state)
{
    (void)state;
    uint64_t seed = 11;
    int64_t user = new_user();
    for (int round = 0; round < 60; round++) {
        static struct script script;
        struct mirror mirror;
        struct message_begin turn = begin_by(user, PROCESS);
        script_random(&script, &seed, round % 4 == 0 ? SCRIPT_ITEMS : 12, true);
        write_journal(turn.answer, PROCESS, &script, 0, script.count, &seed);
        assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
        assert_true(mirror.is_running);
        assert_string_equal(mirror.status, "streaming");
        assert_string_equal(mirror.process, PROCESS);
        assert_string_equal(mirror.answer->conversation, turn.conversation);
        assert_script(mirror.answer, &script, false, script.end);
        mirror_free(&mirror);
    }
}

/* What is not in the journal yet when the answer ends comes with the message. */
static void an_answer_is_read_on_to_its_end(void **state)
{
    (void)state;
    uint64_t seed = 12;
    int64_t user = new_user();
    for (int round = 0; round < 40; round++) {
        static struct script script;
        struct mirror mirror;
        struct message_begin turn = begin_by(user, PROCESS);
        script_random(&script, &seed, SCRIPT_ITEMS, true);
        size_t written = 0, last = unit_random(&seed) % (script.count + 1);
        assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
        while (written < last) {
            size_t more = 1 + unit_random(&seed) % (last - written);
            write_journal(turn.answer, PROCESS, &script, written, written + more, &seed);
            written += more;
            if (unit_random(&seed) % 3 == 0 && written < last)
                continue;
            assert_int_equal(mirror_read_on(&mirror, &failure), OUTCOME_OK);
            struct script known = script;
            known.count = written;
            known.end = item_end(&script.items[written - 1]);
            assert_script(mirror.answer, &known, false, known.end);
            assert_true(mirror.is_running);
        }
        struct answer *original = answer_of_script(&script);
        assert_int_equal(end_with(turn.answer, PROCESS, original, "done"), OUTCOME_OK);
        assert_int_equal(mirror_read_on(&mirror, &failure), OUTCOME_OK);
        assert_false(mirror.is_running);
        assert_string_equal(mirror.status, "done");
        for (size_t i = 0; i < written; i++)
            script.items[i].kept = true; /* it has those already */
        assert_script(mirror.answer, &script, true, script.end);
        assert_int_equal(mirror_read_on(&mirror, &failure), OUTCOME_OK); /* once more changes nothing */
        assert_script(mirror.answer, &script, true, script.end);
        answer_release(original);
        mirror_free(&mirror);
    }
}

static void an_answer_that_goes_on_has_what_it_had_and_its_journal(void **state)
{
    (void)state;
    uint64_t seed = 13;
    int64_t user = new_user();
    for (int round = 0; round < 40; round++) {
        static struct script script;
        struct mirror mirror;
        struct message_begin turn = begin_by(user, PROCESS), next = {.user = user, .process = "next-process", .model = "m"};
        script_random(&script, &seed, SCRIPT_ITEMS, false);
        struct answer *original = answer_of("original");
        size_t cut = unit_random(&seed) % (script.count + 1);
        script_play(&script, 0, cut, original);
        struct script had = script;
        had.count = 0;
        had.end = 1;
        for (size_t i = 0; i < cut; i++) { /* what counts of its beginning by itself */
            const struct item *item = &script.items[i];
            script_add(&had, item->kind, item->key, item->bytes, item->pos - had.end);
        }
        assert_int_equal(end_with(turn.answer, PROCESS, original, "interrupted"), OUTCOME_OK);
        (void)snprintf(next.answer, sizeof next.answer, "%s", turn.answer);
        assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
        write_journal(turn.answer, "next-process", &script, cut, script.count, &seed);
        for (size_t i = 0; i < script.count; i++)
            script.items[i].kept = i >= cut || had.items[i].kept;
        assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
        assert_true(mirror.is_running);
        assert_script(mirror.answer, &script, true, script.end);
        assert_int_equal(mirror_read_on(&mirror, &failure), OUTCOME_OK);
        assert_script(mirror.answer, &script, true, script.end);
        mirror_free(&mirror);
        answer_release(original);
    }
}

static void what_is_told_of_an_end_is_read_too(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = begin_by(user, PROCESS);
    struct mirror mirror;
    struct message_end end = {.id = turn.answer, .process = PROCESS, .status = "error", .content = "par", .content_len = 3, .usage = {3, 4, 1, 2, true, 0.5}, .steps = "[1]",
                              .finish_reason = "length", .error_code = "provider_timeout", .error_message = "too slow"};
    assert_int_equal(message_end_turn(&end, &failure), OUTCOME_OK);
    assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
    assert_false(mirror.is_running);
    assert_string_equal(mirror.status, "error");
    assert_string_equal(mirror.process, "");
    assert_string_equal(mirror.steps, "[1]");
    assert_string_equal(mirror.finish_reason, "length");
    assert_int_equal(mirror.failure.outcome, OUTCOME_PROVIDER_TIMEOUT);
    assert_string_equal(mirror.failure.message, "too slow");
    assert_int_equal(mirror.usage.prompt_tokens, 3);
    assert_true(mirror.usage.estimated && mirror.usage.cost == 0.5);
    assert_true(mirror.answer->created_s == sql("SELECT created_at / 1000 FROM messages WHERE role = 'assistant'"));
    assert_false(mirror_is_lost(&mirror));
    mirror_end(&mirror);
    assert_true(mirror.answer->ended);
    assert_string_equal(mirror.answer->status, "error");
    assert_int_equal(mirror.answer->failure.outcome, OUTCOME_PROVIDER_TIMEOUT);
    mirror_free(&mirror);
}

static void assert_not_found(int64_t user, const char *id)
{
    struct mirror mirror;
    assert_int_equal(mirror_read(&mirror, user, id, &failure), OUTCOME_NOT_FOUND);
    mirror_free(&mirror);
}

static void only_answers_of_the_user_are_found(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct message_begin turn = begin_by(user, PROCESS);
    struct mirror mirror;
    assert_not_found(other, turn.answer);
    assert_not_found(user, turn.question);
    assert_not_found(user, "0123456789abcdefghjkmnpqrs");
    assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
    assert_int_equal(conversation_delete(user, turn.conversation, &failure), OUTCOME_OK);
    assert_int_equal(mirror_read_on(&mirror, &failure), OUTCOME_NOT_FOUND);
    mirror_free(&mirror);
    assert_not_found(user, turn.answer);
}

/* --- how much ------------------------------------------------------------------------------------------------------------------------ */

/* Also what was written when more was allowed than now. */
static void a_long_answer_is_read_whole(void **state)
{
    (void)state;
    enum { ROW_BYTES = 1024 * 1024, ROWS = 40 };
    int64_t user = new_user();
    struct message_begin turn = begin_by(user, PROCESS);
    struct mirror mirror;
    char *text = malloc(ROW_BYTES);
    assert_non_null(text);
    memset(text, 'x', ROW_BYTES);
    for (int i = 0; i < ROWS; i++) {
        struct journal_row row = {turn.answer, 1 + (int64_t)i * ROW_BYTES, "text", text, ROW_BYTES};
        assert_int_equal(journal_add(&row, 1, PROCESS, &failure), OUTCOME_OK);
    }
    free(text);
    assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
    assert_int_equal(mirror.answer->text.len, (size_t)ROWS * ROW_BYTES);
    assert_int_equal(end_with(turn.answer, PROCESS, mirror.answer, "done"), OUTCOME_OK);
    mirror_free(&mirror);
    assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
    assert_int_equal(mirror.answer->text.len, (size_t)ROWS * ROW_BYTES);
    mirror_free(&mirror);
}

/* --- lost ---------------------------------------------------------------------------------------------------------------------------- */

static bool is_lost(int64_t user, const char *id)
{
    struct mirror mirror;
    assert_int_equal(mirror_read(&mirror, user, id, &failure), OUTCOME_OK);
    bool lost = mirror_is_lost(&mirror);
    mirror_free(&mirror);
    return lost;
}

static void age_answers(int64_t ms)
{
    char text[100];
    (void)snprintf(text, sizeof text, "UPDATE messages SET seen_at = %lld WHERE status = 'streaming'", (long long)(clock_unix_ms() - ms));
    (void)sql(text);
}

static void an_answer_is_lost_when_its_process_has_gone(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin dead = begin_by(user, GONE_PROCESS), own = begin_by(user, process_id()), unlocked = begin_by(user, PROCESS);
    assert_true(is_lost(user, dead.answer)); /* at once */
    assert_false(is_lost(user, own.answer));
    assert_false(is_lost(user, unlocked.answer));
    assert_int_equal(end_turn_as(unlocked.answer, "done", "a"), OUTCOME_OK);
    assert_false(is_lost(user, unlocked.answer));
}

static void an_answer_is_lost_when_its_heartbeat_is_old(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin unlocked = begin_by(user, PROCESS), own = begin_by(user, process_id());
    age_answers(MESSAGE_LOST_AFTER_MS - 5000);
    assert_false(is_lost(user, unlocked.answer));
    assert_false(is_lost(user, own.answer));
    age_answers(MESSAGE_LOST_AFTER_MS + 1000);
    assert_true(is_lost(user, unlocked.answer));
    assert_true(is_lost(user, own.answer)); /* this process knows nothing of it */
    age_answers(-3600 * 1000); /* a clock that was set */
    assert_false(is_lost(user, unlocked.answer));
}

/* A database that has come to a place without locks is not full of answers that nobody may take for lost. */
static void without_a_lock_of_its_own_a_process_goes_by_the_heartbeat(void **state)
{
    (void)state;
    char path[128];
    int64_t user = new_user();
    (void)snprintf(path, sizeof path, "%s-alive", store_path);
    assert_int_equal(mkdir(path, 0700), 0);
    struct message_begin turn = begin_by(user, GONE_PROCESS);
    assert_int_not_equal(process_id()[0], '+');
    assert_false(is_lost(user, turn.answer));
    age_answers(MESSAGE_LOST_AFTER_MS + 1000);
    assert_true(is_lost(user, turn.answer));
}

/* What the lock says counts, not the clock: a machine may have slept. */
static void an_answer_whose_process_has_its_lock_is_not_lost(void **state)
{
    (void)state;
    char other[PROCESS_BYTES];
    int64_t user = new_user();
    pid_t child = child_with_id(other, NULL);
    struct message_begin turn = begin_by(user, other);
    age_answers(MESSAGE_LOST_AFTER_MS * 100);
    assert_false(is_lost(user, turn.answer));
    kill_child(child);
    assert_true(is_lost(user, turn.answer));
}

static void an_answer_that_this_process_makes_is_never_lost(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin own = begin_by(user, process_id());
    struct answer *answer = answer_of(own.answer);
    age_answers(MESSAGE_LOST_AFTER_MS * 10);
    live_add(answer);
    assert_false(is_lost(user, own.answer));
    live_remove(answer);
    assert_true(is_lost(user, own.answer));
    answer_release(answer);
}

/* --- without memory -------------------------------------------------------------------------------------------------------------------- */

static void without_memory_nothing_is_read_and_the_next_time_all(void **state)
{
    (void)state;
    uint64_t seed = 14;
    int64_t user = new_user();
    static struct script script;
    int failed = 0;
    script_random(&script, &seed, SCRIPT_ITEMS, true);
    while (script.count < 20)
        script_random(&script, &seed, SCRIPT_ITEMS, true);
    for (int ended = 0; ended < 2; ended++) {
        struct message_begin turn = begin_by(user, PROCESS);
        struct answer *original = answer_of_script(&script);
        enum outcome outcome = OUTCOME_NO_MEMORY;
        write_journal(turn.answer, PROCESS, &script, 0, script.count, &seed);
        if (ended)
            assert_int_equal(end_with(turn.answer, PROCESS, original, "done"), OUTCOME_OK);
        for (long calls = 0; outcome != OUTCOME_OK; calls++) {
            struct mirror mirror;
            mem_fail_after(calls);
            outcome = mirror_read(&mirror, user, turn.answer, &failure);
            mem_fail_after(-1);
            failed += outcome != OUTCOME_OK;
            assert_true(outcome == OUTCOME_OK || outcome == OUTCOME_NO_MEMORY);
            if (outcome == OUTCOME_OK)
                assert_script(mirror.answer, &script, ended, script.end);
            mirror_free(&mirror);
        }
        answer_release(original);
    }
    assert_true(failed > 10);
}

/* A reading that fails costs those who follow nothing: the answer is still said to run, and the next reading brings the rest. */
static void without_memory_reading_on_loses_nothing(void **state)
{
    (void)state;
    uint64_t seed = 15;
    int64_t user = new_user();
    static struct script script;
    int failed = 0;
    script_random(&script, &seed, SCRIPT_ITEMS, false);
    while (script.count < 20)
        script_random(&script, &seed, SCRIPT_ITEMS, false);
    for (int ended = 0; ended < 2; ended++) {
        enum outcome outcome = OUTCOME_NO_MEMORY;
        for (long calls = 0; outcome != OUTCOME_OK; calls++) {
            struct message_begin turn = begin_by(user, PROCESS);
            struct answer *original = answer_of_script(&script);
            struct mirror mirror;
            struct script expected = script;
            size_t half = script.count / 2;
            write_journal(turn.answer, PROCESS, &script, 0, half, &seed);
            assert_int_equal(mirror_read(&mirror, user, turn.answer, &failure), OUTCOME_OK);
            write_journal(turn.answer, PROCESS, &script, half, script.count, &seed);
            if (ended)
                assert_int_equal(end_with(turn.answer, PROCESS, original, "done"), OUTCOME_OK);
            for (size_t i = 0; i < script.count; i++)
                expected.items[i].kept = !ended || i < half || script.items[i].kept;
            mem_fail_after(calls);
            outcome = mirror_read_on(&mirror, &failure);
            mem_fail_after(-1);
            assert_true(outcome == OUTCOME_OK || outcome == OUTCOME_NO_MEMORY);
            failed += outcome != OUTCOME_OK;
            assert_int_equal(mirror.is_running, outcome != OUTCOME_OK || !ended);
            assert_int_equal(mirror_read_on(&mirror, &failure), OUTCOME_OK);
            assert_int_equal(mirror.is_running, !ended);
            assert_script(mirror.answer, &expected, true, script.end);
            mirror_free(&mirror);
            answer_release(original);
        }
    }
    assert_true(failed > 10);
}

static const struct CMUnitTest tests[] = {
    mirror_test(an_answer_is_read_from_its_journal),
    mirror_test(an_answer_is_read_on_to_its_end),
    mirror_test(an_answer_that_goes_on_has_what_it_had_and_its_journal),
    mirror_test(what_is_told_of_an_end_is_read_too),
    mirror_test(only_answers_of_the_user_are_found),
    mirror_test(a_long_answer_is_read_whole),
    mirror_test(an_answer_is_lost_when_its_process_has_gone),
    mirror_test(an_answer_is_lost_when_its_heartbeat_is_old),
    mirror_test(without_a_lock_of_its_own_a_process_goes_by_the_heartbeat),
    mirror_test(an_answer_whose_process_has_its_lock_is_not_lost),
    mirror_test(an_answer_that_this_process_makes_is_never_lost),
    mirror_test(without_memory_nothing_is_read_and_the_next_time_all),
    mirror_test(without_memory_reading_on_loses_nothing),
};

UNIT_MAIN(tests)
