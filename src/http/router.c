/*
 * The matcher of router.h.
 */
#include "router.h"

#include <string.h>

#include "../base/mem.h"
#include "response.h"

struct span {
    const char *text;
    size_t len;
};

/* Compares segment by segment; open segments must not be empty. A last {*} takes all that is left. */
static bool matches(const char *pattern, const char *path, struct span open[], size_t *count)
{
    *count = 0;
    while (*pattern == '/' && *path == '/') {
        size_t want = strcspn(++pattern, "/");
        bool takes_rest = strcmp(pattern, "{*}") == 0;
        size_t have = takes_rest ? strlen(path + 1) : strcspn(path + 1, "/");
        path++;
        if (takes_rest || (want == 2 && memcmp(pattern, "{}", 2) == 0)) {
            if (have == 0 || *count == LIMIT_PATH_SEGMENTS)
                return false;
            open[(*count)++] = (struct span){path, have};
        } else if (want != have || memcmp(pattern, path, want) != 0) {
            return false;
        }
        pattern += want;
        path += have;
    }
    return *pattern == '\0' && *path == '\0';
}

static enum outcome keep_segments(struct request *request, const struct span open[], size_t count, struct failure *failure)
{
    char *copies[LIMIT_PATH_SEGMENTS] = {NULL};
    for (size_t i = 0; i < count; i++) {
        copies[i] = mem_new(1, open[i].len + 1);
        if (copies[i] == NULL) {
            while (i-- > 0)
                mem_free(copies[i]);
            return fail_no_memory(failure);
        }
        memcpy(copies[i], open[i].text, open[i].len);
    }
    request_set_segments(request, copies, count);
    return OUTCOME_OK;
}

static enum outcome find(const struct route *routes, size_t count, struct request *request, const struct route **found, struct failure *failure)
{
    const char *method = request_method(request);
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    struct buf allow;
    buf_init(&allow, LIMIT_HEADER_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct span open[LIMIT_PATH_SEGMENTS];
        size_t open_count;
        if (!matches(routes[i].pattern, request_path(request), open, &open_count))
            continue;
        if (strcmp(routes[i].method, method) == 0) {
            buf_free(&allow);
            *found = &routes[i];
            return keep_segments(request, open, open_count, failure);
        }
        buf_addf(&allow, "%s%s", allow.len > 0 ? ", " : "", routes[i].method);
    }
    if (allow.len == 0)
        return fail(failure, OUTCOME_NOT_FOUND, "There is nothing at this address.");
    response_header(request, "Allow", allow.data);
    enum outcome outcome = fail(failure, OUTCOME_BAD_METHOD, "This address takes %s only.", allow.data);
    buf_free(&allow);
    return outcome;
}

enum outcome router_find(const struct route *routes, size_t count, struct request *request, const struct route **found,
                         struct failure *failure)
{
    enum outcome outcome = find(routes, count, request, found, failure);
    if (outcome == OUTCOME_NOT_FOUND && request_use_path_info(request)) /* the program may be mounted below a prefix */
        outcome = find(routes, count, request, found, failure);
    return outcome;
}
