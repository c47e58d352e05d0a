/*
 * See follow.h.
 */
#include "follow.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../base/clock.h"
#include "../store/message.h"
#include "dialect.h"
#include "live.h"
#include "lost.h"
#include "mirror.h"

enum { POLL_MS = 50, LOOK_MS = 1000 /* between two looks whether the other process is still there */ };

/* An answer of another process that a thread of this one reads on: whoever comes later follows the same. On the stack of that thread. */
struct reading {
    struct mirror *mirror;
    struct reading *next;
};

static struct {
    pthread_mutex_t lock; /* while it is held, nobody joins a reading or leaves the list */
    struct reading *first;
} readings = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void list(struct reading *reading)
{
    pthread_mutex_lock(&readings.lock);
    reading->next = readings.first;
    readings.first = reading;
    pthread_mutex_unlock(&readings.lock);
}

/* Whether somebody still follows an answer that is still being made. If not, it is taken off the list: nobody joins it any more. */
static bool goes_on(const struct reading *reading)
{
    const struct mirror *mirror = reading->mirror;
    pthread_mutex_lock(&readings.lock);
    bool on = mirror->is_running && !atomic_load(live_closed()) && stream_is_any(mirror->answer);
    struct reading **at = &readings.first;
    while (!on && *at != reading)
        at = &(*at)->next;
    if (!on)
        *at = reading->next;
    pthread_mutex_unlock(&readings.lock);
    return on;
}

/* Has a client follow an answer that is read on already. False: it is not; else *attached tells whether there was memory for it. */
static bool join(const struct follow *follow, const char *id, struct request *request, bool *attached)
{
    pthread_mutex_lock(&readings.lock);
    const struct reading *reading = readings.first;
    while (reading != NULL && (reading->mirror->user != follow->user || strcmp(reading->mirror->answer->id, id) != 0 ||
                               (follow->conversation != NULL && strcmp(reading->mirror->answer->conversation, follow->conversation) != 0)))
        reading = reading->next;
    if (reading != NULL)
        *attached = stream_attach(reading->mirror->answer, request, &follow->listener);
    pthread_mutex_unlock(&readings.lock);
    return reading != NULL;
}

/* Reads an answer of another process until it ends, or nobody follows any more. What the database does not give now, it may give the next time: pings go on meanwhile. */
static void read_on(struct mirror *mirror)
{
    struct reading reading = {.mirror = mirror};
    int64_t looked_ms = clock_mono_ms();
    list(&reading);
    while (goes_on(&reading)) {
        struct failure failure; /* the store has logged it */
        bool settled;
        clock_sleep_ms(POLL_MS);
        enum outcome outcome = mirror_read_on(mirror, &failure);
        if (outcome == OUTCOME_NOT_FOUND) {
            mirror->is_running = false;
            mirror->status = "stopped"; /* its conversation was deleted */
        }
        if (mirror->is_running && clock_mono_ms() - looked_ms >= LOOK_MS) {
            looked_ms = clock_mono_ms();
            if (mirror_is_lost(mirror) && lost_settle(mirror->user, mirror->answer->id, &settled, &failure) != OUTCOME_OK)
                lost_tell(mirror); /* else the next reading tells */
        }
    }
}

/* Tells those who follow how it ended. */
static void tell_end(struct mirror *mirror)
{
    if (mirror->is_running)
        stream_drop_all(mirror->answer); /* this process ends: they ask the next one */
    else
        mirror_end(mirror);
}

/* Whether a client only wants to know how things are now. */
static bool asks_once(const struct listener *listener)
{
    return listener->dialect->is_poll && listener->wait_ms == 0;
}

static bool is_known_to_its_end(const struct mirror *mirror, const struct listener *listener)
{
    return !mirror->is_running && listener->resumes && listener->after > mirror->answer->pos;
}

static enum outcome follow_mirror(const struct follow *follow, struct mirror *mirror, struct request *request, struct failure *failure)
{
    if (is_known_to_its_end(mirror, &follow->listener))
        return OUTCOME_OK;
    bool runs = mirror->is_running && !asks_once(&follow->listener); /* else what was read is all that is told */
    if (runs && !live_enter())
        return message_overloaded(failure);
    if (!mirror->is_running)
        mirror_end(mirror);
    bool attached = stream_attach(mirror->answer, request, &follow->listener);
    if (attached && runs)
        read_on(mirror);
    if (runs) {
        live_begin_aside(); /* the program does not end before the client has been told; its place is free again then */
        live_leave();
        if (attached)
            tell_end(mirror);
        live_end_aside();
    }
    return attached ? OUTCOME_DETACHED : fail_no_memory(failure);
}

/* Follows an answer through the database. */
static enum outcome follow_stored(const struct follow *follow, const char *id, struct request *request, struct failure *failure)
{
    struct mirror mirror;
    bool settled;
    enum outcome outcome = mirror_read(&mirror, follow->user, id, failure);
    if (outcome == OUTCOME_OK && mirror_is_lost(&mirror)) {
        mirror_free(&mirror);
        (void)lost_settle(follow->user, id, &settled, failure); /* read again in any case */
        outcome = mirror_read(&mirror, follow->user, id, failure);
    }
    if (outcome == OUTCOME_OK && follow->conversation != NULL && strcmp(mirror.answer->conversation, follow->conversation) != 0)
        outcome = fail(failure, OUTCOME_NOT_FOUND, "There is no such answer in this conversation.");
    if (outcome == OUTCOME_OK)
        outcome = follow_mirror(follow, &mirror, request, failure);
    mirror_free(&mirror);
    return outcome;
}

enum outcome follow_run(const struct follow *follow, struct request *request, struct failure *failure)
{
    char id[ID_BYTES];
    if (follow->message == NULL) {
        (void)lost_settle_conversation(follow->user, follow->conversation);
        enum outcome outcome = message_find_stream(follow->user, follow->conversation, id, failure);
        if (outcome != OUTCOME_OK || id[0] == '\0')
            return outcome;
    }
    const char *message = follow->message != NULL ? follow->message : id;
    struct answer *answer = live_find(follow->user, follow->conversation, message);
    bool attached = false;
    if (answer != NULL) {
        attached = stream_attach(answer, request, &follow->listener);
        answer_release(answer);
    } else if (asks_once(&follow->listener) || !join(follow, message, request, &attached)) {
        return follow_stored(follow, message, request, failure);
    }
    return attached ? OUTCOME_DETACHED : fail_no_memory(failure);
}
