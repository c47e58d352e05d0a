/*
 * Opening and configuring a connection: the folders above the file, the sort of journal that its file system allows, and what to tell an administrator when it fails.
 * Neighbours: upgrade.h (the schema), db_files.c (whether the file is still the one). Leaves out: who uses the connection, and how many there are (db.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/sandbox.h"
#include "../base/settings.h"
#include "db_internal.h"
#include "reserve.h"
#include "store_error.h"
#include "upgrade.h"

/* --- the folder --------------------------------------------------------------------------------------------------- */

/* On shared hosting the folder may lie where Apache would serve its files: it is told not to. */
static void deny_folder(const char *folder)
{
    static const char deny[] = "# Conversations are in this folder: no web server may hand them out.\nRequire all denied\n";
    struct buf path;
    buf_init(&path, PATH_MAX);
    buf_addf(&path, "%s/.htaccess", folder);
    int fd = buf_failed(&path) ? -1 : open(path.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, deny, sizeof deny - 1) < 0)
        log_warning("%s/.htaccess cannot be written: %s", folder, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    buf_free(&path);
}

/* Makes the folders above the database, as far as they are missing. */
static void make_folders(const char *path)
{
    char *copy = mem_copy(path);
    for (char *slash = copy != NULL ? strchr(copy + 1, '/') : NULL; slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0700) == 0)
            deny_folder(copy);
        else if (errno != EEXIST && errno != EROFS && errno != EACCES)
            log_warning("the folder %s cannot be made: %s", copy, strerror(errno));
        *slash = '/';
    }
    mem_free(copy);
}

void db_make_folder(void)
{
    make_folders(settings.db_path);
}

/* What an administrator can do about a database that cannot be opened or made. */
static void explain_place(void)
{
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", settings.db_path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder)
        return;
    *slash = '\0';
    if (access(folder, R_OK | W_OK | X_OK) != 0)
        log_error("the folder %s must be there and be writable for the user number %d, as whom the program runs: %s", folder, (int)geteuid(), strerror(errno));
    else if (access(settings.db_path, R_OK | W_OK) != 0 && errno != ENOENT)
        log_error("the file %s must be writable for the user number %d, as whom the program runs: %s", settings.db_path, (int)geteuid(), strerror(errno));
    else if (sandbox_forbids(folder))
        log_error("the folder %s is not the one that was there at the start, and SANDBOX closes it: start the program again", folder);
    else
        log_error("the file %s must be one that this program made, or not be there yet", settings.db_path);
}

/* --- the connection ----------------------------------------------------------------------------------------------- */

/* WAL needs memory shared by all who use the file, which network file systems do not give (SQLite, "Write-Ahead Logging", section 1). */
bool db_is_on_network(void)
{
    static const long kinds[] = {0x6969 /* NFS */, 0x517B /* SMB */, 0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */, 0x65735546 /* FUSE */,
                                 0x01021997 /* 9P */, 0x00C36400 /* Ceph */, 0x5346414F /* AFS */};
    struct statfs status;
    if (statfs(settings.db_path, &status) != 0)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((unsigned long)status.f_type == (unsigned long)kinds[i])
            return true;
    return false;
}

/* A file that is being made by several processes at once: SQLite does not wait here by itself. */
static bool set_journal(struct db *db, const char *sql)
{
    enum { PAUSE_MS = 10 };
    int64_t end_ms = clock_mono_ms() + settings.db_busy_ms;
    int code;
    while ((code = sqlite3_exec(db->connection, sql, NULL, NULL, NULL)) == SQLITE_BUSY && clock_mono_ms() < end_ms)
        clock_sleep_ms(PAUSE_MS);
    if (code != SQLITE_OK)
        db_note_error(db, code, sql);
    return code == SQLITE_OK;
}

/* Each connection belongs to one thread at a time: SQLite need not count its memory under a lock that all share. */
static void configure_sqlite(void)
{
    if (sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
        log_debug("SQLite was in use before it could be configured");
}

/* A commit in WAL mode is durable once the WAL is synced. With a rollback journal it is the journal's deletion that commits, and only EXTRA syncs that too: after FULL a power cut
   can bring the journal back, which undoes what was acknowledged (SQLite, "PRAGMA synchronous"). */
static const char *sync_wanted(bool on_network)
{
    if (strcasecmp(settings.db_sync, "normal") == 0)
        return "PRAGMA synchronous = NORMAL";
    return on_network ? "PRAGMA synchronous = EXTRA" : "PRAGMA synchronous = FULL";
}

/* What only the writer needs. The schema first, before anything is changed: the file may be somebody else's, or newer. */
static bool prepare_writer(struct db *db, struct failure *failure)
{
    if (schema_upgrade(db->connection, settings.db_path, failure) != OUTCOME_OK)
        return false;
    bool on_network = db_is_on_network();
    if (on_network)
        log_warning("%s is on a network file system: using a rollback journal, which is slower", settings.db_path);
    bool good = set_journal(db, on_network ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL") &&
                db_run(db, sync_wanted(on_network));
    reserve_make();
    return good;
}

/* False: with *failure filled, or the error in db->error. */
static bool open_file(struct db *db, bool for_writing, struct failure *failure)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (for_writing ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(settings.db_path, &db->connection, flags, NULL);
    if (code != SQLITE_OK) {
        db_note_error(db, code, settings.db_path);
        explain_place();
        return false;
    }
    if (!files_are_ours(db)) {
        files_note_moved();
        (void)files_refuse(failure);
        return false;
    }
    (void)sqlite3_busy_timeout(db->connection, (int)settings.db_busy_ms);
    if (!db_run(db, "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024"))
        return false;
    return for_writing ? prepare_writer(db, failure) : db_run(db, "PRAGMA query_only = ON");
}

struct db *connection_open(bool for_writing, struct failure *failure)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, configure_sqlite); /* cannot fail with a proper control */
    struct db *db = mem_new(1, sizeof *db);
    if (db == NULL) {
        (void)fail_no_memory(failure);
        return NULL;
    }
    db->generation = files_generation(); /* first: files that are replaced from here on are noticed */
    if (files_are_lost(failure)) {
        mem_free(db);
        return NULL;
    }
    if (for_writing)
        db_make_folder();
    if (open_file(db, for_writing, failure))
        return db;
    (void)db_failed(db, failure); /* then *failure is of SQLite's error */
    connection_close(db);
    return NULL;
}

void connection_close(struct db *db)
{
    for (size_t i = 0; i < db->query_count; i++)
        (void)sqlite3_finalize(db->queries[i].statement); /* repeats the error of the last step, which was noted */
    if (db->connection != NULL && !files_let_go(db))
        (void)sqlite3_db_config(db->connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_close(db->connection) != SQLITE_OK)
        log_error("a database connection cannot be closed: %s", sqlite3_errmsg(db->connection));
    mem_free(db);
}
