/*
 * Which function serves a path: routes are rows of a table, matched on exact segments.
 *
 * Neighbours: src/api/routes.c (the table). Leaves out: who may; a row only says that a signed-in user is needed.
 */
#ifndef PARLEY_ROUTER_H
#define PARLEY_ROUTER_H

#include "request.h"

struct route {
    const char *method;  /* GET also serves HEAD: the host server drops the body */
    const char *pattern; /* "/conversations/{}/stop": {} takes one segment, a last {*} all that is left */
    enum { ROUTE_OPEN, ROUTE_USER } needs; /* ROUTE_USER: the user's row is looked up first */
    /* Answers the request or returns a failure that the caller answers. */
    enum outcome (*handle)(struct request *request, struct failure *failure);
};

/* Finds the route in `routes` (`count` rows), leaving the open segments in the request. OUTCOME_NOT_FOUND or OUTCOME_BAD_METHOD
   (with an Allow header added) when there is none. */
enum outcome router_find(const struct route *routes, size_t count, struct request *request, const struct route **found,
                         struct failure *failure);

#endif
