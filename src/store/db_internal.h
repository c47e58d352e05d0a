/*
 * A connection, and what the files behind db.h know of each other: db.c (units of work) stands on db_open.c (connections), db_files.c (the files at the
 * database's paths) and db_query.c (statements), each of which uses those named after it only.
 */
#ifndef PARLEY_DB_INTERNAL_H
#define PARLEY_DB_INTERNAL_H

#include <sqlite3.h>
#include <sys/types.h>

#include "../base/limits.h"
#include "db.h"

struct query {
    struct db *db;
    const char *sql; /* the key: a literal's address */
    sqlite3_stmt *statement;
};

/* Which file stands at a path; an inode of 0: none. */
struct place {
    dev_t device;
    ino_t inode;
};
struct files {
    struct place database, wal, shm;
};

/* A connection: lent to one thread at a time. */
struct db {
    sqlite3 *connection;
    int error;          /* SQLite's code of the first error in this unit of work */
    bool broken;        /* after an error of the file, the disk or memory a connection is not trusted again */
    int64_t generation; /* of the files: db_files.c */
    struct files found; /* stood at the paths when it was opened; SQLite opens the WAL later, with the first read, by its name */
    bool is_placed;     /* `files` is known: those that the connection has open. A database in a rollback journal's mode, as backups are, has no WAL and shm */
    struct files files;
    struct query queries[LIMIT_STATEMENTS];
    size_t query_count;
    struct db *next; /* in the list of free readers */
};

/* --- db_query.c --------------------------------------------------------------------------------------------------- */

/* Logs an error and keeps it for db_failed(), unless there was one before. */
void db_note_error(struct db *db, int code, const char *doing);

/* Runs SQL without a result: once, or again and again, such as COMMIT, which is kept prepared. */
bool db_run(struct db *db, const char *sql);
bool db_run_kept(struct db *db, const char *sql);

/* Leaves the transaction as it was before BEGIN; after a full disk SQLite has done so itself. Keeps db->error. */
void db_roll_back(struct db *db);

/* --- db_files.c --------------------------------------------------------------------------------------------------- */

enum standing {
    STANDING_GOOD,
    STANDING_MOVED,  /* other files are there, or none, or those of an older version: to be opened anew */
    STANDING_UNSURE, /* the WAL was exchanged while the connection was being opened: which one it has nobody knows. To be opened once more */
    STANDING_FAILED, /* *failure is filled */
};

/* Before a connection is opened: whether there was a database which is gone, empty or cut short now. Then *failure is filled. */
bool files_are_lost(struct failure *failure);

/* Whether a connection, of which nothing but the database file is open yet, has the one that all connections of its generation have, and will find their WAL. SQLite would take the
   -wal that stands at the path for the file's own. */
bool files_are_ours(struct db *db);

/* What became of the files of a connection on which a transaction has just begun. */
enum standing files_look(struct db *db, struct failure *failure);

/* Whether the file that a connection writes to is still the database, after a commit. */
bool files_are_there(const struct db *db);

/* Whether a connection is known to have a WAL open, and which. */
bool files_have_wal(const struct db *db);

/* Before the connections whose files were moved are closed, by one of them that has a WAL: what is only in that goes into the database that it belongs to, wherever that is by now,
   and the WAL is taken from the path, where whatever database comes next would be given it. False, with *failure filled: not yet. */
bool files_leave(struct db *db, struct failure *failure);

/* Other files stand where ours did: noted by whoever finds it, and true until all connections are closed and the next generation begins. */
void files_note_moved(void);
bool files_are_moved(void);
int64_t files_generation(void);
void files_begin_anew(void);

/* Before a connection is closed: whether it was the right one at the path to the end. */
bool files_let_go(const struct db *db);

/* Whether it is time for a look, though nobody asks for anything. */
bool files_need_look(void);

/* As if the program had only just started. */
void files_forget(void);

/* The sentence for those who come meanwhile; OUTCOME_STORE. */
enum outcome files_refuse(struct failure *failure);

/* --- db_open.c ---------------------------------------------------------------------------------------------------- */

/* Opens a connection. One for writing makes the folders and the file where there are none, and brings the file up to date; the other only reads, and the file must be there.
   NULL, with *failure filled, when that fails. */
struct db *connection_open(bool for_writing, struct failure *failure);

/* Closes it. When its files were moved, SQLite neither moves what is in the WAL into the database nor deletes the WAL: they may be those of another by now. */
void connection_close(struct db *db);

#endif
