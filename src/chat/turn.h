/*
 * A turn: the user says something, an answer is made, both are in the database whatever happens between. docs/turn.md.
 *
 * Neighbours: answer.h (the running answer), making.h (how it is made), live.h, titler.h, store/message.h. Leaves out: HTTP and its JSON (src/api/).
 */
#ifndef PARLEY_TURN_H
#define PARLEY_TURN_H

#include <json-c/json.h>

#include "../http/request.h"
#include "../llm/completion.h"
#include "answer.h"
#include "dialect.h"

/* What was asked. Everything is borrowed; NULL where that is said. */
struct turn {
    int64_t user;
    const char *user_name;       /* "" is the local user */
    const char *address;         /* from where it was asked for, to count by; "": not counted */
    bool is_stored;              /* else nothing is kept but what was used */
    bool stop_when_left;         /* for clients that have no other way to stop */
    const char *conversation_id; /* NULL: a rolling or a new one */
    const char *rolling_for;     /* NULL: none */
    const char *parent_id;       /* NULL: the latest answer; "root": none */
    const char *client_id;       /* the client's own id for the answer; NULL: none */
    const char *continue_id;     /* the answer that is to go on where it was cut off, in place of a question; NULL: none */
    const char *regenerate_id;   /* a stored question, or an answer to it, that gets one more answer, in place of a question; NULL: none */
    const char *key, *body_hash; /* Idempotency-Key, and SHA-256 of what was asked with it; NULL: none */
    bool is_detached;            /* the client is told where the stream is, and does not follow it here */
    /* What the client has of what was said before, the question (or results of tools) last: used in place of what is stored, and with a new conversation stored before the
       question. NULL: what is stored counts. */
    const struct completion_message *messages;
    size_t message_count;
    const char *message;         /* the question; "" where it is only the confirmation of a call, or there is none to store */
    size_t message_len;
    const char *metadata;    /* a JSON object as text */
    const char *attachments; /* a JSON array as text, as attachments.h has checked it; NULL: none */
    json_object *context;    /* what came with it for an application: timezone, user_settings, tool_confirmations, …; NULL: nothing */
    json_object *state;      /* the application's state that the client brought back, its signature checked; NULL: what is stored counts */
    const char *model;       /* NULL: the configured one */
    const char *system;      /* NULL: the configured one */
    const char *more_system; /* put behind it; NULL: nothing */
    double temperature;
    int64_t max_tokens;
    const struct completion_tool *tools; /* those of the client, who makes the calls itself */
    size_t tool_count;
    const char *tool_choice;
    const char *const *stop;
    size_t stop_count;
    int64_t seed;
    enum completion_format format;
    const char *schema, *effort;
};

/* A turn with nothing in it: the settings' values, and no wishes. */
struct turn turn_none(void);

struct making;

/* Makes an answer: says what it says into making->answer. OUTCOME_OK, or why it failed. */
typedef enum outcome turn_maker(struct making *making, struct failure *failure);

/* Who makes answers from now on, and who titles (NULL: nobody but TITLE_MODEL): writes at most `size` bytes to `title`, and says whether it has. Before the first turn. */
void turn_use(turn_maker *maker, bool (*titler)(const char *message, char *title, size_t size));

/* Runs a turn to its end: blocks until the answer is stored. A question whose key was used before is given the answer of that time. The request is given to the answer as soon as the
   question is stored: OUTCOME_DETACHED, everything, failures too, has been or will be told to the client there. Before that, *failure is filled. `with_usage`: see struct listener. */
enum outcome turn_run(const struct turn *turn, struct request *request, const struct dialect *dialect, bool with_usage, struct failure *failure);

#endif
