/* ssh-agent client (draft-ietf-sshm-ssh-agent). Blocks on the agent's socket. */
#ifndef QSH_KEYS_AGENT_H
#define QSH_KEYS_AGENT_H

#include "common/keys/keys.h"

struct agent;
struct agent_id {
	struct pubkey pub;
	char *comment;
};
/* path NULL: $SSH_AUTH_SOCK. QERR_NOTFOUND (no agent named), QERR_SYS. */
int agent_open(struct agent **out, const char *path);
void agent_close(struct agent **a);
/* Fresh array, agent_ids_free frees it. QERR_AGENT, QERR_FORMAT, QERR_SYS, QERR_TIMEOUT (60 s). */
int agent_list(struct agent *a, struct agent_id **ids, size_t *n);
void agent_ids_free(struct agent_id *ids, size_t n);
/* Appends the signature blob. QERR_AGENT: the agent refused (locked, confirmation denied, or a key
 * restricted to destinations, which cannot sign for qsh). */
int agent_sign(struct agent *a, const struct pubkey *k, const void *p, size_t n, struct buf *sigblob);
/* lifetime in seconds, 0: for ever; confirm: ask for each use. QERR_AGENT. */
int agent_add(struct agent *a, const struct privkey *k, uint32_t lifetime, bool confirm);

#endif
