/*
 * The dialect of POST /chat: `data:` lines with OpenAI's chat.completion.chunk objects, then `data: [DONE]`.
 *
 * Source of the shape: OpenAI's API reference, "The chat completion chunk object"; our additions are conversation_id and message_id in the first chunk.
 * A chunk is the same for every piece of text but for the text: json-c writes it once per stream with an empty piece, and the two halves around it
 * are kept. The piece itself is written by json-c as well.
 */
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../http/sse.h"
#include "dialect.h"

/* A chunk with one choice; takes `delta`. A new reference. */
static json_object *new_chunk(const struct answer *answer, json_object *delta, const char *finish_reason)
{
    char id[ID_BYTES + 16];
    (void)snprintf(id, sizeof id, "chatcmpl-%s", answer->id);
    json_object *chunk = json_object_new_object();
    json_object *choices = json_object_new_array();
    json_object *choice = json_object_new_object();
    json_object_object_add(chunk, "id", json_object_new_string(id));
    json_object_object_add(chunk, "object", json_object_new_string("chat.completion.chunk"));
    json_object_object_add(chunk, "created", json_object_new_int64(answer->created_s));
    json_object_object_add(chunk, "model", json_object_new_string(answer->asked_model) /* one name from the first to the last chunk */);
    json_object_object_add(choice, "index", json_object_new_int(0));
    json_object_object_add(choice, "delta", delta);
    json_object_object_add(choice, "finish_reason", finish_reason != NULL ? json_object_new_string(finish_reason) : NULL);
    json_object_array_add(choices, choice);
    json_object_object_add(chunk, "choices", choices);
    return chunk;
}

static json_object *new_delta(const char *key, const char *text, size_t len)
{
    json_object *delta = json_object_new_object();
    if (key != NULL)
        json_object_object_add(delta, key, json_object_new_string_len(text, (int)len));
    return delta;
}

/* Writes `object` as one data line and puts it back. */
static void send_object(struct stream *stream, json_object *object)
{
    sse_data(stream->request, json_write(object), "", "");
    json_object_put(object);
}

/* Cuts an empty text chunk at the place where the text goes. */
static bool prepare_frame(struct stream *stream)
{
    json_object *chunk = new_chunk(stream->answer, new_delta("content", "", 0), NULL);
    const char *text = json_write(chunk), *mark = "\"content\":\"\"";
    const char *at = text != NULL ? strstr(strstr(text, "\"delta\""), mark) : NULL; /* "delta" is there: we put it there */
    if (at != NULL) {
        at += strlen(mark) - 2;
        stream->suffix = mem_copy(at + 2);
        stream->prefix = mem_copy(text);
        if (stream->prefix != NULL)
            stream->prefix[at - text] = '\0';
    }
    json_object_put(chunk);
    return stream->prefix != NULL && stream->suffix != NULL;
}

static bool open_stream(struct stream *stream)
{
    if (!prepare_frame(stream))
        return false;
    json_object *delta = new_delta("content", "", 0);
    json_object_object_add(delta, "role", json_object_new_string("assistant"));
    json_object *chunk = new_chunk(stream->answer, delta, NULL);
    json_object_object_add(chunk, "conversation_id", json_object_new_string(stream->answer->conversation));
    json_object_object_add(chunk, "message_id", json_object_new_string(stream->answer->id));
    sse_begin(stream->request);
    send_object(stream, chunk);
    return true;
}

static void send_text(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    (void)pos;
    static json_object *piece; /* used again for each piece, because it keeps its memory; only the loop's thread comes here */
    if (piece == NULL)
        piece = json_object_new_string("");
    const char *json = json_object_set_string_len(piece, text, (int)len) ? json_write(piece) : NULL;
    sse_data(stream->request, stream->prefix, json, stream->suffix);
}

static void send_reasoning(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    (void)pos;
    send_object(stream, new_chunk(stream->answer, new_delta("reasoning_content", text, len), NULL)); /* the name that most servers use */
}

/* Other events travel in a member of our own, beside an empty delta. */
static void send_event(struct stream *stream, const char *name, const char *json, int64_t pos)
{
    (void)pos;
    json_object *chunk = new_chunk(stream->answer, new_delta(NULL, NULL, 0), NULL), *event = json_object_new_object();
    json_object_object_add(event, "type", json_object_new_string(name));
    json_object_object_add(event, "content", json_read_loose(json, strlen(json)));
    json_object_object_add(chunk, "parley", event);
    send_object(stream, chunk);
}

static void send_ping(struct stream *stream)
{
    sse_comment(stream->request);
}

static void send_end(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (answer->failure.outcome != OUTCOME_OK) {
        json_object *object = json_object_new_object();
        json_object_object_add(object, "error", dialect_error(&answer->failure));
        send_object(stream, object);
    } else {
        const char *finish = answer->result.finish_reason[0] != '\0' ? answer->result.finish_reason : "stop";
        json_object *chunk = new_chunk(answer, new_delta(NULL, NULL, 0), finish);
        json_object_object_add(chunk, "usage", usage_object(&answer->result.usage));
        send_object(stream, chunk);
    }
    sse_data(stream->request, "[DONE]", "", "");
}

const struct dialect dialect_chunks = {
    .open = open_stream, .text = send_text, .reasoning = send_reasoning, .event = send_event, .ping = send_ping, .end = send_end,
};
