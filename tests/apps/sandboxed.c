/*
 * An application for tests: tries what it is told with files and answers how that ended, "ok" or the name of the error.
 *
 * A message is `read PATH`, `write PATH`, `make PATH`, `remove PATH`, `list PATH`, `run PATH`, `move PATH PATH`. Neighbours: tests/http/sandbox.test.js. Built from the public interface
 * alone, as the programs in cgi-bin/ are.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parley.h"

enum { PATH_BYTES = 1024 };

static int try_open(const char *path, int flags)
{
    char c = 'x';
    int fd = open(path, flags | O_CLOEXEC, 0666), error = errno;
    if (fd < 0)
        return error;
    bool good = (flags & O_ACCMODE) == O_RDONLY ? read(fd, &c, 1) >= 0 : write(fd, &c, 1) == 1;
    error = good ? 0 : errno;
    (void)close(fd);
    return error;
}

static int try_list(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno;
    (void)closedir(folder);
    return 0;
}

static int try_run(const char *path)
{
    char copy[PATH_BYTES], *const words[] = {copy, NULL}, *const environment[] = {NULL};
    pid_t pid;
    (void)snprintf(copy, sizeof copy, "%s", path);
    int error = posix_spawn(&pid, path, NULL, NULL, words, environment);
    if (error == 0 && waitpid(pid, NULL, 0) < 0)
        error = errno;
    return error;
}

static int try_it(const char *what, const char *path, const char *other)
{
    if (strcmp(what, "read") == 0)
        return try_open(path, O_RDONLY);
    if (strcmp(what, "write") == 0)
        return try_open(path, O_WRONLY | O_TRUNC);
    if (strcmp(what, "make") == 0)
        return try_open(path, O_WRONLY | O_CREAT | O_EXCL);
    if (strcmp(what, "remove") == 0)
        return unlink(path) == 0 ? 0 : errno;
    if (strcmp(what, "move") == 0)
        return rename(path, other) == 0 ? 0 : errno;
    if (strcmp(what, "list") == 0)
        return try_list(path);
    return strcmp(what, "run") == 0 ? try_run(path) : ENOSYS;
}

static void answer(struct parley_chat *chat)
{
    char what[16] = "", path[PATH_BYTES] = "", other[PATH_BYTES] = "";
    if (sscanf(parley_message(chat), "%15s %1023s %1023s", what, path, other) < 2)
        return;
    int error = try_it(what, path, other);
    (void)parley_text(chat, error == 0 ? "ok" : strerrorname_np(error));
}

int main(int argc, char **argv)
{
    static const struct parley_app app = {.name = "sandboxed", .chat = answer};
    return parley_main(argc, argv, &app);
}
