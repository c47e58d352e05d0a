/*
 * A fuzz target: events that applications and hooks send, src/chat/event.h: the first line is the name, the rest the content. What passes can be kept and shown: no address that runs
 * what it holds, no deeper than can be read again. Then several of them in one answer: a later one of the same thing takes the earlier one's place.
 */
#include "../../src/base/limits.h"
#include "../../src/chat/answer.h"
#include "../../src/chat/event.h"
#include "fuzz.h"

static void check_url(const char *url)
{
    insist(url == NULL || strncasecmp(url, "javascript:", 11) != 0);
}

/* An answer that holds the event twice. */
static void check_shown(const char *name, const char *json)
{
    static const char other[] = "other\0{}";
    struct answer answer = {0};
    struct run runs[3] = {{.kind = RUN_EVENT}, {.kind = RUN_EVENT}, {.kind = RUN_EVENT}};
    buf_init(&answer.events, LIMIT_EVENTS_BYTES);
    for (size_t i = 0; i < 3; i++) {
        runs[i].offset = answer.events.len;
        buf_add(&answer.events, i == 1 ? other : name, i == 1 ? 6 : strlen(name) + 1);
        buf_add(&answer.events, i == 1 ? "{}" : json, i == 1 ? 3 : strlen(json) + 1);
    }
    answer.runs = runs;
    answer.run_count = 3;
    json_object *list = events_shown(&answer);
    size_t count = list != NULL ? json_object_array_length(list) : 0;
    insist(count == (event_is_kept(name) ? 2 : 1) || (event_is_kept(name) && count == 3));
    json_object_put(list);
    buf_free(&answer.events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    const char *why = NULL;
    char *name = fuzz_line(&at, &left), *text = fuzz_bytes(at, left);
    json_object *content = json_read(text, left, &why);
    struct failure failure = {0};
    char *printable = fuzz_utf8((const uint8_t *)name, strlen(name));
    enum outcome outcome = event_check(printable, content, &failure);
    fuzz_check_failure(outcome, &failure);
    if (outcome == OUTCOME_OK) {
        insist(event_is_name(printable) && json_object_is_type(content, json_type_object) && json_depth(content, 100) <= LIMIT_EVENT_DEPTH);
        if (strcmp(printable, "image") == 0 || strcmp(printable, "reference") == 0)
            check_url(json_text(content, "url", NULL));
        check_shown(printable, json_write(content));
    }
    json_object_put(content);
    free(name);
    free(printable);
    free(text);
    return 0;
}
