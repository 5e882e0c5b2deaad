/* UDP sockets: batches in (recvmmsg with UDP_GRO) and out (sendmsg with UDP_SEGMENT). */
#ifndef QSH_QUIC_USER_UDP_H
#define QSH_QUIC_USER_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net/if.h>

#include "common/net/addr.h"

#define QUDP_BATCH 8

/* UDP payload that the interface to a connected socket's peer takes in one piece; 0 where that is not
 * to be learnt. Does not block. */
size_t qudp_mtu(int fd, int family);

struct qudp_rx; /* receive buffers */

/* One datagram of those received, or several of seg bytes each (the last may be shorter). */
struct qudp_msg {
	const uint8_t *p;
	size_t n, seg;
	unsigned ecn;
};

/* A non-blocking socket connected to remote; *local: its own address. bind with len 0 and device
 * NULL: any. QERR_SYS. */
int qudp_client(int *fd, struct addr *local, const struct addr *remote, const struct addr *bind,
    const char *device);

/* Has a connected socket send through no other interface than the route's of now, whose name it gives: a route that changes
 * would take the local address along to another network. False: the system does not permit or know that. */
bool qudp_pin(int fd, const struct addr *local, const struct addr *remote, char name[IF_NAMESIZE]);
/* Does this machine have the address, and may send from it? True where that cannot be told. */
bool qudp_here(const struct addr *local);
/* The source address and device of a socket that is not connected yet; len 0 and NULL: any. QERR_SYS. */
int qudp_bind(int fd, const struct addr *bind, const char *device);

int qudp_rx_new(struct qudp_rx **rx); /* QERR_NOMEM */
void qudp_rx_free(struct qudp_rx **rx);
/* Gives the memory of large messages back, until some come again. The last messages are void. */
void qudp_rx_rest(struct qudp_rx *rx);
/* Reads what there is, at most QUDP_BATCH messages, from a connected socket. The number, 0 when
 * there is none; QERR_SYS with errno (ECONNREFUSED: ICMP says that nobody listens there). The
 * messages are valid until the next call. */
int qudp_recv(struct qudp_rx *rx, int fd, struct qudp_msg *msgs);

struct qudp_tx {
	bool no_gso;  /* refused once: not asked again */
	bool no_ecn;  /* so is to mark datagrams */
	bool refused; /* ICMP said meanwhile that nobody listens there */
};
/* Sends n bytes as datagrams of seg bytes. Returns the bytes dealt with (sent or lost), fewer
 * than n where the socket is full. */
size_t qudp_send(struct qudp_tx *tx, int fd, int family, unsigned ecn, const uint8_t *p, size_t n,
    size_t seg);

#endif
