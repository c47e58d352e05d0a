/*
 * Tests of src/store/feedback.h: whose answer it is and by which id, the last word counts, and what deletes it.
 */
#include "store.h"

#include "../../src/store/feedback.h"

static void keep_feedback(void *arg, const struct message *row)
{
    size_t len = strlen(arg);
    (void)snprintf((char *)arg + len, 200 - len, "[%s]", row->feedback != NULL ? row->feedback : "-");
}

static const char *feedback_in(int64_t user, const char *conversation)
{
    static char text[200];
    struct failure failure = {0};
    text[0] = '\0';
    assert_int_equal(message_list(user, conversation, keep_feedback, text, &failure), OUTCOME_OK);
    return text;
}

static struct message_begin named_turn(int64_t user, const char *client_id)
{
    struct failure failure = {0};
    struct message_begin turn = turn_of(user, NULL, NULL, "q");
    turn.client_id = client_id;
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
    assert_int_equal(end_turn_as(turn.answer, "done", "a"), OUTCOME_OK);
    return turn;
}

static void feedback_is_stored_and_shown_with_its_answer(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    char conversation[ID_BYTES];
    struct message_begin first = whole_turn(user, NULL, NULL, "q", "a"), second = whole_turn(user, first.conversation, NULL, "q2", "a2");
    assert_int_equal(feedback_set(user, second.answer, "dislike", "{\"why\":\"ä\"}", conversation, &failure), OUTCOME_OK);
    assert_string_equal(conversation, first.conversation);
    assert_string_equal(feedback_in(user, first.conversation), "[-][-][-][dislike]");
    assert_int_equal(sql("SELECT count(*) FROM feedback AS f JOIN messages AS m ON m.id = f.message_id AND m.conversation_id = f.conversation_id AND m.user_id = f.user_id "
                         "WHERE m.content = 'a2' AND f.kind = 'dislike' AND f.payload = '{\"why\":\"ä\"}' AND f.created_at > 1700000000000"), 1);
    listed[0] = '\0';
    assert_int_equal(message_history(user, second.answer, 2, keep_feedback, listed, &failure), OUTCOME_OK);
    assert_string_equal(listed, "[dislike][-]");
}

static void the_last_word_counts(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    char conversation[ID_BYTES];
    struct message_begin turn = whole_turn(user, NULL, NULL, "q", "a");
    assert_int_equal(feedback_set(user, turn.answer, "like", "{\"a\":1}", conversation, &failure), OUTCOME_OK);
    (void)sql("UPDATE feedback SET created_at = 5");
    assert_int_equal(feedback_set(user, turn.answer, "dislike", NULL, conversation, &failure), OUTCOME_OK);
    assert_string_equal(feedback_in(user, turn.conversation), "[-][dislike]");
    assert_int_equal(sql("SELECT count(*) FROM feedback WHERE kind = 'dislike' AND payload = '{}' AND created_at > 5"), 1);
    assert_int_equal(sql("SELECT count(*) FROM feedback"), 1);
}

static void an_answer_is_found_by_the_client_s_id_the_newest_first(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct failure failure = {0};
    char conversation[ID_BYTES];
    struct message_begin older = named_turn(user, "mine"), newer = named_turn(user, "mine"), different = named_turn(user, "another"), theirs = named_turn(other, "mine");
    assert_int_equal(feedback_set(user, "mine", "like", NULL, conversation, &failure), OUTCOME_OK);
    assert_string_equal(conversation, newer.conversation);
    assert_string_equal(feedback_in(user, newer.conversation), "[-][like]");
    assert_string_equal(feedback_in(user, older.conversation), "[-][-]");
    assert_string_equal(feedback_in(user, different.conversation), "[-][-]");
    assert_string_equal(feedback_in(other, theirs.conversation), "[-][-]");
    struct message_begin sly = named_turn(user, older.answer); /* the id of another answer as one's own */
    assert_int_equal(feedback_set(user, older.answer, "dislike", NULL, conversation, &failure), OUTCOME_OK);
    assert_string_equal(feedback_in(user, older.conversation), "[-][dislike]");
    assert_string_equal(feedback_in(user, sly.conversation), "[-][-]");
}

static void what_is_no_answer_of_the_user_is_not_found(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct failure failure = {0};
    char conversation[ID_BYTES];
    struct message_begin hers = named_turn(alice, "named");
    const char *const ids[] = {hers.answer, "named", "", "0123456789abcdefghjkmnpqrs", "' OR 1=1 --"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_int_equal(feedback_set(bob, ids[i], "like", NULL, conversation, &failure), OUTCOME_NOT_FOUND);
        assert_string_equal(failure.message, "There is no such message.");
        assert_string_equal(conversation, "");
    }
    assert_int_equal(feedback_set(alice, hers.question, "like", NULL, conversation, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(feedback_set(alice, hers.conversation, "like", NULL, conversation, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(sql("SELECT count(*) FROM feedback"), 0);
}

static void feedback_goes_with_what_it_is_about(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    char conversation[ID_BYTES];
    struct message_begin turns[3];
    for (int i = 0; i < 3; i++) {
        turns[i] = whole_turn(user, NULL, NULL, "q", "a");
        assert_int_equal(feedback_set(user, turns[i].answer, "like", NULL, conversation, &failure), OUTCOME_OK);
    }
    assert_int_equal(conversation_delete(user, turns[0].conversation, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM feedback"), 2);
    assert_int_equal(conversation_clear(user, turns[1].conversation, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM feedback"), 1);
    struct message_begin next = whole_turn(user, turns[1].conversation, NULL, "q", "a"); /* takes row numbers of what was deleted */
    assert_string_equal(feedback_in(user, next.conversation), "[-][-]");
    assert_string_equal(feedback_in(user, turns[2].conversation), "[-][like]");
    assert_index_is_whole();
}

static const struct CMUnitTest tests[] = {
    store_test(feedback_is_stored_and_shown_with_its_answer),
    store_test(the_last_word_counts),
    store_test(an_answer_is_found_by_the_client_s_id_the_newest_first),
    store_test(what_is_no_answer_of_the_user_is_not_found),
    store_test(feedback_goes_with_what_it_is_about),
};

UNIT_MAIN(tests)
