/* Paths that change, go away and come back; connection IDs. */
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

#define DAY (UINT64_C(86400) * NS_PER_S)

static uint8_t pattern[1024 * 1024];

static void
start(struct simpair *p)
{
	simpair_connect(p);
	simpair_run(p, NS_PER_S);
	assert_int_equal(p->cl.done, 1);
	assert_int_equal(p->sv.done, 1);
	tp_conn_set_window(simpeer_conn(&p->sv), 16 * 1024 * 1024);
}

/* The client's address changes under the connection: it goes on, and the server says where. */
static void
test_rebind(void **state)
{
	struct simstream *up, *down;
	struct addr old[2];
	struct tp_stats st;
	struct simpair p;
	size_t done = 0;
	int i;

	(void)state;
	simpair_init(&p, 1);
	start(&p);
	assert_int_equal(simpeer_open(&p.cl, false, TP_PRIO_INTERACTIVE, &up), 0);
	assert_int_equal(tp_stream_write(up->s, "x", 1), 1);
	simpair_run(&p, 100 * NS_PER_MS);
	down = simpeer_find(&p.sv, up->id);
	for (i = 0; i < 2; i++) {
		old[i] = p.net.nat;
		simnet_rebind(&p.net, i == 1);
		done += (size_t)tp_stream_write(up->s, pattern + done, 1000);
		simpair_run(&p, 50 * NS_PER_MS);
		assert_int_equal(p.sv.moved, i + 1);
		assert_true(addr_equal(&p.sv.from.remote, &old[i]));
		assert_true(addr_equal(&p.sv.to.remote, &p.net.nat));
		assert_int_equal(p.net.end[SIM_SERVER].paths_validated, i + 1);
		assert_true(addr_equal(&p.net.end[SIM_SERVER].last_path.remote, &p.net.nat));
		assert_int_equal(tp_stream_write(down->s, pattern, 1000), 1000);
		simpair_run(&p, 2 * NS_PER_S);
	}
	assert_int_equal(down->n, 1 + done);
	assert_memory_equal(down->data + 1, pattern, done);
	assert_int_equal(up->n, 2000);
	tp_conn_stats(simpeer_conn(&p.sv), &st);
	assert_int_equal(st.moves, 2);
	assert_true(addr_equal(&st.path.remote, &p.net.nat));
	assert_int_equal(p.cl.moved, 0);
	simpair_free(&p);
}

/* Twenty moves in a row, faster than any of them can be validated, under load. */
static void
test_many_moves(void **state)
{
	struct simstream *up, *sv;
	struct simpair p;
	size_t done = 0;
	int i;

	(void)state;
	simpair_init(&p, 2);
	p.net.link[0].loss = p.net.link[1].loss = 20000;
	start(&p);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &up), 0);
	for (i = 0; i < 20; i++) {
		done += (size_t)tp_stream_write(up->s, pattern + done, 20000);
		simnet_rebind(&p.net, i % 2 == 0);
		simpair_run(&p, 15 * NS_PER_MS);
	}
	while (done < sizeof(pattern)) {
		done += (size_t)tp_stream_write(up->s, pattern + done, sizeof(pattern) - done);
		simpair_run(&p, 20 * NS_PER_MS);
	}
	tp_stream_fin(up->s);
	simpair_run(&p, 60 * NS_PER_S);
	sv = simpeer_find(&p.sv, up->id);
	assert_non_null(sv);
	assert_true(sv->fin);
	assert_int_equal(sv->n, sizeof(pattern));
	assert_memory_equal(sv->data, pattern, sizeof(pattern));
	assert_int_equal(p.cl.closed + p.sv.closed, 0);
	simpair_free(&p);
}

/* The client moves while the server's window is full, and again before the first move could be
 * validated: the server has to notice that it may send again. */
static void
test_move_at_limit(void **state)
{
	struct simstream *down, *cl;
	struct simpair p;
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		simpair_init(&p, 100 + i);
		start(&p);
		assert_int_equal(simpeer_open(&p.sv, true, TP_PRIO_BULK, &down), 0);
		p.net.link[SIM_SERVER].down = true;
		assert_true(tp_stream_write(down->s, pattern, 200000) > 0);
		tp_stream_fin(down->s);
		simpair_run(&p, (1 + i) * NS_PER_MS);
		simnet_rebind(&p.net, false);
		tp_conn_datagram(simpeer_conn(&p.cl), pattern + 1, 1000);
		simpair_run(&p, (20 + 10 * i) * NS_PER_MS);
		simnet_rebind(&p.net, false);
		tp_conn_datagram(simpeer_conn(&p.cl), pattern + 1, 100);
		simpair_run(&p, 15 * NS_PER_MS);
		p.net.link[SIM_SERVER].down = false;
		tp_conn_set_keepalive(simpeer_conn(&p.cl), NS_PER_S);
		simpair_run(&p, 60 * NS_PER_S);
		cl = simpeer_find(&p.cl, down->id);
		assert_non_null(cl);
		assert_true(cl->fin);
		simpair_free(&p);
	}
}

/* The client moves while it only receives. All that the server hears from the new address is one
 * acknowledgement: that has to be enough for it to ask whether the client is there. */
static void
test_move_while_receiving(void **state)
{
	struct simstream *down, *cl;
	struct simpair p;

	(void)state;
	simpair_init(&p, 9);
	start(&p);
	assert_int_equal(simpeer_open(&p.sv, true, TP_PRIO_BULK, &down), 0);
	assert_int_equal(tp_stream_write(down->s, pattern, 1000), 1000);
	simpair_run(&p, 9 * NS_PER_MS);
	/* The rest does not arrive before the move. */
	assert_true(tp_stream_write(down->s, pattern + 1000, 100000) > 0);
	simpair_run(&p, 2 * NS_PER_MS);
	cl = simpeer_find(&p.cl, down->id);
	assert_non_null(cl);
	assert_int_equal(cl->n, 1000);
	simnet_rebind(&p.net, true);
	simpair_run(&p, NS_PER_S);
	assert_true(cl->n > 50000);
	assert_int_equal(p.sv.moved, 1);
	simpair_free(&p);
}

static bool
got_more(void *arg)
{
	const struct simstream *st = arg;

	return st->n > (size_t)st->writable; /* writable holds what it had: see outage() */
}

/* Both ends have a full window unanswered when the path goes away for so long. Once it is back and
 * the client knows it, data flows in both directions within two round trips. */
static void
outage(uint64_t ns)
{
	struct simstream *up, *down, *sv_up, *cl_down;
	struct simpair p;
	uint64_t back;

	simpair_init(&p, 3);
	p.cll.send_buffer = p.svl.send_buffer = 4 * 1024 * 1024;
	start(&p);
	tp_conn_set_keepalive(simpeer_conn(&p.cl), 25 * NS_PER_S);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &up), 0);
	assert_int_equal(simpeer_open(&p.sv, true, TP_PRIO_BULK, &down), 0);
	assert_true(tp_stream_write(up->s, pattern, sizeof(pattern)) > 100000);
	assert_true(tp_stream_write(down->s, pattern, sizeof(pattern)) > 100000);
	simpair_run(&p, 40 * NS_PER_MS);
	p.net.link[0].down = p.net.link[1].down = true;
	simpair_run(&p, ns);
	p.net.link[0].down = p.net.link[1].down = false;
	sv_up = simpeer_find(&p.sv, up->id);
	cl_down = simpeer_find(&p.cl, down->id);
	assert_non_null(sv_up);
	assert_non_null(cl_down);
	assert_int_equal(p.cl.closed + p.sv.closed, 0);
	sv_up->writable = (unsigned)sv_up->n;
	cl_down->writable = (unsigned)cl_down->n;
	qconn_network_event(simpeer_conn(&p.cl));
	back = simnet_now(&p.net);
	assert_true(simnet_run(&p.net, NS_PER_S, got_more, cl_down));
	assert_true(simnet_now(&p.net) - back <= 41 * NS_PER_MS);
	assert_true(simnet_run(&p.net, NS_PER_S, got_more, sv_up));
	assert_true(simnet_now(&p.net) - back <= 41 * NS_PER_MS);
	/* And it goes on as if nothing had been. */
	tp_stream_fin(up->s);
	tp_stream_fin(down->s);
	simpair_run(&p, 5 * NS_PER_S);
	assert_true(sv_up->fin);
	assert_true(cl_down->fin);
	assert_memory_equal(sv_up->data, pattern, sv_up->n);
	simpair_free(&p);
}

static void
test_outage(void **state)
{
	(void)state;
	outage(60 * NS_PER_S);
	outage(3600 * NS_PER_S);
	outage(8 * 3600 * NS_PER_S);
	outage(7 * DAY);
}

/* The first packet after the silence does it too: a server whose client has come back. */
static void
test_outage_heard(void **state)
{
	struct simstream *down, *cl_down;
	struct simpair p;
	uint64_t back;

	(void)state;
	simpair_init(&p, 4);
	start(&p);
	assert_int_equal(simpeer_open(&p.sv, true, TP_PRIO_BULK, &down), 0);
	assert_int_equal(tp_stream_write(down->s, pattern, 1000), 1000);
	simpair_run(&p, 100 * NS_PER_MS);
	p.net.link[0].down = p.net.link[1].down = true;
	assert_int_equal(tp_stream_write(down->s, pattern, 1000), 1000);
	simpair_run(&p, DAY);
	p.net.link[0].down = p.net.link[1].down = false;
	cl_down = simpeer_find(&p.cl, down->id);
	assert_int_equal(cl_down->n, 1000);
	cl_down->writable = 1000;
	tp_conn_datagram(simpeer_conn(&p.cl), "back", 4);
	back = simnet_now(&p.net);
	assert_true(simnet_run(&p.net, 10 * NS_PER_S, got_more, cl_down));
	assert_true(simnet_now(&p.net) - back <= 21 * NS_PER_MS);
	simpair_free(&p);
}

/* A server uses minted connection IDs, asks for more in time, and goes on without. */
static void
test_connection_ids(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 5);
	start(&p);
	assert_true(p.net.end[SIM_SERVER].cids_asked >= 1);
	assert_int_equal(p.net.end[SIM_CLIENT].cids_asked, 0);
	simpair_free(&p);
	simpair_init(&p, 6);
	p.net.no_cids = true;
	start(&p);
	simnet_rebind(&p.net, true);
	tp_conn_datagram(simpeer_conn(&p.cl), "x", 1);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(p.sv.moved, 1);
	assert_int_equal(p.sv.closed, 0);
	simpair_free(&p);
}

static bool
only_ours(void *arg, int from, uint8_t *p, size_t *n)
{
	struct simpair *pair = arg;
	struct tp_conn *c = simpeer_conn(&pair->sv);

	if (from == SIM_CLIENT && c != NULL)
		assert_true(qconn_owns(c, p, *n));
	return true;
}

/* What is not for this connection is told apart by its destination connection ID. */
static void
test_owns(void **state)
{
	struct simpair p, other;
	uint8_t junk[100];
	size_t i;

	(void)state;
	simpair_init(&p, 7);
	p.net.tap = only_ours;
	p.net.tap_arg = &p;
	start(&p);
	for (i = 0; i < 20; i++) {
		tp_conn_datagram(simpeer_conn(&p.cl), "x", 1);
		simnet_rebind(&p.net, false);
		simpair_run(&p, 500 * NS_PER_MS);
	}
	memset(junk, 0x40, sizeof(junk));
	for (i = 0; i < sizeof(junk); i++)
		assert_false(qconn_owns(simpeer_conn(&p.sv), junk, i));
	memset(junk, 0xc0, sizeof(junk)); /* long header of another version */
	for (i = 0; i < sizeof(junk); i++)
		assert_false(qconn_owns(simpeer_conn(&p.sv), junk, i));
	simpair_init(&other, 8);
	start(&other);
	junk[0] = 0x40;
	memcpy(junk + 1, other.net.server.cid.id, QUIC_CID_LEN);
	assert_false(qconn_owns(simpeer_conn(&p.sv), junk, sizeof(junk)));
	assert_true(qconn_owns(simpeer_conn(&other.sv), junk, sizeof(junk)));
	simpair_free(&p);
	simpair_free(&other);
}

/* The path takes less than it did, and nothing says so: data goes on in smaller packets. When it takes
 * more again, that is found out. */
static void
test_black_hole(void **state)
{
	struct simstream *up;
	struct simpair p;
	uint64_t packets;
	size_t done;
	int i;

	(void)state;
	simpair_init(&p, 3);
	start(&p);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &up), 0);
	for (i = 0, done = 0; i < 3; i++) {
		done += (size_t)tp_stream_write(up->s, pattern + done, 200000);
		simpair_run(&p, 5 * NS_PER_S);
		assert_int_equal(simpeer_find(&p.sv, up->id)->n, done);
		if (i == 0)
			p.net.link[SIM_CLIENT].mtu = 1250;
	}
	p.net.link[SIM_CLIENT].mtu = 0;
	for (i = 0; i < 20; i++) { /* minutes go by */
		done += (size_t)tp_stream_write(up->s, pattern + done, 1000);
		simpair_run(&p, 60 * NS_PER_S);
	}
	packets = p.net.end[SIM_CLIENT].sent;
	done += (size_t)tp_stream_write(up->s, pattern + done, 200000);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(simpeer_find(&p.sv, up->id)->n, done);
	assert_true(p.net.end[SIM_CLIENT].sent - packets < 200000 / 1300);
	simpair_free(&p);
}

/* Wakes it again and again. */
static void
stir(struct simpair *p, struct tp_conn *c, bool muted)
{
	int i;

	for (i = 0; i < 50; i++) {
		qconn_mute(c, muted);
		simpair_run(p, 100 * NS_PER_MS);
	}
}

/* With no link that leads anywhere, nothing is repeated, whatever else wakes the connection. */
static void
test_muted(void **state)
{
	struct simstream *up;
	struct tp_conn *c;
	struct simpair p;
	uint64_t sent;

	(void)state;
	simpair_init(&p, 70);
	start(&p);
	c = simpeer_conn(&p.cl);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &up), 0);
	p.net.link[SIM_SERVER].down = true;
	assert_int_equal(tp_stream_write(up->s, pattern, 10), 10);
	simpair_run(&p, 5 * NS_PER_MS);
	sent = p.net.end[SIM_CLIENT].sent;
	stir(&p, c, true);
	assert_int_equal(p.net.end[SIM_CLIENT].sent, sent);
	p.net.link[SIM_SERVER].down = false;
	qconn_mute(c, false);
	simpair_run(&p, NS_PER_S);
	assert_true(p.net.end[SIM_CLIENT].sent > sent);
	assert_int_equal(up->acked, 0);
	assert_int_equal(up->s->tx.acked, 10);
	simpair_free(&p);
}

/* Nor does time count while a byte stream takes nothing: what has left is not lost. */
static void
test_full_byte_stream(void **state)
{
	const struct qconn_host *host;
	struct qconn_host carrier;
	struct simstream *up;
	struct tp_conn *c;
	struct simpair p;
	uint64_t expiry;

	(void)state;
	simpair_init(&p, 71);
	start(&p);
	c = simpeer_conn(&p.cl);
	host = c->host;
	carrier = *host;
	carrier.packet = 1200;
	c->host = &carrier;
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &up), 0);
	simnet_set_full(&p.net, SIM_CLIENT, true);
	assert_int_equal(tp_stream_write(up->s, pattern, 10), 10);
	simpair_run(&p, NS_PER_MS);
	assert_true(c->is_held);
	expiry = ngtcp2_conn_get_expiry(c->ng);
	stir(&p, c, false);
	assert_true(ngtcp2_conn_get_expiry(c->ng) <= expiry); /* it did not expire, and waits for no longer */
	simnet_set_full(&p.net, SIM_CLIENT, false);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(up->s->tx.acked, 10);
	c->host = host;
	simpair_free(&p);
}

struct kept { /* datagrams to the client */
	size_t n, len[16];
	uint8_t p[16][1500];
};

static bool
keep(void *arg, int from, uint8_t *p, size_t *n)
{
	struct kept *k = arg;

	if (from != SIM_SERVER)
		return true;
	assert_true(k->n < 16 && *n <= sizeof(k->p[0]));
	memcpy(k->p[k->n], p, *n);
	k->len[k->n++] = *n;
	return false;
}

/* A path's challenge that a probe answers before anything else leaves: ngtcp2 arms no timer for that packet. */
static void
test_answer_in_probe(void **state)
{
	struct tp_path path;
	static struct kept k;
	struct tp_conn *c;
	struct simpair p;
	size_t i;

	(void)state;
	simpair_init(&p, 72);
	start(&p);
	c = simpeer_conn(&p.cl);
	p.net.tap = keep;
	p.net.tap_arg = &k;
	simnet_rebind(&p.net, false);
	assert_int_equal(tp_conn_datagram(c, pattern + 1, 100), 0);
	simpair_run(&p, 15 * NS_PER_MS);
	assert_true(k.n > 0);
	p.net.tap = NULL;
	qconn_path(c, &path);
	for (i = 0; i < k.n; i++)
		assert_int_equal(qconn_input(c, &path, 0, k.p[i], k.len[i], simnet_now(&p.net)), 0);
	assert_false(c->owed);
	assert_int_equal(qconn_probe(c, simnet_now(&p.net)), 0);
	assert_true(c->owed);
	simpair_run(&p, NS_PER_S);
	assert_false(c->owed);
	assert_int_equal(p.sv.moved, 1);
	simpair_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rebind),
		cmocka_unit_test(test_many_moves),
		cmocka_unit_test(test_move_at_limit),
		cmocka_unit_test(test_move_while_receiving),
		cmocka_unit_test(test_black_hole),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_outage_heard),
		cmocka_unit_test(test_connection_ids),
		cmocka_unit_test(test_owns),
		cmocka_unit_test(test_muted),
		cmocka_unit_test(test_full_byte_stream),
		cmocka_unit_test(test_answer_in_probe),
	};
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 13 + i / 509);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
