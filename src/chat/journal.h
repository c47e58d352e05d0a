/*
 * The journal thread: writes what running answers say to the database, a few times a second, for all of them in one transaction.
 *
 * The event loop never waits for the disk: every JOURNAL_MS it copies what is new (that is all that a token costs), and this thread writes it. Neighbours: live.h (which answers),
 * store/journal.h (the rows), answer.h (the log). docs/reliability.md.
 */
#ifndef PARLEY_JOURNAL_H
#define PARLEY_JOURNAL_H

#include <stdbool.h>

/* With the POLL_MS of follow.c and a commit below 250 ms: so much of an answer a killed process may take with it, and so much later does another process see it. */
enum { JOURNAL_MS = 150 };

/* Starts the thread; live_start() comes before. False after a log line. */
bool journal_start(void);

/* Waits for its end, which live_stop() has brought about. */
void journal_stop(void);

#endif
