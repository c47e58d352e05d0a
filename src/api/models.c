/*
 * GET /v1/models and /v1/models/{id}: which models can be asked for. Source: OpenAI's API reference, "Models".
 */
#include <string.h>
#include <strings.h>

#include "../base/json.h"
#include "../http/response.h"
#include "../llm/model_list.h"
#include "routes.h"

/* A row of the list in OpenAI's words. When a model was made is not known. */
static json_object *model_object(json_object *row)
{
    json_object *model = json_object_new_object();
    json_object_object_add(model, "id", json_object_new_string(json_text(row, "id", NULL)));
    json_object_object_add(model, "object", json_object_new_string("model"));
    json_object_object_add(model, "created", json_object_new_int(0));
    json_object_object_add(model, "owned_by", json_object_new_string(json_text(row, "provider", NULL)));
    return model;
}

enum outcome models_list(struct request *request, struct failure *failure)
{
    (void)failure;
    json_object *rows = model_list(), *object = json_object_new_object(), *data = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(rows); i++)
        json_object_array_add(data, model_object(json_object_array_get_idx(rows, i)));
    json_object_object_add(object, "object", json_object_new_string("list"));
    json_object_object_add(object, "data", data);
    response_json(request, 200, object);
    json_object_put(object);
    json_object_put(rows);
    return OUTCOME_OK;
}

/* Whether a path names a model. The slashes in an id may come percent-encoded: some host servers decode them, some do not. */
static bool is_named(const char *path, const char *id)
{
    while (*path != '\0' && *id != '\0') {
        bool is_slash = strncasecmp(path, "%2f", 3) == 0;
        if ((is_slash ? '/' : *path) != *id)
            return false;
        path += is_slash ? 3 : 1;
        id++;
    }
    return *path == *id;
}

enum outcome models_get(struct request *request, struct failure *failure)
{
    json_object *rows = model_list(), *model = NULL;
    for (size_t i = 0; i < json_object_array_length(rows) && model == NULL; i++) {
        json_object *row = json_object_array_get_idx(rows, i);
        if (is_named(request_segment(request, 0), json_text(row, "id", NULL)))
            model = model_object(row);
    }
    if (model != NULL)
        response_json(request, 200, model);
    json_object_put(model);
    json_object_put(rows);
    return model != NULL ? OUTCOME_OK : fail(failure, OUTCOME_NOT_FOUND, "There is no such model.");
}
