/*
 * Lists of messages as clients send them: OpenAI's `messages`, and the `history` of others, which has the same roles. What comes out is what models are asked with.
 *
 * System messages are taken out, neighbours of one role are joined. Neighbours: completions.c, ragbits.c.
 */
#ifndef PARLEY_MESSAGES_H
#define PARLEY_MESSAGES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "../base/buf.h"
#include "../llm/completion.h"

struct messages {
    struct completion_message *list; /* texts belong to the client's JSON or to `kept` */
    size_t count, room;
    struct buf system;   /* all system messages; "" when there are none */
    json_object *kept;   /* texts that were put together … */
    struct buf joined;   /* … and that of the last message while others are joined to it; "" when none is … */
    size_t last_len;     /* … and how much of it the last of them has */
    const char *question; /* the user's last message */
    size_t question_len;
};

/* Released by messages_free(). */
void messages_init(struct messages *messages);
void messages_free(struct messages *messages);

/* Adds all messages of `list`, which is the field `name` of a body. `is_plain`: only the roles user, assistant and system, and contents that are strings. OUTCOME_BAD_FIELD,
   OUTCOME_NO_MEMORY. */
enum outcome messages_read(struct messages *messages, json_object *list, const char *name, bool is_plain, struct failure *failure);

/* Adds one text of the user's. OUTCOME_NO_MEMORY. */
enum outcome messages_add_question(struct messages *messages, const char *text, size_t len, struct failure *failure);

/* Takes the last message away when it has this role and text; of one that was joined from several, only the last. */
void messages_drop_last(struct messages *messages, enum completion_role role, const char *text);

/* Whether a model can be asked with them: there is a message of the user's, a user's or a tool's comes last, and each call has its result. OUTCOME_BAD_FIELD. */
enum outcome messages_check(const struct messages *messages, const char *name, struct failure *failure);

#endif
