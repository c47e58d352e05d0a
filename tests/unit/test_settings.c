/*
 * Tests of src/base/settings.h: the file's grammar, who wins, what is refused with which sentence, what is shown. Settings are loaded once in the life of a
 * process, so that each case runs in a child, which writes down what it found.
 */
#include "unit.h"

#include <limits.h>

#include "../../src/base/secrets.h"
#include "../../src/base/settings.h"

struct settings_case {
    const char *file;           /* contents of the file, NULL: none is named */
    size_t file_len;            /* 0: strlen */
    const char *environment[5]; /* NAME=VALUE */
    const char *export_to;      /* where to write --export */
    const char *named;          /* the file's name, NULL: a temporary one */
};

static void write_fields(FILE *out)
{
    (void)fprintf(out, "model=[%s] url=[%s] key=[%s] prompt=[%s] db=[%s]\n", settings.llm_model, settings.llm_base_url, settings.openai_api_key,
                  settings.system_prompt, settings.db_path);
    (void)fprintf(out, "temperature=%.3f max_tokens=%lld hold=%lld port=[%s] log=[%s] sync=[%s]\n", settings.temperature, (long long)settings.max_tokens,
                  (long long)settings.header_hold_ms, settings.app_port, settings.log_level, settings.db_sync);
    (void)fprintf(out, "prefix=[%s] outlive=%d cors=[%s]\n", settings.prefix, settings.outlive_host, settings.cors_origins);
}

static bool is_key(const char *name)
{
    return strstr(name, "_API_KEY") != NULL;
}

static void load(FILE *out, void *arg)
{
    const struct settings_case *one = arg;
    clearenv();
    for (int i = 0; i < 5 && one->environment[i] != NULL; i++)
        (void)putenv((char *)(uintptr_t)one->environment[i]);
    char path[] = "/tmp/parley-settings-XXXXXX";
    if (one->file != NULL) {
        int fd = mkstemp(path);
        size_t len = one->file_len > 0 ? one->file_len : strlen(one->file);
        if (fd < 0 || write(fd, one->file, len) != (ssize_t)len)
            (void)fprintf(out, "the test cannot write its file\n");
        close(fd);
    }
    bool good = settings_load("cgi-bin/chat.fcgi", one->named != NULL ? one->named : one->file != NULL ? path : NULL, out);
    settings_complain(out, is_key);
    (void)fprintf(out, "loaded=%d home=[%s]\n", good, settings_home());
    write_fields(out);
    (void)fprintf(out, "--check\n");
    settings_write_check(out);
    FILE *to = one->export_to != NULL ? fopen(one->export_to, "w") : NULL;
    if (to != NULL) {
        settings_write_export(to);
        (void)fclose(to);
    }
    if (one->file != NULL)
        (void)unlink(path);
}

static const char *outcome_of(struct settings_case one)
{
    return in_child(load, &one);
}

static const char *file_gives(const char *file)
{
    return outcome_of((struct settings_case){.file = file});
}

static void without_file_and_environment_the_defaults_hold(void **state)
{
    (void)state;
    const char *got = outcome_of((struct settings_case){0});
    assert_contains(got, "loaded=1");
    assert_contains(got, "model=[gpt-4o] url=[] key=[] prompt=[]");
    assert_contains(got, "temperature=0.700 max_tokens=2000 hold=5000 port=[8000] log=[info] sync=[full]");
    assert_lacks(got, "is not");
}

static void lines_of_the_file_set_values(void **state)
{
    (void)state;
    const char *got = file_gives("LLM_MODEL=tiny\nLLM_BASE_URL = http://h/v1 \nMAX_TOKENS=12\nHEADER_HOLD_SECONDS=0.25\nAPP_PORT=9000");
    assert_contains(got, "loaded=1");
    assert_contains(got, "model=[tiny] url=[http://h/v1]");
    assert_contains(got, "max_tokens=12 hold=250 port=[9000]");
}

static void blank_lines_comments_and_export_are_understood(void **state)
{
    (void)state;
    const char *got = file_gives("\n  \t\n# LLM_MODEL=no\n  # indented\r\nexport LLM_MODEL=yes\r\n  export   SYSTEM_PROMPT = p \n\n");
    assert_contains(got, "loaded=1");
    assert_contains(got, "model=[yes]");
    assert_contains(got, "prompt=[p]");
}

static void one_pair_of_quotes_is_taken_off_a_value(void **state)
{
    (void)state;
    assert_contains(file_gives("SYSTEM_PROMPT=\" two  words \"\n"), "prompt=[ two  words ]");
    assert_contains(file_gives("SYSTEM_PROMPT='it is \"so\"'\n"), "prompt=[it is \"so\"]");
    assert_contains(file_gives("SYSTEM_PROMPT=\"\"quoted\"\"\n"), "prompt=[\"quoted\"]");
    assert_contains(file_gives("SYSTEM_PROMPT=\"open\n"), "prompt=[\"open]");
    assert_contains(file_gives("SYSTEM_PROMPT=\"\n"), "prompt=[\"]");
    assert_contains(file_gives("SYSTEM_PROMPT='mixed\"\n"), "prompt=['mixed\"]");
}

static void escapes_count_only_within_double_quotes_and_nothing_is_expanded(void **state)
{
    (void)state;
    assert_contains(file_gives("SYSTEM_PROMPT=\"a\\n\\\"$HOME\\\\=b # \\c\"\n"), "prompt=[a\n\"$HOME\\=b # \\c]");
    assert_contains(file_gives("SYSTEM_PROMPT=a\\nb\n"), "prompt=[a\\nb]");
    assert_contains(file_gives("SYSTEM_PROMPT='a\\nb'\n"), "prompt=[a\\nb]");
}

static void the_first_equals_sign_divides(void **state)
{
    (void)state;
    assert_contains(file_gives("LLM_BASE_URL=http://h/v1?a=b=c\n"), "url=[http://h/v1?a=b=c]");
}

static void of_two_lines_with_a_name_the_last_counts(void **state)
{
    (void)state;
    assert_contains(file_gives("LLM_MODEL=first\nLLM_MODEL=second\n"), "model=[second]");
}

static void an_alias_is_the_setting_itself(void **state)
{
    (void)state;
    assert_contains(file_gives("OPENAI_MODEL=by-alias\n"), "model=[by-alias]");
    assert_contains(outcome_of((struct settings_case){.environment = {"OPENAI_MODEL=by-alias"}}), "model=[by-alias]");
    assert_contains(outcome_of((struct settings_case){.environment = {"OPENAI_MODEL=by-alias", "LLM_MODEL=by-name"}}), "model=[by-name]");
}

static void the_environment_wins_over_the_file(void **state)
{
    (void)state;
    const char *got = outcome_of((struct settings_case){.file = "LLM_MODEL=file\nMAX_TOKENS=5\n", .environment = {"LLM_MODEL=environment"}});
    assert_contains(got, "model=[environment]");
    assert_contains(got, "max_tokens=5");
    assert_contains(outcome_of((struct settings_case){.file = "LLM_MODEL=file\n", .environment = {"OPENAI_MODEL=alias"}}), "model=[alias]");
}

static void what_is_set_to_nothing_has_its_default(void **state)
{
    (void)state;
    const char *got = outcome_of((struct settings_case){.file = "MAX_TOKENS=\nTEMPERATURE=\"\"\nLLM_MODEL=x\n", .environment = {"LLM_MODEL="}});
    assert_contains(got, "loaded=1");
    assert_contains(got, "max_tokens=2000");
    assert_contains(got, "temperature=0.700");
    assert_contains(got, "model=[gpt-4o]");
}

static void unknown_names_are_told_with_their_line_and_are_no_failure(void **state)
{
    (void)state;
    const char *got = file_gives("LLM_MODEL=x\n\nLLM_MODLE=y\n");
    assert_contains(got, "loaded=1");
    assert_contains(got, ":3: LLM_MODLE is not a setting");
    assert_lacks(got, ":1:");
}

static void keys_of_other_providers_are_nobodys_mistake(void **state)
{
    (void)state;
    assert_lacks(file_gives("ANTHROPIC_API_KEY=sk-ant-something\n"), "ANTHROPIC");
}

static void a_line_without_equals_is_refused_with_its_number(void **state)
{
    (void)state;
    const char *got = file_gives("LLM_MODEL=x\nno equals here\n");
    assert_contains(got, "loaded=0");
    assert_contains(got, ":2: no = in this line");
}

static void lines_too_long_or_with_a_nul_are_refused(void **state)
{
    (void)state;
    static const char nul[] = "LLM_MODEL=a\0b\nMAX_TOKENS=7\n";
    const char *got = outcome_of((struct settings_case){.file = nul, .file_len = sizeof nul - 1});
    assert_contains(got, "loaded=0");
    assert_contains(got, ":1: the line is too long or holds a NUL");
    assert_contains(got, "max_tokens=7");
    static char line[20000] = "SYSTEM_PROMPT=";
    memset(line + 14, 'x', sizeof line - 15);
    assert_contains(file_gives(line), "loaded=0");
}

static void bad_values_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"MAX_TOKENS=0\n", "MAX_TOKENS: \"0\" is not a whole number from 1 to "},
        {"MAX_TOKENS=2.5\n", "MAX_TOKENS: \"2.5\" is not a whole number"},
        {"MAX_TOKENS=many\n", "MAX_TOKENS: \"many\" is not"},
        {"MAX_TOKENS=12x\n", "MAX_TOKENS: \"12x\" is not"},
        {"TEMPERATURE=2.1\n", "TEMPERATURE: \"2.1\" is not a number from 0 to 2"},
        {"TEMPERATURE=nan\n", "TEMPERATURE: \"nan\" is not a number"},
        {"TEMPERATURE=-0.1\n", "TEMPERATURE: \"-0.1\" is not"},
        {"HEADER_HOLD_SECONDS=61\n", "HEADER_HOLD_SECONDS: \"61\" is not a number of seconds from 0 to 60"},
        {"APP_PORT=65536\n", "APP_PORT: \"65536\" is not a whole number from 1 to 65535"},
        {"LOG_LEVEL=loud\n", "LOG_LEVEL: \"loud\" is not one of: debug info warning warn error"},
        {"LOG_LEVEL=info warning\n", "LOG_LEVEL: \"info warning\" is not one of"},
        {"DB_SYNC=off\n", "DB_SYNC: \"off\" is not one of: full normal"},
        {"OUTLIVE_HOST=perhaps\n", "OUTLIVE_HOST: \"perhaps\" is neither on nor off"},
        {"PARLEY_PREFIX=parley\n", "PARLEY_PREFIX: \"parley\" is not a path of plain letters"},
        {"PARLEY_PREFIX=/c++\n", "PARLEY_PREFIX: \"/c++\" is not a path"},
        {"PARLEY_PREFIX=/a//b\n", "PARLEY_PREFIX: \"/a//b\" is not a path"},
        {"CORS_ORIGINS=app.example.org\n", "CORS_ORIGINS: \"app.example.org\" does not start with http"},
        {"CORS_ORIGINS=HTTPS://a.org\n", "CORS_ORIGINS: \"HTTPS://a.org\" does not start with http"},
        {"CORS_ORIGINS=null\n", "CORS_ORIGINS: \"null\" does not start with http"},
        {"CORS_ORIGINS=https://a.org,https://b.org/app\n", "CORS_ORIGINS: \"https://b.org/app\" has something after host and port"},
        {"CORS_ORIGINS=https://a.org//\n", "CORS_ORIGINS: \"https://a.org//\" has something after"},
        {"CORS_ORIGINS=https://me@a.org\n", "has a user's name"},
        {"CORS_ORIGINS=https://*.a.org\n", "has no host of letters, digits, dots and hyphens"},
        {"CORS_ORIGINS=https://\n", "CORS_ORIGINS: \"https://\" has "},
        {"CORS_ORIGINS=https://:1\n", "has no host"},
        {"CORS_ORIGINS=https://a.org:\n", "has no host of letters, digits, dots and hyphens, or no port from 1 to 65535"},
        {"CORS_ORIGINS=https://a.org:0\n", "or no port"},
        {"CORS_ORIGINS=https://a.org:65536\n", "or no port"},
        {"CORS_ORIGINS=https://a.org:443\n", "has the port that belongs to its scheme"},
        {"CORS_ORIGINS=http://a.org:80\n", "has the port that belongs to its scheme"},
        {"CORS_ORIGINS=http://[::1\n", "has no host"},
        {"CORS_ORIGINS=http://[]\n", "has no host"},
        {"CORS_ORIGINS=http://[::1]x\n", "has no host"},
        {"CORS_ORIGINS=*,https://a.org\n", "CORS_ORIGINS: * is every site and stands alone"},
        {"PARLEY_PREFIX=/a/../b\n", "PARLEY_PREFIX: \"/a/../b\" is not a path"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = file_gives(rows[i][0]);
        assert_contains(got, rows[i][1]);
        assert_contains(got, "loaded=0");
    }
    assert_contains(outcome_of((struct settings_case){.environment = {"MAX_TOKENS=x"}}), "MAX_TOKENS: \"x\" is not");
}

static void numbers_are_written_in_plain_decimals(void **state)
{
    (void)state;
    assert_contains(file_gives("MAX_TOKENS=0x10\n"), "loaded=0");
    assert_contains(file_gives("APP_PORT=8e3\n"), "loaded=0");
}

static void a_flag_is_on_or_off_in_the_usual_words(void **state)
{
    (void)state;
    static const char *const on[] = {"on", "ON", "true", "yes", "1"}, *const off[] = {"off", "False", "no", "0", ""};
    char line[64];
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(line, sizeof line, "OUTLIVE_HOST=%s\n", on[i]);
        assert_contains(file_gives(line), "outlive=1");
        (void)snprintf(line, sizeof line, "OUTLIVE_HOST=%s\n", off[i]);
        assert_contains(file_gives(line), "outlive=0");
    }
}

static void a_prefix_ends_without_a_slash(void **state)
{
    (void)state;
    assert_contains(file_gives("PARLEY_PREFIX=/parley\n"), "prefix=[/parley]");
    assert_contains(file_gives("PARLEY_PREFIX=/a/b//\n"), "prefix=[/a/b]");
    assert_contains(file_gives("PARLEY_PREFIX=/\n"), "prefix=[]");
    assert_contains(file_gives("PARLEY_PREFIX=\n"), "prefix=[]");
}

static void origins_are_kept_with_one_space_between(void **state)
{
    (void)state;
    assert_contains(file_gives("CORS_ORIGINS= https://a.org/ ,, http://b.org:8080\thttp://[::1]:3000,app://local \n"), "cors=[https://a.org http://b.org:8080 http://[::1]:3000 app://local]");
    assert_contains(file_gives("CORS_ORIGINS=https://a.org:80,http://a.org:443\n"), "loaded=1");
    assert_contains(file_gives("CORS_ORIGINS=*\n"), "cors=[*]");
    assert_contains(file_gives("CORS_ORIGINS=\n"), "cors=[]");
    assert_contains(file_gives("CORS_ORIGINS=\" , \"\n"), "cors=[]");
}

static void choices_may_be_in_capitals(void **state)
{
    (void)state;
    const char *got = file_gives("LOG_LEVEL=WARN\nDB_SYNC=Normal\n");
    assert_contains(got, "loaded=1");
    assert_contains(got, "log=[WARN] sync=[Normal]");
}

static void a_named_file_must_be_there(void **state)
{
    (void)state;
    const char *got = outcome_of((struct settings_case){.named = "/nowhere/parley.env"});
    assert_contains(got, "loaded=0");
    assert_contains(got, "/nowhere/parley.env: No such file");
    got = outcome_of((struct settings_case){.environment = {"PARLEY_CONFIG=/nowhere/other.env"}});
    assert_contains(got, "loaded=0");
    assert_contains(got, "/nowhere/other.env");
    assert_contains(outcome_of((struct settings_case){.named = "/tmp"}), "loaded=0");
}

static void parley_config_names_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/parley-config-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "LLM_MODEL=from-config\n", 22), 22);
    close(fd);
    char variable[64];
    (void)snprintf(variable, sizeof variable, "PARLEY_CONFIG=%s", path);
    assert_contains(outcome_of((struct settings_case){.environment = {variable}}), "model=[from-config]");
    assert_contains(outcome_of((struct settings_case){.file = "LLM_MODEL=argument\n", .environment = {variable}}), "model=[argument]");
    unlink(path);
}

static void a_relative_database_lies_below_the_home_folder(void **state)
{
    (void)state;
    char home[PATH_MAX], wanted[PATH_MAX + 32];
    const char *got = file_gives("PARLEY_DB=data/x.db\n");
    assert_int_equal(sscanf(strstr(got, "home=["), "home=[%4095[^]]", home), 1);
    (void)snprintf(wanted, sizeof wanted, "db=[%s/data/x.db]", home);
    assert_contains(got, wanted);
    (void)snprintf(wanted, sizeof wanted, "db=[%s/var/parley.db]", home);
    assert_contains(file_gives("\n"), wanted);
    assert_contains(file_gives("PARLEY_DB=/abs/x.db\n"), "db=[/abs/x.db]");
}

static void the_home_folder_is_above_the_folder_of_the_program(void **state)
{
    (void)state;
    char self[PATH_MAX], wanted[PATH_MAX + 16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    *strrchr(self, '/') = '\0';
    (void)snprintf(wanted, sizeof wanted, "home=[%s]", self);
    assert_contains(outcome_of((struct settings_case){0}), wanted);
}

static void check_shows_what_is_in_force_but_no_secret(void **state)
{
    (void)state;
    const char *got = strstr(file_gives("OPENAI_API_KEY=sk-very-secret\nLLM_MODEL=shown\nSYSTEM_PROMPT=said\n"), "--check");
    assert_lacks(got, "very-secret");
    assert_contains(got, "OPENAI_API_KEY               (set, not shown)");
    assert_contains(got, "LLM_MODEL                    shown\n");
    assert_contains(got, "MAX_TOKENS                   2000  (default)");
    assert_contains(got, "LLM_BASE_URL                 -  (default)");
}

static void check_shows_no_password_in_an_address(void **state)
{
    (void)state;
    const char *got = strstr(file_gives("REDIS_URL=redis://:hunter22@host/0\nLLM_PROXY=http://me:hunter22@proxy:3128\n"), "--check");
    assert_lacks(got, "hunter22");
}

/* Exports what the environment gave and loads it again from the file. */
static const char *exported_and_loaded(const char *variable)
{
    char path[] = "/tmp/parley-export-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    (void)outcome_of((struct settings_case){.environment = {variable}, .export_to = path});
    const char *got = outcome_of((struct settings_case){.named = path});
    unlink(path);
    return got;
}

static void what_is_exported_loads_again(void **state)
{
    (void)state;
    const char *got = exported_and_loaded("OPENAI_API_KEY=sk-abc#def=\"x\" y");
    assert_contains(got, "loaded=1");
    assert_contains(got, "key=[sk-abc#def=\"x\" y]");
    assert_contains(exported_and_loaded("TEMPERATURE=1.25"), "temperature=1.250");
}

static void values_in_quotes_or_spaces_survive_the_export(void **state)
{
    (void)state;
    assert_contains(exported_and_loaded("SYSTEM_PROMPT=\"in quotes\""), "prompt=[\"in quotes\"]");
    assert_contains(exported_and_loaded("SYSTEM_PROMPT= spaces "), "prompt=[ spaces ]");
}

static void a_value_with_a_line_break_cannot_spoil_the_export(void **state)
{
    (void)state;
    const char *got = exported_and_loaded("SYSTEM_PROMPT=one\nLLM_BASE_URL=http://evil/\nno equals");
    assert_contains(got, "loaded=1");
    assert_contains(got, "url=[]");
}

static void write_table(FILE *out, void *arg)
{
    (void)arg;
    settings_write_table(out);
    (void)fprintf(out, "text of LLM_MODEL: %s, of an unknown name: %d\n", settings_text("LLM_MODEL"), settings_text("NO_SUCH") == NULL);
}

static void the_table_has_a_row_for_each_setting(void **state)
{
    (void)state;
    const char *got = in_child(write_table, NULL);
    assert_contains(got, "| setting | default | what it does |\n| --- | --- | --- |\n");
    assert_contains(got, "| `LLM_MODEL` (also `OPENAI_MODEL`) | `gpt-4o` | ");
    assert_contains(got, "| `OPENAI_API_KEY` |  | ");
    assert_contains(got, "text of LLM_MODEL: gpt-4o, of an unknown name: 1");
}

/* --- an application's defaults -------------------------------------------------------------------------------------------- */

struct application {
    const char *names[3], *values[3];
    struct settings_case one;
};

static void load_application(FILE *out, void *arg)
{
    struct application *application = arg;
    for (int i = 0; i < 3 && application->names[i] != NULL; i++)
        (void)fprintf(out, "standard=%d\n", settings_standard(application->names[i], application->values[i]));
    load(out, &application->one);
    char line[100];
    (void)snprintf(line, sizeof line, "said: %s", settings.secret_key);
    secrets_mask(line);
    (void)fprintf(out, "%s\n--table\n", line);
    settings_write_table(out);
}

static const char *application_gives(struct application application)
{
    return in_child(load_application, &application);
}

static void an_applications_default_holds_where_nothing_is_set(void **state)
{
    (void)state;
    const char *got = application_gives((struct application){.names = {"LLM_MODEL", "MAX_TOKENS", "HEADER_HOLD_SECONDS"}, .values = {"mine", "77", "1.5"}});
    assert_contains(got, "loaded=1");
    assert_contains(got, "model=[mine]");
    assert_contains(got, "max_tokens=77 hold=1500");
    assert_contains(got, "mine  (default)");
    assert_contains(got, "| `LLM_MODEL` (also `OPENAI_MODEL`) | `mine` | ");
}

static void file_and_environment_win_over_an_applications_default(void **state)
{
    (void)state;
    struct application application = {.names = {"LLM_MODEL", "MAX_TOKENS"}, .values = {"mine", "77"}, .one = {.file = "LLM_MODEL=theirs\n", .environment = {"MAX_TOKENS=88"}}};
    const char *got = application_gives(application);
    assert_contains(got, "model=[theirs]");
    assert_contains(got, "max_tokens=88");
    application.one = (struct settings_case){.file = "LLM_MODEL=\nMAX_TOKENS=\n"}; /* set to nothing: the default */
    got = application_gives(application);
    assert_contains(got, "model=[mine]");
    assert_contains(got, "max_tokens=77");
}

static void a_name_that_is_no_setting_has_no_default(void **state)
{
    (void)state;
    assert_contains(application_gives((struct application){.names = {"NO_SUCH"}, .values = {"x"}}), "standard=0\nloaded=1");
    assert_contains(application_gives((struct application){.names = {"LLM_MODEL"}, .values = {NULL}}), "standard=0\nloaded=1");
    assert_contains(application_gives((struct application){.names = {"OPENAI_MODEL"}, .values = {"by its other name"}}), "model=[by its other name]");
}

static void an_unusable_default_is_refused_like_any_value(void **state)
{
    (void)state;
    const char *got = application_gives((struct application){.names = {"MAX_TOKENS", "DB_SYNC", "CORS_ORIGINS"}, .values = {"many", "never", "javascript:x"}});
    assert_contains(got, "loaded=0");
    assert_contains(got, "MAX_TOKENS: \"many\" is not a whole number");
    assert_contains(got, "DB_SYNC: \"never\" is not one of");
    assert_contains(got, "CORS_ORIGINS: \"javascript:x\"");
    assert_contains(application_gives((struct application){.names = {"PARLEY_PREFIX"}, .values = {"no slash"}}), "loaded=0");
}

static void defaults_are_tidied_like_values(void **state)
{
    (void)state;
    struct application application = {.names = {"PARLEY_PREFIX", "CORS_ORIGINS", "PARLEY_DB"}, .values = {"/app/", "https://a/,https://b", "data/mine.db"}};
    const char *got = application_gives(application);
    assert_contains(got, "prefix=[/app]");
    assert_contains(got, "cors=[https://a https://b]");
    assert_contains(got, "/data/mine.db]");
}

static void a_secret_of_an_application_is_masked(void **state)
{
    (void)state;
    const char *got = application_gives((struct application){.names = {"SECRET_KEY"}, .values = {"a-very-secret-key"}});
    assert_contains(got, "loaded=1");
    assert_contains(got, "said: *****");
    assert_lacks(got, "a-very-secret-key");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_file_and_environment_the_defaults_hold),
    cmocka_unit_test(lines_of_the_file_set_values),
    cmocka_unit_test(blank_lines_comments_and_export_are_understood),
    cmocka_unit_test(one_pair_of_quotes_is_taken_off_a_value),
    cmocka_unit_test(escapes_count_only_within_double_quotes_and_nothing_is_expanded),
    cmocka_unit_test(the_first_equals_sign_divides),
    cmocka_unit_test(of_two_lines_with_a_name_the_last_counts),
    cmocka_unit_test(an_alias_is_the_setting_itself),
    cmocka_unit_test(the_environment_wins_over_the_file),
    cmocka_unit_test(what_is_set_to_nothing_has_its_default),
    cmocka_unit_test(unknown_names_are_told_with_their_line_and_are_no_failure),
    cmocka_unit_test(keys_of_other_providers_are_nobodys_mistake),
    cmocka_unit_test(a_line_without_equals_is_refused_with_its_number),
    cmocka_unit_test(lines_too_long_or_with_a_nul_are_refused),
    cmocka_unit_test(bad_values_are_refused_with_a_sentence),
    cmocka_unit_test(numbers_are_written_in_plain_decimals),
    cmocka_unit_test(a_flag_is_on_or_off_in_the_usual_words),
    cmocka_unit_test(a_prefix_ends_without_a_slash),
    cmocka_unit_test(origins_are_kept_with_one_space_between),
    cmocka_unit_test(choices_may_be_in_capitals),
    cmocka_unit_test(a_named_file_must_be_there),
    cmocka_unit_test(parley_config_names_the_file),
    cmocka_unit_test(a_relative_database_lies_below_the_home_folder),
    cmocka_unit_test(the_home_folder_is_above_the_folder_of_the_program),
    cmocka_unit_test(check_shows_what_is_in_force_but_no_secret),
    cmocka_unit_test(check_shows_no_password_in_an_address),
    cmocka_unit_test(what_is_exported_loads_again),
    cmocka_unit_test(values_in_quotes_or_spaces_survive_the_export),
    cmocka_unit_test(a_value_with_a_line_break_cannot_spoil_the_export),
    cmocka_unit_test(the_table_has_a_row_for_each_setting),
    cmocka_unit_test(an_applications_default_holds_where_nothing_is_set),
    cmocka_unit_test(file_and_environment_win_over_an_applications_default),
    cmocka_unit_test(a_name_that_is_no_setting_has_no_default),
    cmocka_unit_test(an_unusable_default_is_refused_like_any_value),
    cmocka_unit_test(defaults_are_tidied_like_values),
    cmocka_unit_test(a_secret_of_an_application_is_masked),
};

UNIT_MAIN(tests)
