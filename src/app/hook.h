/*
 * Hooks: programs named in parley.json that see each question before the model does, for people who cannot compile on their host. docs/hooks.md is their side of it.
 *
 * "hooks": [{"command": ["path", "argument", …] or "path", "timeout_seconds": 10}]. A hook is started for one turn, gets one line of JSON on its standard input and answers with
 * lines of JSON: {"event": TYPE, "content": {…}} or {"action": "rewrite" | "refuse" | "system", "text": …}. Whatever it does, the caller has an outcome soon after the time-out.
 * Neighbours: app/chat.c (runs them), chat/event.h, base/config.h. Leaves out: what the turn makes of the lines, and in what order the hooks run: that is the caller's.
 */
#ifndef PARLEY_HOOK_H
#define PARLEY_HOOK_H

#include <json-c/json.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "../base/outcome.h"

enum hook_action {
    HOOK_EVENT,   /* an event for the client: `type` and `content` */
    HOOK_REWRITE, /* `text` takes the message's place */
    HOOK_REFUSE,  /* the model is not asked; `text` says why */
    HOOK_SYSTEM   /* `text` is for the model, beside the message */
};

/* One line that a hook answered. It lends: all of it is gone when the callback returns (json_object_get() keeps `content`). */
struct hook_line {
    enum hook_action action;
    const char *type;     /* of an event, as event_is_name() wants it; else NULL */
    json_object *content; /* of an event, an object; else NULL */
    const char *text;     /* of an action, may be ""; else NULL */
};

/* How many hooks there are. Reads parley.json at the first call of any function here; what it cannot use is logged then, and is a hook that fails. */
size_t hook_count(void);

/* What is wrong with "hooks" in parley.json, for --check: entries of a wrong shape, programs that cannot be run. NULL: nothing. */
const char *hook_trouble(void);

/* Allows hooks what they need in the sandbox (base/sandbox.h): the programs that parley.json names with the folders that they are in, files and folders among their arguments, the
   folder that they start in, and temporary files. Nothing when there are no hooks. */
void hook_allow_files(void);

/* Runs hook `index` (from 0, less than hook_count()) on the caller's thread and returns when the program has ended or was ended. `input` goes to it as one line of JSON. Each line
   of the answer is given to `each` as soon as it has come; when that returns false the rest does not matter, and the program is ended unless it ends by itself within a moment.
   `cancel` (NULL: none) may be set by any thread and is looked at at least every 50 ms. OUTCOME_OK: it ended well, or `each` wanted no more. Else *failure holds a sentence without
   paths and without what the program said on its standard error, both of which are in the log: OUTCOME_HOOK (not started, time-out, wrong answer, exit status), OUTCOME_STOPPED
   (`cancel`), OUTCOME_NO_MEMORY. */
enum outcome hook_run(size_t index, json_object *input, const atomic_bool *cancel, bool (*each)(void *arg, const struct hook_line *line), void *arg, struct failure *failure);

#endif
