/* The listening TCP sockets: accepts, and hands the connections on unread. */
#ifndef QSH_SERVER_LISTENER_TCP_H
#define QSH_SERVER_LISTENER_TCP_H

#include "common/ev/ev.h"
#include "common/net/transport.h"

struct ltcps;

/* A connection came. *fd is to be set to -1 to keep it. */
typedef void ltcp_accept_fn(void *arg, int *fd, const struct tp_path *path);

/* QERR_NOMEM. */
int ltcps_new(struct ltcps **out, struct ev *ev, ltcp_accept_fn *fn, void *arg);
void ltcps_free(struct ltcps **t);
/* Takes fd over (also on failure), which listens on local. Accepts nothing before ltcps_start. QERR_NOMEM, QERR_SYS,
 * QERR_TOOBIG: too many. */
int ltcps_add(struct ltcps *t, int fd, const struct addr *local);
/* QERR_NOTFOUND. */
int ltcps_drop(struct ltcps *t, const struct addr *local);
/* Accepts from now on, also from what is added later. QERR_NOMEM, QERR_SYS. */
int ltcps_start(struct ltcps *t);
/* Tells a client why it is not served. Best effort. */
void ltcp_refuse(int fd, const char *why);

#endif
