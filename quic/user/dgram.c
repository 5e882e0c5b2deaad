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
	n = qhole_now(c);
	n = n > over ? n - over : 0;
	if (n > tp->max_datagram_frame_size - 3)
		n = (size_t)tp->max_datagram_frame_size - 3;
	return n < CHUNK_LARGE ? n : CHUNK_LARGE;
}

void
qdgram_pop(struct tp_conn *c)
{
	chunk_put(&c->pool, c->dgrams[c->dg_head].c);
	c->dg_head = (c->dg_head + 1) % QDGRAM_SLOTS;
	c->dg_n--;
}

void
qdgram_free(struct tp_conn *c)
{
	while (c->dg_n > 0)
		qdgram_pop(c);
	free(c->dgrams);
	c->dgrams = NULL;
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
	if (n == 0 || redun_is(p, n))
		return QERR_INVAL;
	if (c->dgrams == NULL) {
		c->dgrams = malloc(QDGRAM_SLOTS * sizeof(*c->dgrams));
		if (c->dgrams == NULL)
			return QERR_AGAIN;
	}
	if (c->dg_n == QDGRAM_SLOTS)
		return QERR_AGAIN;
	d = &c->dgrams[(c->dg_head + c->dg_n) % QDGRAM_SLOTS];
	d->c = chunk_get(&c->pool, n);
	if (d->c == NULL)
		return QERR_AGAIN;
	memcpy(d->c->p, p, n);
	d->n = (uint16_t)n;
	c->dg_n++;
	qc_wake(c);
	return 0;
}
