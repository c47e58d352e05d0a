/*
 * GET /metrics: Prometheus' text format (its documentation, "Exposition formats"), for requests from this machine.
 *
 * Counters are those of all processes, summed in the database: behind mod_fcgid or plain CGI each request may reach another process, and numbers that belong to one
 * would jump back and forth. What can only be said of the process that answers carries its number as a label.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/settings.h"
#include "../http/address.h"
#include "../http/response.h"
#include "../http/worker.h"
#include "../store/counter.h"
#include "routes.h"

/* A proxy on this machine makes every client look local; most say so in one of these. */
static bool is_forwarded(const struct request *request)
{
    static const char *const signs[] = {"HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_SERVER", "HTTP_X_FORWARDED",
                                        "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP", "HTTP_CLIENT_IP", "HTTP_TRUE_CLIENT_IP",
                                        "HTTP_CF_CONNECTING_IP"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (request_any_variable(request, signs[i], ""))
            return true;
    return false;
}

static void write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A histogram's buckets count all that is below their end, and its number of values is that of the last. */
static void write_counters(struct buf *out, const int64_t values[COUNTER_MOST])
{
    enum counter_family last = COUNTER_FAMILIES;
    int64_t below = 0;
    for (size_t i = 0; i < counter_count(); i++) {
        char name[COUNTER_NAME_BYTES];
        enum counter_family family = counter_series(i, name);
        bool histogram = counter_is_histogram(family);
        if (family != last) {
            write_head(out, counter_family_name(family), histogram ? "histogram" : "counter", counter_family_help(family));
            last = family;
            below = 0;
        }
        if (name[0] == '\0')
            continue;
        bool is_sum = histogram && strchr(name, '{') == NULL;
        if (is_sum) {
            buf_addf(out, "%s %.3f\n%s_count %lld\n", name, (double)values[i] / 1000, counter_family_name(family), (long long)below);
        } else {
            below = histogram ? below + values[i] : values[i];
            buf_addf(out, "%s %lld\n", name, (long long)below);
        }
    }
}

static long long file_bytes(const char *suffix)
{
    struct buf path;
    struct stat status;
    buf_init(&path, 8192);
    buf_addf(&path, "%s%s", settings.db_path, suffix);
    bool known = !buf_failed(&path) && stat(path.data, &status) == 0;
    buf_free(&path);
    return known ? (long long)status.st_size : 0;
}

static long long resident_bytes(void)
{
    long long total, pages = 0;
    FILE *in = fopen("/proc/self/statm", "re");
    if (in == NULL)
        return 0;
    if (fscanf(in, "%lld %lld", &total, &pages) != 2)
        pages = 0;
    (void)fclose(in); /* only read from */
    return pages * sysconf(_SC_PAGESIZE);
}

static void write_gauges(struct buf *out, int64_t running)
{
    int process = (int)getpid();
    write_head(out, "parley_answers_running", "gauge", "Answers being made now, by all processes.");
    buf_addf(out, "parley_answers_running %lld\n", (long long)running);
    write_head(out, "parley_database_bytes", "gauge", "Size of the database and of its write-ahead log.");
    buf_addf(out, "parley_database_bytes{file=\"database\"} %lld\nparley_database_bytes{file=\"log\"} %lld\n", file_bytes(""), file_bytes("-wal"));
    write_head(out, "parley_build_info", "gauge", "The version that answers.");
    buf_addf(out, "parley_build_info{version=\"%s\"} 1\n", PARLEY_VERSION);
    write_head(out, "parley_process_requests_open", "gauge", "Requests that the process which answers has in hand, this one included.");
    buf_addf(out, "parley_process_requests_open{process=\"%d\"} %d\n", process, worker_open_requests());
    write_head(out, "parley_process_resident_bytes", "gauge", "Memory of the process which answers.");
    buf_addf(out, "parley_process_resident_bytes{process=\"%d\"} %lld\n", process, resident_bytes());
}

enum outcome metrics_get(struct request *request, struct failure *failure)
{
    if (!address_is_here(request_variable(request, "REMOTE_ADDR")) || is_forwarded(request))
        return fail(failure, OUTCOME_FORBIDDEN, "Metrics are shown to this machine only.");
    int64_t values[COUNTER_MOST], running;
    enum outcome outcome = counter_save(failure);
    if (outcome == OUTCOME_OK)
        outcome = counter_read(values, &running, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    struct buf out;
    buf_init(&out, LIMIT_METRICS_BYTES);
    write_counters(&out, values);
    write_gauges(&out, running);
    if (buf_failed(&out))
        outcome = fail_no_memory(failure);
    else
        response_text(request, 200, "text/plain; version=0.0.4; charset=utf-8", out.data, out.len);
    buf_free(&out);
    return outcome;
}
