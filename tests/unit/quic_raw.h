/* A QUIC endpoint made of ngtcp2 and GnuTLS alone, that is not ours: for peers that speak another
 * protocol, show another kind of key, or do not behave. Its counterpart is one of our connections,
 * joined to it without a network. */
#ifndef QSH_TESTS_UNIT_QUIC_RAW_H
#define QSH_TESTS_UNIT_QUIC_RAW_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "tests/sim/simpeer.h"

#define RAW_PRIORITY \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE:" \
	"-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-CLI-X509"

#define RAW_QUEUE 256

struct rawpkt {
	size_t n;
	uint8_t p[1500];
};

struct rawqueue {
	struct rawpkt v[RAW_QUEUE];
	unsigned head, n;
};

struct rawpair {
	uint64_t now;
	/* the raw end */
	ngtcp2_conn *ng;
	ngtcp2_crypto_conn_ref ref;
	gnutls_session_t session;
	gnutls_certificate_credentials_t cred;
	struct tp_path raw_path;
	bool raw_closed;
	uint64_t peer_code;          /* of the CONNECTION_CLOSE that it got */
	ngtcp2_ccerr_type peer_type;
	/* our end */
	struct tp_conn *c;
	struct tp_path path;
	struct simpeer peer;         /* only as a record of what was called */
	struct rawqueue to_raw, to_us;
	const uint8_t *inject;       /* frames in place of those of the next packet */
	size_t inject_n;
	uint8_t pk[32], sk[64];
	int sign_result;
	unsigned signs;
};

/* A fresh key, and a raw public key credential with one. */
gnutls_x509_privkey_t raw_key(gnutls_pk_algorithm_t algo, unsigned bits);
gnutls_certificate_credentials_t raw_cred(gnutls_pk_algorithm_t algo, unsigned bits);

/* Our server, a raw client that offers alpn. */
void raw_server_init(struct rawpair *p, const char *alpn);
/* Our client, a raw server that takes alpn, with this credential (taken over) and priority string. */
void raw_client_init(struct rawpair *p, const char *alpn, const char *priority, unsigned flags,
    gnutls_certificate_credentials_t cred);
/* Hands datagrams to and fro until both are quiet or steps are over. */
void raw_run(struct rawpair *p, unsigned steps);
/* The raw end sends one packet, protected as it should be, with these frames in it (and padding). */
void raw_inject(struct rawpair *p, const uint8_t *frames, size_t n);
/* Our end reads what has been sent to it, and what it answers is dropped. */
void raw_deliver(struct rawpair *p);
void raw_free(struct rawpair *p);

#endif
