/* What is set up once, and the default limits. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/protect/protect.h"
#include "quic/quic.h"

#define CONN_BUFFER (UINT64_C(64) * 1024 * 1024)

int
quic_init_first(void)
{
	uint8_t b[1];

	if (sodium_init() < 0)
		return QERR_CRYPTO;
	if (gnutls_global_init() != 0)
		return QERR_CRYPTO;
	/* The first use opens the random source, which a sandbox would forbid. */
	if (gnutls_rnd(GNUTLS_RND_NONCE, b, sizeof(b)) != 0)
		return QERR_CRYPTO;
	randombytes_buf(b, sizeof(b));
	protect_init_later(protect_cpu());
	return 0;
}

void
quic_init_rest(void)
{
	protect_settle();
}

int
quic_init(void)
{
	int r = quic_init_first();

	if (r == 0)
		quic_init_rest();
	return r;
}

void
quic_limits_buffer(struct quic_limits *l, uint64_t bytes)
{
	/* Stream windows are for life (ngtcp2 tunes none of them when the connection's window is
	 * not its to tune), so they are large enough for one copy at 1 Gbit/s and 130 ms. Not the whole:
	 * one stream whose bytes nobody takes would leave the others no credit. */
	l->stream_window = l->uni_window = bytes / 4;
	l->send_buffer = (size_t)(bytes / 4);
	l->send_total = (size_t)bytes;
}

static void
limits_common(struct quic_limits *l)
{
	quic_limits_buffer(l, CONN_BUFFER);
	l->max_bidi = 128;
	l->max_uni = 128;
}

void
quic_limits_client(struct quic_limits *l)
{
	limits_common(l);
	l->conn_window = CONN_BUFFER;
	l->handshake_timeout = 30 * NS_PER_S;
}

void
quic_limits_server(struct quic_limits *l)
{
	limits_common(l);
	l->conn_window = UINT64_C(64) * 1024;
	l->max_bidi = 16;
	l->max_uni = 48;
	l->handshake_timeout = 10 * NS_PER_S;
}
