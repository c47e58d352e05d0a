/*
 * Tests of src/store/branch.h: a branch becomes a conversation of its own, or is deleted with all that hangs on it; what is open then; that nobody does so with another's.
 */
#include "store.h"

#include "../../src/base/mem.h"
#include "../../src/store/branch.h"
#include "../../src/store/feedback.h"
#include "../../src/store/journal.h"

static const char *copy(int64_t user, struct branch_fork fork)
{
    static char id[ID_BYTES];
    struct failure failure = {0};
    assert_int_equal(branch_fork(user, &fork, id, &failure), OUTCOME_OK);
    assert_true(id_valid(id));
    return id;
}

static void write_conversation(void *arg, const struct conversation *row)
{
    (void)snprintf(arg, 500, "%s|%s|%d%d%d|%s", row->title, row->metadata, row->pinned, row->archived, row->unread, row->leaf_id != NULL ? row->leaf_id : "-");
}

static const char *shown(int64_t user, const char *id)
{
    static char text[500];
    struct failure failure = {0};
    assert_int_equal(conversation_get(user, id, write_conversation, text, &failure), OUTCOME_OK);
    return text;
}

static const char *leaf_of(int64_t user, const char *id)
{
    return strrchr(shown(user, id), '|') + 1;
}

/* --- copied ----------------------------------------------------------------------------------------------------------------------- */

static void a_branch_becomes_a_conversation(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin one = whole_turn(user, NULL, NULL, "one 世界", "ONE 天气"), two = whole_turn(user, one.conversation, NULL, "two", "TWO");
    (void)whole_turn(user, one.conversation, one.answer, "other branch", "OTHER");
    (void)whole_turn(user, one.conversation, two.answer, "later", "LATER");
    char id[ID_BYTES];
    strcpy(id, copy(user, (struct branch_fork){.message = two.answer}));
    assert_string_equal(messages_of(user, id), "[user done one 世界][assistant done ONE 天气][user done two][assistant done TWO]");
    assert_contains(shown(user, id), "one 世界|{}|000|");
    assert_string_equal(messages_of(user, one.conversation), "[user done one 世界][assistant done ONE 天气][user done two][assistant done TWO][user done other branch][assistant done OTHER][user done later][assistant done LATER]");
    assert_string_equal(titles_of(user, "天气"), "[one 世界][one 世界]");
    assert_string_equal(titles_of(user, "later"), "[one 世界]");
    (void)whole_turn(user, id, NULL, "goes on", "HERE");
    struct failure failure = {0};
    listed[0] = '\0';
    assert_int_equal(message_history(user, leaf_of(user, id), 20, list_message, NULL, &failure), OUTCOME_OK);
    assert_string_equal(listed, "[assistant done HERE][user done goes on][assistant done TWO][user done two][assistant done ONE 天气][user done one 世界]");
    assert_int_equal(sql("SELECT count(DISTINCT public_id) = count(*) FROM messages"), 1);
    assert_index_is_whole();
}

static void a_copy_ends_at_the_message_that_is_named(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin one = whole_turn(user, NULL, NULL, "one", "ONE"), two = whole_turn(user, one.conversation, NULL, "two", "TWO");
    assert_string_equal(messages_of(user, copy(user, (struct branch_fork){.message = one.question})), "[user done one]");
    assert_string_equal(messages_of(user, copy(user, (struct branch_fork){.message = one.answer})), "[user done one][assistant done ONE]");
    assert_string_equal(messages_of(user, copy(user, (struct branch_fork){.message = two.question})), "[user done one][assistant done ONE][user done two]");
}

static void title_and_metadata_are_those_of_the_old_one_unless_given(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin one = whole_turn(user, NULL, NULL, "q", "a");
    struct conversation_change change = {.title = "alter 標題", .metadata = "{\"a\":1}", .pinned = 1, .archived = 1, .unread = 1};
    assert_int_equal(conversation_change(user, one.conversation, &change, &failure), OUTCOME_OK);
    assert_contains(shown(user, copy(user, (struct branch_fork){.message = one.answer})), "alter 標題|{\"a\":1}|000|"); /* neither pinned nor archived nor unread */
    assert_string_equal(titles_of(user, "標題"), "[alter 標題][alter 標題]");
    assert_contains(shown(user, copy(user, (struct branch_fork){.message = one.answer, .title = "new 新的", .metadata = "{\"b\":2}"})), "new 新的|{\"b\":2}|000|");
    assert_string_equal(titles_of(user, "新"), "[new 新的]");
    assert_index_is_whole();
}

/* All columns of a message but those that are its own, as one text. */
#define ALL_OF(message)                                                                                                                                                               \
    "(SELECT json_array(role, content, search_text, status, provider, model, finish_reason, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, usage_estimated, cost, calls, state, " \
    "state_wire, events, steps, app_state, reasoning, error_code, error_message, metadata, attachments, layout, created_at, finished_at) FROM messages WHERE " message ")"

static void all_that_belongs_to_a_message_comes_with_it_and_nothing_else(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin one = whole_turn(user, NULL, NULL, "q", "a 世");
    char conversation[ID_BYTES];
    (void)sql("UPDATE messages SET provider = 'p', cached_tokens = 1, reasoning_tokens = 2, usage_estimated = 1, cost = 0.5, calls = '[1]', state = 's', state_wire = 'w', events = '[2]', steps = '[3]', "
              "app_state = '{}', reasoning = 'r', error_code = 'c', error_message = 'm', metadata = '{\"x\":1}', attachments = '[4]', layout = 'l', created_at = 7, finished_at = 8, "
              "client_id = 'mine', process = 'p', seen_at = 9, address = 'a', detached = 1, stop = 1");
    assert_int_equal(feedback_set(user, one.answer, "like", NULL, conversation, &failure), OUTCOME_OK);
    int64_t used = sql("SELECT sum(answers) FROM usage_days");
    (void)copy(user, (struct branch_fork){.message = one.answer});
    assert_int_equal(sql("SELECT count(*) FROM messages"), 4);
    assert_int_equal(sql("SELECT " ALL_OF("id = 2") " = " ALL_OF("id = 4") " AND " ALL_OF("id = 1") " = " ALL_OF("id = 3")), 1);
    assert_int_equal(sql("SELECT count(client_id) + count(process) + count(seen_at) + count(address) + sum(detached) + sum(stop) FROM messages WHERE id > 2"), 0);
    assert_int_equal(sql("SELECT count(*) FROM feedback"), 1);
    assert_int_equal(sql("SELECT sum(answers) FROM usage_days"), used);
    assert_int_equal(sql("SELECT count(*) FROM pragma_table_info('messages')"), 39); /* a new column: is it copied, and above? */
}

static void what_is_being_written_is_not_copied(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin one = whole_turn(user, NULL, NULL, "q", "a"), open = turn_of(user, one.conversation, NULL, "and?");
    char id[ID_BYTES];
    assert_int_equal(message_begin_turn(&open, &failure), OUTCOME_OK);
    struct branch_fork fork = {.message = open.answer};
    assert_int_equal(branch_fork(user, &fork, id, &failure), OUTCOME_BUSY);
    assert_string_equal(titles_of(user, NULL), "[q]");
    fork.message = open.question;
    assert_int_equal(branch_fork(user, &fork, id, &failure), OUTCOME_OK);
    fork.message = open.answer;
    assert_int_equal(end_turn_as(open.answer, "stopped", "half"), OUTCOME_OK);
    assert_string_equal(messages_of(user, copy(user, fork)), "[user done q][assistant done a][user done and?][assistant stopped half]");
}

static void a_long_branch_can_be_copied_and_deleted(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin one = whole_turn(user, NULL, NULL, "first", "a");
    (void)sql("WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO messages (id, public_id, conversation_id, user_id, seq, parent_id, role, content, created_at) "
              "SELECT i, 'long' || i, 1, user_id, i, i - 1, CASE i % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'word' || i, 1 FROM n, (SELECT user_id FROM conversations)");
    (void)sql("UPDATE conversations SET leaf_id = 4000");
    (void)copy(user, (struct branch_fork){.message = "long4000"});
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE conversation_id = 2"), 4000);
    assert_int_equal(sql("SELECT count(*) FROM messages AS m JOIN messages AS p ON p.id = m.parent_id WHERE m.conversation_id = 2 AND p.conversation_id = 2 AND p.seq = m.seq - 1"), 3999);
    assert_int_equal(branch_delete(user, one.conversation, one.question, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 4000);
    assert_string_equal(leaf_of(user, one.conversation), "-");
    assert_index_is_whole();
}

static void without_memory_nothing_is_copied(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin one = whole_turn(user, NULL, NULL, "q 世", "a");
    struct branch_fork fork = {.message = one.answer, .title = "世界"};
    char id[ID_BYTES];
    for (long n = 0; n < 2; n++) {
        mem_fail_after(n);
        assert_int_equal(branch_fork(user, &fork, id, &failure), OUTCOME_NO_MEMORY);
        mem_fail_after(-1);
        assert_int_equal(sql("SELECT count(*) FROM messages"), 2);
        assert_int_equal(sql("SELECT count(*) FROM conversations"), 1);
    }
}

/* --- deleted ---------------------------------------------------------------------------------------------------------------------- */

static void a_message_is_deleted_with_all_that_follow(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin one = whole_turn(user, NULL, NULL, "one", "ONE"), two = whole_turn(user, one.conversation, NULL, "two", "TWO zebra"), three = whole_turn(user, one.conversation, NULL, "three", "THREE");
    char conversation[ID_BYTES];
    assert_int_equal(feedback_set(user, three.answer, "like", NULL, conversation, &failure), OUTCOME_OK);
    assert_int_equal(branch_delete(user, one.conversation, two.answer, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, one.conversation), "[user done one][assistant done ONE][user done two]");
    assert_contains(shown(user, one.conversation), "one|{}|000|"); /* and nothing is unread */
    assert_string_equal(leaf_of(user, one.conversation), two.question);
    assert_string_equal(titles_of(user, "zebra"), "");
    assert_int_equal(sql("SELECT count(*) FROM feedback"), 0);
    assert_int_equal(branch_delete(user, one.conversation, one.question, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, one.conversation), "");
    assert_string_equal(leaf_of(user, one.conversation), "-");
    (void)whole_turn(user, one.conversation, NULL, "again", "AGAIN");
    assert_string_equal(messages_of(user, one.conversation), "[user done again][assistant done AGAIN]");
    assert_index_is_whole();
}

static void the_newest_branch_beside_it_is_open_then(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin root = whole_turn(user, NULL, NULL, "root", "ROOT");
    const char *talk = root.conversation;
    struct message_begin a = whole_turn(user, talk, root.answer, "a", "A"), b = whole_turn(user, talk, root.answer, "b", "B"), b1 = whole_turn(user, talk, b.answer, "b1", "B1"),
                         b2 = whole_turn(user, talk, b.answer, "b2", "B2"), c = whole_turn(user, talk, root.answer, "c", "C"), other = whole_turn(user, talk, "root", "other", "OTHER");
    struct conversation_change open = {.pinned = -1, .archived = -1, .unread = -1, .leaf_id = c.answer};
    assert_int_equal(conversation_change(user, talk, &open, &failure), OUTCOME_OK);
    assert_int_equal(branch_delete(user, talk, c.question, &failure), OUTCOME_OK);
    assert_string_equal(leaf_of(user, talk), b2.answer); /* beside it, down, always the newest */
    open.leaf_id = b1.answer;
    assert_int_equal(conversation_change(user, talk, &open, &failure), OUTCOME_OK);
    assert_int_equal(branch_delete(user, talk, a.question, &failure), OUTCOME_OK);
    assert_string_equal(leaf_of(user, talk), b1.answer); /* it was another branch */
    open.leaf_id = b2.answer;
    assert_int_equal(conversation_change(user, talk, &open, &failure), OUTCOME_OK);
    assert_int_equal(branch_delete(user, talk, b2.question, &failure), OUTCOME_OK);
    assert_string_equal(leaf_of(user, talk), b1.answer);
    assert_int_equal(branch_delete(user, talk, b.question, &failure), OUTCOME_OK);
    assert_string_equal(leaf_of(user, talk), root.answer); /* none beside it: what it followed */
    assert_int_equal(branch_delete(user, talk, root.question, &failure), OUTCOME_OK);
    assert_string_equal(leaf_of(user, talk), other.answer); /* another beginning */
    assert_string_equal(messages_of(user, talk), "[user done other][assistant done OTHER]");
    assert_index_is_whole();
}

static void an_answer_that_is_being_written_goes_too(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin one = whole_turn(user, NULL, NULL, "q", "a"), open = turn_of(user, one.conversation, NULL, "and?");
    open.key = "key";
    open.body_hash = "hash";
    assert_int_equal(message_begin_turn(&open, &failure), OUTCOME_OK);
    struct journal_row row = {.message = open.answer, .pos = 1, .kind = "text", .data = "so far", .len = 6};
    assert_int_equal(journal_add(&row, 1, PROCESS, &failure), OUTCOME_OK);
    assert_int_equal(branch_delete(user, one.conversation, open.question, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT (SELECT count(*) FROM journal) + (SELECT count(*) FROM repeats)"), 0);
    assert_int_equal(end_turn_as(open.answer, "done", "too late"), OUTCOME_NOT_FOUND);
    assert_string_equal(messages_of(user, one.conversation), "[user done q][assistant done a]");
    assert_contains(shown(user, one.conversation), "q|{}|000|");
    assert_string_equal(leaf_of(user, one.conversation), one.answer);
}

/* --- others' ---------------------------------------------------------------------------------------------------------------------- */

static void what_is_not_there_or_anothers_is_not_found(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct failure failure = {0};
    struct message_begin hers = whole_turn(alice, NULL, NULL, "secret", "SECRET"), his = whole_turn(bob, NULL, NULL, "his", "HIS"), too = whole_turn(bob, NULL, NULL, "his too", "HIS TOO");
    static const char *const none[] = {"0123456789abcdefghjkmnpqrs", "", "' OR 1=1 --"};
    const char *const wrong[] = {hers.answer, hers.question, none[0], none[1], none[2]};
    char id[ID_BYTES];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct branch_fork fork = {.message = wrong[i]};
        assert_int_equal(branch_fork(bob, &fork, id, &failure), OUTCOME_NOT_FOUND);
        assert_int_equal(branch_delete(bob, his.conversation, wrong[i], &failure), OUTCOME_NOT_FOUND);
        assert_int_equal(branch_delete(bob, hers.conversation, wrong[i], &failure), OUTCOME_NOT_FOUND);
    }
    assert_int_equal(branch_delete(bob, his.conversation, too.answer, &failure), OUTCOME_NOT_FOUND); /* of another conversation */
    assert_int_equal(branch_delete(bob, none[0], his.answer, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 6);
    assert_int_equal(sql("SELECT count(*) FROM conversations"), 3);
    assert_string_equal(leaf_of(alice, hers.conversation), hers.answer);
}

static const struct CMUnitTest tests[] = {
    store_test(a_branch_becomes_a_conversation),
    store_test(a_copy_ends_at_the_message_that_is_named),
    store_test(title_and_metadata_are_those_of_the_old_one_unless_given),
    store_test(all_that_belongs_to_a_message_comes_with_it_and_nothing_else),
    store_test(what_is_being_written_is_not_copied),
    store_test(a_long_branch_can_be_copied_and_deleted),
    store_test(without_memory_nothing_is_copied),
    store_test(a_message_is_deleted_with_all_that_follow),
    store_test(the_newest_branch_beside_it_is_open_then),
    store_test(an_answer_that_is_being_written_goes_too),
    store_test(what_is_not_there_or_anothers_is_not_found),
};

UNIT_MAIN(tests)
