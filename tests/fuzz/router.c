/*
 * A fuzz target: how the path of a request is found among the variables of a host server, and the route to it: find_path() of src/http/request.c and src/http/router.h. Lines of
 * the input: SCRIPT_NAME, PATH_INFO, REQUEST_URI, REQUEST_METHOD, PARLEY_PREFIX.
 */
#include "../../src/http/request.c"
#include "../../src/api/routes.h"
#include "fake.h"

/* What has to be true of every path that a handler may see. */
static void check_path(const struct request *request)
{
    const char *path = request_path(request), *prefix = NULL;
    insist(strlen(path) <= LIMIT_PATH_BYTES && utf8_valid(path, strlen(path)) && (path[0] == '/' || path[0] == '\0'));
    insist(utf8_valid(request_path_beginning(request), strlen(request_path_beginning(request))));
    size_t len = request_prefix(request, &prefix);
    insist(prefix != NULL && len <= strlen(prefix));
    if (len > 0 && prefix != settings.prefix)
        insist(prefix[0] == '/' && (len == 1 || (prefix[1] != '/' && prefix[1] != '\\')));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LINES = 5 };
    static const char *const names[] = {"SCRIPT_NAME", "PATH_INFO", "REQUEST_URI", "REQUEST_METHOD"};
    if (size == 0)
        return 0;
    fuzz_settings();
    char *lines[LINES];
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    struct fake fake;
    fake_begin(&fake);
    for (int i = 0; i < LINES; i++) {
        lines[i] = fuzz_line(&at, &left);
        if (i < LINES - 1)
            fake_set(&fake, names[i], lines[i]);
    }
    fake_set(&fake, "SCRIPT_FILENAME", data[0] % 4 == 0 ? "/" : "/nowhere");
    if (data[0] % 8 == 1)
        fake_set(&fake, "REDIRECT_REQUEST_METHOD", "OPTIONS");
    settings.prefix = data[0] % 2 == 0 ? "" : "/parley";
    find_path(&fake.request);
    check_path(&fake.request);
    const struct route *found = NULL;
    struct failure failure = {0};
    enum outcome outcome = router_find(routes, route_count, &fake.request, &found, &failure);
    fuzz_check_failure(outcome, &failure);
    check_path(&fake.request);
    insist((outcome == OUTCOME_OK) == (found != NULL));
    for (size_t i = 0; i < fake.request.segment_count; i++)
        insist(*request_segment(&fake.request, i) != '\0' && (strchr(request_segment(&fake.request, i), '/') == NULL || strstr(found->pattern, "{*}") != NULL));
    fake_check_headers(&fake);
    settings.prefix = "";
    fake_end(&fake);
    for (int i = 0; i < LINES; i++)
        free(lines[i]);
    return 0;
}
