/*
 * What the files of src/http share about a request and others need not see. Never included from outside this folder.
 */
#ifndef PARLEY_REQUEST_INTERNAL_H
#define PARLEY_REQUEST_INTERNAL_H

#include <fcgiapp.h>

#include "../base/id.h"
#include "../base/limits.h"
#include "../base/loop.h"
#include "address.h"
#include "request.h"
#include "response.h"

/* How bytes leave: see output.c. */
struct output {
    int fd;                  /* the connection to the host server; -1: closed */
    int request_id;          /* of the FastCGI connection */
    unsigned char *start;    /* where content begins in libfcgi's buffer; the 8 bytes before it hold the record's header */
    void *stream_data;       /* libfcgi's own, given back before it frees the stream */
    struct buf waiting;      /* framed bytes that the socket did not take yet, … */
    size_t sent;             /* … of which so many have left */
    int64_t stalled_since_ms;
    bool half_closed;        /* the host server has passed on the client's FIN */
    bool broken;             /* a write failed: the connection to the host server is of no use any more */
    bool watched;            /* the loop knows the socket */
    struct watch watch;
    struct request_owner owner;
};

struct request {
    FCGX_Request fcgi;
    struct output output;
    char id[ID_BYTES];
    char address[ADDRESS_BYTES];
    char path[LIMIT_PATH_BYTES + 1]; /* its beginning, if path_is_bad */
    bool path_is_bad;                /* too long, or not UTF-8 */
    bool is_script; /* SCRIPT_NAME is the program's file */
    char *segments[LIMIT_PATH_SEGMENTS];
    size_t segment_count;
    int64_t user;
    const char *user_name;
    bool headers_sent;
    struct buf headers; /* extra response headers, complete lines */
    response_shape *failure_shape; /* NULL: the usual one */
    const char *cache_control; /* NULL: the answer is not to be kept */
    struct task task;   /* for handing the request to the loop */
    struct request *next, *previous; /* the list of lingering requests */
};

/* worker.c counts what is open, so that a stop can wait for it. */
void worker_request_ended(void);

/* Takes over an accepted connection and reads the request's parameters. NULL, with the connection closed, when it is no FastCGI request. */
struct request *request_open(int fd);

/* output.c */
void output_open(struct request *request);
bool output_watch(struct request *request);           /* loop only */
void output_linger(struct request *request);          /* any thread: the loop sends the rest, then closes and frees */
bool output_send_waiting(struct output *output);      /* false: broken */
void request_free(struct request *request);           /* closes the connection and frees everything */

#endif
