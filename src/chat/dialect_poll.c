/*
 * The dialect of GET /conversations/{id}/stream?poll=1 and ?wait=25, for hosts that hold streams back: the events of dialect_events.c, those that there are, in one JSON object.
 *
 *   {conversation_id, message_id, status, events: [{id, event, data}], after}
 *
 * `after` is what to ask with the next time; `status` is `streaming` until the terminal event is among the events. A `token` has its text as data, as it is; others an object.
 */
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../http/response.h"
#include "dialect.h"

enum { POSITION_BYTES = ID_BYTES + 24 };

static json_object *position_of(const struct stream *stream, int64_t pos)
{
    char text[POSITION_BYTES];
    (void)snprintf(text, sizeof text, "%s:%lld", stream->answer->id, (long long)pos);
    return json_object_new_string(text);
}

static void add(struct stream *stream, const char *name, int64_t pos, json_object *data)
{
    json_object *event = json_object_new_object();
    json_object_object_add(event, "id", position_of(stream, pos));
    json_object_object_add(event, "event", json_object_new_string(name));
    json_object_object_add(event, "data", data);
    if (stream->said == NULL)
        stream->said = json_object_new_array();
    json_object_array_add(stream->said, event);
    stream->said_pos = pos;
}

static void add_text(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    add(stream, "token", pos, json_object_new_string_len(text, (int)len));
}

static void add_reasoning(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    json_object *object = json_object_new_object();
    json_object_object_add(object, "text", json_object_new_string_len(text, (int)len));
    add(stream, "reasoning", pos, object);
}

static void add_event(struct stream *stream, const char *name, const char *json, int64_t pos)
{
    add(stream, name, pos, json_read_loose(json, strlen(json)));
}

static void add_end(struct stream *stream)
{
    const char *name;
    json_object *object = dialect_terminal(stream->answer, &name);
    add(stream, name, stream->answer->pos + 1, object);
}

static void answer_poll(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    bool is_whole = answer->ended && stream->said_pos > answer->pos; /* an answer that has ended may have more events than are given at once */
    json_object *object = json_object_new_object();
    json_object_object_add(object, "conversation_id", json_object_new_string(answer->conversation));
    json_object_object_add(object, "message_id", json_object_new_string(answer->id));
    json_object_object_add(object, "status", json_object_new_string(is_whole ? answer->status : "streaming"));
    json_object_object_add(object, "events", stream->said != NULL ? stream->said : json_object_new_array());
    json_object_object_add(object, "after", position_of(stream, stream->said_pos > stream->after ? stream->said_pos : stream->after));
    stream->said = NULL;
    response_json(stream->request, 200, object);
    json_object_put(object);
}

const struct dialect dialect_poll = {.is_poll = true, .text = add_text, .reasoning = add_reasoning, .event = add_event, .end = add_end, .answer_poll = answer_poll};
