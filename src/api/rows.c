/*
 * See rows.h.
 */
#include "rows.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "../chat/event.h"

void row_add_time(json_object *object, const char *name, int64_t unix_ms)
{
    char text[CLOCK_TEXT_BYTES];
    json_object_object_add(object, name, unix_ms > 0 ? json_object_new_string(clock_text(unix_ms, text)) : NULL);
}

void row_add_text(json_object *object, const char *name, const char *text)
{
    json_object_object_add(object, name, text != NULL ? json_object_new_string(text) : NULL);
}

/* Our own stored JSON; an unreadable one (changed by hand) counts as empty. */
static void add_json(json_object *object, const char *name, const char *text)
{
    const char *why;
    json_object *value = json_read(text, strlen(text), &why);
    json_object_object_add(object, name, value != NULL ? value : json_object_new_object());
}

/* [{"text"}, {"text", "hit": true}, …] */
static json_object *snippet_object(const struct snippet *snippet)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < snippet->count; i++) {
        const struct snippet_piece *piece = &snippet->pieces[i];
        json_object *object = json_object_new_object();
        json_object_object_add(object, "text", json_object_new_string_len(piece->text, (int)piece->len));
        if (piece->is_hit)
            json_object_object_add(object, "hit", json_object_new_boolean(true));
        json_object_array_add(list, object);
    }
    return list;
}

json_object *conversation_object(const struct conversation *row)
{
    json_object *object = json_object_new_object();
    row_add_text(object, "conversation_id", row->id);
    row_add_text(object, "title", row->title);
    row_add_time(object, "created_at", row->created_at);
    row_add_time(object, "updated_at", row->updated_at);
    json_object_object_add(object, "pinned", json_object_new_boolean(row->pinned));
    json_object_object_add(object, "archived", json_object_new_boolean(row->archived));
    add_json(object, "metadata", row->metadata);
    row_add_text(object, "status", row->status);
    json_object_object_add(object, "unread", json_object_new_boolean(row->unread));
    row_add_text(object, "leaf_id", row->leaf_id);
    if (row->snippet != NULL) {
        json_object_object_add(object, "snippet", snippet_object(row->snippet));
        row_add_text(object, "message_id", row->found_in);
    }
    return object;
}

void row_take_conversation(void *arg, const struct conversation *row)
{
    *(json_object **)arg = conversation_object(row);
}

/* What an answer shows beside its text; nothing when there is none. */
static void add_events(json_object *object, const char *text)
{
    json_object *events = text != NULL ? json_read_loose(text, strlen(text)) : NULL; /* our own, and there may be very many */
    if (json_object_is_type(events, json_type_array) && json_object_array_length(events) > 0)
        json_object_object_add(object, "events", events);
    else
        json_object_put(events);
}

json_object *message_object(const struct message *row)
{
    json_object *object = json_object_new_object();
    row_add_text(object, "id", row->id);
    row_add_text(object, "parent_id", row->parent_id);
    row_add_text(object, "role", row->role);
    json_object_object_add(object, "content", json_object_new_string_len(row->content, (int)row->content_len));
    row_add_text(object, "status", row->status);
    row_add_text(object, "provider", row->provider);
    row_add_text(object, "model", row->model);
    json_object_object_add(object, "usage", usage_object(&row->usage));
    row_add_time(object, "created_at", row->created_at);
    if (row->finished_at > 0)
        row_add_time(object, "finished_at", row->finished_at);
    if (row->finish_reason != NULL)
        row_add_text(object, "finish_reason", row->finish_reason);
    if (row->reasoning != NULL)
        row_add_text(object, "reasoning", row->reasoning);
    if (row->error_code != NULL) {
        json_object *error = json_object_new_object();
        row_add_text(error, "code", row->error_code);
        row_add_text(error, "message", row->error_message);
        json_object_object_add(object, "error", error);
    }
    add_json(object, "metadata", row->metadata);
    if (row->attachments != NULL)
        add_json(object, "attachments", row->attachments);
    add_events(object, row->events);
    if (row->feedback != NULL)
        row_add_text(object, "feedback", row->feedback);
    return object;
}
