/*
 * A fuzz target: lines of JSON in any bytes through src/llm/ndjson.h. The same lines come out however the bytes are cut, also where the limit is small.
 */
#include "../../src/llm/ndjson.h"
#include "fuzz.h"

struct reading {
    struct ndjson reader;
    enum ndjson_result result;
    struct buf heard;
    size_t lines;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool on_line(void *arg, const char *text, size_t len)
{
    struct reading *reading = arg;
    insist(len > 0 && text[len] == '\0' && memchr(text, '\n', len) == NULL && !is_space(text[0]) && !is_space(text[len - 1]));
    buf_add_char(&reading->heard, '[');
    buf_add(&reading->heard, text, len);
    return ++reading->lines < 40;
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct reading *reading = arg;
    reading->result = ndjson_feed(&reading->reader, bytes, len, on_line, reading);
    return reading->result == NDJSON_MORE;
}

static void read_lines(struct reading *reading, size_t max, const uint8_t *data, size_t size, unsigned seed)
{
    *reading = (struct reading){.result = NDJSON_MORE};
    buf_init(&reading->heard, SIZE_MAX / 4);
    ndjson_init(&reading->reader, max);
    fuzz_feed(data, size, seed, feed, reading);
    if (reading->result == NDJSON_MORE)
        reading->result = ndjson_end(&reading->reader, on_line, reading);
    ndjson_free(&reading->reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole, cut;
    if (size == 0)
        return 0;
    size_t max = data[0] % 4 == 0 ? 48 : 65536;
    read_lines(&whole, max, data + 1, size - 1, 0);
    read_lines(&cut, max, data + 1, size - 1, data[0] + 1u);
    insist(whole.result == cut.result && whole.lines == cut.lines);
    insist(whole.heard.len == cut.heard.len && memcmp(whole.heard.data, cut.heard.data, cut.heard.len) == 0);
    buf_free(&whole.heard);
    buf_free(&cut.heard);
    return 0;
}
