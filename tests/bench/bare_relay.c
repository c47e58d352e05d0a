/*
 * The yardstick: the least that a C program behind FastCGI can do with a streamed answer.
 *
 * One epoll thread accepts FastCGI requests on descriptor 0, sends each body on to the provider as it is, takes the text out of what comes with a search for
 * "content":" and writes one FastCGI record with one chunk line per token, of the shape that Parley writes. No database, no libcurl, no libfcgi, no JSON parser,
 * no time-outs, no care. Serves behind the repository's lighttpd.conf in the place of chat.fcgi; the provider's port is that of LLM_BASE_URL in PARLEY_CONFIG.
 */
#include "bench.h"

#include <sys/epoll.h>

enum { READ_BYTES = 16384, HEADER = 8 };
enum { BEGIN_REQUEST = 1, END_REQUEST = 3, STDIN_RECORD = 5, STDOUT_RECORD = 6 };

struct relay;

/* One of the two sockets of a request. */
struct side {
    int fd;
    bool wants_out;
    struct bytes in, out;
    struct relay *relay;
};

struct relay {
    struct side server, provider; /* the host server, the provider */
    struct bytes body;
    int id;
    bool said; /* the end is in server.out */
    bool over;
};

static int epoll_fd, provider_port;

static const char line_head[] = "data: {\"id\":\"chatcmpl-0123456789abcdefghijkl\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\","
                                "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
static const char line_tail[] = "\"},\"finish_reason\":null}]}\n\n";
static const char last_lines[] = "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

static void watch(struct side *side, int operation, bool wants_out)
{
    struct epoll_event event = {.events = wants_out ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = side};
    side->wants_out = wants_out;
    if (epoll_ctl(epoll_fd, operation, side->fd, &event) != 0)
        die("epoll_ctl");
}

static void finish(struct relay *relay)
{
    relay->over = true; /* freed after the round: the other side may have an event in it */
    (void)close(relay->server.fd);
    if (relay->provider.fd >= 0)
        (void)close(relay->provider.fd);
}

static void flush(struct side *side)
{
    if (side->out.len > 0) {
        ssize_t n = send(side->fd, side->out.data, side->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            finish(side->relay);
            return;
        }
        bytes_drop(&side->out, n > 0 ? (size_t)n : 0);
    }
    if (side->relay->said && side->relay->server.out.len == 0)
        finish(side->relay);
    else if (side->wants_out != (side->out.len > 0))
        watch(side, EPOLL_CTL_MOD, side->out.len > 0);
}

static void add_header(struct relay *relay, int type, size_t len)
{
    unsigned char header[HEADER] = {1, (unsigned char)type, (unsigned char)(relay->id >> 8), (unsigned char)relay->id, (unsigned char)(len >> 8), (unsigned char)len};
    bytes_add(&relay->server.out, header, HEADER);
}

static void add_record(struct relay *relay, const char *text, size_t len)
{
    add_header(relay, STDOUT_RECORD, len);
    bytes_add(&relay->server.out, text, len);
}

static void add_token(struct relay *relay, const char *text, size_t len)
{
    add_header(relay, STDOUT_RECORD, sizeof line_head - 1 + len + sizeof line_tail - 1);
    bytes_add(&relay->server.out, line_head, sizeof line_head - 1);
    bytes_add(&relay->server.out, text, len);
    bytes_add(&relay->server.out, line_tail, sizeof line_tail - 1);
}

static void add_end(struct relay *relay)
{
    static const char nothing[HEADER];
    relay->said = true;
    add_record(relay, last_lines, sizeof last_lines - 1);
    add_header(relay, STDOUT_RECORD, 0);
    add_header(relay, END_REQUEST, HEADER);
    bytes_add(&relay->server.out, nothing, HEADER);
}

/* The provider sent something: each text in it becomes a record, all leave in one write. */
static void take_answer(struct relay *relay)
{
    static const char mark[] = "\"content\":\"";
    struct side *provider = &relay->provider;
    char *at = provider->in.data, *end = at + provider->in.len, *text, *quote, *eol;
    while ((eol = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if ((text = memmem(at, (size_t)(eol - at), mark, sizeof mark - 1)) != NULL) {
            text += sizeof mark - 1;
            quote = memchr(text, '"', (size_t)(eol - text));
            if (quote != NULL && quote > text)
                add_token(relay, text, (size_t)(quote - text));
        } else if (eol - at >= 12 && memcmp(at, "data: [DONE]", 12) == 0) {
            add_end(relay);
        }
        at = eol + 1;
    }
    bytes_drop(&provider->in, (size_t)(at - provider->in.data));
    flush(&relay->server);
}

static void ask(struct relay *relay)
{
    static const char head[] = "Status: 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n";
    struct side *provider = &relay->provider;
    provider->fd = connect_loopback(provider_port);
    char *at = bytes_room(&provider->out, 256);
    provider->out.len = (size_t)sprintf(at, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                                        relay->body.len);
    bytes_add(&provider->out, relay->body.data, relay->body.len);
    watch(provider, EPOLL_CTL_ADD, true);
    add_record(relay, head, sizeof head - 1);
}

/* Takes whole FastCGI records off the input; the end of the body starts the exchange. */
static void take_records(struct relay *relay)
{
    struct bytes *in = &relay->server.in;
    while (in->len >= HEADER) {
        const unsigned char *header = (const unsigned char *)in->data;
        size_t content = (size_t)header[4] << 8 | header[5], whole = HEADER + content + header[6];
        int type = header[1];
        if (in->len < whole)
            return;
        if (type == BEGIN_REQUEST)
            relay->id = header[2] << 8 | header[3];
        else if (type == STDIN_RECORD && content > 0)
            bytes_add(&relay->body, in->data + HEADER, content);
        bytes_drop(in, whole);
        if (type == STDIN_RECORD && content == 0)
            ask(relay);
    }
}

static void serve(struct side *side, uint32_t events)
{
    struct relay *relay = side->relay;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        ssize_t n = recv(side->fd, bytes_room(&side->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
            finish(relay);
            return;
        }
        side->in.len += n > 0 ? (size_t)n : 0;
        if (n > 0 && side == &relay->provider)
            take_answer(relay);
        else if (n > 0)
            take_records(relay);
    }
    if ((events & EPOLLOUT) != 0 && !relay->over)
        flush(side);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct relay *relay = grow(NULL, sizeof *relay);
        *relay = (struct relay){.server = {.fd = fd, .relay = relay}, .provider = {.fd = -1, .relay = relay}};
        watch(&relay->server, EPOLL_CTL_ADD, false);
    }
}

static void free_relay(struct relay *relay)
{
    bytes_free(&relay->server.in);
    bytes_free(&relay->server.out);
    bytes_free(&relay->provider.in);
    bytes_free(&relay->provider.out);
    bytes_free(&relay->body);
    free(relay);
}

static void read_port(void)
{
    const char *path = getenv("PARLEY_CONFIG");
    FILE *in = path != NULL ? fopen(path, "re") : NULL;
    char line[1024];
    while (in != NULL && fgets(line, sizeof line, in) != NULL)
        (void)sscanf(line, "LLM_BASE_URL=http://127.0.0.1:%d/", &provider_port);
    if (provider_port == 0)
        die("LLM_BASE_URL in PARLEY_CONFIG");
    (void)fclose(in);
}

int main(void)
{
    struct epoll_event ready[256], event = {.events = EPOLLIN, .data.ptr = NULL};
    read_port();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0 || fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        die("epoll");
    for (;;) {
        int count = epoll_wait(epoll_fd, ready, 256, -1);
        for (int i = 0; i < count; i++) {
            struct side *side = ready[i].data.ptr;
            if (side == NULL)
                accept_all();
            else if (!side->relay->over)
                serve(side, ready[i].events);
        }
        for (int i = 0; i < count; i++) {
            struct side *side = ready[i].data.ptr;
            if (side == NULL || !side->relay->over)
                continue;
            struct relay *relay = side->relay;
            for (int j = i; j < count; j++) {
                struct side *other = ready[j].data.ptr;
                if (other != NULL && other->relay == relay)
                    ready[j].data.ptr = NULL;
            }
            free_relay(relay);
        }
    }
}
