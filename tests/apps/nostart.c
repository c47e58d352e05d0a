/*
 * An application that does not want to start: what it needs is not there.
 */
#include "parley.h"

static bool look_around(void)
{
    parley_log("nostart: there is no catalogue here");
    return false;
}

int main(int argc, char **argv)
{
    static const struct parley_app app = {.name = "nostart", .startup = look_around};
    return parley_main(argc, argv, &app);
}
