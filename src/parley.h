/*
 * The public interface: what a program in cgi-bin/ is made of.
 *
 * A program fills a struct parley_app, whose functions are all optional, and calls parley_main(). docs/examples/ has programs to begin from, docs/applications.md says what happens
 * around them. Everything else in src/ is the library's own and may change.
 *
 * Texts are UTF-8 and end in a NUL. JSON is json-c's: a `json_object *` that is passed to a function that "takes" it belongs to the library from then on, one that is lent stays
 * the library's. Functions that return bool say false when the turn is over for them: the user pressed Stop, the client is gone and nobody can want the answer, memory is out, or
 * what was asked failed (parley_failure() says how). The function `chat` then had better return; what it says after a failure still counts.
 */
#ifndef PARLEY_H
#define PARLEY_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* --- the application ---------------------------------------------------------------------------------------------- */

/* One turn: the user has said something, and the application answers. Lent to its function `chat`, for the thread that it runs on. */
struct parley_chat;

/* A setting of README's table. */
struct parley_setting {
    const char *name, *value;
};

/* A file that a user has sent (POST /api/upload). Lent. */
struct parley_file {
    const char *user; /* "": the one local user */
    const char *name; /* without a path */
    const char *type; /* as the client says; "" when it does not */
    const char *bytes;
    size_t len;
};

/* What a user thinks of an answer. It is stored already. Lent. */
struct parley_feedback {
    const char *user, *conversation, *message; /* ids */
    bool like;
    json_object *payload; /* what the form of parley.json asked */
};

/* Functions run on several threads at the same time, for different users. None may call exit(). */
struct parley_app {
    const char *name;                       /* in --help and in the log */
    const struct parley_setting *settings;  /* other defaults for settings, ended by {NULL, NULL}; environment and .env win. NULL: none */
    const char *config;                     /* default members of parley.json, as JSON; the file's members win. NULL: none */
    bool (*startup)(void);                  /* before anything is served (as a plain CGI program: before each request). False: the program ends */
    void (*chat)(struct parley_chat *chat); /* answers; without it the configured model does */
    bool (*upload)(const struct parley_file *file);             /* False: it is not taken. Without it: uploads are not supported */
    bool (*feedback)(const struct parley_feedback *feedback);   /* False: the client is told that it failed */
    /* Writes a title for a conversation that begins with `message`, at most `size` bytes with the NUL, while the answer is made. False: the one made of the first words stays. */
    bool (*title)(const char *message, char *title, size_t size);
};

/* Runs the program: reads its options and settings and serves until it is told to stop. What main() returns: 0 after a clean stop, 1 when it could not
   serve (the log says why), 2 for wrong options. */
int parley_main(int argc, char **argv, const struct parley_app *app);

/* Writes a line to the log, keys and passwords masked. */
void parley_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- what is asked ------------------------------------------------------------------------------------------------ */

/* Texts and objects are lent: until chat() returns, or the function that changes them is called. */

const char *parley_message(const struct parley_chat *chat); /* what the user says now; "" when they only confirm a call */

/* What was said before, the oldest first: number `index`, below parley_history_count(). Good until a model is asked for the answer: then the oldest may be let go of. */
struct parley_past {
    const char *role; /* "user", "assistant" or "tool" */
    const char *text; /* "" where a model only called tools */
};
size_t parley_history_count(const struct parley_chat *chat);
struct parley_past parley_history(const struct parley_chat *chat, size_t index);

const char *parley_user(const struct parley_chat *chat);         /* name of the signed-in user; "": the one local user */
const char *parley_conversation(const struct parley_chat *chat); /* its id; "" when nothing is kept (/v1 and /api/v1 without "store") */
const char *parley_timezone(const struct parley_chat *chat);     /* such as "Europe/Warsaw"; "" when the client does not say */
json_object *parley_user_settings(const struct parley_chat *chat); /* values of the form of parley.json, an object */
json_object *parley_context(const struct parley_chat *chat);     /* all that the client sent along, an object. Never trust it */
json_object *parley_state(const struct parley_chat *chat);       /* the object that parley_set_state() was last given in this conversation; {} at first */
bool parley_stopped(const struct parley_chat *chat);             /* whether nobody wants the answer any more */

/* --- what is answered --------------------------------------------------------------------------------------------- */

bool parley_text(struct parley_chat *chat, const char *text); /* adds to the answer */
bool parley_textf(struct parley_chat *chat, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sends an event of any type ([a-z][a-z0-9_]*, at most 64 characters): "reference", "image" and so on in the shapes of docs/api.md, or one of your own. Takes
   `content`, an object. */
bool parley_event(struct parley_chat *chat, const char *type, json_object *content);

/* The usual events. Texts that may be NULL: url, description, result. */
bool parley_reference(struct parley_chat *chat, const char *title, const char *text, const char *url);
bool parley_image(struct parley_chat *chat, const char *id, const char *url); /* http(s), relative, or data: */
bool parley_live_update(struct parley_chat *chat, const char *id, bool finished, const char *label, const char *description);
bool parley_plan_item(struct parley_chat *chat, const char *id, const char *description, const char *status /* pending, in_progress, completed or failed */, const char *result);
bool parley_followups(struct parley_chat *chat, const char *const questions[], size_t count);
bool parley_clear(struct parley_chat *chat); /* the answer begins anew */

/* Ends the turn with an error that the user sees: one sentence. */
void parley_refuse(struct parley_chat *chat, const char *sentence);

/* Keeps `state` (an object of at most 64 KiB as JSON, in UTF-8; taken) for the next turn. */
bool parley_set_state(struct parley_chat *chat, json_object *state);

/* Gives the conversation a title, in place of any that it has; more than 60 characters are cut. */
bool parley_title(struct parley_chat *chat, const char *title);

/* --- models ------------------------------------------------------------------------------------------------------- */

/* Adds to the system prompt of the models that are asked for this answer from now on. */
bool parley_system(struct parley_chat *chat, const char *text);
bool parley_systemf(struct parley_chat *chat, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts other words in place of what the user says now, for the models only, in this turn and in later ones. */
bool parley_rewrite(struct parley_chat *chat, const char *text);

/* Asks the model (NULL: the one that the request or the settings name) with the conversation, and streams what it says into the answer. May be called several times. */
bool parley_answer(struct parley_chat *chat, const char *model);

/* A tool that a model may call. */
struct parley_tool {
    const char *name, *description; /* the second may be NULL */
    const char *schema; /* of its arguments: a JSON Schema object as text; NULL: there are none */
    /* Does it. The result is what parley_result() is given, and false says that it is an error. May use all functions but parley_answer…(). `arguments` is an object, lent. */
    bool (*call)(struct parley_chat *chat, json_object *arguments, void *arg);
    void *arg;
    bool confirm; /* only after the user has agreed: the turn ends with the question, and the next one goes on with the answer */
};

/* The same as parley_answer() with tools, until the model needs no more of them. False also when the user has to agree to a call first: that is no failure, the turn ends with the
   question. */
bool parley_answer_with_tools(struct parley_chat *chat, const char *model, const struct parley_tool tools[], size_t count);

/* Inside a tool: appends to its result, which has 1 MiB at most. */
bool parley_result(struct parley_chat *chat, const char *text);
bool parley_resultf(struct parley_chat *chat, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Asks a model (NULL: as above) one question without the conversation. The answer is not shown: a text of the caller's, to be freed with parley_free(); NULL when it failed.
   `system` may be NULL. */
char *parley_ask(struct parley_chat *chat, const char *model, const char *system, const char *question);
void parley_free(char *text);

/* Has the model suggest up to `count` questions that the user may want to ask next, and sends them. */
bool parley_ask_followups(struct parley_chat *chat, int count);

/* The sentence of what failed last, lent until the next call; "" when that went well. A function that knows another way after a failure may go on: parley_answer() with another
   model, say. */
const char *parley_failure(const struct parley_chat *chat);

#endif
