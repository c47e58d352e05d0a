/*
 * A fuzz target: the beginning of an answer through src/llm/think.h. Cuts change nothing; nothing is lost but the two tags.
 */
#include "../../src/llm/think.h"
#include "fuzz.h"

struct reading {
    struct think think;
    struct buf said[2]; /* text, reasoning */
};

static void out(void *arg, bool reasoning, const char *text, size_t len)
{
    struct reading *reading = arg;
    insist(len > 0);
    buf_add(&reading->said[reasoning], text, len);
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct reading *reading = arg;
    think_feed(&reading->think, bytes, len, out, reading);
    insist(reading->think.held_len <= THINK_HELD_BYTES);
    return true;
}

static void read_answer(struct reading *reading, const uint8_t *data, size_t size, unsigned seed)
{
    *reading = (struct reading){0};
    buf_init(&reading->said[0], SIZE_MAX / 4);
    buf_init(&reading->said[1], SIZE_MAX / 4);
    fuzz_feed(data, size, seed, feed, reading);
    think_end(&reading->think, out, reading);
}

/* The text is the end of what came, the thinking a piece of it; thinking is only where a tag was at the very beginning. */
static void check_said(const struct reading *reading, const char *bytes, size_t len)
{
    const struct buf *text = &reading->said[0], *thinking = &reading->said[1];
    size_t blank = 0;
    while (blank < len && bytes[blank] != '\0' && strchr(" \t\r\n", bytes[blank]) != NULL)
        blank++;
    insist(text->len + thinking->len <= len && (text->len == 0 || memcmp(bytes + len - text->len, text->data, text->len) == 0));
    insist(thinking->len == 0 || (len - blank > 7 && memcmp(bytes + blank, "<think>", 7) == 0 && memmem(bytes, len, thinking->data, thinking->len) != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole, cut;
    if (size == 0)
        return 0;
    read_answer(&whole, data + 1, size - 1, 0);
    read_answer(&cut, data + 1, size - 1, data[0] + 1u);
    for (int i = 0; i < 2; i++) {
        insist(whole.said[i].len == cut.said[i].len && memcmp(whole.said[i].data, cut.said[i].data, cut.said[i].len) == 0);
        buf_free(&cut.said[i]);
    }
    check_said(&whole, (const char *)data + 1, size - 1);
    buf_free(&whole.said[0]);
    buf_free(&whole.said[1]);
    return 0;
}
