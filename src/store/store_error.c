/*
 * The table of store_error.h.
 */
#include "store_error.h"

#include <sqlite3.h>

enum outcome store_error(int code, struct failure *failure)
{
    switch (code & 0xFF) { /* the primary code of an extended one */
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail(failure, OUTCOME_STORE, "The database is busy: another program holds it. Please try again.");
    case SQLITE_FULL:
        return fail(failure, OUTCOME_STORE, "The server's storage is full.");
    case SQLITE_READONLY:
        return fail(failure, OUTCOME_STORE, "The database cannot be written to.");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return fail(failure, OUTCOME_STORE, "The database file is damaged or not a database.");
    case SQLITE_NOMEM:
        return fail_no_memory(failure);
    case SQLITE_IOERR:
        return fail(failure, OUTCOME_STORE, "The server's storage reports an error.");
    default:
        return fail(failure, OUTCOME_STORE, "The database cannot be used.");
    }
}
