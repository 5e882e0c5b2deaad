/* The data path: data of a batch is handed on in large pieces, and memory for much traffic goes
 * once there is none. */
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

#define KIB 1024
#define CAUGHT 256

static uint8_t pattern[1024 * KIB];

static void
start(struct simpair *p)
{
	simpair_connect(p);
	simpair_run(p, NS_PER_S);
	assert_int_equal(p->cl.done, 1);
	assert_int_equal(p->sv.done, 1);
	tp_conn_set_window(simpeer_conn(&p->sv), 16 * 1024 * KIB);
}

static size_t
push(struct simstream *st, size_t from, size_t n)
{
	ssize_t r = tp_stream_write(st->s, pattern + from, n);

	assert_true(r >= 0);
	return (size_t)r;
}

/* Everything up to n bytes of the pattern, as there is room. */
static void
push_all(struct simpair *p, struct simstream *st, size_t n)
{
	size_t done = 0;
	int i;

	for (i = 0; done < n && i < 10000; i++) {
		done += push(st, done, n - done);
		simpair_run(p, 5 * NS_PER_MS);
	}
	assert_int_equal(done, n);
}

/* ---- batches ---- */

struct caught { /* datagrams to the server, kept back */
	bool on;
	size_t n, len[CAUGHT];
	uint8_t p[CAUGHT][2048];
};

static bool
catch(void *arg, int from, uint8_t *p, size_t *n)
{
	struct caught *c = arg;

	if (!c->on || from != SIM_CLIENT)
		return true;
	assert_true(c->n < CAUGHT && *n <= sizeof(c->p[0]));
	memcpy(c->p[c->n], p, *n);
	c->len[c->n++] = *n;
	return false;
}

/* As they come from one recvmmsg(2): all of them, then one round. */
static void
deliver(struct simpair *p, struct caught *c)
{
	struct tp_conn *conn = simpeer_conn(&p->sv);
	struct tp_path path;
	size_t i;

	c->on = false;
	qconn_path(conn, &path);
	for (i = 0; i < c->n; i++)
		assert_int_equal(qconn_input(conn, &path, 0, c->p[i], c->len[i],
				     simnet_now(&p->net)), 0);
	c->n = 0;
}

static void
begin(struct simpair *p, struct caught *c, uint64_t seed, struct simstream **cl,
    struct simstream **sv)
{
	memset(c, 0, sizeof(*c));
	simpair_init(p, seed);
	p->net.tap = catch;
	p->net.tap_arg = c;
	start(p);
	assert_int_equal(simpeer_open(&p->cl, true, TP_PRIO_BULK, cl), 0);
	push_all(p, *cl, 512 * KIB); /* the congestion window opens */
	simpair_run(p, NS_PER_S);
	*sv = simpeer_find(&p->sv, (*cl)->id);
	assert_non_null(*sv);
	assert_int_equal((*sv)->n, 512 * KIB);
	(*sv)->seen = 0;
	c->on = true;
}

static void
test_gather(void **state)
{
	struct simstream *cl, *sv;
	static struct caught c;
	struct simpair p;
	size_t n;

	(void)state;
	begin(&p, &c, 1, &cl, &sv);
	n = push(cl, 512 * KIB, 100 * KIB);
	assert_int_equal(n, 100 * KIB);
	simpair_run(&p, 15 * NS_PER_MS); /* the pacer has let all of it go */
	assert_true(c.n > 64);
	deliver(&p, &c);
	/* A full chunk goes on before the batch is over, so that it is still in the cache. */
	assert_true(sv->n > 512 * KIB);
	assert_int_equal(sv->seen, CHUNK_LARGE);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(sv->n, 512 * KIB + n);
	assert_memory_equal(sv->data, pattern, sv->n);
	simpair_free(&p);
}

/* What a reset finds in the same batch has come before it. */
static void
test_gather_reset(void **state)
{
	struct simstream *cl, *sv;
	static struct caught c;
	struct simpair p;

	(void)state;
	begin(&p, &c, 2, &cl, &sv);
	assert_int_equal(push(cl, 512 * KIB, 20 * KIB), 20 * KIB);
	simpair_run(&p, 15 * NS_PER_MS); /* the pacer has let all of it go */
	tp_stream_reset(cl->s, 7);
	simpair_run(&p, 15 * NS_PER_MS); /* the pacer has let all of it go */
	deliver(&p, &c);
	assert_int_equal(sv->n, 532 * KIB);
	assert_int_equal(sv->reset, 1);
	assert_memory_equal(sv->data, pattern, sv->n);
	simpair_free(&p);
}

/* A stream whose reader takes nothing is not asked again for each packet, and resumes. */
static void
test_gather_held(void **state)
{
	struct simstream *cl, *sv;
	static struct caught c;
	struct simpair p;

	(void)state;
	begin(&p, &c, 3, &cl, &sv);
	sv->hold = true;
	push(cl, 512 * KIB, 100 * KIB);
	simpair_run(&p, 15 * NS_PER_MS); /* the pacer has let all of it go */
	deliver(&p, &c);
	simpair_run(&p, 2 * NS_PER_S);
	assert_int_equal(sv->n, 512 * KIB);
	sv->hold = false;
	tp_stream_resume(sv->s);
	simpair_run(&p, 2 * NS_PER_S);
	assert_int_equal(sv->n, 612 * KIB);
	assert_memory_equal(sv->data, pattern, sv->n);
	simpair_free(&p);
}

/* ---- rest ---- */

static size_t
memory_of(struct simpeer *p)
{
	struct tp_conn *c = simpeer_conn(p);

	return chunk_pool_spare(&c->pool) + (c->txbuf != NULL ? QTX_BUF : 0);
}

static void
test_rest(void **state)
{
	struct simstream *st;
	struct simpair p;
	int round;

	(void)state;
	simpair_init(&p, 4);
	start(&p);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
	for (round = 0; round < 2; round++) {
		push_all(&p, st, sizeof(pattern));
		simpair_run(&p, 300 * NS_PER_MS); /* all is acknowledged, and it is not quiet for long yet */
		assert_true(memory_of(&p.cl) >= 2 * QTX_BUF);
		simpair_run(&p, 5 * NS_PER_S);
		assert_int_equal(memory_of(&p.cl), 0);
		assert_int_equal(memory_of(&p.sv), 0);
		/* And nothing wakes it again for that. */
		assert_int_equal(simpeer_conn(&p.cl)->rest_at, 0);
		assert_int_equal(simpeer_conn(&p.sv)->rest_at, 0);
	}
	assert_int_equal(simpeer_find(&p.sv, st->id)->n, 2 * sizeof(pattern));
	simpair_free(&p);
}

static unsigned rested;

static void
count_rest(void *arg)
{
	(void)arg;
	rested++;
}

/* The carrier gives back its own memory, too; but what it did not take yet stays where it is. */
static void
test_rest_held(void **state)
{
	const struct qconn_host *host;
	struct qconn_host counting;
	struct simstream *st;
	struct tp_conn *c;
	struct simpair p;

	(void)state;
	simpair_init(&p, 5);
	start(&p);
	c = simpeer_conn(&p.cl);
	host = c->host;
	counting = *host;
	counting.rest = count_rest;
	c->host = &counting;
	rested = 0;
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
	push_all(&p, st, 200 * KIB);
	simpair_run(&p, 300 * NS_PER_MS);
	assert_int_not_equal(c->rest_at, 0);
	simnet_set_full(&p.net, SIM_CLIENT, true);
	assert_int_equal(push(st, 200 * KIB, 8 * KIB), 8 * KIB);
	simpair_run(&p, 5 * NS_PER_S);
	assert_true(c->is_held);
	assert_int_equal(c->rest_at, 0);
	assert_int_equal(rested, 1);
	assert_non_null(c->txbuf);
	simnet_set_full(&p.net, SIM_CLIENT, false);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(simpeer_find(&p.sv, st->id)->n, 208 * KIB);
	assert_memory_equal(simpeer_find(&p.sv, st->id)->data, pattern, 208 * KIB);
	c->host = host;
	simpair_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gather),
		cmocka_unit_test(test_gather_reset),
		cmocka_unit_test(test_gather_held),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_rest_held),
	};
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 31 + i / 4093);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
