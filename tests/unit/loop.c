#include "tests/unit/loop.h"

#include <stdlib.h>

#include "common/base/clock.h"

#define LIMIT_NS (20 * NS_PER_S)
#define SETTLE_ROUNDS 100

struct watch {
	struct ev *ev;
	struct ev_timer *timer;
	loop_cond_fn *cond;
	void *arg;
	uint64_t deadline;
	bool met;
};

static void
on_watch(void *arg)
{
	struct watch *w = arg;

	w->met = w->cond(w->arg);
	if (w->met || ev_now(w->ev) > w->deadline)
		ev_stop(w->ev);
	else
		ev_timer_at(w->timer, 0);
}

bool
loop_until(struct ev *ev, loop_cond_fn *cond, void *arg)
{
	struct watch w = {.ev = ev, .cond = cond, .arg = arg, .deadline = ev_now(ev) + LIMIT_NS};

	if (ev_timer_new(&w.timer, ev, on_watch, &w) < 0)
		abort();
	ev_timer_at(w.timer, 0);
	do
		(void)ev_run(ev); /* what is tested may have stopped the loop */
	while (!w.met && ev_now(ev) <= w.deadline);
	ev_timer_free(&w.timer);
	return w.met;
}

static bool
count_down(void *arg)
{
	int *rounds = arg;

	return --*rounds == 0;
}

void
loop_settle(struct ev *ev)
{
	int rounds = SETTLE_ROUNDS;

	(void)loop_until(ev, count_down, &rounds);
}
