/* What a line of authorized_keys grants, and what several of them grant together where more than one
 * key has to be shown. Pure. */
#ifndef QSH_SERVER_MONITOR_GRANT_H
#define QSH_SERVER_MONITOR_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf/conf.h"
#include "common/keys/authkeys.h"
#include "common/net/addr.h"

struct grant {
	struct strlist from;   /* pattern lists: the address has to be in every one */
	char *command;         /* forced; NULL none */
	bool no_pty, no_user_rc;
	struct strlist env;    /* "NAME=value" */
};

enum grant_refusal {
	GRANT_OK,
	GRANT_EXPIRED,
	GRANT_FROM,            /* not from a permitted address */
	GRANT_CERT_AUTHORITY,  /* the line is for certificates */
	GRANT_VERIFY,          /* wants a hardware key's proof, which this key cannot give */
};

/* Does this line let its key in from this address at this time (seconds since the epoch)? */
enum grant_refusal grant_check(const struct authkey_opts *o, const struct addr *from, uint64_t now);
/* Text for a log line. */
const char *grant_refusal_str(enum grant_refusal r);
/* Adds what a line grants: restrictions add up. First call: a zeroed grant. env_ok: PermitUserEnvironment; env_patterns: its pattern
 * list or NULL. QERR_DENIED: two different forced commands; QERR_NOMEM. */
int grant_add(struct grant *g, const struct authkey_opts *o, bool env_ok, const char *env_patterns);
/* Is this address (still) permitted? A key that has expired meanwhile has let its session in already. */
bool grant_permits(const struct grant *g, const struct addr *from);
void grant_free(struct grant *g);

#endif
