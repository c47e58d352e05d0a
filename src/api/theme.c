/*
 * GET /api/theme: the style sheet that theme/theme.c makes of the file that parley.json names as "theme".
 *
 * It is made when it is first asked for and again when the file has changed, so that a new theme shows at the next load of the page; browsers keep it, and ask with its
 * tag. What was ignored or corrected is logged each time that it is made. Neighbours: ui_config.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/config.h"
#include "../base/log.h"
#include "../base/sandbox.h"
#include "../base/settings.h"
#include "../theme/theme.h"
#include "../http/response.h"
#include "routes.h"

enum { SETTLED_SECONDS = 2 };

/* What was made of the file as it was. */
static struct {
    pthread_mutex_t lock;
    bool is_made, is_good;
    int said; /* errno of what was last said about a file that cannot be opened, ENODATA for what is no file; 0: nothing */
    struct stat made_of;
    bool is_settled;   /* the file was not young when it was read: file systems count time coarsely, and a second change in the same instant would look like none */
    uint64_t text_sum; /* of the file's text */
    struct buf css;
    char tag[2 * sizeof(uint64_t) + 1];
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- the file ----------------------------------------------------------------------------------------------------- */

/* Where the file is: what is no absolute path starts at the folder of parley.json. False: none is configured. */
static bool find_path(struct buf *path)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    json_object *value = config_get("theme");
    if (value != NULL && !json_object_is_type(value, json_type_string) && !atomic_flag_test_and_set(&said))
        log_warning("\"theme\" in parley.json is ignored: it is no file name");
    const char *name = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "", *slash = strrchr(settings.config_file, '/');
    if (name[0] != '/' && slash != NULL)
        buf_add(path, settings.config_file, (size_t)(slash - settings.config_file) + 1);
    buf_add_text(path, name);
    return name[0] != '\0';
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* One byte more than a theme may have tells that there are too many. */
static bool read_file(int file, struct buf *text)
{
    char part[4096];
    ssize_t n;
    do {
        n = read(file, part, sizeof part);
        if (n > 0 && text->len <= LIMIT_THEME_BYTES)
            buf_add(text, part, (size_t)n);
    } while ((n > 0 && text->len <= LIMIT_THEME_BYTES) || (n < 0 && errno == EINTR));
    return n >= 0 && !buf_failed(text);
}

/* --- the style sheet ---------------------------------------------------------------------------------------------- */

static void log_note(void *arg, const char *sentence)
{
    log_warning("theme %s: %s", (const char *)arg, sentence);
}

static uint64_t sum_of(const struct buf *text)
{
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < text->len; i++)
        sum = (sum ^ (unsigned char)text->data[i]) * 1099511628211u;
    return sum;
}

/* False, and logged, when the text is no theme. */
static bool make_css(const struct buf *text, char *path)
{
    const char *why;
    buf_free(&cache.css);
    buf_init(&cache.css, LIMIT_THEME_CSS_BYTES);
    bool good = theme_css(text->data, text->len, &cache.css, log_note, path, &why);
    if (good)
        (void)snprintf(cache.tag, sizeof cache.tag, "%016llx", (unsigned long long)sum_of(&cache.css));
    else
        log_error("the theme %s is not usable: %s", path, why);
    return good;
}

/* Reads an open file that may have changed. What it was is known from before it is read: a change meanwhile is seen the next time. */
static void take_file(int file, const struct stat *now, char *path)
{
    struct buf text;
    buf_init(&text, LIMIT_THEME_BYTES + 4096);
    bool was_read = read_file(file, &text);
    uint64_t sum = sum_of(&text);
    if (!was_read) {
        log_error("the theme %s cannot be read", path);
        cache.is_good = false;
    } else if (!cache.is_made || sum != cache.text_sum) {
        cache.is_good = make_css(&text, path);
    }
    buf_free(&text);
    cache.is_made = was_read && !buf_failed(&cache.css); /* where memory ran out it is tried again */
    cache.text_sum = sum;
    cache.made_of = *now;
    cache.is_settled = time(NULL) - now->st_mtim.tv_sec >= SETTLED_SECONDS;
}

/* Brings the cache up to date. */
static bool refresh(char *path)
{
    struct stat now = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us */
    int error = file < 0 || fstat(file, &now) != 0 ? errno : S_ISREG(now.st_mode) ? 0 : ENODATA;
    if (error != 0 && error != cache.said)
        log_error("the theme %s cannot be read: %s", path, error == ENODATA ? "it is no file" : strerror(error));
    if (error == 0 && !(cache.is_made && cache.is_settled && is_same_file(&now, &cache.made_of)))
        take_file(file, &now, path);
    cache.said = error;
    if (file >= 0)
        (void)close(file);
    return error == 0 && cache.is_good;
}

/* Copies the style sheet and its tag out of the cache. */
static enum outcome take_css(char *path, struct buf *css, char tag[sizeof cache.tag], struct failure *failure)
{
    (void)pthread_mutex_lock(&cache.lock);
    bool good = refresh(path);
    if (good) {
        buf_add(css, cache.css.data, cache.css.len);
        memcpy(tag, cache.tag, sizeof cache.tag);
    }
    (void)pthread_mutex_unlock(&cache.lock);
    if (!good)
        return fail(failure, OUTCOME_INTERNAL, "The theme of this server cannot be used; its log says why.");
    return buf_failed(css) ? fail_no_memory(failure) : OUTCOME_OK;
}

bool theme_is_named(void)
{
    json_object *value = config_get("theme");
    return json_object_is_type(value, json_type_string) && json_object_get_string_len(value) > 0;
}

void theme_allow_file(void)
{
    struct buf path;
    buf_init(&path, LIMIT_CONFIG_BYTES);
    if (find_path(&path) && !buf_failed(&path))
        sandbox_allow_folder_of(path.data, SANDBOX_READ); /* editors put a new file in the place of the old one */
    buf_free(&path);
}

enum outcome theme_get(struct request *request, struct failure *failure)
{
    struct buf path, css;
    char tag[sizeof cache.tag];
    buf_init(&path, LIMIT_CONFIG_BYTES);
    buf_init(&css, LIMIT_THEME_CSS_BYTES);
    enum outcome outcome = OUTCOME_OK;
    if (!find_path(&path))
        outcome = fail(failure, OUTCOME_NOT_FOUND, "No theme is configured.");
    else if (buf_failed(&path))
        outcome = fail_no_memory(failure);
    else
        outcome = take_css(path.data, &css, tag, failure);
    if (outcome == OUTCOME_OK) {
        response_cache(request, "no-cache");
        if (!response_unchanged(request, tag))
            response_text(request, 200, "text/css; charset=utf-8", css.data, css.len);
    }
    buf_free(&css);
    buf_free(&path);
    return outcome;
}
