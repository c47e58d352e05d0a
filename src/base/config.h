/*
 * parley.json: the settings that have structure (lists, tables, texts of the page). Which file it is: PARLEY_JSON.
 *
 * It is read once, when it is first asked for. The program's author can give members of the same kind in the program itself: what the file has wins over them, member
 * by member. Neighbours: settings.h, which has everything that is a single value. Leaves out: what the members mean; that is their
 * readers' business, who complain about what they cannot use.
 */
#ifndef PARLEY_CONFIG_H
#define PARLEY_CONFIG_H

#include <json-c/json.h>
#include <stdbool.h>

/* Gives the author's members, a JSON object as text. Replaces what was given before. False when it is none: then the author gives nothing. Before threads are started. */
bool config_use(const char *json_text);

/* The member of that name: the file's (when it is null there: NULL), else the author's; NULL: neither has it. It belongs to this module, for the life of the process. A
   file that cannot be read is logged once, and nothing of it counts. */
json_object *config_get(const char *name);

/* Why the file cannot be used; NULL when it can, or is not there. For --check. */
const char *config_trouble(void);

#endif
