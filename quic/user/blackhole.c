/* Paths that take less than they did. When a route changes, or a tunnel begins on the way, packets of the
 * size that was found may vanish without a word. ngtcp2 1.11 finds the size once and repeats what is lost
 * as large as before, for ever. It fills no more than the buffer that it is given, though: where large
 * packets have left and nothing sent since was acknowledged for some probe timeouts, the buffer shrinks to
 * what every path takes. After a while it grows again, since an outage looks the same. */
#include "common/base/clock.h"
#include "quic/user/conn_int.h"

#define PATIENCE   3 /* probe timeouts: one lost probe is no black hole */
#define RAISE_MIN  (10 * NS_PER_S)
#define RAISE_MAX  (600 * NS_PER_S) /* RFC 8899 section 5.1.1, PMTU_RAISE_TIMER */

static void
shrink(struct tp_conn *c)
{
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
	return c->tx_small ? NGTCP2_MAX_UDP_PAYLOAD_SIZE : QTX_MAX;
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
}
