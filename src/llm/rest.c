/*
 * The short list of rest.h: only providers that have failed are in it.
 */
#include "rest.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/settings.h"

enum { MOST = 64 };

static struct {
    pthread_mutex_t lock;
    struct resting {
        const char *id;
        int64_t failures; /* in a row */
        int64_t until_ms;
    } list[MOST];
    int count;
} rest = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the lock held. NULL: it is not in the list. */
static struct resting *find(const char *id)
{
    for (int i = 0; i < rest.count; i++)
        if (strcmp(rest.list[i].id, id) == 0)
            return &rest.list[i];
    return NULL;
}

void rest_note(const char *id, bool good)
{
    pthread_mutex_lock(&rest.lock);
    struct resting *found = find(id);
    if (found == NULL && !good && rest.count < MOST) {
        found = &rest.list[rest.count++];
        *found = (struct resting){.id = id};
    }
    if (found != NULL && good) {
        found->failures = 0;
        found->until_ms = 0;
    } else if (found != NULL && ++found->failures >= settings.provider_failures) {
        found->until_ms = clock_mono_ms() + settings.provider_rest_ms;
        log_warning("provider %s has failed %lld times in a row: it rests", id, (long long)found->failures);
    }
    pthread_mutex_unlock(&rest.lock);
}

bool rest_is_resting(const char *id)
{
    pthread_mutex_lock(&rest.lock);
    const struct resting *found = find(id);
    bool resting = found != NULL && clock_mono_ms() < found->until_ms;
    pthread_mutex_unlock(&rest.lock);
    return resting;
}
