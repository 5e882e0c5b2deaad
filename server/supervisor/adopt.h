/* Connections that were begun before this listener: their monitors come to a named socket, and each
 * gets a channel between its process and the listener of now. */
#ifndef QSH_SERVER_SUPERVISOR_ADOPT_H
#define QSH_SERVER_SUPERVISOR_ADOPT_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/ev/ev.h"
#include "server/ipc/msgs.h"
#include "server/supervisor/sockets.h"

struct adopters;

struct adopt_ops {
	/* Gives the listener its end (fd stays the caller's). 0, or a QERR_*: not taken over; why, if it
	 * is not to come again. */
	int (*adopt)(void *arg, pid_t pid, const struct smsg_register *m, int fd, const char **why);
	/* The user of one that was taken over before is known now. */
	void (*authed)(void *arg, pid_t pid, uint32_t slot);
	/* One whose user was not known has ended. */
	void (*gone)(void *arg, uint32_t slot);
};

/* run_dir must stay valid. QERR_NOMEM. */
int adopters_new(struct adopters **out, struct ev *ev, const char *run_dir,
    const struct adopt_ops *ops, void *arg);
/* Closes and takes away the names. Monitors that were taken over live on. */
void adopters_free(struct adopters **a);
/* A name for each port that is listened on. What fails is logged. */
void adopters_listen(struct adopters *a, const struct sockets *socks);
/* There is a listener to give them to; or there is none: who comes waits, and those of the last one
 * come again. */
void adopters_open(struct adopters *a, bool open);

#endif
