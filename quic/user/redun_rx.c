/* Redundant datagrams that come. What they bring is offered to the layer above as if the stream had
 * brought it, within the credit that the peer has. */
#include "quic/user/conn_int.h"

/* What the peer may have sent on this stream by now, as an offset, counting both kinds of credit. */
static uint64_t
limit_of(const struct tp_stream *s)
{
	const struct tp_conn *c = s->conn;
	uint64_t left = c->rx_limit > c->rx_merged ? c->rx_limit - c->rx_merged : 0;
	uint64_t by_conn = s->in.merged + left;

	return s->rx_limit < by_conn ? s->rx_limit : by_conn;
}

bool
qredun_input(struct tp_conn *c, const uint8_t *p, size_t n, int *err)
{
	struct redun_frame f;
	struct tp_stream *s;
	size_t fresh;

	*err = 0;
	if (!redun_is(p, n))
		return false;
	if (redun_parse(&f, p, n) != 0) {
		qclose_liberr(c, NGTCP2_ERR_PROTO);
		*err = NGTCP2_ERR_CALLBACK_FAILURE;
		return true;
	}
	/* Streams that are over, not known yet, or not the peer's to write to: the sender has made
	 * a guess too many, and loses nothing. Nor does one that is not let in yet. */
	s = c->server && !c->let_in ? NULL : qstream_find(c, f.stream);
	if (s == NULL || !s->can_read || s->rx_done || s->rx_fin)
		return true;
	fresh = redun_rx_early(&s->in, f.offset, f.n, limit_of(s));
	if (fresh == 0)
		return true;
	c->rx_merged += fresh;
	c->redun_used += fresh;
	if (qstream_early(s, f.p + (f.n - fresh), fresh) != 0)
		*err = NGTCP2_ERR_CALLBACK_FAILURE;
	return true;
}
