/* ssh-agent client (draft-ietf-sshm-ssh-agent). Blocks on the agent's socket. */
#ifndef QSH_KEYS_AGENT_H
#define QSH_KEYS_AGENT_H

#include "common/keys/keys.h"

struct agent;
struct agent_id {
	struct pubkey pub;
	char *comment;
};
/* path NULL: $SSH_AUTH_SOCK. QERR_NOTFOUND (no agent named), QERR_SYS, QERR_TIMEOUT (it
 * takes no connections), QERR_NOMEM. */
int agent_open(struct agent **out, const char *path);
void agent_close(struct agent **a);
/* How long one question may take, also one that the agent asks its user to confirm; 60 s
 * unless set. */
void agent_set_timeout(struct agent *a, uint64_t ns);
/* After QERR_TIMEOUT, QERR_SYS, QERR_CLOSED, QERR_FORMAT, QERR_TRUNC or QERR_TOOBIG the
 * connection is out of step: every further call is QERR_CLOSED. */

/* Fresh array, agent_ids_free frees it. QERR_AGENT, QERR_FORMAT, QERR_TRUNC, QERR_TOOBIG,
 * QERR_CLOSED, QERR_SYS, QERR_TIMEOUT. */
int agent_list(struct agent *a, struct agent_id **ids, size_t *n);
void agent_ids_free(struct agent_id *ids, size_t n);
/* Appends the signature blob (string type, string signature; its form is checked, the
 * signature is not). QERR_AGENT: the agent refused (locked, confirmation denied, key not
 * there, or a key restricted to destinations, which cannot sign for qsh). */
int agent_sign(struct agent *a, const struct pubkey *k, const void *p, size_t n,
    struct buf *sigblob);
/* lifetime in seconds, 0: for ever; confirm: ask for each use. QERR_AGENT. */
int agent_add(struct agent *a, const struct privkey *k, uint32_t lifetime, bool confirm);

#endif
