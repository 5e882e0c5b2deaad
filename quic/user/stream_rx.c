/* The receiving side of streams. Data is offered straight from the packet; what is not taken is
 * kept, and its credit with it: a peer cannot make us hold more than the windows that it has. */
#include "common/base/err.h"
#include "quic/user/conn_int.h"

static void
return_credit(struct tp_stream *s, size_t n)
{
	struct tp_conn *c = s->conn;

	if (n == 0 || c->over || c->dead)
		return;
	ngtcp2_conn_extend_max_offset(c->ng, n);
	if (!s->ng_gone && !s->rx_fin)
		ngtcp2_conn_extend_max_stream_offset(c->ng, s->id, n);
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

static void
drop_rx(struct tp_stream *s)
{
	return_credit(s, s->rx.n);
	chunkq_free(&s->rx, &s->conn->pool);
}

int
qstream_data(struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	size_t taken;

	if (s->rx_done) {
		return_credit(s, n);
		return 0;
	}
	if (fin)
		s->rx_fin = true;
	if (s->rx.n == 0 && s->ops != NULL && s->ops->data != NULL) {
		taken = offer(s, p, n, fin);
		if (s->conn->dead)
			return 0;
		if (s->rx_done) { /* stopped meanwhile: the rest is dropped */
			return_credit(s, n);
			return 0;
		}
		return_credit(s, taken);
		if (taken == n) {
			s->rx_done = fin;
			return 0;
		}
		p += taken;
		n -= taken;
	}
	return n > 0 ? chunkq_append(&s->rx, &s->conn->pool, p, n) : 0;
}

/* Offers what was kept, until something is left over again. */
static void
offer_kept(struct tp_stream *s)
{
	const uint8_t *p;
	size_t n, taken;
	bool fin;

	while (!s->rx_done && (s->rx.n > 0 || s->rx_fin)) {
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
		return_credit(s, taken);
		if (taken < n)
			return;
		s->rx_done = fin;
	}
	if (s->rx_done && s->ng_gone)
		s->conn->any_closing = true;
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
			offer_kept(s);
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
	if (s->rx_done)
		return;
	s->rx_done = true;
	drop_rx(s);
	if (s->ops != NULL && s->ops->reset != NULL)
		s->ops->reset(s->arg, s, code);
}
