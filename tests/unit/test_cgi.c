/*
 * Tests of src/http/cgi.h: a CGI program with a child that speaks FastCGI by hand, well or badly.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "../../src/http/cgi.h"

enum { BIG = 1000 * 1000 };

/* --- the child's side ------------------------------------------------------------------------------------------------------- */

static bool read_all(int fd, char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = read(fd, bytes + at, len - at);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* The next record's type and content; 0: there is none. */
static int next_record(int fd, char content[65536], size_t *len)
{
    unsigned char header[8];
    if (!read_all(fd, (char *)header, sizeof header))
        return 0;
    *len = (size_t)header[4] << 8 | header[5];
    return read_all(fd, content, *len) ? header[1] : 0;
}

static void write_record(int fd, int type, const char *content, size_t len, size_t padding)
{
    char record[8 + 65535 + 255] = {1, (char)type, 0, 1, (char)(len >> 8), (char)len, (char)padding, 0};
    memcpy(record + 8, content, len);
    if (write(fd, record, 8 + len + padding) < 0)
        _exit(9);
}

static char content[65536], variables[2 * BIG], body[2 * BIG];
static size_t variables_len, body_len;

/* Reads the whole request. */
static void read_request(int fd)
{
    size_t len = 0;
    if (next_record(fd, content, &len) != 1 || len != 8 || content[1] != 1)
        _exit(8);
    for (int type; (type = next_record(fd, content, &len)) == 4 && len > 0; variables_len += len)
        memcpy(variables + variables_len, content, len);
    for (int type; (type = next_record(fd, content, &len)) == 5 && len > 0; body_len += len)
        memcpy(body + body_len, content, len);
}

static void write_end(int fd)
{
    static const char end[8];
    write_record(fd, 6, "", 0, 0);
    write_record(fd, 3, end, sizeof end, 0);
}

/* --- the host server's side --------------------------------------------------------------------------------------------------- */

static char output[4 * BIG];
static bool input_was_taken; /* all of it */
static bool output_is_nonblocking;

/* Runs a CGI program whose child is `serve`, with `input` on its standard input (held open afterwards); what it wrote to standard output. */
static const char *run_cgi(void (*serve)(int fd), const char *input, size_t input_len)
{
    int in[2], out[2], taken[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(taken), 0);
    pid_t program = fork();
    if (program == 0) {
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        if (output_is_nonblocking)
            (void)fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
        int fd = cgi_split();
        serve(fd);
        _exit(0);
    }
    close(in[0]);
    close(out[1]);
    pid_t writer = fork();
    if (writer == 0) {
        signal(SIGPIPE, SIG_IGN);
        close(out[0]);
        for (size_t at = 0; at < input_len;) {
            ssize_t n = write(in[1], input + at, input_len - at);
            if (n < 0)
                _exit(0);
            at += (size_t)n;
        }
        if (write(taken[1], "", 1) == 1)
            pause(); /* a server need not end standard input: CONTENT_LENGTH says where it ends */
        _exit(0);
    }
    close(in[1]);
    close(taken[1]);
    size_t len = 0;
    if (output_is_nonblocking)
        (void)usleep(200000); /* until the pipe is full */
    for (ssize_t n; (n = read(out[0], output + len, sizeof output - 1 - len)) > 0;)
        len += (size_t)n;
    output[len] = '\0';
    close(out[0]);
    int status = 0;
    assert_int_equal(waitpid(program, &status, 0), program);
    assert_int_equal(status, 0);
    input_was_taken = read(taken[0], output + sizeof output - 1, 1) == 1;
    close(taken[0]);
    kill(writer, SIGKILL);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    return output;
}

static void announce(size_t len)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%zu", len);
    setenv("CONTENT_LENGTH", text, 1);
}

/* --- tests ---------------------------------------------------------------------------------------------------------------------- */

/* Answers with what a variable of the request is worth, and the body. */
static void echo(int fd)
{
    read_request(fd);
    for (size_t at = 0; at < variables_len;) {
        size_t lens[2];
        for (int i = 0; i < 2; i++) {
            const unsigned char *c = (const unsigned char *)variables + at;
            bool is_long = c[0] >= 128;
            lens[i] = is_long ? ((size_t)c[0] & 0x7F) << 24 | (size_t)c[1] << 16 | (size_t)c[2] << 8 | c[3] : c[0];
            at += is_long ? 4 : 1;
        }
        if (lens[0] == 6 && memcmp(variables + at, "WANTED", 6) == 0) {
            for (size_t done = 0; done < lens[1]; done += 50000)
                write_record(fd, 6, variables + at + 6 + done, lens[1] - done < 50000 ? lens[1] - done : 50000, 3);
            break;
        }
        at += lens[0] + lens[1];
    }
    write_record(fd, 6, "|", 1, 0);
    for (size_t done = 0; done < body_len; done += 50000)
        write_record(fd, 6, body + done, body_len - done < 50000 ? body_len - done : 50000, 200);
    write_end(fd);
}

static void variables_and_body_arrive_whatever_their_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 40000, 65528, 65529, 100000};
    static char value[BIG + 1], input[BIG], wanted[2 * BIG];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = sizes[i], extra = 5; /* bytes after the body are not ours */
        memset(value, 'v', len);
        value[len] = '\0';
        memset(input, 'b', len * 2 + extra);
        setenv("WANTED", value, 1);
        announce(len * 2);
        (void)snprintf(wanted, sizeof wanted, "%s|%.*s", value, (int)(len * 2), input);
        assert_string_equal(run_cgi(echo, input, len * 2 + extra), wanted);
    }
    unsetenv("WANTED");
}

static void answer_byte_by_byte(int fd)
{
    read_request(fd);
    int ends[2];
    if (pipe(ends) != 0)
        _exit(7);
    write_record(ends[1], 6, "Status: 200 OK\r\n", 16, 1);
    write_record(ends[1], 7, "for the log", 11, 0);
    write_record(ends[1], 6, "\r\nhello", 7, 255);
    write_end(ends[1]);
    write_record(ends[1], 6, "too late", 8, 0);
    close(ends[1]);
    char c;
    while (read(ends[0], &c, 1) == 1)
        if (write(fd, &c, 1) != 1)
            _exit(0); /* after the end nobody need listen */
}

static void the_answer_may_come_byte_by_byte_and_ends_at_its_end(void **state)
{
    (void)state;
    announce(0);
    assert_string_equal(run_cgi(answer_byte_by_byte, "", 0), "Status: 200 OK\r\n\r\nhello");
}

static void die(int fd)
{
    (void)fd;
}

static void read_and_die(int fd)
{
    read_request(fd);
}

static void die_in_the_answer(int fd)
{
    read_request(fd);
    write_record(fd, 6, "Status: 200 OK\r\n\r\nhalf", 22, 0);
}

static void a_child_without_an_answer_is_answered_for(void **state)
{
    (void)state;
    static char input[BIG];
    announce(sizeof input);
    assert_contains(run_cgi(die, input, sizeof input), "Status: 500 ");
    assert_contains(output, "{\"error\":{\"code\":\"internal\"");
    assert_contains(run_cgi(read_and_die, input, sizeof input), "Status: 500 ");
    assert_string_equal(run_cgi(die_in_the_answer, input, sizeof input), "Status: 200 OK\r\n\r\nhalf");
}

static void be_busy(int fd)
{
    (void)fd;
    _exit(CGI_EXIT_BUSY);
}

static void be_killed(int fd)
{
    (void)fd;
    (void)raise(SIGKILL);
}

static void a_child_that_gets_no_resources_is_answered_with_try_again(void **state)
{
    (void)state;
    announce(0);
    assert_contains(run_cgi(be_busy, "", 0), "Status: 503 ");
    assert_contains(output, "Retry-After: 5");
    assert_contains(run_cgi(be_killed, "", 0), "Status: 500 ");
}

/* run_cgi() holds standard input open: it would wait for ever. */
static void a_get_without_a_length_has_no_body(void **state)
{
    (void)state;
    unsetenv("CONTENT_LENGTH");
    setenv("REQUEST_METHOD", "GET", 1);
    assert_string_equal(run_cgi(echo, "", 0), "|");
    unsetenv("REQUEST_METHOD");
}

static void answer_much(int fd)
{
    static char part[50000];
    read_request(fd);
    memset(part, 'x', sizeof part);
    for (int i = 0; i < 20; i++)
        write_record(fd, 6, part, sizeof part, 0);
    write_end(fd);
}

static void an_output_that_does_not_block_gets_all_the_same(void **state)
{
    (void)state;
    announce(0);
    output_is_nonblocking = true;
    assert_int_equal(strlen(run_cgi(answer_much, "", 0)), 20 * 50000);
    output_is_nonblocking = false;
}

static void environment_that_is_too_large_is_refused(void **state)
{
    (void)state;
    static char value[100 * 1024];
    char name[16];
    memset(value, 'v', sizeof value - 1);
    announce(0);
    for (int i = 0; i < 12; i++) {
        (void)snprintf(name, sizeof name, "BIG%d", i);
        setenv(name, value, 1);
    }
    assert_contains(run_cgi(echo, "", 0), "Status: 431 ");
    for (int i = 0; i < 12; i++) {
        (void)snprintf(name, sizeof name, "BIG%d", i);
        unsetenv(name);
    }
}

static void answer_unread(int fd)
{
    write_record(fd, 6, "Status: 413 \r\n\r\nno", 18, 0);
    write_end(fd);
}

/* It is more than a pipe and a socket pair hold. */
static void a_body_that_nobody_reads_is_read_away(void **state)
{
    (void)state;
    static char input[BIG];
    announce(sizeof input);
    assert_string_equal(run_cgi(answer_unread, input, sizeof input), "Status: 413 \r\n\r\nno");
    assert_true(input_was_taken);
    (void)run_cgi(die, input, sizeof input);
    assert_true(input_was_taken);
}

static void tell_session(int fd)
{
    char text[64];
    read_request(fd);
    bool own = getsid(0) == getpid(), quiet = lseek(STDOUT_FILENO, 0, SEEK_CUR) == 0;
    int len = snprintf(text, sizeof text, "%d %d %d", own, quiet, fcntl(9, F_GETFD) < 0 && errno == EBADF);
    write_record(fd, 6, text, (size_t)len, 0);
    write_end(fd);
}

static void the_child_has_a_session_of_its_own_and_no_descriptor_of_the_host(void **state)
{
    (void)state;
    announce(0);
    assert_int_equal(dup2(STDERR_FILENO, 9), 9);
    assert_string_equal(run_cgi(tell_session, "", 0), "1 1 1");
    close(9);
}

static void without_cgi_variables_it_is_no_cgi_program(void **state)
{
    (void)state;
    setenv("GATEWAY_INTERFACE", "CGI/1.1", 1);
    assert_true(cgi_is_asked());
    unsetenv("GATEWAY_INTERFACE");
    assert_false(cgi_is_asked());
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(variables_and_body_arrive_whatever_their_size),
    cmocka_unit_test(the_answer_may_come_byte_by_byte_and_ends_at_its_end),
    cmocka_unit_test(a_child_without_an_answer_is_answered_for),
    cmocka_unit_test(a_body_that_nobody_reads_is_read_away),
    cmocka_unit_test(a_child_that_gets_no_resources_is_answered_with_try_again),
    cmocka_unit_test(a_get_without_a_length_has_no_body),
    cmocka_unit_test(an_output_that_does_not_block_gets_all_the_same),
    cmocka_unit_test(environment_that_is_too_large_is_refused),
    cmocka_unit_test(the_child_has_a_session_of_its_own_and_no_descriptor_of_the_host),
    cmocka_unit_test(without_cgi_variables_it_is_no_cgi_program),
};

UNIT_MAIN(tests)
