/* Keys and their echo beside a download at full rate on the same connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/sim/simlogin.h"

#define RATE 12500000 /* bytes a second: 100 Mbit/s */

static struct simstream *bulk;
static uint8_t noise[65536];

static void
refill(struct simpeer *sv)
{
	(void)sv;
	while (bulk != NULL && bulk->s != NULL && tp_stream_write(bulk->s, noise, sizeof(noise)) == sizeof(noise))
		;
}

static void
run(uint64_t queue, uint64_t one_way)
{
	struct simlogin *l = simlogin_new(1, one_way);
	struct simstream *seen;
	struct tp_stats st;
	size_t i, before;

	l->p.net.link[SIM_SERVER].rate = RATE;
	l->p.net.link[SIM_SERVER].queue = queue;
	assert_int_equal(simpeer_open(&l->p.sv, true, TP_PRIO_BULK, &bulk), 0);
	refill(NULL);
	for (i = 0; i < 200; i++) { refill(NULL); simpair_run(&l->p, 10*NS_PER_MS); }
	seen = simpeer_find(&l->p.cl, bulk->id);
	before = seen->n;
	for (i = 0; i < 1000; i++) {
		if (i % 10 == 0)
			simlogin_press(l);
		refill(NULL);
		simpair_run(&l->p, 10 * NS_PER_MS);
	}
	tp_conn_stats(simpeer_conn(&l->p.sv), &st);
	print_message("queue %d ms: rate %d of %d kB/s, cwnd %d inflight %d srtt %d us lost %d; repeats %d\n", (int)(queue / NS_PER_MS), (int)((seen->n - before) / 10000),
	    RATE / 1000, (int)st.cwnd, (int)st.inflight, (int)(st.rtt_ns / 1000), (int)st.pkts_lost, (int)st.repeats);
	tp_stream_reset(bulk->s, 0);
	bulk = NULL;
	simlogin_finish(l);
	print_message("  echo p50 %d p90 %d p99 %d max %d us\n", (int)(simlogin_took(l, 50) / 1000), (int)(simlogin_took(l, 90) / 1000),
	    (int)(simlogin_took(l, 99) / 1000), (int)(simlogin_took(l, 100) / 1000));
	simlogin_free(l);
}

static void
test_measure(void **state)
{
	(void)state;
	run(10 * NS_PER_MS, 25 * NS_PER_MS);
	run(50 * NS_PER_MS, 25 * NS_PER_MS);
	run(200 * NS_PER_MS, 25 * NS_PER_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_measure)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
