/*
 * The table of model.h, read when it is first needed.
 */
#include "model.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/config.h"
#include "../base/json.h"

static const char embedded[] =
#include "models.inc"
    ;

static struct {
    pthread_once_t once;
    json_object *embedded; /* the rows are its own */
    json_object *rows; /* id → row */
    const char *date;
} models = {.once = PTHREAD_ONCE_INIT};

static void add_rows(json_object *list)
{
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        json_object *row = json_object_array_get_idx(list, i), *known = NULL;
        const char *id = json_text(row, "id", NULL);
        if (id == NULL)
            continue;
        if (json_object_object_get_ex(models.rows, id, &known)) {
            json_object_object_foreach(row, name, value)
                json_object_object_add(known, name, json_object_get(value));
        } else {
            json_object_object_add(models.rows, id, json_object_get(row));
        }
    }
}

static void start(void)
{
    models.embedded = json_read_loose(embedded, sizeof embedded - 1);
    models.rows = json_object_new_object();
    models.date = json_text(models.embedded, "date", NULL);
    add_rows(json_at(models.embedded, "models"));
    add_rows(config_get("models"));
}

static json_object *exact(const char *provider, const char *model, size_t model_len)
{
    char id[LIMIT_MODEL_NAME_BYTES * 2];
    json_object *row = NULL;
    int len = snprintf(id, sizeof id, "%s/%.*s", provider, (int)model_len, model);
    if (len > 0 && (size_t)len < sizeof id)
        (void)json_object_object_get_ex(models.rows, id, &row); /* absent leaves NULL */
    return row;
}

/* What may follow the name of a model without making it another one: anything after : or @, after - a version or date, or a word that says as much. "o1-pro" is not "o1". */
static bool is_version(const char *rest)
{
    if (*rest == '-')
        return (rest[1] >= '0' && rest[1] <= '9') || strcmp(rest, "-latest") == 0 || strcmp(rest, "-preview") == 0;
    return *rest == '\0' || *rest == ':' || *rest == '@';
}

/* The row of a model, or of the longest name that it begins with, up to a version. */
static json_object *find(const char *provider, const char *model)
{
    (void)pthread_once(&models.once, start); /* cannot fail with a proper control */
    for (size_t len = strlen(model); len > 0; len--) {
        if (!is_version(model + len))
            continue;
        json_object *row = exact(provider, model, len);
        if (row != NULL)
            return row;
    }
    return NULL;
}

static bool flag(json_object *row, const char *name)
{
    return json_object_get_boolean(json_at(row, name)) != 0;
}

struct model_facts model_facts_of(const char *provider, const char *model)
{
    json_object *row = find(provider, model);
    if (row == NULL)
        return (struct model_facts){.vision = true, .tools = true};
    return (struct model_facts){
        .known = true,
        .context = json_count(row, "context", 0),
        .max_output = json_count(row, "max_output", 0),
        .vision = flag(row, "vision"),
        .tools = flag(row, "tools"),
        .reasoning = flag(row, "reasoning"),
        .no_sampling = flag(row, "no_sampling"),
        .responses_only = flag(row, "responses_only"),
    };
}

static double number(json_object *row, const char *path, double otherwise)
{
    json_object *value = json_at(row, path);
    bool is_number = json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
    return is_number ? json_object_get_double(value) : otherwise;
}

/* Some models cost more beyond a length: "long" has one such price, "tiered" a list of ranges. */
static struct model_price price_at(json_object *row, int64_t prompt_tokens)
{
    struct model_price price = {.input = number(row, "input", -1), .output = number(row, "output", -1), .cached = number(row, "cached", -1), .date = models.date};
    json_object *tiers = json_at(row, "tiered");
    if (prompt_tokens > json_count(row, "long.above_tokens", INT64_MAX)) {
        price.input = number(row, "long.input_per_mtok", price.input);
        price.output = number(row, "long.output_per_mtok", price.output);
    }
    for (size_t i = 0; json_object_is_type(tiers, json_type_array) && i < json_object_array_length(tiers); i++) {
        json_object *tier = json_object_array_get_idx(tiers, i);
        if ((double)prompt_tokens >= number(tier, "range.0", 0)) { /* they rise: the last that has begun counts, also beyond its end */
            price.input = number(tier, "input_per_mtok", price.input);
            price.output = number(tier, "output_per_mtok", price.output);
        }
    }
    const char *own = json_text(row, "date", NULL);
    if (own != NULL)
        price.date = own;
    return price;
}

struct model_price model_price_of(const char *provider, const char *model, int64_t prompt_tokens)
{
    json_object *row = find(provider, model);
    return row != NULL ? price_at(row, prompt_tokens) : (struct model_price){-1, -1, -1, models.date};
}

double model_cost(const char *provider, const char *model, const struct usage *usage)
{
    if (usage->prompt_tokens < 0 || usage->completion_tokens < 0)
        return -1;
    struct model_price price = model_price_of(provider, model, usage->prompt_tokens);
    if (price.input < 0 || price.output < 0)
        return -1;
    int64_t cached = usage->cached_tokens > 0 ? usage->cached_tokens : 0;
    if (cached > usage->prompt_tokens) /* who does not count them among the prompt's */
        cached = usage->prompt_tokens;
    double cached_price = price.cached >= 0 ? price.cached : price.input;
    return ((double)(usage->prompt_tokens - cached) * price.input + (double)cached * cached_price + (double)usage->completion_tokens * price.output) / 1e6;
}

const char *model_provider(const char *model)
{
    /* those whose models are known by name everywhere, in the order in which to look */
    static const char *const providers[] = {"openai", "anthropic", "gemini", "mistral", "deepseek", "xai", "cohere"};
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
        if (find(providers[i], model) != NULL)
            return providers[i];
    static const struct {
        const char *start, *provider;
    } families[] = {{"gpt-", "openai"}, {"o1", "openai"}, {"o3", "openai"}, {"o4-", "openai"}, {"chatgpt-", "openai"}, {"claude-", "anthropic"}, {"gemini-", "gemini"}};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strncmp(model, families[i].start, strlen(families[i].start)) == 0)
            return families[i].provider;
    return NULL;
}
