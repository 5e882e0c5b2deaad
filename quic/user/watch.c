/* When a UDP socket is read. */
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/user/watch.h"

#define PAUSE_MAX (250 * NS_PER_US)
#define PAUSE_MIN (50 * NS_PER_US) /* less is not worth a timer */
#define BATCH_MIN ((size_t)32 * 1024) /* at a time: less is no bulk, or it is slow */
#define BATCH_MAX ((size_t)256 * 1024)
#define ROOM      ((size_t)128 * 1024) /* where the kernel does not tell */

uint64_t
qwatch_pause(size_t n, uint64_t within, size_t room)
{
	size_t want = room / 4 < BATCH_MAX ? room / 4 : BATCH_MAX;
	uint64_t t;

	if (n < BATCH_MIN || within > NS_PER_MS)
		return 0;
	t = within * want / n; /* at this rate, so much comes within t */
	return t < PAUSE_MAX ? t : PAUSE_MAX;
}

static void
on_later(void *arg)
{
	struct qwatch *w = arg;

	w->fn(w->arg, w->fd, EV_RD);
}

int
qwatch_new(struct qwatch *w, struct ev *ev, int fd, ev_io_fn *fn, void *arg)
{
	int size = 0, r;
	socklen_t len = sizeof(size);

	w->ev = ev;
	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	w->last = 0;
	w->room = ROOM;
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len) == 0 && size > 0)
		w->room = (size_t)size;
	r = ev_timer_new(&w->later, ev, on_later, w);
	if (r == 0)
		r = ev_io_new(&w->io, ev, fd, EV_RD, fn, arg);
	if (r != 0)
		qwatch_free(w);
	return r;
}

void
qwatch_free(struct qwatch *w)
{
	ev_io_free(&w->io);
	ev_timer_free(&w->later);
}

void
qwatch_read(struct qwatch *w, uint64_t start, size_t n)
{
	uint64_t now, at;
	unsigned what;

	if (w->io == NULL)
		return;
	at = start + qwatch_pause(n, start - w->last, w->room);
	w->last = start;
	what = ev_io_get(w->io) | EV_RD;
	if (at > start && (now = ev_now(w->ev)) < at && at - now >= PAUSE_MIN) {
		ev_timer_at(w->later, at);
		what &= ~(unsigned)EV_RD;
	}
	(void)ev_io_set(w->io, what);
}

void
qwatch_full(struct qwatch *w, bool full)
{
	unsigned what;

	if (w->io == NULL)
		return;
	what = ev_io_get(w->io) & ~(unsigned)EV_WR;
	(void)ev_io_set(w->io, full ? what | EV_WR : what);
}

bool
qwatch_is_full(const struct qwatch *w)
{
	return w->io != NULL && (ev_io_get(w->io) & EV_WR) != 0;
}
