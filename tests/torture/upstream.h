/*
 * A provider for torture.c: a process of its own, so that nothing of it is counted or fails, that answers every question with the same words.
 */
#ifndef TORTURE_UPSTREAM_H
#define TORTURE_UPSTREAM_H

#include <sys/types.h>

/* What it says, in pieces; what it thinks before. */
#define UPSTREAM_ANSWER "Die Antwort ist 42 \xE2\x80\x93 \xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C \xF0\x9F\x90\xA2, wie gesagt."
#define UPSTREAM_THOUGHT "Let me think."

/* A question that holds this is answered with a pause in the middle. */
#define UPSTREAM_SLOWLY "slowly"

/* Starts it on a port of 127.0.0.1. Its process, which ends with this one; 0 when that fails. */
pid_t upstream_start(int *port);

#endif
