/*
 * The public interface: what a program in cgi-bin/ is made of.
 *
 * A program fills a struct and calls parley_main(). Everything else in src/ is the library's own and may change.
 */
#ifndef PARLEY_H
#define PARLEY_H

/* A chat application. */
struct parley_app {
    const char *name; /* in --help and in the log */
};

/* Runs the program: reads its options and settings and serves until it is told to stop. What main() returns: 0 after a clean stop, 1 when it could not
   serve (the log says why), 2 for wrong options. */
int parley_main(int argc, char **argv, const struct parley_app *app);

#endif
