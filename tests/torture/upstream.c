/*
 * See upstream.h. Connections are kept; each answer leaves by one write, so that its pieces come together every time, as chunks of HTTP/1.1.
 */
#include "upstream.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES = 256 * 1024, ANSWER_BYTES = 16 * 1024, PAUSE_US = 450 * 1000 /* the keeper and the journal come by meanwhile */, PAUSE_AFTER = 1 };

static const char *const pieces[] = {
    "{\"role\":\"assistant\",\"reasoning_content\":\"" UPSTREAM_THOUGHT "\"}",
    "{\"content\":\"Die Antwort ist 42 \xE2\x80\x93 \xE4\xBD\xA0\"}",
    "{\"content\":\"\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C \xF0\x9F\x90\xA2,\"}",
    "{\"content\":\" wie gesagt.\"}",
};

static const char end[] = "data: {\"id\":\"1\",\"model\":\"tortured\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                          "data: {\"id\":\"1\",\"model\":\"tortured\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7}}\n\n"
                          "data: [DONE]\n\n";

struct answer {
    char bytes[ANSWER_BYTES];
    size_t len;
};

static void add(struct answer *answer, const char *text)
{
    size_t len = strlen(text);
    if (answer->len + len < sizeof answer->bytes) {
        memcpy(answer->bytes + answer->len, text, len);
        answer->len += len;
    }
}

static void add_chunk(struct answer *answer, const char *text)
{
    char size[32];
    (void)snprintf(size, sizeof size, "%zx\r\n", strlen(text));
    add(answer, size);
    add(answer, text);
    add(answer, "\r\n");
}

static bool flush(int fd, struct answer *answer)
{
    bool good = send(fd, answer->bytes, answer->len, MSG_NOSIGNAL) == (ssize_t)answer->len;
    answer->len = 0;
    return good;
}

static bool tell(int fd, bool slowly)
{
    struct answer answer = {.len = 0};
    bool good = true;
    add(&answer, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; good && i < sizeof pieces / sizeof pieces[0]; i++) {
        char event[1024];
        (void)snprintf(event, sizeof event, "data: {\"id\":\"1\",\"model\":\"tortured\",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":null}]}\n\n", pieces[i]);
        add_chunk(&answer, event);
        if (slowly && i == PAUSE_AFTER) {
            good = flush(fd, &answer);
            (void)usleep(PAUSE_US);
        }
    }
    add_chunk(&answer, end);
    add_chunk(&answer, "");
    return good && flush(fd, &answer);
}

/* The length of the whole request whose beginning is there; 0: not known yet. */
static size_t request_len(const char *bytes)
{
    const char *body = strstr(bytes, "\r\n\r\n");
    if (body == NULL)
        return 0;
    const char *length = strcasestr(bytes, "content-length:");
    return (size_t)(body + 4 - bytes) + (length != NULL && length < body ? strtoul(length + 15, NULL, 10) : 0);
}

static void *serve(void *arg)
{
    int fd = *(int *)arg;
    free(arg);
    char *bytes = malloc(REQUEST_BYTES);
    size_t len = 0;
    for (ssize_t n; bytes != NULL && len < REQUEST_BYTES - 1 && (n = recv(fd, bytes + len, REQUEST_BYTES - 1 - len, 0)) > 0;) {
        len += (size_t)n;
        bytes[len] = '\0';
        size_t whole = request_len(bytes);
        if (whole == 0 || len < whole)
            continue;
        if (!tell(fd, strstr(bytes, UPSTREAM_SLOWLY) != NULL))
            break;
        len = 0; /* nobody sends a second request before the answer to the first */
    }
    free(bytes);
    (void)close(fd);
    return NULL;
}

static void serve_all(int listening)
{
    for (;;) {
        int *fd = malloc(sizeof *fd);
        pthread_t thread;
        if (fd == NULL)
            continue;
        *fd = accept(listening, NULL, NULL);
        if (*fd < 0 || pthread_create(&thread, NULL, serve, fd) != 0)
            free(fd);
        else
            (void)pthread_detach(thread);
    }
}

pid_t upstream_start(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    *port = ntohs(address.sin_port);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            serve_all(fd);
        _exit(0);
    }
    (void)close(fd);
    return pid > 0 ? pid : 0;
}
