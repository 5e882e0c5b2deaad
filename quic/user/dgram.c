/* Unreliable datagrams (RFC 9221). */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "quic/user/conn_int.h"

/* Packet header with a packet number of four bytes, tag, and the frame's type and length. */
#define DGRAM_OVERHEAD (1 + 4 + 16 + 3)

size_t
tp_conn_datagram_max(const struct tp_conn *c)
{
	const ngtcp2_transport_params *tp = ngtcp2_conn_get_remote_transport_params(c->ng);
	size_t n, over = DGRAM_OVERHEAD + ngtcp2_conn_get_dcid(c->ng)->datalen;

	if (c->over || tp == NULL || tp->max_datagram_frame_size <= 3)
		return 0;
	n = ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng);
	if (c->tx_small && n > NGTCP2_MAX_UDP_PAYLOAD_SIZE)
		n = NGTCP2_MAX_UDP_PAYLOAD_SIZE;
	n = n > over ? n - over : 0;
	if (n > tp->max_datagram_frame_size - 3)
		n = (size_t)tp->max_datagram_frame_size - 3;
	return n < QDGRAM_MAX ? n : QDGRAM_MAX;
}

int
tp_conn_datagram(struct tp_conn *c, const void *p, size_t n)
{
	size_t max = tp_conn_datagram_max(c);
	struct qdgram *d;

	if (max == 0)
		return QERR_UNSUPPORTED;
	if (n > max)
		return QERR_TOOBIG;
	if (redun_is(p, n))
		return QERR_INVAL;
	if (c->dgrams == NULL) {
		c->dgrams = malloc(QDGRAM_SLOTS * sizeof(*c->dgrams));
		if (c->dgrams == NULL)
			return QERR_AGAIN;
	}
	if (c->dg_n == QDGRAM_SLOTS)
		return QERR_AGAIN;
	d = &c->dgrams[(c->dg_head + c->dg_n) % QDGRAM_SLOTS];
	memcpy(d->p, p, n);
	d->n = (uint16_t)n;
	c->dg_n++;
	qc_wake(c);
	return 0;
}
