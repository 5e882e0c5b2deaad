/* Congestion control by configuration, over a virtual clock: on a link that loses packets by chance, bbr keeps its
 * rate where cubic takes every loss for a full queue; without loss either fills the link. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "tests/sim/simpeer.h"

#define RATE  2500000           /* bytes a second: 20 Mbit/s */
#define DELAY (25 * NS_PER_MS)
#define TOTAL 4000000

static uint8_t pattern[65536];

struct run {
	struct simpair p;
	struct simstream *out, *in;
	int from;
	size_t given;
};

static struct simpeer *
peer(struct run *r, int side)
{
	return side == SIM_CLIENT ? &r->p.cl : &r->p.sv;
}

static void
give(struct run *r)
{
	ssize_t n = 1;

	while (n > 0 && r->given < TOTAL) {
		size_t want = TOTAL - r->given < sizeof(pattern) ? TOTAL - r->given : sizeof(pattern);

		n = tp_stream_write(r->out->s, pattern, want);
		if (n > 0)
			r->given += (size_t)n;
	}
	if (r->given == TOTAL)
		tp_stream_fin(r->out->s);
}

static void
on_writable(struct simpeer *p, struct simstream *st)
{
	(void)st;
	give((struct run *)p->user);
}

static bool
arrived(void *arg)
{
	struct run *r = arg;

	r->in = simpeer_find(peer(r, !r->from), r->out->id);
	return r->in != NULL && r->in->fin;
}

/* Bytes a second from this side with this control (the other side has the other one). */
static uint64_t
rate(int from, enum tp_cc cc, unsigned loss, uint64_t seed)
{
	struct run *r = calloc(1, sizeof(*r));
	uint64_t start, took;
	int i;

	if (r == NULL)
		abort();
	r->from = from;
	simpair_init(&r->p, seed);
	r->p.cll.cc = from == SIM_CLIENT ? cc : TP_CC_END - 1 - cc;
	r->p.svl.cc = from == SIM_SERVER ? cc : TP_CC_END - 1 - cc;
	for (i = 0; i < 2; i++) {
		r->p.net.link[i].delay = DELAY;
		r->p.net.link[i].rate = RATE;
		r->p.net.link[i].queue = 50 * NS_PER_MS;
	}
	simpair_connect(&r->p);
	simpair_run(&r->p, 3 * NS_PER_S);
	tp_conn_set_window(simpeer_conn(&r->p.sv), 16 * 1024 * 1024);
	simpair_run(&r->p, NS_PER_S);
	r->p.net.link[from].loss = loss;
	peer(r, from)->user = r;
	peer(r, from)->on_writable = on_writable;
	if (simpeer_open(peer(r, from), true, TP_PRIO_BULK, &r->out) != 0)
		abort();
	start = simnet_now(&r->p.net);
	give(r);
	if (!simnet_run(&r->p.net, 300 * NS_PER_S, arrived, r) || r->in->n != TOTAL) {
		fprintf(stderr, "cc_sim: side %d, control %d, loss %u: not all data came\n", from, cc, loss);
		exit(1);
	}
	took = simnet_now(&r->p.net) - start;
	simpair_free(&r->p);
	free(r);
	return TOTAL * (NS_PER_S / NS_PER_MS) / (took / NS_PER_MS);
}

int
main(void)
{
	int failed = 0, from;

	for (from = SIM_CLIENT; from <= SIM_SERVER; from++) {
		uint64_t bbr = rate(from, TP_CC_BBR, 20000, 1), cubic = rate(from, TP_CC_CUBIC, 20000, 1);
		uint64_t bbr0 = rate(from, TP_CC_BBR, 0, 2), cubic0 = rate(from, TP_CC_CUBIC, 0, 2);

		printf("from side %d, of %d bytes a second: 2 %% loss: bbr %" PRIu64 ", cubic %" PRIu64
		    "; no loss: bbr %" PRIu64 ", cubic %" PRIu64 "\n", from, RATE, bbr, cubic, bbr0, cubic0);
		failed |= bbr < RATE / 2 || cubic > bbr / 2 || bbr0 < RATE * 7 / 10 || cubic0 < RATE * 7 / 10;
	}
	return failed;
}
