/*
 * The event loop: one thread that waits for sockets (epoll), runs posted tasks and ticks.
 *
 * Everything that must react at once lives on it: provider traffic (src/llm/relay.c) and the clients of running answers
 * (src/http/output.c, src/chat/stream.c). So a token goes from the provider's socket to the client's without waking another thread, and what
 * belongs to the loop needs no lock: other threads hand work over by loop_post() or loop_call(). Nothing on the loop may block: no disk, no
 * lock that is held over a system call. Leaves out: what the sockets carry.
 */
#ifndef PARLEY_LOOP_H
#define PARLEY_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* A socket being watched. Owned by the caller, who keeps it until loop_unwatch(). `ready` runs on the loop with the EPOLL… bits. */
struct watch {
    int fd;
    uint32_t events;
    void (*ready)(struct watch *watch, uint32_t events);
    void *arg;
};

/* Work for the loop. Owned by the caller until `run` is called; `run` may free it. */
struct task {
    void (*run)(struct task *task);
    void *arg;
    struct task *next;
};

/* Called every LOOP_TICK_MS while registered: for all time-outs that need no more than that precision. */
struct tick {
    void (*run)(struct tick *tick, int64_t now_ms);
    void *arg;
    struct tick *next, *previous;
};

/* A moment at which to call `run` once. */
struct timer {
    void (*run)(struct timer *timer);
    void *arg;
    int64_t due_ms; /* on the monotonic clock; INT64_MAX: not set */
    unsigned set_in; /* the loop's: the round in which it was set */
    struct timer *next;
};

enum { LOOP_TICK_MS = 50 };

/* Starts the loop's thread. False, after a log line, when the system gives no thread or descriptor. */
bool loop_start(void);

/* Ends the thread after the tasks already posted have run, and waits for it. */
void loop_stop(void);

/* Any thread: runs `task` on the loop soon. Tasks run in the order posted. */
void loop_post(struct task *task);

/* Any thread: runs `call(arg)` on the loop and returns when it has. On the loop's own thread it is a plain call. */
void loop_call(void (*call)(void *arg), void *arg);

/* The rest only on the loop's thread. */

/* Watches watch->fd for watch->events; false when the kernel refuses. loop_rewatch() after `events` changed. */
bool loop_watch(struct watch *watch);
bool loop_rewatch(struct watch *watch);
void loop_unwatch(struct watch *watch);

void loop_tick(struct tick *tick);
void loop_untick(struct tick *tick);

/* Sets `timer` to run at due_ms, but not before the next round of the loop, replacing an earlier setting; INT64_MAX takes it out. */
void loop_timer(struct timer *timer, int64_t due_ms);

/* The time at which this round of the loop began (monotonic): saves a clock read per token. */
int64_t loop_now_ms(void);

bool loop_is_current(void);

#endif
