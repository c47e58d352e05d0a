/*
 * The table of events: see event.h.
 */
#include "event.h"

#include <string.h>

#include "../base/json.h"
#include "answer.h"

/* `needs`: members that must be there, with their types: s text, o object, a list of texts, u an address; U is an address that may be missing or null.
   `key`: events with the same value there are about the same thing, the last one counts; "" all of that name are. */
static const struct kind {
    const char *name;
    bool is_kept;
    const char *key;
    const char *needs;
} kinds[] = {
    {"reference", true, NULL, "s title s content U url"},
    {"live_update", true, "update_id", "s update_id s type o content s content.label"},
    {"followup_messages", true, "", "a messages"},
    {"image", true, "id", "s id u url"},
    {"plan_item", true, "task.id", "s task.id s task.description s task.status"},
    {"confirmation_request", true, NULL,
     "s confirmation_request.confirmation_id s confirmation_request.tool_name s confirmation_request.tool_description o confirmation_request.arguments"},
    {"tool_call", true, NULL, "s id s name o arguments"},
    {"tool_result", true, NULL, "s id s name s content"},
    {"clear_message", false, NULL, ""},
    {"conversation_summary", false, "", "s summary"}, /* it is the conversation's title */
    {"state_update", false, "", "o state s signature"}, /* the state has a column of its own */
};

static const char *const reserved[] = {"start", "token", "text", "reasoning", "ping", "done", "error", "message", "message_id", "conversation_id", "usage", "state_update",
                                       "chunked_content"};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

bool event_is_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= LIMIT_EVENT_NAME_BYTES && name[0] >= 'a' && name[0] <= 'z' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool is_texts(json_object *list)
{
    if (!json_object_is_type(list, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
            return false;
    return true;
}

/* Addresses that a page may show: http(s), images as data, and relative ones. Others (javascript:) run what they hold. */
static bool is_address(const char *url)
{
    size_t scheme = strcspn(url, ":/?#");
    return url[scheme] != ':' || strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0 || strncmp(url, "data:image/", 11) == 0;
}

static bool has_type(json_object *value, char type)
{
    switch (type) {
    case 'o': return json_object_is_type(value, json_type_object);
    case 'a': return is_texts(value);
    case 'U': return value == NULL || has_type(value, 'u');
    case 'u': return json_object_is_type(value, json_type_string) && is_address(json_object_get_string(value));
    default: return json_object_is_type(value, json_type_string);
    }
}

enum outcome event_check(const char *name, json_object *content, struct failure *failure)
{
    if (!event_is_name(name))
        return fail(failure, OUTCOME_BAD_FIELD, "An event's type must be made of small letters, digits and _, at most %d.", LIMIT_EVENT_NAME_BYTES);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(reserved[i], name) == 0)
            return fail(failure, OUTCOME_BAD_FIELD, "Events of the type %s are made by the program itself.", name);
    if (!json_object_is_type(content, json_type_object))
        return fail(failure, OUTCOME_BAD_FIELD, "The content of an event (%s) must be an object.", name);
    if (json_depth(content, LIMIT_EVENT_DEPTH) > LIMIT_EVENT_DEPTH)
        return fail(failure, OUTCOME_BAD_FIELD, "The content of an event (%s) is nested too deeply.", name);
    const struct kind *kind = find_kind(name);
    char path[64];
    for (const char *at = kind != NULL ? kind->needs : ""; *at != '\0';) {
        size_t len = strcspn(at + 2, " ");
        memcpy(path, at + 2, len); /* the table's paths are shorter */
        path[len] = '\0';
        if (!has_type(json_at(content, path), *at))
            return fail(failure, OUTCOME_BAD_FIELD, "An event of the type %s needs a proper \"%s\".", name, path);
        at += 2 + len;
        at += *at == ' ';
    }
    return OUTCOME_OK;
}

bool event_is_kept(const char *name)
{
    const struct kind *kind = find_kind(name);
    return kind == NULL || kind->is_kept;
}

json_object *event_object(const char *name, const char *json)
{
    json_object *event = json_object_new_object();
    json_object_object_add(event, "type", json_object_new_string(name));
    json_object_object_add(event, "content", json_read_loose(json, strlen(json)));
    return event;
}

struct shown {
    int *run_places; /* where each run's event stands, for events_places(); NULL: not asked */
    size_t run;      /* that is looked at */
    json_object *list;
    json_object *places; /* {type: {key: pack_place()}} of the events that a later one may replace: an answer may have many thousands */
};

/* What an event is about among those of its type; NULL: only itself. */
static const char *key_of(json_object *event, const char *name)
{
    const struct kind *kind = find_kind(name);
    if (kind == NULL || kind->key == NULL)
        return NULL;
    return *kind->key != '\0' ? json_text(json_at(event, "content"), kind->key, NULL) : "";
}

/* Where the last event about a thing stands: its place in the list and its run, in one number. */
static int64_t pack_place(const struct shown *shown, size_t place)
{
    return (int64_t)shown->run << 32 | (int64_t)place;
}

/* The event of this run stands at `place`. */
static void note_place(struct shown *shown, size_t place)
{
    if (shown->run_places != NULL)
        shown->run_places[shown->run] = (int)place;
}

/* The event of this run takes the place of an earlier one. */
static void replace(struct shown *shown, json_object *earlier, json_object *event)
{
    int64_t packed = json_object_get_int64(earlier);
    size_t place = (size_t)(packed & 0xFFFFFFFF);
    if (shown->run_places != NULL)
        shown->run_places[packed >> 32] = -1;
    (void)json_object_array_put_idx(shown->list, place, event); /* the place is there */
    (void)json_object_set_int64(earlier, pack_place(shown, place));
    note_place(shown, place);
}

static void add_or_replace(struct shown *shown, const char *name, json_object *event)
{
    const char *key = key_of(event, name);
    json_object *places = NULL, *earlier = NULL;
    size_t place = json_object_array_length(shown->list);
    if (key != NULL && !json_object_object_get_ex(shown->places, name, &places)) {
        places = json_object_new_object();
        json_object_object_add(shown->places, name, places);
    }
    if (key != NULL && json_object_object_get_ex(places, key, &earlier)) {
        replace(shown, earlier, event);
        return;
    }
    note_place(shown, place);
    if (key != NULL)
        json_object_object_add(places, key, json_object_new_int64(pack_place(shown, place)));
    json_object_array_add(shown->list, event);
}

static json_object *list_shown(const struct answer *answer, int *run_places)
{
    struct shown shown = {.run_places = run_places};
    for (shown.run = answer->shown_runs; shown.run < answer->run_count; shown.run++) {
        const struct run *run = &answer->runs[shown.run];
        const char *name = answer->events.data + run->offset;
        if (run->kind != RUN_EVENT || !event_is_kept(name))
            continue;
        if (shown.list == NULL) {
            shown.list = json_object_new_array();
            shown.places = json_object_new_object();
        }
        add_or_replace(&shown, name, event_object(name, name + strlen(name) + 1));
    }
    json_object_put(shown.places);
    return shown.list;
}

json_object *events_shown(const struct answer *answer)
{
    return list_shown(answer, NULL);
}

void events_places(const struct answer *answer, int *places)
{
    for (size_t i = 0; i < answer->run_count; i++)
        places[i] = -1;
    json_object_put(list_shown(answer, places));
}
