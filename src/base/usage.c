/*
 * Usage as JSON: see usage.h.
 */
#include "usage.h"

#include <stdio.h>

struct usage usage_none(void)
{
    return (struct usage){USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN, false, -1};
}

static void add_up(int64_t *sum, int64_t count)
{
    if (count != USAGE_UNKNOWN)
        *sum = (*sum != USAGE_UNKNOWN ? *sum : 0) + count;
}

void usage_add_up(struct usage *sum, const struct usage *usage)
{
    add_up(&sum->prompt_tokens, usage->prompt_tokens);
    add_up(&sum->completion_tokens, usage->completion_tokens);
    add_up(&sum->cached_tokens, usage->cached_tokens);
    add_up(&sum->reasoning_tokens, usage->reasoning_tokens);
    sum->estimated = sum->estimated || usage->estimated;
    if (usage->cost >= 0)
        sum->cost = (sum->cost >= 0 ? sum->cost : 0) + usage->cost;
}

static void add_count(json_object *object, const char *name, int64_t count)
{
    json_object_object_add(object, name, count != USAGE_UNKNOWN ? json_object_new_int64(count) : NULL);
}

/* A part of a count is an object of its own: {"prompt_tokens_details":{"cached_tokens":3}}. */
static void add_detail(json_object *object, const char *details, const char *name, int64_t count)
{
    if (count == USAGE_UNKNOWN)
        return;
    json_object *detail = json_object_new_object();
    add_count(detail, name, count);
    json_object_object_add(object, details, detail);
}

json_object *usage_object(const struct usage *usage)
{
    if (usage->prompt_tokens == USAGE_UNKNOWN && usage->completion_tokens == USAGE_UNKNOWN)
        return NULL;
    bool both = usage->prompt_tokens != USAGE_UNKNOWN && usage->completion_tokens != USAGE_UNKNOWN;
    json_object *object = json_object_new_object();
    add_count(object, "prompt_tokens", usage->prompt_tokens);
    add_count(object, "completion_tokens", usage->completion_tokens);
    add_count(object, "total_tokens", both ? usage->prompt_tokens + usage->completion_tokens : USAGE_UNKNOWN);
    add_detail(object, "prompt_tokens_details", "cached_tokens", usage->cached_tokens);
    add_detail(object, "completion_tokens_details", "reasoning_tokens", usage->reasoning_tokens);
    if (usage->cost >= 0) {
        char text[32];
        (void)snprintf(text, sizeof text, "%.9g", usage->cost);
        json_object_object_add(object, "cost", json_object_new_double_s(usage->cost, text));
    }
    if (usage->estimated)
        json_object_object_add(object, "estimated", json_object_new_boolean(true));
    return object;
}
