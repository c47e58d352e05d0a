/*
 * What the files of this folder share about rows of conversations.
 */
#ifndef PARLEY_CONVERSATION_INTERNAL_H
#define PARLEY_CONVERSATION_INTERNAL_H

#include "conversation.h"
#include "db.h"

/* What a statement selects of `conversations AS c`, and a row of it; its texts are good until the next step. */
#define CONVERSATION_COLUMNS \
    "c.id, c.public_id, c.title, c.metadata, c.pinned, c.archived, c.created_at, c.updated_at, c.unread, " \
    "(SELECT a.status FROM messages AS a WHERE a.conversation_id = c.id AND a.role = 'assistant' ORDER BY a.seq DESC LIMIT 1), " \
    "(SELECT l.public_id FROM messages AS l WHERE l.id = c.leaf_id)"

struct conversation conversation_read(struct query *query);

#endif
