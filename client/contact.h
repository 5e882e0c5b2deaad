/* Keeps a connection in contact with its server: passes on news of this machine's network, looks the server's
 * name up anew when it has been silent for some seconds, and says in the log what the path does. */
#ifndef QSH_CLIENT_CONTACT_H
#define QSH_CLIENT_CONTACT_H

#include "client/conf/cconf.h"
#include "common/ev/ev.h"
#include "common/net/transport.h"

struct contact;

/* conn's handshake is complete; remote: where it went. screen: a program has the terminal, and no line may come between.
 * conf and conn must outlive it. QERR_NOMEM. */
int contact_new(struct contact **out, struct ev *ev, const struct cconf *conf, struct tp_conn *conn,
    const struct addr *remote, bool screen);
void contact_free(struct contact **c);
/* What struct tp_conn_ops brings. */
void contact_silent(struct contact *c, bool silent);
void contact_path_event(struct contact *c, enum tp_path_event ev, const struct tp_path *path);
void contact_moved(struct contact *c, const struct tp_path *from, const struct tp_path *to);

/* The session is at its end, and the terminal free: says in a line if it was kept from taking another path than one that
 * is gone. */
void contact_end(struct contact *c);

#endif
