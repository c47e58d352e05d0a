/*
 * What the model is sent: the end of the conversation, as far as the window allows, in the order of speaking.
 *
 * Neighbours: store/message.h (where the history is read), llm/completion.h (what takes it). Leaves out: the system prompt, which travels beside the messages.
 */
#ifndef PARLEY_PROMPT_H
#define PARLEY_PROMPT_H

#include "../llm/completion.h"

struct prompt {
    struct completion_message *messages; /* their contents are the prompt's own */
    size_t count;
};

/* Reads the last HISTORY_MESSAGES messages that lead to the question with the id `question`, it included. Answers without text are left out, and neighbours of one role
   become one message, because some providers insist that roles alternate. OUTCOME_NOT_FOUND when the question was deleted meanwhile. Released by prompt_free(),
   also after a failure. */
enum outcome prompt_read(struct prompt *prompt, int64_t user, const char *question, struct failure *failure);

/* Its tokens, by estimate. */
int64_t prompt_tokens(const struct prompt *prompt);

/* Leaves the oldest messages out until the rest fits a model that takes `context` tokens (0: not known, nothing is done), of which `reserved` are for the system prompt and the answer, but
   never more than half. The newest message stays in any case; a call of a tool and its result stay together. */
void prompt_fit(struct prompt *prompt, int64_t context, int64_t reserved);

/* Leaves the older half out. False: there is only one message. */
bool prompt_halve(struct prompt *prompt);

void prompt_free(struct prompt *prompt);

#endif
