/*
 * Starting, feeding, reading and ending the programs of hook.h.
 *
 * posix_spawn(3) because a worker has hundreds of threads, which fork(2) and code before exec(2) do not go together with. The program gets a process group of its own, so that it
 * can be ended together with what it has started; signals as a new program expects them (here they are blocked, parley.c); no descriptor but three pipes; and four variables: our
 * environment holds keys. One poll(2) serves all three pipes, so that a program may write before it reads, or never read. Nobody else in a worker waits for children.
 */
#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/config.h"
#include "../base/json.h"
#include "../base/limits.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/sandbox.h"
#include "../base/settings.h"
#include "../chat/event.h"

enum {
    STANDARD_TIMEOUT_MS = 10000,
    MOST_TIMEOUT_S = 600,
    SLICE_MS = 50,     /* between two looks at `cancel` and at whether the program has ended */
    LINGER_MS = 200,   /* of silence from those who still hold the output of a program that has ended */
    PATIENCE_MS = 200, /* for a program that we want nothing more from to end by itself */
    TERM_MS = 500,     /* from SIGTERM to SIGKILL */
    KILL_MS = 2000     /* for a killed program to be gone; one in the hands of a dead disk or of another user is not */
};

/* --- what parley.json says --------------------------------------------------------------------------------------------- */

struct hook {
    size_t number;      /* its place in parley.json, from 1: what people are told */
    char **argv;        /* ends with NULL; [0] is a full path. Ours for the life of the process, like the texts */
    int64_t timeout_ms; /* for all that it does */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct hook hooks[LIMIT_HOOKS];
static size_t count;
static char trouble[1024];
static char *environment[5]; /* of the programs; ends with NULL */

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    char sentence[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args); /* what is too long is cut */
    va_end(args);
    log_error("%s", sentence);
    size_t len = strlen(trouble);
    (void)snprintf(trouble + len, sizeof trouble - len, "%s%s", len > 0 ? "; " : "", sentence);
}

/* The full path of a program. NULL: too long, or no memory. */
static char *read_path(const char *text)
{
    struct buf path;
    buf_init(&path, PATH_MAX);
    if (text[0] != '/')
        buf_addf(&path, "%s/", settings_home());
    buf_add_text(&path, text);
    return buf_take(&path);
}

/* "path", or ["path", "argument", …]. False: neither, too long, or no memory. */
static bool read_command(struct hook *hook, json_object *command)
{
    bool is_list = json_object_is_type(command, json_type_array);
    size_t n = is_list ? json_object_array_length(command) : 1;
    if (n == 0 || n > LIMIT_HOOK_ARGUMENTS)
        return false;
    hook->argv = mem_new(n + 1, sizeof *hook->argv);
    for (size_t i = 0; i < n && hook->argv != NULL; i++) {
        json_object *word = is_list ? json_object_array_get_idx(command, i) : command;
        if (!json_object_is_type(word, json_type_string) || (i == 0 && json_object_get_string_len(word) == 0))
            return false;
        hook->argv[i] = i == 0 ? read_path(json_object_get_string(word)) : mem_copy(json_object_get_string(word));
        if (hook->argv[i] == NULL)
            return false;
    }
    return hook->argv != NULL;
}

static bool read_timeout(struct hook *hook, json_object *seconds)
{
    hook->timeout_ms = STANDARD_TIMEOUT_MS;
    if (seconds == NULL)
        return true;
    double value = json_object_get_double(seconds);
    hook->timeout_ms = value > 0 && value <= MOST_TIMEOUT_S ? (int64_t)(value * 1000) : 0;
    return (json_object_is_type(seconds, json_type_int) || json_object_is_type(seconds, json_type_double)) && hook->timeout_ms > 0;
}

static void free_hook(struct hook *hook)
{
    for (char **word = hook->argv; word != NULL && *word != NULL; word++)
        mem_free(*word);
    mem_free(hook->argv);
}

/* A member that has no meaning is a mistake, of somebody who wanted something by it. */
static const char *unknown_member(json_object *entry)
{
    json_object_object_foreach(entry, name, value)
    {
        (void)value;
        if (strcmp(name, "command") != 0 && strcmp(name, "timeout_seconds") != 0)
            return name;
    }
    return NULL;
}

/* A hook that is written wrongly, or whose program is missing, is a hook all the same: every turn says that it fails, because a guard is not dropped in silence. */
static void read_hook(json_object *entry, size_t number)
{
    struct hook hook = {.number = number};
    const char *unknown = json_object_is_type(entry, json_type_object) ? unknown_member(entry) : NULL;
    bool good = false;
    if (!json_object_is_type(entry, json_type_object) || !read_command(&hook, json_at(entry, "command")))
        complain("hook %zu in parley.json is not usable: \"command\" has to be the path of a program, or a list of path and arguments", number);
    else if (!read_timeout(&hook, json_at(entry, "timeout_seconds")))
        complain("hook %zu in parley.json is not usable: \"timeout_seconds\" has to be a number above 0, up to %d", number, MOST_TIMEOUT_S);
    else if (unknown != NULL)
        complain("hook %zu in parley.json is not usable: \"%.100s\" is unknown", number, unknown);
    else
        good = true;
    if (good && access(hook.argv[0], X_OK) != 0)
        complain("hook %zu in parley.json: %.200s cannot be run: %s", number, hook.argv[0], strerror(errno));
    if (!good) {
        free_hook(&hook);
        hook.argv = NULL;
    }
    hooks[count++] = hook;
}

/* What a program may know of our environment. Never all of it: it holds keys, and under CGI what a visitor sent. */
static void read_environment(void)
{
    static const char *const names[][2] = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", NULL}, {"LANG", "C.UTF-8"}, {"TZ", NULL}}; /* NULL: not without a value */
    size_t n = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i][0]);
        struct buf pair;
        buf_init(&pair, LIMIT_VARIABLES_BYTES);
        if (value == NULL)
            value = names[i][1];
        if (value != NULL)
            buf_addf(&pair, "%s=%s", names[i][0], value);
        char *text = value != NULL ? buf_take(&pair) : NULL;
        if (text != NULL)
            environment[n++] = text;
    }
}

static void read_hooks(void)
{
    struct sigaction children;
    if (sigaction(SIGCHLD, NULL, &children) == 0 && children.sa_handler == SIG_IGN)
        (void)signal(SIGCHLD, SIG_DFL); /* a host that ignores it hands that on, and the kernel would then throw away how a child ended */
    read_environment();
    json_object *list = config_get("hooks");
    if (list != NULL && !json_object_is_type(list, json_type_array)) {
        complain("\"hooks\" in parley.json is not usable: it has to be a list");
        hooks[count++] = (struct hook){.number = 1};
        return;
    }
    size_t n = list != NULL ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n && i < LIMIT_HOOKS; i++)
        read_hook(json_object_array_get_idx(list, i), i + 1);
    if (n > LIMIT_HOOKS)
        complain("\"hooks\" in parley.json: only the first %d are used", LIMIT_HOOKS);
}

size_t hook_count(void)
{
    (void)pthread_once(&once, read_hooks); /* cannot fail with a proper control */
    return count;
}

const char *hook_trouble(void)
{
    (void)pthread_once(&once, read_hooks);
    return trouble[0] != '\0' ? trouble : NULL;
}

/* --- what programs may open ---------------------------------------------------------------------------------------------- */

/* A path in a command is there for the program to use: a file to read (and what lies beside it), a folder also to write to. */
static void allow_word(const char *word)
{
    struct stat status;
    if (word[0] != '/' || word[strspn(word, "/")] == '\0' || stat(word, &status) != 0) {
        return; /* no path, or the whole system, which nobody can have meant */
    } else if (S_ISDIR(status.st_mode)) {
        (void)sandbox_allow(word, SANDBOX_READ); /* it is there */
        (void)sandbox_allow(word, SANDBOX_WRITE);
    } else {
        sandbox_allow_folder_of(word, SANDBOX_READ);
    }
}

void hook_allow_files(void)
{
    if (hook_count() == 0)
        return;
    (void)sandbox_allow(settings_home(), SANDBOX_READ);
    (void)sandbox_allow("/opt", SANDBOX_READ); /* where interpreters are put by hand; it need not be there */
    (void)sandbox_allow("/tmp", SANDBOX_WRITE);
    for (size_t i = 0; i < count; i++)
        for (char **word = hooks[i].argv; word != NULL && *word != NULL; word++)
            allow_word(*word);
}

/* --- one program being run --------------------------------------------------------------------------------------------- */

struct run {
    const struct hook *hook;
    pid_t pid;
    int in, out, err;    /* our ends of its pipes, which do not block; -1: closed */
    struct buf input;    /* the line for it … */
    size_t sent;         /* … and what it has taken of that */
    struct buf line;     /* what has come of a line of its answer */
    size_t lines;        /* that came */
    struct buf said;     /* the beginning of its standard error */
    int64_t deadline_ms; /* monotonic */
    int64_t quiet_ms;    /* since when a program that has ended has sent nothing more; 0: it has not ended */
    int nap_ms;          /* next wait when only the program's end is waited for */
    const atomic_bool *cancel;
    bool (*each)(void *arg, const struct hook_line *line);
    void *arg;
    bool over;           /* nothing more is expected or wanted … */
    bool refused;        /* … because `each` said so */
    enum outcome outcome;
    struct failure *failure;
};

/* Ends the run with a failure: `sentence` for the client, `fact` for the log. */
static void give_up(struct run *run, const char *sentence, const char *fact)
{
    log_error("hook %zu (%.300s): %s", run->hook->number, run->hook->argv[0], fact);
    run->outcome = fail(run->failure, OUTCOME_HOOK, "Hook %zu %s.", run->hook->number, sentence);
    run->over = true;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* a pipe has nothing that could be lost */
    *fd = -1;
}

/* --- its answer, line by line --- */

/* Whether `object` is an event or an action; `line` then lends from it. */
static bool read_line(json_object *object, struct hook_line *line)
{
    static const char *const names[] = {[HOOK_REWRITE] = "rewrite", [HOOK_REFUSE] = "refuse", [HOOK_SYSTEM] = "system"};
    const char *type = json_text(object, "event", NULL), *action = json_text(object, "action", NULL);
    if (type != NULL && action == NULL) {
        *line = (struct hook_line){.action = HOOK_EVENT, .type = type, .content = json_at(object, "content")};
        return event_is_name(type) && json_object_is_type(line->content, json_type_object);
    }
    for (int i = HOOK_REWRITE; i <= HOOK_SYSTEM && action != NULL && type == NULL; i++)
        if (strcmp(action, names[i]) == 0) {
            *line = (struct hook_line){.action = (enum hook_action)i, .text = json_text(object, "text", NULL)};
            return line->text != NULL;
        }
    return false;
}

/* The log is not told what the line says: it may repeat what somebody wrote. */
static void take_line(struct run *run)
{
    run->lines++;
    if (strspn(run->line.data, " \t\r") == run->line.len)
        return;
    const char *why = NULL;
    struct hook_line line = {0};
    json_object *object = json_read(run->line.data, run->line.len, &why);
    if (why == NULL && !read_line(object, &line))
        why = "it is neither an event nor an action";
    if (why != NULL) {
        char fact[200];
        (void)snprintf(fact, sizeof fact, "line %zu of its answer (%zu bytes) is not understood: %s", run->lines, run->line.len, why);
        give_up(run, "answered something that is not understood", fact);
    } else if (!run->each(run->arg, &line)) {
        run->refused = run->over = true;
    }
    json_object_put(object);
}

static void take_output(struct run *run, const char *bytes, size_t len)
{
    while (len > 0 && !run->over) {
        const char *newline = memchr(bytes, '\n', len);
        size_t n = newline != NULL ? (size_t)(newline - bytes) : len;
        buf_add(&run->line, bytes, n);
        if (buf_failed(&run->line)) {
            give_up(run, "answered something that is too long", "a line of its answer is longer than the limit, or memory is short");
            return;
        }
        if (newline != NULL) {
            take_line(run);
            buf_clear(&run->line);
            n++;
        }
        bytes += n;
        len -= n;
    }
}

/* --- its pipes --- */

static void give_input(struct run *run)
{
    ssize_t n = write(run->in, run->input.data + run->sent, run->input.len - run->sent);
    if (n > 0)
        run->sent += (size_t)n;
    if (run->sent == run->input.len || (n < 0 && errno != EAGAIN && errno != EINTR)) /* EPIPE: it does not want to know; SIGPIPE is blocked (parley.c) */
        close_end(&run->in);
}

/* Reads once. The number of bytes; 0: nothing now, or the end, after which *fd is -1. */
static size_t read_some(int *fd, char *part, size_t size)
{
    ssize_t n = read(*fd, part, size);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_end(fd);
    return n > 0 ? (size_t)n : 0;
}

static void read_output(struct run *run)
{
    char part[16 * 1024];
    size_t n = read_some(&run->out, part, sizeof part);
    if (n > 0)
        take_output(run, part, n);
}

/* False: there is nothing more now. What is beyond the limit is thrown away, but read: the program must not wait for us. */
static bool read_complaints(struct run *run)
{
    char part[4 * 1024];
    size_t n = run->err >= 0 ? read_some(&run->err, part, sizeof part) : 0, room = run->said.max - run->said.len;
    buf_add(&run->said, part, n < room ? n : room);
    return n > 0;
}

/* --- its life --- */

/* A pipe, close-on-exec, `ours` without blocking. Its ends stand above 2 also where the host has closed some of 0 to 2: what is written to standard error must not be the program's
   input. */
static bool make_pipe(int ends[2], int ours)
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    for (int i = 0; i < 2; i++)
        if (ends[i] <= STDERR_FILENO) {
            int low = ends[i];
            ends[i] = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
            (void)close(low);
        }
    return ends[0] >= 0 && ends[1] >= 0 && fcntl(ends[ours], F_SETFL, O_NONBLOCK) == 0;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (error == 0)
        error = posix_spawnattr_setpgroup(attributes, 0); /* a new group, led by the program */
    if (error == 0)
        error = posix_spawnattr_setsigmask(attributes, &none);
    return error == 0 ? posix_spawnattr_setsigdefault(attributes, &all) : error;
}

static int set_actions(posix_spawn_file_actions_t *actions, const int ends[3])
{
    int error = 0;
    for (int i = 0; i < 3 && error == 0; i++)
        error = posix_spawn_file_actions_adddup2(actions, ends[i], i);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1); /* some library's descriptor may lack close-on-exec */
    return error == 0 ? posix_spawn_file_actions_addchdir_np(actions, settings_home()) : error;
}

/* `ends` become its 0, 1 and 2. An errno; 0: it runs. */
static int spawn(struct run *run, const int ends[3])
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = set_attributes(&attributes);
        if (error == 0)
            error = set_actions(&actions, ends);
        if (error == 0)
            error = posix_spawn(&run->pid, run->hook->argv[0], &actions, &attributes, run->hook->argv, environment);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)posix_spawnattr_destroy(&attributes);
    return error;
}

/* False, after give_up(), when the system gives no pipes or the program cannot be run. */
static bool start(struct run *run)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    int error = make_pipe(in, 1) && make_pipe(out, 0) && make_pipe(err, 0) ? 0 : errno;
    if (error == 0)
        error = spawn(run, (const int[]){in[0], out[1], err[1]});
    run->in = in[1];
    run->out = out[0];
    run->err = err[0];
    close_end(&in[0]);
    close_end(&out[1]);
    close_end(&err[1]);
    if (error == 0)
        return true;
    char fact[200];
    bool runs = access(run->hook->argv[0], X_OK) == 0;
    (void)snprintf(fact, sizeof fact, "it cannot be started: %s%s", strerror(error), error == EACCES && runs && settings.sandbox ? " (if its interpreter is in a place of its own: SANDBOX_READ)" : "");
    give_up(run, "cannot be started", fact);
    return false;
}

/* Whether it has ended. It is not waited for yet, so that its number stays that of its process group. */
static bool has_ended(const struct run *run)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == run->pid;
}

/* Waits up to `slice_ms` for something from its pipes, and deals with that. */
static void serve_pipes(struct run *run, int64_t slice_ms)
{
    struct pollfd ends[] = {{.fd = run->in, .events = POLLOUT}, {.fd = run->out, .events = POLLIN}, {.fd = run->err, .events = POLLIN}}; /* -1 is passed over */
    if (poll(ends, sizeof ends / sizeof ends[0], (int)slice_ms) <= 0)
        return;
    if (ends[0].revents != 0)
        give_input(run);
    if (ends[2].revents != 0)
        (void)read_complaints(run);
    if (ends[1].revents != 0) {
        read_output(run);
        run->nap_ms = 1;
        run->quiet_ms = run->quiet_ms != 0 ? clock_mono_ms() : 0;
    }
}

/* Its output has ended, or is held open, silently, by something that it has left behind. */
static bool is_complete(struct run *run, int64_t now_ms)
{
    if (run->quiet_ms == 0 && has_ended(run))
        run->quiet_ms = now_ms;
    return run->quiet_ms != 0 && (run->out < 0 || now_ms - run->quiet_ms >= LINGER_MS);
}

static void converse(struct run *run)
{
    while (!run->over) {
        int64_t now_ms = clock_mono_ms(), left_ms = run->deadline_ms - now_ms;
        if (run->cancel != NULL && atomic_load(run->cancel)) {
            run->outcome = fail(run->failure, OUTCOME_STOPPED, "The answer was stopped.");
            run->over = true;
        } else if (is_complete(run, now_ms)) {
            run->over = true;
            if (run->line.len > 0)
                take_line(run); /* the last one need not end in a newline */
        } else if (left_ms <= 0) {
            give_up(run, "took too long", "it did not end within its timeout_seconds");
        } else {
            int64_t slice_ms = run->out >= 0 ? SLICE_MS : run->nap_ms;
            run->nap_ms = run->nap_ms * 2 < SLICE_MS ? run->nap_ms * 2 : SLICE_MS;
            serve_pipes(run, slice_ms < left_ms ? slice_ms : left_ms);
        }
    }
}

/* --- its end --- */

static pthread_mutex_t late_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next two */
static pid_t late[LIMIT_HOOKS_LATE]; /* programs that could not be ended in time: each next run looks whether they have */
static size_t late_count;

static void wait_for_late(pid_t more)
{
    (void)pthread_mutex_lock(&late_lock);
    for (size_t i = late_count; i-- > 0;)
        if (waitpid(late[i], NULL, WNOHANG) != 0)
            late[i] = late[--late_count];
    if (more > 0 && late_count < LIMIT_HOOKS_LATE)
        late[late_count++] = more;
    (void)pthread_mutex_unlock(&late_lock);
}

static bool wait_for_end(const struct run *run, int64_t ms)
{
    int64_t until_ms = clock_mono_ms() + ms;
    for (int nap_ms = 1; !has_ended(run); nap_ms = nap_ms < 16 ? nap_ms * 2 : nap_ms) {
        if (clock_mono_ms() >= until_ms)
            return false;
        clock_sleep_ms(nap_ms);
    }
    return true;
}

/* To its group, and to itself should it have gone to another one. Fails when all are gone, or have become another user's. */
static void signal_all(const struct run *run, int number)
{
    (void)kill(-run->pid, number);
    (void)kill(run->pid, number);
}

/* Ends the program, if it has not ended, and whatever it has started and left in its group. */
static void end_by_force(const struct run *run)
{
    signal_all(run, SIGTERM);
    (void)wait_for_end(run, TERM_MS);
    signal_all(run, SIGKILL);
}

/* How it ended: the wait status; 0 when that cannot be known or does not matter. */
static int finish(struct run *run)
{
    while (read_complaints(run)) /* what came just before the end */
        if (run->said.len == run->said.max)
            break;
    close_end(&run->in);
    close_end(&run->out);
    close_end(&run->err);
    if (run->outcome != OUTCOME_OK || !wait_for_end(run, PATIENCE_MS)) /* what a good program leaves running is its own business */
        end_by_force(run);
    int status = 0;
    if (!wait_for_end(run, KILL_MS)) {
        log_error("hook %zu (%.300s): it cannot be ended", run->hook->number, run->hook->argv[0]);
        wait_for_late(run->pid);
    } else if (waitpid(run->pid, &status, 0) != run->pid) {
        status = 0;
    }
    return status;
}

static void judge(struct run *run, int status)
{
    char fact[100];
    if (run->said.len > 0)
        log_warning("hook %zu (%.300s) says: %.*s", run->hook->number, run->hook->argv[0], (int)(run->said.len - (run->said.data[run->said.len - 1] == '\n')), run->said.data);
    if (run->outcome != OUTCOME_OK || run->refused || status == 0)
        return;
    if (WIFSIGNALED(status))
        (void)snprintf(fact, sizeof fact, "it ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)snprintf(fact, sizeof fact, "it ended with status %d", WEXITSTATUS(status));
    give_up(run, "failed", fact);
}

enum outcome hook_run(size_t index, json_object *input, const atomic_bool *cancel, bool (*each)(void *arg, const struct hook_line *line), void *arg, struct failure *failure)
{
    if (index >= hook_count())
        return fail(failure, OUTCOME_HOOK, "There is no such hook.");
    if (hooks[index].argv == NULL)
        return fail(failure, OUTCOME_HOOK, "Hook %zu is not set up properly.", hooks[index].number);
    struct run run = {.hook = &hooks[index], .cancel = cancel, .each = each, .arg = arg, .failure = failure, .nap_ms = 1, .outcome = OUTCOME_OK, .in = -1, .out = -1, .err = -1};
    buf_init(&run.input, LIMIT_REQUEST_BYTES);
    buf_init(&run.line, LIMIT_HOOK_LINE_BYTES);
    buf_init(&run.said, LIMIT_HOOK_SAID_BYTES);
    run.deadline_ms = clock_mono_ms() + run.hook->timeout_ms;
    wait_for_late(0);
    const char *text = json_write(input);
    buf_add_text(&run.input, text != NULL ? text : "");
    buf_add_char(&run.input, '\n');
    if (text == NULL || buf_failed(&run.input)) {
        run.outcome = fail_no_memory(failure);
    } else if (start(&run)) {
        converse(&run);
        judge(&run, finish(&run));
    }
    close_end(&run.in); /* open only if it was not started */
    close_end(&run.out);
    close_end(&run.err);
    buf_free(&run.input);
    buf_free(&run.line);
    buf_free(&run.said);
    return run.outcome;
}
