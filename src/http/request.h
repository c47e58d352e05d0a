/*
 * One request and its answer, as the rest of the program sees them.
 *
 * A request is owned by the worker thread that accepted it, from accept to request_finish(). A handler may hand it to the event loop and
 * return OUTCOME_DETACHED: from then on only the loop touches it, and the loop finishes it. So exactly one thread writes to a client at any time and
 * nothing here needs a lock. Neighbours: worker.c (makes them), response.h and sse.h (write to them), output.c (how bytes leave).
 * Leaves out: what a path means (router.h).
 */
#ifndef PARLEY_REQUEST_H
#define PARLEY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"
#include "../base/outcome.h"

struct request;

/* What the client asked for. The texts belong to the request. */
const char *request_method(const struct request *request);
const char *request_path(const struct request *request); /* decoded, starts with a slash; "" when it cannot be used */
const char *request_path_beginning(const struct request *request); /* of a path that cannot be used, because it is too long or not UTF-8, what can be; of others the whole */
bool request_use_path_info(struct request *request);       /* takes PATH_INFO alone for the path; false: it was that already, or there is none */
const char *request_id(const struct request *request);   /* for the log */
const char *request_address(const struct request *request); /* of the client, as it is counted (address.h); "": it is not */

/* Whether the address names the program itself, as in /cgi-bin/chat.cgi/conversations. */
bool request_is_script(const struct request *request);

/* What stands before request_path() in the address that the client used, such as "/parley" or "/~user/chat": for addresses and cookie paths of our own. Its
   length (0: nothing) and, in *prefix, its start, which belongs to the request. */
size_t request_prefix(const struct request *request, const char **prefix);

/* A CGI/1.1 variable (RFC 3875 section 4.1), such as "REMOTE_USER". "" when the server did not set it. */
const char *request_variable(const struct request *request, const char *name);

/* Whether any variable of that name is set to more than nothing and holds `part`. A header sent twice, as X-Name and X_Name, arrives from some servers as two variables
   of one name (lighttpd before 1.4.83), and request_variable() sees the first: checks that a client must not get around use this. */
bool request_any_variable(const struct request *request, const char *name, const char *part);

/* Bytes of all headers, as variables ("HTTP_NAME=value"). They stay in memory for as long as the request does. */
size_t request_headers_len(const struct request *request);

/* How many variables of that name are set to more than nothing. */
size_t request_count_variables(const struct request *request, const char *name);

/* The percent-decoded value of `name` in the query string; *value stays NULL when the name is absent, else it is the caller's, to be freed
   with mem_free(). OUTCOME_BAD_REQUEST when it is not well-formed UTF-8 or too long. */
enum outcome request_query(const struct request *request, const char *name, char **value, struct failure *failure);

/* The path's part number `index` that a route left open with {}; "" when there is none. Set by the router. */
const char *request_segment(const struct request *request, size_t index);
void request_set_segments(struct request *request, char *segments[], size_t count); /* takes the texts */

/* Reads the whole body, at most `max` bytes, into `body` (initialised by the caller). More than that is read away, up to LIMIT_BODY_DRAIN_BYTES, before
   OUTCOME_TOO_LARGE is returned. OUTCOME_BAD_REQUEST when it is shorter than announced. A second call reads nothing. */
enum outcome request_read_body(struct request *request, size_t max, struct buf *body, struct failure *failure);

/* Reads away a body that nobody has read. response_json() and its kind do so before they answer, because host servers drop an answer that comes before they have
   sent everything: mod_proxy_fcgi wants to send at least an empty FCGI_STDIN record (503 "error dispatching request"), mod_cgid resets the connection. It may block: a
   handler calls it before it gives a request to the loop. */
void request_drop_body(struct request *request);

/* Who asks: row id of the user, set by src/auth before the handler runs. */
void request_set_user(struct request *request, int64_t user, const char *name);
int64_t request_user(const struct request *request);
const char *request_user_name(const struct request *request); /* "" is the local user */

/* Whether the client or the host server is known to have gone. */
bool request_is_gone(const struct request *request);

/* Whether the client has closed its side: it may be gone, or it may only have nothing more to say. Writing to it tells. */
bool request_is_doubtful(const struct request *request);

/* Bytes of the answer that wait for the client to take them. */
size_t request_waiting(const struct request *request);

/* Since when (monotonic milliseconds) the client has taken nothing although bytes wait; 0: nothing waits. */
int64_t request_stalled_since(const struct request *request);

/* The events of a detached request, called on the loop. */
struct request_owner {
    void (*drained)(void *arg); /* all waiting bytes have left */
    void (*gone)(void *arg);    /* the client is gone; nothing that is written from now on arrives */
    void *arg;
};

/* Loop only: watches the client of a request that was handed over. False when it cannot be watched (the caller then treats it as gone). */
bool request_attach(struct request *request, struct request_owner owner);

/* Ends the answer and frees the request. Bytes that still wait are sent by the loop, for as long as the client takes them. */
void request_finish(struct request *request);

#endif
