/*
 * SQLite's result codes as outcomes and sentences. Neighbours: db_query.c, upgrade.c. Leaves out: the log, which has the facts.
 */
#ifndef PARLEY_STORE_ERROR_H
#define PARLEY_STORE_ERROR_H

#include "../base/outcome.h"

/* Fills *failure for SQLite's result code `code` (SQLite documentation, "Result and Error Codes"), plain or extended. OUTCOME_STORE, or OUTCOME_NO_MEMORY. */
enum outcome store_error(int code, struct failure *failure);

#endif
