/*
 * Tests of src/store/process.h: a process is alive as long as it has its lock, whatever it does with the file, and gone at once when it was killed.
 */
#include "processes.h"
#include "store.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

static int process_test_begin(void **state)
{
    struct failure failure;
    process_end();
    return store_begin(state) == 0 && db_check(&failure) == OUTCOME_OK ? 0 : -1; /* the folder is there */
}

static int process_test_end(void **state)
{
    process_end();
    return store_end(state);
}

#define process_test(test) cmocka_unit_test_setup_teardown(test, process_test_begin, process_test_end)

static const char *alive_path(void)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s-alive", store_path);
    return path;
}

static void a_killed_process_is_gone_at_once(void **state)
{
    (void)state;
    char ids[3][PROCESS_BYTES];
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = child_with_id(ids[i], NULL);
        assert_int_equal(ids[i][0], '+');
        assert_true(id_valid(ids[i] + 1));
    }
    for (int i = 0; i < 3; i++)
        assert_false(process_is_gone(ids[i]));
    for (int i = 0; i < 3; i++) {
        kill_child(children[i]);
        for (int j = 0; j < 3; j++)
            assert_int_equal(process_is_gone(ids[j]), j <= i);
    }
}

static void open_and_close(void)
{
    int fd = open(alive_path(), O_RDWR);
    if (fd >= 0)
        (void)close(fd);
    char id[PROCESS_BYTES] = "+0123456789abcdefghjkmnpqrs";
    (void)process_is_gone(id);
    pid_t child = fork(); /* neither does a child that ends take the lock along */
    if (child == 0)
        _exit(0);
    (void)waitpid(child, NULL, 0);
}

static void a_lock_stays_when_the_file_is_opened_and_closed(void **state)
{
    (void)state;
    char id[PROCESS_BYTES];
    pid_t child = child_with_id(id, open_and_close);
    assert_false(process_is_gone(id));
    kill_child(child);
    assert_true(process_is_gone(id));
}

static void a_database_with_two_names_has_one_file(void **state)
{
    (void)state;
    char id[PROCESS_BYTES], link[128];
    const char *name = settings.db_path;
    (void)snprintf(link, sizeof link, "%s-link", store_path);
    assert_int_equal(symlink(store_path, link), 0);
    settings.db_path = link;
    pid_t child = child_with_id(id, NULL);
    settings.db_path = name;
    assert_int_equal(id[0], '+');
    assert_false(process_is_gone(id));
    kill_child(child);
    assert_true(process_is_gone(id));
    assert_int_equal(unlink(link), 0);
}

static void a_process_that_ends_well_is_gone_too(void **state)
{
    (void)state;
    char id[PROCESS_BYTES];
    pid_t child = child_with_id(id, process_end);
    assert_true(process_is_gone(id));
    kill_child(child);
}

static void a_process_is_never_gone_for_itself(void **state)
{
    (void)state;
    char id[PROCESS_BYTES];
    (void)snprintf(id, sizeof id, "%s", process_id());
    assert_int_equal(id[0], '+');
    assert_string_equal(process_id(), id);
    assert_false(process_is_gone(id));
    process_end();
    assert_string_not_equal(process_id(), id);
    assert_true(process_is_gone(id));
}

static void of_ids_without_a_lock_nothing_is_known(void **state)
{
    (void)state;
    static const char *const ids[] = {"", "unit-process", "0123456789abcdefghjkmnpqrs", " +0123456789abcdefghjkmnpqr", "-"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_false(process_is_gone(ids[i]));
    assert_true(process_is_gone("+0123456789abcdefghjkmnpqrs")); /* nobody has it */
    assert_true(process_is_gone("+"));
}

static void the_file_is_for_its_owner_alone(void **state)
{
    (void)state;
    struct stat status;
    mode_t before = umask(0);
    assert_string_not_equal(process_id(), "");
    umask(before);
    assert_int_equal(stat(alive_path(), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 0);
}

static void without_the_file_a_process_has_an_id_that_says_so(void **state)
{
    (void)state;
    char other[PROCESS_BYTES];
    assert_int_equal(mkdir(alive_path(), 0700), 0);
    pid_t child = child_with_id(other, NULL);
    assert_true(id_valid(other));
    assert_true(id_valid(process_id()));
    assert_string_not_equal(process_id(), other);
    assert_false(process_is_gone(process_id()));
    assert_false(process_is_gone(other));
    assert_false(process_is_gone("+0123456789abcdefghjkmnpqrs"));
    kill_child(child);
    assert_false(process_is_gone(other)); /* nobody can tell */
}

/* The file comes back later: it may be another one, and the old locks are not in it. */
static void a_process_without_a_lock_cannot_tell_of_others(void **state)
{
    (void)state;
    char other[PROCESS_BYTES];
    assert_int_equal(mkdir(alive_path(), 0700), 0);
    assert_false(process_has_lock(process_id()));
    assert_int_equal(rmdir(alive_path()), 0);
    pid_t child = child_with_id(other, NULL);
    assert_true(process_has_lock(other));
    assert_false(process_is_gone(other));
    kill_child(child);
    assert_false(process_is_gone(other));
}

/* Another file under that name knows nothing of those that have locked this one. */
static void a_file_that_was_replaced_tells_nothing(void **state)
{
    (void)state;
    char other[PROCESS_BYTES];
    pid_t child = child_with_id(other, NULL);
    assert_false(process_is_gone(other));
    assert_int_equal(unlink(alive_path()), 0);
    assert_false(process_is_gone(other));
    int fd = open(alive_path(), O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_false(process_is_gone(other));
    kill_child(child);
}

static void *take_id(void *id)
{
    (void)snprintf(id, PROCESS_BYTES, "%s", process_id());
    return NULL;
}

static void threads_that_ask_at_once_get_one_id(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    char ids[THREADS][PROCESS_BYTES];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_id, ids[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_string_equal(ids[i], process_id());
}

static const struct CMUnitTest tests[] = {
    process_test(a_killed_process_is_gone_at_once),
    process_test(a_lock_stays_when_the_file_is_opened_and_closed),
    process_test(a_database_with_two_names_has_one_file),
    process_test(a_process_that_ends_well_is_gone_too),
    process_test(a_process_is_never_gone_for_itself),
    process_test(of_ids_without_a_lock_nothing_is_known),
    process_test(the_file_is_for_its_owner_alone),
    process_test(without_the_file_a_process_has_an_id_that_says_so),
    process_test(a_process_without_a_lock_cannot_tell_of_others),
    process_test(a_file_that_was_replaced_tells_nothing),
    process_test(threads_that_ask_at_once_get_one_id),
};

UNIT_MAIN(tests)
