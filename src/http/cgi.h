/*
 * Plain CGI: how a program that is started for one request becomes the same worker as under FastCGI.
 *
 * The process splits in two before anything else is opened. The child, in a session of its own, is a worker that serves one FastCGI connection: the other
 * end of a socket pair. The parent is the FastCGI server of that connection: it turns the CGI environment and standard input into a request (RFC 3875 section 4)
 * and writes the answer to standard output as it comes. So everything behind request.h is the same in both, byte for byte; and when the host server ends the
 * parent because the client left or the server restarts, the child finishes and stores its answer. Neighbours: worker.h. Leaves out: signals of the child (src/parley.c).
 */
#ifndef PARLEY_CGI_H
#define PARLEY_CGI_H

#include <stdbool.h>

/* Whether this process was started as a CGI program: RFC 3875 section 4.1.4 has GATEWAY_INTERFACE set. */
bool cgi_is_asked(void);

/* What the child exits with when the system does not give it what it needs: the client is told to try again. */
enum { CGI_EXIT_BUSY = 75 };

/* Splits the process. In the child it returns the connection to serve: standard input and output are then /dev/null, standard error leads to the parent's as long as
   that lives. The parent does not return: it forwards the answer and exits, with 0 when an answer was given, also when it is only a refusal of its own
   because the system gives no process or the child ended without one; then the log says why. */
int cgi_split(void);

#endif
