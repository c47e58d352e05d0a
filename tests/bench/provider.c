/*
 * A provider for measuring: an OpenAI-compatible streaming server on loopback, one epoll thread, keep-alive.
 *
 * What it answers is told by the model's name, "t<tokens>-r<tokens per second>": the first token at once, the others at that rate, each in a write of its own;
 * rate 0 is as fast as the socket takes them, many in a write. Each token carries its number and the time of its birth (bench.h). At the end: finish_reason,
 * usage, [DONE]. Prints "port N" when it serves. With an argument, tokens leave only every so many microseconds: many streams at once, as a model that
 * computes them in batches sends them; without, each in its own time. Leaves out: errors and malice, which tests/provider has.
 */
#include "bench.h"

#include <sys/epoll.h>

enum { READ_BYTES = 16384, FLAT_BYTES = 32768, CHUNK_BYTES = 512 };

struct client {
    int fd;
    struct bytes in, out;
    bool answering, wants_out;
    int64_t tokens, next, interval_us, due_us;
    size_t index; /* in `answering` */
};

static int epoll_fd;
static struct client **answering;
static size_t answering_count, answering_room;
static int64_t step_us;

static const char chunk_head[] = "data: {\"id\":\"chatcmpl-BenchBenchBenchBenchBenchBench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
                                 "\"model\":\"bench\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{\"index\":0,\"delta\":{";
static const char chunk_tail[] = "},\"logprobs\":null,\"finish_reason\":null}]}\n\n";

static void watch(struct client *client, bool wants_out)
{
    struct epoll_event event = {.events = wants_out ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = client};
    if (client->wants_out != wants_out)
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
    client->wants_out = wants_out;
}

static void stop_answering(struct client *client)
{
    if (!client->answering)
        return;
    client->answering = false;
    answering[client->index] = answering[--answering_count];
    answering[client->index]->index = client->index;
}

static void hang_up(struct client *client)
{
    stop_answering(client);
    (void)close(client->fd);
    client->fd = -1; /* freed by the caller of the loop */
}

/* Sends what waits. False: the client has gone. */
static bool flush(struct client *client)
{
    if (client->out.len > 0) {
        ssize_t n = send(client->fd, client->out.data, client->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            return false;
        bytes_drop(&client->out, n > 0 ? (size_t)n : 0);
    }
    watch(client, client->out.len > 0 || (client->answering && client->interval_us == 0));
    return true;
}

/* One chunk of HTTP's chunked coding, with the events written by `text`. */
static void add_chunk(struct client *client, const char *text, size_t len)
{
    char *at = bytes_room(&client->out, len + 16);
    for (int shift = 8; shift >= 0; shift -= 4) /* three hexadecimal digits: a chunk is one token or a few lines */
        *at++ = "0123456789abcdef"[len >> shift & 15];
    at = memcpy(at, "\r\n", 2);
    at += 2;
    memcpy(at, text, len);
    at += len;
    memcpy(at, "\r\n", 2);
    client->out.len = (size_t)(at + 2 - client->out.data);
}

static char *put_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

static char *put_token(char *at, int64_t number, int64_t us)
{
    static const char field[] = "\"content\":\"";
    at = put_text(at, chunk_head, sizeof chunk_head - 1);
    at = put_text(at, field, sizeof field - 1);
    at = put_number(at, number);
    *at++ = '.';
    at = put_number(at, us % STAMP_WRAP_US);
    at = put_text(at, " \"", 2);
    return put_text(at, chunk_tail, sizeof chunk_tail - 1);
}

static void add_end(struct client *client)
{
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,"
                     "\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"
                     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[],"
                     "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":%lld,\"total_tokens\":%lld}}\n\n"
                     "data: [DONE]\n\n",
                     (long long)client->tokens, (long long)client->tokens + 10);
    add_chunk(client, text, (size_t)n);
    bytes_add(&client->out, "0\r\n\r\n", 5);
    stop_answering(client);
}

/* As many tokens as are due, each in a write of its own. False: the client has gone. */
static bool send_due(struct client *client, int64_t us)
{
    char text[CHUNK_BYTES];
    while (client->answering && client->due_us <= us) {
        char *end = put_token(text, client->next++, now_us());
        add_chunk(client, text, (size_t)(end - text));
        client->due_us += client->interval_us;
        if (client->next == client->tokens)
            add_end(client);
        if (!flush(client))
            return false;
    }
    return true;
}

/* A buffer full of tokens, each a chunk of its own, as servers send them. */
static bool send_flat(struct client *client)
{
    char text[CHUNK_BYTES];
    int64_t us = now_us();
    if (client->out.len == 0) {
        while (client->next < client->tokens && client->out.len < FLAT_BYTES) {
            char *end = put_token(text, client->next++, us);
            add_chunk(client, text, (size_t)(end - text));
        }
        if (client->next == client->tokens)
            add_end(client);
    }
    return flush(client);
}

static bool begin_answer(struct client *client, const char *body)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
    long long tokens = 1, rate = 0;
    const char *model = strstr(body, "\"model\"");
    const char *value = model != NULL ? strchr(model + 7, '"') : NULL;
    if (value == NULL || sscanf(value, "\"t%lld-r%lld", &tokens, &rate) != 2 || tokens < 1)
        return false;
    char role[CHUNK_BYTES];
    int n = snprintf(role, sizeof role, "%s\"role\":\"assistant\",\"content\":\"\"%s", chunk_head, chunk_tail);
    client->tokens = tokens;
    client->next = 0;
    client->interval_us = rate > 0 ? 1000000 / rate : 0;
    client->due_us = now_us();
    client->answering = true;
    if (answering_count == answering_room)
        answering = grow(answering, (answering_room = answering_room * 2 + 64) * sizeof *answering);
    client->index = answering_count;
    answering[answering_count++] = client;
    bytes_add(&client->out, head, sizeof head - 1);
    if (client->interval_us == 0) { /* one write with the first tokens */
        add_chunk(client, role, (size_t)n);
        struct bytes kept = client->out;
        client->out = (struct bytes){0};
        char text[CHUNK_BYTES], *end = put_token(text, client->next++, now_us());
        add_chunk(client, text, (size_t)(end - text));
        if (client->next == client->tokens)
            add_end(client);
        bytes_add(&kept, client->out.data, client->out.len);
        bytes_free(&client->out);
        client->out = kept;
        return flush(client);
    }
    add_chunk(client, role, (size_t)n);
    return send_due(client, client->due_us);
}

/* Takes a whole request off the input, if it is there. False: hang up. */
static bool take_request(struct client *client)
{
    *bytes_room(&client->in, 1) = '\0';
    char *end = strstr(client->in.data, "\r\n\r\n");
    if (end == NULL || client->answering)
        return true;
    char *length = strcasestr(client->in.data, "\r\ncontent-length:");
    size_t need = (size_t)(end + 4 - client->in.data) + (length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
    if (client->in.len < need)
        return true;
    static const char models[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"object\":\"list\",\"data\":[]}\n";
    bool good = true;
    if (strncmp(client->in.data, "GET ", 4) == 0) {
        bytes_add(&client->out, models, sizeof models - 2);
        good = flush(client);
    } else {
        good = begin_answer(client, end + 4);
    }
    bytes_drop(&client->in, need);
    return good;
}

static bool serve(struct client *client, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        ssize_t n = recv(client->fd, bytes_room(&client->in, READ_BYTES), READ_BYTES - 1, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return false;
        client->in.len += n > 0 ? (size_t)n : 0;
        if (!take_request(client))
            return false;
    }
    if ((events & EPOLLOUT) != 0)
        return client->answering && client->interval_us == 0 ? send_flat(client) : flush(client);
    return true;
}

static void accept_all(int listener)
{
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = grow(NULL, sizeof *client);
        *client = (struct client){.fd = fd};
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
            die("epoll_ctl");
    }
}

static void free_client(struct client *client)
{
    bytes_free(&client->in);
    bytes_free(&client->out);
    free(client);
}

/* Sends what is due; when the next is. */
static int64_t send_all_due(int64_t us)
{
    int64_t next_us = INT64_MAX;
    for (size_t i = answering_count; i-- > 0;) { /* backwards: the last one takes the place of one that ends */
        struct client *client = answering[i];
        if (client->interval_us == 0)
            continue;
        if (client->due_us <= us && !send_due(client, us)) {
            hang_up(client);
            free_client(client);
        } else if (client->answering && client->due_us < next_us) {
            next_us = client->due_us;
        }
    }
    return next_us;
}

int main(int argc, char **argv)
{
    step_us = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ready[256], event = {.events = EPOLLIN, .data.ptr = NULL};
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0)
        die("listen");
    (void)printf("port %d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    for (int64_t due_us = INT64_MAX;;) {
        int64_t left_us = due_us - now_us();
        struct timespec wait = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000}, none = {0};
        int count = epoll_pwait2(epoll_fd, ready, 256, due_us == INT64_MAX ? NULL : left_us > 0 ? &wait : &none, NULL);
        for (int i = 0; i < count; i++) {
            struct client *client = ready[i].data.ptr;
            if (client == NULL) {
                accept_all(listener);
            } else if (!serve(client, ready[i].events)) {
                hang_up(client);
                free_client(client);
            }
        }
        due_us = send_all_due(now_us());
        if (due_us != INT64_MAX && step_us > 0)
            due_us = (due_us / step_us + 1) * step_us;
    }
}
