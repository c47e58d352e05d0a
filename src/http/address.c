/*
 * The rules of address.h.
 */
#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Reads an address, IPv4 as IPv6 ("::ffff:" before it). A zone (fe80::1%eth0) is left off. False: it is none. */
static bool read_address(const char *text, struct in6_addr *address)
{
    char plain[INET6_ADDRSTRLEN + 1];
    size_t len = strcspn(text, "%");
    if (len >= sizeof plain)
        return false;
    memcpy(plain, text, len);
    plain[len] = '\0';
    if (inet_pton(AF_INET6, plain, address) == 1)
        return true;
    memset(address, 0, sizeof *address);
    address->s6_addr[10] = address->s6_addr[11] = 0xff;
    return inet_pton(AF_INET, plain, &address->s6_addr[12]) == 1;
}

static bool is_here(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

bool address_is_here(const char *address)
{
    struct in6_addr read;
    return read_address(address, &read) && is_here(&read);
}

void address_group(const char *address, char group[ADDRESS_BYTES])
{
    struct in6_addr read;
    char text[INET6_ADDRSTRLEN];
    group[0] = '\0';
    if (!read_address(address, &read) || is_here(&read))
        return;
    bool is_four = IN6_IS_ADDR_V4MAPPED(&read);
    if (!is_four)
        memset(&read.s6_addr[8], 0, 8);
    if (inet_ntop(is_four ? AF_INET : AF_INET6, is_four ? (const void *)&read.s6_addr[12] : &read, text, sizeof text) != NULL)
        (void)snprintf(group, ADDRESS_BYTES, "%s%s", text, is_four ? "" : "/64");
}
