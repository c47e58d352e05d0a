/*
 * How an answer's bytes leave: our own output procedure behind libfcgi's streams, which never blocks.
 *
 * libfcgi lets a writer be replaced: FCGX_Stream.emptyBuffProc is called when its buffer is full or flushed. Ours frames one FastCGI record
 * (specification section 3.3), sends it with MSG_DONTWAIT and keeps what the socket does not take. So FCGX_FPrintF, FCGX_PutStr and
 * FCGX_FFlush stay the way to write, and no slow client holds a thread. What waits is sent by the event loop when the socket can take it.
 * Neighbours: request.c, sse.c, response.c (writers). Leaves out: how much may wait; writers of streams stop when anything waits.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "request_internal.h"

enum { HEADER = 8, STDOUT_RECORD = 6, END_REQUEST = 3 }; /* FastCGI specification, section 8 */

static void write_header(unsigned char *at, int type, int request_id, size_t content)
{
    at[0] = 1; /* version */
    at[1] = (unsigned char)type;
    at[2] = (unsigned char)(request_id >> 8);
    at[3] = (unsigned char)request_id;
    at[4] = (unsigned char)(content >> 8);
    at[5] = (unsigned char)content;
    at[6] = 0; /* padding is optional (section 3.3) */
    at[7] = 0;
}

/* Sends what the socket takes. The number of bytes, 0 when it takes none, -1 when it is broken. */
static ssize_t send_some(struct output *output, const void *bytes, size_t len)
{
    ssize_t n;
    do
        n = send(output->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n < 0)
        output->broken = true;
    return n;
}

static void put(struct output *output, const unsigned char *bytes, size_t len)
{
    if (output->broken)
        return;
    if (output->waiting.len == 0) {
        ssize_t n = send_some(output, bytes, len);
        if (n < 0 || (size_t)n == len)
            return;
        bytes += n;
        len -= (size_t)n;
        output->stalled_since_ms = clock_mono_ms();
    }
    buf_add(&output->waiting, bytes, len);
    if (buf_failed(&output->waiting)) {
        log_warning("an answer was given up: more than %d bytes wait for a client", LIMIT_RESPONSE_BYTES);
        output->broken = true;
    }
}

/* Replaces libfcgi's EmptyBuffProc: called on flush, on a full buffer and (do_close) at the end. */
static void empty_buffer(FCGX_Stream *stream, int do_close)
{
    struct request *request = stream->data;
    struct output *output = &request->output;
    size_t content = (size_t)(stream->wrNext - output->start);
    if (content > 0) {
        write_header(output->start - HEADER, STDOUT_RECORD, output->request_id, content);
        put(output, output->start - HEADER, HEADER + content);
        stream->wrNext = output->start;
    }
    if (do_close) {
        unsigned char end[HEADER + HEADER + HEADER] = {0}; /* empty STDOUT; END_REQUEST with status 0, complete */
        write_header(end, STDOUT_RECORD, output->request_id, 0);
        write_header(end + HEADER, END_REQUEST, output->request_id, HEADER);
        put(output, end, sizeof end);
    }
}

void output_open(struct request *request)
{
    FCGX_Stream *out = request->fcgi.out;
    request->output = (struct output){
        .fd = request->fcgi.ipcFd,
        .request_id = request->fcgi.requestId,
        .start = out->wrNext, /* libfcgi leaves room for a header before it */
        .stream_data = out->data,
    };
    buf_init(&request->output.waiting, LIMIT_RESPONSE_BYTES);
    out->data = request;
    out->emptyBuffProc = empty_buffer;
}

bool output_send_waiting(struct output *output)
{
    size_t before = output->sent;
    while (output->sent < output->waiting.len && !output->broken) {
        ssize_t n = send_some(output, output->waiting.data + output->sent, output->waiting.len - output->sent);
        if (n <= 0)
            break;
        output->sent += (size_t)n;
    }
    if (output->sent > before)
        output->stalled_since_ms = clock_mono_ms();
    if (output->sent == output->waiting.len) {
        buf_free(&output->waiting);
        output->sent = 0;
        output->stalled_since_ms = 0;
    } else if (output->sent > output->waiting.len / 2) { /* so that no more is moved than was sent */
        buf_drop(&output->waiting, output->sent);
        output->sent = 0;
    }
    return !output->broken;
}

/* What the loop must be told about: EPOLLOUT only while something waits, because a Unix socket reports it after each read of the peer. */
static uint32_t wanted_events(const struct output *output)
{
    uint32_t events = EPOLLRDHUP | EPOLLET; /* EPOLLHUP and EPOLLERR are always told */
    return output->waiting.len > 0 ? events | EPOLLOUT : events;
}

/* EPOLLHUP and EPOLLERR: the host server has closed. EPOLLRDHUP alone is no leaving: lighttpd passes on a client's FIN (tcp-fin-propagate), and a client may close
   its side once its question is sent and go on reading. One that has really left makes the next writes fail, so the owner had better write soon. */
static void socket_ready(struct watch *watch, uint32_t events)
{
    struct request *request = watch->arg;
    struct output *output = &request->output;
    bool had_waiting = output->waiting.len > 0;
    if ((events & EPOLLRDHUP) != 0)
        output->half_closed = true;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        output->broken = true;
    if (!output->broken && (events & EPOLLOUT) != 0)
        (void)output_send_waiting(output);
    if (output->broken) {
        output->owner.gone(output->owner.arg);
    } else if (had_waiting && output->waiting.len == 0) {
        (void)output_watch(request);
        output->owner.drained(output->owner.arg);
    }
}

bool output_watch(struct request *request)
{
    struct output *output = &request->output;
    uint32_t events = wanted_events(output);
    if (output->watched && output->watch.events == events)
        return true;
    output->watch.events = events;
    if (output->watched)
        return loop_rewatch(&output->watch);
    output->watch.fd = output->fd;
    output->watch.ready = socket_ready;
    output->watch.arg = request;
    output->watched = loop_watch(&output->watch);
    return output->watched;
}

/* A socket that is closed with unread bytes is reset, which may cost the host server the end of our answer. */
static void drop_unread(int fd)
{
    char scrap[1024];
    for (int i = 0; i < 64 && recv(fd, scrap, sizeof scrap, MSG_DONTWAIT) > 0; i++)
        continue;
}

void request_free(struct request *request)
{
    struct output *output = &request->output;
    if (output->watched)
        loop_unwatch(&output->watch);
    buf_free(&output->waiting);
    buf_free(&request->headers);
    for (size_t i = 0; i < request->segment_count; i++)
        mem_free(request->segments[i]);
    request->fcgi.out->data = output->stream_data;
    request->fcgi.ipcFd = -1; /* ours to close: libfcgi would wait up to 2 s for the host server to close first */
    FCGX_Free(&request->fcgi, 0);
    drop_unread(output->fd);
    (void)shutdown(output->fd, SHUT_WR);
    (void)close(output->fd);
    mem_free(request);
    worker_request_ended();
}

/* --- requests whose answer is complete but has not left yet ------------------------------------------------------- */

static struct request *lingering; /* the loop's own */

static void check_lingering(struct tick *tick, int64_t now_ms)
{
    (void)tick;
    for (struct request *request = lingering, *next; request != NULL; request = next) {
        next = request->next;
        if (now_ms - request->output.stalled_since_ms > settings.client_stall_ms)
            request->output.owner.gone(request);
    }
}

static struct tick linger_tick = {.run = check_lingering};

static void end_lingering(void *arg)
{
    struct request *request = arg;
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        lingering = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    if (lingering == NULL)
        loop_untick(&linger_tick);
    request_free(request);
}

static void begin_lingering(struct task *task)
{
    struct request *request = task->arg;
    struct output *output = &request->output;
    output->owner = (struct request_owner){.drained = end_lingering, .gone = end_lingering, .arg = request};
    if (!output_send_waiting(output) || output->waiting.len == 0 || !output_watch(request)) {
        request_free(request);
        return;
    }
    if (lingering == NULL)
        loop_tick(&linger_tick);
    request->previous = NULL;
    request->next = lingering;
    if (lingering != NULL)
        lingering->previous = request;
    lingering = request;
}

void output_linger(struct request *request)
{
    request->task = (struct task){.run = begin_lingering, .arg = request};
    if (loop_is_current())
        begin_lingering(&request->task);
    else
        loop_post(&request->task);
}
