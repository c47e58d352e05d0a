/*
 * What happens when something fails in the middle of a request: `make torture`.
 *
 * For every request below and every kind of fault (faults.h), the request is served once for N = 1, 2, 3 … with the Nth call failing, until runs meet no fault any
 * more; file operations also with all later ones failing until the request is over. After each run: no crash, no hang, nothing held that was not before, an answer that is
 * whole or one that says that it is not, everything in the database that the client was told of, an ordinary next request, and a database without a flaw.
 *
 * The program is served in this process, as a plain CGI program serves itself: the request on this thread, the event loop and the keeper beside it. Each sweep runs in
 * a child process, so that a crash is one line in the report. Neighbours: faults.h, client.h, upstream.h. docs/reliability.md says what was found.
 *
 *   torture [--part K] [--seed S] [--only REQUEST[/KIND[/N]]] [--show]
 *   --part K: a random part, one of K points, chosen by the seed   --show: the program's log, and where each fault struck
 */
#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/api/routes.h"
#include "../../src/app/app.h"
#include "../../src/app/hook.h"
#include "../../src/base/clock.h"
#include "../../src/base/loop.h"
#include "../../src/base/settings.h"
#include "../../src/chat/journal.h"
#include "../../src/chat/live.h"
#include "../../src/http/worker.h"
#include "../../src/llm/catalogue.h"
#include "../../src/llm/relay.h"
#include "../../src/store/db.h"
#include "client.h"
#include "faults.h"
#include "upstream.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#define SANITIZED 1
#else
#define SANITIZED 0
static inline int __lsan_do_recoverable_leak_check(void)
{
    return 0;
}
#endif

enum { ID_ROOM = 64, TROUBLES = 40, TROUBLE_BYTES = 400, RUN_SECONDS = SANITIZED ? 60 : 20, IDLE_MS = 15000, QUIET_RUNS = 3, LEAK_CHECK_EVERY = 64 };

/* --- what parent and child share -------------------------------------------------------------------------------------- */

struct trouble {
    char text[TROUBLE_BYTES];
    struct fault_place place;
};

/* How runs that met a fault ended. */
enum way { SERVED, REFUSED, TOLD, BROKEN, SILENT, ENDINGS };

static const char *const ending_names[] = {"served", "refused", "told in the stream", "stream broken off", "no answer"};

static struct shared {
    char talk[ID_ROOM], running[ID_ROOM], lost[ID_ROOM], broken[ID_ROOM]; /* conversations of the template */
    char last_answer[ID_ROOM], broken_answer[ID_ROOM];                    /* of `talk`, of `broken` */
    long n;         /* the point being tried */
    long points;    /* of this sweep, that met a fault */
    long endings[ENDINGS];
    bool swept;
    int trouble_count;
    struct trouble troubles[TROUBLES];
    struct fault_place place;
} *shared;

static struct {
    long part;
    uint64_t seed;
    const char *only;
    bool show;
} options = {.part = 1};

static char folder[256], db_path[300], template_path[300], log_path[300], current[96];

static void trouble(const char *format, ...)
{
    va_list args;
    if (shared->trouble_count >= TROUBLES)
        return;
    struct trouble *trouble = &shared->troubles[shared->trouble_count++];
    int n = snprintf(trouble->text, sizeof trouble->text, "%s/%ld: ", current, shared->n);
    va_start(args, format);
    (void)vsnprintf(trouble->text + n, sizeof trouble->text - (size_t)n, format, args);
    va_end(args);
    trouble->place = shared->place;
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

enum begin {
    WARM,  /* connections are open, and a question was answered */
    COLD,  /* the first request of a process */
    FIRST, /* the first of all: there is no database */
};

struct scenario {
    const char *name;
    enum begin begin;
    bool asks;                       /* a model */
    const char *method, *path, *query, *body; /* %s in path and body: the conversation; in the query, and the second in the path: an answer */
    const char *conversation;        /* "talk", …; NULL: none */
    const char *header_name, *header_value;
    long rare;                       /* in a random part, of so many points only one counts: the many that all requests have in common */
    bool titles;                     /* a model gives the conversation its title, in a thread of its own */
    bool again;                      /* the same request is sent once more, and must be answered */
    void (*check)(const struct scenario *scenario, const struct seen *seen);
};

#define QUESTION "Wie lautet die Antwort auf \xE4\xB8\x80\xE5\x88\x87?"
#define TALK_QUESTION "Tell me about \xE6\xB5\xB7 turtles"

static void check_turn(const struct scenario *scenario, const struct seen *seen);
static void check_same(const struct scenario *scenario, const struct seen *seen);
static void check_change(const struct scenario *scenario, const struct seen *seen);
static void check_delete(const struct scenario *scenario, const struct seen *seen);
static void check_clear(const struct scenario *scenario, const struct seen *seen);
static void check_add(const struct scenario *scenario, const struct seen *seen);
static void check_copy(const struct scenario *scenario, const struct seen *seen);
static void check_cut(const struct scenario *scenario, const struct seen *seen);
static void check_stop(const struct scenario *scenario, const struct seen *seen);
static void check_lost(const struct scenario *scenario, const struct seen *seen);
static void check_feedback(const struct scenario *scenario, const struct seen *seen);
static void check_completion(const struct scenario *scenario, const struct seen *seen);
static void check_detached(const struct scenario *scenario, const struct seen *seen);
static void check_follow(const struct scenario *scenario, const struct seen *seen);
static void check_follow_lost(const struct scenario *scenario, const struct seen *seen);
static void check_continue(const struct scenario *scenario, const struct seen *seen);
static void check_regenerate(const struct scenario *scenario, const struct seen *seen);

static const struct scenario scenarios[] = {
    {"chat", WARM, true, "POST", "/chat", NULL, "{\"message\":\"" QUESTION "\",\"conversation_id\":\"%s\"}", "talk", .check = check_turn},
    {"chat-events", WARM, true, "POST", "/chat/stream", NULL, "{\"message\":\"" QUESTION "\",\"metadata\":{\"a\":1}}", NULL, .check = check_turn},
    {"chat-whole", WARM, true, "POST", "/chat", NULL, "{\"message\":\"" QUESTION "\",\"conversation_id\":\"%s\",\"stream\":false}", "talk", .check = check_turn},
    {"chat-cold", COLD, true, "POST", "/chat", NULL, "{\"message\":\"" QUESTION "\",\"conversation_id\":\"%s\"}", "talk", .rare = 16, .check = check_turn},
    {"chat-first", FIRST, true, "POST", "/chat/stream", NULL, "{\"message\":\"" QUESTION "\"}", NULL, .rare = 16, .check = check_turn},
    {"chat-slow", WARM, true, "POST", "/chat/stream", NULL, "{\"message\":\"" QUESTION " " UPSTREAM_SLOWLY "\",\"conversation_id\":\"%s\"}", "talk", .rare = 16, .check = check_turn},
    {"chat-repeat", WARM, true, "POST", "/chat", NULL, "{\"message\":\"" QUESTION "\",\"conversation_id\":\"%s\",\"stream\":false}", "talk", "HTTP_IDEMPOTENCY_KEY", "once-and-again",
     .rare = 4, .again = true, .check = check_turn},
    {"chat-titled", WARM, true, "POST", "/chat/stream", NULL, "{\"message\":\"" QUESTION "\"}", NULL, .rare = 4, .titles = true, .check = check_turn},
    {"chat-detached", WARM, true, "POST", "/chat", NULL, "{\"message\":\"" QUESTION "\",\"conversation_id\":\"%s\",\"detach\":true}", "talk", .rare = 4, .check = check_detached},
    {"continue", WARM, true, "POST", "/chat/stream", NULL, "{\"continue\":\"%s\"}", "broken_answer", .rare = 4, .check = check_continue},
    {"regenerate", WARM, true, "POST", "/chat/stream", NULL, "{\"regenerate\":\"%s\"}", "last_answer", .rare = 4, .check = check_regenerate},
    {"follow", WARM, false, "GET", "/conversations/%s/stream", "after=%s:0", NULL, "talk", .check = check_follow},
    {"follow-poll", WARM, false, "GET", "/conversations/%s/stream", "after=%s:0&poll=1", NULL, "talk", .check = check_same},
    {"follow-lost", COLD, false, "GET", "/conversations/%s/stream", NULL, NULL, "lost", .rare = 4, .check = check_follow_lost},
    {"completions", WARM, true, "POST", "/v1/chat/completions", NULL,
     "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hello\"},{\"role\":\"assistant\",\"content\":\"Hi\"},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What\"},{\"type\":\"text\",\"text\":\"now?\"}]}],\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
     NULL, .check = check_completion},
    {"get", WARM, false, "GET", "/conversations/%s", NULL, NULL, "talk", .check = check_same},
    {"get-cold", COLD, false, "GET", "/conversations/%s", NULL, NULL, "talk", .rare = 4, .check = check_same},
    {"get-lost", WARM, false, "GET", "/conversations/%s", NULL, NULL, "lost", .rare = 4, .check = check_lost},
    {"list", COLD, false, "GET", "/conversations", "limit=1", NULL, NULL, .rare = 4, .check = check_same},
    {"search", WARM, false, "GET", "/conversations", "q=turtles+%%E6%%B5%%B7", NULL, NULL, .check = check_same},
    {"change", WARM, false, "PATCH", "/conversations/%s", NULL, "{\"title\":\"Meer \xE6\xB5\xB7\",\"pinned\":true,\"metadata\":{\"b\":2}}", "talk", .check = check_change},
    {"add", WARM, false, "POST", "/conversations", NULL, "{\"title\":\"Neu \xE6\x96\xB0\"}", NULL, .check = check_add},
    {"copy", WARM, false, "POST", "/conversations", NULL, "{\"fork_of\":\"%s\",\"title\":\"Neu \xE6\x96\xB0\"}", "last_answer", .check = check_copy},
    {"cut", WARM, false, "DELETE", "/conversations/%s/messages/%s", NULL, NULL, "talk", .check = check_cut},
    {"usage", WARM, false, "GET", "/usage", NULL, NULL, NULL, .check = check_same},
    {"clear", WARM, false, "DELETE", "/conversations/%s/messages", NULL, NULL, "talk", .check = check_clear},
    {"delete", WARM, false, "DELETE", "/conversations/%s", NULL, NULL, "talk", .check = check_delete},
    {"stop", WARM, false, "POST", "/conversations/%s/stop", NULL, "{}", "running", .rare = 4, .check = check_stop},
    {"feedback", WARM, false, "POST", "/api/feedback", NULL, "{\"message_id\":\"%s\",\"feedback\":\"like\",\"payload\":{}}", "last_answer", .check = check_feedback},
};

/* Who asks. Users are remembered for the life of a process: one whose database goes away and comes back asks by another name each time. */
static char user[32];

static const char *id_of(const struct scenario *scenario)
{
    const struct {
        const char *name, *id;
    } ids[] = {{"talk", shared->talk}, {"running", shared->running}, {"lost", shared->lost}, {"last_answer", shared->last_answer}, {"broken_answer", shared->broken_answer}};
    for (size_t i = 0; scenario->conversation != NULL && i < sizeof ids / sizeof ids[0]; i++)
        if (strcmp(ids[i].name, scenario->conversation) == 0)
            return ids[i].id;
    return "";
}

/* --- a look into the database past the program ------------------------------------------------------------------------ */


static sqlite3 *raw;

static void raw_open(void)
{
    if (sqlite3_open(db_path, &raw) != SQLITE_OK)
        trouble("the database cannot be opened: %s", sqlite3_errmsg(raw));
    (void)sqlite3_busy_timeout(raw, 5000);
}

static void raw_close(void)
{
    if (sqlite3_close(raw) != SQLITE_OK)
        trouble("the database cannot be closed: %s", sqlite3_errmsg(raw));
    raw = NULL;
}

/* The first column of the first row as text, "" without one; good until the fourth call from here. `id` is bound where the statement wants it. */
static const char *look(const char *sql, const char *id)
{
    static char texts[4][SEEN_TEXT];
    static unsigned next;
    char *text = texts[next++ % 4];
    sqlite3_stmt *statement = NULL;
    text[0] = '\0';
    int code = sqlite3_prepare_v2(raw, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && id != NULL)
        (void)sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
        (void)snprintf(text, SEEN_TEXT, "%s", (const char *)sqlite3_column_text(statement, 0));
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        trouble("%s: %s", sql, sqlite3_errmsg(raw));
    (void)sqlite3_finalize(statement);
    return text;
}

static long count(const char *sql, const char *id)
{
    return strtol(look(sql, id), NULL, 10);
}

#define HAS_TABLES "SELECT count(*) FROM sqlite_schema WHERE name = 'messages'"

static void check_whole(void)
{
    if (count(HAS_TABLES, NULL) == 0)
        return; /* the fault came before there was anything */
    const char *text = look("PRAGMA integrity_check", NULL);
    if (strcmp(text, "ok") != 0)
        trouble("the database is damaged: %s", text);
    if (look("PRAGMA foreign_key_check", NULL)[0] != '\0')
        trouble("a row refers to one that is not there");

    (void)look("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)", NULL); /* fails when index and texts differ */
}

/* --- checks of one kind of request --------------------------------------------------------------------------------------- */

static bool is_success(const struct seen *seen)
{
    return seen->status >= 200 && seen->status < 300 && seen->complete;
}

/* A turn as the database has it, against what the client was told. */
static void check_stored_turn(const struct scenario *scenario, const struct seen *seen)
{
    const char *id = seen->message;
    const char *status = look("SELECT status FROM messages WHERE public_id = ?1", id);
    if (status[0] == '\0') {
        trouble("the client was told of message %s, which is not there", id);
        return;
    }
    if (strcmp(look("SELECT c.public_id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE m.public_id = ?1", id), seen->conversation) != 0)
        trouble("the client was told of another conversation");
    const char *question = look("SELECT q.content FROM messages AS m JOIN messages AS q ON q.id = m.parent_id WHERE m.public_id = ?1", id);
    if (strncmp(question, QUESTION, strlen(QUESTION)) != 0)
        trouble("the question is stored as \"%s\"", question);
    const char *content = look("SELECT content FROM messages WHERE public_id = ?1", id);
    if (seen->done > 0 && (strcmp(status, "done") != 0 || strcmp(content, UPSTREAM_ANSWER) != 0))
        trouble("the client was told that all is well, but stored is: %s, \"%s\"", status, content);
    if (strcmp(status, "done") == 0 && strcmp(content, UPSTREAM_ANSWER) != 0)
        trouble("an answer is called whole that is not: \"%s\"", content);
    if (seen->text[0] != '\0' && strncmp(content, seen->text, strlen(seen->text)) != 0)
        trouble("the client was told \"%s\", stored is \"%s\" (%s)", seen->text, content, status);
    (void)scenario;
}

/* What holds whatever the client was told. */
static void check_turns(void)
{
    if (count(HAS_TABLES, NULL) == 0)
        return;
    if (count("SELECT count(*) FROM messages WHERE status = 'streaming' AND process <> 'elsewhere'", NULL) != 0)
        trouble("an answer is called streaming that nobody makes");
    if (count("SELECT count(*) FROM messages WHERE role = 'user' AND instr(content, ?1) > 0", QUESTION) > 1)
        trouble("the question is there twice");
    if (count("SELECT count(*) FROM messages AS q WHERE role = 'user' AND NOT EXISTS (SELECT 1 FROM messages AS a WHERE a.parent_id = q.id)", NULL) != 0)
        trouble("a question is there without its answer");
}

static void check_turn(const struct scenario *scenario, const struct seen *seen)
{
    if (seen->message[0] != '\0')
        check_stored_turn(scenario, seen);
    if (seen->done > 0 && strcmp(seen->text, UPSTREAM_ANSWER) != 0)
        trouble("the client was told that all is well after \"%s\"", seen->text);
    if (is_success(seen) && !seen->is_stream && seen->done == 0)
        trouble("an answer that is neither whole nor a failure");
    if (is_success(seen) && seen->message[0] == '\0' && seen->errors == 0 && seen->len > 0 && seen->done > 0)
        trouble("an answer without ids");
    check_turns();
}

/* Nobody waits for the answer: whoever was told of it finds it, or why there is none. */
static void check_detached(const struct scenario *scenario, const struct seen *seen)
{
    if (seen->message[0] != '\0')
        check_stored_turn(scenario, seen);
    if (is_success(seen) && (seen->status != 202 || seen->message[0] == '\0' || strstr(seen->raw, "Location: ") == NULL))
        trouble("an answer was promised without saying where");
    check_turns();
}

/* OpenAI's own interface; it stores nothing but what was used. */
static void check_completion(const struct scenario *scenario, const struct seen *seen)
{
    (void)scenario;
    if (seen->done > 0 && strcmp(seen->text, UPSTREAM_ANSWER) != 0)
        trouble("the client was told that all is well after \"%s\"", seen->text);
    if (seen->done == 0 && is_success(seen) && seen->ended && seen->errors == 0)
        trouble("a stream that ended as if all was said");
}

/* What is read is all there, or nothing is. The first run, which met no fault, says what all is. */
static char *expected;

static void check_same(const struct scenario *scenario, const struct seen *seen)
{
    (void)scenario;
    if (!is_success(seen))
        return;
    if (expected == NULL)
        expected = strdup(seen->body);
    else if (strcmp(expected, seen->body) != 0)
        trouble("an answer that is not as ever: %.200s", seen->body);
}

static void check_follow(const struct scenario *scenario, const struct seen *seen)
{
    (void)scenario;
    if (seen->done > 0 && strcmp(seen->text, UPSTREAM_ANSWER) != 0)
        trouble("an answer was told as \"%s\"", seen->text);
}

/* An answer that was lost is marked so, with what the journal has of it. */
#define LOST_TEXT "Ein halber"

static void check_marked(const char *conversation)
{
    const char *status = look("SELECT status FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE c.public_id = ?1 AND role = 'assistant'", conversation);
    const char *content = look("SELECT content FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE c.public_id = ?1 AND role = 'assistant'", conversation);
    long rows = count("SELECT count(*) FROM journal AS j JOIN messages AS m ON m.id = j.message_id JOIN conversations AS c ON c.id = m.conversation_id WHERE c.public_id = ?1", conversation);
    bool is_marked = strcmp(status, "interrupted") == 0 && strcmp(content, LOST_TEXT) == 0 && rows == 0;
    bool is_not = strcmp(status, "streaming") == 0 && rows == 1;
    if (!is_marked && !is_not)
        trouble("a lost answer is %s, \"%s\", %ld rows in the journal", status, content, rows);
}

static void check_follow_lost(const struct scenario *scenario, const struct seen *seen)
{
    if (seen->done > 0)
        trouble("an answer that was lost is called whole");
    if (seen->errors > 0 && seen->is_stream && strcmp(seen->text, LOST_TEXT) != 0)
        trouble("an answer that was lost was told as \"%s\"", seen->text);
    check_marked(id_of(scenario)); /* a full disk may keep it from being marked now */
}

static void check_continue(const struct scenario *scenario, const struct seen *seen)
{
    static const char whole[] = LOST_TEXT UPSTREAM_ANSWER;
    const char *status = look("SELECT status FROM messages WHERE public_id = ?1", id_of(scenario)), *content = look("SELECT content FROM messages WHERE public_id = ?1", id_of(scenario));
    if (strncmp(content, LOST_TEXT, strlen(LOST_TEXT)) != 0 || strncmp(whole, content, strlen(content)) != 0 || (strcmp(status, "done") == 0 && strcmp(content, whole) != 0))
        trouble("an answer that was to go on is %s, \"%s\"", status, content);
    if (strcmp(status, "streaming") == 0)
        trouble("an answer is called streaming that nobody makes");
    if (seen->done > 0 && (strcmp(status, "done") != 0 || strcmp(content, whole) != 0))
        trouble("the client was told that all is well, but stored is: %s, \"%s\"", status, content);
    if (seen->done > 0 && strcmp(seen->text, UPSTREAM_ANSWER) != 0 && strcmp(seen->text, whole) != 0)
        trouble("the client was told that all is well after \"%s\"", seen->text);
}

#define BESIDE(what) "SELECT " what " FROM messages AS n JOIN messages AS m ON m.parent_id = n.parent_id AND m.id <> n.id WHERE n.public_id = ?1"

/* The new answer stands beside the one before, which is as it was; no question is there twice. */
static void check_regenerate(const struct scenario *scenario, const struct seen *seen)
{
    static const char questions_sql[] = "SELECT count(*) FROM messages AS m JOIN messages AS n ON n.conversation_id = m.conversation_id WHERE n.public_id = ?1 AND m.role = 'user'";
    const char *before = look("SELECT status FROM messages WHERE public_id = ?1", id_of(scenario));
    long questions = count(questions_sql, id_of(scenario)), answers = count(BESIDE("count(*)"), id_of(scenario));
    if (questions != 2 || answers > 1 || strcmp(before, "done") != 0)
        trouble("%ld questions of 2, %ld new answers, the one before is %s", questions, answers, before);
    const char *status = look(BESIDE("m.status"), id_of(scenario)), *content = look(BESIDE("m.content"), id_of(scenario));
    if (strcmp(status, "streaming") == 0)
        trouble("an answer is called streaming that nobody makes");
    if ((seen->done > 0 || strcmp(status, "done") == 0) && strcmp(content, UPSTREAM_ANSWER) != 0)
        trouble("a new answer is %s, \"%s\"", status, content);
    if (seen->done > 0 && (strcmp(status, "done") != 0 || strcmp(seen->text, UPSTREAM_ANSWER) != 0))
        trouble("the client was told that all is well after \"%s\"", seen->text);
}

static void check_lost(const struct scenario *scenario, const struct seen *seen)
{
    if (is_success(seen) && strstr(seen->body, "\"messages\":[{") == NULL)
        trouble("a conversation without its messages: %.200s", seen->body);
    if (is_success(seen) && count("SELECT count(*) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE c.public_id = ?1", id_of(scenario)) < 2)
        trouble("messages are gone");
    check_marked(id_of(scenario));
}

static void check_change(const struct scenario *scenario, const struct seen *seen)
{
    static const char sql[] = "SELECT title || pinned || metadata FROM conversations WHERE public_id = ?1";
    bool is_new = strcmp(look(sql, id_of(scenario)), "Meer \xE6\xB5\xB7" "1{\"b\":2}") == 0;
    bool is_old = strcmp(look(sql, id_of(scenario)), TALK_QUESTION "0{}") == 0;
    if (!is_new && !is_old)
        trouble("half of a change was made: %s", look(sql, id_of(scenario)));
    if (is_success(seen) && (!is_new || strstr(seen->body, "\"pinned\":true") == NULL))
        trouble("a change that was not made was acknowledged");
}

static void check_add(const struct scenario *scenario, const struct seen *seen)
{
    (void)scenario;
    if (is_success(seen) && (seen->conversation[0] == '\0' || strcmp(look("SELECT title FROM conversations WHERE public_id = ?1", seen->conversation), "Neu \xE6\x96\xB0") != 0))
        trouble("a conversation was acknowledged that is not there");
}

#define MESSAGES_OF "SELECT count(*) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE c.public_id = ?1"

static void check_clear(const struct scenario *scenario, const struct seen *seen)
{
    long messages = count(MESSAGES_OF, id_of(scenario));
    if (messages != 0 && messages != 4)
        trouble("%ld of 4 messages are left", messages);
    if (is_success(seen) && messages != 0)
        trouble("messages are there that were called cleared");
}

static void check_copy(const struct scenario *scenario, const struct seen *seen)
{
    (void)scenario;
    long copies = count("SELECT count(*) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE c.title = 'Neu \xE6\x96\xB0' AND ?1 = ''", "");
    if (copies != 0 && copies != 4)
        trouble("%ld of 4 messages were copied", copies);
    if (is_success(seen) && (copies != 4 || count(MESSAGES_OF, seen->conversation) != 4))
        trouble("a copy was acknowledged that is not there");
}

static void check_cut(const struct scenario *scenario, const struct seen *seen)
{
    long messages = count(MESSAGES_OF, id_of(scenario)), open = count("SELECT count(leaf_id) FROM conversations WHERE public_id = ?1", id_of(scenario));
    if ((messages != 3 && messages != 4) || open != 1)
        trouble("%ld of 4 messages are left, %ld is open", messages, open);
    if (is_success(seen) && messages != 3)
        trouble("a message is there that was called deleted");
}

static void check_delete(const struct scenario *scenario, const struct seen *seen)
{
    long there = count("SELECT count(*) FROM conversations WHERE public_id = ?1", id_of(scenario)), messages = count(MESSAGES_OF, id_of(scenario));
    if (messages != 4 * there)
        trouble("%ld of 4 messages are left", messages);
    if (is_success(seen) && there != 0)
        trouble("a conversation is there that was called deleted");
}

static void check_stop(const struct scenario *scenario, const struct seen *seen)
{
    long stops = count("SELECT count(*) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE c.public_id = ?1 AND m.stop = 1", id_of(scenario));
    if (is_success(seen) && (stops != 1 || strstr(seen->body, "\"stopped\"") == NULL))
        trouble("a stop was acknowledged that was not asked for: %.100s", seen->body);
}

static void check_feedback(const struct scenario *scenario, const struct seen *seen)
{
    if (is_success(seen) && count("SELECT count(*) FROM feedback AS f JOIN messages AS m ON m.id = f.message_id WHERE m.public_id = ?1 AND kind = 'like'", id_of(scenario)) != 1)
        trouble("feedback was acknowledged that is not there");
}

/* What holds for every answer. */
static void check_form(const struct scenario *scenario, const struct seen *seen)
{
    if (seen->wrong[0] != '\0')
        trouble("%s: %.200s", seen->wrong, seen->body != NULL ? seen->body : "");
    if (seen->done + seen->errors > 1)
        trouble("%d times well and %d times not", seen->done, seen->errors);
    if (seen->is_stream && seen->ended && seen->done + seen->errors == 0)
        trouble("a stream that ends as if all was said");
    if (seen->status >= 400 && seen->status < 500 && seen->status != 429)
        trouble("the client is blamed: %d %s", seen->status, seen->error);
    if (seen->status == 500)
        trouble("500 %s", seen->error);
    (void)scenario;
}

/* --- serving -------------------------------------------------------------------------------------------------------------- */

static bool wait_idle(void)
{
    return worker_wait_idle(IDLE_MS) && live_wait(IDLE_MS);
}

/* Serves one request. False: it cannot be gone on with. */
static bool serve(const struct request_line *line, enum fault_kind kind, long nth, bool lasting, struct seen *seen)
{
    int mine, fd = client_send(line, user, &mine);
    if (fd < 0) {
        trouble("no connection");
        return false;
    }
    faults_arm(kind, nth, lasting);
    bool good = worker_serve_one(fd, routes_serve) && wait_idle();
    faults_disarm();
    if (!good) {
        trouble("the request does not end: %d requests open", worker_open_requests());
        return false;
    }
    client_read(mine, seen);
    return true;
}

/* A question as users ask it, which must be answered. */
static bool serve_ordinary(const char *when)
{
    static struct seen seen;
    const struct request_line line = {.method = "POST", .path = "/chat", .body = "{\"message\":\"An ordinary question\",\"stream\":false}"};
    if (!serve(&line, FAULT_MEMORY, 0, false, &seen))
        return false;
    if (seen.status != 200 || seen.done != 1 || strcmp(seen.text, UPSTREAM_ANSWER) != 0)
        trouble("%s an ordinary question was answered by %d %s \"%s\"", when, seen.status, seen.error, seen.text);
    return true;
}

static bool serve_scenario(const struct scenario *scenario, enum fault_kind kind, long nth, bool lasting, struct seen *seen)
{
    char path[256], query[256], body[1024];
    (void)snprintf(path, sizeof path, scenario->path, id_of(scenario), shared->last_answer);
    if (scenario->query != NULL)
        (void)snprintf(query, sizeof query, scenario->query, shared->last_answer);
    if (scenario->body != NULL)
        (void)snprintf(body, sizeof body, scenario->body, id_of(scenario));
    struct request_line line = {.method = scenario->method, .path = path, .query = scenario->query != NULL ? query : NULL, .body = scenario->body != NULL ? body : NULL,
                                .header_name = scenario->header_name, .header_value = scenario->header_value};
    settings.title_model = scenario->titles ? "tortured" : ""; /* nothing else runs now */
    bool good = serve(&line, kind, nth, lasting, seen);
    settings.title_model = "";
    return good;
}

/* --- the state that every run begins with -------------------------------------------------------------------------------- */

static bool copy_file(const char *from, const char *to)
{
    static char bytes[4 * 1024 * 1024];
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    size_t len = in != NULL ? fread(bytes, 1, sizeof bytes, in) : 0;
    bool good = in != NULL && out != NULL && len < sizeof bytes && fwrite(bytes, 1, len, out) == len;
    if (in != NULL)
        (void)fclose(in);
    return out != NULL && fclose(out) == 0 && good;
}

/* Lets the program close everything that it keeps between requests. The store stays closed to its threads. */
static void shut(void)
{
    faults_close_store();
    db_close();
    relay_stop();
}

static void remove_database(void)
{
    char path[320];
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", db_path, ends[i]);
        (void)unlink(path);
    }
}

/* After shut(). */
static bool restore(enum begin begin)
{
    static int number;
    remove_database();
    (void)snprintf(user, sizeof user, begin == FIRST ? "user-%d" : "", ++number);
    if (begin != FIRST && !copy_file(template_path, db_path)) {
        trouble("the template cannot be copied");
        return false;
    }
    if (begin != FIRST) {
        char now[32];
        (void)snprintf(now, sizeof now, "%lld", (long long)clock_unix_ms());
        raw_open();
        (void)look("UPDATE messages SET seen_at = CAST(?1 AS INTEGER) WHERE status = 'streaming' AND seen_at > 1000000", now); /* its process lives */
        raw_close();
    }
    faults_open_store();
    return begin != WARM || serve_ordinary("before");
}

/* Waits until the keeper has stored what could not be stored: the disk takes it again. An answer of which not even that is known is lost after a while, as its heartbeat is not written: who
   looks finds it. */
static void settle(void)
{
    static struct seen seen;
    char conversation[ID_ROOM], path[256];
    static const char sql[] = "SELECT count(*) FROM messages WHERE status = 'streaming' AND process <> 'elsewhere'";
    raw_open();
    bool any = false;
    for (int i = 0; i < 60 && (any = count(HAS_TABLES, NULL) > 0 && count(sql, NULL) > 0); i++) {
        faults_pass_time(500);
        (void)usleep(10000);
    }
    (void)snprintf(conversation, ID_ROOM, "%s", any ? look("SELECT c.public_id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
                                                           "WHERE m.status = 'streaming' AND m.process <> 'elsewhere'", NULL) : "");
    if (any)
        (void)look("UPDATE messages SET seen_at = 1000 WHERE status = 'streaming' AND process <> 'elsewhere'", NULL);
    raw_close();
    if (any) {
        struct request_line line = {.method = "GET", .path = path};
        (void)snprintf(path, sizeof path, "/conversations/%s", conversation);
        (void)serve(&line, FAULT_MEMORY, 0, false, &seen);
    }
}

static long open_descriptors(void)
{
    long number = 0;
    DIR *all = opendir("/proc/self/fd");
    while (all != NULL && readdir(all) != NULL)
        number++;
    if (all != NULL)
        (void)closedir(all);
    return number;
}

/* What is held when all is shut: it must not grow. */
struct held {
    long blocks[FAULT_KINDS], descriptors;
};

static struct held held_now(void)
{
    struct held held = {.descriptors = open_descriptors()};
    for (int i = 0; i < FAULT_KINDS; i++)
        held.blocks[i] = faults_held((enum fault_kind)i);
    return held;
}

/* The journal's thread may be in a pause before it tries again. */
static void check_held(const struct held *before)
{
    static const char *const names[] = {"blocks of memory", "blocks of libcurl", "blocks of SQLite", "files", ""};
    struct held now = held_now();
    for (int i = 0; i < 100 && memcmp(&now, before, sizeof now) != 0; i++) {
        faults_open_store();
        (void)usleep(10000);
        shut();
        now = held_now();
    }
    for (int i = 0; i < FAULT_DISK; i++)
        if (now.blocks[i] != before->blocks[i])
            trouble("%ld %s are held, before there were %ld", now.blocks[i], names[i], before->blocks[i]);
    if (now.descriptors != before->descriptors)
        trouble("%ld descriptors are open, before there were %ld", now.descriptors, before->descriptors);
}

/* --- one run, and all runs of a sweep ----------------------------------------------------------------------------------------- */

struct kind {
    const char *name;
    enum fault_kind kind;
    bool lasting;
};

static const struct kind kinds[] = {
    {"memory", FAULT_MEMORY, false}, {"libcurl", FAULT_CURL, false}, {"SQLite", FAULT_SQLITE, false}, {"file", FAULT_FILE, false}, {"files", FAULT_FILE, true},
    {"full", FAULT_DISK, false}, {"full+", FAULT_DISK, true},
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0], SCENARIO_COUNT = sizeof scenarios / sizeof scenarios[0] };

static enum way ending_of(const struct seen *seen)
{
    if (seen->status == 0)
        return SILENT;
    if (seen->status >= 400)
        return REFUSED;
    if (seen->is_stream && seen->errors > 0)
        return TOLD;
    return seen->is_stream && seen->done == 0 ? BROKEN : seen->complete ? SERVED : BROKEN;
}

/* The client asks again, with the same key: the answer that was stored is given, or that it failed, or all is done now. */
static bool serve_again(const struct scenario *scenario)
{
    static struct seen seen;
    if (!serve_scenario(scenario, FAULT_MEMORY, 0, false, &seen))
        return false;
    bool is_answer = seen.status == 200 && seen.done == 1 && strcmp(seen.text, UPSTREAM_ANSWER) == 0;
    bool is_its_failure = seen.status >= 500 && seen.message[0] != '\0';
    if (!is_answer && !is_its_failure)
        trouble("the same question again was answered by %d %s \"%s\"", seen.status, seen.error, seen.text);
    return true;
}

static long calls; /* of the kind that is tried, in a run without a fault */

/* One request with the Nth call failing (0: none), from the template on, and all that is looked at afterwards. Everything is shut before and after. False: this process cannot go on. */
static bool run(const struct scenario *scenario, const struct kind *kind, long nth, struct seen *seen, bool *met)
{
    (void)alarm(RUN_SECONDS);
    if (!restore(scenario->begin) || !serve_scenario(scenario, kind->kind, nth, kind->lasting, seen))
        return false;
    *met = faults_met() > 0;
    if (nth == 0)
        calls = faults_counted(kind->kind);
    if (kind->kind >= FAULT_FILE || scenario->asks)
        settle();
    if (scenario->again && !serve_again(scenario))
        return false;
    if (!serve_ordinary("afterwards"))
        return false;
    shut();
    if (nth == 0 && (seen->status < 200 || seen->status >= 300))
        trouble("without a fault: %d %s", seen->status, seen->error);
    check_form(scenario, seen);
    raw_open();
    scenario->check(scenario, seen);
    check_whole();
    raw_close();
    return true;
}

/* Whether the random part that was asked for has point `nth`. */
static bool is_chosen(long nth, long rare)
{
    uint64_t x = options.seed ^ (uint64_t)nth * 0x9E3779B97F4A7C15ULL;
    for (const char *c = current; *c != '\0'; c++)
        x = (x ^ (uint64_t)(unsigned char)*c) * 0x100000001B3ULL;
    x ^= x >> 31;
    x *= 0x94D049BB133111EBULL;
    x ^= x >> 29;
    return x % (uint64_t)(options.part * (rare > 0 ? rare : 1)) == 0;
}

static bool start_program(void)
{
    static const struct parley_app app = {.name = "torture"};
    char home[] = "torture";
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)umask(077);
    if (!faults_install(&shared->place) || !app_use(&app) || !settings_load(home, "/dev/null", stderr))
        return false;
    (void)catalogue_count();
    (void)hook_count();
    return loop_start() && live_start(LIVE_COUNT_ALL) && journal_start() && app_start();
}

/* The child: one sweep from point `first` on. */
static int sweep(const struct scenario *scenario, const struct kind *kind, long first, long only)
{
    static struct seen seen;
    bool met = false;
    shared->n = 0;
    if (!start_program())
        return 2;
    shut();
    for (int i = 0; i < 2; i++) /* what is made once for the whole process is made */
        if (!run(scenario, kind, 0, &seen, &met))
            return 2;
    struct held before = held_now();
    int quiet = 0, runs = 0;
    const long total = calls; /* without a fault: beyond it, runs tell where the end is */
    for (long n = only > 0 ? only : first; quiet < (options.part > 1 ? 1 : QUIET_RUNS); n++) {
        if (options.part > 1 && only == 0 && n < total && !is_chosen(n, scenario->rare))
            continue;
        shared->n = n;
        if (!run(scenario, kind, n, &seen, &met))
            return 2;
        check_held(&before);
        quiet = met ? 0 : quiet + 1;
        if (met) {
            shared->points++;
            shared->endings[ending_of(&seen)]++;
        }
        if (options.show)
            (void)fprintf(stdout, "    %s/%ld: %s %s%s%d %s\n", current, n, met ? shared->place.what : "no fault", met ? ending_names[ending_of(&seen)] : "", ", status ", seen.status,
                          seen.error);
        if (options.show)
            (void)fflush(stdout);
        if (SANITIZED && ++runs % LEAK_CHECK_EVERY == 0 && __lsan_do_recoverable_leak_check() != 0)
            trouble("memory leaked in this run or one of the %d before", LEAK_CHECK_EVERY);
        if (only > 0)
            break;
    }
    if (SANITIZED && __lsan_do_recoverable_leak_check() != 0)
        trouble("memory leaked in this run or one of the %d before", LEAK_CHECK_EVERY);
    shared->swept = true;
    return 0;
}

/* --- the template -------------------------------------------------------------------------------------------------------------- */

static bool say(const char *message, const char *conversation, struct seen *seen)
{
    char body[512];
    struct request_line line = {.method = "POST", .path = "/chat", .body = body};
    (void)snprintf(body, sizeof body, "{\"message\":\"%s\",\"stream\":false%s%s%s}", message, conversation[0] != '\0' ? ",\"conversation_id\":\"" : "", conversation,
                   conversation[0] != '\0' ? "\"" : "");
    return serve(&line, FAULT_MEMORY, 0, false, seen) && seen->done == 1;
}

/* The child that makes the database which every run begins with. */
static int make_template(void)
{
    static struct seen seen;
    if (!start_program() || !say(TALK_QUESTION, "", &seen))
        return 2;
    (void)snprintf(shared->talk, ID_ROOM, "%s", seen.conversation);
    if (!say("And about tortoises?", shared->talk, &seen))
        return 2;
    (void)snprintf(shared->last_answer, ID_ROOM, "%s", seen.message);
    if (!say("Something that another process answers", "", &seen))
        return 2;
    (void)snprintf(shared->running, ID_ROOM, "%s", seen.conversation);
    if (!say("Something that was lost", "", &seen))
        return 2;
    (void)snprintf(shared->lost, ID_ROOM, "%s", seen.conversation);
    if (!say("Something that was broken off", "", &seen))
        return 2;
    (void)snprintf(shared->broken, ID_ROOM, "%s", seen.conversation);
    (void)snprintf(shared->broken_answer, ID_ROOM, "%s", seen.message);
    shut();
    raw_open();
    static const char change[] = "UPDATE messages SET status = 'streaming', content = '', search_text = NULL, reasoning = NULL, layout = NULL, process = 'elsewhere', finished_at = NULL, seen_at = ";
    char sql[512];
    (void)snprintf(sql, sizeof sql, "%s 2000000 WHERE role = 'assistant' AND conversation_id = (SELECT id FROM conversations WHERE public_id = ?1)", change);
    (void)look(sql, shared->running);
    (void)snprintf(sql, sizeof sql, "%s 1000 WHERE role = 'assistant' AND conversation_id = (SELECT id FROM conversations WHERE public_id = ?1)", change);
    (void)look(sql, shared->lost);
    (void)look("INSERT INTO journal (message_id, pos, kind, data) SELECT m.id, 1, 'text', '" LOST_TEXT "' FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id "
               "WHERE c.public_id = ?1 AND role = 'assistant'", shared->lost);
    (void)look("UPDATE messages SET status = 'interrupted', content = '" LOST_TEXT "', search_text = NULL, reasoning = NULL, layout = NULL WHERE public_id = ?1", shared->broken_answer);
    (void)look("PRAGMA journal_mode = DELETE", NULL);
    (void)look("PRAGMA journal_mode = WAL", NULL);
    raw_close();
    return shared->trouble_count == 0 && copy_file(db_path, template_path) ? 0 : 2;
}

/* --- the parent ------------------------------------------------------------------------------------------------------------------ */

/* Runs `work` in a child, whose status is given back. */
static int in_child(int (*work)(void *arg), void *arg)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || (!options.show && freopen(log_path, "we", stderr) == NULL))
            _exit(2);
        _exit(work(arg));
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status;
}

static int template_work(void *arg)
{
    (void)arg;
    (void)snprintf(current, sizeof current, "template");
    return make_template();
}

struct sweep_work {
    const struct scenario *scenario;
    const struct kind *kind;
    long first, only;
};

static int sweep_work(void *arg)
{
    const struct sweep_work *work = arg;
    return sweep(work->scenario, work->kind, work->first, work->only);
}

/* The end of the child's log: what a sanitizer said, say. */
static void print_log(void)
{
    enum { MOST = SANITIZED ? 6000 : 800 };
    static char bytes[MOST + 1];
    FILE *in = options.show ? NULL : fopen(log_path, "re");
    if (in == NULL)
        return;
    if (fseek(in, -MOST, SEEK_END) != 0)
        rewind(in);
    bytes[fread(bytes, 1, MOST, in)] = '\0';
    (void)fclose(in);
    (void)printf("%s\n", bytes);
}

/* This program is not moved in memory (-no-pie), so addresses of the child mean something here. */
static void print_place(const struct fault_place *place)
{
    char command[2048];
    int n = snprintf(command, sizeof command, "addr2line -f -s -p -e /proc/%d/exe", (int)getpid());
    (void)printf("    what failed: %s\n", place->what);
    for (int i = 1; i < place->depth && n < (int)sizeof command - 32; i++)
        n += snprintf(command + n, sizeof command - (size_t)n, " %p", place->stack[i]);
    (void)snprintf(command + n, sizeof command - (size_t)n, " | grep -v '?' | sed 's/^/      /'");
    (void)fflush(stdout);
    if (place->depth > 0 && system(command) != 0)
        (void)printf("      (addr2line is not there)\n");
}

static int failures; /* sweeps with trouble */

static void report_troubles(void)
{
    enum { SHOWN = 4 };
    for (int i = 0; i < shared->trouble_count && i < SHOWN; i++) {
        (void)printf("  TROUBLE %s\n", shared->troubles[i].text);
        print_place(&shared->troubles[i].place);
    }
    if (shared->trouble_count > SHOWN)
        (void)printf("  … and %d more\n", shared->trouble_count - SHOWN);
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One cell of the table. The number of points that met a fault. */
static long sweep_all(const struct scenario *scenario, const struct kind *kind, long only)
{
    enum { MOST_DEATHS = 5 };
    struct sweep_work work = {scenario, kind, 1, only};
    shared->points = shared->trouble_count = 0;
    shared->swept = false;
    memset(shared->endings, 0, sizeof shared->endings);
    (void)snprintf(current, sizeof current, "%s/%s", scenario->name, kind->name);
    for (int deaths = 0; !shared->swept && deaths < MOST_DEATHS; deaths++) {
        int status = in_child(sweep_work, &work);
        if (shared->swept)
            break;
        if (WIFSIGNALED(status))
            trouble(WTERMSIG(status) == SIGALRM ? "it hangs" : "it died by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            trouble("it ended with status %d", WEXITSTATUS(status));
        (void)printf("\n");
        print_log();
        if (shared->n == 0 || only > 0)
            break;
        work.first = shared->n + 1;
    }
    failures += shared->trouble_count > 0;
    return shared->points;
}

/* --only REQUEST/KIND/N. */
static bool is_wanted(const char *scenario, const char *kind, long *only)
{
    char wanted[96];
    *only = 0;
    if (options.only == NULL)
        return true;
    (void)snprintf(wanted, sizeof wanted, "%s", options.only);
    char *rest = wanted, *part = strsep(&rest, "/");
    if (part[0] != '\0' && strcmp(part, scenario) != 0)
        return false;
    part = strsep(&rest, "/");
    if (part != NULL && part[0] != '\0' && strcmp(part, kind) != 0)
        return false;
    *only = rest != NULL ? strtol(rest, NULL, 10) : 0;
    return true;
}

static void sweep_everything(void)
{
    long totals[KIND_COUNT] = {0}, endings[ENDINGS] = {0}, points = 0;
    int64_t began_ms = now_ms();
    (void)printf("%-14s", "points swept");
    for (int k = 0; k < KIND_COUNT; k++)
        (void)printf("%9s", kinds[k].name);
    (void)printf("%9s\n", "seconds");
    for (size_t s = 0; s < SCENARIO_COUNT; s++) {
        int64_t row_ms = now_ms();
        bool any = false;
        for (int k = 0; k < KIND_COUNT; k++) {
            long only, swept = 0;
            bool wanted = is_wanted(scenarios[s].name, kinds[k].name, &only);
            if (wanted && !any)
                (void)printf("%-14s%*s", scenarios[s].name, k * 9, "");
            any = any || wanted;
            if (wanted && (kinds[k].kind != FAULT_CURL || scenarios[s].asks))
                swept = sweep_all(&scenarios[s], &kinds[k], only);
            else if (any)
                shared->trouble_count = 0;
            if (!any)
                continue;
            if (swept > 0)
                (void)printf("%9ld", swept);
            else
                (void)printf("%9s", "-");
            (void)fflush(stdout);
            if (swept == 0)
                continue;
            totals[k] += swept;
            points += swept;
            for (int i = 0; i < ENDINGS; i++)
                endings[i] += shared->endings[i];
            if (shared->trouble_count > 0) {
                (void)printf("\n");
                report_troubles();
                (void)printf("%-14s%*s", "", (k + 1) * 9, "");
            }
        }
        if (any)
            (void)printf("%9.1f\n", (double)(now_ms() - row_ms) / 1000);
    }
    (void)printf("%-14s", "all");
    for (int k = 0; k < KIND_COUNT; k++)
        (void)printf("%9ld", totals[k]);
    double seconds = (double)(now_ms() - began_ms) / 1000;
    (void)printf("%9.1f\n%ld points, %.0f a second:", seconds, points, (double)points / (seconds > 0 ? seconds : 1));
    for (int i = 0; i < ENDINGS; i++)
        (void)printf("%s %ld %s", i > 0 ? "," : "", endings[i], ending_names[i]);
    (void)printf("\n");
}

/* --- around everything ------------------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static bool prepare(void)
{
    const char *tmp = getenv("TMPDIR");
    char address[64];
    int port;
    (void)snprintf(folder, sizeof folder, "%s/parley-torture-XXXXXX", tmp != NULL ? tmp : "/tmp");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || mkdtemp(folder) == NULL || upstream_start(&port) == 0)
        return false;
    (void)snprintf(db_path, sizeof db_path, "%s/parley.db", folder);
    (void)snprintf(template_path, sizeof template_path, "%s/template.db", folder);
    (void)snprintf(log_path, sizeof log_path, "%s/log", folder);
    (void)snprintf(address, sizeof address, "http://127.0.0.1:%d/v1", port);
    const char *const set[][2] = {
        {"PARLEY_DB", db_path}, {"LLM_BASE_URL", address}, {"LLM_MODEL", "tortured"}, {"OPENAI_API_KEY", "torture-key-0123456789"}, {"RETRIES", "1"},
        {"RETRY_BASE_SECONDS", "0"}, {"DB_BUSY_SECONDS", "0.5"}, {"LOG_LEVEL", options.show ? "info" : "error"}, {"PARLEY_JSON", "/nonexistent"}, {"PROVIDER_FAILURES", "1000"},
        {"TOTAL_TIMEOUT_SECONDS", "80000"}, {"IDLE_TIMEOUT_SECONDS", "7000"}, {"FIRST_TOKEN_TIMEOUT_SECONDS", "7000"},
    };
    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
        if (setenv(set[i][0], set[i][1], 1) != 0)
            return false;
    return unsetenv("PARLEY_CONFIG") == 0;
}

static bool read_options(int argc, char **argv)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    options.seed = (uint64_t)now.tv_nsec % 1000000;
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--show") == 0) {
            options.show = true;
            continue;
        }
        if (next == NULL)
            return false;
        if (strcmp(argv[i], "--part") == 0)
            options.part = strtol(next, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            options.seed = strtoull(next, NULL, 10);
        else if (strcmp(argv[i], "--only") == 0)
            options.only = next;
        else
            return false;
        i++;
    }
    return options.part > 0;
}

int main(int argc, char **argv)
{
    if (!read_options(argc, argv)) {
        (void)fprintf(stderr, "torture [--part K] [--seed S] [--only REQUEST[/KIND[/N]]] [--show]\n");
        return 2;
    }
    if (!prepare()) {
        perror("torture");
        return 2;
    }
    if (options.part > 1)
        (void)printf("one of %ld points, TORTURE_SEED=%llu\n", options.part, (unsigned long long)options.seed);
    int status = in_child(template_work, NULL);
    if (status == 0) {
        sweep_everything();
    } else {
        (void)printf("the template cannot be made (status %d)\n", status);
        report_troubles();
        print_log();
        failures++;
    }
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return failures > 0;
}
