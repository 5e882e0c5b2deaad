/* A server's connection over its UDP socket; it may also get its datagrams from the listener and send
 * through it. The client's are in cio.c. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/ev/ev.h"
#include "quic/trace.h"
#include "quic/user/drive.h"
#include "quic/user/udp.h"
#include "quic/user/watch.h"

#define ROUNDS 8 /* batches read in one wake-up, so that timers and other descriptors get their turn */

struct qio {
	struct qdrive d;
	int fd;                  /* -1: none */
	unsigned generation;     /* of fd */
	struct qwatch watch;     /* of fd */
	struct qudp_rx *rx;
	struct qudp_tx tx;
	struct tp_path path;     /* of fd */
	struct quic_server_host host;
	struct quic_trace *trace;
};

/* ---- out ---- */

static void
send_by_host(struct qio *io, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n,
    size_t seg)
{
	size_t done, m;

	if (io->host.send_steered == NULL)
		return;
	for (done = 0; done < n; done += m) {
		m = n - done < seg ? n - done : seg;
		io->host.send_steered(io->host.arg, path, ecn, p + done, m);
	}
}

static bool
is_socket_path(const struct qio *io, const struct tp_path *path)
{
	return io->fd >= 0 && addr_equal(&path->remote, &io->path.remote) &&
	    addr_equal(&path->local, &io->path.local);
}

static size_t
host_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n,
    size_t seg)
{
	struct qio *io = arg;
	size_t done;

	if (!is_socket_path(io, path)) {
		send_by_host(io, path, ecn, p, n, seg);
		return n;
	}
	done = qudp_send(&io->tx, io->fd, io->path.remote.u.sa.sa_family, ecn, p, n, seg);
	if (done < n)
		qwatch_full(&io->watch, true);
	return done;
}

static void
host_wake(void *arg)
{
	struct qio *io = arg;

	qdrive_wake(&io->d);
}

static uint64_t
host_now(void *arg)
{
	struct qio *io = arg;

	return ev_now(io->d.ev);
}

static void
host_need_cids(void *arg, unsigned count)
{
	struct qio *io = arg;

	if (io->host.need_cids != NULL)
		io->host.need_cids(io->host.arg, count);
}

static void
host_path_validated(void *arg, const struct tp_path *path)
{
	struct qio *io = arg;

	if (io->host.path_validated != NULL)
		io->host.path_validated(io->host.arg, path);
}

static void
host_rest(void *arg)
{
	struct qio *io = arg;

	qudp_rx_rest(io->rx);
}

static struct quic_trace *
host_trace(void *arg)
{
	struct qio *io = arg;

	return io->trace;
}

static void
host_release(void *arg)
{
	struct qio *io = arg;

	qwatch_free(&io->watch);
	qdrive_fini(&io->d);
	qudp_rx_free(&io->rx);
	fd_close(&io->fd);
	quic_trace_free(&io->trace);
	free(io);
}

static const struct qconn_host host_ops = {
	.send = host_send,
	.wake = host_wake,
	.now = host_now,
	.need_cids = host_need_cids,
	.path_validated = host_path_validated,
	.rest = host_rest,
	.trace = host_trace,
	.release = host_release,
};

/* ---- in ---- */

/* 0, or QERR_CLOSED: the connection and io are gone. */
static int
input_msg(struct qio *io, const struct tp_path *path, const struct qudp_msg *m)
{
	struct tp_conn *c = io->d.c;
	uint64_t now = ev_now(io->d.ev);
	size_t done, n;

	for (done = 0; done < m->n; done += n) {
		n = m->n - done < m->seg ? m->n - done : m->seg;
		if (!qconn_owns(c, m->p + done, n)) {
			if (io->host.foreign != NULL)
				io->host.foreign(io->host.arg, path, m->ecn, m->p + done, n);
			continue;
		}
		if (qconn_input(c, path, m->ecn, m->p + done, n, now) != 0)
			return QERR_CLOSED;
	}
	return 0;
}

static int
read_socket(struct qio *io)
{
	struct qudp_msg msgs[QUDP_BATCH];
	unsigned gen = io->generation;
	struct tp_path path = io->path;
	uint64_t start = ev_now(io->d.ev);
	size_t bytes = 0;
	int round, n, i;

	for (round = 0; round < ROUNDS; round++) {
		n = qudp_recv(io->rx, io->fd, msgs);
		for (i = 0; i < n; i++) {
			bytes += msgs[i].n;
			if (input_msg(io, &path, &msgs[i]) != 0)
				return QERR_CLOSED;
		}
		/* A batch that is not full has emptied the socket; and a callback may have
		 * replaced it. */
		if (n < QUDP_BATCH || io->generation != gen)
			break;
	}
	if (io->generation == gen)
		qwatch_read(&io->watch, start, bytes);
	return 0;
}

static void
on_socket(void *arg, int fd, unsigned what)
{
	struct qio *io = arg;

	(void)fd;
	if (what & EV_WR) {
		qwatch_full(&io->watch, false);
		if (qconn_writable(io->d.c, ev_now(io->d.ev)) != 0)
			return;
	}
	if ((what & EV_RD) && io->fd >= 0 && read_socket(io) != 0)
		return;
	qdrive_run(&io->d);
}

/* ---- making ---- */

static int
io_new(struct qio **out, struct ev *ev, struct quic_trace *trace)
{
	struct qio *io;
	int r;

	io = calloc(1, sizeof(*io));
	if (io == NULL) {
		quic_trace_free(&trace);
		return QERR_NOMEM;
	}
	io->fd = -1;
	io->trace = trace;
	r = qdrive_init(&io->d, ev);
	if (r == 0)
		r = qudp_rx_new(&io->rx);
	if (r != 0) {
		host_release(io);
		return r;
	}
	*out = io;
	return 0;
}

static int
watch(struct qio *io)
{
	return qwatch_new(&io->watch, io->d.ev, io->fd, on_socket, io);
}

/* The connection learns what its socket's interface takes. */
static void
tell_mtu(struct qio *io)
{
	qconn_set_mtu(io->d.c, io->fd >= 0 ? qudp_mtu(io->fd, io->path.remote.u.sa.sa_family) : 0);
}

int
quic_server_new(struct tp_conn **out, struct ev *ev, const struct quic_server_cfg *cfg,
    const struct quic_server_host *host, const struct tp_conn_ops *ops, void *arg)
{
	struct tp_conn *c;
	struct qio *io;
	int fd = cfg->fd, r;

	r = io_new(&io, ev, cfg->trace);
	if (r != 0) {
		fd_close(&fd);
		return r;
	}
	io->fd = fd;
	io->host = *host;
	io->path = cfg->path;
	if (fd >= 0)
		r = watch(io);
	if (r == 0)
		r = qconn_server_new(&c, cfg, host->sign, host->arg, ev_now(ev), &host_ops, io);
	if (r != 0) {
		host_release(io);
		return r;
	}
	tp_conn_set_ops(c, ops, arg);
	io->d.c = c;
	tell_mtu(io);
	qdrive_arm(&io->d);
	*out = c;
	return 0;
}

void
quic_server_add_cids(struct tp_conn *c, const struct quic_cid *cids, size_t n)
{
	qconn_add_cids(c, cids, n);
}

void
quic_server_send_token(struct tp_conn *c, const uint8_t *p, size_t n)
{
	qconn_send_token(c, p, n);
}

void
quic_server_ask_cids(struct tp_conn *c)
{
	qconn_ask_cids(c);
}

void
quic_server_input(struct tp_conn *c, const struct tp_path *path, unsigned ecn, const uint8_t *p,
    size_t n)
{
	struct qio *io = qconn_host_arg(c);

	/* The round comes from the loop, so that no callback but those of the data itself comes
	 * from inside this call, and several datagrams share one round. */
	if (qconn_input(c, path, ecn, p, n, ev_now(io->d.ev)) == 0)
		qdrive_wake(&io->d);
}

void
quic_server_set_socket(struct tp_conn *c, int fd, const struct tp_path *path)
{
	struct qio *io = qconn_host_arg(c);

	qwatch_free(&io->watch);
	fd_close(&io->fd);
	io->generation++;
	io->fd = fd;
	io->path = *path;
	io->tx = (struct qudp_tx){0};
	if (fd >= 0 && watch(io) != 0)
		fd_close(&io->fd); /* without it everything goes by the listener */
	tell_mtu(io);
	qconn_carrier_changed(c);
}
