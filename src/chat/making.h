/*
 * An answer in the making, as those see it who make it: what is said before, which models are asked, what comes of it.
 *
 * Runs on the thread of the turn, and may block. Neighbours: turn.h (around it), answer.h (where everything that is said goes), src/app (an application's own way of making
 * answers).
 */
#ifndef PARLEY_MAKING_H
#define PARLEY_MAKING_H

#include <json-c/json.h>

#include "../llm/completion.h"
#include "answer.h"
#include "ending.h"
#include "mirror.h"
#include "prompt.h"
#include "turn.h"

struct making {
    const struct turn *turn;
    struct answer *answer;
    struct prompt prompt;   /* what was said, the question last, and the steps that were made since */
    struct buf system;      /* the system prompt */
    json_object *steps;     /* as the database keeps them; NULL: none */
    size_t steps_before;    /* of these, how many an answer that goes on had already */
    size_t steps_to;        /* so much of the answer's text is in them */
    char *rewritten;        /* words that stand for the user's wherever a model is asked; NULL: none */
    json_object *state;     /* the application's; NULL: none. Set: it was changed in this turn or sent by the client */
    size_t text_from, reasoning_from; /* where in the answer the model that was asked last began */
    struct completion_result result;  /* what came of it */
    bool is_said;                     /* … and is not among the steps yet */
    struct used *used;                /* what all of them used, by model */
    size_t used_count;
};

/* Reads what was said, from the database or from what the client brought. Released by making_free(), also after a failure. */
enum outcome making_begin(struct making *making, const struct turn *turn, const char *question, struct answer *answer, struct failure *failure);

/* The same for an answer that goes on where it was cut off. */
enum outcome making_go_on(struct making *making, const struct turn *turn, const struct mirror *mirror, struct failure *failure);
void making_free(struct making *making);

/* Asks a model (NULL: that of the turn) and adds what it says to the answer. OUTCOME_BAD_FIELD when nobody has said anything that it could answer.
   The result is in making->result, also after a failure. The prompt loses its oldest messages when the model takes no more; a conversation that is too long for it although it
   looked as if it would fit is tried once more with half of it. `tools` may be NULL: then those that the client brought, if any. */
enum outcome making_ask(struct making *making, const char *model, const struct completion_tool *tools, size_t tool_count, struct failure *failure);

/* Puts what the model said last, with the calls that it wants made, behind the prompt and into the steps. False: out of memory. */
bool making_add_calls(struct making *making);

/* The same for the result of a call. */
bool making_add_result(struct making *making, const struct completion_call *call, const char *text, size_t len, bool is_error);

/* Puts other words in place of the user's, in this turn and in later ones. False: out of memory. */
bool making_rewrite(struct making *making, const char *text);

/* Counts what a model used that was asked beside the answer. */
bool making_count(struct making *making, const struct completion_result *result, const struct usage *usage);

/* Gives the ending what belongs to it. What cannot be given for want of memory is left out, after a log line. */
void making_end(struct making *making, struct ending *ending);

#endif
