/*
 * The reserve of reserve.h: `<database>-reserve`, shared by all processes.
 */
#include "reserve.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "../base/limits.h"
#include "../base/settings.h"

static bool path_of(char path[PATH_MAX])
{
    int len = snprintf(path, PATH_MAX, "%s-reserve", settings.db_path);
    return len > 0 && len < PATH_MAX;
}

void reserve_make(void)
{
    char path[PATH_MAX];
    int fd = path_of(path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return; /* it is there already, or nothing can be made here */
    if (posix_fallocate(fd, 0, LIMIT_RESERVE_BYTES) != 0)
        (void)unlink(path); /* a part of it would only look like one */
    (void)close(fd);
}

bool reserve_release(void)
{
    char path[PATH_MAX];
    return path_of(path) && unlink(path) == 0;
}
