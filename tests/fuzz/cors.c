/*
 * A fuzz target: the setting CORS_ORIGINS and the headers of a browser, through src/base/settings.c and src/api/cors.h. An origin is allowed when it is in the list, never
 * otherwise; what a browser sends is in no header of the answer unless it is.
 */
#include "../../src/base/settings.c"
#include "../../src/api/cors.h"
#include "fake.h"

/* Whether the list has this origin: another way than that of cors.c. */
static bool is_listed(const char *list, const char *origin)
{
    size_t len = strlen(origin);
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, ", \t");
        size_t n = strcspn(at, ", \t");
        if ((n == len || (n == len + 1 && at[len] == '/')) && strncasecmp(at, origin, len) == 0)
            return true;
        at += n;
    }
    return false;
}

static void check(const char *list, const char *origin, struct fake *fake)
{
    struct failure failure = {0};
    enum outcome checked = cors_check(&fake->request, &failure);
    fuzz_check_failure(checked, &failure);
    cors_add_headers(&fake->request);
    fake_check_headers(fake);
    const char *allowed = strstr(fake->request.headers.data, "Access-Control-Allow-Origin: ");
    if (allowed != NULL) {
        bool is_any = strncmp(allowed + 29, "*\r\n", 3) == 0 && strcmp(list, "*") == 0;
        insist(is_any || is_listed(list, origin));
        insist(!is_any || strstr(fake->request.headers.data, "Allow-Credentials") == NULL);
        insist(strcmp(origin, "null") != 0);
    }
}

/* Without HOST_NAMES and sign-in, what is served from this machine is an address or ends in localhost. */
static void check_host(const char *host, struct fake *fake)
{
    struct failure failure = {0};
    fake_set(fake, "REMOTE_ADDR", "127.0.0.1");
    enum outcome checked = cors_check_host(&fake->request, &failure);
    fuzz_check_failure(checked, &failure);
    if (checked == OUTCOME_OK && *host != '\0')
        insist(strcasestr(host, "localhost") != NULL || *host == '[' || (*host >= '0' && *host <= '9'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LINES = 6 };
    static const char *const names[] = {"HTTP_ORIGIN", "HTTP_HOST", "HTTP_SEC_FETCH_SITE", "CONTENT_TYPE", "HTTP_AUTHORIZATION"};
    static const char *const methods[] = {"GET", "POST", "OPTIONS", "DELETE"};
    if (size == 0)
        return 0;
    fuzz_settings();
    if (complain_on == stderr)
        complain_on = fopen("/dev/null", "we");
    char *lines[LINES];
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    for (int i = 0; i < LINES; i++)
        lines[i] = fuzz_line(&at, &left);
    struct row *row = row_find("CORS_ORIGINS");
    insist(row != NULL && row_set(row, lines[0]));
    if (place_origins()) {
        struct fake fake;
        char *tidied = strdup(row->value);
        insist(tidied != NULL);
        fake_begin(&fake);
        for (int i = 1; i < LINES; i++)
            fake_set(&fake, names[i - 1], lines[i]);
        fake_set(&fake, "REQUEST_METHOD", methods[data[0] % 4]);
        if (data[0] % 8 == 2)
            fake_set(&fake, "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "POST");
        if (data[0] % 16 == 4)
            fake_set(&fake, "HTTP_ORIGIN", lines[2]);
        check(tidied, lines[1], &fake);
        check_host(data[0] % 16 == 4 ? request_variable(&fake.request, "HTTP_HOST") : lines[2], &fake);
        insist(place_origins() && strcmp(tidied, row->value) == 0); /* tidied once, tidy for good */
        free(tidied);
        fake_end(&fake);
    }
    for (int i = 0; i < LINES; i++)
        free(lines[i]);
    return 0;
}
