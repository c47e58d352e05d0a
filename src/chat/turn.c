/*
 * The turn of turn.h: one straight path, and its endings by name.
 */
#include "turn.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/settings.h"
#include "../store/message.h"
#include "live.h"
#include "prompt.h"
#include "title.h"

enum { OVERLOADED_RETRY_S = 5 };

/* Asks the model and waits for the end. */
static enum outcome ask(const struct turn *turn, struct answer *answer, int64_t question_row, struct completion_result *result,
                        struct failure *failure)
{
    *result = (struct completion_result){.usage = usage_none()};
    struct prompt prompt;
    enum outcome outcome = prompt_read(&prompt, turn->user, question_row, failure);
    if (outcome == OUTCOME_OK) {
        struct completion_request request = {
            .model = turn->model,
            .system = turn->system != NULL ? turn->system : settings.system_prompt,
            .messages = prompt.messages,
            .message_count = prompt.count,
            .temperature = turn->temperature,
            .max_tokens = turn->max_tokens,
        };
        struct completion_sink sink = answer_sink(answer);
        outcome = completion_run(&request, &sink, &answer->stop, result, failure);
    }
    prompt_free(&prompt);
    return outcome;
}

/* The five endings (design section 5); the fifth, a killed worker, is found by store/message.c. A client that left changes nothing here. */
static const char *name_ending(enum outcome outcome, const struct answer *answer, struct failure *failure)
{
    switch (outcome) {
    case OUTCOME_OK:
        failure->outcome = OUTCOME_OK;
        return "done";
    case OUTCOME_STOPPED:
        if (atomic_load(&answer->stop_why) == STOP_SHUTDOWN) {
            (void)fail(failure, OUTCOME_INTERRUPTED, "The server was stopped while this answer was being written.");
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

/* Stores the end. The answer exists nowhere else, so a database that is busy or full is given some time. */
static enum outcome store_end(const struct answer *answer, const char *status, const struct completion_result *result,
                              const struct failure *ending, struct failure *failure)
{
    enum { TRIES = 5, PAUSE_MS = 500 };
    struct message_end end = {
        .row = answer->row,
        .process = live_process(),
        .status = status,
        .content = answer->text.data,
        .content_len = answer->text.len,
        .reasoning = answer->reasoning.len > 0 ? answer->reasoning.data : NULL,
        .reasoning_len = answer->reasoning.len,
        .model = result->model[0] != '\0' ? result->model : answer->asked_model,
        .finish_reason = result->finish_reason[0] != '\0' ? result->finish_reason : NULL,
        .usage = result->usage,
        .error_code = ending->outcome != OUTCOME_OK ? outcome_code(ending->outcome) : NULL,
        .error_message = ending->outcome != OUTCOME_OK ? ending->message : NULL,
    };
    enum outcome outcome = OUTCOME_OK;
    for (int i = 0; i < TRIES; i++) {
        outcome = message_end_turn(&end, failure);
        if (outcome == OUTCOME_OK || outcome == OUTCOME_NOT_FOUND)
            return OUTCOME_OK; /* not found: deleted meanwhile, there is nothing to keep */
        clock_sleep_ms(PAUSE_MS);
    }
    log_error("the end of answer %s could not be stored: %s", answer->id, failure->message);
    return outcome;
}

enum outcome turn_run(const struct turn *turn, struct request *request, const struct dialect *dialect, struct answer **finished,
                      struct failure *failure)
{
    if (!live_enter()) {
        (void)fail(failure, OUTCOME_OVERLOADED, "The server is answering as many questions as it can. Please try again in a moment.");
        failure->retry_after_s = OVERLOADED_RETRY_S;
        return OUTCOME_OVERLOADED;
    }

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
        .process = live_process(),
    };
    enum outcome outcome = message_begin_turn(&begin, failure);
    if (outcome != OUTCOME_OK) {
        live_leave();
        return outcome;
    }

    /* From here on the answer is in the database, and every way out stores its end. */
    struct answer nothing = {.row = begin.answer_row}; /* stands in when there is no memory for an answer */
    struct answer *answer = answer_new(begin.conversation, begin.answer, completion_model_name(turn->model), begin.answer_row);
    bool attached = answer != NULL && dialect != NULL && answer_attach(answer, request, dialect);
    struct completion_result result = {.usage = usage_none()};
    if (answer == NULL || (dialect != NULL && !attached)) {
        outcome = fail_no_memory(failure);
        buf_init(&nothing.text, 1);
        buf_init(&nothing.reasoning, 1);
        (void)store_end(answer != NULL ? answer : &nothing, "error", &result, failure, &(struct failure){0});
        if (answer != NULL)
            answer_release(answer);
        live_leave();
        return outcome;
    }
    live_add(answer);
    struct failure ending = {0};
    outcome = ask(turn, answer, begin.question_row, &result, &ending);
    const char *status = name_ending(outcome, answer, &ending);
    struct failure trouble;
    if (store_end(answer, status, &result, &ending, &trouble) != OUTCOME_OK) {
        ending = trouble;
        status = "error";
    }
    live_remove(answer);
    answer_end(answer, status, &result, &ending);
    live_leave();

    if (attached) {
        answer_release(answer);
        return OUTCOME_DETACHED;
    }
    if (ending.outcome != OUTCOME_OK) {
        *failure = ending;
        answer_release(answer);
        return ending.outcome;
    }
    *finished = answer;
    return OUTCOME_OK;
}
