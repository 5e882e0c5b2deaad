/* The environment of a session, from scratch: nothing of the daemon's own gets through. */
#ifndef QSH_SERVER_BROKER_ENV_H
#define QSH_SERVER_BROKER_ENV_H

#include "server/ipc/msgs.h"

/* Sets NAME to value, in place of an earlier value. Names that are empty or have a '=' are
 * QERR_FORMAT; QERR_NOMEM. */
int env_set(struct strlist *env, const char *name, const char *value);
/* The same for "NAME=value". */
int env_put(struct strlist *env, const char *assignment);
/* The value of NAME, inside env; NULL if there is none. */
const char *env_get(const struct strlist *env, const char *name);

struct env_in {
	const struct smsg_binit *init;  /* the user, and what the configuration says */
	const struct smsg_start *start; /* what the client asked for; only names that AcceptEnv has get through */
	const struct tp_path *path;     /* addresses now */
	const char *tty;                /* "/dev/pts/N" or NULL */
	const char *original;           /* SSH_ORIGINAL_COMMAND or NULL */
	const char *auth_file;          /* SSH_USER_AUTH or NULL */
};
/* Fills *env (empty before) in sshd's order of precedence; QERR_NOMEM. The caller frees it. */
int env_build(struct strlist *env, const struct env_in *in);
/* Is NAME of "NAME=value" in one of the AcceptEnv patterns? */
bool env_accepted(const struct strlist *patterns, const char *assignment);

#endif
