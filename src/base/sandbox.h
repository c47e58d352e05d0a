/*
 * The sandbox: from sandbox_enter() on this process, and every program that it starts, can only open files below the paths that were allowed before.
 *
 * It is Linux' Landlock (landlock(7)), which needs no privilege and cannot be undone. Files that are open already stay usable, so what is read once, at the start (settings,
 * parley.json), need not be allowed. Nothing is said about the network, nor about looking (stat, access), only about opening, making, renaming and removing. A kernel without
 * Landlock is no error: everything goes on as if SANDBOX were off.
 * Neighbours: src/parley.c, which says what this program needs (SANDBOX in settings.c). Leaves out: system calls other than those with files.
 */
#ifndef PARLEY_SANDBOX_H
#define PARLEY_SANDBOX_H

#include <stdbool.h>

enum sandbox_use {
    SANDBOX_READ,   /* read files and folders, and run programs */
    SANDBOX_WRITE,  /* read, change, make, rename and remove what is there; not: run it */
    SANDBOX_REMOVE, /* remove files of a folder, and nothing else */
    SANDBOX_DEVICE  /* read and write a device, ioctl(2) included */
};

/* Prepares a sandbox in which what every program needs is allowed: libraries, /etc, /proc, the usual devices. False: there will be none; the other functions then do nothing. */
bool sandbox_open(void);

/* Allows the use of a file, or of a folder and all below it. A path that is not there is passed over: false, with errno. A symbolic link stands for what it points to now. */
bool sandbox_allow(const char *path, enum sandbox_use use);

/* Allows the use of the folder that a file is in, by its name and, if it is a symbolic link, by that of its target; so files that later take its place are allowed too. Where the
   folder is missing, the nearest one above it that is there. */
void sandbox_allow_folder_of(const char *file, enum sandbox_use use);

/* Closes the sandbox around the calling thread, all threads that it starts and all programs. Before the first thread is started. */
void sandbox_enter(void);

/* Whether it is the sandbox, and not the rights of the user, that keeps a file or folder from being read: for log lines. Also false when it is not there. */
bool sandbox_forbids(const char *path);

/* What became of it, for --check, such as "on (Landlock 7); files can be written below /srv/parley/var". Lent. */
const char *sandbox_state(void);

#endif
