/* The key schedule of RFC 9001 section 5, and the way of its keys into an ngtcp2 connection: at every
 * level, key updates and the Retry tag included, ngtcp2 gets keys of quic/protect. */
#ifndef QSH_QUIC_PROTECT_KEYS_H
#define QSH_QUIC_PROTECT_KEYS_H

#include <ngtcp2/ngtcp2.h>

#include "quic/protect/protect.h"

/* Fills what has to do with keys and packet protection in the callbacks of a client, or of a server. */
void keys_callbacks_client(ngtcp2_callbacks *cb);
void keys_callbacks_server(ngtcp2_callbacks *cb);

/* How many packets have left this process that answer a peer's challenge of a path (RFC 9000 section 19.18), as
 * far as that frame is their first, where ngtcp2 puts it. For two looks, as protect_opened. */
uint64_t keys_responses(void);

/* TLS has come to the secrets of a level (Handshake or 1-RTT): rx, tx or both, n bytes each; NULL: not now.
 * tls is the session, as ngtcp2_crypto_ctx_tls takes it. QERR_NOMEM, QERR_CRYPTO, QERR_UNSUPPORTED (a
 * suite that packets cannot be protected with). */
int keys_install(ngtcp2_conn *conn, void *tls, ngtcp2_encryption_level level, const uint8_t *rx,
    const uint8_t *tx, size_t n);

#endif
