/*
 * Tests of src/store/message.h: questions that come again with a key or are answered again, answers that go on where they were cut off or are given up, and which answer's stream is meant.
 */
#include "store.h"

#include "../../src/base/limits.h"

static struct failure failure;

static void keep_id(void *arg, const struct message *row)
{
    memcpy(arg, row->id, ID_BYTES);
}

static struct message_begin began(int64_t user, const char *conversation, const char *text)
{
    struct message_begin turn = turn_of(user, conversation, NULL, text);
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
    return turn;
}

/* --- keys -------------------------------------------------------------------------------------------------------------------------- */

static struct message_begin keyed(int64_t user, const char *conversation, const char *key, const char *hash)
{
    struct message_begin turn = turn_of(user, conversation, NULL, "q");
    turn.key = key;
    turn.body_hash = hash;
    return turn;
}

static void a_question_that_comes_again_is_stored_once(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = keyed(user, NULL, "k", "hash"), again = first, looked = first;
    assert_int_equal(message_find_repeat(&looked, &failure), OUTCOME_OK);
    assert_false(looked.is_repeat);
    assert_int_equal(message_begin_turn(&first, &failure), OUTCOME_OK);
    assert_false(first.is_repeat);
    for (int i = 0; i < 2; i++) { /* while it streams, and after its end */
        again = keyed(user, NULL, "k", "hash");
        assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_OK);
        assert_true(again.is_repeat);
        assert_string_equal(again.conversation, first.conversation);
        assert_string_equal(again.answer, first.answer);
        looked = keyed(user, NULL, "k", "hash");
        assert_int_equal(message_find_repeat(&looked, &failure), OUTCOME_OK);
        assert_true(looked.is_repeat);
        assert_string_equal(looked.conversation, first.conversation);
        assert_string_equal(looked.answer, first.answer);
        assert_int_equal(end_turn_as(first.answer, "done", "a"), i == 0 ? OUTCOME_OK : OUTCOME_NOT_FOUND);
    }
    assert_int_equal(sql("SELECT count(*) FROM messages"), 2);
    assert_int_equal(sql("SELECT count(*) FROM conversations"), 1);
    assert_int_equal(sql("SELECT count(*) FROM repeats"), 1);
}

static void a_key_is_for_one_question(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = keyed(user, NULL, "k", "hash"), other;
    assert_int_equal(message_begin_turn(&first, &failure), OUTCOME_OK);
    other = keyed(user, NULL, "k", "another hash");
    assert_int_equal(message_find_repeat(&other, &failure), OUTCOME_BAD_FIELD);
    assert_contains(failure.message, "Idempotency-Key");
    assert_string_equal(other.answer, ""); /* nothing is told of the first */
    other = keyed(user, NULL, "k", "another hash");
    assert_int_equal(message_begin_turn(&other, &failure), OUTCOME_BAD_FIELD);
    other = keyed(user, NULL, "K", "another hash");
    assert_int_equal(message_begin_turn(&other, &failure), OUTCOME_OK);
    assert_false(other.is_repeat);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 4);
}

static void a_key_is_for_one_user(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct message_begin hers = keyed(alice, NULL, "k", "hash"), his = keyed(bob, NULL, "k", "hash");
    assert_int_equal(message_begin_turn(&hers, &failure), OUTCOME_OK);
    assert_int_equal(message_find_repeat(&his, &failure), OUTCOME_OK);
    assert_false(his.is_repeat);
    assert_int_equal(message_begin_turn(&his, &failure), OUTCOME_OK);
    assert_false(his.is_repeat);
    assert_string_not_equal(his.answer, hers.answer);
}

static void a_key_is_remembered_for_a_day(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = keyed(user, NULL, "k", "hash"), more = keyed(user, NULL, "other", "hash"), again;
    assert_int_equal(message_begin_turn(&first, &failure), OUTCOME_OK);
    assert_int_equal(message_begin_turn(&more, &failure), OUTCOME_OK);
    (void)sql("UPDATE repeats SET created_at = created_at - 24 * 60 * 60 * 1000 + 60000"); /* a minute is left */
    again = keyed(user, NULL, "k", "hash");
    assert_int_equal(message_find_repeat(&again, &failure), OUTCOME_OK);
    assert_true(again.is_repeat);
    (void)sql("UPDATE repeats SET created_at = created_at - 61000");
    again = keyed(user, NULL, "k", "another hash");
    assert_int_equal(message_find_repeat(&again, &failure), OUTCOME_OK);
    assert_false(again.is_repeat);
    assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_OK);
    assert_false(again.is_repeat);
    assert_string_not_equal(again.answer, first.answer);
    assert_int_equal(sql("SELECT count(*) FROM repeats"), 1); /* the others' are forgotten too */
}

static void a_key_of_a_deleted_answer_may_come_again(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = keyed(user, NULL, "k", "hash"), again;
    assert_int_equal(message_begin_turn(&first, &failure), OUTCOME_OK);
    assert_int_equal(conversation_delete(user, first.conversation, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM repeats"), 0);
    again = keyed(user, NULL, "k", "hash");
    assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_OK);
    assert_false(again.is_repeat);
}

static void a_question_that_is_refused_uses_no_key_up(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin streams = began(user, NULL, "q"), turn = keyed(user, streams.conversation, "k", "hash");
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_BUSY);
    assert_int_equal(sql("SELECT count(*) FROM repeats"), 0);
    assert_int_equal(end_turn_as(streams.answer, "done", "a"), OUTCOME_OK);
    turn = keyed(user, streams.conversation, "k", "hash");
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
    assert_false(turn.is_repeat);
}

/* A repeat is no new answer: it is let through where there is no place for another. */
static void a_question_that_comes_again_needs_no_place(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = keyed(user, NULL, "k", "hash"), again = keyed(user, NULL, "k", "hash"), other = turn_of(user, NULL, NULL, "q");
    assert_int_equal(message_begin_turn(&first, &failure), OUTCOME_OK);
    again.max_running = other.max_running = 1;
    assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_OK);
    assert_true(again.is_repeat);
    assert_int_equal(message_begin_turn(&other, &failure), OUTCOME_OVERLOADED);
}

/* --- one more answer -------------------------------------------------------------------------------------------------------------------- */

static struct message_begin once_more(int64_t user, const char *conversation, const char *message)
{
    struct message_begin turn = turn_of(user, conversation, NULL, "");
    turn.title = "New conversation";
    turn.regenerate = message;
    return turn;
}

static void keep_place(void *arg, const struct message *row)
{
    char *text = arg;
    size_t len = strlen(text);
    (void)snprintf(text + len, 4096 - len, "%s<%s %s|", row->id, row->parent_id != NULL ? row->parent_id : "-", row->metadata);
}

static void a_question_gets_one_more_answer_and_nothing_else_is_stored(void **state)
{
    (void)state;
    static const char *const statuses[] = {"done", "interrupted", "stopped", "error"};
    int64_t user = new_user();
    for (size_t i = 0; i < 4; i++) {
        struct message_begin first = began(user, NULL, "q"), again, by_question;
        char expected[4096] = "", seen[4096] = "";
        assert_int_equal(end_turn_as(first.answer, statuses[i], "a"), OUTCOME_OK);
        struct message_begin later = whole_turn(user, first.conversation, NULL, "q2", "a2");
        again = once_more(user, i % 2 == 0 ? first.conversation : NULL, first.answer);
        again.metadata = "{\"n\":1}";
        assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_OK);
        assert_string_equal(again.conversation, first.conversation);
        assert_string_equal(again.question, first.question);
        assert_string_not_equal(again.answer, first.answer);
        assert_false(again.is_new);
        by_question = once_more(user, NULL, first.question); /* beside the other, which still streams: as two branches after one answer */
        assert_int_equal(message_begin_turn(&by_question, &failure), OUTCOME_OK);
        assert_string_equal(by_question.question, first.question);
        (void)snprintf(expected, sizeof expected, "%s<- {}|%s<%s {}|%s<%s {}|%s<%s {}|%s<%s {\"n\":1}|%s<%s {}|", first.question, first.answer, first.question, later.question, first.answer, later.answer,
                       later.question, again.answer, first.question, by_question.answer, first.question);
        assert_int_equal(message_list(user, first.conversation, keep_place, seen, &failure), OUTCOME_OK);
        assert_string_equal(seen, expected);

        struct message_begin next = turn_of(user, first.conversation, NULL, "q3"); /* the leaf is the newest answer */
        assert_int_equal(message_begin_turn(&next, &failure), OUTCOME_BUSY);
        assert_string_equal(next.busy, by_question.answer);
        assert_int_equal(end_turn_as(again.answer, "done", "b"), OUTCOME_OK);
        assert_int_equal(end_turn_as(by_question.answer, "done", "c"), OUTCOME_OK);
    }
    assert_int_equal(sql("SELECT count(DISTINCT title) FROM conversations"), 1);
    assert_int_equal(sql("SELECT count(*) FROM conversations WHERE title = 'q'"), 4);
    assert_index_is_whole();
}

static void a_conversation_without_a_title_is_not_given_that_of_no_question(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = whole_turn(user, NULL, NULL, "q", "a"), again = once_more(user, NULL, first.answer);
    (void)sql("UPDATE conversations SET title = '', title_search = NULL");
    assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM conversations WHERE title = ''"), 1);
}

static void an_answer_that_is_being_written_is_not_answered_again(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = began(user, NULL, "q"), again = once_more(user, NULL, first.answer);
    assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_BUSY);
    assert_string_equal(again.busy, first.answer);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 2);
    assert_int_equal(end_turn_as(first.answer, "stopped", "a"), OUTCOME_OK);
    again = once_more(user, NULL, first.answer);
    assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_OK);
}

static void what_confirms_calls_is_not_answered_again_but_the_question_before_it(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin asked = whole_turn(user, NULL, NULL, "q", "may I?"), confirmed = whole_turn(user, asked.conversation, NULL, "", "and this?"), last = whole_turn(user, asked.conversation, NULL, "", "done");
    const char *const named[] = {last.answer, last.question, confirmed.answer, confirmed.question, asked.answer, asked.question};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        struct message_begin again = once_more(user, NULL, named[i]);
        assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_OK);
        assert_string_equal(again.question, asked.question);
        assert_int_equal(end_turn_as(again.answer, "done", "b"), OUTCOME_OK);
    }
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE role = 'user'"), 3);
}

static void what_follows_no_question_is_not_answered_again(void **state)
{
    (void)state;
    int64_t user = new_user();
    const struct message_past past[] = {{"assistant", "Welcome!", 8}, {"assistant", "What is it?", 11}};
    struct message_begin turn = turn_of(user, NULL, NULL, "q"), again;
    turn.history = past;
    turn.history_count = 2;
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
    char greeting[ID_BYTES] = "";
    assert_int_equal(message_history(user, turn.question, 2, keep_id, greeting, &failure), OUTCOME_OK); /* the older one comes last */
    again = once_more(user, NULL, greeting);
    assert_int_equal(message_begin_turn(&again, &failure), OUTCOME_BAD_FIELD);
    assert_contains(failure.message, "follows no question");
    assert_int_equal(sql("SELECT count(*) FROM messages"), 4);
}

static void a_message_of_another_user_or_conversation_is_not_answered_again(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct message_begin hers = whole_turn(alice, NULL, NULL, "q", "secret"), elsewhere = whole_turn(alice, NULL, NULL, "q", "a"), running = began(alice, NULL, "q");
    struct message_begin wrong[] = {once_more(bob, NULL, hers.answer), once_more(bob, hers.conversation, hers.question), once_more(bob, NULL, running.answer), once_more(alice, elsewhere.conversation, hers.answer),
                                    once_more(alice, NULL, "0123456789abcdefghjkmnpqrs")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(message_begin_turn(&wrong[i], &failure), OUTCOME_NOT_FOUND);
        assert_string_equal(wrong[i].busy, "");
    }
    assert_int_equal(sql("SELECT count(*) FROM messages"), 6);
}

static void a_question_is_answered_again_once_for_a_key(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = whole_turn(user, NULL, NULL, "q", "a"), one = once_more(user, NULL, first.answer), two;
    one.key = "k";
    one.body_hash = "hash";
    two = one;
    assert_int_equal(message_begin_turn(&one, &failure), OUTCOME_OK);
    assert_int_equal(message_begin_turn(&two, &failure), OUTCOME_OK);
    assert_true(two.is_repeat);
    assert_string_equal(two.answer, one.answer);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 3);
}

/* --- answers that go on ---------------------------------------------------------------------------------------------------------------- */

static struct message_begin going_on(int64_t user, const char *conversation, const char *answer)
{
    struct message_begin turn = {.user = user, .conversation_id = conversation, .process = "next-process", .model = "another"};
    (void)snprintf(turn.answer, sizeof turn.answer, "%s", answer);
    return turn;
}

static void an_answer_that_was_cut_off_goes_on_and_keeps_what_it_has(void **state)
{
    (void)state;
    static const char *const statuses[] = {"interrupted", "stopped", "error"};
    int64_t user = new_user();
    for (size_t i = 0; i < 3; i++) {
        struct message_begin turn = began(user, NULL, "q"), next;
        struct message_end end = {.id = turn.answer, .process = PROCESS, .status = statuses[i], .content = "par", .content_len = 3, .reasoning = "hm", .reasoning_len = 2,
                                  .usage = {3, 4, -1, -1, false, -1}, .events = "[7]", .layout = "r2 t3", .error_code = "interrupted", .error_message = "cut"};
        assert_int_equal(message_end_turn(&end, &failure), OUTCOME_OK);
        next = going_on(user, i == 0 ? turn.conversation : NULL, turn.answer);
        assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
        assert_string_equal(next.conversation, turn.conversation);
        assert_string_equal(next.answer, turn.answer);
        assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant streaming par]");
        assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'streaming' AND process = 'next-process' AND seen_at IS NOT NULL AND finished_at IS NULL AND stop = 0 "
                             "AND error_code IS NULL AND error_message IS NULL AND reasoning = 'hm' AND events = '[7]' AND layout = 'r2 t3' AND model = 'another'"), 1);
        assert_int_equal(end_turn_as(turn.answer, "done", "the old process"), OUTCOME_NOT_FOUND);
        (void)sql("UPDATE messages SET status = 'done', process = NULL, seen_at = NULL WHERE status = 'streaming'");
    }
    assert_index_is_whole();
}

static void only_an_answer_that_was_cut_off_goes_on(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin done = whole_turn(user, NULL, NULL, "q", "a"), next = going_on(user, NULL, done.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_BAD_FIELD);
    assert_contains(failure.message, "not cut off");
    next = going_on(user, NULL, done.question);
    assert_int_not_equal(message_continue_turn(&next, &failure), OUTCOME_OK);

    (void)sql("UPDATE messages SET finish_reason = 'length' WHERE role = 'assistant'"); /* the model was cut off */
    next = going_on(user, NULL, done.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE finish_reason IS NOT NULL"), 0); /* that was the end of before */
    next = going_on(user, NULL, done.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_BUSY);
    assert_string_equal(next.busy, done.answer);

    struct message_begin followed = began(user, NULL, "q");
    assert_int_equal(end_turn_as(followed.answer, "stopped", "a"), OUTCOME_OK);
    (void)whole_turn(user, followed.conversation, NULL, "q2", "a2");
    next = going_on(user, NULL, followed.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_BAD_FIELD);
    assert_contains(failure.message, "followed");

    struct message_begin calls = began(user, NULL, "q"); /* waits for the results of calls */
    assert_int_equal(end_turn_as(calls.answer, "interrupted", "a"), OUTCOME_OK);
    (void)sql("UPDATE messages SET calls = '[1]' WHERE status = 'interrupted'");
    next = going_on(user, NULL, calls.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_BAD_FIELD);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'streaming'"), 1);
}

static void an_answer_of_another_user_or_conversation_does_not_go_on(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct message_begin hers = began(alice, NULL, "q"), elsewhere = whole_turn(alice, NULL, NULL, "q", "a"), next;
    assert_int_equal(end_turn_as(hers.answer, "stopped", "secret"), OUTCOME_OK);
    next = going_on(bob, NULL, hers.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_NOT_FOUND);
    next = going_on(bob, hers.conversation, hers.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_NOT_FOUND);
    next = going_on(alice, elsewhere.conversation, hers.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_NOT_FOUND);
    next = going_on(alice, NULL, "0123456789abcdefghjkmnpqrs");
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_NOT_FOUND);
    assert_string_equal(messages_of(alice, hers.conversation), "[user done q][assistant stopped secret]");
}

static void an_answer_that_goes_on_is_the_latest_again(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin cut = began(user, NULL, "q"), next, after;
    assert_int_equal(end_turn_as(cut.answer, "interrupted", "par"), OUTCOME_OK);
    (void)whole_turn(user, cut.conversation, "root", "q2", "a2");
    next = going_on(user, NULL, cut.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
    after = turn_of(user, cut.conversation, NULL, "too early");
    assert_int_equal(message_begin_turn(&after, &failure), OUTCOME_BUSY);
    assert_string_equal(after.busy, cut.answer);
}

static void an_answer_goes_on_once_for_a_key(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin cut = began(user, NULL, "q"), next, again;
    assert_int_equal(end_turn_as(cut.answer, "interrupted", "par"), OUTCOME_OK);
    next = going_on(user, NULL, cut.answer);
    next.key = "k";
    next.body_hash = "hash";
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
    assert_false(next.is_repeat);
    again = going_on(user, NULL, cut.answer);
    again.key = "k";
    again.body_hash = "hash";
    assert_int_equal(message_continue_turn(&again, &failure), OUTCOME_OK);
    assert_true(again.is_repeat);
    assert_string_equal(again.answer, cut.answer);
    assert_string_equal(again.conversation, cut.conversation);
    again.is_repeat = false;
    again.body_hash = "another hash";
    assert_int_equal(message_continue_turn(&again, &failure), OUTCOME_BAD_FIELD);
}

static void an_answer_needs_a_place_to_go_on(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin cut = began(user, NULL, "q"), next;
    assert_int_equal(end_turn_as(cut.answer, "stopped", "par"), OUTCOME_OK);
    (void)began(user, NULL, "another");
    next = going_on(user, NULL, cut.answer);
    next.max_running = 1;
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OVERLOADED);
    assert_string_equal(messages_of(user, cut.conversation), "[user done q][assistant stopped par]");
}

/* --- given up ------------------------------------------------------------------------------------------------------------------------- */

static void an_answer_that_is_given_up_keeps_what_it_has(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure why = {.outcome = OUTCOME_NO_MEMORY, .message = "no room"};
    struct message_begin turn = began(user, NULL, "q"), cut = began(user, NULL, "q2"), next;
    assert_int_equal(message_give_up(turn.answer, "another-process", &why, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant streaming ]");
    assert_int_equal(message_give_up(turn.answer, PROCESS, &why, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant error ]");
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE error_code = 'overloaded' AND error_message = 'no room' AND finished_at IS NOT NULL AND process IS NULL "
                         "AND seen_at IS NULL"), 1);

    assert_int_equal(end_turn_as(cut.answer, "stopped", "par"), OUTCOME_OK);
    assert_int_equal(message_give_up(cut.answer, PROCESS, &why, &failure), OUTCOME_OK); /* has ended */
    assert_string_equal(messages_of(user, cut.conversation), "[user done q2][assistant stopped par]");
    next = going_on(user, NULL, cut.answer);
    assert_int_equal(message_continue_turn(&next, &failure), OUTCOME_OK);
    assert_int_equal(message_give_up(cut.answer, "next-process", &why, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, cut.conversation), "[user done q2][assistant error par]");
    assert_int_equal(message_give_up("no-such-id", PROCESS, &why, &failure), OUTCOME_OK);
}

/* --- which stream ---------------------------------------------------------------------------------------------------------------------- */

static const char *stream_of(int64_t user, const char *conversation)
{
    static char id[ID_BYTES];
    assert_int_equal(message_find_stream(user, conversation, id, &failure), OUTCOME_OK);
    return id;
}

static void the_stream_is_the_newest_answer_that_streams(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    char id[ID_BYTES], empty[ID_BYTES];
    struct message_begin first = began(user, NULL, "q"), second, third;
    assert_string_equal(stream_of(user, first.conversation), first.answer);
    second = turn_of(user, first.conversation, "root", "q");
    assert_int_equal(message_begin_turn(&second, &failure), OUTCOME_OK);
    assert_string_equal(stream_of(user, first.conversation), second.answer);
    assert_int_equal(end_turn_as(second.answer, "done", "a"), OUTCOME_OK);
    assert_string_equal(stream_of(user, first.conversation), first.answer);
    assert_int_equal(end_turn_as(first.answer, "done", "a"), OUTCOME_OK);
    assert_string_equal(stream_of(user, first.conversation), "");

    third = turn_of(user, first.conversation, NULL, "nobody follows");
    third.detached = true;
    assert_int_equal(message_begin_turn(&third, &failure), OUTCOME_OK);
    assert_int_equal(end_turn_as(third.answer, "done", "a"), OUTCOME_OK);
    assert_string_equal(stream_of(user, first.conversation), third.answer);
    (void)whole_turn(user, first.conversation, NULL, "q", "a"); /* a newer one that was followed */
    assert_string_equal(stream_of(user, first.conversation), "");

    assert_int_equal(conversation_add(user, "", "{}", empty, &failure), OUTCOME_OK);
    assert_string_equal(stream_of(user, empty), "");
    assert_int_equal(message_find_stream(other, first.conversation, id, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(message_find_stream(user, "0123456789abcdefghjkmnpqrs", id, &failure), OUTCOME_NOT_FOUND);
}

static void count_row(void *arg, const struct message *row)
{
    assert_string_equal(row->status, "streaming");
    assert_true(row->process != NULL && row->seen_at > 0);
    ++*(int *)arg;
}

static void those_that_stream_are_listed(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct message_begin first = began(user, NULL, "q"), second = turn_of(user, first.conversation, "root", "q");
    int count = 0;
    assert_int_equal(message_begin_turn(&second, &failure), OUTCOME_OK);
    (void)began(user, NULL, "elsewhere");
    assert_int_equal(message_list_running(user, first.conversation, count_row, &count, &failure), OUTCOME_OK);
    assert_int_equal(count, 2);
    assert_int_equal(message_list_running(other, first.conversation, count_row, &count, &failure), OUTCOME_OK);
    assert_int_equal(count, 2);
    assert_int_equal(end_turn_as(first.answer, "done", "a"), OUTCOME_OK);
    assert_int_equal(message_list_running(user, first.conversation, count_row, &count, &failure), OUTCOME_OK);
    assert_int_equal(count, 3);
}

static const struct CMUnitTest tests[] = {
    store_test(a_question_that_comes_again_is_stored_once),
    store_test(a_key_is_for_one_question),
    store_test(a_key_is_for_one_user),
    store_test(a_key_is_remembered_for_a_day),
    store_test(a_key_of_a_deleted_answer_may_come_again),
    store_test(a_question_that_is_refused_uses_no_key_up),
    store_test(a_question_that_comes_again_needs_no_place),
    store_test(a_question_gets_one_more_answer_and_nothing_else_is_stored),
    store_test(a_conversation_without_a_title_is_not_given_that_of_no_question),
    store_test(an_answer_that_is_being_written_is_not_answered_again),
    store_test(what_confirms_calls_is_not_answered_again_but_the_question_before_it),
    store_test(what_follows_no_question_is_not_answered_again),
    store_test(a_message_of_another_user_or_conversation_is_not_answered_again),
    store_test(a_question_is_answered_again_once_for_a_key),
    store_test(an_answer_that_was_cut_off_goes_on_and_keeps_what_it_has),
    store_test(only_an_answer_that_was_cut_off_goes_on),
    store_test(an_answer_of_another_user_or_conversation_does_not_go_on),
    store_test(an_answer_that_goes_on_is_the_latest_again),
    store_test(an_answer_goes_on_once_for_a_key),
    store_test(an_answer_needs_a_place_to_go_on),
    store_test(an_answer_that_is_given_up_keeps_what_it_has),
    store_test(the_stream_is_the_newest_answer_that_streams),
    store_test(those_that_stream_are_listed),
};

UNIT_MAIN(tests)
