/* How connections end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ngtcp2/ngtcp2.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "tests/sim/simpeer.h"

static void
start(struct simpair *p)
{
	simpair_connect(p);
	simpair_run(p, NS_PER_S);
	assert_int_equal(p->cl.done, 1);
	assert_int_equal(p->sv.done, 1);
}

static void
check_closed(const struct simpeer *p, enum tp_close_by by, bool remote, uint64_t code,
    const char *reason)
{
	assert_int_equal(p->closed, 1);
	assert_int_equal(p->why.by, by);
	assert_int_equal(p->why.remote, remote);
	assert_int_equal(p->why.code, code);
	assert_string_equal(p->why.reason, reason);
}

/* Code and reason arrive, from either side; open streams end first. */
static void
test_codes(void **state)
{
	struct simstream *st;
	struct simpeer *a, *b;
	struct simpair p;
	int side;

	(void)state;
	for (side = 0; side < 2; side++) {
		simpair_init(&p, 1);
		start(&p);
		a = side == SIM_CLIENT ? &p.cl : &p.sv;
		b = side == SIM_CLIENT ? &p.sv : &p.cl;
		assert_int_equal(simpeer_open(a, false, TP_PRIO_BULK, &st), 0);
		assert_int_equal(tp_stream_write(st->s, "x", 1), 1);
		simpair_run(&p, NS_PER_S);
		tp_conn_close(simpeer_conn(a), TP_E_DENIED, "go\naway");
		tp_conn_close(simpeer_conn(a), TP_E_INTERNAL, "second");
		assert_int_equal(a->closed, 0); /* not from inside the call */
		assert_int_equal(tp_stream_write(st->s, "x", 1), QERR_CLOSED);
		simpair_run(&p, NS_PER_S);
		check_closed(a, TP_CLOSED_LOCAL, false, TP_E_DENIED, "go\\012away");
		check_closed(b, TP_CLOSED_APP, true, TP_E_DENIED, "go\\012away");
		assert_int_equal(st->closed, 1);
		assert_int_equal(simpeer_find(b, st->id)->closed, 1);
		simpair_free(&p);
	}
}

static void
test_long_reason(void **state)
{
	struct simpair p;
	char text[1001];

	(void)state;
	memset(text, 'a', 1000);
	text[1000] = '\0';
	simpair_init(&p, 1);
	start(&p);
	tp_conn_close(simpeer_conn(&p.cl), TP_OK, text);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.sv.why.by, TP_CLOSED_APP);
	assert_int_equal(strlen(p.sv.why.reason), 255);
	assert_memory_equal(p.sv.why.reason, text, 250);
	simpair_free(&p);
}

static void
close_now(struct simpeer *p)
{
	tp_conn_close(simpeer_conn(p), TP_E_HOSTKEY, "wrong key");
}

/* A client that dislikes the host key the moment it sees it: the server still learns why. */
static void
test_close_when_done(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	p.cl.on_done = close_now;
	simpair_connect(&p);
	simpair_run(&p, NS_PER_S);
	check_closed(&p.cl, TP_CLOSED_LOCAL, false, TP_E_HOSTKEY, "wrong key");
	check_closed(&p.sv, TP_CLOSED_APP, true, TP_E_HOSTKEY, "wrong key");
	simpair_free(&p);
}

/* A server that refuses before the client is proven. */
static void
test_close_when_early(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	p.sv.on_early = close_now;
	simpair_connect(&p);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.sv.closed, 1);
	assert_int_equal(p.cl.closed, 1);
	assert_true(p.cl.why.by == TP_CLOSED_APP || p.cl.why.by == TP_CLOSED_TRANSPORT);
	assert_true(p.cl.why.remote);
	simpair_free(&p);
}

/* What the peer is told before the end is not lost behind pacer and window: it goes first. */
static void
test_last_words(void **state)
{
	static uint8_t words[40000]; /* three initial windows */
	struct simstream *st;
	struct simpair p;
	ssize_t n;

	(void)state;
	simpair_init(&p, 1);
	start(&p);
	assert_int_equal(simpeer_open(&p.sv, false, TP_PRIO_CONTROL, &st), 0);
	n = tp_stream_write(st->s, words, sizeof(words));
	assert_int_equal(n, sizeof(words));
	tp_conn_close(simpeer_conn(&p.sv), TP_E_AUTH, "no");
	simpair_run(&p, NS_PER_S);
	check_closed(&p.cl, TP_CLOSED_APP, true, TP_E_AUTH, "no");
	assert_int_equal(simpeer_find(&p.cl, st->id)->n, sizeof(words));
	simpair_free(&p);
}

/* But a peer that takes nothing does not put the end off. */
static void
test_last_words_unheard(void **state)
{
	static uint8_t words[40000];
	struct simstream *st;
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	start(&p);
	p.net.link[SIM_SERVER].down = true;
	p.net.link[SIM_CLIENT].down = true;
	assert_int_equal(simpeer_open(&p.sv, false, TP_PRIO_CONTROL, &st), 0);
	assert_int_equal(tp_stream_write(st->s, words, sizeof(words)), sizeof(words));
	tp_conn_close(simpeer_conn(&p.sv), TP_E_AUTH, "no");
	simpair_run(&p, 190 * NS_PER_MS);
	assert_int_equal(p.sv.closed, 0);
	simpair_run(&p, 20 * NS_PER_MS);
	check_closed(&p.sv, TP_CLOSED_LOCAL, false, TP_E_AUTH, "no");
	simpair_free(&p);
}

/* Before the first packet there is nobody to tell. */
static void
test_close_at_once(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	simpair_connect(&p);
	tp_conn_close(simpeer_conn(&p.cl), TP_OK, NULL);
	simpair_run(&p, NS_PER_S);
	check_closed(&p.cl, TP_CLOSED_LOCAL, false, TP_OK, "");
	simpair_free(&p);
}

/* A CONNECTION_CLOSE that is lost is sent again when the peer goes on, and ever more rarely. */
static void
test_close_lost(void **state)
{
	struct simpair p;
	uint64_t sent;
	int i;

	(void)state;
	simpair_init(&p, 1);
	start(&p);
	p.net.link[SIM_CLIENT].down = true;
	tp_conn_close(simpeer_conn(&p.cl), 42, "bye");
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.cl.closed, 1);
	assert_int_equal(p.sv.closed, 0);
	sent = p.net.end[SIM_CLIENT].sent;
	for (i = 0; i < 100; i++) {
		tp_conn_datagram(simpeer_conn(&p.sv), "x", 1);
		simpair_run(&p, 100 * NS_PER_MS);
	}
	assert_true(p.net.end[SIM_CLIENT].sent > sent);
	assert_true(p.net.end[SIM_CLIENT].sent <= sent + 8);
	p.net.link[SIM_CLIENT].down = false;
	for (i = 0; i < 100 && !p.sv.closed; i++) {
		tp_conn_datagram(simpeer_conn(&p.sv), "x", 1);
		simpair_run(&p, 100 * NS_PER_MS);
	}
	simpair_run(&p, 60 * NS_PER_S);
	check_closed(&p.sv, TP_CLOSED_APP, true, 42, "bye");
	simpair_free(&p);
}

/* A server that has forgotten the connection says so with the token that only it knows. */
static void
test_stateless_reset(void **state)
{
	struct simpair p;
	uint8_t pkt[60], rnd[40];
	ngtcp2_ssize n;

	(void)state;
	simpair_init(&p, 1);
	start(&p);
	simnet_drop(&p.net, SIM_SERVER);
	randombytes_buf(rnd, sizeof(rnd));
	/* One with a wrong token is noise. */
	n = ngtcp2_pkt_write_stateless_reset(pkt, sizeof(pkt), rnd, rnd, sizeof(rnd));
	assert_true(n > 0);
	simnet_inject(&p.net, SIM_CLIENT, pkt, (size_t)n);
	simpair_run(&p, NS_PER_MS);
	assert_int_equal(p.cl.closed, 0);
	n = ngtcp2_pkt_write_stateless_reset(pkt, sizeof(pkt), p.net.server.cid.reset, rnd,
	    sizeof(rnd));
	assert_true(n > 0);
	simnet_inject(&p.net, SIM_CLIENT, pkt, (size_t)n);
	simpair_run(&p, NS_PER_MS);
	check_closed(&p.cl, TP_CLOSED_RESET, true, 0, "the peer no longer knows this connection");
	simpair_free(&p);
}

static void
test_idle(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	start(&p);
	tp_conn_set_idle(simpeer_conn(&p.sv), 120 * NS_PER_S);
	tp_conn_set_keepalive(simpeer_conn(&p.cl), 25 * NS_PER_S);
	simpair_run(&p, 3600 * NS_PER_S);
	assert_int_equal(p.sv.closed, 0); /* a PING now and then keeps it */
	assert_true(p.net.end[SIM_CLIENT].sent < 400);
	p.net.link[SIM_CLIENT].down = true;
	simpair_run(&p, 90 * NS_PER_S);
	assert_int_equal(p.sv.closed, 0);
	simpair_run(&p, 35 * NS_PER_S);
	check_closed(&p.sv, TP_CLOSED_IDLE, false, TP_E_TIMEOUT, "silent for too long");
	check_closed(&p.cl, TP_CLOSED_APP, true, TP_E_TIMEOUT, "silent for too long");
	simpair_free(&p);
	/* Without a limit silence ends nothing. */
	simpair_init(&p, 2);
	start(&p);
	simpair_run(&p, 30 * UINT64_C(86400) * NS_PER_S);
	assert_int_equal(p.cl.closed + p.sv.closed, 0);
	simpair_free(&p);
}

/* ICMP counts before the server was heard, and not after. */
static void
test_refused(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	p.net.link[SIM_CLIENT].down = true;
	simpair_connect(&p);
	simpair_run(&p, NS_PER_MS);
	qconn_refused(simpeer_conn(&p.cl));
	simpair_run(&p, NS_PER_S);
	check_closed(&p.cl, TP_CLOSED_REFUSED, false, 0, "Connection refused");
	simpair_free(&p);
	simpair_init(&p, 1);
	start(&p);
	qconn_refused(simpeer_conn(&p.cl));
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.cl.closed, 0);
	simpair_free(&p);
}

/* ---- freed from inside ---- */

static void
busy_done(struct simpeer *p)
{
	struct simstream *st;

	if (simpeer_open(p, false, TP_PRIO_BULK, &st) == 0) {
		tp_stream_write(st->s, "hello", 5);
		tp_stream_fin(st->s);
	}
	if (simpeer_open(p, true, TP_PRIO_CONTROL, &st) == 0) {
		tp_stream_write(st->s, "reset", 5);
		tp_stream_reset(st->s, 1);
	}
	if (simpeer_open(p, true, TP_PRIO_CONTROL, &st) == 0)
		tp_stream_write(st->s, "stop me", 7);
	tp_conn_datagram(simpeer_conn(p), "dgram", 5);
}

static void
busy_stream(struct simpeer *p, struct simstream *st)
{
	struct tp_conn *c = simpeer_conn(p);
	uint8_t junk[100000] = {0};

	if (tp_stream_is_uni(st->s)) {
		if (st->id / 4 == 1)
			tp_stream_stop(st->s, 3);
		return;
	}
	tp_stream_write(st->s, junk, sizeof(junk));
	(void)c;
}

/* One run; frees one side's connection in its nth callback. False: there are not so many. */
static bool
run_and_free(int side, unsigned nth)
{
	struct simpeer *victim, *other;
	struct simpair p;
	bool reached;
	int i;

	simpair_init(&p, 1);
	p.cll.max_uni = p.svl.max_uni = 3;
	victim = side == SIM_CLIENT ? &p.cl : &p.sv;
	other = side == SIM_CLIENT ? &p.sv : &p.cl;
	victim->free_at = nth;
	p.cl.on_done = p.sv.on_done = busy_done;
	p.cl.on_stream = p.sv.on_stream = busy_stream;
	simpair_connect(&p);
	simpair_run(&p, 500 * NS_PER_MS);
	simnet_rebind(&p.net, true);
	for (i = 0; i < 5; i++) {
		if (simpeer_conn(&p.cl) != NULL)
			tp_conn_datagram(simpeer_conn(&p.cl), "again", 5);
		simpair_run(&p, 200 * NS_PER_MS);
	}
	if (simpeer_conn(other) != NULL)
		tp_conn_close(simpeer_conn(other), TP_OK, "end");
	simpair_run(&p, NS_PER_S);
	reached = victim->calls >= nth;
	assert_true(victim->calls <= nth || victim->free_at != nth); /* none after it */
	if (reached)
		assert_null(simpeer_conn(victim));
	simpair_free(&p);
	return reached;
}

/* Any callback may free the connection; none comes afterwards. */
static void
test_free_inside(void **state)
{
	unsigned n;
	int side;

	(void)state;
	for (side = 0; side < 2; side++) {
		for (n = 1; run_and_free(side, n); n++)
			assert_true(n < 1000);
		assert_true(n > 15);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_long_reason),
		cmocka_unit_test(test_close_when_done),
		cmocka_unit_test(test_close_when_early),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_last_words_unheard),
		cmocka_unit_test(test_close_at_once),
		cmocka_unit_test(test_close_lost),
		cmocka_unit_test(test_stateless_reset),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_free_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
