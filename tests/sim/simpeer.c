/* The recording layer above a simulated connection. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/simpeer.h"

struct tp_conn *
simpeer_conn(struct simpeer *p)
{
	return simnet_conn(p->net, p->side);
}

/* Each callback begins here. True: the connection was freed. */
static bool
called(struct simpeer *p)
{
	if (++p->calls != p->free_at)
		return false;
	simnet_drop(p->net, p->side);
	return true;
}

static void
keep(struct simstream *st, const uint8_t *d, size_t n)
{
	while (st->n + n > st->cap) {
		st->cap = st->cap ? st->cap * 2 : 4096;
		st->data = realloc(st->data, st->cap);
		assert(st->data != NULL);
	}
	if (n > 0)
		memcpy(st->data + st->n, d, n);
	st->n += n;
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *d, size_t n, bool fin)
{
	struct simstream *st = arg;
	struct simpeer *p = st->p;

	(void)s;
	if (called(p))
		return n;
	if (n > st->seen)
		st->seen = n;
	if (st->hold)
		return 0;
	keep(st, d, n);
	st->t = simnet_now(p->net);
	assert(!st->fin);
	st->fin = fin;
	if (p->on_data != NULL)
		p->on_data(p, st);
	return n;
}

static void
on_writable(void *arg, struct tp_stream *s)
{
	struct simstream *st = arg;

	(void)s;
	if (called(st->p))
		return;
	st->writable++;
	if (st->p->on_writable != NULL)
		st->p->on_writable(st->p, st);
}

static void
on_reset(void *arg, struct tp_stream *s, uint64_t code)
{
	struct simstream *st = arg;

	(void)s;
	if (called(st->p))
		return;
	st->reset++;
	st->reset_code = code;
}

static void
on_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	struct simstream *st = arg;

	(void)s;
	if (called(st->p))
		return;
	st->stopped++;
	st->stop_code = code;
}

static void
on_acked(void *arg, struct tp_stream *s)
{
	struct simstream *st = arg;

	(void)s;
	if (!called(st->p))
		st->acked++;
}

static void
on_stream_closed(void *arg, struct tp_stream *s)
{
	struct simstream *st = arg;

	(void)s;
	st->s = NULL;
	if (!called(st->p))
		st->closed++;
}

static const struct tp_stream_ops stream_ops = {
	.data = on_data,
	.writable = on_writable,
	.reset = on_reset,
	.stopped = on_stopped,
	.acked = on_acked,
	.closed = on_stream_closed,
};

static struct simstream *
record(struct simpeer *p)
{
	struct simstream *st;

	assert(p->nst < SIMPEER_STREAMS);
	st = &p->st[p->nst++];
	st->p = p;
	st->hold = p->hold;
	return st;
}

static void
on_opened(void *arg, struct tp_stream *s)
{
	struct simpeer *p = arg;
	struct simstream *st;

	if (called(p))
		return;
	p->opened++;
	if (p->refuse)
		return;
	st = record(p);
	st->s = s;
	st->id = tp_stream_id(s);
	tp_stream_set_ops(s, &stream_ops, st);
	if (p->on_stream != NULL)
		p->on_stream(p, st);
}

static void
on_done(void *arg)
{
	struct simpeer *p = arg;

	if (called(p))
		return;
	p->done++;
	if (p->on_done != NULL)
		p->on_done(p);
}

static void
on_early(void *arg)
{
	struct simpeer *p = arg;

	if (called(p))
		return;
	p->early++;
	if (p->on_early != NULL)
		p->on_early(p);
}

static void
on_dgram(void *arg, const uint8_t *d, size_t n)
{
	struct simpeer *p = arg;

	if (called(p))
		return;
	p->dgrams++;
	p->dgram_n = n < sizeof(p->dgram) ? n : sizeof(p->dgram);
	memcpy(p->dgram, d, p->dgram_n);
}

static void
on_available(void *arg)
{
	struct simpeer *p = arg;

	if (!called(p))
		p->available++;
}

static void
on_moved(void *arg, const struct tp_path *from, const struct tp_path *to)
{
	struct simpeer *p = arg;

	if (called(p))
		return;
	p->moved++;
	p->from = *from;
	p->to = *to;
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct simpeer *p = arg;

	p->closed++;
	p->why = *why;
	(void)called(p);
}

const struct tp_conn_ops simpeer_ops = {
	.handshake_done = on_done,
	.early_data_ok = on_early,
	.stream_opened = on_opened,
	.datagram = on_dgram,
	.streams_available = on_available,
	.moved = on_moved,
	.closed = on_closed,
};

int
simpeer_open(struct simpeer *p, bool uni, enum tp_prio prio, struct simstream **out)
{
	struct simstream *st = record(p);
	int r;

	r = tp_stream_open(simpeer_conn(p), uni, &stream_ops, st, prio, &st->s);
	if (r != 0) {
		p->nst--;
		return r;
	}
	st->id = tp_stream_id(st->s);
	*out = st;
	return 0;
}

struct simstream *
simpeer_find(struct simpeer *p, uint64_t id)
{
	unsigned i;

	for (i = 0; i < p->nst; i++) {
		if (p->st[i].id == id)
			return &p->st[i];
	}
	return NULL;
}

void
simpair_init(struct simpair *p, uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	simnet_init(&p->net, seed);
	p->cl.net = p->sv.net = &p->net;
	p->cl.side = SIM_CLIENT;
	p->sv.side = SIM_SERVER;
	quic_limits_client(&p->cll);
	quic_limits_server(&p->svl);
}

void
simpair_connect(struct simpair *p)
{
	simnet_connect(&p->net, &p->cll, &simpeer_ops, &p->cl, &p->svl, &simpeer_ops, &p->sv);
}

static void
peer_free(struct simpeer *p)
{
	unsigned i;

	for (i = 0; i < p->nst; i++)
		free(p->st[i].data);
}

void
simpair_free(struct simpair *p)
{
	simnet_free(&p->net);
	peer_free(&p->cl);
	peer_free(&p->sv);
}

void
simpair_run(struct simpair *p, uint64_t ns)
{
	simnet_run(&p->net, ns, NULL, NULL);
}
