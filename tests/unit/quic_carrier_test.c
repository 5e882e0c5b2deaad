/* Connections over byte streams: frames, and both ends over a socket pair that takes little at a time. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "quic/quic.h"
#include "quic/user/conn_int.h"
#include "quic/user/strio_int.h"
#include "tests/unit/loop.h"

#define TOTAL (2U * 1024 * 1024)

/* ---- frames ------------------------------------------------------------------------ */

static void
feed(struct qframe_rx *rx, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n > 0) {
		size_t room;
		uint8_t *to = qframe_rx_room(rx, &room);

		assert_true(room > 0);
		if (room > n)
			room = n;
		memcpy(to, from, room);
		qframe_rx_filled(rx, room);
		from += room;
		n -= room;
	}
}

static void
frames_in_pieces_of_every_size(void **state)
{
	static const uint8_t stream[] = QFRAME_HELLO "\0\1a\0\3bcd\0\2ef";
	static const char *const want[] = {"a", "bcd", "ef"};
	const size_t total = sizeof(stream) - 1;
	struct qframe_rx *rx;
	const uint8_t *p;
	size_t n, piece;

	(void)state;
	for (piece = 1; piece <= total; piece++) {
		size_t at = 0, got = 0, m;
		int r;

		assert_int_equal(qframe_rx_new(&rx), 0);
		while (at < total) {
			m = total - at < piece ? total - at : piece;
			feed(rx, stream + at, m);
			at += m;
			while ((r = qframe_rx_next(rx, &p, &n)) == 1) {
				assert_true(got < 3);
				assert_int_equal(n, strlen(want[got]));
				assert_memory_equal(p, want[got], n);
				got++;
			}
			assert_int_equal(r, 0);
		}
		assert_int_equal(got, 3);
		assert_true(qframe_rx_greeted(rx));
		qframe_rx_free(&rx);
	}
}

/* The largest frames one behind the other, in pieces that never end where a frame does. */
static void
the_largest_frames(void **state)
{
	const size_t len = QFRAME_HDR + QFRAME_MAX;
	uint8_t *stream = malloc(3 * len);
	struct qframe_rx *rx;
	const uint8_t *p;
	size_t n, i, at, m;
	unsigned got = 0;

	(void)state;
	assert_non_null(stream);
	for (i = 0; i < 3; i++) {
		qframe_put_hdr(stream + i * len, QFRAME_MAX);
		memset(stream + i * len + QFRAME_HDR, (int)('a' + i), QFRAME_MAX);
	}
	assert_int_equal(qframe_rx_new(&rx), 0);
	feed(rx, QFRAME_HELLO, QFRAME_HELLO_LEN);
	for (at = 0; at < 3 * len; at += m) {
		m = 3 * len - at < 50001 ? 3 * len - at : 50001;
		feed(rx, stream + at, m);
		while (qframe_rx_next(rx, &p, &n) == 1) {
			assert_int_equal(n, QFRAME_MAX);
			assert_int_equal(p[0], 'a' + got);
			assert_int_equal(p[n - 1], 'a' + got);
			got++;
		}
	}
	assert_int_equal(got, 3);
	qframe_rx_free(&rx);
	free(stream);
}

static void
a_frame_without_content(void **state)
{
	struct qframe_rx *rx;
	const uint8_t *p;
	size_t n;

	(void)state;
	assert_int_equal(qframe_rx_new(&rx), 0);
	feed(rx, QFRAME_HELLO "\0\0\0\1a", QFRAME_HELLO_LEN + 5);
	assert_int_equal(qframe_rx_next(rx, &p, &n), QERR_FORMAT);
	assert_int_equal(qframe_rx_next(rx, &p, &n), QERR_FORMAT);
	qframe_rx_free(&rx);
}

static void
strangers_are_named(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *server, *client;
	} rows[] = {
		{"SSH-2.0-OpenSSH_9.2\r\n", 21, "is an SSH server, not qshd", "is an SSH client"},
		{"HTTP/1.1 400 Bad Request\r\n", 26, "is a web server, not qshd", "is a web server"},
		{"GET / HTTP/1.1\r\n", 16, "is a web browser", "is a web client"},
		{"\x16\x03\1", 3, "speaks TLS, not qsh", "is a TLS client"},
		{"hello\n", 6, "does not speak qsh; it says \"hello\"", "does not speak qsh; it says \"hello\""},
	};
	char text[256];
	const uint8_t *p;
	size_t n, i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct qframe_rx *rx;

		assert_int_equal(qframe_rx_new(&rx), 0);
		assert_null(qframe_rx_stranger(rx, true, text, sizeof(text)));
		feed(rx, rows[i].text, rows[i].n);
		assert_int_equal(qframe_rx_next(rx, &p, &n), QERR_PROTO);
		assert_false(qframe_rx_greeted(rx));
		assert_false(qframe_rx_refused(rx, text, sizeof(text)));
		assert_string_equal(qframe_rx_stranger(rx, true, text, sizeof(text)), rows[i].server);
		assert_string_equal(qframe_rx_stranger(rx, false, text, sizeof(text)), rows[i].client);
		qframe_rx_free(&rx);
	}
}

/* A line is waited for as long as it may be one, and not for ever. */
static void
a_line_that_does_not_end(void **state)
{
	struct qframe_rx *rx;
	const uint8_t *p;
	size_t n, i;

	(void)state;
	assert_int_equal(qframe_rx_new(&rx), 0);
	for (i = 0; i < QFRAME_LINE_MAX - 1; i++) {
		feed(rx, "x", 1);
		assert_int_equal(qframe_rx_next(rx, &p, &n), 0);
	}
	feed(rx, "x", 1);
	assert_int_equal(qframe_rx_next(rx, &p, &n), QERR_PROTO);
	qframe_rx_free(&rx);
}

static void
a_refusal(void **state)
{
	struct qframe_rx *rx;
	char text[256];
	const uint8_t *p;
	size_t n;

	(void)state;
	assert_int_equal(qframe_rx_new(&rx), 0);
	feed(rx, "QSHF/1 too many", 15);
	assert_int_equal(qframe_rx_next(rx, &p, &n), 0);
	feed(rx, "\r\n", 2);
	assert_int_equal(qframe_rx_next(rx, &p, &n), QERR_PROTO);
	assert_true(qframe_rx_refused(rx, text, sizeof(text)));
	assert_string_equal(text, "too many");
	qframe_rx_free(&rx);
}

/* What comes behind a greeting is no refusal, whatever it looks like. */
static void
a_refusal_too_late(void **state)
{
	struct qframe_rx *rx;
	char text[256];
	const uint8_t *p;
	size_t n;

	(void)state;
	assert_int_equal(qframe_rx_new(&rx), 0);
	feed(rx, QFRAME_HELLO "QSHF/1 too many\r\n", QFRAME_HELLO_LEN + 17);
	assert_int_equal(qframe_rx_next(rx, &p, &n), 0);
	assert_true(qframe_rx_greeted(rx));
	assert_false(qframe_rx_refused(rx, text, sizeof(text)));
	qframe_rx_free(&rx);
}

/* ---- connections ----------------------------------------------------------------------- */

struct end {
	struct world *w;
	struct tp_conn *c;
	struct tp_stream *out;
	bool done, closed, fin;
	struct tp_close why;
	size_t written, taken;
	const struct tp_stream_ops *opened; /* for the second stream that the peer opens */
	size_t urgent, urgent_at;
};

struct world {
	struct ev *ev;
	struct quic_accept *accept;
	struct end cl, sv;
	uint8_t pk[32], sk[64];
	int fds[2];           /* the client's, the server's */
	char refused[256];    /* what the accepting side said */
};

static uint8_t
content(const struct end *e, size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) + (e == &e->w->cl));
}

static void
write_more(void *arg, struct tp_stream *s)
{
	struct end *e = arg;
	size_t n, i;
	uint8_t *p;

	while (e->written < TOTAL) {
		n = TOTAL - e->written;
		p = tp_stream_reserve(s, &n);
		if (p == NULL)
			return;
		for (i = 0; i < n; i++)
			p[i] = content(e, e->written + i);
		tp_stream_commit(s, n);
		e->written += n;
	}
	tp_stream_fin(s);
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct end *e = arg, *peer = e == &e->w->cl ? &e->w->sv : &e->w->cl;
	size_t i;

	(void)s;
	for (i = 0; i < n; i++)
		assert_int_equal(p[i], content(peer, e->taken + i));
	e->taken += n;
	e->fin = e->fin || fin;
	return n;
}

static const struct tp_stream_ops stream_ops = {.data = on_data, .writable = write_more};

static void
on_opened(void *arg, struct tp_stream *s)
{
	struct end *e = arg;

	tp_stream_set_ops(s, e->opened != NULL && tp_stream_id(s) / 4 == 1 ? e->opened : &stream_ops, arg);
}

static void
on_done(void *arg)
{
	struct end *e = arg;

	e->done = true;
	tp_conn_set_window(e->c, UINT64_C(8) << 20);
	if (tp_stream_open(e->c, true, &stream_ops, e, TP_PRIO_BULK, &e->out) == 0)
		write_more(e, e->out);
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct end *e = arg;

	e->closed = true;
	e->why = *why;
	tp_conn_free(&e->c);
}

static const struct tp_conn_ops conn_ops = {
	.handshake_done = on_done, .stream_opened = on_opened, .closed = on_closed};

static int
host_sign(void *arg, const uint8_t *data, size_t n, uint8_t sig[64])
{
	struct world *w = arg;

	return crypto_sign_detached(sig, NULL, data, n, w->sk) == 0 ? 0 : QERR_CRYPTO;
}

static void
on_accepted(void *arg, struct tp_conn *c, const char *why)
{
	struct end *e = arg;

	e->c = c;
	if (c == NULL)
		snprintf(e->w->refused, sizeof(e->w->refused), "%s", why);
	quic_accept_free(&e->w->accept);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int small = 4096, i;

	assert_non_null(w);
	w->cl.w = w->sv.w = w;
	assert_int_equal(quic_init(), 0);
	crypto_sign_keypair(w->pk, w->sk);
	assert_int_equal(ev_new(&w->ev), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w->fds), 0);
	/* Less than a packet: every one leaves in parts. */
	for (i = 0; i < 2; i++)
		assert_int_equal(
		    setsockopt(w->fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	tp_conn_free(&w->cl.c);
	tp_conn_free(&w->sv.c);
	quic_accept_free(&w->accept);
	fd_close(&w->fds[0]);
	fd_close(&w->fds[1]);
	ev_free(&w->ev);
	free(w);
	return 0;
}

static void
start_client(struct world *w)
{
	struct quic_carrier via = {.kind = QUIC_CARRIER_COMMAND, .in = w->fds[0]};
	struct quic_client_cfg cfg = {.sni = NULL};

	quic_limits_client(&cfg.limits);
	via.out = via.in;
	w->fds[0] = -1;
	assert_int_equal(
	    quic_client_stream_new(&w->cl.c, w->ev, &cfg, &via, &conn_ops, &w->cl), 0);
}

static void
start_server(struct world *w)
{
	struct quic_carrier via = {.kind = QUIC_CARRIER_STDIO, .in = w->fds[1]};
	const struct quic_server_host host = {.sign = host_sign, .arg = w};
	struct quic_server_cfg cfg = {.fd = -1};

	quic_limits_server(&cfg.limits);
	memcpy(cfg.host_key, w->pk, sizeof(cfg.host_key));
	cfg.scid.len = QUIC_CID_LEN;
	randombytes_buf(cfg.scid.id, cfg.scid.len);
	via.out = via.in;
	w->fds[1] = -1;
	assert_int_equal(quic_accept_new(&w->accept, w->ev, &cfg, &via, &host, &conn_ops,
			     on_accepted, &w->sv), 0);
}

static bool
both_have_all(void *arg)
{
	struct world *w = arg;

	return (w->cl.fin && w->sv.fin) || w->cl.closed || w->sv.closed;
}

static bool
client_is_over(void *arg)
{
	struct world *w = arg;

	return w->cl.closed;
}

static bool
both_are_over(void *arg)
{
	struct world *w = arg;

	return w->cl.closed && w->sv.closed;
}

static bool
is_refused(void *arg)
{
	struct world *w = arg;

	return w->refused[0] != '\0';
}

static bool
both_are_done(void *arg)
{
	struct world *w = arg;

	return w->cl.done && w->sv.done;
}

static void
data_both_ways(void **state)
{
	struct world *w = *state;
	struct tp_stats st;

	start_server(w);
	start_client(w);
	assert_true(loop_until(w->ev, both_have_all, w));
	assert_false(w->cl.closed || w->sv.closed);
	assert_int_equal(w->cl.taken, TOTAL);
	assert_int_equal(w->sv.taken, TOTAL);
	tp_conn_stats(w->cl.c, &st);
	assert_string_equal(st.carrier, "ProxyCommand");
	assert_int_equal(st.path.remote.len, 0);
	assert_true(st.pmtu > 1452);
	assert_int_equal(st.pkts_lost, 0);
	assert_true(st.cwnd >= UINT64_C(1) << 24); /* the stream's own congestion control decides */
	tp_conn_stats(w->sv.c, &st);
	assert_int_equal(st.pkts_lost, 0);
	tp_conn_close(w->cl.c, TP_OK, "bye");
	assert_true(loop_until(w->ev, both_are_over, w));
	assert_int_equal(w->sv.why.by, TP_CLOSED_APP);
	assert_string_equal(w->sv.why.reason, "bye");
}

static size_t
on_urgent(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct end *e = arg;

	(void)s;
	(void)p;
	(void)fin;
	e->urgent_at = e->taken;
	e->urgent += n;
	return n;
}

static const struct tp_stream_ops urgent_ops = {.data = on_urgent};

static bool
urgent_is_there(void *arg)
{
	struct world *w = arg;

	return w->sv.urgent > 0 || w->cl.closed || w->sv.closed;
}

static bool
some_has_come(void *arg)
{
	struct world *w = arg;

	return w->sv.taken > 100000 || w->cl.closed || w->sv.closed;
}

/* What is urgent waits for what the stream has taken and for two packets, not for the bulk that was written before it. */
static void
urgent_data_overtakes(void **state)
{
	struct world *w = *state;
	struct tp_stream *s;
	size_t before;

	w->sv.opened = &urgent_ops;
	start_server(w);
	start_client(w);
	assert_true(loop_until(w->ev, some_has_come, w));
	assert_true(w->cl.written < TOTAL); /* there is more than the buffers take */
	before = w->sv.taken;
	assert_int_equal(tp_stream_open(w->cl.c, true, &stream_ops, &w->cl, TP_PRIO_INTERACTIVE, &s), 0);
	assert_int_equal(tp_stream_write(s, (const uint8_t *)"key", 3), 3);
	assert_true(loop_until(w->ev, urgent_is_there, w));
	assert_int_equal(w->sv.urgent, 3);
	assert_true(w->sv.urgent_at - before <= 4 * STRIO_PACKET);
	/* It has left, and is not to be repeated: nothing of it is lost. */
	assert_int_equal(s->out.newest, 0);
	assert_null(s->rlink);
}

/* The other side reads what was written last although it has sent what nobody has read. */
static void
the_last_word_arrives(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM, 0), a = socket(AF_INET, SOCK_STREAM, 0), b;
	char junk[5000] = {0}, text[16];

	(void)state;
	assert_int_equal(bind(l, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(connect(a, (struct sockaddr *)&sin, len), 0);
	b = accept(l, NULL, NULL);
	assert_true(b >= 0);
	assert_int_equal(fd_nonblock(b), 0);
	assert_int_equal(write(a, junk, sizeof(junk)), sizeof(junk));
	assert_int_equal(write(b, "why", 3), 3);
	strio_linger(b, 0);
	fd_close(&b);
	assert_int_equal(read(a, text, sizeof(text)), 3);
	assert_int_equal(read(a, text, sizeof(text)), 0); /* not a reset */
	fd_close(&a);
	fd_close(&l);
}

/* The stream ends under a connection in the midst of things. */
static void
the_stream_ends(void **state)
{
	struct world *w = *state;

	start_server(w);
	start_client(w);
	assert_true(loop_until(w->ev, both_are_done, w));
	tp_conn_free(&w->sv.c);
	assert_true(loop_until(w->ev, client_is_over, w));
	assert_int_equal(w->cl.why.by, TP_CLOSED_CARRIER);
	assert_non_null(strstr(w->cl.why.reason, "the ProxyCommand"));
}

static void
an_ssh_server_there(void **state)
{
	struct world *w = *state;

	assert_int_equal(write(w->fds[1], "SSH-2.0-x\r\n", 11), 11);
	start_client(w);
	assert_true(loop_until(w->ev, client_is_over, w));
	assert_int_equal(w->cl.why.by, TP_CLOSED_CARRIER);
	assert_string_equal(w->cl.why.reason, "what answers there is an SSH server, not qshd");
}

static void
a_full_server_there(void **state)
{
	struct world *w = *state;

	assert_int_equal(write(w->fds[1], "QSHF/1 too many\r\n", 17), 17);
	start_client(w);
	assert_true(loop_until(w->ev, client_is_over, w));
	assert_int_equal(w->cl.why.by, TP_CLOSED_REFUSED);
	assert_true(w->cl.why.remote);
}

static void
strangers_at_the_server(void **state)
{
	static const struct {
		const char *text, *why;
		size_t n;
	} rows[] = {
		{"SSH-2.0-x\r\n", "what has connected is an SSH client", 11},
		{QFRAME_HELLO "\0\0", "it sent a frame without content", 10},
		{QFRAME_HELLO "\0\5hello", "its first packet is none that begins a connection", 15},
		{"", "it was closed before anything came", 0},
	};
	struct world *w = *state;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fd_close(&w->fds[0]);
		fd_close(&w->fds[1]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w->fds), 0);
		w->refused[0] = '\0';
		start_server(w);
		assert_int_equal(write(w->fds[0], rows[i].text, rows[i].n), rows[i].n);
		assert_int_equal(shutdown(w->fds[0], SHUT_WR), 0);
		assert_true(loop_until(w->ev, is_refused, w));
		assert_string_equal(w->refused, rows[i].why);
		assert_null(w->accept);
	}
}

#define CONN(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_in_pieces_of_every_size),
		cmocka_unit_test(the_largest_frames),
		cmocka_unit_test(a_frame_without_content),
		cmocka_unit_test(strangers_are_named),
		cmocka_unit_test(a_line_that_does_not_end),
		cmocka_unit_test(a_refusal),
		cmocka_unit_test(a_refusal_too_late),
		cmocka_unit_test(the_last_word_arrives),
		CONN(data_both_ways),
		CONN(urgent_data_overtakes),
		CONN(the_stream_ends),
		CONN(an_ssh_server_there),
		CONN(a_full_server_there),
		CONN(strangers_at_the_server),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the programs do */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
