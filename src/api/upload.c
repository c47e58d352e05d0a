/*
 * POST /api/upload: one file, sent as a form, handed to the application. One that takes no files says so.
 *
 * Neighbours: http/multipart.h reads the form, app/app.h. Leaves out: what becomes of the file; and files larger than a body may be (MAX_BODY_BYTES), because the whole body is in
 * memory.
 */

#include <string.h>

#include "../app/app.h"
#include "../base/settings.h"
#include "../http/multipart.h"
#include "../http/response.h"
#include "routes.h"

/* The part "file" of a form. Other parts are passed over. */
struct form {
    struct failure *failure;
    bool found, open; /* such a part has begun; it has not ended yet */
    struct buf name, type, bytes;
};

static bool form_begin(void *arg, const struct multipart_part *part)
{
    struct form *form = arg;
    if (strcmp(part->name, "file") != 0)
        return true;
    if (form->found)
        return fail(form->failure, OUTCOME_BAD_FIELD, "\"file\" must be there once: one file per request.") == OUTCOME_OK;
    if (part->file_name == NULL || part->file_name[0] == '\0')
        return fail(form->failure, OUTCOME_BAD_FIELD, "\"file\" must be a file with a name.") == OUTCOME_OK;
    form->found = form->open = true;
    buf_add_text(&form->name, part->file_name);
    buf_add_text(&form->type, part->type);
    return true;
}

static bool form_data(void *arg, const char *bytes, size_t len)
{
    struct form *form = arg;
    if (form->open)
        buf_add(&form->bytes, bytes, len);
    return true;
}

static bool form_end(void *arg)
{
    struct form *form = arg;
    form->open = false;
    return true;
}

/* What the reading came to, as an outcome. */
static enum outcome judge(const struct form *form, enum multipart_result result, const char *why)
{
    if (result == MULTIPART_STOPPED)
        return form->failure->outcome;
    if (result == MULTIPART_BAD)
        return fail(form->failure, OUTCOME_BAD_REQUEST, "The form cannot be read: %s.", why);
    if (result == MULTIPART_SHORT)
        return fail(form->failure, OUTCOME_BAD_REQUEST, "The form ends before its last boundary.");
    if (result == MULTIPART_NO_MEMORY || buf_failed(&form->name) || buf_failed(&form->type) || buf_failed(&form->bytes))
        return fail_no_memory(form->failure);
    return form->found ? OUTCOME_OK : fail(form->failure, OUTCOME_BAD_FIELD, "\"file\" is missing.");
}

/* Reads the body as a form of which `reader` knows the boundary. */
static enum outcome read_form(struct request *request, struct multipart *reader, const struct form *form)
{
    struct buf body;
    buf_init(&body, (size_t)settings.max_body_bytes + 4096);
    enum outcome outcome = request_read_body(request, (size_t)settings.max_body_bytes, &body, form->failure);
    if (outcome == OUTCOME_OK) {
        (void)multipart_feed(reader, body.data, body.len); /* the end says it again */
        outcome = judge(form, multipart_end(reader), reader->why);
    }
    buf_free(&body);
    return outcome;
}

static enum outcome take_file(struct request *request, const struct form *form)
{
    const struct parley_file file = {.user = request_user_name(request), .name = form->name.data, .type = form->type.data, .bytes = form->bytes.data, .len = form->bytes.len};
    enum outcome outcome = app_give_file(&file, form->failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    json_object *answer = json_object_new_object();
    json_object_object_add(answer, "status", json_object_new_string("success"));
    json_object_object_add(answer, "filename", json_object_new_string_len(form->name.data, (int)form->name.len));
    response_json(request, 200, answer);
    json_object_put(answer);
    return OUTCOME_OK;
}

static enum outcome check_type(const struct request *request, struct multipart *reader, struct form *form)
{
    const struct multipart_sink sink = {.begin = form_begin, .data = form_data, .end = form_end, .arg = form};
    enum multipart_result result = multipart_init(reader, request_variable(request, "CONTENT_TYPE"), sink);
    if (result == MULTIPART_NO_MEMORY)
        return fail_no_memory(form->failure);
    if (result != MULTIPART_OK)
        return fail(form->failure, OUTCOME_BAD_TYPE, "The body must be a form with a file: %s.", reader->why);
    if (request_variable(request, "HTTP_CONTENT_ENCODING")[0] != '\0')
        return fail(form->failure, OUTCOME_BAD_TYPE, "The body must not be compressed.");
    return OUTCOME_OK;
}

enum outcome upload_post(struct request *request, struct failure *failure)
{
    struct form form = {.failure = failure};
    struct multipart reader;
    if (!app_takes_files())
        return fail(failure, OUTCOME_BAD_REQUEST, "File upload not supported"); /* the words of Ragbits; the answer drops the body */
    buf_init(&form.name, LIMIT_FILE_NAME_BYTES);
    buf_init(&form.type, LIMIT_MEDIA_TYPE_BYTES);
    buf_init(&form.bytes, (size_t)settings.max_body_bytes);
    enum outcome outcome = check_type(request, &reader, &form);
    if (outcome == OUTCOME_OK)
        outcome = read_form(request, &reader, &form);
    if (outcome == OUTCOME_OK)
        outcome = take_file(request, &form);
    multipart_free(&reader);
    buf_free(&form.name);
    buf_free(&form.type);
    buf_free(&form.bytes);
    return outcome;
}
