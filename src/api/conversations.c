/*
 * /conversations: list, search, make, read, change, clear, delete, stop. docs/api.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "../base/mem.h"
#include "../chat/event.h"
#include "../chat/live.h"
#include "../chat/lost.h"
#include "../chat/mirror.h"
#include "../http/response.h"
#include "../store/conversation.h"
#include "../store/message.h"
#include "body.h"
#include "routes.h"

enum { PAGE_ROWS = 50, CURSOR_BYTES = 64 };

/* --- rows as JSON ------------------------------------------------------------------------------------------------- */

static void add_time(json_object *object, const char *name, int64_t unix_ms)
{
    char text[CLOCK_TEXT_BYTES];
    json_object_object_add(object, name, unix_ms > 0 ? json_object_new_string(clock_text(unix_ms, text)) : NULL);
}

static void add_text(json_object *object, const char *name, const char *text)
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

static json_object *conversation_object(const struct conversation *row)
{
    json_object *object = json_object_new_object();
    add_text(object, "conversation_id", row->id);
    add_text(object, "title", row->title);
    add_time(object, "created_at", row->created_at);
    add_time(object, "updated_at", row->updated_at);
    json_object_object_add(object, "pinned", json_object_new_boolean(row->pinned));
    json_object_object_add(object, "archived", json_object_new_boolean(row->archived));
    add_json(object, "metadata", row->metadata);
    return object;
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

static json_object *message_object(const struct message *row)
{
    json_object *object = json_object_new_object();
    add_text(object, "id", row->id);
    add_text(object, "parent_id", row->parent_id);
    add_text(object, "role", row->role);
    json_object_object_add(object, "content", json_object_new_string_len(row->content, (int)row->content_len));
    add_text(object, "status", row->status);
    add_text(object, "model", row->model);
    json_object_object_add(object, "usage", usage_object(&row->usage));
    add_time(object, "created_at", row->created_at);
    if (row->finished_at > 0)
        add_time(object, "finished_at", row->finished_at);
    if (row->finish_reason != NULL)
        add_text(object, "finish_reason", row->finish_reason);
    if (row->reasoning != NULL)
        add_text(object, "reasoning", row->reasoning);
    if (row->error_code != NULL) {
        json_object *error = json_object_new_object();
        add_text(error, "code", row->error_code);
        add_text(error, "message", row->error_message);
        json_object_object_add(object, "error", error);
    }
    add_json(object, "metadata", row->metadata);
    if (row->attachments != NULL)
        add_json(object, "attachments", row->attachments);
    add_events(object, row->events);
    if (row->feedback != NULL)
        add_text(object, "feedback", row->feedback);
    return object;
}

static enum outcome answer_status(struct request *request, const char *status)
{
    json_object *object = json_object_new_object();
    add_text(object, "status", status);
    response_json(request, 200, object);
    json_object_put(object);
    return OUTCOME_OK;
}

/* The id in the path. Malformed ones are as unknown as others. */
static enum outcome read_id(const struct request *request, const char **id, struct failure *failure)
{
    *id = request_segment(request, 0);
    return id_valid(*id) ? OUTCOME_OK : fail(failure, OUTCOME_NOT_FOUND, "There is no such conversation.");
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

struct page {
    json_object *rows;
    int limit, count;
    struct conversation_cursor end; /* of the last row that is shown */
};

static void take_conversation(void *arg, const struct conversation *row)
{
    struct page *page = arg;
    if (page->count++ >= page->limit)
        return; /* one row more than asked for tells that there is a next page */
    json_object_array_add(page->rows, conversation_object(row));
    page->end = (struct conversation_cursor){row->updated_at, row->row};
}

/* How many digits a text begins with. */
static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

static enum outcome read_limit(const char *text, int *limit, struct failure *failure)
{
    long number = text != NULL ? strtol(text, NULL, 10) : PAGE_ROWS; /* it would also take spaces and signs before the digits, and whatever behind them */
    if (text != NULL && (*text == '\0' || text[count_digits(text)] != '\0' || number < 1 || number > LIMIT_PAGE_ROWS))
        return fail(failure, OUTCOME_BAD_FIELD, "\"limit\" must be a whole number from 1 to %d.", LIMIT_PAGE_ROWS);
    *limit = (int)number;
    return OUTCOME_OK;
}

/* Two numbers and a dot, as list() writes them. */
static enum outcome read_cursor(const char *text, struct conversation_cursor *cursor, struct failure *failure)
{
    enum { DIGITS = 18 }; /* what an int64_t always holds */
    size_t first = count_digits(text), second = text[first] == '.' ? count_digits(text + first + 1) : 0;
    if (first == 0 || first > DIGITS || second == 0 || second > DIGITS || text[first + 1 + second] != '\0')
        return fail(failure, OUTCOME_BAD_FIELD, "\"before\" is not a cursor of this list.");
    *cursor = (struct conversation_cursor){strtoll(text, NULL, 10), strtoll(text + first + 1, NULL, 10)};
    return OUTCOME_OK;
}

static enum outcome list(struct request *request, const char *limit, const char *before, const char *search, struct failure *failure)
{
    struct page page = {0};
    struct conversation_cursor cursor;
    enum outcome outcome = read_limit(limit, &page.limit, failure);
    if (outcome == OUTCOME_OK && before != NULL)
        outcome = read_cursor(before, &cursor, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (search != NULL && search[strspn(search, " \t\r\n")] == '\0')
        search = NULL;
    json_object *object = json_object_new_object();
    page.rows = json_object_new_array();
    json_object_object_add(object, "conversations", page.rows);
    outcome = conversation_list(request_user(request), before != NULL ? &cursor : NULL, page.limit + 1, search, take_conversation, &page, failure);
    if (outcome == OUTCOME_OK) {
        char next[CURSOR_BYTES];
        (void)snprintf(next, sizeof next, "%lld.%lld", (long long)page.end.updated_at, (long long)page.end.row);
        add_text(object, "next", page.count > page.limit ? next : NULL);
        response_json(request, 200, object);
    }
    json_object_put(object);
    return outcome;
}

enum outcome conversations_list(struct request *request, struct failure *failure)
{
    char *limit = NULL, *before = NULL, *search = NULL;
    enum outcome outcome = request_query(request, "limit", &limit, failure);
    if (outcome == OUTCOME_OK)
        outcome = request_query(request, "before", &before, failure);
    if (outcome == OUTCOME_OK)
        outcome = request_query(request, "q", &search, failure);
    if (outcome == OUTCOME_OK)
        outcome = list(request, limit, before != NULL && *before != '\0' ? before : NULL, search, failure);
    mem_free(limit);
    mem_free(before);
    mem_free(search);
    return outcome;
}

/* --- one conversation --------------------------------------------------------------------------------------------- */

static void take_one(void *arg, const struct conversation *row)
{
    *(json_object **)arg = conversation_object(row);
}

static void ignore_one(void *arg, const struct conversation *row)
{
    (void)arg;
    (void)row;
}

static void take_message(void *arg, const struct message *row)
{
    json_object_array_add(arg, message_object(row));
}

/* An answer that is being written has in its row only what it had before: what it has said since is in the journal. When that cannot be read, the row has to do. */
static void show_running(int64_t user, json_object *message)
{
    const char *status = json_text(message, "status", NULL), *id = json_text(message, "id", NULL);
    struct mirror mirror;
    struct failure failure; /* the store has logged it */
    if (strcmp(status, "streaming") != 0)
        return;
    if (mirror_read(&mirror, user, id, &failure) == OUTCOME_OK) {
        size_t len;
        const char *text = answer_shown(mirror.answer, &len);
        json_object *events = events_shown(mirror.answer);
        json_object_object_add(message, "content", json_object_new_string_len(text, (int)len));
        if (mirror.answer->reasoning.len > 0)
            json_object_object_add(message, "reasoning", json_object_new_string_len(mirror.answer->reasoning.data, (int)mirror.answer->reasoning.len));
        if (events != NULL)
            json_object_object_add(message, "events", events);
    }
    mirror_free(&mirror);
}

/* Answers `status` with the conversation, with its messages when asked for. */
static enum outcome answer_conversation(struct request *request, int status, const char *id, bool with_messages, struct failure *failure)
{
    json_object *object = NULL;
    enum outcome outcome = conversation_get(request_user(request), id, take_one, &object, failure);
    if (outcome == OUTCOME_OK && with_messages) {
        json_object *messages = json_object_new_array();
        json_object_object_add(object, "messages", messages);
        outcome = message_list(request_user(request), id, take_message, messages, failure);
        for (size_t i = 0; outcome == OUTCOME_OK && i < json_object_array_length(messages); i++)
            show_running(request_user(request), json_object_array_get_idx(messages, i));
    }
    if (outcome == OUTCOME_OK)
        response_json(request, status, object);
    json_object_put(object);
    return outcome;
}

enum outcome conversations_get(struct request *request, struct failure *failure)
{
    const char *id;
    enum outcome outcome = read_id(request, &id, failure);
    if (outcome == OUTCOME_OK)
        lost_settle_conversation(request_user(request), id);
    return outcome == OUTCOME_OK ? answer_conversation(request, 200, id, true, failure) : outcome;
}

/* What a client may set. */
static enum outcome read_change(json_object *body, struct conversation_change *change, struct failure *failure)
{
    json_object *metadata = NULL;
    enum outcome outcome = body_text(body, "title", LIMIT_TITLE_BYTES, &change->title, failure);
    if (outcome == OUTCOME_OK)
        outcome = body_object(body, "metadata", LIMIT_METADATA_BYTES, &metadata, failure);
    if (outcome == OUTCOME_OK)
        outcome = body_flag(body, "pinned", &change->pinned, failure);
    if (outcome == OUTCOME_OK)
        outcome = body_flag(body, "archived", &change->archived, failure);
    if (metadata != NULL)
        change->metadata = json_write(metadata);
    return outcome;
}

/* Where the new conversation is, below whatever prefix the client used (RFC 9110 section 10.2.2). */
static void name_place(struct request *request, const char *id)
{
    const char *prefix;
    size_t len = request_prefix(request, &prefix);
    char place[sizeof "/conversations/" + ID_BYTES];
    (void)snprintf(place, sizeof place, "/conversations/%s", id);
    response_location(request, prefix, len, place);
}

enum outcome conversations_add(struct request *request, struct failure *failure)
{
    json_object *body = NULL;
    struct conversation_change wanted = {.pinned = -1, .archived = -1};
    char id[ID_BYTES];
    enum outcome outcome = body_read_if_any(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_change(body, &wanted, failure);
    if (outcome == OUTCOME_OK)
        outcome = conversation_add(request_user(request), wanted.title != NULL ? wanted.title : "", wanted.metadata != NULL ? wanted.metadata : "{}",
                                   id, failure);
    if (outcome == OUTCOME_OK)
        name_place(request, id);
    if (outcome == OUTCOME_OK)
        outcome = answer_conversation(request, 201, id, false, failure);
    json_object_put(body);
    return outcome;
}

enum outcome conversations_change(struct request *request, struct failure *failure)
{
    const char *id;
    json_object *body = NULL;
    struct conversation_change change = {.pinned = -1, .archived = -1};
    enum outcome outcome = read_id(request, &id, failure);
    if (outcome == OUTCOME_OK)
        outcome = body_read(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_change(body, &change, failure);
    if (outcome == OUTCOME_OK)
        outcome = conversation_change(request_user(request), id, &change, failure);
    if (outcome == OUTCOME_OK)
        outcome = answer_conversation(request, 200, id, false, failure);
    json_object_put(body);
    return outcome;
}

enum outcome conversations_delete(struct request *request, struct failure *failure)
{
    const char *id;
    enum outcome outcome = read_id(request, &id, failure);
    if (outcome == OUTCOME_OK)
        outcome = conversation_delete(request_user(request), id, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    (void)live_stop_conversation(id, STOP_DELETED); /* nobody can read the rest */
    return answer_status(request, "deleted");
}

enum outcome conversations_clear(struct request *request, struct failure *failure)
{
    const char *id;
    enum outcome outcome = read_id(request, &id, failure);
    if (outcome == OUTCOME_OK)
        outcome = conversation_clear(request_user(request), id, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    (void)live_stop_conversation(id, STOP_DELETED);
    return answer_status(request, "cleared");
}

enum outcome conversations_stop(struct request *request, struct failure *failure)
{
    const char *id;
    int elsewhere = 0;
    enum outcome outcome = read_id(request, &id, failure);
    if (outcome == OUTCOME_OK)
        outcome = conversation_get(request_user(request), id, ignore_one, NULL, failure); /* it must be the user's */
    if (outcome != OUTCOME_OK)
        return outcome;
    lost_settle_conversation(request_user(request), id);
    int here = live_stop_conversation(id, STOP_BY_USER);
    outcome = message_ask_stop(request_user(request), id, &elsewhere, failure); /* for answers that other processes make */
    if (outcome != OUTCOME_OK && here == 0)
        return outcome;
    return answer_status(request, here + elsewhere > 0 ? "stopped" : "not_running");
}
