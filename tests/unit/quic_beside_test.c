/* Keys and their echo beside a download at full rate on the same connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "quic/user/conn_int.h"
#include "tests/sim/simlogin.h"

#define RATE  12500000 /* bytes a second: 100 Mbit/s */
#define DELAY (25 * NS_PER_MS)
#define STEP  (5 * NS_PER_MS)

struct load {
	struct simlogin *l;
	struct simstream *bulk;  /* at its sender */
	int from;                /* which end that is */
	uint64_t others;         /* ns that what others send always waits at the bottleneck */
	size_t slow;             /* bytes of bulk that there are in each step; 0: no end of it */
};

static void
load_new(struct load *d, int from, uint64_t queue, enum tp_cc cc)
{
	d->l = simlogin_new(1, DELAY, cc);
	d->from = from;
	d->others = 0;
	d->slow = 0;
	d->l->p.net.link[from].rate = RATE;
	d->l->p.net.link[from].queue = queue;
	assert_int_equal(simpeer_open(from == SIM_CLIENT ? &d->l->p.cl : &d->l->p.sv, true, TP_PRIO_BULK,
	    &d->bulk), 0);
}

/* Bytes of bulk that have arrived. */
static uint64_t
arrived(const struct load *d)
{
	struct simpair *p = &d->l->p;
	struct simstream *st = simpeer_find(d->from == SIM_CLIENT ? &p->sv : &p->cl, d->bulk->id);

	return st != NULL ? st->n : 0;
}

/* Bulk flows, as much as is taken, and a key is pressed every so often (0: never). Bulk's bytes a second. */
static uint64_t
flow(struct load *d, uint64_t ns, uint64_t key_every)
{
	static const uint8_t zeros[65536];
	struct simnet *net = &d->l->p.net;
	struct simlink *link = &net->link[d->from];
	uint64_t begin = simnet_now(net), key = 0, before = arrived(d), t;

	for (t = 0; t < ns; t = simnet_now(net) - begin) {
		while (tp_stream_write(d->bulk->s, zeros, d->slow != 0 ? d->slow : sizeof(zeros)) ==
			   (ssize_t)sizeof(zeros) && d->slow == 0)
			;
		if (key_every != 0 && t >= key) {
			simlogin_press(d->l);
			key += key_every;
		}
		if (link->busy_until < simnet_now(net) + d->others)
			link->busy_until = simnet_now(net) + d->others;
		simpair_run(&d->l->p, STEP);
	}
	return (arrived(d) - before) * NS_PER_S / ns;
}

static void
load_free(struct load *d)
{
	tp_stream_reset(d->bulk->s, TP_E_CANCELLED);
	simlogin_finish(d->l);
}

/* Within twice of what it takes on an idle line, and bulk is no slower. */
static void
test_echo_beside_bulk(void **state)
{
	static const uint64_t queue[] = {10 * NS_PER_MS, 50 * NS_PER_MS, 200 * NS_PER_MS};
	struct load d;
	uint64_t rate;
	size_t i;

	(void)state;
	/* cubic fills any queue, so with it yielding is what keeps the echo quick; bbr leaves most of it empty. */
	for (i = 0; i < 12; i++) {
		load_new(&d, i % 6 < 3 ? SIM_SERVER : SIM_CLIENT, queue[i % 3],
		    i < 6 ? TP_CC_CUBIC : TP_CC_BBR);
		simlogin_press(d.l);
		flow(&d, 2 * NS_PER_S, 0);
		rate = flow(&d, 4 * NS_PER_S, 100 * NS_PER_MS);
		load_free(&d);
		print_message("%s, %s, queue of %d ms: %d of %d kB/s, echo median %d, p99 %d ms\n",
		    i < 6 ? "cubic" : "bbr", i % 6 < 3 ? "download" : "upload", (int)(queue[i % 3] / NS_PER_MS), (int)(rate / 1000),
		    RATE / 1000, (int)(simlogin_took(d.l, 50) / NS_PER_MS),
		    (int)(simlogin_took(d.l, 99) / NS_PER_MS));
		assert_true(rate > RATE / 100 * 80);
		assert_true(simlogin_took(d.l, 50) < 2 * DELAY * 3 / 2);
		assert_true(simlogin_took(d.l, 99) < 2 * DELAY * 2);
		simlogin_free(d.l);
	}
}

/* A queue that others fill is not ours to empty: bulk that is slower than the path stays as fast as it was. */
static void
test_queue_of_others(void **state)
{
	struct load d;
	uint64_t rate, alone;

	(void)state;
	load_new(&d, SIM_SERVER, 300 * NS_PER_MS, TP_CC_BBR);
	d.slow = 15000; /* 3 MB/s */
	flow(&d, 3 * NS_PER_S, 0);
	d.others = 100 * NS_PER_MS;
	alone = flow(&d, 10 * NS_PER_S, 0);
	rate = flow(&d, 10 * NS_PER_S, 200 * NS_PER_MS);
	load_free(&d);
	print_message("beside others: %d of 3000 kB/s, without keys %d\n", (int)(rate / 1000),
	    (int)(alone / 1000));
	assert_true(alone > 2000000 && rate > alone / 10 * 9);
	simlogin_free(d.l);
}

/* ---- the rule alone: a connection that is only its clock ---- */

#define BASE (50 * NS_PER_MS)

/* Somebody types, and bulk fills what it may for so long, behind this round trip. What bulk may have in flight then. */
static uint64_t
hold(struct tp_conn *c, ngtcp2_conn_info *ci, uint64_t rtt, uint64_t ns)
{
	uint64_t t, room;

	ci->latest_rtt = ci->smoothed_rtt = rtt;
	for (t = 0; t < ns; t += NS_PER_MS) {
		c->now += NS_PER_MS;
		qyield_typed(c);
		room = qyield_room(c, ci);
		if (room == 0 && ci->bytes_in_flight > c->yield.cap)
			ci->bytes_in_flight = c->yield.cap; /* the rest is acknowledged meanwhile */
		else if (room != UINT64_MAX)
			ci->bytes_in_flight += room;
	}
	return c->yield.cap != 0 ? c->yield.cap : UINT64_MAX;
}

static void
rule_new(struct tp_conn **c, ngtcp2_conn_info *ci, uint64_t in_flight)
{
	*c = calloc(1, sizeof(**c));
	assert_non_null(*c);
	(*c)->now = SIM_START;
	memset(ci, 0, sizeof(*ci));
	ci->min_rtt = BASE;
	ci->cwnd = ci->bytes_in_flight = in_flight;
}

/* Three cuts that shorten nothing are enough: bulk is not starved for a queue of others'. */
static void
test_in_vain(void **state)
{
	ngtcp2_conn_info ci;
	struct tp_conn *c;
	uint64_t least = UINT64_MAX, may;
	unsigned i;

	(void)state;
	rule_new(&c, &ci, 4000000);
	for (i = 0; i < 2000; i++) { /* 20 seconds */
		may = hold(c, &ci, 3 * BASE, 10 * NS_PER_MS);
		if (may < least)
			least = may;
	}
	assert_in_range(least, 300000, 1000000);
	assert_int_equal(may, UINT64_MAX);
	free(c);
}

/* So little fills no queue. */
static void
test_floor(void **state)
{
	ngtcp2_conn_info ci;
	struct tp_conn *c;

	(void)state;
	rule_new(&c, &ci, 30000);
	assert_int_equal(hold(c, &ci, 10 * BASE, 12 * BASE), 16 * 1200);
	free(c);
}

/* Where congestion control permits much less anyway there is nothing to hold back. */
static void
test_let_go(void **state)
{
	ngtcp2_conn_info ci;
	struct tp_conn *c;
	uint64_t cap;

	(void)state;
	rule_new(&c, &ci, 400000);
	cap = hold(c, &ci, 3 * BASE, 4 * BASE);
	assert_in_range(cap, 150000, 200000);
	ci.cwnd = cap;
	assert_in_range(hold(c, &ci, BASE, 9 * BASE), cap + 1, 2 * cap);
	ci.cwnd = cap / 4;
	assert_int_equal(hold(c, &ci, BASE, 9 * BASE), UINT64_MAX);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo_beside_bulk),
		cmocka_unit_test(test_queue_of_others),
		cmocka_unit_test(test_in_vain),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
