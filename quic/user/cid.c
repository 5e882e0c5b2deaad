/* Connection IDs. A server uses only those that were minted for it, so that its packets can be
 * steered to it; a client makes its own. */
#include <string.h>

#include <sodium.h>

#include "quic/user/conn_int.h"

void
qcid_add_ours(struct tp_conn *c, const ngtcp2_cid *cid)
{
	if (c->nours == QCID_OURS)
		return;
	c->used[c->nours] = false;
	c->ours[c->nours++] = *cid;
}

void
qcid_removed(struct tp_conn *c, const ngtcp2_cid *cid)
{
	unsigned i;

	for (i = 0; i < c->nours; i++) {
		if (ngtcp2_cid_eq(&c->ours[i], cid)) {
			c->ours[i] = c->ours[--c->nours];
			c->used[i] = c->used[c->nours];
			return;
		}
	}
}

/* Asks once until some have come. Not from inside ngtcp2: the host may answer at once. */
void
qcid_check_pool(struct tp_conn *c)
{
	if (!c->server || c->cids_asked || c->npool >= QCID_LOW || c->host->need_cids == NULL)
		return;
	c->cids_asked = true;
	c->host->need_cids(c->host_arg, QCID_POOL / 2 - c->npool);
}

int
qcid_new(struct tp_conn *c, ngtcp2_cid *cid, uint8_t *token, size_t len)
{
	struct quic_cid *q;

	if (c->server && c->npool > 0 && c->pool_cids[c->npool - 1].len == len) {
		q = &c->pool_cids[--c->npool];
		ngtcp2_cid_init(cid, q->id, len);
		memcpy(token, q->reset, QUIC_TOKEN_LEN);
		sodium_memzero(q, sizeof(*q));
	} else {
		/* A client; or a server whose pool is empty, because whoever mints is away.
		 * ngtcp2 would end the connection if it got none. This one works as long as
		 * the client stays where our socket is connected to, which beats an end now. */
		cid->datalen = len;
		randombytes_buf(cid->data, len);
		randombytes_buf(token, QUIC_TOKEN_LEN);
	}
	if (c->server)
		qcid_add_ours(c, cid);
	return 0;
}

void
qconn_add_cids(struct tp_conn *c, const struct quic_cid *cids, size_t n)
{
	size_t i;

	for (i = 0; i < n && c->npool < QCID_POOL; i++) {
		if (cids[i].len == c->cidlen)
			c->pool_cids[c->npool++] = cids[i];
	}
	c->cids_asked = false;
	qc_wake(c);
}

void
qconn_ask_cids(struct tp_conn *c)
{
	c->cids_asked = false;
	qc_wake(c);
}

static unsigned
find_ours(const struct tp_conn *c, const uint8_t *id, size_t len)
{
	unsigned i;

	for (i = 0; i < c->nours; i++) {
		if (c->ours[i].datalen == len && memcmp(c->ours[i].data, id, len) == 0)
			break;
	}
	return i;
}

static bool
is_ours(const struct tp_conn *c, const uint8_t *id, size_t len)
{
	return find_ours(c, id, len) < c->nours;
}

/* Moves are made with short headers: the connection ID comes at once. */
static unsigned
find_short(const struct tp_conn *c, const uint8_t *p, size_t n)
{
	return n > c->cidlen && (p[0] & 0x80) == 0 ? find_ours(c, p + 1, c->cidlen) : c->nours;
}

bool
qcid_fresh(const struct tp_conn *c, const uint8_t *p, size_t n)
{
	unsigned i = find_short(c, p, n);

	return i < c->nours && !c->used[i];
}

void
qcid_use(struct tp_conn *c, const uint8_t *p, size_t n)
{
	unsigned i = find_short(c, p, n);

	if (i < c->nours)
		c->used[i] = true;
}

static bool
cid_is(const ngtcp2_cid *cid, const uint8_t *id, size_t len)
{
	return cid->datalen > 0 && cid->datalen == len && memcmp(cid->data, id, len) == 0;
}

bool
qconn_owns(const struct tp_conn *c, const uint8_t *p, size_t n)
{
	ngtcp2_version_cid vc;

	/* A client's socket is its own; a stateless reset has no connection ID that it knows. */
	if (!c->server)
		return true;
	if (n == 0) /* ngtcp2 asserts that there is something */
		return false;
	if (ngtcp2_pkt_decode_version_cid(&vc, p, n, c->cidlen) != 0)
		return false;
	/* Before our first packet has reached it, the client addresses us by its own choice. */
	return is_ours(c, vc.dcid, vc.dcidlen) ||
	    (vc.version != 0 && (cid_is(&c->odcid, vc.dcid, vc.dcidlen) ||
				    cid_is(&c->retry_scid, vc.dcid, vc.dcidlen)));
}
