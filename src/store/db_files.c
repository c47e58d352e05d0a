/*
 * The files under our hands. Somebody may move, replace, restore or delete the files of a database that is in use, or upgrade it. Every transaction, once begun, therefore looks
 * whether the files that its connection has open are those at the database's paths, and whether the version of the schema is still this program's. Three things must not happen:
 *  - that something is acknowledged which went into a file that is no longer the database;
 *  - that the WAL of one database is taken for that of another, or thrown away with what is only in it;
 *  - that a new database is made in the place of one that is gone.
 *
 * All connections of a process have the same files: those of a generation. Whoever finds others notes it; then the thread that writes has one connection leave the old files for
 * all, closes all (db.c: change_files()), and the next generation begins with whatever stands at the path. A look costs three stat(2) calls; they are a part of the few
 * microseconds that a small transaction takes, and not worth being late for. Neighbours: db_internal.h.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/settings.h"
#include "db_internal.h"
#include "store_error.h"
#include "upgrade.h"

static struct {
    pthread_mutex_t lock; /* guards all of this; held for moments, never while a file is looked at */
    bool moved;           /* other files stand where ours did: all connections are to be closed before one is opened */
    bool had_file;        /* this process has used the database: a file that is gone or empty now is not made again */
    bool outdated;        /* it was upgraded by a newer program, which was said */
    int64_t generation;   /* how often other files took the place of ours */
    struct files files;   /* of this generation; none: nobody has used it yet */
    int placed;           /* connections that have them open; after the last, SQLite deletes WAL and shm, and makes new ones with the next */
    void (*on_outdated)(void);
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum outcome files_refuse(struct failure *failure)
{
    return fail(failure, OUTCOME_STORE, "The database file is being replaced. Please try again.");
}

/* --- what stands where -------------------------------------------------------------------------------------------- */

static struct place place_of(const char *path)
{
    struct stat status;
    if (path == NULL || stat(path, &status) != 0)
        return (struct place){0};
    return (struct place){status.st_dev, status.st_ino};
}

static bool is_same(struct place a, struct place b)
{
    return a.device == b.device && a.inode == b.inode;
}

static off_t size_of(const char *path)
{
    struct stat status;
    return path != NULL && stat(path, &status) == 0 ? status.st_size : 0;
}

/* The path of a file beside the database; NULL: it would be too long. */
static const char *path_beside(const char *path, const char *suffix, char whole[PATH_MAX])
{
    int len = snprintf(whole, PATH_MAX, "%s%s", path, suffix);
    return len > 0 && len < PATH_MAX ? whole : NULL;
}

/* SQLite names the other two files by the database's real path, not by a link to it. */
static const char *real_path(const struct db *db)
{
    return sqlite3_db_filename(db->connection, "main");
}

static struct files files_of(const struct db *db)
{
    char shm[PATH_MAX];
    return (struct files){place_of(settings.db_path), place_of(sqlite3_filename_wal(real_path(db))), place_of(path_beside(real_path(db), "-shm", shm))};
}

/* --- generations -------------------------------------------------------------------------------------------------- */

void files_note_moved(void)
{
    pthread_mutex_lock(&known.lock);
    if (!known.moved)
        log_warning("%s or a file beside it was moved, replaced or deleted while in use: it is opened anew", settings.db_path);
    known.moved = true;
    pthread_mutex_unlock(&known.lock);
}

bool files_are_moved(void)
{
    pthread_mutex_lock(&known.lock);
    bool moved = known.moved;
    pthread_mutex_unlock(&known.lock);
    return moved;
}

int64_t files_generation(void)
{
    pthread_mutex_lock(&known.lock);
    int64_t generation = known.generation;
    pthread_mutex_unlock(&known.lock);
    return generation;
}

void files_begin_anew(void)
{
    pthread_mutex_lock(&known.lock);
    known.moved = false;
    known.generation++;
    known.files = (struct files){0};
    pthread_mutex_unlock(&known.lock);
}

void files_forget(void)
{
    files_begin_anew();
    pthread_mutex_lock(&known.lock);
    known.had_file = known.outdated = false;
    pthread_mutex_unlock(&known.lock);
}

bool files_need_look(void)
{
    struct place now = place_of(settings.db_path);
    pthread_mutex_lock(&known.lock);
    bool needed = known.files.database.inode != 0 && (known.moved || !is_same(known.files.database, now));
    pthread_mutex_unlock(&known.lock);
    return needed;
}

bool db_is_current(int64_t generation)
{
    struct place now = place_of(settings.db_path);
    pthread_mutex_lock(&known.lock);
    bool current = !known.moved && known.generation == generation && is_same(known.files.database, now);
    pthread_mutex_unlock(&known.lock);
    return current;
}

int64_t db_generation(const struct db *db)
{
    return db->generation;
}

void db_on_outdated(void (*act)(void))
{
    pthread_mutex_lock(&known.lock);
    known.on_outdated = act;
    pthread_mutex_unlock(&known.lock);
}

/* --- before a connection is opened -------------------------------------------------------------------------------- */

/* As far as can be told. SQLite would make a new file in the place of one that is gone, and throw its WAL away. */
bool files_are_lost(struct failure *failure)
{
    enum { SMALLEST_PAGE = 512 }; /* less is an empty file to SQLite */
    char wal[PATH_MAX];
    off_t size = size_of(settings.db_path);
    if (size >= SMALLEST_PAGE)
        return false;
    pthread_mutex_lock(&known.lock);
    bool had_file = known.had_file;
    pthread_mutex_unlock(&known.lock);
    if (size > 0)
        (void)store_error(SQLITE_NOTADB, failure);
    else if (had_file)
        (void)fail(failure, OUTCOME_STORE, "The database file is gone. Put it back, or restart the program to begin with a new one.");
    else if (size_of(path_beside(settings.db_path, "-wal", wal)) > 0)
        (void)fail(failure, OUTCOME_STORE, "The database file is gone, but its -wal file is there. Put the one back, or take the other away.");
    else
        return false;
    log_error("%s: %s", settings.db_path, failure->message);
    return true;
}

/* --- when a transaction begins ------------------------------------------------------------------------------------ */

/* Whether another file stands where ours was. One that was not there yet is ours from now on: a database in a rollback journal's mode, as backups are, has no WAL and shm until
   it is written to. */
static bool is_other(struct place *ours, struct place now)
{
    if (ours->inode == 0)
        *ours = now;
    return !is_same(*ours, now);
}

static bool are_other(struct files *ours, const struct files *now)
{
    return is_other(&ours->database, now->database) || is_other(&ours->wal, now->wal) || is_other(&ours->shm, now->shm);
}

/* Whether the database that a connection has open is the one at the path. SQLite knows the inode of the file that it has open, and compares it with the one at the real path. */
static bool is_at_path(const struct db *db, struct place now)
{
    int moved = 0;
    (void)sqlite3_file_control(db->connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved == 0 && now.inode != 0 && is_same(place_of(real_path(db)), now);
}

/* Whether a file that is there is another than one that is known. */
static bool differ(struct place known_one, struct place now)
{
    return known_one.inode != 0 && now.inode != 0 && !is_same(known_one, now);
}

bool files_are_ours(const struct db *db)
{
    struct files now = files_of(db); /* outside a transaction: another thread may be making WAL and shm right now */
    if (!is_at_path(db, now.database))
        return false;
    pthread_mutex_lock(&known.lock);
    const struct files *ours = &known.files;
    bool good = db->generation == known.generation && !differ(ours->database, now.database) && !differ(ours->wal, now.wal) && !differ(ours->shm, now.shm);
    pthread_mutex_unlock(&known.lock);
    return good;
}

/* Gives a connection the files that it has open, of which `now` was found at the paths. False: they are not those of the other connections. Within this process SQLite shares the
   shm between all that have the database open, whatever WAL they found at the path: two WALs would be mixed. */
static bool place_connection(struct db *db, const struct files *now)
{
    if (!is_at_path(db, now->database))
        return false;
    pthread_mutex_lock(&known.lock);
    struct files ours = known.files;
    bool good = db->generation == known.generation && !are_other(&ours, now);
    if (good) {
        known.files = db->files = ours;
        known.had_file = db->is_placed = true;
        known.placed++;
    }
    pthread_mutex_unlock(&known.lock);
    return good;
}

bool files_let_go(const struct db *db)
{
    if (!db->is_placed)
        return false;
    struct files now = files_of(db), ours = db->files;
    pthread_mutex_lock(&known.lock);
    if (--known.placed == 0)
        known.files.wal = known.files.shm = (struct place){0};
    pthread_mutex_unlock(&known.lock);
    return !are_other(&ours, &now);
}

static enum standing refuse_newer(int64_t version, struct failure *failure)
{
    (void)fail(failure, OUTCOME_STORE, "The database was upgraded by a newer program while this one ran (its version is %lld, this program knows %d).",
               (long long)version, SCHEMA_VERSION);
    pthread_mutex_lock(&known.lock);
    bool is_first = !known.outdated;
    void (*act)(void) = known.on_outdated;
    known.outdated = true;
    pthread_mutex_unlock(&known.lock);
    if (is_first)
        log_error("%s", failure->message);
    if (is_first && act != NULL)
        act();
    return STANDING_FAILED;
}

enum standing files_look(struct db *db, struct failure *failure)
{
    struct query *query = db_query(db, "PRAGMA user_version");
    int64_t version = query_next(query) ? query_get_int(query, 0) : 0;
    query_end(query);
    if (db_failed(db, failure))
        return STANDING_FAILED;
    struct files now = files_of(db);
    if (!db->is_placed ? !place_connection(db, &now) : are_other(&db->files, &now))
        return STANDING_MOVED;
    return version > SCHEMA_VERSION ? refuse_newer(version, failure) : version < SCHEMA_VERSION ? STANDING_MOVED : STANDING_GOOD;
}

bool files_are_there(const struct db *db)
{
    return is_same(place_of(settings.db_path), db->files.database);
}

/* --- when others have taken the place of ours --------------------------------------------------------------------- */

/* How many bytes the WAL has that the connection has open, wherever that stands by now. */
static sqlite3_int64 wal_size(const struct db *db)
{
    sqlite3_file *wal = NULL;
    sqlite3_int64 size = 0;
    if (sqlite3_file_control(db->connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) != SQLITE_OK || wal == NULL || wal->pMethods == NULL ||
        wal->pMethods->xFileSize(wal, &size) != SQLITE_OK)
        return 0;
    return size;
}

/* Somebody deleted our WAL, and somebody else has begun another for the same database: the two cannot become one again. */
static void keep_fork(struct db *db)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s.fork-%lld.bak", settings.db_path, (long long)clock_unix_ms());
    sqlite3_stmt *statement = NULL;
    db->error = SQLITE_OK;
    bool good = (size_t)len < sizeof path && db_run(db, "PRAGMA query_only = OFF") && sqlite3_prepare_v2(db->connection, "VACUUM INTO ?1", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE;
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    log_error("%s-wal was replaced while it was in use: what was stored since its last checkpoint is %s%s", settings.db_path, good ? "in " : "lost", good ? path : "");
}

/* Takes the WAL of a database that is no longer there away from the one that has taken its place. The write lock is that of the old files: whoever else had them open waits here,
   and then finds that it is done. */
static bool remove_old_wal(struct db *db, struct failure *failure)
{
    char path[PATH_MAX];
    const char *wal = sqlite3_filename_wal(real_path(db)), *shm = path_beside(real_path(db), "-shm", path);
    db->error = SQLITE_OK;
    if (!db_run(db, "PRAGMA query_only = OFF; BEGIN IMMEDIATE"))
        return !db_failed(db, failure);
    struct files now = files_of(db);
    if (now.wal.inode != 0 && is_same(now.wal, db->files.wal) && unlink(wal) != 0)
        log_error("%s, which belongs to a database that was there before, cannot be removed: %s", wal, strerror(errno));
    if (shm != NULL && now.shm.inode != 0 && is_same(now.shm, db->files.shm))
        (void)unlink(shm); /* without its WAL it means nothing */
    db_roll_back(db);
    return true;
}

bool files_leave(struct db *db, struct failure *failure)
{
    if (db->files.wal.inode == 0)
        return true;
    struct files now = files_of(db);
    bool is_replaced = !is_same(now.database, db->files.database);
    if (wal_size(db) > 0) {
        if (!is_replaced && !is_same(now.wal, db->files.wal) && size_of(sqlite3_filename_wal(real_path(db))) > 0) {
            keep_fork(db);
            return true;
        }
        int code = sqlite3_wal_checkpoint_v2(db->connection, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (code != SQLITE_OK) {
            log_error("the database failed (%d, %s) while leaving files that were moved", code, sqlite3_errmsg(db->connection));
            (void)store_error(code, failure);
            return false;
        }
    }
    return !is_replaced || now.database.inode == 0 || remove_old_wal(db, failure);
}
