#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/chan/pump.h"
#include "tests/unit/fake_transport.h"
#include "tests/unit/loop.h"

#define MIB (1024 * 1024)

/* The far end of a stream: what it got and what it still has to send. */
struct far {
	struct tp_stream *s;
	uint8_t *got;
	size_t len, cap, limit; /* takes no more than limit bytes */
	bool fin, reset, stopped, closed;
	const uint8_t *send;
	size_t send_len;
	bool no_fin;
};

struct fixture {
	struct ev *ev;
	struct tp_conn *client, *server;
	struct far far;
	struct pump_out *out;
	struct pump_in *in;
	int ended; /* times that done came */
	enum pump_end why;
	bool calling;
	int in_fd;
	uint8_t *data; /* MIB pseudo-random bytes */
};

static size_t
far_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct far *f = arg;
	size_t take = n < f->limit - f->len ? n : f->limit - f->len;

	(void)s;
	assert_true(f->len + take <= f->cap);
	if (take > 0)
		memcpy(f->got + f->len, p, take);
	f->len += take;
	if (fin && take == n)
		f->fin = true;
	return take;
}

static void
far_reset(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)s;
	(void)code;
	((struct far *)arg)->reset = true;
}

static void
far_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)s;
	(void)code;
	((struct far *)arg)->stopped = true;
}

static void
far_closed(void *arg, struct tp_stream *s)
{
	struct far *f = arg;

	(void)s;
	f->closed = true;
	f->s = NULL;
}

static void
far_writable(void *arg, struct tp_stream *s)
{
	struct far *f = arg;
	ssize_t r;

	if (f->stopped)
		return;
	r = tp_stream_write(s, f->send, f->send_len);
	assert_true(r >= 0);
	f->send += r;
	f->send_len -= (size_t)r;
	if (f->send_len == 0 && !f->no_fin)
		tp_stream_fin(s);
}

static const struct tp_stream_ops far_ops = {
	.data = far_data,
	.writable = far_writable,
	.reset = far_reset,
	.stopped = far_stopped,
	.closed = far_closed,
};

static void
on_opened(void *arg, struct tp_stream *s)
{
	struct fixture *f = arg;

	f->far.s = s;
	tp_stream_set_ops(s, &far_ops, &f->far);
}

static const struct tp_conn_ops conn_ops = {
	.stream_opened = on_opened,
};

static void on_done(void *arg, enum pump_end why);

static void
on_opened_in(void *arg, struct tp_stream *s)
{
	struct fixture *f = arg;

	assert_int_equal(pump_in_new(&f->in, f->ev, f->in_fd, s, on_done, f), 0);
}

static const struct tp_conn_ops in_conn_ops = {
	.stream_opened = on_opened_in,
};

static void
on_done(void *arg, enum pump_end why)
{
	struct fixture *f = arg;

	assert_false(f->calling);
	f->ended++;
	f->why = why;
	/* Freeing from here is permitted. */
	pump_out_free(&f->out);
	pump_in_free(&f->in);
}

static bool
is_done(void *arg)
{
	return ((struct fixture *)arg)->ended > 0;
}

static bool
has_in(void *arg)
{
	struct fixture *f = arg;

	return f->in != NULL || f->ended > 0;
}

static bool
is_fin(void *arg)
{
	return ((struct fixture *)arg)->far.fin;
}

static bool
is_reset(void *arg)
{
	return ((struct fixture *)arg)->far.reset;
}

static bool
is_stopped(void *arg)
{
	return ((struct fixture *)arg)->far.stopped;
}

static bool
is_full(void *arg)
{
	struct fixture *f = arg;

	return f->far.len == f->far.limit;
}

static int
start(struct fixture **fp, const struct fake_limits *l)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint32_t x = 1;

	assert_non_null(f);
	assert_int_equal(ev_new(&f->ev), 0);
	assert_int_equal(fake_pair(f->ev, l, l, &f->client, &f->server), 0);
	tp_conn_set_ops(f->client, &conn_ops, f);
	tp_conn_set_ops(f->server, &conn_ops, f);
	f->far.cap = f->far.limit = 4 * MIB;
	f->far.got = malloc(f->far.cap);
	f->data = malloc(MIB);
	assert_non_null(f->far.got);
	assert_non_null(f->data);
	for (size_t i = 0; i < MIB; i++) {
		x = x * 1664525 + 1013904223;
		f->data[i] = (uint8_t)(x >> 24);
	}
	*fp = f;
	return 0;
}

static int
setup(void **state)
{
	struct fake_limits l;

	fake_limits_default(&l);
	return start((struct fixture **)state, &l);
}

static int
setup_big(void **state)
{
	struct fake_limits l;

	fake_limits_default(&l);
	l.conn_window = l.stream_window = l.segment = MIB;
	l.send_buffer = MIB;
	return start((struct fixture **)state, &l);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	pump_out_free(&f->out);
	pump_in_free(&f->in);
	tp_conn_free(&f->client);
	tp_conn_free(&f->server);
	ev_free(&f->ev);
	free(f->far.got);
	free(f->data);
	free(f);
	return 0;
}

/* Our stream, on which a pump_out writes. */
static struct tp_stream *
open_out(struct fixture *f)
{
	static const struct tp_stream_ops none = {0};
	struct tp_stream *s;

	assert_int_equal(tp_stream_open(f->server, true, &none, NULL, TP_PRIO_BULK, &s), 0);
	return s;
}

static void
start_out(struct fixture *f, int fd)
{
	assert_int_equal(fd_nonblock(fd), 0);
	assert_int_equal(pump_out_new(&f->out, f->ev, fd, open_out(f), on_done, f), 0);
}

/* The far end's stream that brings n bytes to a pump_in on fd. */
static void
start_in(struct fixture *f, int fd, const uint8_t *p, size_t n)
{
	assert_int_equal(fd_nonblock(fd), 0);
	f->in_fd = fd;
	f->far.send = p;
	f->far.send_len = n;
	tp_conn_set_ops(f->server, &in_conn_ops, f);
	assert_int_equal(
	    tp_stream_open(f->client, true, &far_ops, &f->far, TP_PRIO_BULK, &f->far.s), 0);
	far_writable(&f->far, f->far.s);
	assert_true(loop_until(f->ev, has_in, f));
}

static void
make_pipe(int fds[2])
{
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

/* ---- descriptor to stream ------------------------------------------------------ */

struct writer {
	int fd;
	const uint8_t *p;
	size_t n;
};

static void
feed_pipe(void *arg, int fd, unsigned what)
{
	struct writer *w = arg;
	ssize_t r = write(fd, w->p, w->n < 5000 ? w->n : 5000);

	(void)what;
	if (r > 0) {
		w->p += r;
		w->n -= (size_t)r;
	}
}

static bool
writer_done(void *arg)
{
	return ((struct writer *)arg)->n == 0;
}

static void
out_carries_all_and_ends(void **state)
{
	struct fixture *f = *state;
	struct ev_io *io;
	struct writer w = {.p = f->data, .n = MIB};
	int fds[2];

	make_pipe(fds);
	assert_int_equal(fd_nonblock(fds[1]), 0);
	start_out(f, fds[0]);
	assert_int_equal(ev_io_new(&io, f->ev, fds[1], EV_WR, feed_pipe, &w), 0);
	assert_true(loop_until(f->ev, writer_done, &w));
	ev_io_free(&io);
	close(fds[1]);
	assert_true(loop_until(f->ev, is_fin, f));
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->why, PUMP_EOF);
	assert_int_equal(f->far.len, MIB);
	assert_memory_equal(f->far.got, f->data, MIB);
}

static void
out_waits_for_the_reader(void **state)
{
	struct fixture *f = *state;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	f->far.limit = 10;
	start_out(f, fd);
	assert_true(loop_until(f->ev, is_full, f));
	loop_settle(f->ev);
	/* What is under way is bounded by window and send buffer. */
	assert_true(fake_kept(f->client) <= 32 * 1024);
	f->far.limit = 300000;
	tp_stream_resume(f->far.s);
	assert_true(loop_until(f->ev, is_full, f));
	assert_int_equal(f->ended, 0);
}

static void
out_of_a_pty_ends_with_eof(void **state)
{
	struct fixture *f = *state;
	int master, slave;
	struct termios t;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0) {
		print_message("no ptys here\n");
		skip();
	}
	assert_int_equal(tcgetattr(slave, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(slave, TCSANOW, &t), 0);
	assert_int_equal(write(slave, "bye", 3), 3);
	start_out(f, master);
	close(slave);
	assert_true(loop_until(f->ev, is_fin, f));
	assert_int_equal(f->why, PUMP_EOF);
	assert_int_equal(f->far.len, 3);
	assert_memory_equal(f->far.got, "bye", 3);
}

static void
out_drains_what_is_there(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	make_pipe(fds);
	assert_int_equal(write(fds[1], f->data, 60000), 60000);
	start_out(f, fds[0]);
	f->calling = true;
	pump_out_drain(f->out);
	f->calling = false;
	assert_true(loop_until(f->ev, is_fin, f));
	assert_int_equal(f->why, PUMP_EOF);
	assert_int_equal(f->far.len, 60000);
	assert_memory_equal(f->far.got, f->data, 60000);
	close(fds[1]);
}

static void
out_drains_not_for_ever(void **state)
{
	struct fixture *f = *state;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	start_out(f, fd);
	pump_out_drain(f->out);
	assert_true(loop_until(f->ev, is_fin, f));
	assert_true(f->far.len >= MIB && f->far.len < 2 * MIB);
}

static void
out_finishes_when_told(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	make_pipe(fds);
	start_out(f, fds[0]);
	f->calling = true;
	pump_out_finish(f->out);
	pump_out_finish(f->out);
	f->calling = false;
	assert_int_equal(f->ended, 0);
	assert_true(loop_until(f->ev, is_done, f));
	assert_true(loop_until(f->ev, is_fin, f));
	assert_int_equal(f->why, PUMP_EOF);
	assert_int_equal(f->ended, 1);
	close(fds[1]);
}

static void
out_stopped_by_the_peer(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	make_pipe(fds);
	assert_int_equal(write(fds[1], "x", 1), 1);
	f->far.limit = 1;
	start_out(f, fds[0]);
	assert_true(loop_until(f->ev, is_full, f));
	tp_stream_stop(f->far.s, TP_E_CANCELLED);
	assert_true(loop_until(f->ev, is_done, f));
	assert_int_equal(f->why, PUMP_RESET);
	assert_int_equal(write(fds[1], "x", 1), -1); /* the descriptor is closed */
	assert_int_equal(errno, EPIPE);
	close(fds[1]);
}

static void
out_freed_early_resets(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	make_pipe(fds);
	assert_int_equal(write(fds[1], "x", 1), 1);
	f->far.limit = 1;
	start_out(f, fds[0]);
	assert_true(loop_until(f->ev, is_full, f));
	pump_out_free(&f->out);
	assert_true(loop_until(f->ev, is_reset, f));
	assert_int_equal(f->ended, 0);
	close(fds[1]);
}

static void
out_ends_with_the_connection(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	make_pipe(fds);
	start_out(f, fds[0]);
	tp_conn_close(f->server, TP_OK, "");
	assert_true(loop_until(f->ev, is_done, f));
	assert_int_equal(f->why, PUMP_RESET);
	close(fds[1]);
}

static void
drop_first(void *arg, uint8_t *p, size_t *n)
{
	(void)arg;
	memmove(p, p + 1, --*n);
	for (size_t i = 0; i < *n; i++)
		p[i] = (uint8_t)(p[i] + 1);
}

static void
finish_it(void *arg, uint8_t *p, size_t *n)
{
	struct fixture *f = arg;

	(void)p;
	(void)n;
	pump_out_finish(f->out);
}

static void
out_filters(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	make_pipe(fds);
	assert_int_equal(write(fds[1], "xHAL", 4), 4);
	start_out(f, fds[0]);
	pump_out_filter(f->out, drop_first, NULL);
	f->far.limit = 3;
	assert_true(loop_until(f->ev, is_full, f));
	assert_memory_equal(f->far.got, "IBM", 3);
	pump_out_filter(f->out, finish_it, f);
	assert_int_equal(write(fds[1], "~.", 2), 2);
	assert_true(loop_until(f->ev, is_done, f));
	assert_true(loop_until(f->ev, is_fin, f));
	assert_int_equal(f->far.len, 3);
	assert_int_equal(f->why, PUMP_EOF);
	close(fds[1]);
}

static void
out_pauses(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	make_pipe(fds);
	assert_int_equal(write(fds[1], "x", 1), 1);
	start_out(f, fds[0]);
	pump_out_pause(f->out, true);
	loop_settle(f->ev);
	assert_int_equal(f->far.len, 0);
	pump_out_pause(f->out, false);
	f->far.limit = 1;
	assert_true(loop_until(f->ev, is_full, f));
	close(fds[1]);
}

/* ---- stream to descriptor ------------------------------------------------------ */

struct reader {
	int fd;
	uint8_t *got;
	size_t n;
	bool eof;
};

static void
read_pipe(void *arg, int fd, unsigned what)
{
	struct reader *r = arg;
	ssize_t n = read(fd, r->got + r->n, 3000);

	(void)what;
	if (n > 0)
		r->n += (size_t)n;
	else if (n == 0)
		r->eof = true;
}

static bool
reader_eof(void *arg)
{
	return ((struct reader *)arg)->eof;
}

static void
in_carries_all_and_closes(void **state)
{
	struct fixture *f = *state;
	struct reader r = {.got = malloc(2 * MIB)};
	struct ev_io *io;
	int fds[2];

	make_pipe(fds);
	start_in(f, fds[1], f->data, MIB);
	/* Nobody reads: what is not taken keeps its credit. */
	loop_settle(f->ev);
	assert_int_equal(f->ended, 0);
	assert_true(fake_kept(f->server) > 0);
	assert_int_equal(ev_io_new(&io, f->ev, fds[0], EV_RD, read_pipe, &r), 0);
	assert_true(loop_until(f->ev, reader_eof, &r));
	ev_io_free(&io);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->why, PUMP_EOF);
	assert_int_equal(r.n, MIB);
	assert_memory_equal(r.got, f->data, MIB);
	free(r.got);
	close(fds[0]);
}

static void
in_keeps_a_pty_open(void **state)
{
	struct fixture *f = *state;
	uint8_t b[8];
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	f->far.no_fin = true;
	start_in(f, sv[0], (const uint8_t *)"abc", 3);
	pump_in_keep_open(f->in);
	tp_stream_fin(f->far.s);
	/* on_done frees the pump, and only that closes it: nothing was shut down before */
	assert_true(loop_until(f->ev, is_done, f));
	assert_int_equal(f->why, PUMP_EOF);
	assert_int_equal(read(sv[1], b, sizeof(b)), 3);
	close(sv[1]);
}

static void
in_half_closes_a_socket(void **state)
{
	struct fixture *f = *state;
	uint8_t b[8];
	int sv[2], dup_fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	dup_fd = dup(sv[0]);
	start_in(f, sv[0], (const uint8_t *)"abc", 3);
	assert_true(loop_until(f->ev, is_done, f));
	assert_int_equal(read(sv[1], b, sizeof(b)), 3);
	assert_int_equal(read(sv[1], b, sizeof(b)), 0);
	assert_int_equal(write(sv[1], "d", 1), 1);
	assert_int_equal(read(dup_fd, b, sizeof(b)), 1);
	close(dup_fd);
	close(sv[1]);
}

static void
in_stops_the_peer_on_a_broken_pipe(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	make_pipe(fds);
	close(fds[0]);
	start_in(f, fds[1], f->data, MIB);
	assert_true(loop_until(f->ev, is_done, f));
	assert_int_equal(f->why, PUMP_ERROR);
	assert_true(loop_until(f->ev, is_stopped, f));
	loop_settle(f->ev);
	assert_true(f->far.closed);
	assert_int_equal(fake_streams(f->server), 0);
}

static void
in_reset_by_the_peer(void **state)
{
	struct fixture *f = *state;
	int fds[2];
	uint8_t b;

	make_pipe(fds);
	start_in(f, fds[1], f->data, MIB);
	tp_stream_reset(f->far.s, TP_E_CANCELLED);
	assert_true(loop_until(f->ev, is_done, f));
	assert_int_equal(f->why, PUMP_RESET);
	while (read(fds[0], &b, 1) == 1)
		;
	close(fds[0]);
}

static void
in_feeds_first(void **state)
{
	struct fixture *f = *state;
	uint8_t b[16];
	int fds[2];

	make_pipe(fds);
	f->far.no_fin = true;
	start_in(f, fds[1], (const uint8_t *)"x", 1);
	f->calling = true;
	assert_int_equal(pump_in_feed(f->in, "hello ", 6, false), 0);
	f->calling = false;
	assert_int_equal(tp_stream_write(f->far.s, "world", 5), 5);
	tp_stream_fin(f->far.s);
	assert_true(loop_until(f->ev, is_done, f));
	assert_int_equal(read(fds[0], b, sizeof(b)), 12);
	assert_memory_equal(b, "xhello world", 12);
	assert_int_equal(f->why, PUMP_EOF);
	close(fds[0]);
}

static void
in_fed_nothing_but_fin(void **state)
{
	struct fixture *f = *state;
	uint8_t b;
	int fds[2];

	make_pipe(fds);
	f->far.no_fin = true;
	start_in(f, fds[1], (const uint8_t *)"x", 1);
	f->calling = true;
	assert_int_equal(pump_in_feed(f->in, NULL, 0, true), 0);
	f->calling = false;
	assert_true(loop_until(f->ev, is_done, f));
	assert_int_equal(f->ended, 1);
	assert_int_equal(read(fds[0], &b, 1), 1);
	assert_int_equal(read(fds[0], &b, 1), 0);
	close(fds[0]);
}

struct growth {
	int fd;
	off_t last, most;
	struct fixture *f;
};

static bool
watch_growth(void *arg)
{
	struct growth *g = arg;
	struct stat st;

	assert_int_equal(fstat(g->fd, &st), 0);
	if (st.st_size - g->last > g->most)
		g->most = st.st_size - g->last;
	g->last = st.st_size;
	return g->f->ended > 0;
}

static void
in_bounds_one_round(void **state)
{
	struct fixture *f = *state;
	struct growth g = {.f = f};
	FILE *file = tmpfile();

	assert_non_null(file);
	g.fd = dup(fileno(file));
	start_in(f, dup(g.fd), f->data, MIB);
	(void)fclose(file);
	assert_true(loop_until(f->ev, watch_growth, &g));
	assert_int_equal(g.last, MIB);
	assert_true(g.most <= PUMP_ROUND);
	close(g.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn, setup_fn) cmocka_unit_test_setup_teardown(fn, setup_fn, teardown)
		T(out_carries_all_and_ends, setup),
		T(out_carries_all_and_ends, setup_big),
		T(out_waits_for_the_reader, setup),
		T(out_of_a_pty_ends_with_eof, setup),
		T(out_drains_what_is_there, setup),
		T(out_drains_not_for_ever, setup),
		T(out_finishes_when_told, setup),
		T(out_stopped_by_the_peer, setup),
		T(out_freed_early_resets, setup),
		T(out_ends_with_the_connection, setup),
		T(out_filters, setup),
		T(out_pauses, setup),
		T(in_carries_all_and_closes, setup),
		T(in_carries_all_and_closes, setup_big),
		T(in_keeps_a_pty_open, setup),
		T(in_half_closes_a_socket, setup),
		T(in_stops_the_peer_on_a_broken_pipe, setup),
		T(in_reset_by_the_peer, setup),
		T(in_feeds_first, setup),
		T(in_fed_nothing_but_fin, setup),
		T(in_bounds_one_round, setup_big),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
