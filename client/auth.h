/* User authentication on the control stream. */
#ifndef QSH_CLIENT_AUTH_H
#define QSH_CLIENT_AUTH_H

#include "client/conf/cconf.h"
#include "client/identity.h"
#include "common/ev/ev.h"
#include "common/net/transport.h"

struct auth;

struct auth_ops {
	void (*granted)(void *arg);
	/* No method is left; the line for the user was logged. */
	void (*denied)(void *arg);
};

/* Opens the control stream (the first stream of the connection) and sends the first request. Needs a
 * complete handshake and a host key that was accepted. conf, keys, hostkey and ops must outlive it.
 * QERR_AGAIN (no stream is permitted yet), QERR_CLOSED, QERR_CRYPTO, QERR_NOMEM. */
int auth_new(struct auth **out, struct ev *ev, struct tp_conn *conn, const struct cconf *conf,
    struct keyring *keys, const struct pubkey *hostkey, const struct auth_ops *ops, void *arg);
/* Takes back the question to the user, if there is one; a may be NULL. */
void auth_hush(struct auth *a);
void auth_free(struct auth **a);

#endif
