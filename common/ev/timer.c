/* Timers: a binary heap over their times. One for both kinds of loop, so that tests
 * with the virtual clock see the order that the real loop has. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/ev/impl.h"

#define NOT_ARMED SIZE_MAX

struct ev_timer {
	struct ev *ev;
	ev_timer_fn *fn;
	void *arg;
	uint64_t ns, seq;
	size_t pos; /* in the heap */
};

static bool
before(const struct ev_timer *a, const struct ev_timer *b)
{
	return a->ns != b->ns ? a->ns < b->ns : a->seq < b->seq;
}

static void
put(struct ev *ev, size_t pos, struct ev_timer *t)
{
	ev->heap[pos] = t;
	t->pos = pos;
}

static void
sift_up(struct ev *ev, size_t pos, struct ev_timer *t)
{
	while (pos > 0 && before(t, ev->heap[(pos - 1) / 2])) {
		put(ev, pos, ev->heap[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	put(ev, pos, t);
}

static void
sift_down(struct ev *ev, size_t pos, struct ev_timer *t)
{
	size_t child;

	while ((child = 2 * pos + 1) < ev->armed) {
		if (child + 1 < ev->armed && before(ev->heap[child + 1], ev->heap[child]))
			child++;
		if (!before(ev->heap[child], t))
			break;
		put(ev, pos, ev->heap[child]);
		pos = child;
	}
	put(ev, pos, t);
}

void
ev_timer_stop(struct ev_timer *t)
{
	struct ev *ev = t->ev;
	struct ev_timer *last;
	size_t pos = t->pos;

	if (pos == NOT_ARMED)
		return;
	t->pos = NOT_ARMED;
	last = ev->heap[--ev->armed];
	if (last == t)
		return;
	if (pos > 0 && before(last, ev->heap[(pos - 1) / 2]))
		sift_up(ev, pos, last);
	else
		sift_down(ev, pos, last);
}

void
ev_timer_at(struct ev_timer *t, uint64_t ns)
{
	struct ev *ev = t->ev;

	ev_timer_stop(t);
	if (ns == UINT64_MAX)
		return;
	/* Not in the round that is running: descriptors would starve. */
	if (ev->in_round && ns <= ev->round)
		ns = ev->round + 1;
	t->ns = ns;
	t->seq = ev->seq++;
	sift_up(ev, ev->armed++, t);
}

/* A slot for each timer that exists, so that arming one cannot fail. */
static int
add_slot(struct ev *ev)
{
	size_t slots = ev->slots > 0 ? 2 * ev->slots : 8;
	struct ev_timer **heap;

	if (ev->timers == ev->slots) {
		if ((heap = realloc(ev->heap, slots * sizeof(*heap))) == NULL)
			return QERR_NOMEM;
		ev->heap = heap;
		ev->slots = slots;
	}
	ev->timers++;
	return 0;
}

int
ev_timer_new(struct ev_timer **out, struct ev *ev, ev_timer_fn *fn, void *arg)
{
	struct ev_timer *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL || add_slot(ev) != 0) {
		free(t);
		return QERR_NOMEM;
	}
	t->ev = ev;
	t->fn = fn;
	t->arg = arg;
	t->pos = NOT_ARMED;
	*out = t;
	return 0;
}

void
ev_timer_free(struct ev_timer **tp)
{
	struct ev_timer *t = *tp;

	if (t == NULL)
		return;
	ev_timer_stop(t);
	t->ev->timers--;
	free(t);
	*tp = NULL;
}

uint64_t
timers_next(const struct ev *ev)
{
	return ev->armed > 0 ? ev->heap[0]->ns : UINT64_MAX;
}

bool
timers_run_one(struct ev *ev, uint64_t now)
{
	struct ev_timer *t;

	if (ev->armed == 0 || ev->heap[0]->ns > now)
		return false;
	t = ev->heap[0];
	ev_timer_stop(t);
	ev->in_round = true;
	ev->round = now;
	t->fn(t->arg); /* may free t */
	ev->in_round = false;
	return true;
}
