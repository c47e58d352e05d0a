/*
 * The reader of config.h.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "json.h"
#include "limits.h"
#include "log.h"
#include "settings.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static json_object *config, *authors;
static char trouble[512];

static bool read_text(FILE *in, struct buf *text)
{
    char part[4096];
    size_t n;
    while ((n = fread(part, 1, sizeof part, in)) > 0)
        buf_add(text, part, n);
    return ferror(in) == 0 && !buf_failed(text);
}

static void read_config(void)
{
    FILE *in = fopen(settings.config_file, "re");
    if (in == NULL) {
        if (errno != ENOENT)
            (void)snprintf(trouble, sizeof trouble, "%.300s cannot be read: %s", settings.config_file, strerror(errno));
    } else {
        struct buf text;
        const char *why = NULL;
        buf_init(&text, LIMIT_CONFIG_BYTES);
        if (read_text(in, &text))
            config = json_read(text.data, text.len, &why);
        else
            why = "it is too large or cannot be read";
        if (why == NULL && !json_object_is_type(config, json_type_object))
            why = "it is no JSON object";
        if (why != NULL) {
            (void)snprintf(trouble, sizeof trouble, "%.300s is not usable: %s", settings.config_file, why);
            json_object_put(config);
            config = NULL;
        }
        buf_free(&text);
        (void)fclose(in);
    }
    if (trouble[0] != '\0')
        log_error("%s", trouble);
}

bool config_use(const char *json_text)
{
    const char *why = NULL;
    json_object_put(authors);
    authors = json_text != NULL ? json_read(json_text, strlen(json_text), &why) : NULL;
    if (json_object_is_type(authors, json_type_object))
        return true;
    log_error("what the program says in place of parley.json is not usable: %s", why != NULL ? why : "it is no JSON object");
    json_object_put(authors);
    authors = NULL;
    return false;
}

json_object *config_get(const char *name)
{
    (void)pthread_once(&once, read_config); /* cannot fail with a proper control */
    json_object *value = NULL;
    if (!json_object_object_get_ex(config, name, &value)) /* an absent object has no members */
        (void)json_object_object_get_ex(authors, name, &value); /* absent leaves NULL */
    return value;
}

const char *config_trouble(void)
{
    (void)pthread_once(&once, read_config);
    return trouble[0] != '\0' ? trouble : NULL;
}
