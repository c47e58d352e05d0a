/*
 * A turn: the user says something, the model answers, both are in the database whatever happens between. Design section 5.
 *
 * Neighbours: answer.h (the running answer), prompt.h, title.h, live.h, store/message.h, llm/completion.h. Leaves out: HTTP and its JSON (src/api/chat.c).
 */
#ifndef PARLEY_TURN_H
#define PARLEY_TURN_H

#include "../http/request.h"
#include "../llm/completion.h"
#include "answer.h"
#include "dialect.h"

/* What was asked. Texts are borrowed; NULL where that is said. */
struct turn {
    int64_t user;
    const char *conversation_id; /* NULL: a rolling or a new one */
    const char *rolling_for;     /* NULL: none */
    const char *parent_id;       /* NULL: the latest answer; "root": none */
    const char *message;
    size_t message_len;
    const char *metadata; /* a JSON object as text */
    const char *attachments; /* a JSON array as text, as attachments.h has checked it; NULL: none */
    const char *model;    /* NULL: the configured one */
    const char *system;   /* NULL: the configured one */
    double temperature;
    int64_t max_tokens;
};

/* Runs a turn to its end: blocks until the answer is stored. With a `dialect`, the request is given to the answer as soon as the question is stored
   (OUTCOME_DETACHED: everything, failures too, has been or will be told to the client there). Without (NULL), *answer is the finished answer, to be
   released by the caller, with OUTCOME_OK; or *failure is filled. */
enum outcome turn_run(const struct turn *turn, struct request *request, const struct dialect *dialect, struct answer **answer,
                      struct failure *failure);

#endif
