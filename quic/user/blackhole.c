/* Paths that take less than they did. When a route changes, or a tunnel begins on the way, packets of the
 * size that was found may vanish without a word. ngtcp2 1.11 finds the size once and repeats what is lost
 * as large as before, for ever. It fills no more than the buffer that it is given, though: where large
 * packets have left and nothing sent since was acknowledged for some probe timeouts, the buffer shrinks to
 * what every path takes. After a while it grows again, since an outage looks the same; jumbo frames come back
 * later than Ethernet's. */
#include "common/base/clock.h"
#include "quic/user/conn_int.h"

#define PATIENCE   3 /* probe timeouts: one lost probe is no black hole */
#define RAISE_MIN  (10 * NS_PER_S)
#define RAISE_MAX  (600 * NS_PER_S) /* RFC 8899 section 5.1.1, PMTU_RAISE_TIMER */

static size_t
limit(const struct tp_conn *c)
{
	if (c->host->packet != 0)
		return c->host->packet;
	if (c->tx_small || c->moved_at != 0)
		return NGTCP2_MAX_UDP_PAYLOAD_SIZE;
	return c->now < c->plain_until && c->tx_limit > QTX_PLAIN ? QTX_PLAIN : c->tx_limit;
}

size_t
qhole_now(const struct tp_conn *c)
{
	size_t n = ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng), max = limit(c);

	return c->host->packet != 0 || n > max ? max : n;
}

static void
shrink(struct tp_conn *c)
{
	if (qhole_now(c) > QTX_PLAIN)
		c->plain_until = c->now + RAISE_MAX;
	c->tx_small = true;
	if (c->raise_in != 0 && c->now - c->raise_at > RAISE_MAX)
		c->raise_in = 0; /* it was well for long */
	c->raise_in = c->raise_in == 0 ? RAISE_MIN : c->raise_in * 4;
	if (c->raise_in > RAISE_MAX)
		c->raise_in = RAISE_MAX;
	c->raise_at = UINT64_MAX; /* counted from when data flows again */
}

size_t
qhole_size(struct tp_conn *c)
{
	if (c->host->packet != 0)
		return c->host->packet;
	if (c->tx_small && c->now >= c->raise_at) {
		c->tx_small = false;
		c->big_at = 0;
	} else if (!c->tx_small && c->big_at != 0 &&
	    c->now - c->big_at > PATIENCE * ngtcp2_conn_get_pto(c->ng)) {
		shrink(c);
	}
	if (c->moved_at != 0 && c->now - c->moved_at > PATIENCE * ngtcp2_conn_get_pto(c->ng)) {
		c->moved_at = 0;
		if (ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng) > NGTCP2_MAX_UDP_PAYLOAD_SIZE)
			c->plain_until = c->now + RAISE_MIN;
	}
	return limit(c);
}

void
qhole_sent(struct tp_conn *c, size_t n)
{
	/* ngtcp2's own probes for the path's size are larger than that, and may be lost. */
	if (c->big_at == 0 && n > NGTCP2_MAX_UDP_PAYLOAD_SIZE &&
	    n <= ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng))
		c->big_at = c->now;
}

void
qhole_acked(struct tp_conn *c)
{
	c->big_at = 0;
	if (c->tx_small && c->raise_at == UINT64_MAX)
		c->raise_at = c->now + c->raise_in;
}

void
qhole_moved(struct tp_conn *c)
{
	c->tx_small = false;
	c->big_at = c->raise_in = 0;
	/* ngtcp2 begins anew with what every path takes, or, where it guesses that only the address has changed,
	 * does not; and what is acknowledged now of what left on the old path counts for it as found on
	 * this one. So nothing larger leaves until that is over, and then, if ngtcp2 believes in more that it cannot
	 * have found, nothing larger than what most paths take; a while after that all is tried. */
	c->moved_at = c->now;
	c->plain_until = 0;
	/* How much the interface to the new one takes is known with the next socket. */
	if (c->server)
		c->tx_limit = QTX_PLAIN;
}
