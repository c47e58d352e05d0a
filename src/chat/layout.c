/*
 * See layout.h.
 */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "event.h"

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Whether the log is text alone, from its beginning on. */
static bool is_plain(const struct answer *answer)
{
    if (answer->run_count == 0)
        return answer->pos == 1;
    return answer->run_count == 1 && answer->runs[0].kind == RUN_TEXT && answer->runs[0].pos == 1 && answer->pos == answer_run_end(&answer->runs[0]);
}

static void add_token(struct buf *out, char kind, int64_t number)
{
    buf_addf(out, "%s%c%lld", out->len > 0 ? " " : "", kind, (long long)number);
}

/* Positions of which nothing is kept are said together. */
static void add_nothing(struct buf *out, int64_t *nothing)
{
    if (*nothing > 0)
        add_token(out, 'n', *nothing);
    *nothing = 0;
}

/* `places` says for each run which kept event it is; -1: none. */
static void write_runs(const struct answer *answer, const int *places, struct buf *out, int64_t *nothing)
{
    int64_t pos = 1;
    for (size_t i = 0; i < answer->run_count; i++) {
        const struct run *run = &answer->runs[i];
        *nothing += run->pos - pos;
        pos = answer_run_end(run);
        bool is_clear = run->kind == RUN_EVENT && strcmp(answer_kind(answer, run), "clear_message") == 0;
        bool is_kept = run->kind == RUN_REASONING || is_clear || (run->kind == RUN_TEXT && i >= answer->shown_runs) || places[i] >= 0;
        if (!is_kept) {
            *nothing += pos - run->pos;
            continue;
        }
        add_nothing(out, nothing);
        if (is_clear)
            buf_addf(out, "%sc", out->len > 0 ? " " : "");
        else if (run->kind == RUN_EVENT)
            add_token(out, 'e', places[i]);
        else
            add_token(out, run->kind == RUN_TEXT ? 't' : 'r', (int64_t)run->len);
    }
    *nothing += answer->pos - pos;
}

bool layout_write(const struct answer *answer, int64_t lost, char **layout)
{
    *layout = NULL;
    if (is_plain(answer) && lost == 0)
        return true;
    int *places = mem_new(answer->run_count + 1, sizeof *places);
    struct buf out;
    buf_init(&out, LIMIT_LAYOUT_BYTES);
    bool good = places != NULL;
    if (good) {
        int64_t nothing = 0;
        events_places(answer, places);
        write_runs(answer, places, &out, &nothing);
        nothing += lost;
        add_nothing(&out, &nothing);
        *layout = buf_take(&out);
        good = *layout != NULL;
    }
    mem_free(places);
    buf_free(&out);
    return good;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* The last position that JavaScript can count to. */
#define MOST_POS ((int64_t)1 << 53)

struct reading {
    struct answer *answer;
    const struct layout_parts *parts;
    size_t reasoning_len;
    json_object *events;
    size_t text, reasoning, event; /* so much of each is used */
    int64_t pos;
    enum outcome outcome;
};

static void add(struct reading *reading, const char *kind, const char *bytes, size_t len, int64_t positions)
{
    if (reading->outcome == OUTCOME_OK)
        reading->outcome = answer_add(reading->answer, kind, bytes, len, reading->pos);
    reading->pos += positions;
}

static void add_text(struct reading *reading, size_t len)
{
    add(reading, "text", reading->parts->text + reading->text, len, (int64_t)len);
    reading->text += len;
}

static void add_reasoning(struct reading *reading, size_t len)
{
    add(reading, "reasoning", reading->parts->reasoning + reading->reasoning, len, 1);
    reading->reasoning += len;
}

static void add_event(struct reading *reading, size_t index)
{
    json_object *event = json_object_array_get_idx(reading->events, index);
    const char *type = json_text(event, "type", NULL), *json = json_write(json_at(event, "content"));
    bool is_other = type != NULL && strcmp(type, "text") != 0 && strcmp(type, "reasoning") != 0; /* as answer_add() would call them: changed by hand */
    if (is_other && event_is_name(type))
        add(reading, type, json != NULL ? json : "null", strlen(json != NULL ? json : "null"), 1);
    else
        reading->pos++;
}

/* One word of the layout. False: it does not fit what is there. */
static bool take_token(struct reading *reading, char kind, unsigned long long number)
{
    const struct layout_parts *parts = reading->parts;
    switch (kind) {
    case 't':
        if (number > parts->text_len - reading->text)
            return false;
        add_text(reading, (size_t)number);
        return true;
    case 'r':
        if (parts->reasoning == NULL || number > reading->reasoning_len - reading->reasoning)
            return false;
        add_reasoning(reading, (size_t)number);
        return true;
    case 'e':
        if (number >= json_object_array_length(reading->events))
            return false;
        add_event(reading, (size_t)number);
        reading->event++;
        return true;
    case 'c':
        add(reading, "clear_message", "{}", 2, 1);
        return true;
    case 'n':
        if (number > (unsigned long long)(MOST_POS - reading->pos))
            return false;
        reading->pos += (int64_t)number; /* each time that the answer is lost with its process adds to it */
        return true;
    default:
        return false;
    }
}

/* False: it does not fit, or leaves something out. */
static bool take_layout(struct reading *reading, const char *layout)
{
    for (const char *at = layout; *at != '\0';) {
        char *end, kind = *at++;
        unsigned long long number = strtoull(at, &end, 10);
        if (!take_token(reading, kind, number))
            return false;
        at = end + strspn(end, " ");
    }
    return reading->text == reading->parts->text_len && reading->reasoning == reading->reasoning_len && reading->event >= json_object_array_length(reading->events);
}

enum outcome layout_read(struct answer *answer, const struct layout_parts *parts)
{
    struct reading reading = {.answer = answer, .parts = parts, .pos = 1, .reasoning_len = parts->reasoning != NULL ? strlen(parts->reasoning) : 0};
    json_object *list = parts->events != NULL ? json_read_loose(parts->events, strlen(parts->events)) : NULL;
    reading.events = json_object_is_type(list, json_type_array) ? list : json_object_new_array();
    bool fits = parts->layout != NULL && take_layout(&reading, parts->layout);
    if (!fits) { /* text alone, or a message of an older version: thinking, text, events */
        if (reading.reasoning < reading.reasoning_len)
            add_reasoning(&reading, reading.reasoning_len - reading.reasoning);
        if (reading.text < parts->text_len)
            add_text(&reading, parts->text_len - reading.text);
        for (size_t i = reading.event; i < json_object_array_length(reading.events); i++)
            add_event(&reading, i);
    }
    if (reading.outcome == OUTCOME_OK && reading.pos > answer->pos)
        answer->pos = reading.pos; /* nothing is kept of its last positions */
    if (reading.events != list)
        json_object_put(reading.events);
    json_object_put(list);
    return reading.outcome;
}
