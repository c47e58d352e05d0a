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

/* Whether other files stand where ours were. */
static bool are_other(const struct files *ours, const struct files *now)
{
    return !is_same(ours->database, now->database) || (ours->wal.inode != 0 && (!is_same(ours->wal, now->wal) || !is_same(ours->shm, now->shm)));
}

/* The WAL that a connection has open, wherever that stands by now; NULL: none. */
static sqlite3_file *wal_of(const struct db *db)
{
    sqlite3_file *wal = NULL; /* with a rollback journal: that one, which is open only while something is written */
    if (sqlite3_file_control(db->connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) != SQLITE_OK || wal == NULL || wal->pMethods == NULL)
        return NULL;
    return wal;
}

bool files_have_wal(const struct db *db)
{
    return db->is_placed && db->files.wal.inode != 0;
}

/* Whether all that a connection has open is known. One that had no WAL gets one when somebody else has put the database into that mode. */
static bool is_settled(const struct db *db)
{
    return db->is_placed && (files_have_wal(db) || wal_of(db) == NULL);
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

bool files_are_ours(struct db *db)
{
    struct files now = files_of(db); /* outside a transaction: another thread may be making WAL and shm right now */
    db->found = now;
    if (!is_at_path(db, now.database))
        return false;
    pthread_mutex_lock(&known.lock);
    const struct files *ours = &known.files;
    bool good = db->generation == known.generation && !differ(ours->database, now.database) && !differ(ours->wal, now.wal) && !differ(ours->shm, now.shm);
    pthread_mutex_unlock(&known.lock);
    return good;
}

/* Notes the files that a connection has open, unless they are not those of the other connections. Within this process SQLite shares the shm between all that have the database open,
   whatever WAL they found at the path: two WALs would be mixed. */
static bool note_place(struct db *db, const struct files *own)
{
    pthread_mutex_lock(&known.lock);
    struct files *ours = &known.files;
    bool good = db->generation == known.generation && !differ(ours->database, own->database) && !differ(ours->wal, own->wal) && !differ(ours->shm, own->shm);
    if (good) {
        ours->database = own->database;
        if (own->wal.inode != 0)
            *ours = *own;
        if (!db->is_placed)
            known.placed++;
        db->files = *own;
        known.had_file = db->is_placed = true;
    }
    pthread_mutex_unlock(&known.lock);
    return good;
}

/* Gives a connection the files that it has open, of which `now` was found at the paths. A WAL that stood there before the connection was opened and stands there still is the one that
   it has: while it has the database open, nobody who has the same one takes the WAL away. */
static enum standing place_connection(struct db *db, const struct files *now)
{
    struct files own = {.database = now->database};
    if (!is_at_path(db, now->database))
        return STANDING_MOVED;
    if (wal_of(db) != NULL) {
        own = *now;
        if (own.wal.inode == 0 || own.shm.inode == 0 || differ(db->found.wal, own.wal))
            return STANDING_UNSURE;
    }
    return note_place(db, &own) ? STANDING_GOOD : STANDING_MOVED;
}

bool files_let_go(const struct db *db)
{
    if (!db->is_placed)
        return false;
    struct files now = files_of(db);
    pthread_mutex_lock(&known.lock);
    if (--known.placed == 0)
        known.files.wal = known.files.shm = (struct place){0};
    pthread_mutex_unlock(&known.lock);
    return is_settled(db) && !are_other(&db->files, &now);
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
    enum standing standing = !is_settled(db) ? place_connection(db, &now) : are_other(&db->files, &now) ? STANDING_MOVED : STANDING_GOOD;
    if (standing != STANDING_GOOD)
        return standing;
    return version > SCHEMA_VERSION ? refuse_newer(version, failure) : version < SCHEMA_VERSION ? STANDING_MOVED : STANDING_GOOD;
}

bool files_are_there(const struct db *db)
{
    return is_same(place_of(settings.db_path), db->files.database);
}

/* --- when others have taken the place of ours --------------------------------------------------------------------- */

/* How many bytes are in the WAL that the connection has open. */
static sqlite3_int64 wal_size(const struct db *db)
{
    sqlite3_file *wal = wal_of(db);
    sqlite3_int64 size = 0;
    return wal != NULL && wal->pMethods->xFileSize(wal, &size) == SQLITE_OK ? size : 0;
}

/* Whether the database that a connection has open is where it was opened. It may be, though a link leads elsewhere by now. */
static bool is_at_home(const struct db *db)
{
    return is_same(place_of(real_path(db)), db->files.database);
}

/* Somebody deleted our WAL, and somebody else has begun another for the same database: the two cannot become one again. */
static void keep_fork(struct db *db)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s.fork-%lld.bak", settings.db_path, (long long)clock_unix_ms());
    sqlite3_stmt *statement = NULL;
    bool good = (size_t)len < sizeof path && db_run(db, "PRAGMA query_only = OFF") && sqlite3_prepare_v2(db->connection, "VACUUM INTO ?1", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE;
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    log_error("%s-wal was replaced while it was in use: what was stored since its last checkpoint is %s%s", settings.db_path, good ? "in " : "lost", good ? path : "");
}

/* Brings what is in the WAL into the database and takes the lock for writing. SQLITE_BUSY: another process does the same, or was faster with a commit. */
static int lock_empty_wal(struct db *db)
{
    int code = sqlite3_wal_checkpoint_v2(db->connection, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db->connection, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code != SQLITE_OK || wal_size(db) == 0)
        return code;
    db_roll_back(db);
    return SQLITE_BUSY;
}

/* The same, again and again: all processes find at the same moment that their files were moved, and SQLite lets only one of them at the WAL, without waiting for it. */
static bool await_empty_wal(struct db *db, struct failure *failure)
{
    enum { PAUSE_MS = 10 };
    int64_t end_ms = clock_mono_ms() + settings.db_busy_ms;
    int code;
    while (((code = lock_empty_wal(db)) & 0xFF) == SQLITE_BUSY && clock_mono_ms() < end_ms)
        clock_sleep_ms(PAUSE_MS);
    if (code == SQLITE_OK)
        return true;
    log_error("the database failed (%d, %s) while leaving files that were moved", code, sqlite3_errmsg(db->connection));
    (void)store_error(code, failure);
    return false;
}

/* Takes the WAL of a database that is no longer there away from whatever comes in its place, also where nothing has come yet. The caller has the lock for writing of the old files:
   whoever else has them open waits, and then finds, before anything is written, that the WAL is gone. */
static void remove_old_wal(const struct db *db)
{
    char path[PATH_MAX];
    const char *wal = sqlite3_filename_wal(real_path(db)), *shm = path_beside(real_path(db), "-shm", path);
    struct files now = files_of(db);
    if (is_same(now.wal, db->files.wal) && unlink(wal) != 0)
        log_error("%s, which belongs to a database that was there before, cannot be removed: %s", wal, strerror(errno));
    if (shm != NULL && is_same(now.shm, db->files.shm))
        (void)unlink(shm); /* without its WAL it means nothing */
}

bool files_leave(struct db *db, struct failure *failure)
{
    struct files now = files_of(db);
    db->error = SQLITE_OK;
    if (is_at_home(db) && !is_same(now.wal, db->files.wal) && wal_size(db) > 0 && size_of(sqlite3_filename_wal(real_path(db))) > 0) {
        keep_fork(db);
        return true;
    }
    if (!db_run(db, "PRAGMA query_only = OFF"))
        return !db_failed(db, failure);
    if (!await_empty_wal(db, failure))
        return false;
    if (!is_at_home(db))
        remove_old_wal(db);
    db_roll_back(db);
    return true;
}
