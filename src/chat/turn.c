/*
 * The turn of turn.h: one straight path, and its endings by name.
 */
#include "turn.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/counter.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../store/message.h"
#include "ending.h"
#include "live.h"
#include "making.h"
#include "title.h"
#include "titler.h"

static turn_maker *make = NULL;

void turn_use(turn_maker *maker, bool (*titler)(const char *message, char *title, size_t size))
{
    make = maker;
    titler_use(titler);
}

struct turn turn_none(void)
{
    return (struct turn){
        .user_name = "",
        .is_stored = true,
        .message = "",
        .metadata = "{}",
        .temperature = settings.temperature,
        .max_tokens = settings.max_tokens,
        .seed = COMPLETION_NO_SEED,
    };
}

/* The five endings (docs/turn.md); the fifth, a killed worker, is found by store/message.c. A client that left changes nothing here, unless the turn stops with it. */
static const char *name_ending(enum outcome outcome, const struct answer *answer, struct failure *failure)
{
    switch (outcome) {
    case OUTCOME_OK:
        failure->outcome = OUTCOME_OK;
        return "done";
    case OUTCOME_STOPPED:
        if (atomic_load(&answer->stop_why) == STOP_SHUTDOWN) {
            (void)fail(failure, answer->opened ? OUTCOME_INTERRUPTED : OUTCOME_OVERLOADED, "The server was stopped while this answer was being written.");
            return "interrupted";
        }
        failure->outcome = OUTCOME_OK;
        return "stopped";
    case OUTCOME_INTERRUPTED:
        return "interrupted";
    default:
        return "error";
    }
}

/* Stores the end. A database that is busy or full is given some time; after that the keeper goes on trying, because the answer exists nowhere else, and
   the client is told. */
static void store_end(struct answer *answer, struct ending *ending)
{
    enum { TRIES = 5, PAUSE_MS = 500 };
    struct failure trouble;
    for (int i = 1; i <= TRIES; i++) {
        if (ending_store(answer, ending, &trouble) == OUTCOME_OK)
            return;
        if (atomic_load(&answer->stop_why) == STOP_SHUTDOWN)
            break; /* there is no time: the keeper makes the last try */
        if (i < TRIES)
            clock_sleep_ms(PAUSE_MS);
    }
    log_error("the end of answer %s cannot be stored yet: %s", answer->id, trouble.message);
    live_keep(answer, ending);
    ending->failure = trouble;
    ending->status = "error";
}

/* Without memory for an answer, all that can be done is to store that it failed. */
static enum outcome refuse_answer(const struct message_begin *begin, struct failure *failure)
{
    struct failure trouble;
    (void)fail_no_memory(failure);
    if (begin->conversation[0] == '\0')
        return failure->outcome; /* it is not stored */
    struct message_end end = {.id = begin->answer, .process = live_process(), .status = "error", .content = "", .usage = usage_none(),
                              .error_code = outcome_code(failure->outcome), .error_message = failure->message};
    if (message_end_turn(&end, &trouble) != OUTCOME_OK)
        log_error("the end of answer %s could not be stored: %s", begin->answer, trouble.message);
    return failure->outcome;
}

static void count(const struct answer *answer, const struct ending *ending)
{
    counter_answer(ending->status);
    counter_tokens(&ending->usage);
    counter_time(COUNTER_ANSWER_TIME, clock_mono_ms() - answer->begun_ms);
    if (ending->failure.outcome != OUTCOME_OK)
        counter_answer_failure(ending->failure.outcome);
}

/* Has the answer made, and names how that ended. */
static void run(const struct turn *turn, const char *question, struct answer *answer, struct ending *ending)
{
    struct making making;
    enum outcome outcome = making_begin(&making, turn, question, answer, &ending->failure);
    if (outcome == OUTCOME_OK)
        outcome = make(&making, &ending->failure);
    ending->status = name_ending(outcome, answer, &ending->failure);
    making_end(&making, ending);
    making_free(&making);
}

/* Makes the answer that a turn has begun with. The turn's place is taken. */
static enum outcome make_answer(const struct turn *turn, const struct message_begin *begin, struct request *request, const struct dialect *dialect, bool with_usage,
                                struct failure *failure)
{
    char model[LIMIT_MODEL_NAME_BYTES];
    completion_model_name(turn->model, model);
    struct answer_birth birth = {
        .user = turn->user,
        .conversation = turn->is_stored ? begin->conversation : "",
        .id = begin->answer,
        .model = model,
        .title = turn->is_stored && begin->is_new ? begin->title : NULL,
        .client_id = turn->client_id,
        .stop_when_left = turn->stop_when_left,
    };
    struct answer *answer = answer_new(&birth);
    if (answer == NULL || !answer_attach(answer, request, dialect, with_usage)) {
        if (answer != NULL)
            answer_release(answer);
        return refuse_answer(begin, failure);
    }
    struct ending ending = {0};
    live_add(answer);
    run(turn, begin->question, answer, &ending);
    if (turn->is_stored)
        store_end(answer, &ending);
    count(answer, &ending);
    live_remove(answer);
    answer_end(answer, &ending);
    if (!turn->is_stored)
        ending_count(answer);
    answer_release(answer);
    return OUTCOME_DETACHED;
}

/* Texts of the client's history as the database takes them, up to the question, which is stored by itself; what else there is (calls, results of tools) was for the model.
   To be freed with mem_free(). */
static struct message_past *past_of(const struct turn *turn, size_t *count)
{
    *count = 0;
    size_t most = turn->message_count;
    while (most > 0 && turn->messages[--most].role != COMPLETION_USER)
        continue;
    struct message_past *past = mem_new(most > 0 ? most : 1, sizeof *past);
    for (size_t i = 0; past != NULL && i < most; i++) {
        const struct completion_message *message = &turn->messages[i];
        if (message->role != COMPLETION_TOOL && message->content_len > 0)
            past[(*count)++] = (struct message_past){message->role == COMPLETION_USER ? "user" : "assistant", message->content, message->content_len};
    }
    return past;
}

/* Stores the question; of a turn that is not stored, only names the answer. */
static enum outcome begin_turn(const struct turn *turn, struct message_begin *begin, struct failure *failure)
{
    if (!turn->is_stored)
        return id_new(begin->answer) ? OUTCOME_OK : fail(failure, OUTCOME_INTERNAL, "The server has no random numbers.");
    struct message_past *past = past_of(turn, &begin->history_count);
    if (past == NULL)
        return fail_no_memory(failure);
    begin->history = past;
    enum outcome outcome = message_begin_turn(begin, failure);
    mem_free(past);
    begin->history = NULL;
    return outcome;
}

enum outcome turn_run(const struct turn *turn, struct request *request, const struct dialect *dialect, bool with_usage, struct failure *failure)
{
    if (!live_enter())
        return message_overloaded(failure);
    char title[TITLE_BYTES];
    title_make(turn->message, turn->message_len, title);
    struct message_begin begin = {
        .user = turn->user,
        .conversation_id = turn->conversation_id,
        .rolling_for = turn->rolling_for,
        .parent_id = turn->parent_id,
        .content = turn->message,
        .content_len = turn->message_len,
        .title = title,
        .metadata = turn->metadata,
        .attachments = turn->attachments,
        .client_id = turn->client_id,
        .process = live_process(),
        .max_running = live_most(),
    };
    enum outcome outcome = begin_turn(turn, &begin, failure);
    if (outcome == OUTCOME_OK) /* from here on the answer is in the database, and every way out stores its end */
        outcome = make_answer(turn, &begin, request, dialect, with_usage, failure);
    live_leave();
    return outcome;
}
