/*
 * Titles of title.h.
 */
#include "title.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../base/utf8.h"

void title_make(const char *text, size_t len, char title[TITLE_BYTES])
{
    size_t out = 0, chars = 0, last_gap = 0;
    bool gap = false, cut = false;
    uint32_t code;
    for (size_t i = 0; i < len && !cut;) {
        int n = utf8_read(text + i, len - i, &code);
        size_t size = n > 0 ? (size_t)n : 1;
        if (n <= 0 || code <= ' ' || (code >= 0x7F && code < 0xA0) || code == 0xA0 || code == 0x3000 || code == 0x2028 || code == 0x2029) {
            gap = out > 0;
        } else if (chars + gap >= TITLE_CHARS) {
            cut = true;
        } else {
            if (gap) {
                last_gap = out;
                title[out++] = ' ';
                chars++;
                gap = false;
            }
            memcpy(title + out, text + i, size);
            out += size;
            chars++;
        }
        i += size;
    }
    if (cut && !gap && last_gap > 0) /* in the middle of a word: go back to its beginning */
        out = last_gap;
    (void)snprintf(title + out, TITLE_BYTES - out, "%s", cut ? "…" : out == 0 ? "New conversation" : "");
}
