/* Redundant datagrams between two of our connections: key to echo on a lossy path, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/user/conn_int.h"
#include "tests/sim/simlogin.h"

/* 29 % of the packets lost each way, 100 ms round trip: without help p99 is over a second. */
static void
test_lossy(void **state)
{
	static const struct {
		uint64_t every;
		size_t keys;
	} typing[] = {{50 * NS_PER_MS, 4000}, {200 * NS_PER_MS, 4000}, {NS_PER_S, 2000}};
	struct simlogin *l;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		l = simlogin_new(i + 1, 50 * NS_PER_MS, TP_CC_BBR);
		l->p.net.link[0].loss = l->p.net.link[1].loss = 290000;
		simlogin_type(l, typing[i].keys, typing[i].every);
		simlogin_finish(l);
		print_message("a key every %d ms: median %d, p99 %d, longest %d ms\n",
		    (int)(typing[i].every / NS_PER_MS), (int)(simlogin_took(l, 50) / NS_PER_MS),
		    (int)(simlogin_took(l, 99) / NS_PER_MS), (int)(simlogin_took(l, 100) / NS_PER_MS));
		assert_true(simlogin_took(l, 50) < 130 * NS_PER_MS);
		assert_true(simlogin_took(l, 99) < 250 * NS_PER_MS);
		simlogin_free(l);
	}
}

/* Where nothing is lost: 10, 20, 40 and 80 ms after each key, then the acknowledgement is there. */
static void
test_clean(void **state)
{
	struct simlogin *l = simlogin_new(1, 50 * NS_PER_MS, TP_CC_BBR);
	struct tp_stats st;
	int side;

	(void)state;
	simlogin_type(l, 200, 300 * NS_PER_MS);
	simlogin_finish(l);
	assert_int_equal(simlogin_took(l, 100), 100 * NS_PER_MS);
	for (side = 0; side < 2; side++) {
		tp_conn_stats(simnet_conn(&l->p.net, side), &st);
		assert_in_range(st.repeats, 4 * 200, 4 * 200 + 8);
		assert_int_equal(st.repeats_used, 0);
	}
	simlogin_free(l);
}

/* A key lost with its first two repeats is there after the third. */
static void
test_schedule(void **state)
{
	struct simlogin *l = simlogin_new(1, 50 * NS_PER_MS, TP_CC_BBR);

	(void)state;
	simlogin_press(l);
	l->p.net.link[SIM_CLIENT].down = true; /* the key itself has left */
	simpair_run(&l->p, NS_PER_S);
	l->p.net.link[SIM_CLIENT].down = false;
	simpair_run(&l->p, 10 * NS_PER_S);
	assert_int_equal(l->shown, 1);
	l->p.net.link[SIM_CLIENT].loss = 1000000;
	simlogin_press(l);
	simpair_run(&l->p, 39 * NS_PER_MS); /* at 0, 10 and 20 ms: lost */
	l->p.net.link[SIM_CLIENT].loss = 0;
	simpair_run(&l->p, 10 * NS_PER_S);
	assert_int_equal(l->shown, 2);
	assert_int_equal(l->took[1], 140 * NS_PER_MS);
	simlogin_free(l);
}

/* A stream of bulk is not repeated, nor is one that nobody knows yet. */
static void
test_bulk(void **state)
{
	struct simlogin *l = simlogin_new(1, 50 * NS_PER_MS, TP_CC_BBR);
	struct simstream *st;
	struct tp_stats before, after;
	unsigned i;

	(void)state;
	assert_int_equal(simpeer_open(&l->p.cl, true, TP_PRIO_BULK, &st), 0);
	tp_conn_stats(simpeer_conn(&l->p.cl), &before);
	for (i = 0; i < 50; i++) {
		assert_int_equal(tp_stream_write(st->s, "x", 1), 1);
		simpair_run(&l->p, 100 * NS_PER_MS);
	}
	assert_int_equal(simpeer_open(&l->p.cl, true, TP_PRIO_INTERACTIVE, &st), 0);
	assert_int_equal(tp_stream_write(st->s, "x", 1), 1);
	simpair_run(&l->p, NS_PER_S);
	tp_conn_stats(simpeer_conn(&l->p.cl), &after);
	assert_int_equal(before.repeats, after.repeats);
	simlogin_free(l);
}

/* Output of any amount is repeated with 32 kbit/s at most, and arrives whole. */
static void
test_budget(void **state)
{
	struct simlogin *l = simlogin_new(1, 50 * NS_PER_MS, TP_CC_BBR);
	uint8_t line[700], *got;
	struct simstream *seen;
	struct tp_stats st;
	size_t i, k, n = 0;

	(void)state;
	l->p.net.link[0].loss = l->p.net.link[1].loss = 200000;
	for (i = 0; i < 200; i++) {
		for (k = 0; k < sizeof(line); k++, n++)
			line[k] = (uint8_t)(n * 7 + n / 251);
		assert_int_equal(tp_stream_write(l->out->s, line, sizeof(line)), sizeof(line));
		simpair_run(&l->p, 100 * NS_PER_MS);
	}
	tp_conn_stats(simpeer_conn(&l->p.sv), &st);
	assert_in_range(st.repeats, 20, 21 * 4000 / 700);
	simpair_run(&l->p, 60 * NS_PER_S);
	seen = simpeer_find(&l->p.cl, l->out->id);
	assert_int_equal(seen->n, n + 1);
	got = seen->data + 1;
	for (i = 0; i < n; i++)
		assert_int_equal(got[i], (uint8_t)(i * 7 + i / 251));
	simlogin_free(l);
}

/* So much output at once is repeated, and more is not. */
static void
test_range(void **state)
{
	static const uint8_t text[8193];
	static const struct {
		size_t n;
		bool repeated;
	} rows[] = {{8192, true}, {8193, false}};
	struct simlogin *l;
	struct tp_stats before, after;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		l = simlogin_new(1, 50 * NS_PER_MS, TP_CC_BBR);
		tp_conn_stats(simpeer_conn(&l->p.sv), &before);
		assert_int_equal(tp_stream_write(l->out->s, text, rows[i].n), rows[i].n);
		simpair_run(&l->p, 95 * NS_PER_MS); /* nothing is acknowledged yet */
		tp_conn_stats(simpeer_conn(&l->p.sv), &after);
		print_message("%d repeats\n", (int)(after.repeats - before.repeats));
		assert_int_equal(after.repeats > before.repeats, rows[i].repeated);
		simlogin_free(l);
	}
}

/* Acknowledgements of repeats count as far as they reach, in any order; not those that nobody remembers. */
static void
test_acknowledged(void **state)
{
	struct simlogin *l = simlogin_new(1, 50 * NS_PER_MS, TP_CC_BBR);
	struct tp_conn *c = simpeer_conn(&l->p.cl);
	struct tp_stream *s = l->in->s;
	uint64_t first, last, begin;

	(void)state;
	l->p.net.link[SIM_SERVER].down = true;
	begin = s->tx.sent;
	simlogin_press(l);
	simpair_run(&l->p, 15 * NS_PER_MS);
	first = c->redun_seq;
	simlogin_press(l);
	simpair_run(&l->p, 15 * NS_PER_MS);
	last = c->redun_seq;
	assert_true(first > 0 && last > first);
	assert_int_equal(s->tx.sent, begin + 2);
	qredun_dgram_acked(c, last + QREDUN_RECS);
	assert_true(s->out.acked <= begin);
	qredun_dgram_acked(c, last);
	assert_int_equal(s->out.acked, begin + 2);
	assert_int_equal(qredun_expiry(c), REDUN_NEVER);
	qredun_dgram_acked(c, first);
	assert_int_equal(s->out.acked, begin + 2);
	l->p.net.link[SIM_SERVER].down = false;
	simlogin_finish(l);
	simlogin_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lossy),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_schedule),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
