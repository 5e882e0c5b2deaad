/* Connections over a byte stream; see quic/quic.h for what is said outside. */
#ifndef QSH_QUIC_USER_STRIO_H
#define QSH_QUIC_USER_STRIO_H

#include "quic/quic.h"
#include "quic/user/frame.h"

/* UDP payload bytes of every packet. Measured: ARCHITECTURE.md, "QUIC over a byte stream". */
#define STRIO_PACKET 16384

/* A socket that is being connected, without blocking; *local is its own address. QERR_SYS. */
int strio_tcp(int *fd, struct addr *local, const struct addr *remote, const struct addr *bind,
    const char *device);
/* What an established connection's socket needs; not needed where it is none. */
void strio_tune(int fd);
/* Closes both, which may be the same, and clears them. */
void strio_close(struct quic_carrier *via);

/* A server's connection whose first datagram is at first, in rx's buffer: both are used from the loop. Takes via's
 * descriptors, *rx and cfg->trace over, also on failure. QERR_*. */
int strio_server(struct tp_conn **out, struct ev *ev, const struct quic_server_cfg *cfg,
    struct quic_carrier *via, struct qframe_rx **rx, const uint8_t *first, size_t n,
    const struct quic_server_host *host, const struct tp_conn_ops *ops, void *arg);

#endif
