/*
 * See lost.h.
 */
#include "lost.h"

#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../store/message.h"
#include "event.h"
#include "layout.h"
#include "live.h"
#include "steps.h"

/* Clients that followed the answer may have seen a little more than its journal has. Behind its end are so many positions of which nothing is kept, so that the terminal event has one
   that nobody has seen yet. */
enum { LOST_POSITIONS = LIMIT_ANSWER_BYTES };

static const char why[] = "The server stopped while this answer was being written.";

/* The steps of an answer that went on before it was lost, with what it has said since: where there are steps, models are told nothing else of an answer. NULL: there are none. A new
   reference. */
static json_object *steps_so_far(const struct mirror *mirror)
{
    const struct buf *text = &mirror->answer->text;
    json_object *steps = mirror->steps != NULL ? json_read_loose(mirror->steps, strlen(mirror->steps)) : NULL;
    struct completion_message rest = {.role = COMPLETION_ASSISTANT, .content = text->data + mirror->text_stored, .content_len = text->len - mirror->text_stored};
    if (json_object_is_type(steps, json_type_array) && rest.content_len > 0)
        json_object_array_add(steps, step_write(&rest));
    return steps;
}

static enum outcome mark(const struct mirror *mirror, struct failure *failure)
{
    const struct answer *answer = mirror->answer;
    json_object *events = events_shown(answer), *steps = steps_so_far(mirror);
    char *layout = NULL;
    if (!layout_write(answer, LOST_POSITIONS, &layout)) {
        json_object_put(events);
        json_object_put(steps);
        return fail_no_memory(failure);
    }
    struct message_lost lost = {
        .user = mirror->user,
        .id = answer->id,
        .process = mirror->process,
        .seen_at = mirror->seen_at,
        .reasoning = answer->reasoning.len > 0 ? answer->reasoning.data : NULL,
        .reasoning_len = answer->reasoning.len,
        .events = events != NULL ? json_write(events) : NULL,
        .steps = steps != NULL ? json_write(steps) : NULL,
        .layout = layout,
        .error_code = outcome_code(OUTCOME_LOST),
        .error_message = why,
    };
    lost.content = answer_shown(answer, &lost.content_len);
    bool is_whole = (events == NULL || lost.events != NULL) && (steps == NULL || lost.steps != NULL); /* else the journal has to stay */
    enum outcome outcome = is_whole ? message_mark_lost(&lost, failure) : fail_no_memory(failure);
    json_object_put(events);
    json_object_put(steps);
    mem_free(layout);
    return outcome;
}

enum outcome lost_settle(int64_t user, const char *answer, bool *settled, struct failure *failure)
{
    struct mirror mirror;
    *settled = false;
    enum outcome outcome = mirror_read(&mirror, user, answer, failure);
    if (outcome == OUTCOME_OK && mirror_is_lost(&mirror)) {
        outcome = mark(&mirror, failure);
        *settled = outcome == OUTCOME_OK;
        if (*settled)
            log_warning("answer %s was lost with its process; %zu bytes of it are kept", answer, mirror.answer->text.len);
    }
    mirror_free(&mirror);
    return outcome;
}

void lost_tell(struct mirror *mirror)
{
    mirror->is_running = false;
    mirror->status = "interrupted";
    (void)fail(&mirror->failure, OUTCOME_LOST, "%s", why);
}

struct running {
    char (*ids)[ID_BYTES];
    size_t count;
};

static void note_running(void *arg, const struct message *row)
{
    struct running *running = arg;
    char (*more)[ID_BYTES] = NULL;
    if (live_knows(row->id))
        return;
    more = mem_resize(running->ids, (running->count + 1) * sizeof *more);
    if (more == NULL)
        return; /* it is found the next time */
    running->ids = more;
    (void)snprintf(more[running->count++], ID_BYTES, "%s", row->id);
}

int lost_settle_conversation(int64_t user, const char *conversation)
{
    struct running running = {0};
    struct failure failure;
    bool settled;
    int lost = 0;
    (void)message_list_running(user, conversation, note_running, &running, &failure); /* the store has logged it */
    for (size_t i = 0; i < running.count; i++, lost += settled)
        if (lost_settle(user, running.ids[i], &settled, &failure) != OUTCOME_OK)
            log_warning("answer %s may be lost: %s", running.ids[i], failure.message);
    mem_free(running.ids);
    return lost;
}
