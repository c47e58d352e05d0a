/*
 * Units of work: the pool of readers, and the queue of writers with its group commit (db.h).
 *
 * Each unit of work goes: a connection is taken or opened (db_open.c), a transaction begun, a look taken at the files (db_files.c), the work run on statements (db_query.c), the
 * transaction ended. When other files stand where ours did, the thread that writes closes all connections, and what was asked for is tried again on what stands there now.
 * Neighbours: db_internal.h. Leaves out: what is done with the files.
 */
#include "db.h"

#include <pthread.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/limits.h"
#include "../base/settings.h"
#include "db_internal.h"
#include "reserve.h"
#include "store_error.h"
#include "upgrade.h"

/* A writer that waits for its turn, on the stack of its thread. */
struct job {
    db_work *work;
    void *arg;
    struct failure *failure;
    int64_t pinned; /* of the thread that waits */
    enum outcome outcome;
    bool frees; /* it deletes: when the disk is full, the reserve is for it */
    bool done;
    pthread_cond_t wake; /* it is done, or nobody writes any more and it is the first in the queue */
    struct job *next;
};

enum {
    JOBS_PER_COMMIT = 128,
    TRIES = 3, /* of a transaction whose files are moved again and again */
};

static struct {
    pthread_mutex_t lock;    /* guards all but the writer connection in use; inside it db_files.c may take its own */
    pthread_cond_t reader_free;
    struct db *writer;       /* NULL: not open */
    bool writing;            /* a thread runs jobs */
    struct job *first, *last;
    struct db *free_readers;
    int reader_count;        /* those in use and those being opened too */
    bool draining;           /* the writer waits until no reader is open */
} store = {.lock = PTHREAD_MUTEX_INITIALIZER, .reader_free = PTHREAD_COND_INITIALIZER};

/* The generation of the files to which the ids belong that this thread was given by db_pin(); -1: it was given none. */
static _Thread_local int64_t pinned = -1;

void db_pin(int64_t generation)
{
    pinned = generation;
}

/* --- transactions ------------------------------------------------------------------------------------------------- */

/* Begins a transaction and looks whether it is one on the database's files. */
static enum standing begin(struct db *db, const char *sql, struct failure *failure)
{
    db->error = SQLITE_OK;
    if (db_run_kept(db, sql))
        return files_look(db, failure);
    (void)db_failed(db, failure);
    return STANDING_FAILED;
}

/* Runs `work`, unless the ids it uses are those of a database whose place another has taken. */
static enum outcome run_pinned(struct db *db, int64_t generation, db_work *work, void *arg, struct failure *failure)
{
    if (generation >= 0 && generation != db->generation)
        return fail(failure, OUTCOME_STORE, "The database file was replaced. Please try again.");
    return work(db, arg, failure);
}

/* --- the writer --------------------------------------------------------------------------------------------------- */

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
        connection_close(writer);
    }
}

/* Waits until no reader is in use or being opened. With the lock held. */
static bool await_readers(void)
{
    struct timespec until = clock_mono_after(settings.db_busy_ms);
    for (int error = 0; error == 0; error = pthread_cond_clockwait(&store.reader_free, &store.lock, CLOCK_MONOTONIC, &until)) {
        int free_count = 0;
        for (const struct db *db = store.free_readers; db != NULL; db = db->next)
            free_count++;
        if (free_count == store.reader_count)
            return true;
    }
    return false;
}

/* Saves what only the connections have whose files were moved. One of them does so for all, the writer if there is one. */
static bool leave_files(struct failure *failure)
{
    if (store.writer != NULL && files_have_wal(store.writer))
        return files_leave(store.writer, failure);
    for (struct db *db = store.free_readers; db != NULL; db = db->next)
        if (files_have_wal(db))
            return files_leave(db, failure);
    return true;
}

/* Closes all connections, which nobody uses. */
static void close_all(void)
{
    for (struct db *db = store.free_readers, *next; db != NULL; db = next) {
        next = db->next;
        connection_close(db);
    }
    if (store.writer != NULL)
        connection_close(store.writer);
    store.free_readers = NULL;
    store.reader_count = 0;
    store.writer = NULL;
}

/* Closes all connections, because other files stand where theirs did. Called by the thread that writes, without the lock. */
static bool change_files(struct failure *failure)
{
    pthread_mutex_lock(&store.lock);
    store.draining = true; /* from here on nobody takes a reader, or opens one */
    bool is_idle = await_readers();
    pthread_mutex_unlock(&store.lock);
    bool good = is_idle ? leave_files(failure) : files_refuse(failure) == OUTCOME_OK;
    pthread_mutex_lock(&store.lock);
    if (good) {
        close_all();
        files_begin_anew();
    }
    store.draining = false;
    pthread_cond_broadcast(&store.reader_free);
    pthread_mutex_unlock(&store.lock);
    return good;
}

/* The writer connection, opened if need be; NULL, with *failure filled, when that fails. Called by the thread that writes, without the lock. */
static struct db *open_writer(struct failure *failure)
{
    if (files_are_moved() && !change_files(failure))
        return NULL;
    if (store.writer == NULL)
        set_writer(connection_open(true, failure));
    if (store.writer == NULL && files_are_moved() && change_files(failure)) /* which was found on opening it */
        set_writer(connection_open(true, failure));
    return store.writer;
}

/* The writer connection with a transaction begun; NULL, with *failure filled, when that fails. */
static struct db *begin_writing(struct failure *failure)
{
    for (int i = 0; i < TRIES; i++) {
        struct db *writer = open_writer(failure);
        if (writer == NULL)
            return NULL;
        enum standing standing = begin(writer, "BEGIN IMMEDIATE", failure);
        if (standing == STANDING_GOOD)
            return writer;
        db_roll_back(writer);
        if (standing == STANDING_MOVED)
            files_note_moved();
        writer->broken |= standing == STANDING_UNSURE;
        drop_if_broken(writer);
        if (standing == STANDING_FAILED)
            return NULL;
    }
    (void)files_refuse(failure);
    return NULL;
}

/* --- the queue of writers ----------------------------------------------------------------------------------------- */

/* Gives the first `count` jobs one outcome. */
static void fail_jobs(struct job *jobs, int count, const struct failure *failure)
{
    for (struct job *job = jobs; count > 0; count--, job = job->next) {
        *job->failure = *failure;
        job->outcome = failure->outcome;
    }
}

/* Runs `count` jobs as one transaction. False: one of them failed, or the commit did, and nothing was changed. */
static bool run_together(struct db *db, struct job *jobs, int count)
{
    struct job *job = jobs;
    for (int i = 0; i < count; i++, job = job->next) {
        job->outcome = run_pinned(db, job->pinned, job->work, job->arg, job->failure);
        if (db_failed(db, job->failure))
            job->outcome = job->failure->outcome;
        if (job->outcome != OUTCOME_OK) {
            db_roll_back(db);
            return false;
        }
    }
    struct failure failure = {0};
    if (!db_run_kept(db, "COMMIT")) {
        (void)store_error(db->error, &failure);
        fail_jobs(jobs, count, &failure);
        db_roll_back(db);
        return false;
    }
    if (!files_are_there(db)) { /* it went into a file that is no longer the database: nobody is told that it was stored */
        (void)files_refuse(&failure);
        fail_jobs(jobs, count, &failure);
    }
    return true;
}

/* Runs `count` jobs as one transaction on the writer connection, which this thread has to itself. False: one of them failed, and the others may do better without it. *full: the
   disk was. */
static bool run_transaction(struct job *jobs, int count, bool *full)
{
    struct failure failure = {0};
    struct db *writer = begin_writing(&failure);
    *full = false;
    if (writer == NULL) {
        fail_jobs(jobs, count, &failure);
        return true;
    }
    bool good = run_together(writer, jobs, count);
    *full = !good && (writer->error & 0xFF) == SQLITE_FULL;
    drop_if_broken(writer);
    return good;
}

/* After a delete that took the reserve: what the WAL has goes into the database and its room back to the disk, for a new reserve. */
static void restore_reserve(void)
{
    if (store.writer != NULL) /* busy: some other time; the reserve is made with the next writer */
        (void)sqlite3_wal_checkpoint_v2(store.writer->connection, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    reserve_make();
}

/* Runs a job that deletes and found the disk full once more, with the reserve's room. */
static void run_with_reserve(struct job *job)
{
    bool full;
    if (!reserve_release())
        return;
    (void)run_transaction(job, 1, &full); /* its outcome is in the job */
    restore_reserve();
}

/* Runs a list of jobs, which is not empty: all as one transaction, or, if one of them fails, each as one of its own. So no job needs a savepoint, which would make the full-text
   index write out its words each time. A job may thus be run twice. */
static void run_jobs(struct job *jobs)
{
    int count = 0;
    bool full;
    for (const struct job *job = jobs; job != NULL; job = job->next)
        count++;
    if (run_transaction(jobs, count, &full))
        return;
    for (struct job *job = jobs; job != NULL; job = job->next) {
        if (count > 1)
            (void)run_transaction(job, 1, &full); /* its outcome is in the job */
        if (full && job->frees)
            run_with_reserve(job);
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

/* Runs queued jobs, with the lock held, until `mine` is done; then the first that still waits goes on. */
static void write_queue(const struct job *mine)
{
    store.writing = true;
    while (!mine->done) {
        struct job *jobs = take_jobs();
        pthread_mutex_unlock(&store.lock);
        run_jobs(jobs);
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

static enum outcome write_job(db_work *work, void *arg, int64_t generation, bool frees, struct failure *failure)
{
    struct job mine = {.work = work, .arg = arg, .failure = failure, .pinned = generation, .frees = frees, .wake = PTHREAD_COND_INITIALIZER};
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

/* Gives the first of some refusals to a thread whose ids are those of a database that is no longer there; with the next request it asks for them anew. */
static enum outcome unpin_if(enum outcome outcome, int64_t generation)
{
    if (outcome == OUTCOME_STORE && generation >= 0 && !db_is_current(generation))
        pinned = -1;
    return outcome;
}

enum outcome db_write(db_work *work, void *arg, struct failure *failure)
{
    return unpin_if(write_job(work, arg, pinned, false, failure), pinned);
}

enum outcome db_write_less(db_work *work, void *arg, struct failure *failure)
{
    return unpin_if(write_job(work, arg, pinned, true, failure), pinned);
}

/* --- the readers -------------------------------------------------------------------------------------------------- */

static enum outcome do_nothing(struct db *db, void *arg, struct failure *failure)
{
    (void)db;
    (void)arg;
    (void)failure;
    return OUTCOME_OK;
}

/* Whoever finds that there is something to be done with the files has a writer do it. */
static enum outcome have_writer_opened(struct failure *failure)
{
    return write_job(do_nothing, NULL, -1, false, failure);
}

/* Opens a connection that only reads. Whoever finds the file missing or of another version makes a writer first, which sees to that; else the writer's lock is not
   needed, so that a program that has only just started can read while another one writes. */
static struct db *open_reader(struct failure *failure)
{
    if (access(settings.db_path, F_OK) == 0) {
        struct db *db = connection_open(false, failure);
        if (db == NULL || schema_is_current(db->connection))
            return db;
        connection_close(db);
    }
    return have_writer_opened(failure) == OUTCOME_OK ? connection_open(false, failure) : NULL;
}

/* Lends a reader; NULL, with *failure filled, when the database cannot be opened. */
static struct db *take_reader(struct failure *failure)
{
    if (files_are_moved() && have_writer_opened(failure) != OUTCOME_OK)
        return NULL;
    pthread_mutex_lock(&store.lock);
    while (store.draining || (store.free_readers == NULL && store.reader_count == LIMIT_STORE_READERS))
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
        pthread_cond_broadcast(&store.reader_free);
        pthread_mutex_unlock(&store.lock);
    }
    return db;
}

/* A connection that failed is not trusted again. */
static void give_back_reader(struct db *db)
{
    bool broken = db->error != SQLITE_OK || db->broken;
    if (broken)
        connection_close(db);
    pthread_mutex_lock(&store.lock);
    if (broken) {
        store.reader_count--;
    } else {
        db->next = store.free_readers;
        store.free_readers = db;
    }
    if (store.draining)
        pthread_cond_broadcast(&store.reader_free);
    else
        pthread_cond_signal(&store.reader_free);
    pthread_mutex_unlock(&store.lock);
}

/* Lends a reader with a transaction begun: one snapshot for all statements. NULL, with *failure filled, when that fails. */
static struct db *begin_reading(struct failure *failure)
{
    for (int i = 0; i < TRIES; i++) {
        struct db *db = take_reader(failure);
        if (db == NULL && i + 1 < TRIES && files_are_moved())
            continue; /* found on opening one: the next try opens what is there now */
        if (db == NULL)
            return NULL;
        enum standing standing = begin(db, "BEGIN", failure);
        if (standing == STANDING_GOOD)
            return db;
        db_roll_back(db);
        if (standing == STANDING_MOVED)
            files_note_moved(); /* while this one counts as in use: nobody can have begun anew yet */
        else
            db->broken = true;
        give_back_reader(db);
        if (standing == STANDING_FAILED)
            return NULL;
    }
    (void)files_refuse(failure);
    return NULL;
}

/* Ends the transaction of a reader. */
static void end_reading(struct db *db)
{
    if (sqlite3_get_autocommit(db->connection) == 0)
        (void)db_run_kept(db, "COMMIT");
    give_back_reader(db);
}

enum outcome db_read(db_work *work, void *arg, struct failure *failure)
{
    struct db *db = begin_reading(failure);
    if (db == NULL)
        return unpin_if(failure->outcome, pinned);
    enum outcome outcome = run_pinned(db, pinned, work, arg, failure);
    if (db_failed(db, failure))
        outcome = failure->outcome;
    end_reading(db);
    return unpin_if(outcome, pinned);
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
    pinned = -1;
    return db_read(read_something, NULL, failure);
}

void db_tend(void)
{
    struct failure failure; /* it was logged; the next request is told */
    if (files_need_look())
        (void)db_check(&failure);
}

void db_close(void)
{
    close_all();
    files_forget();
    pinned = -1;
}
