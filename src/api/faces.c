/*
 * The table of faces.h.
 */
#include "faces.h"

#include <string.h>

#include "../chat/shape.h"
#include "../http/response.h"

static const struct face {
    const char *path;
    response_shape *shape;
} faces[] = {
    {"/v1", shape_openai},
    {"/api", shape_fastapi},
};

void faces_set(struct request *request)
{
    const char *path = request_path_beginning(request);
    for (size_t i = 0; i < sizeof faces / sizeof *faces; i++) {
        size_t len = strlen(faces[i].path);
        if (strncmp(path, faces[i].path, len) == 0 && (path[len] == '/' || path[len] == '\0'))
            response_shape_failures(request, faces[i].shape);
    }
}
