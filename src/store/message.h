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
#include "rate.h"
#include "usage.h"

/* Where no lock tells of its process (process.h), a streaming answer that has not been heard of for so long was lost with it. The process writes its heartbeat much more often. */
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
    const char *regenerate;      /* a question that is stored already, or an answer to it: it gets one more answer, and nothing else is stored; NULL: none */
    const char *content;
    size_t content_len;
    const char *title;    /* for a conversation that has none yet */
    const char *metadata; /* a JSON object as text: of the question, of the answer where there is none to store */
    const char *attachments; /* a JSON array as text; NULL: none */
    const struct message_past *history; /* of a conversation that has no message yet, the oldest first: the question follows the last of them. Ignored when there are messages … */
    size_t history_count;               /* … or when parent_id is not NULL */
    const char *client_id;              /* the client's own id for the answer; NULL: none */
    const char *key, *body_hash;        /* Idempotency-Key and SHA-256 of what was asked with it; NULL: none */
    const char *model;                  /* that is asked */
    bool detached;                      /* nobody follows the answer from its beginning */
    const char *process;  /* who makes the answer: process.h */
    int64_t max_running;  /* answers that all processes together may be making; 0: no such limit */
    int64_t max_of_user;  /* of these, how many for `user`; 0: no such limit … */
    int64_t max_of_address; /* … and for … */
    const char *address;  /* … from where it was asked for; NULL: not counted */
    struct rate rate;     /* the request, to be counted with the question */
    /* results */
    char conversation[ID_BYTES], question[ID_BYTES], answer[ID_BYTES];
    bool is_new; /* the conversation was made by this turn, or had no messages */
    bool is_repeat; /* the key has been used before: conversation and answer are those of that time, and nothing was stored */
    char busy[ID_BYTES]; /* of OUTCOME_BUSY: the answer that still streams, or has not been found to be lost yet */
};

/* Stores the user's message and an empty answer with status `streaming`, in one transaction, and makes the conversation where there is none. The history
   is stored before them. With `regenerate` only the answer is stored, below the question that was asked with words: a confirmation of calls is not given twice.
   OUTCOME_NOT_FOUND: no such conversation, or message; OUTCOME_BAD_FIELD: parent_id is no answer of it, what is to be answered again follows no question, or the key came with
   something else before; OUTCOME_BUSY: the answer that this message would follow, or that is named in place of a question, still streams; OUTCOME_OVERLOADED: max_running is reached; OUTCOME_RATE_LIMITED: the user, the address or its minute has no more. */
enum outcome message_begin_turn(struct message_begin *begin, struct failure *failure);

/* How long a key is remembered. */
enum { MESSAGE_REPEAT_MS = 24 * 60 * 60 * 1000 };

/* Looks for the turn that began with a key: fills begin->conversation and begin->answer and sets is_repeat when there is one. OUTCOME_BAD_FIELD when it was asked something else. */
enum outcome message_find_repeat(struct message_begin *begin, struct failure *failure);

/* Begins an answer again where it was cut off: its status is `streaming` as of now, and what it has stays. begin->answer names it; begin->conversation_id, when there is one, must
   be its. Fills begin->conversation. OUTCOME_NOT_FOUND; OUTCOME_BUSY; OUTCOME_BAD_FIELD when it was not cut off, or something follows it. */
enum outcome message_continue_turn(struct message_begin *begin, struct failure *failure);

/* The sentence and Retry-After of OUTCOME_OVERLOADED, wherever it is found. */
enum outcome message_overloaded(struct failure *failure);

/* OUTCOME_OK, or OUTCOME_RATE_LIMITED with its sentence: whether one more answer may be made for a user and an address who have so many being made now. A most of 0: no limit. */
enum outcome message_check_taker(int64_t of_user, int64_t most_of_user, int64_t of_address, int64_t most_of_address, struct failure *failure);

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
    const char *layout;         /* the same */
    const char *question_steps; /* `steps` of the question that it answers; NULL: none */
    const char *error_code, *error_message; /* NULL unless something went wrong */
};

/* Stores the end of an answer; its journal goes. OUTCOME_NOT_FOUND when its conversation was deleted meanwhile. */
enum outcome message_end_turn(const struct message_end *end, struct failure *failure);

/* Gives up an answer that was begun and cannot be made: its status is `error`, what it has stays. OUTCOME_STORE. */
enum outcome message_give_up(const char *id, const char *process, const struct failure *why, struct failure *failure);

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
    const char *conversation; /* its id */
    const char *process;      /* who makes it, or made it when it was lost; NULL: done */
    int64_t seen_at;          /* its heartbeat */
    const char *layout;       /* may be NULL */
};

/* Calls `each` for all messages of a conversation in the order in which they were written. The conversation is known to exist and to be the user's; otherwise there are none. */
enum outcome message_list(int64_t user, const char *conversation_id, void (*each)(void *arg, const struct message *row), void *arg,
                          struct failure *failure);

/* Calls `each` for the messages that lead to the message `id`, it included: at most `limit`, the newest first. None when it was deleted. */
enum outcome message_history(int64_t user, const char *id, int limit, void (*each)(void *arg, const struct message *row), void *arg,
                             struct failure *failure);

/* Calls `each` with the answers of a conversation that are being written, or were when their process ended. */
enum outcome message_list_running(int64_t user, const char *conversation_id, void (*each)(void *arg, const struct message *row), void *arg, struct failure *failure);

/* The answer whose stream is meant when none is named: the newest that streams, else the newest of all when nobody followed that from its beginning. OUTCOME_NOT_FOUND: no such
   conversation. `id` is "" when there is no such answer. */
enum outcome message_find_stream(int64_t user, const char *conversation_id, char id[ID_BYTES], struct failure *failure);

/* An answer that was lost with its process, as its journal has it. */
struct message_lost {
    int64_t user;
    const char *id, *process;
    int64_t seen_at; /* as they were read: when its process is heard of after all, nothing happens */
    const char *content;
    size_t content_len;
    const char *reasoning; /* NULL: none */
    size_t reasoning_len;
    const char *events, *layout, *steps; /* NULL: none */
    const char *error_code, *error_message;
};

/* Marks it `interrupted`; its journal goes. A process that had not ended may still store its own end. */
enum outcome message_mark_lost(const struct message_lost *lost, struct failure *failure);

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
