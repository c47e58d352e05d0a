/*
 * See used.h.
 */
#include "used.h"

#include <stdio.h>
#include <string.h>

#include "../base/mem.h"

bool used_add(struct used **list, size_t *count, const char *provider, const char *model, const struct usage *usage)
{
    size_t at = 0;
    while (at < *count && (strcmp((*list)[at].model, model) != 0 || strcmp((*list)[at].provider, provider) != 0))
        at++;
    if (at == LIMIT_USED_MODELS)
        at--;
    if (at == *count) {
        struct used *more = mem_resize(*list, (*count + 1) * sizeof **list);
        if (more == NULL)
            return false;
        *list = more;
        more[at] = (struct used){.provider = provider, .usage = usage_none()};
        (void)snprintf(more[at].model, sizeof more[at].model, "%s", model);
        ++*count;
    }
    usage_add_up(&(*list)[at].usage, usage);
    (*list)[at].requests++;
    return true;
}

struct usage used_sum(const struct used *list, size_t count)
{
    struct usage sum = usage_none();
    for (size_t i = 0; i < count; i++)
        usage_add_up(&sum, &list[i].usage);
    return sum;
}

static int64_t known(int64_t count)
{
    return count != USAGE_UNKNOWN ? count : 0;
}

json_object *used_by_model(const struct used *list, size_t count)
{
    json_object *models = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct usage *usage = &list[i].usage;
        char name[LIMIT_MODEL_NAME_BYTES * 2];
        json_object *model = json_object_new_object();
        (void)snprintf(name, sizeof name, "%s/%s", list[i].provider, list[i].model);
        json_object_object_add(model, "n_requests", json_object_new_int(list[i].requests));
        json_object_object_add(model, "estimated_cost", json_object_new_double(usage->cost >= 0 ? usage->cost : 0));
        json_object_object_add(model, "prompt_tokens", json_object_new_int64(known(usage->prompt_tokens)));
        json_object_object_add(model, "completion_tokens", json_object_new_int64(known(usage->completion_tokens)));
        json_object_object_add(model, "total_tokens", json_object_new_int64(known(usage->prompt_tokens) + known(usage->completion_tokens)));
        if (models == NULL)
            models = json_object_new_object();
        json_object_object_add(models, name, model);
    }
    return models;
}
