/*
 * See sign.h.
 */
#include "sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { HASH_BYTES = 32 };

bool sign_text(const char *key, const char *text, size_t len, char signature[SIGN_BYTES])
{
    unsigned char mac[HASH_BYTES];
    size_t mac_len = 0;
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, strlen(key), (const unsigned char *)text, len, mac, sizeof mac, &mac_len) == NULL || mac_len != HASH_BYTES)
        return false;
    return EVP_EncodeBlock((unsigned char *)signature, mac, HASH_BYTES) == SIGN_BYTES - 1;
}

bool sign_equal(const char *a, const char *b)
{
    size_t len = strlen(a);
    return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}

bool sign_hash(const char *text, size_t len, char hash[SIGN_HEX_BYTES])
{
    unsigned char bytes[HASH_BYTES];
    size_t bytes_len = 0;
    if (EVP_Q_digest(NULL, "SHA256", NULL, len > 0 ? text : "", len, bytes, &bytes_len) != 1 || bytes_len != HASH_BYTES)
        return false;
    for (size_t i = 0; i < HASH_BYTES; i++)
        (void)snprintf(hash + 2 * i, 3, "%02x", bytes[i]);
    return true;
}
