/*
 * An application for tests: the words of a message say what it does. Each word is `name` or `name=value`; a value holds no spaces, `_` stands for one where a text is shown.
 *
 * What it did that no client sees (tools that ran, what functions gave back, feedback, files) goes as lines into the file that EVENTS_RECORD names, or nowhere. Neighbours:
 * tests/http/ragbits.test.js. Built from the public interface alone, as the programs in cgi-bin/ are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parley.h"

enum { LINE_BYTES = 4096, WORD_BYTES = 256, IMAGE_BYTES = 300000, NAP_MS = 10, NAPS = 6000 /* a minute: no test waits so long */, FLOOD = 200000 };

/* --- the record --------------------------------------------------------------------------------------------------- */

static void record(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One write(2) on a file opened for appending: lines of several processes do not mix. */
static void record(const char *format, ...)
{
    char line[LINE_BYTES];
    const char *path = getenv("EVENTS_RECORD");
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (path == NULL || len < 0)
        return;
    size_t end = (size_t)len < sizeof line - 1 ? (size_t)len : sizeof line - 2;
    line[end++] = '\n';
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || write(fd, line, end) != (ssize_t)end)
        parley_log("the record %s cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd); /* the test reads what is there */
}

static const char *text_of(json_object *object)
{
    return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* An image as a data: URL longer than two pieces of 102,400 characters. Its bytes are 0 to 250, again and again. */
static bool send_large_image(struct parley_chat *chat, const char *id)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", head[] = "data:image/png;base64,";
    char *url = malloc(sizeof head + IMAGE_BYTES / 3 * 4);
    if (url == NULL)
        return false;
    memcpy(url, head, sizeof head);
    char *at = url + sizeof head - 1;
    for (unsigned i = 0; i < IMAGE_BYTES; i += 3) {
        unsigned three = (i % 251) << 16 | ((i + 1) % 251) << 8 | (i + 2) % 251;
        for (int shift = 18; shift >= 0; shift -= 6)
            *at++ = digits[three >> shift & 63];
    }
    *at = '\0';
    bool good = parley_image(chat, id, url);
    free(url);
    return good;
}

static bool send_plan(struct parley_chat *chat)
{
    return parley_plan_item(chat, "1", "Look it up", "pending", NULL) && parley_plan_item(chat, "2", "Write it down", "pending", NULL) &&
           parley_plan_item(chat, "1", "Look it up", "in_progress", NULL) && parley_plan_item(chat, "1", "Look it up", "completed", "Found \xc5\xbc\xc3\xb3\xc5\x82w") &&
           parley_plan_item(chat, "2", "Write it down", "failed", NULL);
}

static bool send_followups(struct parley_chat *chat)
{
    static const char *const questions[] = {"And then?", "Why \"so\"?", "Na \xc5\xbc\xc3\xb3\xc5\x82wia?"};
    return parley_followups(chat, questions, sizeof questions / sizeof *questions);
}

static bool send_custom(struct parley_chat *chat, const char *type)
{
    return parley_event(chat, type, json_tokener_parse("{\"points\":[1,2.5,-3],\"name\":\"W\\u0119kres\",\"nested\":{\"empty\":{},\"none\":null}}"));
}

/* Counts turns, among values that change their looks in JavaScript. */
static bool count_turn(struct parley_chat *chat)
{
    json_object *before = NULL, *state = json_tokener_parse("{\"one\":1.0,\"large\":1e16,\"larger\":1e20,\"largest\":1e21,\"tiny\":1e-7,\"tenth\":0.1,\"exact\":9007199254740991,\"beyond\":9007199254740993,"
                                                            "\"minus\":-0.0,\"10\":true,\"9\":false,\"\\u017c\":\"\\u017c\\u00f3\\u0142w \\ud83d\\ude00\",\"a/b\":\"</script>\\n\\t\\u007f\\u2028\","
                                                            "\"nested\":{\"z\":[1.0,{\"deep\":[[],{}]}],\"a\":null},\"__proto__\":{\"x\":1}}");
    if (state == NULL)
        return false;
    int turns = json_object_object_get_ex(parley_state(chat), "turns", &before) ? json_object_get_int(before) : 0;
    json_object_object_add(state, "turns", json_object_new_int(turns + 1));
    return parley_set_state(chat, state) && parley_textf(chat, "turn %d ", turns + 1);
}

/* Types that only the program itself may use, and names that are none. */
static bool try_reserved(struct parley_chat *chat)
{
    static const char *const names[] = {"start", "token", "text", "reasoning", "ping", "done", "error", "message", "message_id", "conversation_id", "usage", "state_update", "chunked_content",
                                        "Chart", "1st", "", "with space", "a\nb", "\xc5\xbc"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool good = parley_event(chat, names[i], json_object_new_object());
        record("reserved %zu %d %s", i, good, parley_failure(chat)[0] != '\0' ? "failure" : "");
    }
    return parley_text(chat, "still here ");
}

/* Nothing is heard of an application that has refused. */
static bool say_after_refusal(struct parley_chat *chat)
{
    static const char *const questions[] = {"x"};
    record("after text %d", parley_text(chat, "NO"));
    record("after textf %d", parley_textf(chat, "%s", "NO"));
    record("after event %d", send_custom(chat, "chart_data"));
    record("after followups %d", parley_followups(chat, questions, 1));
    record("after state %d", parley_set_state(chat, json_object_new_object()));
    record("after answer %d", parley_answer(chat, NULL));
    record("after ask %d", parley_ask(chat, NULL, NULL, "NO") != NULL);
    parley_refuse(chat, "Another refusal.");
    record("after failure %s", parley_failure(chat));
    return false;
}

/* Goes on until nobody wants the answer. */
static bool wait_for_stop(struct parley_chat *chat)
{
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
    int naps = 0;
    while (!parley_stopped(chat) && naps++ < NAPS)
        (void)nanosleep(&nap, NULL); /* a signal only shortens it */
    bool stopped = parley_stopped(chat), said = parley_text(chat, "NO");
    record("stopped %d %d", stopped, said);
    return false;
}

/* Events without a pause, until nobody wants the answer. */
static bool flood(struct parley_chat *chat)
{
    int sent = 0;
    while (sent < FLOOD && parley_event(chat, "drop", json_object_new_object()))
        sent++;
    record("flooded %d %d", sent < FLOOD, parley_stopped(chat));
    return false;
}

/* --- tools -------------------------------------------------------------------------------------------------------- */

static bool run_record(struct parley_chat *chat, json_object *arguments, void *arg)
{
    record("tool %s %s", (const char *)arg, text_of(arguments));
    return parley_result(chat, "done: ") && parley_result(chat, arg);
}

static bool run_failing(struct parley_chat *chat, json_object *arguments, void *arg)
{
    (void)arg;
    record("tool failing %s", text_of(arguments));
    (void)parley_result(chat, "it is broken"); /* what matters is the false */
    return false;
}

/* Is not done before nobody wants the answer. */
static bool run_slow(struct parley_chat *chat, json_object *arguments, void *arg)
{
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
    (void)arguments, (void)arg;
    for (int naps = 0; !parley_stopped(chat) && naps < NAPS; naps++)
        (void)nanosleep(&nap, NULL); /* a signal only shortens it */
    return parley_result(chat, "slow and done");
}

static bool answer_with_tools(struct parley_chat *chat)
{
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"what\":{\"type\":\"string\"}}}";
    const struct parley_tool tools[] = {
        {.name = "delete_file", .description = "Deletes a file.", .schema = schema, .call = run_record, .arg = (void *)"delete_file", .confirm = true},
        {.name = "send_mail", .description = "Sends a mail.", .schema = schema, .call = run_record, .arg = (void *)"send_mail", .confirm = true},
        {.name = "look", .description = "Looks.", .schema = schema, .call = run_record, .arg = (void *)"look"},
        {.name = "slow", .description = "Takes its time.", .schema = schema, .call = run_slow},
        {.name = "failing", .description = "Fails.", .schema = schema, .call = run_failing},
    };
    return parley_answer_with_tools(chat, NULL, tools, sizeof tools / sizeof *tools);
}

/* --- what is known ------------------------------------------------------------------------------------------------ */

static bool tell_history(struct parley_chat *chat)
{
    bool good = true;
    for (size_t i = 0; i < parley_history_count(chat) && good; i++)
        good = parley_textf(chat, "[%s: %s]", parley_history(chat, i).role, parley_history(chat, i).text);
    return good;
}

static bool tell_rest(struct parley_chat *chat)
{
    return parley_textf(chat, "user=%s timezone=%s settings=%s context=%s", parley_user(chat), parley_timezone(chat), text_of(parley_user_settings(chat)), text_of(parley_context(chat)));
}

static bool ask(struct parley_chat *chat, const char *model)
{
    char *said = parley_ask(chat, model[0] != '\0' ? model : NULL, "Be brief.", "What is it?");
    bool good = said != NULL && parley_textf(chat, "(%s)", said);
    parley_free(said);
    return good;
}

static bool say_much(struct parley_chat *chat)
{
    return parley_textf(chat, "%0*d", 5000, 7);
}

static bool fail_and_go_on(struct parley_chat *chat)
{
    if (parley_answer(chat, NULL))
        return true;
    record("failed: %s", parley_failure(chat));
    return parley_text(chat, "I know it by heart.");
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static bool do_word(struct parley_chat *chat, const char *word, const char *value)
{
    if (strcmp(word, "text") == 0) return parley_text(chat, value[0] != '\0' ? value : "some text ");
    if (strcmp(word, "textf") == 0) return parley_textf(chat, "%d%% of %s ", 7, "all");
    if (strcmp(word, "much") == 0) return say_much(chat);
    if (strcmp(word, "reference") == 0) return parley_reference(chat, "A title", "What it says: \"\xc5\xbc\"", "https://example.invalid/a?b=c&d=e");
    if (strcmp(word, "bare") == 0) return parley_reference(chat, "Bare", "", NULL);
    if (strcmp(word, "image") == 0) return parley_image(chat, "img-1", value[0] != '\0' ? value : "https://example.invalid/cat.png");
    if (strcmp(word, "large") == 0) return send_large_image(chat, "img-2");
    if (strcmp(word, "small") == 0) return parley_image(chat, "img-3", "data:image/gif;base64,R0lGODlhAQABAAAAACw=");
    if (strcmp(word, "start") == 0) return parley_live_update(chat, "search", false, "Searching", "in all books");
    if (strcmp(word, "finish") == 0) return parley_live_update(chat, "search", true, "Searched", NULL);
    if (strcmp(word, "followups") == 0) return send_followups(chat);
    if (strcmp(word, "plan") == 0) return send_plan(chat);
    if (strcmp(word, "clear") == 0) return parley_clear(chat);
    if (strcmp(word, "custom") == 0) return send_custom(chat, value[0] != '\0' ? value : "chart_data");
    if (strcmp(word, "state") == 0) return count_turn(chat);
    if (strcmp(word, "tellstate") == 0) return parley_text(chat, text_of(parley_state(chat)));
    if (strcmp(word, "reserved") == 0) return try_reserved(chat);
    if (strcmp(word, "refuse") == 0) { parley_refuse(chat, "Not today."); return true; /* to the next word */ }
    if (strcmp(word, "after") == 0) return say_after_refusal(chat);
    if (strcmp(word, "title") == 0) return parley_title(chat, value);
    if (strcmp(word, "badtitle") == 0) return parley_title(chat, "Half a \xc3\xbc, and half \xc3");
    if (strcmp(word, "system") == 0) return parley_system(chat, value);
    if (strcmp(word, "rewrite") == 0) return parley_rewrite(chat, value);
    if (strcmp(word, "answer") == 0) return parley_answer(chat, value[0] != '\0' ? value : NULL);
    if (strcmp(word, "orelse") == 0) return fail_and_go_on(chat);
    if (strcmp(word, "tools") == 0) return answer_with_tools(chat);
    if (strcmp(word, "ask") == 0) return ask(chat, value);
    if (strcmp(word, "suggest") == 0) return parley_ask_followups(chat, 2);
    if (strcmp(word, "history") == 0) return tell_history(chat);
    if (strcmp(word, "rest") == 0) return tell_rest(chat);
    if (strcmp(word, "flood") == 0) return flood(chat);
    if (strcmp(word, "wait") == 0) return wait_for_stop(chat);
    return parley_textf(chat, "%s ", word);
}

static void chat_run(struct parley_chat *chat)
{
    char word[WORD_BYTES];
    const char *at = parley_message(chat);
    if (at[strspn(at, " ")] == '\0') { /* they only confirm */
        (void)answer_with_tools(chat); /* how it went is in `chat` */
        return;
    }
    /* the message may change on the way (rewrite): a copy */
    char *copy = strdup(at), *rest = copy;
    for (bool good = copy != NULL; good && *(rest += strspn(rest, " ")) != '\0';) {
        size_t len = strcspn(rest, " ");
        (void)snprintf(word, sizeof word, "%.*s", (int)len, rest); /* longer words are cut */
        rest += len;
        char *value = strchr(word, '=');
        if (value != NULL)
            *value++ = '\0';
        for (char *c = value; c != NULL && *c != '\0'; c++)
            *c = *c == '_' ? ' ' : *c;
        good = do_word(chat, word, value != NULL ? value : "");
    }
    free(copy);
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static bool startup(void)
{
    record("startup");
    return getenv("EVENTS_BROKEN") == NULL;
}

static bool take_feedback(const struct parley_feedback *feedback)
{
    record("feedback user=%s conversation=%s message=%s like=%d payload=%s", feedback->user, feedback->conversation, feedback->message, feedback->like, text_of(feedback->payload));
    return json_object_object_get(feedback->payload, "fail") == NULL;
}

static bool take_file(const struct parley_file *file)
{
    unsigned sum = 0;
    for (size_t i = 0; i < file->len; i++)
        sum = sum * 31 + (unsigned char)file->bytes[i];
    record("upload user=%s name=%s type=%s len=%zu sum=%u", file->user, file->name, file->type, file->len, sum);
    return strcmp(file->name, "unwanted.txt") != 0;
}

int main(int argc, char **argv)
{
    static const struct parley_app app = {.name = "events", .startup = startup, .chat = chat_run, .upload = take_file, .feedback = take_feedback};
    return parley_main(argc, argv, &app);
}
