/* The listening sockets: unconnected UDP, datagrams in batches, with both addresses and ECN. */
#ifndef QSH_SERVER_LISTENER_LSOCK_H
#define QSH_SERVER_LISTENER_LSOCK_H

#include "common/ev/ev.h"
#include "server/ipc/msgs.h"

struct lsocks;

/* A datagram came; the bytes are valid during the call. */
typedef void lsock_input_fn(void *arg, const struct smsg_dgram *d);

/* QERR_NOMEM. */
int lsocks_new(struct lsocks **out, struct ev *ev, lsock_input_fn *input, void *arg);
void lsocks_free(struct lsocks **ls);
/* Takes fd over (also on failure), bound to local. Reads nothing before lsocks_start.
 * QERR_NOMEM, QERR_TOOBIG: too many. */
int lsocks_add(struct lsocks *ls, int fd, const struct addr *local);
/* QERR_NOTFOUND. */
int lsocks_drop(struct lsocks *ls, const struct addr *local);
/* Reads from now on, also what is added later. QERR_NOMEM, QERR_SYS. */
int lsocks_start(struct lsocks *ls);
/* Sends from the socket that owns path->local, best effort. QERR_NOTFOUND: none does, QERR_SYS.
 */
int lsocks_send(const struct lsocks *ls, const struct tp_path *path, unsigned ecn,
    const uint8_t *p, size_t n);
/* Does one own this local address? */
bool lsocks_owns(const struct lsocks *ls, const struct addr *local);
size_t lsocks_count(const struct lsocks *ls);

#endif
