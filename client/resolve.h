/* Looks a host name up while the loop goes on: getaddrinfo(3) blocks, so it is asked in a child process. */
#ifndef QSH_CLIENT_RESOLVE_H
#define QSH_CLIENT_RESOLVE_H

#include <stddef.h>

#include "common/ev/ev.h"
#include "common/net/addr.h"

#define RESOLVE_MAX 16

struct resolve;

/* n 0: nothing was found. v is valid during the call; the object may be freed from here. */
typedef void resolve_fn(void *arg, const struct addr *v, size_t n);

/* family: AF_UNSPEC, AF_INET or AF_INET6. Ports are 0. fn comes once, from the loop. QERR_NOMEM, QERR_SYS. */
int resolve_new(struct resolve **out, struct ev *ev, const char *host, int family, resolve_fn *fn,
    void *arg);
/* Ends a look-up that still runs. */
void resolve_free(struct resolve **r);

#endif
