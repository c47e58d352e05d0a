/*
 * Whose API a path belongs to, and so how its failures look: below /v1 as OpenAI's, below /api as FastAPI's, elsewhere our own. Paths that do not exist count too: a
 * client that mistypes one can read the answer.
 *
 * Neighbours: src/chat/shape.h has the shapes, response.c writes them.
 */
#ifndef PARLEY_FACES_H
#define PARLEY_FACES_H

#include "../http/request.h"

/* Sets the shape of the request's failures by its path. A path of our own leaves it as it is: the router looks for the same request under two paths. */
void faces_set(struct request *request);

#endif
