/*
 * A fuzz target: the way of a request through the whole program: FastCGI records, worker, routes, the database, an answer in every dialect, and back. One process, one event loop
 * and one database (in a folder of its own in memory) serve all executions; the model is an application that answers at once.
 *
 * An odd first byte: the rest goes over the connection as it is, as records, but for bytes above 127: by them a host server would announce names of up to two gigabytes, which
 * libfcgi (2.4.2, its fix of CVE-2025-23016 included) asks malloc for without looking at what that says. Else it is a request in short: "POST /path?query", lines NAME=VALUE of further variables, an empty line,
 * the body; `{conversation}` and `{message}` in it stand for the latest ones that an answer has named. The second byte says how the records are cut.
 *
 * What is looked for beside crashes: answers that are no answers (records, headers, JSON), "internal" errors, and requests that never end.
 */
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/api/routes.h"
#include "../../src/app/app.h"
#include "../../src/base/clock.h"
#include "../../src/base/loop.h"
#include "../../src/chat/journal.h"
#include "../../src/chat/live.h"
#include "../../src/http/worker.h"
#include "../../src/store/db.h"
#include "fuzz.h"

enum { PARAMS = 4, STDIN = 5, STDOUT = 6, BEGIN = 1, END = 3, RECORD_MOST = 65535, SWEEP = 500 /* executions between two cleanings of the database */ };

static char folder[64], database[128];
static char conversation[80], message[80]; /* that an answer has named */

/* libfcgi does not free what it has read of a management record that is damaged. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfcgi";
}

/* --- the application ------------------------------------------------------------------------------------------------------- */

/* What is said depends on the first letter of what was asked, so that all kinds of events pass. */
static void answer_at_once(struct parley_chat *chat)
{
    static const char *const questions[] = {"And then?", "Why?"};
    const char *said = parley_message(chat);
    (void)parley_text(chat, "You said ");
    (void)parley_text(chat, said);
    switch (said[0]) {
    case 'e': (void)parley_event(chat, "own_kind", json_object_get(parley_context(chat))); break;
    case 'i': (void)parley_image(chat, "i", said); break;
    case 'r': (void)parley_reference(chat, said, "text", NULL); break;
    case 'l': (void)parley_live_update(chat, "l", said[1] == 'f', said, NULL); break;
    case 'p': (void)parley_plan_item(chat, "1", said, "pending", NULL); break;
    case 'f': (void)parley_followups(chat, questions, 2); break;
    case 'c': (void)parley_clear(chat); break;
    case 's': (void)parley_set_state(chat, json_object_get(parley_context(chat))); break;
    case 't': (void)parley_title(chat, said); break;
    case 'x': parley_refuse(chat, said); break;
    case 'h':
        for (size_t i = 0; i < parley_history_count(chat); i++)
            (void)parley_textf(chat, "%s: %s\n", parley_history(chat, i).role, parley_history(chat, i).text);
        break;
    default: break;
    }
}

static bool take_file(const struct parley_file *file)
{
    insist(strlen(file->name) <= LIMIT_FILE_NAME_BYTES && (file->len == 0 || file->bytes != NULL));
    return file->len % 7 != 3;
}

static bool take_feedback(const struct parley_feedback *feedback)
{
    insist(json_object_is_type(feedback->payload, json_type_object));
    return true;
}

/* --- the program around it ------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static pid_t owner;

static void clean_up(void)
{
    if (getpid() == owner)
        (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void start(void)
{
    static const struct parley_app app = {.name = "fuzz", .chat = answer_at_once, .upload = take_file, .feedback = take_feedback};
    owner = getpid();
    (void)snprintf(folder, sizeof folder, "%s/parley-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    insist(mkdtemp(folder) != NULL && atexit(clean_up) == 0);
    (void)snprintf(database, sizeof database, "%s/parley.db", folder);
    insist(app_use(&app));
    fuzz_settings();
    settings.db_path = database;
    settings.db_sync = "normal";
    settings.secret_key = "a key of the fuzzer's own";
    settings.config_file = "/nowhere/parley.json";
    settings.cors_origins = "https://a.example";
    settings.max_body_bytes = 65536;
    settings.max_message_chars = 2000;
    settings.max_streams_per_user = settings.max_streams_per_address = settings.requests_per_minute = 0;
    insist(loop_start() && live_start(LIVE_COUNT_OWN) && journal_start() && app_start());
}

/* Takes the conversations away from time to time: with a hundred thousand of them each request would take longer. The users stay, which the program remembers. */
static void sweep(void)
{
    static unsigned executions;
    sqlite3 *db = NULL;
    if (++executions % SWEEP != 0)
        return;
    if (sqlite3_open(database, &db) == SQLITE_OK && sqlite3_busy_timeout(db, 5000) == SQLITE_OK)
        (void)sqlite3_exec(db, "DELETE FROM messages; DELETE FROM conversations;", NULL, NULL, NULL); /* where it fails, the next may do it */
    (void)sqlite3_close(db);
}

/* --- a request --------------------------------------------------------------------------------------------------------------- */

static void add_record(struct buf *out, int type, const char *content, size_t len)
{
    const char header[] = {1, (char)type, 0, 1, (char)(len >> 8), (char)len, 0, 0};
    buf_add(out, header, sizeof header);
    buf_add(out, content, len);
}

/* A stream of records of at most `step` bytes, and the empty one that ends it. */
static void add_stream(struct buf *out, int type, const struct buf *content, size_t step)
{
    for (size_t at = 0; at < content->len;) {
        size_t part = content->len - at < step ? content->len - at : step;
        add_record(out, type, content->data + at, part);
        at += part;
    }
    add_record(out, type, "", 0);
}

static void add_length(struct buf *out, size_t len)
{
    if (len < 128) {
        buf_add_char(out, (char)len);
        return;
    }
    for (int i = 3; i >= 0; i--)
        buf_add_char(out, (char)((i == 3 ? 0x80 : 0) | (len >> i * 8 & 0xFF)));
}

static void add_variable(struct buf *out, const char *name, size_t name_len, const char *value, size_t len)
{
    add_length(out, name_len);
    add_length(out, len);
    buf_add(out, name, name_len);
    buf_add(out, value, len);
}

static void add_text_variable(struct buf *out, const char *name, const char *value)
{
    add_variable(out, name, strlen(name), value, strlen(value));
}

/* The line "POST /path?query". */
static void add_first_line(struct buf *out, const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len), *end = line + len;
    size_t method = space != NULL ? (size_t)(space - line) : len;
    const char *uri = space != NULL ? space + 1 : end, *query = memchr(uri, '?', (size_t)(end - uri));
    size_t path = (size_t)((query != NULL ? query : end) - uri);
    add_variable(out, "REQUEST_METHOD", 14, line, method);
    add_variable(out, "SCRIPT_NAME", 11, uri, path);
    add_variable(out, "REQUEST_URI", 11, uri, (size_t)(end - uri));
    if (query != NULL)
        add_variable(out, "QUERY_STRING", 12, query + 1, (size_t)(end - query - 1));
}

/* Ids in place of their marks. */
static void add_filled(struct buf *out, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '{' && size - i >= 14 && memcmp(data + i, "{conversation}", 14) == 0) {
            buf_add_text(out, conversation);
            i += 13;
        } else if (data[i] == '{' && size - i >= 9 && memcmp(data + i, "{message}", 9) == 0) {
            buf_add_text(out, message);
            i += 8;
        } else {
            buf_add_char(out, (char)data[i]);
        }
    }
}

/* Writes the request that the input is short for. */
static void write_request(struct buf *out, const uint8_t *data, size_t size, unsigned cut)
{
    struct buf text, variables, body;
    bool has_length = false, has_type = false;
    size_t step = cut % 8 == 0 ? 1 + cut / 8 : RECORD_MOST;
    buf_init(&text, SIZE_MAX / 4);
    buf_init(&variables, SIZE_MAX / 4);
    buf_init(&body, SIZE_MAX / 4);
    add_filled(&text, data, size);
    const char *at = text.data, *end = text.data + text.len;
    for (bool first = true; at < end; first = false) {
        const char *lf = memchr(at, '\n', (size_t)(end - at)), *stop = lf != NULL ? lf : end, *equals = memchr(at, '=', (size_t)(stop - at));
        if (first) {
            add_first_line(&variables, at, (size_t)(stop - at));
        } else if (stop == at) {
            at = stop + 1;
            break;
        } else if (equals != NULL) {
            has_length = has_length || strncmp(at, "CONTENT_LENGTH=", 15) == 0;
            has_type = has_type || strncmp(at, "CONTENT_TYPE=", 13) == 0;
            add_variable(&variables, at, (size_t)(equals - at), equals + 1, (size_t)(stop - equals - 1));
        }
        at = stop < end ? stop + 1 : end;
    }
    if (at < end)
        buf_add(&body, at, (size_t)(end - at));
    char length[32];
    (void)snprintf(length, sizeof length, "%zu", body.len);
    if (!has_length)
        add_text_variable(&variables, "CONTENT_LENGTH", length);
    if (!has_type)
        add_text_variable(&variables, "CONTENT_TYPE", "application/json");
    static const char begin[8] = {0, 1};
    add_record(out, BEGIN, begin, sizeof begin);
    add_stream(out, PARAMS, &variables, step);
    add_stream(out, STDIN, &body, step);
    buf_free(&text);
    buf_free(&variables);
    buf_free(&body);
}

/* --- its answer -------------------------------------------------------------------------------------------------------------- */

/* Takes the contents of the records out of `got`. Whether the answer is whole. */
static bool read_records(const struct buf *got, bool is_raw, struct buf *out)
{
    for (size_t at = 0; at < got->len;) {
        const unsigned char *header = (const unsigned char *)got->data + at;
        insist(got->len - at >= 8 && header[0] == 1 && (header[1] == STDOUT || header[1] == END || header[1] == 7 || header[1] > 8));
        size_t len = (size_t)header[4] << 8 | header[5], padding = header[6];
        insist(got->len - at - 8 >= len + padding);
        if (header[1] == STDOUT)
            buf_add(out, got->data + at + 8, len);
        at += 8 + len + padding;
        if (header[1] == END && !is_raw) { /* libfcgi also ends requests that come between the records of another */
            insist(at == got->len && len == 8);
            return true;
        }
    }
    return false;
}

/* The value of a header at the beginning of `text`, up to its line's end; NULL: it is not there. */
static const char *header_of(const char *text, const char *end, const char *name)
{
    for (const char *line = text; line < end; line = strstr(line, "\r\n") + 2)
        if (strncmp(line, name, strlen(name)) == 0)
            return line + strlen(name);
    return NULL;
}

static void keep_id(const char *value, char id[80])
{
    size_t len = value != NULL ? strcspn(value, "\r\n\"") : 0;
    if (len > 0 && len < 80) {
        memcpy(id, value, len);
        id[len] = '\0';
    }
}

static void check_answer(const struct buf *answer)
{
    static const char address[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%";
    insist(strlen(answer->data) == answer->len);
    const char *end = strstr(answer->data, "\r\n\r\n");
    insist(end != NULL);
    const char *status = header_of(answer->data, end + 2, "Status: "), *type = header_of(answer->data, end + 2, "Content-Type: "), *body = end + 4;
    for (const char *line = answer->data; line < end + 2; line = strstr(line, "\r\n") + 2)
        insist(strcspn(line, "\r\n") == (size_t)(strstr(line, "\r\n") - line) && strstr(line, ": ") != NULL && strstr(line, ": ") < strstr(line, "\r\n"));
    insist(status == NULL || (atol(status) >= 200 && atol(status) < 600 && atol(status) != 500));
    insist(utf8_valid(answer->data, answer->len));
    const char *location = header_of(answer->data, end + 2, "Location: ");
    if (location != NULL) /* // would be another host */
        insist(location[0] == '/' && location[1] != '/' && location[1] != '\\' && strspn(location, address) == strcspn(location, "\r"));
    insist(location != NULL || status == NULL || strncmp(status, "302", 3) != 0);
    keep_id(header_of(answer->data, end + 2, "Parley-Conversation: "), conversation);
    keep_id(header_of(answer->data, end + 2, "Parley-Message: "), message);
    if (type != NULL && strncmp(type, "application/json", 16) == 0 && *body != '\0') {
        struct json_tokener *tokener = json_tokener_new_ex(100);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        json_object *object = json_tokener_parse_ex(tokener, body, (int)strlen(body) + 1);
        insist(json_tokener_get_error(tokener) == json_tokener_success);
        keep_id(json_text(object, "id", NULL), conversation);
        json_object_put(object);
        json_tokener_free(tokener);
    }
}

/* Reads what the program sends, until it closes. What never ends by itself soon (GET /diagnose/stream) is left. */
static void read_answer(int fd, struct buf *got)
{
    static char part[65536];
    int64_t start_ms = clock_mono_ms();
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, 1000) > 0) {
            ssize_t n = recv(fd, part, sizeof part, 0);
            if (n <= 0)
                return;
            buf_add(got, part, (size_t)n);
            if (strstr(part, "event: host") != NULL && memmem(part, (size_t)n, "event: tick", 11) != NULL)
                return;
        }
        insist(clock_mono_ms() - start_ms < 20000);
    }
}

static void send_all(int fd, const struct buf *bytes)
{
    for (size_t at = 0; at < bytes->len;) {
        ssize_t n = send(fd, bytes->data + at, bytes->len - at, MSG_NOSIGNAL);
        insist(n > 0);
        at += (size_t)n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 60000 }; /* what a socket takes without a reader */
    int ends[2];
    if (size < 3 || size > MOST)
        return 0;
    if (folder[0] == '\0')
        start();
    struct buf sent, got, answer;
    buf_init(&sent, SIZE_MAX / 4);
    buf_init(&got, SIZE_MAX / 4);
    buf_init(&answer, SIZE_MAX / 4);
    bool is_raw = data[0] % 2 == 1;
    for (size_t i = 2; is_raw && i < size; i++)
        buf_add_char(&sent, (char)(data[i] & 0x7F));
    if (!is_raw)
        write_request(&sent, data + 2, size - 2, data[1]);
    insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    send_all(ends[1], &sent);
    if (is_raw || data[0] % 8 == 2)
        insist(shutdown(ends[1], SHUT_WR) == 0); /* else what is missing would be waited for */
    bool leaves = data[0] % 16 == 4;
    if (leaves)
        (void)close(ends[1]);
    insist(worker_serve_one(ends[0], routes_serve));
    if (!leaves) {
        read_answer(ends[1], &got);
        if (read_records(&got, is_raw, &answer) && answer.len > 0)
            check_answer(&answer);
        (void)close(ends[1]);
    }
    insist(worker_wait_idle(20000) && live_wait(20000));
    buf_free(&sent);
    buf_free(&got);
    buf_free(&answer);
    sweep();
    return 0;
}
