/*
 * The chat program: chat.fcgi, started by a web server as a FastCGI worker, or by hand with --listen.
 *
 * It is the plain application: what users write goes to the configured model, what the model answers goes back, and both are kept. Another application is another
 * file in this folder; `make` builds each into a program of its own. All the work is done by the library in src/, whose public face is parley.h.
 */
#include "parley.h"

int main(int argc, char **argv)
{
    static const struct parley_app app = {.name = "chat"};
    return parley_main(argc, argv, &app);
}
