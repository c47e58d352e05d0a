/*
 * The dialect of POST /v1/chat/completions: OpenAI's chunks or its object, nothing else, so that its SDKs and what is built on them work unchanged.
 *
 * Source: OpenAI's API reference, "The chat completion object" and "The chat completion chunk object". With stream_options.include_usage each chunk has "usage": null, and one more
 * with the usage and no choice comes last. Thinking goes into reasoning_content, as most compatible servers do. Our other events have no place here.
 */
#include <string.h>

#include "../base/json.h"
#include "../http/response.h"
#include "../http/sse.h"
#include "dialect.h"
#include "shape.h"

static json_object *new_chunk(const struct stream *stream, json_object *delta, const char *finish_reason)
{
    json_object *chunk = dialect_chunk(stream->answer, delta, finish_reason);
    if (stream->with_usage)
        json_object_object_add(chunk, "usage", NULL);
    return chunk;
}

static bool open_stream(struct stream *stream)
{
    if (!dialect_keep_frame(stream, new_chunk(stream, dialect_delta("content", "", 0), NULL), "\"content\":\"\""))
        return false;
    json_object *delta = dialect_delta("content", "", 0);
    json_object_object_add(delta, "role", json_object_new_string("assistant"));
    sse_begin(stream->request);
    dialect_send(stream, new_chunk(stream, delta, NULL));
    return true;
}

static void send_reasoning(struct stream *stream, const char *text, size_t len, int64_t pos)
{
    (void)pos;
    dialect_send(stream, new_chunk(stream, dialect_delta("reasoning_content", text, len), NULL));
}

/* The calls that the client is to make. In a stream each has its number. */
static json_object *calls_list(const struct answer *answer, bool is_stream)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < answer->result.call_count; i++) {
        const struct completion_call *call = &answer->result.calls[i];
        json_object *object = json_object_new_object(), *function = json_object_new_object();
        if (is_stream)
            json_object_object_add(object, "index", json_object_new_int((int)i));
        json_object_object_add(object, "id", json_object_new_string(call->id));
        json_object_object_add(object, "type", json_object_new_string("function"));
        json_object_object_add(function, "name", json_object_new_string(call->name));
        json_object_object_add(function, "arguments", json_object_new_string(call->arguments));
        json_object_object_add(object, "function", function);
        json_object_array_add(list, object);
    }
    return list;
}

static const char *finish_reason(const struct answer *answer)
{
    return answer->result.call_count > 0 ? "tool_calls" : dialect_finish_reason(answer);
}

static void send_usage(struct stream *stream)
{
    json_object *chunk = dialect_chunk(stream->answer, dialect_delta(NULL, NULL, 0), NULL);
    json_object_object_add(chunk, "choices", json_object_new_array());
    json_object_object_add(chunk, "usage", usage_object(&stream->answer->usage));
    dialect_send(stream, chunk);
}

static void send_end(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    if (answer->failure.outcome != OUTCOME_OK) {
        dialect_send(stream, shape_openai_error(&answer->failure));
    } else {
        if (answer->result.call_count > 0) {
            json_object *delta = json_object_new_object();
            json_object_object_add(delta, "tool_calls", calls_list(answer, true));
            dialect_send(stream, new_chunk(stream, delta, NULL));
        }
        dialect_send(stream, new_chunk(stream, dialect_delta(NULL, NULL, 0), finish_reason(answer)));
        if (stream->with_usage)
            send_usage(stream);
    }
    dialect_send_done(stream);
}

const struct dialect dialect_openai = {
    .open = open_stream, .text = dialect_text, .reasoning = send_reasoning, .event = dialect_leave_out, .ping = dialect_ping, .end = send_end,
};

static json_object *message_object(const struct answer *answer)
{
    json_object *message = json_object_new_object();
    size_t len;
    const char *text = answer_shown(answer, &len);
    json_object_object_add(message, "role", json_object_new_string("assistant"));
    json_object_object_add(message, "content", len > 0 || answer->result.call_count == 0 ? json_object_new_string_len(text, (int)len) : NULL);
    json_object_object_add(message, "refusal", NULL);
    if (answer->reasoning.len > 0)
        json_object_object_add(message, "reasoning_content", json_object_new_string_len(answer->reasoning.data, (int)answer->reasoning.len));
    if (answer->result.call_count > 0)
        json_object_object_add(message, "tool_calls", calls_list(answer, false));
    return message;
}

static void send_whole(struct stream *stream)
{
    const struct answer *answer = stream->answer;
    json_object *object = dialect_chunk(answer, NULL, finish_reason(answer)), *choice = json_at(object, "choices.0");
    json_object_object_add(object, "object", json_object_new_string("chat.completion"));
    json_object_object_del(choice, "delta");
    json_object_object_add(choice, "message", message_object(answer));
    json_object_object_add(choice, "logprobs", NULL);
    json_object_object_add(object, "usage", usage_object(&answer->usage));
    response_json(stream->request, 200, object);
    json_object_put(object);
}

const struct dialect dialect_openai_whole = {.is_whole = true, .end = send_whole};
