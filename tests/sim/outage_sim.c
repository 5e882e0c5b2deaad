/* Paths that go away for long, and networks that change under a transfer, over a virtual clock. In each run both
 * ends or one of them have more under way than a window takes; every byte is checked at the end, and how soon data
 * flows once the path is back.
 *
 * outage_sim [FIRST-SEED [COUNT]]      of the runs with random networks; the others are always the same */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/sim/simpeer.h"

#define MINUTE (60 * NS_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define TOTAL  600000 /* bytes each way */
#define ONE_WAY 96 /* outages of one direction */
#define LATE   (30 * NS_PER_MS) /* beside two round trips: a delayed ACK, and what leaves before */

#ifdef QSH_SANITIZERS
#define SEEDS 150
#else
#define SEEDS 400
#endif

static uint8_t pattern[TOTAL];

struct run {
	char name[128];
	struct simpair p;
	bool wanted[2];              /* which end sends */
	size_t given[2];             /* how much it has written */
	struct simstream *out[2];    /* by sender */
	size_t had[2];               /* what had arrived of it at some time */
};

static void __attribute__((noreturn, format(printf, 2, 3)))
die(struct run *r, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "outage_sim: %s: ", r->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

static struct simpeer *
peer(struct run *r, int side)
{
	return side == SIM_CLIENT ? &r->p.cl : &r->p.sv;
}

/* What has arrived of what this side sends. */
static struct simstream *
arrived(struct run *r, int from)
{
	return simpeer_find(peer(r, !from), r->out[from]->id);
}

static size_t
arrived_n(struct run *r, int from)
{
	struct simstream *st = arrived(r, from);

	return st != NULL ? st->n : 0;
}

static void
give(struct run *r, int from)
{
	struct tp_stream *s = r->out[from]->s;
	ssize_t n;

	if (r->given[from] == TOTAL)
		return;
	n = tp_stream_write(s, pattern + r->given[from], TOTAL - r->given[from]);
	if (n < 0)
		die(r, "write: %zd", n);
	r->given[from] += (size_t)n;
	if (r->given[from] == TOTAL)
		tp_stream_fin(s);
}

static void
on_writable(struct simpeer *p, struct simstream *st)
{
	(void)st;
	give((struct run *)p->user, p->side);
}

static void
open_flow(struct run *r, int from)
{
	struct simpeer *p = peer(r, from);

	p->user = r;
	p->on_writable = on_writable;
	if (simpeer_open(p, true, TP_PRIO_BULK, &r->out[from]) != 0)
		die(r, "no stream");
	give(r, from);
}

/* A link of 20 Mbit/s with delay each way; who says sends. */
static struct run *
run_new(uint64_t seed, uint64_t delay, bool up, bool down)
{
	struct run *r = calloc(1, sizeof(*r));
	int i;

	if (r == NULL)
		abort();
	simpair_init(&r->p, seed);
	r->p.cll.send_buffer = r->p.svl.send_buffer = 1024 * 1024;
	for (i = 0; i < 2; i++) {
		r->p.net.link[i].delay = delay;
		r->p.net.link[i].rate = 2500000;
		r->p.net.link[i].queue = 50 * NS_PER_MS;
	}
	r->wanted[SIM_CLIENT] = up;
	r->wanted[SIM_SERVER] = down;
	return r;
}

static void
connect_and_open(struct run *r)
{
	int i;

	simpair_connect(&r->p);
	simpair_run(&r->p, 3 * NS_PER_S);
	if (r->p.cl.done != 1 || r->p.sv.done != 1)
		die(r, "no handshake");
	tp_conn_set_window(simpeer_conn(&r->p.sv), 16 * 1024 * 1024);
	simpair_run(&r->p, NS_PER_S);
	for (i = 0; i < 2; i++) {
		if (r->wanted[i])
			open_flow(r, i);
	}
}

static bool
all_over(void *arg)
{
	struct run *r = arg;
	int i;

	for (i = 0; i < 2; i++) {
		if (r->wanted[i] && (arrived(r, i) == NULL || !arrived(r, i)->fin))
			return false;
	}
	return true;
}

/* All arrives within limit, each byte once and in its place. */
static void
finish(struct run *r, uint64_t limit)
{
	struct simstream *st;
	int i;

	if (!simnet_run(&r->p.net, limit, all_over, r))
		die(r, "not all data came: %zu up, %zu down of %d; closed: %u %u",
		    r->wanted[0] ? arrived_n(r, 0) : 0, r->wanted[1] ? arrived_n(r, 1) : 0, TOTAL,
		    r->p.cl.closed, r->p.sv.closed);
	for (i = 0; i < 2; i++) {
		if (!r->wanted[i])
			continue;
		st = arrived(r, i);
		if (st->n != TOTAL || memcmp(st->data, pattern, TOTAL) != 0)
			die(r, "what side %d sent is not what came", i);
	}
	if (r->p.cl.closed + r->p.sv.closed != 0)
		die(r, "the connection has ended");
}

static void
run_free(struct run *r)
{
	simpair_free(&r->p);
	free(r);
}

/* ---- outages ---- */

static bool
flows(void *arg)
{
	struct run *r = arg;
	int i;

	for (i = 0; i < 2; i++) {
		if (r->wanted[i] && arrived_n(r, i) <= r->had[i])
			return false;
	}
	return true;
}

/* When what came last of it came. */
static uint64_t
since(struct run *r, int from, uint64_t back)
{
	return r->wanted[from] && arrived(r, from) != NULL && arrived(r, from)->t > back ?
	    (arrived(r, from)->t - back) / NS_PER_MS : 0;
}

static void
note(struct run *r)
{
	int i;

	for (i = 0; i < 2; i++)
		r->had[i] = r->wanted[i] ? arrived_n(r, i) : 0;
}

static void
set_down(struct run *r, unsigned sides, bool down)
{
	if (sides & 1)
		r->p.net.link[SIM_CLIENT].down = down;
	if (sides & 2)
		r->p.net.link[SIM_SERVER].down = down;
}

struct outage {
	uint64_t length, delay, at;  /* at: this long after the transfer's start */
	unsigned sides;              /* 1: the client's packets vanish; 2: the server's */
	bool up, down;               /* who sends */
	bool rebind;                 /* the address translator has forgotten meanwhile */
};

static void
outage(const struct outage *o, enum tp_cc cc)
{
	struct run *r = run_new(o->length + o->at, o->delay, o->up, o->down);
	uint64_t back;

	r->p.cll.cc = r->p.svl.cc = cc;

	snprintf(r->name, sizeof(r->name), "outage of %" PRIu64 " s, %s, sides %u, delay %" PRIu64
	    " ms, at %" PRIu64 " ms%s%s%s", o->length / NS_PER_S, cc == TP_CC_BBR ? "bbr" : "cubic", o->sides, o->delay / NS_PER_MS,
	    o->at / NS_PER_MS, o->up ? ", up" : "", o->down ? ", down" : "", o->rebind ? ", rebind" : "");
	connect_and_open(r);
	simpair_run(&r->p, o->at);
	if (all_over(r))
		die(r, "nothing is under way any more");
	set_down(r, o->sides, true);
	simpair_run(&r->p, o->length);
	if (all_over(r))
		die(r, "the outage let data through");
	if (o->rebind)
		simnet_rebind(&r->p.net, true);
	set_down(r, o->sides, false);
	note(r);
	qconn_network_event(simpeer_conn(&r->p.cl)); /* the client sees that it has a network again */
	back = simnet_now(&r->p.net);
	if (!simnet_run(&r->p.net, MINUTE, flows, r))
		die(r, "no data within a minute of the path's return");
	if (simnet_now(&r->p.net) - back > 4 * o->delay + LATE)
		die(r, "data only after %" PRIu64 " ms (up), %" PRIu64 " ms (down)", since(r, SIM_CLIENT, back),
		    since(r, SIM_SERVER, back));
	finish(r, MINUTE);
	run_free(r);
}

static void
outages(void)
{
	static const uint64_t lengths[] = {MINUTE, HOUR, 8 * HOUR, 7 * DAY};
	struct outage o;
	unsigned i, who;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (o.sides = 1; o.sides <= 3; o.sides++) {
			for (who = 1; who <= 3; who++) {
				o.length = lengths[i];
				o.delay = (who == 3 ? 75 : 20) * NS_PER_MS;
				o.at = (60 + 17 * i + 31 * o.sides) * NS_PER_MS;
				o.up = who & 1;
				o.down = who & 2;
				o.rebind = (i + o.sides + who) % 2 == 0;
				outage(&o, TP_CC_CUBIC);
				outage(&o, TP_CC_BBR);
			}
		}
	}
}

/* Only what the server sends is lost, for lengths that let what the client sends last come a moment or long before
 * the path is back. */
static void
one_way(void)
{
	struct outage o = {.sides = 2, .at = 122 * NS_PER_MS, .down = true};
	unsigned i;

	for (i = 0; i < ONE_WAY; i++) {
		o.length = MINUTE + i / 8 * (1600 / (ONE_WAY / 8)) * NS_PER_MS;
		o.delay = (i & 4 ? 35 : 20) * NS_PER_MS;
		o.up = i & 8;
		o.rebind = i & 1;
		outage(&o, i & 2 ? TP_CC_BBR : TP_CC_CUBIC);
	}
}

/* ---- networks that change under a transfer ---- */

/* The address translator forgets its bindings in the middle of a transfer at full rate, several times. */
static void
rebinding(void)
{
	struct run *r = run_new(1, 20 * NS_PER_MS, true, true);
	struct tp_path path;
	unsigned i;

	snprintf(r->name, sizeof(r->name), "rebinding");
	connect_and_open(r);
	for (i = 0; i < 4; i++) {
		simpair_run(&r->p, 60 * NS_PER_MS);
		if (all_over(r))
			die(r, "nothing is under way any more");
		simnet_rebind(&r->p.net, i % 2 == 0);
	}
	finish(r, MINUTE);
	qconn_path(simpeer_conn(&r->p.sv), &path);
	if (r->p.sv.moved == 0 || !addr_equal(&path.remote, &r->p.net.nat))
		die(r, "the server did not follow");
	run_free(r);
}

/* The path comes to take 1280 bytes of IP only, and nobody says so, while larger packets are under way. */
static void
black_hole(unsigned sides)
{
	struct run *r = run_new(2, 20 * NS_PER_MS, true, true);
	struct tp_stats st;
	int i;

	snprintf(r->name, sizeof(r->name), "black hole, sides %u", sides);
	connect_and_open(r);
	simpair_run(&r->p, 100 * NS_PER_MS);
	for (i = 0; i < 2; i++) {
		tp_conn_stats(simpeer_conn(peer(r, i)), &st);
		if (st.pmtu <= 1232)
			die(r, "the path's size was not found: %zu", st.pmtu);
		if (sides & 1U << i)
			r->p.net.link[i].mtu = 1232;
	}
	if (all_over(r))
		die(r, "nothing is under way any more");
	finish(r, MINUTE);
	run_free(r);
}

/* One packet in ten comes late, one in twenty comes twice. */
static void
disorder(void)
{
	struct run *r = run_new(3, 30 * NS_PER_MS, true, true);
	uint64_t start;
	int i;

	snprintf(r->name, sizeof(r->name), "disorder");
	for (i = 0; i < 2; i++) {
		r->p.net.link[i].reorder = 100000;
		r->p.net.link[i].dup = 50000;
	}
	connect_and_open(r);
	start = simnet_now(&r->p.net);
	finish(r, MINUTE);
	/* It is taken for loss now and then: no more than a fraction of the rate may go for that. */
	if (simnet_now(&r->p.net) - start > 5 * NS_PER_S)
		die(r, "it took %" PRIu64 " ms", (simnet_now(&r->p.net) - start) / NS_PER_MS);
	run_free(r);
}

/* What may happen in one step of a random run. */
static void
mishap(struct run *r)
{
	struct simnet *n = &r->p.net;
	unsigned sides;

	switch (simnet_below(n, 8)) {
	case 0:
	case 1:
		simnet_rebind(n, simnet_below(n, 2) == 0);
		break;
	case 2:
		n->link[simnet_below(n, 2)].mtu = 1232;
		break;
	case 3:
		n->link[simnet_below(n, 2)].mtu = 0;
		break;
	case 4:
		sides = 1 + (unsigned)simnet_below(n, 3);
		set_down(r, sides, true);
		simpair_run(&r->p, simnet_below(n, 20 * NS_PER_S));
		if (simnet_below(n, 2) == 0)
			simnet_rebind(n, true);
		set_down(r, sides, false);
		if (simnet_conn(n, SIM_CLIENT) != NULL && simnet_below(n, 2) == 0)
			qconn_network_event(simnet_conn(n, SIM_CLIENT));
		break;
	default:
		break;
	}
}

static void
random_run(uint64_t seed)
{
	static const unsigned losses[] = {0, 1000, 10000, 30000};
	struct run *r = run_new(seed, 0, true, true);
	struct simnet *n = &r->p.net;
	unsigned i;

	snprintf(r->name, sizeof(r->name), "seed %" PRIu64 " (again: outage_sim %" PRIu64 " 1)", seed, seed);
	for (i = 0; i < 2; i++) {
		n->link[i].delay = (1 + simnet_below(n, 100)) * NS_PER_MS;
		n->link[i].jitter = simnet_below(n, 2) * n->link[i].delay / 4;
		n->link[i].rate = 500000 + simnet_below(n, 10000000);
		n->link[i].queue = (20 + simnet_below(n, 200)) * NS_PER_MS;
		r->wanted[i] = simnet_below(n, 3) != 0;
	}
	r->p.cll.cc = simnet_below(n, 2) == 0 ? TP_CC_CUBIC : TP_CC_BBR;
	r->p.svl.cc = simnet_below(n, 2) == 0 ? TP_CC_CUBIC : TP_CC_BBR;
	connect_and_open(r);
	tp_conn_set_keepalive(simpeer_conn(&r->p.cl), NS_PER_S);
	for (i = 0; i < 2; i++) {
		n->link[i].loss = losses[simnet_below(n, 4)];
		n->link[i].reorder = (unsigned)simnet_below(n, 2) * 100000;
		n->link[i].dup = (unsigned)simnet_below(n, 2) * 50000;
	}
	for (i = 0; i < 6 && !all_over(r); i++) {
		simpair_run(&r->p, simnet_below(n, 200 * NS_PER_MS));
		mishap(r);
	}
	finish(r, 2 * MINUTE);
	run_free(r);
}

/* Lost answers to a path's challenges filled the window, with no timer; a path that failed, and was heard from again,
 * met the limit of what may go to an unproven address, with the window full; and one whose validation ran out, again and
 * again, because the clock was moved past it. */
static const uint64_t hard[] = {5172, 603, 221};

int
main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, i;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : SEEDS;

	for (i = 0; i < TOTAL; i++)
		pattern[i] = (uint8_t)((i * UINT64_C(2654435761)) >> 13);
	if (argc < 2) {
		outages();
		one_way();
		rebinding();
		for (i = 1; i <= 3; i++)
			black_hole((unsigned)i);
		disorder();
		for (i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
			random_run(hard[i]);
	}
	for (i = 0; i < count; i++)
		random_run(first + i);
	printf("%" PRIu64 " random networks\n", count);
	return 0;
}
