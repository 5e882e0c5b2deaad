/* Client and server over real UDP sockets on loopback. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/ev/ev.h"
#include "quic/quic.h"
#include "quic/user/conn_int.h"

#define TOTAL (8U * 1024 * 1024)

/* One end, as the layer above. */
struct end {
	struct world *w;
	const char *name;
	struct tp_conn *c;
	bool early, done, closed;
	struct tp_close why;
	struct tp_stream *out; /* the stream that it sends on */
	size_t written, taken;
	bool fin, acked;
	crypto_generichash_state hash;
	uint8_t rnd; /* content */
};

struct world {
	struct ev *ev;
	struct ev_timer *deadline;
	struct end cl, sv;
	int lfd; /* the server's socket until a client is known */
	struct ev_io *lio;
	bool by_listener; /* no connected socket: everything goes through lfd */
	uint8_t pk[32], sk[64];
	unsigned signs;
	unsigned foreign;
	struct addr local;
	bool late;
	bool idle; /* nothing is sent on streams */
};

static uint8_t
content(const struct end *e, size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) + e->rnd);
}

static void
write_more(struct end *e)
{
	uint8_t *p;
	size_t n, i;

	while (e->written < TOTAL) {
		n = TOTAL - e->written;
		p = tp_stream_reserve(e->out, &n);
		if (p == NULL)
			return;
		for (i = 0; i < n; i++)
			p[i] = content(e, e->written + i);
		tp_stream_commit(e->out, n);
		e->written += n;
	}
	tp_stream_fin(e->out);
}

static void
on_writable(void *arg, struct tp_stream *s)
{
	(void)s;
	write_more(arg);
}

static void
on_acked(void *arg, struct tp_stream *s)
{
	struct end *e = arg;

	(void)s;
	e->acked = true;
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct end *e = arg, *peer = e == &e->w->cl ? &e->w->sv : &e->w->cl;
	size_t i;

	(void)s;
	for (i = 0; i < n; i++) {
		if (p[i] != content(peer, e->taken + i))
			fail_msg("%s: wrong byte at %zu", e->name, e->taken + i);
	}
	e->taken += n;
	if (fin)
		e->fin = true;
	if (e->w->cl.fin && e->w->sv.fin)
		tp_conn_close(e->w->cl.c, TP_OK, "bye");
	return n;
}

static const struct tp_stream_ops stream_ops = {
	.data = on_data,
	.writable = on_writable,
	.acked = on_acked,
};

static void
on_stream(void *arg, struct tp_stream *s)
{
	struct end *e = arg;

	tp_stream_set_ops(s, &stream_ops, e);
	if (e->out == NULL && !tp_stream_is_uni(s)) {
		e->out = s;
		write_more(e);
	}
}

static void
on_done(void *arg)
{
	struct end *e = arg;
	uint8_t key[32];

	e->done = true;
	if (e == &e->w->cl && !e->w->idle) {
		assert_int_equal(tp_conn_peer_key(e->c, key), 0);
		assert_memory_equal(key, e->w->pk, 32);
		assert_int_equal(
		    tp_stream_open(e->c, false, &stream_ops, e, TP_PRIO_BULK, &e->out), 0);
		write_more(e);
	}
}

static void
on_early(void *arg)
{
	struct end *e = arg;

	e->early = true;
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct end *e = arg;

	e->closed = true;
	e->why = *why;
	if (e->w->cl.closed && (e->w->sv.closed || e->w->sv.c == NULL))
		ev_stop(e->w->ev);
}

static const struct tp_conn_ops conn_ops = {
	.handshake_done = on_done,
	.early_data_ok = on_early,
	.stream_opened = on_stream,
	.closed = on_closed,
};

/* ---- the server's surroundings ---- */

static int
host_sign(void *arg, const uint8_t *data, size_t n, uint8_t sig[64])
{
	struct world *w = arg;

	assert_true(n == 130 || n == 146);
	w->signs++;
	crypto_sign_detached(sig, NULL, data, n, w->sk);
	return 0;
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
	struct quic_cid v[64];
	unsigned i;

	for (i = 0; i < count; i++)
		mint(&v[i]);
	quic_server_add_cids(w->sv.c, v, count);
}

static void
host_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	struct world *w = arg;

	(void)ecn;
	(void)!sendto(w->lfd, p, n, 0, &path->remote.u.sa, path->remote.len);
}

static void
host_foreign(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	struct world *w = arg;

	(void)path;
	(void)ecn;
	(void)p;
	(void)n;
	w->foreign++;
}

static void
accept_conn(struct world *w, const struct addr *from, const uint8_t *p, size_t n)
{
	struct quic_server_host host = {.sign = host_sign, .need_cids = host_need_cids,
	    .send_steered = host_send, .foreign = host_foreign, .arg = w};
	struct quic_server_cfg cfg;
	ngtcp2_pkt_hd hd;

	memset(&cfg, 0, sizeof(cfg));
	assert_int_equal(ngtcp2_accept(&hd, p, n), 0);
	cfg.path.local = w->local;
	cfg.path.remote = *from;
	cfg.odcid.len = (uint8_t)hd.dcid.datalen;
	memcpy(cfg.odcid.id, hd.dcid.data, hd.dcid.datalen);
	cfg.client_scid.len = (uint8_t)hd.scid.datalen;
	memcpy(cfg.client_scid.id, hd.scid.data, hd.scid.datalen);
	mint(&cfg.scid);
	cfg.version = hd.version;
	memcpy(cfg.host_key, w->pk, 32);
	cfg.fd = -1;
	if (!w->by_listener) {
		ev_io_free(&w->lio);
		assert_int_equal(connect(w->lfd, &from->u.sa, from->len), 0);
		cfg.fd = w->lfd;
		w->lfd = -1;
	}
	quic_limits_server(&cfg.limits);
	assert_int_equal(quic_server_new(&w->sv.c, w->ev, &cfg, &host, &conn_ops, &w->sv), 0);
	tp_conn_set_window(w->sv.c, 64 * 1024 * 1024);
}

static void
on_listener(void *arg, int fd, unsigned what)
{
	struct world *w = arg;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	uint8_t buf[65536];
	struct tp_path path;
	ssize_t n;

	(void)what;
	n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &len);
	if (n <= 0)
		return;
	path.local = w->local;
	assert_int_equal(addr_from_sa(&path.remote, (struct sockaddr *)&ss, len), 0);
	if (w->sv.c == NULL)
		accept_conn(w, &path.remote, buf, (size_t)n);
	quic_server_input(w->sv.c, &path, 0, buf, (size_t)n);
}

static void
on_deadline(void *arg)
{
	struct world *w = arg;

	w->late = true;
	ev_stop(w->ev);
}

/* ---- tests ---- */

static void
world_init(struct world *w, const char *ip)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;

	memset(w, 0, sizeof(*w));
	w->cl.w = w->sv.w = w;
	w->cl.name = "client";
	w->sv.name = "server";
	w->cl.rnd = 7;
	w->sv.rnd = 99;
	assert_int_equal(quic_init(), 0);
	crypto_sign_keypair(w->pk, w->sk);
	assert_int_equal(ev_new(&w->ev), 0);
	assert_int_equal(addr_parse(&a, ip, 0), 0);
	w->lfd = socket(a.u.sa.sa_family, SOCK_DGRAM, 0);
	assert_true(w->lfd >= 0);
	assert_int_equal(bind(w->lfd, &a.u.sa, a.len), 0);
	assert_int_equal(getsockname(w->lfd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(addr_from_sa(&w->local, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(fd_nonblock(w->lfd), 0);
	assert_int_equal(ev_io_new(&w->lio, w->ev, w->lfd, EV_RD, on_listener, w), 0);
	assert_int_equal(ev_timer_new(&w->deadline, w->ev, on_deadline, w), 0);
	ev_timer_at(w->deadline, ev_now(w->ev) + 60 * NS_PER_S);
}

static void
world_free(struct world *w)
{
	tp_conn_free(&w->cl.c);
	tp_conn_free(&w->sv.c);
	ev_io_free(&w->lio);
	ev_timer_free(&w->deadline);
	fd_close(&w->lfd);
	ev_free(&w->ev);
}

/* The name that the server saw in the client's first packet; "" if there was none. */
static void
seen_name(struct world *w, char *name, size_t n)
{
	unsigned type;

	name[0] = '\0';
	if (gnutls_server_name_get(tls_native(w->sv.c->tls), name, &n, &type, 0) != 0)
		name[0] = '\0';
}

static void
exchange(const char *ip, bool by_listener, const char *sni)
{
	struct quic_client_cfg cfg;
	struct world w;
	char name[256];

	world_init(&w, ip);
	w.by_listener = by_listener;
	memset(&cfg, 0, sizeof(cfg));
	cfg.remote = w.local;
	cfg.sni = sni;
	quic_limits_client(&cfg.limits);
	assert_int_equal(quic_client_new(&w.cl.c, w.ev, &cfg, &conn_ops, &w.cl), 0);
	assert_int_equal(ev_run(w.ev), 0);
	assert_false(w.late);
	assert_true(w.cl.done && w.sv.done && w.sv.early && !w.cl.early);
	assert_true(w.cl.fin && w.sv.fin);
	assert_int_equal(w.cl.taken, TOTAL);
	assert_int_equal(w.sv.taken, TOTAL);
	assert_int_equal(w.signs, 1);
	assert_int_equal(w.cl.why.by, TP_CLOSED_LOCAL);
	assert_int_equal(w.sv.why.by, TP_CLOSED_APP);
	assert_int_equal(w.sv.why.code, TP_OK);
	assert_string_equal(w.sv.why.reason, "bye");
	assert_int_equal(w.foreign, 0);
	seen_name(&w, name, sizeof(name));
	assert_string_equal(name, sni != NULL ? sni : "");
	world_free(&w);
}

static void
test_connected(void **state)
{
	(void)state;
	exchange("127.0.0.1", false, NULL);
}

static void
test_steered(void **state)
{
	(void)state;
	exchange("127.0.0.1", true, NULL);
}

static void
test_ipv6(void **state)
{
	(void)state;
	exchange("::1", false, NULL);
}

/* The host's name is not shown to the wire unless that is asked for. */
static void
test_server_name(void **state)
{
	(void)state;
	exchange("127.0.0.1", false, "host.example.net");
}

struct sizes {
	struct world *w;
	struct ev_timer *timer;
	size_t want;
	bool found;
};

static size_t
size_of(const struct end *e)
{
	struct tp_stats st = {0};

	if (e->c != NULL)
		tp_conn_stats(e->c, &st);
	return st.pmtu;
}

static void
look_at_sizes(void *arg)
{
	struct sizes *s = arg;

	if (s->w->cl.done && s->w->sv.done && size_of(&s->w->cl) == s->want &&
	    size_of(&s->w->sv) == s->want) {
		s->found = true;
		ev_stop(s->w->ev);
	} else {
		ev_timer_at(s->timer, ev_now(s->w->ev) + NS_PER_MS);
	}
}

/* The path's size is found without data to send, up to all that loopback takes. */
static void
size_found(const char *ip, size_t want)
{
	struct quic_client_cfg cfg;
	struct world w;
	struct sizes s = {.w = &w, .want = want};

	world_init(&w, ip);
	w.idle = true;
	memset(&cfg, 0, sizeof(cfg));
	cfg.remote = w.local;
	quic_limits_client(&cfg.limits);
	assert_int_equal(ev_timer_new(&s.timer, w.ev, look_at_sizes, &s), 0);
	ev_timer_at(s.timer, 0);
	assert_int_equal(quic_client_new(&w.cl.c, w.ev, &cfg, &conn_ops, &w.cl), 0);
	assert_int_equal(ev_run(w.ev), 0);
	assert_true(s.found);
	ev_timer_free(&s.timer);
	world_free(&w);
}

static void
test_size(void **state)
{
	(void)state;
	size_found("127.0.0.1", 65507);
	size_found("::1", 65487);
}

/* Nobody listens: ICMP says so at once. */
static void
test_refused(void **state)
{
	struct quic_client_cfg cfg;
	struct world w;

	(void)state;
	world_init(&w, "127.0.0.1");
	ev_io_free(&w.lio);
	fd_close(&w.lfd);
	memset(&cfg, 0, sizeof(cfg));
	cfg.remote = w.local;
	quic_limits_client(&cfg.limits);
	assert_int_equal(quic_client_new(&w.cl.c, w.ev, &cfg, &conn_ops, &w.cl), 0);
	assert_int_equal(ev_run(w.ev), 0);
	assert_false(w.late);
	assert_int_equal(w.cl.why.by, TP_CLOSED_REFUSED);
	assert_string_equal(w.cl.why.reason, "Connection refused");
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connected),
		cmocka_unit_test(test_steered),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_server_name),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
