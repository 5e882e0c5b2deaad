/* The client's path manager, over simulated networks: a machine with several addresses, of which some are
 * there, and some of those work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "tests/sim/simmachine.h"

#define HOUR (UINT64_C(3600) * NS_PER_S)
#define DAY  (24 * HOUR)
#define RTT  (20 * NS_PER_MS)

static uint8_t pattern[1024 * 1024];

/* ---- what the tests do with a machine ---- */

static void
here(struct machine *m, int i, bool is_here, bool works)
{
	machine_here(m, i, is_here, works);
}

static void
news(struct machine *m)
{
	machine_news(m, false);
}

static void
run(struct machine *m, uint64_t ns)
{
	simpair_run(&m->pair, ns);
	assert_int_equal(m->pair.cl.closed + m->pair.sv.closed, 0);
}

static void
start(struct machine *m, uint64_t seed, bool stay)
{
	machine_init(m, seed);
	machine_connect(m, stay);
	run(m, NS_PER_S);
	assert_int_equal(m->pair.cl.done, 1);
	tp_conn_set_window(simpeer_conn(&m->pair.sv), 16 * 1024 * 1024);
	assert_int_equal(simpeer_open(&m->pair.cl, false, TP_PRIO_BULK, &m->up), 0);
	assert_int_equal(tp_stream_write(m->up->s, pattern, 1), 1);
	m->sent = 1;
	run(m, NS_PER_S);
	m->down = simpeer_find(&m->pair.sv, m->up->id);
	assert_non_null(m->down);
}

static void
finish(struct machine *m)
{
	machine_free(m);
}

static void
send_some(struct machine *m, size_t n)
{
	if (m->sent + n > sizeof(pattern))
		n = sizeof(pattern) - m->sent;
	m->sent += (size_t)tp_stream_write(m->up->s, pattern + m->sent, n);
}

static bool
arrived(void *arg)
{
	const struct machine *m = arg;

	return m->down->n == m->sent;
}

static bool
arrived_some(void *arg)
{
	const struct machine *m = arg;

	return m->down->n > m->back;
}

static bool
came_down(void *arg)
{
	const struct machine *m = arg;

	return m->up->n > m->back;
}

/* Everything that was sent arrives, and what was sent only. */
static void
settle(struct machine *m)
{
	assert_true(simnet_run(&m->pair.net, 120 * NS_PER_S, arrived, m));
	assert_memory_equal(m->down->data, pattern, m->sent);
	run(m, 10 * NS_PER_S);
	assert_int_equal(m->pair.cl.closed + m->pair.sv.closed, 0);
}

static void
used(struct machine *m, int i)
{
	struct tp_stats st;

	tp_conn_stats(simpeer_conn(&m->pair.cl), &st);
	assert_true(addr_equal_host(&st.path.local, &m->addr[i].host));
	assert_int_equal(machine_links(m), 1); /* nothing else is left open */
}

/* Another address is there, and has the route; the one that had it is PHONE now. */
static void
prefer(struct machine *m, const char *host, bool works)
{
	m->addr[PHONE] = m->addr[WLAN];
	addr_parse(&m->addr[WLAN].host, host, 0);
	here(m, WLAN, true, works);
	news(m);
}

/* ---- tests ---- */

/* The route goes elsewhere while the path works: no byte waits for it. */
static void
test_probe(void **state)
{
	struct machine m;
	size_t before;

	(void)state;
	start(&m, 1, false);
	prefer(&m, "10.0.8.8", true);
	send_some(&m, 200000);
	run(&m, 30 * NS_PER_MS);
	before = m.down->n;
	run(&m, 15 * NS_PER_MS);
	assert_true(m.down->n > before);
	settle(&m);
	assert_int_equal(m.pair.cl.moved, 1);
	assert_int_equal(m.pair.sv.moved, 1);
	assert_int_equal(m.events[TP_PATH_PROBE], 1);
	assert_int_equal(m.events[TP_PATH_LOST], 0);
	assert_int_equal(m.silences, 0);
	used(&m, WLAN);
	finish(&m);
}

/* The new path does not work: the old one stays, and the new one is tried again later. */
static void
test_probe_fails(void **state)
{
	struct machine m;

	(void)state;
	start(&m, 2, false);
	prefer(&m, "10.0.8.8", false);
	send_some(&m, 200000);
	settle(&m);
	assert_int_equal(m.pair.cl.moved, 0);
	assert_true(m.events[TP_PATH_STAY] >= 1);
	here(&m, WLAN, true, true);
	send_some(&m, 1000);
	run(&m, 400 * NS_PER_S);
	assert_int_equal(m.pair.cl.moved, 1);
	used(&m, WLAN);
	finish(&m);
}

/* The address is taken away while data flows: it goes on by the other one, two round trips later. */
static void
test_gone(void **state)
{
	struct machine m;
	uint64_t t;

	(void)state;
	start(&m, 3, false);
	here(&m, CABLE, true, true);
	send_some(&m, 500000);
	run(&m, 35 * NS_PER_MS);
	here(&m, WLAN, false, false);
	news(&m);
	m.back = m.down->n;
	run(&m, 21 * NS_PER_MS); /* news wait a moment; what was under way arrives */
	m.back = m.down->n;
	t = simnet_now(&m.pair.net);
	assert_true(simnet_run(&m.pair.net, NS_PER_S, arrived_some, &m));
	assert_true(simnet_now(&m.pair.net) - t <= 2 * RTT);
	settle(&m);
	assert_int_equal(m.pair.cl.moved, 1);
	used(&m, CABLE);
	finish(&m);
}

/* Twenty moves in a row of which none but the last is answered, again and again: connection IDs last. */
static void
test_many_moves(void **state)
{
	struct machine m;
	int i, k, cur = WLAN;

	(void)state;
	start(&m, 4, false);
	for (k = 0; k < 4; k++) {
		for (i = 0; i < 20; i++) {
			here(&m, cur, false, false);
			cur = (cur + 1) % 3;
			here(&m, cur, true, i == 19);
			news(&m);
			send_some(&m, 3000);
			run(&m, (i % 4 + 1) * 400 * NS_PER_MS);
		}
		settle(&m);
		used(&m, cur);
		assert_int_equal(m.pair.cl.moved, k + 1);
	}
	finish(&m);
}

/* An outage with a full window unanswered in both directions, and another network after it: data flows
 * within two round trips of its being there. */
static void
outage(uint64_t ns, bool elsewhere)
{
	struct simstream *down, *up;
	struct machine m;
	uint64_t t;

	start(&m, 5, false);
	tp_conn_set_keepalive(simpeer_conn(&m.pair.cl), 25 * NS_PER_S);
	send_some(&m, 800000);
	assert_int_equal(simpeer_open(&m.pair.sv, true, TP_PRIO_BULK, &down), 0);
	assert_true(tp_stream_write(down->s, pattern, sizeof(pattern)) > 100000);
	run(&m, 40 * NS_PER_MS);
	up = m.up;
	m.up = simpeer_find(&m.pair.cl, down->id);
	assert_non_null(m.up);
	here(&m, WLAN, !elsewhere, false);
	news(&m);
	run(&m, ns);
	assert_true(m.silent);
	here(&m, elsewhere ? PHONE : WLAN, true, true);
	machine_news(&m, true);
	run(&m, 20 * NS_PER_MS); /* news wait that long */
	t = simnet_now(&m.pair.net);
	m.back = m.down->n;
	assert_true(simnet_run(&m.pair.net, NS_PER_S, arrived_some, &m));
	assert_true(simnet_now(&m.pair.net) - t <= 2 * RTT + NS_PER_MS);
	m.back = m.up->n;
	assert_true(simnet_run(&m.pair.net, NS_PER_S, came_down, &m));
	assert_true(simnet_now(&m.pair.net) - t <= 2 * RTT + NS_PER_MS);
	assert_false(m.silent);
	settle(&m);
	assert_memory_equal(m.up->data, pattern, m.up->n);
	m.up = up;
	used(&m, elsewhere ? PHONE : WLAN);
	finish(&m);
}

static void
test_outage(void **state)
{
	(void)state;
	outage(60 * NS_PER_S, true);
	outage(HOUR, true);
	outage(8 * HOUR, true);
	outage(7 * DAY, true);
	outage(60 * NS_PER_S, false);
	outage(HOUR, false);
	outage(8 * HOUR, false);
	outage(7 * DAY, false);
}

/* Nothing tells that the path is back: it is found out within two probe intervals. */
static void
test_unannounced(void **state)
{
	static const uint64_t lasts[] = {5 * NS_PER_S, 60 * NS_PER_S, HOUR, 8 * HOUR, 7 * DAY};
	struct machine m;
	uint64_t t, interval;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
		start(&m, 6 + i, false);
		send_some(&m, 800000);
		run(&m, 40 * NS_PER_MS);
		here(&m, WLAN, true, false);
		run(&m, lasts[i]);
		here(&m, WLAN, true, true);
		t = simnet_now(&m.pair.net);
		m.back = m.down->n;
		interval = lasts[i] / 8 > NS_PER_S ? lasts[i] / 8 : NS_PER_S;
		assert_true(simnet_run(&m.pair.net, 3 * interval, arrived_some, &m));
		assert_true(simnet_now(&m.pair.net) - t <= 2 * interval);
		settle(&m);
		used(&m, WLAN);
		finish(&m);
	}
}

/* From IPv4 to IPv6 and back, as the addresses go and come. */
static void
test_families(void **state)
{
	struct machine m;
	int i;

	(void)state;
	start(&m, 20, false);
	for (i = 0; i < 3; i++) {
		here(&m, WLAN, false, false);
		here(&m, SIX, true, true);
		news(&m);
		send_some(&m, 50000);
		settle(&m);
		used(&m, SIX);
		here(&m, WLAN, true, true);
		news(&m);
		send_some(&m, 50000);
		settle(&m);
		used(&m, SIX); /* what works is not left */
		here(&m, SIX, false, false);
		news(&m);
		send_some(&m, 50000);
		settle(&m);
		used(&m, WLAN);
	}
	assert_int_equal(m.pair.cl.moved, 6);
	finish(&m);
}

/* The path in use swallows everything, though all looks well: another one is found in some seconds. */
static void
test_black_hole(void **state)
{
	struct machine m;
	uint64_t t;

	(void)state;
	start(&m, 21, false);
	here(&m, SIX, true, true);
	here(&m, WLAN, true, false);
	send_some(&m, 10);
	t = simnet_now(&m.pair.net);
	assert_true(simnet_run(&m.pair.net, 120 * NS_PER_S, arrived, &m));
	assert_true(simnet_now(&m.pair.net) - t < 4 * NS_PER_S);
	settle(&m);
	used(&m, SIX);
	finish(&m);
}

/* A path that loses much is not left for that: the answers that come say that it is there. */
static void
test_lossy(void **state)
{
	struct machine m;
	int i;

	(void)state;
	start(&m, 22, false);
	here(&m, SIX, true, true);
	m.pair.net.link[0].loss = m.pair.net.link[1].loss = 150000;
	for (i = 0; i < 300; i++) {
		send_some(&m, 10);
		run(&m, 200 * NS_PER_MS);
	}
	settle(&m);
	assert_true(m.pair.cl.moved <= 1);
	finish(&m);
}

/* Not to be left: nothing goes by another address, and it goes on when its own is back. */
static void
test_stay(void **state)
{
	struct machine m;

	(void)state;
	start(&m, 23, true);
	here(&m, WLAN, false, false);
	here(&m, CABLE, true, true);
	here(&m, SIX, true, true);
	news(&m);
	send_some(&m, 10);
	run(&m, 100 * NS_PER_S);
	assert_int_equal(m.down->n, 1);
	assert_int_equal(m.pair.cl.moved, 0);
	assert_true(m.events[TP_PATH_KEPT] >= 1);
	here(&m, CABLE, false, false);
	here(&m, WLAN, true, true);
	news(&m);
	assert_true(simnet_run(&m.pair.net, NS_PER_S, arrived, &m));
	settle(&m);
	used(&m, WLAN);
	/* The route goes elsewhere: not we. */
	prefer(&m, "10.0.8.8", true);
	run(&m, NS_PER_S);
	send_some(&m, 1000);
	settle(&m);
	used(&m, PHONE);
	finish(&m);
}

/* The server is found at another address, when the name is looked up again. */
static void
test_server_moved(void **state)
{
	struct addr v[2], old;
	struct machine m;

	(void)state;
	start(&m, 24, false);
	old = m.pair.net.end[SIM_SERVER].addr;
	addr_parse(&m.pair.net.end[SIM_SERVER].addr, "192.0.2.77", 22);
	addr_parse(&m.pair.net.server2, "192.0.2.78", 22);
	send_some(&m, 1000);
	run(&m, 8 * NS_PER_S);
	assert_true(m.silent);
	assert_true(roam_seeking(m.roam, simnet_now(&m.pair.net)) > 0);
	addr_parse(&v[0], "192.0.2.99", 22);
	v[1] = m.pair.net.end[SIM_SERVER].addr;
	roam_set_remotes(m.roam, v, 2);
	news(&m);
	assert_true(simnet_run(&m.pair.net, 2 * NS_PER_S, arrived, &m));
	settle(&m);
	assert_false(addr_equal(&old, &m.pair.cl.to.remote));
	assert_true(addr_equal(&v[1], &m.pair.cl.to.remote));
	finish(&m);
}

/* A stateless reset of a host that never knew the connection, at an address that was the server's, is no
 * answer. */
static void
test_stranger(void **state)
{
	uint8_t junk[43];
	struct machine m;
	int i;

	(void)state;
	start(&m, 25, false);
	here(&m, WLAN, true, false);
	send_some(&m, 10);
	run(&m, 8 * NS_PER_S);
	assert_true(m.silent);
	here(&m, WLAN, true, true);
	m.pair.net.link[SIM_CLIENT].down = true;
	for (i = 0; i < 20; i++) {
		memset(junk, i, sizeof(junk));
		junk[0] = 0x41;
		m.pair.net.client.arrive(&m, &m.link[0].remote, &m.link[0].local, 0, junk, sizeof(junk));
		run(&m, 500 * NS_PER_MS);
		assert_true(m.silent);
		assert_int_equal(m.events[TP_PATH_BACK], 0);
	}
	m.pair.net.link[SIM_CLIENT].down = false;
	settle(&m);
	finish(&m);
}

/* Whatever happens to the network: when there is one that works, the data arrives. rebinds: there is an address
 * translator, which forgets now and then. */
static void
chaos(uint64_t seed, bool rebinds)
{
	struct machine m;
	struct simnet *n = &m.pair.net;
	int i, k;

	start(&m, seed, false);
	n->link[0].loss = n->link[1].loss = (unsigned)simnet_below(n, 4) * 30000;
	for (i = 0; i < 60; i++) {
		k = (int)simnet_below(n, NADDRS);
		here(&m, k, simnet_below(n, 3) != 0, simnet_below(n, 3) == 0);
		if (simnet_below(n, 4) != 0)
			machine_news(&m, simnet_below(n, 8) == 0);
		send_some(&m, (size_t)simnet_below(n, 5000));
		if (rebinds && simnet_below(n, 2) == 0) {
			run(&m, simnet_below(n, 100 * NS_PER_MS));
			machine_rebind(&m);
			send_some(&m, 100);
		}
		run(&m, simnet_below(n, simnet_below(n, 10) == 0 ? 100 * NS_PER_S : 2 * NS_PER_S));
	}
	for (k = 0; k < NADDRS; k++)
		here(&m, k, k == (int)(seed % NADDRS), true);
	news(&m);
	settle(&m);
	used(&m, (int)(seed % NADDRS));
	finish(&m);
}

static void
test_chaos(void **state)
{
	static const uint64_t hard[] = {
		2207, 2567,             /* a connection ID was counted that had been retired */
		1123, 1439, 1774, 2427, /* the server had none left for the next address */
		2798, 2985
	};
	static const uint64_t rebound[] = {
		1025, 1077, 1112, 1172, 1191, /* the server used a connection ID that it had retired */
		1071                          /* ... because it had not seen that a validation had timed out */
	};
	uint64_t seed;
	size_t i;

	(void)state;
	for (seed = 100; seed < 160; seed++)
		chaos(seed, false);
	for (i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
		chaos(hard[i], false);
	for (i = 0; i < sizeof(rebound) / sizeof(rebound[0]); i++)
		chaos(rebound[i], true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_probe_fails),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_many_moves),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_unannounced),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_black_hole),
		cmocka_unit_test(test_lossy),
		cmocka_unit_test(test_stay),
		cmocka_unit_test(test_server_moved),
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_chaos),
	};
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 13 + i / 509);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
