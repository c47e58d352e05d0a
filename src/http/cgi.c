/*
 * The split and the forwarding parent of cgi.h. The parent is one loop around poll(2), without threads or libraries, so that it costs next to nothing.
 */
#include "cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/limits.h"
#include "../base/log.h"

/* FastCGI specification, section 8 */
enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, RESPONDER = 1, HEADER = 8, RECORD_BYTES = 0xFFF8 };

extern char **environ;

bool cgi_is_asked(void)
{
    const char *interface = getenv("GATEWAY_INTERFACE");
    return interface != NULL && strncmp(interface, "CGI/", 4) == 0;
}

/* --- the request as FastCGI records ------------------------------------------------------------------------------- */

static void add_record(struct buf *out, int type, const char *content, size_t len)
{
    const char header[HEADER] = {1, (char)type, 0, 1, (char)(len >> 8), (char)len, 0, 0}; /* version 1, request 1, no padding */
    buf_add(out, header, sizeof header);
    buf_add(out, content, len);
}

static void add_length(struct buf *out, size_t len)
{
    if (len >= 128) { /* section 3.4: four bytes, the first with its high bit set */
        buf_add_char(out, (char)(len >> 24 | 0x80));
        buf_add_char(out, (char)(len >> 16));
        buf_add_char(out, (char)(len >> 8));
    }
    buf_add_char(out, (char)len);
}

/* The environment as name-value pairs: that is what a FastCGI server would have sent. False: too large. */
static bool add_variables(struct buf *out)
{
    struct buf pairs;
    buf_init(&pairs, LIMIT_VARIABLES_BYTES);
    for (char **variable = environ; *variable != NULL; variable++) {
        size_t name = strcspn(*variable, "=");
        if ((*variable)[name] != '=')
            continue;
        const char *value = *variable + name + 1;
        add_length(&pairs, name);
        add_length(&pairs, strlen(value));
        buf_add(&pairs, *variable, name);
        buf_add_text(&pairs, value);
    }
    for (size_t at = 0; at < pairs.len; at += RECORD_BYTES)
        add_record(out, PARAMS, pairs.data + at, pairs.len - at < RECORD_BYTES ? pairs.len - at : RECORD_BYTES);
    add_record(out, PARAMS, "", 0);
    bool good = !buf_failed(&pairs) && !buf_failed(out);
    buf_free(&pairs);
    return good;
}

/* --- the answer back ---------------------------------------------------------------------------------------------- */

/* What the parent knows of its one request. */
struct forward {
    pid_t pid;           /* the child's */
    int child;           /* the connection to it; -1: it has closed it */
    int log;             /* the child's standard error; -1: ended, or not ours to forward */
    struct buf request;  /* records that the child has not taken yet … */
    size_t sent;         /* … but for so many bytes */
    int64_t body_left;   /* bytes of the body still to be read; INT64_MAX: until its end; 0: no more */
    unsigned char header[HEADER];
    size_t header_len;
    size_t content, padding; /* of the record being read, still to come */
    bool deaf;           /* the child takes no more of the request */
    bool answered;       /* something went out */
    bool ended;          /* the answer is complete */
    bool client_gone;
};

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (n < 0 && errno == EAGAIN) /* a host that makes its pipes so */
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Takes bytes that the child sent: what is in STDOUT records goes to the client. */
static void take_answer(struct forward *forward, const char *bytes, size_t len)
{
    while (len > 0 && !forward->ended && !forward->client_gone) {
        size_t part;
        if (forward->content > 0) {
            part = len < forward->content ? len : forward->content;
            if (forward->header[1] == STDOUT) {
                forward->client_gone = !write_all(STDOUT_FILENO, bytes, part);
                forward->answered = true;
            }
            forward->content -= part;
        } else if (forward->padding > 0) {
            part = len < forward->padding ? len : forward->padding;
            forward->padding -= part;
        } else {
            part = len < HEADER - forward->header_len ? len : HEADER - forward->header_len;
            memcpy(forward->header + forward->header_len, bytes, part);
            forward->header_len += part;
            if (forward->header_len == HEADER) {
                forward->content = (size_t)forward->header[4] << 8 | forward->header[5];
                forward->padding = forward->header[6];
                forward->header_len = 0;
                forward->ended = forward->header[1] == END_REQUEST;
            }
        }
        bytes += part;
        len -= part;
    }
}

static void send_request(struct forward *forward)
{
    ssize_t n = send(forward->child, forward->request.data + forward->sent, forward->request.len - forward->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) { /* it reads no more: what it has said already still counts */
        forward->sent = forward->request.len;
        forward->deaf = true;
    } else if (n > 0) {
        forward->sent += (size_t)n;
    }
    if (forward->sent == forward->request.len) {
        buf_free(&forward->request);
        forward->sent = 0;
    }
}

/* Reads a part of the body into the next record. An empty record is its end. */
static void read_body(struct forward *forward)
{
    char part[RECORD_BYTES];
    size_t want = forward->body_left < RECORD_BYTES ? (size_t)forward->body_left : RECORD_BYTES;
    ssize_t n = read(STDIN_FILENO, part, want);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0)
        add_record(&forward->request, STDIN, part, (size_t)n);
    if (forward->body_left != INT64_MAX)
        forward->body_left -= n > 0 ? n : 0;
    if (n <= 0)
        forward->body_left = 0;
    if (forward->body_left == 0)
        add_record(&forward->request, STDIN, "", 0);
}

static void read_answer(struct forward *forward)
{
    char part[32 * 1024];
    ssize_t n = read(forward->child, part, sizeof part);
    if (n > 0) {
        take_answer(forward, part, (size_t)n);
    } else if (n == 0 || errno != EINTR) {
        (void)close(forward->child);
        forward->child = -1;
    }
}

static void forward_log(struct forward *forward)
{
    char part[8 * 1024];
    ssize_t n = read(forward->log, part, sizeof part);
    if (n > 0) {
        log_write(part, (size_t)n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        (void)close(forward->log);
        forward->log = -1;
    }
}

/* Until the answer is complete, the child has ended, or the host server takes no more. */
static void forward_answer(struct forward *forward)
{
    while (forward->child >= 0 && !forward->ended && !forward->client_gone) {
        bool pending = forward->request.len > 0;
        struct pollfd fds[] = {
            {.fd = forward->child, .events = (short)(POLLIN | (pending ? POLLOUT : 0))},
            {.fd = !pending && !forward->deaf && forward->body_left > 0 ? STDIN_FILENO : -1, .events = POLLIN},
            {.fd = forward->log, .events = POLLIN},
            {.fd = STDOUT_FILENO}, /* POLLERR and POLLHUP are always told: the host server has closed */
        };
        if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0)
            continue; /* EINTR */
        if ((fds[0].revents & POLLOUT) != 0)
            send_request(forward);
        if (fds[1].revents != 0)
            read_body(forward);
        if (fds[2].revents != 0)
            forward_log(forward);
        if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            read_answer(forward);
        else if ((fds[3].revents & (POLLERR | POLLHUP)) != 0)
            forward->client_gone = true;
    }
}

/* A body that was not wanted is read away, because mod_cgid loses the answer of a program that leaves some unread. */
static void drain_body(struct forward *forward)
{
    char scrap[32 * 1024];
    for (int64_t drained = 0; forward->body_left > 0 && drained < LIMIT_BODY_DRAIN_BYTES;) {
        size_t want = forward->body_left < (int64_t)sizeof scrap ? (size_t)forward->body_left : sizeof scrap;
        ssize_t n = read(STDIN_FILENO, scrap, want);
        if (n <= 0)
            return;
        drained += n;
        if (forward->body_left != INT64_MAX)
            forward->body_left -= n;
    }
}

/* An answer of the parent's own, when the child can give none. These are the only ones there are. */
enum refusal { REFUSE_BUSY, REFUSE_TOO_LARGE, REFUSE_BROKEN };

static void refuse(enum refusal why)
{
    static const char *const answers[] = {
        [REFUSE_BUSY] = "Status: 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\n\r\n"
                        "{\"error\":{\"code\":\"overloaded\",\"message\":\"The server has no process left for this request. Please try again in a moment.\"}}\n",
        [REFUSE_TOO_LARGE] = "Status: 431 Request Header Fields Too Large\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\n\r\n"
                             "{\"error\":{\"code\":\"bad_request\",\"message\":\"The headers of the request are too large.\"}}\n",
        [REFUSE_BROKEN] = "Status: 500 Internal Server Error\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\n\r\n"
                          "{\"error\":{\"code\":\"internal\",\"message\":\"The program ended without an answer. The server's log says why.\"}}\n",
    };
    (void)write_all(STDOUT_FILENO, answers[why], strlen(answers[why])); /* the client may be gone */
}

/* Why the child closed the connection before its answer was complete; logged. It may go on with an answer that nobody is given any more: then it is not waited for. */
static enum refusal explain_end(const struct forward *forward)
{
    enum { WAIT_MS = 1000, STEP_MS = 10 };
    int status = 0;
    pid_t ended = 0;
    for (int waited = 0; waited < WAIT_MS && (ended = waitpid(forward->pid, &status, WNOHANG)) == 0; waited += STEP_MS)
        clock_sleep_ms(STEP_MS);
    if (ended == forward->pid && WIFSIGNALED(status))
        log_error("the process that made the answer was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (ended == forward->pid)
        log_error("the process that made the answer ended with status %d before it was complete", WEXITSTATUS(status));
    else
        log_error("the process that makes the answer has given up its client");
    return ended == forward->pid && WIFEXITED(status) && WEXITSTATUS(status) == CGI_EXIT_BUSY ? REFUSE_BUSY : REFUSE_BROKEN;
}

/* RFC 3875 section 4.1.2: no CONTENT_LENGTH means no body, and some hosts never end the standard input of such a request. But a chunked request has no length either; its body ends
   with standard input. */
static int64_t announced_body(void)
{
    const char *length = getenv("CONTENT_LENGTH"), *method = getenv("REQUEST_METHOD");
    if (length != NULL && *length != '\0') {
        long long bytes = strtoll(length, NULL, 10);
        return bytes > 0 ? bytes : 0;
    }
    bool may_have_one = getenv("HTTP_TRANSFER_ENCODING") != NULL ||
                        (method != NULL && (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0));
    return may_have_one ? INT64_MAX : 0;
}

static _Noreturn void run_parent(pid_t pid, int child, int log)
{
    struct forward forward = {.pid = pid, .child = child, .log = log, .body_left = announced_body()};
    buf_init(&forward.request, LIMIT_VARIABLES_BYTES * 2 + RECORD_BYTES);
    (void)signal(SIGPIPE, SIG_IGN); /* write(2) says EPIPE */
    const char begin[] = {0, RESPONDER, 0, 0, 0, 0, 0, 0};
    add_record(&forward.request, BEGIN_REQUEST, begin, sizeof begin);
    bool good = add_variables(&forward.request);
    if (good && forward.body_left == 0)
        add_record(&forward.request, STDIN, "", 0);
    if (good)
        forward_answer(&forward);
    else
        log_error("the request was refused: its variables have more than %d bytes", LIMIT_VARIABLES_BYTES);
    enum refusal why = good ? REFUSE_BROKEN : REFUSE_TOO_LARGE;
    if (good && !forward.ended && !forward.client_gone)
        why = explain_end(&forward);
    if (forward.child >= 0)
        (void)close(forward.child); /* the child sees that its client is gone, if it still writes */
    if (!forward.client_gone) {
        drain_body(&forward);
        if (!forward.answered)
            refuse(why);
    }
    if (forward.log >= 0 && fcntl(forward.log, F_SETFL, O_NONBLOCK) == 0)
        forward_log(&forward); /* what was said about this request is there by now */
    _exit(0);
}

/* --- the split ---------------------------------------------------------------------------------------------------- */

/* A log that is a file stays the child's own, so that nothing is lost when the parent has gone. A pipe may be one that the host server reads to its end
   before it calls the request done: the child must not hold it. */
static bool is_file(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static void become_child(int log)
{
    (void)setsid(); /* whatever is sent to the parent's group is not for us */
    int null = open("/dev/null", O_RDWR);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    if (log >= 0)
        (void)dup2(log, STDERR_FILENO);
    if (null > STDERR_FILENO)
        (void)close(null);
    if (log > STDERR_FILENO)
        (void)close(log);
}

/* A host may have closed one of the three: nothing else must get its number. */
static void hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) /* the lowest free number is this one */
            _exit(CGI_EXIT_BUSY);
}

int cgi_split(void)
{
    hold_standard_descriptors();
    int connection[2] = {-1, -1}, log[2] = {-1, -1};
    bool own_log = is_file(STDERR_FILENO);
    (void)close_range(STDERR_FILENO + 1, ~0U, 0); /* what the host server forgot to close would be held open by an answer that outlives it */
    pid_t pid = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, connection) == 0 && (own_log || pipe2(log, O_CLOEXEC) == 0))
        pid = fork();
    if (pid == 0) {
        (void)close(connection[0]);
        if (log[0] >= 0)
            (void)close(log[0]);
        become_child(log[1]);
        return connection[1];
    }
    if (pid < 0) {
        refuse(REFUSE_BUSY);
        _exit(0);
    }
    (void)close(connection[1]);
    if (log[1] >= 0)
        (void)close(log[1]);
    run_parent(pid, connection[0], log[0]);
}
