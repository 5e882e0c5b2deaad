/* A simulated login. */
#include <stddef.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "tests/sim/simlogin.h"

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* The login that this end is part of. */
static struct simlogin *
login_of(struct simpeer *peer)
{
	size_t at = peer->side == SIM_CLIENT ? offsetof(struct simlogin, p.cl)
					     : offsetof(struct simlogin, p.sv);

	return (struct simlogin *)(void *)((uint8_t *)peer - at);
}

static void
on_key(struct simpeer *sv, struct simstream *st)
{
	struct simlogin *l = login_of(sv);

	if (l->in == NULL || st->id != l->in->id || st->n <= 1 || l->out == NULL)
		return;
	while (l->echoed < st->n) {
		must(tp_stream_write(l->out->s, st->data + l->echoed, 1) == 1);
		l->echoed++;
	}
}

static void
on_echo(struct simpeer *cl, struct simstream *st)
{
	struct simlogin *l = login_of(cl);

	if (l->out == NULL || st->id != l->out->id)
		return;
	for (; l->shown < l->keys && l->shown + 1 < st->n; l->shown++)
		l->took[l->shown] = simnet_now(&l->p.net) - l->pressed[l->shown];
}

struct simlogin *
simlogin_new(uint64_t seed, uint64_t one_way, enum tp_cc cc)
{
	struct simlogin *l = calloc(1, sizeof(*l));

	must(l != NULL);
	simpair_init(&l->p, seed);
	l->p.cll.cc = l->p.svl.cc = cc;
	l->p.net.link[0].delay = l->p.net.link[1].delay = one_way;
	l->p.sv.on_data = on_key;
	l->p.cl.on_data = on_echo;
	simpair_connect(&l->p);
	simpair_run(&l->p, NS_PER_S);
	tp_conn_set_window(simpeer_conn(&l->p.sv), UINT64_C(64) << 20);
	must(simpeer_open(&l->p.cl, true, TP_PRIO_INTERACTIVE, &l->in) == 0);
	must(simpeer_open(&l->p.sv, true, TP_PRIO_INTERACTIVE, &l->out) == 0);
	must(tp_stream_write(l->in->s, "<", 1) == 1);
	must(tp_stream_write(l->out->s, "<", 1) == 1);
	l->echoed = 1;
	simpair_run(&l->p, NS_PER_S);
	return l;
}

void
simlogin_press(struct simlogin *l)
{
	uint8_t key = (uint8_t)('a' + l->keys % 26);

	must(l->keys < SIMLOGIN_KEYS);
	l->pressed[l->keys++] = simnet_now(&l->p.net);
	must(tp_stream_write(l->in->s, &key, 1) == 1);
}

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void
simlogin_finish(struct simlogin *l)
{
	struct simstream *seen;
	size_t i;

	simpair_run(&l->p, 120 * NS_PER_S);
	must(l->shown == l->keys);
	seen = simpeer_find(&l->p.cl, l->out->id);
	must(seen->n == l->keys + 1);
	for (i = 0; i < l->keys; i++)
		must(seen->data[i + 1] == 'a' + i % 26);
	qsort(l->took, l->keys, sizeof(l->took[0]), by_size);
}

uint64_t
simlogin_took(const struct simlogin *l, unsigned p)
{
	return l->took[(l->keys - 1) * p / 100];
}

void
simlogin_free(struct simlogin *l)
{
	simpair_free(&l->p);
	free(l);
}

void
simlogin_type(struct simlogin *l, size_t keys, uint64_t every)
{
	while (keys-- > 0) {
		simlogin_press(l);
		simpair_run(&l->p, every);
	}
}
