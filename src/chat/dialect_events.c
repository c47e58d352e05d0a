/*
 * The dialect of POST /chat/stream: named events, `token` with the raw text, ids `<message_id>:<pos>` for re-attaching.
 */
#include "../base/json.h"
#include "../http/sse.h"
#include "dialect.h"

static void send_object(struct stream *stream, const char *name, int64_t pos, json_object *object)
{
    sse_event(stream->request, name, stream->answer->id, pos, json_write(object));
    json_object_put(object);
}

static json_object *new_object_with_ids(const struct answer *answer)
{
    json_object *object = json_object_new_object();
    json_object_object_add(object, "conversation_id", json_object_new_string(answer->conversation));
    json_object_object_add(object, "message_id", json_object_new_string(answer->id));
    return object;
}

static bool open_stream(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    sse_begin(stream->request);
    if (stream->resumes && stream->after > 0) { /* it has had what follows here */
        sse_comment(stream->request); /* Apache hands on the head with the first byte of the body only */
        return true;
    }
    json_object *object = new_object_with_ids(answer);
    json_object_object_add(object, "model", json_object_new_string(answer->asked_model));
    send_object(stream, "start", stream->after > 0 ? stream->after : 1, object); /* itself the first event: it takes position 1 */
    return true;
}

/* Over the wire CR, CRLF and LF are one line break; a CRLF may be cut by two events. */
static void send_text(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    if (stream->after_cr && text[0] == '\n') {
        text++;
        len--;
    }
    stream->after_cr = len > 0 && text[len - 1] == '\r';
    if (len > 0)
        sse_text(stream->request, "token", stream->answer->id, pos, text, len);
}

static void send_reasoning(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    json_object *object = json_object_new_object();
    json_object_object_add(object, "text", json_object_new_string_len(text, (int)len));
    send_object(stream, "reasoning", pos, object);
}

static void send_event(struct stream *stream, const char *name, const char *json, int64_t pos)
{
    sse_event(stream->request, name, stream->answer->id, pos, json);
}

static void send_ping(struct stream *stream)
{
    sse_event(stream->request, "ping", NULL, 0, "{}");
}

json_object *dialect_terminal(const struct answer *answer, const char **name)
{
    json_object *object = new_object_with_ids(answer);
    bool failed = answer->failure.outcome != OUTCOME_OK;
    *name = failed ? "error" : "done";
    if (failed) {
        json_object_object_add(object, "code", json_object_new_string(outcome_code(answer->failure.outcome)));
        json_object_object_add(object, "message", json_object_new_string(answer->failure.message));
    } else {
        json_object_object_add(object, "status", json_object_new_string(answer->status));
        json_object_object_add(object, "usage", usage_object(&answer->usage));
    }
    return object;
}

static void send_end(struct stream *stream)
{
    const char *name;
    json_object *object = dialect_terminal(stream->answer, &name);
    send_object(stream, name, stream->answer->pos + 1, object);
}

const struct dialect dialect_events = {
    .has_ids = true, .open = open_stream, .text = send_text, .reasoning = send_reasoning, .event = send_event, .ping = send_ping, .end = send_end,
};
