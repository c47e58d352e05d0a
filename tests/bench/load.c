/*
 * The clients of the benchmark: N streams at once on one epoll thread, each token looked at.
 *
 *   load --port P --path /chat --streams N [--tokens T] [--rate R] [--ramp MS] [--seconds S] [--timeout S] [--whole] [--pid NAME=PID] …
 *
 * Each client asks for an answer of T tokens at R tokens/s (provider.c) and checks that all come, once and in order, and that the answer is ended as it should.
 * Without --seconds each asks once: what is measured lies between "every client has its first token" and "the first client has its last", so that all streams run.
 * With --whole all is measured, from the first request to the last byte. With --seconds each asks again and again in a conversation of its own, and all is measured. Printed: one JSON object with counts, the time tokens and
 * first tokens took, CPU time and memory of the named processes. Leaves out: what the numbers should be (bench.js).
 */
#include "bench.h"

#include <getopt.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum { READ_BYTES = 65536, MAX_WATCHED = 4, ID_BYTES = 64 };

enum state { IDLE, IN_HEAD, IN_SIZE, IN_DATA, AFTER_DATA, IN_TRAILER, OVER };

struct client {
    int fd;
    enum state state;
    bool opened, fresh, has_length, said_finish, said_done, closes, failed;
    char conversation[ID_BYTES];
    struct bytes out, line, body; /* line: of the head or a chunk size; body: an event line that is not whole */
    size_t chunk_left; /* of the chunk, or of the body when its length was told */
    int status;
    int64_t expected, asked_us;
    int64_t number, stamp; /* of the token that is being read */
    bool in_stamp;
};

/* Many measurements of one kind. */
struct samples {
    uint32_t *us;
    size_t count, room;
};

struct usage {
    double cpu_us, system_us; /* system_us is part of cpu_us */
    long rss_kb, pss_kb, private_kb, dirty_kb;
};

struct watched {
    const char *name;
    int pid;
    struct usage before, after;
};

static struct {
    int port, streams, ramp_ms;
    const char *path;
    int64_t tokens, rate;
    double seconds, timeout;
    bool whole;
    struct watched watched[MAX_WATCHED];
    int watched_count;
} options = {.streams = 1, .tokens = 1, .path = "/chat", .timeout = 60};

static int epoll_fd, begun, ended;
static bool measuring, measured;
static int64_t read_us, start_us, window_start_us, window_end_us;
static int64_t tokens, answers, window_tokens, window_events, failures, reconnects;
static struct samples token_times, first_times;
static char first_failure[400];

/* --- measuring ---------------------------------------------------------------------------------------------------- */

static void add_sample(struct samples *samples, int64_t us)
{
    if (samples->count == samples->room)
        samples->us = grow(samples->us, (samples->room = samples->room * 2 + 4096) * sizeof *samples->us);
    samples->us[samples->count++] = (uint32_t)us;
}

static long read_field(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtol(at + strlen(name), NULL, 10) : 0;
}

static bool read_proc(int pid, const char *name, char *text, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return false;
    text[fread(text, 1, size - 1, in)] = '\0';
    (void)fclose(in);
    return true;
}

static void read_cpu(int pid, struct usage *usage)
{
    double tick_us = 1e6 / (double)sysconf(_SC_CLK_TCK);
    char text[4096];
    unsigned long user = 0, system = 0;
    const char *after_name = read_proc(pid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    if (after_name == NULL || sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return;
    usage->cpu_us = (double)(user + system) * tick_us;
    usage->system_us = (double)system * tick_us;
}

static void read_memory(int pid, struct usage *usage)
{
    char text[4096];
    if (!read_proc(pid, "smaps_rollup", text, sizeof text))
        return;
    usage->rss_kb = read_field(text, "\nRss:");
    usage->pss_kb = read_field(text, "\nPss:");
    usage->dirty_kb = read_field(text, "\nPrivate_Dirty:");
    usage->private_kb = usage->dirty_kb + read_field(text, "\nPrivate_Clean:");
}

static void begin_measuring(void)
{
    for (int i = 0; i < options.watched_count; i++)
        read_cpu(options.watched[i].pid, &options.watched[i].before);
    window_start_us = now_us();
    measuring = true;
}

static void end_measuring(void)
{
    if (measured || !measuring)
        return;
    measuring = false;
    measured = true;
    window_end_us = now_us();
    for (int i = 0; i < options.watched_count; i++)
        read_cpu(options.watched[i].pid, &options.watched[i].after);
    for (int i = 0; i < options.watched_count; i++)
        read_memory(options.watched[i].pid, &options.watched[i].after);
}

/* --- a client ----------------------------------------------------------------------------------------------------- */

static void note_failure(struct client *client, const char *what)
{
    if (failures++ == 0)
        (void)snprintf(first_failure, sizeof first_failure, "%s (status %d, %lld tokens)", what, client->status, (long long)client->expected);
    client->failed = true;
}

static void watch(struct client *client, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(epoll_fd, operation, client->fd, &event) != 0)
        die("epoll_ctl");
}

static void connect_client(struct client *client)
{
    client->fd = connect_loopback(options.port);
    client->fresh = true;
    watch(client, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void ask(struct client *client)
{
    char body[1024], *at = body;
    bool is_provider = strstr(options.path, "completions") != NULL;
    at += sprintf(at, "{\"model\":\"t%lld-r%lld\",", (long long)options.tokens, (long long)options.rate);
    if (client->conversation[0] != '\0')
        at += sprintf(at, "\"conversation_id\":\"%s\",", client->conversation);
    at += sprintf(at, is_provider ? "\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}" : "\"message\":\"%s\"}",
                  "Please tell me in a few words how the tide and the moon are connected, and what that means for the harbour.");
    client->out.len = 0;
    char *head = bytes_room(&client->out, 2048);
    client->out.len = (size_t)sprintf(head, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", options.path,
                                      (size_t)(at - body), body);
    client->state = IN_HEAD;
    client->chunk_left = 0;
    client->line.len = client->body.len = 0;
    client->expected = client->number = client->stamp = 0;
    client->has_length = client->said_finish = client->said_done = client->in_stamp = client->closes = client->failed = false;
    client->status = 0;
    client->asked_us = now_us();
    if (client->fd < 0)
        connect_client(client);
    else
        watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void hang_up(struct client *client)
{
    (void)close(client->fd);
    client->fd = -1;
}

/* The answer is over, one way or the other. */
static void end_answer(struct client *client)
{
    bool again = options.seconds > 0 && (double)(read_us - start_us) < options.seconds * 1e6;
    if (!client->failed && (client->expected != options.tokens || !client->said_finish || !client->said_done))
        note_failure(client, "an answer is not whole");
    answers += !client->failed;
    client->state = OVER;
    if (!options.whole)
        end_measuring();
    if (client->closes || client->failed)
        hang_up(client);
    if (again)
        ask(client);
    else
        ended++;
}

static void take_first(struct client *client)
{
    add_sample(&first_times, read_us - client->asked_us);
    if (!client->opened) {
        client->opened = true;
        if (++begun == options.streams && !options.whole)
            begin_measuring();
    }
}

static void take_token(struct client *client)
{
    if (client->number != client->expected) {
        note_failure(client, "a token is out of order");
        return;
    }
    if (client->expected++ == 0)
        take_first(client);
    tokens++;
    if (measuring) {
        int64_t took = read_us % STAMP_WRAP_US - client->stamp;
        add_sample(&token_times, took >= 0 ? took : took + STAMP_WRAP_US);
        window_tokens++;
    }
}

static void take_text(struct client *client, const char *text, size_t len)
{
    window_events += measuring && len > 0;
    for (; len > 0 && !client->failed; text++, len--) {
        int64_t *at = client->in_stamp ? &client->stamp : &client->number;
        if (*text >= '0' && *text <= '9') {
            *at = *at * 10 + (*text - '0');
        } else if (*text == '.') {
            client->in_stamp = true;
        } else {
            take_token(client);
            client->in_stamp = false;
            client->number = client->stamp = 0;
        }
    }
}

static void take_line(struct client *client, const char *line, size_t len)
{
    static const char content[] = "\"content\":\"", finish[] = "\"finish_reason\":\"stop\"", conversation[] = "\"conversation_id\":\"";
    const char *at, *quote;
    if (len < 6 || memcmp(line, "data: ", 6) != 0)
        return;
    if ((at = memmem(line, len, content, sizeof content - 1)) != NULL) {
        at += sizeof content - 1;
        quote = memchr(at, '"', len - (size_t)(at - line));
        take_text(client, at, quote != NULL ? (size_t)(quote - at) : 0);
    } else if (memmem(line, len, finish, sizeof finish - 1) != NULL) {
        client->said_finish = true;
    } else if (len >= 12 && memcmp(line, "data: [DONE]", 12) == 0) {
        client->said_done = true;
    }
    if (client->conversation[0] == '\0' && options.seconds > 0 && (at = memmem(line, len, conversation, sizeof conversation - 1)) != NULL)
        (void)sscanf(at + sizeof conversation - 1, "%63[^\"]", client->conversation);
}

static void take_body(struct client *client, const char *data, size_t len)
{
    const char *eol;
    while (len > 0 && (eol = memchr(data, '\n', len)) != NULL) {
        size_t n = (size_t)(eol - data);
        if (client->body.len > 0) {
            bytes_add(&client->body, data, n);
            take_line(client, client->body.data, client->body.len);
            client->body.len = 0;
        } else {
            take_line(client, data, n);
        }
        data += n + 1;
        len -= n + 1;
    }
    if (len > 0)
        bytes_add(&client->body, data, len);
}

/* lighttpd tells the length when the whole answer was there before the head left. */
static void take_length(struct client *client, const char *value)
{
    client->has_length = true;
    client->chunk_left = strtoul(value, NULL, 10);
}

/* A line of the head, or of the chunked coding, without its end. */
static void take_protocol_line(struct client *client, char *line)
{
    switch (client->state) {
    case IN_HEAD:
        if (client->status == 0)
            client->status = (int)strtol(strchr(line, ' ') != NULL ? strchr(line, ' ') : "0", NULL, 10);
        else if (strncasecmp(line, "connection: close", 17) == 0)
            client->closes = true;
        else if (strncasecmp(line, "content-length:", 15) == 0)
            take_length(client, line + 15);
        if (*line == '\0')
            client->state = client->has_length ? IN_DATA : IN_SIZE;
        break;
    case IN_SIZE:
        client->chunk_left = strtoul(line, NULL, 16);
        client->state = client->chunk_left > 0 ? IN_DATA : IN_TRAILER;
        break;
    case AFTER_DATA:
        client->state = IN_SIZE;
        break;
    case IN_TRAILER:
        if (*line == '\0')
            end_answer(client);
        break;
    default:
        break;
    }
}

static void take(struct client *client, const char *data, size_t len)
{
    while (len > 0 && client->state != OVER && !client->failed) {
        size_t n;
        if (client->state == IN_DATA) {
            n = len < client->chunk_left ? len : client->chunk_left;
            take_body(client, data, n);
            client->chunk_left -= n;
            if (client->chunk_left == 0 && client->has_length)
                end_answer(client);
            else if (client->chunk_left == 0)
                client->state = AFTER_DATA;
        } else {
            const char *eol = memchr(data, '\n', len);
            n = eol != NULL ? (size_t)(eol - data) + 1 : len;
            bytes_add(&client->line, data, n);
            if (eol != NULL) {
                size_t end = client->line.len - 1;
                if (end > 0 && client->line.data[end - 1] == '\r')
                    end--;
                client->line.data[end] = '\0';
                client->line.len = 0;
                take_protocol_line(client, client->line.data);
                if (client->state != IN_HEAD && client->status != 200)
                    note_failure(client, "not 200");
            }
        }
        data += n;
        len -= n;
    }
}

static void lose(struct client *client)
{
    if (client->state == OVER) { /* between answers: the server has had enough of this connection */
        hang_up(client);
        return;
    }
    if (!client->fresh && client->status == 0) { /* it was closed while we asked: ask on a new one */
        hang_up(client);
        reconnects++;
        ask(client);
        return;
    }
    note_failure(client, "the connection broke");
    end_answer(client);
}

static void serve(struct client *client, uint32_t events)
{
    static char buffer[READ_BYTES];
    if ((events & EPOLLOUT) != 0 && client->out.len > 0) {
        ssize_t n = send(client->fd, client->out.data, client->out.len, MSG_NOSIGNAL);
        if (n > 0)
            bytes_drop(&client->out, (size_t)n);
        if (client->out.len == 0)
            watch(client, EPOLL_CTL_MOD, EPOLLIN);
    }
    if ((events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    ssize_t n = recv(client->fd, buffer, sizeof buffer, 0);
    read_us = now_us();
    if (n > 0) {
        take(client, buffer, (size_t)n);
        if (client->failed && client->state != OVER)
            end_answer(client);
        client->fresh = false;
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
        lose(client);
    }
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static void open_due(struct client *clients, int *opened)
{
    int64_t ms = (now_us() - start_us) / 1000;
    while (*opened < options.streams && ms * options.streams >= (int64_t)*opened * options.ramp_ms)
        ask(&clients[(*opened)++]);
}

static void run(struct client *clients)
{
    struct epoll_event ready[256];
    int opened = 0;
    start_us = read_us = now_us();
    options.whole = options.whole || options.seconds > 0;
    if (options.whole)
        begin_measuring();
    while (ended < options.streams) {
        if (opened < options.streams)
            open_due(clients, &opened);
        int count = epoll_wait(epoll_fd, ready, 256, opened < options.streams ? 1 : 100);
        for (int i = 0; i < count; i++)
            serve(ready[i].data.ptr, ready[i].events);
        if ((double)(now_us() - start_us) > options.timeout * 1e6) {
            failures += options.streams - ended;
            if (first_failure[0] == '\0')
                (void)snprintf(first_failure, sizeof first_failure, "%d answers had not ended in time, %d had not begun", options.streams - ended,
                               options.streams - begun);
            break;
        }
    }
    end_measuring();
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void print_samples(const char *name, struct samples *samples)
{
    size_t n = samples->count;
    if (n == 0)
        return;
    qsort(samples->us, n, sizeof *samples->us, compare);
    (void)printf("\"%s\":{\"count\":%zu,\"p50\":%u,\"p90\":%u,\"p99\":%u,\"max\":%u},", name, n, samples->us[n / 2], samples->us[n * 9 / 10], samples->us[n * 99 / 100],
                 samples->us[n - 1]);
}

static void print_result(void)
{
    struct rusage own;
    (void)getrusage(RUSAGE_SELF, &own);
    double seconds = (double)(window_end_us - window_start_us) / 1e6;
    (void)printf("{\"streams\":%d,\"answers\":%lld,\"tokens\":%lld,\"failures\":%lld,\"reconnects\":%lld,\"first_failure\":\"%s\",\"seconds\":%.3f,\"all_seconds\":%.3f,"
                 "\"window_tokens\":%lld,\"window_events\":%lld,\"tokens_per_s\":%.0f,\"answers_per_s\":%.1f,",
                 options.streams, (long long)answers, (long long)tokens, (long long)failures, (long long)reconnects, first_failure, seconds,
                 (double)(now_us() - start_us) / 1e6, (long long)window_tokens, (long long)window_events, seconds > 0 ? (double)window_tokens / seconds : 0,
                 seconds > 0 ? (double)answers / seconds : 0);
    print_samples("token_us", &token_times);
    print_samples("first_us", &first_times);
    for (int i = 0; i < options.watched_count; i++) {
        const struct watched *watched = &options.watched[i];
        (void)printf("\"%s\":{\"cpu_us\":%.0f,\"system_us\":%.0f,\"rss_kb\":%ld,\"rss_before_kb\":%ld,\"pss_kb\":%ld,\"private_kb\":%ld,\"dirty_kb\":%ld},", watched->name,
                     watched->after.cpu_us - watched->before.cpu_us, watched->after.system_us - watched->before.system_us, watched->after.rss_kb, watched->before.rss_kb, watched->after.pss_kb,
                     watched->after.private_kb, watched->after.dirty_kb);
    }
    (void)printf("\"load_cpu_us\":%lld}\n",
                 (long long)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1000000 + own.ru_utime.tv_usec + own.ru_stime.tv_usec);
}

static void add_watched(char *text)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || options.watched_count == MAX_WATCHED)
        die("--pid NAME=PID");
    *equals = '\0';
    struct watched *watched = &options.watched[options.watched_count++];
    *watched = (struct watched){.name = text, .pid = (int)strtol(equals + 1, NULL, 10)};
    read_memory(watched->pid, &watched->before);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"port", 1, NULL, 'p'},   {"path", 1, NULL, 'a'},    {"streams", 1, NULL, 'n'}, {"tokens", 1, NULL, 't'},
                                          {"rate", 1, NULL, 'r'},   {"ramp", 1, NULL, 'm'},    {"seconds", 1, NULL, 's'}, {"timeout", 1, NULL, 'o'},
                                          {"pid", 1, NULL, 'w'},   {"whole", 0, NULL, 'e'},    {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        switch (option) {
        case 'p': options.port = (int)strtol(optarg, NULL, 10); break;
        case 'a': options.path = optarg; break;
        case 'n': options.streams = (int)strtol(optarg, NULL, 10); break;
        case 't': options.tokens = strtol(optarg, NULL, 10); break;
        case 'r': options.rate = strtol(optarg, NULL, 10); break;
        case 'm': options.ramp_ms = (int)strtol(optarg, NULL, 10); break;
        case 's': options.seconds = strtod(optarg, NULL); break;
        case 'o': options.timeout = strtod(optarg, NULL); break;
        case 'e': options.whole = true; break;
        case 'w': add_watched(optarg); break;
        default: return 2;
        }
    struct client *clients = calloc((size_t)options.streams, sizeof *clients);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (clients == NULL || epoll_fd < 0 || options.streams < 1)
        die("start");
    for (int i = 0; i < options.streams; i++)
        clients[i].fd = -1;
    run(clients);
    print_result();
    return 0;
}
