/*
 * Every setting of the program: one row each in settings.c (name, type, default, bounds, help), one field each here.
 *
 * Values come from the environment or from a KEY=VALUE file (PARLEY_CONFIG, else `.env` beside the folder of the program); the
 * environment wins. The file's grammar: one KEY=VALUE a line; blank lines and lines starting with # are skipped; `export ` before the key
 * is allowed; a value in single or double quotes loses them; within double quotes \n, \" and
 * \\ are escapes; there is no expansion. README's table, --check and --export are
 * made from the rows. Neighbours: limits.h, secrets.h. Leaves out: parley.json, which holds what has structure.
 */
#ifndef PARLEY_SETTINGS_H
#define PARLEY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What is in force; filled once by settings_load(), only read afterwards. Texts are never NULL. Times are in milliseconds. */
struct settings {
    const char *db_path;
    const char *db_sync; /* "full" or "normal" */
    int64_t db_busy_ms;
    const char *app_host, *app_port;
    const char *embedding_model, *embedding_base_url;
    const char *config_file; /* parley.json */
    const char *llm_base_url, *llm_model, *llm_fallbacks, *openai_api_key, *llm_proxy, *llm_ca_file;
    const char *system_prompt, *title_model;
    const char *secret_key; /* "": one is made and kept in the database */
    double temperature;
    int64_t max_tokens;
    int64_t history_messages;
    int64_t model_context; /* tokens; 0: not known */
    int64_t provider_failures, provider_rest_ms;
    int64_t max_streams, max_streams_per_user, max_streams_per_address, requests_per_minute; /* the last three: 0 is no limit */
    int64_t max_message_chars;
    int64_t max_body_bytes;
    int64_t max_answer_bytes;
    int64_t header_hold_ms, heartbeat_ms, client_stall_ms;
    int64_t connect_timeout_ms, first_token_timeout_ms, idle_timeout_ms, total_timeout_ms;
    int64_t retries, retry_base_ms, retry_cap_ms, retry_after_cap_ms;
    int64_t shutdown_ms;
    const char *log_level;
    const char *prefix; /* "", or starts with a slash and ends without one */
    const char *host_names;   /* with commas or spaces between them; "": any */
    const char *cors_origins; /* origins with one space between two, or "*"; "": none */
    bool outlive_host;
    bool sandbox;
    const char *sandbox_read, *sandbox_write; /* paths, separated by commas */
    const char *redis_url;
};

extern struct settings settings;

/* Gives a setting another default, before settings_load(), which says when it is unusable. `value` must live as long as the process. False: there is no such setting, or `value` is
   NULL. */
bool settings_standard(const char *name, const char *value);

/* Reads environment and file. `program` is argv[0], from which the default places follow; `file` overrides PARLEY_CONFIG when it is not
   NULL. Complains on `complaints` (one line each: file, line, name, what is wrong) and returns false when a value is unusable, a named file
   cannot be read or memory ran out; unknown names in the file are kept (settings_foreign(), settings_complain()). */
bool settings_load(const char *program, const char *file, FILE *complaints);

/* After settings_load(): complains of names in the file that are no settings and that `is_known` (keys of providers, say) does not know either. */
void settings_complain(FILE *complaints, bool (*is_known)(const char *name));

/* The value of a variable that may be no setting: of the environment, else of the file; NULL when it is not set, or to nothing. */
const char *settings_foreign(const char *name);

/* The value of a setting by name, as text, or NULL when there is no such setting. */
const char *settings_text(const char *name);

/* Writes the table of README (Markdown), a row per setting. */
void settings_write_table(FILE *out);

/* Writes what is in force, a line per setting, with secrets masked and defaults marked. */
void settings_write_check(FILE *out);

/* Writes an address without the name and password that may stand in it. */
void settings_write_address(FILE *out, const char *address);

/* Writes a KEY=VALUE file of all that was set, secrets in clear: for a file that host servers point PARLEY_CONFIG at. */
void settings_write_export(FILE *out);

/* Writes NAME="value", so that reading it gives the same value whatever is in it. */
void settings_write_variable(FILE *out, const char *name, const char *value);

/* The folder that holds the program's folder: where .env and var/ are. Ends without a slash. */
const char *settings_home(void);

/* The file that settings were read from; "": there was none. */
const char *settings_file(void);

#endif
