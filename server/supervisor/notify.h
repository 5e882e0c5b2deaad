/* Telling those who wait for us: the service manager (sd_notify(3)'s protocol, over
 * $NOTIFY_SOCKET), the parent of a daemon, and readers of the PidFile. */
#ifndef QSH_SERVER_SUPERVISOR_NOTIFY_H
#define QSH_SERVER_SUPERVISOR_NOTIFY_H

#include <sys/types.h>

/* Sends one state ("READY=1"); best effort, nothing where nobody asked. */
void notify_state(const char *state);

/* Forks. In the parent: waits for the child's word, and returns its exit status in *status (0
 * once the child is ready). In the child: *ready is to be given to daemon_ready. 1: parent, 0:
 * child, QERR_SYS. */
int daemon_fork(int *ready, int *status);
/* The child's last step: a session of its own, / as its folder, and standard input and output
 * (and error unless keep_stderr) on /dev/null; lets the parent go. Clears *ready. */
int daemon_ready(int *ready, int keep_stderr);

/* Writes our process ID. A file of another live process is left alone. QERR_SYS, QERR_EXISTS
 * (*holder says who). */
int pidfile_write(const char *path, pid_t *holder);
/* Removes it if it is ours. */
void pidfile_remove(const char *path);

#endif
