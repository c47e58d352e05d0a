/*
 * See ending.h.
 */
#include "ending.h"

#include "../base/crash_point.h"
#include "../base/json.h"
#include "../base/mem.h"
#include "../store/message.h"
#include "../store/process.h"
#include "steps.h"

/* Calls that the client was left to make, as the database keeps them: a text of the caller's, or NULL when there are none (or no memory for them). */
static char *write_calls(const struct completion_result *result)
{
    struct completion_message message = {.role = COMPLETION_ASSISTANT, .calls = result->calls, .call_count = result->call_count};
    if (result->call_count == 0)
        return NULL;
    json_object *step = step_write(&message);
    const char *text = json_write(json_at(step, "calls"));
    char *copy = text != NULL ? mem_copy(text) : NULL;
    json_object_put(step);
    return copy;
}

static const char *model_of(const struct answer *answer, const struct ending *ending)
{
    return ending->result.model[0] != '\0' ? ending->result.model : answer->asked_model;
}

static enum outcome store_message(const struct answer *answer, const struct ending *ending, const struct usage_entry *used, struct failure *failure)
{
    const struct completion_result *result = &ending->result;
    bool failed = ending->failure.outcome != OUTCOME_OK;
    size_t len;
    const char *text = answer_shown(answer, &len);
    char *calls = ending->steps == NULL ? write_calls(result) : NULL;
    struct message_end end = {
        .id = answer->id,
        .process = process_id(),
        .status = ending->status,
        .content = text,
        .content_len = len,
        .reasoning = answer->reasoning.len > 0 ? answer->reasoning.data : NULL,
        .reasoning_len = answer->reasoning.len,
        .model = model_of(answer, ending),
        .provider = result->provider,
        .calls = calls,
        .state = result->state,
        .state_wire = result->state != NULL ? result->wire : NULL,
        .events = ending->events,
        .steps = ending->steps,
        .app_state = ending->app_state,
        .layout = ending->layout,
        .question_steps = ending->rewritten,
        .finish_reason = result->finish_reason[0] != '\0' ? result->finish_reason : NULL,
        .usage = ending->usage,
        .used = used,
        .used_count = ending->used_count > 0 ? ending->used_count : 1,
        .error_code = failed ? outcome_code(ending->failure.outcome) : NULL,
        .error_message = failed ? ending->failure.message : NULL,
    };
    CRASH_POINT("before_end");
    enum outcome outcome = message_end_turn(&end, failure);
    CRASH_POINT("after_end");
    mem_free(calls);
    return outcome == OUTCOME_NOT_FOUND ? OUTCOME_OK : outcome;
}

/* The list of what was used as the database takes it. */
static void list_used(const struct used *rows, size_t count, struct usage_entry list[LIMIT_USED_MODELS])
{
    for (size_t i = 0; i < count; i++)
        list[i] = (struct usage_entry){rows[i].provider, rows[i].model, rows[i].usage};
}

enum outcome ending_store(const struct answer *answer, const struct ending *ending, struct failure *failure)
{
    struct usage_entry used[LIMIT_USED_MODELS];
    list_used(ending->used, ending->used_count, used);
    if (ending->used_count == 0)
        used[0] = (struct usage_entry){ending->result.provider, model_of(answer, ending), ending->used_now};
    return store_message(answer, ending, used, failure);
}

void ending_count(const struct answer *answer)
{
    struct usage_entry used[LIMIT_USED_MODELS];
    struct failure failure; /* the store has logged it */
    list_used(answer->used, answer->used_count, used);
    if (answer->used_count > 0)
        (void)usage_add(answer->user, used, answer->used_count, &failure);
}
