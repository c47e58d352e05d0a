/*
 * GET /health: the process serves. GET /ready: it could answer a question now, database and provider included.
 */
#include <pthread.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "../http/response.h"
#include "../llm/provider.h"
#include "../store/db.h"
#include "routes.h"

enum { PROVIDER_CHECK_MS = 3000, PROVIDER_FRESH_MS = 1000 };

enum outcome health_get(struct request *request, struct failure *failure)
{
    (void)failure;
    json_object *object = json_object_new_object();
    json_object_object_add(object, "status", json_object_new_string("healthy"));
    response_json(request, 200, object);
    json_object_put(object);
    return OUTCOME_OK;
}

/* The provider is asked at most once a second, whoever asks us. */
static struct failure check_provider(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct failure last;
    static int64_t checked_ms;
    pthread_mutex_lock(&lock);
    if (checked_ms == 0 || clock_mono_ms() - checked_ms >= PROVIDER_FRESH_MS) {
        last.outcome = OUTCOME_OK;
        (void)provider_check(NULL, PROVIDER_CHECK_MS, &last); /* the outcome is in `last` */
        checked_ms = clock_mono_ms();
    }
    struct failure now = last;
    pthread_mutex_unlock(&lock);
    return now;
}

enum outcome ready_get(struct request *request, struct failure *failure)
{
    (void)failure;
    struct failure store = {.outcome = OUTCOME_OK};
    (void)db_check(&store); /* the outcome is in `store` */
    struct failure provider = check_provider();
    bool ready = store.outcome == OUTCOME_OK && provider.outcome == OUTCOME_OK;
    json_object *object = json_object_new_object();
    json_object_object_add(object, "status", json_object_new_string(ready ? "ready" : "not_ready"));
    json_object_object_add(object, "store", json_object_new_string(store.outcome == OUTCOME_OK ? "ok" : store.message));
    json_object_object_add(object, "provider", json_object_new_string(provider.outcome == OUTCOME_OK ? "ok" : provider.message));
    response_json(request, ready ? 200 : 503, object);
    json_object_put(object);
    return OUTCOME_OK;
}
