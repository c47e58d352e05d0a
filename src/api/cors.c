/*
 * See cors.h. An origin is only ever compared with the list, and echoed when it is in it: so nothing of it can get into a header that the administrator has not written.
 */
#include "cors.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../base/settings.h"
#include "../http/address.h"
#include "../http/response.h"

static bool is_any(void)
{
    return strcmp(settings.cors_origins, "*") == 0;
}

/* Whether `origin` is the listed one of `len` bytes. Hosts have no case, schemes are written in one, ports are digits: all but the scheme may differ in case. */
static bool is_same(const char *origin, const char *listed, size_t len)
{
    const char *host = strstr(listed, "://");
    size_t scheme = host != NULL ? (size_t)(host - listed) : len;
    return strlen(origin) == len && strncmp(origin, listed, scheme) == 0 && strncasecmp(origin + scheme, listed + scheme, len - scheme) == 0;
}

/* The request's origin when it is an allowed one, else NULL. `null`, which is what sandboxed and local pages say, is nobody's origin, and neither is one of two. */
static const char *allowed_origin(const struct request *request)
{
    const char *origin = request_variable(request, "HTTP_ORIGIN");
    if (*origin == '\0' || strcmp(origin, "null") == 0 || request_count_variables(request, "HTTP_ORIGIN") != 1)
        return NULL;
    if (is_any())
        return origin;
    for (const char *listed = settings.cors_origins; *listed != '\0'; listed += strspn(listed, " ")) {
        size_t len = strcspn(listed, " ");
        if (is_same(origin, listed, len))
            return origin;
        listed += len;
    }
    return NULL;
}

/* Whether a host is an address, or a name that leads to the visitor's own machine whatever name servers say (RFC 6761 section 6.3). */
static bool is_fixed(const char *name)
{
    static const char local[] = "localhost";
    struct in6_addr address;
    size_t len = strlen(name);
    if (inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1)
        return true;
    if (len < sizeof local - 1 || strcasecmp(name + len - (sizeof local - 1), local) != 0)
        return false;
    return len == sizeof local - 1 || name[len - sizeof local] == '.';
}

static bool is_host_name(const char *name)
{
    static const char between[] = ", \t";
    for (const char *listed = settings.host_names + strspn(settings.host_names, between); *listed != '\0'; listed += strspn(listed, between)) {
        size_t len = strcspn(listed, between);
        if (strlen(name) == len && strncasecmp(name, listed, len) == 0)
            return true;
        listed += len;
    }
    return false;
}

enum outcome cors_check_host(const struct request *request, struct failure *failure)
{
    char name[256]; /* longer than any name (RFC 1035 section 2.3.4) */
    const char *host = request_variable(request, "HTTP_HOST");
    bool is_bracketed = *host == '[';
    host += is_bracketed;
    size_t len = strcspn(host, is_bracketed ? "]" : ":");
    bool any = settings.host_names[0] == '\0' && (*request_variable(request, "REMOTE_USER") != '\0' || !address_is_here(request_variable(request, "REMOTE_ADDR")));
    if (*host == '\0' || any) /* browsers always name it */
        return OUTCOME_OK;
    (void)snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, host);
    if (len > 0 && len < sizeof name && name[len - 1] == '.')
        name[len - 1] = '\0';
    if (is_fixed(name) || is_host_name(name))
        return OUTCOME_OK;
    return fail(failure, OUTCOME_BAD_REQUEST, "This server does not go by that name. The setting HOST_NAMES can give it more names.");
}

void cors_add_headers(struct request *request)
{
    if (settings.cors_origins[0] == '\0')
        return;
    response_header(request, "Vary", "Origin"); /* also without an Origin: a cache must not give that answer to another site's page */
    const char *origin = allowed_origin(request);
    if (origin == NULL)
        return;
    response_header(request, "Access-Control-Allow-Origin", is_any() ? "*" : origin);
    if (!is_any())
        response_header(request, "Access-Control-Allow-Credentials", "true");
    if (!cors_is_preflight(request))
        response_header(request, "Access-Control-Expose-Headers", "Parley-Conversation, Parley-Message, Parley-Question, Retry-After, Location, ETag");
}

bool cors_is_preflight(const struct request *request)
{
    return strcmp(request_method(request), "OPTIONS") == 0 && *request_variable(request, "HTTP_ORIGIN") != '\0' &&
           *request_variable(request, "HTTP_ACCESS_CONTROL_REQUEST_METHOD") != '\0';
}

/* Whether a text is a list of header names (RFC 9110 sections 5.1 and 5.6.2) that is short enough to be said again. */
static bool is_name_list(const char *text)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    if (strlen(text) > LIMIT_CORS_HEADERS_BYTES)
        return false;
    for (;;) {
        text += strspn(text, " \t");
        size_t len = strspn(text, token);
        text += len;
        text += strspn(text, " \t");
        if (len == 0 || (*text != ',' && *text != '\0'))
            return false;
        if (*text++ == '\0')
            return true;
    }
}

enum outcome cors_answer_preflight(struct request *request, struct failure *failure)
{
    const char *names = request_variable(request, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS");
    if (allowed_origin(request) == NULL)
        return fail(failure, OUTCOME_FORBIDDEN, "Pages of this site are not allowed to use the API.");
    if (*names != '\0' && !is_name_list(names))
        return fail(failure, OUTCOME_BAD_REQUEST, "Access-Control-Request-Headers is not a list of header names of at most %d bytes.", LIMIT_CORS_HEADERS_BYTES);
    response_header(request, "Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE");
    if (*names != '\0')
        response_header(request, "Access-Control-Allow-Headers", names);
    response_header(request, "Access-Control-Max-Age", "600"); /* seconds */
    response_empty(request);
    return OUTCOME_OK;
}

/* What a browser sends by itself. A bearer's token it does not: a page must have it, as OpenAI's SDK in a page has its key. */
static bool has_credentials(const struct request *request)
{
    const char *authorization = request_variable(request, "HTTP_AUTHORIZATION");
    bool is_ambient = *authorization != '\0' && strncasecmp(authorization, "Bearer ", 7) != 0;
    return is_ambient || *request_variable(request, "REMOTE_USER") != '\0' || *request_variable(request, "HTTP_COOKIE") != '\0';
}

/* Whether the request's Origin names another host than the one that was asked. What is before :// may differ, and so may Host: a proxy may have taken TLS off, and say what it was asked for. */
static bool is_foreign_origin(const struct request *request)
{
    const char *authority = strstr(request_variable(request, "HTTP_ORIGIN"), "://");
    return authority == NULL || (strcasecmp(authority + 3, request_variable(request, "HTTP_HOST")) != 0 &&
                                 strcasecmp(authority + 3, request_variable(request, "HTTP_X_FORWARDED_HOST")) != 0);
}

/* Whether a page of any site could have made the request without asking first (Fetch standard, "CORS-safelisted request-header"): a form, or a POST without a body. */
static bool is_simple(const struct request *request)
{
    static const char json[] = "application/json";
    return strcmp(request_method(request), "POST") == 0 && strncasecmp(request_variable(request, "CONTENT_TYPE"), json, sizeof json - 1) != 0;
}

/* Whether a page of another origin made this request. Browsers say so (Fetch Metadata, section 2.4); of older ones Origin is looked at. */
static bool is_cross_origin(const struct request *request)
{
    static const char site[] = "HTTP_SEC_FETCH_SITE";
    if (*request_variable(request, site) != '\0')
        return request_any_variable(request, site, "cross-site") || request_any_variable(request, site, "same-site");
    return *request_variable(request, "HTTP_ORIGIN") != '\0' && is_foreign_origin(request);
}

enum outcome cors_check(const struct request *request, struct failure *failure)
{
    const char *method = request_method(request);
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return OUTCOME_OK;
    const char *origin = allowed_origin(request);
    if (origin != NULL && is_any() && is_cross_origin(request) && has_credentials(request))
        return fail(failure, OUTCOME_FORBIDDEN, "Pages of other sites may use the API, but not with the visitor's sign-in.");
    bool is_told = *request_variable(request, "HTTP_SEC_FETCH_SITE") != '\0'; /* browsers tell it over https and to this machine only */
    if (origin == NULL && (is_told ? request_any_variable(request, "HTTP_SEC_FETCH_SITE", "cross-site") : is_simple(request) && is_cross_origin(request)))
        return fail(failure, OUTCOME_FORBIDDEN, "Requests from pages of other sites are not taken.");
    return OUTCOME_OK;
}
