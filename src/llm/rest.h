/*
 * Which providers rest: one that has failed PROVIDER_FAILURES times in a row is left alone for PROVIDER_REST_SECONDS, as far as there is another one to ask.
 *
 * Known to this process only. Neighbours: completion.c.
 */
#ifndef PARLEY_REST_H
#define PARLEY_REST_H

#include <stdbool.h>

/* Notes how a provider did. `id` must live as long as the process. */
void rest_note(const char *id, bool good);

bool rest_is_resting(const char *id);

#endif
