/* The loop: rounds of descriptors and signals, then of timers. */
#include "common/ev/ev.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/ev/impl.h"

int
ev_new(struct ev **out)
{
	struct ev *ev = calloc(1, sizeof(*ev));
	int r;

	*out = NULL;
	if (ev == NULL)
		return QERR_NOMEM;
	if ((r = os_new(&ev->os)) != 0) {
		free(ev);
		return r;
	}
	*out = ev;
	return 0;
}

int
ev_new_virtual(struct ev **out, uint64_t start_ns)
{
	struct ev *ev = calloc(1, sizeof(*ev));

	*out = ev;
	if (ev == NULL)
		return QERR_NOMEM;
	ev->virtual_now = start_ns;
	return 0;
}

void
ev_free(struct ev **evp)
{
	struct ev *ev = *evp;

	if (ev == NULL)
		return;
	os_free(&ev->os);
	free(ev->heap);
	free(ev);
	*evp = NULL;
}

uint64_t
ev_now(struct ev *ev)
{
	return ev->os != NULL ? clock_mono() : ev->virtual_now;
}

void
ev_stop(struct ev *ev)
{
	ev->stop = true;
	if (ev->os != NULL)
		os_break(ev->os);
}

static void
run_due(struct ev *ev)
{
	uint64_t now = ev_now(ev);

	while (!ev->stop && timers_run_one(ev, now))
		;
}

static void
virtual_to(struct ev *ev, uint64_t t)
{
	while (!ev->stop && ev->armed > 0 && timers_next(ev) <= t) {
		if (timers_next(ev) > ev->virtual_now)
			ev->virtual_now = timers_next(ev);
		timers_run_one(ev, ev->virtual_now);
	}
}

int
ev_run(struct ev *ev)
{
	int r = 0;

	if (ev->os == NULL)
		virtual_to(ev, UINT64_MAX);
	while (ev->os != NULL && !ev->stop) {
		r = os_round(ev->os, timers_next(ev));
		if (r < 0 || (r == 1 && ev->armed == 0))
			break;
		run_due(ev);
	}
	ev->stop = false;
	return r < 0 ? r : 0;
}

void
ev_virtual_run(struct ev *ev, uint64_t t)
{
	if (ev->os != NULL)
		return;
	virtual_to(ev, t);
	if (!ev->stop && t > ev->virtual_now)
		ev->virtual_now = t;
	ev->stop = false;
}

uint64_t
ev_virtual_next(struct ev *ev)
{
	return timers_next(ev);
}
