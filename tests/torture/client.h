/*
 * One request to the program inside this process, as a host server would send it, and what came back.
 */
#ifndef TORTURE_CLIENT_H
#define TORTURE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

enum { SEEN_BYTES = 512 * 1024, SEEN_TEXT = 8192 };

struct request_line {
    const char *method, *path, *query, *body; /* query and body may be NULL */
    const char *header_name, *header_value;   /* one more variable, such as HTTP_LAST_EVENT_ID; NULL: none */
};

/* What a client saw. */
struct seen {
    bool complete; /* the host server was told that this is all */
    int status;    /* 0: not even headers */
    bool is_stream;
    char conversation[64], message[64]; /* ids that it was told, anywhere */
    char error[64];                     /* the code of an error */
    char text[SEEN_TEXT];               /* of the answer */
    int done, errors;                   /* how often it was told that the answer is whole, and that there is none */
    bool ended;                         /* a stream's `[DONE]` */
    char wrong[128];                    /* what no client could understand; "": nothing */
    const char *body;                   /* lies in `raw` */
    size_t len;
    char raw[SEEN_BYTES];
};

/* Writes a request of `user` ("": nobody has signed in) into a connection; the end of it that the program is to be given, -1: no connection. */
int client_send(const struct request_line *line, const char *user, int *mine);

/* Reads all that came on the other end, closes it, and understands it. */
void client_read(int mine, struct seen *seen);

#endif
