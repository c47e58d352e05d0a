/*
 * The list behind secrets.h.
 */
#include "secrets.h"

#include <string.h>

#include "limits.h"
#include "mem.h"

enum { SHORTEST = 6 };

static char *values[LIMIT_SECRETS];
static size_t count;

void secrets_add(const char *value)
{
    if (strlen(value) < SHORTEST || count == LIMIT_SECRETS)
        return;
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i], value) == 0)
            return;
    char *copy = mem_copy(value);
    if (copy != NULL)
        values[count++] = copy;
}

void secrets_mask(char *text)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(values[i]);
        for (char *at = strstr(text, values[i]); at != NULL; at = strstr(at + len, values[i]))
            memset(at, '*', len);
    }
}
