/*
 * Asking a model for a text that is not shown as it comes: a title, follow-up questions, an application's own questions.
 *
 * Neighbours: llm/completion.h. Leaves out: what the answer is for.
 */
#ifndef PARLEY_ASK_H
#define PARLEY_ASK_H

#include <stdatomic.h>

#include "../base/buf.h"
#include "../llm/completion.h"

/* Asks `request` and appends the answer to `answer` (a buffer of the caller's with its ceiling). *result is the caller's to release. The rest as completion_run(). */
enum outcome ask_text(const struct completion_request *request, const atomic_bool *cancel, struct buf *answer, struct completion_result *result, struct failure *failure);

/* A request for one question without history. */
struct completion_request ask_request(const char *model, const char *system, const struct completion_message *message);

#endif
