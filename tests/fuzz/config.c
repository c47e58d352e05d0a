/*
 * A fuzz target: parley.json as a file through src/base/config.c.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/base/config.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (size == 0)
        return 0;
    fuzz_settings();
    if (fd < 0) {
        fd = memfd_create("parley.json", MFD_CLOEXEC);
        insist(fd >= 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        settings.config_file = "/nowhere/parley.json";
        (void)config_trouble(); /* once is over */
        settings.config_file = path;
    }
    insist(ftruncate(fd, 0) == 0 && pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
    trouble[0] = '\0';
    read_config();
    insist((config != NULL) == (config_trouble() == NULL));
    insist(config == NULL || json_object_is_type(config, json_type_object));
    insist(strlen(trouble) < sizeof trouble && utf8_valid(trouble, strlen(trouble)));
    (void)config_get("hooks");
    (void)config_get("");
    json_object_put(config);
    config = NULL;
    return 0;
}
