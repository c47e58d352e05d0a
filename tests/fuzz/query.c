/*
 * A fuzz target: query strings through request_query(). What comes out is UTF-8 without NUL, of bounded length; and any text, percent-encoded, comes out as it was. Days
 * (GET /usage) too.
 */
#include "../../src/base/clock.h"
#include "fake.h"

static const char *const names[] = {"q", "after", "limit", ""};

static void check_any(const char *query)
{
    struct fake fake;
    fake_begin(&fake);
    fake_set(&fake, "QUERY_STRING", query);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct failure failure = {0};
        char *value = NULL;
        enum outcome outcome = request_query(&fake.request, names[i], &value, &failure);
        fuzz_check_failure(outcome, &failure);
        insist(outcome == OUTCOME_OK || (outcome == OUTCOME_BAD_REQUEST && value == NULL));
        if (value != NULL)
            insist(strlen(value) <= LIMIT_QUERY_VALUE_BYTES && utf8_valid(value, strlen(value)) && strstr(query, names[i]) != NULL);
        mem_free(value);
    }
    fake_end(&fake);
}

static void check_encoded(const char *text)
{
    struct buf query;
    struct fake fake;
    struct failure failure = {0};
    char *value = NULL;
    buf_init(&query, 1024 * 1024);
    buf_add_text(&query, "qq=1&aq=2&q=");
    for (const char *c = text; *c != '\0'; c++)
        if (*c == ' ')
            buf_add_char(&query, '+');
        else
            buf_addf(&query, (*c & 1) != 0 ? "%%%02X" : "%%%02x", (unsigned char)*c);
    buf_add_text(&query, "&q=other&z");
    fake_begin(&fake);
    fake_set(&fake, "QUERY_STRING", query.data);
    enum outcome outcome = request_query(&fake.request, "q", &value, &failure);
    if (strlen(text) <= LIMIT_QUERY_VALUE_BYTES && query.len <= LIMIT_QUERY_BYTES)
        insist(outcome == OUTCOME_OK && (value != NULL ? strcmp(value, text) == 0 : *text == '\0'));
    else
        insist(outcome == OUTCOME_BAD_REQUEST);
    mem_free(value);
    fake_end(&fake);
    buf_free(&query);
}

/* A NUL in a value is refused wherever it stands. */
static void check_nul(const char *text)
{
    char query[128], *value = NULL;
    struct fake fake;
    struct failure failure = {0};
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
    (void)snprintf(query, sizeof query, "a=1&q=%.*s%%00%s", (int)(len < 60 ? len : 60), text, text[len] != '\0' ? "x" : "");
    fake_begin(&fake);
    fake_set(&fake, "QUERY_STRING", query);
    insist(request_query(&fake.request, "q", &value, &failure) == OUTCOME_BAD_REQUEST && value == NULL);
    fake_end(&fake);
}

/* A day that is taken is written as it was read. */
static void check_day(const char *text)
{
    char day[CLOCK_DAY_BYTES];
    int64_t number = 0;
    if (clock_day_read(text, &number))
        insist(strcmp(clock_day_text(number, day), text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *query = fuzz_text(data + 1, size - 1), *text = fuzz_utf8(data + 1, size - 1);
    check_any(query);
    check_day(query);
    if (data[0] % 2 == 0)
        check_encoded(text);
    if (data[0] % 16 == 1)
        check_nul(text);
    free(query);
    free(text);
    return 0;
}
