/*
 * UTF-8 of utf8.h. The table of well-formed byte sequences is Unicode 15, table 3-7 (RFC 3629 section 4).
 */
#include "utf8.h"

#include <string.h>

int utf8_read(const char *text, size_t len, uint32_t *code)
{
    const unsigned char *b = (const unsigned char *)text;
    if (b[0] < 0x80) {
        *code = b[0];
        return 1;
    }
    int n;
    unsigned char low = 0x80, high = 0xBF; /* what the second byte may be */
    if (b[0] >= 0xC2 && b[0] <= 0xDF) {
        n = 2;
    } else if (b[0] >= 0xE0 && b[0] <= 0xEF) {
        n = 3;
        if (b[0] == 0xE0)
            low = 0xA0; /* shorter forms exist */
        if (b[0] == 0xED)
            high = 0x9F; /* surrogates */
    } else if (b[0] >= 0xF0 && b[0] <= 0xF4) {
        n = 4;
        if (b[0] == 0xF0)
            low = 0x90;
        if (b[0] == 0xF4)
            high = 0x8F; /* above U+10FFFF */
    } else {
        return 0;
    }
    uint32_t value = b[0] & (0xFFu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((size_t)i >= len)
            return -1;
        if (b[i] < low || b[i] > high)
            return 0;
        value = value << 6 | (b[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *code = value;
    return n;
}

/* How many leading bytes are plain ASCII other than NUL, eight at a time. */
static size_t ascii_run(const char *text, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, text + i, 8);
        if ((word & 0x8080808080808080u) != 0 || ((word - 0x0101010101010101u) & ~word & 0x8080808080808080u) != 0)
            break;
    }
    while (i < len && (signed char)text[i] > 0)
        i++;
    return i;
}

bool utf8_valid(const char *text, size_t len)
{
    uint32_t code;
    for (size_t i = 0; i < len;) {
        i += ascii_run(text + i, len - i);
        if (i == len)
            return true;
        int n = utf8_read(text + i, len - i, &code);
        if (n <= 0)
            return false;
        i += (size_t)n;
    }
    return true;
}

size_t utf8_count(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

size_t utf8_fit(const char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return len;
    start--; /* the byte that begins the last character */
    unsigned char b = (unsigned char)text[start];
    size_t want = b < 0x80 ? 1 : b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
    return start + want <= len ? len : start;
}

void utf8_add_repaired(struct buf *buf, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t run = ascii_run(text + i, len - i);
        uint32_t code;
        int n;
        while (i + run < len && (n = utf8_read(text + i + run, len - i - run, &code)) > 0 && code != 0)
            run += (size_t)n;
        buf_add(buf, text + i, run);
        i += run;
        if (i == len)
            return;
        buf_add(buf, "\xEF\xBF\xBD", 3);
        if (text[i++] == '\0') /* a character of its own */
            continue;
        /* the continuation bytes of a broken character belong to it: one mark for all of them */
        while (i < len && ((unsigned char)text[i] & 0xC0) == 0x80)
            i++;
    }
}

void utf8_add(struct buf *buf, uint32_t code)
{
    char bytes[4];
    size_t n;
    if (code < 0x80) {
        bytes[0] = (char)code;
        n = 1;
    } else if (code < 0x800) {
        bytes[0] = (char)(0xC0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3F));
        n = 2;
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xE0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (code & 0x3F));
        n = 3;
    } else {
        bytes[0] = (char)(0xF0 | code >> 18);
        bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
        bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[3] = (char)(0x80 | (code & 0x3F));
        n = 4;
    }
    buf_add(buf, bytes, n);
}

void utf8_mend(char *text)
{
    uint32_t code;
    for (size_t left = strlen(text); left > 0;) {
        int n = utf8_read(text, left, &code);
        if (n <= 0)
            *text = '?';
        text += n > 0 ? n : 1;
        left -= n > 0 ? (size_t)n : 1;
    }
}
