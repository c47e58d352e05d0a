/*
 * The dialect of POST /chat: `data:` lines with OpenAI's chat.completion.chunk objects, then `data: [DONE]`; or one object.
 *
 * Our additions to OpenAI's shape: conversation_id and message_id in the first chunk, usage in the last, and a member `parley` for events that OpenAI does not have. A chunk is the
 * same for every piece of text but for the text: see dialect_keep_frame().
 */
#include <string.h>

#include "../http/response.h"
#include "../http/sse.h"
#include "dialect.h"
#include "event.h"

static bool open_stream(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (!dialect_keep_frame(stream, dialect_chunk(answer, dialect_delta("content", "", 0), NULL), "\"content\":\"\""))
        return false;
    json_object *delta = dialect_delta("content", "", 0);
    json_object_object_add(delta, "role", json_object_new_string("assistant"));
    json_object *chunk = dialect_chunk(answer, delta, NULL);
    json_object_object_add(chunk, "conversation_id", json_object_new_string(answer->conversation));
    json_object_object_add(chunk, "message_id", json_object_new_string(answer->id));
    sse_begin(stream->request);
    dialect_send(stream, chunk);
    return true;
}

static void send_reasoning(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    (void)pos;
    dialect_send(stream, dialect_chunk(stream->answer, dialect_delta("reasoning_content", text, len), NULL)); /* the name that most servers use */
}

static void send_event(struct stream *stream, const char *name, const char *json, int64_t pos)
{
    (void)pos;
    json_object *chunk = dialect_chunk(stream->answer, dialect_delta(NULL, NULL, 0), NULL);
    json_object_object_add(chunk, "parley", event_object(name, json));
    dialect_send(stream, chunk);
}

static void send_end(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (answer->failure.outcome != OUTCOME_OK) {
        dialect_send_failure(stream);
    } else {
        json_object *chunk = dialect_chunk(answer, dialect_delta(NULL, NULL, 0), dialect_finish_reason(answer));
        json_object_object_add(chunk, "usage", usage_object(&answer->usage));
        dialect_send(stream, chunk);
    }
    dialect_send_done(stream);
}

const struct dialect dialect_chunks = {
    .open = open_stream, .text = dialect_text, .reasoning = send_reasoning, .event = send_event, .ping = dialect_ping, .end = send_end,
};

/* {response, conversation_id, message_id, model, usage}; reasoning and events beside it where there are any. */
static void send_whole(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    json_object *object = json_object_new_object(), *events = events_shown(answer);
    size_t len;
    const char *text = answer_shown(answer, &len);
    json_object_object_add(object, "response", json_object_new_string_len(text, (int)len));
    json_object_object_add(object, "conversation_id", json_object_new_string(answer->conversation));
    json_object_object_add(object, "message_id", json_object_new_string(answer->id));
    json_object_object_add(object, "model", json_object_new_string(dialect_model(answer)));
    json_object_object_add(object, "status", json_object_new_string(answer->status));
    json_object_object_add(object, "usage", usage_object(&answer->usage));
    if (answer->reasoning.len > 0)
        json_object_object_add(object, "reasoning", json_object_new_string_len(answer->reasoning.data, (int)answer->reasoning.len));
    if (events != NULL)
        json_object_object_add(object, "events", events);
    response_json(stream->request, 200, object);
    json_object_put(object);
}

const struct dialect dialect_chunks_whole = {.is_whole = true, .end = send_whole};
