/*
 * Tests of src/chat/taker.h: who is counted, by user and by address, that a place is given back; and of the same count over all processes in src/store/message.h.
 */
#include "store.h"

#include "../../src/chat/live.h"
#include "../../src/chat/taker.h"

static int limits(void **state)
{
    (void)state;
    settings.max_streams_per_user = 2;
    settings.max_streams_per_address = 3;
    settings.requests_per_minute = 10;
    return 0;
}

static enum outcome enter(struct taker *taker, int64_t user, const char *name, const char *address)
{
    struct failure failure = {0};
    struct turn turn = turn_none();
    turn.user = user;
    turn.user_name = name;
    turn.address = address;
    enum outcome outcome = taker_enter(taker, &turn, &failure);
    if (outcome != OUTCOME_OK)
        assert_true(failure.retry_after_s > 0 && failure.message[0] != '\0');
    return outcome;
}

static void a_signed_in_user_takes_so_many_places_and_no_more(void **state)
{
    (void)state;
    struct taker first, second, third, other;
    assert_int_equal(enter(&first, 7, "alice", ""), OUTCOME_OK);
    assert_int_equal(enter(&second, 7, "alice", "192.0.2.1"), OUTCOME_OK);
    assert_int_equal(enter(&third, 7, "alice", "192.0.2.2"), OUTCOME_RATE_LIMITED);
    assert_int_equal(enter(&other, 8, "bob", ""), OUTCOME_OK);
    taker_leave(&first);
    assert_int_equal(enter(&third, 7, "alice", "192.0.2.2"), OUTCOME_OK);
    taker_leave(&third);
    taker_leave(&other);
    taker_leave(&second);
    assert_int_equal(enter(&first, 7, "alice", ""), OUTCOME_OK);
    taker_leave(&first);
}

static void the_local_user_is_nobody_in_particular(void **state)
{
    (void)state;
    struct taker takers[10];
    for (int i = 0; i < 10; i++)
        assert_int_equal(enter(&takers[i], 1, "", ""), OUTCOME_OK);
    for (int i = 0; i < 10; i++)
        taker_leave(&takers[i]);
}

static void an_address_takes_so_many_places_whoever_asks(void **state)
{
    (void)state;
    struct taker a, b, c, d;
    assert_int_equal(enter(&a, 1, "", "192.0.2.1"), OUTCOME_OK);
    assert_int_equal(enter(&b, 7, "alice", "192.0.2.1"), OUTCOME_OK);
    assert_int_equal(enter(&c, 8, "bob", "192.0.2.1"), OUTCOME_OK);
    assert_int_equal(enter(&d, 9, "carol", "192.0.2.1"), OUTCOME_RATE_LIMITED);
    assert_int_equal(enter(&d, 1, "", "192.0.2.1"), OUTCOME_RATE_LIMITED);
    assert_int_equal(enter(&d, 1, "", "192.0.2.2"), OUTCOME_OK);
    taker_leave(&d);
    taker_leave(&b);
    assert_int_equal(enter(&d, 9, "carol", "192.0.2.1"), OUTCOME_OK);
    taker_leave(&a);
    taker_leave(&c);
    taker_leave(&d);
}

static void nothing_is_no_limit(void **state)
{
    (void)state;
    settings.max_streams_per_user = settings.max_streams_per_address = 0;
    struct taker takers[10];
    for (int i = 0; i < 10; i++)
        assert_int_equal(enter(&takers[i], 7, "alice", "192.0.2.1"), OUTCOME_OK);
    for (int i = 0; i < 10; i++)
        taker_leave(&takers[i]);
}

static void requests_are_counted_by_user_or_else_by_address_or_else_not(void **state)
{
    (void)state;
    static const struct {
        const char *name, *address, *who;
    } cases[] = {{"alice", "192.0.2.1", "user 7"}, {"alice", "", "user 7"}, {"", "2001:db8:1:2::/64", "address 2001:db8:1:2::/64"}, {"", "", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct taker taker;
        struct message_begin begin = {0};
        assert_int_equal(enter(&taker, 7, cases[i].name, cases[i].address), OUTCOME_OK);
        taker_limit(&taker, &begin);
        assert_string_equal(begin.rate.who, cases[i].who);
        assert_int_equal(begin.rate.most, *cases[i].who != '\0' ? 10 : 0);
        assert_int_equal(begin.max_of_user, 0); /* this process counts its own */
        assert_null(begin.address);
        taker_leave(&taker);
    }
}

/* --- over all processes ------------------------------------------------------------------------------------------------- */

static enum outcome begin_as(int64_t user, const char *process, int64_t most_of_user, const char *address, struct message_begin *turn)
{
    struct failure failure = {0};
    *turn = turn_of(user, NULL, NULL, "Hi");
    turn->process = process;
    turn->max_of_user = most_of_user;
    turn->max_of_address = address != NULL ? 2 : 0;
    turn->address = address;
    enum outcome outcome = message_begin_turn(turn, &failure);
    if (outcome != OUTCOME_OK)
        assert_true(failure.retry_after_s > 0 && failure.message[0] != '\0');
    return outcome;
}

static void all_processes_together_make_no_more_for_a_user(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct message_begin first, turn;
    assert_int_equal(begin_as(alice, PROCESS, 2, NULL, &first), OUTCOME_OK);
    assert_int_equal(begin_as(alice, "other", 2, NULL, &turn), OUTCOME_OK);
    assert_int_equal(begin_as(alice, "third", 2, NULL, &turn), OUTCOME_RATE_LIMITED);
    assert_int_equal(begin_as(bob, "third", 2, NULL, &turn), OUTCOME_OK);
    assert_int_equal(begin_as(alice, "third", 0, NULL, &turn), OUTCOME_OK); /* no limit */
    assert_int_equal(sql("SELECT count(*) FROM messages"), 8);
    (void)sql("UPDATE messages SET seen_at = 1 WHERE process IN ('other', 'third')"); /* they have died */
    assert_int_equal(begin_as(alice, PROCESS, 2, NULL, &turn), OUTCOME_OK);
    assert_int_equal(begin_as(alice, PROCESS, 2, NULL, &turn), OUTCOME_RATE_LIMITED);
    assert_int_equal(end_turn_as(first.answer, "stopped", ""), OUTCOME_OK);
    assert_int_equal(begin_as(alice, PROCESS, 2, NULL, &turn), OUTCOME_OK);
}

static void all_processes_together_make_no_more_for_an_address(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first, turn;
    assert_int_equal(begin_as(user, PROCESS, 0, "192.0.2.1", &first), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE address = '192.0.2.1'"), 1);
    assert_int_equal(begin_as(user, PROCESS, 0, NULL, &turn), OUTCOME_OK);
    assert_int_equal(begin_as(new_user(), "other", 0, "192.0.2.1", &turn), OUTCOME_OK);
    assert_int_equal(begin_as(user, PROCESS, 0, "192.0.2.1", &turn), OUTCOME_RATE_LIMITED);
    assert_int_equal(begin_as(user, PROCESS, 0, "192.0.2.2", &turn), OUTCOME_OK);
    assert_int_equal(end_turn_as(first.answer, "done", "a"), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE address = '192.0.2.1'"), 1);
    assert_int_equal(begin_as(user, PROCESS, 0, "192.0.2.1", &turn), OUTCOME_OK);
}

/* An address is kept for as long as it is counted by. */
static void no_address_stays_with_an_answer_that_was_lost(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn;
    struct failure failure = {.outcome = OUTCOME_NO_MEMORY, .message = "no"}, trouble = {0};
    assert_int_equal(begin_as(user, PROCESS, 0, "192.0.2.1", &turn), OUTCOME_OK);
    (void)sql("UPDATE messages SET seen_at = 1 WHERE status = 'streaming'");
    struct message_lost lost = {.user = user, .id = turn.answer, .process = PROCESS, .seen_at = 1, .content = "", .error_code = "interrupted", .error_message = "lost"};
    assert_int_equal(message_mark_lost(&lost, &trouble), OUTCOME_OK);
    assert_string_equal(messages_of(user, turn.conversation), "[user done Hi][assistant interrupted ]");
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE address IS NOT NULL"), 0);
    assert_int_equal(begin_as(user, PROCESS, 0, "192.0.2.1", &turn), OUTCOME_OK);
    assert_int_equal(message_give_up(turn.answer, PROCESS, &failure, &trouble), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE address IS NOT NULL"), 0);
}

/* An answer that goes on takes a place as a new one does. */
static void an_answer_that_goes_on_is_counted(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin first, second, again = {.user = user, .process = PROCESS, .max_of_user = 1, .max_of_address = 2, .address = "192.0.2.1"};
    assert_int_equal(begin_as(user, PROCESS, 1, NULL, &first), OUTCOME_OK);
    assert_int_equal(end_turn_as(first.answer, "stopped", "half"), OUTCOME_OK);
    assert_int_equal(begin_as(user, PROCESS, 1, NULL, &second), OUTCOME_OK);
    memcpy(again.answer, first.answer, ID_BYTES);
    assert_int_equal(message_continue_turn(&again, &failure), OUTCOME_RATE_LIMITED);
    assert_string_equal(messages_of(user, first.conversation), "[user done Hi][assistant stopped half]");
    assert_int_equal(end_turn_as(second.answer, "done", ""), OUTCOME_OK);
    assert_int_equal(message_continue_turn(&again, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE address = '192.0.2.1' AND status = 'streaming'"), 1);
    assert_int_equal(begin_as(user, PROCESS, 1, NULL, &second), OUTCOME_RATE_LIMITED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_signed_in_user_takes_so_many_places_and_no_more, limits),
    cmocka_unit_test_setup(the_local_user_is_nobody_in_particular, limits),
    cmocka_unit_test_setup(an_address_takes_so_many_places_whoever_asks, limits),
    cmocka_unit_test_setup(nothing_is_no_limit, limits),
    cmocka_unit_test_setup(requests_are_counted_by_user_or_else_by_address_or_else_not, limits),
    store_test(all_processes_together_make_no_more_for_a_user),
    store_test(all_processes_together_make_no_more_for_an_address),
    store_test(no_address_stays_with_an_answer_that_was_lost),
    store_test(an_answer_that_goes_on_is_counted),
};

UNIT_MAIN(tests)
