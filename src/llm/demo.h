/*
 * The built-in model `demo`: answers with a tour of the program, streamed like a real model's, so that a fresh installation shows a working chat.
 */
#ifndef PARLEY_DEMO_H
#define PARLEY_DEMO_H

#include "completion.h"

/* As completion_run(). */
enum outcome demo_run(const struct completion_request *request, const struct completion_sink *sink, const atomic_bool *cancel,
                      struct completion_result *result, struct failure *failure);

#endif
