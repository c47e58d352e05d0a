/*
 * Tests of src/app/hook.h: what parley.json may say, what a program is given, what it may answer, and every way in which it can go wrong. The programs are small shell scripts in a
 * folder that is made at the start. parley.json is read once in the life of a process: tests of other files are children, and come first, before this process reads its own.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "../../src/app/hook.h"
#include "../../src/base/clock.h"
#include "../../src/base/json.h"
#include "../../src/base/settings.h"

/* --- the programs ------------------------------------------------------------------------------------------------------------- */

/* $D in a script is the folder. */
enum { TALK, REPEAT, PARTS, IGNORE, FLOOD, LONG_LINE, MANY, SLEEP, STUBBORN, SAY, STATUS, SIGNALLED,
       LEFT, LEFT_LOUD, MUTE, LOOK, REFUSE_ON, REFUSE_LATE, ERRORS, MISSING, NO_PROGRAM, NO_SHELL, RELATIVE, EXAMPLE, MASK, HOOKS };

static const struct {
    const char *timeout, *text;
} scripts[HOOKS] = {
    [TALK] = {"10", "cat >/dev/null\necho '{\"event\":\"first\",\"content\":{\"n\":1}}'\necho\necho '{\"action\":\"rewrite\",\"text\":\"new\"}'\n"
                    "printf ' \\t\\r\\n{\"action\":\"system\",\"text\":\"\"}\\r\\n{\"action\":\"refuse\",\"text\":\"no \\303\\251\"}'\n"},
    [REPEAT] = {"10", "read -r line\nprintf '{\"event\":\"got\",\"content\":%s}\\n' \"$line\"\nif read -r more; then exit 9; fi\n"},
    [PARTS] = {"10", "echo '{\"event\":\"one\",\"content\":{}}'\nwhile [ ! -e $D/go ]; do sleep 0.01; done\nprintf '{\"event\":\"tw'\nsleep 0.1\nprintf 'o\",\"content\":{}}\\n'\n"},
    [IGNORE] = {"10", "exec <&-\nsleep 0.2\necho '{\"event\":\"unread\",\"content\":{}}'\n"},
    [FLOOD] = {"20", "yes '{\"event\":\"tick\",\"content\":{}}' | head -n 50000\ncat | wc -c >$D/size\n"},
    [LONG_LINE] = {"10", "printf '{\"action\":\"system\",\"text\":\"'\nhead -c ${1:-3000000} /dev/zero | tr '\\0' x\nprintf '\"}\\n'\n"},
    [MANY] = {"30", "read -r line\nprintf '{\"event\":\"got\",\"content\":%s}\\n' \"$line\"\n"},
    [SLEEP] = {"0.3", "echo '{\"event\":\"begun\",\"content\":{}}'\necho $$ >$D/pids\nsleep 60 &\necho $! >>$D/pids\nwait\n"},
    [STUBBORN] = {"0.3", "trap '' TERM\necho $$ >$D/pids\nwhile :; do sleep 1; done\n"},
    [SAY] = {"5", "cat $D/say\n"},
    [STATUS] = {"10", "echo '{\"event\":\"before\",\"content\":{}}'\nexit 3\n"},
    [SIGNALLED] = {"10", "kill -SEGV $$\n"},
    [LEFT] = {"10", "(while [ -e $D/parley.json ] && [ ! -e $D/go ]; do sleep 0.01; done; echo yes >$D/finished) &\nprintf '{\"event\":\"left\",\"content\":{}}'\n"},
    [LEFT_LOUD] = {"0.6", "(while :; do echo '{\"event\":\"noise\",\"content\":{}}'; sleep 0.05; done) &\necho $! >$D/pids\n"},
    [MUTE] = {"0.5", "exec >&- 2>&-\nsleep 60\n"},
    [LOOK] = {"10", "tr '\\0' '\\n' </proc/$$/environ >$D/environment\ngrep SigIgn /proc/$$/status >$D/signals\ncut -d' ' -f5 /proc/$$/stat >$D/group\necho $$ >>$D/group\n"
                    "pwd >$D/folder\nls /proc/$$/fd >$D/descriptors\nprintf '%s,' \"$@\" >$D/arguments\n"},
    [REFUSE_ON] = {"30", "echo '{\"action\":\"refuse\",\"text\":\"x\"}'\necho $$ >$D/pids\nsleep 60\n"},
    [REFUSE_LATE] = {"30", "echo '{\"action\":\"refuse\",\"text\":\"x\"}'\nsleep 0.05\necho yes >$D/finished\nexit 4\n"},
    [ERRORS] = {"10", "head -c 1000000 /dev/zero | tr '\\0' '.' >&2\necho 'the key is sk-hook-0123456789' >&2\necho '{\"event\":\"said\",\"content\":{}}'\n"},
    [NO_PROGRAM] = {"10", "exit 0\n"},
    [NO_SHELL] = {"10", "exit 0\n"},
    [RELATIVE] = {"10", "echo '{\"event\":\"relative\",\"content\":{}}'\n"},
};

static char folder[] = "/tmp/parley-hook-XXXXXX";
static char example[4096];

static const char *in_folder(const char *name)
{
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, size_t len)
{
    FILE *out = fopen(in_folder(name), "we");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static const char *read_back(const char *name)
{
    static char text[64 * 1024];
    FILE *in = fopen(in_folder(name), "re");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    (void)fclose(in);
    return text;
}

/* The path of a script from the home folder. */
static void add_relative(struct buf *json, const char *path)
{
    for (const char *at = settings_home(); *at != '\0'; at++)
        if (*at == '/')
            buf_add_text(json, "../");
    buf_add_text(json, path + 1);
}

static void make_programs(void)
{
    struct buf json, text;
    char name[32];
    buf_init(&json, 64 * 1024);
    buf_init(&text, 64 * 1024);
    buf_add_text(&json, "{\"hooks\": [");
    for (int i = 0; i < HOOKS; i++) {
        (void)snprintf(name, sizeof name, "hook%d", i);
        buf_clear(&text);
        buf_addf(&text, "#!%s\nD=%s\n%s", i == NO_SHELL ? "/nowhere/sh" : "/bin/sh", folder, scripts[i].text != NULL ? scripts[i].text : "");
        if (scripts[i].text != NULL)
            write_file(name, text.data, text.len);
        assert_int_equal(scripts[i].text != NULL ? chmod(in_folder(name), i == NO_PROGRAM ? 0644 : 0755) : 0, 0);
        buf_addf(&json, "%s{\"command\": ", i > 0 ? ", " : "");
        if (i == RELATIVE) {
            buf_add_text(&json, "\"");
            add_relative(&json, in_folder(name));
            buf_add_text(&json, "\"");
        } else if (i == MASK) /* not a shell: some clear the mask when they start */
            buf_add_text(&json, "[\"/bin/sed\", \"-n\", \"s/^SigBlk:.\\\\(.*\\\\)/{\\\"event\\\":\\\"mask\\\",\\\"content\\\":{\\\"blocked\\\":\\\"\\\\1\\\"}}/p\", \"/proc/self/status\"]");
        else if (i == LOOK)
            buf_addf(&json, "[\"%s\", \"a b\", \"\", \"$HOME\"]", in_folder(name));
        else
            buf_addf(&json, "[\"%s\"]", i == EXAMPLE ? example : in_folder(name));
        buf_addf(&json, scripts[i].timeout != NULL ? ", \"timeout_seconds\": %s}" : "}", scripts[i].timeout);
    }
    buf_add_text(&json, "]}");
    assert_false(buf_failed(&json) || buf_failed(&text));
    write_file("parley.json", json.data, json.len);
    buf_free(&json);
    buf_free(&text);
}

static void remove_folder(void)
{
    DIR *list = opendir(folder);
    struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL)
        (void)unlink(in_folder(entry->d_name));
    if (list != NULL)
        (void)closedir(list);
    (void)rmdir(folder);
}

/* --- running one ---------------------------------------------------------------------------------------------------------------- */

struct heard {
    char text[8192];     /* the lines, shortened, one after the other */
    size_t count, bytes; /* of lines; of their texts */
    size_t enough;       /* after so many lines, say so; 0: never */
    atomic_bool *cancel; /* set with the first line, if not NULL */
    const char *make;    /* a file to make with the first line, if not NULL */
    struct failure failure;
    int64_t took_ms;
};

static bool hear(void *arg, const struct hook_line *line)
{
    static const char *const names[] = {"event", "rewrite", "refuse", "system"};
    struct heard *heard = arg;
    size_t len = strlen(heard->text);
    heard->count++;
    heard->bytes += line->text != NULL ? strlen(line->text) : 0;
    (void)snprintf(heard->text + len, sizeof heard->text - len, "%s %s %.200s\n", names[line->action], line->type != NULL ? line->type : "-",
                   line->action == HOOK_EVENT ? json_write(line->content) : line->text);
    if (heard->cancel != NULL)
        atomic_store(heard->cancel, true);
    if (heard->make != NULL)
        write_file(heard->make, "", 0);
    return heard->enough == 0 || heard->count < heard->enough;
}

static enum outcome run_with(int hook, json_object *input, const atomic_bool *cancel, struct heard *heard)
{
    int64_t start_ms = clock_mono_ms();
    enum outcome outcome = hook_run((size_t)hook, input, cancel, hear, heard, &heard->failure);
    heard->took_ms = clock_mono_ms() - start_ms;
    return outcome;
}

static enum outcome run(int hook, struct heard *heard)
{
    json_object *input = json_object_new_object();
    json_object_object_add(input, "message", json_object_new_string("hello"));
    enum outcome outcome = run_with(hook, input, NULL, heard);
    json_object_put(input);
    return outcome;
}

/* {"message": so many bytes} */
static json_object *large_input(size_t len)
{
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, 'y', len);
    text[len] = '\0';
    json_object *input = json_object_new_object();
    json_object_object_add(input, "message", json_object_new_string_len(text, (int)len));
    free(text);
    return input;
}

/* Runs the hook that says `text`. */
static enum outcome say(const char *text, size_t len, struct heard *heard)
{
    write_file("say", text, len);
    return run(SAY, heard);
}

static void assert_failed(int hook, const char *sentence)
{
    struct heard heard = {0};
    char whole[200];
    (void)snprintf(whole, sizeof whole, "Hook %d %s.", hook + 1, sentence);
    assert_int_equal(run(hook, &heard), OUTCOME_HOOK);
    assert_int_equal(heard.failure.outcome, OUTCOME_HOOK);
    assert_string_equal(heard.failure.message, whole);
    assert_true(heard.took_ms < 8000);
}

/* Whether the process is there and no zombie (of the system's first process, which may be slow to look). */
static bool is_running(long pid)
{
    char path[64], state = 'Z';
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return false;
    if (fscanf(in, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    (void)fclose(in);
    return state != 'Z' && state != 'X';
}

/* All processes that the script wrote down are gone; a killed one may take a moment. */
static void assert_pids_end(size_t wanted)
{
    size_t seen = 0;
    char *end, *at = strdup(read_back("pids"));
    assert_non_null(at);
    char *whole = at;
    for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end, seen++) {
        for (int i = 0; i < 1000 && is_running(pid); i++)
            clock_sleep_ms(2);
        assert_false(is_running(pid));
    }
    free(whole);
    assert_int_equal(seen, wanted);
}

/* --- before and after each test: nothing is left --------------------------------------------------------------------------------------- */

static int count_descriptors(void)
{
    int n = 0;
    DIR *list = opendir("/proc/self/fd");
    while (list != NULL && readdir(list) != NULL)
        n++;
    if (list != NULL)
        (void)closedir(list);
    return n;
}

static int begin(void **state)
{
    static const char *const names[] = {"go", "pids", "say", "size", "finished"};
    static int descriptors;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(in_folder(names[i]));
    descriptors = count_descriptors();
    *state = &descriptors;
    return 0;
}

static int end(void **state)
{
    int descriptors = *(const int *)*state, now = count_descriptors();
    if (now != descriptors)
        print_error("%d descriptors, before %d\n", now, descriptors);
    bool has_child = waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
    if (has_child)
        print_error("a child is left\n");
    return now != descriptors || has_child;
}

/* --- parley.json: children, first of all ------------------------------------------------------------------------------------------------ */

static void read_json(FILE *out, void *arg)
{
    write_file("other.json", arg, strlen(arg));
    settings.config_file = strdup(in_folder("other.json"));
    size_t count = hook_count();
    (void)fprintf(out, "%zu: %s", count, hook_trouble() != NULL ? hook_trouble() : "fine");
}

static const char *json_gives(const char *json)
{
    return in_child(read_json, (void *)(uintptr_t)json);
}

static void without_hooks_there_are_none_and_all_is_well(void **state)
{
    (void)state;
    assert_string_equal(json_gives("{}"), "0: fine");
    assert_string_equal(json_gives("{\"hooks\": []}"), "0: fine");
    assert_string_equal(json_gives("{\"hooks\": null}"), "0: fine");
}

static void a_command_is_a_path_or_a_list(void **state)
{
    (void)state;
    assert_string_equal(json_gives("{\"hooks\": [{\"command\": \"/bin/sh\"}]}"), "1: fine");
    assert_string_equal(json_gives("{\"hooks\": [{\"command\": [\"/bin/sh\"], \"timeout_seconds\": 0.5}, {\"command\": [\"/bin/sh\", \"-c\", \"\"], \"timeout_seconds\": 600}]}"), "2: fine");
}

static bool take_none(void *arg, const struct hook_line *line)
{
    (void)arg, (void)line;
    return false;
}

static void run_wrong(FILE *out, void *arg)
{
    struct failure failure = {0};
    json_object *input = json_object_new_object();
    read_json(stderr, (void *)(uintptr_t)"{\"hooks\": [1]}");
    enum outcome outcome = hook_run(0, input, NULL, take_none, arg, &failure);
    json_object_put(input);
    (void)fprintf(out, "%d %s", outcome_status(outcome), failure.message);
}

static void wrong_shapes_are_named_and_fail(void **state)
{
    (void)state;
    static const char *const commands[] = {"1", "{}", "{\"command\": 1}", "{\"command\": \"\"}", "{\"command\": []}", "{\"command\": [\"\"]}", "{\"command\": [\"/bin/sh\", 2]}",
                                           "{\"command\": [\"/bin/sh\", null]}", "{\"command\": {\"path\": \"/bin/sh\"}}", "\"/bin/sh\"", "null"};
    static const char *const timeouts[] = {"0", "-1", "600.5", "\"10\"", "true", "1e999", "0.0001", "[]"};
    char json[400];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        (void)snprintf(json, sizeof json, "{\"hooks\": [{\"command\": \"/bin/sh\"}, %s]}", commands[i]);
        assert_string_equal(json_gives(json), "2: hook 2 in parley.json is not usable: \"command\" has to be the path of a program, or a list of path and arguments");
    }
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        (void)snprintf(json, sizeof json, "{\"hooks\": [{\"command\": \"/bin/sh\", \"timeout_seconds\": %s}]}", timeouts[i]);
        assert_string_equal(json_gives(json), "1: hook 1 in parley.json is not usable: \"timeout_seconds\" has to be a number above 0, up to 600");
    }
    assert_string_equal(json_gives("{\"hooks\": {\"command\": \"/bin/sh\"}}"), "1: \"hooks\" in parley.json is not usable: it has to be a list");
    assert_string_equal(json_gives("{\"hooks\": [{\"command\": \"/bin/sh\", \"timeout\": 3}]}"), "1: hook 1 in parley.json is not usable: \"timeout\" is unknown");
    assert_string_equal(in_child(run_wrong, NULL), "502 Hook 1 is not set up properly.");
    assert_contains(json_gives("{\"hooks\": [1, {\"command\": \"x\", \"timeout_seconds\": \"y\"}]}"), "arguments; hook 2 in parley.json is not usable: \"timeout_seconds\"");
}

static void a_program_that_cannot_be_run_is_named_and_still_a_hook(void **state)
{
    (void)state;
    assert_string_equal(json_gives("{\"hooks\": [{\"command\": \"/nowhere/hook\"}]}"), "1: hook 1 in parley.json: /nowhere/hook cannot be run: No such file or directory");
}

static void hooks_beyond_the_limit_are_named(void **state)
{
    (void)state;
    struct buf json;
    buf_init(&json, 4096);
    buf_add_text(&json, "{\"hooks\": [");
    for (int i = 0; i <= LIMIT_HOOKS; i++)
        buf_addf(&json, "%s{\"command\": \"/bin/sh\"}", i > 0 ? "," : "");
    buf_add_text(&json, "]}");
    assert_string_equal(json_gives(json.data), "32: \"hooks\" in parley.json: only the first 32 are used");
    buf_free(&json);
}

static void end_with_three(FILE *out, void *arg)
{
    (void)arg;
    (void)signal(SIGCHLD, SIG_IGN);
    struct heard heard = {0};
    (void)hook_count();
    enum outcome outcome = run(STATUS, &heard);
    (void)fprintf(out, "%s %s", outcome_code(outcome), heard.text);
}

static void a_host_that_ignores_the_ends_of_children_changes_nothing(void **state)
{
    (void)state;
    assert_string_equal(in_child(end_with_three, NULL), "hook_failed event before {}\n");
}

/* The pipes stand in none of their places: what is written to standard error, the log say, is not for the program. */
static bool hear_low(void *arg, const struct hook_line *line)
{
    *(int *)arg += line->action == HOOK_EVENT;
    for (int fd = 0; fd <= 2; fd++)
        *(int *)arg += fcntl(fd, F_GETFD) < 0;
    return true;
}

static void run_without_low_descriptors(FILE *out, void *arg)
{
    (void)arg;
    int seen = 0;
    json_object *input = json_object_new_object();
    for (int fd = 0; fd <= 2; fd++)
        (void)close(fd);
    enum outcome outcome = hook_run(REPEAT, input, NULL, hear_low, &seen, NULL);
    (void)fprintf(out, "%s %d", outcome_code(outcome), seen);
    json_object_put(input);
}

static void descriptors_that_the_host_has_closed_do_not_matter(void **state)
{
    (void)state;
    assert_string_equal(in_child(run_without_low_descriptors, NULL), "ok 4");
}

/* --- what is answered -------------------------------------------------------------------------------------------------------------------- */

static void lines_of_every_kind_come_in_order(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(run(TALK, &heard), OUTCOME_OK);
    assert_string_equal(heard.text, "event first {\"n\":1}\nrewrite - new\nsystem - \nrefuse - no é\n");
}

static void the_input_is_one_line_of_json_and_then_ends(void **state)
{
    (void)state;
    struct heard heard = {0};
    json_object *input = json_object_new_object();
    json_object_object_add(input, "message", json_object_new_string("two\nlines / é"));
    assert_int_equal(run_with(REPEAT, input, NULL, &heard), OUTCOME_OK);
    json_object_put(input);
    assert_string_equal(heard.text, "event got {\"message\":\"two\\nlines / é\"}\n");
}

static void lines_are_delivered_as_they_come(void **state)
{
    (void)state;
    struct heard heard = {.make = "go"}; /* without it the program would wait until its time-out */
    assert_int_equal(run(PARTS, &heard), OUTCOME_OK);
    assert_string_equal(heard.text, "event one {}\nevent two {}\n");
}

static void large_input_that_is_not_read_blocks_nothing(void **state)
{
    (void)state;
    struct heard heard = {0};
    json_object *input = large_input(8 << 20);
    assert_int_equal(run_with(IGNORE, input, NULL, &heard), OUTCOME_OK);
    json_object_put(input);
    assert_string_equal(heard.text, "event unread {}\n");
    assert_true(heard.took_ms < 8000);
}

static void a_program_may_write_much_before_it_reads_much(void **state)
{
    (void)state;
    struct heard heard = {0};
    json_object *input = large_input(8 << 20);
    assert_int_equal(run_with(FLOOD, input, NULL, &heard), OUTCOME_OK);
    assert_int_equal(heard.count, 50000);
    assert_int_equal(atol(read_back("size")), strlen(json_write(input)) + 1);
    json_object_put(input);
}

static void a_long_line_is_taken_up_to_the_limit(void **state)
{
    (void)state;
    struct heard heard = {0}, none = {0};
    assert_int_equal(run(LONG_LINE, &heard), OUTCOME_OK);
    assert_int_equal(heard.bytes, 3000000);
    char *text = malloc(LIMIT_HOOK_LINE_BYTES + 100);
    assert_non_null(text);
    memset(text, ' ', LIMIT_HOOK_LINE_BYTES + 100);
    memcpy(text, "{}", 2);
    assert_int_equal(say(text, LIMIT_HOOK_LINE_BYTES + 100, &none), OUTCOME_HOOK);
    free(text);
    assert_string_equal(none.failure.message, "Hook 10 answered something that is too long.");
    assert_int_equal(none.count, 0);
}

static void what_is_not_understood_is_a_failure(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "hello", "{", "[]", "1", "null", "\"text\"", "{}", "{\"event\":\"x\"}", "{\"event\":\"x\",\"content\":[]}", "{\"event\":\"x\",\"content\":null}",
        "{\"event\":\"\",\"content\":{}}", "{\"event\":\"X\",\"content\":{}}", "{\"event\":\"1a\",\"content\":{}}", "{\"event\":\"_a\",\"content\":{}}", "{\"event\":\"a-b\",\"content\":{}}",
        "{\"event\":\"a\\n\",\"content\":{}}", "{\"event\":7,\"content\":{}}", "{\"event\":\"a23456789012345678901234567890123456789012345678901234567890123_5\",\"content\":{}}",
        "{\"action\":\"rewrite\"}", "{\"action\":\"rewrite\",\"text\":7}", "{\"action\":\"event\",\"text\":\"x\"}", "{\"action\":\"\",\"text\":\"x\"}", "{\"action\":null,\"text\":\"x\"}",
        "{\"event\":\"x\",\"content\":{},\"action\":\"system\",\"text\":\"x\"}", "{\"action\":\"system\",\"text\":\"\xff\"}", "{\"action\":\"system\",\"text\":\"\\u0000\"}",
        "{\"action\":\"system\",\"text\":\"x\"} {\"action\":\"system\",\"text\":\"x\"}", "{'action':'system','text':'x'}"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct heard heard = {0};
        char text[300];
        (void)snprintf(text, sizeof text, "{\"action\":\"system\",\"text\":\"good\"}\n%s\n{\"action\":\"system\",\"text\":\"later\"}\n", lines[i]);
        assert_int_equal(say(text, strlen(text), &heard), OUTCOME_HOOK);
        assert_string_equal(heard.failure.message, "Hook 10 answered something that is not understood.");
        assert_string_equal(heard.text, "system - good\n");
    }
    struct heard heard = {0};
    assert_int_equal(say("{}\0\n", 4, &heard), OUTCOME_HOOK);
}

static void the_longest_type_and_members_of_its_own_are_taken(void **state)
{
    (void)state;
    struct heard heard = {0};
    static const char text[] = "{\"id\":1,\"event\":\"a_3456789012345678901234567890123456789012345678901234567890123\",\"content\":{},\"x\":[]}\n{\"action\":\"system\",\"text\":\"t\",\"why\":{}}\n";
    assert_int_equal(say(text, sizeof text - 1, &heard), OUTCOME_OK);
    assert_int_equal(heard.count, 2);
}

static void an_empty_answer_is_fine(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(say("", 0, &heard), OUTCOME_OK);
    assert_int_equal(say("\n\n \n", 4, &heard), OUTCOME_OK);
    assert_int_equal(heard.count, 0);
}

static void a_callback_that_has_enough_ends_the_program(void **state)
{
    (void)state;
    struct heard heard = {.enough = 1};
    assert_int_equal(run(REFUSE_ON, &heard), OUTCOME_OK);
    assert_string_equal(heard.text, "refuse - x\n");
    assert_true(heard.took_ms < 8000);
    struct heard three = {.enough = 3};
    assert_int_equal(run(FLOOD, &three), OUTCOME_OK);
    assert_int_equal(three.count, 3);
}

static void a_program_that_ends_by_itself_after_enough_may_do_so(void **state)
{
    (void)state;
    struct heard heard = {.enough = 1};
    assert_int_equal(run(REFUSE_LATE, &heard), OUTCOME_OK); /* its status does not matter any more */
    assert_string_equal(read_back("finished"), "yes\n");
}

/* --- what goes wrong ------------------------------------------------------------------------------------------------------------------------ */

static void a_time_out_ends_the_program_and_what_it_has_started(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(run(SLEEP, &heard), OUTCOME_HOOK);
    assert_string_equal(heard.failure.message, "Hook 8 took too long.");
    assert_string_equal(heard.text, "event begun {}\n");
    assert_in_range(heard.took_ms, 300, 5000);
    assert_pids_end(2);
}

static void a_program_that_ignores_sigterm_is_killed(void **state)
{
    (void)state;
    assert_failed(STUBBORN, "took too long");
    assert_pids_end(1);
}

static void a_program_that_closes_its_output_and_stays_is_ended(void **state)
{
    (void)state;
    assert_failed(MUTE, "took too long");
}

static void cancelling_ends_the_program_at_once(void **state)
{
    (void)state;
    atomic_bool cancel = false;
    struct heard heard = {.cancel = &cancel};
    json_object *input = json_object_new_object();
    assert_int_equal(run_with(PARTS, input, &cancel, &heard), OUTCOME_STOPPED); /* it waits for a file that does not come */
    assert_int_equal(heard.failure.outcome, OUTCOME_STOPPED);
    assert_string_equal(heard.text, "event one {}\n");
    assert_true(heard.took_ms < 3000);
    struct heard early = {0};
    assert_int_equal(run_with(TALK, input, &cancel, &early), OUTCOME_STOPPED);
    assert_int_equal(early.count, 0);
    json_object_put(input);
}

static void *cancel_soon(void *arg)
{
    clock_sleep_ms(100);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void cancelling_is_seen_also_while_nothing_comes(void **state)
{
    (void)state;
    atomic_bool cancel = false;
    struct heard heard = {0};
    pthread_t thread;
    json_object *input = json_object_new_object();
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
    assert_int_equal(run_with(REFUSE_ON, input, &cancel, &heard), OUTCOME_STOPPED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    json_object_put(input);
    assert_in_range(heard.took_ms, 90, 3000);
}

static void a_bad_status_or_signal_is_a_failure_after_the_lines(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(run(STATUS, &heard), OUTCOME_HOOK);
    assert_string_equal(heard.text, "event before {}\n");
    assert_failed(STATUS, "failed");
    assert_failed(SIGNALLED, "failed");
}

static void what_cannot_be_started_is_a_failure(void **state)
{
    (void)state;
    assert_failed(MISSING, "cannot be started");
    assert_failed(NO_PROGRAM, "cannot be started");
    assert_failed(NO_SHELL, "cannot be started");
    struct heard heard = {0};
    assert_int_equal(run(HOOKS, &heard), OUTCOME_HOOK);
}

static void something_left_behind_does_not_hold_the_turn(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(run(LEFT, &heard), OUTCOME_OK);
    assert_string_equal(heard.text, "event left {}\n");
    assert_true(heard.took_ms < 5000);
    write_file("go", "", 0); /* it was left alone: it goes on … */
    for (int i = 0; i < 5000 && access(in_folder("finished"), F_OK) != 0; i++)
        clock_sleep_ms(2);
    assert_int_equal(access(in_folder("finished"), F_OK), 0);
    assert_failed(LEFT_LOUD, "took too long");
    assert_pids_end(1);
}

static void no_memory_is_said(void **state)
{
    (void)state;
    int ended = 0;
    assert_int_equal(hook_count(), HOOKS); /* parley.json is read before memory is short */
    for (long calls = 0; calls < 4; calls++) {
        struct heard heard = {0};
        mem_fail_after(calls);
        enum outcome outcome = run(TALK, &heard);
        mem_fail_after(-1);
        assert_true(outcome == OUTCOME_NO_MEMORY || outcome == OUTCOME_HOOK || outcome == OUTCOME_OK);
        ended += outcome != OUTCOME_OK;
        assert_int_equal(calls == 0, outcome == OUTCOME_NO_MEMORY);
    }
    assert_true(ended >= 2);
}

static void log_errors(FILE *out, void *arg)
{
    (void)arg;
    struct heard heard = {0};
    (void)dup2(fileno(out), STDERR_FILENO);
    log_set_level(LOG_INFO);
    (void)fprintf(out, "first: %s, ", outcome_code(run(ERRORS, &heard)));
    (void)fflush(out);
    static const char other[] = "#!/bin/sh\necho 'the key is sk-hook-0123456789' >&2\nexit 5\n";
    write_file("hook18", other, sizeof other - 1);
    enum outcome outcome = run(ERRORS, &heard);
    (void)fprintf(out, "%s [%s]", outcome_code(outcome), heard.failure.message);
}

static void standard_error_goes_to_the_log_within_bounds_and_masked(void **state)
{
    (void)state;
    assert_int_equal(ERRORS, 18);
    const char *got = in_child(log_errors, NULL);
    assert_contains(got, "says: ....");
    assert_lacks(got, "sk-hook");
    assert_contains(got, "first: ok,");
    assert_contains(got, "says: the key is ******************\"}");
    assert_contains(got, "hook18): it ended with status 5");
    assert_contains(got, "hook_failed [Hook 19 failed.]");
    assert_true(strlen(got) < 4000);
}

/* --- what a program finds ---------------------------------------------------------------------------------------------------------------------- */

static void a_program_finds_only_what_it_needs(void **state)
{
    (void)state;
    struct heard heard = {0}, mask = {0};
    sigset_t set, old;
    assert_int_equal(dup2(STDERR_FILENO, 55), 55); /* as of a library that does not know close-on-exec */
    (void)sigfillset(&set);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
    void (*hangup)(int) = signal(SIGHUP, SIG_IGN);
    enum outcome outcome = run(LOOK, &heard), masked = run(MASK, &mask);
    (void)signal(SIGHUP, hangup);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
    assert_int_equal(close(55), 0);
    assert_int_equal(outcome, OUTCOME_OK);
    assert_string_equal(read_back("environment"), "PATH=/usr/local/bin:/usr/bin:/bin\nHOME=/home/somebody\nLANG=C.UTF-8\nTZ=Europe/Vienna\n");
    assert_int_equal(masked, OUTCOME_OK);
    assert_string_equal(mask.text, "event mask {\"blocked\":\"0000000000000000\"}\n");
    unsigned long long ignored = 1, of_the_library = 3ull << 31; /* glibc's own signals 32 and 33, which it sets as it likes */
    assert_int_equal(sscanf(read_back("signals"), "SigIgn: %llx", &ignored), 1);
    assert_int_equal(ignored & ~of_the_library, 0);
    assert_string_equal(read_back("arguments"), "a b,,$HOME,");
    long group = 0, pid = 1;
    assert_int_equal(sscanf(read_back("group"), "%ld %ld", &group, &pid), 2);
    assert_int_equal(group, pid);
    char *end = NULL;
    for (const char *at = read_back("descriptors"); *at != '\0'; at = end + 1) {
        long fd = strtol(at, &end, 10);
        assert_true(fd <= 2 || fd == 10 || fd == 11); /* the last two are the shell's own: the script, and what it puts aside */
    }
    assert_non_null(end);
    char home[4096];
    assert_non_null(realpath(settings_home(), home));
    assert_int_equal(strncmp(read_back("folder"), home, strlen(home)), 0);
}

static void a_relative_path_starts_at_home(void **state)
{
    (void)state;
    struct heard heard = {0};
    assert_int_equal(run(RELATIVE, &heard), OUTCOME_OK);
    assert_string_equal(heard.text, "event relative {}\n");
}

/* --- many ------------------------------------------------------------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 20 };

static void *run_many(void *arg)
{
    struct heard *heard = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct heard one = {0};
        char wanted[100];
        json_object *input = json_object_new_object();
        json_object_object_add(input, "n", json_object_new_int(i));
        (void)snprintf(wanted, sizeof wanted, "event got {\"n\":%d}\n", i);
        heard->count += run_with(MANY, input, NULL, &one) == OUTCOME_OK && strcmp(one.text, wanted) == 0;
        json_object_put(input);
    }
    return NULL;
}

static void many_threads_run_hooks_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    static struct heard heard[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, &heard[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(heard[i].count, ROUNDS);
    }
}

/* --- the example in docs/ ------------------------------------------------------------------------------------------------------------------------ */

static const char *example_says(const char *message, const char *history)
{
    static struct heard heard;
    heard = (struct heard){0};
    json_object *input = json_object_new_object();
    json_object_object_add(input, "message", json_object_new_string(message));
    json_object_object_add(input, "history", json_object_new_string(history));
    assert_int_equal(run_with(EXAMPLE, input, NULL, &heard), OUTCOME_OK);
    json_object_put(input);
    return heard.text;
}

static void the_example_moderates(void **state)
{
    (void)state;
    static const char *const bad[] = {"casino", "A \"Casino\"?", "first\ncasino", "\001lottery", "é lottery é", "\\casino\\"};
    static const char *const good[] = {"hello", "", "casinos", "\"", "ends with \\", "not a c\"asino"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(example_says(bad[i], "hello"), "event moderation {\"allowed\":false}\nrefuse - This chat does not talk about games of chance.\n");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_string_equal(example_says(good[i], "a casino"), "event moderation {\"allowed\":true}\nsystem - Answer in a few sentences.\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static const struct CMUnitTest tests[] = {
    TEST(without_hooks_there_are_none_and_all_is_well), /* those in children first */
    TEST(a_command_is_a_path_or_a_list),
    TEST(wrong_shapes_are_named_and_fail),
    TEST(a_program_that_cannot_be_run_is_named_and_still_a_hook),
    TEST(hooks_beyond_the_limit_are_named),
    TEST(a_host_that_ignores_the_ends_of_children_changes_nothing),
    TEST(descriptors_that_the_host_has_closed_do_not_matter),
    TEST(lines_of_every_kind_come_in_order),
    TEST(the_input_is_one_line_of_json_and_then_ends),
    TEST(lines_are_delivered_as_they_come),
    TEST(large_input_that_is_not_read_blocks_nothing),
    TEST(a_program_may_write_much_before_it_reads_much),
    TEST(a_long_line_is_taken_up_to_the_limit),
    TEST(what_is_not_understood_is_a_failure),
    TEST(the_longest_type_and_members_of_its_own_are_taken),
    TEST(an_empty_answer_is_fine),
    TEST(a_callback_that_has_enough_ends_the_program),
    TEST(a_program_that_ends_by_itself_after_enough_may_do_so),
    TEST(a_time_out_ends_the_program_and_what_it_has_started),
    TEST(a_program_that_ignores_sigterm_is_killed),
    TEST(a_program_that_closes_its_output_and_stays_is_ended),
    TEST(cancelling_ends_the_program_at_once),
    TEST(cancelling_is_seen_also_while_nothing_comes),
    TEST(a_bad_status_or_signal_is_a_failure_after_the_lines),
    TEST(what_cannot_be_started_is_a_failure),
    TEST(something_left_behind_does_not_hold_the_turn),
    TEST(no_memory_is_said),
    TEST(standard_error_goes_to_the_log_within_bounds_and_masked),
    TEST(a_program_finds_only_what_it_needs),
    TEST(a_relative_path_starts_at_home),
    TEST(many_threads_run_hooks_at_once),
    TEST(the_example_moderates),
};

int main(int argc, char **argv)
{
    sigset_t pipes;
    clearenv();
    if (realpath("docs/examples/hook-moderate.sh", example) == NULL || mkdtemp(folder) == NULL || setenv("OPENAI_API_KEY", "sk-hook-0123456789", 1) != 0 ||
        setenv("HOME", "/home/somebody", 1) != 0 || setenv("TZ", "Europe/Vienna", 1) != 0 || setenv("PARLEY_JSON", in_folder("parley.json"), 1) != 0) {
        print_error("the test cannot be set up; it runs in the project's folder\n");
        return 1;
    }
    (void)sigemptyset(&pipes);
    (void)sigaddset(&pipes, SIGPIPE); /* as the program does */
    if (!settings_load(argv[0], NULL, stderr) || pthread_sigmask(SIG_BLOCK, &pipes, NULL) != 0)
        return 1;
    unit_silence();
    make_programs();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    int failures = cmocka_run_group_tests_name(argv[0], tests, NULL, NULL);
    remove_folder();
    return failures;
}
