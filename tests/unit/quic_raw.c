/* The raw endpoint. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "tests/unit/quic_raw.h"

/* ---- keys ---- */

static void
check(int r)
{
	if (r != 0)
		abort();
}

gnutls_x509_privkey_t
raw_key(gnutls_pk_algorithm_t algo, unsigned bits)
{
	gnutls_x509_privkey_t key;

	check(gnutls_x509_privkey_init(&key));
	check(gnutls_x509_privkey_generate(key, algo, bits, 0));
	return key;
}

gnutls_certificate_credentials_t
raw_cred(gnutls_pk_algorithm_t algo, unsigned bits)
{
	gnutls_certificate_credentials_t cred;
	gnutls_x509_privkey_t key = raw_key(algo, bits);
	gnutls_privkey_t priv;
	gnutls_pubkey_t pub;
	gnutls_pcert_st pcert;

	check(gnutls_certificate_allocate_credentials(&cred));
	check(gnutls_privkey_init(&priv));
	check(gnutls_privkey_import_x509(priv, key, GNUTLS_PRIVKEY_IMPORT_COPY));
	check(gnutls_pubkey_init(&pub));
	check(gnutls_pubkey_import_privkey(pub, priv, 0, 0));
	check(gnutls_pcert_import_rawpk(&pcert, pub, 0));
	check(gnutls_certificate_set_key(cred, NULL, 0, &pcert, 1, priv));
	gnutls_x509_privkey_deinit(key);
	return cred;
}

/* ---- queues ---- */

static void
put(struct rawqueue *q, const uint8_t *p, size_t n)
{
	struct rawpkt *k;

	if (q->n == RAW_QUEUE || n > sizeof(k->p))
		return;
	k = &q->v[(q->head + q->n++) % RAW_QUEUE];
	memcpy(k->p, p, n);
	k->n = n;
}

static struct rawpkt *
get(struct rawqueue *q)
{
	struct rawpkt *k = &q->v[q->head];

	if (q->n == 0)
		return NULL;
	q->head = (q->head + 1) % RAW_QUEUE;
	q->n--;
	return k;
}

/* ---- our end ---- */

static size_t
host_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n, size_t seg)
{
	struct rawpair *r = arg;
	size_t done, m;

	(void)path;
	(void)ecn;
	for (done = 0; done < n; done += m) {
		m = n - done < seg ? n - done : seg;
		put(&r->to_raw, p + done, m);
	}
	return n;
}

static void
host_wake(void *arg)
{
	(void)arg;
}

static uint64_t
host_now(void *arg)
{
	struct rawpair *r = arg;

	return r->now;
}

static const struct qconn_host host_ops = {
	.send = host_send,
	.wake = host_wake,
	.now = host_now,
	.release = host_wake,
};

static void
on_done(void *arg)
{
	struct simpeer *p = arg;

	p->done++;
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct simpeer *p = arg;

	p->closed++;
	p->why = *why;
}

static const struct tp_conn_ops conn_ops = {.handshake_done = on_done, .closed = on_closed};

static int
sign(void *arg, const uint8_t *data, size_t n, uint8_t sig[64])
{
	struct rawpair *r = arg;

	r->signs++;
	if (r->sign_result == 0)
		crypto_sign_detached(sig, NULL, data, n, r->sk);
	return r->sign_result;
}

/* ---- the raw end ---- */

static ngtcp2_conn *
get_conn(ngtcp2_crypto_conn_ref *ref)
{
	struct rawpair *r = ref->user_data;

	return r->ng;
}

static void
cb_rand(uint8_t *dest, size_t n, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	randombytes_buf(dest, n);
}

static int
cb_new_cid(ngtcp2_conn *ng, ngtcp2_cid *cid, uint8_t *token, size_t len, void *user_data)
{
	(void)ng;
	(void)user_data;
	cid->datalen = len;
	randombytes_buf(cid->data, len);
	randombytes_buf(token, 16);
	return 0;
}

/* ngtcp2's callback knows no connection, so that what is to be injected hangs here. One at a time. */
static struct rawpair *injecting;

static int
cb_encrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *ctx,
    const uint8_t *plain, size_t n, const uint8_t *nonce, size_t noncelen, const uint8_t *aad,
    size_t aadlen)
{
	uint8_t buf[1500] = {0};

	if (injecting == NULL || n > sizeof(buf))
		return ngtcp2_crypto_encrypt_cb(dest, aead, ctx, plain, n, nonce, noncelen, aad, aadlen);
	memcpy(buf, injecting->inject, injecting->inject_n < n ? injecting->inject_n : n);
	return ngtcp2_crypto_encrypt_cb(dest, aead, ctx, buf, n, nonce, noncelen, aad, aadlen);
}

static void
callbacks(ngtcp2_callbacks *cb)
{
	memset(cb, 0, sizeof(*cb));
	cb->client_initial = ngtcp2_crypto_client_initial_cb;
	cb->recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
	cb->recv_retry = ngtcp2_crypto_recv_retry_cb;
	cb->recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
	cb->encrypt = cb_encrypt;
	cb->decrypt = ngtcp2_crypto_decrypt_cb;
	cb->hp_mask = ngtcp2_crypto_hp_mask_cb;
	cb->update_key = ngtcp2_crypto_update_key_cb;
	cb->delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
	cb->delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
	cb->get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
	cb->version_negotiation = ngtcp2_crypto_version_negotiation_cb;
	cb->rand = cb_rand;
	cb->get_new_connection_id = cb_new_cid;
}

static void
session_init(struct rawpair *r, const char *alpn, const char *priority, unsigned flags)
{
	gnutls_datum_t proto;

	proto.data = (unsigned char *)(uintptr_t)alpn;
	proto.size = (unsigned)strlen(alpn);
	r->ref.get_conn = get_conn;
	r->ref.user_data = r;
	if (gnutls_init(&r->session, flags | GNUTLS_NO_END_OF_EARLY_DATA | GNUTLS_NO_TICKETS) != 0 ||
	    gnutls_priority_set_direct(r->session, priority, NULL) != 0 ||
	    gnutls_alpn_set_protocols(r->session, &proto, 1, 0) != 0 ||
	    gnutls_credentials_set(r->session, GNUTLS_CRD_CERTIFICATE, r->cred) != 0)
		abort();
	gnutls_session_set_ptr(r->session, &r->ref);
	if (((flags & GNUTLS_SERVER) ? ngtcp2_crypto_gnutls_configure_server_session(r->session)
				     : ngtcp2_crypto_gnutls_configure_client_session(r->session)) != 0)
		abort();
}

static void
paths(struct rawpair *r)
{
	addr_parse(&r->path.local, "192.0.2.1", 22);
	addr_parse(&r->path.remote, "192.0.2.2", 4000);
	r->raw_path.local = r->path.remote;
	r->raw_path.remote = r->path.local;
}

static void
path_to_ng(ngtcp2_path *ng, struct tp_path *p)
{
	memset(ng, 0, sizeof(*ng));
	ng->local.addr = &p->local.u.sa;
	ng->local.addrlen = p->local.len;
	ng->remote.addr = &p->remote.u.sa;
	ng->remote.addrlen = p->remote.len;
}

static void
pair_init(struct rawpair *r)
{
	memset(r, 0, sizeof(*r));
	if (quic_init() != 0)
		abort();
	r->now = SIM_START;
	crypto_sign_keypair(r->pk, r->sk);
	paths(r);
}

static void
params(ngtcp2_transport_params *tp)
{
	ngtcp2_transport_params_default(tp);
	tp->initial_max_data = 65536;
	tp->initial_max_stream_data_bidi_local = tp->initial_max_stream_data_bidi_remote =
	    tp->initial_max_stream_data_uni = 65536;
	tp->initial_max_streams_bidi = tp->initial_max_streams_uni = 8;
}

static void
our_server(struct rawpair *r, const uint8_t *p, size_t n)
{
	struct quic_server_cfg cfg;
	ngtcp2_pkt_hd hd;

	memset(&cfg, 0, sizeof(cfg));
	if (ngtcp2_accept(&hd, p, n) != 0)
		abort();
	cfg.path = r->path;
	cfg.odcid.len = (uint8_t)hd.dcid.datalen;
	memcpy(cfg.odcid.id, hd.dcid.data, hd.dcid.datalen);
	cfg.client_scid.len = (uint8_t)hd.scid.datalen;
	memcpy(cfg.client_scid.id, hd.scid.data, hd.scid.datalen);
	cfg.scid.len = QUIC_CID_LEN;
	randombytes_buf(cfg.scid.id, QUIC_CID_LEN);
	cfg.version = hd.version;
	memcpy(cfg.host_key, r->pk, sizeof(cfg.host_key));
	cfg.fd = -1;
	quic_limits_server(&cfg.limits);
	if (qconn_server_new(&r->c, &cfg, sign, r, r->now, &host_ops, r) != 0)
		abort();
	tp_conn_set_ops(r->c, &conn_ops, &r->peer);
}

static void
raw_write(struct rawpair *r)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	uint8_t buf[1452];
	ngtcp2_ssize n;

	ngtcp2_path_storage_zero(&ps);
	while (!r->raw_closed) {
		n = ngtcp2_conn_write_pkt(r->ng, &ps.path, &pi, buf, sizeof(buf), r->now);
		if (n <= 0)
			break;
		put(&r->to_us, buf, (size_t)n);
	}
	ngtcp2_conn_update_pkt_tx_time(r->ng, r->now);
}

void
raw_server_init(struct rawpair *r, const char *alpn)
{
	ngtcp2_transport_params tp;
	ngtcp2_callbacks cb;
	ngtcp2_settings st;
	ngtcp2_cid dcid, scid;
	ngtcp2_path path;

	pair_init(r);
	if (gnutls_certificate_allocate_credentials(&r->cred) != 0)
		abort();
	session_init(r, alpn, RAW_PRIORITY, GNUTLS_CLIENT | GNUTLS_ENABLE_RAWPK);
	dcid.datalen = scid.datalen = 8;
	randombytes_buf(dcid.data, 8);
	randombytes_buf(scid.data, 8);
	callbacks(&cb);
	params(&tp);
	ngtcp2_settings_default(&st);
	st.initial_ts = r->now;
	path_to_ng(&path, &r->raw_path);
	if (ngtcp2_conn_client_new(&r->ng, &dcid, &scid, &path, NGTCP2_PROTO_VER_V1, &cb, &st, &tp,
		NULL, r) != 0)
		abort();
	ngtcp2_conn_set_tls_native_handle(r->ng, r->session);
	raw_write(r);
	our_server(r, r->to_us.v[r->to_us.head].p, r->to_us.v[r->to_us.head].n);
}

static void
raw_server(struct rawpair *r, const uint8_t *p, size_t n)
{
	ngtcp2_transport_params tp;
	ngtcp2_callbacks cb;
	ngtcp2_settings st;
	ngtcp2_pkt_hd hd;
	ngtcp2_cid scid;
	ngtcp2_path path;

	if (ngtcp2_accept(&hd, p, n) != 0)
		abort();
	scid.datalen = 8;
	randombytes_buf(scid.data, 8);
	callbacks(&cb);
	params(&tp);
	tp.original_dcid = hd.dcid;
	tp.original_dcid_present = 1;
	ngtcp2_settings_default(&st);
	st.initial_ts = r->now;
	path_to_ng(&path, &r->raw_path);
	if (ngtcp2_conn_server_new(&r->ng, &hd.scid, &scid, &path, hd.version, &cb, &st, &tp, NULL,
		r) != 0)
		abort();
	ngtcp2_conn_set_tls_native_handle(r->ng, r->session);
}

void
raw_client_init(struct rawpair *r, const char *alpn, const char *priority, unsigned flags,
    gnutls_certificate_credentials_t cred)
{
	struct quic_limits l;

	pair_init(r);
	r->cred = cred;
	session_init(r, alpn, priority, GNUTLS_SERVER | flags);
	quic_limits_client(&l);
	if (qconn_client_new(&r->c, &l, &r->path, r->now, &host_ops, r) != 0)
		abort();
	tp_conn_set_ops(r->c, &conn_ops, &r->peer);
	if (qconn_run(r->c, r->now) != 0 || r->to_raw.n == 0)
		abort();
	raw_server(r, r->to_raw.v[r->to_raw.head].p, r->to_raw.v[r->to_raw.head].n);
}

static void
raw_fail(struct rawpair *r, int rv)
{
	ngtcp2_path_storage ps;
	ngtcp2_ccerr e;
	ngtcp2_pkt_info pi;
	uint8_t buf[1452];
	ngtcp2_ssize n;

	r->raw_closed = true;
	if (rv == NGTCP2_ERR_DRAINING) {
		r->peer_code = ngtcp2_conn_get_ccerr(r->ng)->error_code;
		r->peer_type = ngtcp2_conn_get_ccerr(r->ng)->type;
		return;
	}
	ngtcp2_ccerr_default(&e);
	if (rv == NGTCP2_ERR_CRYPTO)
		ngtcp2_ccerr_set_tls_alert(&e, ngtcp2_conn_get_tls_alert(r->ng), NULL, 0);
	else
		ngtcp2_ccerr_set_liberr(&e, rv, NULL, 0);
	ngtcp2_path_storage_zero(&ps);
	n = ngtcp2_conn_write_connection_close(r->ng, &ps.path, &pi, buf, sizeof(buf), &e, r->now);
	if (n > 0)
		put(&r->to_us, buf, (size_t)n);
}

static void
raw_read(struct rawpair *r, const struct rawpkt *k)
{
	ngtcp2_pkt_info pi = {0};
	ngtcp2_path path;
	int rv;

	path_to_ng(&path, &r->raw_path);
	rv = ngtcp2_conn_read_pkt(r->ng, &path, &pi, k->p, k->n, r->now);
	if (rv != 0)
		raw_fail(r, rv);
}

void
raw_run(struct rawpair *r, unsigned steps)
{
	struct rawpkt *k;

	while (steps-- > 0 && (r->to_raw.n > 0 || r->to_us.n > 0)) {
		r->now += NS_PER_MS;
		while ((k = get(&r->to_us)) != NULL && r->c != NULL) {
			if (qconn_input(r->c, &r->path, 0, k->p, k->n, r->now) != 0)
				r->c = NULL;
		}
		if (r->c != NULL && qconn_run(r->c, r->now) != 0)
			r->c = NULL;
		r->now += NS_PER_MS;
		while ((k = get(&r->to_raw)) != NULL && !r->raw_closed)
			raw_read(r, k);
		raw_write(r);
	}
}

void
raw_inject(struct rawpair *r, const uint8_t *frames, size_t n)
{
	static const uint8_t room[1200];
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	uint8_t buf[1452];
	ngtcp2_ssize len;
	int accepted;

	if (r->raw_closed || n > sizeof(room))
		return;
	ngtcp2_path_storage_zero(&ps);
	r->inject = frames;
	r->inject_n = n;
	injecting = r;
	/* A datagram of that size makes a packet with that much room. */
	len = ngtcp2_conn_write_datagram(r->ng, &ps.path, &pi, buf, sizeof(buf), &accepted, 0, 0,
	    room, n > 16 ? n : 16, r->now);
	injecting = NULL;
	if (len > 0)
		put(&r->to_us, buf, (size_t)len);
	else if (len < 0)
		r->raw_closed = true;
}

void
raw_deliver(struct rawpair *r)
{
	struct rawpkt *k;

	while (r->c != NULL && (k = get(&r->to_us)) != NULL) {
		if (qconn_input(r->c, &r->path, 0, k->p, k->n, r->now) != 0)
			r->c = NULL;
	}
	if (r->c != NULL && qconn_run(r->c, r->now) != 0)
		r->c = NULL;
	while (get(&r->to_raw) != NULL)
		;
}

void
raw_free(struct rawpair *r)
{
	tp_conn_free(&r->c);
	if (r->ng != NULL)
		ngtcp2_conn_del(r->ng);
	gnutls_deinit(r->session);
	gnutls_certificate_free_credentials(r->cred);
}
