/*
 * The application that this program is: its functions called at the right moment, hooks around them. src/parley.h is its author's side of it.
 *
 * Neighbours: chat.h (one turn of it), hook.h, chat/turn.h (which asks for answers), src/parley.c (starts it). Leaves out: HTTP (src/api/).
 */
#ifndef PARLEY_APP_H
#define PARLEY_APP_H

#include <stdbool.h>

#include "../base/outcome.h"
#include "../parley.h"

/* Makes `app` the application: its defaults are put in force. Before settings are read. False, after a line on stderr: its defaults are not usable. */
bool app_use(const struct parley_app *app);

/* Runs its startup function, and has turns made by it. Before anything is served. False: it does not want to. */
bool app_start(void);

/* What it can do. */
bool app_takes_files(void);

/* Hands over what a user thinks of an answer. OUTCOME_INTERNAL when it fails. */
enum outcome app_give_feedback(const struct parley_feedback *feedback, struct failure *failure);

/* Hands over a file. OUTCOME_BAD_FIELD when it is not taken. */
enum outcome app_give_file(const struct parley_file *file, struct failure *failure);

#endif
