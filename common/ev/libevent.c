/* Descriptors and signals by libevent: the only file that knows it. */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/ev/impl.h"

struct ev_os {
	struct event_base *base;
	struct event *wake; /* ends a wait in time for the next timer */
};

/* One for each direction, so that asking for room to write and ceasing to is one
 * system call and leaves the other direction alone. */
struct half {
	struct ev_io *io;
	struct event *ev;
	struct event *always; /* for what epoll refuses (files, /dev/null): they never wait */
	unsigned what;
};

struct ev_io {
	struct ev_os *os;
	int fd;
	unsigned what;
	ev_io_fn *fn;
	void *arg;
	struct half rd, wr;
};

struct ev_signal {
	struct event *ev;
	ev_signal_fn *fn;
	void *arg;
	int signo;
};

static void
on_log(int severity, const char *text)
{
	log_msg(severity == EVENT_LOG_ERR ? LOG_L_ERROR : LOG_L_DEBUG2, "libevent: %s", text);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

int
os_new(struct ev_os **out)
{
	struct ev_os *os = calloc(1, sizeof(*os));
	struct event_config *cfg = event_config_new();

	*out = NULL;
	event_set_log_callback(on_log);
	if (os == NULL || cfg == NULL)
		goto fail;
	event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NOLOCK |
	    EVENT_BASE_FLAG_NO_CACHE_TIME | EVENT_BASE_FLAG_IGNORE_ENV);
	if ((os->base = event_base_new_with_config(cfg)) == NULL)
		goto fail;
	if ((os->wake = event_new(os->base, -1, 0, on_wake, NULL)) == NULL)
		goto fail;
	event_config_free(cfg);
	*out = os;
	return 0;
fail:
	if (cfg != NULL)
		event_config_free(cfg);
	os_free(&os);
	return QERR_NOMEM;
}

void
os_free(struct ev_os **osp)
{
	struct ev_os *os = *osp;

	if (os == NULL)
		return;
	if (os->wake != NULL)
		event_free(os->wake);
	if (os->base != NULL)
		event_base_free(os->base);
	free(os);
	*osp = NULL;
}

int
os_round(struct ev_os *os, uint64_t ns)
{
	uint64_t now = ns == UINT64_MAX ? 0 : clock_mono(), us;
	struct timeval tv;
	int flags = EVLOOP_ONCE, r;

	if (ns == UINT64_MAX) {
		event_del(os->wake);
	} else if (ns <= now) {
		flags |= EVLOOP_NONBLOCK;
	} else {
		us = (ns - now + NS_PER_US - 1) / NS_PER_US;
		tv.tv_sec = (time_t)(us / 1000000);
		tv.tv_usec = (suseconds_t)(us % 1000000);
		if (event_add(os->wake, &tv) != 0)
			return QERR_NOMEM;
	}
	r = event_base_loop(os->base, flags);
	return r < 0 ? QERR_SYS : r;
}

void
os_break(struct ev_os *os)
{
	event_base_loopbreak(os->base);
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct half *h = arg;
	struct ev_io *io = h->io;

	(void)what;
	io->fn(io->arg, (int)fd, h->what); /* may free io */
}

static void
on_always(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0, 0};
	struct half *h = arg;
	struct ev_io *io = h->io;

	(void)fd;
	(void)what;
	event_add(h->always, &soon); /* it was pending before: cannot fail */
	io->fn(io->arg, io->fd, h->what);
}

static int
half_init(struct half *h, struct ev_io *io, unsigned what)
{
	short kind = what == EV_RD ? EV_READ : EV_WRITE;

	h->io = io;
	h->what = what;
	h->ev = event_new(io->os->base, io->fd, (short)(kind | EV_PERSIST), on_ready, h);
	return h->ev != NULL ? 0 : QERR_NOMEM;
}

static void
half_free(struct half *h)
{
	if (h->ev != NULL)
		event_free(h->ev);
	if (h->always != NULL)
		event_free(h->always);
}

static int
half_always(struct half *h)
{
	static const struct timeval soon = {0, 0};

	if (h->always == NULL)
		h->always = event_new(h->io->os->base, -1, 0, on_always, h);
	if (h->always == NULL || event_add(h->always, &soon) != 0)
		return QERR_NOMEM;
	return 0;
}

static int
half_set(struct half *h, bool on)
{
	if (!on) {
		event_del(h->ev);
		if (h->always != NULL)
			event_del(h->always);
		return 0;
	}
	if (h->always == NULL && event_add(h->ev, NULL) == 0)
		return 0;
	if (h->always == NULL && errno != EPERM)
		return QERR_SYS;
	return half_always(h);
}

int
ev_io_new(struct ev_io **out, struct ev *ev, int fd, unsigned what, ev_io_fn *fn, void *arg)
{
	struct ev_io *io;
	int r;

	*out = NULL;
	if (ev->os == NULL || fd < 0)
		return QERR_INVAL;
	if ((io = calloc(1, sizeof(*io))) == NULL)
		return QERR_NOMEM;
	io->os = ev->os;
	io->fd = fd;
	io->fn = fn;
	io->arg = arg;
	if ((r = half_init(&io->rd, io, EV_RD)) != 0 || (r = half_init(&io->wr, io, EV_WR)) != 0 ||
	    (r = ev_io_set(io, what)) != 0) {
		ev_io_free(&io);
		return r;
	}
	*out = io;
	return 0;
}

int
ev_io_set(struct ev_io *io, unsigned what)
{
	unsigned change = what ^ io->what;
	int r = 0;

	if ((change & EV_RD) != 0 && (r = half_set(&io->rd, (what & EV_RD) != 0)) != 0)
		return r;
	io->what ^= change & EV_RD;
	if ((change & EV_WR) != 0 && (r = half_set(&io->wr, (what & EV_WR) != 0)) != 0)
		return r;
	io->what ^= change & EV_WR;
	return 0;
}

unsigned
ev_io_get(const struct ev_io *io)
{
	return io->what;
}

void
ev_io_free(struct ev_io **iop)
{
	struct ev_io *io = *iop;
	int saved = errno;

	if (io == NULL)
		return;
	half_free(&io->rd);
	half_free(&io->wr);
	free(io);
	*iop = NULL;
	errno = saved;
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct ev_signal *s = arg;

	(void)fd;
	(void)what;
	s->fn(s->arg, s->signo);
}

int
ev_signal_new(struct ev_signal **out, struct ev *ev, int signo, ev_signal_fn *fn, void *arg)
{
	struct ev_signal *s;

	*out = NULL;
	if (ev->os == NULL)
		return QERR_INVAL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return QERR_NOMEM;
	s->fn = fn;
	s->arg = arg;
	s->signo = signo;
	s->ev = event_new(ev->os->base, signo, EV_SIGNAL | EV_PERSIST, on_signal, s);
	if (s->ev == NULL || event_add(s->ev, NULL) != 0) {
		ev_signal_free(&s);
		return QERR_NOMEM;
	}
	*out = s;
	return 0;
}

void
ev_signal_free(struct ev_signal **sp)
{
	struct ev_signal *s = *sp;

	if (s == NULL)
		return;
	if (s->ev != NULL)
		event_free(s->ev);
	free(s);
	*sp = NULL;
}
