/*
 * Makes AWS event-stream frames of any bytes: lengths and both checksums are mended, because no mutation would ever hit them.
 */
#ifndef PARLEY_FUZZ_FRAMES_H
#define PARLEY_FUZZ_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32, half a byte at a time: not the reader's own function. */
static inline uint32_t frames_crc(const uint8_t *bytes, size_t len)
{
    static uint32_t table[16];
    for (uint32_t i = 1; table[15] == 0 && i < 16; i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++)
            table[i] = (table[i] & 1) != 0 ? table[i] >> 1 ^ 0xEDB88320u : table[i] >> 1;
    }
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc = crc >> 4 ^ table[(crc ^ bytes[i]) & 15];
        crc = crc >> 4 ^ table[(crc ^ (uint32_t)bytes[i] >> 4) & 15];
    }
    return ~crc;
}

static inline uint32_t frames_number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void frames_put(uint8_t *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (24 - i * 8));
}

/* Mends frame after frame, in place, until less than one is left. */
static inline void frames_mend(uint8_t *bytes, size_t len)
{
    enum { PRELUDE = 12, LEAST = PRELUDE + 4 };
    while (len >= LEAST) {
        size_t total = frames_number(bytes), headers = frames_number(bytes + 4);
        if (total < LEAST || total > len)
            total = len;
        if (headers > total - LEAST)
            headers = total - LEAST;
        frames_put(bytes, (uint32_t)total);
        frames_put(bytes + 4, (uint32_t)headers);
        frames_put(bytes + 8, frames_crc(bytes, 8));
        frames_put(bytes + total - 4, frames_crc(bytes, total - 4));
        bytes += total;
        len -= total;
    }
}

#endif
