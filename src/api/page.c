/*
 * Addresses of the page that come to the program. GET / where the program itself is what was asked for, as in /cgi-bin/chat.cgi/, leads to the page, which the host
 * server serves from the folder above cgi-bin, or from the program's own. GET /login and GET /conversation/ID are the page too, and the host server has it there; where
 * it does not know of them they lead to the page, in which #c=ID opens the conversation.
 */
#include <stdio.h>
#include <string.h>

#include "../http/response.h"
#include "routes.h"

/* Takes the last part, "/name", off a path of `len` bytes. The length of what is left. */
static size_t parent_len(const char *path, size_t len)
{
    while (len > 0 && path[len - 1] != '/')
        len--;
    return len > 0 ? len - 1 : 0;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len >= end_len && strncmp(text + len - end_len, end, end_len) == 0;
}

/* The page's folder without its slash: where the client asked, but for the program's own name and cgi-bin. Its length; *path belongs to the request. */
static size_t page_folder(const struct request *request, const char **path)
{
    static const char folder[] = "/cgi-bin";
    size_t len = request_prefix(request, path);
    if (!ends_with(*path, len, ".cgi") && !ends_with(*path, len, ".fcgi"))
        return len;
    len = parent_len(*path, len);
    return ends_with(*path, len, folder) ? len - strlen(folder) : len;
}

/* Leads to the page, where `id` is opened ("": none). */
static enum outcome redirect(struct request *request, const char *id)
{
    static const char text[] = "The page is elsewhere.\n";
    const char *path;
    size_t len = page_folder(request, &path);
    char rest[LIMIT_PATH_BYTES + sizeof "/#c="];
    bool is_id = *id != '\0' && id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0'; /* as ids are: nothing to encode */
    (void)snprintf(rest, sizeof rest, "/%s%s", is_id ? "#c=" : "", is_id ? id : "");
    response_location(request, path, len, rest);
    response_text(request, 302, "text/plain; charset=utf-8", text, sizeof text - 1);
    return OUTCOME_OK;
}

enum outcome page_get(struct request *request, struct failure *failure)
{
    if (!request_is_script(request))
        return fail(failure, OUTCOME_NOT_FOUND, "There is nothing at this address.");
    return redirect(request, "");
}

enum outcome page_login_get(struct request *request, struct failure *failure)
{
    (void)failure;
    return redirect(request, "");
}

enum outcome page_conversation_get(struct request *request, struct failure *failure)
{
    const char *id = request_segment(request, 0);
    if (strchr(id, '.') != NULL) /* a file that is not there: ids have no dot */
        return fail(failure, OUTCOME_NOT_FOUND, "There is nothing at this address.");
    return redirect(request, id);
}
