/* What the broker's files share. */
#ifndef QSH_SERVER_BROKER_BROKERINT_H
#define QSH_SERVER_BROKER_BROKERINT_H

#include "common/ev/ev.h"
#include "common/ipc/ipc.h"
#include "server/broker/session.h"
#include "server/ipc/msgs.h"

struct broker {
	struct ev *ev;
	struct ipc *mon, *net;
	struct ev_signal *sigchld, *sigterm;
	struct smsg_binit init;
	bool have_init;
	struct tp_path path;        /* where the client is now */
	struct session *sessions;
	size_t nsessions;
	uint64_t started;           /* for log lines: number of sessions so far */
	char *auth_file;            /* SSH_USER_AUTH's file, once made */
};

/* The session of a channel that is not over; NULL. */
struct session *broker_find(struct broker *b, uint64_t chan);
/* Frees a session, in the list or not yet; NULL is fine. */
void broker_drop(struct broker *b, struct session *s);
/* NB_START. */
int broker_on_start(void *ctx, struct rd *body, int *fds);

#endif
