/*
 * All SQL about keys: see key.h.
 */
#include "key.h"

#include <stdio.h>
#include <sys/random.h>

#include "../base/clock.h"
#include "../base/secrets.h"
#include "db.h"

struct lookup {
    const char *name;
    char made[KEY_BYTES]; /* for the case that there is none yet */
    char *value;          /* "": not found */
};

static enum outcome read_key(struct db *db, void *arg, struct failure *failure)
{
    const struct lookup *lookup = arg;
    struct query *query = db_query(db, "SELECT value FROM keys WHERE name = ?1");
    query_text(query, 1, lookup->name);
    lookup->value[0] = '\0';
    if (query_next(query))
        (void)snprintf(lookup->value, KEY_BYTES, "%s", query_get_text(query, 0, NULL));
    query_end(query);
    (void)failure;
    return OUTCOME_OK;
}

static enum outcome add_key(struct db *db, void *arg, struct failure *failure)
{
    const struct lookup *lookup = arg;
    struct query *query = db_query(db, "INSERT INTO keys (name, value, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING"); /* another process may have been faster */
    query_text(query, 1, lookup->name);
    query_text(query, 2, lookup->made);
    query_int(query, 3, clock_unix_ms());
    (void)query_run(query);
    return read_key(db, arg, failure);
}

static enum outcome make_key(char key[KEY_BYTES], struct failure *failure)
{
    unsigned char random[KEY_RANDOM_BYTES];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return fail(failure, OUTCOME_INTERNAL, "The server has no random numbers.");
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(key + 2 * i, 3, "%02x", random[i]);
    return OUTCOME_OK;
}

enum outcome key_get(const char *name, char value[KEY_BYTES], struct failure *failure)
{
    struct lookup lookup = {.name = name, .value = value};
    enum outcome outcome = db_read(read_key, &lookup, failure);
    if (outcome == OUTCOME_OK && value[0] == '\0') {
        outcome = make_key(lookup.made, failure);
        if (outcome == OUTCOME_OK)
            outcome = db_write(add_key, &lookup, failure);
    }
    if (outcome == OUTCOME_OK)
        secrets_add(value);
    return outcome;
}
