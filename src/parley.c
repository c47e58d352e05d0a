/*
 * The program around everything: options, start, signals, stop. See parley.h.
 *
 * Signals are blocked in every thread and received here, because libfcgi's own handlers do not stop an idle threaded worker. Neighbours: all folders of src/.
 */
#include "parley.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/routes.h"
#include "app/app.h"
#include "app/hook.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/secrets.h"
#include "base/settings.h"
#include "chat/journal.h"
#include "chat/live.h"
#include "http/cgi.h"
#include "http/worker.h"
#include "llm/catalogue.h"
#include "llm/provider.h"
#include "llm/relay.h"
#include "store/db.h"

enum { EXIT_BAD = 1, EXIT_USAGE = 2 };
enum { ARENAS = 4, STORE_END_MS = 15000, DRAIN_MS = 3000, CHECK_MS = 5000 };

struct options {
    const char *listen, *config;
    bool check, help, version, settings_table, routes, export;
};

static const char help[] =
    "A web server starts it as a FastCGI program (standard input is then the socket) or as a CGI program, or:\n"
    "  --listen ADDRESS   serve at unix:/path/to/socket or 127.0.0.1:port\n"
    "  --config FILE      read settings from FILE, not from PARLEY_CONFIG or .env\n"
    "  --check            print what is set, try database and provider, and end\n"
    "  --settings         print the table of all settings (Markdown)\n"
    "  --routes           print the method and path of every address, {} for an open part, {*} for an open end\n"
    "  --export           print what is set as KEY=VALUE lines, keys included\n"
    "  --version, --help\n";

static bool read_options(int argc, char **argv, struct options *options)
{
    if (cgi_is_asked())
        return true; /* under CGI the arguments are a visitor's query string (RFC 3875 section 4.4) */
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--check") == 0)
            options->check = true;
        else if (strcmp(argv[i], "--help") == 0)
            options->help = true;
        else if (strcmp(argv[i], "--version") == 0)
            options->version = true;
        else if (strcmp(argv[i], "--settings") == 0)
            options->settings_table = true;
        else if (strcmp(argv[i], "--routes") == 0)
            options->routes = true;
        else if (strcmp(argv[i], "--export") == 0)
            options->export = true;
        else if (strcmp(argv[i], "--listen") == 0 && next != NULL)
            options->listen = argv[++i];
        else if (strcmp(argv[i], "--config") == 0 && next != NULL)
            options->config = argv[++i];
        else
            return false;
    }
    return true;
}

/* --- what is nobody else's --------------------------------------------------------------------------------------------- */

/* Keys and conversations are in our memory, and must not come to lie in a file that somebody sends around. The limit alone is not enough: where cores are piped into a program the
   kernel passes over it, and asks the filter (core(5)). Both are inherited. A debugger that is attached sees everything as before. */
static void forbid_core_dumps(void)
{
    static const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        log_warning("core dumps cannot be forbidden");
    FILE *filter = fopen("/proc/self/coredump_filter", "we");
    if (filter != NULL) { /* else there is no /proc, or no such file */
        (void)fputs("0", filter);
        (void)fclose(filter);
    }
}

/* Tells of the files that may hold keys, if others can read them: in the log, or as an answer to --check. */
static void tell_exposed_files(void (*tell)(const char *sentence))
{
    const char *const files[] = {settings_file(), settings.config_file};
    char sentence[1024];
    struct stat status;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (stat(files[i], &status) != 0 || (status.st_mode & (S_IRGRP | S_IROTH)) == 0)
            continue;
        (void)catalogue_count(); /* from now on all keys are known, which takes a plain CGI program a moment */
        if (secrets_are_exposed(files[i], sentence, sizeof sentence))
            tell(sentence);
    }
}

static void log_exposed(const char *sentence)
{
    log_warning("%s", sentence);
}

static void print_exposed(const char *sentence)
{
    (void)printf("warning:  %s\n", sentence);
}

/* Allows the paths of a list in SANDBOX_READ or SANDBOX_WRITE. */
static void allow_list(const char *name, enum sandbox_use use)
{
    char *list = mem_copy(settings_text(name)), *rest = NULL;
    for (char *path = list != NULL ? strtok_r(list, ",", &rest) : NULL; path != NULL; path = strtok_r(NULL, ",", &rest)) {
        struct buf whole;
        buf_init(&whole, PATH_MAX);
        path += strspn(path, " \t");
        for (size_t len = strlen(path); len > 0 && (path[len - 1] == ' ' || path[len - 1] == '\t'); len--)
            path[len - 1] = '\0';
        if (*path != '\0' && path[0] != '/')
            buf_addf(&whole, "%s/", settings_home());
        buf_add_text(&whole, path);
        if (*path != '\0' && !buf_failed(&whole) && !sandbox_allow(whole.data, use))
            log_warning("%s: %s: %s", name, whole.data, strerror(errno));
        buf_free(&whole);
    }
    mem_free(list);
}

/* From here on only the files can be opened that we need: the database with what SQLite keeps beside it, the theme, certificates, what the administrator names. Settings and
   parley.json have been read. `socket`: what --listen was given, or NULL. */
static void enter_sandbox(const char *socket)
{
    (void)umask(077); /* the database is nobody else's */
    (void)config_trouble(); /* reads parley.json */
    if (!settings.sandbox || !sandbox_open())
        return;
    db_make_folder();
    sandbox_allow_folder_of(settings.db_path, SANDBOX_WRITE);
    if (settings.llm_ca_file[0] != '\0')
        sandbox_allow_folder_of(settings.llm_ca_file, SANDBOX_READ);
    if (socket != NULL && strncmp(socket, "unix:", 5) == 0)
        sandbox_allow_folder_of(socket + 5, SANDBOX_REMOVE);
    theme_allow_file();
    hook_allow_files();
    allow_list("SANDBOX_READ", SANDBOX_READ);
    allow_list("SANDBOX_WRITE", SANDBOX_WRITE);
    sandbox_enter();
}

/* --- serving ------------------------------------------------------------------------------------------------------ */

static void block_signals(sigset_t *set)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGPIPE};
    (void)sigemptyset(set);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaddset(set, signals[i]);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL); /* inherited by all threads */
    (void)sigdelset(set, SIGPIPE); /* blocked for good: writes report EPIPE */
    (void)signal(SIGHUP, SIG_IGN); /* a terminal that closes is no order to stop */
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (ulimit -f) is a full disk: writes report EFBIG */
}

/* Waits for the order to stop. */
static void wait_for_stop(const sigset_t *set)
{
    int number;
    do
        number = sigwaitinfo(set, NULL);
    while (number < 0);
    log_info("stopping (%s)", strsignal(number));
}

/* Gives running answers their time; a second order cuts it short. An order that comes at once after the first is the same one: systemd tells each process of a
   service to stop, and then lighttpd tells us again. */
static void finish_answers(const sigset_t *set)
{
    enum { SLICE_MS = 100, SAME_ORDER_MS = 1000 };
    static const struct timespec now = {0};
    int64_t start_ms = clock_mono_ms();
    while (clock_mono_ms() < start_ms + settings.shutdown_ms)
        if (live_wait(SLICE_MS) || (sigtimedwait(set, NULL, &now) > 0 && clock_mono_ms() >= start_ms + SAME_ORDER_MS))
            break;
    live_stop_all(STOP_SHUTDOWN); /* what is left is stored as it is */
    if (!live_wait(STORE_END_MS))
        log_error("some answers could not be stored in time");
}

/* Starts what a request needs beside its own thread. */
static bool start_threads(enum live_count count)
{
    return loop_start() && live_start(count) && journal_start() && app_start();
}

/* Another worker, of the program as it is by now, is to serve instead: the host starts one. */
static void stop_outdated(void)
{
    (void)kill(getpid(), SIGTERM);
}

/* The worker: until it is told to stop. `set` is blocked. */
static int serve(const char *name, int listen_fd, const sigset_t *set, enum live_count count)
{
    (void)catalogue_count(); /* so that all keys are masked before anything can log one */
    (void)hook_count(); /* what is wrong with them is logged now, not with the first question */
    db_on_outdated(stop_outdated);
    if (!start_threads(count) || !relay_start() || !worker_start(listen_fd, (int)settings.max_streams + LIMIT_SPARE_THREADS, routes_serve))
        return EXIT_BAD;
    log_info("%s %s serves, up to %lld answers at a time", name, PARLEY_VERSION, (long long)settings.max_streams);
    if (settings.redis_url[0] != '\0')
        log_info("REDIS_URL is set but not needed: conversations are in %s", settings.db_path);

    wait_for_stop(set);
    live_close();
    worker_stop_accepting();
    finish_answers(set);
    if (!worker_wait_idle(DRAIN_MS) || !live_wait(0)) {
        log_warning("%d requests were still open at the end, or an application still thinks about a title", worker_open_requests());
        live_stop();
        _exit(0); /* their threads still use everything: leave it to the kernel */
    }
    worker_end();
    relay_stop();
    live_stop();
    journal_stop();
    loop_stop();
    db_close();
    return 0;
}

/* mod_fcgid follows its SIGTERM with SIGKILL after a moment, also when Apache only reloads its configuration; lighttpd serves nobody until the programs that it
   started have ended. So the process that they know is a front which does nothing; the worker is its child, in a session of its own, is told to stop when the front ends in whatever way, and takes the time it needs. */
static int serve_behind_front(const char *name, int listen_fd, const sigset_t *set)
{
    pid_t front = getpid(), worker = fork();
    if (worker < 0)
        log_warning("OUTLIVE_HOST: the system gives no second process");
    if (worker == 0) {
        (void)setsid();
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* fails for no valid signal */
        if (getppid() != front)
            return 0;
    }
    if (worker <= 0)
        return serve(name, listen_fd, set, LIVE_COUNT_ALL);
    (void)close(listen_fd);
    sigset_t orders = *set;
    (void)sigaddset(&orders, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &orders, NULL);
    for (;;) {
        int status = 0, number = sigwaitinfo(&orders, NULL);
        if (number == SIGCHLD && waitpid(worker, &status, WNOHANG) == worker)
            return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BAD;
        if (number > 0 && number != SIGCHLD) /* a worker that is only stopped or goes on says SIGCHLD too */
            return 0;
    }
}

static void *obey_stop(void *arg)
{
    const sigset_t *set = arg;
    wait_for_stop(set);
    live_close();
    finish_answers(set);
    return NULL;
}

/* The child of a plain CGI program: serves the one request, and ends when its answer is stored. */
static int serve_cgi(int connection, sigset_t *set)
{
    pthread_t obeying;
    if (!start_threads(LIVE_COUNT_ALL))
        return CGI_EXIT_BUSY; /* the host allows no more threads */
    int error = pthread_create(&obeying, NULL, obey_stop, set);
    if (error == 0)
        (void)pthread_detach(obeying); /* it waits until the process ends */
    else
        log_warning("the thread for signals cannot start: %s", strerror(error));
    if (!worker_serve_one(connection, routes_serve))
        return EXIT_BAD;
    while (!worker_wait_idle(DRAIN_MS) || !live_wait(DRAIN_MS))
        continue; /* a client that takes nothing is given up after CLIENT_STALL_SECONDS; titles take some seconds */
    relay_stop();
    live_stop();
    journal_stop();
    loop_stop();
    db_close();
    return 0;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* One line about a provider: whether its address and key work. */
static bool check_provider(const struct provider *provider, const char *what)
{
    struct failure failure = {.outcome = OUTCOME_OK};
    struct buf url;
    buf_init(&url, LIMIT_URL_BYTES);
    (void)provider_check(provider, CHECK_MS, &failure); /* the outcome is in `failure` */
    (void)printf("%s %s, model %s", what, provider->id, provider->model);
    if (!provider->is_demo && catalogue_address(provider->row, provider->address, &url, &(struct failure){0}) == OUTCOME_OK) {
        (void)printf(", ");
        settings_write_address(stdout, url.data);
    }
    buf_free(&url);
    (void)printf(": %s\n", failure.outcome == OUTCOME_OK ? "ok" : failure.message);
    return failure.outcome == OUTCOME_OK;
}

/* The configured model, and every other provider whose key is set. */
static bool check_providers(void)
{
    struct provider provider;
    struct failure failure;
    if (provider_find(NULL, &provider, &failure) != OUTCOME_OK) {
        (void)printf("provider: %s\n", failure.message);
        return false;
    }
    if (!loop_start() || !relay_start())
        return false;
    bool good = check_provider(&provider, "provider:");
    for (size_t i = 0; i < catalogue_count(); i++) {
        const struct catalogue_provider *row = catalogue_at(i);
        struct provider other = {.row = row, .wire = row->wire, .id = row->id, .model = "-", .address = "", .key = catalogue_key(row)};
        if (row != provider.row && json_at(row->row, "alias_of") == NULL && catalogue_is_set_up(row))
            good = check_provider(&other, "also set:") && good;
    }
    relay_stop();
    loop_stop();
    return good;
}

static int check(void)
{
    struct failure store = {.outcome = OUTCOME_OK};
    settings_write_check(stdout);
    enter_sandbox(NULL);
    (void)db_check(&store); /* the outcome is in `store` */
    (void)printf("\nstore:    %s: %s\n", settings.db_path, store.outcome == OUTCOME_OK ? "ok" : store.message);
    (void)printf("sandbox:  %s\n", sandbox_state());
    if (config_trouble() != NULL)
        (void)printf("config:   %s\n", config_trouble());
    if (hook_trouble() != NULL)
        (void)printf("hooks:    %s\n", hook_trouble());
    tell_exposed_files(print_exposed);
    bool good = check_providers();
    db_close();
    return store.outcome == OUTCOME_OK && config_trouble() == NULL && hook_trouble() == NULL && good ? 0 : EXIT_BAD;
}

static void write_routes(void)
{
    for (size_t i = 0; i < route_count; i++)
        (void)printf("%s %s\n", routes[i].method, routes[i].pattern);
}

/* Options that need no settings. Whether it was one. */
static bool tell(const struct options *options, const char *name)
{
    if (options->help || options->version)
        (void)printf("%s %s\n%s", name, PARLEY_VERSION, options->help ? help : "");
    else if (options->routes)
        write_routes();
    return options->help || options->version || options->routes;
}

/* Options that show the settings. Whether it was one. */
static bool tell_settings(const struct options *options)
{
    if (options->settings_table) {
        settings_write_table(stdout);
    } else if (options->export) {
        settings_write_export(stdout);
        catalogue_write_export(stdout);
    }
    return options->settings_table || options->export;
}

int parley_main(int argc, char **argv, const struct parley_app *app)
{
    struct options options = {0};
    forbid_core_dumps();
    int connection = cgi_is_asked() && !worker_is_spawned() ? cgi_split() : -1; /* before anything is opened */
    (void)mallopt(M_ARENA_MAX, ARENAS); /* hundreds of threads need not have an arena each */
    if (!read_options(argc, argv, &options)) {
        (void)fprintf(stderr, "%s\n%s", app->name, help);
        return EXIT_USAGE;
    }
    if (tell(&options, app->name))
        return 0;
    if (!app_use(app) || !settings_load(argv[0], options.config, stderr))
        return EXIT_BAD;
    if (connection < 0) /* a plain CGI program would say it with every request */
        settings_complain(stderr, catalogue_has_variable);
    if (tell_settings(&options))
        return 0;
    if (options.check)
        return check();
    sigset_t set;
    block_signals(&set);
    if (connection >= 0) {
        tell_exposed_files(log_exposed);
        enter_sandbox(NULL);
        return serve_cgi(connection, &set);
    }
    int listen_fd = STDIN_FILENO;
    if (options.listen != NULL)
        listen_fd = worker_listen(options.listen);
    if (listen_fd < 0)
        return EXIT_BAD;
    if (options.listen == NULL && !worker_is_spawned()) {
        (void)fprintf(stderr, "%s was not started by a web server. See --help.\n", app->name);
        return EXIT_USAGE;
    }
    tell_exposed_files(log_exposed);
    enter_sandbox(options.listen);
    if (options.listen == NULL && settings.outlive_host)
        return serve_behind_front(app->name, listen_fd, &set);
    return serve(app->name, listen_fd, &set, LIVE_COUNT_OWN);
}
