/*
 * The list of model_list.h.
 */
#include "model_list.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "../base/settings.h"
#include "fetch.h"

enum { FRESH_MS = 10 * 60 * 1000, ASK_MS = 5000, MOST_OF_ONE = 1000 };

static struct {
    pthread_mutex_t lock;
    json_object *list;
    int64_t made_ms;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct listing {
    json_object *list;
    json_object *seen; /* ids that are in it */
};

/* How the list names a model. False: there is no name, or it is too long. */
static bool name_model(char id[MODEL_ID_BYTES], const char *provider, const char *model)
{
    int len = snprintf(id, MODEL_ID_BYTES, "%s/%s", provider, model);
    return len > 0 && len < MODEL_ID_BYTES && model[0] != '\0';
}

static void add(struct listing *listing, const char *provider, const char *model)
{
    char id[MODEL_ID_BYTES];
    if (!name_model(id, provider, model) || json_object_object_get_ex(listing->seen, id, NULL))
        return;
    json_object *row = json_object_new_object();
    json_object_object_add(row, "id", json_object_new_string(id));
    json_object_object_add(row, "provider", json_object_new_string(provider));
    json_object_array_add(listing->list, row);
    json_object_object_add(listing->seen, id, NULL);
}

static void add_named(struct listing *listing, const char *name)
{
    struct provider provider;
    struct failure failure;
    if (name != NULL ? provider_find_fallback(name, &provider) : provider_find(NULL, &provider, &failure) == OUTCOME_OK)
        add(listing, provider.id, provider.model);
}

static void add_fallbacks(struct listing *listing)
{
    char name[LIMIT_MODEL_NAME_BYTES];
    for (const char *at = settings.llm_fallbacks; *at != '\0';) {
        at += strspn(at, ", \t");
        size_t len = strcspn(at, ", \t");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, at);
        if (len > 0)
            add_named(listing, name);
        at += len;
    }
}

/* The lists of all wires: {"data":[{"id"}]}, {"models":[{"name"}]}, {"modelSummaries":[{"modelId"}]}, or a bare array. */
static void add_reply(struct listing *listing, const char *provider, json_object *reply)
{
    static const char *const lists[] = {"data", "models", "modelSummaries"}, *const names[] = {"id", "name", "modelId", "model_id"};
    json_object *list = reply;
    for (size_t i = 0; i < 3 && !json_object_is_type(list, json_type_array); i++)
        list = json_at(reply, lists[i]);
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list) && i < MOST_OF_ONE; i++) {
        const char *name = NULL;
        for (size_t k = 0; k < 4 && name == NULL; k++)
            name = json_text(json_object_array_get_idx(list, i), names[k], NULL);
        if (name != NULL)
            add(listing, provider, strncmp(name, "models/", 7) == 0 ? name + 7 : name); /* Gemini's prefix */
    }
}

static void ask(struct listing *listing, const struct provider *provider)
{
    json_object *reply = NULL;
    struct failure failure; /* logged where it happened; the list is shorter then */
    if (provider->row->models == NULL)
        return;
    if (fetch_json(provider, provider->row->models, NULL, ASK_MS, &reply, &failure) == OUTCOME_OK)
        add_reply(listing, provider->id, reply);
    json_object_put(reply);
}

static json_object *make_list(void)
{
    struct listing listing = {json_object_new_array(), json_object_new_object()};
    struct provider configured;
    struct failure failure;
    add_named(&listing, NULL);
    add_fallbacks(&listing);
    bool found = provider_find(NULL, &configured, &failure) == OUTCOME_OK && !configured.is_demo;
    if (found)
        ask(&listing, &configured);
    for (size_t i = 0; i < catalogue_count(); i++) {
        const struct catalogue_provider *row = catalogue_at(i);
        struct provider other = {.row = row, .wire = row->wire, .id = row->id, .model = "", .address = "", .key = catalogue_key(row)};
        if ((!found || row != configured.row) && row->chat && json_at(row->row, "alias_of") == NULL && catalogue_is_set_up(row))
            ask(&listing, &other);
    }
    json_object_put(listing.seen);
    return listing.list;
}

bool model_list_first(char id[MODEL_ID_BYTES])
{
    struct provider provider;
    struct failure failure;
    return provider_find(NULL, &provider, &failure) == OUTCOME_OK && name_model(id, provider.id, provider.model);
}

json_object *model_list(void)
{
    pthread_mutex_lock(&kept.lock);
    if (kept.list == NULL || clock_mono_ms() - kept.made_ms >= FRESH_MS) {
        json_object_put(kept.list);
        kept.list = make_list();
        kept.made_ms = clock_mono_ms();
    }
    json_object *copy = NULL;
    bool good = kept.list != NULL && json_object_deep_copy(kept.list, &copy, NULL) == 0; /* references are not counted across threads */
    pthread_mutex_unlock(&kept.lock);
    return good ? copy : json_object_new_array();
}
