/*
 * The journal: what running answers have said so far, so that other processes can follow them and nothing is lost with a process that is killed.
 *
 * A row is a stretch of an answer's log: text, thinking, or one event, with its position (docs/turn.md). Rows are only added; message_end_turn() and message_mark_lost() take them away
 * with what they store instead. Neighbours: message.h, src/chat/journal.h (who writes), src/chat/mirror.h (who reads).
 */
#ifndef PARLEY_STORE_JOURNAL_H
#define PARLEY_STORE_JOURNAL_H

#include <stddef.h>

#include "message.h"

struct journal_row {
    const char *message; /* its id; not filled when read */
    int64_t pos;         /* position before it */
    const char *kind;    /* "text", "reasoning", or the type of an event */
    const char *data;    /* the text, or the event's content as JSON */
    size_t len;
};

/* Writes rows of answers that `process` makes, in one transaction. Those of answers that have ended meanwhile are left out. */
enum outcome journal_add(const struct journal_row *rows, size_t count, const char *process, struct failure *failure);

/* Reads an answer as it is at one moment: calls `message` with it, and while it streams `each` for its rows from position `pos` on, in order. OUTCOME_NOT_FOUND: the user has no such
   message. */
enum outcome journal_read(int64_t user, const char *id, int64_t pos, void (*message)(void *arg, const struct message *row), void (*each)(void *arg, const struct journal_row *row),
                          void *arg, struct failure *failure);

#endif
