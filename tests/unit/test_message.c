/*
 * Tests of src/store/message.h: turns, the tree, history, Stop, lost answers, and that nobody reads another's messages.
 * What comes again or goes on is in test_message_again.c.
 */
#include "store.h"

#include "../../src/base/limits.h"

static enum outcome begin(struct message_begin *turn, struct failure *failure)
{
    return message_begin_turn(turn, failure);
}

static void a_turn_stores_question_and_answer(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin turn = turn_of(user, NULL, NULL, "Hello");
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    assert_true(id_valid(turn.conversation) && id_valid(turn.question) && id_valid(turn.answer));
    assert_string_equal(messages_of(user, turn.conversation), "[user done Hello][assistant streaming ]");
    assert_int_equal(end_turn_as(turn.answer, "done", "Hi!"), OUTCOME_OK);
    assert_string_equal(messages_of(user, turn.conversation), "[user done Hello][assistant done Hi!]");
    assert_string_equal(titles_of(user, NULL), "[Hello]");
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE process IS NOT NULL OR seen_at IS NOT NULL"), 0);
    assert_index_is_whole();
}

static void texts_of_all_kinds_are_kept_byte_for_byte(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = whole_turn(user, NULL, NULL, "ä 漢字 😀 'quoted\" \\ \n", "");
    assert_string_equal(messages_of(user, turn.conversation), "[user done ä 漢字 😀 'quoted\" \\ \n][assistant done ]");
    (void)whole_turn(user, turn.conversation, NULL, "", "later");
    assert_string_equal(titles_of(user, "漢字"), "[ä 漢字 😀 'quoted\" \\ \n]");
    assert_index_is_whole();
}

static void keep_row(void *arg, const struct message *row)
{
    char *text = arg;
    if (strcmp(row->role, "assistant") == 0)
        (void)snprintf(text, 500, "%s|%s|%s|%s|%d,%d,%d,%d|%s|%s|%s|%d%d", row->status, row->reasoning, row->model, row->finish_reason, (int)row->usage.prompt_tokens,
                       (int)row->usage.completion_tokens, (int)row->usage.cached_tokens, (int)row->usage.reasoning_tokens, row->error_code, row->error_message,
                       row->metadata, row->created_at > 1700000000000, row->finished_at >= row->created_at);
}

static void all_that_is_known_of_an_end_is_kept(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin turn = turn_of(user, NULL, NULL, "q");
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    struct message_end end = {.id = turn.answer, .process = PROCESS, .status = "error", .content = "part", .content_len = 4, .reasoning = "hmmm", .reasoning_len = 2,
                              .model = "gpt", .finish_reason = "length", .usage = {1, -1, 0, 2}, .error_code = "provider_error", .error_message = "it broke"};
    assert_int_equal(message_end_turn(&end, &failure), OUTCOME_OK);
    char text[500] = "";
    assert_int_equal(message_list(user, turn.conversation, keep_row, text, &failure), OUTCOME_OK);
    assert_string_equal(text, "error|hm|gpt|length|1,-1,0,2|provider_error|it broke|{}|11");
}

static void keep_more(void *arg, const struct message *row)
{
    size_t len = strlen(arg);
    (void)snprintf((char *)arg + len, 500 - len, "[%s %s|%s|%s|%s|%s]", row->role, row->events != NULL ? row->events : "-", row->steps != NULL ? row->steps : "-",
                   row->app_state != NULL ? row->app_state : "-", row->calls != NULL ? row->calls : "-", row->state_wire != NULL ? row->state_wire : "-");
}

static void what_belongs_to_an_answer_beside_its_text_is_kept(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin turn = turn_of(user, NULL, NULL, "q");
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    struct message_end end = {.id = turn.answer, .process = PROCESS, .status = "done", .content = "a", .content_len = 1, .usage = usage_none(), .calls = "[1]",
                              .state_wire = "w", .events = "[{\"type\":\"reference\",\"content\":\"ä\"}]", .steps = "[{}]", .app_state = "{\"n\":1}"};
    assert_int_equal(message_end_turn(&end, &failure), OUTCOME_OK);
    struct message_begin next = whole_turn(user, turn.conversation, NULL, "q2", "a2"); /* has none of them */
    static const char first[] = "[assistant [{\"type\":\"reference\",\"content\":\"ä\"}]|[{}]|{\"n\":1}|[1]|w]";
    char text[500] = "", expected[500];
    assert_int_equal(message_list(user, turn.conversation, keep_more, text, &failure), OUTCOME_OK);
    (void)snprintf(expected, sizeof expected, "[user -|-|-|-|-]%s[user -|-|-|-|-][assistant -|-|-|-|-]", first);
    assert_string_equal(text, expected);
    text[0] = '\0';
    assert_int_equal(message_history(user, next.question, 2, keep_more, text, &failure), OUTCOME_OK);
    (void)snprintf(expected, sizeof expected, "[user -|-|-|-|-]%s", first);
    assert_string_equal(text, expected);
}

static void a_turn_knows_whether_its_conversation_is_new(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin first = whole_turn(user, NULL, NULL, "q", "a");
    assert_true(first.is_new);
    struct message_begin later[] = {turn_of(user, first.conversation, NULL, "q2"), turn_of(user, first.conversation, "root", "q3")};
    for (int i = 0; i < 2; i++) {
        later[i].is_new = true;
        assert_int_equal(begin(&later[i], &failure), OUTCOME_OK);
        assert_false(later[i].is_new);
    }
    char empty[ID_BYTES];
    assert_int_equal(conversation_add(user, "", "{}", empty, &failure), OUTCOME_OK);
    assert_true(whole_turn(user, empty, NULL, "q", "a").is_new);
    assert_int_equal(conversation_clear(user, empty, &failure), OUTCOME_OK);
    assert_true(whole_turn(user, empty, NULL, "q", "a").is_new);
    for (int i = 0; i < 2; i++) {
        struct message_begin rolling = turn_of(user, NULL, NULL, "x");
        rolling.rolling_for = "r";
        assert_int_equal(begin(&rolling, &failure), OUTCOME_OK);
        assert_int_equal(end_turn_as(rolling.answer, "done", "y"), OUTCOME_OK);
        assert_int_equal(rolling.is_new, i == 0);
    }
}

/* --- what a client brings along ------------------------------------------------------------------------------------------------- */

#define PAST(role, text) {role, text, sizeof text - 1}

static const struct message_past dialogue[] = {PAST("user", "past q"), PAST("assistant", "past 世界"), PAST("user", "more"), PAST("assistant", "sure")};

static struct message_begin turn_with_past(int64_t user, const char *conversation, const struct message_past *past, size_t count)
{
    struct message_begin turn = turn_of(user, conversation, NULL, "now");
    turn.history = past;
    turn.history_count = count;
    return turn;
}

static const char *history_of(int64_t user, const char *id, int limit)
{
    struct failure failure = {0};
    listed[0] = '\0';
    assert_int_equal(message_history(user, id, limit, list_message, NULL, &failure), OUTCOME_OK);
    return listed;
}

static void what_was_said_before_is_stored_in_front_of_the_question(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin turn = turn_with_past(user, NULL, dialogue, 4);
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    assert_true(turn.is_new);
    assert_string_equal(messages_of(user, turn.conversation),
                        "[user done past q][assistant done past 世界][user done more][assistant done sure][user done now][assistant streaming ]");
    assert_string_equal(history_of(user, turn.question, 100), "[user done now][assistant done sure][user done more][assistant done past 世界][user done past q]");
    assert_int_equal(end_turn_as(turn.answer, "done", "a"), OUTCOME_OK);
    struct message_begin next = whole_turn(user, turn.conversation, NULL, "next", "b");
    assert_string_equal(history_of(user, next.question, 3), "[user done next][assistant done a][user done now]");
    assert_string_equal(titles_of(user, "世界"), "[now]");
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE model IS NOT NULL OR process IS NOT NULL"), 2); /* the two answers that were made here */
    assert_int_equal(sql("SELECT count(DISTINCT public_id) FROM messages"), 8);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE (role = 'assistant') <> (finished_at IS NOT NULL)"), 0);
    assert_int_equal(conversation_delete(user, turn.conversation, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 0);
    assert_index_is_whole();
}

static void what_was_said_before_may_begin_and_end_with_anybody(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin turn = turn_with_past(user, NULL, dialogue + 1, 2);
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    assert_string_equal(history_of(user, turn.question, 100), "[user done now][user done more][assistant done past 世界]");
    struct message_begin rolling = turn_with_past(user, NULL, dialogue, 1);
    rolling.rolling_for = "r";
    assert_int_equal(begin(&rolling, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, rolling.conversation), "[user done past q][user done now][assistant streaming ]");
}

static void what_was_said_before_is_ignored_where_there_are_messages_or_a_parent(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin first = whole_turn(user, NULL, NULL, "q", "a"), turn = turn_with_past(user, first.conversation, dialogue, 4);
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, first.conversation), "[user done q][assistant done a][user done now][assistant streaming ]");
    turn = turn_with_past(user, NULL, dialogue, 4);
    turn.parent_id = "root";
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, turn.conversation), "[user done now][assistant streaming ]");
    int64_t other = new_user();
    turn = turn_with_past(other, first.conversation, dialogue, 4);
    assert_int_equal(begin(&turn, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 6);
}

static void a_question_of_the_client_is_no_parent_by_name(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin turn = turn_with_past(user, NULL, dialogue, 1);
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    assert_int_equal(end_turn_as(turn.answer, "done", "a"), OUTCOME_OK);
    struct message_begin beside = turn_of(user, turn.conversation, turn.question, "x");
    assert_int_equal(begin(&beside, &failure), OUTCOME_BAD_FIELD);
}

/* --- usage ---------------------------------------------------------------------------------------------------------------------- */

static void every_model_that_had_a_part_is_counted_for_the_day(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    static const struct usage_entry used[] = {{"p", "big", {10, 20, -1, -1, false, 0.5}},
                                              {"p", "big", {1, 2, -1, -1, false, 0.25}},
                                              {"p", "small", {5, -1, -1, -1, false, -1}},
                                              {NULL, NULL, {100, 100, -1, -1, false, 100}}};
    for (int i = 0; i < 2; i++) {
        struct message_begin turn = turn_of(user, NULL, NULL, "q");
        assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
        struct message_end end = {.id = turn.answer, .process = PROCESS, .status = "done", .content = "a", .content_len = 1, .provider = "p", .model = "big",
                                  .usage = {16, 22, -1, -1, false, 0.75}, .used = used, .used_count = 4};
        assert_int_equal(message_end_turn(&end, &failure), OUTCOME_OK);
    }
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE provider = 'p' AND model = 'big' AND prompt_tokens = 16 AND completion_tokens = 22 AND cost = 0.75"), 2);
    assert_int_equal(sql("SELECT count(*) FROM usage_days"), 2);
    assert_int_equal(sql("SELECT count(*) FROM usage_days WHERE model = 'big' AND answers = 2 AND prompt_tokens = 22 AND completion_tokens = 44 AND cost = 1.5"), 1);
    assert_int_equal(sql("SELECT count(*) FROM usage_days WHERE model = 'small' AND answers = 2 AND prompt_tokens = 10 AND completion_tokens = 0 AND cost = 0"), 1);
}

static void the_message_s_own_usage_counts_where_no_models_are_listed(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    for (int i = 0; i < 2; i++) {
        struct message_begin turn = turn_of(user, NULL, NULL, "q");
        assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
        struct message_end end = {.id = turn.answer, .process = PROCESS, .status = "done", .content = "a", .content_len = 1, .provider = i == 0 ? "p" : NULL, .model = "m",
                                  .usage = {1, 2, -1, -1, false, 0.5}};
        assert_int_equal(message_end_turn(&end, &failure), OUTCOME_OK);
    }
    char text[200];
    (void)snprintf(text, sizeof text, "SELECT count(*) FROM usage_days WHERE user_id = %lld AND provider = 'p' AND model = 'm' AND answers = 1 AND prompt_tokens = 1", (long long)user);
    assert_int_equal(sql(text), 1);
    assert_int_equal(sql("SELECT count(*) FROM usage_days"), 1);
}

static void answers_that_are_not_stored_are_counted_too(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct failure failure = {0};
    static const struct usage_entry used[] = {{"p", "m", {1, 2, -1, -1, false, 0.5}}, {"p", NULL, {3, 4, -1, -1, true, -1}}};
    assert_int_equal(usage_add(user, used, 2, &failure), OUTCOME_OK);
    assert_int_equal(usage_add(user, used, 1, &failure), OUTCOME_OK);
    assert_int_equal(usage_add(other, used, 1, &failure), OUTCOME_OK);
    assert_int_equal(usage_add(user, NULL, 0, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 0);
    assert_int_equal(sql("SELECT count(*) FROM usage_days"), 3);
    assert_int_equal(sql("SELECT count(*) FROM usage_days WHERE model = 'm' AND answers = 2 AND prompt_tokens = 2 AND completion_tokens = 4 AND cost = 1"), 1);
    assert_int_equal(sql("SELECT count(*) FROM usage_days WHERE model = '' AND answers = 1 AND prompt_tokens = 3"), 1);
    assert_int_equal(sql("SELECT count(DISTINCT user_id) FROM usage_days"), 2);
    assert_int_equal(sql("SELECT count(*) FROM usage_days WHERE day <> CAST(strftime('%s', 'now') / 86400 AS INTEGER)"), 0);
}

static void the_answer_that_streams_keeps_others_out(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin first = turn_of(user, NULL, NULL, "one"), second = turn_of(user, first.conversation, NULL, "two");
    assert_int_equal(begin(&first, &failure), OUTCOME_OK);
    second.conversation_id = first.conversation;
    assert_int_equal(begin(&second, &failure), OUTCOME_BUSY);
    second = turn_of(user, first.conversation, first.answer, "two");
    assert_int_equal(begin(&second, &failure), OUTCOME_BUSY);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 2);
    assert_int_equal(end_turn_as(first.answer, "stopped", "par"), OUTCOME_OK);
    (void)whole_turn(user, first.conversation, NULL, "two", "2");
    assert_string_equal(messages_of(user, first.conversation), "[user done one][assistant stopped par][user done two][assistant done 2]");
}

static void another_branch_may_begin_while_one_streams(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin first = whole_turn(user, NULL, NULL, "one", "1");
    struct message_begin second = turn_of(user, first.conversation, NULL, "two"), beside = turn_of(user, first.conversation, first.answer, "beside"),
                         fresh = turn_of(user, first.conversation, "root", "fresh");
    assert_int_equal(begin(&second, &failure), OUTCOME_OK);
    assert_int_equal(begin(&beside, &failure), OUTCOME_OK);
    assert_int_equal(begin(&fresh, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE status = 'streaming'"), 3);
}

static void the_parent_must_be_an_answer_of_the_conversation(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin here = whole_turn(user, NULL, NULL, "here", "h"), there = whole_turn(user, NULL, NULL, "there", "t");
    const char *const bad[] = {here.question, there.answer, there.question, "no-such-id", "", here.conversation};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct message_begin turn = turn_of(user, here.conversation, bad[i], "x");
        assert_int_equal(begin(&turn, &failure), OUTCOME_BAD_FIELD);
        assert_contains(failure.message, "parent_id");
    }
    struct message_begin fresh = turn_of(user, NULL, here.answer, "x"); /* a new conversation has no answers */
    assert_int_equal(begin(&fresh, &failure), OUTCOME_BAD_FIELD);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 4);
    assert_int_equal(sql("SELECT count(*) FROM conversations"), 2);
}

static void a_conversation_unknown_or_anothers_is_not_found(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct failure failure = {0};
    struct message_begin hers = whole_turn(alice, NULL, NULL, "secret", "s");
    struct message_begin turn = turn_of(bob, hers.conversation, NULL, "x");
    assert_int_equal(begin(&turn, &failure), OUTCOME_NOT_FOUND);
    turn = turn_of(bob, hers.conversation, hers.answer, "x");
    assert_int_equal(begin(&turn, &failure), OUTCOME_NOT_FOUND);
    turn = turn_of(bob, "0123456789abcdefghjkmnpqrs", NULL, "x");
    assert_int_equal(begin(&turn, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 2);
}

static void two_users_never_see_each_other(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct failure failure = {0};
    int running = 7;
    struct message_begin hers = turn_of(alice, NULL, NULL, "zebra secret");
    assert_int_equal(begin(&hers, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(bob, hers.conversation), "");
    listed[0] = '\0';
    assert_int_equal(message_history(bob, hers.question, 100, list_message, NULL, &failure), OUTCOME_OK);
    assert_string_equal(listed, "");
    assert_string_equal(titles_of(bob, NULL), "");
    assert_string_equal(titles_of(bob, "zebra"), "");
    assert_int_equal(message_ask_stop(bob, hers.conversation, &running, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(running, 0);
    assert_int_equal(conversation_get(bob, hers.conversation, list_title, NULL, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(conversation_delete(bob, hers.conversation, &failure), OUTCOME_NOT_FOUND);
    assert_int_equal(conversation_clear(bob, hers.conversation, &failure), OUTCOME_NOT_FOUND);
    struct conversation_change change = {.title = "mine", .pinned = 1, .archived = 1, .unread = -1};
    assert_int_equal(conversation_change(bob, hers.conversation, &change, &failure), OUTCOME_NOT_FOUND);
    assert_string_equal(titles_of(alice, "zebra"), "[zebra secret]");
    assert_string_equal(messages_of(alice, hers.conversation), "[user done zebra secret][assistant streaming ]");
}

static void a_rolling_conversation_goes_on_where_it_was(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct failure failure = {0};
    struct message_begin turns[4];
    static const char *const names[] = {"alice", "alice", "bob", "alice"};
    for (int i = 0; i < 4; i++) {
        turns[i] = turn_of(i == 3 ? other : user, NULL, NULL, "x");
        turns[i].rolling_for = names[i];
        assert_int_equal(begin(&turns[i], &failure), OUTCOME_OK);
        assert_int_equal(end_turn_as(turns[i].answer, "done", "y"), OUTCOME_OK);
    }
    assert_string_equal(turns[0].conversation, turns[1].conversation);
    assert_string_not_equal(turns[0].conversation, turns[2].conversation);
    assert_string_not_equal(turns[0].conversation, turns[3].conversation);
    assert_string_equal(messages_of(user, turns[0].conversation), "[user done x][assistant done y][user done x][assistant done y]");
    struct message_begin early = turn_of(user, NULL, NULL, "a"), again = early;
    early.rolling_for = again.rolling_for = "carol";
    assert_int_equal(begin(&early, &failure), OUTCOME_OK);
    assert_int_equal(begin(&again, &failure), OUTCOME_BUSY);
}

static void a_deleted_rolling_conversation_begins_anew(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin first = turn_of(user, NULL, NULL, "x");
    first.rolling_for = "";
    assert_int_equal(begin(&first, &failure), OUTCOME_OK);
    assert_int_equal(conversation_delete(user, first.conversation, &failure), OUTCOME_OK);
    struct message_begin second = turn_of(user, NULL, NULL, "x");
    second.rolling_for = "";
    assert_int_equal(begin(&second, &failure), OUTCOME_OK);
    assert_string_not_equal(first.conversation, second.conversation);
}

static void only_the_first_message_gives_the_title(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin first = whole_turn(user, NULL, NULL, "first 世界", "1");
    (void)whole_turn(user, first.conversation, NULL, "second", "2");
    assert_string_equal(titles_of(user, NULL), "[first 世界]");
    assert_string_equal(titles_of(user, "世界"), "[first 世界]");
}

/* --- history ------------------------------------------------------------------------------------------------------------------ */

static void history_is_the_path_to_a_question_newest_first(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin a = whole_turn(user, NULL, NULL, "q1", "a1"), b = whole_turn(user, a.conversation, NULL, "q2", "a2");
    struct message_begin side = whole_turn(user, a.conversation, a.answer, "q2b", "a2b"), fresh = whole_turn(user, a.conversation, "root", "q1b", "a1b");
    assert_string_equal(history_of(user, b.question, 100), "[user done q2][assistant done a1][user done q1]");
    assert_string_equal(history_of(user, side.question, 100), "[user done q2b][assistant done a1][user done q1]");
    assert_string_equal(history_of(user, fresh.question, 100), "[user done q1b]");
    assert_string_equal(history_of(user, b.question, 2), "[user done q2][assistant done a1]");
    assert_string_equal(history_of(user, b.question, 1), "[user done q2]");
    assert_string_equal(history_of(user, "0123456789abcdefghjkmnpqrs", 10), "");
}

static void without_a_parent_a_message_follows_the_latest_branch(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin a = whole_turn(user, NULL, NULL, "q1", "a1");
    (void)whole_turn(user, a.conversation, NULL, "q2", "a2");
    (void)whole_turn(user, a.conversation, a.answer, "q2b", "a2b");
    struct message_begin next = whole_turn(user, a.conversation, NULL, "q3", "a3");
    assert_string_equal(history_of(user, next.question, 3), "[user done q3][assistant done a2b][user done q2b]");
}

static void a_very_long_conversation_keeps_its_window(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct message_begin turn = whole_turn(user, NULL, NULL, "q", "a");
    char conversation[ID_BYTES];
    strcpy(conversation, turn.conversation);
    for (int i = 0; i < 600; i++)
        turn = whole_turn(user, conversation, NULL, "q", "a");
    const char *text = history_of(user, turn.question, LIMIT_HISTORY_MESSAGES);
    int count = 0;
    for (const char *c = text; *c != '\0'; c++)
        count += *c == '[';
    assert_int_equal(count, LIMIT_HISTORY_MESSAGES);
    struct failure failure = {0};
    assert_int_equal(conversation_delete(user, conversation, &failure), OUTCOME_OK); /* cascades over a long line */
    assert_int_equal(sql("SELECT count(*) FROM messages"), 0);
    assert_index_is_whole();
}

/* --- running answers ------------------------------------------------------------------------------------------------------------ */

static void age_answers(int seconds)
{
    char text[100];
    (void)snprintf(text, sizeof text, "UPDATE messages SET seen_at = seen_at - %d WHERE status = 'streaming'", seconds * 1000);
    (void)sql(text);
}

static enum outcome mark_lost(int64_t user, const struct message_begin *turn, int64_t seen_at, const char *text)
{
    struct failure failure = {0};
    struct message_lost lost = {.user = user, .id = turn->answer, .process = PROCESS, .seen_at = seen_at, .content = text, .content_len = strlen(text), .reasoning = "hmmm",
                                .reasoning_len = 2, .events = "[]", .layout = "n1", .error_code = "interrupted", .error_message = "gone"};
    return message_mark_lost(&lost, &failure);
}

static void an_answer_lost_with_its_process_is_marked_interrupted(void **state)
{
    (void)state;
    int64_t user = new_user(), other = new_user();
    struct failure failure = {0};
    struct message_begin lost = turn_of(user, NULL, NULL, "q");
    assert_int_equal(begin(&lost, &failure), OUTCOME_OK);
    age_answers(MESSAGE_LOST_AFTER_MS / 1000 + 5);
    int64_t seen_at = sql("SELECT seen_at FROM messages WHERE status = 'streaming'");
    assert_int_equal(mark_lost(user, &lost, seen_at - 1, "heard of since"), OUTCOME_OK);
    assert_int_equal(mark_lost(other, &lost, seen_at, "another's"), OUTCOME_OK);
    assert_string_equal(messages_of(user, lost.conversation), "[user done q][assistant streaming ]");
    assert_int_equal(mark_lost(user, &lost, seen_at, "what 世界"), OUTCOME_OK);
    assert_int_equal(mark_lost(user, &lost, seen_at, "twice"), OUTCOME_OK);
    assert_string_equal(messages_of(user, lost.conversation), "[user done q][assistant interrupted what 世界]");
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE error_code = 'interrupted' AND error_message = 'gone' AND finished_at = seen_at AND reasoning = 'hm' "
                         "AND events = '[]' AND layout = 'n1'"), 1);
    assert_string_equal(titles_of(user, "世界"), "[q]");
    assert_index_is_whole();
}

static void a_lost_answer_does_not_keep_others_out(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin lost = turn_of(user, NULL, NULL, "q");
    assert_int_equal(begin(&lost, &failure), OUTCOME_OK);
    age_answers(MESSAGE_LOST_AFTER_MS / 1000 + 5);
    struct message_begin next = turn_of(user, lost.conversation, NULL, "q2");
    assert_int_equal(begin(&next, &failure), OUTCOME_BUSY);
    assert_string_equal(next.busy, lost.answer); /* for who can find out that it is lost */
    assert_int_equal(mark_lost(user, &lost, sql("SELECT seen_at FROM messages WHERE status = 'streaming'"), ""), OUTCOME_OK);
    next = turn_of(user, lost.conversation, NULL, "q2");
    assert_int_equal(begin(&next, &failure), OUTCOME_OK);
}

static void an_answer_taken_for_lost_can_still_end_well(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin slow = turn_of(user, NULL, NULL, "q");
    assert_int_equal(begin(&slow, &failure), OUTCOME_OK);
    assert_int_equal(mark_lost(user, &slow, sql("SELECT seen_at FROM messages WHERE status = 'streaming'"), "la"), OUTCOME_OK);
    assert_string_equal(messages_of(user, slow.conversation), "[user done q][assistant interrupted la]");
    assert_int_equal(end_turn_as(slow.answer, "done", "late"), OUTCOME_OK);
    assert_string_equal(messages_of(user, slow.conversation), "[user done q][assistant done late]");
    char text[500] = "";
    assert_int_equal(message_list(user, slow.conversation, keep_row, text, &failure), OUTCOME_OK);
    assert_lacks(text, "interrupted");
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE layout IS NOT NULL OR events IS NOT NULL OR error_message IS NOT NULL"), 0);
}

/* SQLite gives the row numbers of deleted rows to new ones. */
static void the_end_of_a_deleted_answer_reaches_no_other(void **state)
{
    (void)state;
    int64_t alice = new_user(), bob = new_user();
    struct failure failure = {0};
    struct message_begin hers = turn_of(alice, NULL, NULL, "hers"), his = turn_of(bob, NULL, NULL, "his");
    assert_int_equal(begin(&hers, &failure), OUTCOME_OK);
    int64_t rows = sql("SELECT max(id) FROM messages");
    assert_int_equal(conversation_delete(alice, hers.conversation, &failure), OUTCOME_OK);
    assert_int_equal(begin(&his, &failure), OUTCOME_OK);
    assert_int_equal(sql("SELECT max(id) FROM messages"), rows); /* the numbers are the same: else this test shows nothing */
    assert_int_equal(end_turn_as(hers.answer, "done", "secret"), OUTCOME_NOT_FOUND);
    assert_string_equal(messages_of(bob, his.conversation), "[user done his][assistant streaming ]");
    assert_int_equal(end_turn_as(his.answer, "done", "fine"), OUTCOME_OK);
    assert_string_equal(messages_of(bob, his.conversation), "[user done his][assistant done fine]");
}

static void a_heartbeat_keeps_an_answer_alive(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin turn = turn_of(user, NULL, NULL, "q");
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    age_answers(MESSAGE_LOST_AFTER_MS / 1000 + 5);
    assert_int_equal(message_heartbeat(&(const char[ID_BYTES]){"0123456789abcdefghjkmnpqrs"}, 1, &failure), OUTCOME_OK);
    assert_true(sql("SELECT seen_at < created_at FROM messages WHERE status = 'streaming'") == 1);
    assert_int_equal(message_heartbeat((const char (*)[ID_BYTES])&turn.answer, 1, &failure), OUTCOME_OK);
    assert_string_equal(messages_of(user, turn.conversation), "[user done q][assistant streaming ]");
}

static void an_answer_ends_once_and_only_by_its_process(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    struct message_begin turn = turn_of(user, NULL, NULL, "q");
    turn.process = "another-process";
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    assert_int_equal(end_turn_as(turn.answer, "done", "forged"), OUTCOME_NOT_FOUND);
    struct message_begin mine = whole_turn(user, NULL, NULL, "q", "first end");
    assert_int_equal(end_turn_as(mine.answer, "done", "second end"), OUTCOME_NOT_FOUND);
    assert_string_equal(messages_of(user, mine.conversation), "[user done q][assistant done first end]");
}

static void the_end_of_an_answer_whose_conversation_is_gone_says_so(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    for (int clear = 0; clear < 2; clear++) {
        struct message_begin turn = turn_of(user, NULL, NULL, "q");
        assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
        assert_int_equal((clear ? conversation_clear : conversation_delete)(user, turn.conversation, &failure), OUTCOME_OK);
        assert_int_equal(end_turn_as(turn.answer, "done", "late"), OUTCOME_NOT_FOUND);
    }
    assert_int_equal(sql("SELECT count(*) FROM messages"), 0);
    assert_index_is_whole();
}

struct stops {
    int count;
    char last[ID_BYTES];
};

static void count_stop(void *arg, const char *id)
{
    struct stops *stops = arg;
    stops->count++;
    (void)snprintf(stops->last, sizeof stops->last, "%s", id);
}

static void stop_reaches_the_process_that_makes_the_answer(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct stops stops = {0};
    struct failure failure = {0};
    int running = -1;
    struct message_begin turn = turn_of(user, NULL, NULL, "q"), other = turn_of(user, NULL, NULL, "other");
    assert_int_equal(begin(&turn, &failure), OUTCOME_OK);
    assert_int_equal(begin(&other, &failure), OUTCOME_OK);
    assert_int_equal(message_ask_stop(user, turn.conversation, &running, &failure), OUTCOME_OK);
    assert_int_equal(running, 1);
    assert_int_equal(message_stops("another-process", count_stop, &stops, &running, &failure), OUTCOME_OK);
    assert_int_equal(stops.count, 0);
    assert_int_equal(running, 0);
    assert_int_equal(message_stops(PROCESS, count_stop, &stops, &running, &failure), OUTCOME_OK);
    assert_int_equal(stops.count, 1);
    assert_int_equal(running, 2);
    assert_string_equal(stops.last, turn.answer);
    assert_int_equal(end_turn_as(turn.answer, "stopped", "par"), OUTCOME_OK);
    assert_int_equal(message_ask_stop(user, turn.conversation, &running, &failure), OUTCOME_OK);
    assert_int_equal(running, 0);
    assert_int_equal(message_ask_stop(user, "0123456789abcdefghjkmnpqrs", &running, &failure), OUTCOME_NOT_FOUND);
}

static void without_memory_what_was_said_before_is_stored_whole_or_not_at_all(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    assert_int_equal(db_check(&failure), OUTCOME_OK);
    int failed = 0;
    for (long calls = 0; calls < 8; calls++) {
        struct message_begin turn = turn_with_past(user, NULL, dialogue, 4);
        int64_t before = sql("SELECT count(*) FROM messages");
        mem_fail_after(calls);
        enum outcome outcome = begin(&turn, &failure);
        mem_fail_after(-1);
        failed += outcome != OUTCOME_OK;
        assert_int_equal(sql("SELECT count(*) FROM messages"), before + (outcome == OUTCOME_OK ? 6 : 0));
    }
    assert_true(failed > 0);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE content LIKE '%世界' AND search_text IS NULL"), 0);
}

static void without_memory_a_turn_fails_and_leaves_nothing(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct failure failure = {0};
    assert_int_equal(db_check(&failure), OUTCOME_OK);
    int failed = 0;
    for (long calls = 0; calls < 6; calls++) {
        struct message_begin turn = turn_of(user, NULL, NULL, "世界 a text that needs a copy for the index");
        int64_t before = sql("SELECT count(*) FROM messages");
        mem_fail_after(calls);
        enum outcome outcome = begin(&turn, &failure);
        mem_fail_after(-1);
        failed += outcome != OUTCOME_OK;
        assert_int_equal(sql("SELECT count(*) FROM messages"), before + (outcome == OUTCOME_OK ? 2 : 0));
    }
    assert_true(failed > 0);
    assert_int_equal(sql("SELECT count(*) FROM messages WHERE content <> '' AND search_text IS NULL"), 0); /* never stored unfindable in silence */
}

static void what_was_deleted_is_told_to_the_process_that_makes_it(void **state)
{
    (void)state;
    int64_t user = new_user();
    struct stops gone = {0};
    struct failure failure = {0};
    char ids[3][ID_BYTES];
    struct message_begin turns[3];
    for (int i = 0; i < 3; i++) {
        turns[i] = turn_of(user, NULL, NULL, "q");
        assert_int_equal(begin(&turns[i], &failure), OUTCOME_OK);
        memcpy(ids[i], turns[i].answer, ID_BYTES);
    }
    assert_int_equal(message_deleted((const char (*)[ID_BYTES])ids, 3, count_stop, &gone, &failure), OUTCOME_OK);
    assert_int_equal(gone.count, 0);
    assert_int_equal(conversation_delete(user, turns[1].conversation, &failure), OUTCOME_OK);
    assert_int_equal(end_turn_as(turns[2].answer, "done", "whole"), OUTCOME_OK); /* has ended, but is there */
    assert_int_equal(message_deleted((const char (*)[ID_BYTES])ids, 3, count_stop, &gone, &failure), OUTCOME_OK);
    assert_int_equal(gone.count, 1);
    assert_string_equal(gone.last, turns[1].answer);
}

static void of_all_processes_together_no_more_answers_are_made_than_may_be(void **state)
{
    (void)state;
    struct failure failure = {0};
    int64_t user = new_user();
    for (int i = 0; i < 4; i++) {
        struct message_begin turn = turn_of(user, NULL, NULL, "Hi");
        turn.process = i % 2 == 0 ? "one" : "two";
        turn.max_running = 3;
        assert_int_equal(message_begin_turn(&turn, &failure), i < 3 ? OUTCOME_OK : OUTCOME_OVERLOADED);
    }
    assert_true(failure.retry_after_s > 0);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 6);
    (void)sql("UPDATE messages SET seen_at = 1 WHERE process = 'two'"); /* a process that has died counts no longer */
    struct message_begin turn = turn_of(user, NULL, NULL, "Hi");
    turn.max_running = 3;
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
}

static const struct CMUnitTest tests[] = {
    store_test(a_turn_stores_question_and_answer),
    store_test(texts_of_all_kinds_are_kept_byte_for_byte),
    store_test(all_that_is_known_of_an_end_is_kept),
    store_test(what_belongs_to_an_answer_beside_its_text_is_kept),
    store_test(a_turn_knows_whether_its_conversation_is_new),
    store_test(what_was_said_before_is_stored_in_front_of_the_question),
    store_test(what_was_said_before_may_begin_and_end_with_anybody),
    store_test(what_was_said_before_is_ignored_where_there_are_messages_or_a_parent),
    store_test(a_question_of_the_client_is_no_parent_by_name),
    store_test(every_model_that_had_a_part_is_counted_for_the_day),
    store_test(the_message_s_own_usage_counts_where_no_models_are_listed),
    store_test(answers_that_are_not_stored_are_counted_too),
    store_test(the_answer_that_streams_keeps_others_out),
    store_test(another_branch_may_begin_while_one_streams),
    store_test(the_parent_must_be_an_answer_of_the_conversation),
    store_test(a_conversation_unknown_or_anothers_is_not_found),
    store_test(two_users_never_see_each_other),
    store_test(a_rolling_conversation_goes_on_where_it_was),
    store_test(a_deleted_rolling_conversation_begins_anew),
    store_test(only_the_first_message_gives_the_title),
    store_test(history_is_the_path_to_a_question_newest_first),
    store_test(without_a_parent_a_message_follows_the_latest_branch),
    store_test(a_very_long_conversation_keeps_its_window),
    store_test(an_answer_lost_with_its_process_is_marked_interrupted),
    store_test(a_lost_answer_does_not_keep_others_out),
    store_test(an_answer_taken_for_lost_can_still_end_well),
    store_test(the_end_of_a_deleted_answer_reaches_no_other),
    store_test(a_heartbeat_keeps_an_answer_alive),
    store_test(an_answer_ends_once_and_only_by_its_process),
    store_test(the_end_of_an_answer_whose_conversation_is_gone_says_so),
    store_test(stop_reaches_the_process_that_makes_the_answer),
    store_test(of_all_processes_together_no_more_answers_are_made_than_may_be),
    store_test(what_was_deleted_is_told_to_the_process_that_makes_it),
    store_test(without_memory_a_turn_fails_and_leaves_nothing),
    store_test(without_memory_what_was_said_before_is_stored_whole_or_not_at_all),
};

UNIT_MAIN(tests)
