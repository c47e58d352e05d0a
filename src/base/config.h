/*
 * parley.json: the settings that have structure (lists, tables, texts of the page). Which file it is: PARLEY_JSON.
 *
 * It is read once, when it is first asked for. Neighbours: settings.h, which has everything that is a single value. Leaves out: what the members mean; that is their
 * readers' business, who complain about what they cannot use.
 */
#ifndef PARLEY_CONFIG_H
#define PARLEY_CONFIG_H

#include <json-c/json.h>

/* The member of that name, or NULL: not there, or there is no file. It belongs to the file, for the life of the process. A file that cannot be read is logged once, and nothing of
   it counts. */
json_object *config_get(const char *name);

/* Why the file cannot be used; NULL when it can, or is not there. For --check. */
const char *config_trouble(void);

#endif
