/*
 * A fuzz target: REMOTE_ADDR, src/http/address.h. A group is an address again, or a network of one, and the group of itself.
 */
#include "../../src/http/address.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = fuzz_text(data + 1, size - 1), group[ADDRESS_BYTES], again[ADDRESS_BYTES];
    address_group(text, group);
    size_t len = strnlen(group, sizeof group);
    insist(len < sizeof group && group[strspn(group, "0123456789abcdef.:/")] == '\0' && (len == 0 || !address_is_here(text)));
    char *slash = strchr(group, '/');
    insist(slash == NULL || strcmp(slash, "/64") == 0);
    if (slash != NULL)
        *slash = '\0';
    address_group(group, again);
    if (slash != NULL)
        *slash = '/';
    insist(len == 0 || strcmp(group, again) == 0 || address_is_here(group) || strcmp(group, "::/64") == 0);
    free(text);
    return 0;
}
