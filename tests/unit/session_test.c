/* A session over a transport in memory: what leaves without waiting, how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "client/incoming.h"
#include "client/session.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "tests/unit/fake_transport.h"
#include "tests/unit/loop.h"

#define STREAMS_MAX 8
#define GOT_MAX     (256 * 1024)

/* What the server's end got on one stream. */
struct got {
	struct tp_stream *s;
	uint64_t id;
	bool uni, fin, stopped;
	struct buf data;
};

struct fixture {
	struct ev *ev;
	struct tp_conn *client, *server;
	struct got got[STREAMS_MAX];
	size_t ngot;
	struct incoming *incoming;
	struct session *session;
	struct cconf conf;
	struct plan plan;
	struct stdio io;
	int std[3];             /* of the test program */
	int in_w, out_r, err_r; /* our ends of the session's standard descriptors */
	int ended, status;
	unsigned typed;
	int stopped;            /* output streams that the client did not want */
};

/* ---- the server's end -------------------------------------------------------------- */

static size_t
got_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct got *g = arg;

	(void)s;
	assert_int_equal(buf_put(&g->data, p, n), 0);
	g->fin = g->fin || fin;
	return n;
}

static void
got_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)s, (void)code;
	((struct got *)arg)->stopped = true;
}

static void
got_closed(void *arg, struct tp_stream *s)
{
	(void)s;
	((struct got *)arg)->s = NULL;
}

static const struct tp_stream_ops got_ops = {
	.data = got_data,
	.stopped = got_stopped,
	.closed = got_closed,
};

static void
server_opened(void *arg, struct tp_stream *s)
{
	struct fixture *f = arg;
	struct got *g = &f->got[f->ngot++];

	assert_true(f->ngot <= STREAMS_MAX);
	*g = (struct got){.s = s, .id = tp_stream_id(s), .uni = tp_stream_is_uni(s)};
	buf_init(&g->data, GOT_MAX);
	tp_stream_set_ops(s, &got_ops, g);
}

static const struct tp_conn_ops server_ops = {.stream_opened = server_opened};

/* NULL: the client has opened none. */
static struct got *
find_opened(struct fixture *f, bool uni)
{
	for (size_t i = 0; i < f->ngot; i++)
		if (f->got[i].uni == uni)
			return &f->got[i];
	return NULL;
}

/* The first such stream, which must be there. */
static struct got *
find(struct fixture *f, bool uni)
{
	struct got *g = find_opened(f, uni);

	if (!g) {
		fail_msg("no %s stream", uni ? "unidirectional" : "bidirectional");
		abort();
	}
	return g;
}

/* The types of the messages on the channel's stream, as hexadecimal numbers with blanks. */
static const char *
types(struct fixture *f, char *dst, size_t max)
{
	struct got *g = find_opened(f, false);
	struct rd r;

	*dst = 0;
	if (!g)
		return dst;
	rd_init(&r, buf_data(&g->data), buf_len(&g->data));
	while (r.n > 0 && !r.err) {
		uint64_t type = rd_varint(&r);
		size_t at = strlen(dst);

		rd_str(&r, WIRE_BODY_MAX);
		snprintf(dst + at, max - at, "%s%llx", at ? " " : "", (unsigned long long)type);
	}
	assert_int_equal(r.err, 0);
	return dst;
}

static void
server_says(struct fixture *f, uint64_t type, const struct buf *body)
{
	struct got *g = find(f, false);
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(wire_put_msg(&b, type, body), 0);
	assert_int_equal(tp_stream_write(g->s, buf_data(&b), buf_len(&b)), buf_len(&b));
	buf_free(&b);
}

static void
say_started(struct fixture *f, bool pty)
{
	struct wire_started m = {.pty = pty};
	struct buf b;

	buf_init(&b, 64);
	wire_put_started(&b, &m);
	server_says(f, WIRE_STARTED, &b);
	buf_free(&b);
}

static void
say_exit(struct fixture *f, uint32_t status)
{
	struct wire_exit_status m = {.status = status};
	struct buf b;

	buf_init(&b, 64);
	wire_put_exit_status(&b, &m);
	server_says(f, WIRE_EXIT_STATUS, &b);
	buf_free(&b);
}

static void
say_failure(struct fixture *f, uint64_t request)
{
	static char reason[] = "no";
	struct wire_failure m = {.request = request, .reason = reason};
	struct buf b;

	buf_init(&b, 64);
	wire_put_failure(&b, &m);
	server_says(f, WIRE_FAILURE, &b);
	buf_free(&b);
}

static void
output_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)s, (void)code;
	((struct fixture *)arg)->stopped++;
}

static const struct tp_stream_ops output_ops = {.stopped = output_stopped};

/* Opens an output stream with this content. */
static struct tp_stream *
server_output(struct fixture *f, uint64_t chan, uint64_t kind, const char *text, bool fin)
{
	struct tp_stream *s;
	struct buf b;

	assert_int_equal(tp_stream_open(f->server, true, &output_ops, f, TP_PRIO_BULK, &s), 0);
	buf_init(&b, 4096);
	buf_put_varint(&b, WIRE_UNI_DATA);
	buf_put_varint(&b, chan);
	buf_put_varint(&b, kind);
	buf_put(&b, text, strlen(text));
	assert_int_equal(tp_stream_write(s, buf_data(&b), buf_len(&b)), buf_len(&b));
	buf_free(&b);
	if (fin)
		tp_stream_fin(s);
	return s;
}

/* ---- the client's end ---------------------------------------------------------------- */

static bool
on_data_stream(void *arg, struct tp_stream *s, uint64_t chan, uint64_t kind, bool fin)
{
	struct fixture *f = arg;

	return session_take_stream(f->session, s, chan, kind, fin);
}

static void
client_opened(void *arg, struct tp_stream *s)
{
	incoming_stream(((struct fixture *)arg)->incoming, s);
}

static void
client_streams(void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(session_start(f->session, f->client), 0);
}

static const struct tp_conn_ops client_ops = {
	.stream_opened = client_opened,
	.streams_available = client_streams,
};

static void
on_ended(void *arg, int status)
{
	struct fixture *f = arg;

	f->ended++;
	f->status = status;
}

static void
on_nothing(void *arg)
{
	(void)arg;
}

static void
on_typed(void *arg)
{
	struct fixture *f = arg;

	f->typed++;
}

static const struct session_ops session_ops = {on_ended, on_nothing, on_nothing, on_typed};

static char command[] = "cmd";

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int in[2], out[2], err[2];

	*state = f;
	assert_int_equal(pipe(in) | pipe(out) | pipe(err), 0);
	for (int i = 0; i < 3; i++)
		f->std[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	dup2(in[0], 0);
	dup2(out[1], 1);
	dup2(err[1], 2);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	f->in_w = in[1];
	f->out_r = out[0];
	f->err_r = err[0];
	fd_nonblock(f->out_r);
	fd_nonblock(f->err_r);
	stdio_init(&f->io);
	f->plan = (struct plan){.session = true, .kind = WIRE_START_EXEC, .command = command};
	f->conf.escape_char = '~';
	log_set_level(LOG_L_QUIET);
	return ev_new(&f->ev);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	session_free(&f->session);
	incoming_free(&f->incoming);
	tp_conn_free(&f->client);
	tp_conn_free(&f->server);
	for (size_t i = 0; i < f->ngot; i++)
		buf_free(&f->got[i].data);
	stdio_restore(&f->io);
	ev_free(&f->ev);
	for (int i = 0; i < 3; i++) {
		dup2(f->std[i], i);
		close(f->std[i]);
	}
	fd_close(&f->in_w);
	fd_close(&f->out_r);
	fd_close(&f->err_r);
	strlist_free(&f->conf.set_env);
	free(f);
	return 0;
}

/* max: streams of each kind that the server permits. */
static void
make(struct fixture *f, uint64_t max)
{
	struct fake_limits limits, server;

	fake_limits_default(&limits);
	server = limits;
	server.max_bidi = server.max_uni = max;
	assert_int_equal(fake_pair(f->ev, &limits, &server, &f->client, &f->server), 0);
	tp_conn_set_ops(f->client, &client_ops, f);
	tp_conn_set_ops(f->server, &server_ops, f);
	fake_handshake(f->client);
	fake_handshake(f->server);
	assert_int_equal(incoming_new(&f->incoming, f->client, on_data_stream, f), 0);
	assert_int_equal(session_new(&f->session, f->ev, &f->conf, &f->plan, &f->io, &session_ops,
	    f), 0);
}

static void
start(struct fixture *f)
{
	make(f, 4);
	assert_int_equal(session_start(f->session, f->client), 0);
	loop_settle(f->ev);
}

/* What lies in a pipe. */
static const char *
drain(int fd)
{
	static char text[4096];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static void
type_in(struct fixture *f, const char *text)
{
	assert_int_equal(write(f->in_w, text, strlen(text)), strlen(text));
}

/* The input stream's content behind its header. */
static const char *
input_text(struct fixture *f)
{
	static char text[4096];
	struct got *g = find(f, true);
	struct bytes b;
	struct rd r;

	rd_init(&r, buf_data(&g->data), buf_len(&g->data));
	assert_int_equal(rd_varint(&r), WIRE_UNI_DATA);
	assert_int_equal(rd_varint(&r), find(f, false)->id);
	assert_int_equal(rd_varint(&r), WIRE_DATA_IN);
	b = rd_bytes(&r, r.n);
	assert_int_equal(r.err, 0);
	snprintf(text, sizeof(text), "%.*s", (int)b.n, (const char *)b.p);
	return text;
}

/* ---- tests ------------------------------------------------------------------------- */

/* Everything leaves before the server has said a word. */
static void
one_flight(void **state)
{
	struct fixture *f = *state;
	char t[128];

	strlist_add(&f->conf.set_env, "A=b");
	type_in(f, "first input");
	fd_close(&f->in_w);
	start(f);
	assert_string_equal(types(f, t, sizeof(t)), "40 43 44");
	assert_string_equal(input_text(f), "first input");
	assert_true(find(f, true)->fin);
	assert_int_equal(f->ended, 0);
}

static void
input_that_comes_later_waits_for_the_user_to_be_known(void **state)
{
	struct fixture *f = *state;

	start(f);
	type_in(f, "later");
	loop_settle(f->ev);
	assert_string_equal(input_text(f), "");
	session_granted(f->session);
	loop_settle(f->ev);
	assert_string_equal(input_text(f), "later");
	assert_false(find(f, true)->fin);
	fd_close(&f->in_w);
	loop_settle(f->ev);
	assert_true(find(f, true)->fin);
}

static void
no_input_with_n(void **state)
{
	struct fixture *f = *state;

	f->plan.stdin_null = true;
	type_in(f, "not read");
	start(f);
	session_granted(f->session);
	loop_settle(f->ev);
	assert_string_equal(input_text(f), "");
	assert_true(find(f, true)->fin);
	assert_string_equal(drain(0), "not read");
}

static void
a_large_request_waits_for_the_user_to_be_known(void **state)
{
	struct fixture *f = *state;
	static char large[60000];
	char t[64];

	memset(large, 'x', sizeof(large) - 1);
	f->plan.command = large;
	type_in(f, "in");
	start(f);
	assert_null(find_opened(f, false));
	session_granted(f->session);
	loop_settle(f->ev);
	assert_string_equal(types(f, t, sizeof(t)), "40 44");
	assert_string_equal(input_text(f), "in");
}

static void
streams_come_when_they_are_permitted(void **state)
{
	struct fixture *f = *state;
	char t[64];

	make(f, 0);
	assert_int_equal(session_start(f->session, f->client), QERR_AGAIN);
	session_granted(f->session);
	loop_settle(f->ev);
	assert_int_equal(f->ngot, 0);
	tp_conn_set_max_streams(f->server, 1, 1);
	loop_settle(f->ev);
	assert_string_equal(types(f, t, sizeof(t)), "40 44");
	type_in(f, "x");
	loop_settle(f->ev);
	assert_string_equal(input_text(f), "x");
}

/* The three things that end a session, in every order. */
static void
the_end_needs_status_and_both_outputs(void **state)
{
	static const char *const orders[] = {"soe", "seo", "ose", "oes", "eso", "eos"};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct fixture *f;
		char t[64];

		if (i > 0)
			assert_int_equal(setup(state), 0);
		f = *state;
		start(f);
		say_started(f, false);
		session_granted(f->session);
		loop_settle(f->ev);
		for (const char *o = orders[i]; *o; o++) {
			uint64_t chan = find(f, false)->id;

			assert_int_equal(f->ended, 0);
			assert_string_equal(types(f, t, sizeof(t)), "40 44");
			if (*o == 's')
				say_exit(f, 7);
			else
				server_output(f, chan, *o == 'o' ? WIRE_DATA_OUT : WIRE_DATA_ERR,
				    *o == 'o' ? "out" : "err", true);
			loop_settle(f->ev);
		}
		assert_int_equal(f->ended, 1);
		assert_int_equal(f->status, 7);
		assert_string_equal(types(f, t, sizeof(t)), "40 44 4a");
		assert_true(find(f, false)->fin);
		assert_string_equal(drain(f->out_r), "out");
		assert_string_equal(drain(f->err_r), "err");
		if (i + 1 < sizeof(orders) / sizeof(orders[0]))
			teardown(state);
	}
}

static void
answers_are_held_until_the_user_is_known(void **state)
{
	struct fixture *f = *state;

	start(f);
	say_started(f, false);
	say_exit(f, 3);
	server_output(f, find(f, false)->id, WIRE_DATA_OUT, "o", true);
	server_output(f, find(f, false)->id, WIRE_DATA_ERR, "", true);
	loop_settle(f->ev);
	assert_int_equal(f->ended, 0);
	session_granted(f->session);
	loop_settle(f->ev);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->status, 3);
	assert_string_equal(drain(f->out_r), "o");
}

static void
with_a_terminal_one_output_is_enough(void **state)
{
	struct fixture *f = *state;
	char t[64];

	f->plan.pty = true;
	start(f);
	assert_string_equal(types(f, t, sizeof(t)), "40 42 44");
	session_granted(f->session);
	type_in(f, "keys");
	loop_settle(f->ev);
	assert_string_equal(input_text(f), ""); /* not before there is a terminal to type to */
	say_started(f, true);
	loop_settle(f->ev);
	assert_string_equal(input_text(f), "keys");
	assert_int_equal(f->typed, 1);
	type_in(f, "\r~~~~x");
	loop_settle(f->ev);
	assert_int_equal(f->typed, 2);
	assert_string_equal(input_text(f), "keys\r~~~x");
	server_output(f, find(f, false)->id, WIRE_DATA_OUT, "screen", true);
	say_exit(f, 0);
	loop_settle(f->ev);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->status, 0);
	assert_string_equal(drain(f->out_r), "screen");
}

static void
a_refused_terminal_is_told_and_the_command_runs(void **state)
{
	struct fixture *f = *state;

	f->plan.pty = true;
	log_set_level(LOG_L_INFO);
	start(f);
	session_granted(f->session);
	say_failure(f, WIRE_PTY);
	say_started(f, false);
	loop_settle(f->ev);
	assert_string_equal(drain(f->err_r), "PTY allocation request failed on channel 0: no\n");
	assert_int_equal(f->ended, 0);
	type_in(f, "\r~~x"); /* no terminal, no escape keys */
	loop_settle(f->ev);
	assert_string_equal(input_text(f), "\r~~x");
}

static void
a_refused_start_ends_it(void **state)
{
	struct fixture *f = *state;

	log_set_level(LOG_L_INFO);
	start(f);
	session_granted(f->session);
	say_failure(f, WIRE_START);
	loop_settle(f->ev);
	assert_string_equal(drain(f->err_r), "exec request failed on channel 0: no\n");
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->status, 255);
}

static void
death_by_a_signal(void **state)
{
	struct fixture *f = *state;
	static char name[] = "TERM", text[] = "";
	struct wire_exit_signal m = {.name = name, .text = text};
	struct buf b;

	start(f);
	session_granted(f->session);
	say_started(f, false);
	buf_init(&b, 64);
	wire_put_exit_signal(&b, &m);
	server_says(f, WIRE_EXIT_SIGNAL, &b);
	buf_free(&b);
	server_output(f, find(f, false)->id, WIRE_DATA_OUT, "", true);
	server_output(f, find(f, false)->id, WIRE_DATA_ERR, "", true);
	loop_settle(f->ev);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->status, 255);
}

static void
an_end_without_a_status(void **state)
{
	struct fixture *f = *state;

	start(f);
	session_granted(f->session);
	tp_stream_fin(find(f, false)->s);
	loop_settle(f->ev);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->status, 255);
}

static void
streams_of_strangers_are_refused(void **state)
{
	struct fixture *f = *state;
	struct tp_stream *first;
	uint64_t chan;

	start(f);
	chan = find(f, false)->id;
	session_granted(f->session);
	say_started(f, false);
	server_output(f, chan + 4, WIRE_DATA_OUT, "x", false);
	server_output(f, chan, WIRE_DATA_IN, "x", false);
	server_output(f, chan, 3, "x", false);
	first = server_output(f, chan, WIRE_DATA_OUT, "good", false);
	loop_settle(f->ev);
	assert_string_equal(drain(f->out_r), "good");
	assert_int_equal(f->stopped, 3);
	server_output(f, chan, WIRE_DATA_OUT, "twice", false);
	loop_settle(f->ev);
	assert_int_equal(f->stopped, 4);
	assert_int_equal(tp_stream_write(first, "!", 1), 1);
	loop_settle(f->ev);
	assert_string_equal(drain(f->out_r), "!");
}

static void
the_reader_of_our_output_goes_away(void **state)
{
	struct fixture *f = *state;

	start(f);
	session_granted(f->session);
	say_started(f, false);
	fd_close(&f->out_r);
	server_output(f, find(f, false)->id, WIRE_DATA_OUT, "y\n", false);
	loop_settle(f->ev);
	assert_int_equal(f->stopped, 1);
	assert_int_equal(f->ended, 0);
	server_output(f, find(f, false)->id, WIRE_DATA_ERR, "", true);
	say_exit(f, 141);
	loop_settle(f->ev);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->status, 141);
}

static void
a_full_disk_is_no_success(void **state)
{
	struct fixture *f = *state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (full < 0)
		skip();
	dup2(full, 1);
	close(full);
	log_set_level(LOG_L_INFO);
	start(f);
	session_granted(f->session);
	say_started(f, false);
	server_output(f, find(f, false)->id, WIRE_DATA_OUT, "y\n", true);
	server_output(f, find(f, false)->id, WIRE_DATA_ERR, "", true);
	say_exit(f, 0);
	loop_settle(f->ev);
	assert_string_equal(drain(f->err_r),
	    "qsh: cannot write standard output: No space left on device\n");
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->status, 255);
}

/* The descriptors that others share do not stay non-blocking. */
static void
shared_descriptors_keep_their_mode(void **state)
{
	struct fixture *f = *state;

	start(f);
	session_granted(f->session);
	say_started(f, false);
	server_output(f, find(f, false)->id, WIRE_DATA_OUT, "y\n", false);
	loop_settle(f->ev);
	stdio_restore(&f->io);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fcntl(i, F_GETFL) & O_NONBLOCK, 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_flight),
		T(input_that_comes_later_waits_for_the_user_to_be_known),
		T(no_input_with_n),
		T(a_large_request_waits_for_the_user_to_be_known),
		T(streams_come_when_they_are_permitted),
		T(the_end_needs_status_and_both_outputs),
		T(answers_are_held_until_the_user_is_known),
		T(with_a_terminal_one_output_is_enough),
		T(a_refused_terminal_is_told_and_the_command_runs),
		T(a_refused_start_ends_it),
		T(death_by_a_signal),
		T(an_end_without_a_status),
		T(streams_of_strangers_are_refused),
		T(the_reader_of_our_output_goes_away),
		T(a_full_disk_is_no_success),
		T(shared_descriptors_keep_their_mode),
	};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGPIPE, &ignore, NULL);
	log_init("", LOG_L_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
