/*
 * Ids of id.h: the layout is that of a ULID (48 bits time, 80 bits random), written in lower case.
 */
#include "id.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

bool id_new(char id[ID_BYTES])
{
    unsigned char random[10];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    uint64_t ms = (uint64_t)clock_unix_ms();
    for (int i = 9; i >= 0; i--, ms >>= 5) /* 10 digits hold the 48 bits of time */
        id[i] = digits[ms & 31];
    for (int half = 0; half < 2; half++) { /* 40 random bits are 8 digits, twice */
        uint64_t bits = 0;
        for (int i = 0; i < 5; i++)
            bits = bits << 8 | random[half * 5 + i];
        for (int i = 7; i >= 0; i--, bits >>= 5)
            id[10 + half * 8 + i] = digits[bits & 31];
    }
    id[ID_LEN] = '\0';
    return true;
}

bool id_valid(const char *text)
{
    return strlen(text) == ID_LEN && strspn(text, digits) == ID_LEN;
}
