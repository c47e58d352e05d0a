/*
 * The demo of demo.h. It runs on the calling thread and hands each piece to the event loop, where the sink lives.
 */
#include "demo.h"

#include <stdio.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/loop.h"
#include "../base/utf8.h"

enum { WORD_MS = 25, QUOTE_BYTES = 200 };

static const char tour[] =
    "This is the built-in demo model. No provider is set up yet, so nothing here was written by an AI, but everything around it is real: this text came "
    "token by token through the web server, and the conversation is in your SQLite file.\n\n"
    "To chat with a real model, put one of these into a file called `.env` and start again:\n\n"
    "```sh\n"
    "OPENAI_API_KEY=your key\n"
    "LLM_MODEL=gpt-4o\n"
    "```\n\n"
    "or, for a model on your own machine (Ollama, vLLM, llama.cpp):\n\n"
    "```sh\n"
    "LLM_BASE_URL=http://127.0.0.1:11434/v1\n"
    "LLM_MODEL=llama3.2\n"
    "```\n\n"
    "Meanwhile you can try the rest: press Stop while I am talking, reload the page, start a new conversation, or find this one in the list.";

struct piece {
    const struct completion_sink *sink;
    const char *text;
    size_t len;
    enum outcome outcome;
};

static void give(void *arg)
{
    struct piece *piece = arg;
    piece->outcome = piece->sink->event(piece->sink->arg, COMPLETION_TEXT, piece->text, piece->len);
    piece->sink->batch(piece->sink->arg);
}

/* The demo has no tokens: it counts words. */
static int64_t count_words(const struct completion_request *request)
{
    int64_t words = 0;
    for (size_t i = 0; i < request->message_count; i++)
        for (const char *at = request->messages[i].content; *(at += strspn(at, " \t\r\n")) != '\0'; words++)
            at += strcspn(at, " \t\r\n");
    return words;
}

static void write_answer(struct buf *answer, const struct completion_request *request)
{
    const struct completion_message *last = &request->messages[request->message_count - 1];
    size_t len = last->content_len;
    if (len > QUOTE_BYTES)
        len = utf8_fit(last->content, QUOTE_BYTES);
    buf_add_text(answer, "You said: \"");
    buf_add(answer, last->content, len);
    buf_add_text(answer, len < last->content_len ? "…\"\n\n" : "\"\n\n");
    buf_add_text(answer, tour);
}

enum outcome demo_run(const struct completion_request *request, const struct completion_sink *sink, const atomic_bool *cancel,
                      struct completion_result *result, struct failure *failure)
{
    struct buf answer;
    buf_init(&answer, sizeof tour + QUOTE_BYTES + 64);
    write_answer(&answer, request);
    (void)snprintf(result->model, sizeof result->model, "demo");
    enum outcome outcome = buf_failed(&answer) ? fail_no_memory(failure) : OUTCOME_OK;
    int64_t pieces = 0;
    for (const char *at = answer.data; *at != '\0' && outcome == OUTCOME_OK; pieces++) {
        size_t len = strcspn(at + 1, " \n") + 1;
        struct piece piece = {.sink = sink, .text = at, .len = len};
        loop_call(give, &piece);
        result->begun = true;
        at += len;
        if (piece.outcome == OUTCOME_NO_MEMORY)
            outcome = fail_no_memory(failure);
        else if (piece.outcome != OUTCOME_OK)
            outcome = fail(failure, piece.outcome, "The answer is longer than this server allows.");
        else if (atomic_load(cancel))
            outcome = fail(failure, OUTCOME_STOPPED, "The answer was stopped.");
        else
            clock_sleep_ms(WORD_MS);
    }
    if (outcome == OUTCOME_OK)
        (void)snprintf(result->finish_reason, sizeof result->finish_reason, "stop");
    result->usage.completion_tokens = pieces;
    result->usage.prompt_tokens = count_words(request);
    buf_free(&answer);
    return outcome;
}
