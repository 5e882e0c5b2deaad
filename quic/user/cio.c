/* A client's connection over UDP sockets: one, or while a path is sought several, as the path manager
 * (roam.h) has them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/ev/ev.h"
#include "quic/trace.h"
#include "quic/user/drive.h"
#include "quic/user/roam.h"
#include "quic/user/udp.h"
#include "quic/user/watch.h"

#define ROUNDS 8 /* batches read in one wake-up, so that timers and other descriptors get their turn */

struct cio;

struct clink {
	struct cio *io;
	int fd; /* -1: none */
	struct qwatch watch; /* of fd */
	struct qudp_tx tx;
	int family;
	size_t mtu; /* UDP payload that its interface takes; 0: not known */
};

struct cio {
	struct qdrive d;
	struct qudp_rx *rx;
	struct roam *roam;
	struct ev_timer *timer; /* for roam */
	uint64_t due;           /* when it is armed for */
	struct clink link[ROAM_LINKS];
	struct addr bind;
	char *device;
	struct tp_path path;    /* the first one */
	const struct quic_tokens *tokens; /* NULL: none */
	void *tokens_arg;
	struct quic_trace *trace;
};

static void on_socket(void *arg, int fd, unsigned what);

/* ---- out ---- */

static size_t
host_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n,
    size_t seg)
{
	struct cio *io = arg;
	unsigned link = 0; /* of the first packet */
	struct clink *l;
	size_t done;

	if (io->roam != NULL && !roam_link(io->roam, path, &link))
		return n; /* lost: there is no network */
	l = &io->link[link];
	done = qudp_send(&l->tx, l->fd, l->family, ecn, p, n, seg);
	if (l->tx.refused && io->d.c != NULL)
		qconn_refused(io->d.c);
	l->tx.refused = false;
	if (done < n)
		qwatch_full(&l->watch, true);
	return done;
}

static void
host_wake(void *arg)
{
	struct cio *io = arg;

	qdrive_wake(&io->d);
}

static uint64_t
host_now(void *arg)
{
	struct cio *io = arg;

	return ev_now(io->d.ev);
}

static void
host_path_result(void *arg, bool validated)
{
	struct cio *io = arg;

	if (io->roam != NULL)
		roam_result(io->roam, validated, ev_now(io->d.ev));
}

static void
host_real_path(void *arg, const struct tp_path *name, struct tp_path *real)
{
	struct cio *io = arg;

	roam_real(io->roam, name, real);
}

static size_t
host_token(void *arg, uint8_t dst[QUIC_ADDR_TOKEN_MAX])
{
	struct cio *io = arg;

	return io->tokens != NULL ? io->tokens->take(io->tokens_arg, &io->path, dst) : 0;
}

/* It is for the address that the server sees us at now. */
static void
host_new_token(void *arg, const uint8_t *p, size_t n)
{
	struct cio *io = arg;
	struct tp_path name, real;

	if (io->tokens == NULL || io->roam == NULL || io->d.c == NULL)
		return;
	qconn_name(io->d.c, &name);
	roam_real(io->roam, &name, &real);
	io->tokens->keep(io->tokens_arg, &real, p, n);
}

static struct quic_trace *
host_trace(void *arg)
{
	struct cio *io = arg;

	return io->trace;
}

static void
host_rest(void *arg)
{
	struct cio *io = arg;

	qudp_rx_rest(io->rx);
}

/* While there are several sockets, packets are made for the narrowest. */
static void
tell_mtu(struct cio *io)
{
	size_t mtu = SIZE_MAX;
	unsigned i;

	if (io->d.c == NULL)
		return;
	for (i = 0; i < ROAM_LINKS; i++)
		if (io->link[i].fd >= 0 && io->link[i].mtu < mtu)
			mtu = io->link[i].mtu;
	qconn_set_mtu(io->d.c, mtu != SIZE_MAX ? mtu : 0);
}

static void
link_close(void *arg, unsigned i)
{
	struct cio *io = arg;
	struct qwatch *w = &io->link[i].watch;

	if (io->d.c != NULL && qwatch_is_full(w))
		qconn_drop_held(io->d.c);
	qwatch_free(w);
	fd_close(&io->link[i].fd);
	tell_mtu(io);
}

static void
host_release(void *arg)
{
	struct cio *io = arg;
	unsigned i;

	io->d.c = NULL;
	for (i = 0; i < ROAM_LINKS; i++)
		link_close(io, i);
	roam_free(&io->roam);
	ev_timer_free(&io->timer);
	qdrive_fini(&io->d);
	qudp_rx_free(&io->rx);
	quic_trace_free(&io->trace);
	free(io->device);
	free(io);
}

static const struct qconn_host host_ops = {
	.send = host_send,
	.wake = host_wake,
	.now = host_now,
	.path_result = host_path_result,
	.real_path = host_real_path,
	.rest = host_rest,
	.token = host_token,
	.new_token = host_new_token,
	.trace = host_trace,
	.release = host_release,
};

/* ---- the path manager ---- */

static int
link_open(struct cio *io, unsigned i, const struct addr *remote, struct addr *local)
{
	struct clink *l = &io->link[i];
	struct addr any = {.len = 0};
	int r;

	/* Nothing leaves from another address than the one that was asked for. */
	if (io->bind.len != 0 && io->bind.u.sa.sa_family != remote->u.sa.sa_family) {
		errno = EADDRNOTAVAIL;
		return QERR_SYS;
	}
	r = qudp_client(&l->fd, local, remote, io->bind.len != 0 ? &io->bind : &any, io->device);
	if (r != 0)
		return r;
	l->io = io;
	l->family = remote->u.sa.sa_family;
	l->tx = (struct qudp_tx){0};
	r = qwatch_new(&l->watch, io->d.ev, l->fd, on_socket, l);
	if (r != 0)
		fd_close(&l->fd);
	l->mtu = r == 0 ? qudp_mtu(l->fd, l->family) : 0;
	tell_mtu(io);
	return r;
}

static bool
roam_open(void *arg, unsigned i, const struct addr *remote, struct addr *local)
{
	return link_open(arg, i, remote, local) == 0;
}

static bool
roam_here(void *arg, const struct addr *local)
{
	(void)arg;
	return qudp_here(local);
}

static void
arm(struct cio *io)
{
	uint64_t due = roam_due(io->roam);

	if (due != io->due)
		ev_timer_at(io->timer, io->due = due);
}

static void
on_roam(void *arg)
{
	struct cio *io = arg;

	io->due = UINT64_MAX;
	if (roam_run(io->roam, ev_now(io->d.ev)) == 0)
		arm(io);
}

/* A round, and the timers. */
static void
run(struct cio *io)
{
	if (qdrive_run(&io->d) == 0)
		arm(io);
}

/* The round of the connection's own timer is in drive.c: what it sends may be what is not answered. */
static void
on_ran(void *arg)
{
	arm(arg);
}

/* ---- in ---- */

/* 0, or QERR_CLOSED: the connection and io are gone. */
static int
input_msg(struct cio *io, unsigned link, const struct qudp_msg *m)
{
	struct tp_conn *c = io->d.c;
	uint64_t now = ev_now(io->d.ev);
	unsigned heard = qconn_heard(c);
	struct tp_path name;
	size_t done, n;

	for (done = 0; done < m->n; done += n) {
		n = m->n - done < m->seg ? m->n - done : m->seg;
		roam_name(io->roam, link, &name);
		if (qconn_input(c, &name, m->ecn, m->p + done, n, now) != 0)
			return QERR_CLOSED;
	}
	if (qconn_heard(c) != heard)
		roam_heard(io->roam, link, now);
	return 0;
}

static int
read_link(struct cio *io, struct clink *l)
{
	struct qudp_msg msgs[QUDP_BATCH];
	uint64_t start = ev_now(io->d.ev);
	size_t bytes = 0;
	int round, n, i;

	for (round = 0; round < ROUNDS; round++) {
		n = qudp_recv(io->rx, l->fd, msgs);
		if (n < 0 && errno == ECONNREFUSED)
			qconn_refused(io->d.c);
		for (i = 0; i < n; i++) {
			bytes += msgs[i].n;
			if (input_msg(io, (unsigned)(l - io->link), &msgs[i]) != 0)
				return QERR_CLOSED;
		}
		if (n < QUDP_BATCH) /* that has emptied the socket */
			break;
	}
	qwatch_read(&l->watch, start, bytes);
	return 0;
}

static void
on_socket(void *arg, int fd, unsigned what)
{
	struct clink *l = arg;
	struct cio *io = l->io;

	(void)fd;
	if (what & EV_WR) {
		qwatch_full(&l->watch, false);
		if (qconn_writable(io->d.c, ev_now(io->d.ev)) != 0)
			return;
	}
	if ((what & EV_RD) && read_link(io, l) != 0)
		return;
	run(io);
}

/* ---- making ---- */

static int
io_new(struct cio **out, struct ev *ev, const struct quic_client_cfg *cfg)
{
	struct quic_trace *trace = cfg->trace; /* ours, also on failure */
	struct cio *io;
	unsigned i;
	int r;

	io = calloc(1, sizeof(*io));
	if (io == NULL) {
		quic_trace_free(&trace);
		return QERR_NOMEM;
	}
	io->trace = trace;
	for (i = 0; i < ROAM_LINKS; i++)
		io->link[i].fd = -1;
	io->due = UINT64_MAX;
	io->bind = cfg->bind;
	io->tokens = cfg->tokens;
	io->tokens_arg = cfg->tokens_arg;
	r = qdrive_init(&io->d, ev);
	if (r == 0)
		r = ev_timer_new(&io->timer, ev, on_roam, io);
	if (r == 0)
		r = qudp_rx_new(&io->rx);
	if (r == 0 && cfg->bind_device != NULL && (io->device = strdup(cfg->bind_device)) == NULL)
		r = QERR_NOMEM;
	if (r != 0) {
		host_release(io);
		return r;
	}
	qdrive_after(&io->d, on_ran, io);
	*out = io;
	return 0;
}

/* Migrate no: the interface counts too, for its address may outlive it (a link that is down) and then be routed
 * through another. */
static int
stay(struct cio *io)
{
	char name[IF_NAMESIZE];

	if (io->device != NULL || !qudp_pin(io->link[0].fd, &io->path.local, &io->path.remote, name))
		return 0;
	io->device = strdup(name);
	return io->device != NULL ? 0 : QERR_NOMEM;
}

static int
make(struct tp_conn **out, struct cio *io, const struct quic_client_cfg *cfg, uint64_t now)
{
	const struct roam_ops ops = {.open = roam_open, .close = link_close, .here = roam_here,
	    .arg = io};
	struct tp_conn *c = NULL;
	int r, saved;

	io->path.remote = cfg->remote;
	r = link_open(io, 0, &io->path.remote, &io->path.local);
	if (r == 0 && cfg->stay)
		r = stay(io);
	if (r == 0)
		r = qconn_client_new(&c, &cfg->limits, &io->path, now, &host_ops, io);
	if (r != 0) {
		saved = errno;
		host_release(io);
		errno = saved;
		return r;
	}
	/* From here on io goes with the connection. */
	r = roam_new(&io->roam, c, &io->path, cfg->stay, &ops);
	if (r == 0 && cfg->sni != NULL)
		r = qconn_set_sni(c, cfg->sni);
	if (r != 0)
		tp_conn_free(&c);
	*out = c;
	return r;
}

int
quic_client_new(struct tp_conn **out, struct ev *ev, const struct quic_client_cfg *cfg,
    const struct tp_conn_ops *ops, void *arg)
{
	struct tp_conn *c;
	struct cio *io;
	int r;

	r = io_new(&io, ev, cfg);
	if (r == 0)
		r = make(&c, io, cfg, ev_now(ev));
	if (r != 0)
		return r;
	tp_conn_set_ops(c, ops, arg);
	io->d.c = c;
	tell_mtu(io);
	qdrive_arm(&io->d);
	*out = c;
	return 0;
}

bool
quic_client_moves(const struct tp_conn *c)
{
	return qconn_lives_in(c, &host_ops);
}

void
quic_client_set_remotes(struct tp_conn *c, const struct addr *v, size_t n)
{
	struct cio *io = qconn_host_arg(c);

	if (!qconn_lives_in(c, &host_ops))
		return;
	roam_set_remotes(io->roam, v, n);
	if (roam_seeking(io->roam, ev_now(io->d.ev)) != 0)
		quic_client_network_event(c, false);
}

void
quic_client_network_event(struct tp_conn *c, bool resumed)
{
	struct cio *io = qconn_host_arg(c);

	if (!qconn_lives_in(c, &host_ops))
		return;
	roam_changed(io->roam, resumed, ev_now(io->d.ev));
	arm(io);
}
