/*
 * What the model is sent: the end of the conversation, as far as the window allows, in the order of speaking.
 *
 * Neighbours: store/message.h (where the history is read), steps.h (what tools had to do with an answer), llm/completion.h (what takes it). Leaves out: the system prompt, which
 * travels beside the messages.
 */
#ifndef PARLEY_PROMPT_H
#define PARLEY_PROMPT_H

#include "../llm/completion.h"

struct prompt {
    struct completion_message *messages; /* what they point to is the prompt's own … */
    size_t count, room;
    size_t borrowed;  /* … but for so many of the first ones */
    char *question;   /* the question's own text, as it is stored; NULL: nothing was read, or it is an answer that goes on */
    char *rewritten;  /* the text of a borrowed message that was given another one; NULL: none */
    char *app_state;  /* the application's state after the last answer, as JSON text; NULL: none */
};

/* Reads the last HISTORY_MESSAGES messages that lead to the question with the id `question`, it included. Messages without anything in them are left out, and neighbours of one
   role become one message, because some providers insist that roles alternate. A tool call that nobody has confirmed gets a result that says so, unless the question has no text:
   then it is the confirmation, and the calls of the answer before it stay open. Other words that an earlier turn put in place of the question's do not count: this turn has its own. OUTCOME_NOT_FOUND when the question was deleted meanwhile. Released by prompt_free(), also after a
   failure. */
enum outcome prompt_read(struct prompt *prompt, int64_t user, const char *question, struct failure *failure);

/* The same from messages that somebody else has and keeps. OUTCOME_NO_MEMORY. */
enum outcome prompt_borrow(struct prompt *prompt, const struct completion_message *messages, size_t count, struct failure *failure);

/* Appends a message, whose parts become the prompt's own, also when this fails. False: out of memory. */
bool prompt_add(struct prompt *prompt, struct completion_message *message);

/* Whether the results of tools that stand last have that of a call. */
bool prompt_has_result(const struct prompt *prompt, const char *call_id);

/* Gives the last message another text, which becomes the prompt's own. */
void prompt_rewrite_last(struct prompt *prompt, char *text);

/* Its tokens, by estimate. */
int64_t prompt_tokens(const struct prompt *prompt);

/* Leaves the oldest messages out until the rest fits a model that takes `context` tokens (0: not known, nothing is done), of which `reserved` are for the system prompt and the
   answer, but never more than half. The newest message stays in any case; a call of a tool and its result stay together. */
void prompt_fit(struct prompt *prompt, int64_t context, int64_t reserved);

/* Leaves the older half out. False: there is only one message. */
bool prompt_halve(struct prompt *prompt);

void prompt_free(struct prompt *prompt);

#endif
