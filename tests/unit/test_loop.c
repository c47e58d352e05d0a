/*
 * Tests of src/base/loop.h: order of tasks, calls from other threads, sockets, timers, ticks, and changes made from inside callbacks.
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "../../src/base/clock.h"
#include "../../src/base/loop.h"

static int start(void **state)
{
    (void)state;
    return loop_start() ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    loop_stop();
    return 0;
}

#define loop_test(test) cmocka_unit_test_setup_teardown(test, start, stop)

static void nothing(void *arg)
{
    (void)arg;
}

/* Waits until `*value` is at least `wanted`, but not for ever. */
static bool reaches(const atomic_int *value, int wanted)
{
    for (int i = 0; i < 3000 && atomic_load(value) < wanted; i++)
        clock_sleep_ms(1);
    return atomic_load(value) >= wanted;
}

/* --- tasks ---------------------------------------------------------------------------------------------------------------------- */

enum { TASKS = 1000 };

static struct {
    int order[TASKS];
    int count;
} ran;

static void note_task(struct task *task)
{
    assert_true(loop_is_current());
    ran.order[ran.count++] = (int)(intptr_t)task->arg;
    free(task); /* allowed: the loop does not look at it again */
}

static void post(int number)
{
    struct task *task = calloc(1, sizeof *task);
    assert_non_null(task);
    *task = (struct task){.run = note_task, .arg = (void *)(intptr_t)number};
    loop_post(task);
}

static void tasks_run_in_the_order_posted(void **state)
{
    (void)state;
    ran.count = 0;
    for (int i = 0; i < TASKS; i++)
        post(i);
    loop_call(nothing, NULL);
    assert_int_equal(ran.count, TASKS);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(ran.order[i], i);
}

static void hold(struct task *task)
{
    atomic_store((atomic_int *)task->arg, 1);
    clock_sleep_ms(30);
}

static void tasks_posted_just_before_the_stop_still_run_and_the_loop_ends(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        atomic_int held = 0;
        struct task holder = {.run = hold, .arg = &held};
        assert_true(loop_start());
        ran.count = 0;
        loop_post(&holder); /* so that posts and stop come while the loop is busy: one wake-up for all of them */
        assert_true(reaches(&held, 1));
        for (int i = 0; i < 10; i++)
            post(i);
        alarm(10); /* a loop that does not end kills the test */
        loop_stop();
        alarm(0);
        assert_int_equal(ran.count, 10);
    }
}

static void the_loop_starts_again_after_a_stop(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(loop_start());
        ran.count = 0;
        post(1);
        loop_call(nothing, NULL);
        assert_int_equal(ran.count, 1);
        loop_stop();
    }
}

static void post_second(struct task *task)
{
    loop_post(task->arg);
}

static void count_up(struct task *task)
{
    atomic_fetch_add((atomic_int *)task->arg, 1);
}

static void a_task_can_post_a_task(void **state)
{
    (void)state;
    atomic_int count = 0;
    struct task second = {.run = count_up, .arg = &count}, first = {.run = post_second, .arg = &second};
    loop_post(&first);
    assert_true(reaches(&count, 1));
    loop_call(nothing, NULL);
}

/* --- calls ---------------------------------------------------------------------------------------------------------------------- */

static void is_on_loop(void *arg)
{
    *(bool *)arg = loop_is_current() && loop_now_ms() <= clock_mono_ms();
}

static void call_inside(void *arg)
{
    loop_call(is_on_loop, arg); /* a plain call: it would never return otherwise */
}

static void a_call_runs_on_the_loop_and_returns_when_it_has(void **state)
{
    (void)state;
    bool seen = false;
    assert_false(loop_is_current());
    loop_call(is_on_loop, &seen);
    assert_true(seen);
    seen = false;
    loop_call(call_inside, &seen);
    assert_true(seen);
}

static void add_one(void *arg)
{
    ++*(int *)arg; /* no lock: only the loop does it */
}

static void *call_often(void *arg)
{
    for (int i = 0; i < 500; i++)
        loop_call(add_one, arg);
    return NULL;
}

static void calls_of_many_threads_do_not_meet(void **state)
{
    (void)state;
    int count = 0;
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &count), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count, 3000);
}

/* --- sockets --------------------------------------------------------------------------------------------------------------------- */

struct ear {
    struct watch watch;
    int other_end;
    atomic_int heard, bytes;
    struct ear *to_unwatch; /* by the first event */
};

static void hear(struct watch *watch, uint32_t events)
{
    struct ear *ear = watch->arg;
    char bytes[64];
    (void)events;
    atomic_fetch_add(&ear->heard, 1);
    ssize_t n = recv(watch->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
        atomic_fetch_add(&ear->bytes, (int)n);
    else
        loop_unwatch(watch);
    if (ear->to_unwatch != NULL) {
        loop_unwatch(&ear->to_unwatch->watch);
        memset(&ear->to_unwatch->watch, 0xEE, sizeof ear->to_unwatch->watch); /* as if freed: the loop must not touch it again */
        ear->to_unwatch = NULL;
    }
}

static void open_ear(struct ear *ear)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ear->watch = (struct watch){.fd = ends[0], .events = EPOLLIN, .ready = hear, .arg = ear};
    ear->other_end = ends[1];
}

static void watch_ear(void *arg)
{
    struct ear *ear = arg;
    (void)loop_watch(&ear->watch);
}

static void unwatch_ear(void *arg)
{
    struct ear *ear = arg;
    loop_unwatch(&ear->watch);
}

static void stop_listening_for_input(void *arg)
{
    struct ear *ear = arg;
    ear->watch.events = 0;
    (void)loop_rewatch(&ear->watch);
}

static void close_ear(struct ear *ear, int fd)
{
    close(fd);
    close(ear->other_end);
}

static void a_socket_that_becomes_ready_is_told(void **state)
{
    (void)state;
    struct ear ear = {.heard = 0};
    open_ear(&ear);
    int fd = ear.watch.fd;
    loop_call(watch_ear, &ear);
    assert_int_equal(write(ear.other_end, "abc", 3), 3);
    assert_true(reaches(&ear.bytes, 3));
    loop_call(unwatch_ear, &ear);
    int before = atomic_load(&ear.heard);
    assert_int_equal(write(ear.other_end, "abc", 3), 3);
    clock_sleep_ms(20);
    loop_call(nothing, NULL);
    assert_int_equal(atomic_load(&ear.heard), before);
    close_ear(&ear, fd);
}

static void changed_events_are_obeyed(void **state)
{
    (void)state;
    struct ear ear = {.heard = 0};
    open_ear(&ear);
    int fd = ear.watch.fd;
    loop_call(watch_ear, &ear);
    loop_call(stop_listening_for_input, &ear);
    assert_int_equal(write(ear.other_end, "abc", 3), 3);
    clock_sleep_ms(20);
    loop_call(nothing, NULL);
    assert_int_equal(atomic_load(&ear.heard), 0);
    loop_call(unwatch_ear, &ear);
    close_ear(&ear, fd);
}

static void sleep_on_loop(void *arg)
{
    clock_sleep_ms(*(int *)arg);
}

static void *hold_the_loop(void *arg)
{
    loop_call(sleep_on_loop, arg);
    return NULL;
}

static void a_callback_can_unwatch_another_that_is_ready_in_the_same_round(void **state)
{
    (void)state;
    struct ear ears[2] = {{.heard = 0}, {.heard = 0}};
    int fds[2], hold = 60;
    for (int i = 0; i < 2; i++) {
        open_ear(&ears[i]);
        fds[i] = ears[i].watch.fd;
        ears[i].to_unwatch = &ears[1 - i]; /* whichever comes first silences the other */
        loop_call(watch_ear, &ears[i]);
    }
    pthread_t holder; /* while the loop is held both become ready */
    assert_int_equal(pthread_create(&holder, NULL, hold_the_loop, &hold), 0);
    clock_sleep_ms(20);
    for (int i = 0; i < 2; i++)
        assert_int_equal(write(ears[i].other_end, "x", 1), 1);
    pthread_join(holder, NULL);
    clock_sleep_ms(30);
    loop_call(nothing, NULL);
    assert_int_equal(atomic_load(&ears[0].heard) + atomic_load(&ears[1].heard), 1);
    for (int i = 0; i < 2; i++)
        if (atomic_load(&ears[i].heard) == 1)
            loop_call(unwatch_ear, &ears[i]);
    for (int i = 0; i < 2; i++)
        close_ear(&ears[i], fds[i]);
}

static void a_callback_can_unwatch_itself(void **state)
{
    (void)state;
    struct ear ear = {.heard = 0};
    open_ear(&ear);
    int fd = ear.watch.fd;
    loop_call(watch_ear, &ear);
    close(ear.other_end); /* end of file: hear() unwatches */
    assert_true(reaches(&ear.heard, 1));
    clock_sleep_ms(20);
    loop_call(nothing, NULL);
    assert_int_equal(atomic_load(&ear.heard), 1);
    close(fd);
}

/* --- timers ---------------------------------------------------------------------------------------------------------------------- */

struct alarm {
    struct timer timer;
    atomic_int rings;
    int64_t rang_at, due;
    struct alarm *next; /* set by this one's ring */
};

static void ring(struct timer *timer)
{
    struct alarm *alarm = timer->arg;
    alarm->rang_at = clock_mono_ms();
    if (alarm->next != NULL)
        loop_timer(&alarm->next->timer, alarm->next->due);
    atomic_fetch_add(&alarm->rings, 1);
}

static void set_alarm(void *arg)
{
    struct alarm *alarm = arg;
    alarm->timer.run = ring;
    alarm->timer.arg = alarm;
    loop_timer(&alarm->timer, alarm->due);
}

static void a_timer_runs_once_and_not_early(void **state)
{
    (void)state;
    struct alarm alarm = {.due = clock_mono_ms() + 40};
    loop_call(set_alarm, &alarm);
    assert_true(reaches(&alarm.rings, 1));
    assert_true(alarm.rang_at >= alarm.due);
    clock_sleep_ms(80);
    assert_int_equal(atomic_load(&alarm.rings), 1);
}

static void timers_run_by_their_time_and_not_by_their_setting(void **state)
{
    (void)state;
    int64_t now = clock_mono_ms();
    struct alarm late = {.due = now + 90}, early = {.due = now + 30};
    loop_call(set_alarm, &late);
    loop_call(set_alarm, &early);
    assert_true(reaches(&early.rings, 1));
    assert_int_equal(atomic_load(&late.rings), 0);
    assert_true(reaches(&late.rings, 1));
}

static void a_timer_can_be_set_anew_and_taken_out(void **state)
{
    (void)state;
    int64_t now = clock_mono_ms();
    struct alarm moved = {.due = now + 5000}, gone = {.due = now + 30};
    loop_call(set_alarm, &moved);
    moved.due = now + 20;
    loop_call(set_alarm, &moved);
    loop_call(set_alarm, &gone);
    gone.due = INT64_MAX;
    loop_call(set_alarm, &gone);
    loop_call(set_alarm, &gone); /* taking out what is not in is no mistake */
    assert_true(reaches(&moved.rings, 1));
    clock_sleep_ms(60);
    assert_int_equal(atomic_load(&moved.rings), 1);
    assert_int_equal(atomic_load(&gone.rings), 0);
}

/* As curl does while there is more to read: due at once, again and again. */
struct eager {
    struct timer timer;
    struct tick tick;
    atomic_int rings, ticks;
};

static void ring_again(struct timer *timer)
{
    struct eager *eager = timer->arg;
    atomic_fetch_add(&eager->rings, 1);
    if (atomic_load(&eager->ticks) < 2)
        loop_timer(timer, loop_now_ms());
}

static void count_tick(struct tick *tick, int64_t now_ms)
{
    struct eager *eager = tick->arg;
    (void)now_ms;
    if (atomic_fetch_add(&eager->ticks, 1) == 1)
        loop_untick(tick);
}

static void set_eager(void *arg)
{
    struct eager *eager = arg;
    eager->timer = (struct timer){.run = ring_again, .arg = eager, .due_ms = INT64_MAX};
    eager->tick = (struct tick){.run = count_tick, .arg = eager};
    loop_tick(&eager->tick);
    loop_timer(&eager->timer, loop_now_ms());
}

static void a_timer_that_is_always_due_lets_others_have_their_turn(void **state)
{
    (void)state;
    struct eager eager = {.rings = 0};
    loop_call(set_eager, &eager);
    assert_true(reaches(&eager.ticks, 2));
    assert_true(atomic_load(&eager.rings) > 1);
    clock_sleep_ms(20); /* the last ring may be under way: `eager` is on the stack */
}

static void a_timer_can_set_another_and_take_one_out(void **state)
{
    (void)state;
    int64_t now = clock_mono_ms();
    struct alarm second = {.due = now + 40}, victim = {.due = INT64_MAX}, first = {.due = now + 20, .next = &second}, killer = {.due = now + 20, .next = &victim};
    loop_call(set_alarm, &second);
    victim.due = now + 25;
    loop_call(set_alarm, &victim);
    victim.due = INT64_MAX;
    loop_call(set_alarm, &first);
    loop_call(set_alarm, &killer);
    assert_true(reaches(&second.rings, 1));
    assert_int_equal(atomic_load(&second.rings), 1);
    clock_sleep_ms(30);
    assert_int_equal(atomic_load(&first.rings) + atomic_load(&killer.rings), 2);
}

static void a_timer_of_next_year_does_not_spin_or_ring(void **state)
{
    (void)state;
    struct alarm far_away = {.due = clock_mono_ms() + ((int64_t)1 << 32) + 5};
    struct timespec before, after;
    loop_call(set_alarm, &far_away);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    clock_sleep_ms(100);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t used_ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    far_away.due = INT64_MAX;
    loop_call(set_alarm, &far_away);
    assert_int_equal(atomic_load(&far_away.rings), 0);
    assert_true(used_ms < 50);
}

/* --- ticks ------------------------------------------------------------------------------------------------------------------------ */

struct beat {
    struct tick tick;
    atomic_int beats;
    struct beat *victim; /* unticked by the first beat, itself included */
};

static void beat_once(struct tick *tick, int64_t now_ms)
{
    struct beat *beat = tick->arg;
    assert_true(now_ms <= clock_mono_ms());
    atomic_fetch_add(&beat->beats, 1);
    if (beat->victim != NULL) {
        struct beat *victim = beat->victim;
        beat->victim = NULL;
        loop_untick(&victim->tick);
    }
}

static void add_beat(void *arg)
{
    struct beat *beat = arg;
    beat->tick = (struct tick){.run = beat_once, .arg = beat};
    loop_tick(&beat->tick);
}

static void take_beat(void *arg)
{
    struct beat *beat = arg;
    loop_untick(&beat->tick);
}

static void ticks_come_at_their_pace_until_taken_out(void **state)
{
    (void)state;
    struct beat beat = {.beats = 0};
    loop_call(add_beat, &beat);
    int64_t begin = clock_mono_ms();
    assert_true(reaches(&beat.beats, 4));
    int64_t took = clock_mono_ms() - begin;
    assert_true(took >= 3 * LOOP_TICK_MS);
    loop_call(take_beat, &beat);
    int before = atomic_load(&beat.beats);
    clock_sleep_ms(3 * LOOP_TICK_MS);
    assert_int_equal(atomic_load(&beat.beats), before);
}

static void add_three_beats(void *arg)
{
    for (int i = 0; i < 3; i++)
        add_beat((struct beat *)arg + i);
}

static void a_tick_can_take_out_itself_and_its_neighbours(void **state)
{
    (void)state;
    for (int killer = 0; killer < 3; killer++)
        for (int victim = 0; victim < 3; victim++) {
            struct beat beats[3] = {{.beats = 0}, {.beats = 0}, {.beats = 0}};
            beats[killer].victim = &beats[victim];
            loop_call(add_three_beats, beats);
            assert_true(reaches(&beats[victim == 0 ? 1 : 0].beats, 2));
            loop_call(nothing, NULL);
            assert_int_equal(atomic_load(&beats[victim].beats), victim < killer ? 0 : 1); /* the last one added is the first to run */
            for (int i = 0; i < 3; i++)
                if (i != victim) {
                    assert_true(atomic_load(&beats[i].beats) >= 1);
                    loop_call(take_beat, &beats[i]);
                }
        }
}

static const struct CMUnitTest tests[] = {
    loop_test(tasks_run_in_the_order_posted),
    cmocka_unit_test(tasks_posted_just_before_the_stop_still_run_and_the_loop_ends),
    cmocka_unit_test(the_loop_starts_again_after_a_stop),
    loop_test(a_task_can_post_a_task),
    loop_test(a_call_runs_on_the_loop_and_returns_when_it_has),
    loop_test(calls_of_many_threads_do_not_meet),
    loop_test(a_socket_that_becomes_ready_is_told),
    loop_test(changed_events_are_obeyed),
    loop_test(a_callback_can_unwatch_another_that_is_ready_in_the_same_round),
    loop_test(a_callback_can_unwatch_itself),
    loop_test(a_timer_runs_once_and_not_early),
    loop_test(timers_run_by_their_time_and_not_by_their_setting),
    loop_test(a_timer_can_be_set_anew_and_taken_out),
    loop_test(a_timer_that_is_always_due_lets_others_have_their_turn),
    loop_test(a_timer_can_set_another_and_take_one_out),
    loop_test(a_timer_of_next_year_does_not_spin_or_ring),
    loop_test(ticks_come_at_their_pace_until_taken_out),
    loop_test(a_tick_can_take_out_itself_and_its_neighbours),
};

UNIT_MAIN(tests)
