#include "tests/net/shape.h"

#include <stdlib.h>
#include <string.h>

/* A packet on its way; the heap is ordered by (due, seq), so that equal times keep their order. */
struct packet {
	uint64_t due, seq;
	uint32_t n;
	uint8_t data[];
};

struct shape {
	struct shape_cfg cfg;
	struct shape_stats stats;
	uint64_t rng, seq;
	uint64_t line_free;      /* when the rate limiter has sent what it holds */
	uint64_t last_due;       /* keeps jitter from reordering */
	bool in_burst;
	struct packet **heap, *out;
	size_t count, cap;
};

static uint64_t
rng_next(struct shape *s)
{
	uint64_t x = s->rng;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return s->rng = x;
}

static double
rng_unit(struct shape *s)
{
	return (double)(rng_next(s) >> 11) / 9007199254740992.0;
}

struct shape *
shape_new(uint64_t seed)
{
	struct shape *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	s->cfg.queue = 1 << 20;
	for (int i = 0; i < 8; i++)
		rng_next(s);
	return s;
}

void
shape_free(struct shape **sp)
{
	struct shape *s = *sp;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		free(s->heap[i]);
	free(s->heap);
	free(s->out);
	free(s);
	*sp = NULL;
}

struct shape_cfg *
shape_cfg(struct shape *s)
{
	return &s->cfg;
}

const struct shape_stats *
shape_stats(const struct shape *s)
{
	return &s->stats;
}

static bool
before(const struct packet *a, const struct packet *b)
{
	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void
heap_push(struct shape *s, struct packet *p)
{
	size_t i = s->count;

	if (s->count == s->cap) {
		size_t cap = s->cap != 0 ? s->cap * 2 : 256;
		struct packet **heap = realloc(s->heap, cap * sizeof(*heap));

		if (heap == NULL) {
			free(p);
			return;
		}
		s->heap = heap;
		s->cap = cap;
	}
	s->count++;
	for (; i > 0 && before(p, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = p;
}

static struct packet *
heap_pop(struct shape *s)
{
	struct packet *top = s->heap[0], *last = s->heap[--s->count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= s->count)
			break;
		if (child + 1 < s->count && before(s->heap[child + 1], s->heap[child]))
			child++;
		if (!before(s->heap[child], last))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
	return top;
}

static bool
is_lost(struct shape *s)
{
	const struct shape_cfg *c = &s->cfg;

	if (c->burst_enter > 0) {
		if (s->in_burst)
			s->in_burst = rng_unit(s) >= c->burst_leave;
		else
			s->in_burst = rng_unit(s) < c->burst_enter;
		if (s->in_burst)
			return true;
	} else {
		s->in_burst = false;
	}
	return c->loss > 0 && rng_unit(s) < c->loss;
}

static void
enqueue(struct shape *s, uint64_t due, const uint8_t *data, size_t n)
{
	struct packet *p = malloc(sizeof(*p) + n);

	if (p == NULL)
		return;
	p->due = due;
	p->seq = s->seq++;
	p->n = (uint32_t)n;
	memcpy(p->data, data, n);
	heap_push(s, p);
}

void
shape_in(struct shape *s, uint64_t now, const uint8_t *p, size_t n)
{
	const struct shape_cfg *c = &s->cfg;
	uint64_t due = now;

	s->stats.packets++;
	s->stats.bytes += n;
	if (c->mtu != 0 && n > c->mtu) {
		s->stats.blackholed++;
		return;
	}
	if (c->down || is_lost(s)) {
		s->stats.lost++;
		return;
	}
	if (c->rate != 0) {
		uint64_t start = s->line_free > now ? s->line_free : now;

		if ((double)(start - now) * (double)c->rate / 8e9 > (double)c->queue) {
			s->stats.overflow++;
			return;
		}
		s->line_free = start + (uint64_t)((double)n * 8e9 / (double)c->rate);
		due = s->line_free;
	}
	due += c->delay_ns;
	if (c->jitter_ns != 0)
		due += rng_next(s) % c->jitter_ns;
	if (due < s->last_due)
		due = s->last_due;
	s->last_due = due;
	if (c->reorder > 0 && rng_unit(s) < c->reorder)
		due += UINT64_C(1000000) + rng_next(s) % UINT64_C(7000000);
	enqueue(s, due, p, n);
	if (c->dup > 0 && rng_unit(s) < c->dup)
		enqueue(s, due, p, n);
}

const uint8_t *
shape_out(struct shape *s, uint64_t now, size_t *n)
{
	free(s->out);
	s->out = NULL;
	if (s->count == 0 || s->heap[0]->due > now)
		return NULL;
	s->out = heap_pop(s);
	*n = s->out->n;
	return s->out->data;
}

uint64_t
shape_next(const struct shape *s)
{
	return s->count != 0 ? s->heap[0]->due : UINT64_MAX;
}
