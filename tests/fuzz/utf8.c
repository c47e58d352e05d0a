/*
 * A fuzz target: bytes through src/base/utf8.h, beside a slow decoder that is written from RFC 3629 alone. Titles and estimates are made of the text as well.
 */
#include "../../src/chat/title.h"
#include "../../src/llm/tokens.h"
#include "fuzz.h"

/* The length of the character at `b`; 0: there is none. Decoded first and judged then. */
static size_t slow_read(const uint8_t *b, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = b[0] < 0x80 ? 1 : (b[0] & 0xE0) == 0xC0 ? 2 : (b[0] & 0xF0) == 0xE0 ? 3 : (b[0] & 0xF8) == 0xF0 ? 4 : 0;
    if (n == 0 || n > len)
        return 0;
    uint32_t code = n == 1 ? b[0] : b[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (b[i] & 0x3Fu);
    }
    return code < least[n] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : n;
}

static bool slow_valid(const uint8_t *bytes, size_t len)
{
    for (size_t at = 0, n; at < len; at += n)
        if ((n = slow_read(bytes + at, len - at)) == 0)
            return false;
    return true;
}

static void check_cuts(const char *text, size_t len)
{
    for (size_t most = 0; most <= len && most < 12; most++) {
        size_t fit = utf8_fit(text, most);
        insist(fit <= most && most - fit < 4 && utf8_valid(text, fit));
    }
}

static void check_title(const char *text, size_t len)
{
    char title[TITLE_BYTES];
    title_make(text, len, title);
    size_t title_len = strnlen(title, sizeof title);
    insist(title_len > 0 && title_len < sizeof title && utf8_valid(title, title_len) && utf8_count(title, title_len) <= TITLE_CHARS + 1);
    for (const char *c = title; *c != '\0'; c++)
        insist((unsigned char)*c >= 0x20 && *c != 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t len = size - 1, count = 0;
    char *text = fuzz_bytes(data + 1, len);
    bool good = utf8_valid(text, len);
    insist(good == slow_valid(data + 1, len));
    struct buf repaired;
    buf_init(&repaired, SIZE_MAX / 4);
    utf8_add_repaired(&repaired, text, len);
    insist(utf8_valid(repaired.data, repaired.len) && memchr(repaired.data, 0, repaired.len) == NULL);
    if (good && (len == 0 || memchr(text, 0, len) == NULL))
        insist(repaired.len == len && memcmp(repaired.data, text, len) == 0);
    struct buf again; /* code point by code point */
    buf_init(&again, SIZE_MAX / 4);
    for (size_t at = 0; at < repaired.len; count++) {
        uint32_t code;
        int n = utf8_read(repaired.data + at, repaired.len - at, &code);
        insist(n > 0);
        utf8_add(&again, code);
        at += (size_t)n;
    }
    insist(again.len == repaired.len && memcmp(again.data, repaired.data, again.len) == 0 && count == utf8_count(repaired.data, repaired.len));
    check_cuts(repaired.data, repaired.len);
    check_title(repaired.data, repaired.len);
    insist(tokens_estimate(repaired.data, repaired.len) >= 0 && tokens_estimate(repaired.data, repaired.len) <= (int64_t)repaired.len + 1);
    buf_free(&repaired);
    buf_free(&again);
    free(text);
    return 0;
}
