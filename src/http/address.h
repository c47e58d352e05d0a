/*
 * Addresses of clients: which are this machine, and which are counted as one.
 *
 * What the host server says is the client's (REMOTE_ADDR) is believed. Neighbours: request.c. Leaves out: headers of proxies, which anybody can send; host servers have
 * modules that believe some of them.
 */
#ifndef PARLEY_ADDRESS_H
#define PARLEY_ADDRESS_H

#include <stdbool.h>

enum { ADDRESS_BYTES = 64 };

/* Whether it is one of this machine's own: 127.0.0.0/8, ::1, and the first written as IPv6 (RFC 4291 section 2.5.5.2). */
bool address_is_here(const char *address);

/* The name under which a client is counted: an IPv4 address, of IPv6 the network that one customer is given (the first 64 bits, RFC 6177). "" for what is not counted: this machine, which
   is a proxy or a test, and what is no address, as of a client of a Unix socket. */
void address_group(const char *address, char group[ADDRESS_BYTES]);

#endif
