/* Connections over a byte stream: TCP, a command's standard input and output, or our own.
 *
 * Loss never happens here and the stream beneath has a congestion control of its own, so packets are as large as is
 * sensible, are not paced, and what the stream does not take waits in the connection, where urgent data still overtakes
 * other. Here waits at most the rest of one frame. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/str.h"
#include "quic/trace.h"
#include "quic/user/drive.h"
#include "quic/user/strio.h"
#include "quic/user/udp.h"

#define ROUNDS 8                 /* reads in one wake-up */
#define SEGS   64                /* frames in one system call */
#define LOWAT  (2 * STRIO_PACKET) /* bytes that wait in the kernel unsent: what a keystroke waits behind */

struct strio {
	struct qdrive d;
	struct quic_carrier via;
	struct tp_path path;     /* as the engine has it */
	struct ev_io *in, *out;  /* out: NULL where it is the same descriptor */
	struct ev_timer *later;
	struct qframe_rx *rx;
	struct quic_trace *trace;
	const uint8_t *first;    /* a datagram that was read before we were made */
	size_t nfirst;
	bool connecting;
	bool deaf;               /* nothing more comes, the layer above is told */
	int write_errno;         /* nothing more goes */
	size_t rest_off, rest_n;
	uint8_t rest[QFRAME_HDR + QFRAME_MAX]; /* of a frame that has begun to leave */
};

static const struct {
	const char *name, *subject;
} kinds[] = {
	[QUIC_CARRIER_TCP] = {"TCP", "the TCP connection"},
	[QUIC_CARRIER_COMMAND] = {"ProxyCommand", "the ProxyCommand"},
	[QUIC_CARRIER_STDIO] = {"standard input and output", "standard input"},
};

static bool
would_block(int e)
{
#if EAGAIN != EWOULDBLOCK
	if (e == EWOULDBLOCK)
		return true;
#endif
	return e == EAGAIN || e == EINTR;
}

/* ---- sockets ---- */

int
strio_tcp(int *out, struct addr *local, const struct addr *remote, const struct addr *bind_addr,
    const char *device)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = socket(remote->u.sa.sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		return QERR_SYS;
	if (fd_cloexec(fd) != 0 || fd_nonblock(fd) != 0 || qudp_bind(fd, bind_addr, device) != 0)
		goto fail;
	if (connect(fd, &remote->u.sa, remote->len) != 0 && errno != EINPROGRESS)
		goto fail;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sa(local, (struct sockaddr *)&ss, len) != 0)
		goto fail;
	*out = fd;
	return 0;
fail:
	fd_close(&fd);
	return QERR_SYS;
}

static void
set_lowat(int fd, int bytes)
{
#ifdef TCP_NOTSENT_LOWAT
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
#else
	(void)fd;
	(void)bytes;
#endif
}

void
strio_tune(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	set_lowat(fd, LOWAT);
}

void
strio_close(struct quic_carrier *via)
{
	if (via->out == via->in)
		via->out = -1;
	fd_close(&via->in);
	fd_close(&via->out);
}

/* ---- the end ---- */

static void
want_write(struct strio *io, bool on)
{
	if (io->in == NULL)
		return;
	if (io->out == NULL)
		ev_io_set(io->in, on ? EV_RD | EV_WR : EV_RD);
	else
		ev_io_set(io->out, on ? EV_WR : 0);
}

static void
lost(struct strio *io, enum tp_close_by by, bool remote, const char *text)
{
	io->deaf = true;
	ev_io_free(&io->in);
	ev_io_free(&io->out);
	qconn_carrier_lost(io->d.c, by, remote, text);
}

static void
lost_by_error(struct strio *io, int e)
{
	enum tp_close_by by = TP_CLOSED_CARRIER;
	char text[256];

	if (io->connecting && e == ECONNREFUSED)
		by = TP_CLOSED_REFUSED;
	else if (io->connecting && e == ETIMEDOUT)
		by = TP_CLOSED_HANDSHAKE_TIMEOUT;
	snprintf(text, sizeof(text), "%s%s: %s", kinds[io->via.kind].subject,
	    io->connecting ? " cannot be made" : " broke", strerror(e));
	lost(io, by, false, text);
}

/* The peer speaks something else, or nothing. */
static void
lost_to_stranger(struct strio *io)
{
	char text[256], words[224];
	const char *what;

	if (qframe_rx_refused(io->rx, text, sizeof(text))) {
		lost(io, TP_CLOSED_REFUSED, true, text);
		return;
	}
	what = qframe_rx_stranger(io->rx, true, words, sizeof(words));
	if (what != NULL)
		snprintf(text, sizeof(text), "what answers there %s", what);
	else if (io->via.kind == QUIC_CARRIER_COMMAND)
		snprintf(text, sizeof(text), "the ProxyCommand ended before anything came from it");
	else
		snprintf(text, sizeof(text), "%s was closed before anything came",
		    kinds[io->via.kind].subject);
	lost(io, TP_CLOSED_CARRIER, true, text);
}

static void
lost_by_end(struct strio *io)
{
	char text[256];

	if (!qframe_rx_greeted(io->rx)) {
		lost_to_stranger(io);
		return;
	}
	snprintf(text, sizeof(text), "%s %s", kinds[io->via.kind].subject,
	    io->via.kind == QUIC_CARRIER_TCP ? "was closed by the other side" : "ended");
	lost(io, TP_CLOSED_CARRIER, true, text);
}

/* ---- out ---- */

struct gather {
	struct iovec v[1 + 2 * SEGS];
	uint8_t hdr[SEGS][QFRAME_HDR];
	size_t nv, nseg;
};

static void
gather_add(struct gather *g, const void *p, size_t n)
{
	g->v[g->nv].iov_base = (void *)(uintptr_t)p; /* only read from */
	g->v[g->nv++].iov_len = n;
}

static size_t
seg_len(size_t n, size_t seg, size_t at)
{
	return n - at < seg ? n - at : seg;
}

static void
gather_frames(struct gather *g, const uint8_t *p, size_t n, size_t seg)
{
	size_t at, m;

	for (at = 0; at < n && g->nseg < SEGS; at += m) {
		m = seg_len(n, seg, at);
		qframe_put_hdr(g->hdr[g->nseg], m);
		gather_add(g, g->hdr[g->nseg++], QFRAME_HDR);
		gather_add(g, p + at, m);
	}
}

/* Of a frame that has left in part the rest is kept, so that the stream stays whole whatever comes
 * next. */
static void
keep_rest(struct strio *io, const uint8_t hdr[QFRAME_HDR], const uint8_t *p, size_t n, size_t gone)
{
	memcpy(io->rest, hdr, QFRAME_HDR);
	memcpy(io->rest + QFRAME_HDR, p, n);
	io->rest_off = gone;
	io->rest_n = QFRAME_HDR + n - gone;
}

/* w bytes of what was gathered have left: how many of the datagrams' are dealt with. */
static size_t
account(struct strio *io, const struct gather *g, size_t w, const uint8_t *p, size_t n, size_t seg)
{
	size_t at = 0, i, m, k = w < io->rest_n ? w : io->rest_n;

	io->rest_off += k;
	io->rest_n -= k;
	w -= k;
	for (i = 0; i < g->nseg && w > 0; i++, at += m) {
		m = seg_len(n, seg, at);
		if (w < QFRAME_HDR + m) {
			keep_rest(io, g->hdr[i], p + at, m, w);
			return at + m;
		}
		w -= QFRAME_HDR + m;
	}
	return at;
}

/* What came before is read first, because it may say why. */
static void
cannot_write(struct strio *io, int e)
{
	io->write_errno = e;
	ev_timer_at(io->later, 0);
}

static size_t
write_some(struct strio *io, const uint8_t *p, size_t n, size_t seg)
{
	struct gather g;
	ssize_t w;

	g.nv = g.nseg = 0;
	if (io->rest_n > 0)
		gather_add(&g, io->rest + io->rest_off, io->rest_n);
	gather_frames(&g, p, n, seg);
	w = writev(io->via.out, g.v, (int)g.nv);
	if (w < 0 && !would_block(errno)) {
		cannot_write(io, errno);
		return n;
	}
	return account(io, &g, w < 0 ? 0 : (size_t)w, p, n, seg);
}

static size_t
host_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n,
    size_t seg)
{
	struct strio *io = arg;
	size_t done = 0, before;

	(void)path;
	(void)ecn;
	if (io->deaf || io->write_errno != 0)
		return n;
	if (io->connecting)
		return 0;
	/* The last packet says why: it goes into the kernel's buffer, behind whatever waits. */
	if (io->d.c != NULL && qconn_is_closing(io->d.c) && io->via.kind == QUIC_CARRIER_TCP)
		set_lowat(io->via.out, INT_MAX);
	do {
		before = done;
		done += write_some(io, p + done, n - done, seg);
	} while (done < n && done > before && io->rest_n == 0);
	if (done < n || io->rest_n > 0)
		want_write(io, true);
	return done;
}

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
	qdrive_fini(&io->d);
	qframe_rx_free(&io->rx);
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
	{.send = host_send, .wake = host_wake, .now = host_now, .release = host_release, \
	    .trace = host_trace, .carrier = (name_), .packet = STRIO_PACKET}
static const struct qconn_host hosts[] = {
	[QUIC_CARRIER_TCP] = HOST("TCP"),
	[QUIC_CARRIER_COMMAND] = HOST("ProxyCommand"),
	[QUIC_CARRIER_STDIO] = HOST("standard input and output"),
};

/* ---- in ---- */

/* 0, or QERR_CLOSED: the connection and io are gone. */
static int
input(struct strio *io, const uint8_t *p, size_t n)
{
	return qconn_input(io->d.c, &io->path, 0, p, n, ev_now(io->d.ev));
}

static int
take_frames(struct strio *io)
{
	const uint8_t *p = io->first;
	size_t n = io->nfirst;
	int r;

	io->first = NULL;
	io->nfirst = 0;
	if (p != NULL && input(io, p, n) != 0)
		return QERR_CLOSED;
	while ((r = qframe_rx_next(io->rx, &p, &n)) == 1) {
		if (input(io, p, n) != 0)
			return QERR_CLOSED;
	}
	if (r == QERR_PROTO)
		lost_to_stranger(io);
	else if (r == QERR_FORMAT)
		lost(io, TP_CLOSED_CARRIER, true, "the other side sent a frame without content");
	return 0;
}

static int
read_stream(struct strio *io)
{
	size_t room;
	uint8_t *p;
	ssize_t k;
	int round;

	if (take_frames(io) != 0)
		return QERR_CLOSED;
	for (round = 0; round < ROUNDS && !io->deaf; round++) {
		p = qframe_rx_room(io->rx, &room);
		k = read(io->via.in, p, room);
		if (k < 0 && would_block(errno))
			return 0;
		if (k < 0)
			lost_by_error(io, errno);
		else if (k == 0)
			lost_by_end(io);
		if (k <= 0)
			return 0;
		qframe_rx_filled(io->rx, (size_t)k);
		if (take_frames(io) != 0)
			return QERR_CLOSED;
		if ((size_t)k < room)
			break;
	}
	return 0;
}

/* ---- events ---- */

static void
on_connected(struct strio *io)
{
	int e = 0;
	socklen_t n = sizeof(e);

	if (getsockopt(io->via.out, SOL_SOCKET, SO_ERROR, &e, &n) != 0)
		e = errno;
	if (e != 0) {
		lost_by_error(io, e);
		io->connecting = false;
		return;
	}
	io->connecting = false;
	want_write(io, io->rest_n > 0);
}

/* 0 or QERR_CLOSED. */
static int
on_room(struct strio *io)
{
	if (io->connecting) {
		on_connected(io);
		return 0;
	}
	want_write(io, false);
	if (io->rest_n > 0)
		(void)write_some(io, NULL, 0, 1);
	if (io->rest_n > 0) {
		want_write(io, true);
		return 0;
	}
	return qconn_writable(io->d.c, ev_now(io->d.ev));
}

static void
on_io(void *arg, int fd, unsigned what)
{
	struct strio *io = arg;

	(void)fd;
	if ((what & EV_WR) && on_room(io) != 0)
		return;
	if ((what & EV_RD) && !io->connecting && !io->deaf && read_stream(io) != 0)
		return;
	if (!io->connecting)
		qdrive_run(&io->d);
}

/* Begins with what was read before we were made; or nothing can be written any more. */
static void
on_later(void *arg)
{
	struct strio *io = arg;

	if (!io->deaf && read_stream(io) != 0)
		return;
	if (!io->deaf && io->write_errno != 0)
		lost_by_error(io, io->write_errno);
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
	memset(io, 0, offsetof(struct strio, rest));
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
	memcpy(io->rest, QFRAME_HELLO, QFRAME_HELLO_LEN);
	io->rest_n = QFRAME_HELLO_LEN;
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
