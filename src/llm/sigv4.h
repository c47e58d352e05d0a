/*
 * Signs requests to AWS: Signature Version 4, with the signature in the header Authorization.
 *
 * Source: AWS, IAM user guide, "Create a signed AWS API request". No I/O and no clock: the caller gives the time. The request must be sent exactly as it was signed.
 * Neighbours: provider.c (signs what wire_bedrock.c wrote). Leaves out: where credentials come from, signed queries, signed streams.
 */
#ifndef PARLEY_SIGV4_H
#define PARLEY_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "../base/buf.h"
#include "../base/outcome.h"

struct sigv4_request {
    const char *method;       /* in capitals */
    const char *host;         /* as the header Host has it: with the port, if that is not the scheme's own */
    const char *path;         /* as it is sent: begins with "/", percent-encoded */
    const char *query;        /* as it is sent, without "?"; NULL or "": none */
    const char *content_type; /* the value of Content-Type, to be signed too; NULL: not signed */
    const char *body;
    size_t body_len;
    const char *region, *service; /* us-east-1, bedrock */
    const char *access_key, *secret_key;
    const char *session_token; /* NULL or "": the credentials are not temporary */
    time_t time;               /* AWS takes it when it is right within 5 minutes */
};

/* Appends the header lines X-Amz-Date, X-Amz-Security-Token (with a token), X-Amz-Content-Sha256 (for S3, which wants it) and Authorization, each ended by "\n".
   OUTCOME_PROVIDER_AUTH: a value is empty, too long, or holds a control character. OUTCOME_NO_MEMORY. Nothing was appended then. */
enum outcome sigv4_sign(const struct sigv4_request *request, struct buf *headers, struct failure *failure);

/* Appends the path as it is signed: percent-encoded once more, so that %3A becomes %253A; for S3 as it is. Dots and double slashes stay: they are sent as they are. */
void sigv4_add_path(struct buf *out, const char *path, const char *service);

/* Appends the query as it is signed: parameters encoded anew and in order. False: there are too many. */
bool sigv4_add_query(struct buf *out, const char *query);

#endif
