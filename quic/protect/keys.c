/* Secrets to keys, and keys to ngtcp2. */
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <sodium.h>

#include "common/base/err.h"
#include "quic/protect/keys.h"

#define INITIAL_SECRET 32
#define PATH_RESPONSE  0x1b /* a frame's type */

/* A count, as that of protect.c: ngtcp2 tells an encryption nothing of the connection. */
static uint64_t responses;

/* RFC 9001 sections 5.2 and 5.8. */
static const uint8_t initial_salt[] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
    0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
static const uint8_t retry_key[] = {0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76,
    0x6b, 0x54, 0xe3, 0x68, 0xc8, 0x4e};

/* One direction of one level. */
struct keys {
	struct protect_aead *aead;
	struct protect_hp *hp;
	uint8_t iv[PROTECT_NONCE];
};

static void
keys_free(struct keys *k)
{
	protect_aead_free(&k->aead);
	protect_hp_free(&k->hp);
	sodium_memzero(k, sizeof(*k));
}

/* HKDF-Expand-Label (RFC 8446 section 7.1) with an empty context. */
static int
expand_label(const ngtcp2_crypto_md *md, uint8_t *dest, size_t n, const uint8_t *secret,
    size_t secretlen, const char *label)
{
	static const char prefix[] = "tls13 ";
	const size_t len = sizeof(prefix) - 1 + strlen(label);
	uint8_t info[32];

	info[0] = (uint8_t)(n >> 8);
	info[1] = (uint8_t)n;
	info[2] = (uint8_t)len;
	memcpy(info + 3, prefix, sizeof(prefix) - 1);
	memcpy(info + 3 + sizeof(prefix) - 1, label, strlen(label));
	info[3 + len] = 0;
	return ngtcp2_crypto_hkdf_expand(dest, n, md, secret, secretlen, info, 4 + len) == 0 ?
	    0 :
	    QERR_CRYPTO;
}

static int
suite_of(const ngtcp2_crypto_aead *aead, enum protect_suite *suite)
{
	switch ((gnutls_cipher_algorithm_t)(intptr_t)aead->native_handle) {
	case GNUTLS_CIPHER_AES_128_GCM:
		*suite = PROTECT_AES_128_GCM;
		return 0;
	case GNUTLS_CIPHER_AES_256_GCM:
		*suite = PROTECT_AES_256_GCM;
		return 0;
	case GNUTLS_CIPHER_CHACHA20_POLY1305:
		*suite = PROTECT_CHACHA20_POLY1305;
		return 0;
	default:
		return QERR_UNSUPPORTED;
	}
}

/* Without hp after a key update: header protection keeps its key (RFC 9001 section 6.1). */
static int
keys_derive(struct keys *k, const ngtcp2_crypto_ctx *ctx, const uint8_t *secret, size_t n,
    bool with_hp)
{
	enum protect_suite suite;
	uint8_t key[PROTECT_KEY_MAX];
	size_t keylen;
	int r;

	memset(k, 0, sizeof(*k));
	r = suite_of(&ctx->aead, &suite);
	if (r != 0)
		return r;
	keylen = protect_keylen(suite);
	r = expand_label(&ctx->md, key, keylen, secret, n, "quic key");
	if (r == 0)
		r = protect_aead_new(&k->aead, suite, key);
	if (r == 0)
		r = expand_label(&ctx->md, k->iv, sizeof(k->iv), secret, n, "quic iv");
	if (r == 0 && with_hp)
		r = expand_label(&ctx->md, key, keylen, secret, n, "quic hp");
	if (r == 0 && with_hp)
		r = protect_hp_new(&k->hp, suite, key);
	sodium_memzero(key, sizeof(key));
	if (r != 0)
		keys_free(k);
	return r;
}

/* ---- Handshake and 1-RTT ---- */

static int
give_rx(ngtcp2_conn *conn, ngtcp2_encryption_level level, const struct keys *k,
    const uint8_t *secret, size_t n)
{
	const ngtcp2_crypto_aead_ctx aead = {k->aead};
	const ngtcp2_crypto_cipher_ctx hp = {k->hp};

	if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
		return ngtcp2_conn_install_rx_handshake_key(conn, &aead, k->iv, PROTECT_NONCE, &hp);
	return ngtcp2_conn_install_rx_key(conn, secret, n, &aead, k->iv, PROTECT_NONCE, &hp);
}

static int
give_tx(ngtcp2_conn *conn, ngtcp2_encryption_level level, const struct keys *k,
    const uint8_t *secret, size_t n)
{
	const ngtcp2_crypto_aead_ctx aead = {k->aead};
	const ngtcp2_crypto_cipher_ctx hp = {k->hp};

	if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
		return ngtcp2_conn_install_tx_handshake_key(conn, &aead, k->iv, PROTECT_NONCE, &hp);
	return ngtcp2_conn_install_tx_key(conn, secret, n, &aead, k->iv, PROTECT_NONCE, &hp);
}

typedef int give_fn(ngtcp2_conn *conn, ngtcp2_encryption_level level, const struct keys *k,
    const uint8_t *secret, size_t n);

static int
install_one(ngtcp2_conn *conn, give_fn *give, ngtcp2_encryption_level level,
    const uint8_t *secret, size_t n)
{
	struct keys k;
	int r, rv;

	r = keys_derive(&k, ngtcp2_conn_get_crypto_ctx(conn), secret, n, true);
	if (r != 0)
		return r;
	rv = give(conn, level, &k, secret, n);
	if (rv == 0) /* the connection's now */
		k.aead = NULL, k.hp = NULL;
	keys_free(&k);
	return rv == 0 ? 0 : rv == NGTCP2_ERR_NOMEM ? QERR_NOMEM : QERR_CRYPTO;
}

int
keys_install(ngtcp2_conn *conn, void *tls, ngtcp2_encryption_level level, const uint8_t *rx,
    const uint8_t *tx, size_t n)
{
	ngtcp2_crypto_ctx ctx;
	int r = 0;

	if (level != NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE && level != NGTCP2_ENCRYPTION_LEVEL_1RTT)
		return QERR_UNSUPPORTED;
	protect_settle();
	if (ngtcp2_conn_get_crypto_ctx(conn)->aead.native_handle == NULL) {
		/* With the limits of RFC 9001 section 6.6, which ngtcp2 keeps. */
		if (ngtcp2_crypto_ctx_tls(&ctx, tls) == NULL)
			return QERR_UNSUPPORTED;
		ngtcp2_conn_set_crypto_ctx(conn, &ctx);
	}
	if (rx != NULL)
		r = install_one(conn, give_rx, level, rx, n);
	if (r == 0 && tx != NULL)
		r = install_one(conn, give_tx, level, tx, n);
	return r;
}

/* ---- Initial ---- */

static int
derive_initial(struct keys *k, const ngtcp2_crypto_ctx *ctx, const uint8_t *initial,
    const char *label)
{
	uint8_t secret[INITIAL_SECRET];
	int r = expand_label(&ctx->md, secret, sizeof(secret), initial, INITIAL_SECRET, label);

	return r == 0 ? keys_derive(k, ctx, secret, sizeof(secret), true) : r;
}

/* A client's first connection ID comes a second time with a Retry; the key of the Retry tag then is
 * there already. */
static int
install_retry(ngtcp2_conn *conn, const ngtcp2_crypto_ctx *ctx)
{
	ngtcp2_crypto_aead_ctx actx = {NULL};
	struct protect_aead *a;
	int r;

	if (ngtcp2_conn_is_server(conn) || ngtcp2_conn_after_retry(conn))
		return 0;
	r = protect_aead_new(&a, PROTECT_AES_128_GCM, retry_key);
	if (r != 0)
		return r;
	actx.native_handle = a;
	ngtcp2_conn_set_retry_aead(conn, &ctx->aead, &actx);
	return 0;
}

static int
install_initial(ngtcp2_conn *conn, const ngtcp2_cid *dcid)
{
	const bool server = ngtcp2_conn_is_server(conn) != 0;
	ngtcp2_crypto_ctx ctx = {.aead = {(void *)(intptr_t)GNUTLS_CIPHER_AES_128_GCM, PROTECT_TAG}};
	struct keys rx = {NULL}, tx = {NULL};
	uint8_t initial[INITIAL_SECRET];
	int r;

	ngtcp2_crypto_md_init(&ctx.md, (void *)(intptr_t)GNUTLS_MAC_SHA256);
	if (ngtcp2_crypto_hkdf_extract(initial, &ctx.md, dcid->data, dcid->datalen, initial_salt,
		sizeof(initial_salt)) != 0)
		return QERR_CRYPTO;
	r = derive_initial(&rx, &ctx, initial, server ? "client in" : "server in");
	if (r == 0)
		r = derive_initial(&tx, &ctx, initial, server ? "server in" : "client in");
	if (r == 0) {
		const ngtcp2_crypto_aead_ctx rx_aead = {rx.aead}, tx_aead = {tx.aead};
		const ngtcp2_crypto_cipher_ctx rx_hp = {rx.hp}, tx_hp = {tx.hp};

		ngtcp2_conn_set_initial_crypto_ctx(conn, &ctx);
		if (ngtcp2_conn_install_initial_key(conn, &rx_aead, rx.iv, &rx_hp, &tx_aead, tx.iv,
			&tx_hp, PROTECT_NONCE) == 0)
			rx.aead = tx.aead = NULL, rx.hp = tx.hp = NULL;
		else
			r = QERR_NOMEM;
	}
	keys_free(&rx);
	keys_free(&tx);
	return r == 0 ? install_retry(conn, &ctx) : r;
}

/* ---- callbacks ---- */

static int
result(int r)
{
	return r == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
cb_client_initial(ngtcp2_conn *conn, void *user_data)
{
	int r = install_initial(conn, ngtcp2_conn_get_dcid(conn));

	(void)user_data;
	if (r == 0 && ngtcp2_crypto_read_write_crypto_data(conn, NGTCP2_ENCRYPTION_LEVEL_INITIAL,
			  NULL, 0) != 0)
		r = QERR_CRYPTO;
	return result(r);
}

static int
cb_recv_client_initial(ngtcp2_conn *conn, const ngtcp2_cid *dcid, void *user_data)
{
	(void)user_data;
	return result(install_initial(conn, dcid));
}

static int
cb_recv_retry(ngtcp2_conn *conn, const ngtcp2_pkt_hd *hd, void *user_data)
{
	(void)user_data;
	return result(install_initial(conn, &hd->scid));
}

/* Only QUIC version 1 is offered or accepted, so there is nothing to change to. */
static int
cb_version(ngtcp2_conn *conn, uint32_t version, const ngtcp2_cid *dcid, void *user_data)
{
	(void)conn;
	(void)version;
	(void)dcid;
	(void)user_data;
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
update_one(const ngtcp2_crypto_ctx *ctx, ngtcp2_crypto_aead_ctx *aead, uint8_t *iv,
    uint8_t *secret, const uint8_t *last, size_t n)
{
	struct keys k;
	int r = expand_label(&ctx->md, secret, n, last, n, "quic ku");

	if (r == 0)
		r = keys_derive(&k, ctx, secret, n, false);
	if (r != 0)
		return r;
	memcpy(iv, k.iv, sizeof(k.iv));
	aead->native_handle = k.aead;
	return 0;
}

static int
cb_update_key(ngtcp2_conn *conn, uint8_t *rx_secret, uint8_t *tx_secret,
    ngtcp2_crypto_aead_ctx *rx_aead, uint8_t *rx_iv, ngtcp2_crypto_aead_ctx *tx_aead,
    uint8_t *tx_iv, const uint8_t *rx_last, const uint8_t *tx_last, size_t n, void *user_data)
{
	const ngtcp2_crypto_ctx *ctx = ngtcp2_conn_get_crypto_ctx(conn);
	struct protect_aead *a;
	int r;

	(void)user_data;
	r = update_one(ctx, rx_aead, rx_iv, rx_secret, rx_last, n);
	if (r != 0)
		return result(r);
	r = update_one(ctx, tx_aead, tx_iv, tx_secret, tx_last, n);
	if (r != 0) {
		a = rx_aead->native_handle;
		protect_aead_free(&a);
		rx_aead->native_handle = NULL;
	}
	return result(r);
}

uint64_t
keys_responses(void)
{
	return responses;
}

static int
cb_encrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *ctx,
    const uint8_t *p, size_t n, const uint8_t *nonce, size_t noncelen, const uint8_t *aad,
    size_t aadlen)
{
	(void)aead;
	(void)noncelen; /* all have PROTECT_NONCE */
	responses += n > 0 && p[0] == PATH_RESPONSE;
	return result(protect_seal(ctx->native_handle, dest, p, n, nonce, aad, aadlen));
}

static int
cb_decrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *ctx,
    const uint8_t *p, size_t n, const uint8_t *nonce, size_t noncelen, const uint8_t *aad,
    size_t aadlen)
{
	(void)aead;
	(void)noncelen;
	return protect_open(ctx->native_handle, dest, p, n, nonce, aad, aadlen) == 0 ?
	    0 :
	    NGTCP2_ERR_DECRYPT;
}

static int
cb_hp_mask(uint8_t *dest, const ngtcp2_crypto_cipher *hp, const ngtcp2_crypto_cipher_ctx *ctx,
    const uint8_t *sample)
{
	(void)hp;
	return result(protect_mask(ctx->native_handle, dest, sample));
}

static void
cb_delete_aead(ngtcp2_conn *conn, ngtcp2_crypto_aead_ctx *ctx, void *user_data)
{
	struct protect_aead *a = ctx->native_handle;

	(void)conn;
	(void)user_data;
	protect_aead_free(&a);
}

static void
cb_delete_hp(ngtcp2_conn *conn, ngtcp2_crypto_cipher_ctx *ctx, void *user_data)
{
	struct protect_hp *h = ctx->native_handle;

	(void)conn;
	(void)user_data;
	protect_hp_free(&h);
}

static void
callbacks_common(ngtcp2_callbacks *cb)
{
	cb->encrypt = cb_encrypt;
	cb->decrypt = cb_decrypt;
	cb->hp_mask = cb_hp_mask;
	cb->update_key = cb_update_key;
	cb->delete_crypto_aead_ctx = cb_delete_aead;
	cb->delete_crypto_cipher_ctx = cb_delete_hp;
	cb->version_negotiation = cb_version;
}

void
keys_callbacks_client(ngtcp2_callbacks *cb)
{
	callbacks_common(cb);
	cb->client_initial = cb_client_initial;
	cb->recv_retry = cb_recv_retry;
}

void
keys_callbacks_server(ngtcp2_callbacks *cb)
{
	callbacks_common(cb);
	cb->recv_client_initial = cb_recv_client_initial;
}
