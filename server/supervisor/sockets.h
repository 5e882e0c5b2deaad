/* The sockets that are listened on. Bound here, read by the listener. */
#ifndef QSH_SERVER_SUPERVISOR_SOCKETS_H
#define QSH_SERVER_SUPERVISOR_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/net/addr.h"

struct sock {
	struct addr addr;
	int fd;
};

struct sockets {
	struct sock *v;
	size_t n;
	bool tcp; /* set by the caller; else UDP */
};

/* Binds one and appends it. patience: how long (ns) an address may still be held by a qshd that
 * is ending. QERR_NOMEM; QERR_EXISTS: in use; QERR_SYS: with a log line that names the address
 * and says what to do. QERR_UNSUPPORTED, not logged: a wildcard of a family that this system
 * does not have. */
int sockets_bind(struct sockets *s, const struct addr *a, uint64_t patience);
/* Binds all; at least one has to succeed, and none may be in use. 0, or QERR_*, logged. */
int sockets_bind_all(struct sockets *s, const struct addr *v, size_t n, uint64_t patience);
struct sock *sockets_find(const struct sockets *s, const struct addr *a);
/* Does one receive what is sent to this local address? */
bool sockets_cover(const struct sockets *s, const struct addr *local);
/* Closes one of the array. */
void sockets_drop(struct sockets *s, struct sock *one);
void sockets_free(struct sockets *s);

#endif
