#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "quic/quic.h"
#include "server/listener/tcp.h"

#define SOCKS_MAX 64
#define BATCH	  16		  /* connections accepted in one wake-up */
#define PAUSE	  (NS_PER_S / 4) /* with no descriptor or memory left */

struct ltcp {
	struct ltcps *all;
	struct addr local;
	struct ev_io *io;
	int fd;
};

struct ltcps {
	struct ev *ev;
	ltcp_accept_fn *fn;
	void *arg;
	struct ltcp *v[SOCKS_MAX];
	size_t n;
	bool started;
	struct ev_timer *resume;
};

static void
set_reading(struct ltcps *t, bool on)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i]->io != NULL)
			(void)ev_io_set(t->v[i]->io, on ? EV_RD : 0);
}

static void
on_resume(void *arg)
{
	set_reading(arg, true);
}

int
ltcps_new(struct ltcps **out, struct ev *ev, ltcp_accept_fn *fn, void *arg)
{
	struct ltcps *t = calloc(1, sizeof(*t));

	*out = t;
	if (t == NULL)
		return QERR_NOMEM;
	t->ev = ev;
	t->fn = fn;
	t->arg = arg;
	return ev_timer_new(&t->resume, ev, on_resume, t);
}

static void
ltcp_free(struct ltcp *s)
{
	ev_io_free(&s->io);
	fd_close(&s->fd);
	free(s);
}

void
ltcps_free(struct ltcps **tp)
{
	struct ltcps *t = *tp;

	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		ltcp_free(t->v[i]);
	ev_timer_free(&t->resume);
	free(t);
	*tp = NULL;
}

/* The address that the client used, where we listen on a wildcard. */
static void
fill_path(const struct ltcp *s, int fd, const struct sockaddr_storage *from, socklen_t n,
    struct tp_path *path)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	memset(path, 0, sizeof(*path));
	(void)addr_from_sa(&path->remote, (const struct sockaddr *)from, n);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
	    addr_from_sa(&path->local, (const struct sockaddr *)&ss, len) != 0)
		path->local = s->local;
}

/* False: nothing more can be accepted now. */
static bool
accept_one(struct ltcp *s)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct tp_path path;
	int fd = accept4(s->fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_error("cannot accept on TCP %s: %s", addr_show(&s->local),
			    qerr_str(QERR_SYS));
			set_reading(s->all, false);
			ev_timer_at(s->all->resume, ev_now(s->all->ev) + PAUSE);
		}
		return errno == ECONNABORTED || errno == EINTR;
	}
	fill_path(s, fd, &ss, len, &path);
	if (path.remote.len != 0)
		s->all->fn(s->all->arg, &fd, &path);
	fd_close(&fd);
	return true;
}

static void
on_readable(void *arg, int fd, unsigned what)
{
	(void)fd;
	(void)what;
	for (int i = 0; i < BATCH && accept_one(arg); i++)
		;
}

static int
listen_to(struct ltcp *s)
{
	return ev_io_new(&s->io, s->all->ev, s->fd, EV_RD, on_readable, s);
}

int
ltcps_add(struct ltcps *t, int fd, const struct addr *local)
{
	struct ltcp *s = t->n < SOCKS_MAX ? calloc(1, sizeof(*s)) : NULL;
	int err;

	if (s == NULL) {
		fd_close(&fd);
		return t->n < SOCKS_MAX ? QERR_NOMEM : QERR_TOOBIG;
	}
	s->all = t;
	s->fd = fd;
	s->local = *local;
	if (t->started && (err = listen_to(s)) != 0) {
		ltcp_free(s);
		return err;
	}
	t->v[t->n++] = s;
	return 0;
}

int
ltcps_drop(struct ltcps *t, const struct addr *local)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!addr_equal(&t->v[i]->local, local))
			continue;
		ltcp_free(t->v[i]);
		t->v[i] = t->v[--t->n];
		return 0;
	}
	return QERR_NOTFOUND;
}

int
ltcps_start(struct ltcps *t)
{
	int err = 0;

	t->started = true;
	for (size_t i = 0; i < t->n && err == 0; i++)
		if (t->v[i]->io == NULL)
			err = listen_to(t->v[i]);
	return err;
}

void
ltcp_refuse(int fd, const char *why)
{
	char line[256];
	int n = snprintf(line, sizeof(line), QUIC_STREAM_NAME " %s\r\n", why);

	if (n > 0 && (size_t)n < sizeof(line))
		(void)send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
}
