/*
 * Conversations: list, search, make, change, clear, delete. Every call names the owner; another's conversation is OUTCOME_NOT_FOUND.
 *
 * Neighbours: message.h (what is in them), search_text.h (how a search is put to SQLite), snippet.h. Leaves out: JSON.
 */
#ifndef PARLEY_CONVERSATION_H
#define PARLEY_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/id.h"
#include "../base/outcome.h"
#include "snippet.h"

/* A row, lent during a callback. */
struct conversation {
    int64_t row;
    const char *id;
    const char *title;
    const char *metadata; /* a JSON object as text */
    bool pinned, archived;
    bool unread;          /* an answer has ended since the user last looked */
    const char *status;   /* of the newest answer; NULL: there is none */
    const char *leaf_id;  /* the message that a new one follows when no parent is named; NULL: none */
    int64_t created_at, updated_at; /* Unix milliseconds */
    /* of a search */
    const struct snippet *snippet; /* of where something was found first; NULL: nothing was searched for */
    const char *found_in;          /* the message that it is of; NULL: the title */
};

/* Where a page of the list ends: the next one starts behind it. */
struct conversation_cursor {
    int64_t updated_at, row;
};

/* Which of a user's conversations are wanted. */
struct conversation_page {
    const struct conversation_cursor *before; /* NULL: from the top */
    int limit;                                /* so many at most */
    const char *search;                       /* only those in whose title or messages this is found; NULL: all */
    int pinned, archived;                     /* only those that are, or are not; negative: both */
};

/* Lists them, newest first: calls `each` for every row. */
enum outcome conversation_list(int64_t user, const struct conversation_page *page, void (*each)(void *arg, const struct conversation *row), void *arg,
                               struct failure *failure);

/* Makes one; `title` and `metadata` must not be NULL. Its id is written to `id`. */
enum outcome conversation_add(int64_t user, const char *title, const char *metadata, char id[ID_BYTES], struct failure *failure);

/* Reads one and calls `each` with it. */
enum outcome conversation_get(int64_t user, const char *id, void (*each)(void *arg, const struct conversation *row), void *arg,
                              struct failure *failure);

/* What to change; what is NULL or negative stays. */
struct conversation_change {
    const char *title, *metadata;
    int pinned, archived, unread;
    const char *leaf_id;   /* a message of it: which branch is open */
    const char *title_was; /* with a title: only if the present one is still this; NULL: whatever it is */
};

/* OUTCOME_BUSY: the title is not `title_was` any more; OUTCOME_BAD_FIELD: leaf_id is no message of it. Then nothing was changed. */
enum outcome conversation_change(int64_t user, const char *id, const struct conversation_change *change, struct failure *failure);

/* Deletes it with its messages. */
enum outcome conversation_delete(int64_t user, const char *id, struct failure *failure);

/* Deletes its messages and keeps it. */
enum outcome conversation_clear(int64_t user, const char *id, struct failure *failure);

#endif
