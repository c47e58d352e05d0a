/*
 * Databases of old versions: how a file of this version becomes one of an earlier.
 */
#ifndef PARLEY_UNIT_VERSIONS_H
#define PARLEY_UNIT_VERSIONS_H

/* What each version added, taken away again: what leads from a file of version N + 1 to one of version N. */
static const char *const steps_back[] = {
    [1] = "DROP TABLE counters",
    [2] = "DROP TABLE usage_days; ALTER TABLE messages DROP COLUMN attachments; ALTER TABLE messages DROP COLUMN provider; ALTER TABLE messages DROP COLUMN usage_estimated; "
          "ALTER TABLE messages DROP COLUMN cost; ALTER TABLE messages DROP COLUMN calls; ALTER TABLE messages DROP COLUMN state; ALTER TABLE messages DROP COLUMN state_wire",
    [3] = "DROP TABLE feedback; DROP TABLE keys; DROP INDEX messages_by_client_id; ALTER TABLE messages DROP COLUMN events; ALTER TABLE messages DROP COLUMN steps; "
          "ALTER TABLE messages DROP COLUMN app_state; ALTER TABLE messages DROP COLUMN client_id",
    [4] = "DROP TABLE journal; DROP TABLE repeats; DROP TABLE rates; ALTER TABLE messages DROP COLUMN address; ALTER TABLE messages DROP COLUMN detached; "
          "ALTER TABLE messages DROP COLUMN layout",
    [5] = "ALTER TABLE conversations DROP COLUMN unread; DROP INDEX messages_answers; DROP INDEX conversations_by_user; "
          "CREATE INDEX conversations_by_user ON conversations (user_id, updated_at DESC, id DESC)",
};

enum { NEWEST = 6 };

#endif
