/*
 * The dialect of POST /api/v1/chat: `data: {"content": "…"}` for each piece of text, then `data: [DONE]`; or one object. Thinking and other events are not part of it.
 */
#include "../http/response.h"
#include "../http/sse.h"
#include "dialect.h"

static bool open_stream(struct stream *stream)
{
    if (!dialect_keep_frame(stream, dialect_delta("content", "", 0), "\"content\":\"\""))
        return false;
    sse_begin(stream->request);
    return true;
}

static void leave_out_reasoning(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    (void)stream, (void)text, (void)len, (void)pos;
}

static void send_end(struct stream *stream)
{
    if (stream->answer->failure.outcome != OUTCOME_OK)
        dialect_send_failure(stream);
    dialect_send_done(stream);
}

const struct dialect dialect_content = {
    .open = open_stream, .text = dialect_text, .reasoning = leave_out_reasoning, .event = dialect_leave_out, .ping = dialect_ping, .end = send_end,
};

static void send_whole(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    size_t len;
    const char *text = answer_shown(answer, &len);
    json_object *object = dialect_delta("content", text, len);
    json_object_object_add(object, "role", json_object_new_string("assistant"));
    json_object_object_add(object, "model", json_object_new_string(dialect_model(answer)));
    json_object_object_add(object, "finish_reason", json_object_new_string(dialect_finish_reason(answer)));
    json_object_object_add(object, "usage", usage_object(&answer->usage));
    response_json(stream->request, 200, object);
    json_object_put(object);
}

const struct dialect dialect_content_whole = {.is_whole = true, .end = send_whole};
