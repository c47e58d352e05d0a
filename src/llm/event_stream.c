/*
 * The reader of event_stream.h.
 *
 * A frame: total length (4), length of the headers (4), CRC of these 8 bytes (4), headers, payload, CRC of all before it (4); numbers are big-endian.
 * A header: length of its name (1), name, type (1), value; strings and byte arrays have their length (2) before them.
 */
#include "event_stream.h"

#include <stdint.h>
#include <string.h>

enum { PRELUDE_BYTES = 12, CRC_BYTES = 4 };

enum { TYPE_BYTES = 6, TYPE_STRING = 7 };

void event_stream_init(struct event_stream *stream, size_t max)
{
    stream->need = PRELUDE_BYTES;
    buf_init(&stream->frame, max > PRELUDE_BYTES ? max : PRELUDE_BYTES);
}

void event_stream_free(struct event_stream *stream)
{
    buf_free(&stream->frame);
}

bool event_stream_is_between(const struct event_stream *stream)
{
    return stream->frame.len == 0;
}

static uint32_t number_at(const char *bytes, size_t size)
{
    uint32_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

/* CRC-32 as in gzip and PNG (RFC 1952 section 8), half a byte at a time. */
static uint32_t crc_of(const char *bytes, size_t len)
{
    static const uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                       0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

/* Keeps a string if its name is one that we know. */
static void keep_text(struct event_frame *frame, const char *name, size_t name_len, const char *value, size_t len)
{
    const struct { const char *name; char *text; size_t size; } known[] = {
        {":message-type", frame->message_type, sizeof frame->message_type},
        {":event-type", frame->event_type, sizeof frame->event_type},
        {":exception-type", frame->exception_type, sizeof frame->exception_type},
        {":error-code", frame->error_code, sizeof frame->error_code},
        {":error-message", frame->error_message, sizeof frame->error_message},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == name_len && memcmp(known[i].name, name, name_len) == 0) {
            size_t n = len < known[i].size - 1 ? len : known[i].size - 1;
            memcpy(known[i].text, value, n);
            known[i].text[n] = '\0';
        }
}

/* The length of the header that begins at `bytes`; 0: it is damaged. */
static size_t take_header(struct event_frame *frame, const char *bytes, size_t len)
{
    static const unsigned char sizes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16}; /* true, false, byte, short, int, long, -, -, timestamp, uuid */
    size_t name_len = (unsigned char)bytes[0], at = 1 + name_len + 1;
    if (at > len)
        return 0;
    unsigned char type = (unsigned char)bytes[at - 1];
    if (type >= sizeof sizes)
        return 0;
    size_t size = sizes[type];
    if (type == TYPE_BYTES || type == TYPE_STRING) {
        if (len - at < 2)
            return 0;
        size = number_at(bytes + at, 2);
        at += 2;
    }
    if (size > len - at)
        return 0;
    if (type == TYPE_STRING)
        keep_text(frame, bytes + 1, name_len, bytes + at, size);
    return at + size;
}

static bool take_headers(struct event_frame *frame, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t n = take_header(frame, bytes, len);
        if (n == 0)
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* The lengths are believed only when their own checksum is right. */
static enum event_stream_result take_prelude(struct event_stream *stream)
{
    const char *bytes = stream->frame.data;
    size_t total = number_at(bytes, 4), headers = number_at(bytes + 4, 4);
    if (crc_of(bytes, 8) != number_at(bytes + 8, 4) || headers > EVENT_STREAM_HEADERS_BYTES || total < PRELUDE_BYTES + headers + CRC_BYTES)
        return EVENT_STREAM_DAMAGED;
    if (total > stream->frame.max)
        return EVENT_STREAM_TOO_BIG;
    stream->need = total;
    return EVENT_STREAM_MORE;
}

static enum event_stream_result take_frame(struct event_stream *stream, event_stream_on_frame *on_frame, void *arg)
{
    char *bytes = stream->frame.data;
    size_t headers = number_at(bytes + 4, 4), end = stream->need - CRC_BYTES;
    struct event_frame frame = {.payload = bytes + PRELUDE_BYTES + headers, .len = end - PRELUDE_BYTES - headers};
    if (crc_of(bytes, end) != number_at(bytes + end, 4) || !take_headers(&frame, bytes + PRELUDE_BYTES, headers))
        return EVENT_STREAM_DAMAGED;
    bytes[end] = '\0'; /* the checksum has done its work */
    bool go_on = on_frame(arg, &frame);
    buf_clear(&stream->frame);
    stream->need = PRELUDE_BYTES;
    return go_on ? EVENT_STREAM_MORE : EVENT_STREAM_STOPPED;
}

enum event_stream_result event_stream_feed(struct event_stream *stream, const char *bytes, size_t len, event_stream_on_frame *on_frame, void *arg)
{
    enum event_stream_result result = EVENT_STREAM_MORE;
    while (len > 0 && result == EVENT_STREAM_MORE) {
        size_t missing = stream->need - stream->frame.len, n = len < missing ? len : missing;
        buf_add(&stream->frame, bytes, n);
        if (buf_failed(&stream->frame))
            return EVENT_STREAM_NO_MEMORY;
        bytes += n;
        len -= n;
        if (n == missing)
            result = stream->need == PRELUDE_BYTES ? take_prelude(stream) : take_frame(stream, on_frame, arg);
    }
    return result;
}
