/*
 * The dialect of POST /api/chat, for Ragbits' user interface and its clients: each event one line `data: {"type": …, "content": {…}}`; the end of the body is the end.
 *
 * Source: ragbits-chat 1.6, the event classes of its chat interface and its API server. What its client wants besides: a space after `data:`, no `[DONE]`, no other lines
 * but comments, errors as events and a good end (an HTTP error would show the user a number), few events (it takes a millisecond and more for each). It has no event for thinking,
 * which is therefore told as a live update, and takes images that are data in pieces.
 */
#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../http/sse.h"
#include "dialect.h"
#include "used.h"

enum { PACE_MS = 5, PIECE_BYTES = 102400 /* as Ragbits cuts */ };

static void send_content(struct stream *stream, const char *type, json_object *content)
{
    json_object *event = json_object_new_object();
    json_object_object_add(event, "type", json_object_new_string(type));
    json_object_object_add(event, "content", content);
    dialect_send(stream, event);
}

/* An event whose content has one member, a text. */
static void send_one(struct stream *stream, const char *type, const char *member, const char *text)
{
    send_content(stream, type, dialect_delta(member, text, strlen(text)));
}

static bool open_stream(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    json_object *frame = json_object_new_object();
    json_object_object_add(frame, "type", json_object_new_string("text"));
    json_object_object_add(frame, "content", dialect_delta("text", "", 0));
    if (!dialect_keep_frame(stream, frame, "\"text\":\"\""))
        return false;
    sse_begin(stream->request);
    if (!answer->has_client_id)
        send_one(stream, "message_id", "message_id", answer->id);
    if (answer->title != NULL) { /* only with the first turn: its user interface forgets a conversation that is announced twice */
        send_one(stream, "conversation_id", "conversation_id", answer->conversation);
        send_one(stream, "conversation_summary", "summary", answer->title);
    }
    return true;
}

static void tell_thinking(struct stream *stream, const char *type, const char *label, json_object *description)
{
    char id[32];
    json_object *content = json_object_new_object(), *said = json_object_new_object();
    (void)snprintf(id, sizeof id, "thinking-%d", stream->thoughts);
    json_object_object_add(content, "update_id", json_object_new_string(id));
    json_object_object_add(content, "type", json_object_new_string(type));
    json_object_object_add(said, "label", json_object_new_string(label));
    json_object_object_add(said, "description", description);
    json_object_object_add(content, "content", said);
    send_content(stream, "live_update", content);
}

/* What was thought is told when it is over. */
static void end_thinking(struct stream *stream)
{
    if (!stream->is_thinking)
        return;
    const char *thought = stream->answer->reasoning.data + stream->thinking_from;
    stream->is_thinking = false;
    tell_thinking(stream, "FINISH", "Thought", json_object_new_string_len(thought, (int)(stream->thinking_to - stream->thinking_from)));
}

static void send_reasoning(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    (void)pos;
    size_t from = (size_t)(text - stream->answer->reasoning.data);
    if (!stream->is_thinking) {
        stream->is_thinking = true;
        stream->thinking_from = from;
        stream->thoughts++;
        tell_thinking(stream, "START", "Thinking", NULL);
    }
    stream->thinking_to = from + len;
}

static void send_text(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    end_thinking(stream);
    dialect_text(stream, text, len, pos);
}

/* An image given as data: {"id","url":"data:image/png;base64,…"}, in pieces; mime_type is what stands before the comma. */
static void send_pieces(struct stream *stream, const char *id, const char *url)
{
    size_t head = strcspn(url, ","), len = strlen(url) - head;
    const char *data = len > 0 ? url + head + 1 : "";
    len = strlen(data);
    int total = (int)((len + PIECE_BYTES - 1) / PIECE_BYTES);
    for (int i = 0; i < total; i++, data += PIECE_BYTES, len -= len > PIECE_BYTES ? PIECE_BYTES : len) {
        json_object *content = json_object_new_object();
        json_object_object_add(content, "id", json_object_new_string(id));
        json_object_object_add(content, "content_type", json_object_new_string("image"));
        json_object_object_add(content, "chunk_index", json_object_new_int(i));
        json_object_object_add(content, "total_chunks", json_object_new_int(total));
        json_object_object_add(content, "mime_type", json_object_new_string_len(url, (int)head));
        json_object_object_add(content, "data", json_object_new_string_len(data, (int)(len < PIECE_BYTES ? len : PIECE_BYTES)));
        send_content(stream, "chunked_content", content);
    }
}

static void send_event(struct stream *stream, const char *name, const char *json, int64_t pos)
{
    (void)pos;
    end_thinking(stream);
    json_object *content = json_read_loose(json, strlen(json));
    const char *id = json_text(content, "id", NULL), *url = json_text(content, "url", NULL);
    if (strcmp(name, "image") == 0 && id != NULL && url != NULL && strncmp(url, "data:", 5) == 0) {
        send_pieces(stream, id, url);
        json_object_put(content);
        return;
    }
    send_content(stream, name, content);
    /* its user interface forgets the message's id with its text, and without one there is no feedback */
    if (strcmp(name, "clear_message") == 0 && !stream->answer->has_client_id)
        send_one(stream, "message_id", "message_id", stream->answer->id);
}

static void send_end(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    end_thinking(stream);
    if (answer->failure.outcome != OUTCOME_OK)
        send_one(stream, "error", "message", answer->failure.message);
    json_object *used = used_by_model(answer->used, answer->used_count);
    if (used == NULL)
        return;
    json_object *content = json_object_new_object();
    json_object_object_add(content, "usage", used);
    send_content(stream, "usage", content);
}

const struct dialect dialect_ragbits = {
    .is_eager = true, .pace_ms = PACE_MS, .open = open_stream, .text = send_text, .reasoning = send_reasoning, .event = send_event, .ping = dialect_ping, .end = send_end,
};
