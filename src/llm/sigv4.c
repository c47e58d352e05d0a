/*
 * The signer of sigv4.h, with the hashes of OpenSSL.
 *
 * Nothing here is logged: keys go through fixed places on the stack that are wiped, the canonical request holds the session token and is freed.
 */
#include "sigv4.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/limits.h"

enum {
    HASH_BYTES = 32,             /* SHA-256 */
    KEY_BYTES = 256,             /* an access key or a secret; AWS's have 20 and 40 */
    CANONICAL_BYTES = 64 * 1024, /* the canonical request: mostly a session token */
    PARAMETERS = 64              /* of a query */
};

struct hex {
    char text[HASH_BYTES * 2 + 1];
};

struct stamp {
    char time[sizeof "20150830T123600Z"], day[sizeof "20150830"];
};

/* --- hashes ------------------------------------------------------------------------------------------------------- */

static struct hex hex_of(const unsigned char hash[HASH_BYTES])
{
    struct hex hex;
    for (size_t i = 0; i < HASH_BYTES; i++)
        (void)snprintf(hex.text + i * 2, 3, "%02x", hash[i]);
    return hex;
}

static bool hash_text(const char *text, size_t len, struct hex *hex)
{
    unsigned char hash[HASH_BYTES];
    size_t hash_len = 0;
    bool good = EVP_Q_digest(NULL, "SHA256", NULL, len > 0 ? text : "", len, hash, &hash_len) == 1 && hash_len == HASH_BYTES;
    if (good)
        *hex = hex_of(hash);
    return good;
}

/* HMAC-SHA256; `out` may be the key. */
static bool mac_text(const void *key, size_t key_len, const char *text, unsigned char out[HASH_BYTES])
{
    unsigned char mac[HASH_BYTES];
    size_t mac_len = 0;
    bool good = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_len, (const unsigned char *)text, strlen(text), mac, sizeof mac, &mac_len) != NULL &&
                mac_len == HASH_BYTES;
    memcpy(out, mac, sizeof mac);
    OPENSSL_cleanse(mac, sizeof mac);
    return good;
}

/* --- the canonical request ---------------------------------------------------------------------------------------- */

static void add_encoded(struct buf *out, unsigned char c)
{
    if (isalnum(c) || (c != '\0' && strchr("-._~", c) != NULL))
        buf_add_char(out, (char)c);
    else
        buf_addf(out, "%%%02X", c);
}

void sigv4_add_path(struct buf *out, const char *path, const char *service)
{
    if (strcmp(service, "s3") == 0) {
        buf_add_text(out, path);
        return;
    }
    for (; *path != '\0'; path++)
        if (*path == '/')
            buf_add_char(out, '/');
        else
            add_encoded(out, (unsigned char)*path);
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends a name or value of a query, which may be encoded or not, encoded in the one way that is signed. */
static void add_encoded_anew(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && len - i > 2 && digit_of(text[i + 1]) >= 0 && digit_of(text[i + 2]) >= 0) {
            add_encoded(out, (unsigned char)(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2])));
            i += 2;
        } else {
            add_encoded(out, (unsigned char)text[i]);
        }
    }
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names are sorted, then values: so while they are sorted \1, which comes before all other characters, stands for the "=" between them. */
bool sigv4_add_query(struct buf *out, const char *query)
{
    size_t starts[PARAMETERS], count = 0;
    const char *sorted[PARAMETERS];
    struct buf texts;
    buf_init(&texts, out->max);
    while (*query != '\0' && count < PARAMETERS) {
        size_t len = strcspn(query, "&"), name_len = strcspn(query, "=&");
        if (len > 0) {
            starts[count++] = texts.len;
            add_encoded_anew(&texts, query, name_len);
            buf_add_char(&texts, '\1');
            if (name_len < len)
                add_encoded_anew(&texts, query + name_len + 1, len - name_len - 1);
            buf_add_char(&texts, '\0');
        }
        query += len + (query[len] == '&');
    }
    bool good = *query == '\0' && !buf_failed(&texts);
    for (size_t i = 0; good && i < count; i++)
        sorted[i] = texts.data + starts[i];
    if (good && count > 0)
        qsort(sorted, count, sizeof *sorted, compare_texts);
    for (size_t i = 0; good && i < count; i++) {
        const char *value = strchr(sorted[i], '\1') + 1;
        buf_addf(out, "%s%.*s=%s", i > 0 ? "&" : "", (int)(value - 1 - sorted[i]), sorted[i], value);
    }
    buf_free(&texts);
    return good;
}

/* Appends a header to the canonical ones and its name to the list of those signed. They must come in the order of their names. */
static void sign_header(struct buf *canonical, struct buf *names, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    buf_addf(canonical, "%s:%s\n", name, value);
    buf_addf(names, "%s%s", names->len > 0 ? ";" : "", name);
}

/* Step 1 of AWS's page: the request in the one form that both sides hash. False: no memory, or over a ceiling. */
static bool write_canonical(const struct sigv4_request *request, const char *time, struct buf *canonical, struct buf *names, struct hex *body_hash)
{
    if (!hash_text(request->body, request->body_len, body_hash))
        return false;
    buf_addf(canonical, "%s\n", request->method);
    sigv4_add_path(canonical, request->path, request->service);
    buf_add_char(canonical, '\n');
    bool good = sigv4_add_query(canonical, request->query != NULL ? request->query : "");
    buf_add_char(canonical, '\n');
    sign_header(canonical, names, "content-type", request->content_type);
    sign_header(canonical, names, "host", request->host);
    sign_header(canonical, names, "x-amz-content-sha256", strcmp(request->service, "s3") == 0 ? body_hash->text : NULL);
    sign_header(canonical, names, "x-amz-date", time);
    sign_header(canonical, names, "x-amz-security-token", request->session_token);
    buf_addf(canonical, "\n%s\n%s", names->data, body_hash->text);
    return good && !buf_failed(canonical) && !buf_failed(names);
}

/* --- the signature ------------------------------------------------------------------------------------------------ */

/* Steps 3 and 4: a key for this day, region and service, and with it the signature. */
static bool make_signature(const struct sigv4_request *request, const char *day, const char *text, struct hex *signature)
{
    char secret[KEY_BYTES + sizeof "AWS4"];
    unsigned char key[HASH_BYTES];
    int len = snprintf(secret, sizeof secret, "AWS4%s", request->secret_key);
    bool good = len > 0 && (size_t)len < sizeof secret && mac_text(secret, (size_t)len, day, key) && mac_text(key, sizeof key, request->region, key) &&
                mac_text(key, sizeof key, request->service, key) && mac_text(key, sizeof key, "aws4_request", key) && mac_text(key, sizeof key, text, key);
    if (good)
        *signature = hex_of(key);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(key, sizeof key);
    return good;
}

/* Whether `text` can stand in a header line. */
static bool is_good(const char *text, size_t most)
{
    size_t len = text != NULL ? strlen(text) : 0;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    return len > 0 && len <= most;
}

static bool is_good_request(const struct sigv4_request *request)
{
    const char *token = request->session_token, *type = request->content_type;
    return is_good(request->access_key, KEY_BYTES) && is_good(request->secret_key, KEY_BYTES) && is_good(request->region, KEY_BYTES) &&
           is_good(request->service, KEY_BYTES) && is_good(request->host, CANONICAL_BYTES) && is_good(request->path, CANONICAL_BYTES) &&
           (token == NULL || *token == '\0' || is_good(token, CANONICAL_BYTES)) && (type == NULL || is_good(type, CANONICAL_BYTES));
}

static bool write_stamp(time_t time, struct stamp *stamp)
{
    struct tm parts;
    return gmtime_r(&time, &parts) != NULL && strftime(stamp->time, sizeof stamp->time, "%Y%m%dT%H%M%SZ", &parts) > 0 &&
           strftime(stamp->day, sizeof stamp->day, "%Y%m%d", &parts) > 0;
}

/* All of it, into buffers that the caller frees. */
static bool write_headers(const struct sigv4_request *request, const struct stamp *stamp, struct buf *canonical, struct buf *names, struct buf *to_sign,
                          struct buf *lines)
{
    struct hex body_hash, request_hash, signature;
    if (!write_canonical(request, stamp->time, canonical, names, &body_hash) || !hash_text(canonical->data, canonical->len, &request_hash))
        return false;
    buf_addf(to_sign, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", stamp->time, stamp->day, request->region, request->service, request_hash.text);
    if (buf_failed(to_sign) || !make_signature(request, stamp->day, to_sign->data, &signature))
        return false;
    buf_addf(lines, "X-Amz-Date: %s\n", stamp->time);
    if (request->session_token != NULL && *request->session_token != '\0')
        buf_addf(lines, "X-Amz-Security-Token: %s\n", request->session_token);
    if (strcmp(request->service, "s3") == 0)
        buf_addf(lines, "X-Amz-Content-Sha256: %s\n", body_hash.text);
    buf_addf(lines, "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s\n", request->access_key, stamp->day,
             request->region, request->service, names->data, signature.text);
    return !buf_failed(lines);
}

enum outcome sigv4_sign(const struct sigv4_request *request, struct buf *headers, struct failure *failure)
{
    struct stamp stamp;
    struct buf canonical, names, to_sign, lines;
    if (!is_good_request(request) || !write_stamp(request->time, &stamp))
        return fail(failure, OUTCOME_PROVIDER_AUTH, "The server's AWS credentials, region or address cannot be used to sign a request.");
    buf_init(&canonical, CANONICAL_BYTES);
    buf_init(&names, 256);
    buf_init(&to_sign, 1024);
    buf_init(&lines, CANONICAL_BYTES + 2048);
    bool good = write_headers(request, &stamp, &canonical, &names, &to_sign, &lines) && buf_reserve(headers, lines.len);
    if (good)
        buf_add(headers, lines.data, lines.len);
    buf_free(&canonical);
    buf_free(&names);
    buf_free(&to_sign);
    buf_free(&lines);
    return good ? OUTCOME_OK : fail_no_memory(failure);
}
