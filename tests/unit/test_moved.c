/*
 * Tests of src/store/db_files.c: what happens when somebody moves, replaces, restores or deletes the files of a database that is in use, or upgrades it.
 */
#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../../src/base/clock.h"

static enum outcome do_sql(struct db *db, void *arg, struct failure *failure)
{
    int64_t *number = arg;
    struct query *query = db_query(db, "SELECT count(*) FROM users");
    if (query_next(query))
        *number = query_get_int(query, 0);
    query_end(query);
    (void)failure;
    return OUTCOME_OK;
}

static int64_t users_seen(void)
{
    struct failure failure = {0};
    int64_t number = -1;
    if (db_read(do_sql, &number, &failure) != OUTCOME_OK)
        print_error("%s\n", failure.message);
    return number;
}

static enum outcome insert_user(struct db *db, void *arg, struct failure *failure)
{
    struct query *query = db_query(db, "INSERT INTO users (name, created_at) VALUES (?1, 1)");
    query_text(query, 1, arg);
    (void)query_run(query);
    (void)failure;
    return OUTCOME_OK;
}

static enum outcome add_user(const char *name, struct failure *failure)
{
    return db_write(insert_user, (void *)(uintptr_t)name, failure);
}

static const char *beside(const char *suffix)
{
    static char paths[4][160];
    static int at;
    char *path = paths[at++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s%s", store_path, suffix);
    return path;
}

static int64_t number_in(const char *path, const char *text)
{
    sqlite3 *connection;
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    assert_int_equal(sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(connection, text, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return number;
}

static void assert_sound(const char *path)
{
    bool good = number_in(path, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1;
    if (!good)
        print_error("%s is not sound\n", path);
    assert_true(good);
}

/* A number from another process: within this one, SQLite shares more between connections than processes do. */
static long shell(const char *text)
{
    char command[512], line[64] = "";
    (void)snprintf(command, sizeof command, "sqlite3 -batch -cmd '.timeout 5000' '%s' \"%s\"", store_path, text);
    FILE *from = popen(command, "r");
    assert_non_null(from);
    if (fgets(line, sizeof line, from) == NULL)
        line[0] = '\0'; /* it wrote none */
    assert_int_equal(pclose(from), 0);
    return strtol(line, NULL, 10);
}

/* A whole copy as an administrator makes one. */
static void copy_to(const char *path)
{
    char text[256];
    (void)snprintf(text, sizeof text, "VACUUM INTO '%s'", path);
    (void)shell(text);
}

static void begin_with(const char *name)
{
    struct failure failure = {0};
    assert_int_equal(add_user(name, &failure), OUTCOME_OK);
    assert_int_equal(users_seen(), 1);
}

static void a_database_that_another_takes_the_place_of_is_opened_anew(void **state)
{
    (void)state;
    struct failure failure = {0};
    begin_with("first");
    copy_to(beside("-copy"));
    assert_int_equal(add_user("second", &failure), OUTCOME_OK);
    assert_int_equal(users_seen(), 2);
    assert_int_equal(rename(beside("-copy"), store_path), 0);
    assert_int_equal(users_seen(), 1);
    assert_int_equal(rename(store_path, beside("-aside")), 0);
    assert_int_equal(link(beside("-aside"), store_path), 0); /* the same file again is no other */
    assert_int_equal(add_user("third", &failure), OUTCOME_OK);
    assert_int_equal(users_seen(), 2);
    db_close();
    assert_sound(store_path);
    assert_int_equal(number_in(store_path, "SELECT count(*) FROM users WHERE name IN ('first', 'third')"), 2);
}

static void a_database_that_was_moved_aside_holds_all_that_was_stored_in_it(void **state)
{
    (void)state;
    struct failure failure = {0};
    begin_with("first");
    copy_to(beside("-copy"));
    assert_int_equal(add_user("only in the log", &failure), OUTCOME_OK);
    assert_int_equal(rename(store_path, beside("-aside")), 0);
    assert_int_equal(rename(beside("-copy"), store_path), 0);
    assert_int_equal(add_user("new", &failure), OUTCOME_OK); /* a writer is the first to notice */
    assert_int_equal(users_seen(), 2);
    assert_int_equal(number_in(beside("-aside"), "SELECT count(*) FROM users WHERE name = 'only in the log'"), 1);
    assert_int_equal(number_in(store_path, "SELECT count(*) FROM users WHERE name = 'only in the log'"), 0);
    assert_sound(beside("-aside"));
    assert_sound(store_path);
}

static void a_database_that_is_gone_is_not_made_again_and_is_used_when_it_is_back(void **state)
{
    (void)state;
    struct failure failure = {0};
    int64_t number;
    begin_with("first");
    assert_int_equal(add_user("second", &failure), OUTCOME_OK);
    assert_int_equal(rename(store_path, beside("-aside")), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(db_read(do_sql, &number, &failure), OUTCOME_STORE);
        assert_contains(failure.message, "gone");
        assert_int_equal(add_user("lost", &failure), OUTCOME_STORE);
        assert_contains(failure.message, "gone");
        assert_int_equal(access(store_path, F_OK), -1);
    }
    assert_int_equal(number_in(beside("-aside"), "SELECT count(*) FROM users"), 2); /* whole, without its -wal */
    assert_int_equal(rename(beside("-aside"), store_path), 0);
    assert_int_equal(users_seen(), 2);
    assert_int_equal(add_user("third", &failure), OUTCOME_OK);
    assert_int_equal(users_seen(), 3);
}

static void a_database_that_was_emptied_is_not_written_over(void **state)
{
    (void)state;
    struct failure failure = {0};
    int64_t number;
    begin_with("first");
    assert_int_equal(rename(store_path, beside("-aside")), 0);
    int fd = open(store_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(db_read(do_sql, &number, &failure), OUTCOME_STORE);
    assert_int_equal(add_user("lost", &failure), OUTCOME_STORE);
    struct stat status;
    assert_int_equal(stat(store_path, &status), 0);
    assert_int_equal(status.st_size, 0);
}

static void a_log_without_its_database_is_not_thrown_away(void **state)
{
    (void)state;
    struct failure failure = {0};
    db_close();
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%s/var", store_folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    FILE *file = fopen(beside("-wal"), "w");
    assert_non_null(file);
    (void)fputs("what somebody still needs", file);
    (void)fclose(file);
    assert_int_equal(db_check(&failure), OUTCOME_STORE);
    assert_contains(failure.message, "-wal");
    assert_int_equal(access(store_path, F_OK), -1);
    assert_int_equal(access(beside("-wal"), F_OK), 0);
}

static void deleted_files_beside_the_database_cost_nothing(void **state)
{
    (void)state;
    struct failure failure = {0};
    static const char *const deleted[][2] = {{"-wal", "-wal"}, {"-shm", "-shm"}, {"-wal", "-shm"}};
    begin_with("first");
    for (int i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "before %d", i);
        assert_int_equal(add_user(name, &failure), OUTCOME_OK);
        (void)unlink(beside(deleted[i][0]));
        (void)unlink(beside(deleted[i][1]));
        if (i == 1)
            assert_int_equal(users_seen(), 2 + 2 * i); /* a reader is the first to notice */
        (void)snprintf(name, sizeof name, "after %d", i);
        assert_int_equal(add_user(name, &failure), OUTCOME_OK);
        assert_int_equal(users_seen(), 3 + 2 * i);
        assert_int_equal(shell("SELECT count(*) FROM users"), 3 + 2 * i);
    }
    db_close();
    assert_sound(store_path);
    assert_int_equal(number_in(store_path, "SELECT count(*) FROM users"), 7);
}

static enum outcome get_generation(struct db *db, void *arg, struct failure *failure)
{
    (void)failure;
    *(int64_t *)arg = db_generation(db);
    return OUTCOME_OK;
}

static void a_log_that_was_exchanged_before_it_was_opened_is_no_move(void **state)
{
    (void)state;
    struct failure failure = {0};
    int64_t before = -1, after = -2;
    begin_with("first");
    db_close();
    (void)sql("PRAGMA journal_mode = DELETE"); /* as a backup has it */
    int old = open(beside("-wal"), O_WRONLY | O_CREAT, 0600);
    assert_true(old >= 0);
    assert_int_equal(db_read(get_generation, &before, &failure), OUTCOME_OK); /* a reader, for which there is no log to be opened yet */
    unlink(beside("-wal"));
    assert_int_equal(add_user("second", &failure), OUTCOME_OK); /* a writer, which makes one; its inode is not that of the other, which is still open */
    assert_int_equal(users_seen(), 2);
    assert_int_equal(db_read(get_generation, &after, &failure), OUTCOME_OK);
    assert_int_equal(after, before);
    close(old);
}

static void a_link_that_is_turned_to_another_database_leaves_the_first_its_log(void **state)
{
    (void)state;
    struct failure failure = {0};
    begin_with("first");
    db_close();
    copy_to(beside("-two"));
    assert_int_equal(rename(store_path, beside("-one")), 0);
    assert_int_equal(symlink(beside("-one"), store_path), 0);
    assert_int_equal(add_user("in one", &failure), OUTCOME_OK);
    assert_int_equal(unlink(store_path), 0);
    assert_int_equal(symlink(beside("-two"), store_path), 0);
    assert_int_equal(add_user("in two", &failure), OUTCOME_OK);
    assert_int_equal(users_seen(), 2);
    assert_int_equal(access(beside("-one-wal"), F_OK), 0); /* others may use it by that name */
    assert_int_equal(number_in(beside("-one"), "SELECT count(*) FROM users WHERE name IN ('first', 'in one')"), 2);
    db_close();
    assert_int_equal(number_in(beside("-two"), "SELECT count(*) FROM users WHERE name IN ('first', 'in two')"), 2);
}

static int find_fork(char *path, size_t size)
{
    char folder[128];
    int count = 0;
    (void)snprintf(folder, sizeof folder, "%s/var", store_folder);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (strstr(entry->d_name, ".fork-") != NULL) {
            (void)snprintf(path, size, "%s/%s", folder, entry->d_name);
            count++;
        }
    if (dir != NULL)
        closedir(dir);
    return count;
}

static void what_cannot_be_brought_together_again_is_kept_apart(void **state)
{
    (void)state;
    struct failure failure = {0};
    char path[512] = "";
    begin_with("first");
    assert_int_equal(add_user("ours", &failure), OUTCOME_OK);
    (void)sql("PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(add_user("in our log", &failure), OUTCOME_OK);
    unlink(beside("-wal"));
    unlink(beside("-shm"));
    (void)shell("INSERT INTO users (name, created_at) VALUES ('theirs', 1)"); /* who opens it now knows nothing of our log */
    assert_int_equal(users_seen(), 3); /* first, ours, theirs */
    assert_int_equal(find_fork(path, sizeof path), 1);
    assert_int_equal(number_in(path, "SELECT count(*) FROM users WHERE name = 'in our log'"), 1);
    assert_int_equal(add_user("later", &failure), OUTCOME_OK);
    db_close();
    assert_sound(store_path);
    assert_int_equal(number_in(store_path, "SELECT count(*) FROM users"), 4);
}

static void a_writer_that_comes_after_its_log_was_replaced_does_not_mix_the_two(void **state)
{
    (void)state;
    struct failure failure = {0};
    char path[512] = "";
    begin_with("first");
    db_close();
    assert_int_equal(users_seen(), 1); /* only a reader is open */
    (void)shell("INSERT INTO users (name, created_at) VALUES ('in the log', 1)");
    assert_int_equal(users_seen(), 2);
    unlink(beside("-wal"));
    unlink(beside("-shm"));
    (void)shell("INSERT INTO users (name, created_at) VALUES ('theirs', 1), ('theirs too', 1)");
    assert_int_equal(add_user("ours", &failure), OUTCOME_OK); /* a writer is the first to notice, on a connection that is new */
    assert_int_equal(users_seen(), 4); /* first, theirs, theirs too, ours */
    assert_int_equal(find_fork(path, sizeof path), 1);
    assert_int_equal(number_in(path, "SELECT count(*) FROM users WHERE name IN ('first', 'in the log')"), 2);
    db_close();
    assert_sound(store_path);
    assert_int_equal(number_in(store_path, "SELECT count(*) FROM users WHERE name IN ('first', 'theirs', 'theirs too', 'ours')"), 4);
}

static void ids_of_the_database_before_never_mean_rows_of_the_one_after(void **state)
{
    (void)state;
    struct failure failure = {0};
    int64_t alice, bob, again;
    assert_int_equal(user_find("bob", &bob, &failure), OUTCOME_OK);
    copy_to(beside("-copy")); /* in the copy, bob is the first */
    assert_int_equal(sql("SELECT count(*) FROM users"), 1);
    (void)number_in(beside("-copy"), "UPDATE users SET name = 'alice' RETURNING 1"); /* and now alice is */
    (void)whole_turn(bob, NULL, NULL, "bob's question", "bob's answer");
    assert_string_equal(titles_of(bob, NULL), "[bob's question]");
    assert_int_equal(rename(beside("-copy"), store_path), 0);
    listed[0] = '\0';
    assert_int_equal(conversation_list(bob, &(struct conversation_page){NULL, 100, NULL, -1, -1}, list_title, NULL, &failure), OUTCOME_STORE); /* his number is alice's here */
    assert_string_equal(listed, "");
    assert_int_equal(user_find("bob", &again, &failure), OUTCOME_OK);
    assert_int_not_equal(again, bob);
    assert_string_equal(titles_of(again, NULL), "");
    assert_int_equal(user_find("alice", &alice, &failure), OUTCOME_OK);
    assert_int_equal(alice, bob);
    assert_int_equal(rename(store_path, beside("-old")), 0); /* writing is refused as well */
    assert_int_equal(link(beside("-old"), store_path), 0);
    copy_to(beside("-copy"));
    assert_int_equal(rename(beside("-copy"), store_path), 0);
    struct message_begin begin = turn_of(alice, NULL, NULL, "hers");
    assert_int_equal(message_begin_turn(&begin, &failure), OUTCOME_STORE);
    assert_int_equal(sql("SELECT count(*) FROM messages"), 0);
}

static atomic_int outdated;

static void count_outdated(void)
{
    atomic_fetch_add(&outdated, 1);
}

static void a_database_that_a_newer_program_upgrades_is_not_touched_any_more(void **state)
{
    (void)state;
    struct failure failure = {0};
    int64_t number;
    char text[64];
    int64_t version = 0;
    db_on_outdated(count_outdated);
    begin_with("first");
    version = sql("PRAGMA user_version");
    (void)snprintf(text, sizeof text, "PRAGMA user_version = %lld", (long long)version + 1);
    (void)sql(text);
    (void)sql("ALTER TABLE users ADD COLUMN more TEXT NOT NULL DEFAULT ''");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(db_read(do_sql, &number, &failure), OUTCOME_STORE);
        assert_contains(failure.message, "newer program");
        assert_int_equal(add_user("late", &failure), OUTCOME_STORE);
        assert_contains(failure.message, "newer program");
    }
    assert_int_equal(atomic_load(&outdated), 1);
    assert_int_equal(sql("SELECT count(*) FROM users"), 1);
    db_on_outdated(NULL);
}

static void a_database_of_an_older_version_that_is_put_back_is_upgraded(void **state)
{
    (void)state;
    begin_with("first");
    (void)sql("PRAGMA user_version = 1"); /* no version that there is: it lacks a step's tables, and has others already */
    struct failure failure = {0};
    int64_t number;
    assert_int_equal(db_read(do_sql, &number, &failure), OUTCOME_STORE); /* the upgrade was tried, on a copy kept before, and refused */
    assert_int_equal(access(beside(".version-1.bak"), F_OK), 0);
}

/* --- several processes -------------------------------------------------------------------------------------------------------- */

enum { PROCESSES = 4, ROUNDS = 15, PROGRESS = 5 };

static atomic_int *progress; /* how much each process was acknowledged, */
static atomic_int *refused;  /* and how much it was not */

static atomic_int *shared_counts(void)
{
    void *counts = mmap(NULL, PROCESSES * sizeof(atomic_int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(counts != MAP_FAILED);
    return counts;
}

/* A child that adds one user, and another when it is told to. */
static pid_t child_that_adds_twice(int *tell)
{
    int down[2], up[2];
    char byte = 0;
    assert_int_equal(pipe(down) | pipe(up), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct failure failure = {0};
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody */
        bool good = add_user("child", &failure) == OUTCOME_OK && write(up[1], &byte, 1) == 1 && read(down[0], &byte, 1) == 1;
        _exit(good && add_user("child again", &failure) == OUTCOME_OK ? 0 : 1);
    }
    assert_int_equal(read(up[0], &byte, 1), 1);
    close(up[0]);
    close(up[1]);
    close(down[0]);
    *tell = down[1];
    return child;
}

static void a_log_is_gone_with_its_database_before_another_can_be_given_it(void **state)
{
    (void)state;
    struct failure failure = {0};
    int tell, status;
    begin_with("first");
    copy_to(beside("-copy"));
    db_close();
    pid_t child = child_that_adds_twice(&tell);
    assert_int_equal(add_user("parent", &failure), OUTCOME_OK);
    assert_int_equal(rename(store_path, beside("-aside")), 0);
    assert_int_equal(add_user("lost", &failure), OUTCOME_STORE); /* one notices while nothing is there; the other not before something is */
    assert_contains(failure.message, "gone");
    assert_int_equal(access(beside("-wal"), F_OK), -1);
    assert_int_equal(rename(beside("-copy"), store_path), 0);
    assert_int_equal(add_user("parent again", &failure), OUTCOME_OK);
    assert_int_equal(write(tell, "", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(tell);
    db_close();
    assert_sound(store_path);
    assert_sound(beside("-aside"));
    assert_int_equal(number_in(store_path, "SELECT count(*) FROM users WHERE name IN ('first', 'parent again', 'child again')"), 3);
    assert_int_equal(number_in(beside("-aside"), "SELECT count(*) FROM users WHERE name IN ('first', 'parent', 'child')"), 3);
}

/* Adds users until the file "-stop" is there, and writes the names of those that were acknowledged. Does so on a file of its own: the pipe would fill up. */
static void add_until_stopped(FILE *out, void *arg)
{
    struct failure failure = {0};
    char name[64], acknowledged[192];
    (void)snprintf(acknowledged, sizeof acknowledged, "%s/acknowledged-%d", store_folder, *(int *)arg);
    FILE *file = fopen(acknowledged, "w");
    for (int i = 0; file != NULL && access(beside("-stop"), F_OK) != 0; i++) {
        (void)snprintf(name, sizeof name, "p%d-%d", *(int *)arg, i);
        if (i % 3 == 0)
            (void)db_check(&failure);
        if (add_user(name, &failure) == OUTCOME_OK)
            (void)fprintf(file, "%s\n", name), atomic_fetch_add(&progress[*(int *)arg], 1);
        else
            atomic_fetch_add(&refused[*(int *)arg], 1);
    }
    if (file != NULL)
        (void)fclose(file);
    db_close();
    (void)out;
}

/* Until `count` of the processes have each come so much further. */
static void await_counts(atomic_int *counts, int further, int count)
{
    int before[PROCESSES], reached = 0;
    int64_t end = clock_mono_ms() + 30000;
    for (int i = 0; i < PROCESSES; i++)
        before[i] = atomic_load(&counts[i]);
    while (reached < count && clock_mono_ms() < end) {
        clock_sleep_ms(1);
        reached = 0;
        for (int i = 0; i < PROCESSES; i++)
            reached += atomic_load(&counts[i]) >= before[i] + further;
    }
    assert_true(reached >= count);
}

/* Each process has stored something in the file that is the database now: one that had none of the files open could not know that the -wal at the path is another's. */
static void await_progress(void)
{
    await_counts(progress, PROGRESS, PROCESSES);
}

/* Another database in the place of the one that is there: at once, or after a while in which there is none, and in which no, some or all processes notice. */
static void replace_database(int round)
{
    static const int who_notice[] = {0, 0, 1, PROCESSES / 2, PROCESSES};
    char text[256], old[32];
    (void)snprintf(old, sizeof old, "-old-%d", round);
    (void)snprintf(text, sizeof text, "VACUUM INTO '%s'", beside("-next"));
    (void)number_in(beside("-empty"), text);
    if (round % 5 == 0) {
        assert_int_equal(link(store_path, beside(old)), 0);
    } else {
        assert_int_equal(rename(store_path, beside(old)), 0);
        await_counts(refused, 1, who_notice[round % 5]);
    }
    assert_int_equal(rename(beside("-next"), store_path), 0);
}

/* How many lines a command writes, run in the folder. */
static long lines_of(const char *command)
{
    char whole[256], line[64] = "";
    (void)snprintf(whole, sizeof whole, "cd '%s' && %s | wc -l", store_folder, command);
    FILE *from = popen(whole, "r");
    assert_non_null(from);
    if (fgets(line, sizeof line, from) == NULL)
        line[0] = '\0'; /* it wrote none */
    assert_int_equal(pclose(from), 0);
    return strtol(line, NULL, 10);
}

static void processes_that_write_while_it_is_replaced_lose_nothing_that_they_acknowledged(void **state)
{
    (void)state;
    begin_with("first");
    settings.db_busy_ms = 5000;
    copy_to(beside("-empty"));
    db_close();
    pid_t children[PROCESSES];
    progress = shared_counts();
    refused = shared_counts();
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is ended leaves nobody */
            add_until_stopped(NULL, &i);
            _exit(0);
        }
    }
    for (int i = 0; i < ROUNDS; i++) {
        await_progress();
        replace_database(i);
    }
    await_progress();
    FILE *stop = fopen(beside("-stop"), "w");
    assert_non_null(stop);
    (void)fclose(stop);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_sound(store_path);
    char text[256]; /* every name in every file that was the database at some time, against what the processes were told */
    (void)snprintf(text, sizeof text, "cd '%s' && for f in var/parley.db var/parley.db-old-*[0-9]; do sqlite3 $f 'SELECT name FROM users'; done | sort -u >found && "
                                      "sort acknowledged-* >acknowledged", store_folder);
    assert_int_equal(system(text), 0);
    long checked = lines_of("cat acknowledged"), missing = lines_of("comm -13 found acknowledged");
    for (int k = 0; k < ROUNDS; k++) {
        char old[32];
        (void)snprintf(old, sizeof old, "-old-%d", k);
        assert_sound(beside(old));
    }
    assert_int_equal(missing, 0);
    assert_true(checked > ROUNDS);
    if (getenv("PARLEY_UNIT_TALK") != NULL)
        print_message("%ld acknowledged\n", checked);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        store_test(a_database_that_another_takes_the_place_of_is_opened_anew),
        store_test(a_database_that_was_moved_aside_holds_all_that_was_stored_in_it),
        store_test(a_database_that_is_gone_is_not_made_again_and_is_used_when_it_is_back),
        store_test(a_database_that_was_emptied_is_not_written_over),
        store_test(a_log_without_its_database_is_not_thrown_away),
        store_test(deleted_files_beside_the_database_cost_nothing),
        store_test(a_log_that_was_exchanged_before_it_was_opened_is_no_move),
        store_test(a_link_that_is_turned_to_another_database_leaves_the_first_its_log),
        store_test(what_cannot_be_brought_together_again_is_kept_apart),
        store_test(a_writer_that_comes_after_its_log_was_replaced_does_not_mix_the_two),
        store_test(ids_of_the_database_before_never_mean_rows_of_the_one_after),
        store_test(a_database_that_a_newer_program_upgrades_is_not_touched_any_more),
        store_test(a_database_of_an_older_version_that_is_put_back_is_upgraded),
        store_test(a_log_is_gone_with_its_database_before_another_can_be_given_it),
        store_test(processes_that_write_while_it_is_replaced_lose_nothing_that_they_acknowledged),
    };
    unit_silence();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name(argv[0], tests, NULL, NULL);
}
