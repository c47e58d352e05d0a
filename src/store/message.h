/*
 * Messages: the beginning and the end of a turn, a conversation's tree, the history that a model is sent, Stop.
 *
 * A message is named by its id. Row numbers are used again after a deletion, so none leaves a transaction. Neighbours: conversation.h. Leaves out: JSON; what
 * a turn does between its two transactions (src/chat/turn.c).
 */
#ifndef PARLEY_MESSAGE_H
#define PARLEY_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/id.h"
#include "../base/outcome.h"
#include "../base/usage.h"
#include "usage.h"

/* A streaming answer whose process has not been heard of for so long was lost with it. The process writes its heartbeat much more often. */
enum { MESSAGE_LOST_AFTER_MS = 20000, MESSAGE_HEARTBEAT_MS = 4000 };

/* What was said before a conversation came here: a message that a client brings along. */
struct message_past {
    const char *role; /* "user" or "assistant" */
    const char *content;
    size_t content_len;
};

/* What a turn begins with. Texts may be NULL where that is said. */
struct message_begin {
    int64_t user;
    const char *conversation_id; /* NULL: the rolling one, or a new one */
    const char *rolling_for;     /* whose rolling conversation, when conversation_id is NULL; NULL: a new conversation */
    const char *parent_id;       /* the answer that this message follows; "root": none; NULL: the latest of the conversation */
    const char *content;
    size_t content_len;
    const char *title;    /* for a conversation that has none yet */
    const char *metadata; /* a JSON object as text */
    const char *attachments; /* a JSON array as text; NULL: none */
    const struct message_past *history; /* of a conversation that has no message yet, the oldest first: the question follows the last of them. Ignored when there are messages … */
    size_t history_count;               /* … or when parent_id is not NULL */
    const char *client_id;              /* the client's own id for the answer; NULL: none */
    const char *process;  /* who makes the answer */
    int64_t max_running;  /* answers that all processes together may be making; 0: no such limit */
    /* results */
    char conversation[ID_BYTES], question[ID_BYTES], answer[ID_BYTES];
    bool is_new; /* the conversation was made by this turn, or had no messages */
};

/* Stores the user's message and an empty answer with status `streaming`, in one transaction, and makes the conversation where there is none. The history
   is stored before them.
   OUTCOME_NOT_FOUND: no such conversation; OUTCOME_BAD_FIELD: parent_id is no answer of it; OUTCOME_BUSY: the answer that this message would follow
   still streams; OUTCOME_OVERLOADED: max_running is reached. */
enum outcome message_begin_turn(struct message_begin *begin, struct failure *failure);

/* The sentence and Retry-After of OUTCOME_OVERLOADED, wherever it is found. */
enum outcome message_overloaded(struct failure *failure);

/* How an answer ended. */
struct message_end {
    const char *id;
    const char *process;
    const char *status; /* "done", "error", "stopped" or "interrupted" */
    const char *content;
    size_t content_len;
    const char *reasoning; /* NULL: none */
    size_t reasoning_len;
    const char *provider, *model, *finish_reason; /* may be NULL */
    struct usage usage;               /* what the message is said to have used: the sum, where several models were asked … */
    const struct usage_entry *used;   /* … and what each of them used, for the user's day … */
    size_t used_count;                /* … 0: `provider` and `model` alone used `usage` */
    const char *calls, *state, *state_wire; /* as the columns of schema.sql; may be NULL */
    const char *events, *steps, *app_state; /* the same */
    const char *question_steps; /* `steps` of the question that it answers; NULL: none */
    const char *error_code, *error_message; /* NULL unless something went wrong */
};

/* Stores the end of an answer. OUTCOME_NOT_FOUND when its conversation was deleted meanwhile. */
enum outcome message_end_turn(const struct message_end *end, struct failure *failure);

/* A row, lent during a callback. */
struct message {
    const char *id, *parent_id; /* parent_id NULL: the first of a branch */
    const char *role;
    const char *content;
    size_t content_len;
    const char *reasoning; /* may be NULL */
    const char *status, *model, *finish_reason; /* the last two may be NULL */
    struct usage usage;
    const char *attachments, *provider, *calls, *state, *state_wire; /* NULL where there are none */
    const char *events, *steps, *app_state;                          /* the same */
    const char *feedback; /* "like" or "dislike": what the reading user thinks of it; NULL: has not said */
    const char *error_code, *error_message; /* may be NULL */
    const char *metadata;
    int64_t created_at, finished_at; /* Unix milliseconds; finished_at 0: not finished or not an answer */
};

/* Calls `each` for all messages of a conversation in the order in which they were written. Answers that were lost with their process are marked
   first. The conversation is known to exist and to be the user's; otherwise there are none. */
enum outcome message_list(int64_t user, const char *conversation_id, void (*each)(void *arg, const struct message *row), void *arg,
                          struct failure *failure);

/* Calls `each` for the messages that lead to the message `id`, it included: at most `limit`, the newest first. None when it was deleted. */
enum outcome message_history(int64_t user, const char *id, int limit, void (*each)(void *arg, const struct message *row), void *arg,
                             struct failure *failure);

/* Asks for all running answers of a conversation to stop. *running tells how many there were. OUTCOME_NOT_FOUND: no such conversation. */
enum outcome message_ask_stop(int64_t user, const char *conversation_id, int *running, struct failure *failure);

/* For the process that makes answers: writes the heartbeat of `count` answers. */
enum outcome message_heartbeat(const char (*ids)[ID_BYTES], size_t count, struct failure *failure);

/* For the process that makes answers: calls `each` with the id of every answer of it that somebody asked to stop. *running tells how many of its answers are in the
   database as streaming. */
enum outcome message_stops(const char *process, void (*each)(void *arg, const char *id), void *arg, int *running, struct failure *failure);

/* For the process that makes answers: calls `each` with those of `count` ids that are in the database no more, because their conversation was deleted or cleared. */
enum outcome message_deleted(const char (*ids)[ID_BYTES], size_t count, void (*each)(void *arg, const char *id), void *arg, struct failure *failure);

#endif
