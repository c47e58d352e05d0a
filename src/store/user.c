/*
 * Users of user.h. A user that was seen is remembered by the process, because rows of users are never changed or deleted; but another file
 * may take the place of the database.
 */
#include "user.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/limits.h"
#include "db.h"

struct lookup {
    const char *name;
    int64_t user; /* 0: not found */
    int64_t generation; /* of the database that it is of */
};

static enum outcome read_user(struct db *db, void *arg, struct failure *failure)
{
    struct lookup *lookup = arg;
    struct query *query = db_query(db, "SELECT id FROM users WHERE name = ?1");
    query_text(query, 1, lookup->name);
    lookup->user = query_next(query) ? query_get_int(query, 0) : 0;
    lookup->generation = db_generation(db);
    query_end(query);
    (void)failure;
    return OUTCOME_OK;
}

static enum outcome add_user(struct db *db, void *arg, struct failure *failure)
{
    struct lookup *lookup = arg;
    struct query *query = db_query(db, "INSERT INTO users (name, created_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING");
    query_text(query, 1, lookup->name);
    query_int(query, 2, clock_unix_ms());
    (void)query_run(query);
    return read_user(db, arg, failure);
}

/* The last user seen: on most servers the only one, and the local user always. */
static struct {
    pthread_mutex_t lock;
    char name[LIMIT_USER_NAME_BYTES + 1];
    int64_t user, generation;
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum outcome user_find(const char *name, int64_t *user, struct failure *failure)
{
    pthread_mutex_lock(&last.lock);
    *user = last.user != 0 && strcmp(last.name, name) == 0 && db_is_current(last.generation) ? last.user : 0;
    db_pin(*user != 0 ? last.generation : -1);
    pthread_mutex_unlock(&last.lock);
    if (*user != 0)
        return OUTCOME_OK;
    struct lookup lookup = {.name = name};
    enum outcome outcome = db_read(read_user, &lookup, failure);
    if (outcome == OUTCOME_OK && lookup.user == 0)
        outcome = db_write(add_user, &lookup, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    *user = lookup.user;
    db_pin(lookup.generation);
    pthread_mutex_lock(&last.lock);
    if (strlen(name) <= LIMIT_USER_NAME_BYTES) {
        (void)snprintf(last.name, sizeof last.name, "%s", name);
        last.user = lookup.user;
        last.generation = lookup.generation;
    }
    pthread_mutex_unlock(&last.lock);
    return OUTCOME_OK;
}
