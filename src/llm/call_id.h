/*
 * Ids of tool calls that came from another provider, or from nobody, in a form that this one takes.
 *
 * A conversation may change its model in the middle; the ids in its history then break the rules of the next one. Neighbours: wire_openai.c, wire_responses.c.
 */
#ifndef PARLEY_CALL_ID_H
#define PARLEY_CALL_ID_H

#include <stdint.h>
#include <stdio.h>

enum { CALL_ID_SHORT = 9 }; /* characters: Mistral takes no other length, and letters and digits only */

/* The short form of `id`, always the same one for it, so that a call and its result stay together. `room` is given back. */
static inline const char *call_id_shorten(const char *id, char room[CALL_ID_SHORT + 1])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    for (; *id != '\0'; id++)
        sum = (sum ^ (unsigned char)*id) * 1099511628211u;
    for (int i = 0; i < CALL_ID_SHORT; i++, sum /= 62)
        room[i] = digits[sum % 62];
    room[CALL_ID_SHORT] = '\0';
    return room;
}

#endif
