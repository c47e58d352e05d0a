/*
 * Tests of src/store/key.h: a key is made once, whoever comes first, and never shown.
 */
#include "store.h"

#include "../../src/base/secrets.h"
#include "../../src/store/key.h"

static void a_key_is_made_once_and_then_stays(void **state)
{
    (void)state;
    struct failure failure = {0};
    char first[KEY_BYTES], again[KEY_BYTES], other[KEY_BYTES];
    assert_int_equal(key_get("state", first, &failure), OUTCOME_OK);
    assert_int_equal(strlen(first), 64);
    assert_int_equal(strspn(first, "0123456789abcdef"), 64);
    db_close(); /* another start of the program */
    assert_int_equal(key_get("state", again, &failure), OUTCOME_OK);
    assert_string_equal(again, first);
    assert_int_equal(key_get("other", other, &failure), OUTCOME_OK);
    assert_string_not_equal(other, first);
    assert_int_equal(sql("SELECT count(*) FROM keys WHERE created_at > 1700000000000"), 2);
}

static void a_key_is_masked(void **state)
{
    (void)state;
    struct failure failure = {0};
    char key[KEY_BYTES], said[200];
    assert_int_equal(key_get("state", key, &failure), OUTCOME_OK);
    (void)snprintf(said, sizeof said, "the key is %s, is it?", key);
    secrets_mask(said);
    assert_lacks(said, key);
    assert_contains(said, "*****, is it?");
}

static void write_key(FILE *out, void *arg)
{
    (void)arg;
    struct failure failure = {0};
    char key[KEY_BYTES] = "none";
    settings.db_busy_ms = 10000;
    (void)key_get("state", key, &failure);
    (void)fprintf(out, "%s", key);
    db_close();
}

static void processes_that_ask_at_once_get_the_same_key(void **state)
{
    (void)state;
    enum { PROCESSES = 6 };
    FILE *files[PROCESSES];
    pid_t children[PROCESSES];
    char first[KEY_BYTES] = "", other[KEY_BYTES];
    for (int i = 0; i < PROCESSES; i++) {
        files[i] = tmpfile();
        assert_non_null(files[i]);
        if ((children[i] = fork()) == 0) {
            write_key(files[i], NULL);
            _exit(fclose(files[i]) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
        rewind(files[i]);
        assert_non_null(fgets(i == 0 ? first : other, KEY_BYTES, files[i]));
        assert_string_equal(i == 0 ? first : other, first);
        (void)fclose(files[i]);
    }
    assert_int_equal(strlen(first), 64);
    assert_int_equal(sql("SELECT count(*) FROM keys"), 1);
}

static void without_a_database_there_is_no_key(void **state)
{
    (void)state;
    struct failure failure = {0};
    char key[KEY_BYTES];
    settings.db_path = "/proc/nowhere/x.db";
    assert_int_equal(key_get("state", key, &failure), OUTCOME_STORE);
    assert_true(strlen(failure.message) > 10);
}

static const struct CMUnitTest tests[] = {
    store_test(a_key_is_made_once_and_then_stays),
    store_test(a_key_is_masked),
    store_test(processes_that_ask_at_once_get_the_same_key),
    store_test(without_a_database_there_is_no_key),
};

UNIT_MAIN(tests)
