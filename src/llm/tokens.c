/*
 * See tokens.h.
 */
#include "tokens.h"

int64_t tokens_estimate(const char *text, size_t len)
{
    int64_t quarters = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x80)
            quarters += 1;
        else if (c >= 0xE0) /* the first byte of a character of three or four */
            quarters += 4;
        else if (c >= 0xC0) /* of two: Cyrillic, Greek, accents */
            quarters += 2;
    }
    return (quarters + 3) / 4;
}
