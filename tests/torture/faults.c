/*
 * See faults.h.
 */
#include "faults.h"

#include <curl/curl.h>
#include <execinfo.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/mem.h"
#include "../../src/store/db.h"

static struct {
    atomic_bool armed;
    enum fault_kind kind;
    bool lasting;
    atomic_long left; /* calls until one fails: that is the one that finds 1 */
    atomic_long met;
    atomic_long counted[FAULT_KINDS], held[FAULT_KINDS];
    atomic_long ahead_ms; /* of the clock */
    struct fault_place *place;
} faults;

void faults_arm(enum fault_kind kind, long nth, bool lasting)
{
    for (int i = 0; i < FAULT_KINDS; i++)
        atomic_store(&faults.counted[i], 0);
    faults.kind = kind;
    faults.lasting = lasting;
    if (nth > 0) { /* else a report still tells of the last */
        faults.place->depth = 0;
        faults.place->what[0] = '\0';
    }
    atomic_store(&faults.met, 0);
    atomic_store(&faults.left, nth > 0 ? nth : LONG_MAX);
    atomic_store(&faults.armed, true);
}

void faults_disarm(void)
{
    atomic_store(&faults.armed, false);
}

long faults_counted(enum fault_kind kind)
{
    return atomic_load(&faults.counted[kind]);
}

long faults_met(void)
{
    return atomic_load(&faults.met);
}

long faults_held(enum fault_kind kind)
{
    return atomic_load(&faults.held[kind]);
}

void faults_pass_time(long ms)
{
    atomic_fetch_add(&faults.ahead_ms, ms);
}

/* Whether this call fails. */
static bool fails(enum fault_kind kind, const char *what)
{
    if (!atomic_load(&faults.armed))
        return false;
    atomic_fetch_add(&faults.counted[kind], 1);
    if (kind != faults.kind)
        return false;
    long left = atomic_fetch_sub(&faults.left, 1);
    if (left > 1 || (left < 1 && !faults.lasting))
        return false;
    if (atomic_fetch_add(&faults.met, 1) == 0) {
        (void)snprintf(faults.place->what, sizeof faults.place->what, "%s", what);
        faults.place->depth = backtrace(faults.place->stack, FAULT_STACK);
    }
    return true;
}

static void hold(enum fault_kind kind, long more)
{
    atomic_fetch_add(&faults.held[kind], more);
}

/* --- our allocator ------------------------------------------------------------------------------------------------ */

void *__real_mem_new(size_t count, size_t size);
void *__real_mem_resize(void *block, size_t size);
char *__real_mem_copy(const char *text);
void __real_mem_free(void *block);
void *__wrap_mem_new(size_t count, size_t size);
void *__wrap_mem_resize(void *block, size_t size);
char *__wrap_mem_copy(const char *text);
void __wrap_mem_free(void *block);

void *__wrap_mem_new(size_t count, size_t size)
{
    void *block = fails(FAULT_MEMORY, "mem_new") ? NULL : __real_mem_new(count, size);
    hold(FAULT_MEMORY, block != NULL);
    return block;
}

void *__wrap_mem_resize(void *block, size_t size)
{
    void *other = fails(FAULT_MEMORY, "mem_resize") ? NULL : __real_mem_resize(block, size);
    hold(FAULT_MEMORY, block == NULL && other != NULL);
    return other;
}

char *__wrap_mem_copy(const char *text)
{
    char *copy = fails(FAULT_MEMORY, "mem_copy") ? NULL : __real_mem_copy(text);
    hold(FAULT_MEMORY, copy != NULL);
    return copy;
}

void __wrap_mem_free(void *block)
{
    hold(FAULT_MEMORY, block != NULL ? -1 : 0);
    __real_mem_free(block);
}

/* --- libcurl's ---------------------------------------------------------------------------------------------------- */

static void *curl_malloc(size_t size)
{
    void *block = fails(FAULT_CURL, "malloc of libcurl") ? NULL : malloc(size);
    hold(FAULT_CURL, block != NULL);
    return block;
}

static void *curl_calloc(size_t count, size_t size)
{
    void *block = fails(FAULT_CURL, "calloc of libcurl") ? NULL : calloc(count, size);
    hold(FAULT_CURL, block != NULL);
    return block;
}

static void *curl_realloc(void *block, size_t size)
{
    void *other = fails(FAULT_CURL, "realloc of libcurl") ? NULL : realloc(block, size);
    hold(FAULT_CURL, block == NULL && other != NULL);
    return other;
}

static char *curl_strdup(const char *text)
{
    char *copy = fails(FAULT_CURL, "strdup of libcurl") ? NULL : strdup(text);
    hold(FAULT_CURL, copy != NULL);
    return copy;
}

static void curl_release(void *block)
{
    hold(FAULT_CURL, block != NULL ? -1 : 0);
    free(block);
}

/* --- SQLite's ----------------------------------------------------------------------------------------------------- */

static sqlite3_mem_methods sqlite_memory; /* its own */

static void *sqlite_malloc(int size)
{
    void *block = fails(FAULT_SQLITE, "malloc of SQLite") ? NULL : sqlite_memory.xMalloc(size);
    hold(FAULT_SQLITE, block != NULL);
    return block;
}

static void *sqlite_realloc(void *block, int size)
{
    void *other = fails(FAULT_SQLITE, "realloc of SQLite") ? NULL : sqlite_memory.xRealloc(block, size);
    hold(FAULT_SQLITE, block == NULL && other != NULL);
    return other;
}

static void sqlite_release(void *block)
{
    hold(FAULT_SQLITE, block != NULL ? -1 : 0);
    sqlite_memory.xFree(block);
}

/* --- SQLite's files ----------------------------------------------------------------------------------------------- */

/* Operations that cannot fail for a caller that holds the thing are passed on: closing, unlocking, letting go of shared memory. */

struct file {
    sqlite3_file base;
    sqlite3_file *own; /* of SQLite's file system, behind this struct */
};

static sqlite3_vfs *own_vfs;

static sqlite3_file *own(sqlite3_file *file)
{
    return ((struct file *)file)->own;
}

static int file_close(sqlite3_file *file)
{
    hold(FAULT_FILE, -1);
    return own(file)->pMethods->xClose(own(file));
}

static int file_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset)
{
    return fails(FAULT_FILE, "read") ? SQLITE_IOERR_READ : own(file)->pMethods->xRead(own(file), bytes, count, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset)
{
    if (fails(FAULT_FILE, "write"))
        return SQLITE_IOERR_WRITE;
    return fails(FAULT_DISK, "write") ? SQLITE_FULL : own(file)->pMethods->xWrite(own(file), bytes, count, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fails(FAULT_FILE, "truncate") ? SQLITE_IOERR_TRUNCATE : own(file)->pMethods->xTruncate(own(file), size);
}

/* Nothing is really written out: power cuts are not what is tried here, and a disk would take most of the time. */
static int file_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return fails(FAULT_FILE, "sync") || fails(FAULT_DISK, "sync") ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return fails(FAULT_FILE, "size") ? SQLITE_IOERR_FSTAT : own(file)->pMethods->xFileSize(own(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return fails(FAULT_FILE, "lock") ? SQLITE_IOERR_LOCK : own(file)->pMethods->xLock(own(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return own(file)->pMethods->xUnlock(own(file), level);
}

static int file_check_lock(sqlite3_file *file, int *result)
{
    return fails(FAULT_FILE, "check of a lock") ? SQLITE_IOERR_CHECKRESERVEDLOCK : own(file)->pMethods->xCheckReservedLock(own(file), result);
}

static int file_control(sqlite3_file *file, int operation, void *arg)
{
    return own(file)->pMethods->xFileControl(own(file), operation, arg);
}

static int file_sector(sqlite3_file *file)
{
    return own(file)->pMethods->xSectorSize(own(file));
}

static int file_device(sqlite3_file *file)
{
    return own(file)->pMethods->xDeviceCharacteristics(own(file));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at)
{
    if (fails(FAULT_FILE, "map of shared memory"))
        return SQLITE_IOERR_SHMMAP;
    if (extend && fails(FAULT_DISK, "growth of shared memory"))
        return SQLITE_IOERR_SHMSIZE;
    return own(file)->pMethods->xShmMap(own(file), page, size, extend, at);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0 && fails(FAULT_FILE, "lock of shared memory"))
        return SQLITE_IOERR_SHMLOCK;
    return own(file)->pMethods->xShmLock(own(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    own(file)->pMethods->xShmBarrier(own(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return own(file)->pMethods->xShmUnmap(own(file), remove);
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2, .xClose = file_close, .xRead = file_read, .xWrite = file_write, .xTruncate = file_truncate, .xSync = file_sync, .xFileSize = file_size,
    .xLock = file_lock, .xUnlock = file_unlock, .xCheckReservedLock = file_check_lock, .xFileControl = file_control, .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device, .xShmMap = file_shm_map, .xShmLock = file_shm_lock, .xShmBarrier = file_shm_barrier, .xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *flags_out)
{
    (void)vfs;
    struct file *file = (struct file *)base;
    file->base.pMethods = NULL; /* it is not closed then */
    file->own = (sqlite3_file *)(file + 1);
    int exists = 0;
    if (fails(FAULT_FILE, "open"))
        return SQLITE_CANTOPEN;
    if ((flags & SQLITE_OPEN_CREATE) != 0 && name != NULL && own_vfs->xAccess(own_vfs, name, SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK && !exists &&
        fails(FAULT_DISK, "making of a file"))
        return SQLITE_CANTOPEN;
    int code = own_vfs->xOpen(own_vfs, name, file->own, flags, flags_out);
    if (file->own->pMethods != NULL) {
        file->base.pMethods = &file_methods;
        hold(FAULT_FILE, 1);
    }
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    (void)sync;
    return fails(FAULT_FILE, "delete") ? SQLITE_IOERR_DELETE : own_vfs->xDelete(own_vfs, name, 0);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    (void)vfs;
    return fails(FAULT_FILE, "access") ? SQLITE_IOERR_ACCESS : own_vfs->xAccess(own_vfs, name, flags, result);
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return fails(FAULT_FILE, "look-up of a path") ? SQLITE_CANTOPEN_FULLPATH : own_vfs->xFullPathname(own_vfs, name, size, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return own_vfs->xRandomness(own_vfs, size, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return own_vfs->xSleep(own_vfs, us);
}

static int vfs_time(sqlite3_vfs *vfs, double *now)
{
    (void)vfs;
    return own_vfs->xCurrentTime(own_vfs, now);
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
    (void)vfs;
    return own_vfs->xCurrentTimeInt64(own_vfs, now);
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return own_vfs->xGetLastError(own_vfs, size, out);
}

static sqlite3_vfs vfs = {
    .iVersion = 2, .zName = "torture", .xOpen = vfs_open, .xDelete = vfs_delete, .xAccess = vfs_access, .xFullPathname = vfs_full_name, .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep, .xCurrentTime = vfs_time, .xCurrentTimeInt64 = vfs_time_ms, .xGetLastError = vfs_last_error,
};

bool faults_install(struct fault_place *place)
{
    faults.place = place;
    (void)backtrace(place->stack, FAULT_STACK); /* the first call loads a library */
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_release, curl_realloc, curl_strdup, curl_calloc) != CURLE_OK)
        return false;
    if (sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) != SQLITE_OK)
        return false;
    sqlite3_mem_methods memory = sqlite_memory;
    memory.xMalloc = sqlite_malloc;
    memory.xRealloc = sqlite_realloc;
    memory.xFree = sqlite_release;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
        return false;
    own_vfs = sqlite3_vfs_find(NULL);
    vfs.mxPathname = own_vfs->mxPathname;
    vfs.szOsFile = (int)sizeof(struct file) + own_vfs->szOsFile;
    return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK;
}

/* --- time, and who is in the store --------------------------------------------------------------------------------- */

static pthread_rwlock_t door = PTHREAD_RWLOCK_INITIALIZER;

enum outcome __real_db_read(db_work *work, void *arg, struct failure *failure);
enum outcome __real_db_write(db_work *work, void *arg, struct failure *failure);
enum outcome __wrap_db_read(db_work *work, void *arg, struct failure *failure);
enum outcome __wrap_db_write(db_work *work, void *arg, struct failure *failure);
int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);
void __real_clock_sleep_ms(int64_t ms);
void __wrap_clock_sleep_ms(int64_t ms);
enum outcome __wrap_counter_save(struct failure *failure);

enum outcome __wrap_db_read(db_work *work, void *arg, struct failure *failure)
{
    pthread_rwlock_rdlock(&door);
    enum outcome outcome = __real_db_read(work, arg, failure);
    pthread_rwlock_unlock(&door);
    return outcome;
}

enum outcome __wrap_db_write(db_work *work, void *arg, struct failure *failure)
{
    pthread_rwlock_rdlock(&door);
    enum outcome outcome = __real_db_write(work, arg, failure);
    pthread_rwlock_unlock(&door);
    return outcome;
}

void faults_close_store(void)
{
    pthread_rwlock_wrlock(&door);
}

void faults_open_store(void)
{
    pthread_rwlock_unlock(&door);
}

int64_t __wrap_clock_mono_ms(void)
{
    return __real_clock_mono_ms() + atomic_load(&faults.ahead_ms);
}

/* Pauses before another try are short here. */
void __wrap_clock_sleep_ms(int64_t ms)
{
    __real_clock_sleep_ms(ms > 5 ? 5 : ms);
}

/* The counters, which the keeper stores every few seconds, would come at random. */
enum outcome __wrap_counter_save(struct failure *failure)
{
    (void)failure;
    return OUTCOME_OK;
}
