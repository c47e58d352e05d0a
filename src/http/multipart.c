/*
 * The reader of multipart.h.
 *
 * What is looked for is always the same: the delimiter, which is CRLF, "--" and the boundary (RFC 2046 section 5.1.1). Its CR stands only at its start, so where the bytes stop
 * agreeing with it, nothing but a new CR can begin another one, and bytes that were held because they agreed need not be stored: they are the delimiter's own.
 */
#include "multipart.h"

#include <string.h>
#include <strings.h>

#include "../base/limits.h"
#include "../base/utf8.h"

enum state {
    BODY,      /* before the first delimiter, or in the data of a part */
    TAIL,      /* after a delimiter */
    DASH,      /* after its first hyphen: the last delimiter has two */
    PADDING,   /* after white space that a gateway may have added */
    LINE_END,  /* after the CR of the delimiter's line */
    HEADERS,
    CLOSED,    /* after the last delimiter, on its line */
    CLOSED_CR,
    EPILOGUE
};

enum { SEEN_DISPOSITION = 1, SEEN_NAME = 2, SEEN_FILE_NAME = 4, SEEN_FILE_NAME_STAR = 8, SEEN_TYPE = 16 };

static const char no_crlf[] = "its lines must end in CR LF";

static bool set_result(struct multipart *reader, enum multipart_result result)
{
    reader->result = result;
    return false;
}

static bool set_bad(struct multipart *reader, const char *why)
{
    reader->why = why;
    return set_result(reader, MULTIPART_BAD);
}

/* Whether all appends to `buf` were kept. What goes there is never more than its ceiling, so that only memory can have been lacking. */
static bool is_kept(struct multipart *reader, const struct buf *buf)
{
    return buf_failed(buf) ? set_result(reader, MULTIPART_NO_MEMORY) : true;
}

/* --- values of headers ---------------------------------------------------------------------------------------------- */

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* A token of RFC 9110 section 5.6.2. */
static size_t token_len(const char *text)
{
    return strspn(text, LETTERS_AND_DIGITS "!#$%&'*+-.^_`|~");
}

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t");
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

/* Reads a quoted value from behind its first quote. A backslash hides a quote or another backslash (curl writes so); before anything else it is one itself, as in the paths
   of an old browser. The place behind the last quote, or NULL. */
static const char *read_quoted(const char *text, struct buf *value)
{
    for (; *text != '"'; text++) {
        if (*text == '\\' && (text[1] == '"' || text[1] == '\\'))
            text++;
        if (*text == '\0')
            return NULL;
        buf_add_char(value, *text);
    }
    return text + 1;
}

/* Whether a media type may end before `c`. */
static bool ends_word(char c)
{
    return c == '\0' || c == ';' || c == ' ' || c == '\t';
}

struct parameter {
    const char *name; /* in the header's text, NULL: there is no further one */
    size_t name_len;
};

/* Reads the next `; name=value` at *at, the value into `value`. False: that is not what stands there. Values without quotes may hold more than RFC 9110 allows: boundaries
   with a slash, a colon or an equals sign are seen unquoted. */
static bool read_parameter(const char **at, struct parameter *parameter, struct buf *value)
{
    const char *c = skip_space(*at);
    *parameter = (struct parameter){NULL, 0};
    buf_clear(value);
    if (*c != ';' && *c != '\0')
        return false;
    while (*c == ';')
        c = skip_space(c + 1);
    *at = c;
    if (*c == '\0')
        return true;
    *parameter = (struct parameter){c, token_len(c)};
    c += parameter->name_len;
    if (parameter->name_len == 0 || *c++ != '=')
        return false;
    if (*c == '"') {
        *at = read_quoted(c + 1, value);
        return *at != NULL;
    }
    size_t len = strcspn(c, "; \t\"");
    buf_add(value, c, len);
    *at = c + len;
    return len > 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "%xx" at `text` stands for; -1: it is no such thing. Never reads behind a NUL. */
static int escaped_byte(const char *text)
{
    int high = text[0] == '%' ? hex_value(text[1]) : -1;
    int low = high >= 0 ? hex_value(text[2]) : -1;
    return low >= 0 ? high << 4 | low : -1;
}

/* Decodes the three escapes that browsers write (HTML, "multipart/form-data encoding algorithm"). They leave every other percent sign as it is, so we do. */
static void decode_browser_escapes(struct buf *value)
{
    size_t len = 0;
    if (value->len == 0)
        return;
    for (size_t i = 0; i < value->len; i++) {
        int byte = escaped_byte(value->data + i);
        bool is_escape = byte == '"' || byte == '\r' || byte == '\n';
        value->data[len++] = is_escape ? (char)byte : value->data[i];
        i += is_escape ? 2 : 0;
    }
    value->len = len;
    value->data[len] = '\0';
}

/* Decodes `UTF-8'language'text` with percent escapes (RFC 8187 section 3.2). False: it is something else. */
static bool decode_extended(struct buf *value)
{
    static const char charset[] = "UTF-8'";
    if (strncasecmp(value->data, charset, sizeof charset - 1) != 0)
        return false;
    const char *text = strchr(value->data + sizeof charset - 1, '\'');
    if (text == NULL)
        return false;
    size_t len = 0;
    for (text++; *text != '\0'; text++) {
        int byte = (unsigned char)*text;
        if (*text == '%') {
            byte = escaped_byte(text);
            text += 2;
        }
        if (byte <= 0)
            return false;
        value->data[len++] = (char)byte;
    }
    value->len = len;
    value->data[len] = '\0';
    return true;
}

/* C0, DEL and C1. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F);
}

/* Appends valid UTF-8 without its control characters. */
static void add_without_controls(struct buf *buf, const char *text, size_t len)
{
    uint32_t code = 0;
    int n;
    for (size_t i = 0; i < len && (n = utf8_read(text + i, len - i, &code)) > 0; i += (size_t)n)
        if (!is_control(code))
            buf_add(buf, text + i, (size_t)n);
}

/* --- the headers of a part ------------------------------------------------------------------------------------------- */

static bool take_name(struct multipart *reader)
{
    struct buf *value = &reader->value;
    decode_browser_escapes(value);
    if (value->len > LIMIT_FIELD_NAME_BYTES)
        return set_bad(reader, "the name of a field is too long");
    if (!utf8_valid(value->data, value->len))
        return set_bad(reader, "the name of a field is not UTF-8");
    add_without_controls(&reader->name, value->data, value->len);
    if (!is_kept(reader, &reader->name))
        return false;
    return reader->name.len == value->len ? true : set_bad(reader, "the name of a field holds a control character");
}

static bool take_file_name(struct multipart *reader)
{
    const struct buf *value = &reader->value;
    if (!utf8_valid(value->data, value->len))
        return set_bad(reader, "the name of a file is not UTF-8");
    size_t start = value->len;
    while (start > 0 && value->data[start - 1] != '/' && value->data[start - 1] != '\\')
        start--;
    if (value->len - start > LIMIT_FILE_NAME_BYTES)
        return set_bad(reader, "the name of a file is too long");
    struct buf *name = &reader->file_name;
    buf_clear(name);
    add_without_controls(name, value->data + start, value->len - start);
    if (!is_kept(reader, name))
        return false;
    if (strcmp(name->data, ".") == 0 || strcmp(name->data, "..") == 0)
        buf_clear(name);
    return true;
}

/* Notes that the headers have said something; false when it was said before. */
static bool see(struct multipart *reader, unsigned what)
{
    if ((reader->seen & what) != 0)
        return set_bad(reader, "a part says something twice");
    reader->seen |= what;
    return true;
}

/* One parameter of Content-Disposition, its value in reader->value. filename* is for clients that cannot write a name otherwise, and counts before filename (RFC 6266 section
   4.3), although RFC 7578 section 4.2 would not have it. */
static bool take_parameter(struct multipart *reader, const struct parameter *parameter)
{
    if (is_word(parameter->name, parameter->name_len, "name"))
        return see(reader, SEEN_NAME) && take_name(reader);
    if (is_word(parameter->name, parameter->name_len, "filename")) {
        decode_browser_escapes(&reader->value);
        return see(reader, SEEN_FILE_NAME) && ((reader->seen & SEEN_FILE_NAME_STAR) != 0 || take_file_name(reader));
    }
    if (is_word(parameter->name, parameter->name_len, "filename*")) {
        if (!see(reader, SEEN_FILE_NAME_STAR))
            return false;
        return decode_extended(&reader->value) ? take_file_name(reader) : set_bad(reader, "the parameter filename* is not UTF-8 in percent escapes");
    }
    return true;
}

static bool take_disposition(struct multipart *reader, const char *value)
{
    size_t len = token_len(value);
    struct parameter parameter;
    if (!is_word(value, len, "form-data"))
        return set_bad(reader, "the Content-Disposition of a part is not form-data");
    value += len;
    do {
        bool is_good = read_parameter(&value, &parameter, &reader->value);
        if (!is_kept(reader, &reader->value))
            return false;
        if (!is_good)
            return set_bad(reader, "the Content-Disposition of a part is malformed");
        if (parameter.name != NULL && !take_parameter(reader, &parameter))
            return false;
    } while (parameter.name != NULL);
    return true;
}

/* Keeps a media type (RFC 9110 section 8.3.1). Its parameters are not looked at, beyond that they are ASCII. */
static bool take_type(struct multipart *reader, const char *value)
{
    size_t len = strlen(value), type = token_len(value);
    size_t subtype = value[type] == '/' ? token_len(value + type + 1) : 0;
    bool is_type = type > 0 && subtype > 0 && ends_word(value[type + 1 + subtype]);
    for (const char *c = value; *c != '\0'; c++)
        is_type = is_type && (unsigned char)*c < 0x80;
    if (len > 0 && (!is_type || len > LIMIT_MEDIA_TYPE_BYTES))
        return set_bad(reader, "the Content-Type of a part is malformed");
    buf_add(&reader->type, value, len);
    return is_kept(reader, &reader->type);
}

static bool is_identity(const char *encoding)
{
    return strcasecmp(encoding, "binary") == 0 || strcasecmp(encoding, "8bit") == 0 || strcasecmp(encoding, "7bit") == 0;
}

/* One header, without the white space around its value. Those that are not known are passed over (RFC 7578 section 4.8). */
static bool take_header(struct multipart *reader, const char *name, size_t name_len, const char *value)
{
    if (is_word(name, name_len, "Content-Disposition"))
        return see(reader, SEEN_DISPOSITION) && take_disposition(reader, value);
    if (is_word(name, name_len, "Content-Type"))
        return see(reader, SEEN_TYPE) && take_type(reader, value);
    if (is_word(name, name_len, "Content-Transfer-Encoding") && !is_identity(value))
        return set_bad(reader, "a part has a Content-Transfer-Encoding");
    return true;
}

/* The line in reader->line, which has lost its end. A line that begins with white space would go on the one before (RFC 5322 section 2.2.3): nobody writes forms so, and a name
   cannot begin with it. */
static bool take_line(struct multipart *reader)
{
    struct buf *line = &reader->line;
    for (size_t i = 0; i < line->len; i++)
        if (((unsigned char)line->data[i] < 0x20 && line->data[i] != '\t') || line->data[i] == 0x7F)
            return set_bad(reader, "a header of a part holds a control character");
    size_t name_len = token_len(line->data);
    if (name_len == 0 || line->data[name_len] != ':')
        return set_bad(reader, "a header of a part is malformed");
    if (++reader->headers > LIMIT_PART_HEADERS)
        return set_bad(reader, "a part has too many headers");
    while (line->data[line->len - 1] == ' ' || line->data[line->len - 1] == '\t')
        line->data[--line->len] = '\0'; /* the colon stops it */
    return take_header(reader, line->data, name_len, skip_space(line->data + name_len + 1));
}

static void expect_delimiter(struct multipart *reader)
{
    reader->state = BODY;
    reader->matched = reader->unreal = 2; /* the line before has ended: "--" and the boundary would do */
}

static bool begin_part(struct multipart *reader)
{
    if ((reader->seen & SEEN_NAME) == 0)
        return set_bad(reader, "a part has no name");
    const struct multipart_part part = {
        .name = reader->name.data,
        .file_name = (reader->seen & (SEEN_FILE_NAME | SEEN_FILE_NAME_STAR)) != 0 ? reader->file_name.data : NULL,
        .type = reader->type.len > 0 ? reader->type.data : "text/plain", /* RFC 7578 section 4.4 */
    };
    reader->in_part = true;
    expect_delimiter(reader);
    return reader->sink.begin(reader->sink.arg, &part) ? true : set_result(reader, MULTIPART_STOPPED);
}

static bool end_line(struct multipart *reader)
{
    struct buf *line = &reader->line;
    if (line->len == 0 || line->data[line->len - 1] != '\r')
        return set_bad(reader, no_crlf);
    line->data[--line->len] = '\0';
    bool go_on = line->len == 0 ? begin_part(reader) : take_line(reader);
    buf_clear(line);
    return go_on;
}

/* Takes bytes up to the end of a line. Returns how many. */
static size_t take_headers(struct multipart *reader, const char *bytes, size_t len)
{
    const char *lf = memchr(bytes, '\n', len);
    size_t n = lf != NULL ? (size_t)(lf - bytes) : len;
    if (n >= LIMIT_PART_HEADER_BYTES - reader->header_bytes) {
        (void)set_bad(reader, "the headers of a part are too long"); /* what it returns is for callers that pass it on */
        return len;
    }
    reader->header_bytes += n;
    buf_add(&reader->line, bytes, n);
    if (!is_kept(reader, &reader->line) || lf == NULL)
        return n;
    (void)end_line(reader); /* false is in `result` */
    return n + 1;
}

/* --- delimiters and data ---------------------------------------------------------------------------------------------- */

static void begin_headers(struct multipart *reader)
{
    reader->state = HEADERS;
    reader->headers = reader->header_bytes = reader->seen = 0;
    buf_clear(&reader->line);
    buf_clear(&reader->name);
    buf_clear(&reader->file_name);
    buf_clear(&reader->type);
    if (++reader->parts > LIMIT_FORM_PARTS)
        (void)set_bad(reader, "it has too many parts");
}

static void end_part(struct multipart *reader)
{
    if (reader->in_part && !reader->sink.end(reader->sink.arg))
        (void)set_result(reader, MULTIPART_STOPPED);
    reader->in_part = false;
}

/* The line of a delimiter has ended. */
static void end_tail(struct multipart *reader)
{
    if (reader->state == CLOSED_CR) {
        reader->state = EPILOGUE;
        return;
    }
    end_part(reader);
    if (reader->result == MULTIPART_OK)
        begin_headers(reader);
}

/* One byte on the line of a delimiter. A line that goes on with anything else holds the boundary all the same (RFC 2046 section 5.1.1 has it compared with the beginning of the
   line), where it must not be. */
static void take_tail(struct multipart *reader, char c)
{
    bool is_closed = reader->state == CLOSED, is_past_cr = reader->state == LINE_END || reader->state == CLOSED_CR;
    if (is_past_cr && c == '\n') {
        end_tail(reader);
    } else if (reader->state == TAIL && c == '-') {
        reader->state = DASH;
    } else if (reader->state == DASH && c == '-') {
        reader->state = CLOSED;
        end_part(reader);
    } else if (reader->state != DASH && !is_past_cr && (c == ' ' || c == '\t')) {
        reader->state = is_closed ? CLOSED : PADDING;
    } else if (reader->state != DASH && !is_past_cr && c == '\r') {
        reader->state = is_closed ? CLOSED_CR : LINE_END;
    } else {
        (void)set_bad(reader, is_past_cr || c == '\n' ? no_crlf : "the line of a boundary holds something else"); /* `result` has it */
    }
}

/* Gives out data of the part; what stands before the first part is dropped. */
static void give_data(struct multipart *reader, const char *bytes, size_t len)
{
    if (len > 0 && reader->in_part && !reader->sink.data(reader->sink.arg, bytes, len))
        (void)set_result(reader, MULTIPART_STOPPED);
}

/* Goes on with a delimiter that may have begun in earlier bytes. Returns how many belong to it; when it turns out to be none, what was held of it is given out. */
static size_t match_on(struct multipart *reader, const char *bytes, size_t len)
{
    size_t n = 0, held = reader->matched, unreal = reader->unreal;
    while (n < len && reader->matched < reader->delimiter_len && bytes[n] == reader->delimiter[reader->matched]) {
        reader->matched++;
        n++;
    }
    if (n == len || reader->matched == reader->delimiter_len)
        return n;
    reader->matched = reader->unreal = 0;
    give_data(reader, reader->delimiter + unreal, held - unreal);
    return 0; /* the rest of it is data as well, and still to come */
}

/* Where a delimiter, or as much of one as fits before the end, begins; `len`: nowhere. */
static size_t find_delimiter(const struct multipart *reader, const char *bytes, size_t len)
{
    const char *cr;
    for (size_t at = 0; at < len && (cr = memchr(bytes + at, '\r', len - at)) != NULL; at++) {
        at = (size_t)(cr - bytes);
        size_t n = len - at < reader->delimiter_len ? len - at : reader->delimiter_len;
        if (memcmp(cr, reader->delimiter, n) == 0)
            return at;
    }
    return len;
}

/* Takes bytes up to the end of a delimiter. Returns how many. */
static size_t take_data(struct multipart *reader, const char *bytes, size_t len)
{
    size_t taken = 0;
    if (reader->matched == 0 || ((taken = match_on(reader, bytes, len)) == 0 && reader->result == MULTIPART_OK)) {
        taken = find_delimiter(reader, bytes, len);
        give_data(reader, bytes, taken);
        if (reader->result == MULTIPART_OK)
            taken += match_on(reader, bytes + taken, len - taken);
    }
    if (reader->matched == reader->delimiter_len) {
        reader->state = TAIL;
        reader->matched = reader->unreal = 0;
    }
    return taken;
}

enum multipart_result multipart_feed(struct multipart *reader, const char *bytes, size_t len)
{
    while (len > 0 && reader->result == MULTIPART_OK && reader->state != EPILOGUE) {
        size_t n = 1;
        if (reader->state == BODY)
            n = take_data(reader, bytes, len);
        else if (reader->state == HEADERS)
            n = take_headers(reader, bytes, len);
        else
            take_tail(reader, *bytes);
        bytes += n;
        len -= n;
    }
    return reader->result;
}

enum multipart_result multipart_end(struct multipart *reader)
{
    if (reader->result == MULTIPART_OK && reader->state != EPILOGUE && reader->state != CLOSED)
        reader->result = MULTIPART_SHORT;
    return reader->result;
}

/* --- beginning and end -------------------------------------------------------------------------------------------------- */

/* RFC 2046 section 5.1.1: these, and a space that is not the last. */
static bool is_boundary(const char *text, size_t len)
{
    return len > 0 && len <= MULTIPART_BOUNDARY_BYTES && strspn(text, LETTERS_AND_DIGITS "'()+_,-./:=? ") == len && text[len - 1] != ' ';
}

static bool take_boundary(struct multipart *reader)
{
    const struct buf *value = &reader->value;
    if (reader->delimiter_len > 0)
        return set_bad(reader, "its Content-Type names two boundaries");
    if (!is_boundary(value->data, value->len))
        return set_bad(reader, "its boundary is not 1 to 70 of the characters allowed");
    memcpy(reader->delimiter, "\r\n--", 4);
    memcpy(reader->delimiter + 4, value->data, value->len);
    reader->delimiter_len = 4 + value->len;
    return true;
}

static bool take_content_type(struct multipart *reader, const char *type)
{
    static const char form[] = "multipart/form-data";
    struct parameter parameter = {NULL, 0};
    type = skip_space(type);
    if (strncasecmp(type, form, sizeof form - 1) != 0 || !ends_word(type[sizeof form - 1]) || strlen(type) > LIMIT_PART_HEADER_BYTES)
        return set_bad(reader, "its Content-Type is not multipart/form-data");
    type += sizeof form - 1;
    do {
        bool is_good = read_parameter(&type, &parameter, &reader->value);
        if (!is_kept(reader, &reader->value))
            return false;
        if (!is_good)
            return set_bad(reader, "its Content-Type is malformed");
        if (parameter.name != NULL && is_word(parameter.name, parameter.name_len, "boundary") && !take_boundary(reader))
            return false;
    } while (parameter.name != NULL);
    return reader->delimiter_len > 0 ? true : set_bad(reader, "its Content-Type names no boundary");
}

enum multipart_result multipart_init(struct multipart *reader, const char *content_type, struct multipart_sink sink)
{
    *reader = (struct multipart){.sink = sink};
    buf_init(&reader->line, LIMIT_PART_HEADER_BYTES);
    buf_init(&reader->value, LIMIT_PART_HEADER_BYTES);
    buf_init(&reader->name, LIMIT_FIELD_NAME_BYTES);
    buf_init(&reader->file_name, LIMIT_FILE_NAME_BYTES);
    buf_init(&reader->type, LIMIT_MEDIA_TYPE_BYTES);
    (void)take_content_type(reader, content_type); /* false is in `result` */
    expect_delimiter(reader);
    return reader->result;
}

void multipart_free(struct multipart *reader)
{
    buf_free(&reader->line);
    buf_free(&reader->value);
    buf_free(&reader->name);
    buf_free(&reader->file_name);
    buf_free(&reader->type);
}
