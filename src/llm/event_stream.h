/*
 * Reads AWS event streams (application/vnd.amazon.eventstream) from bytes that arrive in any cuts.
 *
 * No I/O: bytes go in, whole frames come out, each with both of its checksums proved. Source: AWS, "Event stream encoding" (Amazon Transcribe's developer guide and the
 * SDKs' readers). Neighbours: wire_bedrock.c. Leaves out: what events mean, signed frames (those are for uploads), header values that are no strings.
 */
#ifndef PARLEY_EVENT_STREAM_H
#define PARLEY_EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buf.h"
#include "../base/limits.h"

enum {
    EVENT_STREAM_NAME_BYTES = 64,              /* longer types are cut: none that anybody knows is */
    EVENT_STREAM_HEADERS_BYTES = 128 * 1024,   /* all headers of a frame; the ceiling of AWS's own readers */
};

/* One frame. Texts are "" when their header is missing or no string. */
struct event_frame {
    char message_type[EVENT_STREAM_NAME_BYTES];   /* event, exception or error */
    char event_type[EVENT_STREAM_NAME_BYTES];     /* of an event */
    char exception_type[EVENT_STREAM_NAME_BYTES]; /* of an exception, which the service's model knows; its text is in the payload */
    char error_code[EVENT_STREAM_NAME_BYTES];     /* of an error, which it does not know */
    char error_message[LIMIT_ERROR_BYTES];
    const char *payload; /* ends in a NUL that `len` does not count */
    size_t len;
};

/* What is given is good until the callback returns. False: stop reading. */
typedef bool event_stream_on_frame(void *arg, const struct event_frame *frame);

struct event_stream {
    struct buf frame; /* the beginning of a frame */
    size_t need;      /* bytes that it must have for the next step */
};

enum event_stream_result {
    EVENT_STREAM_MORE,     /* all bytes were taken, the next may come */
    EVENT_STREAM_STOPPED,  /* the callback said so */
    EVENT_STREAM_DAMAGED,  /* a checksum or a length is wrong: what follows cannot be read */
    EVENT_STREAM_TOO_BIG,  /* a frame over the limit */
    EVENT_STREAM_NO_MEMORY
};

/* `max` is the ceiling for a frame, in bytes. */
void event_stream_init(struct event_stream *stream, size_t max);
void event_stream_free(struct event_stream *stream);

/* After anything but EVENT_STREAM_MORE the stream takes no further bytes. */
enum event_stream_result event_stream_feed(struct event_stream *stream, const char *bytes, size_t len, event_stream_on_frame *on_frame, void *arg);

/* Whether all bytes so far were whole frames. */
bool event_stream_is_between(const struct event_stream *stream);

#endif
