/* How large packets become: what the interface takes, what the path takes, and a path that takes less
 * than it did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/user/conn_int.h"
#include "tests/sim/simpeer.h"

#define TOTAL ((size_t)600 * 1024)

static uint8_t pattern[TOTAL];

static void
start(struct simpair *p, uint64_t seed, size_t interface, size_t path)
{
	simpair_init(p, seed);
	p->net.link[SIM_CLIENT].mtu = p->net.link[SIM_SERVER].mtu = path;
	simpair_connect(p);
	simpair_run(p, 100 * NS_PER_MS);
	assert_int_equal(p->cl.done, 1);
	assert_int_equal(p->sv.done, 1);
	tp_conn_set_window(simpeer_conn(&p->sv), 16 * 1024 * 1024);
	qconn_set_mtu(simpeer_conn(&p->cl), interface);
	qconn_set_mtu(simpeer_conn(&p->sv), interface);
}

static size_t
size_of(struct simpeer *p)
{
	struct tp_stats st;

	tp_conn_stats(simpeer_conn(p), &st);
	return st.pmtu;
}

/* Sends everything, and returns the packets that it took the sender. */
static uint64_t
copy(struct simpair *p, struct simstream *st)
{
	const int side = st->p->side;
	struct simpeer *to = side == SIM_CLIENT ? &p->sv : &p->cl;
	uint64_t before = p->net.end[side].sent;
	size_t had = 0, done = 0;
	struct simstream *got;
	ssize_t r;
	int i;

	got = simpeer_find(to, st->id);
	if (got != NULL)
		had = got->n;
	for (i = 0; i < 20000 && (got == NULL || got->n < had + TOTAL); i++) {
		r = tp_stream_write(st->s, pattern + done, TOTAL - done);
		assert_true(r >= 0);
		done += (size_t)r;
		simpair_run(p, 5 * NS_PER_MS);
		got = simpeer_find(to, st->id);
	}
	assert_non_null(got);
	assert_int_equal(got->n, had + TOTAL);
	assert_memory_equal(got->data + had, pattern, TOTAL);
	return p->net.end[side].sent - before;
}

static void
test_sizes(void **state)
{
	static const struct {
		size_t interface, path, want;
	} rows[] = {
		{0, 0, 1452},           /* nothing is known of the interface */
		{1472, 1472, 1472},     /* Ethernet, IPv4 */
		{1452, 1472, 1452},     /* IPv6 */
		{8972, 8972, 8972},     /* jumbo frames */
		{8972, 1472, 1472},     /* that end at the first router */
		{8972, 1400, 1372},     /* or in a tunnel */
		{65507, 0, 65507},      /* loopback */
		{65488, 0, 65487},
		{1472, 1260, 1232},
		{1392, 1392, 1372},     /* a small interface: the first probe is lost at once */
		{500, 1300, 1232},
	};
	struct simstream *st;
	struct simpair p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&p, 10 + i, rows[i].interface, rows[i].path);
		assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
		copy(&p, st);
		simpair_run(&p, 10 * NS_PER_S);
		/* Packets have that size, too. */
		if (rows[i].want > 1300)
			assert_true(copy(&p, st) < TOTAL / 1300 + 40);
		if (rows[i].want > 60000)
			assert_true(copy(&p, st) < TOTAL / 6000);
		assert_int_equal(size_of(&p.cl), rows[i].want);
		assert_int_equal(size_of(&p.sv), rows[i].want);
		simpair_free(&p);
	}
}

/* Datagrams follow the path: as large as it takes, no larger. */
static void
test_datagrams(void **state)
{
	struct tp_conn *c;
	struct simpair p;
	size_t max;
	int i;

	(void)state;
	start(&p, 30, 65507, 0);
	c = simpeer_conn(&p.cl);
	for (i = 0; i < 30; i++) /* something has to be on its way for the size to be found */
		simpair_run(&p, NS_PER_S / 10);
	max = tp_conn_datagram_max(c);
	assert_true(max > 65400 && max < 65507);
	assert_int_equal(tp_conn_datagram(c, pattern, max + 1), QERR_TOOBIG);
	for (i = 0; i < QDGRAM_SLOTS; i++)
		assert_int_equal(tp_conn_datagram(c, pattern + 1, i % 2 == 0 ? max : 10), 0);
	assert_int_equal(tp_conn_datagram(c, pattern + 1, 1), QERR_AGAIN);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(p.sv.dgrams, QDGRAM_SLOTS);
	qconn_set_mtu(c, 8972);
	assert_int_equal(tp_conn_datagram_max(c), max - 65507 + 8972); /* the interface is another */
	simpair_free(&p);
}

/* From jumbo frames down to what every path takes. */
static void
test_black_hole(void **state)
{
	struct simstream *st;
	struct simpair p;
	size_t sizes[] = {1472, 1300, 1200}, i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		start(&p, 40 + i, 8972, 0);
		assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
		copy(&p, st);
		assert_int_equal(size_of(&p.cl), 8972);
		p.net.link[SIM_CLIENT].mtu = p.net.link[SIM_SERVER].mtu = sizes[i];
		copy(&p, st);
		assert_true(tp_conn_datagram_max(simpeer_conn(&p.cl)) < 1200);
		simpair_free(&p);
	}
}

/* Another path may take less: its size is found anew, from what every path takes. */
static void
test_another_path(void **state)
{
	struct simstream *st;
	struct simpair p;

	(void)state;
	start(&p, 50, 8972, 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
	copy(&p, st);
	assert_int_equal(size_of(&p.sv), 8972);
	p.net.link[SIM_CLIENT].mtu = p.net.link[SIM_SERVER].mtu = 1472;
	simnet_rebind(&p.net, true);
	copy(&p, st);
	simpair_run(&p, 10 * NS_PER_S);
	assert_int_equal(p.sv.moved, 1);
	/* Acknowledgements for what left on the old path do not count. */
	assert_true(size_of(&p.sv) <= 1472);
	simpair_free(&p);
}

/* With nothing on its way when the path changes, it grows as at the beginning. */
static void
test_another_path_quiet(void **state)
{
	struct simstream *st, *sv;
	struct simpair p;
	int i;

	(void)state;
	start(&p, 51, 8972, 0);
	assert_int_equal(simpeer_open(&p.cl, false, TP_PRIO_INTERACTIVE, &st), 0);
	copy(&p, st);
	simpair_run(&p, NS_PER_S);
	sv = simpeer_find(&p.sv, st->id);
	simnet_rebind(&p.net, true);
	assert_int_equal(tp_stream_write(st->s, pattern, 1), 1);
	for (i = 0; i < 200 && p.sv.moved == 0; i++)
		simpair_run(&p, 5 * NS_PER_MS);
	assert_int_equal(p.sv.moved, 1);
	assert_int_equal(size_of(&p.sv), 1200);
	for (i = 0; i < 200; i++) {
		if (i == 50) {
			/* The interface to that path was not known to the server till now. */
			assert_int_equal(size_of(&p.sv), 1452);
			qconn_set_mtu(simpeer_conn(&p.sv), 8972);
		}
		assert_int_equal(tp_stream_write(sv->s, pattern, 10), 10);
		simpair_run(&p, 100 * NS_PER_MS);
	}
	assert_int_equal(size_of(&p.sv), 8972);
	simpair_free(&p);
}

/* Something is always on its way, for so long; and how long of that packets stayed what every path takes. */
static uint64_t
trickle(struct simpair *p, struct simstream *st, uint64_t ns)
{
	uint64_t small = 0, t;

	for (t = 0; t < ns; t += 100 * NS_PER_MS) {
		assert_int_equal(tp_stream_write(st->s, pattern, 10), 10);
		simpair_run(p, 100 * NS_PER_MS);
		if (size_of(st->p) == 1200)
			small += 100 * NS_PER_MS;
	}
	return small;
}

/* The same until they are larger than that, or for long in vain; how long it took. */
static uint64_t
trickle_past(struct simpair *p, struct simstream *st, size_t size)
{
	uint64_t t;

	for (t = 0; size_of(st->p) <= size && t < 1000 * NS_PER_S; t += 100 * NS_PER_MS)
		trickle(p, st, 100 * NS_PER_MS);
	return t;
}

static void
set_path(struct simpair *p, size_t size)
{
	p->net.link[SIM_CLIENT].mtu = p->net.link[SIM_SERVER].mtu = size;
}

/* Packets of a size that was found vanish, for long enough. */
static void
fall(struct simpair *p, struct simstream *st, size_t path)
{
	int i;

	set_path(p, path);
	for (i = 0; i < 100 && size_of(st->p) != 1200; i++) {
		(void)tp_stream_write(st->s, pattern, 20000);
		simpair_run(p, 100 * NS_PER_MS);
	}
	assert_int_equal(size_of(st->p), 1200);
}

static struct simstream *
start_and_fall(struct simpair *p, uint64_t seed, struct simpeer *from)
{
	struct simstream *st;

	start(p, seed, 8972, 0);
	assert_int_equal(simpeer_open(from, true, TP_PRIO_BULK, &st), 0);
	copy(p, st);
	assert_int_equal(size_of(from), 8972);
	fall(p, st, 1200);
	return st;
}

/* Seconds, and what the first acknowledgement after the hole took. */
#define AFTER(t, s) assert_in_range(t, (s) * NS_PER_S - NS_PER_S, (s) * NS_PER_S + 2 * NS_PER_S)

/* An outage looks like a hole: the size comes back, Ethernet's soon, that of jumbo frames later. */
static void
test_grows_back(void **state)
{
	struct simstream *st;
	struct simpair p;

	(void)state;
	st = start_and_fall(&p, 60, &p.cl);
	set_path(&p, 0);
	AFTER(trickle_past(&p, st, 1200), 10);
	assert_int_equal(size_of(&p.cl), 1452);
	assert_true(copy(&p, st) < TOTAL / 1300 + 40); /* and is used */
	assert_int_equal(trickle(&p, st, 500 * NS_PER_S), 0);
	assert_int_equal(size_of(&p.cl), 1452);
	AFTER(510 * NS_PER_S + trickle_past(&p, st, 1452), 600);
	assert_int_equal(size_of(&p.cl), 8972);
	assert_int_equal(trickle(&p, st, 60 * NS_PER_S), 0);
	assert_true(copy(&p, st) < TOTAL / 6000);
	simpair_free(&p);
}

/* Each try that is in vain makes the next one later, ten minutes at most; after long without trouble it begins
 * anew. */
static void
test_backs_off(void **state)
{
	static const unsigned seconds[] = {10, 40, 160, 600, 600};
	struct simstream *st;
	struct simpair p;
	size_t i;

	(void)state;
	st = start_and_fall(&p, 61, &p.cl);
	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		AFTER(trickle_past(&p, st, 1200), seconds[i]);
		fall(&p, st, 1200);
	}
	set_path(&p, 0);
	AFTER(trickle_past(&p, st, 1200), 600);
	assert_int_equal(trickle(&p, st, 700 * NS_PER_S), 0);
	fall(&p, st, 1200);
	AFTER(trickle_past(&p, st, 1200), 10);
	simpair_free(&p);
}

/* A hole was the old path's. */
static void
test_moves_out_of_hole(void **state)
{
	struct simstream *st;
	struct simpair p;

	(void)state;
	st = start_and_fall(&p, 62, &p.sv);
	trickle_past(&p, st, 1200);
	fall(&p, st, 1200);
	assert_int_equal(trickle(&p, st, NS_PER_S), NS_PER_S); /* the next try would be in 39 seconds */
	set_path(&p, 0);
	simnet_rebind(&p.net, true);
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.cl), pattern + 1, 1), 0); /* the server hears of it */
	assert_true(trickle_past(&p, st, 1200) < 5 * NS_PER_S);
	assert_int_equal(p.sv.moved, 1);
	assert_int_equal(trickle(&p, st, 30 * NS_PER_S), 0);
	fall(&p, st, 1200);
	AFTER(trickle_past(&p, st, 1200), 10);
	simpair_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_black_hole),
		cmocka_unit_test(test_another_path),
		cmocka_unit_test(test_another_path_quiet),
		cmocka_unit_test(test_grows_back),
		cmocka_unit_test(test_backs_off),
		cmocka_unit_test(test_moves_out_of_hole),
	};
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 17 + i / 1021);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
