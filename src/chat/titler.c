/*
 * See titler.h.
 */
#include "titler.h"

#include <pthread.h>
#include <string.h>

#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "../llm/model.h"
#include "../store/conversation.h"
#include "../store/usage.h"
#include "ask.h"
#include "live.h"
#include "title.h"

enum { THINK_MS = 15000, QUOTE_BYTES = 4000, TITLE_TOKENS = 200 };

/* One that thinks. */
struct titler {
    struct answer *answer; /* a reference of its own */
    char *message;
};

static bool (*titler_function)(const char *message, char *title, size_t size);

void titler_use(bool (*function)(const char *message, char *title, size_t size))
{
    titler_function = function;
}

/* Models like to say more than they were asked for: the first line counts, without quotes and marks around it. */
static void tidy(const char *said, char title[TITLE_BYTES])
{
    static const char marks[] = "\"'`*# \t";
    char line[TITLE_BYTES * 2];
    said += strspn(said, "\r\n \t");
    size_t len = strcspn(said, "\r\n");
    if (len >= sizeof line)
        len = utf8_fit(said, sizeof line - 1);
    memcpy(line, said, len);
    line[len] = '\0';
    char *start = line + strspn(line, marks);
    size_t end = strlen(start);
    while (end > 0 && strchr(marks, start[end - 1]) != NULL)
        end--;
    start[end] = '\0';
    if (end > 0)
        title_make(start, end, title);
    else
        title[0] = '\0';
}

static void count_use(const struct answer *answer, const struct completion_result *result)
{
    struct failure failure; /* the store has logged it */
    struct usage_entry entry = {.provider = result->provider, .model = result->model, .usage = result->usage};
    if (result->provider == NULL)
        return;
    entry.usage.cost = result->cost >= 0 ? result->cost : model_cost(result->provider, result->model, &result->usage);
    (void)usage_add(answer->user, &entry, 1, &failure);
}

static bool ask_title(const struct titler *titler, char title[TITLE_BYTES])
{
    static const char system[] =
        "You give conversations their titles. Answer with nothing but a title of three to six words, in the language of the message, without quotation marks.";
    struct completion_result result;
    struct failure failure;
    struct buf said;
    size_t len = strlen(titler->message);
    struct completion_message message = {.role = COMPLETION_USER, .content = titler->message, .content_len = len > QUOTE_BYTES ? utf8_fit(titler->message, QUOTE_BYTES) : len};
    struct completion_request request = ask_request(settings.title_model, system, &message);
    request.max_tokens = TITLE_TOKENS;
    request.total_ms = THINK_MS;
    buf_init(&said, LIMIT_ASKED_BYTES);
    enum outcome outcome = ask_text(&request, live_closed(), &said, &result, &failure);
    if (outcome == OUTCOME_OK)
        tidy(said.data, title);
    else if (outcome != OUTCOME_STOPPED)
        log_warning("no title for conversation %s: %s", titler->answer->conversation, failure.message);
    count_use(titler->answer, &result);
    completion_result_free(&result);
    buf_free(&said);
    return outcome == OUTCOME_OK && title[0] != '\0';
}

void titler_set(struct answer *answer, const char *title, const char *was)
{
    struct failure failure;
    struct conversation_change change = {.title = title, .title_was = was, .pinned = -1, .archived = -1, .unread = -1};
    enum outcome outcome = conversation_change(answer->user, answer->conversation, &change, &failure);
    if (outcome != OUTCOME_OK) { /* renamed or deleted meanwhile, or the store has logged it */
        log_debug("the title of conversation %s stays: %s", answer->conversation, failure.message);
        return;
    }
    json_object *content = json_object_new_object();
    json_object_object_add(content, "summary", json_object_new_string(title));
    if (answer_event(answer, "conversation_summary", content, false) != OUTCOME_OK)
        log_warning("a client was not told the title of conversation %s", answer->conversation);
}

static void titler_end(struct titler *titler)
{
    answer_release(titler->answer);
    mem_free(titler->message);
    mem_free(titler);
    live_end_aside();
}

static void *think(void *arg)
{
    struct titler *titler = arg;
    char title[TITLE_BYTES] = "", tidy[TITLE_BYTES];
    bool good = titler_function != NULL ? titler_function(titler->message, title, sizeof title) : ask_title(titler, title);
    title[sizeof title - 1] = '\0';
    title[utf8_fit(title, strlen(title))] = '\0';
    if (good && title[0] != '\0' && utf8_valid(title, strlen(title))) {
        title_make(title, strlen(title), tidy);
        titler_set(titler->answer, tidy, titler->answer->title);
    }
    titler_end(titler);
    return NULL;
}

/* Starts the thread, which ends by itself. 0, or an errno. */
static int start_thread(struct titler *titler)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    error = pthread_attr_setstacksize(&attributes, LIMIT_THREAD_STACK_BYTES);
    if (error == 0)
        error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (error == 0)
        error = pthread_create(&thread, &attributes, think, titler);
    (void)pthread_attr_destroy(&attributes); /* fails for no valid one */
    return error;
}

void titler_start(struct answer *answer, const char *message)
{
    if (answer->title == NULL || !answer_is_stored(answer) || (titler_function == NULL && settings.title_model[0] == '\0'))
        return;
    struct titler *titler = mem_new(1, sizeof *titler);
    char *copy = titler != NULL ? mem_copy(message) : NULL;
    if (copy == NULL) {
        mem_free(titler);
        log_warning("no title for conversation %s: out of memory", answer->conversation);
        return;
    }
    *titler = (struct titler){answer, copy};
    answer_hold(answer);
    live_begin_aside();
    int error = start_thread(titler);
    if (error == 0)
        return;
    log_warning("no thread for the title of conversation %s: %s", answer->conversation, strerror(error));
    titler_end(titler);
}
