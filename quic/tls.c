/* GnuTLS sessions for QUIC. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include "common/base/err.h"
#include "quic/protect/keys.h"
#include "quic/tls.h"

/* One group and one signature algorithm: the server's whole flight stays below 1,200 bytes, and
 * neither side makes a key share that the other would not use. */
#define TLS_PRIORITY(ciphers) \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE:" \
	"-CIPHER-ALL:" ciphers \
	"-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:" \
	"-SIGN-ALL:+SIGN-EDDSA-ED25519:" \
	"-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-CLI-X509"

/* The processor's choice of cipher: a client's order says it; a server takes the client's first, unless it has
 * no AES instructions itself. So ChaCha20 is used where either end lacks them. */
#define AES_FIRST "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
#define CHACHA_FIRST "+CHACHA20-POLY1305:+AES-128-GCM:+AES-256-GCM:"

#define TLS_FLAGS (GNUTLS_ENABLE_RAWPK | GNUTLS_NO_END_OF_EARLY_DATA | GNUTLS_NO_TICKETS)

/* SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
static const uint8_t spki_prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
    0x03, 0x21, 0x00};
#define SPKI_LEN (sizeof(spki_prefix) + TLS_KEY_LEN)

struct tls {
	gnutls_session_t session;
	gnutls_certificate_credentials_t cred;
	tls_sign_fn *sign;
	void *sign_arg;
	struct quic_trace *trace;
};

void *
tls_native(struct tls *tls)
{
	return tls->session;
}

static int
peer_spki(gnutls_session_t session, uint8_t key[TLS_KEY_LEN])
{
	const gnutls_datum_t *certs;
	unsigned n = 0;

	if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_RAWPK)
		return QERR_UNSUPPORTED;
	certs = gnutls_certificate_get_peers(session, &n);
	if (certs == NULL || n < 1)
		return QERR_AGAIN;
	if (certs[0].size != SPKI_LEN ||
	    memcmp(certs[0].data, spki_prefix, sizeof(spki_prefix)) != 0)
		return QERR_UNSUPPORTED;
	memcpy(key, certs[0].data + sizeof(spki_prefix), TLS_KEY_LEN);
	return 0;
}

/* The last thing before a client's handshake is done. Whether the key is the right one is the
 * caller's question, after the handshake. Here only: does the server speak our protocol (a client
 * would otherwise go on without one, against RFC 9001 section 8.1), and is its key of the kind
 * that we can judge. */
static int
verify_server(gnutls_session_t session)
{
	uint8_t key[TLS_KEY_LEN];
	gnutls_datum_t alpn;

	if (gnutls_alpn_get_selected_protocol(session, &alpn) != 0)
		return GNUTLS_E_NO_APPLICATION_PROTOCOL;
	return peer_spki(session, key) == 0 ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

static int
sign_data(gnutls_privkey_t pkey, gnutls_sign_algorithm_t algo, void *userdata, unsigned flags,
    const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	struct tls *tls = userdata;

	(void)pkey;
	(void)flags;
	if (algo != GNUTLS_SIGN_EDDSA_ED25519)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	signature->data = gnutls_malloc(TLS_SIG_LEN);
	if (signature->data == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	signature->size = TLS_SIG_LEN;
	if (tls->sign(tls->sign_arg, data->data, data->size, signature->data) != 0) {
		gnutls_free(signature->data);
		signature->data = NULL;
		return GNUTLS_E_PK_SIGN_FAILED;
	}
	return 0;
}

static int
sign_info(gnutls_privkey_t pkey, unsigned flags, void *userdata)
{
	(void)pkey;
	(void)userdata;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return GNUTLS_PK_EDDSA_ED25519;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return 256;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return GNUTLS_FLAGS_TO_SIGN_ALGO(flags) == GNUTLS_SIGN_EDDSA_ED25519;
	return -1;
}

/* The host key as a credential: the public half in DER, the private half by callback. */
static int
set_host_key(struct tls *tls, const uint8_t key[TLS_KEY_LEN])
{
	uint8_t der[SPKI_LEN];
	gnutls_datum_t spki = {der, sizeof(der)};
	gnutls_pcert_st pcert;
	gnutls_privkey_t pkey = NULL;
	bool have_pcert = false;

	memcpy(der, spki_prefix, sizeof(spki_prefix));
	memcpy(der + sizeof(spki_prefix), key, TLS_KEY_LEN);
	if (gnutls_pcert_import_rawpk_raw(&pcert, &spki, GNUTLS_X509_FMT_DER, 0, 0) != 0)
		goto out;
	have_pcert = true;
	if (gnutls_privkey_init(&pkey) != 0)
		goto out;
	if (gnutls_privkey_import_ext4(pkey, tls, sign_data, NULL, NULL, NULL, sign_info, 0) != 0)
		goto out;
	if (gnutls_certificate_set_key(tls->cred, NULL, 0, &pcert, 1, pkey) != 0)
		goto out;
	return 0; /* the credential owns what both hold */
out:
	if (pkey != NULL)
		gnutls_privkey_deinit(pkey);
	if (have_pcert)
		gnutls_pcert_deinit(&pcert);
	return QERR_CRYPTO;
}

/* GnuTLS by itself would write secrets to the file that SSLKEYLOGFILE names. */
static int
on_key(gnutls_session_t session, const char *label, const gnutls_datum_t *secret)
{
	const struct tls *tls = gnutls_db_get_ptr(session);
	gnutls_datum_t random, other;

	gnutls_session_get_random(session, &random, &other);
	if (random.size == 32)
		quic_trace_key(tls->trace, label, random.data, secret->data, secret->size);
	return 0;
}

void
tls_set_trace(struct tls *tls, struct quic_trace *trace)
{
	tls->trace = trace;
}

static const char *
priority(bool server)
{
	if (protect_prefers_aes())
		return TLS_PRIORITY(AES_FIRST);
	return server ? TLS_PRIORITY(CHACHA_FIRST) ":%SERVER_PRECEDENCE" : TLS_PRIORITY(CHACHA_FIRST);
}

/* Takes the place of the one of libngtcp2_crypto_gnutls, which would install GnuTLS's own keys. */
static int
on_secrets(gnutls_session_t session, gnutls_record_encryption_level_t level, const void *rx,
    const void *tx, size_t n)
{
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);

	return keys_install(ref->get_conn(ref), session,
		   ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(level), rx, tx, n) == 0 ?
	    0 :
	    -1;
}

static int
tls_new(struct tls **out, ngtcp2_crypto_conn_ref *ref, const char *alpn, unsigned flags)
{
	gnutls_datum_t proto;
	struct tls *tls;

	tls = calloc(1, sizeof(*tls));
	if (tls == NULL)
		return QERR_NOMEM;
	proto.data = (unsigned char *)(uintptr_t)alpn; /* only read */
	proto.size = (unsigned)strlen(alpn);
	if (gnutls_init(&tls->session, flags | TLS_FLAGS) != 0 ||
	    gnutls_certificate_allocate_credentials(&tls->cred) != 0 ||
	    gnutls_priority_set_direct(tls->session, priority((flags & GNUTLS_SERVER) != 0), NULL) != 0 ||
	    gnutls_alpn_set_protocols(tls->session, &proto, 1, GNUTLS_ALPN_MANDATORY) != 0) {
		tls_free(&tls);
		return QERR_CRYPTO;
	}
	gnutls_session_set_ptr(tls->session, ref);
	gnutls_db_set_ptr(tls->session, tls); /* there is no session database */
	gnutls_session_set_keylog_function(tls->session, on_key);
	*out = tls;
	return 0;
}

int
tls_client_new(struct tls **out, ngtcp2_crypto_conn_ref *ref, const char *alpn)
{
	struct tls *tls;
	int r;

	r = tls_new(&tls, ref, alpn, GNUTLS_CLIENT | GNUTLS_KEY_SHARE_TOP);
	if (r != 0)
		return r;
	gnutls_session_set_verify_function(tls->session, verify_server);
	if (gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->cred) != 0 ||
	    ngtcp2_crypto_gnutls_configure_client_session(tls->session) != 0) {
		tls_free(&tls);
		return QERR_CRYPTO;
	}
	gnutls_handshake_set_secret_function(tls->session, on_secrets);
	*out = tls;
	return 0;
}

int
tls_set_sni(struct tls *tls, const char *name)
{
	return gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, name, strlen(name)) == 0 ?
	    0 :
	    QERR_CRYPTO;
}

int
tls_server_new(struct tls **out, ngtcp2_crypto_conn_ref *ref, const char *alpn,
    const uint8_t key[TLS_KEY_LEN], tls_sign_fn *fn, void *arg)
{
	struct tls *tls;
	int r;

	r = tls_new(&tls, ref, alpn, GNUTLS_SERVER);
	if (r != 0)
		return r;
	tls->sign = fn;
	tls->sign_arg = arg;
	r = set_host_key(tls, key);
	if (r == 0 &&
	    (gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->cred) != 0 ||
		ngtcp2_crypto_gnutls_configure_server_session(tls->session) != 0))
		r = QERR_CRYPTO;
	if (r != 0) {
		tls_free(&tls);
		return r;
	}
	gnutls_handshake_set_secret_function(tls->session, on_secrets);
	*out = tls;
	return 0;
}

void
tls_free(struct tls **tls)
{
	if (*tls == NULL)
		return;
	if ((*tls)->session != NULL)
		gnutls_deinit((*tls)->session);
	if ((*tls)->cred != NULL)
		gnutls_certificate_free_credentials((*tls)->cred);
	free(*tls);
	*tls = NULL;
}

int
tls_peer_key(const struct tls *tls, uint8_t key[TLS_KEY_LEN])
{
	return peer_spki(tls->session, key);
}

int
tls_export(struct tls *tls, const char *label, uint8_t *out, size_t n)
{
	if (gnutls_prf_rfc5705(tls->session, strlen(label), label, 0, "", n, (char *)out) != 0)
		return QERR_CRYPTO;
	return 0;
}

const char *
tls_cipher(const struct tls *tls)
{
	const char *name;

	if (gnutls_protocol_get_version(tls->session) != GNUTLS_TLS1_3)
		return "";
	name = gnutls_cipher_get_name(gnutls_cipher_get(tls->session));
	return name != NULL ? name : "";
}

const char *
tls_alert_text(uint8_t alert)
{
	const char *s = gnutls_alert_get_name((gnutls_alert_description_t)alert);

	return s != NULL ? s : "unknown alert";
}
