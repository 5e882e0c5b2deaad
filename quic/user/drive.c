/* Connections in an event loop. */
#include "common/ev/ev.h"
#include "quic/user/drive.h"

static void
on_timer(void *arg)
{
	struct qdrive *d = arg;

	if (qdrive_run(d) == 0 && d->after != NULL)
		d->after(d->after_arg);
}

int
qdrive_init(struct qdrive *d, struct ev *ev)
{
	d->ev = ev;
	d->timer = NULL;
	d->c = NULL;
	d->after = NULL;
	return ev_timer_new(&d->timer, ev, on_timer, d);
}

void
qdrive_after(struct qdrive *d, void (*fn)(void *arg), void *arg)
{
	d->after = fn;
	d->after_arg = arg;
}

void
qdrive_fini(struct qdrive *d)
{
	ev_timer_free(&d->timer);
	d->c = NULL;
}

void
qdrive_arm(struct qdrive *d)
{
	ev_timer_at(d->timer, qconn_expiry(d->c));
}

int
qdrive_run(struct qdrive *d)
{
	int r = qconn_run(d->c, ev_now(d->ev));

	if (r == 0)
		qdrive_arm(d);
	return r;
}

void
qdrive_wake(struct qdrive *d)
{
	if (d->timer != NULL)
		ev_timer_at(d->timer, 0);
}
