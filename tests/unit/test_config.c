/*
 * Tests of src/base/config.h: the file, what the program's author gives, and which of them wins. The file is read once in the life of a process, so each case runs in a child.
 */
#include "unit.h"

#include "../../src/base/config.h"
#include "../../src/base/json.h"
#include "../../src/base/settings.h"

struct world {
    const char *file;       /* contents of parley.json; NULL: there is none */
    const char *authors[2]; /* what config_use() is given, one after the other */
};

/* Writes what the members a to d are. */
static void look(FILE *out, void *arg)
{
    const struct world *world = arg;
    char path[] = "/tmp/parley-config-XXXXXX", variable[64];
    clearenv();
    int fd = mkstemp(path);
    if (fd < 0 || (world->file != NULL && write(fd, world->file, strlen(world->file)) < 0) || (world->file == NULL && unlink(path) != 0))
        (void)fprintf(out, "the test cannot write its file\n");
    close(fd);
    (void)snprintf(variable, sizeof variable, "PARLEY_JSON=%s", path);
    (void)putenv(variable);
    if (!settings_load("cgi-bin/chat.fcgi", NULL, out))
        (void)fprintf(out, "the settings are bad\n");
    log_set_level((enum log_level)(LOG_ERROR + 1));
    for (int i = 0; i < 2 && world->authors[i] != NULL; i++)
        (void)fprintf(out, "use=%d ", config_use(world->authors[i]));
    for (const char *name = "a\0b\0c\0d\0"; *name != '\0'; name += 2)
        (void)fprintf(out, "%s=%s ", name, json_object_to_json_string(config_get(name)));
    (void)fprintf(out, "trouble=%d", config_trouble() != NULL);
    (void)unlink(path);
}

#define SEEN(file, ...) in_child(look, &(struct world){file, {__VA_ARGS__}})

static void members_come_from_the_file(void **state)
{
    (void)state;
    assert_string_equal(SEEN("{\"a\":1,\"b\":{\"x\":2}}", NULL), "a=1 b={ \"x\": 2 } c=null d=null trouble=0");
}

static void without_a_file_there_is_nothing(void **state)
{
    (void)state;
    assert_string_equal(SEEN(NULL, NULL), "a=null b=null c=null d=null trouble=0");
}

static void the_author_gives_what_the_file_does_not_have(void **state)
{
    (void)state;
    assert_string_equal(SEEN("{\"a\":1}", "{\"a\":10,\"b\":20}"), "use=1 a=1 b=20 c=null d=null trouble=0");
    assert_string_equal(SEEN(NULL, "{\"a\":10,\"b\":20}"), "use=1 a=10 b=20 c=null d=null trouble=0");
}

static void null_in_the_file_takes_away_what_the_author_gives(void **state)
{
    (void)state;
    assert_string_equal(SEEN("{\"a\":null}", "{\"a\":10,\"b\":20}"), "use=1 a=null b=20 c=null d=null trouble=0");
}

static void a_file_that_cannot_be_used_leaves_the_authors_members(void **state)
{
    (void)state;
    assert_string_equal(SEEN("[1]", "{\"a\":10}"), "use=1 a=10 b=null c=null d=null trouble=1");
}

static void what_is_no_object_is_refused_and_gives_nothing(void **state)
{
    (void)state;
    assert_string_equal(SEEN("{\"a\":1}", "{\"b\":2", "[]"), "use=0 use=0 a=1 b=null c=null d=null trouble=0");
    assert_string_equal(SEEN("{\"a\":1}", "{\"b\":2}", "null"), "use=1 use=0 a=1 b=null c=null d=null trouble=0");
}

static void the_author_may_change_their_mind(void **state)
{
    (void)state;
    assert_string_equal(SEEN(NULL, "{\"a\":1}", "{\"b\":2}"), "use=1 use=1 a=null b=2 c=null d=null trouble=0");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(members_come_from_the_file),
    cmocka_unit_test(without_a_file_there_is_nothing),
    cmocka_unit_test(the_author_gives_what_the_file_does_not_have),
    cmocka_unit_test(null_in_the_file_takes_away_what_the_author_gives),
    cmocka_unit_test(a_file_that_cannot_be_used_leaves_the_authors_members),
    cmocka_unit_test(what_is_no_object_is_refused_and_gives_nothing),
    cmocka_unit_test(the_author_may_change_their_mind),
};

UNIT_MAIN(tests)
