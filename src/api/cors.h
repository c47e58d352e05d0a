/*
 * Pages of other sites: which of them may use the API from a visitor's browser (the setting CORS_ORIGINS; Fetch standard, section 3.2), and which requests are refused
 * because another site's page made them in the visitor's name.
 *
 * Neighbours: routes.c, which calls these for every request before its handler; settings.c has checked the list. Leaves out: the page's own files, which the host
 * server sends.
 */
#ifndef PARLEY_CORS_H
#define PARLEY_CORS_H

#include "../http/request.h"

/* Adds what every answer needs: Vary where the setting is made, and the CORS headers where the request's origin is allowed. */
void cors_add_headers(struct request *request);

/* OUTCOME_BAD_REQUEST for a request to a host of another name than the server's own (the setting HOST_NAMES). A page of any site can have its own name lead to this machine for a
   moment ("DNS rebinding"): to the browser what is here is that site's then, and neither Origin nor Sec-Fetch-Site tell of it. Only the name does. */
enum outcome cors_check_host(const struct request *request, struct failure *failure);

/* Whether a browser asks if it may send a request (Fetch, section 3.2.2). */
bool cors_is_preflight(const struct request *request);

/* Answers a preflight, after cors_add_headers(): 204 for an allowed origin, else OUTCOME_FORBIDDEN; OUTCOME_BAD_REQUEST when the headers it asks for are no header names. */
enum outcome cors_answer_preflight(struct request *request, struct failure *failure);

/* OUTCOME_FORBIDDEN for a request that would change something and that a page of a site that is not allowed has made. */
enum outcome cors_check(const struct request *request, struct failure *failure);

#endif
