/* Streams between two connections over a simulated network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "tests/sim/simpeer.h"

#define KIB ((size_t)1024)

static uint8_t pattern[4 * 1024 * 1024];

static void
start(struct simpair *p)
{
	simpair_connect(p);
	simpair_run(p, NS_PER_S);
	assert_int_equal(p->cl.done, 1);
	assert_int_equal(p->sv.done, 1);
}

/* Writes until the stream takes no more; how much it took. */
static size_t
push(struct simstream *st, size_t from, size_t upto)
{
	size_t done = from;
	ssize_t n;

	while (done < upto) {
		n = tp_stream_write(st->s, pattern + done, upto - done);
		assert_true(n >= 0);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* Pushes it all, with the time that it needs. */
static void
push_all(struct simpair *p, struct simstream *st, size_t total)
{
	size_t done = 0;
	int round;

	for (round = 0; done < total && round < 100000; round++) {
		done = push(st, done, total);
		simpair_run(p, 5 * NS_PER_MS);
	}
	assert_int_equal(done, total);
}

/* Before the server lets it, a client gets no more than 64 KiB across, on however many streams;
 * what has arrived is held, and comes out whole once it is wanted. */
static void
test_credit_before_login(void **state)
{
	struct simstream *st[40], *sv;
	struct simpair p;
	size_t held = 0, i;

	(void)state;
	simpair_init(&p, 1);
	p.sv.hold = true;
	start(&p);
	for (i = 0; i < 40; i++) {
		assert_int_equal(simpeer_open(&p.cl, i % 4 != 0, TP_PRIO_BULK, &st[i]), 0);
		assert_true(push(st[i], 0, 10 * KIB) > 0);
	}
	simpair_run(&p, 20 * NS_PER_S);
	for (i = 0; i < p.sv.nst; i++) {
		assert_int_equal(p.sv.st[i].n, 0);
		tp_stream_resume(p.sv.st[i].s); /* looks at what is there, and takes none */
	}
	simpair_run(&p, NS_PER_S);
	for (i = 0; i < p.sv.nst; i++) {
		p.sv.st[i].hold = false;
		tp_stream_resume(p.sv.st[i].s);
	}
	simpair_run(&p, NS_PER_MS); /* before anything else can arrive */
	for (i = 0; i < p.sv.nst; i++)
		held += p.sv.st[i].n;
	/* Credit was used up to the last byte and not renewed. */
	assert_int_equal(held, 64 * KIB);
	/* Taken data gives its credit back, and the rest follows. */
	for (i = 0; i < 40; i++)
		tp_stream_fin(st[i]->s);
	simpair_run(&p, 20 * NS_PER_S);
	for (i = 0; i < 40; i++) {
		sv = simpeer_find(&p.sv, st[i]->id);
		assert_non_null(sv);
		assert_true(sv->fin);
		assert_memory_equal(sv->data, pattern, sv->n);
	}
	simpair_free(&p);
}

/* A held stream loses nothing, also when its FIN has long arrived and the sender has forgotten it;
 * other streams go on meanwhile. */
static void
test_held(void **state)
{
	struct simstream *a, *b, *sa, *sb;
	struct simpair p;

	(void)state;
	simpair_init(&p, 2);
	p.sv.hold = true;
	start(&p);
	tp_conn_set_window(simpeer_conn(&p.sv), 8 * 1024 * KIB);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &a), 0);
	push_all(&p, a, 300 * KIB);
	tp_stream_fin(a->s);
	simpair_run(&p, NS_PER_S);
	p.sv.hold = false;
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &b), 0);
	push_all(&p, b, 500 * KIB);
	tp_stream_fin(b->s);
	simpair_run(&p, 5 * NS_PER_S);
	sa = simpeer_find(&p.sv, 2);
	sb = simpeer_find(&p.sv, 6);
	assert_non_null(sa);
	assert_non_null(sb);
	assert_true(sb->fin);
	assert_int_equal(sb->n, 500 * KIB);
	assert_int_equal(sb->closed, 1);
	assert_int_equal(sa->n, 0);
	assert_int_equal(sa->closed, 0);
	assert_int_equal(a->acked, 1);
	assert_int_equal(a->closed, 1);
	sa->hold = false;
	tp_stream_resume(sa->s);
	assert_int_equal(sa->n, 0); /* not from inside the call */
	simpair_run(&p, NS_PER_MS);
	assert_int_equal(sa->n, 300 * KIB);
	assert_true(sa->fin);
	assert_memory_equal(sa->data, pattern, sa->n);
	assert_int_equal(sa->closed, 1);
	simpair_free(&p);
}

/* A slow reader holds the writer back: what is on its way is bounded by the windows. */
static void
test_back_pressure(void **state)
{
	struct simstream *st, *sv;
	struct simpair p;
	size_t done;

	(void)state;
	simpair_init(&p, 3);
	p.svl.stream_window = 32 * KIB;
	p.cll.send_buffer = 100 * KIB;
	p.sv.hold = true;
	start(&p);
	tp_conn_set_window(simpeer_conn(&p.sv), 8 * 1024 * KIB);
	assert_int_equal(simpeer_open(&p.cl, false, TP_PRIO_BULK, &st), 0);
	done = push(st, 0, 1024 * KIB);
	assert_int_equal(done, 100 * KIB);
	assert_int_equal(tp_stream_room(st->s), 0);
	simpair_run(&p, 5 * NS_PER_S);
	/* The window's worth has left the buffer, and no more comes free. */
	done = push(st, done, 1024 * KIB);
	assert_int_equal(done, 132 * KIB);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(push(st, done, 1024 * KIB), done);
	st->writable = 0;
	sv = simpeer_find(&p.sv, st->id);
	sv->hold = false;
	tp_stream_resume(sv->s);
	simpair_run(&p, 5 * NS_PER_S);
	assert_true(st->writable > 0);
	assert_int_equal(sv->n, done);
	assert_memory_equal(sv->data, pattern, sv->n);
	simpair_free(&p);
}

#define MANY 20

struct many {
	struct simstream *st[MANY];
	size_t done[MANY], total;
};

static void
push_one(struct many *m, size_t i)
{
	size_t now = push(m->st[i], m->done[i], sizeof(pattern));

	m->total += now - m->done[i];
	m->done[i] = now;
}

/* As a pump does: whoever is told writes, and nobody else. */
static void
many_writable(struct simpeer *p, struct simstream *st)
{
	struct many *m = p->user;
	size_t i;

	for (i = 0; i < MANY; i++)
		if (m->st[i] == st)
			push_one(m, i);
}

/* All streams together hold no more than the connection may, and bulk leaves an eighth of that: a key
 * passes, and a control message though there is no room at all. Acknowledgements make room, which all that wait
 * get in turn. */
static void
test_many_share(void **state)
{
	struct simstream *inter, *ctl, *sv;
	struct many m = {.total = 0};
	struct simpair p;
	size_t i, n = 1;

	(void)state;
	simpair_init(&p, 14);
	p.cll.send_total = 512 * KIB;
	p.net.link[SIM_CLIENT].rate = 4000000;
	p.net.link[SIM_CLIENT].queue = 30 * NS_PER_MS;
	start(&p);
	tp_conn_set_window(simpeer_conn(&p.sv), 64 * 1024 * KIB);
	p.cl.user = &m;
	p.cl.on_writable = many_writable;
	for (i = 0; i < MANY; i++)
		assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &m.st[i]), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_INTERACTIVE, &inter), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_CONTROL, &ctl), 0);
	for (i = 0; i < MANY; i++)
		push_one(&m, i);
	assert_int_equal(m.total, 448 * KIB);
	assert_int_equal(tp_stream_room(m.st[MANY - 1]->s), 0);
	assert_null(tp_stream_reserve(m.st[MANY - 1]->s, &n));
	assert_int_equal(push(inter, 0, 128 * KIB), 64 * KIB);
	assert_int_equal(push(inter, 0, 1), 0);
	assert_int_equal(push(ctl, 0, 10 * KIB), 10 * KIB);
	simpair_run(&p, 5 * NS_PER_S);
	assert_true(m.total > 8 * 1024 * KIB);
	for (i = 0; i < MANY; i++)
		assert_in_range(m.done[i], m.total / MANY / 2, m.total / MANY * 2);
	p.cl.on_writable = NULL;
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(simpeer_find(&p.sv, ctl->id)->n, 10 * KIB);
	for (i = 0; i < MANY; i++) {
		sv = simpeer_find(&p.sv, m.st[i]->id);
		assert_int_equal(sv->n, m.done[i]);
		assert_memory_equal(sv->data, pattern, sv->n);
	}
	simpair_free(&p);
}

#define UNSENT (320 * KIB) /* what a bulk stream may hold that has not left */

/* What a stream held is free once the stream is over, whatever ended it, and what counts as control does
 * not count. */
static void
test_room_comes_back(void **state)
{
	struct simstream *st[3], *last, *fresh, *sv;
	struct simpair p;
	size_t i;

	(void)state;
	simpair_init(&p, 15);
	p.cll.send_total = 1280 * KIB;
	p.sv.hold = true;
	start(&p); /* the server's 64 KiB of credit are all that leaves */
	for (i = 0; i < 3; i++) {
		assert_int_equal(simpeer_open(&p.cl, i != 2, TP_PRIO_BULK, &st[i]), 0);
		assert_int_equal(push(st[i], 0, 512 * KIB), UNSENT);
	}
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &last), 0);
	assert_int_equal(push(last, 0, 512 * KIB), 160 * KIB);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(push(last, 160 * KIB, 512 * KIB), 224 * KIB); /* in place of what has arrived */
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &fresh), 0);
	assert_int_equal(tp_stream_room(fresh->s), 0);
	tp_stream_set_prio(st[0]->s, TP_PRIO_CONTROL);
	assert_true(tp_stream_room(fresh->s) >= 64 * KIB);
	tp_stream_set_prio(st[0]->s, TP_PRIO_BULK);
	assert_int_equal(tp_stream_room(fresh->s), 0);
	assert_int_equal(push(fresh, 0, 1), 0);
	for (i = 0; i < 2; i++)
		tp_stream_reset(st[i]->s, 1);
	/* Over for both ends, but what it brought was not taken. */
	st[2]->hold = true;
	sv = simpeer_find(&p.sv, st[2]->id);
	tp_stream_stop(sv->s, 1);
	assert_int_equal(tp_stream_write(sv->s, "x", 1), 1);
	tp_stream_fin(sv->s);
	simpair_run(&p, NS_PER_S);
	for (i = 0; i < 2; i++)
		assert_int_equal(st[i]->closed, 1);
	assert_int_equal(st[2]->stopped, 1);
	assert_int_equal(st[2]->closed, 0);
	assert_true(fresh->writable > 0);
	assert_int_equal(push(fresh, 0, 512 * KIB), UNSENT);
	push(last, 0, 512 * KIB);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &fresh), 0);
	assert_int_equal(push(fresh, 0, 512 * KIB), UNSENT);
	simpair_free(&p);
}

/* RESET_STREAM: the reader learns the code; what it had not taken is gone, with its credit. */
static void
test_reset(void **state)
{
	struct simstream *st, *sv;
	struct simpair p;
	int i;

	(void)state;
	simpair_init(&p, 4);
	p.sv.hold = true;
	start(&p);
	/* Over and over, so that credit that were not given back would be missed. */
	for (i = 0; i < 20; i++) {
		assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
		push(st, 0, 20 * KIB);
		simpair_run(&p, NS_PER_S);
		sv = simpeer_find(&p.sv, st->id);
		assert_non_null(sv);
		tp_stream_reset(st->s, 77);
		assert_true(tp_stream_write(st->s, "x", 1) == QERR_CLOSED);
		simpair_run(&p, NS_PER_S);
		assert_int_equal(sv->reset, 1);
		assert_int_equal(sv->reset_code, 77);
		assert_int_equal(sv->n, 0);
		assert_int_equal(sv->closed, 1);
		assert_int_equal(st->closed, 1);
		assert_int_equal(st->acked, 0);
		assert_int_equal(st->stopped, 0);
	}
	simpair_free(&p);
}

/* STOP_SENDING: the writer learns it though it has nothing to write, and its stream ends. */
static void
test_stop(void **state)
{
	struct simstream *uni, *bidi, *idle, *sv;
	struct simpair p;

	(void)state;
	simpair_init(&p, 5);
	start(&p);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &uni), 0);
	assert_int_equal(simpeer_open(&p.cl, false, TP_PRIO_BULK, &bidi), 0);
	assert_int_equal(simpeer_open(&p.cl, false, TP_PRIO_BULK, &idle), 0);
	push(uni, 0, 10);
	push(bidi, 0, 10);
	push(idle, 0, 10);
	simpair_run(&p, NS_PER_S);
	tp_stream_stop(simpeer_find(&p.sv, uni->id)->s, 5);
	tp_stream_stop(simpeer_find(&p.sv, bidi->id)->s, 6);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(uni->stopped, 1);
	assert_int_equal(uni->closed, 1);
	assert_int_equal(bidi->stopped, 1);
	assert_int_equal(bidi->closed, 0);
	assert_int_equal(idle->stopped, 0);
	assert_true(tp_stream_write(bidi->s, "x", 1) == QERR_CLOSED);
	/* The other direction of the stream is not touched. */
	sv = simpeer_find(&p.sv, bidi->id);
	assert_int_equal(tp_stream_write(sv->s, "back", 4), 4);
	tp_stream_fin(sv->s);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(bidi->n, 4);
	assert_true(bidi->fin);
	assert_int_equal(bidi->closed, 1);
	assert_int_equal(sv->acked, 1);
	assert_int_equal(bidi->stopped, 1);
	assert_int_equal(tp_stream_write(idle->s, "x", 1), 1);
	simpair_free(&p);
}

/* A peer that stops a stream with data held here does not get it, and the credit comes back. */
static void
test_stop_held(void **state)
{
	struct simstream *st, *sv;
	struct simpair p;
	int i;

	(void)state;
	simpair_init(&p, 6);
	p.sv.hold = true;
	start(&p);
	for (i = 0; i < 20; i++) {
		assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
		push(st, 0, 20 * KIB);
		tp_stream_fin(st->s);
		simpair_run(&p, NS_PER_S);
		sv = simpeer_find(&p.sv, st->id);
		assert_non_null(sv);
		assert_true(sv->seen > 0);
		tp_stream_stop(sv->s, 1);
		simpair_run(&p, NS_PER_S);
		assert_int_equal(sv->closed, 1);
		assert_int_equal(st->closed, 1);
	}
	simpair_free(&p);
}

/* A stream that nobody takes is refused in both directions. */
static void
test_refused(void **state)
{
	struct simstream *st, *uni;
	struct simpair p;

	(void)state;
	simpair_init(&p, 7);
	p.sv.refuse = true;
	start(&p);
	assert_int_equal(simpeer_open(&p.cl, false, TP_PRIO_BULK, &st), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &uni), 0);
	push(st, 0, 100);
	push(uni, 0, 100);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(st->reset, 1);
	assert_int_equal(st->reset_code, TP_E_PROTOCOL);
	assert_int_equal(st->stopped, 1);
	assert_int_equal(st->closed, 1);
	assert_int_equal(uni->stopped, 1);
	assert_int_equal(uni->closed, 1);
	assert_int_equal(p.cl.closed, 0);
	simpair_free(&p);
}

/* The number of streams counts those whose data has not been taken yet. */
static void
test_stream_limit(void **state)
{
	struct simstream *st;
	struct simpair p;
	unsigned i;

	(void)state;
	simpair_init(&p, 8);
	p.svl.max_uni = 3;
	p.sv.hold = true;
	start(&p);
	for (i = 0; i < 3; i++) {
		assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
		push(st, 0, 10);
		tp_stream_fin(st->s);
	}
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), QERR_AGAIN);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(p.cl.available, 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), QERR_AGAIN);
	p.sv.st[1].hold = false;
	tp_stream_resume(p.sv.st[1].s);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(p.cl.available, 1);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), QERR_AGAIN);
	tp_conn_set_max_streams(simpeer_conn(&p.sv), 16, 5);
	simpair_run(&p, 5 * NS_PER_S);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), QERR_AGAIN);
	simpair_free(&p);
}

/* A FIN costs no credit: it passes though another stream has used the connection's up. */
static void
test_fin_without_credit(void **state)
{
	struct simstream *full, *fin;
	struct simpair p;

	(void)state;
	simpair_init(&p, 9);
	p.sv.hold = true;
	start(&p);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_CONTROL, &full), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &fin), 0);
	push(full, 0, 64 * KIB);
	simpair_run(&p, NS_PER_S);
	assert_true(push(full, 0, 10 * KIB) > 0); /* blocked for good */
	tp_stream_fin(fin->s);
	simpair_run(&p, 5 * NS_PER_S);
	assert_non_null(simpeer_find(&p.sv, fin->id));
	assert_int_equal(fin->acked, 1);
	simpair_free(&p);
}

/* Interactive data passes bulk that was written before it, and control passes both. */
static void
test_priority(void **state)
{
	struct simstream *bulk, *inter, *ctl;
	struct simpair p;

	(void)state;
	simpair_init(&p, 10);
	/* What bbr's start sends into the queue at once, no order of ours takes back: quic_beside_test. */
	p.cll.cc = TP_CC_CUBIC;
	p.net.link[SIM_CLIENT].rate = 500000; /* 120 KB take a quarter of a second */
	p.net.link[SIM_CLIENT].queue = 20 * NS_PER_MS;
	start(&p);
	tp_conn_set_window(simpeer_conn(&p.sv), 8 * 1024 * KIB);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &bulk), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_INTERACTIVE, &inter), 0);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_CONTROL, &ctl), 0);
	push(bulk, 0, 120 * KIB);
	simpair_run(&p, 100 * NS_PER_MS);
	push(inter, 0, 20 * KIB);
	push(ctl, 0, 100);
	simpair_run(&p, 10 * NS_PER_S);
	assert_int_equal(simpeer_find(&p.sv, bulk->id)->n, 120 * KIB);
	assert_int_equal(simpeer_find(&p.sv, inter->id)->n, 20 * KIB);
	assert_true(simpeer_find(&p.sv, ctl->id)->t <= simpeer_find(&p.sv, inter->id)->t);
	assert_true(simpeer_find(&p.sv, inter->id)->t + 50 * NS_PER_MS <
	    simpeer_find(&p.sv, bulk->id)->t);
	simpair_free(&p);
}

/* Streams of one class share: none waits for another's end. */
static void
test_round_robin(void **state)
{
	struct simstream *st[4];
	struct simpair p;
	uint64_t first = UINT64_MAX, last = 0, t;
	unsigned i;

	(void)state;
	simpair_init(&p, 11);
	p.net.link[SIM_CLIENT].rate = 1000000;
	p.net.link[SIM_CLIENT].queue = 30 * NS_PER_MS;
	start(&p);
	tp_conn_set_window(simpeer_conn(&p.sv), 8 * 1024 * KIB);
	for (i = 0; i < 4; i++) {
		assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st[i]), 0);
		push(st[i], 0, 120 * KIB);
	}
	simpair_run(&p, 10 * NS_PER_S);
	for (i = 0; i < 4; i++) {
		assert_int_equal(simpeer_find(&p.sv, st[i]->id)->n, 120 * KIB);
		t = simpeer_find(&p.sv, st[i]->id)->t;
		first = t < first ? t : first;
		last = t > last ? t : last;
	}
	assert_true(last - first < 60 * NS_PER_MS);
	simpair_free(&p);
}

/* Direct access to the buffer. */
static void
test_reserve(void **state)
{
	struct simstream *st, *sv;
	struct simpair p;
	size_t done = 0, n;
	uint8_t *d;

	(void)state;
	simpair_init(&p, 12);
	start(&p);
	tp_conn_set_window(simpeer_conn(&p.sv), 8 * 1024 * KIB);
	assert_int_equal(simpeer_open(&p.cl, true, TP_PRIO_BULK, &st), 0);
	while (done < 120 * KIB) {
		n = 64 * KIB;
		d = tp_stream_reserve(st->s, &n);
		assert_non_null(d);
		assert_true(n > 0);
		if (n > 777)
			n = 777;
		memcpy(d, pattern + done, n);
		tp_stream_commit(st->s, n);
		done += n;
	}
	n = 1024 * KIB;
	d = tp_stream_reserve(st->s, &n);
	assert_non_null(d);
	assert_true(n < 1024 * KIB); /* so writable() is owed */
	tp_stream_commit(st->s, 0);
	simpair_run(&p, 5 * NS_PER_S);
	assert_true(st->writable > 0);
	tp_stream_fin(st->s);
	n = 10;
	assert_null(tp_stream_reserve(st->s, &n));
	assert_int_equal(n, 0);
	simpair_run(&p, NS_PER_S);
	sv = simpeer_find(&p.sv, st->id);
	assert_int_equal(sv->n, done);
	assert_memory_equal(sv->data, pattern, done);
	simpair_free(&p);
}

static void
test_datagrams(void **state)
{
	struct simpair p;
	size_t max;
	unsigned i;

	(void)state;
	simpair_init(&p, 13);
	simpair_connect(&p);
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.cl), "x", 1), QERR_UNSUPPORTED);
	simpair_run(&p, NS_PER_S);
	max = tp_conn_datagram_max(simpeer_conn(&p.cl));
	assert_true(max >= 1100 && max <= 1452);
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.cl), pattern + 1, max + 1), QERR_TOOBIG);
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.cl), pattern + 1, max), 0);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.sv.dgrams, 1);
	assert_int_equal(p.sv.dgram_n, max);
	assert_memory_equal(p.sv.dgram, pattern + 1, max);
	/* Flow 0 is not for the layer above. */
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.cl), "\0x", 2), QERR_INVAL);
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.cl), "\x40\0x", 3), QERR_INVAL);
	/* A queue that is full says so, and what it took arrives. */
	for (i = 0; tp_conn_datagram(simpeer_conn(&p.cl), pattern + 1, 100) == 0; i++)
		assert_true(i < 10000);
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.cl), pattern + 1, 100), QERR_AGAIN);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.sv.dgrams, 1 + i);
	/* The other way too, and none without a flow's number. */
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.sv), "", 0), QERR_INVAL);
	assert_int_equal(tp_conn_datagram(simpeer_conn(&p.sv), "x", 1), 0);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.cl.dgrams, 1);
	assert_int_equal(p.cl.dgram_n, 1);
	simpair_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credit_before_login),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_many_share),
		cmocka_unit_test(test_room_comes_back),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_held),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stream_limit),
		cmocka_unit_test(test_fin_without_credit),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_round_robin),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_datagrams),
	};
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 13 + i / 509);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
