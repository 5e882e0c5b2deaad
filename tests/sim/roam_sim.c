/* A machine with several addresses in random networks, with data under way in both directions: whatever the network
 * does, data flows again within two probe intervals of the path's return, be that told or not. (The interval is a
 * second, or an eighth of the silence: quic/user/roam.h.) Nothing is lost by chance here: what a lost probe costs is
 * one interval more. In about one case in 400 it takes longer: after a silence too short to be noticed as such
 * (two seconds), where ngtcp2's own timer decides, up to four seconds; very rarely ten, after a rebinding, where the
 * client's window is full and has no room for the answer to the server's challenge.
 *
 * roam_sim [FIRST-SEED [COUNT]] */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/sim/simmachine.h"

#define STEPS   8
#define PORTION 100000      /* bytes given each way before something happens */
#define MORE    1000        /* where that has arrived before the network works again */
#define INTERVAL NS_PER_S
#define PART    8
#define RARELY  (10 * NS_PER_S)

#ifdef QSH_SANITIZERS
#define SEEDS 60
#else
#define SEEDS 250
#endif

struct run {
	struct machine m;
	uint64_t seed;
	const char *what;
	uint64_t outage;
	bool told;
	struct tp_stream *tx[2];      /* by sender */
	struct simstream *rx[2];      /* where it arrives */
	size_t given[2], had[2];
	unsigned servers;             /* addresses that it has had */
};

struct worst {
	unsigned steps, over;         /* of them: longer than two probe intervals */
	double ratio;                 /* of a stall, to the probe interval */
	uint64_t stall, seed;
	const char *what;
};

static uint8_t pattern[(PORTION + MORE) * STEPS + 1];

static void __attribute__((noreturn, format(printf, 2, 3)))
die(const struct run *r, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "roam_sim: seed %" PRIu64 ", %s of %" PRIu64 " ms%s: ", r->seed, r->what,
	    r->outage / NS_PER_MS, r->told ? ", told" : "");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

static uint64_t
below(struct run *r, uint64_t n)
{
	return simnet_below(&r->m.pair.net, n);
}

static uint64_t
now(struct run *r)
{
	return simnet_now(&r->m.pair.net);
}

static void
pass(struct run *r, uint64_t ns)
{
	simpair_run(&r->m.pair, ns);
	if (r->m.pair.cl.closed + r->m.pair.sv.closed != 0)
		die(r, "the connection has ended");
}

static bool
all_there(void *arg)
{
	const struct run *r = arg;

	return r->rx[0]->n == r->given[0] && r->rx[1]->n == r->given[1];
}

static bool
both_flow(void *arg)
{
	const struct run *r = arg;

	return r->rx[0]->n > r->had[0] && r->rx[1]->n > r->had[1];
}

static void
give(struct run *r, int from, size_t n)
{
	ssize_t done = tp_stream_write(r->tx[from], pattern + r->given[from], n);

	if (done <= 0)
		die(r, "write: %zd", done);
	r->given[from] += (size_t)done;
}

static void
begin(struct run *r)
{
	struct machine *m = &r->m;
	struct simnet *n = &m->pair.net;
	struct simstream *st;
	int i;

	machine_init(m, r->seed);
	for (i = 0; i < 2; i++) {
		n->link[i].delay = (1 + below(r, 100)) * NS_PER_MS;
		n->link[i].rate = 200000 + below(r, 3000000);
		n->link[i].queue = (20 + below(r, 100)) * NS_PER_MS;
	}
	m->pair.cll.cc = below(r, 2) == 0 ? TP_CC_CUBIC : TP_CC_BBR;
	m->pair.svl.cc = below(r, 2) == 0 ? TP_CC_CUBIC : TP_CC_BBR;
	machine_connect(m, false);
	pass(r, 2 * NS_PER_S);
	if (m->pair.cl.done != 1 || m->pair.sv.done != 1)
		die(r, "no handshake");
	tp_conn_set_window(simpeer_conn(&m->pair.sv), 16 * 1024 * 1024);
	tp_conn_set_keepalive(simpeer_conn(&m->pair.cl), 25 * NS_PER_S);
	if (simpeer_open(&m->pair.cl, false, TP_PRIO_BULK, &st) != 0)
		die(r, "no stream");
	r->tx[SIM_CLIENT] = st->s;
	r->rx[SIM_SERVER] = st;
	r->given[SIM_CLIENT] = (size_t)tp_stream_write(st->s, pattern, 1);
	pass(r, NS_PER_S);
	r->rx[SIM_CLIENT] = simpeer_find(&m->pair.sv, st->id);
	r->tx[SIM_SERVER] = r->rx[SIM_CLIENT]->s;
}

/* ---- what happens to the network: each leaves it working, and says what it was ---- */

/* The address that has the route. */
static int
routed(const struct run *r)
{
	int i;

	for (i = 0; !r->m.addr[i].here; i++)
		;
	return i;
}

static void
silence(struct run *r)
{
	int i = routed(r);

	r->what = "silence";
	machine_here(&r->m, i, true, false);
	pass(r, r->outage);
	if (below(r, 2) == 0)
		machine_rebind(&r->m);
	machine_here(&r->m, i, true, true);
}

static void
rebinding(struct run *r)
{
	r->what = "rebinding";
	r->outage = 0;
	r->told = false;
	machine_rebind(&r->m);
}

static void
elsewhere(struct run *r)
{
	int i = routed(r), k = (i + 1 + (int)below(r, NADDRS - 1)) % NADDRS;

	r->what = "address gone";
	r->told = true;
	machine_here(&r->m, i, false, false);
	machine_news(&r->m, false);
	pass(r, r->outage);
	machine_here(&r->m, k, true, true);
}

/* Moves that are not answered, one after the other. */
static void
moves(struct run *r)
{
	int i, n = 2 + (int)below(r, 20), k = routed(r);

	r->what = "moves";
	r->told = true;
	for (i = 0; i < n; i++) {
		machine_here(&r->m, k, false, false);
		k = (k + 1 + (int)below(r, NADDRS - 1)) % NADDRS;
		machine_here(&r->m, k, true, false);
		machine_news(&r->m, false);
		pass(r, r->outage / (unsigned)n);
	}
	machine_here(&r->m, k, false, false);
	k = (k + 1) % NADDRS;
	machine_here(&r->m, k, true, true);
}

/* The server is found elsewhere, when its name is looked up again. */
static void
server_moved(struct run *r)
{
	struct simnet *n = &r->m.pair.net;
	struct addr v[2];
	char host[32];

	r->what = "server elsewhere";
	r->told = true;
	snprintf(host, sizeof(host), "192.0.2.%u", 20 + ++r->servers);
	addr_parse(&n->end[SIM_SERVER].addr, host, 22);
	snprintf(host, sizeof(host), "fd00::%x", 20 + r->servers);
	addr_parse(&n->server2, host, 22);
	pass(r, r->outage);
	while (roam_seeking(r->m.roam, now(r)) == 0)
		pass(r, 100 * NS_PER_MS); /* nobody looks it up before */
	v[0] = n->end[SIM_SERVER].addr;
	v[1] = n->server2;
	roam_set_remotes(r->m.roam, v, 2);
}

static void
step(struct run *r, struct worst *w)
{
	static void (*const happenings[])(struct run *) = {
		silence, silence, rebinding, elsewhere, moves, server_moved,
	};
	uint64_t back, stall, interval;
	double ratio;
	int i;

	r->outage = (50 * NS_PER_MS << below(r, 16)) + below(r, NS_PER_S); /* to half an hour */
	r->told = below(r, 2) == 0;
	give(r, SIM_CLIENT, PORTION);
	give(r, SIM_SERVER, PORTION);
	pass(r, below(r, 100 * NS_PER_MS));
	happenings[below(r, sizeof(happenings) / sizeof(happenings[0]))](r);
	back = now(r);
	for (i = 0; i < 2; i++) {
		r->had[i] = r->rx[i]->n;
		if (r->had[i] == r->given[i])
			give(r, i, MORE);
	}
	if (r->told)
		machine_news(&r->m, below(r, 4) == 0);
	interval = r->outage / PART > INTERVAL ? r->outage / PART : INTERVAL;
	if (!simnet_run(&r->m.pair.net, 20 * interval, both_flow, r))
		die(r, "%s does not flow", r->rx[0]->n == r->had[0] ? "what the client sends" : "what the server sends");
	stall = now(r) - back;
	ratio = (double)stall / (double)interval;
	w->steps++;
	w->over += ratio > 2;
	if (ratio > w->ratio) {
		w->ratio = ratio;
		w->stall = stall;
		w->seed = r->seed;
		w->what = r->what;
	}
	if (stall > 2 * interval + RARELY)
		die(r, "a stall of %" PRIu64 " ms, %.2f probe intervals", stall / NS_PER_MS, ratio);
	if (!simnet_run(&r->m.pair.net, 120 * NS_PER_S, all_there, r))
		die(r, "%zu up, %zu down of %zu", r->rx[0]->n, r->rx[1]->n, r->given[0]);
	pass(r, below(r, 10 * NS_PER_S));
}

static void
simulate(uint64_t seed, struct worst *w)
{
	struct run *r = calloc(1, sizeof(*r));
	int i;

	if (r == NULL)
		abort();
	r->seed = seed;
	r->what = "start";
	begin(r);
	for (i = 0; i < STEPS; i++)
		step(r, w);
	for (i = 0; i < 2; i++) {
		if (memcmp(r->rx[i]->data, pattern, r->rx[i]->n) != 0)
			die(r, "what side %d sent is not what came", i);
	}
	machine_free(&r->m);
	free(r);
}

int
main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, i;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : SEEDS;
	struct worst w = {.what = "nothing"};

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)((i * UINT64_C(2654435761)) >> 13);
	for (i = 0; i < count; i++)
		simulate(first + i, &w);
	printf("%" PRIu64 " random networks, %u stalls, %u of them longer than two probe intervals; the longest: %.2f (%" PRIu64
	       " ms, seed %" PRIu64 ", %s)\n", count, w.steps, w.over, w.ratio, w.stall / NS_PER_MS, w.seed, w.what);
	if (w.over * 100 > w.steps + 99) {
		fprintf(stderr, "roam_sim: more than one in a hundred\n");
		return 1;
	}
	return 0;
}
