/*
 * The loop of loop.h: epoll, an eventfd that wakes it, a list of tasks under a mutex, and short lists of ticks and timers.
 */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"
#include "log.h"

static struct {
    pthread_t thread;
    int epoll, wake;
    pthread_mutex_t lock;      /* guards the next three */
    struct task *first, *last; /* posted, not yet run */
    bool stopping;
    /* the loop's own */
    int64_t now_ms, tick_due_ms;
    struct tick *ticks, *tick_next; /* tick_next: the one to run after the current, kept right by loop_untick() */
    struct timer *timers;
    unsigned round; /* of run_timers() */
    struct epoll_event ready[LIMIT_LOOP_EVENTS];
    int ready_count, ready_at;
} loop = {.lock = PTHREAD_MUTEX_INITIALIZER, .epoll = -1, .wake = -1};

static _Thread_local bool is_loop_thread;

bool loop_is_current(void)
{
    return is_loop_thread;
}

int64_t loop_now_ms(void)
{
    return loop.now_ms;
}

static void wake_up(void)
{
    uint64_t one = 1;
    if (write(loop.wake, &one, sizeof one) < 0 && errno != EAGAIN) /* EAGAIN: the counter is full, it wakes anyway */
        log_error("the event loop cannot be woken: %s", strerror(errno));
}

void loop_post(struct task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&loop.lock);
    bool was_empty = loop.first == NULL;
    if (was_empty)
        loop.first = task;
    else
        loop.last->next = task;
    loop.last = task;
    pthread_mutex_unlock(&loop.lock);
    if (was_empty)
        wake_up();
}

struct call {
    struct task task;
    void (*call)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t done_now;
    bool done;
};

static void run_call(struct task *task)
{
    struct call *call = task->arg;
    call->call(call->arg);
    pthread_mutex_lock(&call->lock);
    call->done = true;
    pthread_cond_signal(&call->done_now);
    pthread_mutex_unlock(&call->lock);
}

void loop_call(void (*function)(void *arg), void *arg)
{
    if (is_loop_thread) {
        function(arg);
        return;
    }
    struct call call = {.task.run = run_call, .call = function, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER,
                        .done_now = PTHREAD_COND_INITIALIZER};
    call.task.arg = &call;
    loop_post(&call.task);
    pthread_mutex_lock(&call.lock);
    while (!call.done)
        pthread_cond_wait(&call.done_now, &call.lock);
    pthread_mutex_unlock(&call.lock);
    pthread_cond_destroy(&call.done_now);
    pthread_mutex_destroy(&call.lock);
}

bool loop_watch(struct watch *watch)
{
    struct epoll_event event = {.events = watch->events, .data.ptr = watch};
    return epoll_ctl(loop.epoll, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

bool loop_rewatch(struct watch *watch)
{
    struct epoll_event event = {.events = watch->events, .data.ptr = watch};
    return epoll_ctl(loop.epoll, EPOLL_CTL_MOD, watch->fd, &event) == 0;
}

void loop_unwatch(struct watch *watch)
{
    (void)epoll_ctl(loop.epoll, EPOLL_CTL_DEL, watch->fd, NULL); /* fails only when it was not watched */
    for (int i = loop.ready_at; i < loop.ready_count; i++)       /* events of this round that were not delivered yet */
        if (loop.ready[i].data.ptr == watch)
            loop.ready[i].data.ptr = NULL;
}

void loop_tick(struct tick *tick)
{
    if (loop.ticks == NULL)
        loop.tick_due_ms = loop.now_ms + LOOP_TICK_MS;
    tick->previous = NULL;
    tick->next = loop.ticks;
    if (loop.ticks != NULL)
        loop.ticks->previous = tick;
    loop.ticks = tick;
}

void loop_untick(struct tick *tick)
{
    if (loop.tick_next == tick)
        loop.tick_next = tick->next;
    if (tick->previous != NULL)
        tick->previous->next = tick->next;
    else
        loop.ticks = tick->next;
    if (tick->next != NULL)
        tick->next->previous = tick->previous;
}

void loop_timer(struct timer *timer, int64_t due_ms)
{
    struct timer **at = &loop.timers;
    while (*at != NULL && *at != timer)
        at = &(*at)->next;
    if (*at == timer)
        *at = timer->next;
    timer->due_ms = due_ms;
    if (due_ms == INT64_MAX)
        return;
    timer->set_in = loop.round;
    timer->next = loop.timers;
    loop.timers = timer;
}

/* Milliseconds until something is due, -1: nothing is. */
static int wait_ms(void)
{
    int64_t due = loop.ticks != NULL ? loop.tick_due_ms : INT64_MAX;
    for (const struct timer *timer = loop.timers; timer != NULL; timer = timer->next)
        if (timer->due_ms < due)
            due = timer->due_ms;
    if (due == INT64_MAX)
        return -1;
    int64_t left = due - loop.now_ms;
    return left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

/* Those that are set meanwhile wait for the next round, however soon they are due: curl wants to be called back at once as long as there is more to read, and nothing else would
   get its turn. */
static void run_timers(void)
{
    loop.round++;
    for (struct timer *timer = loop.timers; timer != NULL;) {
        struct timer *next = timer->next;
        if (timer->due_ms <= loop.now_ms && timer->set_in != loop.round) {
            loop_timer(timer, INT64_MAX);
            timer->run(timer);
            next = loop.timers; /* the list may have changed: look again from the start */
        }
        timer = next;
    }
}

static void run_ticks(void)
{
    if (loop.ticks == NULL || loop.now_ms < loop.tick_due_ms)
        return;
    loop.tick_due_ms = loop.now_ms + LOOP_TICK_MS;
    for (struct tick *tick = loop.ticks; tick != NULL; tick = loop.tick_next) {
        loop.tick_next = tick->next;
        tick->run(tick, loop.now_ms);
    }
}

/* Runs what was posted. False when the loop is to end and nothing is left. */
static bool run_tasks(void)
{
    pthread_mutex_lock(&loop.lock);
    struct task *task = loop.first;
    bool stopping = loop.stopping;
    bool any = task != NULL;
    loop.first = loop.last = NULL;
    pthread_mutex_unlock(&loop.lock);
    while (task != NULL) {
        struct task *next = task->next; /* read first: run() may free the task */
        task->run(task);
        task = next;
    }
    if (stopping && any)
        wake_up(); /* its wake-up was taken together with that of the tasks: look once more */
    return !stopping || any;
}

static void *run(void *unused)
{
    (void)unused;
    is_loop_thread = true;
    loop.now_ms = clock_mono_ms();
    while (run_tasks()) {
        loop.ready_at = 0;
        loop.ready_count = 0;
        int count = epoll_wait(loop.epoll, loop.ready, LIMIT_LOOP_EVENTS, wait_ms());
        loop.now_ms = clock_mono_ms();
        loop.ready_count = count > 0 ? count : 0; /* EINTR counts as nothing */
        while (loop.ready_at < loop.ready_count) {
            struct epoll_event *event = &loop.ready[loop.ready_at++];
            struct watch *watch = event->data.ptr;
            if (watch != NULL)
                watch->ready(watch, event->events);
        }
        run_timers();
        run_ticks();
    }
    return NULL;
}

static void wake_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    uint64_t count;
    if (read(watch->fd, &count, sizeof count) < 0 && errno != EAGAIN)
        log_error("the event loop's wake-up cannot be read: %s", strerror(errno));
}

bool loop_start(void)
{
    static struct watch wake_watch = {.events = EPOLLIN, .ready = wake_ready};
    loop.stopping = false;
    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    loop.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    wake_watch.fd = loop.wake;
    if (loop.epoll < 0 || loop.wake < 0 || !loop_watch(&wake_watch)) {
        log_error("the event loop cannot start: %s", strerror(errno));
        return false;
    }
    int error = pthread_create(&loop.thread, NULL, run, NULL);
    if (error != 0)
        log_error("the event loop's thread cannot start: %s", strerror(error));
    return error == 0;
}

void loop_stop(void)
{
    pthread_mutex_lock(&loop.lock);
    loop.stopping = true;
    pthread_mutex_unlock(&loop.lock);
    wake_up();
    pthread_join(loop.thread, NULL);
    (void)close(loop.epoll);
    (void)close(loop.wake);
    loop.epoll = loop.wake = -1;
}
