/*
 * The schema of a database file: made when new, brought up to date when old, refused when newer.
 */
#ifndef PARLEY_UPGRADE_H
#define PARLEY_UPGRADE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "../base/outcome.h"

enum { SCHEMA_VERSION = 6 }; /* what schema.sql makes; each change of it adds a step */

/* One step: the SQL that turns a database of version `from` into `from` + 1. */
struct upgrade_step {
    int from;
    const char *sql;
};

/* Makes the file at `path`, open as `connection`, one of this program's version. Several processes may do so at once. OUTCOME_STORE with a
   sentence when it belongs to a newer program or something else, or cannot be changed. */
enum outcome schema_upgrade(sqlite3 *connection, const char *path, struct failure *failure);

/* The same with given steps and version: for tests. */
enum outcome schema_upgrade_with(sqlite3 *connection, const char *path, const struct upgrade_step *steps, size_t count, int version,
                                 struct failure *failure);

/* Whether the file has the tables that this program needs, in its version; only reads. False also when it cannot be read. */
bool schema_is_current(sqlite3 *connection);

#endif
