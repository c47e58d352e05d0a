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

void prompt_free(struct prompt *prompt);

#endif
