#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/ev/ev.h"

/* ---- timers, on the virtual clock ---- */

struct seen {
	struct ev *ev;
	struct ev_timer *t[4];
	char order[32];
	size_t n;
	uint64_t when[32];
	uint64_t again; /* b arms itself for this time again */
};

static void
note(struct seen *s, char c)
{
	if (s->n + 1 < sizeof(s->order)) {
		s->when[s->n] = ev_now(s->ev);
		s->order[s->n++] = c;
	}
}

static void
on_a(void *arg)
{
	note(arg, 'a');
}

static void
on_b(void *arg)
{
	struct seen *s = arg;

	note(s, 'b');
	if (s->n < 4)
		ev_timer_at(s->t[1], s->again);
}

static void
on_free_self_and_next(void *arg)
{
	struct seen *s = arg;

	note(s, 'f');
	ev_timer_free(&s->t[2]);
	ev_timer_free(&s->t[0]);
}

static void
seen_init(struct seen *s)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(ev_new_virtual(&s->ev, 1000), 0);
	assert_int_equal(ev_timer_new(&s->t[0], s->ev, on_a, s), 0);
	assert_int_equal(ev_timer_new(&s->t[1], s->ev, on_b, s), 0);
	assert_int_equal(ev_timer_new(&s->t[2], s->ev, on_free_self_and_next, s), 0);
}

static void
seen_free(struct seen *s)
{
	for (size_t i = 0; i < 4; i++)
		ev_timer_free(&s->t[i]);
	ev_free(&s->ev);
	assert_null(s->ev);
}

static void
virtual_timers_run_in_order(void **state)
{
	struct seen s;

	(void)state;
	seen_init(&s);
	s.n = 4; /* b does not repeat */
	assert_true(ev_virtual_next(s.ev) == UINT64_MAX);
	ev_timer_at(s.t[1], 3000);
	ev_timer_at(s.t[0], 2000);
	assert_true(ev_virtual_next(s.ev) == 2000);
	ev_virtual_run(s.ev, 1999);
	assert_int_equal(s.n, 4);
	assert_true(ev_now(s.ev) == 1999);
	ev_virtual_run(s.ev, 5000);
	assert_int_equal(s.n, 6);
	assert_memory_equal(s.order + 4, "ab", 2);
	assert_true(s.when[4] == 2000 && s.when[5] == 3000);
	assert_true(ev_now(s.ev) == 5000);
	seen_free(&s);
}

static void
same_time_runs_in_order_of_arming(void **state)
{
	struct seen s;

	(void)state;
	seen_init(&s);
	s.n = 4;
	ev_timer_at(s.t[1], 2000);
	ev_timer_at(s.t[0], 2000);
	ev_timer_at(s.t[0], UINT64_MAX);
	ev_timer_at(s.t[0], 2000);
	ev_virtual_run(s.ev, 2000);
	assert_memory_equal(s.order + 4, "ba", 2);
	seen_free(&s);
}

static void
check_turn(void *arg)
{
	static size_t turn;
	size_t *mine = arg;

	assert_int_equal(*mine, turn % 20);
	turn++;
}

static void
equal_times_keep_their_order_in_the_heap(void **state)
{
	struct ev_timer *t[20];
	size_t turn[20];
	struct ev *ev;

	(void)state;
	assert_int_equal(ev_new_virtual(&ev, 0), 0);
	for (size_t i = 0; i < 20; i++) {
		turn[i] = i;
		assert_int_equal(ev_timer_new(&t[i], ev, check_turn, &turn[i]), 0);
	}
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 20; i++)
			ev_timer_at(t[i], 1000);
		ev_virtual_run(ev, 2000);
	}
	for (size_t i = 0; i < 20; i++)
		ev_timer_free(&t[i]);
	ev_free(&ev);
}

static void
past_means_soon_not_now(void **state)
{
	struct seen s;

	(void)state;
	seen_init(&s);
	s.again = 0;
	ev_timer_at(s.t[1], 2000);
	ev_timer_at(s.t[0], 2000);
	ev_virtual_run(s.ev, 3000);
	/* a, due at the same time, comes before b's repetition */
	assert_memory_equal(s.order, "babb", 4);
	assert_true(s.when[2] > s.when[0]);
	seen_free(&s);
}

static void
timer_may_free_itself_and_others(void **state)
{
	struct seen s;

	(void)state;
	seen_init(&s);
	ev_timer_at(s.t[2], 2000);
	ev_timer_at(s.t[0], 2000);
	ev_virtual_run(s.ev, 3000);
	assert_int_equal(s.n, 1);
	assert_null(s.t[2]);
	assert_null(s.t[0]);
	seen_free(&s);
}

struct order {
	struct ev_timer *t;
	uint64_t due;
};
static uint64_t last_due; /* of the timers of the test below */
static struct ev *order_ev;

static void
check_order(void *arg)
{
	struct order *o = arg;

	assert_true(o->due >= last_due);
	assert_true(ev_now(order_ev) == o->due);
	last_due = o->due;
}

static void
many_timers_stay_ordered(void **state)
{
	static struct order o[500];
	uint32_t x = 12345;

	(void)state;
	last_due = 0;
	assert_int_equal(ev_new_virtual(&order_ev, 0), 0);
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(ev_timer_new(&o[i].t, order_ev, check_order, &o[i]), 0);
	for (size_t i = 0; i < 5000; i++) {
		struct order *p;

		x = x * 1664525 + 1013904223;
		p = &o[(x >> 8) % 500];
		if ((x >> 28) == 0) {
			ev_timer_stop(p->t);
		} else {
			p->due = 1 + (x >> 4) % 100000;
			ev_timer_at(p->t, p->due);
		}
	}
	ev_virtual_run(order_ev, 200000);
	assert_true(last_due > 90000);
	assert_true(ev_virtual_next(order_ev) == UINT64_MAX);
	for (size_t i = 0; i < 500; i++)
		ev_timer_free(&o[i].t);
	ev_free(&order_ev);
}

static void
virtual_loop_has_no_descriptors(void **state)
{
	struct ev *ev;
	struct ev_io *io;
	struct ev_signal *sig;

	(void)state;
	assert_int_equal(ev_new_virtual(&ev, 0), 0);
	assert_int_equal(ev_io_new(&io, ev, 0, EV_RD, NULL, NULL), QERR_INVAL);
	assert_int_equal(ev_signal_new(&sig, ev, SIGUSR1, NULL, NULL), QERR_INVAL);
	assert_null(io);
	assert_null(sig);
	ev_free(&ev);
}

/* ---- the real loop ---- */

struct real {
	struct ev *ev;
	struct ev_io *io, *other;
	struct ev_timer *timer;
	struct ev_signal *sig;
	int fds[2];
	unsigned got;
	int count;
	uint64_t fired;
};

static void
real_init(struct real *r)
{
	memset(r, 0, sizeof(*r));
	assert_int_equal(ev_new(&r->ev), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->fds), 0);
}

static void
real_free(struct real *r)
{
	ev_io_free(&r->io);
	ev_io_free(&r->other);
	ev_timer_free(&r->timer);
	ev_signal_free(&r->sig);
	close(r->fds[0]);
	close(r->fds[1]);
	ev_free(&r->ev);
}

static void
on_io(void *arg, int fd, unsigned what)
{
	struct real *r = arg;
	char c;

	(void)fd;
	r->got |= what;
	r->count++;
	if (what == EV_RD)
		assert_int_equal(read(r->fds[0], &c, 1), 1);
	else
		ev_io_set(r->io, EV_RD);
	if (r->got == (EV_RD | EV_WR))
		ev_io_free(&r->io);
}

static void
descriptors_call_back(void **state)
{
	struct real r;

	(void)state;
	real_init(&r);
	assert_int_equal(ev_io_new(&r.io, r.ev, r.fds[0], EV_RD | EV_WR, on_io, &r), 0);
	assert_int_equal(ev_io_get(r.io), EV_RD | EV_WR);
	assert_int_equal(write(r.fds[1], "x", 1), 1);
	assert_int_equal(ev_run(r.ev), 0); /* ends: nothing is registered any more */
	assert_int_equal(r.got, EV_RD | EV_WR);
	assert_int_equal(r.count, 2);
	assert_null(r.io);
	real_free(&r);
}

static void
on_free_both(void *arg, int fd, unsigned what)
{
	struct real *r = arg;

	(void)fd;
	(void)what;
	r->count++;
	ev_io_free(&r->io);
	ev_io_free(&r->other);
}

static void
callback_may_free_what_is_ready_too(void **state)
{
	struct real r;

	(void)state;
	real_init(&r);
	assert_int_equal(write(r.fds[0], "x", 1), 1);
	assert_int_equal(write(r.fds[1], "x", 1), 1);
	assert_int_equal(ev_io_new(&r.io, r.ev, r.fds[0], EV_RD | EV_WR, on_free_both, &r), 0);
	assert_int_equal(ev_io_new(&r.other, r.ev, r.fds[1], EV_RD | EV_WR, on_free_both, &r), 0);
	assert_int_equal(ev_run(r.ev), 0);
	assert_int_equal(r.count, 1);
	real_free(&r);
}

static void
on_stop(void *arg)
{
	struct real *r = arg;

	r->fired = ev_now(r->ev);
	ev_stop(r->ev);
}

static void
on_count(void *arg, int fd, unsigned what)
{
	struct real *r = arg;

	(void)fd;
	(void)what;
	r->count++;
}

static void
silent_descriptor_does_not_call(void **state)
{
	struct real r;

	(void)state;
	real_init(&r);
	assert_int_equal(write(r.fds[1], "x", 1), 1);
	assert_int_equal(ev_io_new(&r.io, r.ev, r.fds[0], 0, on_count, &r), 0);
	assert_int_equal(ev_timer_new(&r.timer, r.ev, on_stop, &r), 0);
	ev_timer_at(r.timer, ev_now(r.ev) + 5 * NS_PER_MS);
	assert_int_equal(ev_run(r.ev), 0);
	assert_int_equal(r.count, 0);
	real_free(&r);
}

static void
timer_is_precise_and_never_early(void **state)
{
	uint64_t due, late, best = UINT64_MAX;
	struct real r;

	(void)state;
	real_init(&r);
	assert_int_equal(ev_timer_new(&r.timer, r.ev, on_stop, &r), 0);
	/* A busy machine delays some; a clock that rounds to milliseconds is late by 700 us or more each time. */
	for (int i = 0; i < 500 && best >= 500 * NS_PER_US; i++) {
		due = ev_now(r.ev) + 300 * NS_PER_US;
		ev_timer_at(r.timer, due);
		assert_int_equal(ev_run(r.ev), 0);
		assert_true(r.fired >= due);
		late = r.fired - due;
		if (late < best)
			best = late;
	}
	assert_true(best < 500 * NS_PER_US);
	real_free(&r);
}

static void
on_again(void *arg)
{
	struct real *r = arg;

	r->fired++;
	ev_timer_at(r->timer, 0);
}

static void
on_io_stop(void *arg, int fd, unsigned what)
{
	struct real *r = arg;

	(void)fd;
	(void)what;
	r->count++;
	ev_stop(r->ev);
}

static void
busy_timer_does_not_starve_descriptors(void **state)
{
	struct real r;

	(void)state;
	real_init(&r);
	assert_int_equal(write(r.fds[1], "x", 1), 1);
	assert_int_equal(ev_timer_new(&r.timer, r.ev, on_again, &r), 0);
	ev_timer_at(r.timer, 0);
	assert_int_equal(ev_io_new(&r.io, r.ev, r.fds[0], EV_RD, on_io_stop, &r), 0);
	assert_int_equal(ev_run(r.ev), 0);
	assert_int_equal(r.count, 1);
	assert_true(r.fired <= 1);
	real_free(&r);
}

static void
on_file(void *arg, int fd, unsigned what)
{
	struct real *r = arg;
	char c[2];

	assert_int_equal(what, EV_RD);
	if (++r->count < 3)
		return; /* level-triggered: comes again */
	assert_int_equal(read(fd, c, 1), 0);
	ev_io_free(&r->io);
}

static void
files_are_always_ready(void **state)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct real r;

	(void)state;
	assert_true(fd >= 0);
	real_init(&r);
	assert_int_equal(ev_io_new(&r.io, r.ev, fd, EV_RD, on_file, &r), 0);
	assert_int_equal(ev_run(r.ev), 0);
	assert_int_equal(r.count, 3);
	real_free(&r);
	close(fd);
}

static void
file_can_be_silenced(void **state)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct real r;

	(void)state;
	assert_true(fd >= 0);
	real_init(&r);
	assert_int_equal(ev_io_new(&r.io, r.ev, fd, EV_RD, on_count, &r), 0);
	assert_int_equal(ev_io_set(r.io, 0), 0);
	assert_int_equal(ev_run(r.ev), 0);
	assert_int_equal(r.count, 0);
	assert_int_equal(ev_io_set(r.io, EV_WR), 0);
	assert_int_equal(ev_io_set(r.io, 0), 0);
	assert_int_equal(ev_run(r.ev), 0);
	assert_int_equal(r.count, 0);
	real_free(&r);
	close(fd);
}

static void
closed_descriptor_is_refused(void **state)
{
	struct real r;
	int fd = dup(0);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	real_init(&r);
	if (fd != r.fds[0] && fd != r.fds[1]) /* else it was taken again */
		assert_int_equal(ev_io_new(&r.io, r.ev, fd, EV_RD, on_count, &r), QERR_SYS);
	assert_int_equal(ev_io_new(&r.io, r.ev, 1000, EV_RD, on_count, &r), QERR_SYS);
	assert_int_equal(ev_io_new(&r.io, r.ev, -1, EV_RD, on_count, &r), QERR_INVAL);
	assert_null(r.io);
	real_free(&r);
}

static void
on_signal(void *arg, int signo)
{
	struct real *r = arg;

	assert_int_equal(signo, SIGUSR1);
	r->count++;
	ev_signal_free(&r->sig);
}

static void
signals_call_back(void **state)
{
	struct real r;

	(void)state;
	real_init(&r);
	assert_int_equal(ev_signal_new(&r.sig, r.ev, SIGUSR1, on_signal, &r), 0);
	raise(SIGUSR1);
	assert_int_equal(r.count, 0);
	assert_int_equal(ev_run(r.ev), 0);
	assert_int_equal(r.count, 1);
	real_free(&r);
}

static void
free_accepts_null(void **state)
{
	struct ev *ev = NULL;
	struct ev_io *io = NULL;
	struct ev_timer *t = NULL;
	struct ev_signal *s = NULL;

	(void)state;
	ev_io_free(&io);
	ev_timer_free(&t);
	ev_signal_free(&s);
	ev_free(&ev);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtual_timers_run_in_order),
		cmocka_unit_test(same_time_runs_in_order_of_arming),
		cmocka_unit_test(equal_times_keep_their_order_in_the_heap),
		cmocka_unit_test(past_means_soon_not_now),
		cmocka_unit_test(timer_may_free_itself_and_others),
		cmocka_unit_test(many_timers_stay_ordered),
		cmocka_unit_test(virtual_loop_has_no_descriptors),
		cmocka_unit_test(descriptors_call_back),
		cmocka_unit_test(callback_may_free_what_is_ready_too),
		cmocka_unit_test(silent_descriptor_does_not_call),
		cmocka_unit_test(timer_is_precise_and_never_early),
		cmocka_unit_test(busy_timer_does_not_starve_descriptors),
		cmocka_unit_test(files_are_always_ready),
		cmocka_unit_test(file_can_be_silenced),
		cmocka_unit_test(closed_descriptor_is_refused),
		cmocka_unit_test(signals_call_back),
		cmocka_unit_test(free_accepts_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
