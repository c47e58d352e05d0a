/*
 * A fuzz target: how the log of a stored answer is put together again, src/chat/layout.h. Lines of the input: layout, text, thinking; the rest is the list of events. Whatever the
 * layout says, no text is lost and positions rise; who has the log already gets nothing twice; written again and read again it is the same.
 */
#include "../../src/base/mem.h"
#include "../../src/chat/layout.h"
#include "fuzz.h"

static struct answer *read_log(const struct layout_parts *parts)
{
    struct answer *answer = answer_new(&(struct answer_birth){.conversation = "c", .id = "a", .model = "m"});
    insist(answer != NULL && layout_read(answer, parts) == OUTCOME_OK);
    return answer;
}

static void check(struct answer *answer, const struct layout_parts *parts)
{
    int64_t pos = 0;
    insist(answer->text.len == parts->text_len && memcmp(answer->text.data, parts->text, parts->text_len) == 0);
    insist(parts->reasoning == NULL || strcmp(answer->reasoning.data, parts->reasoning) == 0);
    for (size_t i = 0; i < answer->run_count; i++) {
        size_t len = 0;
        (void)answer_bytes(answer, &answer->runs[i], &len);
        insist(answer_kind(answer, &answer->runs[i]) != NULL && answer->runs[i].pos >= pos && answer_run_end(&answer->runs[i]) >= answer->runs[i].pos);
        pos = answer_run_end(&answer->runs[i]);
    }
    insist(answer->pos >= pos);
    size_t runs = answer->run_count;
    int64_t end = answer->pos;
    insist(layout_read(answer, parts) == OUTCOME_OK && answer->run_count == runs && answer->pos == end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_settings();
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    char *layout = fuzz_line(&at, &left), *line = fuzz_line(&at, &left), *thought = fuzz_line(&at, &left), *events = fuzz_text(at, left);
    char *text = fuzz_utf8((const uint8_t *)line, strlen(line)), *reasoning = fuzz_utf8((const uint8_t *)thought, strlen(thought));
    struct layout_parts parts = {.text = text, .text_len = strlen(text), .reasoning = *reasoning != '\0' ? reasoning : NULL, .events = *events != '\0' ? events : NULL,
                                 .layout = *layout != '\0' ? layout : NULL};
    struct answer *answer = read_log(&parts);
    check(answer, &parts);
    answer_release(answer);
    free(layout);
    free(line);
    free(thought);
    free(events);
    free(text);
    free(reasoning);
    return 0;
}
