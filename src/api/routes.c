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
#include "cors.h"
#include "faces.h"

const struct route routes[] = {
    {"POST", "/chat", ROUTE_USER, chat_post},
    {"POST", "/chat/stream", ROUTE_USER, chat_stream_post},
    {"GET", "/conversations", ROUTE_USER, conversations_list},
    {"POST", "/conversations", ROUTE_USER, conversations_add},
    {"GET", "/conversations/{}", ROUTE_USER, conversations_get},
    {"PATCH", "/conversations/{}", ROUTE_USER, conversations_change},
    {"DELETE", "/conversations/{}", ROUTE_USER, conversations_delete},
    {"DELETE", "/conversations/{}/messages", ROUTE_USER, conversations_clear},
    {"DELETE", "/conversations/{}/messages/{}", ROUTE_USER, conversations_cut},
    {"POST", "/conversations/{}/stop", ROUTE_USER, conversations_stop},
    {"GET", "/conversations/{}/stream", ROUTE_USER, conversations_stream},
    {"GET", "/usage", ROUTE_USER, usage_get},
    {"POST", "/api/chat", ROUTE_USER, ragbits_chat_post},
    {"POST", "/api/feedback", ROUTE_USER, ragbits_feedback_post},
    {"POST", "/api/upload", ROUTE_USER, upload_post},
    {"GET", "/api/user", ROUTE_USER, ragbits_user_get},
    {"POST", "/api/auth/login", ROUTE_OPEN, ragbits_login_post},
    {"POST", "/api/auth/logout", ROUTE_OPEN, ragbits_logout_post},
    {"GET", "/api/auth/authorize/{}", ROUTE_OPEN, ragbits_oauth2_get},
    {"GET", "/api/auth/callback/{}", ROUTE_OPEN, ragbits_oauth2_get},
    {"POST", "/api/v1/chat", ROUTE_USER, completions_pieces_post},
    {"GET", "/api/v1/health", ROUTE_OPEN, health_get},
    {"POST", "/v1/chat/completions", ROUTE_USER, completions_post},
    {"GET", "/v1/models", ROUTE_USER, models_list},
    {"GET", "/v1/models/{*}", ROUTE_USER, models_get},
    {"POST", "/v1/embeddings", ROUTE_USER, embeddings_post},
    {"GET", "/", ROUTE_OPEN, page_get},
    {"GET", "/api/config", ROUTE_OPEN, ui_config_get},
    {"GET", "/api/theme", ROUTE_OPEN, theme_get},
    {"GET", "/login", ROUTE_OPEN, page_login_get},
    {"GET", "/conversation/{}", ROUTE_OPEN, page_conversation_get},
    {"GET", "/diagnose/stream", ROUTE_OPEN, diagnose_stream_get},
    {"GET", "/metrics", ROUTE_OPEN, metrics_get},
    {"GET", "/health", ROUTE_OPEN, health_get},
    {"GET", "/ready", ROUTE_OPEN, ready_get},
};

const size_t route_count = sizeof routes / sizeof routes[0];

static enum outcome handle(struct request *request, struct failure *failure)
{
    const struct route *route = NULL;
    faces_set(request);
    cors_add_headers(request);
    if (request_headers_len(request) > LIMIT_REQUEST_HEADERS_BYTES)
        return fail(failure, OUTCOME_TOO_LARGE, "The headers of the request have more than %d bytes.", LIMIT_REQUEST_HEADERS_BYTES);
    if (cors_is_preflight(request))
        return cors_answer_preflight(request, failure);
    enum outcome outcome = router_find(routes, route_count, request, &route, failure);
    faces_set(request); /* the path may be another now: see router_find() */
    if (outcome == OUTCOME_OK)
        outcome = cors_check(request, failure);
    if (outcome == OUTCOME_OK && route->needs == ROUTE_USER)
        outcome = cors_check_host(request, failure);
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
