/*
 * A fuzz target: a KEY=VALUE file through src/base/settings.c. What was read and is written again by --export is read as the same.
 */
#include "../../src/base/settings.c"
#include <sys/mman.h>

#include "fuzz.h"

static void forget(void)
{
    settings = (struct settings){0};
    for (size_t i = 0; i < ROWS; i++) {
        mem_free(rows[i].value);
        rows[i].value = NULL;
    }
    for (struct foreign *next; foreigns != NULL; foreigns = next) {
        next = foreigns->next;
        mem_free(foreigns->name);
        mem_free(foreigns->value);
        mem_free(foreigns->place);
        mem_free(foreigns);
    }
}

/* Reads a file of these bytes, which is in memory only. */
static bool load(const void *bytes, size_t len)
{
    static int fd = -1;
    static char path[64];
    static FILE *nowhere;
    if (fd < 0) {
        fd = memfd_create("settings", MFD_CLOEXEC);
        nowhere = fopen("/dev/null", "we");
        insist(fd >= 0 && nowhere != NULL);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    insist(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len);
    bool good = settings_load("fuzz", path, nowhere);
    log_set_level((enum log_level)(LOG_ERROR + 1));
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (load(data + 1, size - 1) && data[0] % 4 == 0) {
        char *kept[ROWS], *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        insist(out != NULL);
        settings_write_export(out);
        insist(fclose(out) == 0);
        for (size_t i = 0; i < ROWS; i++) {
            kept[i] = strdup(row_value(&rows[i]));
            insist(rows[i].kind == FLAG || rows[i].field != FIELD(max_streams) || (settings.max_streams >= 1 && settings.max_streams <= LIMIT_STREAMS));
        }
        forget();
        bool good = load(text, len);
        insist(good);
        for (size_t i = 0; i < ROWS; i++) {
            insist(kept[i] != NULL && strcmp(kept[i], row_value(&rows[i])) == 0);
            free(kept[i]);
        }
        free(text);
    }
    forget();
    return 0;
}
