/*
 * The worker: threads that accept FastCGI requests and serve them one after the other.
 *
 * Neighbours: request.h, cgi.h (how the request of a plain CGI program gets here). Leaves out: what serving means (a function given by the caller), signals
 * (src/parley.c).
 */
#ifndef PARLEY_WORKER_H
#define PARLEY_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

/* Opens the socket for --listen: "unix:/path" or "127.0.0.1:port" (also "[::1]:port"). A stale socket file is replaced, a live one is not. The
   descriptor, or -1 after a log line. */
int worker_listen(const char *address);

/* Whether standard input is a listening socket, as a host server hands it to a FastCGI program (specification section 2.2). */
bool worker_is_spawned(void);

/* Starts to accept on `listen_fd` and to call `serve` with each request, which finishes it or hands it to the event loop. Threads are added as requests
   come, up to `max_threads`. False, after a log line, when not even one can be started. */
bool worker_start(int listen_fd, int max_threads, void (*serve)(struct request *request));

/* Serves the one request of a connection on the calling thread (cgi.h). Instead of worker_start(); afterwards worker_wait_idle() waits until it has been answered.
   False after a log line. */
bool worker_serve_one(int fd, void (*serve)(struct request *request));

/* Stops accepting and waits until no thread is in accept any more. Requests in hand go on. */
void worker_stop_accepting(void);

/* Waits until no request is open, at most `ms` milliseconds. Whether that was reached. */
bool worker_wait_idle(int64_t ms);

/* Waits for the threads to end and frees what they used: after worker_stop_accepting() and when idle. */
void worker_end(void);

/* Whether every thread there is has a request: because there are no more, or because the system gives none. Whoever asks is one of them and had better not keep it for long,
   as nobody else accepts. */
bool worker_is_exhausted(void);

/* How many requests are open. */
int worker_open_requests(void);

#endif
