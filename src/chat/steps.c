/*
 * See steps.h.
 */
#include "steps.h"

#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "attachments.h"

static void add(json_object *object, const char *name, const char *text)
{
    if (text != NULL)
        json_object_object_add(object, name, json_object_new_string(text));
}

static json_object *calls_write(const struct completion_message *message)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < message->call_count; i++) {
        const struct completion_call *call = &message->calls[i];
        json_object *object = json_object_new_object();
        add(object, "id", call->id);
        add(object, "name", call->name);
        add(object, "arguments", call->arguments);
        add(object, "state", call->state);
        json_object_array_add(list, object);
    }
    return list;
}

json_object *step_write(const struct completion_message *message)
{
    json_object *step = json_object_new_object();
    add(step, "role", message->role == COMPLETION_TOOL ? "tool" : message->role == COMPLETION_USER ? "user" : "assistant");
    json_object_object_add(step, "content", json_object_new_string_len(message->content != NULL ? message->content : "", (int)message->content_len));
    if (message->call_count > 0)
        json_object_object_add(step, "calls", calls_write(message));
    add(step, "reasoning", message->reasoning);
    add(step, "state", message->state);
    add(step, "state_wire", message->state_wire);
    add(step, "call_id", message->call_id);
    add(step, "call_name", message->call_name);
    if (message->is_error)
        json_object_object_add(step, "is_error", json_object_new_boolean(true));
    return step;
}

/* A copy of a member, or NULL when there is none; *good turns false when there is no memory. */
static char *copy_text(json_object *object, const char *name, bool *good)
{
    const char *text = json_text(object, name, NULL);
    char *copy = text != NULL ? mem_copy(text) : NULL;
    *good = *good && (text == NULL || copy != NULL);
    return copy;
}

static bool calls_read(json_object *list, struct completion_message *message)
{
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (count == 0)
        return true;
    struct completion_call *calls = mem_new(count, sizeof *calls);
    bool good = calls != NULL;
    message->calls = calls;
    for (size_t i = 0; i < count && good; i++) {
        json_object *object = json_object_array_get_idx(list, i);
        calls[i].id = copy_text(object, "id", &good);
        calls[i].name = copy_text(object, "name", &good);
        calls[i].arguments = copy_text(object, "arguments", &good);
        calls[i].state = copy_text(object, "state", &good);
        message->call_count = i + 1;
        good = good && calls[i].id != NULL && calls[i].name != NULL && calls[i].arguments != NULL;
    }
    return good;
}

bool step_read(json_object *step, struct completion_message *message)
{
    const char *role = json_text(step, "role", NULL);
    bool good = role != NULL && json_text(step, "content", NULL) != NULL;
    *message = (struct completion_message){.role = COMPLETION_ASSISTANT};
    if (!good)
        return false;
    if (strcmp(role, "tool") == 0)
        message->role = COMPLETION_TOOL;
    else if (strcmp(role, "user") == 0)
        message->role = COMPLETION_USER;
    message->content = copy_text(step, "content", &good);
    message->content_len = message->content != NULL ? strlen(message->content) : 0; /* what we write holds no NUL */
    message->reasoning = copy_text(step, "reasoning", &good);
    message->state = copy_text(step, "state", &good);
    message->state_wire = copy_text(step, "state_wire", &good);
    message->call_id = copy_text(step, "call_id", &good);
    message->call_name = copy_text(step, "call_name", &good);
    message->is_error = json_object_get_boolean(json_at(step, "is_error"));
    good = calls_read(json_at(step, "calls"), message) && good;
    good = good && (message->role != COMPLETION_TOOL || (message->call_id != NULL && message->call_name != NULL));
    if (!good)
        step_free(message);
    return good;
}

void step_free(struct completion_message *message)
{
    attachments_free((struct completion_image *)message->images, message->image_count);
    for (size_t i = 0; i < message->call_count; i++) {
        mem_free((char *)message->calls[i].id);
        mem_free((char *)message->calls[i].name);
        mem_free((char *)message->calls[i].arguments);
        mem_free((char *)message->calls[i].state);
    }
    mem_free((struct completion_call *)message->calls);
    mem_free((char *)message->content);
    mem_free((char *)message->reasoning);
    mem_free((char *)message->state);
    mem_free((char *)message->state_wire);
    mem_free((char *)message->call_id);
    mem_free((char *)message->call_name);
    *message = (struct completion_message){.role = COMPLETION_ASSISTANT};
}
