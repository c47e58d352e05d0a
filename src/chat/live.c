/*
 * The list of running answers and its keeper: see live.h.
 */
#include "live.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../store/message.h"

enum { KEEPER_MS = 200 };

struct entry {
    struct answer *answer;
    struct entry *next;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t keeper;
    char process[ID_BYTES];
    int64_t places; /* taken */
    bool closed, ending;
    struct entry *entries;
} live = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

const char *live_process(void)
{
    return live.process;
}

bool live_enter(void)
{
    pthread_mutex_lock(&live.lock);
    bool free_place = !live.closed && live.places < settings.max_streams;
    live.places += free_place;
    pthread_mutex_unlock(&live.lock);
    return free_place;
}

void live_leave(void)
{
    pthread_mutex_lock(&live.lock);
    if (--live.places == 0)
        pthread_cond_broadcast(&live.changed); /* live_wait() may be waiting for it */
    pthread_mutex_unlock(&live.lock);
}

void live_add(struct answer *answer)
{
    struct entry *entry = mem_new(1, sizeof *entry);
    if (entry == NULL) { /* it will run all the same, but cannot be stopped */
        log_error("a running answer cannot be listed: out of memory");
        return;
    }
    entry->answer = answer;
    pthread_mutex_lock(&live.lock);
    if (live.entries == NULL)
        pthread_cond_broadcast(&live.changed); /* the keeper sleeps */
    entry->next = live.entries;
    live.entries = entry;
    pthread_mutex_unlock(&live.lock);
}

void live_remove(struct answer *answer)
{
    pthread_mutex_lock(&live.lock);
    struct entry **at = &live.entries, *found = NULL;
    while (*at != NULL && (*at)->answer != answer)
        at = &(*at)->next;
    if (*at != NULL) {
        found = *at;
        *at = found->next;
    }
    pthread_mutex_unlock(&live.lock);
    mem_free(found);
}

static void stop(struct answer *answer, enum stop_why why)
{
    int not_yet = STOP_NOT;
    (void)atomic_compare_exchange_strong(&answer->stop_why, &not_yet, (int)why); /* the first reason counts */
    atomic_store(&answer->stop, true);
}

int live_stop_conversation(const char *conversation_id, enum stop_why why)
{
    int count = 0;
    pthread_mutex_lock(&live.lock);
    for (struct entry *entry = live.entries; entry != NULL; entry = entry->next)
        if (strcmp(entry->answer->conversation, conversation_id) == 0) {
            stop(entry->answer, why);
            count++;
        }
    pthread_mutex_unlock(&live.lock);
    return count;
}

void live_stop_all(enum stop_why why)
{
    pthread_mutex_lock(&live.lock);
    for (struct entry *entry = live.entries; entry != NULL; entry = entry->next)
        stop(entry->answer, why);
    pthread_mutex_unlock(&live.lock);
}

void live_close(void)
{
    pthread_mutex_lock(&live.lock);
    live.closed = true;
    pthread_mutex_unlock(&live.lock);
}

/* Waits on `changed` for at most `ms`, with the lock held. False: the time is over. */
static bool wait_changed(int64_t ms)
{
    struct timespec until = clock_mono_after(ms);
    return pthread_cond_clockwait(&live.changed, &live.lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT;
}

bool live_wait(int64_t ms)
{
    int64_t end_ms = clock_mono_ms() + ms;
    pthread_mutex_lock(&live.lock);
    while (live.places > 0 && clock_mono_ms() < end_ms)
        (void)wait_changed(end_ms - clock_mono_ms());
    bool none = live.places == 0;
    pthread_mutex_unlock(&live.lock);
    return none;
}

/* --- the keeper --------------------------------------------------------------------------------------------------- */

static void stop_row(void *arg, int64_t row)
{
    (void)arg;
    pthread_mutex_lock(&live.lock);
    for (struct entry *entry = live.entries; entry != NULL; entry = entry->next)
        if (entry->answer->row == row)
            stop(entry->answer, STOP_BY_USER);
    pthread_mutex_unlock(&live.lock);
}

static void *keep(void *unused)
{
    (void)unused;
    int64_t heartbeat_ms = 0, round_ms = 0;
    pthread_mutex_lock(&live.lock);
    while (!live.ending) {
        if (live.entries == NULL) {
            pthread_cond_wait(&live.changed, &live.lock);
            heartbeat_ms = round_ms = clock_mono_ms();
            continue;
        }
        int64_t left_ms = round_ms + KEEPER_MS - clock_mono_ms();
        if (left_ms > 0) {
            (void)wait_changed(left_ms); /* answers come and go meanwhile */
            continue;
        }
        round_ms = clock_mono_ms();
        pthread_mutex_unlock(&live.lock);
        struct failure failure; /* the store has logged it; the next round tries again */
        (void)message_stops(live.process, stop_row, NULL, &failure);
        if (clock_mono_ms() - heartbeat_ms >= MESSAGE_HEARTBEAT_MS) {
            (void)message_heartbeat(live.process, &failure);
            heartbeat_ms = clock_mono_ms();
        }
        pthread_mutex_lock(&live.lock);
    }
    pthread_mutex_unlock(&live.lock);
    return NULL;
}

bool live_start(void)
{
    if (!id_new(live.process)) {
        log_error("the system gives no random numbers");
        return false;
    }
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
