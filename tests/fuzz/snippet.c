/*
 * A fuzz target: the piece of a text that a search shows, src/store/snippet.h. The first line is what is looked for, the rest the text. What is shown stands in the text, is short, and has
 * something marked where FTS5 itself finds what is looked for.
 */
#include <sqlite3.h>

#include "../../src/base/limits.h"
#include "../../src/store/db.h"
#include "fuzz.h"

/* A database of our own instead of the store's. */
static struct query *ask(struct db *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    insist(sqlite3_prepare_v2((sqlite3 *)(void *)db, sql, -1, &statement, NULL) == SQLITE_OK);
    return (struct query *)(void *)statement;
}

static void bind_pointer(struct query *query, int at, void *value, const char *type)
{
    insist(sqlite3_bind_pointer((sqlite3_stmt *)(void *)query, at, value, type, NULL) == SQLITE_OK);
}

static bool step(struct query *query)
{
    return sqlite3_step((sqlite3_stmt *)(void *)query) == SQLITE_ROW;
}

static void end(struct query *query)
{
    (void)sqlite3_finalize((sqlite3_stmt *)(void *)query); /* says what the last step said */
}

#define db_query ask
#define query_pointer bind_pointer
#define query_next step
#define query_end end
#include "../../src/store/snippet.c"

static sqlite3 *open_index(void)
{
    static const char schema[] = "CREATE VIRTUAL TABLE words USING fts5 (body, tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'\");";
    sqlite3 *db = NULL;
    insist(sqlite3_open(":memory:", &db) == SQLITE_OK && sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql, const char *text)
{
    sqlite3_stmt *statement = NULL;
    insist(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
    insist(text == NULL || sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC) == SQLITE_OK);
    insist(sqlite3_step(statement) == SQLITE_DONE);
    insist(sqlite3_finalize(statement) == SQLITE_OK);
}

/* Whether the index finds the search in the text, which is prepared as the store does it. */
static bool is_found_by_index(sqlite3 *db, const char *search, const char *text)
{
    struct buf expression, spaced;
    sqlite3_stmt *statement = NULL;
    bool found = false;
    buf_init(&expression, 256 * 1024);
    buf_init(&spaced, 256 * 1024);
    search_match(&expression, search);
    insist(search_space(&spaced, text, strlen(text)));
    if (expression.len > 0) {
        run(db, "INSERT INTO words (rowid, body) VALUES (1, ?1)", spaced.len > 0 ? spaced.data : text);
        insist(sqlite3_prepare_v2(db, "SELECT rowid FROM words WHERE words MATCH ?1", -1, &statement, NULL) == SQLITE_OK);
        insist(sqlite3_bind_text(statement, 1, expression.data, (int)expression.len, SQLITE_STATIC) == SQLITE_OK);
        found = sqlite3_step(statement) == SQLITE_ROW;
        insist(sqlite3_finalize(statement) == SQLITE_OK);
        run(db, "DELETE FROM words WHERE rowid = 1", NULL);
    }
    buf_free(&expression);
    buf_free(&spaced);
    return found;
}

/* The text with white space as single spaces, none at its ends. */
static char *squeeze(const char *text)
{
    char *out = malloc(strlen(text) + 1);
    size_t len = 0;
    insist(out != NULL);
    for (; *text != '\0'; text++)
        if (!is_gap(*text))
            out[len++] = *text;
        else if (len > 0 && out[len - 1] != ' ')
            out[len++] = ' ';
    while (len > 0 && out[len - 1] == ' ')
        len--;
    out[len] = '\0';
    return out;
}

static const char ellipsis[] = "…";

/* Takes the … off both ends, where what is shown was cut (or begins and ends with one itself). */
static char *inner(const char *shown)
{
    size_t len = strlen(shown);
    if (len >= strlen(ellipsis) && strcmp(shown + len - strlen(ellipsis), ellipsis) == 0)
        len -= strlen(ellipsis);
    if (len >= strlen(ellipsis) && strncmp(shown, ellipsis, strlen(ellipsis)) == 0) {
        shown += strlen(ellipsis);
        len -= strlen(ellipsis);
    }
    char *copy = fuzz_text((const uint8_t *)shown, len), *out = squeeze(copy);
    free(copy);
    return out;
}

static bool check_snippet(const struct snippet *snippet, const char *text)
{
    struct buf shown;
    bool has_hit = false;
    buf_init(&shown, 64 * 1024);
    for (size_t i = 0; i < snippet->count; i++) {
        const struct snippet_piece *piece = &snippet->pieces[i];
        insist(piece->len > 0 && utf8_valid(piece->text, piece->len) && (i == 0 || piece->is_hit != snippet->pieces[i - 1].is_hit));
        has_hit = has_hit || piece->is_hit;
        buf_add(&shown, piece->text, piece->len);
    }
    insist(!buf_failed(&shown) && shown.len <= WHOLE_BYTES + 16);
    char *part = inner(shown.len > 0 ? shown.data : ""), *whole = squeeze(text);
    insist(strstr(whole, part) != NULL);
    insist(*part != '\0' || *whole == '\0' || strstr(whole, ellipsis) != NULL);
    free(part);
    free(whole);
    buf_free(&shown);
    return has_hit;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3 *db;
    if (db == NULL)
        db = open_index();
    if (size == 0)
        return 0;
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    char *line = fuzz_line(&at, &left), *search = fuzz_utf8((const uint8_t *)line, strnlen(line, LIMIT_QUERY_VALUE_BYTES / 3)), *text = fuzz_utf8(at, left);
    struct snippet_maker *maker = snippet_begin((struct db *)(void *)db, search);
    struct snippet snippet;
    insist(maker != NULL);
    insist(snippet_make(maker, text, strlen(text), &snippet));
    bool has_hit = check_snippet(&snippet, text);
    if (fuzz_is_chosen(data, size, 16) && is_found_by_index(db, search, text))
        insist(has_hit);
    snippet_end(maker);
    free(line);
    free(search);
    free(text);
    return 0;
}
