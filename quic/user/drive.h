/* A connection in an event loop: its timer, and its round. */
#ifndef QSH_QUIC_USER_DRIVE_H
#define QSH_QUIC_USER_DRIVE_H

#include "quic/user/conn.h"

struct qdrive {
	struct ev *ev;
	struct ev_timer *timer;
	struct tp_conn *c; /* NULL until it is made */
	void (*after)(void *arg);
	void *after_arg;
};

/* QERR_NOMEM. */
int qdrive_init(struct qdrive *d, struct ev *ev);
void qdrive_fini(struct qdrive *d);
/* fn is called after each round that the timer began. */
void qdrive_after(struct qdrive *d, void (*fn)(void *arg), void *arg);
/* Sets the timer for what is due next. After everything that fed the connection. */
void qdrive_arm(struct qdrive *d);
/* A round now, and the timer. QERR_CLOSED: the connection, and with it d, is gone. */
int qdrive_run(struct qdrive *d);
/* For struct qconn_host. */
void qdrive_wake(struct qdrive *d);

#endif
