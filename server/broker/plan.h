/* What a start request becomes under the user's policy. Pure. */
#ifndef QSH_SERVER_BROKER_PLAN_H
#define QSH_SERVER_BROKER_PLAN_H

#include "server/ipc/msgs.h"

struct plan {
	char *command;          /* NULL: a login shell */
	char *original;         /* what the client asked for where another command is forced; or NULL */
	const char *subsystem;  /* its name, inside the request; NULL: none */
	bool pty;               /* open a terminal; false also where PermitTTY forbids the one asked for */
	bool pty_refused;       /* asked for, and forbidden */
	bool forced;
};

/* 0; QERR_NOMEM; QERR_DENIED with *why, a sentence for the client: max_sessions, subsystem. nsessions:
 * sessions that are open now. */
int plan_make(struct plan *p, const struct smsg_binit *init, const struct smsg_start *start,
    size_t nsessions, const char **why);
void plan_free(struct plan *p);

#endif
