/* Connections over a byte stream: TCP, a command's standard input and output, or our own.
 *
 * Loss never happens here and the stream beneath has a congestion control of its own, so packets are as large as is
 * sensible and are not paced, and none is made before the stream takes it: what waits does so in the connection, where
 * urgent data still overtakes other. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "quic/trace.h"
#include "quic/user/strio_int.h"

#define LINGER 1000 /* ms that a server's last packet has to arrive */

/* ---- for the connection ---- */

static void
host_wake(void *arg)
{
	struct strio *io = arg;

	/* Before the stream is there, a first packet would measure how long that takes. */
	if (!io->connecting)
		qdrive_wake(&io->d);
}

static uint64_t
host_now(void *arg)
{
	struct strio *io = arg;

	return ev_now(io->d.ev);
}

static void
host_release(void *arg)
{
	struct strio *io = arg;

	ev_io_free(&io->in);
	ev_io_free(&io->out);
	ev_timer_free(&io->later);
	qframe_rx_free(&io->rx);
	if (io->via.kind == QUIC_CARRIER_TCP && io->d.c != NULL && qconn_is_closing(io->d.c))
		strio_linger(io->via.out, io->server ? LINGER : 0);
	qdrive_fini(&io->d);
	strio_close(&io->via);
	quic_trace_free(&io->trace);
	free(io);
}

static struct quic_trace *
host_trace(void *arg)
{
	struct strio *io = arg;

	return io->trace;
}

#define HOST(name_) \
	{.send = strio_send, .room = strio_room, .wake = host_wake, .now = host_now, .release = host_release, \
	    .trace = host_trace, .carrier = (name_), .packet = STRIO_PACKET}
static const struct qconn_host hosts[] = {
	[QUIC_CARRIER_TCP] = HOST("TCP"),
	[QUIC_CARRIER_COMMAND] = HOST("ProxyCommand"),
	[QUIC_CARRIER_STDIO] = HOST("standard input and output"),
};

/* ---- events ---- */

static void
on_connected(struct strio *io)
{
	int e = 0;
	socklen_t n = sizeof(e);

	if (getsockopt(io->via.out, SOL_SOCKET, SO_ERROR, &e, &n) != 0)
		e = errno;
	if (e != 0) {
		strio_failed(io, e);
		io->connecting = false;
		return;
	}
	io->connecting = false;
	strio_want_write(io, io->tx.n > 0);
}

/* What has come goes first: it may acknowledge what would be sent again, or say that nothing is to be sent any more. */
static void
on_io(void *arg, int fd, unsigned what)
{
	struct strio *io = arg;

	(void)fd;
	if (io->connecting) {
		if (what & EV_WR)
			on_connected(io);
	} else {
		if ((what & EV_RD) && !io->deaf && strio_read(io) != 0)
			return;
		if ((what & EV_WR) && !io->deaf && strio_writable(io) != 0)
			return;
	}
	if (!io->connecting)
		qdrive_run(&io->d);
}

/* Begins with what was read before we were made; or nothing can be written any more. */
static void
on_later(void *arg)
{
	struct strio *io = arg;

	if (!io->deaf && strio_read(io) != 0)
		return;
	if (!io->deaf && io->write_errno != 0)
		strio_failed(io, io->write_errno);
	qdrive_run(&io->d);
}

/* ---- making ---- */

static int
watch(struct strio *io, struct ev *ev)
{
	unsigned what = io->connecting ? EV_WR : EV_RD;
	int r;

	if (fd_nonblock(io->via.in) != 0 || fd_nonblock(io->via.out) != 0)
		return QERR_SYS;
	r = ev_io_new(&io->in, ev, io->via.in, what, on_io, io);
	if (r == 0 && io->via.out != io->via.in)
		r = ev_io_new(&io->out, ev, io->via.out, 0, on_io, io);
	return r;
}

/* Takes via's descriptors and trace over, also on failure. */
static int
io_new(struct strio **out, struct ev *ev, struct quic_carrier *via, struct quic_trace *trace)
{
	struct strio *io = malloc(sizeof(*io));
	int r;

	*out = io;
	if (io == NULL) {
		strio_close(via);
		quic_trace_free(&trace);
		return QERR_NOMEM;
	}
	memset(io, 0, offsetof(struct strio, tx.buf));
	io->trace = trace;
	io->via = *via;
	via->in = via->out = -1;
	io->connecting = via->connecting;
	io->path = via->path;
	if (io->path.remote.len == 0) {
		/* Whoever is there has no address; the engine wants one. */
		(void)addr_parse(&io->path.remote, "0.0.0.0", 0);
		io->path.local = io->path.remote;
	}
	strio_greet(io);
	r = qdrive_init(&io->d, ev);
	if (r == 0)
		r = ev_timer_new(&io->later, ev, on_later, io);
	if (r == 0)
		r = watch(io, ev);
	if (r != 0) {
		host_release(io);
		*out = NULL;
	} else if (io->via.kind == QUIC_CARRIER_TCP) {
		strio_tune(io->via.out);
	}
	return r;
}

static int
client_on(struct tp_conn **out, struct ev *ev, const struct quic_client_cfg *cfg,
    struct quic_carrier *via, const struct tp_conn_ops *ops, void *arg)
{
	struct tp_conn *c;
	struct strio *io;
	int r;

	r = io_new(&io, ev, via, cfg->trace);
	if (r != 0)
		return r;
	r = qframe_rx_new(&io->rx);
	if (r == 0)
		r = qconn_client_new(&c, &cfg->limits, &io->path, ev_now(ev), &hosts[io->via.kind],
		    io);
	if (r == 0 && cfg->sni != NULL && (r = qconn_set_sni(c, cfg->sni)) != 0) {
		tp_conn_free(&c); /* and io with it */
		return r;
	}
	if (r != 0) {
		host_release(io);
		return r;
	}
	tp_conn_set_ops(c, ops, arg);
	io->d.c = c;
	if (!io->connecting)
		qdrive_arm(&io->d);
	*out = c;
	return 0;
}

int
quic_client_stream_new(struct tp_conn **out, struct ev *ev, const struct quic_client_cfg *cfg,
    struct quic_carrier *via, const struct tp_conn_ops *ops, void *arg)
{
	return client_on(out, ev, cfg, via, ops, arg);
}

int
quic_client_tcp_new(struct tp_conn **out, struct ev *ev, const struct quic_client_cfg *cfg,
    const struct tp_conn_ops *ops, void *arg)
{
	struct quic_carrier via = {.kind = QUIC_CARRIER_TCP, .in = -1, .out = -1,
	    .connecting = true};
	struct quic_trace *trace = cfg->trace;
	int r, saved;

	via.path.remote = cfg->remote;
	r = strio_tcp(&via.in, &via.path.local, &cfg->remote, &cfg->bind, cfg->bind_device);
	via.out = via.in;
	if (r == 0)
		return client_on(out, ev, cfg, &via, ops, arg);
	saved = errno;
	quic_trace_free(&trace);
	errno = saved;
	return r;
}

int
strio_server(struct tp_conn **out, struct ev *ev, const struct quic_server_cfg *cfg,
    struct quic_carrier *via, struct qframe_rx **rx, const uint8_t *first, size_t n,
    const struct quic_server_host *host, const struct tp_conn_ops *ops, void *arg)
{
	struct quic_server_cfg sc = *cfg;
	struct tp_conn *c;
	struct strio *io;
	int r;

	r = io_new(&io, ev, via, cfg->trace);
	if (r != 0) {
		qframe_rx_free(rx);
		return r;
	}
	io->server = true;
	io->rx = *rx;
	*rx = NULL;
	sc.path = io->path;
	r = qconn_server_new(&c, &sc, host->sign, host->arg, ev_now(ev), &hosts[io->via.kind], io);
	if (r != 0) {
		host_release(io);
		return r;
	}
	tp_conn_set_ops(c, ops, arg);
	io->d.c = c;
	io->first = first;
	io->nfirst = n;
	ev_timer_at(io->later, 0);
	*out = c;
	return 0;
}
