/*
 * A fuzz target: AWS event streams through src/llm/event_stream.h, as they come (an odd first byte) or with their lengths and checksums mended. Cuts change nothing.
 */
#include "../../src/llm/event_stream.h"
#include "frames.h"
#include "fuzz.h"

struct reading {
    struct event_stream stream;
    enum event_stream_result result;
    struct buf heard;
    size_t frames;
};

static bool on_frame(void *arg, const struct event_frame *frame)
{
    struct reading *reading = arg;
    insist(frame->payload[frame->len] == '\0' && frame->len < reading->stream.frame.max);
    insist(strlen(frame->message_type) < EVENT_STREAM_NAME_BYTES && strlen(frame->event_type) < EVENT_STREAM_NAME_BYTES);
    insist(strlen(frame->exception_type) < EVENT_STREAM_NAME_BYTES && strlen(frame->error_code) < EVENT_STREAM_NAME_BYTES && strlen(frame->error_message) < LIMIT_ERROR_BYTES);
    buf_addf(&reading->heard, "[%s|%s|%s|%s|%s|", frame->message_type, frame->event_type, frame->exception_type, frame->error_code, frame->error_message);
    buf_add(&reading->heard, frame->payload, frame->len);
    return ++reading->frames < 20;
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct reading *reading = arg;
    reading->result = event_stream_feed(&reading->stream, bytes, len, on_frame, reading);
    return reading->result == EVENT_STREAM_MORE;
}

static void read_frames(struct reading *reading, size_t max, const uint8_t *data, size_t size, unsigned seed)
{
    *reading = (struct reading){.result = EVENT_STREAM_MORE};
    buf_init(&reading->heard, SIZE_MAX / 4);
    event_stream_init(&reading->stream, max);
    fuzz_feed(data, size, seed, feed, reading);
    if (reading->result == EVENT_STREAM_MORE)
        buf_add_char(&reading->heard, event_stream_is_between(&reading->stream) ? '.' : '-');
    event_stream_free(&reading->stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole, cut;
    if (size == 0)
        return 0;
    size_t max = data[0] % 8 == 0 ? 64 : 65536;
    uint8_t *bytes = (uint8_t *)fuzz_bytes(data + 1, size - 1);
    if (data[0] % 2 == 0)
        frames_mend(bytes, size - 1);
    read_frames(&whole, max, bytes, size - 1, 0);
    read_frames(&cut, max, bytes, size - 1, data[0] + 1u);
    insist(whole.result == cut.result && whole.frames == cut.frames);
    insist(whole.heard.len == cut.heard.len && memcmp(whole.heard.data, cut.heard.data, cut.heard.len) == 0);
    buf_free(&whole.heard);
    buf_free(&cut.heard);
    free(bytes);
    return 0;
}
