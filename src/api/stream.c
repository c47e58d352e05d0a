/*
 * GET /conversations/{id}/stream: an answer that was begun before, from where the client lost it. As server-sent events, or with poll=1 or wait=SECONDS as one JSON object, for hosts
 * that hold streams back. docs/api.md.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../chat/dialect.h"
#include "../chat/follow.h"
#include "../http/response.h"
#include "routes.h"

/* The last event that the client has had: `<message id>:<position>`. */
struct position {
    char message[ID_BYTES]; /* "": not said */
    int64_t pos;
};

static enum outcome read_position(const char *text, struct position *position, struct failure *failure)
{
    enum { DIGITS = 18 }; /* what an int64_t always holds */
    const char *digits = text + ID_LEN + 1;
    bool has_id = strlen(text) > ID_LEN + 1 && text[ID_LEN] == ':';
    if (has_id)
        memcpy(position->message, text, ID_LEN); /* the rest is zero */
    if (!has_id || !id_valid(position->message) || strlen(digits) > DIGITS || digits[strspn(digits, "0123456789")] != '\0')
        return fail(failure, OUTCOME_BAD_REQUEST, "The position to go on from must be the id of an event: <message_id>:<number>.");
    position->pos = strtoll(digits, NULL, 10);
    return OUTCOME_OK;
}

/* A browser that reconnects sends Last-Event-ID beside the address that it was given, so that is the newer of the two (HTML standard, section 9.2.4). */
static enum outcome find_position(const struct request *request, struct position *position, struct failure *failure)
{
    const char *last = request_variable(request, "HTTP_LAST_EVENT_ID");
    char *after = NULL;
    enum outcome outcome = request_query(request, "after", &after, failure);
    const char *text = *last != '\0' ? last : after;
    if (outcome == OUTCOME_OK && text != NULL && *text != '\0')
        outcome = read_position(text, position, failure);
    mem_free(after);
    return outcome;
}

/* Whether the client polls, and how long it waits. */
static enum outcome read_poll(const struct request *request, bool *polls, int64_t *wait_ms, struct failure *failure)
{
    char *poll = NULL, *wait = NULL;
    enum outcome outcome = request_query(request, "poll", &poll, failure);
    if (outcome == OUTCOME_OK)
        outcome = request_query(request, "wait", &wait, failure);
    *polls = wait != NULL || (poll != NULL && strcmp(poll, "1") == 0);
    if (outcome == OUTCOME_OK && poll != NULL && strcmp(poll, "1") != 0 && strcmp(poll, "0") != 0)
        outcome = fail(failure, OUTCOME_BAD_REQUEST, "\"poll\" must be 1 or 0.");
    if (outcome == OUTCOME_OK && wait != NULL) {
        long seconds = strtol(wait, NULL, 10);
        if (*wait == '\0' || strlen(wait) > 3 || wait[strspn(wait, "0123456789")] != '\0')
            outcome = fail(failure, OUTCOME_BAD_REQUEST, "\"wait\" must be a whole number of seconds, up to %d.", LIMIT_POLL_SECONDS);
        *wait_ms = (seconds < LIMIT_POLL_SECONDS ? seconds : LIMIT_POLL_SECONDS) * 1000;
    }
    mem_free(poll);
    mem_free(wait);
    return outcome;
}

enum outcome conversations_stream(struct request *request, struct failure *failure)
{
    struct position position = {0};
    bool polls = false;
    struct follow follow = {.user = request_user(request), .conversation = request_segment(request, 0), .listener = {.resumes = true}};
    if (strcmp(request_method(request), "HEAD") == 0) { /* it would follow the answer to its end, and be told nothing */
        response_header(request, "Allow", "GET");
        return fail(failure, OUTCOME_BAD_METHOD, "This address takes GET only.");
    }
    if (!id_valid(follow.conversation))
        return fail(failure, OUTCOME_NOT_FOUND, "There is no such conversation.");
    enum outcome outcome = find_position(request, &position, failure);
    if (outcome == OUTCOME_OK)
        outcome = read_poll(request, &polls, &follow.listener.wait_ms, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    follow.message = position.message[0] != '\0' ? position.message : NULL;
    follow.listener.dialect = polls ? &dialect_poll : &dialect_events;
    follow.listener.after = position.pos;
    request_drop_body(request); /* the loop may answer at once, and closes a connection on which mod_proxy_fcgi still wants to say that there is no body */
    outcome = follow_run(&follow, request, failure);
    if (outcome == OUTCOME_OK)
        response_empty(request);
    return outcome;
}
