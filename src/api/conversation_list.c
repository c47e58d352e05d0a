/*
 * GET /conversations: a page of the list, filtered and searched. docs/api.md.
 *
 * Neighbours: conversations.c (one conversation), store/conversation.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../chat/lost.h"
#include "../http/response.h"
#include "../store/conversation.h"
#include "body.h"
#include "routes.h"
#include "rows.h"

enum { PAGE_ROWS = 50, CURSOR_BYTES = 64 };

struct page {
    struct conversation_page wanted;
    struct conversation_cursor before;
    json_object *rows;
    int limit, count;
    struct conversation_cursor end; /* of the last row that is shown */
};

static void take_conversation(void *arg, const struct conversation *row)
{
    struct page *page = arg;
    if (page->count++ >= page->limit)
        return; /* one row more than asked for tells that there is a next page */
    json_object_array_add(page->rows, conversation_object(row));
    page->end = (struct conversation_cursor){row->updated_at, row->row};
}

/* How many digits a text begins with. */
static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

static enum outcome read_limit(const char *text, int *limit, struct failure *failure)
{
    long number = text != NULL ? strtol(text, NULL, 10) : PAGE_ROWS; /* it would also take spaces and signs before the digits, and whatever behind them */
    if (text != NULL && (*text == '\0' || text[count_digits(text)] != '\0' || number < 1 || number > LIMIT_PAGE_ROWS))
        return fail(failure, OUTCOME_BAD_FIELD, "\"limit\" must be a whole number from 1 to %d.", LIMIT_PAGE_ROWS);
    *limit = (int)number;
    return OUTCOME_OK;
}

/* Two numbers and a dot, as list() writes them. */
static enum outcome read_cursor(const char *text, struct conversation_cursor *cursor, struct failure *failure)
{
    enum { DIGITS = 18 }; /* what an int64_t always holds */
    size_t first = count_digits(text), second = text[first] == '.' ? count_digits(text + first + 1) : 0;
    if (first == 0 || first > DIGITS || second == 0 || second > DIGITS || text[first + 1 + second] != '\0')
        return fail(failure, OUTCOME_BAD_FIELD, "\"before\" is not a cursor of this list.");
    *cursor = (struct conversation_cursor){strtoll(text, NULL, 10), strtoll(text + first + 1, NULL, 10)};
    return OUTCOME_OK;
}

/* -1: not given. */
static enum outcome read_filter(const char *text, const char *name, int *flag, struct failure *failure)
{
    *flag = text == NULL ? -1 : strcmp(text, "true") == 0;
    if (text != NULL && *flag == 0 && strcmp(text, "false") != 0)
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must be true or false.", name);
    return OUTCOME_OK;
}

/* The parameters of the list, in this order. */
enum parameter { LIMIT, BEFORE, Q, PINNED, ARCHIVED, PARAMETERS };

/* `values` are texts that must live as long as the page. */
static enum outcome read_page(char *const values[PARAMETERS], struct page *page, struct failure *failure)
{
    const char *before = values[BEFORE], *search = values[Q];
    TRY(read_limit(values[LIMIT], &page->limit, failure));
    if (before != NULL && *before != '\0') {
        TRY(read_cursor(before, &page->before, failure));
        page->wanted.before = &page->before;
    }
    TRY(read_filter(values[PINNED], "pinned", &page->wanted.pinned, failure));
    TRY(read_filter(values[ARCHIVED], "archived", &page->wanted.archived, failure));
    page->wanted.limit = page->limit + 1;
    page->wanted.search = search == NULL || search[strspn(search, " \t\r\n")] == '\0' ? NULL : search;
    return OUTCOME_OK;
}

/* Answers that are said to be written may have been lost with their process: then they are not written any more. */
static void settle_rows(int64_t user, json_object *rows)
{
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i), *now = NULL;
        const char *id = json_text(row, "conversation_id", NULL), *status = json_text(row, "status", NULL);
        struct failure failure; /* the row stays as it was */
        if (status == NULL || strcmp(status, "streaming") != 0 || lost_settle_conversation(user, id) == 0)
            continue;
        if (conversation_get(user, id, row_take_conversation, &now, &failure) != OUTCOME_OK)
            continue;
        json_object_object_add(row, "status", json_object_get(json_at(now, "status")));
        json_object_object_add(row, "unread", json_object_get(json_at(now, "unread")));
        json_object_put(now);
    }
}

static enum outcome list(struct request *request, struct page *page, struct failure *failure)
{
    json_object *object = json_object_new_object();
    page->rows = json_object_new_array();
    json_object_object_add(object, "conversations", page->rows);
    enum outcome outcome = conversation_list(request_user(request), &page->wanted, take_conversation, page, failure);
    if (outcome == OUTCOME_OK) {
        char next[CURSOR_BYTES];
        settle_rows(request_user(request), page->rows);
        (void)snprintf(next, sizeof next, "%lld.%lld", (long long)page->end.updated_at, (long long)page->end.row);
        row_add_text(object, "next", page->count > page->limit ? next : NULL);
        response_json(request, 200, object);
    }
    json_object_put(object);
    return outcome;
}

enum outcome conversations_list(struct request *request, struct failure *failure)
{
    static const char *const names[PARAMETERS] = {[LIMIT] = "limit", [BEFORE] = "before", [Q] = "q", [PINNED] = "pinned", [ARCHIVED] = "archived"};
    char *values[PARAMETERS] = {NULL};
    struct page page = {0};
    enum outcome outcome = OUTCOME_OK;
    for (int i = 0; i < PARAMETERS && outcome == OUTCOME_OK; i++)
        outcome = request_query(request, names[i], &values[i], failure);
    if (outcome == OUTCOME_OK)
        outcome = read_page(values, &page, failure);
    if (outcome == OUTCOME_OK)
        outcome = list(request, &page, failure);
    for (int i = 0; i < PARAMETERS; i++)
        mem_free(values[i]);
    return outcome;
}
