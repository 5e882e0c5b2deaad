/* Keys and their echo beside a download at full rate on the same connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo_beside_bulk),
		cmocka_unit_test(test_queue_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
