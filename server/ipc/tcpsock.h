/* TCP sockets of the server. */
#ifndef QSH_SERVER_IPC_TCPSOCK_H
#define QSH_SERVER_IPC_TCPSOCK_H

#include "common/net/transport.h"

/* A non-blocking socket that listens on local. The descriptor or QERR_SYS. */
int tcpsock_listen(const struct addr *local);
/* The addresses of a connected TCP socket, from the kernel. QERR_SYS; QERR_UNSUPPORTED: it is something else. */
int tcpsock_path(int fd, struct tp_path *path);

#endif
