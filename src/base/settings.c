/*
 * The rows behind settings.h and the reader of the KEY=VALUE file.
 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "buf.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "secrets.h"

struct settings settings;

enum kind {
    TEXT,
    SECRET,  /* a text that is never shown */
    CHOICE,  /* a text that is one of those in `choices` */
    WHOLE,   /* int64_t */
    NUMBER,  /* double */
    SECONDS, /* given in seconds with a fraction, kept as int64_t milliseconds */
    FLAG     /* `on` or `off`, and their usual other names */
};

struct row {
    const char *name, *alias; /* alias: another name that people know, or NULL */
    enum kind kind;
    size_t field; /* offset in struct settings */
    const char *standard;
    double least, most;
    const char *choices; /* " a b c " */
    const char *help;
    char *value; /* what was set, NULL: the default holds */
};

#define FIELD(name) offsetof(struct settings, name)

static struct row rows[] = {
    {"PARLEY_DB", NULL, TEXT, FIELD(db_path), "var/parley.db", 0, 0, NULL,
     "The SQLite file. A relative path starts at the folder that holds `cgi-bin`.", NULL},
    {"PARLEY_JSON", NULL, TEXT, FIELD(config_file), "parley.json", 0, 0, NULL,
     "The file with the settings that have structure: providers of your own, … It need not be there. A relative path starts as PARLEY_DB's.", NULL},
    {"LLM_MODEL", "OPENAI_MODEL", TEXT, FIELD(llm_model), "gpt-4o", 0, 0, NULL,
     "The model that answers, as `provider/model` (docs/providers.md) or by its own name. With no address and no key set, the built-in `demo` does.", NULL},
    {"LLM_FALLBACKS", NULL, TEXT, FIELD(llm_fallbacks), "", 0, 0, NULL,
     "Models that are asked, in this order, when the one before fails before its first word; separated by commas.", NULL},
    {"LLM_BASE_URL", NULL, TEXT, FIELD(llm_base_url), "", 0, 0, NULL,
     "Address of the configured model's provider; without a known provider in LLM_MODEL, of an OpenAI-compatible server, such as `http://127.0.0.1:11434/v1`.", NULL},
    {"OPENAI_API_KEY", NULL, SECRET, FIELD(openai_api_key), "", 0, 0, NULL,
     "Key for OpenAI, or for the server at LLM_BASE_URL. Other providers have variables of their own, such as `ANTHROPIC_API_KEY`.", NULL},
    {"EMBEDDING_MODEL", NULL, TEXT, FIELD(embedding_model), "", 0, 0, NULL, "The model that turns texts into vectors, as `provider/model`.", NULL},
    {"EMBEDDING_BASE_URL", NULL, TEXT, FIELD(embedding_base_url), "", 0, 0, NULL, "Address of its provider, as LLM_BASE_URL is of the model's.", NULL},
    {"MODEL_CONTEXT", NULL, WHOLE, FIELD(model_context), "0", 0, 100e6, NULL,
     "How many tokens the model takes, where the built-in table does not know it. 0: not known, then only HISTORY_MESSAGES bounds the history.", NULL},
    {"PROVIDER_FAILURES", NULL, WHOLE, FIELD(provider_failures), "5", 1, 1000, NULL, "A provider that fails so many times in a row …", NULL},
    {"PROVIDER_REST_SECONDS", NULL, SECONDS, FIELD(provider_rest_ms), "30", 0, 86400, NULL, "… is not asked for so long, while there is another one.", NULL},
    {"SYSTEM_PROMPT", NULL, TEXT, FIELD(system_prompt), "", 0, 0, NULL,
     "Sent before each conversation, unless the request brings its own.", NULL},
    {"TITLE_MODEL", NULL, TEXT, FIELD(title_model), "", 0, 0, NULL,
     "A model that gives new conversations their titles, as `provider/model`. Without it they are called by the first words.", NULL},
    {"SECRET_KEY", "RAGBITS_SECRET_KEY", SECRET, FIELD(secret_key), "", 0, 0, NULL,
     "Signs what clients bring back (an application's state). Without it a key is made and kept in the database.", NULL},
    {"TEMPERATURE", NULL, NUMBER, FIELD(temperature), "0.7", 0, 2, NULL, "Sampling temperature, unless the request says.", NULL},
    {"MAX_TOKENS", NULL, WHOLE, FIELD(max_tokens), "2000", 1, 1e9, NULL, "Longest answer in tokens, unless the request says.", NULL},
    {"HISTORY_MESSAGES", NULL, WHOLE, FIELD(history_messages), "20", 1, LIMIT_HISTORY_MESSAGES, NULL,
     "How many messages of a conversation the model is sent, the new one included.", NULL},
    {"MAX_STREAMS", NULL, WHOLE, FIELD(max_streams), "256", 1, LIMIT_STREAMS, NULL,
     "Answers that are made at a time; beyond: 503 `overloaded`. Counted per process, or over all of them where a process serves one request (plain CGI, mod_fcgid; there without those that are not stored).", NULL},
    {"MAX_STREAMS_PER_USER", NULL, WHOLE, FIELD(max_streams_per_user), "8", 0, LIMIT_STREAMS, NULL,
     "Answers that one signed-in user may have made at a time; beyond: 429 `rate_limited`. Counted as MAX_STREAMS. 0: no limit.", NULL},
    {"MAX_STREAMS_PER_ADDRESS", NULL, WHOLE, FIELD(max_streams_per_address), "32", 0, LIMIT_STREAMS, NULL,
     "The same for one address of the network (IPv6: the first 64 bits). This machine's own are not counted: behind a proxy the host server must be told whom it stands for (mod_remoteip, mod_extforward). 0: no limit.", NULL},
    {"REQUESTS_PER_MINUTE", NULL, WHOLE, FIELD(requests_per_minute), "240", 0, 1e6, NULL,
     "How many answers one signed-in user, or where nobody signs in one address, may ask for within a minute, counted over all processes; beyond: 429 `rate_limited`. 0: no limit.", NULL},
    {"MAX_MESSAGE_CHARS", NULL, WHOLE, FIELD(max_message_chars), "100000", 1, 10e6, NULL, "Longest message, in characters.", NULL},
    {"MAX_BODY_BYTES", NULL, WHOLE, FIELD(max_body_bytes), "8388608", 1024, LIMIT_BODY_BYTES, NULL, "Largest request body.", NULL},
    {"MAX_ANSWER_BYTES", NULL, WHOLE, FIELD(max_answer_bytes), "4194304", 64, LIMIT_ANSWER_BYTES, NULL,
     "Largest answer; what came until then is kept.", NULL},
    {"HEADER_HOLD_SECONDS", NULL, SECONDS, FIELD(header_hold_ms), "5", 0, 60, NULL,
     "How long a stream's headers wait for the provider's first event, so that a failure gets its status.", NULL},
    {"HEARTBEAT_SECONDS", NULL, SECONDS, FIELD(heartbeat_ms), "10", 0.05, 3600, NULL, "Silence on a stream after which a ping is sent.", NULL},
    {"CLIENT_STALL_SECONDS", NULL, SECONDS, FIELD(client_stall_ms), "60", 0.2, 3600, NULL,
     "A client that takes nothing for so long counts as gone.", NULL},
    {"CONNECT_TIMEOUT_SECONDS", NULL, SECONDS, FIELD(connect_timeout_ms), "10", 0.05, 600, NULL, "Longest wait for a connection to the provider.", NULL},
    {"FIRST_TOKEN_TIMEOUT_SECONDS", NULL, SECONDS, FIELD(first_token_timeout_ms), "300", 0.05, 7200, NULL,
     "Longest wait for the provider's first event.", NULL},
    {"IDLE_TIMEOUT_SECONDS", NULL, SECONDS, FIELD(idle_timeout_ms), "120", 0.05, 7200, NULL, "Longest silence of the provider within an answer.", NULL},
    {"TOTAL_TIMEOUT_SECONDS", NULL, SECONDS, FIELD(total_timeout_ms), "600", 0.05, 86400, NULL, "Longest time for one answer.", NULL},
    {"RETRIES", NULL, WHOLE, FIELD(retries), "2", 0, 10, NULL, "Further attempts when the provider fails before its first event.", NULL},
    {"RETRY_BASE_SECONDS", NULL, SECONDS, FIELD(retry_base_ms), "0.5", 0, 60, NULL,
     "The wait before a retry is random, from nothing to this, doubled for each further one …", NULL},
    {"RETRY_CAP_SECONDS", NULL, SECONDS, FIELD(retry_cap_ms), "8", 0, 300, NULL, "… up to this.", NULL},
    {"RETRY_AFTER_CAP_SECONDS", NULL, SECONDS, FIELD(retry_after_cap_ms), "2", 0, 600, NULL,
     "A provider's Retry-After is obeyed up to this; a longer one is reported to the client at once, while its status can still be sent.", NULL},
    {"LLM_PROXY", NULL, TEXT, FIELD(llm_proxy), "", 0, 0, NULL,
     "Proxy for provider connections. Proxy variables of the environment are not used.", NULL},
    {"LLM_CA_FILE", NULL, TEXT, FIELD(llm_ca_file), "", 0, 0, NULL, "Further certificate authorities (PEM) for provider connections.", NULL},
    {"DB_SYNC", NULL, CHOICE, FIELD(db_sync), "full", 0, 0, " full normal ",
     "`full`: what was acknowledged survives a power cut. `normal`: the last moments may not; a crash of the program loses nothing.", NULL},
    {"DB_BUSY_SECONDS", NULL, SECONDS, FIELD(db_busy_ms), "5", 0, 60, NULL, "Longest wait for another process that holds the database.", NULL},
    {"SHUTDOWN_SECONDS", NULL, SECONDS, FIELD(shutdown_ms), "30", 0, 3600, NULL, "Time for running answers to end when the program is asked to stop.", NULL},
    {"LOG_LEVEL", NULL, CHOICE, FIELD(log_level), "info", 0, 0, " debug info warning warn error ", "`debug`, `info`, `warning` or `error`.", NULL},
    {"APP_HOST", NULL, TEXT, FIELD(app_host), "127.0.0.1", 0, 0, NULL, "Address that `make run` serves on.", NULL},
    {"APP_PORT", NULL, WHOLE, FIELD(app_port), "8000", 1, 65535, NULL, "Port that `make run` serves on.", NULL},
    {"PARLEY_PREFIX", NULL, TEXT, FIELD(prefix), "", 0, 0, NULL,
     "Path below which the host server has the program, such as `/parley`. Not needed for a plain CGI program.", NULL},
    {"CORS_ORIGINS", NULL, TEXT, FIELD(cors_origins), "", 0, 0, NULL,
     "Other sites whose pages may use the API, as `https://host` or `https://host:port`, separated by commas. `*`: every site, but without the visitor's sign-in.", NULL},
    {"HOST_NAMES", NULL, TEXT, FIELD(host_names), "", 0, 0, NULL,
     "Names under which browsers may ask the server, such as `chat.example.org`, separated by commas; `localhost` and addresses always may. Empty: any name, but without sign-in none "
     "from this machine itself.", NULL},
    {"OUTLIVE_HOST", NULL, FLAG, FIELD(outlive_host), "off", 0, 0, NULL,
     "For a host server that kills its programs at once (mod_fcgid) or waits for them (lighttpd): a second process does the work, and running answers are finished.", NULL},
    {"SANDBOX", NULL, FLAG, FIELD(sandbox), "on", 0, 0, NULL,
     "The program, and hooks with it, can open no files but its own and the system's (docs/hosting.md), where the kernel has Landlock. `off`: whatever its user may.", NULL},
    {"SANDBOX_READ", NULL, TEXT, FIELD(sandbox_read), "", 0, 0, NULL,
     "Further files and folders that hooks and applications may read, and run programs from; separated by commas. A relative path starts as PARLEY_DB's.", NULL},
    {"SANDBOX_WRITE", NULL, TEXT, FIELD(sandbox_write), "", 0, 0, NULL, "Further files and folders that they may read and write.", NULL},
    {"REDIS_URL", NULL, TEXT, FIELD(redis_url), "", 0, 0, NULL, "Not needed, and ignored: conversations are in SQLite.", NULL},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static char home[PATH_MAX];
static char settings_path[PATH_MAX + 8]; /* of the file that was read; "": none was */
static FILE *complain_on;
static bool config_is_named; /* PARLEY_JSON was set */

static struct row *row_find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0 || (rows[i].alias != NULL && strcmp(rows[i].alias, name) == 0))
            return &rows[i];
    return NULL;
}

static const char *row_value(const struct row *row)
{
    return row->value != NULL ? row->value : row->standard;
}

static size_t find_credentials(const char *value, const char **start);

/* A password inside an address is a secret like others. */
static void add_credentials(const char *value)
{
    const char *start;
    size_t len = find_credentials(value, &start);
    char *copy = len > 0 ? mem_copy(start) : NULL;
    if (copy == NULL)
        return;
    copy[len] = '\0';
    char *password = strchr(copy, ':');
    secrets_add(password != NULL ? password + 1 : copy);
    mem_free(copy);
}

static bool read_flag(const char *value, bool *flag)
{
    static const char *const names[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(value, names[i]) == 0) {
            *flag = i % 2 != 0;
            return true;
        }
    return false;
}

/* Puts a row's value into its field. False, after a complaint, when the value is not of the row's kind. */
static bool row_apply(const struct row *row)
{
    void *field = (char *)&settings + row->field;
    const char *value = row_value(row);
    char needle[64];
    char *end;
    double number;
    switch (row->kind) {
    case SECRET:
        secrets_add(value);
        *(const char **)field = value;
        return true;
    case TEXT:
        add_credentials(value);
        *(const char **)field = value;
        return true;
    case CHOICE:
        (void)snprintf(needle, sizeof needle, " %s ", value);
        for (char *c = needle; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        if (strchr(value, ' ') == NULL && strstr(row->choices, needle) != NULL) {
            *(const char **)field = value;
            return true;
        }
        (void)fprintf(complain_on, "%s: \"%s\" is not one of:%s\n", row->name, value, row->choices);
        return false;
    case FLAG:
        if (read_flag(value, field))
            return true;
        (void)fprintf(complain_on, "%s: \"%s\" is neither on nor off\n", row->name, value);
        return false;
    case WHOLE:
    case NUMBER:
    case SECONDS:
        number = strtod(value, &end);
        if (value[strspn(value, "+-.0123456789")] != '\0' /* 0x10, 8e3 */ || end == value || *end != '\0' || !(number >= row->least && number <= row->most) ||
            (row->kind == WHOLE && number != floor(number))) {
            (void)fprintf(complain_on, "%s: \"%s\" is not a %s from %.10g to %.10g\n", row->name, value,
                          row->kind == WHOLE ? "whole number" : row->kind == NUMBER ? "number" : "number of seconds", row->least, row->most);
            return false;
        }
        if (row->field == FIELD(app_port)) /* kept as text: it only goes to the host server's configuration */
            *(const char **)field = value;
        else if (row->kind == NUMBER)
            *(double *)field = number;
        else
            *(int64_t *)field = (int64_t)(row->kind == SECONDS ? number * 1000 : number);
        return true;
    }
    return false;
}

static bool row_set(struct row *row, const char *value)
{
    mem_free(row->value);
    row->value = mem_copy(value);
    return row->value != NULL;
}

/* --- variables that are no settings of ours: keys and addresses of providers --------------------------------------- */

static struct foreign {
    char *name, *value, *place; /* place: "file:line" */
    struct foreign *next;
} *foreigns;

static bool keep_foreign(const char *name, const char *value, const char *file, int line)
{
    char place[PATH_MAX + 32];
    (void)snprintf(place, sizeof place, "%.4096s:%d", file, line);
    struct foreign *foreign = mem_new(1, sizeof *foreign);
    if (foreign == NULL)
        return false;
    foreign->name = mem_copy(name);
    foreign->value = mem_copy(value);
    foreign->place = mem_copy(place);
    foreign->next = foreigns; /* the last of two lines is found first */
    foreigns = foreign;
    return foreign->name != NULL && foreign->value != NULL && foreign->place != NULL;
}

void settings_complain(FILE *complaints, bool (*is_known)(const char *name))
{
    for (const struct foreign *foreign = foreigns; foreign != NULL; foreign = foreign->next)
        if (!is_known(foreign->name))
            (void)fprintf(complaints, "%s: %s is not a setting (ignored)\n", foreign->place, foreign->name);
}

const char *settings_foreign(const char *name)
{
    const struct row *row = row_find(name);
    const char *value = row != NULL ? row_value(row) : getenv(name);
    for (const struct foreign *foreign = foreigns; value == NULL && foreign != NULL; foreign = foreign->next)
        if (strcmp(foreign->name, name) == 0)
            value = foreign->value;
    return value != NULL && *value != '\0' ? value : NULL;
}

/* Takes white space off both ends of `text`, in place. */
static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

/* Takes one pair of quotes off `text`, in place; within double quotes \n, \" and \\ are escapes. */
static char *unquote(char *text)
{
    size_t len = strlen(text);
    if (len < 2 || (text[0] != '"' && text[0] != '\'') || text[len - 1] != text[0])
        return text;
    text[len - 1] = '\0';
    if (*text++ == '\'')
        return text;
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        bool escape = in[0] == '\\' && (in[1] == 'n' || in[1] == '"' || in[1] == '\\');
        in += escape;
        *out++ = escape && *in == 'n' ? '\n' : *in;
    }
    *out = '\0';
    return text;
}

static bool read_line(char *line, const char *file, int number)
{
    char *key = trim(line);
    if (*key == '\0' || *key == '#')
        return true;
    if (strncmp(key, "export ", 7) == 0)
        key = trim(key + 7);
    char *equals = strchr(key, '=');
    if (equals == NULL) {
        (void)fprintf(complain_on, "%s:%d: no = in this line\n", file, number);
        return false;
    }
    *equals = '\0';
    key = trim(key);
    struct row *row = row_find(key);
    if (row != NULL)
        return row_set(row, unquote(trim(equals + 1)));
    return keep_foreign(key, unquote(trim(equals + 1)), file, number);
}

/* A file that was not asked for by name may be missing. */
static bool read_file(const char *file, bool required)
{
    FILE *in = fopen(file, "re");
    if (in == NULL) {
        if (!required && errno == ENOENT)
            return true;
        (void)fprintf(complain_on, "%s: %s\n", file, strerror(errno));
        return false;
    }
    (void)snprintf(settings_path, sizeof settings_path, "%s", file);
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    bool good = true;
    for (int number = 1; (len = getline(&line, &size, in)) >= 0; number++) {
        if (len > LIMIT_SETTINGS_LINE_BYTES || strlen(line) != (size_t)len) {
            (void)fprintf(complain_on, "%s:%d: the line is too long or holds a NUL\n", file, number);
            good = false;
        } else if (!read_line(line, file, number)) {
            good = false;
        }
    }
    if (ferror(in)) {
        (void)fprintf(complain_on, "%s: %s\n", file, strerror(errno));
        good = false;
    }
    free(line); /* getline's own */
    (void)fclose(in);
    return good;
}

static void find_home(const char *program)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        (void)snprintf(path, sizeof path, "%s", program);
    else
        path[n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    (void)snprintf(home, sizeof home, "%s", path);
}

const char *settings_home(void)
{
    return home;
}

const char *settings_file(void)
{
    return settings_path;
}

/* A relative path starts at the home folder, whatever the host server's working directory is. */
static bool place_file(const char *name, const char **field)
{
    struct row *row = row_find(name);
    if (row == NULL || row_value(row)[0] == '/')
        return row != NULL;
    struct buf path;
    buf_init(&path, PATH_MAX);
    buf_addf(&path, "%s/%s", home, row_value(row));
    char *whole = buf_take(&path);
    if (whole == NULL)
        return false;
    mem_free(row->value);
    row->value = whole;
    *field = whole;
    return true;
}

/* A row whose value is about to be changed in place: an application's default, which is not ours, is copied. `value` stays NULL when there is none, or no memory for it. */
static struct row *row_to_tidy(const char *name)
{
    struct row *row = row_find(name);
    if (row != NULL && row->value == NULL && row->standard[0] != '\0')
        row->value = mem_copy(row->standard);
    return row;
}

/* The prefix as paths are compared with it: "/parley", whatever slashes it was written with. */
static bool place_prefix(void)
{
    struct row *row = row_to_tidy("PARLEY_PREFIX");
    if (row == NULL || row->value == NULL)
        return row != NULL && row->standard[0] == '\0';
    settings.prefix = row->value;
    size_t len = strlen(row->value);
    while (len > 0 && row->value[len - 1] == '/')
        row->value[--len] = '\0';
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-/"; /* the same in an address and in its encoding */
    bool good = len == 0 || (row->value[0] == '/' && row->value[strspn(row->value, plain)] == '\0' && strstr(row->value, "//") == NULL && strstr(row->value, "..") == NULL);
    if (!good)
        (void)fprintf(complain_on, "PARLEY_PREFIX: \"%s\" is not a path of plain letters and digits that starts with a slash\n", row->value);
    return good;
}

bool settings_standard(const char *name, const char *value)
{
    struct row *row = row_find(name);
    if (row == NULL || value == NULL)
        return false;
    row->standard = value;
    return true;
}

/* Where the port of an origin must not be written: browsers leave out the one that belongs to the scheme. */
static bool has_own_port(const char *origin, size_t scheme_len, const char *port)
{
    return (scheme_len == 4 && strncmp(origin, "http", 4) == 0 && strcmp(port, ":80") == 0) || (scheme_len == 5 && strncmp(origin, "https", 5) == 0 && strcmp(port, ":443") == 0);
}

/* What is wrong with an origin as browsers write it (RFC 6454 section 6.2: scheme://host[:port], nothing after it); NULL: nothing. */
static const char *origin_fault(const char *origin)
{
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz", digits[] = "0123456789";
    static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    size_t scheme_len = strspn(origin, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    if (strspn(origin, lower) == 0 || strncmp(origin + scheme_len, "://", 3) != 0)
        return "does not start with http:// or https://, in small letters";
    const char *host = origin + scheme_len + 3;
    if (strpbrk(host, "/?#") != NULL)
        return "has something after host and port";
    if (strchr(host, '@') != NULL)
        return "has a user's name";
    size_t host_len = host[0] == '[' ? strspn(host + 1, "0123456789abcdefABCDEF:.") + 2 : strspn(host, name);
    if (host_len == 0 || (host[0] == '[' && (host_len == 2 || memchr(host + 1, ']', host_len - 1) != host + host_len - 1)))
        return "has no host of letters, digits, dots and hyphens";
    const char *port = host + host_len;
    if (*port == '\0')
        return NULL;
    size_t port_len = *port == ':' ? strspn(port + 1, digits) : 0;
    if (*port != ':' || port_len == 0 || port_len > 5 || port[1] == '0' || port[1 + port_len] != '\0' || strtol(port + 1, NULL, 10) > 65535)
        return "has no host of letters, digits, dots and hyphens, or no port from 1 to 65535";
    return has_own_port(origin, scheme_len, port) ? "has the port that belongs to its scheme, which browsers leave out" : NULL;
}

/* The list of origins as requests are compared with it: one space between two, no slash at the end of one. */
static bool place_origins(void)
{
    struct row *row = row_to_tidy("CORS_ORIGINS");
    if (row == NULL || row->value == NULL)
        return row != NULL && row->standard[0] == '\0';
    bool good = true, is_any = false;
    size_t count = 0;
    char *out = row->value, *rest = NULL;
    for (char *origin = strtok_r(row->value, ", \t", &rest); origin != NULL; origin = strtok_r(NULL, ", \t", &rest)) {
        size_t len = strlen(origin);
        if (len > 1 && origin[len - 1] == '/' && origin[len - 2] != '/')
            origin[--len] = '\0';
        const char *fault = strcmp(origin, "*") == 0 ? NULL : origin_fault(origin);
        if (fault != NULL)
            (void)fprintf(complain_on, "CORS_ORIGINS: \"%s\" %s\n", origin, fault);
        good = good && fault == NULL;
        is_any = is_any || strcmp(origin, "*") == 0;
        if (count++ > 0)
            *out++ = ' ';
        memmove(out, origin, len);
        out += len;
    }
    *out = '\0';
    settings.cors_origins = row->value;
    if (is_any && count > 1)
        (void)fprintf(complain_on, "CORS_ORIGINS: * is every site and stands alone\n");
    return good && (!is_any || count == 1);
}

bool settings_load(const char *program, const char *file, FILE *complaints)
{
    complain_on = complaints;
    find_home(program);
    bool named = true;
    char standard[PATH_MAX + 8];
    if (file == NULL)
        file = getenv("PARLEY_CONFIG");
    if (file == NULL || *file == '\0') {
        (void)snprintf(standard, sizeof standard, "%s/.env", home);
        file = standard;
        named = false;
    }
    bool good = read_file(file, named);
    for (size_t i = 0; i < ROWS; i++) {
        const char *value = rows[i].alias != NULL ? getenv(rows[i].alias) : NULL;
        if (getenv(rows[i].name) != NULL)
            value = getenv(rows[i].name);
        if (value != NULL && !row_set(&rows[i], value))
            good = false;
        if (rows[i].value != NULL && rows[i].value[0] == '\0') { /* set to nothing: the default */
            mem_free(rows[i].value);
            rows[i].value = NULL;
        }
        if (!row_apply(&rows[i]))
            good = false;
    }
    enum log_level level;
    if (settings.log_level != NULL && log_level_read(settings.log_level, &level))
        log_set_level(level);
    const struct row *config = row_find("PARLEY_JSON");
    config_is_named = config != NULL && config->value != NULL;
    return place_file("PARLEY_DB", &settings.db_path) && place_file("PARLEY_JSON", &settings.config_file) && place_prefix() && place_origins() && good;
}

const char *settings_text(const char *name)
{
    const struct row *row = row_find(name);
    return row != NULL ? row_value(row) : NULL;
}

void settings_write_table(FILE *out)
{
    (void)fputs("| setting | default | what it does |\n| --- | --- | --- |\n", out);
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        const char *standard = row->kind == SECRET && row->standard[0] != '\0' ? "(not shown)" : row->standard; /* an application's */
        (void)fprintf(out, "| `%s`%s%s%s | %s%s%s | %s |\n", row->name, row->alias != NULL ? " (also `" : "",
                      row->alias != NULL ? row->alias : "", row->alias != NULL ? "`)" : "", standard[0] != '\0' ? "`" : "",
                      standard, standard[0] != '\0' ? "`" : "", row->help);
    }
}

/* Where name and password stand in an address, scheme://NAME:PASSWORD@host; their length, 0: nowhere. */
static size_t find_credentials(const char *value, const char **start)
{
    const char *scheme = strstr(value, "://");
    if (scheme == NULL)
        return 0;
    *start = scheme + 3;
    size_t authority = strcspn(*start, "/?#");
    while (authority > 0 && (*start)[authority] != '@')
        authority--;
    return authority;
}

void settings_write_address(FILE *out, const char *address)
{
    const char *start = address;
    size_t hidden = find_credentials(address, &start);
    (void)fprintf(out, "%.*s%s%s", (int)(start - address), address, hidden > 0 ? "***" : "", start + hidden);
}

void settings_write_check(FILE *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        const char *value = row_value(&rows[i]);
        if (rows[i].kind == SECRET && value[0] != '\0')
            value = "(set, not shown)";
        (void)fprintf(out, "%-28s ", rows[i].name);
        settings_write_address(out, value[0] != '\0' ? value : "-");
        (void)fputs(rows[i].value == NULL ? "  (default)\n" : "\n", out);
    }
}

void settings_write_variable(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            (void)fputs("\\n", out);
        else if (*value == '"' || *value == '\\')
            (void)fprintf(out, "\\%c", *value);
        else
            (void)fputc(*value, out);
    }
    (void)fputs("\"\n", out);
}

void settings_write_export(FILE *out)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].value != NULL && (rows[i].field != FIELD(config_file) || config_is_named || access(rows[i].value, F_OK) == 0)) /* a parley.json need not be there */
            settings_write_variable(out, rows[i].name, rows[i].value);
}
