/* Redundant datagrams between two of our connections: key to echo on a lossy path, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "tests/sim/simpeer.h"

#define KEYS_MAX 4000

/* A login: keys on one stream, what is shown for them on another, as a pty's echo. */
struct login {
	struct simpair p;
	struct simstream *in, *out;   /* the client's input; the server's output */
	uint64_t pressed[KEYS_MAX];
	uint64_t took[KEYS_MAX];      /* ns from key to echo */
	size_t keys, echoed, shown;
};

static struct login *login_of; /* of the test that runs: the peers' callbacks have no argument */

static void
on_key(struct simpeer *sv, struct simstream *st)
{
	struct login *l = login_of;

	(void)sv;
	if (l->in == NULL || st->id != l->in->id || st->n <= 1 || l->out == NULL)
		return;
	while (l->echoed < st->n) {
		assert_int_equal(tp_stream_write(l->out->s, st->data + l->echoed, 1), 1);
		l->echoed++;
	}
}

static void
on_echo(struct simpeer *cl, struct simstream *st)
{
	struct login *l = login_of;

	(void)cl;
	if (l->out == NULL || st->id != l->out->id)
		return;
	for (; l->shown < l->keys && l->shown + 1 < st->n; l->shown++)
		l->took[l->shown] = simnet_now(&l->p.net) - l->pressed[l->shown];
}

static struct login *
login_new(uint64_t seed, uint64_t one_way)
{
	struct login *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	login_of = l;
	simpair_init(&l->p, seed);
	l->p.net.link[0].delay = l->p.net.link[1].delay = one_way;
	l->p.sv.on_data = on_key;
	l->p.cl.on_data = on_echo;
	simpair_connect(&l->p);
	simpair_run(&l->p, NS_PER_S);
	tp_conn_set_window(simpeer_conn(&l->p.sv), UINT64_C(64) << 20);
	assert_int_equal(simpeer_open(&l->p.cl, true, TP_PRIO_INTERACTIVE, &l->in), 0);
	assert_int_equal(simpeer_open(&l->p.sv, true, TP_PRIO_INTERACTIVE, &l->out), 0);
	assert_int_equal(tp_stream_write(l->in->s, "<", 1), 1);
	assert_int_equal(tp_stream_write(l->out->s, "<", 1), 1);
	l->echoed = 1;
	simpair_run(&l->p, NS_PER_S);
	return l;
}

static void
press(struct login *l)
{
	uint8_t key = (uint8_t)('a' + l->keys % 26);

	assert_true(l->keys < KEYS_MAX);
	l->pressed[l->keys++] = simnet_now(&l->p.net);
	assert_int_equal(tp_stream_write(l->in->s, &key, 1), 1);
}

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* All keys are echoed, in order and once; their times are sorted. */
static void
finish(struct login *l)
{
	struct simstream *seen;
	size_t i;

	simpair_run(&l->p, 120 * NS_PER_S);
	assert_int_equal(l->shown, l->keys);
	seen = simpeer_find(&l->p.cl, l->out->id);
	assert_int_equal(seen->n, l->keys + 1);
	for (i = 0; i < l->keys; i++)
		assert_int_equal(seen->data[i + 1], 'a' + i % 26);
	qsort(l->took, l->keys, sizeof(l->took[0]), by_size);
}

static uint64_t
percentile(const struct login *l, unsigned p)
{
	return l->took[(l->keys - 1) * p / 100];
}

static void
login_free(struct login *l)
{
	simpair_free(&l->p);
	free(l);
}

static void
type_keys(struct login *l, size_t keys, uint64_t every)
{
	while (keys-- > 0) {
		press(l);
		simpair_run(&l->p, every);
	}
}

/* 29 % of the packets lost each way, 100 ms round trip: without help p99 is over a second. */
static void
test_lossy(void **state)
{
	static const struct {
		uint64_t every;
		size_t keys;
	} typing[] = {{50 * NS_PER_MS, 4000}, {200 * NS_PER_MS, 4000}, {NS_PER_S, 2000}};
	struct login *l;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		l = login_new(i + 1, 50 * NS_PER_MS);
		l->p.net.link[0].loss = l->p.net.link[1].loss = 290000;
		type_keys(l, typing[i].keys, typing[i].every);
		finish(l);
		print_message("a key every %d ms: median %d, p99 %d, longest %d ms\n",
		    (int)(typing[i].every / NS_PER_MS), (int)(percentile(l, 50) / NS_PER_MS),
		    (int)(percentile(l, 99) / NS_PER_MS), (int)(percentile(l, 100) / NS_PER_MS));
		assert_true(percentile(l, 50) < 130 * NS_PER_MS);
		assert_true(percentile(l, 99) < 250 * NS_PER_MS);
		login_free(l);
	}
}

/* Where nothing is lost: 10, 20, 40 and 80 ms after each key, then the acknowledgement is there. */
static void
test_clean(void **state)
{
	struct login *l = login_new(1, 50 * NS_PER_MS);
	struct tp_stats st;
	int side;

	(void)state;
	type_keys(l, 200, 300 * NS_PER_MS);
	finish(l);
	assert_int_equal(percentile(l, 100), 100 * NS_PER_MS);
	for (side = 0; side < 2; side++) {
		tp_conn_stats(simnet_conn(&l->p.net, side), &st);
		assert_in_range(st.repeats, 4 * 200, 4 * 200 + 8);
		assert_int_equal(st.repeats_used, 0);
	}
	login_free(l);
}

/* A key lost with its first two repeats is there after the third. */
static void
test_schedule(void **state)
{
	struct login *l = login_new(1, 50 * NS_PER_MS);

	(void)state;
	press(l);
	l->p.net.link[SIM_CLIENT].down = true; /* the key itself has left */
	simpair_run(&l->p, NS_PER_S);
	l->p.net.link[SIM_CLIENT].down = false;
	simpair_run(&l->p, 10 * NS_PER_S);
	assert_int_equal(l->shown, 1);
	l->p.net.link[SIM_CLIENT].loss = 1000000;
	press(l);
	simpair_run(&l->p, 39 * NS_PER_MS); /* at 0, 10 and 20 ms: lost */
	l->p.net.link[SIM_CLIENT].loss = 0;
	simpair_run(&l->p, 10 * NS_PER_S);
	assert_int_equal(l->shown, 2);
	assert_int_equal(l->took[1], 140 * NS_PER_MS);
	login_free(l);
}

/* A stream of bulk is not repeated, nor is one that nobody knows yet. */
static void
test_bulk(void **state)
{
	struct login *l = login_new(1, 50 * NS_PER_MS);
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
	login_free(l);
}

/* Output of any amount is repeated with 32 kbit/s at most, and arrives whole. */
static void
test_budget(void **state)
{
	struct login *l = login_new(1, 50 * NS_PER_MS);
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
	login_free(l);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
