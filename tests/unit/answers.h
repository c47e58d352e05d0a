/*
 * Logs of answers for tests: made at random with what is known of them, played into answers in pieces, and written down so that two of them can be compared.
 *
 * The script knows by itself what of a log is kept with the message; the tests hold src/chat/event.c and src/chat/layout.c against it.
 */
#ifndef PARLEY_UNIT_ANSWERS_H
#define PARLEY_UNIT_ANSWERS_H

#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/base/settings.h"
#include "../../src/chat/answer.h"
#include "../../src/chat/event.h"
#include "../../src/chat/layout.h"

struct item {
    const char *kind; /* as answer_add() takes it */
    char bytes[160];
    size_t len;
    int64_t pos; /* before it */
    char key;    /* of an event that a later one with the same kind and key replaces; 0: none does */
    bool kept;   /* with the message */
};

enum { SCRIPT_ITEMS = 48 };

struct script {
    struct item items[SCRIPT_ITEMS];
    size_t count;
    int64_t end; /* the position after it all */
};

static inline int64_t item_end(const struct item *item)
{
    return item->pos + (strcmp(item->kind, "text") == 0 ? (int64_t)item->len : 1);
}

/* Puts an item at the end, after `gap` positions that nothing is known of. */
static inline void script_add(struct script *script, const char *kind, char key, const char *bytes, int64_t gap)
{
    assert_true(script->count < SCRIPT_ITEMS);
    bool is_clear = strcmp(kind, "clear_message") == 0;
    if (script->count == 0)
        script->end = 1;
    for (size_t i = 0; i < script->count; i++) {
        struct item *before = &script->items[i];
        bool is_replaced = key != 0 && before->key == key && strcmp(before->kind, kind) == 0;
        if (is_replaced || (is_clear && strcmp(before->kind, "reasoning") != 0 && strcmp(before->kind, "clear_message") != 0))
            before->kept = false;
    }
    struct item *item = &script->items[script->count++];
    *item = (struct item){.kind = kind, .key = key, .pos = script->end + gap, .len = strlen(bytes)};
    item->kept = strcmp(kind, "conversation_summary") != 0 && strcmp(kind, "state_update") != 0;
    assert_true(item->len < sizeof item->bytes);
    memcpy(item->bytes, bytes, item->len + 1);
    script->end = item_end(item);
}

static inline void random_text(uint64_t *seed, char *text)
{
    static const char *const letters[] = {"a", "b", " ", "ä", "漢", "😀", "e\u0301", "\r", "\n", "\"", "é"};
    text[0] = '\0';
    for (uint32_t n = 1 + unit_random(seed) % 8; n > 0; n--)
        strcat(text, letters[unit_random(seed) % (sizeof letters / sizeof letters[0])]);
}

/* A log of at most `most` items; with `all`, also gaps and everything that is not kept. */
static inline void script_random(struct script *script, uint64_t *seed, size_t most, bool all)
{
    *script = (struct script){.end = 1};
    for (size_t count = unit_random(seed) % (most + 1); script->count < count;) {
        char text[160], key = (char)('1' + unit_random(seed) % 3);
        int number = (int)script->count;
        int64_t gap = all && unit_random(seed) % 9 == 0 ? 1 + unit_random(seed) % 50 : 0;
        random_text(seed, text);
        switch (unit_random(seed) % 16) {
        case 0: case 1:
            script_add(script, "reasoning", 0, text, gap);
            break;
        case 2: case 3:
            (void)snprintf(text, sizeof text, "{\"update_id\":\"%c\",\"type\":\"START\",\"content\":{\"label\":\"%d\"}}", key, number);
            script_add(script, "live_update", key, text, gap);
            break;
        case 4: case 5:
            (void)snprintf(text, sizeof text, "{\"task\":{\"id\":\"%c\",\"description\":\"ä %d\",\"status\":\"pending\"}}", key, number);
            script_add(script, "plan_item", key, text, gap);
            break;
        case 6:
            (void)snprintf(text, sizeof text, "{\"title\":\"t%d\",\"content\":\"😀\"}", number);
            script_add(script, "reference", 0, text, gap);
            break;
        case 7:
            (void)snprintf(text, sizeof text, "{\"messages\":[\"%d\"]}", number);
            script_add(script, "followup_messages", '*', text, gap);
            break;
        case 8:
            (void)snprintf(text, sizeof text, "{\"n\":%d}", number);
            script_add(script, "my_own", 0, text, gap);
            break;
        case 9:
            (void)snprintf(text, sizeof text, "{\"summary\":\"%d\"}", number);
            if (all)
                script_add(script, "conversation_summary", '*', text, gap);
            break;
        case 10:
            if (all && unit_random(seed) % 2 == 0)
                script_add(script, "clear_message", 0, "{}", gap);
            break;
        default:
            script_add(script, "text", 0, text, gap);
        }
    }
}

/* --- answers ----------------------------------------------------------------------------------------------------------------- */

static inline struct answer *answer_of(const char *id)
{
    settings.max_answer_bytes = 4 * 1024 * 1024;
    struct answer *answer = answer_new(&(struct answer_birth){.conversation = "conversation", .id = id, .model = "m"});
    assert_non_null(answer);
    return answer;
}

/* Adds the items from number `from` on to an answer, before the one with the number `to`. */
static inline void script_play(const struct script *script, size_t from, size_t to, struct answer *answer)
{
    for (size_t i = from; i < to; i++) {
        const struct item *item = &script->items[i];
        assert_int_equal(answer_add(answer, item->kind, item->bytes, item->len, item->pos), OUTCOME_OK);
    }
}

static inline struct answer *answer_of_script(const struct script *script)
{
    struct answer *answer = answer_of("answer");
    script_play(script, 0, script->count, answer);
    return answer;
}

/* --- written down ---------------------------------------------------------------------------------------------------------------- */

/* One line for each piece that comes after position `after`; text that goes on where text ended stands on one line. */
static inline void write_piece(struct buf *out, int64_t *text_end, const char *kind, const char *bytes, size_t len, int64_t pos, int64_t after)
{
    bool is_text = strcmp(kind, "text") == 0;
    size_t known = after <= pos ? 0 : (size_t)(after - pos) < len ? (size_t)(after - pos) : len;
    while (is_text && known > 0 && known < len && ((unsigned char)bytes[known] & 0xC0) == 0x80)
        known--; /* whole characters */
    if (is_text ? known == len : pos + 1 <= after)
        return;
    if (!is_text)
        known = 0;
    if (!is_text || *text_end != pos + (int64_t)known)
        buf_addf(out, "\n%lld %s ", (long long)(pos + (int64_t)known), kind);
    buf_add(out, bytes + known, len - known);
    *text_end = is_text ? pos + (int64_t)len : -1;
}

/* What a client that has everything up to `after` is still to get of a log. */
static inline void write_answer(struct buf *out, const struct answer *answer, int64_t after)
{
    int64_t text_end = -1;
    buf_clear(out);
    for (size_t i = 0; i < answer->run_count; i++) {
        size_t len;
        const char *bytes = answer_bytes(answer, &answer->runs[i], &len);
        write_piece(out, &text_end, answer_kind(answer, &answer->runs[i]), bytes, len, answer->runs[i].pos, after);
    }
    buf_addf(out, "\nend %lld", (long long)answer->pos);
    assert_false(buf_failed(out));
}

/* The same of a script: of all of it, or of what is kept with the message. */
static inline void write_script(struct buf *out, const struct script *script, int64_t after, bool kept, int64_t end)
{
    int64_t text_end = -1;
    buf_clear(out);
    for (size_t i = 0; i < script->count; i++) {
        const struct item *item = &script->items[i];
        if (item->kept || !kept)
            write_piece(out, &text_end, item->kind, item->bytes, item->len, item->pos, after);
    }
    buf_addf(out, "\nend %lld", (long long)end);
    assert_false(buf_failed(out));
}

/* The answer has the script's log, with what is kept or all of it, whatever a client has of it already. */
static inline void assert_script(const struct answer *answer, const struct script *script, bool kept, int64_t end)
{
    struct buf found, expected;
    buf_init(&found, 1 << 20);
    buf_init(&expected, 1 << 20);
    for (int64_t after = 0; after <= script->end; after++) {
        write_answer(&found, answer, after);
        write_script(&expected, script, after, kept, end);
        assert_string_equal(found.data, expected.data);
    }
    buf_free(&found);
    buf_free(&expected);
}

/* --- as a message --------------------------------------------------------------------------------------------------------------- */

/* The parts of a message that is made of an answer, all of them owned. */
struct kept {
    char *text, *reasoning, *events, *layout;
    struct layout_parts parts;
};

static inline void keep_answer(struct kept *kept, const struct answer *answer, int64_t lost)
{
    json_object *events = events_shown(answer);
    size_t len;
    const char *text = answer_shown(answer, &len);
    kept->text = malloc(len + 1);
    assert_non_null(kept->text);
    memcpy(kept->text, text, len);
    kept->text[len] = '\0';
    kept->reasoning = answer->reasoning.len > 0 ? mem_copy(answer->reasoning.data) : NULL;
    kept->events = events != NULL ? mem_copy(json_write(events)) : NULL;
    assert_true(layout_write(answer, lost, &kept->layout));
    kept->parts = (struct layout_parts){kept->text, len, kept->reasoning, kept->events, kept->layout};
    json_object_put(events);
}

static inline void kept_free(struct kept *kept)
{
    free(kept->text);
    mem_free(kept->reasoning);
    mem_free(kept->events);
    mem_free(kept->layout);
}

#endif
