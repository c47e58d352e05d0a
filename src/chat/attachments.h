/*
 * What comes with a question: images, as data: URLs.
 *
 * Neighbours: api/chat.c (checks what a client sends), api/messages.c (has it in another shape), prompt.c (gives it to the model). Leaves out: files, which come with retrieval.
 */
#ifndef PARLEY_ATTACHMENTS_H
#define PARLEY_ATTACHMENTS_H

#include <json-c/json.h>

#include "../base/outcome.h"
#include "../llm/completion.h"

/* Checks a client's list: at most LIMIT_ATTACHMENTS objects {"type": "image", "url": "data:image/png;base64,…"} of PNG, JPEG, WebP or GIF. OUTCOME_BAD_FIELD with a sentence. */
enum outcome attachments_check(json_object *list, struct failure *failure);

/* The images of a stored list (JSON text; NULL: none). *images and what it points to are the caller's, to be released by attachments_free(). False: out of memory. */
bool attachments_read(const char *text, struct completion_image **images, size_t *count);

/* The list that attachments_read() reads, of images whose parts are borrowed: JSON text of the caller's, or NULL: out of memory. */
char *attachments_write(const struct completion_image *images, size_t count);

/* Takes the data: URL of an image apart; the parts are borrowed from it. False: it is none that models take. */
bool attachments_read_url(const char *url, struct completion_image *image);

void attachments_free(struct completion_image *images, size_t count);

#endif
