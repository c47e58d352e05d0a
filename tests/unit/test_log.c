/*
 * Tests of src/base/log.h and secrets.h: one line of JSON for each call, secrets masked, nothing raw. Standard error is a pipe meanwhile.
 */
#include "unit.h"

#include <fcntl.h>

#include "../../src/base/json.h"
#include "../../src/base/secrets.h"

struct said {
    enum log_level level;
    const char *format, *argument, *request, *secret, *secret2;
};

static void say(FILE *out, void *arg)
{
    const struct said *said = arg;
    if (said->secret != NULL)
        secrets_add(said->secret);
    if (said->secret2 != NULL)
        secrets_add(said->secret2);
    log_set_level(LOG_INFO);
    log_set_request(said->request);
    (void)dup2(fileno(out), STDERR_FILENO);
    log_line(said->level, said->format, said->argument);
}

/* The line that the log writes, in a child: secrets stay for the life of a process. */
static const char *line_of(struct said said)
{
    return in_child(say, &said);
}

/* The message in that line, which must be one line of strict JSON. */
static const char *message_of(struct said said)
{
    static char message[32 * 1024];
    const char *line = line_of(said), *why;
    size_t len = strlen(line);
    assert_true(len > 0 && line[len - 1] == '\n');
    assert_ptr_equal(strchr(line, '\n'), line + len - 1);
    json_object *object = json_read(line, len, &why);
    if (object == NULL)
        print_error("the log line is no JSON, %s: %s\n", why, line);
    assert_non_null(json_text(object, "message", NULL));
    (void)snprintf(message, sizeof message, "%s", json_text(object, "message", NULL));
    json_object_put(object);
    return message;
}

static void a_line_has_time_level_process_request_and_message(void **state)
{
    (void)state;
    const char *line = line_of((struct said){.level = LOG_WARNING, .format = "disk at %s", .argument = "99 %", .request = "req-1"}), *why;
    json_object *object = json_read(line, strlen(line), &why);
    assert_non_null(object);
    assert_string_equal(json_text(object, "level", NULL), "warning");
    assert_string_equal(json_text(object, "request", NULL), "req-1");
    assert_string_equal(json_text(object, "message", NULL), "disk at 99 %");
    assert_true(json_count(object, "process", -1) > 1);
    assert_int_equal(strlen(json_text(object, "time", NULL)), strlen("2026-11-21T14:30:00.250Z"));
    json_object_put(object);
}

static void without_a_request_none_is_named(void **state)
{
    (void)state;
    assert_lacks(line_of((struct said){.level = LOG_ERROR, .format = "%s", .argument = "x"}), "\"request\"");
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    assert_string_equal(line_of((struct said){.level = LOG_DEBUG, .format = "%s", .argument = "x"}), "");
    assert_string_not_equal(line_of((struct said){.level = LOG_INFO, .format = "%s", .argument = "x"}), "");
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    static const char text[] = "a\nb\rc\td\x1B[31m\x01 \"quoted\" \\ {\"level\":\"error\"}";
    const char *line = line_of((struct said){.level = LOG_INFO, .format = "%s", .argument = text});
    for (const char *c = line; c[0] != '\0' && c[1] != '\0'; c++)
        assert_true((unsigned char)*c >= 0x20);
    assert_string_equal(message_of((struct said){.level = LOG_INFO, .format = "%s", .argument = text}), text);
}

static void bytes_that_are_not_utf8_are_repaired(void **state)
{
    (void)state;
    assert_string_equal(message_of((struct said){.level = LOG_INFO, .format = "%s", .argument = "a\xFFz"}), "a\uFFFDz");
}

static void a_very_long_message_is_cut_and_still_one_line(void **state)
{
    (void)state;
    static char text[20000];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "ä", 2);
    const char *message = message_of((struct said){.level = LOG_INFO, .format = "%s", .argument = text});
    assert_true(strlen(message) > 8000 && strlen(message) < 9000);
    memset(text, 1, sizeof text - 1);
    assert_true(strlen(message_of((struct said){.level = LOG_INFO, .format = "%s", .argument = text})) > 8000);
}

static void say_much_to_nobody(FILE *out, void *arg)
{
    (void)arg;
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        return;
    log_set_level(LOG_INFO);
    (void)alarm(10); /* ends the child if it hangs */
    for (int i = 0; i < 3000; i++)
        log_error("a line that nobody reads, and there are more of them than a pipe holds %d", i);
    (void)fprintf(out, "went on");
}

static void a_log_that_nobody_reads_stops_nothing(void **state)
{
    (void)state;
    assert_string_equal(in_child(say_much_to_nobody, NULL), "went on");
}

static void secrets_are_masked_wherever_they_stand(void **state)
{
    (void)state;
    struct said said = {.level = LOG_ERROR, .format = "key %s refused", .argument = "sk-123456sk-123456/sk-123456", .secret = "sk-123456"};
    assert_string_equal(message_of(said), "key ******************/********* refused");
}

static void short_values_are_no_secrets(void **state)
{
    (void)state;
    assert_string_equal(message_of((struct said){.format = "%s", .argument = "a demo text", .level = LOG_INFO, .secret = "demo"}), "a demo text");
}

static void a_secret_that_begins_like_another_is_masked_whole(void **state)
{
    (void)state;
    struct said said = {.level = LOG_INFO, .format = "%s", .argument = "sk-abc123-production", .secret = "sk-abc123", .secret2 = "sk-abc123-production"};
    assert_lacks(message_of(said), "production");
}

static void a_secret_cut_by_the_end_of_the_message_is_masked_too(void **state)
{
    (void)state;
    struct said said = {.level = LOG_INFO, .format = "it said: %.20s", .argument = "your key sk-0123456789abcdef", .secret = "sk-0123456789abcdef"};
    assert_lacks(message_of(said), "sk-0123456");
}

static void masking_reads_nothing_but_the_text(void **state)
{
    (void)state;
    char text[] = "nothing to hide";
    secrets_add("unit-test-secret");
    secrets_add("unit-test-secret");
    secrets_mask(text);
    assert_string_equal(text, "nothing to hide");
    char empty[] = "";
    secrets_mask(empty);
    char whole[] = "unit-test-secret";
    secrets_mask(whole);
    assert_string_equal(whole, "****************");
}

static void level_names_are_read_in_any_case(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_true(log_level_read("DEBUG", &level) && level == LOG_DEBUG);
    assert_true(log_level_read("warn", &level) && level == LOG_WARNING);
    assert_true(log_level_read("Warning", &level) && level == LOG_WARNING);
    assert_true(log_level_read("error", &level) && level == LOG_ERROR);
    assert_false(log_level_read("loud", &level));
    assert_false(log_level_read("", &level));
    assert_int_equal(level, LOG_ERROR);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_line_has_time_level_process_request_and_message),
    cmocka_unit_test(without_a_request_none_is_named),
    cmocka_unit_test(lines_below_the_level_are_dropped),
    cmocka_unit_test(control_characters_are_escaped),
    cmocka_unit_test(bytes_that_are_not_utf8_are_repaired),
    cmocka_unit_test(a_very_long_message_is_cut_and_still_one_line),
    cmocka_unit_test(a_log_that_nobody_reads_stops_nothing),
    cmocka_unit_test(secrets_are_masked_wherever_they_stand),
    cmocka_unit_test(short_values_are_no_secrets),
    cmocka_unit_test(a_secret_that_begins_like_another_is_masked_whole),
    cmocka_unit_test(a_secret_cut_by_the_end_of_the_message_is_masked_too),
    cmocka_unit_test(masking_reads_nothing_but_the_text),
    cmocka_unit_test(level_names_are_read_in_any_case),
};

UNIT_MAIN(tests)
