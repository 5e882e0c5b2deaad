#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "tests/unit/net_world.h"

/* ---- the other roles ------------------------------------------------------------------- */

static void
note(struct world *w, uint16_t type, const struct rd *body)
{
	struct wseen *s = &w->seen[type];

	s->count++;
	buf_reset(&s->body);
	assert_int_equal(buf_put(&s->body, body->p, body->n), 0);
}

#define NROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ROW(type) {type, #type, 1, 0, 0, seen_##type}
#define SEEN(type) \
	static int seen_##type(void *ctx, struct rd *body, int *fds) \
	{ \
		(void)fds; \
		note(ctx, type, body); \
		return 0; \
	}
SEEN(NB_START)
SEEN(NB_WINDOW)
SEEN(NB_SIGNAL)
SEEN(NB_BREAK)
SEEN(NB_CLOSE)
static const struct ipc_row broker_rows[] = {
	ROW(NB_START), ROW(NB_WINDOW), ROW(NB_SIGNAL), ROW(NB_BREAK), ROW(NB_CLOSE),
};

SEEN(LN_SEND)
SEEN(LN_FOREIGN)
SEEN(LN_NEED_CIDS)
SEEN(LN_VALIDATED)
static const struct ipc_row listener_rows[] = {
	ROW(LN_SEND), ROW(LN_FOREIGN), ROW(LN_NEED_CIDS), ROW(LN_VALIDATED),
};

static void
answer(struct world *w)
{
	char methods[] = "publickey";
	struct smsg_auth_result m = {.methods = methods};
	struct buf b;
	int fds[2];

	if (w->manual || w->answered >= w->nanswers)
		return;
	m.code = w->answers[w->answered++];
	buf_init(&b, IPC_BODY_MAX);
	if (m.code == SMSG_AUTH_OK && !w->broker_down) {
		assert_int_equal(ipc_pair(fds), 0);
		assert_int_equal(smsg_put_session(&b, &w->limits), 0);
		assert_int_equal(ipc_send(w->monitor, MN_BROKER, &b, &fds[0], 1), 0);
		close(fds[0]);
		buf_reset(&b);
		assert_int_equal(ipc_new(&w->broker, w->ev, fds[1], broker_rows,
		    NROWS(broker_rows), w, NULL), 0);
	}
	assert_int_equal(smsg_put_auth_result(&b, &m), 0);
	assert_int_equal(ipc_send(w->monitor, MN_AUTH_RESULT, &b, NULL, 0), 0);
	buf_free(&b);
}

void
world_grant(struct world *w)
{
	answer(w);
}

static int
seen_MN_AUTH(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	note(ctx, MN_AUTH, body);
	answer(ctx);
	return 0;
}

static int
seen_MN_SIGN(void *ctx, struct rd *body, int *fds)
{
	struct world *w = ctx;
	struct smsg_blob m;
	uint8_t sig[64];
	struct buf b;

	(void)fds;
	note(w, MN_SIGN, body);
	assert_int_equal(smsg_get_blob(body, &m), 0);
	assert_int_equal(crypto_sign_detached(sig, NULL, m.data.p, m.data.n, w->host_sk), 0);
	m.data = (struct bytes){sig, sizeof(sig)};
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_blob(&b, &m), 0);
	assert_int_equal(ipc_send(w->monitor, MN_SIGNED, &b, NULL, 0), 0);
	buf_free(&b);
	return 0;
}

SEEN(MN_VALIDATED)
SEEN(MN_PATH)
SEEN(MN_LOG)
SEEN(MN_CLOSED)
SEEN(MN_LISTENER_GONE)
static const struct ipc_row monitor_rows[] = {
	ROW(MN_SIGN), ROW(MN_AUTH), ROW(MN_VALIDATED), ROW(MN_PATH), ROW(MN_LOG), ROW(MN_CLOSED),
	ROW(MN_LISTENER_GONE),
};

static void
broker_send(struct world *w, uint16_t type, struct buf *b, const int *fds, size_t nfds)
{
	assert_non_null(w->broker);
	assert_int_equal(ipc_send(w->broker, type, b, fds, nfds), 0);
	buf_free(b);
	for (size_t i = 0; i < nfds; i++)
		close(fds[i]);
}

void
world_started(struct world *w, uint64_t chan, const int *fds, size_t nfds)
{
	struct smsg_chan m = {.chan = chan};
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_chan(&b, &m), 0);
	broker_send(w, nfds == 1 ? NB_STARTED_PTY : NB_STARTED_PIPES, &b, fds, nfds);
}

void
world_exit(struct world *w, uint64_t chan, uint32_t status, const char *signal)
{
	char name[32] = "";
	struct smsg_exit m = {.chan = chan, .status = status, .signal = name};
	struct buf b;

	strncat(name, signal, sizeof(name) - 1);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_exit(&b, &m), 0);
	broker_send(w, NB_EXIT, &b, NULL, 0);
}

void
world_failed(struct world *w, uint64_t chan, const char *reason)
{
	char text[64] = "";
	struct smsg_failed m = {.chan = chan, .reason = text};
	struct buf b;

	strncat(text, reason, sizeof(text) - 1);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_failed(&b, &m), 0);
	broker_send(w, NB_FAILED, &b, NULL, 0);
}

static void
tee(void)
{
	static uint8_t p[65536];
	ssize_t n;

	while ((n = read(0, p, sizeof(p))) > 0)
		if (fd_write_all(1, p, (size_t)n) < 0 || fd_write_all(2, p, (size_t)n) < 0)
			break;
	_exit(0);
}

pid_t
world_tee(struct world *w, uint64_t chan)
{
	int in[2], out[2], err[2];
	pid_t pid;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0)
			_exit(1);
		fd_closefrom(3);
		tee();
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	world_started(w, chan, (const int[]){in[1], out[0], err[0]}, 3);
	return pid;
}

/* ---- the client --------------------------------------------------------------------------- */

static void
flush(struct wstream *s)
{
	ssize_t r;

	if (s->s == NULL)
		return;
	while (buf_len(&s->pending) > 0) {
		r = tp_stream_write(s->s, buf_data(&s->pending), buf_len(&s->pending));
		if (r <= 0)
			break;
		buf_consume(&s->pending, (size_t)r);
	}
	if (s->fin_due && buf_len(&s->pending) == 0)
		tp_stream_fin(s->s);
}

static size_t
on_data(void *arg, struct tp_stream *stream, const uint8_t *p, size_t n, bool fin)
{
	struct wstream *s = arg;

	(void)stream;
	if (s->blocked)
		return 0;
	assert_int_equal(buf_put(&s->got, p, n), 0);
	s->fin = s->fin || fin;
	return n;
}

static void
on_writable(void *arg, struct tp_stream *stream)
{
	(void)stream;
	flush(arg);
}

static void
on_reset(void *arg, struct tp_stream *stream, uint64_t code)
{
	(void)stream;
	(void)code;
	((struct wstream *)arg)->reset = true;
}

static void
on_stopped(void *arg, struct tp_stream *stream, uint64_t code)
{
	(void)stream;
	(void)code;
	((struct wstream *)arg)->stopped = true;
}

static void
on_stream_closed(void *arg, struct tp_stream *stream)
{
	struct wstream *s = arg;

	(void)stream;
	s->closed = true;
	s->s = NULL;
}

static const struct tp_stream_ops client_stream_ops = {
	.data = on_data,
	.writable = on_writable,
	.reset = on_reset,
	.stopped = on_stopped,
	.closed = on_stream_closed,
};

static struct wstream *
add_stream(struct world *w)
{
	struct wstream *s = &w->streams[w->nstreams++];

	assert_true(w->nstreams <= WORLD_STREAMS);
	s->w = w;
	buf_init(&s->got, 8 << 20);
	buf_init(&s->pending, 8 << 20);
	return s;
}

static void
on_opened(void *arg, struct tp_stream *stream)
{
	struct wstream *s = add_stream(arg);

	s->s = stream;
	s->id = tp_stream_id(stream);
	s->uni = tp_stream_is_uni(stream);
	tp_stream_set_ops(stream, &client_stream_ops, s);
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct world *w = arg;

	w->client_closed = true;
	w->why = *why;
}

static void
on_handshake_done(void *arg)
{
	((struct world *)arg)->client_ready = true;
}

static const struct tp_conn_ops client_ops = {
	.handshake_done = on_handshake_done,
	.stream_opened = on_opened,
	.closed = on_closed,
};

struct wstream *
world_open(struct world *w, bool uni)
{
	struct wstream *s = add_stream(w);

	assert_int_equal(tp_stream_open(w->client, uni, &client_stream_ops, s, TP_PRIO_CONTROL,
	    &s->s), 0);
	s->id = tp_stream_id(s->s);
	s->uni = uni;
	return s;
}

void
world_send(struct wstream *s, const void *p, size_t n)
{
	assert_int_equal(buf_put(&s->pending, p, n), 0);
	flush(s);
}

void
world_msg(struct wstream *s, uint64_t type, struct buf *body)
{
	struct buf m;

	buf_init(&m, 1 << 20);
	assert_int_equal(wire_put_msg(&m, type, body), 0);
	world_send(s, buf_data(&m), buf_len(&m));
	buf_free(&m);
	if (body != NULL)
		buf_free(body);
}

void
world_fin(struct wstream *s)
{
	s->fin_due = true;
	flush(s);
}

uint64_t
world_next(struct wstream *s, struct buf *body)
{
	uint64_t type;
	struct bytes b;
	struct rd r;

	buf_init(body, 1 << 20);
	rd_init(&r, buf_data(&s->got), buf_len(&s->got));
	type = rd_varint(&r);
	b = rd_str(&r, 1 << 20);
	if (r.err < 0)
		return UINT64_MAX;
	assert_int_equal(buf_put(body, b.p, b.n), 0);
	buf_consume(&s->got, buf_len(&s->got) - r.n);
	return type;
}

struct wstream *
world_output(struct world *w, uint64_t chan, enum wire_data_kind kind)
{
	for (size_t i = 0; i < w->nstreams; i++) {
		struct wstream *s = &w->streams[i];
		struct rd r;

		if (!s->uni || s->id % 4 != 3)
			continue;
		rd_init(&r, buf_data(&s->got), buf_len(&s->got));
		if (rd_varint(&r) == WIRE_UNI_DATA && rd_varint(&r) == chan &&
		    rd_varint(&r) == kind && r.err == 0) {
			buf_consume(&s->got, buf_len(&s->got) - r.n);
			return s;
		}
	}
	return NULL;
}

struct wstream *
world_auth(struct world *w)
{
	char user[] = "joe", service[] = WIRE_SERVICE, method[] = "publickey";
	struct wire_auth_request m = {
		.user = user,
		.service = service,
		.method = method,
		.key = {(const uint8_t *)"key", 3},
		.has_sig = true,
		.sig = {(const uint8_t *)"sig", 3},
	};
	struct wstream *s = w->nstreams > 0 && w->streams[0].id == 0 ? &w->streams[0] :
								       world_open(w, false);
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(wire_put_auth_request(&b, &m), 0);
	world_msg(s, WIRE_AUTH_REQUEST, &b);
	return s;
}

struct wstream *
world_session(struct world *w)
{
	char type[] = "session";
	struct wire_open m = {.type = type};
	struct wstream *s = world_open(w, false);
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(wire_put_open(&b, &m), 0);
	world_msg(s, WIRE_OPEN, &b);
	return s;
}

struct wstream *
world_input(struct world *w, uint64_t chan)
{
	struct wstream *s = world_open(w, true);
	struct buf b;

	buf_init(&b, 64);
	(void)buf_put_varint(&b, WIRE_UNI_DATA);
	(void)buf_put_varint(&b, chan);
	assert_int_equal(buf_put_varint(&b, WIRE_DATA_IN), 0);
	world_send(s, buf_data(&b), buf_len(&b));
	buf_free(&b);
	return s;
}

void
world_pty(struct wstream *s)
{
	char term[] = "xterm";
	struct wire_pty m = {
		.term = term,
		.cols = 80,
		.rows = 24,
		.modes = {(const uint8_t *)"\0", 1},
	};
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(wire_put_pty(&b, &m), 0);
	world_msg(s, WIRE_PTY, &b);
}

void
world_exec(struct wstream *s, const char *command)
{
	char *copy = strdup(command);
	struct wire_start m = {.kind = WIRE_START_EXEC, .command = copy};
	struct buf b;

	assert_non_null(copy);
	buf_init(&b, 1 << 20);
	assert_int_equal(wire_put_start(&b, &m), 0);
	world_msg(s, WIRE_START, &b);
	free(copy);
}

void
world_new_listener(struct world *w)
{
	int fds[2];

	ipc_free(&w->listener);
	assert_int_equal(ipc_pair(fds), 0);
	assert_int_equal(ipc_new(&w->listener, w->ev, fds[0], listener_rows,
	    NROWS(listener_rows), w, NULL), 0);
	assert_int_equal(ipc_send(w->monitor, MN_LISTENER, NULL, &fds[1], 1), 0);
	close(fds[1]);
}

void
world_roles(struct world *w, int monitor_fd, int listener_fd)
{
	assert_int_equal(ipc_new(&w->monitor, w->ev, monitor_fd, monitor_rows, NROWS(monitor_rows),
	    w, NULL), 0);
	assert_int_equal(ipc_new(&w->listener, w->ev, listener_fd, listener_rows,
	    NROWS(listener_rows), w, NULL), 0);
}

void
world_client(struct world *w)
{
	tp_conn_set_ops(w->client, &client_ops, w);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	static char user[] = "joe";

	assert_non_null(w);
	assert_int_equal(ev_new(&w->ev), 0);
	fake_limits_default(&w->client_limits);
	fake_limits_default(&w->server_limits);
	for (size_t i = 0; i < sizeof(w->seen) / sizeof(w->seen[0]); i++)
		buf_init(&w->seen[i].body, IPC_BODY_MAX);
	w->limits = (struct smsg_session){.max_sessions = 10, .user = user};
	w->limits.connection_timeout_ns = 7 * 86400 * NS_PER_S;
	w->nanswers = 1;
	w->answers[0] = SMSG_AUTH_OK;
	return w;
}

void
world_run(struct world *w)
{
	loop_settle(w->ev);
}

void
world_free(struct world **wp)
{
	struct world *w = *wp;

	*wp = NULL;
	if (w->free_net != NULL)
		w->free_net(w);
	tp_conn_free(&w->client);
	ipc_free(&w->monitor);
	ipc_free(&w->listener);
	ipc_free(&w->broker);
	for (size_t i = 0; i < w->nstreams; i++) {
		buf_free(&w->streams[i].got);
		buf_free(&w->streams[i].pending);
	}
	for (size_t i = 0; i < NROWS(w->seen); i++)
		buf_free(&w->seen[i].body);
	ev_free(&w->ev);
	free(w);
}
