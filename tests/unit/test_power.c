/*
 * The power goes: at random moments of a script of turns, deletions, checkpoints, restarts, of the making of a database and of its upgrade. What the disk can have then
 * (disk.h) is opened like any database. With DB_SYNC=full all is there that was acknowledged, and of what was not at most the one thing that was being written, whole; with
 * `normal` the state is one that there was, whole too. Without syncs the same test finds losses.
 *
 * Failures name a seed; POWER_SEED=n runs that one again, POWER_ROUNDS=n as many as that.
 */
#include "store.h"

#include <sys/vfs.h>
#include <time.h>

#include "../../src/store/journal.h"
#include "../../src/store/upgrade.h"
#include "disk.h"
#include "versions.h"

enum { STEPS = 45, CUTS = 40, TALKS = 5, NAME_BYTES = 96 };

struct cut_made {
    char folder[NAME_BYTES];
    const char *way, *during; /* NULL: nothing */
    size_t acknowledged;      /* how many things */
    size_t least;             /* how many must be there */
};

static struct {
    uint64_t seed, dice;
    unsigned one_in;            /* of so many events one is a cut */
    size_t acknowledged, least; /* least: had been brought into the database and synced, whatever DB_SYNC says */
    uint64_t states[STEPS + 2]; /* all rows, after so many things */
    const char *during;
    struct cut_made cuts[CUTS];
    size_t cut_count;
    int pages; /* of a WAL that is checkpointed */
} run; /* a round */

static struct {
    bool normal, network, upgrades; /* the last: the rounds are of an upgrade */
    size_t cuts, losses;
} all; /* rounds of a test */

/* The program's own call comes here: a network file system, where there is a rollback journal in place of the WAL. */
int statfs(const char *path, struct statfs *status)
{
    int fd = open(path, O_PATH | O_CLOEXEC), result = fd >= 0 ? fstatfs(fd, status) : -1;
    if (fd >= 0)
        (void)close(fd);
    if (result == 0 && all.network)
        status->f_type = 0x6969; /* NFS */
    return result;
}

static uint32_t dice(uint32_t sides)
{
    return unit_random(&run.dice) % sides;
}

/* --- what is in a database ----------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211U; /* FNV-1a */
    return hash;
}

static uint64_t hash_rows(sqlite3 *connection, const char *table, uint64_t hash)
{
    char query[64];
    sqlite3_stmt *statement = NULL;
    (void)snprintf(query, sizeof query, "SELECT * FROM %s ORDER BY 1, 2", table);
    if (sqlite3_prepare_v2(connection, query, -1, &statement, NULL) != SQLITE_OK)
        return 0;
    while (sqlite3_step(statement) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            int type = sqlite3_column_type(statement, i);
            const void *bytes = sqlite3_column_blob(statement, i);
            hash = mix(mix(hash, &type, sizeof type), bytes, (size_t)sqlite3_column_bytes(statement, i));
        }
    (void)sqlite3_finalize(statement);
    return hash;
}

/* All rows of a file; 0: it cannot be read. */
static uint64_t hash_of(const char *path)
{
    static const char *const tables[] = {"users", "conversations", "messages", "journal", "repeats", "feedback", "usage_days"};
    sqlite3 *connection = NULL;
    uint64_t hash = 14695981039346656037U;
    if (sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        hash = 0;
    for (size_t i = 0; hash != 0 && i < sizeof tables / sizeof tables[0]; i++)
        hash = hash_rows(connection, tables[i], hash);
    sqlite3_close(connection);
    return hash;
}

/* Whether a check answers as it should: with `good`, or, when that is NULL, with no row. */
static bool checks(sqlite3 *connection, const char *query, const char *good)
{
    sqlite3_stmt *statement = NULL;
    bool is_good = sqlite3_prepare_v2(connection, query, -1, &statement, NULL) == SQLITE_OK;
    int code = is_good ? sqlite3_step(statement) : SQLITE_ERROR;
    if (good == NULL)
        is_good = code == SQLITE_DONE;
    else
        is_good = code == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), good) == 0 && sqlite3_step(statement) == SQLITE_DONE;
    (void)sqlite3_finalize(statement);
    return is_good;
}

static const char *unsound(const char *path)
{
    sqlite3 *connection = NULL;
    const char *trouble = NULL;
    if (sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        trouble = "cannot be opened by SQLite";
    else if (!checks(connection, "PRAGMA integrity_check", "ok"))
        trouble = "integrity_check complains";
    else if (!checks(connection, "PRAGMA foreign_key_check", NULL))
        trouble = "foreign_key_check complains";
    else if (!checks(connection, "INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)", NULL))
        trouble = "the full-text index does not agree with the texts";
    sqlite3_close(connection);
    return trouble;
}

/* --- cuts ------------------------------------------------------------------------------------------------------------------------ */

static void cut_now(void)
{
    if (run.cut_count == CUTS)
        return;
    struct cut_made *made = &run.cuts[run.cut_count++];
    (void)snprintf(made->folder, sizeof made->folder, "%s/cut-%zu", store_folder, run.cut_count);
    made->acknowledged = run.acknowledged;
    made->least = all.normal ? run.least : run.acknowledged;
    made->during = run.during;
    made->way = disk_cut(made->folder);
}

static void cut_sometimes(void)
{
    if (dice(run.one_in) == 0)
        cut_now();
}

/* The next turn, on a database that has lost its power. */
static bool goes_on(struct failure *failure)
{
    static int number;
    char name[32];
    int64_t user;
    (void)snprintf(name, sizeof name, "after-%d", ++number);
    if (user_find(name, &user, failure) != OUTCOME_OK)
        return false;
    struct message_begin begin = turn_of(user, NULL, NULL, "And now?");
    return message_begin_turn(&begin, failure) == OUTCOME_OK && end_turn_as(begin.answer, "done", "All is well.") == OUTCOME_OK;
}

/* The copy that was made before an upgrade: there, and sound. */
static const char *bad_copy(void)
{
    char path[NAME_BYTES + 64];
    sqlite3 *connection = NULL;
    (void)snprintf(path, sizeof path, "%s.version-%d.bak", store_path, NEWEST - 1);
    if (access(path, F_OK) != 0)
        return "there is no copy of the old version";
    const char *trouble = unsound(path) == NULL ? NULL : "the copy of the old version is damaged";
    if (trouble == NULL && sqlite3_open(path, &connection) == SQLITE_OK && !checks(connection, "SELECT count(*) FROM messages", "6"))
        trouble = "the copy of the old version is not whole";
    sqlite3_close(connection);
    return trouble;
}

/* What is wrong with a copy after a cut; NULL: nothing. */
static const char *trouble_after(const struct cut_made *made)
{
    struct failure failure = {0};
    const char *trouble;
    if (db_check(&failure) != OUTCOME_OK)
        return "the store cannot be opened";
    uint64_t state = hash_of(store_path);
    if ((trouble = unsound(store_path)) != NULL)
        return trouble;
    size_t last = made->acknowledged + (made->during != NULL), at = made->least;
    while (at <= last && run.states[at] != state)
        at++;
    if (at > last) {
        for (size_t i = 0; i < made->least; i++)
            if (run.states[i] == state)
                return "something acknowledged is missing";
        return "what is there is not a state that there was";
    }
    if (all.upgrades && (trouble = bad_copy()) != NULL)
        return trouble;
    return goes_on(&failure) ? NULL : "the next turn fails";
}

static void look_at_cuts(bool tell)
{
    db_close();
    disk_forget();
    for (size_t i = 0; i < run.cut_count; i++) {
        const struct cut_made *made = &run.cuts[i];
        (void)snprintf(store_path, sizeof store_path, "%.80s/parley.db", made->folder);
        const char *trouble = trouble_after(made);
        db_close();
        if (trouble != NULL && tell)
            print_error("POWER_SEED=%llu, cut %zu (%s) after %zu things, %s%s: %s\n", (unsigned long long)run.seed, i + 1, made->way, made->acknowledged,
                        made->during != NULL ? "during " : "between", made->during != NULL ? made->during : "", trouble);
        all.losses += trouble != NULL;
        all.cuts++;
        assert_int_equal(nftw(made->folder, store_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
    }
}

/* --- a script ---------------------------------------------------------------------------------------------------------------------- */

static struct talk {
    char id[ID_BYTES], answer[ID_BYTES]; /* answer "": none is running */
    int64_t pos;                         /* of its journal */
    bool exists;
} talks[TALKS];

static void begins(const char *what)
{
    run.during = what;
}

/* It was acknowledged. */
static void is_done(enum outcome outcome)
{
    assert_int_equal(outcome, OUTCOME_OK);
    run.acknowledged++;
    run.during = NULL;
    assert_true(run.acknowledged < sizeof run.states / sizeof run.states[0]);
    run.states[run.acknowledged] = hash_of(store_path);
    assert_true(run.states[run.acknowledged] != 0);
}

/* Words, so that the full-text index has something to do; good until the next call. */
static const char *some_text(void)
{
    static const char *const words[] = {"power ", "light ", "Größe ", "漢字 ", "river ", "42 ", "de ", "x "};
    static char text[24 * 1024];
    size_t len = 0, most = dice(8) == 0 ? sizeof text - 32 : 10 + dice(600);
    while (len < most)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%x ", words[dice(8)], dice(500));
    return text;
}

static void ask(struct talk *talk, int64_t user)
{
    struct failure failure = {0};
    char key[32];
    struct message_begin begin = turn_of(user, talk->exists ? talk->id : NULL, NULL, some_text());
    (void)snprintf(key, sizeof key, "key-%zu", run.acknowledged);
    begin.title = "A title";
    if (dice(2) == 0) {
        begin.key = key;
        begin.body_hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    }
    begins("a question");
    is_done(message_begin_turn(&begin, &failure));
    strcpy(talk->id, begin.conversation);
    strcpy(talk->answer, begin.answer);
    talk->pos = 0;
    talk->exists = true;
}

static void say(struct talk *talk)
{
    struct failure failure = {0};
    const char *text = some_text();
    struct journal_row row = {.message = talk->answer, .pos = talk->pos, .kind = "text", .data = text, .len = strlen(text)};
    begins("a write of the journal");
    is_done(journal_add(&row, 1, PROCESS, &failure));
    talk->pos += (int64_t)row.len;
}

static void answer(struct talk *talk)
{
    begins("the end of an answer");
    is_done(end_turn_as(talk->answer, dice(4) == 0 ? "stopped" : "done", some_text()));
    talk->answer[0] = '\0';
}

static void take_away(struct talk *talk, int64_t user)
{
    struct failure failure = {0};
    bool whole = dice(2) == 0;
    begins(whole ? "a deletion" : "a clearing");
    is_done(whole ? conversation_delete(user, talk->id, &failure) : conversation_clear(user, talk->id, &failure));
    talk->answer[0] = '\0';
    talk->exists = !whole;
}

static void change(const struct talk *talk, int64_t user)
{
    struct failure failure = {0};
    char title[32];
    (void)snprintf(title, sizeof title, "Title %zu", run.acknowledged);
    begins("a new title");
    is_done(conversation_change(user, talk->id, &(struct conversation_change){.title = title, .pinned = -1, .archived = -1, .unread = -1}, &failure));
}

/* No state is changed by these. What was acknowledged before is in the database then, also with DB_SYNC=normal; a rollback journal knows no checkpoints. */
static void tidy(void)
{
    size_t before = run.acknowledged;
    switch (dice(4)) {
    case 0: db_close(); break; /* a restart */
    case 1: (void)sql("PRAGMA wal_checkpoint(TRUNCATE)"); break;
    case 2: (void)sql("PRAGMA wal_checkpoint(RESTART)"); break;
    default: (void)sql("PRAGMA wal_checkpoint(PASSIVE)"); break;
    }
    if (!all.network)
        run.least = before;
}

static void step(int64_t user)
{
    struct talk *talk = &talks[dice(TALKS)];
    uint32_t way = dice(10);
    if (way == 0)
        tidy();
    else if (way == 1 && talk->exists)
        take_away(talk, user);
    else if (way == 2 && talk->exists)
        change(talk, user);
    else if (talk->answer[0] == '\0')
        ask(talk, user);
    else if (way < 6)
        say(talk);
    else
        answer(talk);
}

/* --- rounds ---------------------------------------------------------------------------------------------------------------------- */

static int set_pages(sqlite3 *connection, char **error, const sqlite3_api_routines *routines)
{
    (void)error;
    (void)routines;
    (void)sqlite3_wal_autocheckpoint(connection, run.pages);
    return SQLITE_OK;
}

static void begin_round(uint64_t seed, bool ignores_syncs)
{
    memset(&run, 0, sizeof run);
    memset(talks, 0, sizeof talks);
    run.seed = seed;
    run.dice = seed * 2654435769U + 88172645463325252U;
    for (int i = 0; i < 20; i++)
        (void)dice(2); /* seeds that follow each other begin alike */
    run.pages = (int[]){5, 20, 60, 1000}[dice(4)];
    settings.db_sync = all.normal ? "normal" : "full";
    run.one_in = 100;
    char folder[NAME_BYTES];
    (void)snprintf(folder, sizeof folder, "%s/var", store_folder);
    (void)snprintf(store_path, sizeof store_path, "%.80s/parley.db", folder);
    disk_watch(folder, run.dice, cut_sometimes);
    disk.ignores_syncs = ignores_syncs;
}

static void empty_folder(void)
{
    char folder[NAME_BYTES];
    (void)snprintf(folder, sizeof folder, "%s/var", store_folder);
    (void)nftw(folder, store_remove, 8, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* The making of a database, then the script. */
static void round_of_turns(uint64_t seed, bool ignores_syncs)
{
    struct failure failure = {0};
    int64_t user;
    empty_folder();
    begin_round(seed, ignores_syncs);
    run.one_in = 15;
    begins("the making of the database");
    assert_int_equal(db_check(&failure), OUTCOME_OK);
    run.states[0] = hash_of(store_path);
    run.during = NULL;
    run.one_in = dice(4) == 0 ? 25 : 150;
    begins("the first request");
    is_done(user_find("somebody", &user, &failure));
    while (run.acknowledged < STEPS && run.cut_count < CUTS) {
        step(user);
        if (dice(8) == 0)
            cut_now();
    }
    look_at_cuts(!ignores_syncs);
}

/* The first start of a program with a database of the version before. */
static void round_of_an_upgrade(uint64_t seed, bool ignores_syncs)
{
    struct failure failure = {0};
    char mark[64];
    sqlite3 *connection;
    empty_folder();
    disk_forget();
    all.network = seed % 2 == 0;
    settings.db_path = store_path;
    (void)snprintf(store_path, sizeof store_path, "%s/var/parley.db", store_folder);
    int64_t user = new_user();
    struct message_begin first = whole_turn(user, NULL, NULL, "one", "two");
    (void)whole_turn(user, first.conversation, NULL, "three", "four");
    (void)whole_turn(user, NULL, NULL, "five", "six");
    db_close();
    assert_int_equal(sqlite3_open(store_path, &connection), SQLITE_OK);
    (void)snprintf(mark, sizeof mark, "PRAGMA user_version = %d", NEWEST - 1);
    assert_int_equal(sqlite3_exec(connection, steps_back[NEWEST - 1], NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(connection, mark, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(connection);
    all.upgrades = true;
    begin_round(seed, ignores_syncs);
    run.one_in = 10;
    begins("an upgrade");
    assert_int_equal(db_check(&failure), OUTCOME_OK);
    run.during = NULL;
    run.states[0] = hash_of(store_path);
    cut_now();
    run.one_in = 30;
    begins("the first request after it");
    is_done(user_find("somebody else", &user, &failure));
    cut_now();
    look_at_cuts(!ignores_syncs);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void rounds(void (*round)(uint64_t seed, bool ignores_syncs), uint64_t count, bool ignores_syncs)
{
    uint64_t seed = number_of("POWER_SEED", (uint64_t)time(NULL) * 1000);
    count = number_of("POWER_ROUNDS", getenv("POWER_SEED") != NULL ? 1 : count);
    disk_install();
    assert_int_equal(sqlite3_auto_extension((void (*)(void))set_pages), SQLITE_OK);
    for (uint64_t i = 0; i < count; i++)
        round(seed + i, ignores_syncs);
    (void)sqlite3_cancel_auto_extension((void (*)(void))set_pages);
    print_message("%zu cuts, %zu with losses; seeds %llu to %llu\n", all.cuts, all.losses, (unsigned long long)seed, (unsigned long long)(seed + count - 1));
}

static void with_full_all_that_was_acknowledged_is_there(void **state)
{
    (void)state;
    rounds(round_of_turns, 12, false);
    assert_true(all.cuts > 0);
    assert_int_equal(all.losses, 0);
}

static void with_normal_a_state_of_before_is_there_whole(void **state)
{
    (void)state;
    all.normal = true;
    rounds(round_of_turns, 8, false);
    assert_int_equal(all.losses, 0);
}

static void on_a_network_file_system_with_full_all_is_there_too(void **state)
{
    (void)state;
    all.network = true;
    rounds(round_of_turns, 5, false);
    assert_int_equal(all.losses, 0);
}

static void on_a_network_file_system_with_normal_a_state_of_before_is_there_too(void **state)
{
    (void)state;
    all.network = all.normal = true;
    rounds(round_of_turns, 5, false);
    assert_int_equal(all.losses, 0);
}

static void an_upgrade_is_done_or_not_and_its_copy_is_whole(void **state)
{
    (void)state;
    rounds(round_of_an_upgrade, 12, false);
    assert_int_equal(all.losses, 0);
}

/* The test of the test: a disk that says that it has synced, and has not. */
static void without_syncs_there_are_losses(void **state)
{
    (void)state;
    rounds(round_of_turns, 3, true);
    assert_true(all.losses > all.cuts / 10);
    memset(&all, 0, sizeof all);
    rounds(round_of_an_upgrade, 6, true);
    assert_true(all.losses > 0);
}

static int begin_test(void **state)
{
    memset(&all, 0, sizeof all);
    return store_begin(state);
}

static int end_test(void **state)
{
    db_close(); /* first: its files are the disk's */
    disk_forget();
    return store_end(state);
}

#define power_test(test) cmocka_unit_test_setup_teardown(test, begin_test, end_test)

static const struct CMUnitTest tests[] = {
    power_test(with_full_all_that_was_acknowledged_is_there),
    power_test(with_normal_a_state_of_before_is_there_whole),
    power_test(on_a_network_file_system_with_full_all_is_there_too),
    power_test(on_a_network_file_system_with_normal_a_state_of_before_is_there_too),
    power_test(an_upgrade_is_done_or_not_and_its_copy_is_whole),
    power_test(without_syncs_there_are_losses),
};

UNIT_MAIN(tests)
