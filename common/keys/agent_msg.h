/* Messages of the agent protocol (draft-ietf-sshm-ssh-agent section 3). Inside common/keys
 * only. */
#ifndef QSH_KEYS_AGENT_MSG_H
#define QSH_KEYS_AGENT_MSG_H

#include "common/keys/agent.h"

#define AGENT_MSG_MAX (256 * 1024)

/* Requests, without their length. Each 0 or the buffer's error. */
int agent_put_list(struct buf *b);
int agent_put_sign(struct buf *b, const struct pubkey *k, const void *p, size_t n);
int agent_put_add(struct buf *b, const struct privkey *k, uint32_t lifetime, bool confirm);

/* Replies. QERR_AGENT: it says no; QERR_PROTO: of a type that does not belong here;
 * QERR_FORMAT, QERR_TRUNC, QERR_TOOBIG, QERR_NOMEM. */
int agent_get_list(const uint8_t *p, size_t n, struct agent_id **ids, size_t *nids);
int agent_get_sign(const uint8_t *p, size_t n, const struct pubkey *k, struct buf *sigblob);
int agent_get_done(const uint8_t *p, size_t n);

#endif
