/*
 * The turn of turn.h: one straight path, and its endings by name.
 */
#include "turn.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/counter.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../llm/model.h"
#include "../llm/tokens.h"
#include "../store/message.h"
#include "ending.h"
#include "live.h"
#include "prompt.h"
#include "title.h"

/* The tool calls of an answer as the database keeps them: a text of the caller's, or NULL when there are none (or no memory for them). */
static char *write_calls(const struct completion_result *result)
{
    if (result->call_count == 0)
        return NULL;
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < result->call_count; i++) {
        const struct completion_call *call = &result->calls[i];
        json_object *object = json_object_new_object();
        json_object_object_add(object, "id", json_object_new_string(call->id));
        json_object_object_add(object, "name", json_object_new_string(call->name));
        json_object_object_add(object, "arguments", json_object_new_string(call->arguments));
        if (call->state != NULL)
            json_object_object_add(object, "state", json_object_new_string(call->state));
        json_object_array_add(list, object);
    }
    const char *text = json_write(list);
    char *copy = text != NULL ? mem_copy(text) : NULL;
    json_object_put(list);
    return copy;
}

/* Providers that do not count are counted for, roughly; what it cost follows from the table when the provider does not say. */
static void complete_usage(const struct answer *answer, const struct prompt *prompt, const char *system, struct completion_result *result)
{
    struct usage *usage = &result->usage;
    if (result->provider == NULL)
        return;
    if (answer->text.len + answer->reasoning.len > 0 && (usage->prompt_tokens == USAGE_UNKNOWN || usage->completion_tokens == USAGE_UNKNOWN)) {
        usage->prompt_tokens = prompt_tokens(prompt) + tokens_estimate(system, strlen(system));
        usage->completion_tokens = tokens_estimate(answer->text.data, answer->text.len) + tokens_estimate(answer->reasoning.data, answer->reasoning.len);
        usage->estimated = true;
    }
    usage->cost = result->cost >= 0 ? result->cost : model_cost(result->provider, result->model, usage);
}

/* Asks the model and waits for the end. A conversation that is too long for it, although it looked as if it would fit, is tried once more with half of it. */
static enum outcome ask(const struct turn *turn, struct answer *answer, const char *question, struct completion_result *result, struct failure *failure)
{
    const char *system = turn->system != NULL ? turn->system : settings.system_prompt;
    struct prompt prompt;
    *result = (struct completion_result){.usage = usage_none(), .cost = -1};
    enum outcome outcome = prompt_read(&prompt, turn->user, question, failure);
    if (outcome == OUTCOME_OK) {
        struct completion_sink sink = answer_sink(answer);
        prompt_fit(&prompt, completion_context(turn->model), turn->max_tokens + tokens_estimate(system, strlen(system)));
        struct completion_request request = {
            .model = turn->model,
            .system = system,
            .messages = prompt.messages,
            .message_count = prompt.count,
            .temperature = turn->temperature,
            .max_tokens = turn->max_tokens,
            .seed = COMPLETION_NO_SEED,
        };
        outcome = completion_run(&request, &sink, &answer->stop, result, failure);
        if (outcome == OUTCOME_CONTEXT_TOO_LONG && !result->begun && prompt_halve(&prompt)) {
            completion_result_free(result);
            request.messages = prompt.messages;
            request.message_count = prompt.count;
            outcome = completion_run(&request, &sink, &answer->stop, result, failure);
        }
        complete_usage(answer, &prompt, system, result);
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
            (void)fail(failure, answer->text.len + answer->reasoning.len > 0 ? OUTCOME_INTERRUPTED : OUTCOME_OVERLOADED, "The server was stopped while this answer was being written.");
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
    struct message_end end = {.id = begin->answer, .process = live_process(), .status = "error", .content = "", .usage = usage_none(),
                              .error_code = outcome_code(failure->outcome), .error_message = failure->message};
    if (message_end_turn(&end, &trouble) != OUTCOME_OK)
        log_error("the end of answer %s could not be stored: %s", begin->answer, trouble.message);
    return failure->outcome;
}

static void count(const struct answer *answer, const struct ending *ending)
{
    counter_answer(ending->status);
    counter_tokens(&ending->result.usage);
    counter_time(COUNTER_ANSWER_TIME, clock_mono_ms() - answer->begun_ms);
    if (ending->failure.outcome != OUTCOME_OK)
        counter_answer_failure(ending->failure.outcome);
}

/* Makes the answer that a turn has begun with. The turn's place is taken. */
static enum outcome make_answer(const struct turn *turn, const struct message_begin *begin, struct request *request, const struct dialect *dialect,
                                struct answer **finished, struct failure *failure)
{
    char model[LIMIT_MODEL_NAME_BYTES];
    completion_model_name(turn->model, model);
    struct answer *answer = answer_new(begin->conversation, begin->answer, model);
    bool attached = answer != NULL && dialect != NULL && answer_attach(answer, request, dialect);
    if (answer == NULL || (dialect != NULL && !attached)) {
        if (answer != NULL)
            answer_release(answer);
        return refuse_answer(begin, failure);
    }
    live_add(answer);
    struct ending ending = {0};
    enum outcome outcome = ask(turn, answer, begin->question, &ending.result, &ending.failure);
    ending.status = name_ending(outcome, answer, &ending.failure);
    ending.calls = write_calls(&ending.result);
    store_end(answer, &ending);
    count(answer, &ending);
    live_remove(answer);
    answer_end(answer, &ending);

    if (!attached && ending.failure.outcome == OUTCOME_OK) {
        *finished = answer;
        return OUTCOME_OK;
    }
    if (!attached) {
        *failure = ending.failure;
        answer_name(answer, request);
    }
    answer_release(answer);
    return attached ? OUTCOME_DETACHED : failure->outcome;
}

enum outcome turn_run(const struct turn *turn, struct request *request, const struct dialect *dialect, struct answer **finished,
                      struct failure *failure)
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
        .process = live_process(),
        .max_running = live_most(),
    };
    enum outcome outcome = message_begin_turn(&begin, failure);
    if (outcome == OUTCOME_OK) /* from here on the answer is in the database, and every way out stores its end */
        outcome = make_answer(turn, &begin, request, dialect, finished, failure);
    live_leave();
    return outcome;
}
