/* The life of one connection: connect, host key, authentication, session, end. */
#ifndef QSH_CLIENT_CLIENT_H
#define QSH_CLIENT_CLIENT_H

#include "client/conf/cconf.h"
#include "client/plan.h"
#include "client/stdio.h"
#include "common/ev/ev.h"

struct client;

/* Resolves the host (blocking) and sets everything up; the rest happens in the loop, which is stopped at
 * the end. What fails is logged. conf, plan and io must outlive it. */
int client_new(struct client **out, struct ev *ev, const struct cconf *conf,
    const struct plan *plan, struct stdio *io);
/* After the loop: the exit status. */
int client_status(const struct client *c);
/* After the loop: the signal that the process should die by; 0: none. */
int client_signal(const struct client *c);
void client_free(struct client **c);

#endif
