/*
 * What the dialects share: OpenAI's chunks, frames around pieces of text, functions for their tables.
 */
#include "dialect.h"

#include <stdio.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../http/response.h"
#include "../http/sse.h"

/* Source of the shape: OpenAI's API reference, "The chat completion chunk object". */
json_object *dialect_chunk(const struct answer *answer, json_object *delta, const char *finish_reason)
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

json_object *dialect_delta(const char *key, const char *text, size_t len)
{
    json_object *delta = json_object_new_object();
    if (key != NULL)
        json_object_object_add(delta, key, json_object_new_string_len(text, (int)len));
    return delta;
}

const char *dialect_finish_reason(const struct answer *answer)
{
    return answer->result.finish_reason[0] != '\0' ? answer->result.finish_reason : "stop";
}

const char *dialect_model(const struct answer *answer)
{
    return answer->result.model[0] != '\0' ? answer->result.model : answer->asked_model;
}

void dialect_send(struct stream *stream, json_object *object)
{
    sse_data(stream->request, json_write(object), "", "");
    json_object_put(object);
}

/* The last place of `mark` in a text that has it. */
static const char *find_last(const char *text, const char *mark)
{
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, mark)) != NULL; at++)
        last = at;
    return last;
}

bool dialect_keep_frame(struct stream *stream, json_object *object, const char *mark)
{
    const char *text = json_write(object);
    const char *at = text != NULL ? find_last(text, mark) : NULL;
    if (at != NULL) {
        at += strlen(mark) - 2;
        stream->suffix = mem_copy(at + 2);
        stream->prefix = mem_copy(text);
        if (stream->prefix != NULL)
            stream->prefix[at - text] = '\0';
    }
    json_object_put(object);
    return stream->prefix != NULL && stream->suffix != NULL;
}

void dialect_text(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    (void)pos;
    static json_object *piece; /* used again for each piece, because it keeps its memory; only the loop's thread comes here */
    if (piece == NULL)
        piece = json_object_new_string("");
    const char *json = json_object_set_string_len(piece, text, (int)len) ? json_write(piece) : NULL;
    sse_data(stream->request, stream->prefix, json, stream->suffix);
}

void dialect_ping(struct stream *stream)
{
    sse_comment(stream->request);
}

void dialect_leave_out(struct stream *stream, const char *name, const char *json, int64_t pos)
{
    (void)stream, (void)name, (void)json, (void)pos;
}

void dialect_send_failure(struct stream *stream)
{
    dialect_send(stream, response_error(&stream->answer->failure));
}

void dialect_send_done(struct stream *stream)
{
    sse_data(stream->request, "[DONE]", "", "");
}
