/*
 * GET /diagnose/stream: six events 200 ms apart that say when they were sent, so that the page www/diagnose.html can tell whether the host server holds streams
 * back. It needs neither database nor provider nor sign-in.
 */
#include <string.h>

#include "../base/json.h"
#include "../base/loop.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../base/utf8.h"
#include "../http/cgi.h"
#include "../http/sse.h"
#include "routes.h"

enum { TICKS = 6, TICK_MS = 200 };

/* A client being shown the ticks. The loop's own. */
struct show {
    struct request *request;
    struct task task;
    struct timer timer; /* of the next tick */
    int64_t started_ms;
    int sent;
};

static void end_show(struct show *show)
{
    loop_timer(&show->timer, INT64_MAX);
    request_finish(show->request);
    mem_free(show);
}

static void show_drained(void *arg)
{
    (void)arg; /* the next tick comes by the clock */
}

static void show_gone(void *arg)
{
    end_show(arg);
}

static void send_event(struct show *show, const char *name, json_object *data)
{
    sse_event(show->request, name, NULL, 0, json_write(data));
    json_object_put(data);
}

/* What the page needs for its advice. SERVER_SOFTWARE is "lighttpd/1.4.69" or "Apache/2.4 (Debian)": the name is enough. */
static json_object *host_object(const struct request *request)
{
    const char *software = request_variable(request, "SERVER_SOFTWARE"), *prefix;
    size_t prefix_len = request_prefix(request, &prefix);
    json_object *host = json_object_new_object();
    json_object_object_add(host, "mode", json_object_new_string(cgi_is_asked() ? "cgi" : "fastcgi"));
    json_object_object_add(host, "server", json_object_new_string_len(software, (int)strcspn(software, "/ ")));
    json_object_object_add(host, "prefix", json_object_new_string_len(prefix, utf8_valid(prefix, prefix_len) ? (int)prefix_len : 0));
    json_object_object_add(host, "heartbeat_ms", json_object_new_int64(settings.heartbeat_ms));
    return host;
}

static void send_tick(struct timer *timer)
{
    struct show *show = timer->arg;
    json_object *data = json_object_new_object();
    json_object_object_add(data, "n", json_object_new_int(++show->sent));
    json_object_object_add(data, "sent_ms", json_object_new_int64(loop_now_ms() - show->started_ms));
    send_event(show, "tick", data);
    if (show->sent == TICKS)
        send_event(show, "done", json_object_new_object());
    sse_flush(show->request);
    if (show->sent == TICKS || request_is_gone(show->request))
        end_show(show);
    else
        loop_timer(&show->timer, show->started_ms + (int64_t)show->sent * TICK_MS);
}

static void begin_show(struct task *task)
{
    struct show *show = task->arg;
    show->started_ms = loop_now_ms();
    show->timer = (struct timer){.run = send_tick, .arg = show, .due_ms = INT64_MAX};
    sse_begin(show->request);
    send_event(show, "host", host_object(show->request));
    if (request_attach(show->request, (struct request_owner){.drained = show_drained, .gone = show_gone, .arg = show}))
        send_tick(&show->timer);
    else
        end_show(show);
}

enum outcome diagnose_stream_get(struct request *request, struct failure *failure)
{
    struct show *show = mem_new(1, sizeof *show);
    if (show == NULL)
        return fail_no_memory(failure);
    request_drop_body(request);
    show->request = request;
    show->task = (struct task){.run = begin_show, .arg = show};
    loop_post(&show->task);
    return OUTCOME_DETACHED;
}
