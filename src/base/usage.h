/*
 * What an answer used, in tokens, as the provider counted: passed from the wire to the database and the client.
 */
#ifndef PARLEY_USAGE_H
#define PARLEY_USAGE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

enum { USAGE_UNKNOWN = -1 }; /* the provider did not say */

struct usage {
    int64_t prompt_tokens;
    int64_t completion_tokens; /* thinking included */
    int64_t cached_tokens;     /* part of prompt_tokens */
    int64_t reasoning_tokens;  /* part of completion_tokens */
    bool estimated;            /* by us, because the provider did not say */
    double cost;               /* in US dollars, by the provider or by the table of prices; negative: not known */
};

/* A usage of which nothing is known. */
struct usage usage_none(void);

/* Adds to a usage; of what is known on one side only, that counts. */
void usage_add_up(struct usage *sum, const struct usage *usage);

/* In OpenAI's shape ("The chat completion object", usage), with our own members `cost` and `estimated` where there is something to say, or NULL (JSON null) when nothing was
   counted. A new reference. */
json_object *usage_object(const struct usage *usage);

#endif
