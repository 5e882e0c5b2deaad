/* ProxyUseFdpass: a ProxyCommand that makes a connection and hands it over, instead of passing its bytes. */
#ifndef QSH_CLIENT_FDPASS_H
#define QSH_CLIENT_FDPASS_H

#include "common/ev/ev.h"
#include "quic/quic.h"

struct fdpass;

/* via: what was handed over, a connected stream socket, to be taken over. NULL: why says what came instead. From the loop,
 * once; fdpass_free may be called from inside. */
typedef void fdpass_fn(void *arg, struct quic_carrier *via, const char *why);

/* Waits for it on sock, which is taken over, also on failure. QERR_NOMEM, QERR_SYS. */
int fdpass_new(struct fdpass **out, struct ev *ev, int sock, fdpass_fn *fn, void *arg);
void fdpass_free(struct fdpass **fp);

#endif
