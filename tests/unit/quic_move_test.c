/* A server's sockets while its client moves: a translator between them, over real sockets, forgets
 * its binding. Until there is a socket for the new path, everything goes through the listener's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ngtcp2/ngtcp2.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/ev/ev.h"
#include "quic/quic.h"

struct world {
	struct ev *ev;
	struct ev_timer *deadline;
	struct tp_conn *cl, *sv;
	struct tp_stream *cs, *ss;
	int listener, inside, outside; /* the translator's sockets: to the client, to the server */
	struct ev_io *lio, *iio, *oio;
	struct addr server, translator, client;
	struct tp_path admitted;
	uint8_t pk[32], sk[64];
	size_t sent, echoed, back;
	unsigned steered_in, steered_out, foreign, validated, moved;
	bool late;
};

/* ---- sockets ---- */

static int
bound(struct addr *a, bool shared)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd, one = 1;

	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_true(fd >= 0);
	if (shared)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, &a->u.sa, a->len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(addr_from_sa(a, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(fd_nonblock(fd), 0);
	return fd;
}

static int
server_socket(struct world *w, const struct addr *peer)
{
	struct addr a = w->server;
	int fd = bound(&a, true);

	assert_int_equal(connect(fd, &peer->u.sa, peer->len), 0);
	return fd;
}

static ssize_t
receive(int fd, struct addr *from, uint8_t *buf, size_t n)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	ssize_t r = recvfrom(fd, buf, n, 0, (struct sockaddr *)&ss, &len);

	if (r >= 0)
		assert_int_equal(addr_from_sa(from, (struct sockaddr *)&ss, len), 0);
	return r;
}

/* ---- the translator ---- */

static void
on_inside(void *arg, int fd, unsigned what)
{
	struct world *w = arg;
	uint8_t buf[2048];
	ssize_t n = receive(fd, &w->client, buf, sizeof(buf));

	(void)what;
	if (n >= 0)
		(void)!send(w->outside, buf, (size_t)n, 0);
}

static void
on_outside(void *arg, int fd, unsigned what)
{
	struct world *w = arg;
	uint8_t buf[2048];
	struct addr from;
	ssize_t n = receive(fd, &from, buf, sizeof(buf));

	(void)what;
	if (n >= 0)
		(void)!sendto(w->inside, buf, (size_t)n, 0, &w->client.u.sa, w->client.len);
}

static void
rebind(struct world *w)
{
	struct addr a;

	ev_io_free(&w->oio);
	fd_close(&w->outside);
	assert_int_equal(addr_parse(&a, "127.0.0.1", 0), 0);
	w->outside = bound(&a, false);
	assert_int_equal(connect(w->outside, &w->server.u.sa, w->server.len), 0);
	assert_int_equal(ev_io_new(&w->oio, w->ev, w->outside, EV_RD, on_outside, w), 0);
}

/* ---- the server's surroundings ---- */

static int
host_sign(void *arg, const uint8_t *data, size_t n, uint8_t sig[64])
{
	struct world *w = arg;

	return crypto_sign_detached(sig, NULL, data, n, w->sk);
}

static void
mint(struct quic_cid *cid)
{
	cid->len = QUIC_CID_LEN;
	randombytes_buf(cid->id, sizeof(cid->id));
	randombytes_buf(cid->reset, sizeof(cid->reset));
}

static void
host_need_cids(void *arg, unsigned count)
{
	struct world *w = arg;
	struct quic_cid cid;

	while (count-- > 0) {
		mint(&cid);
		quic_server_add_cids(w->sv, &cid, 1);
	}
}

static void
host_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	struct world *w = arg;

	(void)ecn;
	w->steered_out++;
	(void)!sendto(w->listener, p, n, 0, &path->remote.u.sa, path->remote.len);
}

static void
host_foreign(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	struct world *w = arg;

	(void)ecn;
	(void)p;
	assert_true(addr_equal(&path->local, &w->server));
	assert_int_equal(n, 200);
	w->foreign++;
}

static void
host_validated(void *arg, const struct tp_path *path)
{
	struct world *w = arg;

	w->validated++;
	quic_server_set_socket(w->sv, server_socket(w, &path->remote), path);
}

static const struct tp_conn_ops server_ops;

static void
admit(struct world *w, const struct tp_path *path, const uint8_t *p, size_t n)
{
	const struct quic_server_host host = {.sign = host_sign, .need_cids = host_need_cids,
	    .send_steered = host_send, .foreign = host_foreign, .path_validated = host_validated,
	    .arg = w};
	struct quic_server_cfg cfg;
	ngtcp2_pkt_hd hd;

	if (ngtcp2_accept(&hd, p, n) != 0)
		return;
	memset(&cfg, 0, sizeof(cfg));
	cfg.path = *path;
	cfg.odcid.len = (uint8_t)hd.dcid.datalen;
	memcpy(cfg.odcid.id, hd.dcid.data, hd.dcid.datalen);
	cfg.client_scid.len = (uint8_t)hd.scid.datalen;
	memcpy(cfg.client_scid.id, hd.scid.data, hd.scid.datalen);
	mint(&cfg.scid);
	cfg.version = hd.version;
	memcpy(cfg.host_key, w->pk, sizeof(cfg.host_key));
	cfg.fd = server_socket(w, &path->remote);
	quic_limits_server(&cfg.limits);
	assert_int_equal(quic_server_new(&w->sv, w->ev, &cfg, &host, &server_ops, w), 0);
}

static void
on_listener(void *arg, int fd, unsigned what)
{
	struct world *w = arg;
	struct tp_path path;
	uint8_t buf[2048];
	ssize_t n;

	(void)what;
	path.local = w->server;
	n = receive(fd, &path.remote, buf, sizeof(buf));
	if (n <= 0)
		return;
	if (w->sv == NULL)
		admit(w, &path, buf, (size_t)n);
	else
		w->steered_in++;
	if (w->sv != NULL)
		quic_server_input(w->sv, &path, 0, buf, (size_t)n);
}

/* ---- the layer above: an echo ---- */

static size_t
server_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct world *w = arg;

	(void)fin;
	w->ss = s;
	w->echoed += n;
	assert_int_equal(tp_stream_write(s, p, n), n);
	return n;
}

static size_t
client_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct world *w = arg;
	size_t i;

	(void)s;
	(void)fin;
	for (i = 0; i < n; i++)
		assert_int_equal(p[i], (uint8_t)(w->back + i));
	w->back += n;
	if (w->back == w->sent)
		ev_stop(w->ev);
	return n;
}

static const struct tp_stream_ops server_stream = {.data = server_data};
static const struct tp_stream_ops client_stream = {.data = client_data};

static void
server_opened(void *arg, struct tp_stream *s)
{
	tp_stream_set_ops(s, &server_stream, arg);
}

static void
server_moved(void *arg, const struct tp_path *from, const struct tp_path *to)
{
	struct world *w = arg;

	assert_false(addr_equal(&from->remote, &to->remote));
	w->moved++;
}

static const struct tp_conn_ops server_ops = {
	.stream_opened = server_opened,
	.moved = server_moved,
};

static void
send_some(struct world *w)
{
	uint8_t b[100];
	size_t i;

	for (i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(w->sent + i);
	assert_int_equal(tp_stream_write(w->cs, b, sizeof(b)), sizeof(b));
	w->sent += sizeof(b);
}

static void
client_done(void *arg)
{
	struct world *w = arg;

	assert_int_equal(
	    tp_stream_open(w->cl, false, &client_stream, w, TP_PRIO_INTERACTIVE, &w->cs), 0);
	send_some(w);
}

static const struct tp_conn_ops client_ops = {.handshake_done = client_done};

static void
on_deadline(void *arg)
{
	struct world *w = arg;

	w->late = true;
	ev_stop(w->ev);
}

/* Runs until everything that was sent has come back. */
static void
until_echoed(struct world *w)
{
	ev_timer_at(w->deadline, ev_now(w->ev) + 30 * NS_PER_S);
	if (w->back != w->sent || w->sent == 0)
		assert_int_equal(ev_run(w->ev), 0);
	assert_false(w->late);
}

static void
world_init(struct world *w)
{
	struct quic_client_cfg cfg;

	memset(w, 0, sizeof(*w));
	w->outside = -1;
	assert_int_equal(quic_init(), 0);
	crypto_sign_keypair(w->pk, w->sk);
	assert_int_equal(ev_new(&w->ev), 0);
	assert_int_equal(ev_timer_new(&w->deadline, w->ev, on_deadline, w), 0);
	assert_int_equal(addr_parse(&w->server, "127.0.0.1", 0), 0);
	assert_int_equal(addr_parse(&w->translator, "127.0.0.1", 0), 0);
	w->listener = bound(&w->server, true);
	w->inside = bound(&w->translator, false);
	assert_int_equal(ev_io_new(&w->lio, w->ev, w->listener, EV_RD, on_listener, w), 0);
	assert_int_equal(ev_io_new(&w->iio, w->ev, w->inside, EV_RD, on_inside, w), 0);
	rebind(w);
	memset(&cfg, 0, sizeof(cfg));
	cfg.remote = w->translator;
	quic_limits_client(&cfg.limits);
	assert_int_equal(quic_client_new(&w->cl, w->ev, &cfg, &client_ops, w), 0);
}

static void
world_free(struct world *w)
{
	tp_conn_free(&w->cl);
	tp_conn_free(&w->sv);
	ev_io_free(&w->lio);
	ev_io_free(&w->iio);
	ev_io_free(&w->oio);
	fd_close(&w->listener);
	fd_close(&w->inside);
	fd_close(&w->outside);
	ev_timer_free(&w->deadline);
	ev_free(&w->ev);
}

static void
test_move(void **state)
{
	struct world w;
	unsigned i;

	(void)state;
	world_init(&w);
	until_echoed(&w);
	/* At home the connected socket gets and sends everything. */
	assert_int_equal(w.steered_in, 0);
	assert_int_equal(w.steered_out, 0);
	for (i = 1; i <= 3; i++) {
		rebind(&w);
		send_some(&w);
		until_echoed(&w);
		while (w.moved < i) { /* the path is validated a moment later */
			send_some(&w);
			until_echoed(&w);
		}
		assert_int_equal(w.validated, i);
		assert_true(w.steered_in > 0);
		assert_true(w.steered_out > 0);
		/* From now on the new socket does. */
		w.steered_in = w.steered_out = 0;
		send_some(&w);
		until_echoed(&w);
		send_some(&w);
		until_echoed(&w);
		assert_int_equal(w.steered_in, 0);
		assert_int_equal(w.steered_out, 0);
	}
	world_free(&w);
}

/* What arrives at a connection's socket and is not for it goes to the listener. */
static void
test_foreign(void **state)
{
	struct world w;
	uint8_t junk[200];

	(void)state;
	world_init(&w);
	until_echoed(&w);
	memset(junk, 0x41, sizeof(junk));
	assert_int_equal(send(w.outside, junk, sizeof(junk), 0), sizeof(junk));
	assert_int_equal(send(w.outside, junk, 0, 0), 0); /* empty: for nobody */
	junk[0] = 0xc1;
	assert_int_equal(send(w.outside, junk, sizeof(junk), 0), sizeof(junk));
	send_some(&w);
	until_echoed(&w);
	assert_int_equal(w.foreign, 2);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
