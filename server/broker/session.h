/* Sessions: what the broker keeps of each, and the calls that make one and act on it. */
#ifndef QSH_SERVER_BROKER_SESSION_H
#define QSH_SERVER_BROKER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/ipc/ipc.h"
#include "server/broker/plan.h"
#include "server/ipc/msgs.h"

struct session {
	struct session *next;
	uint64_t chan;
	uint64_t id;      /* for log lines; 0 until it runs */
	pid_t pid;
	int master;       /* our copy of the terminal's master, for its size and breaks; -1 without */
	char tty[64];     /* "/dev/pts/N"; "" without */
	bool logged_in;   /* the monitor has a login record of tty */
	bool no_signals;  /* forced command or subsystem: the client may not send it signals */
	bool exited, closed;
};

/* The descriptors of a new session. theirs are for the child, ours for the connection's process. */
struct session_fds {
	int ours[3], theirs[3];
	size_t nours;     /* 1: a terminal's master, 3: pipes */
	char tty[64];
};
void session_fds_init(struct session_fds *f);
void session_fds_close(struct session_fds *f);
/* A terminal with the client's size and modes; QERR_SYS, *what says what could not be had. */
int session_open_pty(struct session_fds *f, const struct smsg_start *s, const char **what);
int session_open_pipes(struct session_fds *f, const char **what);
int session_set_size(int master, uint32_t cols, uint32_t rows, uint32_t xpixel, uint32_t ypixel);
/* To the terminal's foreground process group, or the session's own without a terminal. QERR_SYS; QERR_DENIED for a
 * forced command or subsystem; QERR_UNKNOWN for a name that may not be sent. */
int session_signal(const struct session *s, const char *name);
int session_break(const struct session *s);

#endif
