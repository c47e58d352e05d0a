/*
 * A small file beside the database that takes up room, to be given up when the disk is full: deleting needs room too.
 */
#ifndef PARLEY_RESERVE_H
#define PARLEY_RESERVE_H

#include <stdbool.h>

/* Makes the reserve, unless it is there. Without room for it there is none. */
void reserve_make(void);

/* Gives it up. Whether there was one. */
bool reserve_release(void);

#endif
