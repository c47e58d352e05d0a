/*
 * GET / where the program itself is what was asked for, as in /cgi-bin/chat.cgi/: leads to the page, which the host server serves from the folder above cgi-bin, or
 * from the program's own.
 */
#include <string.h>

#include "../base/buf.h"
#include "../http/response.h"
#include "routes.h"

/* Takes the last part, "/name", off a path of `len` bytes. The length of what is left. */
static size_t parent_len(const char *path, size_t len)
{
    while (len > 0 && path[len - 1] != '/')
        len--;
    return len > 0 ? len - 1 : 0;
}

enum outcome page_get(struct request *request, struct failure *failure)
{
    static const char folder[] = "/cgi-bin", text[] = "The page is one folder up.\n";
    const char *prefix;
    size_t len = request_prefix(request, &prefix);
    if (!request_is_script(request))
        return fail(failure, OUTCOME_NOT_FOUND, "There is nothing at this address.");
    len = parent_len(prefix, len);
    if (len >= strlen(folder) && strncmp(prefix + len - strlen(folder), folder, strlen(folder)) == 0)
        len -= strlen(folder);
    struct buf location;
    buf_init(&location, LIMIT_HEADER_BYTES);
    buf_add(&location, prefix, len);
    buf_add_char(&location, '/');
    response_header(request, "Location", location.data);
    buf_free(&location);
    response_text(request, 302, "text/plain; charset=utf-8", text, sizeof text - 1);
    return OUTCOME_OK;
}
