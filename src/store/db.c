/*
 * Connections, pool and group commit of db.h.
 */
#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/limits.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "store_error.h"
#include "upgrade.h"

struct query {
    struct db *db;
    const char *sql; /* the key: a literal's address */
    sqlite3_stmt *statement;
};

struct db {
    sqlite3 *connection;
    int error;   /* SQLite's code of the first error in this unit of work */
    bool broken; /* after an error of the file or the disk a connection is not trusted again */
    struct query queries[LIMIT_STATEMENTS];
    size_t query_count;
    struct db *next; /* in the list of free readers */
};

/* A writer that waits for its turn, on the stack of its thread. */
struct job {
    db_work *work;
    void *arg;
    struct failure *failure;
    enum outcome outcome;
    bool done;
    pthread_cond_t wake; /* it is done, or nobody writes any more and it is the first in the queue */
    struct job *next;
};

enum { JOBS_PER_COMMIT = 128 };

static struct {
    pthread_mutex_t lock;    /* guards all but the writer connection in use */
    pthread_cond_t reader_free;
    struct db *writer;       /* NULL: not open */
    bool writing;            /* a thread runs jobs */
    struct job *first, *last;
    struct db *free_readers;
    int reader_count;
} store = {.lock = PTHREAD_MUTEX_INITIALIZER, .reader_free = PTHREAD_COND_INITIALIZER};

/* --- errors ------------------------------------------------------------------------------------------------------- */

static void note_error(struct db *db, int code, const char *doing)
{
    if (db->error != SQLITE_OK)
        return;
    db->error = sqlite3_extended_errcode(db->connection);
    if (db->error == SQLITE_OK)
        db->error = code;
    code = db->error & 0xFF;
    if (code == SQLITE_IOERR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_READONLY || code == SQLITE_CANTOPEN)
        db->broken = true;
    log_error("the database failed (%d, %s): %.200s", db->error, sqlite3_errmsg(db->connection), doing);
}

bool db_failed(struct db *db, struct failure *failure)
{
    if (db->error == SQLITE_OK)
        return false;
    (void)store_error(db->error, failure);
    return true;
}

/* --- statements --------------------------------------------------------------------------------------------------- */

struct query *db_query(struct db *db, const char *sql)
{
    if (db->error != SQLITE_OK)
        return NULL;
    for (size_t i = 0; i < db->query_count; i++)
        if (db->queries[i].sql == sql)
            return &db->queries[i];
    if (db->query_count == LIMIT_STATEMENTS) {
        note_error(db, SQLITE_ERROR, "too many statements");
        return NULL;
    }
    struct query *query = &db->queries[db->query_count];
    int code = sqlite3_prepare_v3(db->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &query->statement, NULL);
    if (code != SQLITE_OK) {
        note_error(db, code, sql);
        return NULL;
    }
    query->db = db;
    query->sql = sql;
    db->query_count++;
    return query;
}

static void check_bind(struct query *query, int code)
{
    if (code != SQLITE_OK)
        note_error(query->db, code, query->sql);
}

void query_int(struct query *query, int index, int64_t value)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_int64(query->statement, index, value));
}

void query_bytes(struct query *query, int index, const char *text, size_t len)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_text64(query->statement, index, text, len, SQLITE_STATIC, SQLITE_UTF8));
}

void query_text(struct query *query, int index, const char *text)
{
    if (text != NULL)
        query_bytes(query, index, text, strlen(text));
    else
        query_null(query, index);
}

void query_real(struct query *query, int index, double value)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_double(query->statement, index, value));
}

void query_null(struct query *query, int index)
{
    if (query != NULL)
        check_bind(query, sqlite3_bind_null(query->statement, index));
}

bool query_next(struct query *query)
{
    if (query == NULL || query->db->error != SQLITE_OK)
        return false;
    int code = sqlite3_step(query->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        note_error(query->db, code, query->sql);
    return code == SQLITE_ROW;
}

int64_t query_get_int(struct query *query, int column)
{
    return sqlite3_column_int64(query->statement, column);
}

double query_get_real(struct query *query, int column)
{
    return sqlite3_column_double(query->statement, column);
}

bool query_is_null(struct query *query, int column)
{
    return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

const char *query_get_text(struct query *query, int column, size_t *len)
{
    const char *text = (const char *)sqlite3_column_text(query->statement, column);
    if (len != NULL)
        *len = (size_t)sqlite3_column_bytes(query->statement, column);
    return text;
}

void query_end(struct query *query)
{
    if (query == NULL)
        return;
    (void)sqlite3_reset(query->statement); /* repeats the error of the last step, which was noted */
    (void)sqlite3_clear_bindings(query->statement);
}

int query_run(struct query *query)
{
    (void)query_next(query);
    query_end(query);
    if (query == NULL || query->db->error != SQLITE_OK)
        return -1;
    return sqlite3_changes(query->db->connection);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static bool run_sql(struct db *db, const char *sql)
{
    int code = sqlite3_exec(db->connection, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        note_error(db, code, sql);
    return code == SQLITE_OK;
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
        note_error(db, code, sql);
    return code == SQLITE_OK;
}

/* WAL needs memory shared by all who use the file, which network file systems do not give (SQLite, "Write-Ahead Logging", section 1). */
static bool is_on_network(const char *path)
{
    static const long kinds[] = {0x6969 /* NFS */, 0x517B /* SMB */, 0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */, 0x65735546 /* FUSE */,
                                 0x01021997 /* 9P */, 0x00C36400 /* Ceph */, 0x5346414F /* AFS */};
    struct statfs status;
    if (statfs(path, &status) != 0)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((unsigned long)status.f_type == (unsigned long)kinds[i])
            return true;
    return false;
}

static void close_connection(struct db *db)
{
    for (size_t i = 0; i < db->query_count; i++)
        (void)sqlite3_finalize(db->queries[i].statement);
    if (sqlite3_close(db->connection) != SQLITE_OK)
        log_error("a database connection cannot be closed: %s", sqlite3_errmsg(db->connection));
    mem_free(db);
}

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

/* Each connection belongs to one thread at a time: SQLite need not count its memory under a lock that all share. */
static void configure_sqlite(void)
{
    if (sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
        log_debug("SQLite was in use before it could be configured");
}

/* Opens a connection; NULL, with *failure filled, when that fails. */
static struct db *open_connection(bool for_writing, struct failure *failure)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, configure_sqlite); /* cannot fail with a proper control */
    struct db *db = mem_new(1, sizeof *db);
    if (db == NULL) {
        (void)fail_no_memory(failure);
        return NULL;
    }
    if (for_writing)
        make_folders(settings.db_path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (for_writing ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(settings.db_path, &db->connection, flags, NULL);
    if (code != SQLITE_OK)
        note_error(db, code, settings.db_path);
    (void)sqlite3_busy_timeout(db->connection, (int)settings.db_busy_ms);
    bool good = db->error == SQLITE_OK &&
                run_sql(db, "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024");
    if (good && for_writing) {
        /* before anything is changed: the file may be somebody else's, or newer */
        if (schema_upgrade(db->connection, settings.db_path, failure) != OUTCOME_OK) {
            close_connection(db);
            return NULL;
        }
        if (is_on_network(settings.db_path))
            log_warning("%s is on a network file system: using a rollback journal, which is slower", settings.db_path);
        good = set_journal(db, is_on_network(settings.db_path) ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL") &&
               run_sql(db, strcasecmp(settings.db_sync, "normal") == 0 ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
    } else if (good) {
        good = run_sql(db, "PRAGMA query_only = ON");
    }
    if (!good) {
        (void)store_error(db->error, failure);
        close_connection(db);
        return NULL;
    }
    return db;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* A statement that is run again and again, such as COMMIT: kept prepared. */
static bool run_kept(struct db *db, const char *sql)
{
    (void)query_run(db_query(db, sql));
    return db->error == SQLITE_OK;
}

/* Leaves the transaction as it was before BEGIN; after a full disk SQLite has done so itself. Keeps db->error. */
static void roll_back(struct db *db)
{
    int error = db->error;
    db->error = SQLITE_OK;
    if (sqlite3_get_autocommit(db->connection) == 0)
        (void)run_sql(db, "ROLLBACK");
    db->error = error;
}

static void fail_jobs(struct job *jobs, int code)
{
    for (struct job *job = jobs; job != NULL; job = job->next)
        job->outcome = store_error(code, job->failure);
}

/* Runs `count` jobs as one transaction. False: one of them failed, or the commit did, and nothing was changed. */
static bool run_together(struct db *db, struct job *jobs, int count)
{
    struct job *job = jobs;
    for (int i = 0; i < count; i++, job = job->next) {
        job->outcome = job->work(db, job->arg, job->failure);
        if (db->error != SQLITE_OK)
            job->outcome = store_error(db->error, job->failure);
        if (job->outcome != OUTCOME_OK) {
            roll_back(db);
            return false;
        }
    }
    if (run_kept(db, "COMMIT"))
        return true;
    jobs->outcome = store_error(db->error, jobs->failure);
    roll_back(db);
    return false;
}

/* Runs a list of jobs, which is not empty, on the writer connection, which this thread has to itself: all as one transaction, or, if one of them fails, each as one of its own. So
   no job needs a savepoint, which would make the full-text index write out its words each time. A job may thus be run twice. */
static void run_jobs(struct db *db, struct job *jobs)
{
    int count = 1;
    for (struct job *job = jobs->next; job != NULL; job = job->next)
        count++;
    db->error = SQLITE_OK;
    if (!run_kept(db, "BEGIN IMMEDIATE")) {
        fail_jobs(jobs, db->error);
        return;
    }
    if (run_together(db, jobs, count) || count == 1)
        return;
    for (struct job *job = jobs; job != NULL; job = job->next) {
        db->error = SQLITE_OK;
        if (run_kept(db, "BEGIN IMMEDIATE"))
            (void)run_together(db, job, 1); /* its outcome is in the job */
        else
            job->outcome = store_error(db->error, job->failure);
    }
}

/* Takes up to JOBS_PER_COMMIT jobs off the queue. Called with the lock held. */
static struct job *take_jobs(void)
{
    struct job *jobs = store.first, *last = jobs;
    for (int i = 1; i < JOBS_PER_COMMIT && last->next != NULL; i++)
        last = last->next;
    store.first = last->next;
    last->next = NULL;
    return jobs;
}

/* Only the thread that writes sets the writer, and reads it without the lock; others look at it with the lock held. */
static void set_writer(struct db *writer)
{
    pthread_mutex_lock(&store.lock);
    store.writer = writer;
    pthread_mutex_unlock(&store.lock);
}

/* The next writer opens a new one. */
static void drop_if_broken(struct db *writer)
{
    if (writer->broken) {
        set_writer(NULL);
        close_connection(writer);
    }
}

/* The writer connection, opened if need be; NULL, with *failure filled, when that fails. Called by the thread that writes, without the lock. */
static struct db *open_writer(struct failure *failure)
{
    if (store.writer == NULL)
        set_writer(open_connection(true, failure));
    return store.writer;
}

/* Runs queued jobs, with the lock held, until `mine` is done; then the first that still waits goes on. */
static void write_queue(const struct job *mine)
{
    store.writing = true;
    while (!mine->done) {
        struct job *jobs = take_jobs();
        pthread_mutex_unlock(&store.lock);
        struct failure trouble = {0};
        struct db *writer = open_writer(&trouble);
        if (writer != NULL) {
            run_jobs(writer, jobs);
            drop_if_broken(writer);
        } else {
            for (struct job *job = jobs; job != NULL; job = job->next) {
                *job->failure = trouble;
                job->outcome = trouble.outcome;
            }
        }
        pthread_mutex_lock(&store.lock);
        for (struct job *job = jobs, *next; job != NULL; job = next) {
            next = job->next; /* read first: a job that is done may be gone */
            job->done = true;
            pthread_cond_signal(&job->wake);
        }
    }
    store.writing = false;
    if (store.first != NULL)
        pthread_cond_signal(&store.first->wake);
}

enum outcome db_write(db_work *work, void *arg, struct failure *failure)
{
    struct job mine = {.work = work, .arg = arg, .failure = failure, .wake = PTHREAD_COND_INITIALIZER};
    pthread_mutex_lock(&store.lock);
    if (store.first == NULL)
        store.first = &mine;
    else
        store.last->next = &mine;
    store.last = &mine;
    while (!mine.done && store.writing)
        pthread_cond_wait(&mine.wake, &store.lock);
    if (!mine.done)
        write_queue(&mine); /* nobody writes: this thread does, for all that wait */
    pthread_mutex_unlock(&store.lock);
    (void)pthread_cond_destroy(&mine.wake);
    return mine.outcome;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static enum outcome do_nothing(struct db *db, void *arg, struct failure *failure)
{
    (void)db;
    (void)arg;
    (void)failure;
    return OUTCOME_OK;
}

/* Opens a connection that only reads. Whoever finds the file missing or of another version makes a writer first, which sees to that; else the writer's lock is not
   needed, so that a program that has only just started can read while another one writes. */
static struct db *open_reader(struct failure *failure)
{
    if (access(settings.db_path, F_OK) == 0) {
        struct db *db = open_connection(false, failure);
        if (db == NULL || schema_is_current(db->connection))
            return db;
        close_connection(db);
    }
    return db_write(do_nothing, NULL, failure) == OUTCOME_OK ? open_connection(false, failure) : NULL;
}

/* Lends a reader; NULL, with *failure filled, when the database cannot be opened. */
static struct db *take_reader(struct failure *failure)
{
    pthread_mutex_lock(&store.lock);
    while (store.free_readers == NULL && store.reader_count == LIMIT_STORE_READERS)
        pthread_cond_wait(&store.reader_free, &store.lock);
    struct db *db = store.free_readers;
    if (db != NULL)
        store.free_readers = db->next;
    else
        store.reader_count++;
    pthread_mutex_unlock(&store.lock);
    if (db != NULL)
        return db;
    db = open_reader(failure);
    if (db == NULL) {
        pthread_mutex_lock(&store.lock);
        store.reader_count--;
        pthread_cond_signal(&store.reader_free);
        pthread_mutex_unlock(&store.lock);
    }
    return db;
}

static void give_back_reader(struct db *db)
{
    bool broken = db->error != SQLITE_OK; /* a connection that failed is not trusted again */
    if (broken)
        close_connection(db);
    pthread_mutex_lock(&store.lock);
    if (broken) {
        store.reader_count--;
    } else {
        db->next = store.free_readers;
        store.free_readers = db;
    }
    pthread_cond_signal(&store.reader_free);
    pthread_mutex_unlock(&store.lock);
}

enum outcome db_read(db_work *work, void *arg, struct failure *failure)
{
    struct db *db = take_reader(failure);
    if (db == NULL)
        return failure->outcome;
    enum outcome outcome = OUTCOME_OK;
    if (run_kept(db, "BEGIN")) /* one snapshot for all statements of the work */
        outcome = work(db, arg, failure);
    if (db->error != SQLITE_OK)
        outcome = store_error(db->error, failure);
    if (sqlite3_get_autocommit(db->connection) == 0)
        (void)run_kept(db, "COMMIT");
    give_back_reader(db);
    return outcome;
}

static enum outcome read_something(struct db *db, void *arg, struct failure *failure)
{
    (void)arg;
    (void)failure;
    struct query *query = db_query(db, "SELECT count(*) FROM users WHERE id = 0");
    (void)query_next(query);
    query_end(query);
    return OUTCOME_OK;
}

enum outcome db_check(struct failure *failure)
{
    return db_read(read_something, NULL, failure);
}

void db_close(void)
{
    for (struct db *db = store.free_readers, *next; db != NULL; db = next) {
        next = db->next;
        close_connection(db);
    }
    if (store.writer != NULL)
        close_connection(store.writer);
    store.free_readers = NULL;
    store.writer = NULL;
    store.reader_count = 0;
}
