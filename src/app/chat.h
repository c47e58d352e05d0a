/*
 * One turn as an application sees it: struct parley_chat, and what src/app itself needs of it. The functions for authors are those of src/parley.h; they stand in chat.c and
 * tools.c.
 *
 * Runs on the thread of the turn. Neighbours: chat/making.h (what it is a face of), hook.h, tools.c.
 */
#ifndef PARLEY_APP_CHAT_H
#define PARLEY_APP_CHAT_H

#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>

#include "../base/buf.h"
#include "../chat/making.h"
#include "../parley.h"

struct parley_chat {
    struct making *making;
    enum outcome outcome;   /* how what was asked last went: OUTCOME_OK, or what the turn ends with when the function returns */
    struct failure failure; /* its sentence */
    json_object *context, *user_settings, *state; /* never NULL */
    struct buf result;      /* of the tool that runs */
    bool in_tool, is_refused;
};

/* Fills it for one answer. Ended by chat_end(). */
void chat_begin(struct parley_chat *chat, struct making *making);

/* Runs the hooks of parley.json. OUTCOME_OK, or what the turn ends with. */
enum outcome chat_run_hooks(struct parley_chat *chat);

/* Frees it and says how the turn ends. */
enum outcome chat_end(struct parley_chat *chat, struct failure *failure);

/* Whether the turn can go on. Clears an earlier failure, but not that it was stopped or refused. */
bool chat_goes_on(struct parley_chat *chat);

/* Whether a model can be asked for the answer now: not inside a tool, whose call has no result yet. `function` is for the log. */
bool chat_is_free(struct parley_chat *chat, const char *function);

/* Notes how something went. Whether it went well. */
bool chat_note(struct parley_chat *chat, enum outcome outcome);

/* Sends an event that the program itself makes, unchecked. Takes `content`. */
bool chat_send(struct parley_chat *chat, const char *type, json_object *content);

/* Gives a printed text to `say`. False: out of memory, which is noted, or what `say` says. */
bool chat_print(struct parley_chat *chat, bool (*say)(struct parley_chat *chat, const char *text), const char *format, va_list args);

/* {"name": value} for texts that may be NULL (JSON null). */
void chat_add(json_object *object, const char *name, const char *value);

#endif
