/* Datagrams into the byte stream. What is made here leaves at once or waits in tx, a batch at most: until that is gone the
 * connection makes no more, so that what is urgent overtakes what waits there. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/uio.h>

#include "quic/user/strio_int.h"

#define SEGS 16 /* frames in one system call */

struct gather {
	struct iovec v[2 * SEGS];
	uint8_t hdr[SEGS][QFRAME_HDR];
	size_t nv, nseg, n;
};

void
strio_want_write(struct strio *io, bool on)
{
	if (io->in == NULL)
		return;
	if (io->out == NULL)
		ev_io_set(io->in, on ? EV_RD | EV_WR : EV_RD);
	else
		ev_io_set(io->out, on ? EV_WR : 0);
}

/* What came before is read first, because it may say why. */
static void
cannot_write(struct strio *io, int e)
{
	io->write_errno = e;
	ev_timer_at(io->later, 0);
}

/* Bytes that have left. */
static size_t
write_v(struct strio *io, const struct iovec *v, size_t nv)
{
	ssize_t w = writev(io->via.out, v, (int)nv);

	if (w < 0 && !strio_would_block(errno))
		cannot_write(io, errno);
	return w < 0 ? 0 : (size_t)w;
}

static void
flush(struct strio *io)
{
	struct strio_out *t = &io->tx;
	struct iovec v = {.iov_base = t->buf + t->off, .iov_len = t->n};
	size_t w;

	if (t->n == 0)
		return;
	w = write_v(io, &v, 1);
	t->off += w;
	t->n -= w;
	if (t->n == 0)
		t->off = 0;
}

/* ---- frames ---- */

static void
gather_add(struct gather *g, const void *p, size_t n)
{
	g->v[g->nv].iov_base = (void *)(uintptr_t)p; /* only read from */
	g->v[g->nv++].iov_len = n;
	g->n += n;
}

/* Whole datagrams, as many as there is room for should none of it leave. How many of the n bytes that are. */
static size_t
gather_frames(struct gather *g, const uint8_t *p, size_t n, size_t seg, size_t room)
{
	size_t at, m;

	for (at = 0; at < n && g->nseg < SEGS; at += m) {
		m = n - at < seg ? n - at : seg;
		if (g->n + QFRAME_HDR + m > room)
			break;
		qframe_put_hdr(g->hdr[g->nseg], m);
		gather_add(g, g->hdr[g->nseg++], QFRAME_HDR);
		gather_add(g, p + at, m);
	}
	return at;
}

/* What has been gathered, from its byte w on. */
static void
keep(struct strio_out *t, const struct gather *g, size_t w)
{
	size_t i, len;

	if (t->off > 0)
		memmove(t->buf, t->buf + t->off, t->n);
	t->off = 0;
	for (i = 0; i < g->nv; i++) {
		len = g->v[i].iov_len;
		if (w >= len) {
			w -= len;
			continue;
		}
		memcpy(t->buf + t->n, (const uint8_t *)g->v[i].iov_base + w, len - w);
		t->n += len - w;
		w = 0;
	}
}

/* How many of the n bytes are dealt with. */
static size_t
take(struct strio *io, const uint8_t *p, size_t n, size_t seg)
{
	struct gather g;
	size_t done, w = 0;

	g.nv = g.nseg = g.n = 0;
	done = gather_frames(&g, p, n, seg, STRIO_OUT - io->tx.n);
	if (g.nv == 0)
		return 0;
	if (io->tx.n == 0)
		w = write_v(io, g.v, g.nv);
	if (w < g.n)
		keep(&io->tx, &g, w);
	return done;
}

/* ---- for the connection ---- */

void
strio_greet(struct strio *io)
{
	memcpy(io->tx.buf, QFRAME_HELLO, QFRAME_HELLO_LEN);
	io->tx.off = 0;
	io->tx.n = QFRAME_HELLO_LEN;
}

size_t
strio_room(void *arg)
{
	struct strio *io = arg;

	if (io->deaf || io->write_errno != 0)
		return STRIO_BATCH; /* it goes nowhere */
	if (io->connecting)
		return 0;
	if (io->tx.n > QFRAME_HELLO_LEN) {
		strio_want_write(io, true);
		return 0;
	}
	return STRIO_BATCH;
}

size_t
strio_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n,
    size_t seg)
{
	struct strio *io = arg;
	size_t done = 0, m;
	bool waited = io->tx.n > 0;

	(void)path;
	(void)ecn;
	if (io->deaf || io->write_errno != 0)
		return n;
	if (io->connecting)
		return 0;
	/* The last packet says why: it goes into the kernel's buffer, behind whatever waits. */
	if (io->d.c != NULL && qconn_is_closing(io->d.c) && io->via.kind == QUIC_CARRIER_TCP) {
		strio_no_lowat(io->via.out);
		flush(io);
	}
	while (done < n && (m = take(io, p + done, n - done, seg)) > 0)
		done += m;
	if (waited)
		flush(io);
	if (io->tx.n > 0)
		strio_want_write(io, true);
	return io->write_errno != 0 ? n : done;
}

int
strio_writable(struct strio *io)
{
	flush(io);
	strio_want_write(io, io->tx.n > 0);
	return io->tx.n > 0 ? 0 : qconn_writable(io->d.c, ev_now(io->d.ev));
}
