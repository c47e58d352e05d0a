/*
 * Faults on order: the Nth allocation of our allocator, of libcurl, of SQLite, or the Nth thing that SQLite asks of a file fails, once or from then on.
 *
 * The linker puts faults.c between the program and base/mem.h (--wrap, see the Makefile); libcurl and SQLite are given their allocators, SQLite a file system
 * around its own. Neighbours: torture.c (who orders). Leaves out: json-c, libfcgi and libcrypto, whose memory does not fail here.
 */
#ifndef TORTURE_FAULTS_H
#define TORTURE_FAULTS_H

#include <stdbool.h>

enum fault_kind {
    FAULT_MEMORY, /* mem_new(), mem_resize(), mem_copy() */
    FAULT_CURL,
    FAULT_SQLITE,
    FAULT_FILE, /* any operation: an error of the device */
    FAULT_DISK, /* writing, growing, creating: the disk is full */
    FAULT_KINDS
};

enum { FAULT_STACK = 48 };

/* What failed first, for a report; lies in memory that the parent process reads when this one has died. */
struct fault_place {
    char what[64];
    void *stack[FAULT_STACK];
    int depth;
};

/* Takes the places of the allocators and the file system, before anything uses them. `place` must live on. */
bool faults_install(struct fault_place *place);

/* From now on calls are counted, and call number `nth` (from 1) of `kind` fails, with `lasting` all later ones too; 0: none does. */
void faults_arm(enum fault_kind kind, long nth, bool lasting);

/* Nothing fails or is counted any more. */
void faults_disarm(void);

/* How many calls of a kind were counted since faults_arm(), and how many failed. */
long faults_counted(enum fault_kind kind);
long faults_met(void);

/* Blocks of memory that are held now; of FAULT_FILE, open files. */
long faults_held(enum fault_kind kind);

/* Waits until nobody is inside the store, and lets nobody in until faults_open_store(): threads of the program may come at any time. */
void faults_close_store(void);
void faults_open_store(void);

/* Puts the monotonic clock forward: what waits for a moment need not wait. */
void faults_pass_time(long ms);

#endif
