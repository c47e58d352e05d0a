/*
 * Child processes that hold the lock of src/store/process.h until they are killed.
 */
#ifndef PARLEY_UNIT_PROCESSES_H
#define PARLEY_UNIT_PROCESSES_H

#include "unit.h"

#include <sys/prctl.h>

#include "../../src/store/process.h"

/* A child that makes an id of its own, does `work` and waits to be killed. */
static inline pid_t child_with_id(char id[PROCESS_BYTES], void (*work)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char own[PROCESS_BYTES] = "";
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        process_end(); /* what it has from its parent */
        (void)snprintf(own, sizeof own, "%s", process_id());
        if (work != NULL)
            work();
        if (write(ends[1], own, sizeof own) == (ssize_t)sizeof own)
            for (;;)
                (void)pause();
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], id, PROCESS_BYTES), PROCESS_BYTES);
    close(ends[0]);
    return child;
}

static inline void kill_child(pid_t child)
{
    int status;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
}

#endif
