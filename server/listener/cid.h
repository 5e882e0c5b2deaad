/* Connection IDs as QUIC-LB has them (draft-ietf-quic-load-balancers, single-pass encryption),
 * and stateless reset tokens.
 *
 * One octet (3 bits configuration rotation, 5 bits length of the rest), then one AES-128 block
 * over server ID (4) and nonce (12). Who has the routing key sees the server ID. The nonce is 8
 * random octets and the slot, XORed with those octets enciphered under the slot key: which
 * process owns a connection is for this host alone. */
#ifndef QSH_SERVER_LISTENER_CID_H
#define QSH_SERVER_LISTENER_CID_H

#include <stdbool.h>

#include "server/ipc/msgs.h"

#define CID_ROTATION 0 /* configuration in use */
#define CID_FIRST    ((CID_ROTATION << 5) | (QUIC_CID_LEN - 1))

struct cid_keys;

/* Takes what it needs of the keys; QERR_NOMEM, QERR_CRYPTO. */
int cid_keys_new(struct cid_keys **out, const struct smsg_linit *init);
/* Tokens are made with this key from now on. The one before it is remembered: IDs in use have tokens
 * of it. */
void cid_keys_set_reset(struct cid_keys *k, const uint8_t key[32]);
/* Wipes. */
void cid_keys_free(struct cid_keys **k);
/* A fresh connection ID for a slot, with its reset token. QERR_CRYPTO. */
int cid_mint(struct cid_keys *k, uint32_t slot, struct quic_cid *out);
/* The slot that is written in n octets; QERR_NOTFOUND: not an ID of this host. */
int cid_slot(struct cid_keys *k, const uint8_t *id, size_t n, uint32_t *slot);
/* The reset token of an ID, whether it was ever minted or not (RFC 9000 section 10.3.2). */
void cid_reset_token(
    const struct cid_keys *k, const uint8_t *id, size_t n, uint8_t token[QUIC_TOKEN_LEN]);
/* With the key before; false: there was none. */
bool cid_former_reset_token(
    const struct cid_keys *k, const uint8_t *id, size_t n, uint8_t token[QUIC_TOKEN_LEN]);

#endif
