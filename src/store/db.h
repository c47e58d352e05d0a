/*
 * The one door to SQLite: connections, transactions, statements.
 *
 * Reads take a connection from a pool. Writes go through one connection of the process: callers queue, and whoever finds the writer free runs
 * all that wait as one SQLite transaction and commits once (if one of them fails, each runs again as a transaction of its own). So many small durable writes share one
 * sync, threads never fight over SQLite's single writer, and a caller returns only after its commit. Other processes are waited for up to
 * DB_BUSY_SECONDS. The database need not be usable when the program starts: each access tries to open it.
 * Neighbours: the files of this folder, one per noun, which hold all SQL. Leaves out: what the tables mean (schema.sql).
 */
#ifndef PARLEY_DB_H
#define PARLEY_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/outcome.h"

struct db;    /* a connection, lent to a unit of work */
struct query; /* a prepared statement with its bindings */

/* A unit of work. Returns OUTCOME_OK, or fills *failure and returns something else: a writer's changes are then undone. It may run on another
   thread, and it may be undone after it returned OUTCOME_OK and then run a second time: it must give the same result again, and only the outcome of
   db_write() counts. */
typedef enum outcome db_work(struct db *db, void *arg, struct failure *failure);

/* Runs `work` on a connection that only reads; all its statements see one snapshot. OUTCOME_STORE when the database cannot be used. */
enum outcome db_read(db_work *work, void *arg, struct failure *failure);

/* Runs `work` in a write transaction and commits it to disk. OUTCOME_STORE when the database cannot be used or the commit fails. */
enum outcome db_write(db_work *work, void *arg, struct failure *failure);

/* The same for work that deletes: when the disk is full, there is a small reserve for it (reserve.h). */
enum outcome db_write_less(db_work *work, void *arg, struct failure *failure);

/* Whether the database can be used now: opens it if need be and reads from it. */
enum outcome db_check(struct failure *failure);

/* Whether the file is on a network file system, where locks and shared memory are not to be relied on. */
bool db_is_on_network(void);

/* Makes the folder of the database if it is missing, so that it can be allowed to this process before others cannot be. A failure is logged; opening tells it again. */
void db_make_folder(void);

/* The files of a database that is in use may be moved, replaced, restored or deleted by somebody else. Each transaction looks, and opens what stands there now; that is a new
   generation. A file that is gone is not made again. db_generation() is that of a unit of work. A thread that was given row ids pins itself to the generation they are of: its
   later calls fail with OUTCOME_STORE once they would mean other rows (-1: not pinned). db_is_current() tells, by a look at the file, whether a generation is that of now. */
int64_t db_generation(const struct db *db);
void db_pin(int64_t generation);
bool db_is_current(int64_t generation);

/* `act` is called once, by some thread, when a newer program has upgraded the database under this one, which can no longer use it. */
void db_on_outdated(void (*act)(void));

/* To be called now and then by a program that has nothing to do: files that others have taken the place of are let go of before somebody who comes new finds half of them. */
void db_tend(void);

/* Closes all connections. No other thread may be inside this file. */
void db_close(void);

/* Inside a unit of work. The statement for `sql`, a string literal (its address is the key under which it is kept), ready to be bound.
   NULL only after an error, which db_failed() tells; all calls below accept NULL. */
struct query *db_query(struct db *db, const char *sql);

void query_int(struct query *query, int index, int64_t value);   /* index counts from 1 */
void query_text(struct query *query, int index, const char *text); /* NULL binds SQL NULL; the text must live until query_end() */
void query_bytes(struct query *query, int index, const char *text, size_t len);
void query_real(struct query *query, int index, double value);
void query_null(struct query *query, int index);
void query_pointer(struct query *query, int index, void *pointer, const char *type); /* what a function of an extension wants (SQLite documentation, "Pointer Passing Interfaces") */

/* Steps to the next row: false at the end or on an error. */
bool query_next(struct query *query);

int64_t query_get_int(struct query *query, int column); /* column counts from 0 */
double query_get_real(struct query *query, int column);
bool query_is_null(struct query *query, int column);
const char *query_get_text(struct query *query, int column, size_t *len); /* NULL for SQL NULL; good until the next step. `len` may be NULL */

/* Ends the use of a statement; its bindings are cleared. */
void query_end(struct query *query);

/* Runs a statement that returns no rows and ends it. The number of rows that it changed, -1 on an error. */
int query_run(struct query *query);

/* Whether a statement of this unit of work failed; fills *failure with OUTCOME_STORE and a sentence if so. */
bool db_failed(struct db *db, struct failure *failure);

#endif
