/*
 * The relay of relay.h on curl_multi_socket_action (libcurl, "The multi_socket API").
 *
 * curl tells which sockets to watch and when to be called again; both go to the event loop. Time-outs that curl does not have (silence before the
 * first event, silence within the answer) are looked after by a tick of each exchange.
 */
#include "relay.h"

#include <curl/curl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/loop.h"
#include "../base/mem.h"
#include "../base/settings.h"

/* A running exchange, on the stack of relay_run(). */
struct run {
    struct exchange *exchange;
    CURL *easy;
    struct curl_slist *headers;
    struct buf line; /* a header */
    char error[CURL_ERROR_SIZE];
    struct tick tick;
    int64_t started_ms, last_byte_ms;
    struct task task;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_ended; /* under lock */
    bool whole;     /* the answer came to its end, as HTTP says it */
    bool unwatched; /* a socket of it could not be watched */
    curl_socket_t socket; /* that is watched for it, CURL_SOCKET_BAD: none */
    struct run *next, *previous; /* in relay.runs */
    bool fed;       /* `bytes` was called since the last `batch`: it is in the list relay.fed */
    struct run *next_fed;
};

enum { RECEIVE_BYTES = 4 * 1024, SEND_BYTES = 16 * 1024 /* curl's least */, MAX_CONNECTIONS_KEPT = 512 };

static struct {
    CURLM *multi;
    CURLSH *share; /* TLS sessions */
    struct timer timer;
    struct run *fed;
    struct run *runs; /* all that have begun and not ended */
    bool started;
} relay;

/* --- batches ------------------------------------------------------------------------------------------------------ */

/* curl hands over bytes piece by piece, one for each HTTP chunk; the clients are sent what all pieces of a read gave. */
static void note_fed(struct run *run)
{
    if (run->fed)
        return;
    run->fed = true;
    run->next_fed = relay.fed;
    relay.fed = run;
}

static void end_batches(void)
{
    while (relay.fed != NULL) {
        struct run *run = relay.fed;
        relay.fed = run->next_fed;
        run->fed = false;
        if (run->exchange->batch != NULL)
            run->exchange->batch(run->exchange->arg);
    }
}

/* --- ending an exchange ------------------------------------------------------------------------------------------- */

static void read_headers(struct run *run)
{
    struct exchange *exchange = run->exchange;
    struct curl_header *header;
    curl_off_t seconds = 0;
    exchange->retry_after_ms = -1;
    exchange->should_retry = -1;
    (void)curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &exchange->status); /* stays 0 without an answer */
    if (curl_easy_header(run->easy, "retry-after-ms", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        double ms = strtod(header->value, NULL);
        exchange->retry_after_ms = ms >= 0 && ms < 1e9 ? (int64_t)ms : -1;
    } else if (curl_easy_getinfo(run->easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0) {
        exchange->retry_after_ms = seconds < 1000000 ? (int64_t)seconds * 1000 : 1000000000; /* curl reads dates too */
    }
    if (curl_easy_header(run->easy, "x-should-retry", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        exchange->should_retry = strcmp(header->value, "true") == 0 ? 1 : strcmp(header->value, "false") == 0 ? 0 : -1;
}

/* Takes the transfer off its connection. One that is broken off has to end at the provider too, which else goes on making, and charging for, what nobody reads: its connection is
   closed. Over HTTP/2 that needs saying: curl 7.88 prepares RST_STREAM, and sends it when there is something else to do on the connection, if ever. */
static void let_go(struct run *run)
{
    if (!run->whole)
        (void)curl_easy_setopt(run->easy, CURLOPT_FORBID_REUSE, 1L); /* a flag: cannot fail */
    (void)curl_multi_remove_handle(relay.multi, run->easy);          /* fails only for a handle that is not in it */
}

static void list(struct run *run)
{
    run->next = relay.runs;
    if (relay.runs != NULL)
        relay.runs->previous = run;
    relay.runs = run;
}

static void unlist(struct run *run)
{
    if (run->previous != NULL)
        run->previous->next = run->next;
    else
        relay.runs = run->next;
    if (run->next != NULL)
        run->next->previous = run->previous;
}

static void finish(struct run *run, enum exchange_end end)
{
    end_batches(); /* nothing that came is held back, and the run leaves the list */
    run->exchange->end = end;
    if (run->easy != NULL) {
        read_headers(run);
        (void)snprintf(run->exchange->error, sizeof run->exchange->error, "%s", run->error);
        let_go(run);
        curl_easy_cleanup(run->easy);
        loop_untick(&run->tick);
        unlist(run);
    }
    curl_slist_free_all(run->headers);
    buf_free(&run->line);
    pthread_mutex_lock(&run->lock);
    run->has_ended = true;
    pthread_cond_signal(&run->ended);
    pthread_mutex_unlock(&run->lock);
}

/* Why a certificate was refused. curl keeps what OpenSSL found; the name it compares itself before it asks for that (lib/vtls/openssl.c of curl 7.88, servercert()). */
static enum certificate_fault certificate_fault(CURL *easy, CURLcode code)
{
    long found = -1;
    if (code != CURLE_PEER_FAILED_VERIFICATION || curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &found) != CURLE_OK)
        return CERTIFICATE_NO_FAULT;
    switch (found) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED:
        return CERTIFICATE_OF_ANOTHER;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return CERTIFICATE_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return CERTIFICATE_NOT_YET_VALID;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return CERTIFICATE_OF_NOBODY;
    default:
        return CERTIFICATE_NO_FAULT;
    }
}

static enum exchange_end end_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return EXCHANGE_DONE;
    case CURLE_OUT_OF_MEMORY:
        return EXCHANGE_NO_MEMORY;
    case CURLE_WRITE_ERROR:
        return EXCHANGE_REFUSED;
    case CURLE_OPERATION_TIMEDOUT: /* the only time-out that curl is given is the one for connecting */
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return EXCHANGE_NO_CONNECT;
    default:
        return EXCHANGE_CUT;
    }
}

/* The exchange of a handle; NULL: it is one of curl's own. */
static struct run *run_of(CURL *easy)
{
    struct run *run = NULL;
    return curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&run) == CURLE_OK ? run : NULL;
}

/* Ends what curl has finished. */
static void collect_ended(void)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(relay.multi, &left)) != NULL) {
        struct run *run = message->msg == CURLMSG_DONE ? run_of(message->easy_handle) : NULL;
        if (run != NULL) {
            run->whole = message->data.result == CURLE_OK;
            run->exchange->certificate = certificate_fault(run->easy, message->data.result);
            finish(run, end_of(message->data.result));
        }
    }
}

/* --- curl's callbacks --------------------------------------------------------------------------------------------- */

static size_t receive(char *bytes, size_t size, size_t count, void *arg)
{
    struct run *run = arg;
    struct exchange *exchange = run->exchange;
    run->last_byte_ms = loop_now_ms();
    if (exchange->status == 0)
        (void)curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &exchange->status); /* there is an answer: cannot fail */
    size_t len = size * count;
    note_fed(run);
    return exchange->bytes(exchange->arg, bytes, len) ? len : CURL_WRITEFUNC_ERROR;
}

/* What fails within an exchange is reported there. But when memory runs out while curl notes which sockets to watch, an exchange is left that waits for nothing, and curl 7.88 would
   divide by zero if it came back to it (lib/multi.c, singlesocket(): a hash that was destroyed stays in use). It cannot be told which one that is: all that no socket is watched for end. */
static void check_action(CURLMcode code)
{
    if (code == CURLM_OK)
        return;
    log_error("libcurl failed: %s", curl_multi_strerror(code));
    collect_ended();
    for (struct run *run = relay.runs, *next; run != NULL; run = next) {
        next = run->next;
        if (run->socket == CURL_SOCKET_BAD)
            finish(run, EXCHANGE_NO_MEMORY);
    }
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    int flags = 0, running;
    if ((events & (EPOLLIN | EPOLLHUP)) != 0)
        flags |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0)
        flags |= CURL_CSELECT_OUT;
    if ((events & EPOLLERR) != 0)
        flags |= CURL_CSELECT_ERR;
    check_action(curl_multi_socket_action(relay.multi, watch->fd, flags, &running));
    end_batches();
    collect_ended();
}

/* A socket that cannot be watched would be waited for in vain. -1 from the callback is no way out: it makes the multi handle refuse everything from then on
   (lib/multi.c of curl 7.88, multi->dead). So the run is noted, and ended by its next tick. */
static int give_up_socket(struct run *run)
{
    if (run != NULL)
        run->unwatched = true;
    log_error("a provider's socket cannot be watched");
    return 0;
}

/* CURLMOPT_SOCKETFUNCTION: curl wants `what` of a socket; the watch made for it is `socket_arg`. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    (void)arg;
    struct watch *watch = socket_arg;
    struct run *run = run_of(easy);
    if (what == CURL_POLL_REMOVE) {
        if (run != NULL && run->socket == fd)
            run->socket = CURL_SOCKET_BAD;
        if (watch != NULL)
            loop_unwatch(watch);
        mem_free(watch);
        return 0;
    }
    bool is_new = watch == NULL;
    if (is_new && (watch = mem_new(1, sizeof *watch)) == NULL)
        return give_up_socket(run);
    watch->fd = fd;
    watch->ready = socket_ready;
    watch->events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    if (!(is_new ? loop_watch(watch) : loop_rewatch(watch))) {
        if (is_new)
            mem_free(watch);
        return give_up_socket(run);
    }
    if (run != NULL)
        run->socket = fd;
    if (is_new)
        (void)curl_multi_assign(relay.multi, fd, watch); /* the socket is curl's: cannot fail */
    return 0;
}

static void timer_due(struct timer *timer)
{
    (void)timer;
    int running;
    check_action(curl_multi_socket_action(relay.multi, CURL_SOCKET_TIMEOUT, 0, &running));
    end_batches();
    collect_ended();
}

/* CURLMOPT_TIMERFUNCTION: call back in `ms` milliseconds, -1: not at all. */
static int set_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    (void)arg;
    loop_timer(&relay.timer, ms < 0 ? INT64_MAX : loop_now_ms() + ms);
    return 0;
}

/* --- one exchange ------------------------------------------------------------------------------------------------- */

static void look_after(struct tick *tick, int64_t now_ms)
{
    struct run *run = tick->arg;
    struct exchange *exchange = run->exchange;
    if (exchange->cancel != NULL && atomic_load(exchange->cancel))
        finish(run, EXCHANGE_CANCELLED);
    else if (run->unwatched)
        finish(run, EXCHANGE_NO_MEMORY);
    else if (exchange->linger_ms > 0 && now_ms - exchange->linger_from_ms >= exchange->linger_ms)
        finish(run, EXCHANGE_DONE);
    else if (now_ms - run->started_ms >= exchange->total_ms)
        finish(run, EXCHANGE_TOO_LONG);
    else if (exchange->begun ? now_ms - run->last_byte_ms >= exchange->idle_ms : now_ms - run->started_ms >= exchange->first_ms)
        finish(run, EXCHANGE_SILENT);
}

void relay_join_url(struct buf *url, const char *base, const char *path)
{
    size_t len = strlen(base), path_len = strcspn(path, "?");
    while (len > 0 && base[len - 1] == '/')
        len--;
    buf_add(url, base, len);
    if (len < path_len || strncmp(base + len - path_len, path, path_len) != 0)
        buf_add_text(url, path);
    else
        buf_add_text(url, path + path_len);
}

static bool add_header(struct run *run, const char *line)
{
    struct curl_slist *longer = curl_slist_append(run->headers, line);
    if (longer != NULL)
        run->headers = longer;
    return longer != NULL;
}

static bool add_lines(struct run *run, const char *lines)
{
    bool good = true;
    while (good && *lines != '\0') {
        size_t len = strcspn(lines, "\n");
        buf_clear(&run->line);
        buf_add(&run->line, lines, len);
        good = !buf_failed(&run->line) && add_header(run, run->line.data);
        lines += len + (lines[len] == '\n');
    }
    return good;
}

static bool set_options(struct run *run)
{
    const struct exchange *exchange = run->exchange;
    CURL *easy = run->easy;
    bool good = add_lines(run, exchange->headers);
    good = good && add_header(run, "Content-Type: application/json") && add_header(run, "Accept: text/event-stream, application/json") &&
           add_header(run, "Expect:"); /* 100-continue costs a second on bodies over 1 MB */
#define SET(option, value) (good = good && curl_easy_setopt(easy, option, value) == CURLE_OK)
    SET(CURLOPT_PRIVATE, run);
    SET(CURLOPT_URL, exchange->url);
    SET(CURLOPT_HTTPHEADER, run->headers);
    SET(CURLOPT_USERAGENT, "Parley/" PARLEY_VERSION);
    SET(CURLOPT_ERRORBUFFER, run->error);
    SET(CURLOPT_WRITEFUNCTION, receive);
    SET(CURLOPT_WRITEDATA, run);
    SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BYTES);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* else ending an exchange waits for its name lookup, and everything else with it */
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, settings.llm_proxy); /* "": none, whatever the environment says */
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)exchange->connect_ms);
    SET(CURLOPT_SHARE, relay.share);
    if (settings.llm_ca_file[0] != '\0')
        SET(CURLOPT_CAINFO, settings.llm_ca_file);
    if (exchange->body != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body_len);
        SET(CURLOPT_POSTFIELDS, exchange->body); /* borrowed until the end */
    }
#undef SET
    return good;
}

/* Runs on the loop. */
static void start(struct task *task)
{
    struct run *run = task->arg;
    run->started_ms = run->last_byte_ms = loop_now_ms();
    run->easy = curl_easy_init();
    if (run->easy == NULL) {
        finish(run, EXCHANGE_NO_MEMORY);
        return;
    }
    run->tick = (struct tick){.run = look_after, .arg = run};
    loop_tick(&run->tick);
    list(run);
    if (!set_options(run) || curl_multi_add_handle(relay.multi, run->easy) != CURLM_OK)
        finish(run, EXCHANGE_NO_MEMORY);
}

void relay_run(struct exchange *exchange)
{
    struct run run = {.exchange = exchange, .socket = CURL_SOCKET_BAD, .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    exchange->status = 0;
    exchange->certificate = CERTIFICATE_NO_FAULT;
    exchange->end = EXCHANGE_NO_MEMORY;
    if (!relay_start())
        return;
    buf_init(&run.line, LIMIT_HEADER_BYTES);
    run.task = (struct task){.run = start, .arg = &run};
    loop_post(&run.task);
    pthread_mutex_lock(&run.lock);
    while (!run.has_ended)
        pthread_cond_wait(&run.ended, &run.lock);
    pthread_mutex_unlock(&run.lock);
    pthread_cond_destroy(&run.ended);
    pthread_mutex_destroy(&run.lock);
}

/* --- the relay ---------------------------------------------------------------------------------------------------- */

static void end_curl(void)
{
    (void)curl_multi_cleanup(relay.multi); /* NULL is allowed */
    (void)curl_share_cleanup(relay.share);
    relay.multi = NULL;
    relay.share = NULL;
    curl_global_cleanup();
}

static bool start_curl(void)
{
    relay.timer = (struct timer){.run = timer_due, .due_ms = INT64_MAX};
    bool begun = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    relay.multi = begun ? curl_multi_init() : NULL;
    relay.share = begun ? curl_share_init() : NULL;
    bool good = relay.multi != NULL && relay.share != NULL &&
           curl_share_setopt(relay.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK && /* used on the loop only: no locks */
           curl_multi_setopt(relay.multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
           curl_multi_setopt(relay.multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
           curl_multi_setopt(relay.multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK && /* else let_go() would have to spare others' streams */
           curl_multi_setopt(relay.multi, CURLMOPT_MAXCONNECTS, (long)MAX_CONNECTIONS_KEPT) == CURLM_OK;
    if (!good)
        log_error("curl cannot be started");
    if (begun && !good)
        end_curl(); /* the next request tries again */
    return good;
}

bool relay_start(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    relay.started = relay.started || start_curl();
    bool started = relay.started;
    pthread_mutex_unlock(&lock);
    return started;
}

static void clean_up(void *unused)
{
    (void)unused;
    end_curl();
    loop_timer(&relay.timer, INT64_MAX);
}

void relay_stop(void)
{
    if (!relay.started)
        return;
    loop_call(clean_up, NULL); /* closing the connections takes their sockets off the loop */
    relay.started = false;
}
