/* TLS 1.3 for QUIC with Ed25519 raw public keys (RFC 7250). The one place that knows which TLS
 * library it is.
 *
 * There are no session tickets: resumption saves no round trip by itself, and a ticket key in
 * every server process would let one of them stand for the host. */
#ifndef QSH_QUIC_TLS_H
#define QSH_QUIC_TLS_H

#include <stddef.h>
#include <stdint.h>

#include <ngtcp2/ngtcp2_crypto.h>

#include "quic/trace.h"

#define TLS_KEY_LEN 32 /* Ed25519 public key */
#define TLS_SIG_LEN 64

struct tls;

/* Signs n bytes of CertificateVerify input; may block. 0 or a QERR_*. */
typedef int tls_sign_fn(void *arg, const uint8_t *data, size_t n, uint8_t sig[TLS_SIG_LEN]);

/* A session that reads and writes through the QUIC connection that ref names; ref must outlive
 * it. QERR_CRYPTO, QERR_NOMEM. */
int tls_client_new(struct tls **out, ngtcp2_crypto_conn_ref *ref, const char *alpn);
/* Names the server in the ClientHello, which must not have been written yet. QERR_CRYPTO. */
int tls_set_sni(struct tls *tls, const char *name);
/* fn is called once, from inside the connection's input, with the private key's work. */
int tls_server_new(struct tls **out, ngtcp2_crypto_conn_ref *ref, const char *alpn,
    const uint8_t key[TLS_KEY_LEN], tls_sign_fn *fn, void *arg);
void tls_free(struct tls **tls);
/* Where its secrets are recorded; trace must outlive it. Without this they are nowhere, whatever
 * the environment says. */
void tls_set_trace(struct tls *tls, struct quic_trace *trace);
/* For ngtcp2_conn_set_tls_native_handle. */
void *tls_native(struct tls *tls);

/* The key that the peer has proven to hold. QERR_AGAIN without one yet, QERR_UNSUPPORTED where
 * it is not an Ed25519 raw public key. */
int tls_peer_key(const struct tls *tls, uint8_t key[TLS_KEY_LEN]);
/* RFC 8446 section 7.5 with an empty context. Only after the handshake: earlier the library
 * returns success and a constant. QERR_CRYPTO. */
int tls_export(struct tls *tls, const char *label, uint8_t *out, size_t n);
/* "AES-128-GCM"; valid as long as the program. "" before one is chosen. */
const char *tls_cipher(const struct tls *tls);
/* A few words for an alert number (RFC 8446 section 6); never NULL. */
const char *tls_alert_text(uint8_t alert);

#endif
