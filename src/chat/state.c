/*
 * See state.h.
 */
#include "state.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/limits.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "../store/key.h"

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool write_string(struct buf *out, json_object *string)
{
    const char *text = json_write(string);
    buf_add_text(out, text != NULL ? text : "");
    return text != NULL;
}

static bool write_object(struct buf *out, json_object *object)
{
    size_t count = (size_t)json_object_object_length(object), at = 0;
    const char **names = mem_new(count > 0 ? count : 1, sizeof *names);
    if (names == NULL)
        return false;
    json_object_object_foreach(object, name, value)
    {
        (void)value;
        names[at++] = name;
    }
    qsort(names, count, sizeof *names, compare_names);
    bool good = true;
    buf_add_char(out, '{');
    for (size_t i = 0; i < count && good; i++) {
        json_object *key = json_object_new_string(names[i]), *member = NULL;
        if (i > 0)
            buf_add_char(out, ',');
        good = write_string(out, key);
        json_object_put(key);
        buf_add_char(out, ':');
        (void)json_object_object_get_ex(object, names[i], &member); /* it is there */
        good = good && state_write(out, member);
    }
    buf_add_char(out, '}');
    mem_free(names);
    return good;
}

static bool write_number(struct buf *out, double number)
{
    if (!isfinite(number))
        return false;
    buf_addf(out, "%.17g", number == 0 ? 0.0 : number); /* JavaScript has no -0 in JSON */
    return true;
}

bool state_write(struct buf *out, json_object *state)
{
    bool good = true;
    switch (json_object_get_type(state)) {
    case json_type_object:
        good = write_object(out, state);
        break;
    case json_type_array:
        buf_add_char(out, '[');
        for (size_t i = 0; i < json_object_array_length(state) && good; i++) {
            if (i > 0)
                buf_add_char(out, ',');
            good = state_write(out, json_object_array_get_idx(state, i));
        }
        buf_add_char(out, ']');
        break;
    case json_type_int:
    case json_type_double:
        good = write_number(out, json_object_get_double(state));
        break;
    case json_type_null:
        buf_add_text(out, "null");
        break;
    case json_type_boolean:
        buf_add_text(out, json_object_get_boolean(state) ? "true" : "false");
        break;
    case json_type_string:
        good = write_string(out, state);
        break;
    }
    return good && !buf_failed(out);
}

/* The key: SECRET_KEY, or the database's, which is read once. */
static enum outcome find_key(const char **key, struct failure *failure)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char kept[KEY_BYTES];
    *key = settings.secret_key;
    if (**key != '\0')
        return OUTCOME_OK;
    pthread_mutex_lock(&lock);
    enum outcome outcome = kept[0] != '\0' ? OUTCOME_OK : key_get("state", kept, failure);
    if (outcome != OUTCOME_OK)
        kept[0] = '\0';
    pthread_mutex_unlock(&lock);
    *key = kept;
    return outcome;
}

enum outcome state_sign(const char *user, const char *conversation, json_object *state, char signature[SIGN_BYTES], struct failure *failure)
{
    const char *key;
    struct buf text;
    enum outcome outcome = find_key(&key, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    const char *plain = json_write(state);
    bool fits = plain != NULL && strlen(plain) <= LIMIT_APP_STATE_BYTES && utf8_valid(plain, strlen(plain)) && json_depth(state, LIMIT_EVENT_DEPTH - 1) < LIMIT_EVENT_DEPTH;
    buf_init(&text, LIMIT_APP_STATE_BYTES * 8); /* 0.1 has 19 digits more here */
    buf_addf(&text, "parley-state %zu:%s %s ", strlen(user), user, conversation);
    bool good = fits && state_write(&text, state) && sign_text(key, text.data, text.len, signature);
    buf_free(&text);
    if (good)
        return OUTCOME_OK;
    return fail(failure, OUTCOME_BAD_FIELD, "\"state\" is larger than %d bytes, nested too deeply, or holds a number or a text that JSON cannot.", LIMIT_APP_STATE_BYTES);
}

enum outcome state_check(const char *user, const char *conversation, json_object *state, const char *signature, struct failure *failure)
{
    char ours[SIGN_BYTES];
    enum outcome outcome = state_sign(user, conversation, state, ours, failure);
    if (outcome != OUTCOME_OK && outcome != OUTCOME_BAD_FIELD)
        return outcome;
    if (outcome == OUTCOME_OK && sign_equal(ours, signature))
        return OUTCOME_OK;
    return fail(failure, OUTCOME_BAD_REQUEST, "Invalid state signature");
}
