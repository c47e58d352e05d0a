/*
 * The list of running answers and its keeper: see live.h.
 */
#include "live.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../http/worker.h"
#include "../store/counter.h"
#include "../store/db.h"
#include "../store/message.h"
#include "../store/process.h"
#include "ending.h"

enum { KEEPER_MS = 200, RETRY_MS = 1000, COUNT_MS = 5000 };

/* An answer whose end could not be stored yet. */
struct unsaved {
    struct answer *answer; /* a reference of ours */
    struct ending ending;
    struct unsaved *next;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t keeper;
    enum live_count count;
    int64_t places; /* taken */
    int64_t asides; /* that go on */
    atomic_bool closed;
    bool ending;
    enum stop_why stop_all; /* STOP_NOT: not yet */
    struct answer *answers; /* being made */
    struct unsaved *unsaved;
    const struct unsaved *at_hand; /* that the keeper has taken from them and tries to store; NULL: none */
} live = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

bool live_enter(void)
{
    bool exhausted = worker_is_exhausted(); /* the last thread that could say so does not make an answer */
    pthread_mutex_lock(&live.lock);
    bool free_place = !exhausted && !atomic_load(&live.closed) && live.places < settings.max_streams;
    live.places += free_place;
    pthread_mutex_unlock(&live.lock);
    return free_place;
}

/* Counts one less of something; live_wait() may be waiting for it. */
static void count_down(int64_t *count)
{
    pthread_mutex_lock(&live.lock);
    if (--*count == 0)
        pthread_cond_broadcast(&live.changed);
    pthread_mutex_unlock(&live.lock);
}

void live_leave(void)
{
    count_down(&live.places);
}

void live_begin_aside(void)
{
    pthread_mutex_lock(&live.lock);
    live.asides++;
    pthread_mutex_unlock(&live.lock);
}

void live_end_aside(void)
{
    count_down(&live.asides);
}

const atomic_bool *live_closed(void)
{
    return &live.closed;
}

void live_add(struct answer *answer)
{
    pthread_mutex_lock(&live.lock);
    if (live.answers == NULL)
        pthread_cond_broadcast(&live.changed); /* the keeper sleeps */
    answer->next_live = live.answers;
    live.answers = answer;
    if (live.stop_all != STOP_NOT)
        answer_stop(answer, live.stop_all);
    pthread_mutex_unlock(&live.lock);
}

void live_remove(struct answer *answer)
{
    pthread_mutex_lock(&live.lock);
    struct answer **at = &live.answers;
    while (*at != answer)
        at = &(*at)->next_live;
    *at = answer->next_live;
    pthread_mutex_unlock(&live.lock);
}

struct answer *live_find(int64_t user, const char *conversation, const char *id)
{
    pthread_mutex_lock(&live.lock);
    struct answer *answer = live.answers;
    while (answer != NULL && (answer->user != user || strcmp(answer->id, id) != 0 || (conversation != NULL && strcmp(answer->conversation, conversation) != 0)))
        answer = answer->next_live;
    if (answer != NULL)
        answer_hold(answer);
    pthread_mutex_unlock(&live.lock);
    return answer;
}

bool live_knows(const char *id)
{
    bool known = false;
    pthread_mutex_lock(&live.lock);
    for (const struct answer *answer = live.answers; answer != NULL; answer = answer->next_live)
        known = known || strcmp(answer->id, id) == 0;
    for (const struct unsaved *one = live.unsaved; one != NULL; one = one->next)
        known = known || strcmp(one->answer->id, id) == 0;
    known = known || (live.at_hand != NULL && strcmp(live.at_hand->answer->id, id) == 0);
    pthread_mutex_unlock(&live.lock);
    return known;
}

struct answer **live_hold_all(size_t *count)
{
    size_t room = 0;
    *count = 0;
    pthread_mutex_lock(&live.lock);
    while (live.answers == NULL && !live.ending)
        pthread_cond_wait(&live.changed, &live.lock);
    for (const struct answer *answer = live.answers; answer != NULL; answer = answer->next_live)
        room++;
    struct answer **answers = live.ending ? NULL : mem_new(room, sizeof *answers); /* NOLINT(bugprone-sizeof-expression): it is a list of pointers */
    for (struct answer *answer = live.answers; answers != NULL && answer != NULL; answer = answer->next_live)
        if (answer_is_stored(answer)) {
            answer_hold(answer);
            answers[(*count)++] = answer;
        }
    pthread_mutex_unlock(&live.lock);
    return answers;
}

bool live_is_ending(void)
{
    pthread_mutex_lock(&live.lock);
    bool ending = live.ending;
    pthread_mutex_unlock(&live.lock);
    return ending;
}

void live_keep(struct answer *answer, const struct ending *ending)
{
    struct unsaved *unsaved = mem_new(1, sizeof *unsaved);
    if (unsaved == NULL) {
        log_error("the end of answer %s is lost: neither database nor memory take it", answer->id);
        return;
    }
    answer_hold(answer);
    unsaved->answer = answer;
    unsaved->ending = *ending;
    pthread_mutex_lock(&live.lock);
    unsaved->next = live.unsaved;
    live.unsaved = unsaved;
    pthread_cond_broadcast(&live.changed);
    pthread_mutex_unlock(&live.lock);
}

int live_stop_conversation(const char *conversation_id, enum stop_why why)
{
    int count = 0;
    pthread_mutex_lock(&live.lock);
    for (struct answer *answer = live.answers; answer != NULL; answer = answer->next_live)
        if (strcmp(answer->conversation, conversation_id) == 0) {
            answer_stop(answer, why);
            count++;
        }
    pthread_mutex_unlock(&live.lock);
    return count;
}

void live_stop_all(enum stop_why why)
{
    pthread_mutex_lock(&live.lock);
    live.stop_all = why;
    for (struct answer *answer = live.answers; answer != NULL; answer = answer->next_live)
        answer_stop(answer, why);
    pthread_mutex_unlock(&live.lock);
}

void live_close(void)
{
    pthread_mutex_lock(&live.lock);
    atomic_store(&live.closed, true);
    pthread_mutex_unlock(&live.lock);
}

/* Waits on `changed` for at most `ms`, with the lock held. False: the time is over. */
static bool wait_changed(int64_t ms)
{
    struct timespec until = clock_mono_after(ms);
    return pthread_cond_clockwait(&live.changed, &live.lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT;
}

void live_pause(int64_t ms)
{
    int64_t end_ms = clock_mono_ms() + ms;
    pthread_mutex_lock(&live.lock);
    while (!live.ending && clock_mono_ms() < end_ms)
        (void)wait_changed(end_ms - clock_mono_ms());
    pthread_mutex_unlock(&live.lock);
}

bool live_wait(int64_t ms)
{
    int64_t end_ms = clock_mono_ms() + ms;
    pthread_mutex_lock(&live.lock);
    while (live.places + live.asides > 0 && clock_mono_ms() < end_ms)
        (void)wait_changed(end_ms - clock_mono_ms());
    bool none = live.places + live.asides == 0;
    pthread_mutex_unlock(&live.lock);
    return none;
}

/* --- the keeper --------------------------------------------------------------------------------------------------- */

static void stop_one(void *arg, const char *id)
{
    const enum stop_why *why = arg;
    pthread_mutex_lock(&live.lock);
    for (struct answer *answer = live.answers; answer != NULL; answer = answer->next_live)
        if (strcmp(answer->id, id) == 0)
            answer_stop(answer, *why);
    pthread_mutex_unlock(&live.lock);
}

typedef char answer_id[ID_BYTES];

/* The ids of the answers that are being made, and with `unsaved` of those that are still to be stored; to be freed with mem_free(). NULL: none, or no memory. */
static answer_id *copy_ids(bool unsaved, size_t *count)
{
    size_t room = (size_t)settings.max_streams + LIMIT_SPARE_THREADS;
    answer_id *ids = mem_new(room, sizeof *ids);
    *count = 0;
    if (ids == NULL)
        return NULL; /* the next round tries again, and several may be missed */
    pthread_mutex_lock(&live.lock);
    for (const struct answer *answer = live.answers; answer != NULL && *count < room; answer = answer->next_live)
        if (answer_is_stored(answer))
            memcpy(ids[(*count)++], answer->id, ID_BYTES);
    for (const struct unsaved *one = unsaved ? live.unsaved : NULL; one != NULL && *count < room; one = one->next)
        if (answer_is_stored(one->answer))
            memcpy(ids[(*count)++], one->answer->id, ID_BYTES);
    pthread_mutex_unlock(&live.lock);
    return ids;
}

/* Stops what other processes want to be stopped: they set a flag, or they have deleted the answer. */
static void obey_stops(void)
{
    enum stop_why by_user = STOP_BY_USER, by_deletion = STOP_DELETED;
    struct failure failure; /* the store has logged it; the next round tries again */
    size_t count;
    int running;
    answer_id *ids = copy_ids(false, &count); /* before the look into the database: all of them are there by now, unless deleted */
    if (message_stops(process_id(), stop_one, &by_user, &running, &failure) == OUTCOME_OK && (size_t)running < count && ids != NULL)
        (void)message_deleted((const answer_id *)ids, count, stop_one, &by_deletion, &failure);
    mem_free(ids);
}

static struct unsaved *take_unsaved(void)
{
    pthread_mutex_lock(&live.lock);
    struct unsaved *first = live.unsaved;
    if (first != NULL)
        live.unsaved = first->next;
    live.at_hand = first;
    pthread_mutex_unlock(&live.lock);
    return first;
}

static void put_back_last(struct unsaved *unsaved)
{
    unsaved->next = NULL;
    pthread_mutex_lock(&live.lock);
    struct unsaved **at = &live.unsaved;
    while (*at != NULL)
        at = &(*at)->next;
    *at = unsaved;
    live.at_hand = NULL;
    pthread_mutex_unlock(&live.lock);
}

static void free_unsaved(struct unsaved *unsaved)
{
    pthread_mutex_lock(&live.lock);
    live.at_hand = NULL;
    pthread_mutex_unlock(&live.lock);
    answer_release(unsaved->answer);
    mem_free(unsaved);
}

/* Tries to store what could not be stored, up to the first that fails again: each failure may have waited DB_BUSY_SECONDS. That one goes to the end of the list. */
static void store_unsaved(void)
{
    for (struct unsaved *unsaved = take_unsaved(); unsaved != NULL; unsaved = take_unsaved()) {
        struct failure failure; /* the store has logged it */
        if (ending_store(unsaved->answer, &unsaved->ending, &failure) != OUTCOME_OK) {
            put_back_last(unsaved);
            return;
        }
        log_info("the end of answer %s is stored now", unsaved->answer->id);
        free_unsaved(unsaved);
    }
}

/* The last try; what is lost is said. A database that cannot be written is waited for once, not again for the counters. */
static void give_up_unsaved(void)
{
    struct failure failure; /* the store has logged it */
    store_unsaved();
    pthread_mutex_lock(&live.lock);
    bool all_saved = live.unsaved == NULL;
    pthread_mutex_unlock(&live.lock);
    if (all_saved)
        (void)counter_save(&failure);
    for (struct unsaved *unsaved = take_unsaved(); unsaved != NULL; unsaved = take_unsaved()) {
        log_error("the end of answer %s is lost: it could not be stored until the program had to stop", unsaved->answer->id);
        free_unsaved(unsaved);
    }
}

/* Writes the heartbeat of the answers that this process makes or still has to store. */
static void write_heartbeat(void)
{
    size_t count;
    answer_id *ids = copy_ids(true, &count);
    struct failure failure; /* the store has logged it */
    if (ids != NULL)
        (void)message_heartbeat((const answer_id *)ids, count, &failure);
    mem_free(ids);
}

/* One round of the keeper's work while there are answers. */
static void keep_answers(int64_t *heartbeat_ms, int64_t *retry_ms)
{
    obey_stops();
    if (clock_mono_ms() - *heartbeat_ms >= MESSAGE_HEARTBEAT_MS) {
        write_heartbeat();
        *heartbeat_ms = clock_mono_ms();
    }
    if (clock_mono_ms() - *retry_ms >= RETRY_MS) {
        store_unsaved();
        *retry_ms = clock_mono_ms();
    }
}

static void *keep(void *unused)
{
    (void)unused;
    int64_t heartbeat_ms = 0, round_ms = 0, retry_ms = 0, count_ms = clock_mono_ms();
    bool worked = false; /* since memory was last given back */
    pthread_mutex_lock(&live.lock);
    while (!live.ending) {
        bool idle = live.answers == NULL && live.unsaved == NULL;
        int64_t left_ms = idle ? count_ms + COUNT_MS - clock_mono_ms() : round_ms + KEEPER_MS - clock_mono_ms();
        if (left_ms > 0) {
            (void)wait_changed(left_ms); /* answers come and go meanwhile */
            if (idle && live.answers != NULL)
                heartbeat_ms = round_ms = retry_ms = clock_mono_ms();
            continue;
        }
        pthread_mutex_unlock(&live.lock);
        round_ms = clock_mono_ms();
        worked = worked || !idle;
        if (!idle)
            keep_answers(&heartbeat_ms, &retry_ms);
        if (round_ms - count_ms >= COUNT_MS) {
            struct failure failure; /* the store has logged it; what was counted is kept */
            (void)counter_save(&failure); /* nothing counted, nothing done */
            count_ms = clock_mono_ms();
            db_tend();
        }
        if (idle && worked) {
            (void)malloc_trim(0); /* what answers used goes back to the system; 0: there was nothing */
            worked = false;
        }
        pthread_mutex_lock(&live.lock);
    }
    pthread_mutex_unlock(&live.lock);
    give_up_unsaved();
    return NULL;
}

int64_t live_most(void)
{
    return live.count == LIVE_COUNT_ALL ? settings.max_streams : 0;
}

bool live_start(enum live_count count)
{
    live.count = count;
    int error = pthread_create(&live.keeper, NULL, keep, NULL);
    if (error != 0)
        log_error("the keeper's thread cannot start: %s", strerror(error));
    return error == 0;
}

void live_stop(void)
{
    pthread_mutex_lock(&live.lock);
    live.ending = true;
    pthread_cond_broadcast(&live.changed);
    pthread_mutex_unlock(&live.lock);
    pthread_join(live.keeper, NULL);
}
