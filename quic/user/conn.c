/* Connections: making, freeing, and what the layer above asks of them. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/user/conn_int.h"

#define CLIENT_CID_LEN 8
#define HUGE_PACKET    (((size_t)1 << 24) - 1) /* the most that ngtcp2 takes for one */
/* Where nothing is lost, acknowledgements only free memory, and each is one more segment that the stream beneath may have to
 * repeat, with all that comes behind it waiting. The peer's probes are later by as much. */
#define STREAM_ACK_EVERY 16
#define STREAM_ACK_DELAY NS_PER_S
#define INITIAL_RTT    (100 * NS_PER_MS) /* a lost first packet is sent again after 300 ms, not 1 s */

static ngtcp2_conn *
get_conn(ngtcp2_crypto_conn_ref *ref)
{
	struct tp_conn *c = ref->user_data;

	return c->ng;
}

static struct tp_conn *
conn_alloc(const struct quic_limits *l, const struct tp_path *path, uint64_t now,
    const struct qconn_host *host, void *host_arg)
{
	struct tp_conn *c;

	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->ref.get_conn = get_conn;
	c->ref.user_data = c;
	c->host = host;
	c->host_arg = host_arg;
	c->lim = *l;
	c->window = c->rx_limit = l->conn_window;
	c->max_bidi = l->max_bidi;
	c->max_uni = l->max_uni;
	c->path = *path;
	c->now = c->born = c->last_rx = now;
	c->close_next = 1;
	c->tx_limit = QTX_PLAIN;
	return c;
}

static void
conn_destroy(struct tp_conn *c)
{
	qstream_all_over(c);
	if (c->ng != NULL)
		ngtcp2_conn_del(c->ng);
	tls_free(&c->tls);
	qdgram_free(c);
	chunk_pool_free(&c->pool);
	if (c->host != NULL)
		c->host->release(c->host_arg);
	free(c->close_pkt);
	free(c->txbuf);
	sodium_memzero(c->pool_cids, sizeof(c->pool_cids));
	free(c);
}

/* Tried in this order; one that fails excludes all that are larger, one that succeeds all that are smaller.
 * Most paths are Ethernet, so that comes first; then tunnels, jumbo frames, loopback. */
static const uint16_t probes[] = {
	1452, 1472, /* 1500 under IPv6 and IPv4 */
	1372, 1232, /* tunnels of 1420, 1280 */
	4048,       /* FDDI, InfiniBand, clouds: anything in between */
	8932, 8952, 8972, /* 8981 and 9000 under both */
	16336, 32720, 65487, QTX_MAX, /* loopback, under both */
};

static void
settings_fill(ngtcp2_settings *st, const struct tp_conn *c)
{
	ngtcp2_settings_default(st);
	st->cc_algo = c->lim.cc == TP_CC_CUBIC ? NGTCP2_CC_ALGO_CUBIC : NGTCP2_CC_ALGO_BBR;
	st->initial_ts = c->now;
	st->initial_rtt = INITIAL_RTT;
	st->max_tx_udp_payload_size = QTX_MAX;
	st->pmtud_probes = probes;
	st->pmtud_probeslen = sizeof(probes) / sizeof(probes[0]);
	st->handshake_timeout =
	    c->lim.handshake_timeout != 0 ? c->lim.handshake_timeout : UINT64_MAX;
	if (c->host->packet != 0) {
		/* ngtcp2 has no null congestion control. Windows are counted in largest packets though, two of them are the
		 * least: 32 MiB here, and that grows with what is acknowledged. Packets are no larger than their buffer. */
		st->cc_algo = NGTCP2_CC_ALGO_RENO;
		st->max_tx_udp_payload_size = HUGE_PACKET;
		st->ack_thresh = STREAM_ACK_EVERY;
		st->no_tx_udp_payload_size_shaping = 1;
		st->no_pmtud = 1;
	}
}

static void
params_fill(ngtcp2_transport_params *tp, const struct tp_conn *c)
{
	ngtcp2_transport_params_default(tp);
	tp->initial_max_data = c->lim.conn_window;
	tp->initial_max_stream_data_bidi_local = c->lim.stream_window;
	tp->initial_max_stream_data_bidi_remote = c->lim.stream_window;
	tp->initial_max_stream_data_uni = c->lim.uni_window;
	tp->initial_max_streams_bidi = c->lim.max_bidi;
	tp->initial_max_streams_uni = c->lim.max_uni;
	tp->max_idle_timeout = 0; /* silence is judged by tp_conn_set_idle */
	tp->active_connection_id_limit = 8;
	tp->max_datagram_frame_size = UINT16_MAX;
	tp->grease_quic_bit = 1;
	tp->disable_active_migration = c->host->packet != 0;
	if (c->host->packet != 0)
		tp->max_ack_delay = STREAM_ACK_DELAY;
}

static void
on_qlog(void *user_data, uint32_t flags, const void *p, size_t n)
{
	struct tp_conn *c = user_data;

	(void)flags;
	quic_trace_qlog(c->trace, p, n, c->now);
}

/* Before the connection is made, whose first record is written then. */
static void
trace_fill(ngtcp2_settings *st, struct tp_conn *c, const ngtcp2_cid *odcid)
{
	if (c->host->trace != NULL)
		c->trace = c->host->trace(c->host_arg);
	if (quic_trace_begin(c->trace, odcid->data, odcid->datalen, c->server))
		st->qlog_write = on_qlog;
}

int
qconn_client_new(struct tp_conn **out, const struct quic_limits *limits,
    const struct tp_path *path, uint64_t now, const struct qconn_host *host, void *host_arg)
{
	ngtcp2_transport_params tp;
	ngtcp2_callbacks cb;
	ngtcp2_settings st;
	ngtcp2_cid dcid, scid;
	ngtcp2_path ngp;
	uint8_t token[QUIC_ADDR_TOKEN_MAX];
	struct tp_conn *c;
	int r;

	c = conn_alloc(limits, path, now, host, host_arg);
	if (c == NULL)
		return QERR_NOMEM;
	c->cidlen = scid.datalen = CLIENT_CID_LEN;
	randombytes_buf(scid.data, scid.datalen);
	dcid.datalen = NGTCP2_MAX_CIDLEN - 2;
	randombytes_buf(dcid.data, dcid.datalen);
	settings_fill(&st, c);
	if (host->token != NULL && (st.tokenlen = host->token(host_arg, token)) > 0) {
		st.token = token; /* copied */
		st.token_type = NGTCP2_TOKEN_TYPE_NEW_TOKEN;
	}
	trace_fill(&st, c, &dcid);
	params_fill(&tp, c);
	qcallbacks_client(&cb);
	qpath_to_ng(&ngp, &c->path);
	r = tls_client_new(&c->tls, &c->ref, QUIC_ALPN);
	if (r == 0 && ngtcp2_conn_client_new(&c->ng, &dcid, &scid, &ngp, NGTCP2_PROTO_VER_V1,
			  &cb, &st, &tp, NULL, c) != 0)
		r = QERR_NOMEM;
	if (r != 0) {
		c->host = NULL; /* still the caller's */
		conn_destroy(c);
		return r;
	}
	ngtcp2_conn_set_tls_native_handle(c->ng, tls_native(c->tls));
	tls_set_trace(c->tls, c->trace);
	c->woken = true; /* the first packet waits to be written */
	*out = c;
	return 0;
}

int
qconn_set_sni(struct tp_conn *c, const char *name)
{
	return tls_set_sni(c->tls, name);
}

static void
cid_to_ng(ngtcp2_cid *ng, const struct quic_cid *cid)
{
	ngtcp2_cid_init(ng, cid->id, cid->len <= QUIC_CID_MAX ? cid->len : 0);
}

static void
params_server(ngtcp2_transport_params *tp, const struct tp_conn *c, const struct quic_server_cfg *cfg)
{
	params_fill(tp, c);
	tp->original_dcid = c->odcid;
	tp->original_dcid_present = 1;
	if (c->retry_scid.datalen > 0) {
		tp->retry_scid = c->retry_scid;
		tp->retry_scid_present = 1;
	}
	memcpy(tp->stateless_reset_token, cfg->scid.reset, QUIC_TOKEN_LEN);
	tp->stateless_reset_token_present = 1;
}

int
qconn_server_new(struct tp_conn **out, const struct quic_server_cfg *cfg,
    int (*sign)(void *arg, const uint8_t *data, size_t n, uint8_t sig[64]), void *sign_arg,
    uint64_t now, const struct qconn_host *host, void *host_arg)
{
	ngtcp2_transport_params tp;
	ngtcp2_callbacks cb;
	ngtcp2_settings st;
	ngtcp2_cid peer, scid;
	struct tp_path name;
	ngtcp2_path ngp;
	struct tp_conn *c;
	int r;

	c = conn_alloc(&cfg->limits, &cfg->path, now, host, host_arg);
	if (c == NULL)
		return QERR_NOMEM;
	c->server = true;
	c->cidlen = cfg->scid.len;
	cid_to_ng(&scid, &cfg->scid);
	cid_to_ng(&peer, &cfg->client_scid);
	cid_to_ng(&c->odcid, &cfg->odcid);
	cid_to_ng(&c->retry_scid, &cfg->retry_scid);
	qcid_add_ours(c, &scid);
	settings_fill(&st, c);
	trace_fill(&st, c, &c->odcid);
	params_server(&tp, c, cfg);
	qcallbacks_server(&cb);
	qname_init(c);
	qname_of(c, &c->path, &name);
	qpath_to_ng(&ngp, &name);
	r = tls_server_new(&c->tls, &c->ref, QUIC_ALPN, cfg->host_key, sign, sign_arg);
	if (r == 0 && ngtcp2_conn_server_new(&c->ng, &peer, &scid, &ngp, cfg->version, &cb, &st,
			  &tp, NULL, c) != 0)
		r = QERR_NOMEM;
	if (r != 0) {
		c->host = NULL; /* still the caller's */
		conn_destroy(c);
		return r;
	}
	ngtcp2_conn_set_tls_native_handle(c->ng, tls_native(c->tls));
	tls_set_trace(c->tls, c->trace);
	*out = c;
	return 0;
}

void
qconn_enter(struct tp_conn *c, uint64_t now)
{
	c->depth++;
	if (now > c->now)
		c->now = now;
}

int
qconn_leave(struct tp_conn *c)
{
	if (--c->depth > 0 || !c->dead)
		return c->dead ? QERR_CLOSED : 0;
	conn_destroy(c);
	return QERR_CLOSED;
}

void
tp_conn_free(struct tp_conn **cp)
{
	struct tp_conn *c = *cp;

	*cp = NULL;
	if (c == NULL || c->dead)
		return;
	c->dead = true;
	c->ops = NULL;
	if (c->depth == 0)
		conn_destroy(c);
}

void
tp_conn_set_ops(struct tp_conn *c, const struct tp_conn_ops *ops, void *arg)
{
	c->ops = ops;
	c->arg = arg;
}

void
qconn_send_token(struct tp_conn *c, const uint8_t *p, size_t n)
{
	if (n == 0 || c->over || c->fail_set || !c->done_told)
		return;
	(void)ngtcp2_conn_submit_new_token(c->ng, p, n);
	qc_wake(c);
}

bool
qconn_lives_in(const struct tp_conn *c, const struct qconn_host *host)
{
	return c->host == host;
}

void *
qconn_host_arg(const struct tp_conn *c)
{
	return c->host_arg;
}

void
qconn_path(const struct tp_conn *c, struct tp_path *path)
{
	*path = c->path;
}

bool
qconn_is_confirmed(const struct tp_conn *c)
{
	return c->confirmed;
}

bool
qconn_is_closing(const struct tp_conn *c)
{
	return c->closing;
}

bool
qconn_is_over(const struct tp_conn *c)
{
	return c->over || c->dead;
}

int
tp_conn_peer_key(const struct tp_conn *c, uint8_t key[32])
{
	if (!c->done_told)
		return QERR_AGAIN;
	return tls_peer_key(c->tls, key);
}

int
tp_conn_export(struct tp_conn *c, const char *label, uint8_t *out, size_t n)
{
	/* Earlier GnuTLS would give both sides, and every connection, the same constant. */
	if (!c->done_told)
		return QERR_AGAIN;
	return tls_export(c->tls, label, out, n);
}

void
tp_conn_set_keepalive(struct tp_conn *c, uint64_t ns)
{
	c->keepalive = ns;
	ngtcp2_conn_set_keep_alive_timeout(c->ng, ns != 0 ? ns : UINT64_MAX);
	qc_wake(c);
}

void
tp_conn_set_idle(struct tp_conn *c, uint64_t ns)
{
	c->idle = ns;
	qc_wake(c);
}

void
qconn_set_mtu(struct tp_conn *c, size_t n)
{
	/* The first probe goes in any case, lest ngtcp2 waits for it for ever and sends no smaller one: where it
	 * is too large (EMSGSIZE), it counts as lost. */
	if (n < QTX_PLAIN)
		n = QTX_PLAIN;
	c->tx_limit = n < QTX_MAX ? n : QTX_MAX;
	qc_wake(c);
}

void
tp_conn_set_window(struct tp_conn *c, uint64_t bytes)
{
	c->let_in = true;
	if (bytes <= c->window)
		return;
	qcredit_conn(c, bytes - c->window);
	c->window = bytes;
	qc_wake(c);
}

void
tp_conn_set_max_streams(struct tp_conn *c, uint64_t bidi, uint64_t uni)
{
	if (bidi > c->max_bidi) {
		ngtcp2_conn_extend_max_streams_bidi(c->ng, (size_t)(bidi - c->max_bidi));
		c->max_bidi = bidi;
	}
	if (uni > c->max_uni) {
		ngtcp2_conn_extend_max_streams_uni(c->ng, (size_t)(uni - c->max_uni));
		c->max_uni = uni;
	}
	qc_wake(c);
}

/* ngtcp2 1.11 counts losses by stream only. */
static uint64_t
lost_packets(const struct tp_conn *c)
{
	const struct tp_stream *s;
	uint64_t n = c->pkts_lost;

	for (s = c->streams; s != NULL; s = s->next) {
		if (!s->ng_gone)
			n += ngtcp2_conn_get_stream_loss_count(c->ng, s->id);
	}
	return n;
}

void
tp_conn_stats(const struct tp_conn *c, struct tp_stats *st)
{
	uint64_t now = c->host->now(c->host_arg);
	ngtcp2_conn_info ci;

	memset(st, 0, sizeof(*st));
	ngtcp2_conn_get_conn_info(c->ng, &ci);
	st->rtt_ns = ci.smoothed_rtt;
	st->rttvar_ns = ci.rttvar;
	st->min_rtt_ns = ci.min_rtt == UINT64_MAX ? 0 : ci.min_rtt;
	st->cwnd = ci.cwnd;
	st->inflight = ci.bytes_in_flight;
	st->sent = c->bytes_tx;
	st->received = c->bytes_rx;
	st->pkts_sent = c->pkts_tx;
	st->pkts_received = c->pkts_rx;
	st->pkts_lost = lost_packets(c);
	st->age_ns = now > c->born ? now - c->born : 0;
	st->last_rx_ns = c->last_rx;
	st->pmtu = qhole_now(c);
	st->repeats = c->redun_sent;
	st->repeats_used = c->redun_used;
	st->moves = c->moves;
	if (c->host->packet == 0 || !addr_is_any(&c->path.remote)) /* else there is none */
		st->path = c->path;
	st->asked_ns = c->asked;
	st->engine = "user";
	st->carrier = c->host->carrier != NULL ? c->host->carrier : "UDP";
	st->cipher = tls_cipher(c->tls);
}
