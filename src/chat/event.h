/*
 * The events of an answer that are neither text nor thinking: which there are, what is in them, which are kept with the message.
 *
 * An event is a name and a JSON object. The names are those of Ragbits' chat contract where it has them; an application or a hook may add types of its own (any other name).
 * Neighbours: answer.h (the list that they are part of), dialect_*.c (how they look on the wire). Leaves out: text, thinking, errors and ends, which are no events of this kind.
 */
#ifndef PARLEY_EVENT_H
#define PARLEY_EVENT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "../base/outcome.h"

struct answer;

/* Whether a text can name an event: [a-z][a-z0-9_]*, at most LIMIT_EVENT_NAME_BYTES long. */
bool event_is_name(const char *name);

/* Checks what an application or a hook wants to say: such a name, and not one that the dialects use for themselves (start, token, text, reasoning, ping, done, error, message,
   message_id, conversation_id, usage, state_update, chunked_content), content that is nested no deeper than LIMIT_EVENT_DEPTH, and in a known event the members that clients rely
   on. OUTCOME_BAD_FIELD with a sentence. */
enum outcome event_check(const char *name, json_object *content, struct failure *failure);

/* Whether it is kept with the message. What only changes the page is not, nor what has a place of its own in the database. */
bool event_is_kept(const char *name);

/* {"type": name, "content": …}: a new reference. */
json_object *event_object(const char *name, const char *json);

/* The events of an answer that count, as the database and clients get them: a list of {"type","content"}, in which a later one of the same thing (a plan item, say) has taken the
   place of the earlier. A new reference; NULL when there are none. On the loop, or when nothing is added any more. */
json_object *events_shown(const struct answer *answer);

/* Says for each run of an answer at which place of that list its event stands; -1 for those that do not. `places` has room for all runs. As above. */
void events_places(const struct answer *answer, int *places);

#endif
