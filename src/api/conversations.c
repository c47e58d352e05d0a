/*
 * /conversations: make, copy, read, change, clear, delete, stop; delete a branch. docs/api.md. The list is in conversation_list.c.
 */
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../chat/event.h"
#include "../chat/live.h"
#include "../chat/lost.h"
#include "../chat/mirror.h"
#include "../http/response.h"
#include "../store/branch.h"
#include "../store/conversation.h"
#include "../store/message.h"
#include "body.h"
#include "routes.h"
#include "rows.h"

static enum outcome answer_status(struct request *request, const char *status)
{
    json_object *object = json_object_new_object();
    row_add_text(object, "status", status);
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

/* --- one conversation --------------------------------------------------------------------------------------------- */

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
    enum outcome outcome = conversation_get(request_user(request), id, row_take_conversation, &object, failure);
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
        (void)lost_settle_conversation(request_user(request), id);
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
    if (outcome == OUTCOME_OK)
        outcome = body_flag(body, "unread", &change->unread, failure);
    if (outcome == OUTCOME_OK)
        outcome = body_text(body, "leaf_id", LIMIT_ID_BYTES, &change->leaf_id, failure);
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

/* Makes a conversation of the messages that lead to one. An answer that seems to be written may have been lost: then it is not. */
static enum outcome fork_branch(int64_t user, const struct branch_fork *fork, char id[ID_BYTES], struct failure *failure)
{
    struct failure trouble;
    bool settled = false;
    if (!id_valid(fork->message))
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such message.");
    enum outcome outcome = branch_fork(user, fork, id, failure);
    if (outcome == OUTCOME_BUSY && lost_settle(user, fork->message, &settled, &trouble) == OUTCOME_OK && settled)
        outcome = branch_fork(user, fork, id, failure);
    return outcome;
}

static enum outcome make(int64_t user, json_object *body, char id[ID_BYTES], struct failure *failure)
{
    struct conversation_change wanted = {.pinned = -1, .archived = -1, .unread = -1};
    const char *fork_of = NULL;
    TRY(read_change(body, &wanted, failure));
    TRY(body_text(body, "fork_of", LIMIT_ID_BYTES, &fork_of, failure));
    struct branch_fork fork = {fork_of, wanted.title, wanted.metadata};
    if (fork_of != NULL)
        return fork_branch(user, &fork, id, failure);
    return conversation_add(user, wanted.title != NULL ? wanted.title : "", wanted.metadata != NULL ? wanted.metadata : "{}", id, failure);
}

enum outcome conversations_add(struct request *request, struct failure *failure)
{
    json_object *body = NULL;
    char id[ID_BYTES];
    enum outcome outcome = body_read_if_any(request, &body, failure);
    if (outcome == OUTCOME_OK)
        outcome = make(request_user(request), body, id, failure);
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
    struct conversation_change change = {.pinned = -1, .archived = -1, .unread = -1};
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

enum outcome conversations_cut(struct request *request, struct failure *failure)
{
    const char *id, *message = request_segment(request, 1);
    enum outcome outcome = read_id(request, &id, failure);
    if (outcome == OUTCOME_OK && !id_valid(message))
        outcome = fail(failure, OUTCOME_NOT_FOUND, "There is no such message.");
    if (outcome == OUTCOME_OK)
        outcome = branch_delete(request_user(request), id, message, failure);
    return outcome == OUTCOME_OK ? answer_status(request, "deleted") : outcome; /* an answer that is written below it is stopped by whoever finds it gone (live.c) */
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
    (void)lost_settle_conversation(request_user(request), id);
    int here = live_stop_conversation(id, STOP_BY_USER);
    outcome = message_ask_stop(request_user(request), id, &elsewhere, failure); /* for answers that other processes make */
    if (outcome != OUTCOME_OK && here == 0)
        return outcome;
    return answer_status(request, here + elsewhere > 0 ? "stopped" : "not_running");
}
