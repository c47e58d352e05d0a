/*
 * See messages.h. Source of the shapes: OpenAI's API reference, "Create chat completion", messages.
 */
#include "messages.h"

#include <string.h>

#include "../base/json.h"
#include "../base/limits.h"
#include "../base/mem.h"
#include "../chat/attachments.h"

void messages_init(struct messages *messages)
{
    *messages = (struct messages){.question = ""};
    buf_init(&messages->system, LIMIT_BODY_BYTES);
    buf_init(&messages->joined, LIMIT_BODY_BYTES * (size_t)2);
}

static void free_parts(struct completion_message *message)
{
    mem_free((struct completion_image *)message->images);
    mem_free((struct completion_call *)message->calls);
}

void messages_free(struct messages *messages)
{
    for (size_t i = 0; i < messages->count; i++)
        free_parts(&messages->list[i]);
    mem_free(messages->list);
    buf_free(&messages->system);
    buf_free(&messages->joined);
    json_object_put(messages->kept);
    *messages = (struct messages){0};
}

/* A copy of a text that was put together, kept as long as the messages; the buffer is given back. NULL: out of memory. */
static const char *keep(struct messages *messages, struct buf *whole)
{
    json_object *text = buf_failed(whole) ? NULL : json_object_new_string_len(whole->data, (int)whole->len);
    buf_free(whole);
    if (messages->kept == NULL)
        messages->kept = json_object_new_array();
    if (text == NULL || json_object_array_add(messages->kept, text) != 0) {
        json_object_put(text);
        return NULL;
    }
    return json_object_get_string(text);
}

/* --- one message -------------------------------------------------------------------------------------------------- */

static enum outcome add_image(struct completion_message *message, json_object *part, const char *name, struct failure *failure)
{
    const char *url = json_text(part, "image_url.url", NULL);
    struct completion_image image;
    if (url == NULL || !attachments_read_url(url, &image))
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\": an image must be a data: URL with base64 of a PNG, JPEG, WebP or GIF.", name);
    if (message->image_count == LIMIT_ATTACHMENTS)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\": a message may have %d images at most.", name, LIMIT_ATTACHMENTS);
    struct completion_image *images = mem_resize((struct completion_image *)message->images, (message->image_count + 1) * sizeof *images);
    if (images == NULL)
        return fail_no_memory(failure);
    images[message->image_count++] = image;
    message->images = images;
    return OUTCOME_OK;
}

/* The parts of a content: texts are gathered in `whole`, each on a line of its own. */
static enum outcome gather_parts(struct completion_message *message, json_object *parts, const char *name, struct buf *whole, struct failure *failure)
{
    for (size_t i = 0; i < json_object_array_length(parts); i++) {
        json_object *part = json_object_array_get_idx(parts, i);
        const char *type = json_text(part, "type", NULL);
        size_t len = 0;
        const char *text = type != NULL && strcmp(type, "text") == 0 ? json_text(part, "text", &len) : NULL;
        enum outcome outcome = OUTCOME_OK;
        if (type != NULL && strcmp(type, "image_url") == 0 && message->role == COMPLETION_USER)
            outcome = add_image(message, part, name, failure);
        else if (text == NULL)
            outcome = fail(failure, OUTCOME_BAD_FIELD, "\"%s\": the parts of a content must be of the type \"text\", or in a user's message \"image_url\".", name);
        if (outcome != OUTCOME_OK)
            return outcome;
        if (len > 0 && whole->len > 0)
            buf_add_char(whole, '\n');
        buf_add(whole, text, len);
    }
    return buf_failed(whole) ? fail_no_memory(failure) : OUTCOME_OK;
}

static enum outcome read_parts(struct messages *messages, struct completion_message *message, json_object *parts, const char *name, struct failure *failure)
{
    struct buf whole;
    buf_init(&whole, LIMIT_BODY_BYTES * (size_t)2);
    enum outcome outcome = gather_parts(message, parts, name, &whole, failure);
    message->content_len = whole.len;
    if (outcome == OUTCOME_OK && (message->content = keep(messages, &whole)) == NULL)
        outcome = fail_no_memory(failure);
    buf_free(&whole);
    return outcome;
}

static enum outcome read_calls(struct completion_message *message, json_object *list, const char *name, struct failure *failure)
{
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (list == NULL || (count == 0 && json_object_is_type(list, json_type_array)))
        return OUTCOME_OK;
    if (count == 0 || count > LIMIT_CALLS)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\": \"tool_calls\" must be a list of at most %d calls.", name, LIMIT_CALLS);
    struct completion_call *calls = mem_new(count, sizeof *calls);
    if (calls == NULL)
        return fail_no_memory(failure);
    message->calls = calls;
    message->call_count = count;
    for (size_t i = 0; i < count; i++) {
        json_object *call = json_object_array_get_idx(list, i);
        calls[i] = (struct completion_call){json_text(call, "id", NULL), json_text(call, "function.name", NULL), json_text(call, "function.arguments", NULL), NULL};
        if (calls[i].id == NULL || calls[i].name == NULL || calls[i].arguments == NULL)
            return fail(failure, OUTCOME_BAD_FIELD, "\"%s\": each of \"tool_calls\" needs an \"id\" and a \"function\" with \"name\" and \"arguments\", which are strings.", name);
    }
    return OUTCOME_OK;
}

/* Which call a result belongs to: one of those that were made last. */
static enum outcome find_call(const struct messages *messages, struct completion_message *message, json_object *object, const char *name, struct failure *failure)
{
    const char *id = json_text(object, "tool_call_id", NULL);
    size_t at = messages->count;
    while (at > 0 && messages->list[at - 1].role == COMPLETION_TOOL)
        at--;
    const struct completion_message *caller = at > 0 ? &messages->list[at - 1] : NULL;
    for (size_t i = 0; id != NULL && caller != NULL && i < caller->call_count; i++)
        if (strcmp(caller->calls[i].id, id) == 0) {
            message->call_id = id;
            message->call_name = caller->calls[i].name;
            return OUTCOME_OK;
        }
    return fail(failure, OUTCOME_BAD_FIELD, "\"%s\": a message with the role \"tool\" must follow the call that its \"tool_call_id\" names.", name);
}

static enum outcome read_content(struct messages *messages, struct completion_message *message, json_object *object, const char *name, bool is_plain, struct failure *failure)
{
    json_object *content = json_at(object, "content");
    message->content = "";
    if (json_object_is_type(content, json_type_string)) {
        message->content = json_object_get_string(content);
        message->content_len = (size_t)json_object_get_string_len(content);
        return OUTCOME_OK;
    }
    if (!is_plain && json_object_is_type(content, json_type_array))
        return read_parts(messages, message, content, name, failure);
    if (!is_plain && content == NULL && message->call_count > 0)
        return OUTCOME_OK;
    return fail(failure, OUTCOME_BAD_FIELD, "\"%s\": the \"content\" of a message must be a string%s.", name, is_plain ? "" : " or a list of parts");
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

static bool may_join(const struct completion_message *a, const struct completion_message *b)
{
    return a->role == b->role && a->role != COMPLETION_TOOL && a->call_count == 0 && b->call_count == 0 && a->image_count + b->image_count == 0;
}

/* Joins a message to the last one, whose text grows in `joined`. */
static enum outcome join(struct messages *messages, struct completion_message *last, const struct completion_message *message, struct failure *failure)
{
    struct buf *joined = &messages->joined;
    if (joined->len == 0)
        buf_add(joined, last->content, last->content_len);
    if (joined->len > 0 && message->content_len > 0)
        buf_add_text(joined, "\n\n");
    buf_add(joined, message->content, message->content_len);
    last->content = joined->data;
    last->content_len = joined->len;
    messages->last_len = message->content_len;
    return buf_failed(joined) ? fail_no_memory(failure) : OUTCOME_OK;
}

static enum outcome add(struct messages *messages, struct completion_message *message, struct failure *failure)
{
    struct completion_message *last = messages->count > 0 ? &messages->list[messages->count - 1] : NULL;
    if (last != NULL && may_join(last, message))
        return join(messages, last, message, failure);
    if (last != NULL && messages->joined.len > 0 && (last->content = keep(messages, &messages->joined)) == NULL) /* nothing is joined to it any more */
        return fail_no_memory(failure);
    if (messages->list == NULL || messages->count == messages->room) {
        size_t room = messages->room > 0 ? messages->room * 2 : 16;
        struct completion_message *list = mem_resize(messages->list, room * sizeof *list);
        if (list == NULL)
            return fail_no_memory(failure);
        messages->list = list;
        messages->room = room;
    }
    messages->list[messages->count++] = *message;
    return OUTCOME_OK;
}

static enum outcome add_system(struct messages *messages, const struct completion_message *message, struct failure *failure)
{
    if (messages->system.len > 0)
        buf_add_text(&messages->system, "\n\n");
    buf_add(&messages->system, message->content, message->content_len);
    return buf_failed(&messages->system) ? fail_no_memory(failure) : OUTCOME_OK;
}

static enum outcome read_one(struct messages *messages, json_object *object, const char *name, bool is_plain, struct failure *failure)
{
    struct completion_message message = {.role = COMPLETION_ASSISTANT};
    const char *role = json_text(object, "role", NULL);
    if (role == NULL)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must hold objects with \"role\" and \"content\".", name);
    bool is_system = strcmp(role, "system") == 0 || (!is_plain && strcmp(role, "developer") == 0);
    enum outcome outcome = OUTCOME_OK;
    if (strcmp(role, "user") == 0) {
        message.role = COMPLETION_USER;
    } else if (!is_plain && strcmp(role, "tool") == 0) {
        message.role = COMPLETION_TOOL;
        outcome = find_call(messages, &message, object, name, failure);
    } else if (strcmp(role, "assistant") != 0 && !is_system) {
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" holds a message with an unknown role.", name);
    }
    if (outcome == OUTCOME_OK && message.role == COMPLETION_ASSISTANT && !is_plain && !is_system)
        outcome = read_calls(&message, json_at(object, "tool_calls"), name, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_content(messages, &message, object, name, is_plain, failure);
    bool is_nothing = message.role != COMPLETION_TOOL && message.content_len == 0 && message.call_count == 0 && message.image_count == 0;
    if (outcome == OUTCOME_OK && is_system)
        outcome = add_system(messages, &message, failure);
    else if (outcome == OUTCOME_OK && !is_nothing) {
        size_t before = messages->count;
        outcome = add(messages, &message, failure);
        if (messages->count > before)
            return outcome; /* its parts are the list's now */
    }
    free_parts(&message);
    return outcome;
}

/* The question is the user's last message, with what it was joined to. */
static void take_question(struct messages *messages)
{
    size_t at = messages->count;
    while (at > 0 && messages->list[at - 1].role != COMPLETION_USER)
        at--;
    if (at == 0)
        return;
    messages->question = messages->list[at - 1].content;
    messages->question_len = messages->list[at - 1].content_len;
}

enum outcome messages_read(struct messages *messages, json_object *list, const char *name, bool is_plain, struct failure *failure)
{
    enum outcome outcome = OUTCOME_OK;
    for (size_t i = 0; i < json_object_array_length(list) && outcome == OUTCOME_OK; i++)
        outcome = read_one(messages, json_object_array_get_idx(list, i), name, is_plain, failure);
    take_question(messages);
    return outcome;
}

enum outcome messages_add_question(struct messages *messages, const char *text, size_t len, struct failure *failure)
{
    struct completion_message message = {.role = COMPLETION_USER, .content = text, .content_len = len};
    messages->question = text;
    messages->question_len = len;
    return add(messages, &message, failure);
}

void messages_drop_last(struct messages *messages, enum completion_role role, const char *text)
{
    struct completion_message *last = messages->count > 0 ? &messages->list[messages->count - 1] : NULL;
    size_t len = strlen(text);
    if (last == NULL || len == 0 || last->role != role || last->content_len < len || strcmp(last->content + last->content_len - len, text) != 0)
        return;
    if (last->content_len == len) {
        buf_free(&messages->joined);
        free_parts(last);
        messages->count--;
    } else if (messages->joined.len > 0 && messages->last_len == len) {
        last->content_len -= len + 2; /* and the empty line before it */
        messages->joined.data[last->content_len] = '\0';
        messages->joined.len = last->content_len;
        messages->last_len = 0;
    }
}

/* Whether as many results follow message number `at` as it has calls, and each call is among those that they name. */
static bool has_results(const struct messages *messages, size_t at)
{
    const struct completion_message *caller = &messages->list[at], *results = caller + 1;
    size_t count = 0;
    while (at + 1 + count < messages->count && results[count].role == COMPLETION_TOOL)
        count++;
    if (count != caller->call_count)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < count && strcmp(results[j].call_id, caller->calls[i].id) != 0)
            j++;
        if (j == count)
            return false;
    }
    return true;
}

enum outcome messages_check(const struct messages *messages, const char *name, struct failure *failure)
{
    bool has_user = false;
    if (messages->count > LIMIT_PAST_MESSAGES)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" may hold %d messages at most.", name, LIMIT_PAST_MESSAGES);
    for (size_t i = 0; i < messages->count; i++) {
        const struct completion_message *message = &messages->list[i];
        has_user = has_user || message->role == COMPLETION_USER;
        if (message->call_count > 0 && !has_results(messages, i))
            return fail(failure, OUTCOME_BAD_FIELD, "\"%s\": each of \"tool_calls\" must be followed by one message with its result.", name);
    }
    if (!has_user)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must hold a message of the user's with something in it.", name);
    if (messages->list[messages->count - 1].role == COMPLETION_ASSISTANT)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must end with a message of the user's or the result of a tool.", name);
    return OUTCOME_OK;
}
