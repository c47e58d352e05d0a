/*
 * HTTP towards providers: every exchange of the process runs on the event loop, through one curl multi handle, so that connections and TLS sessions are
 * shared and a token is passed on without waking a thread.
 *
 * The only file with relay.c that knows curl. Redirects are not followed; proxies only from settings; http and https only. Leaves out: retries
 * (completion.c), what the bytes mean (wire_*.c).
 */
#ifndef PARLEY_RELAY_H
#define PARLEY_RELAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"
#include "../base/limits.h"

enum exchange_end {
    EXCHANGE_DONE,       /* the answer ended as HTTP says it should */
    EXCHANGE_NO_CONNECT, /* no connection: name, refusal, TLS, connect time-out */
    EXCHANGE_CUT,        /* the connection broke before or in the answer */
    EXCHANGE_SILENT,     /* first-event or idle time-out */
    EXCHANGE_TOO_LONG,   /* total time-out */
    EXCHANGE_REFUSED,    /* `bytes` returned false */
    EXCHANGE_CANCELLED,  /* `cancel` was set */
    EXCHANGE_NO_MEMORY
};

/* What is wrong with the certificate of a provider. Dates are judged by this machine's clock, which may be what is wrong. */
enum certificate_fault {
    CERTIFICATE_NO_FAULT, /* or not known */
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_YET_VALID,
    CERTIFICATE_OF_NOBODY, /* signed by itself, or by an authority that is not known here */
    CERTIFICATE_OF_ANOTHER /* for another name */
};

/* One request and its answer. Lives on the stack of the thread that calls relay_run(). */
struct exchange {
    /* what is asked */
    const char *url;
    const char *headers;  /* lines, each ended by "\n", the authorization among them */
    const char *body;     /* JSON; NULL: GET */
    size_t body_len;
    int64_t connect_ms, first_ms, idle_ms, total_ms;
    const atomic_bool *cancel; /* may be NULL */
    /* Called on the loop for each read. `status` is set by then. False ends the exchange. */
    bool (*bytes)(void *arg, const char *bytes, size_t len);
    void (*batch)(void *arg); /* called on the loop when all bytes that were there have been given to `bytes`; may be NULL */
    void *arg;
    bool begun;        /* set by `bytes` at the first event: from then on idle_ms counts, not first_ms */
    int64_t linger_ms; /* set by `bytes` when all that matters has come: so long after linger_from_ms (loop_now_ms()) the exchange ends well; 0: not yet */
    int64_t linger_from_ms;

    /* what came of it */
    enum exchange_end end;
    long status;             /* HTTP status, 0: none */
    enum certificate_fault certificate;
    int64_t retry_after_ms;  /* -1: not said */
    int should_retry;        /* header x-should-retry: 1, 0, or -1 when there is none */
    char error[256];         /* curl's own words, for the log */
};

/* Starts the relay on the event loop, which must run; once started it stays so. relay_run() does this itself: a worker calls it so that its first request need not
   wait, a plain CGI program leaves it to the requests that ask a provider (it takes some milliseconds). False after a log line. */
bool relay_start(void);

/* Ends it, if it was started; no exchange may be running. */
void relay_stop(void);

/* Appends base and path with exactly one slash between them; people configure a base with and without a slash at its end, or the whole address: a base that ends in the path
   (its query apart) is taken as it is. */
void relay_join_url(struct buf *url, const char *base, const char *path);

/* Runs an exchange and returns when it has ended. */
void relay_run(struct exchange *exchange);

#endif
