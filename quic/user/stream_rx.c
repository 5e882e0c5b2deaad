/* The receiving side of streams. Data is offered straight from the packet; what is not taken is
 * kept, and its credit with it: a peer cannot make us hold more than the windows that it has.
 *
 * Where packets come that a stream fills, the layer above is not asked for each of them: a write(2)
 * of one packet costs more than to decrypt it. They are gathered until the batch of datagrams is
 * over, or a chunk is full, whichever comes first. */
#include "common/base/err.h"
#include "quic/user/conn_int.h"

#define GATHER_MIN 1024 /* bytes of one stream in a packet: it is not alone */

/* Returns credit for what the stream has brought and somebody has taken, or nobody will. */
static void
settle(struct tp_stream *s)
{
	struct tp_conn *c = s->conn;
	uint64_t n = redun_rx_credit(&s->in, s->rx_done ? 0 : s->rx.n);

	if (n == 0 || c->over || c->dead)
		return;
	qcredit_conn(c, n);
	if (!s->ng_gone && !s->rx_fin)
		qcredit_stream(s, n);
}

/* Calls data(); how much was taken. */
static size_t
offer(struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	static const uint8_t nothing[1];
	size_t taken;

	if (s->ops == NULL || s->ops->data == NULL)
		return 0;
	s->offering = true;
	taken = s->ops->data(s->arg, s, n > 0 ? p : nothing, n, fin);
	s->offering = false;
	return taken < n ? taken : n;
}

/* Only what the layer above took whole before: a stream that nobody reads costs no large chunk. */
static bool
gathers(struct tp_stream *s, size_t n, bool fin)
{
	if (n < GATHER_MIN || fin || !s->gather || s->conn->over)
		return false;
	return chunkq_expect(&s->rx, &s->conn->pool) == 0;
}

static void
drop_rx(struct tp_stream *s)
{
	chunkq_free(&s->rx, &s->conn->pool);
	settle(s);
}

/* Offers what was kept, as long as there are min bytes of it, until something is left over again. */
static void
offer_kept(struct tp_stream *s, size_t min)
{
	const uint8_t *p;
	size_t n, taken;
	bool fin;

	s->refused = false;
	while (!s->rx_done && s->rx.n >= min && (s->rx.n > 0 || s->rx_fin)) {
		p = chunkq_front(&s->rx, &n);
		fin = s->rx_fin && n == s->rx.n;
		taken = offer(s, p, n, fin);
		if (s->conn->dead)
			return;
		if (s->rx_done) {
			drop_rx(s);
			break;
		}
		chunkq_consume(&s->rx, &s->conn->pool, taken);
		settle(s);
		if (taken < n) {
			s->refused = true;
			s->gather = false;
			return;
		}
		s->rx_done = fin;
	}
	if (s->rx_done && s->ng_gone)
		s->conn->any_closing = true;
}

/* Offers new bytes, and keeps what is not taken. */
static int
give(struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	size_t taken;

	if (s->rx.n == 0 && !gathers(s, n, fin) && s->ops != NULL && s->ops->data != NULL) {
		taken = offer(s, p, n, fin);
		if (s->conn->dead)
			return 0;
		s->gather = taken == n && n >= GATHER_MIN;
		s->refused = taken < n;
		if (taken == n && fin)
			s->rx_done = true;
		if (taken > 0)
			p += taken;
		n -= taken;
	}
	/* Stopped meanwhile: the rest is dropped. */
	if (n > 0 && !s->rx_done && chunkq_append(&s->rx, &s->conn->pool, p, n) != 0)
		return QERR_NOMEM;
	settle(s);
	if (!s->refused && s->rx.n >= CHUNK_LARGE)
		offer_kept(s, CHUNK_LARGE);
	if (!s->refused && !s->rx_done && (s->rx.n > 0 || s->rx_fin))
		s->resume = s->conn->any_resume = true;
	return 0;
}

int
qstream_data(struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	uint64_t merged = s->in.merged;
	size_t known = redun_rx_stream(&s->in, n);

	s->conn->rx_merged += s->in.merged - merged;
	if (fin && s->in.merged > s->in.stream) { /* a datagram has brought what goes beyond the end */
		qclose_liberr(s->conn, NGTCP2_ERR_FINAL_SIZE);
		return QERR_PROTO;
	}
	if (fin && !s->rx_done)
		s->rx_fin = true;
	if (s->rx_done || (known == n && !fin)) {
		settle(s);
		return 0;
	}
	return give(s, known > 0 ? p + known : p, n - known, fin);
}

int
qstream_early(struct tp_stream *s, const uint8_t *p, size_t n)
{
	return give(s, p, n, false);
}

void
qstream_resume_all(struct tp_conn *c)
{
	struct tp_stream *s, *next;

	if (!c->any_resume)
		return;
	c->any_resume = false;
	for (s = c->streams; s != NULL && !c->dead; s = next) {
		next = s->next;
		if (!s->resume)
			continue;
		s->resume = false;
		if (s->ops != NULL && s->ops->data != NULL)
			offer_kept(s, 0);
	}
}

void
tp_stream_resume(struct tp_stream *s)
{
	s->resume = true;
	s->conn->any_resume = true;
	qc_wake(s->conn);
}

void
tp_stream_stop(struct tp_stream *s, uint64_t code)
{
	if (!s->can_read || s->rx_done)
		return;
	s->rx_done = true;
	if (!s->ng_gone && !s->conn->over)
		ngtcp2_conn_shutdown_stream_read(s->conn->ng, 0, s->id, code);
	/* Whoever calls this from data() may still be reading what it was offered. */
	if (!s->offering)
		drop_rx(s);
	if (s->ng_gone)
		s->conn->any_closing = true;
	qc_wake(s->conn);
}

void
qstream_reset_by_peer(struct tp_stream *s, uint64_t code)
{
	/* What only waited for its batch to be over came before. */
	if (!s->refused && s->rx.n > 0 && s->ops != NULL && s->ops->data != NULL)
		offer_kept(s, 0);
	if (s->rx_done || s->conn->dead)
		return;
	s->rx_done = true;
	drop_rx(s);
	if (s->ops != NULL && s->ops->reset != NULL)
		s->ops->reset(s->arg, s, code);
}
