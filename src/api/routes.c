/*
 * The table and the way of a request through it: see routes.h.
 */
#include "routes.h"

#include <stdio.h>
#include <string.h>

#include "../auth/who.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../http/response.h"

const struct route routes[] = {
    {"POST", "/chat", ROUTE_USER, chat_post},
    {"POST", "/chat/stream", ROUTE_USER, chat_stream_post},
    {"GET", "/conversations", ROUTE_USER, conversations_list},
    {"POST", "/conversations", ROUTE_USER, conversations_add},
    {"GET", "/conversations/{}", ROUTE_USER, conversations_get},
    {"PATCH", "/conversations/{}", ROUTE_USER, conversations_change},
    {"DELETE", "/conversations/{}", ROUTE_USER, conversations_delete},
    {"DELETE", "/conversations/{}/messages", ROUTE_USER, conversations_clear},
    {"POST", "/conversations/{}/stop", ROUTE_USER, conversations_stop},
    {"GET", "/", ROUTE_OPEN, page_get},
    {"GET", "/diagnose/stream", ROUTE_OPEN, diagnose_stream_get},
    {"GET", "/metrics", ROUTE_OPEN, metrics_get},
    {"GET", "/health", ROUTE_OPEN, health_get},
    {"GET", "/ready", ROUTE_OPEN, ready_get},
};

const size_t route_count = sizeof routes / sizeof routes[0];

/* Browsers say where a request comes from (Fetch Metadata, section 2.4): another site's page must not act for the user. */
static enum outcome check_origin(const struct request *request, struct failure *failure)
{
    bool is_safe = strcmp(request_method(request), "GET") == 0 || strcmp(request_method(request), "HEAD") == 0;
    if (!is_safe && request_any_variable(request, "HTTP_SEC_FETCH_SITE", "cross-site"))
        return fail(failure, OUTCOME_FORBIDDEN, "Requests from pages of other sites are not taken.");
    return OUTCOME_OK;
}

static enum outcome handle(struct request *request, struct failure *failure)
{
    const struct route *route = NULL;
    enum outcome outcome = router_find(routes, route_count, request, &route, failure);
    if (outcome == OUTCOME_OK)
        outcome = check_origin(request, failure);
    if (outcome == OUTCOME_OK && route->needs == ROUTE_USER)
        outcome = who_asks(request, failure);
    return outcome == OUTCOME_OK ? route->handle(request, failure) : outcome;
}

void routes_serve(struct request *request)
{
    int64_t started_ms = clock_mono_ms();
    char what[256]; /* the request may be gone when the line is written */
    (void)snprintf(what, sizeof what, "%.16s %.200s", request_method(request), request_path(request));
    struct failure failure = {0};
    enum outcome outcome = handle(request, &failure);
    log_debug("%s: %s, %lld ms", what, outcome_code(outcome), (long long)(clock_mono_ms() - started_ms));
    if (outcome == OUTCOME_DETACHED)
        return;
    if (outcome != OUTCOME_OK)
        response_failure(request, &failure);
    request_finish(request);
}
