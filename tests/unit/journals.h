/*
 * Answers in the database as another process is making them: a turn that has begun, and its journal in pieces as random as a log can be cut.
 */
#ifndef PARLEY_UNIT_JOURNALS_H
#define PARLEY_UNIT_JOURNALS_H

#include "answers.h"
#include "store.h"

#include "../../src/store/journal.h"

#define GONE_PROCESS "+0123456789abcdefghjkmnpqrs" /* nobody has its lock */

static inline struct message_begin begin_by(int64_t user, const char *process)
{
    struct failure failure;
    struct message_begin turn = turn_of(user, NULL, NULL, "q");
    turn.process = process;
    turn.model = "m";
    assert_int_equal(message_begin_turn(&turn, &failure), OUTCOME_OK);
    return turn;
}

/* Writes a script's items from number `from` on to the journal, before the one with the number `to`: text in pieces of whole characters. */
static inline void write_journal(const char *id, const char *process, const struct script *script, size_t from, size_t to, uint64_t *seed)
{
    struct journal_row rows[512];
    struct failure failure;
    size_t count = 0;
    for (size_t i = from; i < to; i++) {
        const struct item *item = &script->items[i];
        bool is_text = strcmp(item->kind, "text") == 0;
        for (size_t at = 0; at < item->len || (!is_text && at == 0);) {
            size_t len = is_text ? 1 + unit_random(seed) % (item->len - at) : item->len;
            while (is_text && at + len < item->len && ((unsigned char)item->bytes[at + len] & 0xC0) == 0x80)
                len++;
            assert_true(count < 512);
            rows[count++] = (struct journal_row){id, item->pos + (is_text ? (int64_t)at : 0), item->kind, item->bytes + at, len};
            at += len;
        }
    }
    for (size_t at = 0; at < count;) {
        size_t some = 1 + unit_random(seed) % (count - at);
        assert_int_equal(journal_add(rows + at, some, process, &failure), OUTCOME_OK);
        at += some;
    }
}

/* Stores the end of an answer as a turn does. */
static inline enum outcome end_with(const char *id, const char *process, const struct answer *answer, const char *status)
{
    struct failure failure;
    struct kept kept;
    keep_answer(&kept, answer, 0);
    struct message_end end = {.id = id, .process = process, .status = status, .content = kept.text, .content_len = kept.parts.text_len, .reasoning = kept.reasoning,
                              .reasoning_len = kept.reasoning != NULL ? strlen(kept.reasoning) : 0, .model = "m", .finish_reason = "stop", .usage = {3, 4, -1, -1, false, -1},
                              .events = kept.events, .layout = kept.layout, .steps = "[]"};
    enum outcome outcome = message_end_turn(&end, &failure);
    kept_free(&kept);
    return outcome;
}

#endif
