/*
 * Tests of src/llm/event_stream.c: frames with known checksums (those of botocore's tests), every cut, every damaged byte, headers of every type.
 */
#include "frames.h"

#include "../../src/llm/event_stream.h"

struct seen {
    struct event_stream stream;
    struct buf text; /* one line a frame: message/event/exception/code/error text/payload */
    enum event_stream_result result;
    size_t stop_after, count;
};

static bool take(void *arg, const struct event_frame *frame)
{
    struct seen *seen = arg;
    assert_int_equal(frame->payload[frame->len], '\0');
    buf_addf(&seen->text, "%s/%s/%s/%s/%s/", frame->message_type, frame->event_type, frame->exception_type, frame->error_code, frame->error_message);
    buf_add(&seen->text, frame->payload, frame->len);
    buf_add_char(&seen->text, '\n');
    return ++seen->count != seen->stop_after;
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct seen *seen = arg;
    seen->result = event_stream_feed(&seen->stream, bytes, len, take, seen);
    return seen->result == EVENT_STREAM_MORE;
}

/* All that came of the bytes, and how it ended: more, cut (within a frame), stopped, damaged, big, memory. */
static const char *seen_in(const struct cut *cut, const char *bytes, size_t len, size_t max, size_t stop_after)
{
    static char text[64 * 1024];
    static const char *const results[] = {"more", "stopped", "damaged", "big", "memory"};
    struct seen seen = {.stop_after = stop_after};
    event_stream_init(&seen.stream, max);
    buf_init(&seen.text, sizeof text - 100);
    cut_feed(cut, bytes, len, feed, &seen);
    bool is_cut = seen.result == EVENT_STREAM_MORE && !event_stream_is_between(&seen.stream);
    (void)snprintf(text, sizeof text, "%s%s", seen.text.data, is_cut ? "cut" : results[seen.result]);
    event_stream_free(&seen.stream);
    buf_free(&seen.text);
    return text;
}

static const char *seen_whole(const char *bytes, size_t len)
{
    return seen_in(&(struct cut){.first = len, .step = len + 1}, bytes, len, 1 << 20, 0);
}

static void assert_seen(const char *bytes, size_t len, const char *wanted)
{
    EACH_CUT(cut, len)
        assert_string_equal(seen_in(&cut, bytes, len, 1 << 20, 0), wanted);
}

#define EMPTY "\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff"
#define BARE "\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36"
#define TYPED "\x00\x00\x00\x3d\x00\x00\x00\x20\x07\xfd\x83\x96\x0c" "content-type\x07\x00\x10" "application/json{'foo':'bar'}\x8d\x9c\x08\xb1"

static void published_frames_are_read_in_every_cut(void **state)
{
    (void)state;
    static const char three[] = EMPTY BARE TYPED;
    assert_seen(EMPTY, sizeof EMPTY - 1, "/////\nmore");
    assert_seen(BARE, sizeof BARE - 1, "/////{'foo':'bar'}\nmore");
    assert_seen(TYPED, sizeof TYPED - 1, "/////{'foo':'bar'}\nmore");
    assert_seen(three, sizeof three - 1, "/////\n/////{'foo':'bar'}\n/////{'foo':'bar'}\nmore");
    assert_seen("", 0, "more");
}

static void types_and_errors_are_told(void **state)
{
    (void)state;
    struct buf bytes;
    buf_init(&bytes, 4096);
    frames_add(&bytes, "event", "messageStop", "{\"a\":1}");
    frames_add(&bytes, "exception", "throttlingException", "{\"message\":\"slow\"}");
    frames_add(&bytes, "error", "InternalError", "gone");
    assert_seen(bytes.data, bytes.len,
                "event/messageStop////{\"a\":1}\nexception//throttlingException///{\"message\":\"slow\"}\nerror///InternalError/gone/\nmore");
    buf_free(&bytes);
}

#define HEADERS_OF_ALL_TYPES                                                                                                                          \
    "\x01" "a\x00" "\x01" "b\x01" "\x01" "c\x02" "x" "\x01" "d\x03" "xx" "\x01" "e\x04" "xxxx" "\x01" "f\x05" "xxxxxxxx"                             \
    "\x01" "g\x06" "\x00\x03" "\x07:e" "\x01" "h\x07" "\x00\x00" "\x01" "i\x08" "xxxxxxxx" "\x01" "j\x09" "xxxxxxxxxxxxxxxx"                         \
    "\x0b:event-type\x07\x00\x02" "ok" "\x0b:event-type\x06\x00\x01" "B" "\x0b:event-typo\x07\x00\x02" "no" "\x0a:event-typ\x07\x00\x02" "no" "\x00\x01"

static void headers_of_all_types_are_skipped_by_their_size(void **state)
{
    (void)state;
    static const char headers[] = HEADERS_OF_ALL_TYPES;
    struct buf bytes;
    buf_init(&bytes, 4096);
    frames_add_raw(&bytes, headers, sizeof headers - 1, "P", 1);
    assert_seen(bytes.data, bytes.len, "/ok////P\nmore");
    buf_free(&bytes);
}

static void headers_that_are_cut_or_unknown_are_damage(void **state)
{
    (void)state;
    static const char headers[] = HEADERS_OF_ALL_TYPES;
    static const size_t ends[] = {0, 3, 6, 10, 15, 22, 33, 41, 46, 57, 76, 93, 109, 126, 142, 144}; /* where a header ends */
    assert_int_equal(ends[sizeof ends / sizeof ends[0] - 1], sizeof headers - 1);
    for (size_t len = 0; len < sizeof headers; len++) {
        bool whole = false;
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
            whole = whole || ends[i] == len;
        struct buf bytes;
        buf_init(&bytes, 4096);
        frames_add_raw(&bytes, headers, len, "P", 1);
        assert_int_equal(strstr(seen_whole(bytes.data, bytes.len), "damaged") == NULL, whole);
        buf_free(&bytes);
    }
    for (int type = 10; type < 256; type++) {
        char header[] = {1, 'a', (char)type, 0, 0, 0, 0};
        struct buf bytes;
        buf_init(&bytes, 4096);
        frames_add_raw(&bytes, header, sizeof header, "P", 1);
        assert_string_equal(seen_whole(bytes.data, bytes.len), "damaged");
        buf_free(&bytes);
    }
}

static void long_texts_are_cut_to_their_room(void **state)
{
    (void)state;
    char name[300], wanted[2000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct buf bytes;
    buf_init(&bytes, 4096);
    frames_add(&bytes, "event", name, "P");
    (void)snprintf(wanted, sizeof wanted, "event/%.63s////P\nmore", name);
    assert_seen(bytes.data, bytes.len, wanted);
    buf_free(&bytes);
}

static void damage_in_each_byte_is_found(void **state)
{
    (void)state;
    static const char good[] = TYPED;
    for (size_t i = 0; i < sizeof good - 1; i++)
        for (int change = 1; change < 256; change++) {
            char bytes[sizeof good];
            memcpy(bytes, good, sizeof good);
            bytes[i] = (char)(bytes[i] ^ change);
            assert_string_equal(seen_whole(bytes, sizeof good - 1), "damaged");
        }
}

static void a_cut_stream_is_cut_and_gives_no_half_frame(void **state)
{
    (void)state;
    static const char good[] = BARE TYPED;
    for (size_t len = 0; len < sizeof good - 1; len++) {
        const char *got = seen_whole(good, len);
        bool first = len >= sizeof BARE - 1;
        assert_string_equal(got, len == 0 || len == sizeof BARE - 1 ? (first ? "/////{'foo':'bar'}\nmore" : "more") : first ? "/////{'foo':'bar'}\ncut" : "cut");
    }
}

/* A prelude whose own checksum is right. */
static const char *seen_after_prelude(uint32_t total, uint32_t headers, size_t max)
{
    struct buf bytes;
    buf_init(&bytes, 100);
    frames_add_number(&bytes, total, 4);
    frames_add_number(&bytes, headers, 4);
    frames_add_number(&bytes, frames_crc(bytes.data, 8), 4);
    const char *got = seen_in(&(struct cut){.first = bytes.len, .step = 1}, bytes.data, bytes.len, max, 0);
    buf_free(&bytes);
    return got;
}

static void lengths_are_checked_before_anything_is_gathered(void **state)
{
    (void)state;
    assert_string_equal(seen_after_prelude(16, 0, 1000), "cut");
    assert_string_equal(seen_after_prelude(15, 0, 1000), "damaged");
    assert_string_equal(seen_after_prelude(0, 0, 1000), "damaged");
    assert_string_equal(seen_after_prelude(12, 0, 1000), "damaged");
    assert_string_equal(seen_after_prelude(100, 85, 1000), "damaged");
    assert_string_equal(seen_after_prelude(100, 84, 1000), "cut");
    assert_string_equal(seen_after_prelude(1000, 0, 1000), "cut");
    assert_string_equal(seen_after_prelude(1001, 0, 1000), "big");
    assert_string_equal(seen_after_prelude(UINT32_MAX, 0, 1000), "big");
    assert_string_equal(seen_after_prelude(UINT32_MAX, UINT32_MAX, 1000), "damaged");
    assert_string_equal(seen_after_prelude(10, UINT32_MAX - 10, 1000), "damaged");
    assert_string_equal(seen_after_prelude(200000, 128 * 1024 + 1, 1 << 20), "damaged");
    assert_string_equal(seen_after_prelude(200000, 128 * 1024, 1 << 20), "cut");
}

static void the_callback_may_stop_it(void **state)
{
    (void)state;
    static const char three[] = EMPTY BARE TYPED;
    EACH_CUT(cut, sizeof three - 1)
        assert_string_equal(seen_in(&cut, three, sizeof three - 1, 1000, 2), "/////\n/////{'foo':'bar'}\nstopped");
}

static void no_memory_is_said(void **state)
{
    (void)state;
    mem_fail_after(0);
    struct event_stream stream;
    event_stream_init(&stream, 1000);
    assert_int_equal(event_stream_feed(&stream, EMPTY, 16, take, NULL), EVENT_STREAM_NO_MEMORY);
    mem_fail_after(-1);
    event_stream_free(&stream);
}

/* Headers and payload are random, the checksums right. */
static void hostile_headers_do_no_harm(void **state)
{
    (void)state;
    static const char start[] = HEADERS_OF_ALL_TYPES;
    uint64_t seed = 4711;
    for (int round = 0; round < 20000; round++) {
        char headers[sizeof start];
        memcpy(headers, start, sizeof start);
        for (uint32_t i = unit_random(&seed) % 6 + 1; i > 0; i--)
            headers[unit_random(&seed) % (sizeof start - 1)] = unit_random(&seed) % 2 == 0 ? (char)unit_random(&seed) : (char)(unit_random(&seed) % 12);
        struct buf bytes;
        buf_init(&bytes, 4096);
        frames_add_raw(&bytes, headers, sizeof start - 1, "", 0);
        (void)seen_whole(bytes.data, bytes.len);
        buf_free(&bytes);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(published_frames_are_read_in_every_cut),
    cmocka_unit_test(types_and_errors_are_told),
    cmocka_unit_test(headers_of_all_types_are_skipped_by_their_size),
    cmocka_unit_test(headers_that_are_cut_or_unknown_are_damage),
    cmocka_unit_test(long_texts_are_cut_to_their_room),
    cmocka_unit_test(damage_in_each_byte_is_found),
    cmocka_unit_test(a_cut_stream_is_cut_and_gives_no_half_frame),
    cmocka_unit_test(lengths_are_checked_before_anything_is_gathered),
    cmocka_unit_test(the_callback_may_stop_it),
    cmocka_unit_test(no_memory_is_said),
    cmocka_unit_test(hostile_headers_do_no_harm),
};

UNIT_MAIN(tests)
