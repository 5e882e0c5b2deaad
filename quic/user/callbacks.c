/* ngtcp2's callbacks. They note what happened; where the layer above is called from here, the
 * connection may be freed by it, which shows as c->dead and makes ngtcp2 return at once. */
#include <string.h>

#include <sodium.h>

#include "quic/protect/keys.h"
#include "quic/user/conn_int.h"

static int
alive(const struct tp_conn *c)
{
	return c->dead ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int
cb_handshake_completed(ngtcp2_conn *ng, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	/* Told from here, because the datagram that ends the handshake may go on with data. */
	qrun_tell_early(c);
	c->done_told = true;
	c->confirmed = c->server; /* RFC 9001 section 4.1.2 */
	if (!c->dead && c->ops != NULL && c->ops->handshake_done != NULL)
		c->ops->handshake_done(c->arg);
	return alive(c);
}

static int
cb_handshake_confirmed(ngtcp2_conn *ng, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	c->confirmed = true;
	return 0;
}

static int
cb_tx_key(ngtcp2_conn *ng, ngtcp2_encryption_level level, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	if (c->server && level == NGTCP2_ENCRYPTION_LEVEL_1RTT)
		c->ev_early = true;
	return 0;
}

static int
cb_stream_open(ngtcp2_conn *ng, int64_t id, void *user_data)
{
	struct tp_conn *c = user_data;
	struct tp_stream *s;

	s = qstream_new(c, id, false);
	if (s == NULL)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	ngtcp2_conn_set_stream_user_data(ng, id, s);
	if (c->ops != NULL && c->ops->stream_opened != NULL)
		c->ops->stream_opened(c->arg, s);
	if (c->dead)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (s->ops == NULL) { /* nobody wanted it */
		tp_stream_reset(s, TP_E_PROTOCOL);
		tp_stream_stop(s, TP_E_PROTOCOL);
	}
	return 0;
}

static int
cb_stream_data(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t offset, const uint8_t *p,
    size_t n, void *user_data, void *stream_user_data)
{
	struct tp_conn *c = user_data;
	struct tp_stream *s = stream_user_data;

	(void)ng;
	(void)id;
	(void)offset;
	if (s == NULL)
		return 0;
	if (qstream_data(s, p, n, (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return alive(c);
}

static int
cb_acked(ngtcp2_conn *ng, int64_t id, uint64_t offset, uint64_t n, void *user_data,
    void *stream_user_data)
{
	struct tp_conn *c = user_data;
	struct tp_stream *s = stream_user_data;

	(void)ng;
	(void)id;
	c->waits = c->now;
	qhole_acked(c);
	if (s == NULL)
		return 0;
	qstream_acked(s, offset + n, n == 0);
	return alive(c);
}

static int
cb_stream_close(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t code, void *user_data,
    void *stream_user_data)
{
	struct tp_conn *c = user_data;
	struct tp_stream *s = stream_user_data;

	c->pkts_lost += ngtcp2_conn_get_stream_loss_count(ng, id);
	if (s == NULL)
		return 0;
	s->ng_gone = true;
	/* ngtcp2 tells of STOP_SENDING only here, as the code that ended the stream. */
	if (flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET)
		qstream_stopped(s, code);
	else
		qstream_write_over(s);
	if (c->dead)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	qstream_drop_tx(s); /* what it brought may wait to be taken for long yet */
	if (!s->can_read || s->rx_done)
		qstream_over(s);
	return alive(c);
}

static int
cb_stream_reset(ngtcp2_conn *ng, int64_t id, uint64_t final_size, uint64_t code,
    void *user_data, void *stream_user_data)
{
	struct tp_conn *c = user_data;
	struct tp_stream *s = stream_user_data;

	(void)ng;
	(void)id;
	if (s == NULL)
		return 0;
	if (final_size < s->in.merged) { /* we have had more from a datagram */
		qclose_liberr(c, NGTCP2_ERR_FINAL_SIZE);
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	qstream_reset_by_peer(s, code);
	return alive(c);
}

static int
cb_stream_credit(ngtcp2_conn *ng, int64_t id, uint64_t max, void *user_data,
    void *stream_user_data)
{
	(void)ng;
	(void)id;
	(void)max;
	(void)user_data;
	if (stream_user_data != NULL)
		qstream_credit(stream_user_data);
	return 0;
}

static int
cb_more_streams(ngtcp2_conn *ng, uint64_t max, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	(void)max;
	c->ev_streams = true;
	return 0;
}

static int
cb_new_cid(ngtcp2_conn *ng, ngtcp2_cid *cid, uint8_t *token, size_t len, void *user_data)
{
	(void)ng;
	return qcid_new(user_data, cid, token, len) == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
cb_removed_cid(ngtcp2_conn *ng, const ngtcp2_cid *cid, void *user_data)
{
	(void)ng;
	qcid_removed(user_data, cid);
	return 0;
}

static int
cb_path_validation(ngtcp2_conn *ng, uint32_t flags, const ngtcp2_path *path,
    const ngtcp2_path *old_path, ngtcp2_path_validation_result res, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	(void)flags;
	(void)path;
	(void)old_path;
	if (res == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS)
		c->ev_validated = true;
	if (res == NGTCP2_PATH_VALIDATION_RESULT_FAILURE)
		c->pending = false; /* back on the one before; if the client is heard again, all is counted anew */
	if (res != NGTCP2_PATH_VALIDATION_RESULT_ABORTED) /* we abort it ourselves, by another move */
		c->ev_path = res == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS ? 1 : -1;
	return 0;
}

static int
cb_datagram(ngtcp2_conn *ng, uint32_t flags, const uint8_t *p, size_t n, void *user_data)
{
	struct tp_conn *c = user_data;
	int err;

	(void)ng;
	(void)flags;
	if (n == 0) /* names no flow; who sent it wants the acknowledgement */
		return 0;
	if (qredun_input(c, p, n, &err))
		return err != 0 ? err : alive(c);
	if (c->ops != NULL && c->ops->datagram != NULL)
		c->ops->datagram(c->arg, p, n);
	return alive(c);
}

static int
cb_acked_datagram(ngtcp2_conn *ng, uint64_t id, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	c->waits = c->now;
	qhole_acked(c);
	qredun_dgram_acked(c, id);
	return 0;
}

static int
cb_lost_datagram(ngtcp2_conn *ng, uint64_t id, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	(void)id;
	c->pkts_lost++;
	return 0;
}

static int
cb_stateless_reset(ngtcp2_conn *ng, const ngtcp2_pkt_stateless_reset *sr, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	(void)sr;
	c->was_reset = true;
	return 0;
}

static int
cb_new_token(ngtcp2_conn *ng, const uint8_t *p, size_t n, void *user_data)
{
	struct tp_conn *c = user_data;

	(void)ng;
	if (c->host->new_token != NULL && n <= QUIC_ADDR_TOKEN_MAX)
		c->host->new_token(c->host_arg, p, n);
	return 0;
}

static void
cb_rand(uint8_t *dest, size_t n, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	randombytes_buf(dest, n);
}

static void
callbacks_common(ngtcp2_callbacks *cb)
{
	memset(cb, 0, sizeof(*cb));
	cb->recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
	cb->get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
	cb->rand = cb_rand;
	cb->handshake_completed = cb_handshake_completed;
	cb->stream_open = cb_stream_open;
	cb->recv_stream_data = cb_stream_data;
	cb->acked_stream_data_offset = cb_acked;
	cb->stream_close = cb_stream_close;
	cb->stream_reset = cb_stream_reset;
	cb->extend_max_stream_data = cb_stream_credit;
	cb->extend_max_local_streams_bidi = cb_more_streams;
	cb->extend_max_local_streams_uni = cb_more_streams;
	cb->get_new_connection_id = cb_new_cid;
	cb->remove_connection_id = cb_removed_cid;
	cb->path_validation = cb_path_validation;
	cb->recv_datagram = cb_datagram;
	cb->ack_datagram = cb_acked_datagram;
	cb->lost_datagram = cb_lost_datagram;
}

void
qcallbacks_client(ngtcp2_callbacks *cb)
{
	callbacks_common(cb);
	keys_callbacks_client(cb);
	cb->recv_stateless_reset = cb_stateless_reset;
	cb->recv_new_token = cb_new_token;
	cb->handshake_confirmed = cb_handshake_confirmed;
}

void
qcallbacks_server(ngtcp2_callbacks *cb)
{
	callbacks_common(cb);
	keys_callbacks_server(cb);
	cb->recv_tx_key = cb_tx_key;
}
