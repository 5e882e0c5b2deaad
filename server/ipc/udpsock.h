/* UDP sockets of the server. Learnt by trying: SO_REUSEPORT only (with SO_REUSEADDR another
 * user can take the port); a socket between bind() and connect() takes all traffic of its port,
 * so a classic BPF filter for the peer is attached before bind() and removed after connect().
 */
#ifndef QSH_SERVER_IPC_UDPSOCK_H
#define QSH_SERVER_IPC_UDPSOCK_H

#include "common/net/transport.h"

/* An unconnected, non-blocking socket bound to local, with packet info, ECN, DF and GRO set.
 * The descriptor or QERR_SYS. */
int udpsock_listen(const struct addr *local);
/* A socket bound to path->local and connected to path->remote. The descriptor, or QERR_SYS. */
int udpsock_connected(const struct tp_path *path);
/* The two halves of udpsock_connected: a socket that is bound and already takes nothing but the
 * peer's datagrams (others that reach it are lost, as on a busy link), and its connection.
 * QERR_SYS. */
int udpsock_reserve(const struct tp_path *path);
int udpsock_finish(int fd, const struct tp_path *path);

#endif
