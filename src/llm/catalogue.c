/*
 * The list of catalogue.h. It is read when it is first needed: a plain CGI program that only shows history never does.
 */
#include "catalogue.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/config.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/secrets.h"
#include "../base/settings.h"

static const char embedded[] =
#include "providers.inc"
    ;

static struct {
    pthread_once_t once;
    json_object *embedded; /* the rows point into it */
    struct catalogue_provider *providers;
    size_t count;
} catalogue = {.once = PTHREAD_ONCE_INIT};

/* Members that name variables: lists of names, tried in order. `url_parts` is an object of such lists. */
static const char *const variable_lists[] = {"keys", "bearer_keys", "url_from", "sigv4", "version_from"};

/* --- reading the rows --------------------------------------------------------------------------------------------- */

static bool read_auth(const char *name, enum catalogue_auth *auth)
{
    static const char *const names[] = {[AUTH_BEARER] = "bearer", [AUTH_X_API_KEY] = "x-api-key", [AUTH_API_KEY] = "api-key",
                                        [AUTH_X_GOOG_API_KEY] = "x-goog-api-key", [AUTH_SIGV4] = "sigv4", [AUTH_NONE] = "none", [AUTH_OAUTH] = "oauth"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (name == NULL || strcmp(name, names[i]) == 0) {
            *auth = (enum catalogue_auth)i;
            return true;
        }
    return false;
}

static bool flag(json_object *row, const char *name, bool otherwise)
{
    json_object *value = json_at(row, name);
    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) != 0 : otherwise;
}

/* Fills `provider` from its row. False, after a log line, when it cannot be used. */
static bool read_row(struct catalogue_provider *provider, json_object *row)
{
    const char *id = json_text(row, "id", NULL), *wire = json_text(row, "wire", NULL), *name = json_text(row, "name", NULL);
    *provider = (struct catalogue_provider){
        .id = id,
        .name = name != NULL ? name : id,
        .wire = wire_find(wire != NULL ? wire : "openai"),
        .chat = flag(row, "chat", true),
        .local = flag(row, "local", false),
        .embeddings = json_text(row, "embeddings", NULL),
        .models = json_text(row, "models", NULL),
        .row = row,
    };
    bool good = id != NULL && id[0] != '\0' && strchr(id, '/') == NULL && provider->wire != NULL && read_auth(json_text(row, "auth", NULL), &provider->auth);
    if (!good)
        log_error("the provider %s cannot be used: its id, wire or auth is missing or unknown", id != NULL ? id : "without an id");
    return good;
}

static struct catalogue_provider *find(const char *id, size_t len)
{
    for (size_t i = 0; i < catalogue.count; i++)
        if (strlen(catalogue.providers[i].id) == len && strncmp(catalogue.providers[i].id, id, len) == 0)
            return &catalogue.providers[i];
    return NULL;
}

/* Members of `more` replace those of `row`. */
static void overlay(json_object *row, json_object *more)
{
    json_object_object_foreach(more, name, value)
        json_object_object_add(row, name, json_object_get(value));
}

/* Adds rows; `row` belongs to the process from then on. */
static void add_rows(json_object *rows)
{
    size_t count = json_object_is_type(rows, json_type_array) ? json_object_array_length(rows) : 0;
    struct catalogue_provider *more = mem_resize(catalogue.providers, (catalogue.count + count + 1) * sizeof *more);
    if (more == NULL) {
        log_error("there is no memory for the list of providers");
        return;
    }
    catalogue.providers = more;
    for (size_t i = 0; i < count; i++) {
        json_object *row = json_object_array_get_idx(rows, i);
        size_t len = 0;
        const char *id = json_text(row, "id", &len);
        struct catalogue_provider *known = id != NULL ? find(id, len) : NULL, provider;
        json_object *both = NULL; /* the known row stays as it is, for what points into it, and in case the new one cannot be used */
        if (known != NULL && json_object_deep_copy(known->row, &both, NULL) == 0) {
            overlay(both, row);
            row = both;
        }
        if (read_row(&provider, row))
            *(known != NULL ? known : &catalogue.providers[catalogue.count++]) = provider;
        else
            json_object_put(both);
    }
}

static void each_variable(json_object *list, void (*each)(void *arg, const char *name), void *arg)
{
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        if (name != NULL)
            each(arg, name);
    }
}

static void mask(void *arg, const char *name)
{
    (void)arg;
    const char *value = settings_foreign(name);
    if (value != NULL)
        secrets_add(value);
}

/* Headers of one's own may hold a key, in a variable ("$NAME") or as they are. */
static void mask_headers(json_object *headers)
{
    if (!json_object_is_type(headers, json_type_object))
        return;
    json_object_object_foreach(headers, name, value) {
        const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
        (void)name;
        if (text[0] == '$')
            mask(NULL, text + 1);
        else
            secrets_add(text);
    }
}

static void start(void)
{
    catalogue.embedded = json_read_loose(embedded, sizeof embedded - 1);
    add_rows(json_at(catalogue.embedded, "providers"));
    add_rows(config_get("providers"));
    for (size_t i = 0; i < catalogue.count; i++) {
        each_variable(json_at(catalogue.providers[i].row, "keys"), mask, NULL);
        each_variable(json_at(catalogue.providers[i].row, "bearer_keys"), mask, NULL);
        each_variable(json_at(catalogue.providers[i].row, "sigv4"), mask, NULL);
        mask_headers(json_at(catalogue.providers[i].row, "headers"));
    }
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

const struct catalogue_provider *catalogue_find(const char *id, size_t len)
{
    (void)pthread_once(&catalogue.once, start); /* cannot fail with a proper control */
    return find(id, len);
}

size_t catalogue_count(void)
{
    (void)pthread_once(&catalogue.once, start);
    return catalogue.count;
}

const struct catalogue_provider *catalogue_at(size_t index)
{
    return &catalogue.providers[index];
}

/* Levenshtein's distance, of texts up to ID_MOST bytes. */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    enum { ID_MOST = 64 };
    size_t b_len = strlen(b), row[ID_MOST + 1];
    if (a_len > ID_MOST)
        a_len = ID_MOST;
    if (b_len > ID_MOST)
        return SIZE_MAX - 1;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t least = row[j - 1] + 1 < row[j] + 1 ? row[j - 1] + 1 : row[j] + 1;
            row[j] = least < change ? least : change;
        }
    }
    return row[b_len];
}

void catalogue_nearest(const char *id, size_t len, char *names, size_t size)
{
    enum { NAMES = 3 };
    struct near {
        const char *id;
        size_t far;
    } best[NAMES] = {{"", SIZE_MAX}, {"", SIZE_MAX}, {"", SIZE_MAX}}; /* the nearest first */
    for (size_t i = 0; i < catalogue_count(); i++) {
        struct near one = {catalogue.providers[i].id, distance(id, len, catalogue.providers[i].id)};
        for (int place = 0; place < NAMES; place++)
            if (one.far < best[place].far) { /* takes the place, and what was there goes on to the next */
                struct near other = best[place];
                best[place] = one;
                one = other;
            }
    }
    (void)snprintf(names, size, "%s, %s, %s", best[0].id, best[1].id, best[2].id);
}

/* --- variables ---------------------------------------------------------------------------------------------------- */

/* Calls `each` with the name of every variable that a row names. */
static void row_variables(json_object *row, void (*each)(void *arg, const char *name), void *arg)
{
    json_object *parts = json_at(row, "url_parts"), *headers = json_at(row, "headers");
    for (size_t k = 0; k < sizeof variable_lists / sizeof variable_lists[0]; k++)
        each_variable(json_at(row, variable_lists[k]), each, arg);
    if (json_object_is_type(parts, json_type_object)) {
        json_object_object_foreach(parts, part, list) {
            (void)part;
            each_variable(list, each, arg);
        }
    }
    if (json_object_is_type(headers, json_type_object)) {
        json_object_object_foreach(headers, name, value) {
            const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
            (void)name;
            if (text[0] == '$')
                each(arg, text + 1);
        }
    }
}

struct looking {
    const char *name;
    bool found;
};

static void compare(void *arg, const char *name)
{
    struct looking *looking = arg;
    looking->found = looking->found || strcmp(looking->name, name) == 0;
}

bool catalogue_has_variable(const char *name)
{
    struct looking looking = {.name = name};
    size_t len = strlen(name);
    if (len > 8 && strcmp(name + len - 8, "_API_KEY") == 0)
        return true;
    for (size_t i = 0; i < catalogue_count(); i++)
        row_variables(catalogue.providers[i].row, compare, &looking);
    return looking.found;
}

struct exporting {
    FILE *out;
    json_object *done; /* names that were written */
};

static void write_variable(void *arg, const char *name)
{
    struct exporting *exporting = arg;
    const char *value = settings_text(name) == NULL ? settings_foreign(name) : NULL; /* settings are written by themselves */
    if (value == NULL || json_object_object_get_ex(exporting->done, name, NULL))
        return;
    json_object_object_add(exporting->done, name, NULL);
    settings_write_variable(exporting->out, name, value);
}

void catalogue_write_export(FILE *out)
{
    struct exporting exporting = {out, json_object_new_object()};
    for (size_t i = 0; i < catalogue_count(); i++)
        row_variables(catalogue.providers[i].row, write_variable, &exporting);
    json_object_put(exporting.done);
}

const char *catalogue_variable(const struct catalogue_provider *provider, const char *member)
{
    json_object *list = json_at(provider->row, member);
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        const char *value = name != NULL ? settings_foreign(name) : NULL;
        if (value != NULL)
            return value;
    }
    return NULL;
}

const char *catalogue_key(const struct catalogue_provider *provider)
{
    const char *key = catalogue_variable(provider, "keys");
    return key != NULL ? key : "";
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

/* The value of a part of an address, {region} say; NULL: not set. */
static const char *part_value(const struct catalogue_provider *provider, const char *part)
{
    char path[96];
    (void)snprintf(path, sizeof path, "url_parts.%s", part);
    return catalogue_variable(provider, path);
}

static const char *part_variable(const struct catalogue_provider *provider, const char *part)
{
    char path[96];
    (void)snprintf(path, sizeof path, "url_parts.%s.0", part);
    const char *name = json_text(provider->row, path, NULL);
    return name != NULL ? name : "a setting";
}

enum outcome catalogue_fill(const struct catalogue_provider *provider, const char *text, struct buf *url, struct failure *failure)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        buf_add(url, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        char part[32];
        size_t len = strcspn(++text, "}");
        (void)snprintf(part, sizeof part, "%.*s", (int)len, text);
        const char *value = part_value(provider, part);
        if (value == NULL)
            return fail(failure, OUTCOME_PROVIDER_ERROR, "The provider %s needs %s to be set on the server.", provider->id, part_variable(provider, part));
        value += strncmp(value, "https://", 8) == 0 ? 8 : strncmp(value, "http://", 7) == 0 ? 7 : 0; /* people set hosts as addresses */
        buf_add(url, value, strcspn(value, "/"));
        text += len + (text[len] == '}');
    }
    return OUTCOME_OK;
}

static bool has_end(const struct buf *url, const char *end)
{
    size_t len = strlen(end);
    return url->len >= len && strcmp(url->data + url->len - len, end) == 0;
}

/* What people write differs from what the wire's paths are appended to: a host without scheme (OLLAMA_HOST), with or without the version. */
static void tidy(const struct catalogue_provider *provider, struct buf *url)
{
    const char *wire = provider->wire->name;
    while (url->len > 0 && url->data[url->len - 1] == '/')
        url->data[--url->len] = '\0';
    if (strcmp(wire, "ollama") == 0 && has_end(url, "/v1"))
        url->data[url->len -= 3] = '\0';
    if (strcmp(wire, "ollama") == 0 && has_end(url, "/api"))
        url->data[url->len -= 4] = '\0';
    const char *host = strstr(url->data, "://");
    bool bare = host != NULL && strchr(host + 3, '/') == NULL;
    if (bare && strcmp(wire, "anthropic") == 0)
        buf_add_text(url, "/v1");
    else if (bare && strcmp(wire, "gemini") == 0)
        buf_add_text(url, "/v1beta");
}

enum outcome catalogue_address(const struct catalogue_provider *provider, const char *address, struct buf *url, struct failure *failure)
{
    const char *own = address[0] != '\0' ? address : catalogue_variable(provider, "url_from");
    const char *known = json_text(provider->row, "url", NULL);
    enum outcome outcome = OUTCOME_OK;
    if (own != NULL) {
        bool bare = strstr(own, "://") == NULL;
        buf_add_text(url, bare ? "http://" : "");
        buf_add_text(url, own);
        if (bare && strcmp(provider->wire->name, "ollama") == 0 && strpbrk(own, ":/") == NULL)
            buf_add_text(url, ":11434"); /* what OLLAMA_HOST without a port means to Ollama itself */
        tidy(provider, url);
    } else if (known != NULL) {
        outcome = catalogue_fill(provider, known, url, failure);
    } else {
        const char *name = json_text(provider->row, "url_from.0", NULL);
        outcome = fail(failure, OUTCOME_PROVIDER_ERROR, "The provider %s needs its address in %s to be set on the server.", provider->id,
                       name != NULL ? name : "LLM_BASE_URL");
    }
    return outcome == OUTCOME_OK && buf_failed(url) ? fail_no_memory(failure) : outcome;
}

/* The value of the row's variable number `index` for signatures: access key, secret key, session token; "": not set. */
const char *catalogue_sigv4(const struct catalogue_provider *provider, int index)
{
    char path[16];
    (void)snprintf(path, sizeof path, "sigv4.%d", index);
    const char *name = json_text(provider->row, path, NULL), *value = name != NULL ? settings_foreign(name) : NULL;
    return value != NULL ? value : "";
}

bool catalogue_has_credentials(const struct catalogue_provider *provider)
{
    bool signs = provider->auth == AUTH_SIGV4 && catalogue_sigv4(provider, 0)[0] != '\0' && catalogue_sigv4(provider, 1)[0] != '\0';
    return catalogue_key(provider)[0] != '\0' || catalogue_variable(provider, "bearer_keys") != NULL || signs;
}

bool catalogue_is_set_up(const struct catalogue_provider *provider)
{
    struct failure failure;
    struct buf url;
    buf_init(&url, LIMIT_URL_BYTES);
    bool placed = catalogue_address(provider, "", &url, &failure) == OUTCOME_OK;
    buf_free(&url);
    bool keyed = catalogue_has_credentials(provider);
    bool addressed = catalogue_variable(provider, "url_from") != NULL;
    return placed && (keyed || (provider->auth == AUTH_NONE && addressed));
}
