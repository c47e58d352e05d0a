/*
 * The list of takers of taker.h. It has no more of them than there are places.
 */
#include "taker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/settings.h"
#include "live.h"

static struct {
    pthread_mutex_t lock;
    struct taker *first;
} takers = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum outcome taker_enter(struct taker *taker, const struct turn *turn, struct failure *failure)
{
    *taker = (struct taker){.user = *turn->user_name != '\0' ? turn->user : 0, .address = turn->address};
    if (taker->user != 0)
        (void)snprintf(taker->who, sizeof taker->who, "user %lld", (long long)taker->user);
    else if (*taker->address != '\0')
        (void)snprintf(taker->who, sizeof taker->who, "address %s", taker->address);
    int64_t of_user = 0, of_address = 0;
    pthread_mutex_lock(&takers.lock);
    for (const struct taker *other = takers.first; other != NULL; other = other->next) {
        of_user += taker->user != 0 && other->user == taker->user;
        of_address += *taker->address != '\0' && strcmp(other->address, taker->address) == 0;
    }
    enum outcome outcome = message_check_taker(of_user, settings.max_streams_per_user, of_address, settings.max_streams_per_address, failure);
    if (outcome == OUTCOME_OK) {
        taker->next = takers.first;
        takers.first = taker;
    }
    pthread_mutex_unlock(&takers.lock);
    return outcome;
}

void taker_limit(const struct taker *taker, struct message_begin *begin)
{
    bool all = live_most() > 0;
    begin->max_of_user = all && taker->user != 0 ? settings.max_streams_per_user : 0;
    begin->max_of_address = all && *taker->address != '\0' ? settings.max_streams_per_address : 0;
    begin->address = begin->max_of_address > 0 ? taker->address : NULL;
    begin->rate = (struct rate){.who = taker->who, .most = taker->who[0] != '\0' ? settings.requests_per_minute : 0};
}

void taker_leave(struct taker *taker)
{
    pthread_mutex_lock(&takers.lock);
    struct taker **at = &takers.first;
    while (*at != taker)
        at = &(*at)->next;
    *at = taker->next;
    pthread_mutex_unlock(&takers.lock);
}
