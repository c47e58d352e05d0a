/*
 * A fuzz target: what somebody types into the search, through src/store/search_text.h, and the expression that comes of it through FTS5 itself. Nothing typed is an operator:
 * outside quotes there are only the parentheses, OR and * of our own, and FTS5 takes every expression.
 */
#include <sqlite3.h>

#include "../../src/base/limits.h"
#include "../../src/store/search_text.h"
#include "fuzz.h"

static sqlite3_stmt *open_index(void)
{
    static const char schema[] = "CREATE VIRTUAL TABLE words USING fts5 (body, tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'\");"
                                 "INSERT INTO words VALUES ('the quick brown fox'), ('Straße und Strasse'), ('日 本 語'), ('ก ข ค'), ('NOT OR AND NEAR body');";
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    insist(sqlite3_open(":memory:", &db) == SQLITE_OK && sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK);
    insist(sqlite3_prepare_v2(db, "SELECT count(*) FROM words WHERE words MATCH ?1", -1, &statement, NULL) == SQLITE_OK);
    return statement;
}

/* Steps over the expression: strings, and what we put around them. */
static void check_expression(const char *at)
{
    int depth = 0;
    while (*at != '\0') {
        if (*at == '"') {
            at = strchr(at + 1, '"');
            insist(at != NULL);
            at++;
            if (strncmp(at, " *", 2) == 0)
                at += 2;
        } else if (strncmp(at, " OR (", 5) == 0) {
            at += 4;
        } else {
            insist(*at == '(' || *at == ')' || (*at == ' ' && at[1] == '"'));
            depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
            insist(depth >= 0);
            at++;
        }
    }
    insist(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3_stmt *statement;
    if (statement == NULL)
        statement = open_index();
    if (size == 0 || size > LIMIT_QUERY_VALUE_BYTES / 3)
        return 0;
    char *typed = fuzz_utf8(data + 1, size - 1);
    struct buf expression, spaced;
    buf_init(&expression, 256 * 1024);
    buf_init(&spaced, 256 * 1024);
    search_match(&expression, typed);
    insist(!buf_failed(&expression) && utf8_valid(expression.data, expression.len) && strlen(expression.data) == expression.len);
    check_expression(expression.data);
    if (expression.len > 0 && data[0] % 8 == 0) { /* FTS5 takes ten times as long */
        insist(sqlite3_bind_text(statement, 1, expression.data, (int)expression.len, SQLITE_STATIC) == SQLITE_OK);
        insist(sqlite3_step(statement) == SQLITE_ROW);
        insist(sqlite3_reset(statement) == SQLITE_OK);
    }
    insist(search_space(&spaced, typed, strlen(typed)) && utf8_valid(spaced.data, spaced.len));
    buf_free(&expression);
    buf_free(&spaced);
    free(typed);
    return 0;
}
