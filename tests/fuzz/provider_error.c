/*
 * A fuzz target: what a provider says when it refuses, src/llm/provider_error.h: body, status, and what its headers asked for (Retry-After itself, dates too, is read by libcurl).
 */
#include "../../src/base/limits.h"
#include "../../src/llm/provider_error.h"
#include "fuzz.h"

static void check(const struct provider_error *error)
{
    struct failure failure = {0};
    size_t len = strnlen(error->message, sizeof error->message);
    insist(len < sizeof error->message && utf8_valid(error->message, len) && strnlen(error->param, sizeof error->param) < sizeof error->param);
    for (size_t i = 0; i < len; i++)
        insist((unsigned char)error->message[i] >= 0x20);
    insist(error->retry_after_ms >= -1 && error->outcome != OUTCOME_OK);
    fuzz_check_failure(provider_error_fail(error, &failure), &failure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {0, 200, 302, 400, 401, 402, 403, 404, 408, 409, 413, 422, 424, 429, 498, 500, 502, 503, 529, 999};
    static const int64_t waits[] = {-1, 0, 1500, 1000000000};
    if (size < 2)
        return 0;
    char *body = fuzz_bytes(data + 2, size - 2);
    struct exchange exchange = {
        .end = data[1] % 4 != 0 ? EXCHANGE_DONE : (enum exchange_end)(data[1] / 4 % (EXCHANGE_NO_MEMORY + 1)),
        .status = statuses[data[0] % (sizeof statuses / sizeof statuses[0])],
        .retry_after_ms = waits[data[1] / 32 % 4],
        .should_retry = data[0] / 32 % 3 - 1,
    };
    struct provider_error error, inside = {.retry_after_ms = -1};
    log_set_level((enum log_level)(LOG_ERROR + 1));
    provider_error_read(&error, &exchange, body, size - 2);
    check(&error);
    json_object *object = json_read_loose(body, size - 2);
    if (provider_error_is_one(object)) {
        provider_error_read_json(&inside, object, 0);
        check(&inside);
    }
    json_object_put(object);
    free(body);
    return 0;
}
