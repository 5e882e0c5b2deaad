/* Authentication of one connection's user: what net reports of each request, against what the system and the
 * configuration say. Everything that decides is in decide.c, access.c, grant.c and methods.c. */
#ifndef QSH_SERVER_MONITOR_AUTH_H
#define QSH_SERVER_MONITOR_AUTH_H

#include "server/conf/sconf.h"
#include "server/ipc/msgs.h"
#include "server/monitor/access.h"
#include "server/monitor/account.h"
#include "server/monitor/delay.h"
#include "server/monitor/grant.h"

#define AUTH_METHODS_MAX 128

/* What stays the same from request to request. */
struct auth_env {
	const struct sconf_src *src;
	struct tp_path path;         /* now; changed by auth_moved */
	const uint8_t *hostkey;      /* our own public key blob */
	size_t hostkeylen;
	uint8_t secret[DELAY_SECRET_LEN];
	uid_t only_uid;              /* (uid_t)-1: every user is served */
};

struct auth;

/* env must stay valid. QERR_NOMEM. */
int auth_new(struct auth **out, struct auth_env *env);
void auth_free(struct auth **a);

struct auth_reply {
	enum smsg_auth_code code;
	char methods[AUTH_METHODS_MAX]; /* what can continue */
	uint64_t not_before;            /* ns after the request at which a failure may be told */
};
/* One request. now: ns since the epoch. Blocks on files and NSS. Logs the outcome. QERR_PROTO: the user or service changed
 * or is unknown (logged): the connection is to end. QERR_NOMEM. */
int auth_request(struct auth *a, const struct smsg_auth *req, uint64_t now, struct auth_reply *reply);

/* NULL until the first request came. */
const char *auth_user(const struct auth *a);
bool auth_user_valid(const struct auth *a);
const struct account *auth_account(const struct auth *a);
/* The configuration as it holds for this user and address; NULL before the first request. */
const struct sconf *auth_conf(const struct auth *a);
const struct grant *auth_grant(const struct auth *a);
/* "publickey ssh-ed25519 AAAA..." lines, for SSH_USER_AUTH. Fresh memory; NULL: no memory. */
char *auth_info(const struct auth *a);

/* The client has another address now. Before success: what was granted for the former one is asked for again. After: QERR_DENIED (logged) where
 * this login would not be permitted from there, or other rules hold there than those that the session began with. */
int auth_moved(struct auth *a, const struct tp_path *to);

#endif
