/*
 * Tests of src/http/multipart.h: each body is read whole, byte by byte and at every split, always before a page that must not be read.
 */
#include "unit.h"

#include "../../src/base/limits.h"
#include "../../src/http/multipart.h"

#define TYPE "multipart/form-data; boundary=AaB03x"

struct reading {
    struct multipart reader;
    struct buf heard; /* each part as name|file name or -|type|data. and then, when it has ended, a line end */
    int stop_at;      /* which callback says no; 0: none */
    bool open;
};

static bool say(struct reading *reading)
{
    return --reading->stop_at != 0;
}

static bool hear_begin(void *arg, const struct multipart_part *part)
{
    struct reading *reading = arg;
    assert_false(reading->open);
    reading->open = true;
    buf_addf(&reading->heard, "%s|%s|%s|", part->name, part->file_name != NULL ? part->file_name : "-", part->type);
    return say(reading);
}

static bool hear_data(void *arg, const char *bytes, size_t len)
{
    struct reading *reading = arg;
    assert_true(reading->open);
    assert_true(len > 0);
    buf_add(&reading->heard, bytes, len);
    return say(reading);
}

static bool hear_end(void *arg)
{
    struct reading *reading = arg;
    assert_true(reading->open);
    reading->open = false;
    buf_add_text(&reading->heard, ".\n");
    return say(reading);
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct reading *reading = arg;
    return multipart_feed(&reading->reader, bytes, len) == MULTIPART_OK;
}

/* Reads a body; what was heard is in reading->heard, which forget() frees. */
static enum multipart_result read_body(struct reading *reading, const char *type, const struct cut *cut, const char *bytes, size_t len)
{
    const struct multipart_sink sink = {hear_begin, hear_data, hear_end, reading};
    buf_init(&reading->heard, 4 << 20);
    reading->open = false;
    if (multipart_init(&reading->reader, type, sink) == MULTIPART_OK)
        cut_feed(cut, bytes, len, feed, reading);
    return multipart_end(&reading->reader);
}

static void forget(struct reading *reading)
{
    multipart_free(&reading->reader);
    buf_free(&reading->heard);
}

static void assert_read(const char *type, const char *bytes, size_t len, enum multipart_result result, const char *wanted, size_t wanted_len)
{
    EACH_CUT(cut, len) {
        struct reading reading = {0};
        enum multipart_result came = read_body(&reading, type, &cut, bytes, len);
        if (came != result || (wanted != NULL && strcmp(reading.heard.data, wanted) != 0))
            print_error("cut number %zu: %s\n", cut.number, reading.reader.why != NULL ? reading.reader.why : "no reason");
        assert_int_equal(came, result);
        assert_int_equal(reading.reader.why != NULL, result == MULTIPART_BAD);
        if (wanted != NULL) {
            assert_int_equal(reading.heard.len, wanted_len);
            assert_memory_equal(reading.heard.data, wanted, wanted_len);
        }
        forget(&reading);
    }
}

#define ASSERT_PARTS(body, wanted) assert_read(TYPE, body, sizeof(body) - 1, MULTIPART_OK, wanted, sizeof(wanted) - 1)
#define ASSERT_RESULT(body, result) assert_read(TYPE, body, sizeof(body) - 1, result, NULL, 0)
#define ASSERT_BAD(body, reason) assert_bad(TYPE, body, sizeof(body) - 1, reason)

static void assert_bad(const char *type, const char *bytes, size_t len, const char *reason)
{
    assert_read(type, bytes, len, MULTIPART_BAD, NULL, 0);
    struct reading reading = {0};
    struct cut whole = {0, len > 0 ? len : 1, 1};
    (void)read_body(&reading, type, &whole, bytes, len);
    assert_contains(reading.reader.why, reason);
    forget(&reading);
}

/* A body of one part with this Content-Disposition, its other headers, and the data "x". */
#define FIELD_AND(disposition, more) "--AaB03x\r\nContent-Disposition: " disposition "\r\n" more "\r\nx\r\n--AaB03x--\r\n"
#define FIELD(disposition) FIELD_AND(disposition, "")

/* --- whole forms ---------------------------------------------------------------------------------------------------- */

#define TWO_PARTS                                                                                                           \
    "--AaB03x\r\nContent-Disposition: form-data; name=\"who\"\r\n\r\nLarry\r\n"                                             \
    "--AaB03x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/x\r\n\r\none\r\ntwo\r\n\r\n--AaB03x--\r\n"

static void parts_come_out_with_name_file_name_type_and_data(void **state)
{
    (void)state;
    ASSERT_PARTS(TWO_PARTS, "who|-|text/plain|Larry.\nfile|a.txt|text/x|one\r\ntwo\r\n.\n");
    ASSERT_PARTS("--AaB03x\r\nContent-Disposition: form-data; name=a; filename=b\r\nContent-Type: c/d\r\n\r\n1\r\n" FIELD("form-data; name=e"), "a|b|c/d|1.\ne|-|text/plain|x.\n");
}

static void what_browsers_and_clients_send_is_read(void **state)
{
    (void)state;
    static const char chrome[] = "------WebKitFormBoundaryX7\r\nContent-Disposition: form-data; name=\"file\"; filename=\"gr\xC3\xBC\xC3\x9F.pdf\"\r\n"
                                 "Content-Type: application/pdf\r\n\r\n%PDF\r\n------WebKitFormBoundaryX7--\r\n";
    assert_read("multipart/form-data; boundary=----WebKitFormBoundaryX7", chrome, sizeof chrome - 1, MULTIPART_OK, "file|gr\xC3\xBC\xC3\x9F.pdf|application/pdf|%PDF.\n", 38);
    ASSERT_PARTS(FIELD_AND("form-data; name=\"file\"; filename=\"a\"", "Content-Length: 1\r\nX-Own: y\r\n"), "file|a|text/plain|x.\n");
    ASSERT_PARTS("--AaB03x\r\ncontent-type:text/plain\r\nCONTENT-DISPOSITION:Form-Data;NAME=file;FileName=b\r\n\r\nx\r\n--AaB03x--", "file|b|text/plain|x.\n");
}

static void preamble_epilogue_and_padding_are_passed_over(void **state)
{
    (void)state;
    ASSERT_PARTS("This is a form.\r\n--AaB03\r\n-\r\n" FIELD("form-data; name=a") "and this\r\n--AaB03x\r\nis none of it", "a|-|text/plain|x.\n");
    ASSERT_PARTS("\r\n" FIELD("form-data; name=a"), "a|-|text/plain|x.\n");
    ASSERT_PARTS("--AaB03x \t \r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--AaB03x-- \t", "a|-|text/plain|x.\n");
    ASSERT_PARTS("--AaB03x--", "");
    ASSERT_PARTS("--AaB03x--\r\n", "");
}

static void a_part_may_be_empty(void **state)
{
    (void)state;
    ASSERT_PARTS("--AaB03x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n\r\n--AaB03x--\r\n", "file|a|text/plain|.\n");
    ASSERT_PARTS("--AaB03x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n--AaB03x--\r\n", "file|a|text/plain|.\n");
    ASSERT_PARTS(FIELD_AND("form-data; name=\"file\"; filename=\"\"", "Content-Type: application/octet-stream\r\n"), "file||application/octet-stream|x.\n");
}

static void data_that_begins_like_a_boundary_is_passed_through(void **state)
{
    (void)state;
#define DATA(data) "--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\r\n" data "\r\n--AaB03x--\r\n"
    ASSERT_PARTS(DATA("\r"), "a|-|text/plain|\r.\n");
    ASSERT_PARTS(DATA("\r\n"), "a|-|text/plain|\r\n.\n");
    ASSERT_PARTS(DATA("\r\r\n\r\n-\r\n--\r\n--A\r\n--AaB03\r\n--AaB03X"), "a|-|text/plain|\r\r\n\r\n-\r\n--\r\n--A\r\n--AaB03\r\n--AaB03X.\n");
    ASSERT_PARTS(DATA("--AaB03"), "a|-|text/plain|--AaB03.\n");
    ASSERT_PARTS(DATA("-"), "a|-|text/plain|-.\n");
    ASSERT_PARTS(DATA("x--AaB03x\n--AaB03x--\r--AaB03x"), "a|-|text/plain|x--AaB03x\n--AaB03x--\r--AaB03x.\n");
    ASSERT_PARTS(DATA("\r\n--AaB03\r\n--AaB0"), "a|-|text/plain|\r\n--AaB03\r\n--AaB0.\n");
    ASSERT_PARTS(DATA("a\0b"), "a|-|text/plain|a\0b.\n");
}

static void a_large_file_of_near_boundaries_comes_through_whole(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    static char file[SIZE];
    static const char *const pieces[] = {"\r\n--AaB03", "\r\n-", "\r\n--A", "\r\r\n", "x--AaB03x", "x\n--AaB03x--"}; /* none but the first becomes the boundary, … */
    uint64_t seed = 4711;
    size_t len = 0;
    while (len < SIZE - 16) {
        const char *piece = pieces[unit_random(&seed) % 6];
        size_t n = strlen(piece);
        memcpy(file + len, piece, n);
        len += n;
        file[len++] = "\r\r\r\n-"[unit_random(&seed) % 5]; /* … and its last letter never follows */
    }
    struct buf body, wanted;
    buf_init(&body, SIZE + 1000);
    buf_init(&wanted, SIZE + 1000);
    buf_add_text(&body, "--AaB03x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n");
    buf_add(&body, file, len);
    buf_add_text(&body, "\r\n--AaB03x--\r\n");
    buf_add_text(&wanted, "file|a|text/plain|");
    buf_add(&wanted, file, len);
    buf_add_text(&wanted, ".\n");
    for (size_t step = 1; step <= body.len; step = step < 40 ? step + 1 : step * 7) {
        struct reading reading = {0};
        struct multipart *reader = &reading.reader;
        buf_init(&reading.heard, 4 << 20);
        assert_int_equal(multipart_init(reader, TYPE, (struct multipart_sink){hear_begin, hear_data, hear_end, &reading}), MULTIPART_OK);
        for (size_t at = 0; at < body.len; at += step)
            assert_int_equal(multipart_feed(reader, body.data + at, body.len - at < step ? body.len - at : step), MULTIPART_OK);
        assert_int_equal(multipart_end(reader), MULTIPART_OK);
        assert_int_equal(reading.heard.len, wanted.len);
        assert_memory_equal(reading.heard.data, wanted.data, wanted.len);
        forget(&reading);
    }
    buf_free(&body);
    buf_free(&wanted);
}

static void a_body_that_ends_early_is_short_at_every_byte(void **state)
{
    (void)state;
    static const char body[] = TWO_PARTS;
    size_t whole = sizeof body - 1 - 2; /* the last CRLF is not needed */
    for (size_t len = 0; len <= sizeof body - 1; len++) {
        bool is_whole = len == whole || len == whole + 2;
        struct reading reading = {0};
        struct cut cut = {0, len > 0 ? len : 1, 1};
        assert_int_equal(read_body(&reading, TYPE, &cut, body, len), is_whole ? MULTIPART_OK : MULTIPART_SHORT);
        forget(&reading);
    }
    ASSERT_RESULT("no form at all", MULTIPART_SHORT);
}

static void the_sink_stops_the_reading(void **state)
{
    (void)state;
    static const char *const heard[] = {"who|-|text/plain|", "who|-|text/plain|Larry", "who|-|text/plain|Larry.\n", "who|-|text/plain|Larry.\nfile|a.txt|text/x|"};
    for (int i = 0; i < 4; i++) {
        struct reading reading = {.stop_at = i + 1};
        struct cut whole = {0, sizeof TWO_PARTS - 1, 1};
        assert_int_equal(read_body(&reading, TYPE, &whole, TWO_PARTS, sizeof TWO_PARTS - 1), MULTIPART_STOPPED);
        assert_string_equal(reading.heard.data, heard[i]);
        assert_int_equal(multipart_feed(&reading.reader, "x", 1), MULTIPART_STOPPED);
        forget(&reading);
    }
}

/* --- Content-Type --------------------------------------------------------------------------------------------------- */

#define SEVENTY "1234567890123456789012345678901234567890123456789012345678901234567890"

static void the_boundary_is_taken_from_the_content_type(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"multipart/form-data; boundary=b", "b"},
        {"Multipart/Form-Data;BOUNDARY=\"b\"", "b"},
        {" multipart/form-data ; charset=utf-8 ; boundary=b ; x=\"y;boundary=z\";", "b"},
        {"multipart/form-data; boundary=\"a b'()+_,-./:=?c\"", "a b'()+_,-./:=?c"},
        {"multipart/form-data; boundary=a/b:c=d", "a/b:c=d"},
        {"multipart/form-data; boundary=" SEVENTY, SEVENTY},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char body[200];
        int len = snprintf(body, sizeof body, "--%s\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--%s--\r\n", good[i][1], good[i][1]);
        assert_read(good[i][0], body, (size_t)len, MULTIPART_OK, "a|-|text/plain|x.\n", 18);
    }
}

static void another_content_type_or_boundary_is_bad(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "not multipart/form-data"},
        {"application/json", "not multipart/form-data"},
        {"multipart/mixed; boundary=b", "not multipart/form-data"},
        {"multipart/form-datax; boundary=b", "not multipart/form-data"},
        {"multipart/form-data", "names no boundary"},
        {"multipart/form-data;", "names no boundary"},
        {"multipart/form-data; charset=utf-8", "names no boundary"},
        {"multipart/form-data; xboundary=b", "names no boundary"},
        {"multipart/form-data; boundary", "malformed"},
        {"multipart/form-data; boundary=", "malformed"},
        {"multipart/form-data; boundary=\"b", "malformed"},
        {"multipart/form-data; boundary=\"b\"c", "malformed"},
        {"multipart/form-data; boundary=a, multipart/form-data; boundary=b", "malformed"},
        {"multipart/form-data; boundary=a; boundary=a", "two boundaries"},
        {"multipart/form-data; boundary=\"\"", "1 to 70"},
        {"multipart/form-data; boundary=\"b \"", "1 to 70"},
        {"multipart/form-data; boundary=b{c", "1 to 70"},
        {"multipart/form-data; boundary=\"b\r\nc\"", "1 to 70"},
        {"multipart/form-data; boundary=b\xC3\xA4", "1 to 70"},
        {"multipart/form-data; boundary=" SEVENTY "1", "1 to 70"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_bad(bad[i][0], "", 0, bad[i][1]);
    struct buf long_one;
    buf_init(&long_one, 1 << 20);
    buf_add_text(&long_one, "multipart/form-data; boundary=b; x=");
    for (int i = 0; i < LIMIT_PART_HEADER_BYTES; i++)
        buf_add_char(&long_one, 'x');
    assert_bad(long_one.data, "", 0, "not multipart/form-data");
    buf_free(&long_one);
}

/* --- names ---------------------------------------------------------------------------------------------------------- */

static void quotes_and_escapes_in_names_are_undone(void **state)
{
    (void)state;
    ASSERT_PARTS(FIELD("form-data; name=\"a%22b\""), "a\"b|-|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; name=\"a\\\"b\\\\c\\d\""), "a\"b\\c\\d|-|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; name=\"a; filename=\\\"evil\\\"; name=b\""), "a; filename=\"evil\"; name=b|-|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; x=\"; name=evil\"; name=\"a\""), "a|-|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; name=\"100%20%2\"; filename=\"%41%2F%.txt\""), "100%20%2|%41%2F%.txt|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; name=\"\""), "|-|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; name=\"\xE8\xAA\x9E \xF0\x9F\x98\x80\""), "\xE8\xAA\x9E \xF0\x9F\x98\x80|-|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data;; name=a ; ;"), "a|-|text/plain|x.\n");
}

static void names_that_are_not_text_are_bad(void **state)
{
    (void)state;
    ASSERT_BAD(FIELD("form-data; name=\"a%0D%0AX: y\""), "field holds a control character");
    ASSERT_BAD(FIELD("form-data; name=\"a\tb\""), "field holds a control character");
    ASSERT_BAD(FIELD("form-data; name=\"a\xC2\x85" "b\""), "field holds a control character");
    ASSERT_BAD(FIELD("form-data; name=\"\xFF\""), "field is not UTF-8");
    ASSERT_BAD(FIELD("form-data; name=\"\xED\xA0\x80\""), "field is not UTF-8");
    ASSERT_BAD(FIELD("form-data; name=a; filename=\"\xC3\""), "file is not UTF-8");
}

static void file_names_lose_path_and_control_characters(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"/etc/passwd", "passwd"}, {"../../x", "x"}, {"C:\\dir\\y.txt", "y.txt"}, {"C:\\\\dir\\\\y.txt", "y.txt"}, {"a/b\\c", "c"},
        {"a/", ""}, {"a\\\\", ""}, {"..", ""}, {"x/.", ""},
        {"...", "..."}, {".profile", ".profile"}, {"a%0D%0Ab\tc\xC2\x9B" "d", "abcd"}, {"%0A", ""}, {".%0D.", ""},
        {"%22q%22.txt", "\"q\".txt"}, {"r\xC3\xA9sum\xC3\xA9.pdf", "r\xC3\xA9sum\xC3\xA9.pdf"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char body[300], wanted[100];
        int len = snprintf(body, sizeof body, "--AaB03x\r\nContent-Disposition: form-data; name=f; filename=\"%s\"\r\n\r\nx\r\n--AaB03x--\r\n", names[i][0]);
        int wanted_len = snprintf(wanted, sizeof wanted, "f|%s|text/plain|x.\n", names[i][1]);
        assert_read(TYPE, body, (size_t)len, MULTIPART_OK, wanted, (size_t)wanted_len);
    }
}

static void an_extended_file_name_counts_before_the_plain_one(void **state)
{
    (void)state;
    ASSERT_PARTS(FIELD("form-data; name=f; filename*=UTF-8''r%C3%A9sum%c3%a9.pdf"), "f|r\xC3\xA9sum\xC3\xA9.pdf|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; name=f; filename=\"plain\"; filename*=utf-8'en'b"), "f|b|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; name=f; FILENAME*=utf-8'en'b; filename=\"plain\""), "f|b|text/plain|x.\n");
    ASSERT_PARTS(FIELD("form-data; name=f; filename*=UTF-8''..%2F..%5Cc%0A"), "f|c|text/plain|x.\n");
    ASSERT_BAD(FIELD("form-data; name=f; filename*=iso-8859-1''a"), "percent escapes");
    ASSERT_BAD(FIELD("form-data; name=f; filename*=UTF-8'a"), "percent escapes");
    ASSERT_BAD(FIELD("form-data; name=f; filename*=UTF-8''a%"), "percent escapes");
    ASSERT_BAD(FIELD("form-data; name=f; filename*=UTF-8''a%4"), "percent escapes");
    ASSERT_BAD(FIELD("form-data; name=f; filename*=UTF-8''a%zz"), "percent escapes");
    ASSERT_BAD(FIELD("form-data; name=f; filename*=UTF-8''a%00"), "percent escapes");
    ASSERT_BAD(FIELD("form-data; name=f; filename*=UTF-8''a%FF"), "file is not UTF-8");
}

/* --- headers -------------------------------------------------------------------------------------------------------- */

static void headers_that_are_wrong_are_bad(void **state)
{
    (void)state;
    ASSERT_BAD("--AaB03x\r\n\r\nx\r\n--AaB03x--\r\n", "no name");
    ASSERT_BAD("--AaB03x\r\nContent-Type: text/plain\r\n\r\nx\r\n--AaB03x--\r\n", "no name");
    ASSERT_BAD(FIELD("form-data"), "no name");
    ASSERT_BAD(FIELD("form-data; filename=a"), "no name");
    ASSERT_BAD(FIELD("attachment; name=a"), "not form-data");
    ASSERT_BAD(FIELD(""), "not form-data");
    ASSERT_BAD(FIELD("form-data name=a"), "Content-Disposition of a part is malformed");
    ASSERT_BAD(FIELD("form-data; name"), "Content-Disposition of a part is malformed");
    ASSERT_BAD(FIELD("form-data; name="), "Content-Disposition of a part is malformed");
    ASSERT_BAD(FIELD("form-data; name=\"a"), "Content-Disposition of a part is malformed");
    ASSERT_BAD(FIELD("form-data; name=\"a\\\""), "Content-Disposition of a part is malformed");
    ASSERT_BAD(FIELD("form-data; name=\"a\\"), "Content-Disposition of a part is malformed");
    ASSERT_BAD(FIELD("form-data; name=\"a\"b\""), "Content-Disposition of a part is malformed");
    ASSERT_BAD(FIELD("form-data; name=a; name=b"), "twice");
    ASSERT_BAD(FIELD("form-data; name=a; filename=b; filename=c"), "twice");
    ASSERT_BAD(FIELD("form-data; name=a; filename*=utf-8''b; filename=c; filename*=utf-8''d"), "twice");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Content-Disposition: form-data; filename=b\r\n"), "twice");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Content-Type: a/b\r\nContent-Type: a/b\r\n"), "twice");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "no colon\r\n"), "header of a part is malformed");
    ASSERT_BAD(FIELD_AND("form-data; name=a", ": no name\r\n"), "header of a part is malformed");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Space : x\r\n"), "header of a part is malformed");
    ASSERT_BAD(FIELD_AND("form-data;", " name=a\r\n"), "header of a part is malformed");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Content-Transfer-Encoding: base64\r\n"), "Content-Transfer-Encoding");
    ASSERT_PARTS(FIELD_AND("form-data; name=a", "Content-Transfer-Encoding: BINARY\r\n"), "a|-|text/plain|x.\n");
    ASSERT_PARTS(FIELD_AND("form-data; name=a", "X-Empty:\r\n"), "a|-|text/plain|x.\n");
}

static void media_types_are_checked(void **state)
{
    (void)state;
    ASSERT_PARTS(FIELD_AND("form-data; name=a", "Content-Type: \t text/plain; charset=\"x\" \r\n"), "a|-|text/plain; charset=\"x\"|x.\n");
    ASSERT_PARTS(FIELD_AND("form-data; name=a", "Content-Type:\r\n"), "a|-|text/plain|x.\n");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Content-Type: text\r\n"), "Content-Type of a part");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Content-Type: text/\r\n"), "Content-Type of a part");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Content-Type: /x\r\n"), "Content-Type of a part");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Content-Type: a/b/c\r\n"), "Content-Type of a part");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "Content-Type: a/b; x=\xC3\xA4\r\n"), "Content-Type of a part");
}

static void nothing_injects_a_header(void **state)
{
    (void)state;
    ASSERT_BAD(FIELD("form-data; name=a; filename=\"b\r\nContent-Type: text/html\""), "malformed");
    ASSERT_BAD(FIELD("form-data; name=a; filename=\"b\rContent-Type: text/html\""), "control character");
    ASSERT_BAD(FIELD("form-data; name=a; filename=\"b\nContent-Type: text/html\""), "CR LF");
    ASSERT_BAD(FIELD("form-data; name=a; filename=\"b\0c\""), "control character");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "X-Own: \x1B[2J\r\n"), "control character");
    ASSERT_BAD(FIELD_AND("form-data; name=a", "X-Own: \x7F\r\n"), "control character");
}

static void lines_that_end_in_lf_alone_are_bad(void **state)
{
    (void)state;
    ASSERT_BAD("--AaB03x\nContent-Disposition: form-data; name=a\n\nx\n--AaB03x--\n", "CR LF");
    ASSERT_BAD("--AaB03x\r\nContent-Disposition: form-data; name=a\n\r\nx\r\n--AaB03x--\r\n", "CR LF");
    ASSERT_BAD("--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\nx\r\n--AaB03x--\r\n", "CR LF");
    ASSERT_BAD("--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--AaB03x\n", "CR LF");
    ASSERT_BAD("--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--AaB03x--\n", "CR LF");
    ASSERT_BAD("--AaB03x\r\r\n", "CR LF");
    ASSERT_RESULT("--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\r\nx\n--AaB03x--\n", MULTIPART_SHORT);
}

static void a_boundary_with_something_behind_it_is_bad(void **state)
{
    (void)state;
    ASSERT_BAD("--AaB03xy\r\n", "something else");
    ASSERT_BAD(DATA("x\r\n--AaB03xy"), "something else");
    ASSERT_BAD(DATA("x\r\n--AaB03x-"), "something else");
    ASSERT_BAD(DATA("x\r\n--AaB03x- -"), "something else");
    ASSERT_BAD(DATA("x\r\n--AaB03x --"), "something else");
    ASSERT_BAD(DATA("x\r\n--AaB03x---"), "something else");
    ASSERT_BAD(DATA("x\r\n--AaB03x-- y"), "something else");
}

/* --- limits --------------------------------------------------------------------------------------------------------- */

/* A form whose only part has `head`, then `count` times `filling`, then `tail` for headers. */
static enum multipart_result read_filled(const char *head, const char *filling, size_t count, const char *tail, const char **why)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_addf(&body, "--AaB03x\r\n%s", head);
    for (size_t i = 0; i < count; i++)
        buf_add_text(&body, filling);
    buf_addf(&body, "%s\r\n\r\nx\r\n--AaB03x--\r\n", tail);
    enum multipart_result results[2];
    for (size_t i = 0; i < 2; i++) {
        struct reading reading = {0};
        struct cut cut = {0, i == 0 ? body.len : 1, 1};
        results[i] = read_body(&reading, TYPE, &cut, body.data, body.len);
        *why = reading.reader.why;
        forget(&reading);
    }
    assert_int_equal(results[0], results[1]);
    buf_free(&body);
    return results[0];
}

static void assert_limit(const char *head, const char *filling, size_t most, const char *tail, const char *reason)
{
    const char *why = NULL;
    assert_int_equal(read_filled(head, filling, most, tail, &why), MULTIPART_OK);
    assert_int_equal(read_filled(head, filling, most + 1, tail, &why), MULTIPART_BAD);
    assert_contains(why, reason);
}

static void every_ceiling_is_kept(void **state)
{
    (void)state;
    static const char named[] = "Content-Disposition: form-data; name=a";
    assert_limit("Content-Disposition: form-data; name=\"", "n", LIMIT_FIELD_NAME_BYTES, "\"", "name of a field is too long");
    assert_limit("Content-Disposition: form-data; name=a; filename=\"/a/b/", "n", LIMIT_FILE_NAME_BYTES, "\"", "name of a file is too long");
    assert_limit("Content-Disposition: form-data; name=a; filename*=UTF-8''", "%41", LIMIT_FILE_NAME_BYTES, "", "name of a file is too long");
    assert_limit("Content-Type: text/", "n", LIMIT_MEDIA_TYPE_BYTES - 5, "\r\nContent-Disposition: form-data; name=a", "Content-Type of a part");
    assert_limit(named, "\r\nX: y", LIMIT_PART_HEADERS - 1, "", "too many headers");
    /* all bytes but the LFs: those of the first header, CR, "X:", CR, and the CR of the empty line; fewer than the limit */
    assert_limit("Content-Disposition: form-data; name=a\r\nX:", "n", LIMIT_PART_HEADER_BYTES - 1 - (sizeof named - 1) - 1 - 2 - 1 - 1, "", "headers of a part are too long");
    assert_limit("Content-Disposition: form-data; name=a", "\r\n\r\nx\r\n--AaB03x\r\nContent-Disposition: form-data; name=b", LIMIT_FORM_PARTS - 1, "", "too many parts");
}

static void a_header_that_never_ends_is_not_stored(void **state)
{
    (void)state;
    struct reading reading = {0};
    buf_init(&reading.heard, 100);
    assert_int_equal(multipart_init(&reading.reader, TYPE, (struct multipart_sink){hear_begin, hear_data, hear_end, &reading}), MULTIPART_OK);
    assert_int_equal(multipart_feed(&reading.reader, "--AaB03x\r\n", 10), MULTIPART_OK);
    size_t fed = 0;
    while (multipart_feed(&reading.reader, "xxxxxxxxxxxxxxxx", 16) == MULTIPART_OK)
        fed += 16;
    assert_true(fed < LIMIT_PART_HEADER_BYTES);
    assert_int_equal(multipart_end(&reading.reader), MULTIPART_BAD);
    forget(&reading);
}

/* --- trouble -------------------------------------------------------------------------------------------------------- */

/* As hear_…, without memory of their own. */
static bool pass_begin(void *arg, const struct multipart_part *part)
{
    *(size_t *)arg += strlen(part->name);
    return true;
}

static bool pass_data(void *arg, const char *bytes, size_t len)
{
    (void)bytes;
    *(size_t *)arg += len;
    return true;
}

static bool pass_end(void *arg)
{
    *(size_t *)arg += 1;
    return true;
}

static void lack_of_memory_ends_the_reading_wherever_it_comes(void **state)
{
    (void)state;
    static const char body[] = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''a.txt\r\nContent-Type: text/x\r\n\r\none\r\n--b--\r\n";
    enum multipart_result result = MULTIPART_NO_MEMORY;
    long calls = 0;
    for (; result != MULTIPART_OK && calls < 100; calls++) {
        struct multipart reader;
        size_t passed = 0;
        mem_fail_after(calls);
        result = multipart_init(&reader, "multipart/form-data; boundary=b", (struct multipart_sink){pass_begin, pass_data, pass_end, &passed});
        for (size_t i = 0; i < sizeof body - 1 && result == MULTIPART_OK; i++)
            result = multipart_feed(&reader, body + i, 1);
        if (result == MULTIPART_OK)
            result = multipart_end(&reader);
        mem_fail_after(-1);
        assert_true(result == MULTIPART_OK || result == MULTIPART_NO_MEMORY);
        assert_int_equal(multipart_end(&reader), result);
        assert_true(result != MULTIPART_OK || passed == 8);
        multipart_free(&reader);
    }
    assert_true(calls > 5); /* value, line, and three texts at least */
    assert_true(calls < 100);
}

static void nothing_breaks_on_garbage_and_cuts_never_matter(void **state)
{
    (void)state;
    static const char body[] = "pre\r\n" TWO_PARTS "post";
    static const char *const pieces[] = {"\r\n--AaB03x", "--", "\r", "\n", "\"", "\\", ";", "%22", "filename*=UTF-8''", "\r\n\r\n", "\xC3", "name=", "\r\n--AaB03x--", "\t"};
    uint64_t seed = 1;
    size_t counts[MULTIPART_NO_MEMORY + 1] = {0};
    for (int round = 0; round < 20000; round++) {
        char bytes[512];
        size_t len = sizeof body - 1;
        memcpy(bytes, body, len);
        for (uint32_t changes = unit_random(&seed) % 4; changes > 0; changes--) {
            size_t at = unit_random(&seed) % len, gone = unit_random(&seed) % 8;
            const char *piece = pieces[unit_random(&seed) % (sizeof pieces / sizeof pieces[0])];
            size_t n = strlen(piece);
            gone = gone < len - at ? gone : len - at;
            if (unit_random(&seed) % 3 == 0) {
                bytes[at] = (char)unit_random(&seed);
                continue;
            }
            memmove(bytes + at + n, bytes + at + gone, len - at - gone);
            memcpy(bytes + at, piece, n);
            len += n - gone;
        }
        struct cut whole = {0, len, 1}, random = {1, 1 + unit_random(&seed) % len, 1 + unit_random(&seed) % 9};
        struct reading one = {0}, other = {0};
        enum multipart_result result = read_body(&one, TYPE, &whole, bytes, len);
        assert_int_equal(read_body(&other, TYPE, &random, bytes, len), result);
        assert_ptr_equal(one.reader.why, other.reader.why);
        assert_int_equal(one.heard.len, other.heard.len);
        assert_memory_equal(one.heard.data, other.heard.data, one.heard.len);
        counts[result]++;
        forget(&one);
        forget(&other);
    }
    assert_true(counts[MULTIPART_OK] > 100 && counts[MULTIPART_SHORT] > 100 && counts[MULTIPART_BAD] > 100); /* the mutations reach everything */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(parts_come_out_with_name_file_name_type_and_data),
    cmocka_unit_test(what_browsers_and_clients_send_is_read),
    cmocka_unit_test(preamble_epilogue_and_padding_are_passed_over),
    cmocka_unit_test(a_part_may_be_empty),
    cmocka_unit_test(data_that_begins_like_a_boundary_is_passed_through),
    cmocka_unit_test(a_large_file_of_near_boundaries_comes_through_whole),
    cmocka_unit_test(a_body_that_ends_early_is_short_at_every_byte),
    cmocka_unit_test(the_sink_stops_the_reading),
    cmocka_unit_test(the_boundary_is_taken_from_the_content_type),
    cmocka_unit_test(another_content_type_or_boundary_is_bad),
    cmocka_unit_test(quotes_and_escapes_in_names_are_undone),
    cmocka_unit_test(names_that_are_not_text_are_bad),
    cmocka_unit_test(file_names_lose_path_and_control_characters),
    cmocka_unit_test(an_extended_file_name_counts_before_the_plain_one),
    cmocka_unit_test(headers_that_are_wrong_are_bad),
    cmocka_unit_test(media_types_are_checked),
    cmocka_unit_test(nothing_injects_a_header),
    cmocka_unit_test(lines_that_end_in_lf_alone_are_bad),
    cmocka_unit_test(a_boundary_with_something_behind_it_is_bad),
    cmocka_unit_test(every_ceiling_is_kept),
    cmocka_unit_test(a_header_that_never_ends_is_not_stored),
    cmocka_unit_test(lack_of_memory_ends_the_reading_wherever_it_comes),
    cmocka_unit_test(nothing_breaks_on_garbage_and_cuts_never_matter),
};

UNIT_MAIN(tests)
