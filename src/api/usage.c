/*
 * GET /usage: what the models were used for, by day: the asker's own. docs/api.md.
 *
 * Neighbours: store/usage.h (which has the sums), metrics.c (the server's). Leaves out: prices.
 */
#include "../base/clock.h"
#include "../base/json.h"
#include "../base/mem.h"
#include "../http/response.h"
#include "../store/usage.h"
#include "body.h"
#include "routes.h"
#include "rows.h"

enum { USUAL_DAYS = 30, MOST_DAYS = 366 };

static void take_row(void *arg, const struct usage_day *row)
{
    json_object *object = json_object_new_object();
    char day[CLOCK_DAY_BYTES];
    row_add_text(object, "day", clock_day_text(row->day, day));
    row_add_text(object, "provider", row->provider);
    row_add_text(object, "model", row->model);
    json_object_object_add(object, "answers", json_object_new_int64(row->answers));
    json_object_object_add(object, "prompt_tokens", json_object_new_int64(row->prompt_tokens));
    json_object_object_add(object, "completion_tokens", json_object_new_int64(row->completion_tokens));
    json_object_object_add(object, "cost", json_object_new_double(row->cost));
    json_object_array_add(arg, object);
}

/* NULL: not given; then *day stays. */
static enum outcome read_day(const char *text, const char *name, int64_t *day, struct failure *failure)
{
    if (text != NULL && !clock_day_read(text, day))
        return fail(failure, OUTCOME_BAD_FIELD, "\"%s\" must be a day, such as 2026-02-28.", name);
    return OUTCOME_OK;
}

static enum outcome answer(struct request *request, const char *from_text, const char *to_text, struct failure *failure)
{
    int64_t from, to = clock_unix_ms() / CLOCK_DAY_MS;
    char day[CLOCK_DAY_BYTES];
    TRY(read_day(to_text, "to", &to, failure));
    from = to - (USUAL_DAYS - 1);
    TRY(read_day(from_text, "from", &from, failure));
    if (from > to)
        return fail(failure, OUTCOME_BAD_FIELD, "\"from\" is later than \"to\".");
    if (to - from >= MOST_DAYS)
        return fail(failure, OUTCOME_BAD_FIELD, "From \"from\" to \"to\" there may be %d days at most.", MOST_DAYS);
    json_object *object = json_object_new_object(), *rows = json_object_new_array();
    row_add_text(object, "from", clock_day_text(from, day));
    row_add_text(object, "to", clock_day_text(to, day));
    json_object_object_add(object, "rows", rows);
    enum outcome outcome = usage_list(request_user(request), from, to, take_row, rows, failure);
    if (outcome == OUTCOME_OK)
        response_json(request, 200, object);
    json_object_put(object);
    return outcome;
}

enum outcome usage_get(struct request *request, struct failure *failure)
{
    char *from = NULL, *to = NULL;
    enum outcome outcome = request_query(request, "from", &from, failure);
    if (outcome == OUTCOME_OK)
        outcome = request_query(request, "to", &to, failure);
    if (outcome == OUTCOME_OK)
        outcome = answer(request, from, to, failure);
    mem_free(from);
    mem_free(to);
    return outcome;
}
