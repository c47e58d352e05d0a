/*
 * A fuzz target: what a hook writes to its standard output, by the readers of src/app/hook.c. Cuts change nothing.
 */
#include "../../src/app/hook.c"
#include "fuzz.h"

struct reading {
    struct run run;
    struct failure failure;
    struct buf heard;
    size_t said;
};

static bool each(void *arg, const struct hook_line *line)
{
    struct reading *reading = arg;
    insist((line->action == HOOK_EVENT) == (line->content != NULL) && (line->content != NULL) == (line->type != NULL) && (line->text != NULL) == (line->type == NULL));
    if (line->type != NULL)
        insist(event_is_name(line->type) && json_object_is_type(line->content, json_type_object));
    else
        insist(utf8_valid(line->text, strlen(line->text)));
    buf_addf(&reading->heard, "[%d|%s|%s|%s]", (int)line->action, line->type != NULL ? line->type : "", line->content != NULL ? json_write(line->content) : "",
             line->text != NULL ? line->text : "");
    return ++reading->said < 8;
}

static bool feed(void *arg, const char *bytes, size_t len)
{
    struct reading *reading = arg;
    take_output(&reading->run, bytes, len);
    return !reading->run.over;
}

static void read_answer(struct reading *reading, size_t max, const uint8_t *data, size_t size, unsigned seed)
{
    static char path[] = "/nowhere/hook";
    static char *argv[] = {path, NULL};
    static struct hook one = {.number = 1, .argv = argv};
    *reading = (struct reading){.run = {.hook = &one, .each = each, .arg = reading, .failure = &reading->failure}};
    reading->run.failure = &reading->failure;
    buf_init(&reading->run.line, max);
    buf_init(&reading->heard, SIZE_MAX / 4);
    fuzz_feed(data, size, seed, feed, reading);
    if (!reading->run.over && reading->run.line.len > 0)
        take_line(&reading->run);
    fuzz_check_failure(reading->run.outcome, &reading->failure);
    buf_free(&reading->run.line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole, cut;
    if (size == 0)
        return 0;
    log_set_level((enum log_level)(LOG_ERROR + 1));
    size_t max = data[0] % 4 == 0 ? 80 : LIMIT_HOOK_LINE_BYTES;
    read_answer(&whole, max, data + 1, size - 1, 0);
    read_answer(&cut, max, data + 1, size - 1, data[0] + 1u);
    insist(whole.run.outcome == cut.run.outcome && whole.run.refused == cut.run.refused && whole.run.lines == cut.run.lines);
    insist(whole.heard.len == cut.heard.len && memcmp(whole.heard.data, cut.heard.data, cut.heard.len) == 0);
    buf_free(&whole.heard);
    buf_free(&cut.heard);
    return 0;
}
