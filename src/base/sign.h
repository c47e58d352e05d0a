/*
 * Signatures over what a client keeps for us and brings back: HMAC-SHA256 (RFC 2104), by libcrypto.
 *
 * Neighbours: chat/state.c (what is signed). Leaves out: where keys come from.
 */
#ifndef PARLEY_SIGN_H
#define PARLEY_SIGN_H

#include <stdbool.h>
#include <stddef.h>

enum { SIGN_BYTES = 45 /* 32 bytes in base64 and a NUL */, SIGN_HEX_BYTES = 65 };

/* Writes the signature of `text` under `key` in base64 (RFC 4648 section 4). False: libcrypto failed. */
bool sign_text(const char *key, const char *text, size_t len, char signature[SIGN_BYTES]);

/* Whether two signatures are the same, in a time that does not tell how far they are. */
bool sign_equal(const char *a, const char *b);

/* Writes the SHA-256 of `text` in hexadecimal. False: libcrypto failed. */
bool sign_hash(const char *text, size_t len, char hash[SIGN_HEX_BYTES]);

#endif
