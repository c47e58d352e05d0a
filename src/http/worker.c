/*
 * The worker of worker.h.
 *
 * Threads block in accept(2) itself, not in FCGX_Accept_r, which is handed the connection (request.c): so a stop can wake exactly the threads
 * that wait for a connection, a request being read is never disturbed, and the kernel wakes one thread for one connection. Threads are added as they are needed.
 */
#include "worker.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/crash_point.h"
#include "../base/limits.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "request_internal.h"

enum { BACKLOG = 1024, WAKE_SIGNAL = SIGUSR2 };

struct thread {
    pthread_t id;
    atomic_bool accepting; /* in accept(2), or about to be */
};

static struct {
    int listen_fd;
    char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* made by us; "": none */
    void (*serve)(struct request *request);
    struct thread *threads;
    int max_threads;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t ended;
    int thread_count;
    int serving; /* threads that have a request */
    int open;    /* requests, those that the loop has included */
} worker = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

bool worker_is_spawned(void)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

/* Whether somebody answers at a Unix socket. */
static bool is_live(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool live = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    if (fd >= 0)
        (void)close(fd);
    return live;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        log_error("--listen: the path of a socket has at most %zu bytes", sizeof address.sun_path - 1);
        return -1;
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    struct stat status;
    if (stat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
        if (is_live(&address)) {
            log_error("--listen: another program serves at %s", path);
            return -1;
        }
        (void)unlink(path); /* left by a program that was killed; when this fails, bind says why */
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0117); /* mode 0660: who can write to the socket can speak FastCGI with us */
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0;
    (void)umask(mask);
    if (good)
        memcpy(worker.socket_path, address.sun_path, sizeof worker.socket_path);
    if (good)
        return fd;
    log_error("--listen: %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static int listen_tcp(const char *address)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    if (colon == NULL || (size_t)(colon - address) >= sizeof host) {
        log_error("--listen takes unix:/path or host:port");
        return -1;
    }
    const char *start = address;
    size_t len = (size_t)(colon - address);
    if (len >= 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    }
    memcpy(host, start, len);
    host[len] = '\0';
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error != 0) {
        log_error("--listen: %s: %s", address, gai_strerror(error));
        return -1;
    }
    int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
    int yes = 1;
    bool good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0;
    freeaddrinfo(found);
    if (good)
        return fd;
    log_error("--listen: %s: %s", address, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

int worker_listen(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? listen_unix(address + 5) : listen_tcp(address);
}

/* The next connection, or -1 when the program stops. */
static int accept_next(struct thread *thread)
{
    for (;;) {
        atomic_store(&thread->accepting, true);
        int fd = atomic_load(&worker.stopping) ? -1 : accept4(worker.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        int error = errno;
        atomic_store(&thread->accepting, false);
        if (fd >= 0 || atomic_load(&worker.stopping))
            return fd;
        if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
            log_warning("no connection can be accepted: %s", strerror(error));
            clock_sleep_ms(50);
        } else if (error != EINTR && error != ECONNABORTED && error != EAGAIN) {
            log_error("accept: %s", strerror(error));
            clock_sleep_ms(50);
        }
    }
}

static void *run(void *arg);

/* Starts one more thread, with the lock held. */
static bool add_thread(void)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        (void)pthread_attr_setstacksize(&attributes, LIMIT_THREAD_STACK_BYTES); /* else the default size holds */
        struct thread *thread = &worker.threads[worker.thread_count];
        error = pthread_create(&thread->id, &attributes, run, thread);
        (void)pthread_attr_destroy(&attributes);
    }
    if (error == 0)
        worker.thread_count++;
    else
        log_error("only %d of %d threads could be started: %s", worker.thread_count, worker.max_threads, strerror(error));
    return error == 0;
}

/* A thread has got a connection. The last that waited starts another to wait in its place, so a process has no more threads than it once had requests at a time. */
static void begin_request(void)
{
    pthread_mutex_lock(&worker.lock);
    worker.open++;
    worker.serving++;
    if (worker.serving == worker.thread_count && worker.thread_count < worker.max_threads && !atomic_load(&worker.stopping))
        (void)add_thread(); /* it has logged why not; the next request tries again */
    pthread_mutex_unlock(&worker.lock);
}

bool worker_is_exhausted(void)
{
    pthread_mutex_lock(&worker.lock);
    bool exhausted = worker.threads != NULL && worker.serving >= worker.thread_count;
    pthread_mutex_unlock(&worker.lock);
    return exhausted;
}

static void end_serving(void)
{
    pthread_mutex_lock(&worker.lock);
    worker.serving--;
    pthread_mutex_unlock(&worker.lock);
}

/* Serves the request on a connection. */
static void serve_connection(int fd)
{
    CRASH_POINT("accepted");
    begin_request();
    struct request *request = request_open(fd);
    if (request == NULL) {
        worker_request_ended();
    } else {
        log_set_request(request_id(request));
        worker.serve(request); /* which ends or gives away the request */
        log_set_request(NULL);
    }
    end_serving();
}

static void *run(void *arg)
{
    struct thread *thread = arg;
    int fd;
    while ((fd = accept_next(thread)) >= 0)
        serve_connection(fd);
    return NULL;
}

void worker_request_ended(void)
{
    pthread_mutex_lock(&worker.lock);
    worker.open--;
    if (worker.open == 0)
        pthread_cond_broadcast(&worker.ended);
    pthread_mutex_unlock(&worker.lock);
}

static void wake(int signal)
{
    (void)signal; /* it only ends accept(2) */
}

/* Two descriptors a stream (client and provider), some for the database and the libraries. */
static void raise_descriptor_limit(int threads)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)threads * 2 + 128;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
        return;
    if (limit.rlim_max < need)
        log_warning("only %llu descriptors are allowed, %llu would be right for %d threads", (unsigned long long)limit.rlim_max,
                    (unsigned long long)need, threads);
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("the limit of descriptors cannot be raised: %s", strerror(errno));
}

bool worker_start(int listen_fd, int max_threads, void (*serve)(struct request *request))
{
    struct sigaction action = {.sa_handler = wake}; /* no SA_RESTART: accept must end */
    sigset_t set;
    worker.listen_fd = listen_fd;
    worker.serve = serve;
    worker.max_threads = max_threads;
    worker.threads = mem_new((size_t)max_threads, sizeof *worker.threads);
    raise_descriptor_limit(max_threads);
    if (worker.threads == NULL || FCGX_Init() != 0 || sigemptyset(&action.sa_mask) != 0 || sigaction(WAKE_SIGNAL, &action, NULL) != 0) {
        log_error("the worker cannot start");
        return false;
    }
    (void)sigemptyset(&set);
    (void)sigaddset(&set, WAKE_SIGNAL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* inherited by the threads */
    pthread_mutex_lock(&worker.lock);
    bool good = add_thread();
    pthread_mutex_unlock(&worker.lock);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    return good;
}

bool worker_serve_one(int fd, void (*serve)(struct request *request))
{
    worker.serve = serve;
    if (FCGX_Init() != 0) {
        log_error("the worker cannot start");
        return false;
    }
    serve_connection(fd);
    return true;
}

/* The path is given up first, and not when all answers have ended: by then it may be the next worker's. */
void worker_stop_accepting(void)
{
    if (worker.socket_path[0] != '\0')
        (void)unlink(worker.socket_path); /* gone already: fine */
    atomic_store(&worker.stopping, true);
    pthread_mutex_lock(&worker.lock);
    int count = worker.thread_count; /* no more are added from now on */
    pthread_mutex_unlock(&worker.lock);
    for (int i = 0; i < count; i++)
        while (atomic_load(&worker.threads[i].accepting)) { /* a signal between the check and accept(2) is lost: send it again */
            (void)pthread_kill(worker.threads[i].id, WAKE_SIGNAL);
            clock_sleep_ms(atomic_load(&worker.threads[i].accepting) ? 1 : 0);
        }
    (void)close(worker.listen_fd);
}

bool worker_wait_idle(int64_t ms)
{
    struct timespec until = clock_mono_after(ms);
    int error = 0;
    pthread_mutex_lock(&worker.lock);
    while (worker.open > 0 && error == 0)
        error = pthread_cond_clockwait(&worker.ended, &worker.lock, CLOCK_MONOTONIC, &until);
    bool idle = worker.open == 0;
    pthread_mutex_unlock(&worker.lock);
    return idle;
}

void worker_end(void)
{
    for (int i = 0; i < worker.thread_count; i++)
        (void)pthread_join(worker.threads[i].id, NULL);
    mem_free(worker.threads);
    worker.threads = NULL;
    worker.thread_count = 0;
}

int worker_open_requests(void)
{
    pthread_mutex_lock(&worker.lock);
    int open = worker.open;
    pthread_mutex_unlock(&worker.lock);
    return open;
}
