/*
 * See making.h.
 */
#include "making.h"

#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "../base/loop.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../llm/model.h"
#include "../llm/tokens.h"
#include "event.h"
#include "layout.h"
#include "steps.h"

enum outcome making_begin(struct making *making, const struct turn *turn, const char *question, struct answer *answer, struct failure *failure)
{
    const char *system = turn->system != NULL ? turn->system : settings.system_prompt;
    *making = (struct making){.turn = turn, .answer = answer, .result = {.usage = usage_none(), .cost = -1}};
    buf_init(&making->system, LIMIT_REQUEST_BYTES);
    buf_add_text(&making->system, system);
    if (turn->more_system != NULL && turn->more_system[0] != '\0')
        buf_addf(&making->system, "%s%s", making->system.len > 0 ? "\n\n" : "", turn->more_system);
    enum outcome outcome = turn->messages != NULL ? prompt_borrow(&making->prompt, turn->messages, turn->message_count, failure)
                                                  : prompt_read(&making->prompt, turn->user, question, failure);
    if (outcome == OUTCOME_OK && buf_failed(&making->system))
        outcome = fail_no_memory(failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (turn->state != NULL)
        making->state = json_object_get(turn->state);
    else if (making->prompt.app_state != NULL)
        making->state = json_read_loose(making->prompt.app_state, strlen(making->prompt.app_state));
    return OUTCOME_OK;
}

/* Asks for the rest of what was cut off: a question that is not stored. Where there is nothing yet, the user's own question is asked again. */
static bool ask_rest(struct prompt *prompt)
{
    static const char rest[] = "Your last answer was cut off. Go on exactly where it ended. Do not repeat anything of it, and do not comment on this.";
    if (prompt->count == 0 || prompt->messages[prompt->count - 1].role != COMPLETION_ASSISTANT)
        return true;
    struct completion_message message = {.role = COMPLETION_USER, .content = mem_copy(rest), .content_len = sizeof rest - 1};
    return message.content != NULL && prompt_add(prompt, &message);
}

enum outcome making_go_on(struct making *making, const struct turn *turn, const struct mirror *mirror, struct failure *failure)
{
    struct answer *answer = mirror->answer;
    enum outcome outcome = making_begin(making, turn, answer->id, answer, failure);
    making->steps = mirror->steps != NULL ? json_read_loose(mirror->steps, strlen(mirror->steps)) : NULL; /* also after a failure: the end is stored with them */
    making->steps_before = json_object_is_type(making->steps, json_type_array) ? json_object_array_length(making->steps) : 0;
    making->steps_to = answer->text.len;
    making->reasoning_from = answer->reasoning.len;
    if (outcome != OUTCOME_OK)
        return outcome;
    return ask_rest(&making->prompt) ? OUTCOME_OK : fail_no_memory(failure);
}

void making_free(struct making *making)
{
    prompt_free(&making->prompt);
    buf_free(&making->system);
    json_object_put(making->steps);
    json_object_put(making->state);
    mem_free(making->rewritten);
    completion_result_free(&making->result);
    mem_free(making->used);
    *making = (struct making){0};
}

/* Providers that do not count are counted for, roughly; what it cost follows from the table when the provider does not say. */
static void complete_usage(const struct making *making, struct completion_result *result)
{
    const struct answer *answer = making->answer;
    struct usage *usage = &result->usage;
    size_t text = answer->text.len - making->text_from, reasoning = answer->reasoning.len - making->reasoning_from;
    if (text + reasoning > 0 && (usage->prompt_tokens == USAGE_UNKNOWN || usage->completion_tokens == USAGE_UNKNOWN)) {
        usage->prompt_tokens = prompt_tokens(&making->prompt) + tokens_estimate(making->system.data, making->system.len);
        usage->completion_tokens = tokens_estimate(answer->text.data + making->text_from, text) + tokens_estimate(answer->reasoning.data + making->reasoning_from, reasoning);
        usage->estimated = true;
    }
    usage->cost = result->cost >= 0 ? result->cost : model_cost(result->provider, result->model, usage);
}

bool making_count(struct making *making, const struct completion_result *result, const struct usage *usage)
{
    return result->provider == NULL || used_add(&making->used, &making->used_count, result->provider, result->model, usage);
}

/* What a model is asked with, as the turn says; without `tools` those of the client. */
static struct completion_request request_of(const struct making *making, const char *model, const struct completion_tool *tools, size_t tool_count)
{
    const struct turn *turn = making->turn;
    return (struct completion_request){
        .model = model,
        .system = making->system.data,
        .messages = making->prompt.messages,
        .message_count = making->prompt.count,
        .temperature = turn->temperature,
        .max_tokens = turn->max_tokens,
        .tools = tools != NULL ? tools : turn->tools,
        .tool_count = tools != NULL ? tool_count : turn->tool_count,
        .tool_choice = tools != NULL ? NULL : turn->tool_choice,
        .stop = turn->stop,
        .stop_count = turn->stop_count,
        .seed = turn->seed,
        .format = turn->format,
        .schema = turn->schema,
        .effort = turn->effort,
    };
}

enum outcome making_ask(struct making *making, const char *model, const struct completion_tool *tools, size_t tool_count, struct failure *failure)
{
    struct prompt *prompt = &making->prompt;
    struct completion_result *result = &making->result;
    struct completion_sink sink = answer_sink(making->answer);
    making->text_from = making->answer->text.len; /* nobody adds to it at the moment */
    making->reasoning_from = making->answer->reasoning.len;
    completion_result_free(result);
    if (prompt->count == 0 || prompt->messages[prompt->count - 1].role == COMPLETION_ASSISTANT) /* a confirmation of nothing */
        return fail(failure, OUTCOME_BAD_FIELD, "\"message\" is empty.");
    if (buf_failed(&making->system)) /* better no answer than one without its rules */
        return fail_no_memory(failure);
    making->is_said = true;
    if (model == NULL)
        model = making->turn->model;
    prompt_fit(prompt, completion_context(model), making->turn->max_tokens + tokens_estimate(making->system.data, making->system.len));
    struct completion_request request = request_of(making, model, tools, tool_count);
    enum outcome outcome = completion_run(&request, &sink, &making->answer->stop, result, failure);
    if (outcome == OUTCOME_CONTEXT_TOO_LONG && !result->begun && prompt_halve(prompt)) {
        completion_result_free(result);
        request = request_of(making, model, tools, tool_count);
        outcome = completion_run(&request, &sink, &making->answer->stop, result, failure);
    }
    if (result->provider != NULL) {
        complete_usage(making, result);
        if (!making_count(making, result, &result->usage))
            log_warning("what the answer %s used is not counted: out of memory", making->answer->id);
    }
    return outcome;
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

/* Adds a message to the prompt and the steps; it is borrowed. */
static bool add_step(struct making *making, const struct completion_message *message)
{
    struct completion_message copy;
    json_object *step = step_write(message);
    if (!step_read(step, &copy)) {
        json_object_put(step);
        return false;
    }
    if (making->steps == NULL)
        making->steps = json_object_new_array();
    json_object_array_add(making->steps, step);
    return prompt_add(&making->prompt, &copy);
}

/* What was said since the last step, by the model and by the application. */
static bool said_last(const struct making *making, struct completion_message *message, char **reasoning)
{
    const struct answer *answer = making->answer;
    const struct completion_result *result = &making->result;
    size_t from = making->steps_to > answer->shown_text ? making->steps_to : answer->shown_text;
    *reasoning = NULL;
    if (answer->reasoning.len > making->reasoning_from && (*reasoning = mem_copy(answer->reasoning.data + making->reasoning_from)) == NULL)
        return false;
    *message = (struct completion_message){
        .role = COMPLETION_ASSISTANT,
        .content = answer->text.data + from,
        .content_len = answer->text.len - from,
        .calls = result->calls,
        .call_count = result->call_count,
        .reasoning = *reasoning,
        .state = result->state,
        .state_wire = result->state != NULL ? result->wire : NULL,
    };
    return true;
}

bool making_add_calls(struct making *making)
{
    struct completion_message message;
    char *reasoning;
    bool good = said_last(making, &message, &reasoning) && add_step(making, &message);
    mem_free(reasoning);
    making->is_said = false;
    making->steps_to = making->answer->text.len;
    making->reasoning_from = making->answer->reasoning.len; /* it is told once */
    completion_result_free(&making->result); /* the step has its own */
    making->result.finish_reason[0] = '\0'; /* "tool_calls" would tell the client to make them */
    return good;
}

bool making_add_result(struct making *making, const struct completion_call *call, const char *text, size_t len, bool is_error)
{
    struct completion_message result = {.role = COMPLETION_TOOL, .content = text, .content_len = len, .call_id = call->id, .call_name = call->name, .is_error = is_error};
    return add_step(making, &result);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

struct gathering {
    struct answer *answer;
    json_object *events;
    char *layout;
};

/* Closes the log and takes from it what is kept beside the text. */
static void gather(void *arg)
{
    struct gathering *gathering = arg;
    gathering->answer->sealed = true;
    gathering->events = events_shown(gathering->answer);
    if (answer_is_stored(gathering->answer) && !layout_write(gathering->answer, 0, &gathering->layout))
        log_error("the layout of an answer is lost: out of memory");
}

/* The text of an object, which is put back; NULL when there is none, or no memory. */
static char *take_text(json_object *object, const char *what)
{
    if (object == NULL)
        return NULL;
    const char *text = json_write(object);
    char *copy = text != NULL ? mem_copy(text) : NULL;
    if (copy == NULL)
        log_error("%s of an answer are lost: out of memory", what);
    json_object_put(object);
    return copy;
}

bool making_rewrite(struct making *making, const char *text)
{
    struct prompt *prompt = &making->prompt;
    char *copy = mem_copy(text), *words = copy != NULL ? mem_copy(text) : NULL;
    if (words == NULL) {
        mem_free(copy);
        return false;
    }
    mem_free(making->rewritten);
    making->rewritten = copy;
    if (prompt->count > 0 && prompt->messages[prompt->count - 1].role == COMPLETION_USER)
        prompt_rewrite_last(prompt, words);
    else
        mem_free(words); /* a confirmation has no words */
    return true;
}

/* Other words for the question, as a step of it: a list of one. NULL: there are none. */
static json_object *rewritten_object(const struct making *making)
{
    struct completion_message words = {.role = COMPLETION_USER, .content = making->rewritten};
    if (making->rewritten == NULL)
        return NULL;
    words.content_len = strlen(making->rewritten);
    json_object *list = json_object_new_array();
    json_object_array_add(list, step_write(&words));
    return list;
}

void making_end(struct making *making, struct ending *ending)
{
    struct gathering gathering = {.answer = making->answer};
    struct completion_message last;
    char *reasoning;
    loop_call(gather, &gathering); /* until now others may have added events: a title, say */
    if (making->steps != NULL && (making->is_said || making->answer->text.len > making->steps_to)) {
        if (said_last(making, &last, &reasoning))
            json_object_array_add(making->steps, step_write(&last));
        mem_free(reasoning);
    }
    ending->events = take_text(gathering.events, "events");
    ending->layout = gathering.layout;
    ending->steps = take_text(making->steps, "steps");
    ending->rewritten = take_text(rewritten_object(making), "other words for a question");
    ending->app_state = take_text(json_object_get(making->state), "the application's state");
    making->steps = NULL;
    ending->result = making->result;
    ending->used = making->used;
    ending->used_count = making->used_count;
    ending->used_now = making->used_count > 0 ? used_sum(making->used, making->used_count) : making->result.usage; /* the demo has no provider */
    ending->usage = ending->used_now;
    making->result = (struct completion_result){.usage = usage_none(), .cost = -1};
    making->used = NULL;
}
