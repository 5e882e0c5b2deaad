/* The simulated network. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "tests/sim/simnet.h"

struct simpkt {
	uint64_t t, seq;
	int to;
	unsigned ecn, trips;
	struct addr from, dst;
	size_t n;
	uint8_t *p;
};

/* ---- randomness: splitmix64 ---- */

uint64_t
simnet_random(struct simnet *n)
{
	uint64_t z = (n->rng += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t
simnet_below(struct simnet *n, uint64_t max)
{
	return max == 0 ? 0 : simnet_random(n) % max;
}

static bool
chance(struct simnet *n, unsigned ppm)
{
	return ppm != 0 && simnet_below(n, 1000000) < ppm;
}

/* ---- packets on their way: a heap by time ---- */

static bool
before(const struct simpkt *a, const struct simpkt *b)
{
	return a->t != b->t ? a->t < b->t : a->seq < b->seq;
}

static void
heap_push(struct simnet *n, struct simpkt pkt)
{
	size_t i, up;

	if (n->nheap == n->capheap) {
		n->capheap = n->capheap ? n->capheap * 2 : 64;
		n->heap = realloc(n->heap, n->capheap * sizeof(*n->heap));
		assert(n->heap != NULL);
	}
	for (i = n->nheap++; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!before(&pkt, &n->heap[up]))
			break;
		n->heap[i] = n->heap[up];
	}
	n->heap[i] = pkt;
}

static struct simpkt
heap_pop(struct simnet *n)
{
	struct simpkt top = n->heap[0], last = n->heap[--n->nheap];
	size_t i, child;

	for (i = 0; (child = 2 * i + 1) < n->nheap; i = child) {
		if (child + 1 < n->nheap && before(&n->heap[child + 1], &n->heap[child]))
			child++;
		if (!before(&n->heap[child], &last))
			break;
		n->heap[i] = n->heap[child];
	}
	n->heap[i] = last;
	return top;
}

static void
arm(struct simnet *n)
{
	ev_timer_at(n->timer, n->nheap > 0 ? n->heap[0].t : UINT64_MAX);
}

static void
launch(struct simnet *n, int from, const struct addr *src, const struct addr *dst, unsigned ecn,
    const uint8_t *p, size_t len, uint64_t extra)
{
	struct simlink *l = &n->link[from];
	struct simpkt pkt = {.to = !from, .ecn = ecn, .dst = *dst, .n = len, .seq = n->seq++};
	uint64_t start = ev_now(n->ev), took;

	if (l->rate != 0) {
		if (l->busy_until > start)
			start = l->busy_until;
		if (l->queue != 0 && start - ev_now(n->ev) > l->queue)
			return;
		took = (len + 28) * NS_PER_S / l->rate;
		l->busy_until = start += took;
	}
	pkt.trips = n->end[from].trips + 1;
	pkt.from = *src;
	pkt.t = start + l->delay + simnet_below(n, l->jitter + 1) + extra;
	pkt.p = malloc(len > 0 ? len : 1);
	assert(pkt.p != NULL);
	memcpy(pkt.p, p, len);
	heap_push(n, pkt);
	arm(n);
}

void
simnet_send(struct simnet *n, int from, const struct addr *src, const struct addr *dst, unsigned ecn,
    const uint8_t *p, size_t len)
{
	struct simlink *l = &n->link[from];
	uint8_t copy[65536];

	n->end[from].sent++;
	n->end[from].sent_bytes += len;
	if (n->tap != NULL) {
		assert(len <= sizeof(copy));
		memcpy(copy, p, len);
		if (!n->tap(n->tap_arg, from, copy, &len))
			return;
		p = copy;
	}
	if (l->down || chance(n, l->loss) || (l->mtu != 0 && len > l->mtu))
		return;
	launch(n, from, src, dst, ecn, p, len,
	    chance(n, l->reorder) ? l->delay / 2 + simnet_below(n, l->delay + 1) : 0);
	if (chance(n, l->dup))
		launch(n, from, src, dst, ecn, p, len, simnet_below(n, l->delay + 1));
}

/* ---- the connections' host ---- */

static size_t
host_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n, size_t seg)
{
	struct simend *e = arg;
	size_t done, m;

	for (done = 0; done < n; done += m) {
		if (e->full || chance(e->net, e->full_ppm))
			break;
		m = n - done < seg ? n - done : seg;
		if (e->side == SIM_SERVER)
			simnet_send(e->net, e->side, &path->local, &path->remote, ecn, p + done, m);
		else if (e->net->client.send != NULL)
			e->net->client.send(e->net->client.arg, path, ecn, p + done, m);
		else
			simnet_send(e->net, e->side, &e->net->nat, &path->remote, ecn, p + done, m);
	}
	return done;
}

static void
host_wake(void *arg)
{
	struct simend *e = arg;

	qdrive_wake(&e->d);
}

static uint64_t
host_now(void *arg)
{
	struct simend *e = arg;

	return ev_now(e->net->ev);
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
	struct simend *e = arg;
	struct quic_cid cid;

	e->cids_asked++;
	if (e->net->no_cids)
		return;
	while (count-- > 0) {
		mint(&cid);
		qconn_add_cids(e->d.c, &cid, 1);
	}
}

static void
host_path_validated(void *arg, const struct tp_path *path)
{
	struct simend *e = arg;

	e->paths_validated++;
	e->last_path = *path;
}

static struct quic_trace *
host_trace(void *arg)
{
	return ((struct simend *)arg)->trace;
}

static void
host_release(void *arg)
{
	struct simend *e = arg;

	quic_trace_free(&e->trace);
	qdrive_fini(&e->d);
}

static void
host_path_result(void *arg, bool validated)
{
	struct simend *e = arg;

	if (e->side == SIM_CLIENT && e->net->client.result != NULL)
		e->net->client.result(e->net->client.arg, validated);
}

static void
host_real_path(void *arg, const struct tp_path *name, struct tp_path *real)
{
	struct simend *e = arg;

	if (e->side == SIM_CLIENT && e->net->client.real != NULL)
		e->net->client.real(e->net->client.arg, name, real);
	else
		*real = *name;
}

static const struct qconn_host host_ops = {
	.send = host_send,
	.wake = host_wake,
	.now = host_now,
	.need_cids = host_need_cids,
	.path_validated = host_path_validated,
	.trace = host_trace,
	.path_result = host_path_result,
	.real_path = host_real_path,
	.release = host_release,
};

static int
sign(void *arg, const uint8_t *data, size_t n, uint8_t sig[64])
{
	struct simnet *net = arg;

	net->signs++;
	return crypto_sign_detached(sig, NULL, data, n, net->sk);
}

/* ---- arrival ---- */

static void
copy_cid(struct quic_cid *to, const ngtcp2_cid *from)
{
	to->len = (uint8_t)from->datalen;
	memcpy(to->id, from->data, from->datalen);
}

/* What the listener does with a client whose address it wants to see proven. */
static void
send_retry(struct simnet *n, const struct simpkt *pkt, const ngtcp2_pkt_hd *hd)
{
	static const uint8_t token[] = "token";
	uint8_t buf[1200];
	ngtcp2_cid scid;
	ngtcp2_ssize len;

	n->retries++;
	scid.datalen = QUIC_CID_LEN;
	randombytes_buf(scid.data, scid.datalen);
	n->server.odcid = hd->dcid;
	n->server.retry_scid = scid;
	len = ngtcp2_crypto_write_retry(buf, sizeof(buf), hd->version, &hd->scid, &scid, &hd->dcid,
	    token, sizeof(token));
	assert(len > 0);
	simnet_send(n, SIM_SERVER, &n->end[SIM_SERVER].addr, &pkt->from, 0, buf, (size_t)len);
}

static void
make_server(struct simnet *n, const struct simpkt *pkt)
{
	struct simend *e = &n->end[SIM_SERVER];
	struct simserver *ss = &n->server;
	struct quic_server_cfg cfg;
	ngtcp2_pkt_hd hd;

	if (!ss->wanted || ss->made || ngtcp2_accept(&hd, pkt->p, pkt->n) != 0)
		return;
	memset(&cfg, 0, sizeof(cfg));
	if (n->retry && hd.tokenlen == 0) {
		send_retry(n, pkt, &hd);
		return;
	}
	ss->made = true;
	cfg.path.local = e->addr;
	cfg.path.remote = pkt->from;
	if (n->retry) {
		copy_cid(&cfg.odcid, &ss->odcid);
		copy_cid(&cfg.retry_scid, &ss->retry_scid);
		cfg.validated = true;
	} else {
		copy_cid(&cfg.odcid, &hd.dcid);
	}
	copy_cid(&cfg.client_scid, &hd.scid);
	mint(&cfg.scid);
	ss->cid = cfg.scid;
	cfg.version = hd.version;
	memcpy(cfg.host_key, n->pk, sizeof(cfg.host_key));
	cfg.fd = -1;
	cfg.limits = ss->limits;
	if (qdrive_init(&e->d, n->ev) != 0 ||
	    qconn_server_new(&e->d.c, &cfg, sign, n, ev_now(n->ev), &host_ops, e) != 0)
		abort();
	tp_conn_set_ops(e->d.c, ss->ops, ss->arg);
}

static void
arrive(struct simnet *n, const struct simpkt *pkt)
{
	struct simend *e = &n->end[pkt->to];
	struct tp_path path;

	/* What is sent to a binding that the translator has forgotten reaches nobody. */
	if (pkt->to == SIM_CLIENT && n->client.arrive != NULL) {
		n->client.arrive(n->client.arg, &pkt->from, &pkt->dst, pkt->ecn, pkt->p, pkt->n);
		return;
	}
	if (!addr_equal(&pkt->dst, pkt->to == SIM_CLIENT ? &n->nat : &e->addr) &&
	    (pkt->to == SIM_CLIENT || !addr_equal(&pkt->dst, &n->server2)))
		return;
	if (pkt->trips > e->trips)
		e->trips = pkt->trips;
	if (pkt->to == SIM_SERVER)
		make_server(n, pkt);
	if (e->d.c == NULL)
		return;
	e->received++;
	path.local = pkt->to == SIM_SERVER ? pkt->dst : e->addr;
	path.remote = pkt->from;
	if (pkt->to == SIM_SERVER && !qconn_owns(e->d.c, pkt->p, pkt->n))
		return;
	if (qconn_input(e->d.c, &path, pkt->ecn, pkt->p, pkt->n, ev_now(n->ev)) == 0)
		qdrive_run(&e->d);
}

static void
on_timer(void *arg)
{
	struct simnet *n = arg;
	struct simpkt pkt;

	while (n->nheap > 0 && n->heap[0].t <= ev_now(n->ev)) {
		pkt = heap_pop(n);
		arrive(n, &pkt);
		free(pkt.p);
	}
	arm(n);
}

void
simnet_inject(struct simnet *n, int to, const uint8_t *p, size_t len)
{
	struct simpkt pkt = {.t = ev_now(n->ev), .seq = n->seq++, .to = to, .n = len};

	pkt.from = to == SIM_SERVER ? n->nat : n->end[SIM_SERVER].addr;
	pkt.dst = to == SIM_SERVER ? n->end[SIM_SERVER].addr : n->nat;
	pkt.p = malloc(len > 0 ? len : 1);
	assert(pkt.p != NULL);
	memcpy(pkt.p, p, len);
	heap_push(n, pkt);
	arm(n);
}

/* ---- making, running ---- */

void
simnet_init(struct simnet *n, uint64_t seed)
{
	uint8_t keyseed[32];
	int i;

	memset(n, 0, sizeof(*n));
	n->rng = seed;
	if (quic_init() != 0 || ev_new_virtual(&n->ev, SIM_START) != 0 ||
	    ev_timer_new(&n->timer, n->ev, on_timer, n) != 0)
		abort();
	memset(keyseed, 42, sizeof(keyseed));
	crypto_sign_seed_keypair(n->pk, n->sk, keyseed);
	for (i = 0; i < 2; i++) {
		n->end[i].net = n;
		n->end[i].side = i;
		n->link[i].delay = 10 * NS_PER_MS;
	}
	addr_parse(&n->end[SIM_CLIENT].addr, "10.0.0.2", 40000);
	addr_parse(&n->end[SIM_SERVER].addr, "192.0.2.1", 22);
	addr_parse(&n->nat, "198.51.100.7", 50000);
}

void
simnet_free(struct simnet *n)
{
	simnet_drop(n, SIM_CLIENT);
	simnet_drop(n, SIM_SERVER);
	while (n->nheap > 0)
		free(n->heap[--n->nheap].p);
	free(n->heap);
	ev_timer_free(&n->timer);
	ev_free(&n->ev);
}

void
simnet_connect(struct simnet *n, const struct quic_limits *cl, const struct tp_conn_ops *cops,
    void *carg, const struct quic_limits *sl, const struct tp_conn_ops *sops, void *sarg)
{
	struct simend *e = &n->end[SIM_CLIENT];
	struct tp_path path;

	n->server.limits = *sl;
	n->server.ops = sops;
	n->server.arg = sarg;
	n->server.wanted = true;
	path.local = e->addr;
	path.remote = n->end[SIM_SERVER].addr;
	if (qdrive_init(&e->d, n->ev) != 0 ||
	    qconn_client_new(&e->d.c, cl, &path, ev_now(n->ev), &host_ops, e) != 0)
		abort();
	tp_conn_set_ops(e->d.c, cops, carg);
	qdrive_arm(&e->d);
}

void
simnet_rebind(struct simnet *n, bool host_too)
{
	static const char *const hosts[] = {"198.51.100.7", "198.51.100.8", "203.0.113.9"};
	char host[ADDR_STRLEN];
	uint16_t port;

	do {
		port = (uint16_t)(1024 + simnet_below(n, 60000));
	} while (port == addr_port(&n->nat));
	if (host_too)
		addr_parse(&n->nat, hosts[simnet_below(n, 3)], port);
	else
		addr_parse(&n->nat, addr_host(&n->nat, host), port);
}

struct tp_conn *
simnet_conn(struct simnet *n, int side)
{
	return n->end[side].d.c;
}

void
simnet_drop(struct simnet *n, int side)
{
	struct tp_conn *c = n->end[side].d.c;

	tp_conn_free(&c);
}

void
simnet_set_full(struct simnet *n, int side, bool full)
{
	struct simend *e = &n->end[side];

	e->full = full;
	if (!full && e->d.c != NULL && qconn_writable(e->d.c, ev_now(n->ev)) == 0)
		qdrive_arm(&e->d);
}

bool
simnet_run(struct simnet *n, uint64_t limit, bool (*done)(void *arg), void *arg)
{
	uint64_t end = ev_now(n->ev) + limit, t;

	while (done == NULL || !done(arg)) {
		t = ev_virtual_next(n->ev);
		if (t > end) {
			ev_virtual_run(n->ev, end);
			return done != NULL && done(arg);
		}
		ev_virtual_run(n->ev, t > ev_now(n->ev) ? t : ev_now(n->ev));
	}
	return true;
}

uint64_t
simnet_now(struct simnet *n)
{
	return ev_now(n->ev);
}
