/*
 * Who asks: the user that the host server has signed in, or the one local user of a server without sign-in.
 */
#ifndef PARLEY_WHO_H
#define PARLEY_WHO_H

#include "../http/request.h"

/* Finds the user of a request by REMOTE_USER (RFC 3875 section 4.1.11) and notes it in the request. Nothing else that a client sends can name a user. */
enum outcome who_asks(struct request *request, struct failure *failure);

#endif
