/* The listener, as the supervisor sees it: a child, its channel, and what goes over it. */
#ifndef QSH_SERVER_SUPERVISOR_LCHILD_H
#define QSH_SERVER_SUPERVISOR_LCHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/ev/ev.h"
#include "server/ipc/msgs.h"
#include "server/supervisor/sockets.h"

struct lchild;

struct lchild_ops {
	/* It is sandboxed and reads. */
	void (*ready)(void *arg);
	/* A connection was admitted. *fd is the process's end of its channel: to keep it, set
	 * *fd to -1. */
	void (*admit)(void *arg, const struct smsg_admit *m, int *fd);
	/* A connection's address was not validated in time. */
	void (*expired)(void *arg, uint32_t slot);
	/* The channel is over: it is dying. lchild_free may be called. */
	void (*gone)(void *arg, int err);
	/* As admit, of one that came over TCP; *fd is the connection. */
	void (*admit_tcp)(void *arg, uint32_t slot, int *fd);
};

/* Starts it and sends it everything up to SL_GO. 0, or QERR_* with a log line. */
int lchild_new(struct lchild **out, struct ev *ev, const struct smsg_linit *init,
    const struct sockets *socks, bool keep_stderr, const struct lchild_ops *ops, void *arg);
/* Closes the channel: the child ends by itself. */
void lchild_free(struct lchild **l);
pid_t lchild_pid(const struct lchild *l);

/* Each is best effort: where the channel fails, gone follows. */
void lchild_authed(struct lchild *l, uint32_t slot);
void lchild_slot_gone(struct lchild *l, uint32_t slot);
/* A connection of a former listener; fd, its channel, stays the caller's. QERR_*: not sent. */
int lchild_adopt(struct lchild *l, const struct smsg_adopt *m, int fd);
void lchild_add_socket(struct lchild *l, const struct sock *s);
void lchild_drop_socket(struct lchild *l, const struct addr *a);
void lchild_reset_key(struct lchild *l, const uint8_t key[32]);
void lchild_add_tcp(struct lchild *l, const struct sock *s);
void lchild_drop_tcp(struct lchild *l, const struct addr *a);
void lchild_limits(struct lchild *l, const struct smsg_limits *m);

#endif
