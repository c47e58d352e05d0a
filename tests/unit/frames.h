/*
 * Frames of AWS event streams for tests, built with checksums of their own making: what event_stream.c reads must not be proved by what it computes.
 */
#ifndef PARLEY_UNIT_FRAMES_H
#define PARLEY_UNIT_FRAMES_H

#include "unit.h"

/* CRC-32 bit by bit, as RFC 1952 describes it. */
static inline uint32_t frames_crc(const char *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    }
    return ~crc;
}

static inline void frames_add_number(struct buf *out, uint32_t number, size_t size)
{
    while (size-- > 0)
        buf_add_char(out, (char)(number >> size * 8));
}

static inline void frames_add_header(struct buf *headers, const char *name, const char *value)
{
    buf_add_char(headers, (char)strlen(name));
    buf_add_text(headers, name);
    buf_add_char(headers, 7);
    frames_add_number(headers, (uint32_t)strlen(value), 2);
    buf_add_text(headers, value);
}

/* Appends a frame around headers that are written already. */
static inline void frames_add_raw(struct buf *out, const char *headers, size_t headers_len, const char *payload, size_t len)
{
    size_t start = out->len;
    frames_add_number(out, (uint32_t)(16 + headers_len + len), 4);
    frames_add_number(out, (uint32_t)headers_len, 4);
    frames_add_number(out, frames_crc(out->data + start, 8), 4);
    buf_add(out, headers, headers_len);
    buf_add(out, payload, len);
    frames_add_number(out, frames_crc(out->data + start, out->len - start), 4);
}

/* Appends a frame as Bedrock sends it: `kind` is event, exception or error, `type` goes with it. */
static inline void frames_add(struct buf *out, const char *kind, const char *type, const char *payload)
{
    struct buf headers;
    char name[64];
    buf_init(&headers, 4096);
    (void)snprintf(name, sizeof name, ":%s-%s", kind, strcmp(kind, "error") == 0 ? "code" : "type");
    frames_add_header(&headers, name, type);
    frames_add_header(&headers, ":content-type", "application/json");
    frames_add_header(&headers, ":message-type", kind);
    if (strcmp(kind, "error") == 0)
        frames_add_header(&headers, ":error-message", payload);
    frames_add_raw(out, headers.data, headers.len, payload, strcmp(kind, "error") == 0 ? 0 : strlen(payload));
    buf_free(&headers);
}

#endif
