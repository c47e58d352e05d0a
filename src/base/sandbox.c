/*
 * The rules behind sandbox.h.
 *
 * The constants are the kernel's (Documentation/userspace-api/landlock.rst): headers are often older than the kernel, and glibc has no functions for these calls. What the running
 * kernel does not know yet is left out of the rules ("ABI" below): an older one forbids less.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

#ifndef SYS_landlock_create_ruleset /* the same on all architectures but Alpha */
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

#define RIGHT(bit) (UINT64_C(1) << (bit))
#define EXECUTE RIGHT(0)
#define WRITE_FILE RIGHT(1)
#define READ_FILE RIGHT(2)
#define READ_DIR RIGHT(3)
#define REMOVE_DIR RIGHT(4)
#define REMOVE_FILE RIGHT(5)
#define MAKE_DIR RIGHT(7)
#define MAKE_REG RIGHT(8)
#define MAKE_SOCK RIGHT(9)
#define MAKE_FIFO RIGHT(10)
#define MAKE_SYM RIGHT(12)
#define REFER RIGHT(13)     /* ABI 2: rename or link into another folder */
#define TRUNCATE RIGHT(14)  /* ABI 3 */
#define IOCTL_DEV RIGHT(15) /* ABI 5 */
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV) /* the rest has a meaning for folders only, and the kernel refuses it for files */

/* Devices are not made by anybody. */
static const uint64_t rights_of[] = {
    [SANDBOX_READ] = READ_FILE | READ_DIR | EXECUTE,
    [SANDBOX_WRITE] = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER,
    [SANDBOX_REMOVE] = REMOVE_FILE,
    [SANDBOX_DEVICE] = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV,
};

static struct {
    int rules; /* the descriptor of the rules; -1: there is no sandbox */
    int abi;
    uint64_t handled; /* all rights that this kernel knows: what is not allowed is forbidden */
    bool is_entered;
    char state[1024];
} sandbox = {.rules = -1, .state = "off"};

static void note_state(const char *text)
{
    (void)snprintf(sandbox.state, sizeof sandbox.state, "%s", text);
}

/* --- what every program needs ----------------------------------------------------------------------------------------- */

/* The system's files move: what a name stands for on one system is a link to somewhere else on the next (resolv.conf into /run, certificates into /var/lib). */
static void allow_system(void)
{
    static const char *const folders[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/proc", "/sys", "/nix/store", "/gnu/store",
                                          "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/var/lib/ca-certificates"};
    static const char *const links[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/localtime", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"};
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        (void)sandbox_allow(folders[i], SANDBOX_READ); /* no system has all of them */
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (access(links[i], F_OK) == 0)
            sandbox_allow_folder_of(links[i], SANDBOX_READ);
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        (void)sandbox_allow(devices[i], SANDBOX_DEVICE);
    (void)sandbox_allow("/proc/self/exe", SANDBOX_READ); /* debuggers and sanitizers look names up in it */
}

bool sandbox_open(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (abi < 1) { /* ENOSYS: built without; EOPNOTSUPP: not switched on; EPERM: a container's filter */
        log_debug("this kernel has no Landlock (%s): SANDBOX has no effect", strerror(errno));
        note_state("off: this kernel has no Landlock");
        return false;
    }
    sandbox.abi = (int)abi;
    sandbox.handled = RIGHT(13) - 1;
    if (abi >= 2)
        sandbox.handled |= REFER;
    if (abi >= 3)
        sandbox.handled |= TRUNCATE;
    if (abi >= 5)
        sandbox.handled |= IOCTL_DEV;
    sandbox.rules = (int)syscall(SYS_landlock_create_ruleset, &sandbox.handled, sizeof sandbox.handled, 0); /* the attribute's first member; the others, for networks, may be missing */
    if (sandbox.rules < 0) {
        log_warning("SANDBOX has no effect: %s", strerror(errno));
        note_state("off: the system refused it");
        return false;
    }
    (void)snprintf(sandbox.state, sizeof sandbox.state, "on (Landlock %d)", sandbox.abi);
    allow_system();
    return true;
}

/* --- more ------------------------------------------------------------------------------------------------------------- */

/* Adds to what --check says. */
static void note_writable(const char *path)
{
    size_t len = strlen(sandbox.state);
    (void)snprintf(sandbox.state + len, sizeof sandbox.state - len, "%s %s", strstr(sandbox.state, "written") == NULL ? "; files can be written below" : ",", path);
}

bool sandbox_allow(const char *path, enum sandbox_use use)
{
    if (sandbox.rules < 0)
        return true;
    struct stat status;
    int fd = open(path, O_PATH | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &status) == 0;
    if (good) {
        struct {
            uint64_t rights;
            int32_t fd;
        } __attribute__((packed)) rule = {.rights = rights_of[use] & sandbox.handled & (S_ISDIR(status.st_mode) ? UINT64_MAX : OF_FILES), .fd = fd};
        good = rule.rights == 0 || syscall(SYS_landlock_add_rule, sandbox.rules, RULE_PATH_BENEATH, &rule, 0) == 0;
    }
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    if (good && use == SANDBOX_WRITE)
        note_writable(path);
    errno = error;
    return good;
}

/* Allows the folder of a path, or the nearest one above it that is there. */
static void allow_folder(const char *file, enum sandbox_use use)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", file[0] == '/' ? file : ".");
    for (char *slash = strrchr(path, '/'); slash != NULL; slash = strrchr(path, '/')) {
        slash[slash == path ? 1 : 0] = '\0';
        if (sandbox_allow(path, use) || slash == path)
            return;
    }
    (void)sandbox_allow(path, use);
}

void sandbox_allow_folder_of(const char *file, enum sandbox_use use)
{
    if (sandbox.rules < 0)
        return;
    char target[PATH_MAX];
    struct stat status;
    allow_folder(file, use);
    if (lstat(file, &status) == 0 && S_ISLNK(status.st_mode) && realpath(file, target) != NULL)
        allow_folder(target, use);
}

void sandbox_enter(void)
{
    if (sandbox.rules < 0)
        return;
    /* without the first, the second is for root alone: a program that gains rights when it starts would carry the rules of somebody with fewer */
    bool good = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, sandbox.rules, 0) == 0;
    if (!good) {
        log_warning("SANDBOX has no effect: %s", strerror(errno));
        note_state("off: the system refused it");
    }
    (void)close(sandbox.rules);
    sandbox.rules = -1;
    sandbox.is_entered = good;
    if (good)
        log_debug("sandbox: %s", sandbox.state);
}

bool sandbox_forbids(const char *path)
{
    if (!sandbox.is_entered || access(path, R_OK) != 0) /* which Landlock does not look at */
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us */
    bool forbidden = fd < 0 && errno == EACCES;
    if (fd >= 0)
        (void)close(fd);
    return forbidden;
}

const char *sandbox_state(void)
{
    return sandbox.state;
}
