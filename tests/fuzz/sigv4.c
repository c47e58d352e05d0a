/*
 * A fuzz target: what is signed for AWS, src/llm/sigv4.h. Lines of the input are path, query, host, region, service, keys, token, type; the rest is the body. The headers hold
 * whole lines only; the query in its canonical form is in it already.
 */
#include <ctype.h>

#include "../../src/llm/sigv4.h"
#include "fuzz.h"

static void check_query(const char *query)
{
    struct buf once, twice;
    buf_init(&once, 256 * 1024);
    buf_init(&twice, 256 * 1024);
    if (sigv4_add_query(&once, query)) {
        insist(once.data[strspn(once.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%=&")] == '\0');
        insist(sigv4_add_query(&twice, once.data) && strcmp(once.data, twice.data) == 0);
    }
    buf_free(&once);
    buf_free(&twice);
}

static void check_headers(const char *headers, size_t len)
{
    insist(len > 0 && headers[len - 1] == '\n' && strlen(headers) == len && strncmp(headers, "X-Amz-Date: ", 12) == 0);
    size_t lines = 0;
    for (const char *at = headers; *at != '\0'; at = strchr(at, '\n') + 1, lines++) {
        insist(strncmp(at, "X-Amz-", 6) == 0 || strncmp(at, "Authorization: AWS4-HMAC-SHA256 ", 32) == 0);
        for (const char *c = at; *c != '\n'; c++)
            insist((unsigned char)*c >= 0x20 && *c != 0x7F);
    }
    insist(lines >= 2 && lines <= 4);
}

/* With another secret nothing but the signature is another. */
static void check_secret(const struct sigv4_request *request, const char *headers)
{
    static const char name[] = "Signature=";
    enum { HEX_BYTES = 64 };
    size_t len = strlen(request->secret_key);
    struct sigv4_request other = *request;
    struct failure failure = {0};
    struct buf others;
    char *secret = fuzz_text((const uint8_t *)request->secret_key, len);
    for (size_t i = 0; i < len; i++)
        secret[i] = secret[i] == 'x' ? 'y' : 'x';
    other.secret_key = secret;
    buf_init(&others, 256 * 1024);
    insist(sigv4_sign(&other, &others, &failure) == OUTCOME_OK && strlen(headers) == others.len);
    size_t at = 0;
    while (at < others.len && headers[at] == others.data[at])
        at++;
    if (at < others.len) {
        size_t start = at;
        while (start > 0 && isxdigit((unsigned char)headers[start - 1]))
            start--;
        insist(at - start < HEX_BYTES && others.len - start >= HEX_BYTES && start >= strlen(name) && strncmp(headers + start - strlen(name), name, strlen(name)) == 0);
        insist(strcmp(headers + start + HEX_BYTES, others.data + start + HEX_BYTES) == 0);
    } else {
        insist(len == 0);
    }
    buf_free(&others);
    free(secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LINES = 9 };
    if (size == 0)
        return 0;
    char *lines[LINES];
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    for (int i = 0; i < LINES; i++)
        lines[i] = fuzz_line(&at, &left);
    char *body = fuzz_bytes(at, left);
    struct sigv4_request request = {
        .method = "POST", .path = lines[0], .query = lines[1], .host = lines[2], .region = lines[3], .service = data[0] % 4 == 0 ? "s3" : lines[4], .access_key = lines[5],
        .secret_key = lines[6], .session_token = lines[7], .content_type = data[0] % 2 == 0 ? lines[8] : NULL, .body = body, .body_len = left, .time = 1440938160 + data[0],
    };
    struct buf headers, again;
    struct failure failure = {0};
    buf_init(&headers, 256 * 1024);
    buf_init(&again, 256 * 1024);
    enum outcome outcome = sigv4_sign(&request, &headers, &failure);
    fuzz_check_failure(outcome, &failure);
    insist(outcome == OUTCOME_OK || outcome == OUTCOME_PROVIDER_AUTH || outcome == OUTCOME_NO_MEMORY);
    if (outcome == OUTCOME_OK) {
        check_headers(headers.data, headers.len);
        insist(data[0] % 8 != 0 || (sigv4_sign(&request, &again, &failure) == OUTCOME_OK && strcmp(headers.data, again.data) == 0));
        if (data[0] % 8 == 1)
            check_secret(&request, headers.data);
    } else {
        insist(headers.len == 0);
    }
    check_query(lines[1]);
    buf_free(&headers);
    buf_free(&again);
    for (int i = 0; i < LINES; i++)
        free(lines[i]);
    free(body);
    return 0;
}
