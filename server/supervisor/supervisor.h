/* The supervisor: keeps a listener running, starts a monitor for every connection, obeys
 * signals. */
#ifndef QSH_SERVER_SUPERVISOR_SUPERVISOR_H
#define QSH_SERVER_SUPERVISOR_SUPERVISOR_H

#include "common/ev/ev.h"
#include "server/supervisor/setup.h"
#include "server/supervisor/sockets.h"

struct supervisor;

struct supervisor_start {
	const struct options *options;
	struct setup *setup; /* taken over, as are the sockets */
	struct sockets sockets, tcp;
	const char *rundir;
	const struct smsg_linit *keys; /* those of the run directory; copied */
	int ready;		       /* daemon_fork's; -1: in the foreground */
};

/* Starts the listener. 0, or QERR_* with a log line; what was to be taken over is gone in both
 * cases. */
int supervisor_new(struct supervisor **out, struct ev *ev, struct supervisor_start *start);
void supervisor_free(struct supervisor **s);
/* Once the loop has ended: the exit status. */
int supervisor_status(const struct supervisor *s);

#endif
