/*
 * See ending.h.
 */
#include "ending.h"

#include "../store/message.h"
#include "live.h"

enum outcome ending_store(const struct answer *answer, const struct ending *ending, struct failure *failure)
{
    const struct completion_result *result = &ending->result;
    bool failed = ending->failure.outcome != OUTCOME_OK;
    struct message_end end = {
        .id = answer->id,
        .process = live_process(),
        .status = ending->status,
        .content = answer->text.data,
        .content_len = answer->text.len,
        .reasoning = answer->reasoning.len > 0 ? answer->reasoning.data : NULL,
        .reasoning_len = answer->reasoning.len,
        .model = result->model[0] != '\0' ? result->model : answer->asked_model,
        .provider = result->provider,
        .calls = ending->calls,
        .state = result->state,
        .state_wire = result->state != NULL ? result->wire : NULL,
        .finish_reason = result->finish_reason[0] != '\0' ? result->finish_reason : NULL,
        .usage = result->usage,
        .error_code = failed ? outcome_code(ending->failure.outcome) : NULL,
        .error_message = failed ? ending->failure.message : NULL,
    };
    enum outcome outcome = message_end_turn(&end, failure);
    return outcome == OUTCOME_NOT_FOUND ? OUTCOME_OK : outcome;
}
