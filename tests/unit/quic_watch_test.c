/* When a socket is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/fd.h"
#include "quic/user/watch.h"

#define KIB ((size_t)1024)
#define US  NS_PER_US

struct sock {
	struct ev *ev;
	struct qwatch w;
	int fd[2];
	unsigned calls, what;
};

static void
on_socket(void *arg, int fd, unsigned what)
{
	struct sock *s = arg;

	(void)fd;
	s->calls++;
	s->what = what;
	ev_stop(s->ev);
}

static void
setup(struct sock *s)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(ev_new(&s->ev), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, s->fd), 0);
	assert_int_equal(qwatch_new(&s->w, s->ev, s->fd[0], on_socket, s), 0);
}

static void
teardown(struct sock *s)
{
	qwatch_free(&s->w);
	assert_null(s->w.io);
	assert_null(s->w.later);
	fd_close(&s->fd[0]);
	fd_close(&s->fd[1]);
	ev_free(&s->ev);
}

/* It is left alone, for how short a time ever: tried again until the machine does not sleep meanwhile. */
static void
leave_alone(struct sock *s)
{
	uint64_t now;

	do {
		now = ev_now(s->ev);
		s->w.last = now - 200 * US;
		s->w.room = KIB * KIB;
		qwatch_read(&s->w, now, 64 * KIB);
	} while ((ev_io_get(s->w.io) & EV_RD) != 0);
}

static void
test_pause(void **state)
{
	(void)state;
	/* As long as 256 KiB, or a quarter of the socket's buffer, take. */
	assert_int_equal(qwatch_pause(256 * KIB, 200 * US, 4096 * KIB), 200 * US);
	assert_int_equal(qwatch_pause(128 * KIB, 100 * US, 4096 * KIB), 200 * US);
	assert_int_equal(qwatch_pause(64 * KIB, 100 * US, 256 * KIB), 100 * US);
	assert_int_equal(qwatch_pause(128 * KIB, 100 * US, 256 * KIB), 50 * US);
	/* And no longer than nobody notices. */
	assert_int_equal(qwatch_pause(64 * KIB, 900 * US, 4096 * KIB), 250 * US);
	/* What comes by and by is read at once, and so is a lone burst. */
	assert_int_equal(qwatch_pause(10 * KIB, 10 * US, 4096 * KIB), 0);
	assert_int_equal(qwatch_pause(256 * KIB, 2000 * US, 4096 * KIB), 0);
	assert_int_equal(qwatch_pause(0, 0, 4096 * KIB), 0);
}

/* Where nothing pours in it is always watched. */
static void
test_watched(void **state)
{
	struct sock s;

	(void)state;
	setup(&s);
	qwatch_read(&s.w, ev_now(s.ev), 1200);
	assert_int_equal(ev_io_get(s.w.io), EV_RD);
	qwatch_read(&s.w, ev_now(s.ev), 0);
	assert_int_equal(ev_io_get(s.w.io), EV_RD);
	assert_int_equal(write(s.fd[1], "x", 1), 1);
	assert_int_equal(ev_run(s.ev), 0);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.what, EV_RD);
	teardown(&s);
}

/* Left alone, it is read when the time is over, with or without anything there, and watched after that. */
static void
test_left_alone(void **state)
{
	struct sock s;

	(void)state;
	setup(&s);
	leave_alone(&s);
	assert_int_equal(ev_run(s.ev), 0);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.what, EV_RD);
	qwatch_read(&s.w, ev_now(s.ev), 0);
	assert_int_equal(ev_io_get(s.w.io), EV_RD);
	teardown(&s);
}

/* A full socket is told of meanwhile. */
static void
test_full(void **state)
{
	struct sock s;

	(void)state;
	setup(&s);
	leave_alone(&s);
	qwatch_full(&s.w, true);
	assert_true(qwatch_is_full(&s.w));
	assert_int_equal(ev_io_get(s.w.io), EV_WR);
	qwatch_full(&s.w, false);
	assert_false(qwatch_is_full(&s.w));
	assert_int_equal(ev_io_get(s.w.io), 0);
	qwatch_full(&s.w, true);
	qwatch_read(&s.w, ev_now(s.ev), 0);
	assert_int_equal(ev_io_get(s.w.io), EV_RD | EV_WR);
	teardown(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_watched),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
