/* Packets that are answered without a connection. Each writes one packet and returns its
 * length, or QERR_CRYPTO; dst has REPLY_MAX bytes. */
#ifndef QSH_SERVER_LISTENER_REPLY_H
#define QSH_SERVER_LISTENER_REPLY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ngtcp2/ngtcp2.h>

#include "common/base/clock.h"
#include "common/net/addr.h"
#include "server/listener/cid.h"

#define REPLY_MAX	 256
#define REPLY_TOKEN_KEY	 32
#define REPLY_TOKEN_TIME (10 * NS_PER_S) /* a Retry token's life */
#define REPLY_KNOWN_TIME (7 * 24 * 3600 * NS_PER_S) /* one's for the next connection */
#define REPLY_KNOWN_MAX	 64 /* bytes of it */
#define REPLY_RESET_MIN	 21 /* RFC 9000 section 10.3: the shortest stateless reset */

/* Version Negotiation (RFC 9000 section 6); the IDs are echoed as they came, and may be long:
 * dst has dcidlen + scidlen + REPLY_MAX bytes. */
ssize_t reply_versions(uint8_t *dst, size_t n, const ngtcp2_version_cid *vc);
/* Retry (section 8.1.2): the client is to come again with the token, to retry_scid. */
ssize_t reply_retry(uint8_t *dst, const ngtcp2_pkt_hd *hd, const struct addr *remote,
    const struct quic_cid *retry_scid, const uint8_t key[REPLY_TOKEN_KEY], uint64_t now);
/* CONNECTION_CLOSE in an Initial packet. */
ssize_t reply_close(uint8_t *dst, const ngtcp2_pkt_hd *hd, uint64_t code, const char *reason);
/* A stateless reset, shorter than what triggered it; 0: none is possible. */
ssize_t reply_reset(uint8_t *dst, size_t trigger, const uint8_t token[QUIC_TOKEN_LEN]);

/* A token for NEW_TOKEN (section 8.1.3), by which the address is known when it comes again, from whatever
 * port; dst has REPLY_KNOWN_MAX bytes. */
ssize_t reply_new_token(
    uint8_t *dst, const struct addr *remote, const uint8_t key[REPLY_TOKEN_KEY], uint64_t now);

enum reply_token {
	TOKEN_NONE,
	TOKEN_VALID,   /* of Retry */
	TOKEN_INVALID, /* of Retry */
	TOKEN_KNOWN,   /* of NEW_TOKEN */
};
/* What an Initial's token is worth; odcid is filled where it is TOKEN_VALID. One of NEW_TOKEN that is not
 * valid (section 8.1.3), and one of neither, count as none. */
enum reply_token reply_token_check(const ngtcp2_pkt_hd *hd, const struct addr *remote,
    const uint8_t key[REPLY_TOKEN_KEY], uint64_t now, struct quic_cid *odcid);

#endif
