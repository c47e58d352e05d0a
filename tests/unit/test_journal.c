/*
 * Tests of src/store/journal.h (the rows) and src/chat/journal.c (what is collected from running answers for them).
 */
#include "journals.h"

#include "../../src/chat/journal.c"

static struct failure failure;

static int journal_begin(void **state)
{
    return store_begin(state) == 0 && db_check(&failure) == OUTCOME_OK ? 0 : -1;
}

#define journal_test(test) cmocka_unit_test_setup_teardown(test, journal_begin, store_end)

/* --- the rows ------------------------------------------------------------------------------------------------------------------------- */

static enum outcome add_row(const char *id, const char *process, int64_t pos, const char *kind, const char *data)
{
    struct journal_row row = {id, pos, kind, data, strlen(data)};
    return journal_add(&row, 1, process, &failure);
}

static char said[4096];
static int messages;

static void note_message(void *arg, const struct message *row)
{
    (void)arg;
    messages++;
    (void)snprintf(said, sizeof said, "%s:", row->status);
}

static void note_row(void *arg, const struct journal_row *row)
{
    (void)arg;
    size_t len = strlen(said);
    assert_int_equal(strlen(row->data), row->len);
    (void)snprintf(said + len, sizeof said - len, " %d %s %s;", (int)row->pos, row->kind, row->data);
}

static const char *read_journal_of(int64_t user, const char *id, int64_t pos)
{
    said[0] = '\0';
    messages = 0;
    assert_int_equal(journal_read(user, id, pos, note_message, note_row, NULL, &failure), OUTCOME_OK);
    assert_int_equal(messages, 1);
    return said;
}

static void rows_are_read_in_their_order_from_a_position_on(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = begin_by(user, PROCESS), other = begin_by(user, PROCESS);
    assert_string_equal(read_journal_of(user, turn.answer, 0), "streaming:");
    assert_int_equal(add_row(turn.answer, PROCESS, 100, "text", "wörld"), OUTCOME_OK);
    assert_int_equal(add_row(turn.answer, PROCESS, 9, "my_own", "{}"), OUTCOME_OK);
    assert_int_equal(add_row(other.answer, PROCESS, 5, "text", "other"), OUTCOME_OK);
    assert_int_equal(add_row(turn.answer, PROCESS, 1, "reasoning", "hm"), OUTCOME_OK);
    assert_string_equal(read_journal_of(user, turn.answer, 0), "streaming: 1 reasoning hm; 9 my_own {}; 100 text wörld;");
    assert_string_equal(read_journal_of(user, turn.answer, 9), "streaming: 9 my_own {}; 100 text wörld;");
    assert_string_equal(read_journal_of(user, turn.answer, 101), "streaming:");
    assert_string_equal(read_journal_of(user, other.answer, 0), "streaming: 5 text other;");
}

static void a_row_that_is_there_stays(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = begin_by(user, PROCESS);
    struct journal_row rows[] = {{turn.answer, 1, "text", "first", 5}, {turn.answer, 1, "text", "again", 5}, {turn.answer, 6, "text", "more!", 4}};
    assert_int_equal(journal_add(rows, 3, PROCESS, &failure), OUTCOME_OK);
    assert_int_equal(journal_add(rows + 1, 2, PROCESS, &failure), OUTCOME_OK); /* a commit that only seemed to fail is repeated */
    assert_string_equal(read_journal_of(user, turn.answer, 0), "streaming: 1 text first; 6 text more;");
}

static void only_streaming_answers_of_the_process_have_rows(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin mine = begin_by(user, PROCESS), others = begin_by(user, "another-process"), ended = whole_turn(user, NULL, NULL, "q", "a");
    struct journal_row rows[] = {{others.answer, 1, "text", "a", 1}, {ended.answer, 1, "text", "b", 1}, {"no-such-id", 1, "text", "c", 1}, {mine.question, 1, "text", "d", 1},
                                 {mine.answer, 1, "text", "e", 1}};
    assert_int_equal(journal_add(rows, 5, PROCESS, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM journal"), 1);
    assert_string_equal(read_journal_of(user, mine.answer, 0), "streaming: 1 text e;");
    assert_string_equal(read_journal_of(user, ended.answer, 0), "done:");
    assert_int_equal(add_row(mine.answer, "another-process", 2, "text", "f"), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM journal"), 1);
}

static void nobody_reads_anothers_journal(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct message_begin turn = begin_by(alice, PROCESS);
    assert_int_equal(add_row(turn.answer, PROCESS, 1, "text", "secret"), OUTCOME_OK);
    said[0] = '\0';
    messages = 0;
    assert_int_equal(journal_read(bob, turn.answer, 0, note_message, note_row, NULL, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(journal_read(alice, "no-such-id", 0, note_message, note_row, NULL, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(messages, 0);
    assert_string_equal(said, "");
}

static int64_t rows_left(const char *id)
{
    char text[200];
    (void)snprintf(text, sizeof text, "SELECT count(*) FROM journal AS j JOIN messages AS m ON m.id = j.message_id WHERE m.public_id = '%s'", id);
    return sql(text);
}

static void rows_go_with_what_takes_their_place(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turns[5];
    for (int i = 0; i < 5; i++) {
        turns[i] = begin_by(user, PROCESS);
        assert_int_equal(add_row(turns[i].answer, PROCESS, 1, "text", "a"), OUTCOME_OK);
        assert_int_equal(add_row(turns[i].answer, PROCESS, 2, "text", "b"), OUTCOME_OK);
    }
    assert_int_equal(end_turn_as(turns[0].answer, "done", "ab"), OUTCOME_OK);
    assert_int_equal(rows_left(turns[0].answer), 0);
    char text[200];
    (void)snprintf(text, sizeof text, "SELECT seen_at FROM messages WHERE public_id = '%s'", turns[1].answer);
    struct message_lost lost = {.user = user, .id = turns[1].answer, .process = PROCESS, .seen_at = sql(text) - 1, .content = "ab", .content_len = 2, .error_code = "interrupted",
                                .error_message = "gone"};
    assert_int_equal(message_mark_lost(&lost, &failure), OUTCOME_OK); /* it was heard of since */
    assert_int_equal(rows_left(turns[1].answer), 2);
    lost.seen_at++;
    assert_int_equal(message_mark_lost(&lost, &failure), OUTCOME_OK);
    assert_int_equal(rows_left(turns[1].answer), 0);
    assert_int_equal(add_row(turns[1].answer, PROCESS, 3, "text", "c"), OUTCOME_OK); /* its process lives after all */
    assert_int_equal(rows_left(turns[1].answer), 0);
    assert_int_equal(conversation_delete(user, turns[2].conversation, &failure), OUTCOME_OK);
    assert_int_equal(conversation_clear(user, turns[3].conversation, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM journal"), 2);
    assert_int_equal(rows_left(turns[4].answer), 2);
}

static struct message_begin ending;

static void end_meanwhile(void *arg, const struct message *row)
{
    note_message(arg, row);
    assert_int_equal(end_turn_as(ending.answer, "done", "whole"), OUTCOME_OK);
}

/* The message and its rows are those of one moment: never an answer that still streams without what it has said. */
static void a_reading_is_of_one_moment(void **state)
{
    (void)state;
    int64_t user = new_user();
    ending = begin_by(user, PROCESS);
    assert_int_equal(add_row(ending.answer, PROCESS, 1, "text", "half"), OUTCOME_OK);
    assert_int_equal(journal_read(user, ending.answer, 0, end_meanwhile, note_row, NULL, &failure), OUTCOME_OK);
    assert_string_equal(said, "streaming: 1 text half;");
    assert_string_equal(read_journal_of(user, ending.answer, 0), "done:");
}

/* --- what is collected ---------------------------------------------------------------------------------------------------------------- */

enum { MOST = LIMIT_JOURNAL_BYTES - LIMIT_EVENTS_BYTES };

/* A batch that has `room` bytes left for what can be divided. */
static void begin_batch(struct batch *batch, size_t room)
{
    struct journal_row *rows = batch->rows;
    size_t rows_room = batch->room;
    struct buf bytes = batch->bytes;
    if (bytes.max == 0)
        buf_init(&bytes, BATCH_BYTES);
    buf_clear(&bytes);
    assert_true(buf_reserve(&bytes, MOST));
    bytes.len = MOST - room;
    *batch = (struct batch){.rows = rows, .room = rows_room, .bytes = bytes};
}

/* Adds what was collected to another answer, as whoever reads the journal does, and checks the rows. How many bytes of it. */
static size_t take_batch(struct batch *batch, size_t room, struct answer *copy, int64_t *pos)
{
    struct batch point = *batch;
    size_t bytes = 0;
    point.bytes.data += MOST - room;
    point_rows(&point);
    for (size_t i = 0; i < batch->count; i++) {
        const struct journal_row *row = &batch->rows[i];
        assert_true(row->pos > *pos || *pos == 0); /* no position comes twice: the second would be ignored */
        assert_true(row->len > 0);
        *pos = row->pos;
        if (strcmp(row->kind, "text") == 0)
            assert_true(utf8_valid(row->data, row->len));
        assert_int_equal(answer_add(copy, row->kind, row->data, row->len, row->pos), OUTCOME_OK);
        bytes += strlen(row->kind) + row->len + 2;
    }
    return bytes;
}

static void what_answers_say_is_collected_whole(void **state)
{
    (void)state;
    uint64_t seed = 21;
    struct batch batch = {0};
    for (int round = 0; round < 300; round++) {
        static struct script script;
        struct answer *answer = answer_of("answer"), *copy = answer_of("copy");
        int64_t pos = 0;
        script_random(&script, &seed, SCRIPT_ITEMS, true);
        for (size_t played = 0, idle = 0; played < script.count || idle < 2;) {
            size_t more = played < script.count ? unit_random(&seed) % (script.count - played + 1) : 0;
            size_t room = unit_random(&seed) % 3 == 0 ? 1000 : unit_random(&seed) % 24;
            script_play(&script, played, played + more, answer);
            played += more;
            begin_batch(&batch, room);
            collect_answer(&batch, answer);
            (void)take_batch(&batch, room, copy, &pos);
            idle = batch.count == 0 && !batch.failed && played == script.count ? idle + 1 : 0;
        }
        assert_script(copy, &script, false, script.end);
        answer_release(answer);
        answer_release(copy);
    }
    mem_free(batch.rows);
    buf_free(&batch.bytes);
}

/* A character that does not fit is left for the next batch: a row without it would take its place for ever. */
static void a_batch_is_cut_between_characters(void **state)
{
    (void)state;
    struct batch batch = {0};
    for (size_t room = 0; room < 12; room++) {
        struct answer *answer = answer_of("answer"), *copy = answer_of("copy");
        int64_t pos = 0;
        assert_int_equal(answer_add(answer, "text", "😀😀漢ä😀", 17, 1), OUTCOME_OK);
        begin_batch(&batch, room);
        collect_answer(&batch, answer);
        size_t bytes = take_batch(&batch, room, copy, &pos);
        assert_int_equal(copy->text.len, room >= 11 ? 11 : room / 4 * 4);
        assert_true(bytes == 0 || bytes <= room + 6); /* the kind, and two NULs */
        begin_batch(&batch, 100);
        collect_answer(&batch, answer);
        (void)take_batch(&batch, 100, copy, &pos);
        assert_int_equal(copy->text.len, 17);
        assert_memory_equal(copy->text.data, answer->text.data, 17);
        answer_release(answer);
        answer_release(copy);
    }
    mem_free(batch.rows);
    buf_free(&batch.bytes);
}

/* What cannot be divided is written however large it is, and holds nothing else up. */
static void a_very_long_thought_is_collected(void **state)
{
    (void)state;
    enum { BYTES = LIMIT_JOURNAL_BYTES + 1000 };
    struct answer *answer = answer_of("answer"), *copy = answer_of("copy");
    struct batch batch = {0};
    int64_t pos = 0;
    char *thought = malloc(BYTES);
    assert_non_null(thought);
    memset(thought, 'x', BYTES);
    answer->reasoning.max = copy->reasoning.max = (size_t)BYTES * 2;
    assert_int_equal(answer_add(answer, "reasoning", thought, BYTES, 1), OUTCOME_OK);
    assert_int_equal(answer_add(answer, "text", "So", 2, 2), OUTCOME_OK);
    begin_batch(&batch, 100);
    collect_answer(&batch, answer);
    (void)take_batch(&batch, 100, copy, &pos);
    begin_batch(&batch, 100);
    collect_answer(&batch, answer);
    (void)take_batch(&batch, 100, copy, &pos);
    assert_int_equal(copy->reasoning.len, BYTES);
    assert_int_equal(copy->text.len, 2);
    free(thought);
    mem_free(batch.rows);
    buf_free(&batch.bytes);
    answer_release(answer);
    answer_release(copy);
}

/* Thinking that nobody was told of may grow as long as it is in no journal either. */
static void thinking_that_was_collected_grows_no_more(void **state)
{
    (void)state;
    struct answer *answer = answer_of("answer"), *copy = answer_of("copy");
    struct completion_sink sink = answer_sink(answer);
    struct batch batch = {0};
    int64_t pos = 0;
    static const char *const thoughts[] = {"one ", "two ", "three ", "four"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sink.event(answer, COMPLETION_REASONING, thoughts[i], strlen(thoughts[i])), OUTCOME_OK);
        if (i == 2)
            continue;
        begin_batch(&batch, 100);
        collect_answer(&batch, answer);
        (void)take_batch(&batch, 100, copy, &pos);
    }
    assert_string_equal(copy->reasoning.data, "one two three four");
    assert_int_equal(copy->run_count, 3);
    mem_free(batch.rows);
    buf_free(&batch.bytes);
    answer_release(answer);
    answer_release(copy);
}

static void without_memory_the_rest_is_collected_the_next_time(void **state)
{
    (void)state;
    uint64_t seed = 22;
    static struct script script;
    int failed = 0;
    script_random(&script, &seed, SCRIPT_ITEMS, true);
    while (script.count < 30)
        script_random(&script, &seed, SCRIPT_ITEMS, true);
    bool good = false;
    for (long calls = 0; !good; calls++) {
        struct answer *answer = answer_of_script(&script), *copy = answer_of("copy");
        struct batch batch = {0};
        int64_t pos = 0;
        buf_init(&batch.bytes, BATCH_BYTES);
        mem_fail_after(calls);
        collect_answer(&batch, answer);
        mem_fail_after(-1);
        good = !batch.failed;
        failed += !good;
        (void)take_batch(&batch, MOST, copy, &pos);
        batch.failed = false;
        batch.count = 0;
        buf_clear(&batch.bytes);
        collect_answer(&batch, answer);
        (void)take_batch(&batch, MOST, copy, &pos);
        assert_script(copy, &script, false, script.end);
        mem_free(batch.rows);
        buf_free(&batch.bytes);
        answer_release(answer);
        answer_release(copy);
    }
    assert_true(failed > 1);
}

/* --- the thread ----------------------------------------------------------------------------------------------------------------------- */

static void count_rows(void *arg, const struct journal_row *row)
{
    struct answer *copy = arg;
    assert_int_equal(answer_add(copy, row->kind, row->data, row->len, row->pos), OUTCOME_OK);
}

static void ignore_message(void *arg, const struct message *row)
{
    (void)arg;
    (void)row;
}

/* Whether the journal has all that an answer has said. */
static bool is_written(int64_t user, struct answer *answer)
{
    struct answer *copy = answer_of("copy");
    struct buf said_so_far, written;
    buf_init(&said_so_far, 1 << 20);
    buf_init(&written, 1 << 20);
    assert_int_equal(journal_read(user, answer->id, 0, ignore_message, count_rows, copy, &failure), OUTCOME_OK);
    write_answer(&written, copy, 0);
    write_answer(&said_so_far, answer, 0); /* nobody adds to it now */
    bool same = strcmp(written.data, said_so_far.data) == 0;
    buf_free(&said_so_far);
    buf_free(&written);
    answer_release(copy);
    return same;
}

/* The last test: what has ended does not begin again. */
static void the_thread_writes_what_running_answers_say(void **state)
{
    (void)state;
    enum { ANSWERS = 3, PIECES = 120, DEADLINE_MS = 20000 };
    int64_t user = new_user();
    struct answer *answers[ANSWERS];
    settings.max_streams = 8;
    assert_true(loop_start() && live_start(LIVE_COUNT_OWN) && journal_start());
    for (int i = 0; i < ANSWERS; i++) {
        struct message_begin turn = begin_by(user, process_id());
        answers[i] = answer_of(turn.answer);
        live_add(answers[i]);
    }
    struct answer *not_stored = answer_new(&(struct answer_birth){.conversation = "", .id = "nowhere", .model = "m"});
    assert_non_null(not_stored);
    live_add(not_stored);
    for (int i = 0; i < PIECES; i++)
        for (int j = 0; j < ANSWERS; j++) {
            if (i % 10 == j)
                assert_int_equal(answer_event(answers[j], "my_own", json_read_loose("{\"n\":1}", 7), true), OUTCOME_OK);
            assert_int_equal(answer_text(answers[j], "words 😀 ", 11), OUTCOME_OK);
            assert_int_equal(answer_text(not_stored, "more", 4), OUTCOME_OK);
        }
    int64_t begun_ms = clock_mono_ms();
    for (int i = 0; i < ANSWERS; i++)
        while (!is_written(user, answers[i])) {
            assert_true(clock_mono_ms() - begun_ms < DEADLINE_MS);
            clock_sleep_ms(5);
        }
    assert_int_equal(sql("SELECT count(DISTINCT message_id) FROM journal"), ANSWERS);
    for (int i = 0; i < ANSWERS; i++) {
        live_remove(answers[i]);
        answer_release(answers[i]);
    }
    live_remove(not_stored);
    answer_release(not_stored);
    live_stop();
    journal_stop();
    loop_stop();
    process_end();
}

static const struct CMUnitTest tests[] = {
    journal_test(rows_are_read_in_their_order_from_a_position_on),
    journal_test(a_row_that_is_there_stays),
    journal_test(only_streaming_answers_of_the_process_have_rows),
    journal_test(nobody_reads_anothers_journal),
    journal_test(rows_go_with_what_takes_their_place),
    journal_test(a_reading_is_of_one_moment),
    cmocka_unit_test(what_answers_say_is_collected_whole),
    cmocka_unit_test(a_batch_is_cut_between_characters),
    cmocka_unit_test(a_very_long_thought_is_collected),
    cmocka_unit_test(thinking_that_was_collected_grows_no_more),
    cmocka_unit_test(without_memory_the_rest_is_collected_the_next_time),
    journal_test(the_thread_writes_what_running_answers_say),
};

UNIT_MAIN(tests)
