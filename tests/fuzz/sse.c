/*
 * A fuzz target: server-sent events in any bytes through src/llm/sse_parser.h. The same events come out however the bytes are cut, also where the limit is small.
 */
#include "../../src/llm/sse_parser.h"
#include "fuzz.h"

struct reading {
    struct sse_parser parser;
    enum sse_result result;
    struct buf heard;
    size_t events;
};

static bool on_event(void *arg, const char *name, const char *data, size_t len)
{
    struct reading *reading = arg;
    insist(strlen(name) < SSE_NAME_BYTES && data[len] == '\0' && strpbrk(name, "\r\n") == NULL && memchr(data, '\r', len) == NULL);
    insist(len <= reading->parser.data.max);
    buf_addf(&reading->heard, "[%s|", name);
    buf_add(&reading->heard, data, len);
    return ++reading->events < 40;
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct reading *reading = arg;
    reading->result = sse_parser_feed(&reading->parser, bytes, len, on_event, reading);
    return reading->result == SSE_MORE;
}

static void read_events(struct reading *reading, size_t max, const uint8_t *data, size_t size, unsigned seed)
{
    *reading = (struct reading){.result = SSE_MORE};
    buf_init(&reading->heard, SIZE_MAX / 4);
    sse_parser_init(&reading->parser, max);
    fuzz_feed(data, size, seed, feed, reading);
    if (reading->result == SSE_MORE)
        reading->result = sse_parser_end(&reading->parser, on_event, reading);
    sse_parser_free(&reading->parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole, cut;
    if (size == 0)
        return 0;
    size_t max = data[0] % 4 == 0 ? 48 : 65536;
    read_events(&whole, max, data + 1, size - 1, 0);
    read_events(&cut, max, data + 1, size - 1, data[0] + 1u);
    insist(whole.result == cut.result && whole.events == cut.events);
    insist(whole.heard.len == cut.heard.len && memcmp(whole.heard.data, cut.heard.data, cut.heard.len) == 0);
    buf_free(&whole.heard);
    buf_free(&cut.heard);
    return 0;
}
