/* The send schedule: what goes into the next packets, and packets into batches that one call of
 * the carrier takes (UDP_SEGMENT). */
#include <string.h>

#include "common/base/err.h"
#include "quic/protect/keys.h"
#include "quic/user/conn_int.h"

#define PROBES 4 /* streams looked at for STOP_SENDING in one round */

struct batch {
	struct tp_path path;
	ngtcp2_path_storage ps; /* the same, as ngtcp2 says it: less to compare */
	unsigned ecn;
	size_t off, n, seg;
	unsigned nseg;
	bool full; /* a shorter datagram has ended it */
};

/* ---- sources ---- */

static struct tp_stream *
first_of(const struct tp_conn *c, enum tp_prio from, enum tp_prio to)
{
	enum tp_prio p;

	for (p = from; p <= to; p++) {
		if (c->ring[p] != NULL)
			return c->ring[p];
	}
	return NULL;
}

enum source { FROM_STREAM, FROM_REDUN, FROM_DGRAM, FROM_OWED, FROM_NONE };

struct fill {
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	uint8_t *dest;
	size_t destlen;
	ngtcp2_tstamp ts;
	struct tp_stream *probe;
	struct tp_stream *stream; /* the next source */
	uint64_t bulk;            /* so many bytes of packets may still carry bulk */
	bool took;                /* something of ours is in the packet */
	struct qredun_out redun;
};

/* What somebody waits for, first for the first time, then what is repeated of it; the datagrams of
 * the layer above; bulk. */
static enum source
pick(struct tp_conn *c, struct fill *f)
{
	f->stream = first_of(c, TP_PRIO_CONTROL, TP_PRIO_INTERACTIVE);
	if (f->stream != NULL)
		return FROM_STREAM;
	if (c->redun != NULL && qredun_next(c, &f->redun))
		return FROM_REDUN;
	if (c->dg_n > 0)
		return FROM_DGRAM;
	if (f->bulk > 0)
		f->stream = first_of(c, TP_PRIO_BULK, TP_PRIO_BULK);
	if (f->stream != NULL)
		return FROM_STREAM;
	return c->owed && !f->took ? FROM_OWED : FROM_NONE;
}

static ngtcp2_ssize
write_stream(struct tp_conn *c, struct fill *f)
{
	struct tp_stream *s = f->stream;
	ngtcp2_vec v[8];
	ngtcp2_ssize n, taken = -1;
	uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE;
	size_t nv, i, len = 0;
	bool fin;

	nv = sendbuf_peek(&s->tx, v, 8, f->destlen); /* no packet takes more */
	for (i = 0; i < nv; i++)
		len += v[i].len;
	fin = s->fin && len == sendbuf_unsent(&s->tx);
	if (fin)
		flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
	n = ngtcp2_conn_writev_stream(c->ng, &f->ps.path, &f->pi, f->dest, f->destlen, &taken, flags,
	    s->id, v, nv, f->ts);
	if (taken >= 0) {
		f->took = true;
		qstream_sent(s, (size_t)taken, fin && (size_t)taken == len);
	}
	return n;
}

static ngtcp2_ssize
write_dgram(struct tp_conn *c, struct fill *f)
{
	struct qdgram *d = &c->dgrams[c->dg_head];
	ngtcp2_ssize n;
	ngtcp2_vec v;
	int accepted = 0;

	if (d->n > tp_conn_datagram_max(c)) { /* the path has shrunk */
		qdgram_pop(c);
		return NGTCP2_ERR_WRITE_MORE;
	}
	v.base = d->c->p;
	v.len = d->n;
	n = ngtcp2_conn_writev_datagram(c->ng, &f->ps.path, &f->pi, f->dest, f->destlen, &accepted,
	    NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, &v, 1, f->ts);
	f->took |= accepted != 0;
	if (accepted || n == NGTCP2_ERR_INVALID_ARGUMENT || n == NGTCP2_ERR_INVALID_STATE)
		qdgram_pop(c);
	return n;
}

/* A packet with an answer to a path's challenge and nothing else counts in flight, but ngtcp2 1.11 arms no
 * timer for it: where a few of them fill a window that has shrunk, and are lost, nothing would leave ever
 * again. So an empty datagram joins the next one, or follows it, for which it does. */
static ngtcp2_ssize
write_owed(struct tp_conn *c, struct fill *f)
{
	ngtcp2_ssize n;
	int accepted = 0;

	n = ngtcp2_conn_writev_datagram(c->ng, &f->ps.path, &f->pi, f->dest, f->destlen, &accepted,
	    NGTCP2_WRITE_DATAGRAM_FLAG_NONE, 0, NULL, 0, f->ts);
	f->took |= accepted != 0;
	if (n == NGTCP2_ERR_INVALID_ARGUMENT || n == NGTCP2_ERR_INVALID_STATE)
		c->owed = false; /* a peer that takes none */
	return n;
}

static ngtcp2_ssize
write_redun(struct tp_conn *c, struct fill *f)
{
	struct qredun_out *o = &f->redun;
	ngtcp2_ssize n;
	int accepted = 0;

	n = ngtcp2_conn_writev_datagram(c->ng, &f->ps.path, &f->pi, f->dest, f->destlen, &accepted,
	    NGTCP2_WRITE_DATAGRAM_FLAG_MORE, o->id, o->v, o->nv, f->ts);
	f->took |= accepted != 0;
	if (accepted)
		qredun_left(c, o);
	else if (n == NGTCP2_ERR_INVALID_ARGUMENT || n == NGTCP2_ERR_INVALID_STATE)
		qredun_skip(c, o);
	return n;
}

/* ngtcp2 1.11 has no callback for STOP_SENDING, but refuses to write to such a stream: the call
 * that ends a packet names, in turn, a stream that has nothing to send. */
static struct tp_stream *
next_probe(struct tp_conn *c)
{
	struct tp_stream *s;
	unsigned i;

	for (i = 0; i < PROBES; i++) {
		s = c->cursor != NULL ? c->cursor : c->streams;
		if (s == NULL)
			return NULL;
		c->cursor = s->next;
		if (s->can_write && !s->ng_gone && !s->write_reset && !s->fin_sent && s->tx.sent > 0)
			return s;
	}
	return NULL;
}

static ngtcp2_ssize
write_rest(struct tp_conn *c, struct fill *f)
{
	if (f->probe != NULL && f->probe->fin_sent) /* by now: its sending side is shut anyway */
		f->probe = NULL;
	return ngtcp2_conn_writev_stream(c->ng, &f->ps.path, &f->pi, f->dest, f->destlen, NULL, 0,
	    f->probe != NULL ? f->probe->id : -1, NULL, 0, f->ts);
}

/* The connection's credit is used up: this stream has to wait for more, but another may have a
 * FIN to send, which costs none. */
static bool
no_credit(struct tp_conn *c, struct tp_stream *s)
{
	if (sendbuf_unsent(&s->tx) == 0 || ngtcp2_conn_get_max_data_left(c->ng) > 0)
		return false;
	c->conn_blocked = s->blocked = true;
	qstream_dequeue(s);
	return true;
}

/* The peer has sent STOP_SENDING for this stream or, where none was to be written, for the one that
 * was named to find out. */
static bool
saw_stop(struct tp_conn *c, struct fill *f, struct tp_stream *s)
{
	if (s == NULL)
		s = f->probe;
	if (s == NULL)
		return false;
	f->probe = NULL;
	s->stop_seen = c->any_stopped = true; /* told once the packets are out */
	s->blocked = true;
	qstream_dequeue(s);
	return true;
}

static ngtcp2_ssize
fill_from_sources(struct tp_conn *c, struct fill *f)
{
	static ngtcp2_ssize (*const writers[])(struct tp_conn *, struct fill *) = {
		[FROM_STREAM] = write_stream,
		[FROM_REDUN] = write_redun,
		[FROM_DGRAM] = write_dgram,
		[FROM_OWED] = write_owed,
		[FROM_NONE] = write_rest,
	};
	struct tp_stream *s;
	enum source from;
	ngtcp2_ssize n;

	for (;;) {
		from = pick(c, f);
		s = f->stream;
		n = writers[from](c, f);
		if (n == 0 && s != NULL && no_credit(c, s))
			continue;
		if (n >= 0)
			return n;
		switch (n) {
		case NGTCP2_ERR_WRITE_MORE:
			break;
		case NGTCP2_ERR_STREAM_DATA_BLOCKED:
			s->blocked = true;
			qstream_dequeue(s);
			break;
		case NGTCP2_ERR_STREAM_SHUT_WR:
		case NGTCP2_ERR_STREAM_NOT_FOUND:
			if (!saw_stop(c, f, s))
				return n;
			break;
		case NGTCP2_ERR_INVALID_ARGUMENT:
		case NGTCP2_ERR_INVALID_STATE:
			if (from == FROM_STREAM || from == FROM_NONE)
				return n;
			break;
		default:
			return n;
		}
	}
}

/* One packet. Its length, 0 if nothing may be sent now, or an error that ends the connection. */
static ngtcp2_ssize
fill_packet(struct tp_conn *c, struct fill *f)
{
	uint64_t responses = keys_responses();
	ngtcp2_ssize n;

	f->took = false;
	n = fill_from_sources(c, f);
	if (n > 0 && f->took)
		c->owed = false;
	else if (keys_responses() != responses)
		c->owed = true;
	return n;
}

/* ---- batches ---- */

/* QERR_AGAIN: the carrier is full, and what it did not take is held. */
static int
batch_send(struct tp_conn *c, struct batch *b)
{
	size_t done;

	if (b->n == 0)
		return 0;
	done = c->host->send(c->host_arg, &b->path, b->ecn, c->txbuf + b->off, b->n, b->seg);
	if (done < b->n) {
		c->is_held = true;
		c->held.path = b->path;
		c->held.ecn = b->ecn;
		c->held.off = b->off + done;
		c->held.n = b->n - done;
		c->held.seg = b->seg;
	}
	b->n = 0;
	return c->is_held ? QERR_AGAIN : 0;
}

static bool
batch_takes(const struct batch *b, const struct fill *f, size_t n)
{
	return b->n > 0 && !b->full && n <= b->seg && b->nseg < QTX_SEGS && b->n + n <= QTX_BATCH && f->pi.ecn == b->ecn &&
	    ngtcp2_path_eq(&f->ps.path, &b->ps.path);
}

/* The packet of n bytes at off joins the batch, or the batch leaves and the packet begins a new
 * one. QERR_AGAIN: the carrier is full; the packet just built is lost, which QUIC mends. */
static int
batch_add(struct tp_conn *c, struct batch *b, const struct fill *f, size_t off, size_t n)
{
	if (!batch_takes(b, f, n)) {
		if (batch_send(c, b) != 0)
			return QERR_AGAIN;
		qpath_from_ng(&b->path, &f->ps.path);
		qname_real(c, &b->path);
		ngtcp2_path_storage_init(&b->ps, f->ps.path.local.addr, f->ps.path.local.addrlen,
		    f->ps.path.remote.addr, f->ps.path.remote.addrlen, NULL);
		b->ecn = f->pi.ecn;
		b->off = off;
		b->seg = n;
		b->nseg = 0;
		b->full = false;
	}
	b->n += n;
	b->nseg++;
	b->full = n < b->seg;
	c->bytes_tx += n;
	c->pkts_tx++;
	qhole_sent(c, n);
	if (c->pending && qpath_equal(&b->path, &c->pending_path))
		c->pending_tx += n;
	return 0;
}

void
qsend_flush_held(struct tp_conn *c)
{
	struct qheld *h = &c->held;
	size_t done;

	if (!c->is_held)
		return;
	if (h->n == 0) { /* it was full before anything was made */
		c->is_held = false;
		return;
	}
	done = c->host->send(c->host_arg, &h->path, h->ecn, c->txbuf + h->off, h->n, h->seg);
	h->off += done;
	h->n -= done;
	c->is_held = h->n > 0;
}

/* ---- a round ---- */

/* Bytes that may be made now; 0: the carrier is full, and qconn_writable is waited for. */
static size_t
room(struct tp_conn *c)
{
	size_t n;

	if (c->host->room == NULL)
		return QTX_BUF;
	n = c->host->room(c->host_arg);
	if (n == 0 && !c->is_held) {
		c->is_held = true;
		c->held.n = 0;
	}
	return n < QTX_BUF ? n : QTX_BUF;
}

static void
unblock(struct tp_conn *c)
{
	struct tp_stream *s;

	if (!c->conn_blocked || ngtcp2_conn_get_max_data_left(c->ng) == 0)
		return;
	c->conn_blocked = false;
	for (s = c->streams; s != NULL; s = s->next) {
		s->blocked = s->stop_seen;
		qstream_enqueue(s);
	}
}

/* Streams whose sending side the peer has stopped, found while packets were built. */
static void
tell_stopped(struct tp_conn *c)
{
	struct tp_stream *s, *next;

	if (!c->any_stopped)
		return;
	c->any_stopped = false;
	for (s = c->streams; s != NULL && !c->dead; s = next) {
		next = s->next;
		if (s->stop_seen && s->can_write)
			qstream_stopped(s, TP_E_CANCELLED);
	}
}

static void
send_round(struct tp_conn *c, size_t most)
{
	size_t pos = 0, quantum = ngtcp2_conn_get_send_quantum(c->ng), max = qhole_size(c);
	struct batch b;
	ngtcp2_conn_info ci;
	uint64_t in_flight;
	bool more = false;
	struct fill f;
	ngtcp2_ssize n;

	if (qrest_txbuf(c) == NULL)
		return;
	b.n = 0;
	ngtcp2_conn_get_conn_info(c->ng, &ci);
	in_flight = ci.bytes_in_flight;
	memset(&f, 0, sizeof(f));
	ngtcp2_path_storage_zero(&f.ps);
	f.ts = qc_ts(c);
	f.probe = next_probe(c);
	f.bulk = qyield_room(c, &ci);
	if (quantum > most)
		quantum = most;
	while ((f.destlen = qpath_size(c, QTX_BUF - pos < max ? QTX_BUF - pos : max)) > 0) {
		f.dest = c->txbuf + pos;
		n = fill_packet(c, &f);
		if (n < 0) {
			b.n = 0;
			qclose_liberr(c, (int)n);
			return;
		}
		if (n == 0)
			break;
		if (batch_add(c, &b, &f, pos, (size_t)n) != 0)
			break;
		pos += (size_t)n;
		f.bulk -= f.bulk < (uint64_t)n ? f.bulk : (uint64_t)n;
		if (pos >= quantum || pos + qhole_now(c) > most) {
			more = true;
			break; /* the rest when the pacer says so: qconn_expiry */
		}
	}
	batch_send(c, &b);
	if (c->host->packet == 0)
		ngtcp2_conn_update_pkt_tx_time(c->ng, f.ts);
	else if (room(c) > 0 && more && !c->is_held)
		qc_wake(c); /* the carrier has a pacer of its own */
	ngtcp2_conn_get_conn_info(c->ng, &ci);
	if (ci.bytes_in_flight > in_flight)
		qtimer_asked(c, in_flight);
}

void
qsend(struct tp_conn *c)
{
	size_t most;

	if (c->is_held || c->closing || c->over || (most = room(c)) == 0)
		return;
	unblock(c);
	send_round(c, most);
	tell_stopped(c);
}
