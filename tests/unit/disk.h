/*
 * A disk that can lose its power: a VFS around SQLite's own which passes everything on and remembers what no sync has made lasting yet, and copies of one folder as the disk
 * could have it after a cut at this moment.
 *
 * What a sync of a file has covered is there. Of later writes each sector (512 bytes) has any earlier state, never a later one without an earlier one of the same sector;
 * room that was never written has zeros or anything. What was made, deleted and renamed in the folder lasts with a sync of the folder, which SQLite's VFS does in two
 * places: with the first sync of a journal or WAL that it opened for making, and with a deletion for which it is asked to. rename() and fsync() of the program itself are
 * noticed too. Nothing is really synced. The -shm is memory, and no file of the disk. Neighbours: test_power.c. Leaves out: mmap (not used by us), whether the folder itself
 * is there, one disk for several processes.
 */
#ifndef PARLEY_UNIT_DISK_H
#define PARLEY_UNIT_DISK_H

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

enum { SECTOR = 512, DISK_FILES = 64 };

/* A write that may not last, or, without bytes, a truncation to `offset`. */
struct disk_change {
    uint64_t stamp; /* in the order of all changes */
    int64_t offset;
    size_t len;
    unsigned char *bytes;
};

/* A file, whatever it is called. */
struct disk_file {
    unsigned char *synced;
    size_t size, room;
    struct disk_change *changes;
    size_t count, changes_room;
};

struct disk_name {
    char name[64]; /* in the folder */
    struct disk_file *file;
};

/* A change of the folder: `from` gone ("": nothing is) and `to` there (""). */
struct disk_entry {
    uint64_t stamp;
    char from[64], to[64];
    struct disk_file *file;
};

static struct {
    char folder[128]; /* that is watched; "": none */
    struct disk_name now[DISK_FILES], synced[DISK_FILES];
    size_t now_count, synced_count;
    struct disk_entry entries[DISK_FILES]; /* since the last sync of the folder */
    size_t entry_count;
    struct disk_file *files[4 * DISK_FILES];
    size_t file_count;
    uint64_t stamp, seed;
    bool ignores_syncs;
    void (*each)(void); /* before every change and sync */
} disk;

static sqlite3_vfs *disk_own_vfs;

/* --- files and names ----------------------------------------------------------------------------------------------------------- */

static inline void *disk_grow(void *block, size_t size)
{
    void *other = realloc(block, size);
    if (other == NULL)
        abort();
    return other;
}

static inline struct disk_file *disk_find(const struct disk_name *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].file;
    return NULL;
}

static inline void disk_set(struct disk_name *names, size_t *count, const char *name, struct disk_file *file)
{
    size_t i = 0;
    while (i < *count && strcmp(names[i].name, name) != 0)
        i++;
    if (file == NULL) {
        if (i < *count)
            names[i] = names[--*count];
        return;
    }
    if (i == DISK_FILES)
        abort();
    (void)snprintf(names[i].name, sizeof names[i].name, "%.63s", name);
    names[i].file = file;
    *count += i == *count;
}

static inline void disk_apply_entry(struct disk_name *names, size_t *count, const struct disk_entry *entry)
{
    if (entry->from[0] != '\0' && entry->to[0] != '\0' && disk_find(names, *count, entry->from) == NULL)
        return; /* a renaming of what was never made */
    disk_set(names, count, entry->from, NULL);
    if (entry->to[0] != '\0')
        disk_set(names, count, entry->to, entry->file);
}

static inline void disk_sync_folder(void)
{
    if (disk.ignores_syncs)
        return;
    for (size_t i = 0; i < disk.entry_count; i++)
        disk_apply_entry(disk.synced, &disk.synced_count, &disk.entries[i]);
    disk.entry_count = 0;
}

static inline void disk_note_entry(const char *from, const char *to, struct disk_file *file)
{
    if (disk.entry_count == DISK_FILES)
        abort();
    struct disk_entry *entry = &disk.entries[disk.entry_count++];
    *entry = (struct disk_entry){.stamp = ++disk.stamp, .file = file};
    (void)snprintf(entry->from, sizeof entry->from, "%.63s", from);
    (void)snprintf(entry->to, sizeof entry->to, "%.63s", to);
    disk_apply_entry(disk.now, &disk.now_count, entry);
}

static inline struct disk_file *disk_new_file(void)
{
    if (disk.file_count == sizeof disk.files / sizeof disk.files[0])
        abort();
    struct disk_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        abort();
    return disk.files[disk.file_count++] = file;
}

/* The name of a path in the folder that is watched; NULL: it is elsewhere, or no file of the disk. */
static inline const char *disk_name_of(const char *path)
{
    size_t len = strlen(disk.folder);
    if (len == 0 || path == NULL || strncmp(path, disk.folder, len) != 0 || path[len] != '/' || strchr(path + len + 1, '/') != NULL)
        return NULL;
    const char *end = strrchr(path, '-');
    return end != NULL && (strcmp(end, "-shm") == 0 || strcmp(end, "-reserve") == 0) ? NULL : path + len + 1;
}

static inline const char *disk_path_of(const char *folder, const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%.127s/%.63s", folder, name);
    return path;
}

static inline void disk_event(void)
{
    if (disk.each != NULL)
        disk.each();
}

/* --- contents ------------------------------------------------------------------------------------------------------------------ */

static inline void disk_put(struct disk_file *file, size_t at, const unsigned char *bytes, size_t len)
{
    if (at + len > file->room) {
        file->room = (at + len) * 2;
        file->synced = disk_grow(file->synced, file->room);
    }
    if (at > file->size)
        memset(file->synced + file->size, 0, at - file->size);
    if (len > 0)
        memcpy(file->synced + at, bytes, len);
    if (at + len > file->size)
        file->size = at + len;
}

static inline void disk_cut_to(struct disk_file *file, size_t size)
{
    static const unsigned char none[1];
    if (size > file->size)
        disk_put(file, size, none, 0);
    file->size = size;
}

static inline void disk_forget_changes(struct disk_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        free(file->changes[i].bytes);
    file->count = 0;
}

static inline void disk_sync_file(struct disk_file *file)
{
    if (disk.ignores_syncs)
        return;
    for (size_t i = 0; i < file->count; i++)
        if (file->changes[i].bytes != NULL)
            disk_put(file, (size_t)file->changes[i].offset, file->changes[i].bytes, file->changes[i].len);
        else
            disk_cut_to(file, (size_t)file->changes[i].offset);
    disk_forget_changes(file);
}

static inline void disk_note(struct disk_file *file, const void *bytes, size_t len, int64_t offset)
{
    if (file->count == file->changes_room) {
        file->changes_room = file->changes_room * 2 + 64;
        file->changes = disk_grow(file->changes, file->changes_room * sizeof *file->changes);
    }
    struct disk_change *change = &file->changes[file->count++];
    *change = (struct disk_change){++disk.stamp, offset, len, NULL};
    if (bytes != NULL)
        memcpy(change->bytes = disk_grow(NULL, len), bytes, len);
}

/* --- the VFS: SQLite's own, but for five of its functions ------------------------------------------------------------------------ */

/* Behind a file of SQLite's own. */
struct disk_open {
    const sqlite3_io_methods *own;
    sqlite3_io_methods methods;
    struct disk_file *file; /* NULL: not watched */
    bool syncs_folder;      /* with its next sync */
};

static inline struct disk_open *disk_open_of(sqlite3_file *base)
{
    return (struct disk_open *)((char *)base + disk_own_vfs->szOsFile);
}

static inline int disk_write(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset)
{
    struct disk_open *open = disk_open_of(base);
    if (open->file != NULL)
        disk_event();
    int code = open->own->xWrite(base, bytes, count, offset);
    if (open->file != NULL && code == SQLITE_OK)
        disk_note(open->file, bytes, (size_t)count, offset);
    return code;
}

static inline int disk_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct disk_open *open = disk_open_of(base);
    if (open->file != NULL)
        disk_event();
    int code = open->own->xTruncate(base, size);
    if (open->file != NULL && code == SQLITE_OK)
        disk_note(open->file, NULL, 0, size);
    return code;
}

static inline int disk_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    struct disk_open *open = disk_open_of(base);
    if (open->file == NULL)
        return SQLITE_OK;
    disk_event();
    disk_sync_file(open->file);
    if (open->syncs_folder) {
        disk_event();
        disk_sync_folder();
    }
    open->syncs_folder = false;
    return SQLITE_OK;
}

static inline int disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *flags_out)
{
    (void)vfs;
    struct disk_open *open = disk_open_of(base);
    const char *name = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0 ? NULL : disk_name_of(path);
    struct disk_file *file = name != NULL ? disk_find(disk.now, disk.now_count, name) : NULL;
    bool is_new = name != NULL && file == NULL;
    if (is_new)
        disk_event();
    int code = disk_own_vfs->xOpen(disk_own_vfs, path, base, flags, flags_out);
    if (base->pMethods == NULL)
        return code;
    if (is_new && code == SQLITE_OK)
        disk_note_entry("", name, file = disk_new_file());
    enum { MADE_DURABLY = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL };
    *open = (struct disk_open){base->pMethods, *base->pMethods, file, (flags & SQLITE_OPEN_CREATE) != 0 && (flags & MADE_DURABLY) != 0};
    open->methods.iVersion = 2; /* no mmap */
    open->methods.xWrite = disk_write;
    open->methods.xTruncate = disk_truncate;
    open->methods.xSync = disk_sync;
    base->pMethods = &open->methods;
    return code;
}

static inline int disk_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    const char *name = disk_name_of(path);
    if (name != NULL)
        disk_event();
    int code = disk_own_vfs->xDelete(disk_own_vfs, path, 0);
    if (name != NULL && code == SQLITE_OK) {
        disk_note_entry(name, "", NULL);
        if (sync) {
            disk_event();
            disk_sync_folder();
        }
    }
    return code;
}

/* Makes this the way in which SQLite uses files, in this process. */
static inline void disk_install(void)
{
    static sqlite3_vfs vfs;
    if (disk_own_vfs != NULL)
        return;
    disk_own_vfs = sqlite3_vfs_find(NULL);
    vfs = *disk_own_vfs;
    vfs.zName = "disk";
    vfs.szOsFile += (int)sizeof(struct disk_open);
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* --- the program's own calls: they come here instead of to the C library ------------------------------------------------------------ */

int rename(const char *from, const char *to)
{
    const char *a = disk_name_of(from), *b = disk_name_of(to);
    if (a != NULL)
        disk_event();
    int result = renameat(AT_FDCWD, from, AT_FDCWD, to);
    if (result == 0 && a != NULL && b != NULL)
        disk_note_entry(a, b, disk_find(disk.now, disk.now_count, a));
    return result;
}

int fsync(int fd)
{
    struct stat status, other;
    if (fstat(fd, &status) != 0 || disk.folder[0] == '\0')
        return 0;
    disk_event();
    if (stat(disk.folder, &other) == 0 && other.st_ino == status.st_ino)
        disk_sync_folder();
    for (size_t i = 0; i < disk.now_count; i++)
        if (stat(disk_path_of(disk.folder, disk.now[i].name), &other) == 0 && other.st_ino == status.st_ino)
            disk_sync_file(disk.now[i].file);
    return 0;
}

/* --- watching ------------------------------------------------------------------------------------------------------------------ */

static inline void disk_forget(void)
{
    for (size_t i = 0; i < disk.file_count; i++) {
        disk_forget_changes(disk.files[i]);
        free(disk.files[i]->changes);
        free(disk.files[i]->synced);
        free(disk.files[i]);
    }
    memset(&disk, 0, sizeof disk);
}

static inline struct disk_file *disk_load(const char *path)
{
    unsigned char bytes[4096];
    struct disk_file *file = disk_new_file();
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        disk_put(file, file->size, bytes, n);
    (void)fclose(in);
    return file;
}

/* From here on `folder` is watched; what is in it now is taken to be synced. No database in it is open. `each` is called before each change and sync. */
static inline void disk_watch(const char *folder, uint64_t seed, void (*each)(void))
{
    disk_forget();
    (void)snprintf(disk.folder, sizeof disk.folder, "%s", folder);
    disk.seed = seed;
    disk.each = each;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *path = disk_path_of(folder, entry->d_name);
        if (entry->d_type == DT_REG && disk_name_of(path) != NULL) {
            struct disk_file *file = disk_load(path);
            disk_set(disk.now, &disk.now_count, entry->d_name, file);
            disk_set(disk.synced, &disk.synced_count, entry->d_name, file);
        }
    }
    (void)closedir(dir);
}

/* --- a cut --------------------------------------------------------------------------------------------------------------------- */

/* How a cut goes: nothing unsynced is on the disk, or all; all up to a moment; any of the writes, some of them torn; any of the sectors. */
enum disk_way { DISK_NOTHING, DISK_ALL, DISK_UNTIL, DISK_WRITES, DISK_SECTORS, DISK_WAYS };

static const char *const disk_way_names[] = {"nothing unsynced", "everything", "all until a moment", "some writes", "some sectors"};

/* Whether a part of a change of the time `stamp` got onto the disk. */
static inline bool disk_lasts(enum disk_way way, uint64_t stamp, uint64_t moment, unsigned of_four)
{
    switch (way) {
    case DISK_NOTHING: return false;
    case DISK_ALL: return true;
    case DISK_UNTIL: return stamp < moment || (stamp == moment && unit_random(&disk.seed) % 2 == 0);
    default: return unit_random(&disk.seed) % 4 < of_four;
    }
}

/* `whole` is a file as its last sync left it; a change is put on it sector by sector. A sector that missed one change gets no later one. */
static inline void disk_tear(struct disk_file *whole, const struct disk_change *change, enum disk_way way, uint64_t moment, unsigned char *stale)
{
    unsigned of_four = way == DISK_WRITES ? (unsigned[]){0, 2, 4, 4}[unit_random(&disk.seed) % 4] : 2;
    if (change->bytes == NULL) {
        if (disk_lasts(way, change->stamp, moment, of_four))
            disk_cut_to(whole, (size_t)change->offset);
        return;
    }
    for (size_t at = 0, n; at < change->len; at += n) {
        size_t offset = (size_t)change->offset + at;
        n = SECTOR - offset % SECTOR;
        if (n > change->len - at)
            n = change->len - at;
        if (!stale[offset / SECTOR] && disk_lasts(way, change->stamp, moment, of_four)) {
            size_t end = whole->size;
            disk_put(whole, offset, change->bytes + at, n);
            if (offset > end && way == DISK_SECTORS && unit_random(&disk.seed) % 2 == 0)
                for (size_t i = end; i < offset; i++) /* between them is what the disk had there before */
                    whole->synced[i] = (unsigned char)unit_random(&disk.seed);
        } else {
            stale[offset / SECTOR] = 1;
        }
    }
}

static inline void disk_write_copy(const char *path, const struct disk_file *file, enum disk_way way, uint64_t moment)
{
    struct disk_file whole = {0};
    size_t end = file->size;
    if (file->size > 0)
        disk_put(&whole, 0, file->synced, file->size);
    for (size_t i = 0; i < file->count; i++)
        if ((size_t)file->changes[i].offset + file->changes[i].len > end)
            end = (size_t)file->changes[i].offset + file->changes[i].len;
    unsigned char *stale = calloc(end / SECTOR + 1, 1);
    if (stale == NULL)
        abort();
    for (size_t i = 0; i < file->count; i++)
        disk_tear(&whole, &file->changes[i], way, moment, stale);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    if (whole.size > 0)
        assert_int_equal(fwrite(whole.synced, 1, whole.size, out), whole.size);
    assert_int_equal(fclose(out), 0);
    free(whole.synced);
    free(stale);
}

/* Makes `folder`: that which is watched, after a power cut now. Returns in which way. */
static inline const char *disk_cut(const char *folder)
{
    enum disk_way way = (enum disk_way)(unit_random(&disk.seed) % DISK_WAYS);
    uint64_t first = disk.stamp + 1;
    for (size_t i = 0; i < disk.file_count; i++)
        if (disk.files[i]->count > 0 && disk.files[i]->changes[0].stamp < first)
            first = disk.files[i]->changes[0].stamp;
    if (disk.entry_count > 0 && disk.entries[0].stamp < first)
        first = disk.entries[0].stamp;
    uint64_t moment = first + unit_random(&disk.seed) % (disk.stamp + 1 - first + 1);
    struct disk_name names[DISK_FILES];
    size_t count = disk.synced_count;
    memcpy(names, disk.synced, sizeof names);
    for (size_t i = 0; i < disk.entry_count; i++)
        if (disk_lasts(way, disk.entries[i].stamp, moment, 2))
            disk_apply_entry(names, &count, &disk.entries[i]);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < count; i++)
        disk_write_copy(disk_path_of(folder, names[i].name), names[i].file, way, moment);
    return disk_way_names[way];
}

#endif
