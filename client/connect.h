/* From a host name to a connection whose handshake is complete. */
#ifndef QSH_CLIENT_CONNECT_H
#define QSH_CLIENT_CONNECT_H

#include "client/conf/cconf.h"
#include "client/tokens.h"
#include "common/ev/ev.h"
#include "common/net/transport.h"

struct connect;

/* conn: the first connection whose handshake is complete, the caller's now (its ops are to be set
 * before the return); NULL: none came about, and why was logged. */
typedef void connect_done_fn(void *arg, struct tp_conn *conn, const struct addr *remote);

/* Resolves the name (blocking) and starts the attempts from the loop. watched: a person looks at what comes,
 * so that little may be under way. tokens (may be NULL) outlives the connection. Logs what failed:
 * QERR_NOTFOUND (name), QERR_INVAL (bind address, port list), QERR_NOMEM. */
int connect_new(struct connect **out, struct ev *ev, const struct cconf *conf, bool watched,
    struct tokens *tokens, connect_done_fn *done, void *arg);
/* AF_UNSPEC, AF_INET or AF_INET6, as AddressFamily says. */
int connect_family(const struct cconf *conf);
/* Ends what still runs. */
void connect_free(struct connect **c);

#endif
