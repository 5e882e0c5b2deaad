#include "common/chan/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/chan/detach.h"

/* Each read of a full pipe wakes whoever waits to fill it, which costs more than the bytes that it brings:
 * where a read brought much, the next one asks for all that a pipe may hold. */
#define READ_SOME (64 * 1024)
#define READ_MUCH (256 * 1024)
#define PIECES    5
#define DRAIN_MAX (1024 * 1024)
/* A read shorter than this is a descriptor run dry. Not any short read: a pty gives at most
 * 4095 bytes a time however much it holds. */
#define READ_DRY 2048

struct pump_out {
	struct ev *ev;
	uint64_t last;         /* when bytes went through, ns */
	int fd;
	struct ev_io *io;
	struct ev_timer *soon; /* the next round, where no descriptor event brings it */
	struct tp_stream *s;   /* NULL once the pump is over */
	pump_done_fn *done;
	void *arg;
	pump_filter_fn *filter;
	void *filter_arg;
	size_t drained;
	size_t ask;            /* bytes of the next read */
	bool paused, draining;
	bool blocked;          /* no room in the stream */
	bool finished;         /* FIN was sent by pump_out_finish, done is due */
};

/* Lets go of the stream and says done. The caller touches p no more. */
static void
end(struct pump_out *p, enum pump_end why)
{
	struct tp_stream *s = p->s;

	ev_io_free(&p->io);
	ev_timer_stop(p->soon);
	p->s = NULL;
	if (s != NULL) {
		if (why == PUMP_EOF && !p->finished)
			tp_stream_fin(s);
		else if (why == PUMP_ERROR)
			tp_stream_reset(s, TP_E_INTERNAL);
		chan_detach(s);
	}
	p->done(p->arg, why);
}

/* Asks for the next round. */
static void
arm(struct pump_out *p)
{
	bool want = !p->paused && !p->blocked;
	/* Draining does not wait for the descriptor: it ends where there is nothing to read. */
	bool soon = p->finished || (p->draining && want);

	ev_timer_at(p->soon, soon ? 0 : UINT64_MAX);
	(void)ev_io_set(p->io, want && !soon ? EV_RD : 0);
}

static void
filtered(struct pump_out *p, uint8_t *dst, size_t n)
{
	if (p->filter != NULL)
		p->filter(p->filter_arg, dst, &n);
	/* A filter that finished the pump has sent FIN: what it left of this read is
	 * dropped. */
	if (n > 0 && !p->finished)
		tp_stream_commit(p->s, n);
}

enum outcome { OUT_MORE, OUT_DRY, OUT_EOF, OUT_ERROR };

static enum outcome
read_once(struct pump_out *p, size_t max, size_t *got)
{
	struct iovec v[PIECES];
	/* A filter wants what it sees in one piece. */
	size_t nv = tp_stream_reservev(p->s, v, p->filter != NULL ? 1 : PIECES, max < p->ask ? max : p->ask);
	size_t n = 0, i;
	ssize_t r;

	*got = 0;
	for (i = 0; i < nv; i++)
		n += v[i].iov_len;
	if (n == 0) {
		p->blocked = true;
		return OUT_MORE;
	}
	do
		r = readv(p->fd, v, (int)nv);
	while (r < 0 && errno == EINTR);
	p->ask = r >= READ_SOME ? READ_MUCH : READ_SOME;
	if (r < 0 && errno == EAGAIN) {
		tp_stream_commit(p->s, 0);
		return OUT_DRY;
	}
	if (r < 0 && errno != EIO)
		return OUT_ERROR;
	if (r <= 0)
		return OUT_EOF; /* EIO: the other side of a pty is closed */
	*got = (size_t)r;
	p->last = ev_now(p->ev);
	filtered(p, v[0].iov_base, (size_t)r);
	return *got < n && *got < READ_DRY && !p->draining ? OUT_DRY : OUT_MORE;
}

static void
run_round(struct pump_out *p)
{
	enum outcome o = OUT_MORE;
	size_t total = 0, got;

	while (o == OUT_MORE && total < PUMP_ROUND && !p->blocked && !p->paused && !p->finished) {
		o = read_once(p, PUMP_ROUND - total, &got);
		total += got;
	}
	if (p->draining) {
		p->drained += total;
		if (o == OUT_DRY || p->drained >= DRAIN_MAX)
			o = OUT_EOF;
	}
	if (o == OUT_EOF || o == OUT_ERROR)
		end(p, o == OUT_EOF ? PUMP_EOF : PUMP_ERROR);
	else
		arm(p);
}

static void
on_readable(void *arg, int fd, unsigned what)
{
	(void)fd;
	(void)what;
	run_round(arg);
}

static void
on_soon(void *arg)
{
	struct pump_out *p = arg;

	if (p->finished)
		end(p, PUMP_EOF);
	else
		run_round(p);
}

static void
on_writable(void *arg, struct tp_stream *s)
{
	struct pump_out *p = arg;

	(void)s;
	if (p->finished || !p->blocked)
		return;
	p->blocked = false;
	run_round(p);
}

static void
on_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)s;
	(void)code;
	end(arg, PUMP_RESET);
}

static void
on_closed(void *arg, struct tp_stream *s)
{
	struct pump_out *p = arg;

	(void)s;
	p->s = NULL;
	end(p, p->finished ? PUMP_EOF : PUMP_RESET);
}

static const struct tp_stream_ops out_ops = {
	.writable = on_writable,
	.stopped = on_stopped,
	.closed = on_closed,
};

int
pump_out_new(struct pump_out **out, struct ev *ev, int fd, struct tp_stream *s,
    pump_done_fn *done, void *arg)
{
	struct pump_out *p = calloc(1, sizeof(*p));
	int r;

	*out = NULL;
	if (p == NULL) {
		fd_close(&fd);
		return QERR_NOMEM;
	}
	p->ev = ev;
	p->last = ev_now(ev);
	p->fd = fd;
	p->ask = READ_SOME;
	p->done = done;
	p->arg = arg;
	r = ev_timer_new(&p->soon, ev, on_soon, p);
	if (r == 0)
		r = ev_io_new(&p->io, ev, fd, EV_RD, on_readable, p);
	if (r < 0) {
		pump_out_free(&p);
		return r;
	}
	p->s = s;
	tp_stream_set_ops(s, &out_ops, p);
	arm(p);
	*out = p;
	return 0;
}

void
pump_out_filter(struct pump_out *p, pump_filter_fn *fn, void *arg)
{
	p->filter = fn;
	p->filter_arg = arg;
}

void
pump_out_pause(struct pump_out *p, bool paused)
{
	p->paused = paused;
	if (p->s != NULL)
		arm(p);
}

void
pump_out_drain(struct pump_out *p)
{
	p->draining = true;
	p->paused = false;
	if (p->s != NULL)
		arm(p);
}

void
pump_out_finish(struct pump_out *p)
{
	if (p->s == NULL || p->finished)
		return;
	tp_stream_fin(p->s);
	p->finished = true;
	arm(p);
}

uint64_t
pump_out_last(const struct pump_out *p)
{
	return p->last;
}

void
pump_out_free(struct pump_out **pp)
{
	struct pump_out *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	if (p->s != NULL) {
		if (!p->finished)
			tp_stream_reset(p->s, TP_E_CANCELLED);
		chan_detach(p->s);
	}
	ev_io_free(&p->io);
	ev_timer_free(&p->soon);
	fd_close(&p->fd);
	free(p);
}
