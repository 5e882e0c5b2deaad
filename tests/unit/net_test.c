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
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "server/net/session.h"
#include "tests/unit/net_world.h"

#define MIB (1024 * 1024)

static int
setup(void **state)
{
	*state = world_new();
	return 0;
}

static int
teardown(void **state)
{
	world_free((struct world **)state);
	return 0;
}

/* ---- small helpers ----------------------------------------------------------------- */

static void
expect(struct wstream *s, uint64_t type)
{
	struct buf b;

	assert_int_equal(world_next(s, &b), type);
	buf_free(&b);
}

static void
expect_none(struct wstream *s)
{
	struct buf b;

	assert_true(world_next(s, &b) == UINT64_MAX);
	buf_free(&b);
}

static void
expect_failure(struct wstream *s, uint64_t request, const char *reason)
{
	struct wire_failure m;
	struct buf b;
	struct rd r;

	assert_int_equal(world_next(s, &b), WIRE_FAILURE);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(wire_get_failure(&r, &m), 0);
	assert_int_equal(m.request, request);
	assert_string_equal(m.reason, reason);
	wire_free_failure(&m);
	buf_free(&b);
}

static void
expect_exit(struct wstream *s, uint32_t status)
{
	struct wire_exit_status m;
	struct buf b;
	struct rd r;

	assert_int_equal(world_next(s, &b), WIRE_EXIT_STATUS);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(wire_get_exit_status(&r, &m), 0);
	assert_int_equal(m.status, status);
	buf_free(&b);
}

static void
expect_close(struct world *w, uint64_t code, const char *reason)
{
	struct rd r;
	struct smsg_text m;

	world_run(w);
	assert_true(w->client_closed);
	assert_int_equal(w->why.by, TP_CLOSED_APP);
	assert_string_equal(w->why.reason, reason);
	assert_int_equal(w->why.code, code);
	/* And the log learns of it. */
	assert_int_equal(w->seen[MN_CLOSED].count, 1);
	rd_init(&r, buf_data(&w->seen[MN_CLOSED].body), buf_len(&w->seen[MN_CLOSED].body));
	assert_int_equal(smsg_get_text(&r, &m), 0);
	assert_non_null(strstr(m.text, reason));
	smsg_free_text(&m);
}

/* Logged in, one session's stream with OPEN. */
static struct wstream *
login(struct world *w)
{
	struct wstream *s;

	world_start(w);
	world_auth(w);
	s = world_session(w);
	return s;
}

/* The ends of three pipes that a child would have. */
struct child {
	int in, out, err;
};

static struct child
start_pipes(struct world *w, uint64_t chan)
{
	int in[2], out[2], err[2];
	struct child c;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	world_started(w, chan, (const int[]){in[1], out[0], err[0]}, 3);
	c = (struct child){in[0], out[1], err[1]};
	assert_int_equal(fd_nonblock(c.in), 0);
	return c;
}

/* Logged in, with a command that runs. */
static struct wstream *
running(struct world *w, struct child *c)
{
	struct wstream *s = login(w);

	world_exec(s, "x");
	world_run(w);
	assert_int_equal(w->seen[NB_START].count, 1);
	*c = start_pipes(w, s->id);
	world_run(w);
	expect(s, WIRE_STARTED);
	return s;
}

static void
close_child(struct child *c)
{
	fd_close(&c->in);
	fd_close(&c->out);
	fd_close(&c->err);
}

/* ---- settings and authentication ------------------------------------------------------- */

static void
settings_come_first(void **state)
{
	struct world *w = *state;
	struct wstream *s;

	world_start(w);
	world_run(w);
	assert_int_equal(w->nstreams, 1);
	s = &w->streams[0];
	assert_true(s->uni && s->fin);
	assert_memory_equal(buf_data(&s->got), "\0", 1);
	buf_consume(&s->got, 1);
	expect(s, WIRE_SETTINGS);
	assert_int_equal(w->seen[MN_VALIDATED].count, 1);
	assert_int_equal(w->seen[LN_VALIDATED].count, 1);
}

static void
settings_wait_for_a_stream(void **state)
{
	struct world *w = *state;

	w->client_limits.max_uni = 0;
	world_start(w);
	world_run(w);
	assert_int_equal(w->nstreams, 0);
	tp_conn_set_max_streams(w->client, 0, 1);
	world_run(w);
	assert_int_equal(w->nstreams, 1);
	assert_true(w->streams[0].fin);
}

static void
auth_reaches_the_monitor(void **state)
{
	struct world *w = *state;
	struct wstream *c;
	struct smsg_auth m;
	struct rd r;

	world_start(w);
	c = world_auth(w);
	world_run(w);
	expect(c, WIRE_AUTH_OK);
	rd_init(&r, buf_data(&w->seen[MN_AUTH].body), buf_len(&w->seen[MN_AUTH].body));
	assert_int_equal(smsg_get_auth(&r, &m), 0);
	assert_string_equal(m.user, "joe");
	assert_string_equal(m.method, "publickey");
	assert_true(m.has_sig);
	assert_int_equal(m.exporter[31], 0xe0 + 'E' % 16);
	smsg_free_auth(&m);
	assert_int_equal(fake_window(w->net->conn), 48 * MIB); /* as the monitor said */
	assert_int_equal(fake_max_bidi(w->net->conn), 84);
	assert_int_equal(fake_idle(w->net->conn), 120 * NS_PER_S);
	assert_int_equal(fake_keepalive(w->net->conn), 0);
}

static void
auth_answers_one_by_one(void **state)
{
	struct world *w = *state;
	struct wstream *c;
	struct buf b;

	world_start(w);
	memcpy(w->answers, (const uint8_t[]){SMSG_AUTH_FAIL, SMSG_AUTH_PK_OK, SMSG_AUTH_PARTIAL,
	    SMSG_AUTH_OK}, 4);
	w->nanswers = 0;
	world_auth(w);
	world_auth(w);
	world_auth(w);
	world_auth(w);
	c = world_auth(w); /* needless in the end: no error */
	world_run(w);
	assert_int_equal(w->seen[MN_AUTH].count, 1);
	expect_none(c);
	w->nanswers = 4;
	/* the first answer by hand, the rest come by themselves */
	{
		char methods[] = "publickey";
		struct smsg_auth_result m = {.code = w->answers[w->answered++], .methods = methods};

		buf_init(&b, 100);
		assert_int_equal(smsg_put_auth_result(&b, &m), 0);
		assert_int_equal(ipc_send(w->monitor, MN_AUTH_RESULT, &b, NULL, 0), 0);
		buf_free(&b);
	}
	world_run(w);
	world_run(w);
	assert_int_equal(w->seen[MN_AUTH].count, 4);
	assert_int_equal(world_next(c, &b), WIRE_AUTH_FAILURE);
	buf_free(&b);
	assert_int_equal(world_next(c, &b), WIRE_AUTH_PK_OK);
	assert_memory_equal(buf_data(&b), "\3key", 4);
	buf_free(&b);
	assert_int_equal(world_next(c, &b), WIRE_AUTH_FAILURE);
	assert_int_equal(buf_data(&b)[buf_len(&b) - 1], 1); /* partial */
	buf_free(&b);
	expect(c, WIRE_AUTH_OK);
	expect_none(c);
	assert_false(w->client_closed);
}

static void
auth_ends(void **state)
{
	struct world *w = *state;

	w->answers[0] = SMSG_AUTH_END;
	world_start(w);
	world_auth(w);
	expect_close(w, TP_E_AUTH, "Too many authentication failures");
}

static void
auth_ok_without_broker(void **state)
{
	struct world *w = *state;

	w->broker_down = true;
	world_start(w);
	world_auth(w);
	expect_close(w, TP_E_INTERNAL, "the session's process could not be started");
}

static void
auth_waits_for_the_handshake(void **state)
{
	struct world *w = *state;
	struct wstream *c;

	w->no_handshake = true;
	world_start(w);
	c = world_auth(w);
	world_run(w);
	assert_int_equal(w->seen[MN_AUTH].count, 0);
	assert_int_equal(w->seen[MN_VALIDATED].count, 0);
	assert_true(w->streams[1].fin); /* but SETTINGS have left */
	fake_handshake(w->net->conn);
	world_run(w);
	expect(c, WIRE_AUTH_OK);
}

static bool
is_closed(void *arg)
{
	return ((struct world *)arg)->client_closed;
}

static void
grace_time_ends(void **state)
{
	struct world *w = *state;

	w->grace_ns = 50 * NS_PER_MS;
	world_start(w);
	assert_true(loop_until(w->ev, is_closed, w));
	expect_close(w, TP_E_TIMEOUT, "login grace time is over");
}

/* Without LoginGraceTime, a client that has vanished is not waited for. */
static void
silence_before_login_ends(void **state)
{
	struct world *w = *state;

	w->grace_ns = 0;
	world_start(w);
	assert_int_equal(fake_idle(w->net->conn), 120 * NS_PER_S);
}

static void
grace_time_stops_at_login(void **state)
{
	struct world *w = *state;
	uint64_t end;

	w->grace_ns = 300 * NS_PER_MS;
	world_start(w);
	world_auth(w);
	world_run(w);
	for (end = ev_now(w->ev) + 400 * NS_PER_MS; ev_now(w->ev) < end;)
		world_run(w);
	assert_false(w->client_closed);
}

static void
nothing_is_read_before_login(void **state)
{
	struct world *w = *state;
	struct wstream *s, *in;
	struct child c;
	uint8_t b[8];

	w->manual = true;
	world_start(w);
	world_auth(w);
	s = world_session(w);
	in = world_input(w, s->id);
	world_send(in, "hello", 5);
	world_fin(in);
	world_exec(s, "x");
	world_run(w);
	/* Held, credit and all; nothing refused. */
	assert_true(fake_kept(w->net->conn) >= 5 + 3 + 10);
	assert_false(s->reset || s->stopped || in->stopped);
	assert_int_equal(w->seen[NB_START].count, 0);
	w->manual = false;
	world_auth(w);
	{
		char methods[] = "";
		struct smsg_auth_result m = {.code = SMSG_AUTH_FAIL, .methods = methods};
		struct buf body;

		buf_init(&body, 100);
		assert_int_equal(smsg_put_auth_result(&body, &m), 0);
		assert_int_equal(ipc_send(w->monitor, MN_AUTH_RESULT, &body, NULL, 0), 0);
		buf_free(&body);
	}
	world_run(w);
	assert_int_equal(w->seen[NB_START].count, 1);
	c = start_pipes(w, s->id);
	world_run(w);
	expect(s, WIRE_STARTED);
	assert_int_equal(read(c.in, b, sizeof(b)), 5);
	assert_memory_equal(b, "hello", 5);
	assert_int_equal(read(c.in, b, sizeof(b)), 0);
	close_child(&c);
}

static void
nothing_is_judged_before_login(void **state)
{
	struct world *w = *state;
	struct wstream *u;

	w->manual = true;
	world_start(w);
	world_auth(w);
	u = world_open(w, true);
	world_send(u, "\x04", 1);
	world_run(w);
	assert_int_equal(fake_idle(w->net->conn), 120 * NS_PER_S);
	assert_false(w->client_closed);
	assert_int_equal(fake_kept(w->net->conn), 1);
	w->manual = false;
	world_grant(w);
	expect_close(w, TP_E_UNKNOWN, "unknown stream type 4");
}

static void
control_is_limited_before_login(void **state)
{
	struct world *w = *state;
	struct wstream *c;
	struct buf b;

	world_start(w);
	c = world_open(w, false);
	buf_init(&b, 1 << 20);
	assert_non_null(buf_reserve(&b, WIRE_CONTROL_MAX + 1));
	memset(buf_reserve(&b, WIRE_CONTROL_MAX + 1), 0, WIRE_CONTROL_MAX + 1);
	buf_commit(&b, WIRE_CONTROL_MAX + 1);
	world_msg(c, WIRE_AUTH_REQUEST, &b);
	expect_close(w, TP_E_LIMIT, "AUTH_REQUEST message: too large");
}

static void
control_may_not_end(void **state)
{
	struct world *w = *state;

	world_start(w);
	world_fin(world_auth(w));
	expect_close(w, TP_E_PROTOCOL, "the control stream has ended");
}

static void
banner_waits_for_the_control_stream(void **state)
{
	struct world *w = *state;
	char text[] = "be\nnice";
	struct smsg_text m = {.text = text};
	struct wstream *c;
	struct buf b;

	world_start(w);
	buf_init(&b, 100);
	assert_int_equal(smsg_put_text(&b, &m), 0);
	assert_int_equal(ipc_send(w->monitor, MN_BANNER, &b, NULL, 0), 0);
	buf_free(&b);
	world_run(w);
	c = world_auth(w);
	world_run(w);
	expect(c, WIRE_BANNER);
	expect(c, WIRE_AUTH_OK);
}

static void
monitor_ends_the_connection(void **state)
{
	struct world *w = *state;
	char reason[] = "address no longer permitted";
	struct smsg_end m = {.code = TP_E_DENIED, .reason = reason};
	struct buf b;

	world_start(w);
	buf_init(&b, 100);
	assert_int_equal(smsg_put_end(&b, &m), 0);
	assert_int_equal(ipc_send(w->monitor, MN_END, &b, NULL, 0), 0);
	buf_free(&b);
	expect_close(w, TP_E_DENIED, reason);
}

static void
monitor_dies(void **state)
{
	struct world *w = *state;

	world_start(w);
	world_run(w);
	ipc_free(&w->monitor);
	world_run(w);
	assert_true(w->client_closed);
	assert_int_equal(w->why.code, TP_E_INTERNAL);
	assert_true(w->net->failed);
}

/* The last word waits for a monitor that is slow to read. */
static void
monitor_is_busy(void **state)
{
	struct world *w = *state;
	uint8_t msg[70000];
	struct buf b;
	bool closed = false;
	int fd, i;

	world_start(w);
	world_run(w);
	fd = dup(ipc_fd(w->monitor));
	assert_true(fd >= 0);
	ipc_free(&w->monitor); /* the channel lives on in fd, and nobody reads it */
	buf_init(&b, IPC_BODY_MAX);
	assert_non_null(buf_reserve(&b, 60000));
	memset(buf_reserve(&b, 60000), 0, 60000);
	buf_commit(&b, 60000);
	for (i = 0; i < 20; i++)
		assert_int_equal(ipc_send(w->net->monitor, MN_LOG, &b, NULL, 0), 0);
	buf_free(&b);
	tp_conn_close(w->client, TP_OK, "");
	world_run(w);
	assert_true(w->net->over);
	for (i = 0; i < 1000 && !closed; i++) {
		while (recv(fd, msg, sizeof(msg), MSG_DONTWAIT) > 0)
			closed = closed || (msg[0] == 0 && msg[1] == MN_CLOSED);
		world_run(w);
	}
	assert_true(closed);
	close(fd);
}

static void
listener_dies(void **state)
{
	struct world *w = *state;
	struct wstream *s;

	world_start(w);
	ipc_free(&w->listener);
	world_run(w);
	assert_null(w->net->listener);
	lstlink_need_cids(w->net, 4);
	assert_int_equal(w->seen[MN_LISTENER_GONE].count, 1);
	s = world_auth(w);
	world_run(w);
	expect(s, WIRE_AUTH_OK);
	/* The next one is asked for what the last one did not give. */
	world_new_listener(w);
	world_run(w);
	assert_non_null(w->net->listener);
	assert_int_equal(w->seen[LN_NEED_CIDS].count, 1);
	/* That one ends as well. */
	ipc_free(&w->listener);
	world_run(w);
	assert_int_equal(w->seen[MN_LISTENER_GONE].count, 2);
}

/* ---- a session's life --------------------------------------------------------------------- */

static void
one_flight_runs_a_command(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w), *in, *out, *err;
	struct smsg_start m;
	struct child c;
	struct rd r;
	uint8_t b[8];

	world_exec(s, "echo \xc3\xa4");
	in = world_input(w, s->id);
	world_send(in, "in", 2);
	world_fin(in);
	world_run(w);
	rd_init(&r, buf_data(&w->seen[NB_START].body), buf_len(&w->seen[NB_START].body));
	assert_int_equal(smsg_get_start(&r, &m), 0);
	assert_int_equal(m.chan, s->id);
	assert_int_equal(m.kind, WIRE_START_EXEC);
	assert_string_equal(m.command, "echo \xc3\xa4");
	assert_int_equal(m.has_pty, 0);
	smsg_free_start(&m);
	c = start_pipes(w, s->id);
	assert_int_equal(write(c.out, "out", 3), 3);
	assert_int_equal(write(c.err, "err", 3), 3);
	world_run(w);
	expect(s, WIRE_STARTED);
	assert_int_equal(read(c.in, b, sizeof(b)), 2);
	assert_int_equal(read(c.in, b, sizeof(b)), 0);
	out = world_output(w, s->id, WIRE_DATA_OUT);
	err = world_output(w, s->id, WIRE_DATA_ERR);
	assert_non_null(out);
	assert_non_null(err);
	assert_memory_equal(buf_data(&out->got), "out", 3);
	assert_memory_equal(buf_data(&err->got), "err", 3);

	/* The child exits; something else holds its outputs open. */
	world_exit(w, s->id, 7, "");
	world_run(w);
	expect_exit(s, 7);
	assert_false(out->fin || err->fin);
	assert_int_equal(write(c.out, "late", 4), 4);
	close_child(&c);
	world_run(w);
	assert_true(out->fin && err->fin);
	assert_int_equal(buf_len(&out->got), 7);

	assert_int_equal(w->seen[NB_CLOSE].count, 0);
	world_msg(s, WIRE_EXIT_ACK, NULL);
	world_fin(s);
	world_run(w);
	assert_int_equal(w->seen[NB_CLOSE].count, 1);
	assert_true(s->fin && s->closed);
	assert_null(w->net->sessions);
	assert_false(w->client_closed);
}

static void
server_ends_when_unused(void **state)
{
	struct world *w = *state;
	struct wstream *s;
	struct child c;

	s = running(w, &c);
	w->net->unused_ns = 30 * NS_PER_MS;
	world_exit(w, s->id, 0, "");
	close_child(&c);
	world_run(w);
	world_msg(s, WIRE_EXIT_ACK, NULL);
	assert_true(loop_until(w->ev, is_closed, w));
	expect_close(w, TP_OK, "no session left");
}

/* UnusedConnectionTimeout also ends one that never had a session. */
static void
unused_from_the_start(void **state)
{
	struct world *w = *state;

	w->limits.unused_ns = 30 * NS_PER_MS;
	world_start(w);
	world_auth(w);
	assert_true(loop_until(w->ev, is_closed, w));
	expect_close(w, TP_E_TIMEOUT, "the connection was unused for too long");
}

/* ChannelTimeout: by type, first match; what goes through puts it off. */
static void
idle_channel(void **state)
{
	char a[] = "direct-tcpip=1", b[] = "session:comm*=1", d[] = "session:*=100";
	char *v[] = {a, b, d};
	struct world *w = *state;
	uint64_t since;
	struct child c;

	w->limits.channel_timeouts = (struct strlist){v, 3};
	running(w, &c);
	since = ev_now(w->ev);
	assert_true(loop_until(w->ev, is_closed, w));
	assert_true(ev_now(w->ev) - since >= NS_PER_S * 9 / 10);
	assert_int_equal(w->seen[NB_CLOSE].count, 1);
	expect_close(w, TP_E_TIMEOUT, "the session was idle for too long");
	close_child(&c);
	w->limits.channel_timeouts = (struct strlist){0};
}

/* Where no type matches what it runs, "session" counts; and "global" with what goes through any. */
static void
idle_by_more_than_its_type(void **state)
{
	static const char *const lists[] = {"session=1", "global=1"};
	struct world *w = *state;
	struct child c;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char text[16], *v[] = {text};
		struct strlist list = {v, 1};

		snprintf(text, sizeof(text), "%s", lists[i]);
		if (i > 0) {
			assert_int_equal(teardown(state), 0);
			assert_int_equal(setup(state), 0);
			w = *state;
		}
		w->limits.channel_timeouts = list;
		running(w, &c);
		assert_true(loop_until(w->ev, is_closed, w));
		expect_close(w, TP_E_TIMEOUT, "the session was idle for too long");
		close_child(&c);
		w->limits.channel_timeouts = (struct strlist){0};
	}
}

/* A subsystem is known by its name. */
static void
idle_subsystem(void **state)
{
	char a[] = "session:subsystem:other=none", b[] = "session:subsystem:sftp=1", *v[] = {a, b}, name[] = "sftp";
	struct wire_start start = {.kind = WIRE_START_SUBSYSTEM, .command = name};
	struct world *w = *state;
	struct wstream *s;
	struct child c;
	struct buf body;

	w->limits.channel_timeouts = (struct strlist){v, 2};
	s = login(w);
	buf_init(&body, 100);
	assert_int_equal(wire_put_start(&body, &start), 0);
	world_msg(s, WIRE_START, &body);
	world_run(w);
	assert_int_equal(w->seen[NB_START].count, 1);
	c = start_pipes(w, s->id);
	assert_true(loop_until(w->ev, is_closed, w));
	expect_close(w, TP_E_TIMEOUT, "the session was idle for too long");
	close_child(&c);
	w->limits.channel_timeouts = (struct strlist){0};
}

static bool
is_session_ended(void *arg)
{
	return ((struct world *)arg)->seen[NB_CLOSE].count > 0;
}

/* One of two that is idle ends, and the connection goes on. */
static void
idle_beside_another(void **state)
{
	char a[] = "session:command=1", *v[] = {a};
	struct world *w = *state;
	struct wstream *other;
	struct child c;

	w->limits.channel_timeouts = (struct strlist){v, 1};
	running(w, &c);
	other = world_session(w);
	world_run(w);
	assert_true(loop_until(w->ev, is_session_ended, w));
	world_run(w);
	assert_false(w->client_closed);
	assert_false(other->closed);
	close_child(&c);
	w->limits.channel_timeouts = (struct strlist){0};
}

/* Both directions are activity. */
static void
activity_is_noted(void **state)
{
	struct world *w = *state;
	struct session *session;
	struct wstream *in;
	uint64_t before;
	struct child c;

	in = world_input(w, running(w, &c)->id);
	world_run(w); /* that it begins is activity, too */
	session = w->net->sessions;
	session_note_activity(session);
	before = session->active;
	assert_int_equal(write(c.out, "out", 3), 3);
	world_run(w);
	session_note_activity(session);
	assert_true(session->active > before);
	before = session->active;
	world_send(in, "in", 2);
	world_run(w);
	session_note_activity(session);
	assert_true(session->active > before);
	close_child(&c);
}

static void
exit_by_signal(void **state)
{
	struct world *w = *state;
	struct wire_exit_signal m;
	struct wstream *s;
	struct child c;
	struct buf b;
	struct rd r;

	s = running(w, &c);
	world_exit(w, s->id, 0, "KILL");
	world_run(w);
	assert_int_equal(world_next(s, &b), WIRE_EXIT_SIGNAL);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(wire_get_exit_signal(&r, &m), 0);
	assert_string_equal(m.name, "KILL");
	wire_free_exit_signal(&m);
	buf_free(&b);
	close_child(&c);
}

/* Waits for n bytes of a channel's output. */
struct await {
	struct world *w;
	uint64_t chan;
	struct wstream *out;
	size_t n;
};

static bool
has_output(void *arg)
{
	struct await *a = arg;

	if (a->out == NULL)
		a->out = world_output(a->w, a->chan, WIRE_DATA_OUT);
	return a->out != NULL && buf_len(&a->out->got) >= a->n;
}

static void
pty_says_all_before_the_status(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w), *in, *out;
	struct await o;
	int master, slave;
	struct termios t;
	char line[16], big[3000];

	memset(big, 'b', sizeof(big));
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		skip();
	assert_int_equal(tcgetattr(slave, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(slave, TCSANOW, &t), 0);
	world_pty(s);
	world_exec(s, "");
	in = world_input(w, s->id);
	world_send(in, "ls\n", 3);
	world_run(w);
	world_started(w, s->id, &master, 1);
	world_run(w);
	expect(s, WIRE_STARTED);
	assert_int_equal(fake_idle(w->net->conn), w->limits.connection_timeout_ns);
	assert_int_equal(read(slave, line, sizeof(line)), 3);
	/* End of input does not hang the terminal up. */
	world_fin(in);
	world_run(w);
	assert_int_equal(write(slave, "still here", 10), 10);
	o = (struct await){w, s->id, NULL, 10};
	assert_true(loop_until(w->ev, has_output, &o)); /* the kernel passes it on in its time */
	out = o.out;
	assert_null(world_output(w, s->id, WIRE_DATA_ERR));
	/* The client does not read; the child writes and exits, and somebody keeps the pty
	 * open. */
	out->blocked = true;
	assert_int_equal(write(slave, big, 3000), 3000);
	world_exit(w, s->id, 3, "");
	world_run(w);
	out->blocked = false;
	tp_stream_resume(out->s);
	world_run(w);
	o.n = 3010;
	assert_true(loop_until(w->ev, has_output, &o));
	world_run(w);
	assert_true(out->fin);
	assert_int_equal(buf_len(&out->got), 3010);
	expect_exit(s, 3);
	world_msg(s, WIRE_EXIT_ACK, NULL);
	world_run(w);
	assert_int_equal(w->seen[NB_CLOSE].count, 1);
	assert_int_equal(fake_idle(w->net->conn), 120 * NS_PER_S);
	close(slave);
}

static void
status_waits_for_the_pty(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w), *out;
	int sv[2];

	/* More than buffers and windows hold, so that draining takes its time. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(fd_nonblock(sv[1]), 0);
	world_pty(s);
	world_exec(s, "");
	world_run(w);
	world_started(w, s->id, &sv[0], 1);
	world_run(w);
	out = world_output(w, s->id, WIRE_DATA_OUT);
	if (out == NULL) { /* its header has not left: no byte was there */
		assert_int_equal(write(sv[1], "x", 1), 1);
		world_run(w);
		out = world_output(w, s->id, WIRE_DATA_OUT);
	}
	assert_non_null(out);
	out->blocked = true;
	while (write(sv[1], "0123456789abcdef", 16) > 0)
		world_run(w);
	world_exit(w, s->id, 0, "");
	world_run(w);
	expect(s, WIRE_STARTED);
	expect_none(s);
	out->blocked = false;
	tp_stream_resume(out->s);
	world_run(w);
	world_run(w);
	assert_true(out->fin);
	expect_exit(s, 0);
	close(sv[1]);
}

static void
alive_options(void **state, uint64_t interval, uint32_t count, uint64_t keepalive, uint64_t idle)
{
	struct world *w = *state;

	w->limits.alive_interval_ns = interval;
	w->limits.alive_count = count;
	world_start(w);
	world_auth(w);
	world_run(w);
	assert_int_equal(fake_keepalive(w->net->conn), keepalive);
	assert_int_equal(fake_idle(w->net->conn), idle);
}

static void
alive_options_rule_idle(void **state)
{
	alive_options(state, 5 * NS_PER_S, 3, 5 * NS_PER_S, 15 * NS_PER_S);
}

/* Who is there can answer before the time is over. */
static void
one_interval_is_time_for_an_answer(void **state)
{
	alive_options(state, 9 * NS_PER_S, 1, 3 * NS_PER_S, 9 * NS_PER_S);
}

static void
long_alive_options_have_an_end(void **state)
{
	alive_options(state, 86400 * NS_PER_S, UINT32_MAX, 86400 * NS_PER_S, 3650 * 86400 * NS_PER_S);
}

/* A client says something every 25 s, of its own accord. */
static void
a_short_connection_timeout_asks(void **state)
{
	struct world *w = *state;

	w->limits.connection_timeout_ns = 6 * NS_PER_S;
	alive_options(state, 100 * NS_PER_S, 0, 2 * NS_PER_S, 6 * NS_PER_S);
}

static void
requests_wait_for_the_start(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w);
	char name[] = "INT";
	struct wire_signal sig = {.name = name};
	struct wire_window win = {.cols = 100, .rows = 30};
	struct smsg_window m;
	struct child c;
	struct buf b;
	struct rd r;

	world_exec(s, "x");
	buf_init(&b, 100);
	assert_int_equal(wire_put_window(&b, &win), 0);
	world_msg(s, WIRE_WINDOW, &b);
	buf_init(&b, 100);
	assert_int_equal(wire_put_signal(&b, &sig), 0);
	world_msg(s, WIRE_SIGNAL, &b);
	world_run(w);
	assert_int_equal(w->seen[NB_START].count, 1);
	assert_int_equal(w->seen[NB_WINDOW].count, 0);
	c = start_pipes(w, s->id);
	world_run(w);
	assert_int_equal(w->seen[NB_WINDOW].count, 1);
	assert_int_equal(w->seen[NB_SIGNAL].count, 1);
	rd_init(&r, buf_data(&w->seen[NB_WINDOW].body), buf_len(&w->seen[NB_WINDOW].body));
	assert_int_equal(smsg_get_window(&r, &m), 0);
	assert_int_equal(m.chan, s->id);
	assert_int_equal(m.cols, 100);
	buf_init(&b, 100);
	assert_int_equal(wire_put_break(&b, &(struct wire_break){.ms = 500}), 0);
	world_msg(s, WIRE_BREAK, &b);
	world_run(w);
	assert_int_equal(w->seen[NB_BREAK].count, 1);
	close_child(&c);
}

static void
start_fails(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w), *in;

	world_exec(s, "x");
	in = world_input(w, s->id);
	world_send(in, "abc", 3);
	world_run(w);
	world_failed(w, s->id, "no shell");
	world_run(w);
	expect_failure(s, WIRE_START, "no shell");
	assert_true(s->fin);
	assert_true(in->stopped);
	assert_int_equal(w->seen[NB_CLOSE].count, 0);
	assert_false(w->client_closed);
}

static void
unknown_channel_type(void **state)
{
	struct world *w = *state;
	char type[] = "tcp\n";
	struct wire_open m = {.type = type};
	struct wstream *s, *in;
	struct buf b;

	world_start(w);
	world_auth(w);
	s = world_open(w, false);
	buf_init(&b, 100);
	assert_int_equal(wire_put_open(&b, &m), 0);
	world_msg(s, WIRE_OPEN, &b);
	world_exec(s, "x"); /* was under way */
	world_run(w);
	expect_failure(s, WIRE_OPEN, "unknown channel type \"tcp\\012\"");
	assert_true(s->fin);
	assert_false(w->client_closed);
	/* And input for it is not wanted. */
	in = world_input(w, s->id);
	world_send(in, "x", 1);
	world_run(w);
	assert_true(in->stopped);
	world_fin(s);
	world_run(w);
	assert_true(s->closed);
	in = world_input(w, s->id);
	world_run(w);
	assert_true(in->stopped);
	assert_false(w->client_closed);
}

static void
sessions_are_limited(void **state)
{
	struct world *w = *state;
	struct wstream *a, *b;

	w->limits.max_sessions = 1;
	a = login(w);
	b = world_session(w);
	world_run(w);
	expect_none(a);
	expect_failure(b, WIRE_OPEN, "no more sessions permitted");
	assert_false(w->client_closed);
	/* One that is over makes room. */
	tp_stream_reset(a->s, TP_E_CANCELLED);
	world_run(w);
	b = world_session(w);
	world_exec(b, "x");
	world_run(w);
	assert_int_equal(w->seen[NB_START].count, 1);
}

static void
client_gives_up(void **state)
{
	struct world *w = *state;
	struct wstream *s;
	struct child c;
	uint8_t b;

	s = running(w, &c);
	tp_stream_reset(s->s, TP_E_CANCELLED);
	world_run(w);
	assert_int_equal(w->seen[NB_CLOSE].count, 1);
	assert_int_equal(read(c.in, &b, 1), 0);
	assert_int_equal(write(c.out, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_true(s->closed);
	close_child(&c);
}

static void
client_leaves(void **state)
{
	struct world *w = *state;
	struct child c;

	(void)running(w, &c);
	tp_conn_close(w->client, TP_OK, "bye");
	world_run(w);
	assert_int_equal(w->seen[MN_CLOSED].count, 1);
	assert_int_equal(w->seen[NB_CLOSE].count, 1);
	close_child(&c);
}

static void
late_start_of_a_closed_session(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w);
	struct child c;
	uint8_t b;

	world_exec(s, "x");
	world_run(w);
	tp_stream_reset(s->s, TP_E_CANCELLED);
	world_run(w);
	assert_int_equal(w->seen[NB_CLOSE].count, 1);
	c = start_pipes(w, s->id);
	world_exit(w, s->id, 0, "");
	world_failed(w, s->id, "x");
	world_run(w);
	assert_int_equal(read(c.in, &b, 1), 0); /* our ends are closed */
	assert_false(w->client_closed);
	close_child(&c);
}

static void
broker_dies(void **state)
{
	struct world *w = *state;
	struct child c;

	(void)running(w, &c);
	ipc_free(&w->broker);
	expect_close(w, TP_E_INTERNAL, "the session's process has ended");
	close_child(&c);
}

/* ---- data streams ----------------------------------------------------------------------------- */

static void
input_before_its_channel(void **state)
{
	struct world *w = *state;
	char type[] = "session";
	struct wire_open m = {.type = type};
	struct wstream *s, *in;
	struct child c;
	struct buf b;
	uint8_t got[8];

	world_start(w);
	world_auth(w);
	s = world_open(w, false); /* nothing of it arrives yet */
	in = world_input(w, s->id);
	world_send(in, "early", 5);
	world_fin(in);
	world_run(w);
	assert_false(in->stopped);
	buf_init(&b, 100);
	assert_int_equal(wire_put_open(&b, &m), 0);
	world_msg(s, WIRE_OPEN, &b);
	world_exec(s, "x");
	world_run(w);
	c = start_pipes(w, s->id);
	world_run(w);
	assert_int_equal(read(c.in, got, sizeof(got)), 5);
	assert_int_equal(read(c.in, got, sizeof(got)), 0);
	close_child(&c);
}

static void
input_that_is_empty(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w), *in;
	struct child c;
	uint8_t b;

	world_exec(s, "x");
	in = world_input(w, s->id);
	world_fin(in);
	world_run(w);
	c = start_pipes(w, s->id);
	world_run(w);
	assert_int_equal(read(c.in, &b, 1), 0);
	assert_false(in->stopped);
	close_child(&c);
}

static void
input_after_the_start(void **state)
{
	struct world *w = *state;
	struct wstream *s, *in;
	struct child c;
	uint8_t b[4];

	s = running(w, &c);
	in = world_input(w, s->id);
	world_run(w);
	world_send(in, "abc", 3);
	world_run(w);
	assert_int_equal(read(c.in, b, sizeof(b)), 3);
	world_fin(in);
	world_run(w);
	assert_int_equal(read(c.in, b, sizeof(b)), 0);
	close_child(&c);
}

static void
input_reset_before_the_start(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w), *in;
	struct child c;
	uint8_t b;

	world_exec(s, "x");
	in = world_input(w, s->id);
	world_run(w);
	tp_stream_reset(in->s, TP_E_CANCELLED);
	world_run(w);
	c = start_pipes(w, s->id);
	world_run(w);
	assert_int_equal(read(c.in, &b, 1), 0);
	close_child(&c);
}

static void
input_nobody_reads(void **state)
{
	struct world *w = *state;
	struct wstream *s, *in;
	struct child c;

	s = running(w, &c);
	fd_close(&c.in);
	in = world_input(w, s->id);
	world_send(in, "abc", 3);
	world_run(w);
	assert_true(in->stopped);
	assert_false(w->client_closed);
	close_child(&c);
}

static void
outputs_wait_for_streams(void **state)
{
	struct world *w = *state;
	struct wstream *s, *out, *err;
	struct child c;

	w->client_limits.max_uni = 1;
	s = running(w, &c);
	assert_int_equal(write(c.out, "o", 1), 1);
	assert_int_equal(write(c.err, "e", 1), 1);
	world_run(w);
	out = world_output(w, s->id, WIRE_DATA_OUT);
	assert_non_null(out);
	assert_null(world_output(w, s->id, WIRE_DATA_ERR));
	world_exit(w, s->id, 0, "");
	fd_close(&c.out);
	world_run(w);
	assert_true(out->fin);
	err = world_output(w, s->id, WIRE_DATA_ERR);
	assert_non_null(err);
	assert_int_equal(buf_len(&err->got), 1);
	close_child(&c);
	world_run(w);
	assert_true(err->fin);
}

static void
output_not_wanted(void **state)
{
	struct world *w = *state;
	struct wstream *s, *out;
	struct child c;

	s = running(w, &c);
	assert_int_equal(write(c.out, "o", 1), 1);
	world_run(w);
	out = world_output(w, s->id, WIRE_DATA_OUT);
	tp_stream_stop(out->s, TP_E_CANCELLED);
	world_run(w);
	assert_int_equal(write(c.out, "o", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_false(w->client_closed);
	close_child(&c);
}

/* ---- a megabyte on all three streams --------------------------------------------------------- */

struct echo {
	struct wstream *in, *out, *err;
	uint8_t *data;
};

static bool
echoed(void *arg)
{
	const struct echo *e = arg;

	return e->out->fin && e->err->fin;
}

static void
megabyte_there_and_back(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w);
	struct echo e = {.data = malloc(MIB)};
	uint32_t x = 7;
	int status;
	pid_t pid;

	assert_non_null(e.data);
	for (size_t i = 0; i < MIB; i++) {
		x = x * 1664525 + 1013904223;
		e.data[i] = (uint8_t)(x >> 24);
	}
	world_exec(s, "x");
	world_run(w);
	pid = world_tee(w, s->id);
	e.in = world_input(w, s->id);
	world_run(w);
	e.out = NULL;
	world_send(e.in, e.data, 1);
	while (e.out == NULL || e.err == NULL) {
		world_run(w);
		e.out = e.out != NULL ? e.out : world_output(w, s->id, WIRE_DATA_OUT);
		e.err = e.err != NULL ? e.err : world_output(w, s->id, WIRE_DATA_ERR);
	}
	/* First nobody reads what comes back: everything fills up, and nothing is lost. */
	e.out->blocked = e.err->blocked = true;
	world_send(e.in, e.data + 1, MIB - 1);
	world_fin(e.in);
	world_run(w);
	world_run(w);
	assert_true(buf_len(&e.in->pending) > 0);
	e.out->blocked = e.err->blocked = false;
	tp_stream_resume(e.out->s);
	tp_stream_resume(e.err->s);
	assert_true(loop_until(w->ev, echoed, &e));
	assert_int_equal(buf_len(&e.out->got), MIB);
	assert_int_equal(buf_len(&e.err->got), MIB);
	assert_memory_equal(buf_data(&e.out->got), e.data, MIB);
	assert_memory_equal(buf_data(&e.err->got), e.data, MIB);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(e.data);
}

/* ---- hostile clients ---------------------------------------------------------------------------- */

static void
env(struct wstream *s, const char *name, const char *value, size_t n)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	(void)buf_put_cstr(&b, name);
	assert_int_equal(buf_put_str(&b, value, n), 0);
	world_msg(s, WIRE_ENV, &b);
}

static void
env_goes_along(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w);
	struct smsg_start m;
	struct rd r;

	env(s, "LANG", "C", 1);
	env(s, "BAD", "\xff", 1); /* left out */
	env(s, "LC_ALL", "d\xc3\xa9", 3);
	world_exec(s, "x");
	world_run(w);
	rd_init(&r, buf_data(&w->seen[NB_START].body), buf_len(&w->seen[NB_START].body));
	assert_int_equal(smsg_get_start(&r, &m), 0);
	assert_int_equal(m.env.n, 2);
	assert_string_equal(m.env.v[0], "LANG=C");
	assert_string_equal(m.env.v[1], "LC_ALL=d\xc3\xa9");
	smsg_free_start(&m);
}

static void
env_is_counted(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w);

	for (int i = 0; i <= WIRE_ENV_COUNT; i++)
		env(s, "A", "", 0);
	expect_close(w, TP_E_LIMIT, "ENV message: too large");
}

static void
env_is_weighed(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w);
	char *big = calloc(1, 20000);

	assert_non_null(big);
	memset(big, 'x', 20000);
	env(s, "A", big, 20000);
	env(s, "B", big, 20000);
	free(big);
	expect_close(w, TP_E_LIMIT, "ENV message: too large");
}

static void
command_is_not_utf8(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w);

	world_exec(s, "echo \xe4");
	world_run(w);
	expect_failure(s, WIRE_START, "the command is not valid UTF-8");
	assert_false(w->client_closed);
	assert_int_equal(w->seen[NB_START].count, 0);
}

static void
kind_of_start_is_unknown(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w);
	struct buf b;

	buf_init(&b, 10);
	(void)buf_put_varint(&b, 9);
	(void)buf_put_cstr(&b, "x");
	world_msg(s, WIRE_START, &b);
	world_run(w);
	expect_failure(s, WIRE_START, "unknown kind of start");
}

/* Bytes on a session's stream or on a unidirectional one that end the connection. */
static const struct {
	const char *name;
	const char *after;  /* "": nothing; o: OPEN, p: PTY, s: START, r: running */
	const char *bytes;
	size_t n;
	bool uni, fin;
	uint64_t code;
	const char *reason;
} hostile[] = {
#define B(s) s, sizeof(s) - 1
	{"start before open", "", B("\x40\x44\x02\x00\x00"), false, false, TP_E_PROTOCOL,
	    "START message: not permitted now"},
	{"second open", "o", B("\x40\x40\x08\x07session"), false, false, TP_E_PROTOCOL,
	    "OPEN message: not permitted now"},
	{"second pty", "op", B("\x40\x42\x06\x00\x01\x01\x00\x00\x00"), false, false,
	    TP_E_PROTOCOL, "PTY message: not permitted now"},
	{"second start", "os", B("\x40\x44\x02\x00\x00"), false, false, TP_E_PROTOCOL,
	    "START message: not permitted now"},
	{"pty after start", "os", B("\x40\x42\x06\x00\x01\x01\x00\x00\x00"), false, false,
	    TP_E_PROTOCOL, "PTY message: not permitted now"},
	{"window before start", "o", B("\x40\x45\x04\x01\x01\x00\x00"), false, false,
	    TP_E_PROTOCOL, "WINDOW message: not permitted now"},
	{"ack before exit", "or", B("\x40\x4a\x00"), false, false, TP_E_PROTOCOL,
	    "EXIT_ACK message: not permitted now"},
	{"truncated open", "", B("\x40\x40\x03\x07se"), false, false, TP_E_PROTOCOL,
	    "OPEN message: message is truncated"},
	{"zero in a command", "o", B("\x40\x44\x05\x01\x03" "a\0b"), false, false, TP_E_PROTOCOL,
	    "START message: malformed"},
	{"bytes behind a body", "o", B("\x40\x44\x03\x00\x00\x00"), false, false, TP_E_PROTOCOL,
	    "START message: malformed"},
	{"unknown message", "o", B("\x50\x00\x00"), false, false, TP_E_UNKNOWN,
	    "unknown message type 4096"},
	{"oversized message", "o", B("\x40\x44\x80\x02\x80\x01"), false, false, TP_E_LIMIT,
	    "START message: too large"},
	{"end within a message", "o", B("\x40\x44\x05"), false, true, TP_E_PROTOCOL,
	    "a stream ends within a message"},
	{"unknown stream type", "", B("\x04"), true, false, TP_E_UNKNOWN, "unknown stream type 4"},
	{"settings from the client", "", B("\x00\x00\x00"), true, false, TP_E_PROTOCOL,
	    "a settings stream from a client"},
	{"a message of the server", "o", B("\x40\x60\x01\x01"), false, false, TP_E_PROTOCOL,
	    "STARTED message: not permitted here"},
	{"an optional one of the server", "o", B("\x21\x01\x00"), false, false, TP_E_PROTOCOL,
	    "BANNER message: not permitted here"},
	{"output from the client", "o", B("\x02\x04\x01"), true, false, TP_E_PROTOCOL,
	    "data stream 2 is of a kind that only the server sends"},
	{"input of the control stream", "o", B("\x02\x00\x00"), true, false, TP_E_PROTOCOL,
	    "data stream 2 names no channel"},
	{"input of a server's stream", "o", B("\x02\x01\x00"), true, false, TP_E_PROTOCOL,
	    "data stream 2 names no channel"},
	{"end within a header", "o", B("\x02\x04"), true, true, TP_E_PROTOCOL,
	    "data stream 2 ends within its header"},
	{"second input", "osi", B("\x02\x04\x00"), true, false, TP_E_PROTOCOL,
	    "data stream 6 is a second input of its channel"},
#undef B
};

static void
prepare(struct world *w, struct wstream *s, const char *steps, struct child *c)
{
	for (; *steps != '\0'; steps++) {
		switch (*steps) {
		case 'p':
			world_pty(s);
			break;
		case 's':
		case 'r':
			world_exec(s, "x");
			break;
		case 'i':
			world_input(w, s->id);
			break;
		default:
			break;
		}
		world_run(w);
		if (*steps == 'r')
			*c = start_pipes(w, s->id);
	}
	world_run(w);
}

static void
hostile_bytes_end_the_connection(void **state)
{
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct child c = {-1, -1, -1};
		struct world *w = *state;
		struct wstream *s, *victim;

		if (hostile[i].after[0] == 'o') {
			s = login(w);
		} else {
			world_start(w);
			world_auth(w);
			s = world_open(w, false);
		}
		prepare(w, s, hostile[i].after, &c);
		victim = hostile[i].uni ? world_open(w, true) : s;
		world_send(victim, hostile[i].bytes, hostile[i].n);
		if (hostile[i].fin)
			world_fin(victim);
		world_run(w);
		if (!w->client_closed || strcmp(w->why.reason, hostile[i].reason) != 0)
			print_error("%s: \"%s\"\n", hostile[i].name, w->why.reason);
		expect_close(w, hostile[i].code, hostile[i].reason);
		close_child(&c);
		world_free((struct world **)state);
		*state = world_new();
	}
}

static void
optional_things_are_let_pass(void **state)
{
	struct world *w = *state;
	struct wstream *s = login(w), *u;

	world_send(s, "\x50\x01\x02xy", 5); /* an odd message type */
	u = world_open(w, true);
	world_send(u, "\x05lots of it", 11); /* an odd stream type */
	world_exec(s, "x");
	world_run(w);
	assert_int_equal(w->seen[NB_START].count, 1);
	assert_true(u->stopped);
	assert_false(w->client_closed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		T(settings_come_first),
		T(settings_wait_for_a_stream),
		T(auth_reaches_the_monitor),
		T(auth_answers_one_by_one),
		T(auth_ends),
		T(auth_ok_without_broker),
		T(auth_waits_for_the_handshake),
		T(grace_time_ends),
		T(silence_before_login_ends),
		T(grace_time_stops_at_login),
		T(nothing_is_read_before_login),
		T(nothing_is_judged_before_login),
		T(control_is_limited_before_login),
		T(control_may_not_end),
		T(banner_waits_for_the_control_stream),
		T(monitor_ends_the_connection),
		T(monitor_dies),
		T(monitor_is_busy),
		T(listener_dies),
		T(one_flight_runs_a_command),
		T(server_ends_when_unused), T(unused_from_the_start), T(idle_channel),
		T(idle_by_more_than_its_type), T(idle_subsystem), T(idle_beside_another), T(activity_is_noted),
		T(exit_by_signal),
		T(pty_says_all_before_the_status),
		T(status_waits_for_the_pty),
		T(alive_options_rule_idle), T(one_interval_is_time_for_an_answer),
		T(long_alive_options_have_an_end), T(a_short_connection_timeout_asks),
		T(requests_wait_for_the_start),
		T(start_fails),
		T(unknown_channel_type),
		T(sessions_are_limited),
		T(client_gives_up),
		T(client_leaves),
		T(late_start_of_a_closed_session),
		T(broker_dies),
		T(input_before_its_channel),
		T(input_that_is_empty),
		T(input_after_the_start),
		T(input_reset_before_the_start),
		T(input_nobody_reads),
		T(outputs_wait_for_streams),
		T(output_not_wanted),
		T(megabyte_there_and_back),
		T(env_goes_along),
		T(env_is_counted),
		T(env_is_weighed),
		T(command_is_not_utf8),
		T(kind_of_start_is_unknown),
		T(hostile_bytes_end_the_connection),
		T(optional_things_are_let_pass),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
