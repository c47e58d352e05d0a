/*
 * GET /api/config: what the page is to show, in the shape of Ragbits' answer: every field always there, what is not set as null. What our own page wants to know beside that is in
 * the member "parley", which other clients ignore.
 *
 * It is made of parley.json's members "ui", "feedback" and "user_settings", which do not change while the program runs, so it is made once, but for who asks. Texts go through as they
 * are: they are data for the page, never markup. What has the wrong type is logged and counts as absent. Neighbours: theme.c. Leaves out: the forms' own shape (JSON Schema), which
 * the page reads.
 */
#include <pthread.h>
#include <string.h>

#include "../app/app.h"
#include "../base/buf.h"
#include "../base/config.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/utf8.h"
#include "../http/response.h"
#include "../llm/model_list.h"
#include "routes.h"

/* --- reading parley.json ------------------------------------------------------------------------------------------ */

/* An object of parley.json, and what it is called in the log. An absent one has no members. */
struct section {
    json_object *object;
    const char *name;
};

static bool is_known(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static void complain_of_unknown(struct section section, const char *const *names)
{
    if (section.object == NULL)
        return;
    json_object_object_foreach(section.object, name, value) {
        (void)value;
        if (!is_known(name, names))
            log_warning("\"%s.%.40s\" in parley.json is ignored: there is no such member", section.name, name);
    }
}

/* The member if it has that type; NULL: it is absent or null, or of another type, which is logged. */
static json_object *member(struct section section, const char *name, json_type type, const char *wanted)
{
    json_object *value = json_at(section.object, name);
    if (value == NULL || json_object_is_type(value, type))
        return value;
    log_warning("\"%s.%s\" in parley.json is ignored: it is no %s", section.name, name, wanted);
    return NULL;
}

/* A section within a section. `names` are what it may have, ended by NULL. */
static struct section open_section(struct section outer, const char *name, const char *full_name, const char *const *names)
{
    struct section section = {member(outer, name, json_type_object, "object"), full_name};
    complain_of_unknown(section, names);
    return section;
}

static struct section open_config(const char *name, const char *const *names)
{
    struct section section = {config_get(name), name};
    if (section.object != NULL && !json_object_is_type(section.object, json_type_object)) {
        log_warning("\"%s\" in parley.json is ignored: it is no object", name);
        section.object = NULL;
    }
    complain_of_unknown(section, names);
    return section;
}

/* --- writing the answer ------------------------------------------------------------------------------------------- */

static void add_text(json_object *to, struct section section, const char *name)
{
    json_object_object_add(to, name, json_object_get(member(section, name, json_type_string, "text")));
}

static void add_flag(json_object *to, struct section section, const char *name, bool standard)
{
    json_object *value = member(section, name, json_type_boolean, "true or false");
    json_object_object_add(to, name, json_object_new_boolean(value != NULL ? json_object_get_boolean(value) : standard));
}

static void add_form(json_object *to, struct section section)
{
    json_object_object_add(to, "form", json_object_get(member(section, "form", json_type_object, "object")));
}

static json_object *starter_questions(struct section ui)
{
    json_object *given = member(ui, "starter_questions", json_type_array, "list"), *list = NULL;
    for (size_t i = 0; given != NULL && i < json_object_array_length(given); i++) {
        json_object *question = json_object_array_get_idx(given, i);
        if (list == NULL)
            list = json_object_new_array();
        if (!json_object_is_type(question, json_type_string))
            log_warning("\"ui.starter_questions\" in parley.json: number %zu is ignored: it is no text", i + 1);
        else if (json_object_array_add(list, json_object_get(question)) != 0)
            json_object_put(question);
    }
    return list;
}

static json_object *customization(struct section ui)
{
    static const char *const header_names[] = {"title", "subtitle", "logo", NULL}, *const meta_names[] = {"favicon", "page_title", NULL};
    if (ui.object == NULL)
        return NULL;
    struct section header = open_section(ui, "header", "ui.header", header_names), meta = open_section(ui, "meta", "ui.meta", meta_names);
    json_object *all = json_object_new_object(), *header_object = json_object_new_object(), *meta_object = json_object_new_object();
    for (size_t i = 0; header_names[i] != NULL; i++)
        add_text(header_object, header, header_names[i]);
    for (size_t i = 0; meta_names[i] != NULL; i++)
        add_text(meta_object, meta, meta_names[i]);
    json_object_object_add(all, "header", header_object);
    add_text(all, ui, "welcome_message");
    json_object_object_add(all, "starter_questions", starter_questions(ui));
    json_object_object_add(all, "meta", meta_object);
    return all;
}

static json_object *feedback_object(void)
{
    static const char *const kinds[] = {"like", "dislike", NULL}, *const full_names[] = {"feedback.like", "feedback.dislike"}, *const names[] = {"enabled", "form", NULL};
    struct section feedback = open_config("feedback", kinds);
    json_object *all = json_object_new_object();
    for (size_t i = 0; kinds[i] != NULL; i++) {
        struct section kind = open_section(feedback, kinds[i], full_names[i], names);
        json_object *one = json_object_new_object();
        add_flag(one, kind, "enabled", true);
        add_form(one, kind);
        json_object_object_add(all, kinds[i], one);
    }
    return all;
}

static json_object *user_settings_object(void)
{
    static const char *const names[] = {"form", NULL};
    json_object *object = json_object_new_object();
    add_form(object, open_config("user_settings", names));
    return object;
}

/* Signing in by this program itself: there is none; the host server signs in before the page is served. */
static json_object *authentication_object(void)
{
    json_object *object = json_object_new_object();
    json_object_object_add(object, "enabled", json_object_new_boolean(false));
    json_object_object_add(object, "auth_types", json_object_new_array());
    json_object_object_add(object, "oauth2_providers", json_object_new_array());
    return object;
}

static json_object *build(void)
{
    static const char *const names[] = {"header", "welcome_message", "starter_questions", "meta", "debug_mode", "show_usage", "conversation_history", NULL};
    struct section ui = open_config("ui", names);
    json_object *all = json_object_new_object();
    json_object_object_add(all, "feedback", feedback_object());
    json_object_object_add(all, "customization", customization(ui));
    json_object_object_add(all, "user_settings", user_settings_object());
    json_object_object_add(all, "supports_upload", json_object_new_boolean(app_takes_files()));
    add_flag(all, ui, "debug_mode", false);
    add_flag(all, ui, "conversation_history", true);
    add_flag(all, ui, "show_usage", true);
    json_object_object_add(all, "authentication", authentication_object());
    return all;
}

/* The answer as text, for the life of the process. NULL: no memory. */
static const char *config_text(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char *text;
    (void)pthread_mutex_lock(&lock);
    if (text == NULL) {
        json_object *object = build();
        const char *written = json_write(object);
        text = written != NULL ? mem_copy(written) : NULL;
        json_object_put(object);
    }
    const char *made = text;
    (void)pthread_mutex_unlock(&lock);
    return made;
}

/* What our own page wants to know. The database is not asked: the page shows itself also when that cannot be used. */
static json_object *parley_object(const struct request *request)
{
    const char *user = request_variable(request, "REMOTE_USER");
    bool is_named = *user != '\0' && strlen(user) <= LIMIT_USER_NAME_BYTES && utf8_valid(user, strlen(user));
    char model[MODEL_ID_BYTES];
    json_object *object = json_object_new_object();
    json_object_object_add(object, "version", json_object_new_string(PARLEY_VERSION));
    json_object_object_add(object, "theme", json_object_new_boolean(theme_is_named()));
    json_object_object_add(object, "user", is_named ? json_object_new_string(user) : NULL);
    json_object_object_add(object, "model", model_list_first(model) ? json_object_new_string(model) : NULL);
    return object;
}

enum outcome ui_config_get(struct request *request, struct failure *failure)
{
    const char *text = config_text(), *own = NULL;
    json_object *parley = parley_object(request);
    struct buf whole;
    buf_init(&whole, LIMIT_RESPONSE_BYTES);
    if (text != NULL && (own = json_write(parley)) != NULL) {
        buf_add(&whole, text, strlen(text) - 1); /* one member more, before the last brace */
        buf_addf(&whole, ",\"parley\":%s}", own);
    }
    bool good = own != NULL && !buf_failed(&whole);
    if (good)
        response_text(request, 200, "application/json; charset=utf-8", whole.data, whole.len);
    buf_free(&whole);
    json_object_put(parley);
    return good ? OUTCOME_OK : fail_no_memory(failure);
}
