/* The listener: sockets, the supervisor's channel and a channel a connection around front.h. */
#ifndef QSH_SERVER_LISTENER_LISTENER_H
#define QSH_SERVER_LISTENER_LISTENER_H

#include "common/ev/ev.h"

struct listener;

/* chan: the supervisor's channel, taken over. QERR_NOMEM, QERR_SYS. */
int listener_new(struct listener **out, struct ev *ev, int chan);
void listener_free(struct listener **l);
/* 0, or why it stopped: the supervisor gone is no error. */
int listener_result(const struct listener *l);

#endif
