/* The monitor: one a connection, with the privileges that the connection's process does not have. It signs
 * the handshake, decides authentication, starts the user's broker and keeps the login records. */
#ifndef QSH_SERVER_MONITOR_MONITOR_H
#define QSH_SERVER_MONITOR_MONITOR_H

#include "server/ipc/role.h"

/* How other roles are started; tests put their own here. */
struct monitor_ops {
	pid_t (*start)(const char *name, const char *title, int chan, const struct role_user *who,
	    bool keep_stderr);
};

/* Serves one connection over channel fd (taken over), which leads to the supervisor. The exit status for main(). */
int monitor_run(int fd, const struct monitor_ops *ops);

#endif
