/* The named sockets over which monitors of live connections find a supervisor that was started after
 * them, or whose listener was. One a port, in a folder of the run directory that only the user of
 * both may enter: whoever can connect is one of us. */
#ifndef QSH_SERVER_IPC_REGSOCK_H
#define QSH_SERVER_IPC_REGSOCK_H

#include <stdint.h>
#include <sys/types.h>

#define REGSOCK_DIR "monitors" /* in the run directory, mode 0700 */

/* A listening SOCK_SEQPACKET socket, which does not block, in the place of any that was there. The
 * descriptor, QERR_TOOBIG (the directory's name is too long for a socket's), QERR_NOMEM, QERR_SYS. */
int regsock_listen(const char *run_dir, uint16_t port);
/* Takes the name away. */
void regsock_remove(const char *run_dir, uint16_t port);
/* A connection that waits, which does not block; *pid is whose. QERR_AGAIN: none; QERR_DENIED: of another
 * user's; QERR_SYS. */
int regsock_accept(int fd, pid_t *pid);
/* The descriptor, which does not block; QERR_AGAIN: nobody listens now; QERR_DENIED: another user does;
 * QERR_TOOBIG, QERR_NOMEM, QERR_SYS. Does not wait. */
int regsock_connect(const char *run_dir, uint16_t port);

#endif
