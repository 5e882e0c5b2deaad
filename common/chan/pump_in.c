#include "common/chan/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/chan/detach.h"

#define FEED_MAX (64 * 1024)

struct pump_in {
	struct ev *ev;
	uint64_t last;         /* when bytes went through, ns */
	int fd;
	struct ev_io *io;
	struct ev_timer *soon;
	struct tp_stream *s;   /* NULL once the stream is gone or the pump is over */
	pump_done_fn *done;
	void *arg;
	struct buf fed;        /* written before anything of the stream */
	bool blocked;          /* the descriptor is full */
	bool fin;              /* FIN has come; what is in fed goes first */
	bool keep_open, over;
	pump_tap_fn *tap;
	void *tap_arg;
};

/* Lets go of the stream and says done. The caller touches p no more. */
static void
end(struct pump_in *p, enum pump_end why)
{
	struct tp_stream *s = p->s;
	int saved = errno;

	p->over = true;
	p->s = NULL;
	ev_io_free(&p->io);
	ev_timer_stop(p->soon);
	buf_free(&p->fed);
	if (s != NULL) {
		if (why == PUMP_ERROR)
			tp_stream_stop(s, TP_E_CANCELLED);
		chan_detach(s);
	}
	if (why == PUMP_EOF && !p->keep_open) {
		(void)shutdown(p->fd, SHUT_WR); /* ENOTSOCK is fine */
		fd_close(&p->fd);
	}
	errno = saved;
	p->done(p->arg, why);
}

static void
wait_writable(struct pump_in *p)
{
	p->blocked = true;
	(void)ev_io_set(p->io, EV_WR);
}

/* Writes as much as the descriptor and one round take. QERR_SYS, or 0 with *done. */
static int
put(struct pump_in *p, const uint8_t *data, size_t n, size_t *done)
{
	size_t max = n < PUMP_ROUND ? n : PUMP_ROUND;
	ssize_t r;

	*done = 0;
	if (p->tap != NULL && !p->blocked)
		p->tap(p->tap_arg, NULL, 0);
	while (*done < max && !p->blocked) {
		r = write(p->fd, data + *done, max - *done);
		if (r > 0)
			*done += (size_t)r, p->last = ev_now(p->ev);
		/* A short write is a full pipe: no second call to be told so. */
		if (r >= 0 ? *done < max : errno == EAGAIN)
			wait_writable(p);
		else if (r < 0 && errno != EINTR)
			return QERR_SYS;
	}
	if (p->tap != NULL && *done > 0)
		p->tap(p->tap_arg, data, *done);
	return 0;
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *data, size_t n, bool fin)
{
	struct pump_in *p = arg;
	size_t taken = 0;

	if (n > 0 && (p->blocked || buf_len(&p->fed) > 0))
		return 0;
	if (n > 0 && put(p, data, n, &taken) < 0) {
		end(p, PUMP_ERROR);
		return n;
	}
	if (taken < n) {
		if (!p->blocked)
			tp_stream_resume(s);
		return taken;
	}
	if (fin) {
		p->fin = true;
		if (buf_len(&p->fed) == 0)
			end(p, PUMP_EOF);
	}
	return taken;
}

/* The descriptor takes bytes again, or bytes were fed. */
static void
go_on(struct pump_in *p)
{
	size_t done = 0;

	p->blocked = false;
	(void)ev_io_set(p->io, 0);
	if (buf_len(&p->fed) > 0) {
		if (put(p, buf_data(&p->fed), buf_len(&p->fed), &done) < 0) {
			end(p, PUMP_ERROR);
			return;
		}
		buf_consume(&p->fed, done);
		if (buf_len(&p->fed) > 0)
			return;
		buf_free(&p->fed);
	}
	if (p->fin)
		end(p, PUMP_EOF);
	else if (p->s != NULL)
		tp_stream_resume(p->s);
}

static void
on_fd_writable(void *arg, int fd, unsigned what)
{
	(void)fd;
	(void)what;
	go_on(arg);
}

static void
on_soon(void *arg)
{
	go_on(arg);
}

static void
on_reset(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)s;
	(void)code;
	end(arg, PUMP_RESET);
}

static void
on_closed(void *arg, struct tp_stream *s)
{
	struct pump_in *p = arg;

	(void)s;
	p->s = NULL;
	/* After a FIN the last fed bytes are still to be written. */
	if (!p->fin)
		end(p, PUMP_RESET);
}

static const struct tp_stream_ops in_ops = {
	.data = on_data,
	.reset = on_reset,
	.closed = on_closed,
};

int
pump_in_new(struct pump_in **out, struct ev *ev, int fd, struct tp_stream *s,
    pump_done_fn *done, void *arg)
{
	struct pump_in *p = calloc(1, sizeof(*p));
	int r;

	*out = NULL;
	if (p == NULL) {
		fd_close(&fd);
		return QERR_NOMEM;
	}
	p->ev = ev;
	p->last = ev_now(ev);
	p->fd = fd;
	p->done = done;
	p->arg = arg;
	buf_init(&p->fed, FEED_MAX);
	r = ev_timer_new(&p->soon, ev, on_soon, p);
	if (r == 0)
		r = ev_io_new(&p->io, ev, fd, 0, on_fd_writable, p);
	if (r < 0) {
		pump_in_free(&p);
		return r;
	}
	p->s = s;
	tp_stream_set_ops(s, &in_ops, p);
	tp_stream_resume(s);
	*out = p;
	return 0;
}

int
pump_in_feed(struct pump_in *p, const void *data, size_t n, bool fin)
{
	int r;

	if (p->over)
		return 0;
	r = n > 0 ? buf_put(&p->fed, data, n) : 0;
	if (r < 0)
		return r;
	p->fin = p->fin || fin;
	if (!p->blocked)
		ev_timer_at(p->soon, 0);
	return 0;
}

void
pump_in_tap(struct pump_in *p, pump_tap_fn *fn, void *arg)
{
	p->tap = fn;
	p->tap_arg = arg;
}

void
pump_in_keep_open(struct pump_in *p)
{
	p->keep_open = true;
}

uint64_t
pump_in_last(const struct pump_in *p)
{
	return p->last;
}

void
pump_in_free(struct pump_in **pp)
{
	struct pump_in *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	if (p->s != NULL) {
		if (!p->fin)
			tp_stream_stop(p->s, TP_E_CANCELLED);
		chan_detach(p->s);
	}
	ev_io_free(&p->io);
	ev_timer_free(&p->soon);
	buf_free(&p->fed);
	fd_close(&p->fd);
	free(p);
}
